//! What a client does with the native door every day, from the handshake to a provider's errors.

mod bedrock;
mod handshake;
mod permission;
mod queue;
mod responses;
mod shelf;
mod upstream;

use aside_protocol::{ConfigureSessionParams, ContentBlock, PromptParams, StopReason, method};
use serde_json::json;

use crate::server::TestServer;

fn text(text: &str) -> PromptParams {
    PromptParams { text: Some(text.to_owned()), ..PromptParams::default() }
}

#[test]
fn a_script_needs_one_line() {
    let mut server = TestServer::new().script("{\"text\":\"Hel\"}\n{\"text\":\"lo.\"}").start();
    server.send(r#"{"jsonrpc":"2.0","id":1,"method":"prompt","params":{"text":"hi"}}"#);
    let mut kinds = Vec::new();
    let answer = loop {
        let message = server.next();
        match message.kind() {
            Some(kind) => kinds.push(kind.to_owned()),
            None => break message.json,
        }
    };
    let turn = ["turnStarted", "sessionChanged", "stateChanged", "itemStarted", "itemCompleted"];
    let said =
        ["itemStarted", "delta", "delta", "usageChanged", "itemCompleted", "stateChanged", "turnEnded"];
    assert_eq!(kinds, [&turn[..], &said[..]].concat());
    let result = &answer["result"];
    assert_eq!(
        json!([result["stopReason"], result["text"], result["model"], result["error"], result["warnings"]]),
        json!(["endTurn", "Hello.", "demo/demo", null, []])
    );
    assert_eq!(result["usage"]["outputTokens"], 2);
}

#[test]
fn content_is_text_and_more() {
    let mut server = TestServer::new().script(r#"{"text":"seen"}"#).start();
    let content = vec![
        ContentBlock::Text { text: "look:".to_owned() },
        ContentBlock::Image { data: "aGk=".to_owned(), mime_type: "image/png".to_owned(), uri: None },
    ];
    let result = server.prompted(&PromptParams { content: Some(content), ..PromptParams::default() });
    assert_eq!(result.text, "seen");
    let opened = server.call("openSession", &json!({"sessionId": result.session_id}));
    let item = &opened["snapshot"]["items"][0];
    assert_eq!((&item["type"], &item["text"]), (&json!("userMessage"), &json!("look:\n[image]")));
    assert_eq!(item["content"][1]["data"], "", "a picture is not sent back");
}

#[test]
fn what_no_prompt_is() {
    let mut server = TestServer::new().start();
    for (params, path) in [
        (json!({}), "/text"),
        (json!({"text": "  "}), "/text"),
        (json!({"text": 1}), "/text"),
        (json!({"text": "a", "content": []}), "/content"),
        (json!({"content": [{"type": "text"}]}), "/content/0/text"),
        (
            json!({"content": [{"type": "text", "text": "a"}, {"type": "audio", "data": "", "mimeType": "a/b"}]}),
            "/content/1",
        ),
        (json!({"text": "a", "thinking": "very"}), "/thinking"),
        (json!({"text": "a", "model": "no/such:model"}), "/model"),
        (json!({"text": "a", "whenBusy": "later"}), "/whenBusy"),
    ] {
        let error = server.call("prompt", &params);
        let expected = if path == "/model" { -32002 } else { -32602 };
        assert_eq!(
            (&error["code"], &error["data"]["path"]),
            (&json!(expected), &json!(path)),
            "{params} {error}"
        );
    }
    let error = server.call("prompt", &json!({"text": "a", "sessionId": "nosuchone1"}));
    assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(-32002), &json!("notFound")));
}

#[test]
fn the_same_prompt_sent_twice_is_one_turn() {
    let mut server = TestServer::new()
        .script("{\"text\":\"a\"}\n{\"stall\":true}\n{\"turn\":true}\n{\"text\":\"b\"}")
        .start();
    let session = server.new_session();
    let prompt = PromptParams {
        session_id: Some(session.clone()),
        idempotency_id: Some("one".to_owned()),
        ..text("hi")
    };
    let first = server.start::<method::Prompt>(&prompt);
    server.until("delta");
    // While it runs, and after its end; without the session's id, too.
    let second = server.start::<method::Prompt>(&PromptParams { session_id: None, ..prompt.clone() });
    server.call("cancel", &json!({"sessionId": session}));
    let one = server.answer::<method::Prompt>(&first).unwrap();
    let two = server.answer::<method::Prompt>(&second).unwrap();
    let three = server.request::<method::Prompt>(&prompt).unwrap();
    server.forget();
    assert_eq!((&one, &two), (&two, &three));
    assert_eq!(one.stop_reason, StopReason::Cancelled);
    // Another id is another turn.
    let other = server.prompted(&PromptParams { idempotency_id: Some("two".to_owned()), ..prompt });
    assert_eq!((other.text.as_str(), other.stop_reason), ("b", StopReason::EndTurn));
}

#[test]
fn a_turn_is_cancelled_by_its_request() {
    let mut server = TestServer::new().script("{\"text\":\"a\"}\n{\"stall\":true}").start();
    for as_notification in [false, true] {
        let session = server.new_session();
        let prompt = server.prompt(&session, "hi");
        server.until("delta");
        let cancel = if as_notification {
            json!({"jsonrpc": "2.0", "method": "cancel", "params": {"sessionId": session}}).to_string()
        } else {
            format!(r#"{{"jsonrpc":"2.0","method":"$/cancelRequest","params":{{"id":{}}}}}"#, prompt.0)
        };
        server.send(&cancel);
        let result = server.expect_turn_end(&prompt);
        assert_eq!((result.stop_reason, result.text.as_str()), (StopReason::Cancelled, "a"));
        assert_eq!(server.call("cancel", &json!({"sessionId": session})), json!({"cancelled": false}));
    }
}

#[test]
fn a_session_is_changed_while_it_works() {
    let mut server = TestServer::new()
        .file("other.jsonl", r#"{"text":"other"}"#)
        .script("{\"text\":\"first\"}\n{\"stall\":true}")
        .start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    server.until("delta");
    let changed = server
        .request::<method::ConfigureSession>(&ConfigureSessionParams {
            session_id: session.clone(),
            model: Some("demo/script:other.jsonl".to_owned()),
            account: None,
            thinking: Some("high".to_owned()),
            permission_mode: None,
            additional_directories: None,
        })
        .unwrap();
    assert_eq!(changed.session.model.as_deref(), Some("demo/script:other.jsonl"));
    assert_eq!(server.until("sessionChanged")["session"]["thinking"], "high");
    server.call("cancel", &json!({"sessionId": session}));
    server.expect_turn_end(&prompt);
    let again = server.prompt(&session, "again");
    let result = server.expect_turn_end(&again);
    assert_eq!((result.text.as_str(), result.model.as_deref()), ("other", Some("demo/script:other.jsonl")));
}

#[test]
fn a_change_that_is_refused_changes_nothing() {
    let mut server = TestServer::new().start();
    let session = server.new_session();
    let before = server.call("openSession", &json!({"sessionId": session}));
    let change =
        json!({"sessionId": session, "model": "demo/demo", "thinking": "low", "permissionMode": "full"});
    let error = server.call("configureSession", &change);
    assert_eq!((&error["code"], &error["data"]["path"]), (&json!(-32602), &json!("/permissionMode")));
    assert_eq!(server.call("openSession", &json!({"sessionId": session})), before);
}

#[test]
fn sessions_are_listed_closed_and_opened() {
    let mut server = TestServer::new().script(r#"{"text":"a"}"#).start();
    assert_eq!(server.call("listSessions", &json!({}))["sessions"], json!([]));
    let mut made = Vec::new();
    for title in ["first question", "second question", "third question"] {
        made.push(server.prompted(&text(title)).session_id);
    }
    let listed = server.call("listSessions", &json!({}));
    let mut titles: Vec<&str> = listed["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| session["title"].as_str().unwrap())
        .collect();
    titles.sort_unstable();
    assert_eq!(titles, ["first question", "second question", "third question"]);
    let page = server.call("listSessions", &json!({"limit": 2}));
    let rest = server.call("listSessions", &json!({"limit": 2, "cursor": page["nextCursor"]}));
    assert_eq!(
        (page["sessions"].as_array().unwrap().len(), rest["sessions"].as_array().unwrap().len()),
        (2, 1)
    );
    assert_eq!(rest["nextCursor"], json!(null));
    server.call("closeSession", &json!({"sessionId": made[0]}));
    let closed = server.call("closeSession", &json!({"sessionId": made[0]}));
    assert_eq!(closed["code"], -32002, "{closed}");
    let listed = server.call("listSessions", &json!({}));
    let open: Vec<bool> = made
        .iter()
        .map(|id| {
            let sessions = listed["sessions"].as_array().unwrap();
            sessions.iter().find(|session| session["sessionId"] == **id).unwrap()["open"] == true
        })
        .collect();
    assert_eq!(open, [false, true, true]);
    let opened = server.call("openSession", &json!({"sessionId": made[0], "limit": 1}));
    assert_eq!(opened["snapshot"]["omitted"], 1);
    assert_eq!(opened["snapshot"]["items"][0]["text"], "a");
    let again = server.prompted(&PromptParams { session_id: Some(made[0].clone()), ..text("go on") });
    assert_eq!(again.session_id, made[0]);
}

#[test]
fn many_sessions_at_once() {
    let mut server =
        TestServer::new().script(r#"{"repeat":{"text":"abcd ","times":200}}"#).in_memory().start();
    let prompts: Vec<_> = (0..200).map(|_| server.start::<method::Prompt>(&text("hi"))).collect();
    for prompt in prompts {
        assert_eq!(server.answer::<method::Prompt>(&prompt).unwrap().text.len(), 1_000);
    }
    server.ignore_rest();
}
