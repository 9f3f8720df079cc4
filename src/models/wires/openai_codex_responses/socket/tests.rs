//! What goes over a connection that has served before.

use serde_json::{Value, json};

use super::super::super::tests::{decode, model};
use super::super::super::{Access, Wire as _};
use super::super::Api;
use super::*;
use crate::models::message::{Assistant, Content, Message, Request};

const THINKING: &str = r#"{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm \"input\": ."}],"encrypted_content":"abc"}"#;
const WORDS: &str = r#"{"type":"message","id":"msg_1","role":"assistant","status":"completed","phase":"commentary","content":[{"type":"output_text","text":"I \u00fcse a tool.","annotations":[]}]}"#;
const CALL: &str = r#"{"type":"function_call","id":"fc_1","call_id":"call_1","name":"look","arguments":"{ \"path\":\"a\"}","status":"completed"}"#;

fn codex() -> Model {
    Model { wire: "openai-codex-responses".into(), ..model("openai-codex", "") }
}

fn user(text: &str) -> Message {
    Message::User(vec![Content::Text(text.into())])
}

fn output(text: &str) -> Message {
    Message::ToolResult {
        call_id: "call_1".into(),
        name: "look".into(),
        content: vec![Content::Text(text.into())],
        is_error: false,
    }
}

/// A session's requests, over one connection.
struct Session {
    request: Request,
    line: Conversation,
}

impl Session {
    fn new() -> Self {
        let request = Request {
            system: Some("be \"input\":[1] brief".into()),
            messages: vec![user("\"input\":[] hi")],
            session: "s".into(),
            ..Request::default()
        };
        Self { request, line: Conversation::default() }
    }

    fn body(&self) -> Vec<u8> {
        Api.encode(&self.request, &codex(), Access::Subscription).body
    }

    fn ask(&mut self) -> Value {
        let body = self.body();
        serde_json::from_str(&self.line.ask(&body)).unwrap()
    }

    /// Hears an answer of these items, and continues the conversation with it.
    fn answer(&mut self, items: &[&str]) {
        let ended = items.iter().enumerate().map(|(index, item)| {
            format!(r#"{{"type":"response.output_item.done","output_index":{index},"item":{item}}}"#)
        });
        let end = r#"{"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[]}}"#;
        let frames: Vec<Frame> = ended
            .chain([end.to_owned()])
            .map(|data| Frame { event: String::new(), data })
            .collect();
        for frame in &frames {
            assert_eq!(self.line.hear(frame), Heard::Answer);
        }
        self.line.settle(&codex());
        let (deltas, fault) = decode(&Api, &codex(), &frames);
        assert_eq!(fault, None);
        let mut fold = Fold::new();
        for delta in &deltas {
            fold.push(delta);
        }
        let model = codex();
        let origin = Origin { provider: model.provider, wire: model.wire, model: model.id };
        let assistant: Assistant = fold.finish(origin).0;
        self.request.messages.push(Message::Assistant(assistant));
    }
}

#[test]
fn only_what_is_new_is_sent() {
    let mut session = Session::new();
    let whole: Value = serde_json::from_slice(&session.body()).unwrap();
    let mut asked = session.ask();
    assert_eq!(asked["type"], "response.create");
    asked.as_object_mut().unwrap().remove("type");
    assert_eq!(asked, whole);
    session.answer(&[THINKING, WORDS, CALL]);
    session.request.messages.push(output("found"));
    let mut asked = session.ask();
    let item = json!({"type": "function_call_output", "call_id": "call_1", "output": "found"});
    assert_eq!((&asked["previous_response_id"], &asked["input"]), (&json!("resp_1"), &json!([item])));
    // Everything else is the same.
    let whole: Value = serde_json::from_slice(&session.body()).unwrap();
    assert_eq!(whole["input"].as_array().unwrap().len(), 5);
    let fields = asked.as_object_mut().unwrap();
    fields.remove("type");
    fields.remove("previous_response_id");
    fields["input"] = whole["input"].clone();
    assert_eq!(asked, whole);
    // And so on.
    session.answer(&[WORDS]);
    session.request.messages.push(user("And?"));
    assert_eq!(session.ask()["input"].as_array().unwrap().len(), 1);
}

/// What is asked after an answer and then `change` is the whole conversation.
#[track_caller]
fn check_whole(change: impl FnOnce(&mut Session)) {
    let mut session = Session::new();
    session.ask();
    session.answer(&[WORDS]);
    session.request.messages.push(user("And?"));
    change(&mut session);
    let asked = session.ask();
    assert_eq!(asked.get("previous_response_id"), None, "{asked}");
    let whole: Value = serde_json::from_slice(&session.body()).unwrap();
    assert_eq!(asked["input"], whole["input"]);
}

#[test]
fn whatever_was_changed_is_sent_in_whole() {
    check_whole(|session| session.request.system = Some("be long".into()));
    check_whole(|session| session.request.messages[0] = user("bye"));
    check_whole(|session| drop(session.request.messages.remove(1)));
    check_whole(|session| drop(session.request.messages.remove(2)));
    check_whole(|session| session.request.thinking = Some(crate::catalog::ThinkingLevel::High));
    // What was asked in between was not answered, or not to its end.
    check_whole(|session| drop(session.ask()));
    check_whole(|session| {
        session.ask();
        session.line.settle(&codex());
    });
    let said = json!({"type": "response.output_item.done", "item": {"type": "message", "id": "msg_2",
        "content": [{"type": "output_text", "text": "x".repeat(MAX_KEPT)}]}});
    check_whole(|session| {
        session.ask();
        session.line.hear(&Frame { event: String::new(), data: said.to_string() });
        session.answer(&[WORDS]);
        session.request.messages.push(user("And then?"));
    });
}

#[test]
fn a_body_that_is_no_body_is_passed_on() {
    let mut line = Conversation::default();
    for body in ["{}", "{\"input\":1}", "{\"a\":{\"input\":[]},\"input\":[1]}"] {
        let asked: Value = serde_json::from_str(&line.ask(body.as_bytes()).replace(",}", "}")).unwrap();
        assert_eq!(asked["type"], "response.create", "{body}");
    }
}

#[test]
fn what_a_frame_says_of_the_connection_is_heard() {
    let mut line = Conversation::default();
    for (data, expected) in [
        (r#"{"type":"error","status":400,"error":{"code":"previous_response_not_found","message":"no"}}"#, Heard::Unknown),
        (r#"{"type":"error","error":{"type":"invalid_request_error","code":"websocket_connection_limit_reached"}}"#, Heard::WornOut),
        (r#"{"type":"error","error":{"code":"server_error"}}"#, Heard::Answer),
        (r#"{"type":"error","error":"previous_response_not_found"}"#, Heard::Answer),
        (r#"{"type":"codex.rate_limits","rate_limits":{"allowed":true}}"#, Heard::Aside),
        (r#"{"type":"response.created","response":{"id":"r"}}"#, Heard::Answer),
        (r#"{"type":"response.output_text.delta","delta":"previous_response_not_found"}"#, Heard::Answer),
        ("nonsense", Heard::Answer),
        ("", Heard::Answer),
        ("null", Heard::Answer),
    ] {
        assert_eq!(line.hear(&Frame { event: String::new(), data: data.to_owned() }), expected, "{data}");
    }
}
