//! Rule 7: every request gets exactly one answer, and what comes late or twice does no harm.
//!
//! That each request is answered, and none twice, is checked in every test by the client itself.

use aside_protocol::{StopReason, method};
use serde_json::json;

use crate::server::TestServer;

const ASK: &str = r#"{"toolCall":{"name":"demo","arguments":{"note":"tidy"}}}
{"turn":true}
{"text":"Done."}"#;

#[test]
fn a_turn_that_panics_is_answered_and_the_session_goes_on() {
    let script = "{\"text\":\"so far\"}\n{\"panic\":true}\n{\"turn\":true}\n{\"text\":\"fine\"}";
    let mut server = TestServer::new().script(script).start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    let result = server.expect_turn_end(&prompt);
    let error = result.error.unwrap();
    assert_eq!(
        (result.stop_reason, error.kind.as_str(), &*result.text),
        (StopReason::Error, "internal", "so far")
    );
    let again = server.prompt(&session, "again");
    let result = server.expect_turn_end(&again);
    assert_eq!((result.stop_reason, &*result.text), (StopReason::EndTurn, "fine"));
}

#[test]
fn an_id_can_be_used_again_after_its_answer_and_not_before() {
    let mut server = TestServer::new().script("{\"stall\":true}").start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    server.until("stateChanged");
    let list = format!(r#"{{"jsonrpc":"2.0","id":{},"method":"listModels"}}"#, prompt.0);
    // The second of that id, so that the client expects its answer first.
    server.send_bytes(format!("{list}\n").as_bytes());
    let refused = server.find(|message| message.answers(&prompt.0));
    assert_eq!(refused.json["error"]["code"], -32600);
    assert_eq!(refused.json["error"]["data"]["kind"], "invalidRequest");
    server.call("cancel", &json!({"sessionId": session}));
    let answer = server.find(|message| message.answers(&prompt.0));
    assert_eq!(answer.json["result"]["stopReason"], "cancelled");
    server.send_bytes(format!("{list}\n").as_bytes());
    let listed = server.find(|message| message.answers(&prompt.0));
    assert!(listed.json["result"]["models"].is_array());
    server.ignore_rest();
}

#[test]
fn double_and_late_answers_to_questions_are_ignored() {
    let mut server = TestServer::new().script(ASK).start();
    server.initialize();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    let (id, _) = server.question("requestPermission");
    server.reply(&id, &json!({"optionId": "rejectOnce", "reason": "not now"}));
    server.reply(&id, &json!({"optionId": "allowSession"}));
    server.expect_turn_end(&prompt);
    server.reply(&id, &json!({"optionId": "allowSession"}));
    server.reply("\"nothing/1\"", &json!({}));
    server.reply("77", &json!(null));
    let opened = server.call("openSession", &json!({"sessionId": session}));
    let tool = &opened["snapshot"]["items"][1];
    assert_eq!(
        (&tool["status"], &tool["text"]),
        (&json!("failed"), &json!("The person rejected this: not now"))
    );
}

#[test]
fn a_cancelled_turn_takes_its_questions_back() {
    let mut server = TestServer::new().script(ASK).start();
    server.initialize();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    let (id, asked) = server.question("requestPermission");
    server.call("cancel", &json!({"sessionId": session}));
    let taken = server.find(|message| message.method() == Some("$/cancelRequest"));
    assert_eq!(taken.json["params"]["id"].to_string(), id);
    let resolved = server.until("questionResolved");
    assert_eq!((&resolved["questionId"], &resolved["outcome"]), (&asked["questionId"], &json!("cancelled")));
    let result = server.expect_turn_end(&prompt);
    assert_eq!(result.stop_reason, StopReason::Cancelled);
    // Too late, and without effect.
    server.reply(&id, &json!({"optionId": "allowOnce"}));
    let opened = server.call("openSession", &json!({"sessionId": session}));
    assert_eq!(opened["snapshot"]["questions"], json!([]));
    assert_eq!(opened["snapshot"]["items"][1]["status"], "cancelled");
}

#[test]
fn what_starts_something_is_refused_in_a_batch() {
    let mut server = TestServer::new().script(r#"{"text":"a"}"#).start();
    let session = server.new_session();
    let members = [
        r#"{"jsonrpc":"2.0","id":"a","method":"listModels"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":"b","method":"prompt","params":{"text":"hi"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":"c","method":"newSession"}"#.to_owned(),
        format!(
            r#"{{"jsonrpc":"2.0","id":"d","method":"openSession","params":{{"sessionId":"{session}"}}}}"#
        ),
        r#"{"jsonrpc":"2.0","method":"$/whatever"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":"e","method":"nothing"}"#.to_owned(),
        "1".to_owned(),
        r#"{"jsonrpc":"2.0","id":"g","method":"listSessions"}"#.to_owned(),
    ];
    server.send(&format!("[{}]", members.join(",")));
    let answers = server.next().json;
    let got: Vec<(String, i64)> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| (answer["id"].to_string(), answer["error"]["code"].as_i64().unwrap_or(0)))
        .collect();
    let wanted = [
        ("\"a\"", 0),
        ("\"b\"", -32600),
        ("\"c\"", -32600),
        ("\"d\"", -32600),
        ("\"e\"", -32601),
        ("null", -32600),
        ("\"g\"", 0),
    ];
    let wanted: Vec<(String, i64)> = wanted.iter().map(|(id, code)| ((*id).to_owned(), *code)).collect();
    assert_eq!(got, wanted);
}

#[test]
fn a_batch_without_requests_is_not_answered() {
    let mut server = TestServer::new().start();
    server.send(r#"[{"jsonrpc":"2.0","method":"x"},{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}},{"jsonrpc":"2.0","id":5,"result":1}]"#);
    server.request::<method::ListModels>(&aside_protocol::ListModelsParams::default()).unwrap();
}
