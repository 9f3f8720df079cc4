//! Lines that no client should send: each gets its answer, and the next request is served as if nothing had been.

use std::fmt::Write as _;

use aside_protocol::{ListModelsParams, method};
use serde_json::{Value, json};

use crate::server::{Setup, TestServer};

/// One input: what it is, its bytes, and the answers: each an id (JSON text) and a code, zero for a result.
type Case = (&'static str, Vec<u8>, Vec<(String, i64)>);

fn case(name: &'static str, bytes: impl AsRef<[u8]>, answers: &[(&str, i64)]) -> Case {
    let answers = answers.iter().map(|(id, code)| ((*id).to_owned(), *code)).collect();
    (name, bytes.as_ref().to_vec(), answers)
}

/// A cheap request with this id.
fn list(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"listModels","params":{{"provider":"demo"}}}}"#)
}

fn unreadable() -> Vec<Case> {
    let parse = [("null", -32700)];
    let invalid = [("null", -32600)];
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    vec![
        case("no JSON", "hello", &parse),
        case("a shell's greeting", "Last login: Mon Jan 1", &parse),
        case("cut JSON", r#"{"jsonrpc":"2.0","id":1,"method":"#, &parse),
        case("a NUL", b"\0", &parse),
        case("NULs within", b"{\"id\":1,\0\"method\":\"listModels\"}", &parse),
        case("null", "null", &invalid),
        case("true", "true", &invalid),
        case("a number", "42", &invalid),
        case("a string", "\"x\"", &invalid),
        case("an empty object", "{}", &invalid),
        case("an empty batch", "[]", &invalid),
        case("a batch of nothing", "[", &parse),
        case("invalid UTF-8", b"\xff\xfe", &parse),
        case("invalid UTF-8 in a string", b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xc3\"}", &parse),
        case("overlong UTF-8", b"{\"id\":1,\"method\":\"\xc0\xaf\"}", &parse),
        case("a surrogate in UTF-8", b"{\"id\":1,\"method\":\"\xed\xa0\x80\"}", &parse),
        case("two objects", format!("{}{}", list("1"), list("2")), &parse),
        case("an object and a bracket", format!("{}]", list("1")), &parse),
        case("a trailing comma", r#"{"jsonrpc":"2.0","id":1,"method":"listModels",}"#, &parse),
        case("single quotes", "{'id':1}", &parse),
        case("a comment", format!("{} // list", list("1")), &parse),
        case("NaN", r#"{"jsonrpc":"2.0","id":NaN,"method":"listModels"}"#, &parse),
        case("a plus sign", r#"{"jsonrpc":"2.0","id":+1,"method":"listModels"}"#, &parse),
        case("a leading zero", r#"{"jsonrpc":"2.0","id":01,"method":"listModels"}"#, &parse),
        case(
            "a raw control character",
            b"{\"jsonrpc\":\"2.0\",\"id\":\"a\x01\",\"method\":\"listModels\"}",
            &parse,
        ),
        case("a BOM that is not at the start", format!("\u{feff}{}", list("1")), &parse),
        case("100,000 levels", deep(100_000), &parse),
        case("100,000 levels without an end", "[".repeat(100_000), &parse),
        case("100,000 objects", "{\"a\":".repeat(100_000), &parse),
        case("128 levels", deep(128), &parse),
        case("127 levels", deep(127), &invalid),
        case(
            "100,000 levels in params",
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"listModels","params":{}}}"#, deep(100_000)),
            &parse,
        ),
        case(
            "brackets in a string",
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{}"}}"#, "[".repeat(100_000)),
            &[("1", -32601)],
        ),
        case("a header after lines", "Content-Length: 5", &parse),
        case("a carriage return", "\r", &[]),
        case("blanks", " \t ", &[]),
        case("nothing", "", &[]),
    ]
}

fn no_requests() -> Vec<Case> {
    let no = |id: &'static str| [(id, -32600)];
    vec![
        case("an id and nothing else", r#"{"jsonrpc":"2.0","id":1}"#, &no("1")),
        case("another version", r#"{"jsonrpc":"1.0","id":1,"method":"listModels"}"#, &no("1")),
        case("a version that is a number", r#"{"jsonrpc":2.0,"id":1,"method":"listModels"}"#, &no("1")),
        case("a null version", r#"{"jsonrpc":null,"id":1,"method":"listModels"}"#, &no("1")),
        case("no version", r#"{"id":1,"method":"listModels","params":{"provider":"demo"}}"#, &[("1", 0)]),
        case("a null id", r#"{"jsonrpc":"2.0","id":null,"method":"listModels"}"#, &no("null")),
        case("an object as id", r#"{"jsonrpc":"2.0","id":{},"method":"listModels"}"#, &no("null")),
        case("a list as id", r#"{"jsonrpc":"2.0","id":[1],"method":"listModels"}"#, &no("null")),
        case("true as id", r#"{"jsonrpc":"2.0","id":true,"method":"listModels"}"#, &no("null")),
        case("a method that is a number", r#"{"jsonrpc":"2.0","id":1,"method":5}"#, &no("1")),
        case("a null method", r#"{"jsonrpc":"2.0","id":1,"method":null}"#, &no("1")),
        case("an id twice", r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"listModels"}"#, &no("null")),
        case("a method twice", r#"{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}"#, &no("null")),
        case(
            "result and error",
            r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1,"message":""}}"#,
            &no("1"),
        ),
        case("a response without an id", r#"{"jsonrpc":"2.0","result":1}"#, &no("null")),
        case("a response to nothing", r#"{"jsonrpc":"2.0","id":1,"result":null}"#, &[]),
        case("an error to nothing", r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"m"}}"#, &[]),
        case("a response to no question", r#"{"jsonrpc":"2.0","id":"aaaaaaaaaa/q1","result":{}}"#, &[]),
        case("a notification", r#"{"jsonrpc":"2.0","method":"listModels"}"#, &[]),
        case("an unknown notification", r#"{"jsonrpc":"2.0","method":"nothing","params":[1]}"#, &[]),
        case("a notification with bad params", r#"{"jsonrpc":"2.0","method":"cancel","params":7}"#, &[]),
        case(
            "a cancel of nothing",
            r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":77}}"#,
            &[],
        ),
        case("a cancel without an id", r#"{"jsonrpc":"2.0","method":"$/cancelRequest"}"#, &[]),
        case("an optional request", r#"{"jsonrpc":"2.0","id":1,"method":"$/nothing"}"#, &[("1", -32601)]),
        case("an unknown method", r#"{"jsonrpc":"2.0","id":1,"method":"nothing"}"#, &[("1", -32601)]),
        case("an empty method", r#"{"jsonrpc":"2.0","id":1,"method":""}"#, &[("1", -32601)]),
        case(
            "a planned method",
            r#"{"jsonrpc":"2.0","id":1,"method":"rewind","params":{}}"#,
            &[("1", -32601)],
        ),
        case(
            "a method of the server",
            r#"{"jsonrpc":"2.0","id":1,"method":"event","params":{}}"#,
            &[("1", -32601)],
        ),
        case("a reserved method", r#"{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}"#, &[("1", -32601)]),
        case(
            "a method in escapes",
            r#"{"jsonrpc":"2.0","id":1,"method":"list\u004dodels","params":{"provider":"demo"}}"#,
            &[("1", 0)],
        ),
        case(
            "a member's name in escapes",
            r#"{"jsonrpc":"2.0","\u0069d":1,"method":"listSessions"}"#,
            &[("1", 0)],
        ),
        case(
            "more members",
            r#"{"jsonrpc":"2.0","id":1,"method":"listSessions","emittedAtMs":5,"x":{}}"#,
            &[("1", 0)],
        ),
        case("null params", r#"{"jsonrpc":"2.0","id":1,"method":"listSessions","params":null}"#, &[("1", 0)]),
        case(
            "params in a list",
            r#"{"jsonrpc":"2.0","id":1,"method":"listSessions","params":[]}"#,
            &[("1", -32602)],
        ),
        case(
            "params as text",
            r#"{"jsonrpc":"2.0","id":1,"method":"listSessions","params":"x"}"#,
            &[("1", -32602)],
        ),
        case("no params", r#"{"jsonrpc":"2.0","id":1,"method":"prompt"}"#, &[("1", -32602)]),
        case(
            "wrong params",
            r#"{"jsonrpc":"2.0","id":1,"method":"prompt","params":{"text":[]}}"#,
            &[("1", -32602)],
        ),
        case(
            "a required field",
            r#"{"jsonrpc":"2.0","id":1,"method":"openSession","params":{}}"#,
            &[("1", -32602)],
        ),
        case(
            "a param twice",
            r#"{"jsonrpc":"2.0","id":1,"method":"listSessions","params":{"limit":1,"limit":2}}"#,
            &[("1", -32602)],
        ),
        case(
            "a number out of range",
            r#"{"jsonrpc":"2.0","id":1,"method":"listSessions","params":{"limit":1e400}}"#,
            &[("1", -32602)],
        ),
        case(
            "a negative limit",
            r#"{"jsonrpc":"2.0","id":1,"method":"listSessions","params":{"limit":-1}}"#,
            &[("1", -32602)],
        ),
        case(
            "no session",
            r#"{"jsonrpc":"2.0","id":1,"method":"openSession","params":{"sessionId":"nosuchone1"}}"#,
            &[("1", -32002)],
        ),
        case(
            "a path as session",
            r#"{"jsonrpc":"2.0","id":1,"method":"openSession","params":{"sessionId":"../../etc/passwd"}}"#,
            &[("1", -32002)],
        ),
        case(
            "a lone surrogate",
            r#"{"jsonrpc":"2.0","id":1,"method":"listSessions","params":{"cwd":"\ud800"}}"#,
            &[("1", 0)],
        ),
        case(
            "a pair the wrong way round",
            r#"{"jsonrpc":"2.0","id":1,"method":"listSessions","params":{"cwd":"\udc00\ud800"}}"#,
            &[("1", 0)],
        ),
        case("blanks around", format!("  {}\t", list("1")), &[("1", 0)]),
        case("a carriage return at the end", format!("{}\r", list("1")), &[("1", 0)]),
        case("a batch of notifications", r#"[{"jsonrpc":"2.0","method":"a"}]"#, &[]),
        case("a batch of nulls", "[null,null]", &[("null", -32600), ("null", -32600)]),
        case("a batch in a batch", format!("[[{}]]", list("1")), &[("null", -32600)]),
        case("a batch cut off", format!("[{},", list("1")), &[("null", -32700)]),
        case("an id twice in a batch", format!("[{},{}]", list("1"), list("1")), &[("1", 0), ("1", -32600)]),
        case("a batch that is too long", format!("[1{}]", ",1".repeat(2_000)), &[("null", -32600)]),
    ]
}

/// Every answer until that of the request `last`, each its id as it came and its code. Answers come in any
/// order, so that `least` of them are waited for.
fn answers(server: &mut TestServer, last: &str, least: usize) -> Vec<(String, i64)> {
    let mut answers = Vec::new();
    let mut is_over = false;
    loop {
        if is_over && answers.len() >= least {
            return answers;
        }
        let message = server.next();
        if message.answers(last) {
            assert!(message.json.get("result").is_some(), "{}", message.raw);
            is_over = true;
            continue;
        }
        let members = match &message.json {
            Value::Array(members) => members.clone(),
            other => vec![other.clone()],
        };
        for member in &members {
            if let Some(error) = member.get("error") {
                let length = error["message"].as_str().unwrap().len();
                assert!(length > 0 && length < 300, "{error}");
                assert!(error["data"]["kind"].is_string(), "{error}");
            }
            let id = if members.len() == 1 { message.id() } else { None };
            let code = member["error"]["code"].as_i64().unwrap_or(0);
            answers.push((id.unwrap_or_else(|| member["id"].to_string()), code));
        }
    }
}

#[test]
fn every_bad_line_is_answered_and_the_next_is_served() {
    let mut server = TestServer::new().start();
    for (number, (name, bytes, expected)) in unreadable().into_iter().chain(no_requests()).enumerate() {
        let next = format!("\"next {number}\"");
        let mut input = bytes;
        input.extend_from_slice(format!("\n{}\n", list(&next)).as_bytes());
        server.send_bytes(&input);
        assert_eq!(answers(&mut server, &next, expected.len()), expected, "{name}");
    }
}

#[test]
fn every_bad_line_can_be_the_first() {
    for (name, bytes, expected) in unreadable() {
        if matches!(name, "a header after lines" | "a BOM that is not at the start") {
            continue;
        }
        let mut server = TestServer::new().start();
        server.send_bytes(&bytes);
        server.send_bytes(format!("\n{}\n", list("\"next\"")).as_bytes());
        assert_eq!(answers(&mut server, "\"next\"", expected.len()), expected, "{name}");
    }
}

#[test]
fn a_byte_order_mark_is_passed_over_at_the_start() {
    let mut server = TestServer::new().start();
    server.send_bytes(format!("\u{feff}{}\n", list("1")).as_bytes());
    assert_eq!(answers(&mut server, "1", 0), []);
}

#[test]
fn ids_come_back_as_they_came() {
    let mut server = TestServer::new().start();
    for id in [
        "0",
        "-0",
        "-6",
        "1.5",
        "1.0",
        "1e2",
        "1E+2",
        "1e400",
        "-1e-400",
        "9007199254740993",
        "9223372036854775808",
        "18446744073709551616",
        "123456789012345678901234567890",
        "\"\"",
        "\" \"",
        "\"1\"",
        r#""a\u0041""#,
        r#""\/""#,
        r#""\ud83d\ude00""#,
        "\"\u{1f600}\"",
        r#""\u0000""#,
        "\"null\"",
    ] {
        server.send(&list(id));
        let message = server.next();
        assert_eq!(message.id().as_deref(), Some(id));
        assert!(message.json.get("result").is_some());
    }
}

#[test]
fn ids_that_only_look_alike_are_two() {
    let mut server = TestServer::new().script("{\"stall\":true}").start();
    let session = server.new_session();
    let prompt = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"prompt","params":{{"sessionId":"{session}","text":"a"}}}}"#
    );
    server.send(&prompt);
    server.until("stateChanged");
    for id in ["\"7\"", "7.0"] {
        server.send(&list(id));
        server.find(|message| message.answers(id));
        server.send(&format!(r#"{{"jsonrpc":"2.0","method":"$/cancelRequest","params":{{"id":{id}}}}}"#));
    }
    let state = server.call("openSession", &json!({"sessionId": session}));
    assert_eq!(state["session"]["state"], "running");
    server.send(r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":7}}"#);
    let result = server.find(|message| message.answers("7"));
    assert_eq!(result.json["result"]["stopReason"], "cancelled");
    server.ignore_rest();
}

#[test]
fn a_bad_field_is_named() {
    let mut server = TestServer::new().start();
    for (method, params, path) in [
        ("openSession", json!({}), "/sessionId"),
        ("openSession", json!({"sessionId": "a", "after": {"epoch": 1}}), "/after/seq"),
        ("openSession", json!({"sessionId": "a", "after": {"epoch": 1, "seq": -1}}), "/after/seq"),
        ("prompt", json!({"text": {}}), "/text"),
        // Where kinds are told apart by a field, the path ends at the object; the message says the rest.
        (
            "prompt",
            json!({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": 5}]}),
            "/content/1",
        ),
        ("initialize", json!({"capabilities": {"promptUser": "yes"}}), "/capabilities/promptUser"),
        ("initialize", json!({"environment": {"a/b~c": 1}}), "/environment/a~1b~0c"),
        ("configureSession", json!({"sessionId": "a", "thinking": 5}), "/thinking"),
        ("listSessions", json!([1]), ""),
    ] {
        let error = server.call(method, &params);
        assert_eq!(
            (&error["code"], &error["data"]["path"]),
            (&json!(-32602), &json!(path)),
            "{method} {params}: {error}"
        );
        assert!(error["data"]["hint"].is_string());
    }
}

#[test]
fn a_long_name_is_cut_in_the_answer() {
    let mut server = TestServer::new().start();
    for name in ["x".repeat(1 << 20), "ä".repeat(1 << 19)] {
        let error = server.call(&name, &json!({}));
        let message = error["message"].as_str().unwrap();
        assert!(message.chars().count() < 150 && message.contains(&name[..100]), "{message}");
    }
    let error = server.call("prompt", &json!({"text": "a", "model": "y".repeat(1 << 20)}));
    assert!(error.to_string().len() < 1_000);
    let error = server.call("openSession", &json!({"sessionId": "z".repeat(1 << 20)}));
    assert!(error.to_string().len() < 1_000);
}

/// Sends what is too long in pieces, and then a request.
fn too_long(setup: Setup, begin: &str, fill: &[u8], end: &str) -> String {
    let mut server = setup.start();
    server.send_bytes(begin.as_bytes());
    for _ in 0..100 {
        server.send_bytes(&fill.repeat((1 << 20) / fill.len()));
    }
    server.send_bytes(format!("{end}\n{}\n", list("\"next\"")).as_bytes());
    let refused = server.next().json;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(null), &json!(-32700)));
    assert!(server.next().answers("\"next\""));
    format!("{} {}", refused["error"]["message"], refused["error"]["data"]["hint"])
}

#[test]
fn a_hundred_megabytes_are_refused_with_the_limit() {
    let begin = r#"{"jsonrpc":"2.0","id":1,"method":"prompt","params":{"text":""#;
    for (begin, fill, end) in [("", &b"garbage "[..], ""), (begin, b"x", "\"}}"), (begin, b"\\\"", "\"}}")] {
        let said = too_long(TestServer::new(), begin, fill, end);
        assert!(said.contains("67108864") && said.contains("maxMessageBytes"), "{said}");
    }
    let said =
        too_long(TestServer::new().settings(r#"{"limits": {"maxMessageBytes": 100000}}"#), "", b"x", "");
    assert!(said.contains("100000"), "{said}");
}

#[test]
fn a_long_line_below_the_limit_is_served() {
    let mut server = TestServer::new().script(r#"{"text":"read"}"#).in_memory().start();
    let text = "abcdefgh".repeat(1 << 20);
    let result = server.prompted(&aside_protocol::PromptParams {
        text: Some(text),
        ..aside_protocol::PromptParams::default()
    });
    assert_eq!(result.text, "read");
}

#[test]
fn thousands_of_requests_at_once_are_all_answered() {
    for count in [1_000, 10_000] {
        let mut server = TestServer::new().start();
        let mut input = String::new();
        for id in 0..count {
            writeln!(input, r#"{{"jsonrpc":"2.0","id":{id},"method":"nothing"}}"#).unwrap();
        }
        server.send_bytes(input.as_bytes());
        for id in 0..count {
            let message = server.next();
            assert_eq!(
                (message.id(), &message.json["error"]["code"]),
                (Some(id.to_string()), &json!(-32601))
            );
        }
    }
}

#[test]
fn a_message_can_come_in_any_pieces() {
    let input = format!("{}\n[{}]\r\n{}\n", list("1"), list("\"ä\""), list("3"));
    let mut server = TestServer::new().start();
    for split in 1..input.len() {
        let (first, second) = input.as_bytes().split_at(split);
        server.send_bytes(first);
        // What is whole is answered before the rest is sent; so the pieces are read apart.
        let whole = first.iter().filter(|byte| **byte == b'\n').count();
        let mut got: Vec<String> = (0..whole).map(|_| server.next().raw).collect();
        server.send_bytes(second);
        got.extend((whole..3).map(|_| server.next().raw));
        assert!(
            got[0].contains("\"id\":1,") && got[1].starts_with("[{\"jsonrpc\":\"2.0\",\"id\":\"ä\""),
            "{got:?}"
        );
        assert!(got[2].contains("\"id\":3,"));
    }
}

#[test]
fn header_blocks_that_are_broken_are_answered() {
    let block = |body: &str| format!("Content-Length: {}\r\n\r\n{body}", body.len());
    for (name, bytes, expected) in [
        case("no length", "Content-Type: x\r\n\r\n", &[("null", -32700)]),
        case("a length that is no number", "Content-Length: five\r\n\r\n", &[("null", -32700)]),
        case("a negative length", "Content-Length: -1\r\n\r\n", &[("null", -32700)]),
        case("an endless length", "Content-Length: 99999999999999999999999\r\n\r\n", &[("null", -32700)]),
        case("two lengths", "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", &[("null", -32700)]),
        case("a line without a colon", "Content-Length: 1\r\nhello\r\n\r\n", &[("null", -32700)]),
        case("no body", "Content-Length: 0\r\n\r\n", &[("null", -32700)]),
        case("a body that is no JSON", block("hello"), &[("null", -32700)]),
        case(
            "another case and another header",
            "content-type: a; charset=utf-8\r\ncontent-LENGTH:  2 \r\n\r\n{}",
            &[("null", -32600)],
        ),
        case("bare line feeds", "Content-Length: 4\n\nnull", &[("null", -32600)]),
        case("blank lines between", "\r\n\r\n\r\n", &[]),
        case("a line break in the body", block("{\n}"), &[("null", -32600)]),
    ] {
        let mut server = TestServer::new().headers().start();
        // The first message says which framing it is.
        server.send_bytes(block(&list("\"first\"")).as_bytes());
        assert_eq!(answers(&mut server, "\"first\"", 0), []);
        server.send_bytes(&bytes);
        server.send_bytes(block(&list("\"next\"")).as_bytes());
        assert_eq!(answers(&mut server, "\"next\"", expected.len()), expected, "{name}");
    }
}

#[test]
fn a_flood_of_garbage_ends_the_connection_in_order() {
    let mut server = TestServer::new().start();
    server.request::<method::ListModels>(&ListModelsParams::default()).unwrap();
    // Fewer than are borne, all of them answered.
    server.send_bytes("x\n".repeat(15_000).as_bytes());
    for _ in 0..15_000 {
        assert_eq!(server.next().json["error"]["code"], -32700);
    }
}
