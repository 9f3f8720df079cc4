//! Rule 2: an answer stands where it belongs among the events.

use aside_protocol::{NewSessionParams, PromptParams, method};
use serde_json::json;

use crate::server::{Sent, TestServer};

#[test]
fn the_answer_of_new_session_is_first() {
    // `configureSession` makes an event at once; the server could not know the id before the answer.
    let mut server = TestServer::new().script(r#"{"text":"a"}"#).start();
    let asked: Vec<Sent> =
        (0..50).map(|_| server.start::<method::NewSession>(&NewSessionParams::default())).collect();
    for sent in asked {
        let message = server.next();
        assert!(message.answers(&sent.0), "{}", message.raw);
        let session = message.json["result"]["sessionId"].as_str().unwrap().to_owned();
        server.call("configureSession", &json!({"sessionId": session, "thinking": "low"}));
        assert_eq!(server.until("sessionChanged")["sessionId"], session);
    }
}

#[test]
fn a_prompt_without_a_session_tells_the_session_first() {
    let mut server = TestServer::new().script(r#"{"text":"a"}"#).start();
    let prompt = server.start::<method::Prompt>(&PromptParams {
        text: Some("hi".to_owned()),
        idempotency_id: Some("mine".to_owned()),
        ..PromptParams::default()
    });
    let first = server.next().json;
    assert_eq!(first["params"]["type"], "turnStarted");
    assert_eq!(first["params"]["requestId"], prompt.0);
    assert_eq!(first["params"]["idempotencyId"], "mine");
    let result = server.expect_turn_end(&prompt);
    assert_eq!(first["params"]["sessionId"], result.session_id);
}

/// Ten thousand turns over a writer that takes a hundred bytes at a time. That a prompt's answer follows the last
/// event of its turn, and that nothing of the session follows the answer before the next prompt, is seen message
/// by message in the order of the wire.
#[test]
fn the_answer_of_a_prompt_is_last_ten_thousand_times() {
    const SESSIONS: usize = 20;
    const TURNS: usize = 500;
    let mut server = TestServer::new().script(r#"{"text":"yes"}"#).slow_output().in_memory().start();
    let mut left = std::collections::HashMap::new();
    for _ in 0..SESSIONS {
        let session = server.new_session();
        let prompt = server.prompt(&session, "hi");
        left.insert(session, (prompt, TURNS, "answer"));
    }
    let mut answered = 0;
    while answered < SESSIONS * TURNS {
        let message = server.next();
        if let Some(kind) = message.kind() {
            let (_, _, last) = left.get_mut(message.session().unwrap()).unwrap();
            let fits = if kind == "turnStarted" {
                *last == "answer"
            } else {
                *last != "answer" && *last != "turnEnded"
            };
            assert!(fits, "{kind} after {last}");
            *last = match kind {
                "turnStarted" => "turnStarted",
                "turnEnded" => "turnEnded",
                _ => "event",
            };
            continue;
        }
        let result = &message.json["result"];
        let session = result["sessionId"].as_str().unwrap().to_owned();
        let (prompt, turns, last) = left.get_mut(&session).unwrap();
        assert!(message.answers(&prompt.0), "{}", message.raw);
        assert_eq!((*last, &result["text"]), ("turnEnded", &json!("yes")));
        (*turns, *last) = (*turns - 1, "answer");
        answered += 1;
        if *turns > 0 {
            let prompt = server.prompt(&session, "hi");
            left.get_mut(&session).unwrap().0 = prompt;
        }
    }
}
