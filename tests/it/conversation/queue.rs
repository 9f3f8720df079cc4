//! What a person says while a turn runs: to the model at once, or behind the turn; and taking it back.

use aside_protocol::{PromptParams, StopReason, WhenBusy, method};
use serde_json::{Value, json};

use crate::server::{Sent, TestServer};

/// The first answer asks for permission, so that the turn waits for as long as a test needs.
const ASKS: &str = r#"{"toolCall":{"name":"demo","arguments":{"note":"one"}}}
{"turn":true}
{"text":"Done."}"#;

/// A session whose turn waits for permission.
fn waiting() -> (TestServer, String, Sent, String) {
    let mut server = TestServer::new().script(ASKS).start();
    server.initialize();
    let session = server.new_session();
    let prompt = server.prompt(&session, "first");
    let (question, _) = server.question("requestPermission");
    (server, session, prompt, question)
}

fn allow(server: &mut TestServer, question: &str) {
    server.reply(question, &json!({"optionId": "allowOnce"}));
}

fn said(content: &str) -> Value {
    json!([{"type": "text", "text": content}])
}

/// Kind, status and text of each item.
fn items(server: &mut TestServer, session: &str) -> Vec<(String, String, String)> {
    let opened = server.call("openSession", &json!({"sessionId": session}));
    let word = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let items = opened["snapshot"]["items"].as_array().unwrap();
    items.iter().map(|item| (word(item, "type"), word(item, "status"), word(item, "text"))).collect()
}

fn texts(server: &mut TestServer, session: &str) -> Vec<String> {
    items(server, session).into_iter().map(|(_, _, text)| text).collect()
}

fn queue(server: &mut TestServer, session: &str, action: &Value) -> Vec<String> {
    let result = server.call("queue", &json!({"sessionId": session, "action": action}));
    shown(&result["queue"])
}

fn shown(queue: &Value) -> Vec<String> {
    let entry = |entry: &Value| format!("{} {}", entry["id"], entry["content"][0]["text"]).replace('"', "");
    queue.as_array().unwrap().iter().map(entry).collect()
}

fn add(content: &str) -> Value {
    json!({"type": "add", "content": said(content)})
}

#[test]
fn words_reach_the_model_before_its_next_call() {
    let (mut server, session, prompt, question) = waiting();
    assert_eq!(
        server.call("steer", &json!({"sessionId": session, "content": said("mind the gap")})),
        json!({})
    );
    allow(&mut server, &question);
    assert_eq!(server.expect_turn_end(&prompt).text, "Done.");
    let expected = ["first", "Pretended: one. Nothing was touched.", "mind the gap", "Done."];
    assert_eq!(texts(&mut server, &session), expected);
}

#[test]
fn words_that_come_before_the_first_call_are_part_of_it() {
    let mut server =
        TestServer::new().script("{\"text\":\"Once.\"}\n{\"turn\":true}\n{\"text\":\"Twice.\"}").start();
    server.initialize();
    let session = server.new_session();
    // Both are read before the first message is on the disk, or at the latest while the model answers: then the
    // turn does not end without them.
    let prompt = server.prompt(&session, "first");
    let steer = server.begin("steer", &json!({"sessionId": session, "content": said("second")}));
    let result = server.expect_turn_end(&prompt);
    let taken = server.answer::<method::Steer>(&steer);
    let texts = texts(&mut server, &session);
    match (taken.is_ok(), result.text.as_str()) {
        (true, "Once.") => assert_eq!(texts, ["first", "second", "Once."]),
        (true, "Twice.") => assert_eq!(texts, ["first", "Once.", "second", "Twice."]),
        // It came when the turn had ended, and was refused.
        (false, "Once.") => assert_eq!(texts, ["first", "Once."]),
        other => panic!("{other:?} {texts:?}"),
    }
}

#[test]
fn only_a_turn_that_runs_is_steered() {
    let (mut server, session, prompt, question) = waiting();
    let other = json!({"sessionId": session, "content": said("x"), "turnId": "t9"});
    let steer = server.begin("steer", &other);
    assert_eq!(server.answer::<method::Steer>(&steer).unwrap_err().code, aside_protocol::NOT_FOUND);
    allow(&mut server, &question);
    server.expect_turn_end(&prompt);
    let steer = server.begin("steer", &json!({"sessionId": session, "content": said("x")}));
    assert_eq!(server.answer::<method::Steer>(&steer).unwrap_err().code, aside_protocol::NOT_FOUND);
}

#[test]
fn a_cancelled_turn_keeps_the_words_it_did_not_take_in() {
    let (mut server, session, prompt, _) = waiting();
    server.call("steer", &json!({"sessionId": session, "content": said("too late")}));
    assert_eq!(server.call("cancel", &json!({"sessionId": session})), json!({"cancelled": true}));
    assert_eq!(server.expect_turn_end(&prompt).stop_reason, StopReason::Cancelled);
    assert_eq!(texts(&mut server, &session).last().unwrap(), "too late");
    // Nor does it wait in the queue when the session is read from its file.
    server.call("closeSession", &json!({"sessionId": session}));
    let opened = server.call("openSession", &json!({"sessionId": session}));
    assert_eq!(opened["snapshot"]["queue"], json!([]));
    server.ignore_rest();
}

#[test]
fn a_prompt_can_wait_or_join() {
    let (mut server, session, first, question) = waiting();
    let prompt = |text: &str, when_busy| PromptParams {
        text: Some(text.to_owned()),
        session_id: Some(session.clone()),
        when_busy: Some(when_busy),
        ..PromptParams::default()
    };
    let queued = server.start::<method::Prompt>(&prompt("behind", WhenBusy::Queue));
    assert_eq!(shown(&server.until("queueChanged")["queue"]), ["e1 behind"]);
    let joined = server.start::<method::Prompt>(&prompt("within", WhenBusy::Steer));
    let refused = server.start::<method::Prompt>(&prompt("not at all", WhenBusy::Refuse));
    assert_eq!(server.answer::<method::Prompt>(&refused).unwrap_err().code, aside_protocol::BUSY);
    allow(&mut server, &question);
    let one = server.expect_turn_end(&first);
    let same = server.answer::<method::Prompt>(&joined).unwrap();
    assert_eq!((&one.turn_id, &one.text), (&same.turn_id, &same.text));
    let next = server.expect_turn_end(&queued);
    assert_ne!(next.turn_id, one.turn_id);
    let texts = texts(&mut server, &session);
    let order = |text: &str| texts.iter().position(|other| other == text).unwrap();
    assert!(order("within") < order("Done.") && order("Done.") < order("behind"), "{texts:?}");
}

#[test]
fn what_waits_is_listed_edited_moved_and_removed() {
    let (mut server, session, prompt, question) = waiting();
    for (content, expected) in
        [("a", &["e1 a"][..]), ("b", &["e1 a", "e2 b"]), ("c", &["e1 a", "e2 b", "e3 c"])]
    {
        assert_eq!(queue(&mut server, &session, &add(content)), expected);
    }
    let edit = json!({"type": "edit", "id": "e2", "content": said("B")});
    assert_eq!(queue(&mut server, &session, &edit), ["e1 a", "e2 B", "e3 c"]);
    let up = json!({"type": "move", "id": "e3", "before": "e1"});
    assert_eq!(queue(&mut server, &session, &up), ["e3 c", "e1 a", "e2 B"]);
    assert_eq!(queue(&mut server, &session, &json!({"type": "move", "id": "e3"})), ["e1 a", "e2 B", "e3 c"]);
    let remove = json!({"type": "remove", "id": "e1"});
    assert_eq!(queue(&mut server, &session, &remove), ["e2 B", "e3 c"]);
    let again = server.begin("queue", &json!({"sessionId": session, "action": remove}));
    assert_eq!(server.answer::<method::Queue>(&again).unwrap_err().code, aside_protocol::NOT_FOUND);
    assert_eq!(queue(&mut server, &session, &json!({"type": "list"})), ["e2 B", "e3 c"]);
    allow(&mut server, &question);
    server.expect_turn_end(&prompt);
    // Each begins a turn that no request asked for.
    for _ in 0..2 {
        assert_eq!(server.until("turnStarted")["requestId"], Value::Null);
        server.until("turnEnded");
    }
    let texts = texts(&mut server, &session);
    assert_eq!(texts[texts.len() - 4..], ["B", "Done.", "c", "Done."]);
}

#[test]
fn after_a_cancel_nothing_begins_by_itself_and_nothing_is_lost() {
    let (mut server, session, first, _) = waiting();
    queue(&mut server, &session, &add("kept"));
    let behind = server.start::<method::Prompt>(&PromptParams {
        text: Some("asked".to_owned()),
        session_id: Some(session.clone()),
        when_busy: Some(WhenBusy::Queue),
        ..PromptParams::default()
    });
    assert_eq!(queue(&mut server, &session, &json!({"type": "list"})), ["e1 kept", "e2 asked"]);
    server.call("cancel", &json!({"sessionId": session}));
    assert_eq!(server.expect_turn_end(&first).stop_reason, StopReason::Cancelled);
    assert_eq!(server.answer::<method::Prompt>(&behind).unwrap_err().code, aside_protocol::CANCELLED);
    assert_eq!(queue(&mut server, &session, &json!({"type": "list"})), ["e1 kept"]);
    // It is there when the session is read from its file again, too.
    server.call("closeSession", &json!({"sessionId": session}));
    let opened = server.call("openSession", &json!({"sessionId": session}));
    assert_eq!(shown(&opened["snapshot"]["queue"]), ["e1 kept"]);
    queue(&mut server, &session, &add("more"));
    for _ in 0..2 {
        server.until("turnEnded");
    }
    let texts = texts(&mut server, &session);
    assert_eq!(texts[texts.len() - 4..], ["kept", "Done.", "more", "Done."]);
    server.ignore_rest();
}

#[test]
fn one_call_is_cancelled_and_the_turn_goes_on() {
    let (mut server, session, prompt, _) = waiting();
    let opened = server.call("openSession", &json!({"sessionId": session}));
    let items_now = opened["snapshot"]["items"].as_array().unwrap();
    let call = items_now.iter().find(|item| item["type"] == "toolCall").unwrap()["id"].clone();
    let wrong = server.begin("cancel", &json!({"sessionId": session, "itemId": "i99"}));
    assert_eq!(server.answer::<method::Cancel>(&wrong).unwrap_err().code, aside_protocol::NOT_FOUND);
    let cancel = json!({"sessionId": session, "itemId": call});
    assert_eq!(server.call("cancel", &cancel), json!({"cancelled": true}));
    assert_eq!(server.expect_turn_end(&prompt).text, "Done.");
    assert_eq!(server.call("cancel", &cancel), json!({"cancelled": false}));
    let statuses: Vec<String> =
        items(&mut server, &session).into_iter().map(|(_, status, _)| status).collect();
    assert_eq!(statuses, ["completed", "cancelled", "completed"]);
    server.ignore_rest();
}
