//! What a message is, and what is answered where it is none.

use super::{Message, One, cancelled_id, classify, mend_and_measure};
use serde_json::value::RawValue;

extern crate self as aside;

#[path = "../../../../tests/fuzz/door_checks.rs"]
mod checks;

/// A message in a few words: `request ID METHOD PARAMS`, or `error CODE ID`.
fn told(text: &[u8]) -> String {
    match classify(text.to_vec()) {
        Ok(Message::One(one)) => one_told(one),
        Ok(Message::Batch(members)) => {
            let members: Vec<String> = members.into_iter().map(one_told).collect();
            format!("[{}]", members.join(", "))
        }
        Err(invalid) => format!("error {} {}", invalid.error.code, invalid.id.as_str()),
    }
}

fn one_told(one: Result<One, super::Invalid>) -> String {
    let raw =
        |value: Option<Box<RawValue>>| value.map_or_else(|| "-".to_owned(), |value| value.get().to_owned());
    match one {
        Ok(One::Request { id, method, params }) => {
            format!("request {} {method} {}", id.as_str(), raw(params))
        }
        Ok(One::Notification { method, params }) => format!("notification {method} {}", raw(params)),
        Ok(One::Response { id, result }) => format!("response {id} {}", raw(result)),
        Err(invalid) => format!("error {} {}", invalid.error.code, invalid.id.as_str()),
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(told(text.as_bytes()), expected, "{text}");
}

#[test]
fn requests_and_their_like() {
    check(r#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":[1]}}"#, r#"request 1 m {"a":[1]}"#);
    check(r#" { "method" : "m" , "id" : "x" } "#, "request \"x\" m -");
    check(r#"{"method":"m","id":1,"params":null,"more":0}"#, "request 1 m -");
    check(r#"{"jsonrpc":"2.0","method":"m"}"#, "notification m -");
    check(r#"{"jsonrpc":"2.0","id":"s/q","result":null}"#, "response \"s/q\" null");
    check(r#"{"jsonrpc":"2.0","id":5,"error":{"code":1,"message":""}}"#, "response 5 -");
    // A method decides, whatever else is there.
    check(r#"{"id":1,"method":"m","result":1}"#, "request 1 m -");
    check(r#"{"\u0069d":1,"method":"\u006d"}"#, "request 1 m -");
}

#[test]
fn what_is_no_message() {
    for text in
        ["null", "1", "\"x\"", "true", "{}", "[]", r#"{"id":null,"method":"m"}"#, r#"{"id":{},"method":"m"}"#]
    {
        check(text, "error -32600 null");
    }
    for text in [
        r#"{"id":1}"#,
        r#"{"id":1,"method":2}"#,
        r#"{"id":1,"jsonrpc":"2","method":"m"}"#,
        r#"{"id":1,"result":1,"error":1}"#,
    ] {
        check(text, "error -32600 1");
    }
    for text in [
        "",
        "x",
        "{",
        "[1,",
        "{}{}",
        "{\"id\":1,}",
        "{\"id\":01}",
        "nul",
        "\"\\x\"",
        "[1 2]",
        "{\"a\":1,\"id\":1,\"id\":2",
    ] {
        check(text, "error -32700 null");
    }
    // A member that stands twice makes no message; which of the two was meant is not guessed.
    check(r#"{"id":1,"id":1,"method":"m"}"#, "error -32600 null");
    check(r#"{"id":1,"method":"m","params":{"a":1,"a":2}}"#, r#"request 1 m {"a":1,"a":2}"#);
}

#[test]
fn batches() {
    check(
        r#"[{"id":1,"method":"m"},{"method":"n"},{"id":2,"result":1},1]"#,
        "[request 1 m -, notification n -, response 2 1, error -32600 null]",
    );
    check("[[]]", "[error -32600 null]");
    check("[{}", "error -32700 null");
    check(&format!("[1{}]", ",1".repeat(1_024)), "error -32600 null");
}

#[test]
fn nesting_is_measured_outside_strings() {
    for (text, depth) in [
        ("", 0),
        ("{}", 1),
        ("[[],[[]]]", 3),
        (r#"{"a":"[[[[","b":[1]}"#, 2),
        (r#"["\"[[","\\",[]]"#, 2),
        ("]]][", 1),
    ] {
        assert_eq!(mend_and_measure(&mut text.as_bytes().to_vec()), depth, "{text}");
    }
    let nested = |depth: usize| {
        format!("{{\"id\":1,\"method\":\"m\",\"params\":{}{}}}", "[".repeat(depth), "]".repeat(depth))
    };
    check(&nested(126), &format!("request 1 m {}{}", "[".repeat(126), "]".repeat(126)));
    check(&nested(127), "error -32700 null");
    check(&"[".repeat(1_000_000), "error -32700 null");
}

#[test]
fn lone_surrogates_are_replaced() {
    for (text, mended) in [
        (r#""\ud800""#, r#""\ufffd""#),
        (r#""\udc00\ud800x""#, r#""\ufffd\ufffdx""#),
        (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
        (r#""\uD83D\uDE00\uDE00""#, r#""\uD83D\uDE00\ufffd""#),
        (r#""\ud800\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
        (r#""\\ud800""#, r#""\\ud800""#),
        (r#""\ud8""#, r#""\ud8""#),
        (r#"\ud800"#, r#"\ud800"#),
    ] {
        let mut bytes = text.as_bytes().to_vec();
        mend_and_measure(&mut bytes);
        assert_eq!(String::from_utf8(bytes).unwrap(), mended);
    }
}

#[test]
fn the_id_of_a_cancel() {
    let id = |params: &str| {
        let params: &RawValue = serde_json::from_str(params).unwrap();
        cancelled_id(params).map(|id| id.as_str().to_owned())
    };
    assert_eq!(id(r#"{"id": -6}"#).as_deref(), Some("-6"));
    assert_eq!(id(r#"{"requestId":"a\u0041"}"#).as_deref(), Some(r#""a\u0041""#));
    for none in ["{}", "7", "[7]", "null", r#"{"id":null}"#, r#"{"id":{}}"#, r#"{"id":1,"id":2}"#] {
        assert_eq!(id(none), None, "{none}");
    }
}

/// The corpora of the fuzz targets, which need a nightly compiler, hold on stable as well.
#[expect(clippy::disallowed_methods, reason = "tests read their own fixtures")]
fn replay(target: &str, check: fn(&[u8])) {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(root).unwrap() {
        let data = std::fs::read(entry.unwrap().path()).unwrap();
        // Every start of a file is a case too.
        for end in 0..=data.len().min(3_000) {
            check(&data[..end]);
        }
        check(&data);
        count += 1;
    }
    assert!(count >= 3, "the corpus of {target} is missing");
}

#[test]
fn frames_hold() {
    replay("framing", checks::framing);
}

#[test]
fn messages_hold() {
    replay("classify", checks::classify);
}
