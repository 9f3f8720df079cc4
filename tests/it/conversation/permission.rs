//! Tools that ask first, and those who answer.

use aside_protocol::{
    ClientCapabilities, InitializeParams, NewSessionParams, PermissionMode, PromptParams, StopReason, method,
};
use serde_json::{Value, json};

use crate::server::{Sent, TestServer};

const TWO_CALLS: &str = r#"{"toolCall":{"name":"demo","arguments":{"note":"one"}}}
{"turn":true}
{"toolCall":{"name":"demo","arguments":{"note":"two"}}}
{"turn":true}
{"text":"Done."}"#;

fn tools(server: &mut TestServer, session: &str) -> Vec<(Value, Value)> {
    let opened = server.call("openSession", &json!({"sessionId": session}));
    let items = opened["snapshot"]["items"].as_array().unwrap();
    let tools = items.iter().filter(|item| item["type"] == "toolCall");
    tools.map(|item| (item["status"].clone(), item["text"].clone())).collect()
}

fn pretended(what: &str) -> (Value, Value) {
    (json!("completed"), json!(format!("Pretended: {what}. Nothing was touched.")))
}

#[test]
fn each_call_is_asked_for() {
    let mut server = TestServer::new().script(TWO_CALLS).start();
    server.initialize();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    let (id, asked) = server.question("requestPermission");
    assert_eq!(asked["title"], "Pretend: one");
    let options: Vec<&str> =
        asked["options"].as_array().unwrap().iter().map(|option| option["id"].as_str().unwrap()).collect();
    assert_eq!(options, ["allowOnce", "allowSession", "rejectOnce"]);
    server.reply(&id, &json!({"optionId": "allowOnce"}));
    let (id, _) = server.question("requestPermission");
    server.reply(&id, &json!({"optionId": "rejectOnce"}));
    assert_eq!(server.expect_turn_end(&prompt).text, "Done.");
    let rejected = (json!("failed"), json!("The person rejected this."));
    assert_eq!(tools(&mut server, &session), [pretended("one"), rejected]);
}

#[test]
fn in_a_folder_that_is_not_trusted_nothing_has_an_effect_until_the_client_says_so() {
    let mut server = TestServer::new().script(TWO_CALLS).start();
    let trusted = json!({"workspaceTrusted": false, "capabilities": {"requestPermission": true}});
    server.call("initialize", &trusted);
    let new = server.call("newSession", &json!({}));
    assert_eq!(new["session"]["permissionMode"], "plan");
    let session = new["sessionId"].as_str().unwrap().to_owned();
    let prompt = server.prompt(&session, "hi");
    assert_eq!(server.expect_turn_end(&prompt).stop_reason, StopReason::EndTurn);
    let [one, two] = tools(&mut server, &session).try_into().unwrap();
    assert!(one.1.as_str().unwrap().contains("plan mode"), "{one:?}");
    assert_eq!((one.0, two.0), (json!("failed"), json!("failed")));
    // A conversation of before comes back in it too, and the client may name another.
    let mode = json!({"sessionId": session, "permissionMode": "ask"});
    assert_eq!(server.call("configureSession", &mode)["session"]["permissionMode"], "ask");
    server.call("closeSession", &json!({"sessionId": session}));
    let opened = server.call("openSession", &json!({"sessionId": session}));
    assert_eq!(opened["session"]["permissionMode"], "plan");
    server.ignore_rest();
}

#[test]
fn a_session_can_be_allowed_exactly_this() {
    let script = r#"{"toolCall":{"name":"demo","arguments":{"note":"one"}}}
{"turn":true}
{"toolCall":{"name":"demo","arguments":{"note":"one"}}}
{"turn":true}
{"toolCall":{"name":"demo","arguments":{"note":"One"}}}
{"turn":true}
{"text":"Done."}"#;
    let mut server = TestServer::new().script(script).start();
    server.initialize();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    let (id, _) = server.question("requestPermission");
    server.reply(&id, &json!({"optionId": "allowSession"}));
    // The same again is not asked about; what differs in a letter is.
    let (id, asked) = server.question("requestPermission");
    assert_eq!(asked["title"], "Pretend: One");
    server.reply(&id, &json!({"optionId": "rejectOnce", "reason": "enough"}));
    server.expect_turn_end(&prompt);
    let rejected = (json!("failed"), json!("The person rejected this: enough"));
    assert_eq!(tools(&mut server, &session), [pretended("one"), pretended("one"), rejected]);
}

#[test]
fn whatever_is_no_yes_is_a_no() {
    for answer in [
        r#""result":null"#,
        r#""result":{"optionId":null}"#,
        r#""result":{"optionId":"everything"}"#,
        r#""result":"allowOnce""#,
        r#""result":["allowOnce"]"#,
        r#""error":{"code":1,"message":"no"}"#,
    ] {
        let mut server = TestServer::new().script(TWO_CALLS).start();
        server.initialize();
        let session = server.new_session();
        let prompt = server.prompt(&session, "hi");
        for _ in 0..2 {
            let (id, _) = server.question("requestPermission");
            server.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},{answer}}}"#));
        }
        assert_eq!(server.expect_turn_end(&prompt).stop_reason, StopReason::EndTurn);
        let statuses: Vec<Value> =
            tools(&mut server, &session).into_iter().map(|(status, _)| status).collect();
        assert_eq!(statuses, ["failed", "failed"], "{answer}");
    }
}

#[test]
fn nobody_is_asked_who_cannot_answer() {
    let mut server = TestServer::new().script(TWO_CALLS).start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    server.expect_turn_end(&prompt);
    for (status, text) in tools(&mut server, &session) {
        assert_eq!(status, "failed");
        assert_eq!(text, "Denied: the client cannot ask the person for permission.");
    }
}

#[test]
fn plan_mode_does_nothing() {
    let mut server = TestServer::new().script(TWO_CALLS).start();
    server.initialize();
    let session = server
        .request::<method::NewSession>(&NewSessionParams {
            permission_mode: Some(PermissionMode::Plan),
            ..NewSessionParams::default()
        })
        .unwrap()
        .session_id;
    let prompt = server.prompt(&session, "hi");
    server.expect_turn_end(&prompt);
    for (status, text) in tools(&mut server, &session) {
        assert_eq!((status, text.as_str().unwrap().contains("plan mode")), (json!("failed"), true));
    }
}

#[test]
fn a_tool_that_was_not_offered_is_not_run() {
    let mut server = TestServer::new().script(TWO_CALLS).start();
    server.initialize();
    let prompt = PromptParams { tools: Some(Vec::new()), ..super::text("hi") };
    let session = server.prompted(&prompt).session_id;
    let missing = (json!("failed"), json!("Tool \"demo\" not found."));
    assert_eq!(tools(&mut server, &session), [missing.clone(), missing]);
}

/// Starts a turn whose tool asks the person.
fn asking(capable: bool) -> (TestServer, Sent, String) {
    let script = r#"{"toolCall":{"name":"demo","arguments":{"question":"Which colour?"}}}
{"turn":true}
{"text":"Done."}"#;
    let mut server = TestServer::new().script(script).start();
    let capabilities = ClientCapabilities { prompt_user: capable, ..ClientCapabilities::default() };
    let params = InitializeParams { capabilities: Some(capabilities), ..InitializeParams::default() };
    server.request::<method::Initialize>(&params).unwrap();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    (server, prompt, session)
}

#[test]
fn the_person_is_asked() {
    let (mut server, prompt, session) = asking(true);
    let (id, asked) = server.question("promptUser");
    assert_eq!((&asked["message"], &asked["fields"][0]["name"]), (&json!("Which colour?"), &json!("answer")));
    server.reply(&id, &json!({"values": {"answer": "blue"}}));
    server.expect_turn_end(&prompt);
    assert_eq!(tools(&mut server, &session), [(json!("completed"), json!("The person answered: blue"))]);
}

#[test]
fn a_form_that_is_closed_or_cannot_be_shown_has_no_answer() {
    let nobody = (json!("failed"), json!("Nobody answered."));
    for answer in [json!({"values": null}), json!({}), json!(null)] {
        let (mut server, prompt, session) = asking(true);
        let (id, _) = server.question("promptUser");
        server.reply(&id, &answer);
        server.expect_turn_end(&prompt);
        assert_eq!(tools(&mut server, &session), std::slice::from_ref(&nobody));
    }
    let (mut server, prompt, session) = asking(false);
    server.expect_turn_end(&prompt);
    assert_eq!(tools(&mut server, &session), [nobody]);
}

/// The last part of a script is played again and again: a model that makes one call for ever.
const CIRCLE: &str = r#"{"toolCall":{"name":"demo","arguments":{"note":"x","harmless":true}}}"#;

#[test]
fn a_model_that_turns_in_a_circle_has_to_ask() {
    let mut server = TestServer::new().script(CIRCLE).settings(r#"{"limits":{"maxCallsPerTurn":7}}"#).start();
    server.initialize();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    // Two calls run unasked. Once the person has let it go on, two more do.
    let (id, _) = server.question("requestPermission");
    server.reply(&id, &json!({"optionId": "allowOnce"}));
    for _ in 0..3 {
        let (id, _) = server.question("requestPermission");
        server.reply(&id, &json!({"optionId": "rejectOnce"}));
    }
    assert_eq!(server.expect_turn_end(&prompt).stop_reason, StopReason::Error);
    let statuses: Vec<Value> = tools(&mut server, &session).into_iter().map(|(status, _)| status).collect();
    let (ran, failed) = (json!("completed"), json!("failed"));
    assert_eq!(statuses, [&ran, &ran, &ran, &ran, &failed, &failed, &failed].map(Clone::clone));
}

#[test]
fn a_circle_is_broken_where_nobody_can_be_asked_and_calls_are_counted() {
    let settings = r#"{"limits":{"maxCallsPerTurn":5,"maxToolCallsPerTurn":4}}"#;
    let mut server = TestServer::new().script(CIRCLE).settings(settings).start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    assert_eq!(server.expect_turn_end(&prompt).stop_reason, StopReason::Error);
    let texts: Vec<String> =
        tools(&mut server, &session).into_iter().map(|(_, text)| text.as_str().unwrap().to_owned()).collect();
    assert!(texts[1].starts_with("Pretended"), "{texts:?}");
    assert!(texts[2].starts_with("Not run: this very call of demo has been made 2 times"), "{texts:?}");
    assert!(texts[4].starts_with("Not run: the prompt has caused 4 tool calls"), "{texts:?}");
}

#[test]
fn a_decision_that_might_be_made_is_explained() {
    let mut server = TestServer::new().start();
    server.call("initialize", &json!({"settings": {"permissions": {"ask": ["demo"], "allow": ["demo"]}}}));
    let session = server.new_session();
    let explain = |server: &mut TestServer, arguments: &Value| {
        let call = json!({"sessionId": session, "tool": "demo", "arguments": arguments});
        server.call("explainPermission", &call)
    };
    let told = explain(&mut server, &json!({"note": "a\u{202e}b"}));
    assert_eq!(
        json!([told["decision"], told["permissionMode"], told["tool"], told["title"], told["answer"]]),
        json!(["ask", "ask", "demo", "Pretend: a\\u{202e}b", null])
    );
    let reason = json!({"decision": "ask", "layer": "client", "rule": "demo", "about": "demo"});
    assert_eq!(told["reasons"], json!([reason]), "a client cannot allow");
    let harmless = explain(&mut server, &json!({"harmless": true}));
    assert_eq!((&harmless["decision"], &harmless["reasons"]), (&json!("allow"), &json!([])));
    server.call("configureSession", &json!({"sessionId": session, "permissionMode": "plan"}));
    let planned = explain(&mut server, &json!({"note": "x"}));
    assert_eq!((&planned["decision"], &planned["reasons"][0]["layer"]), (&json!("deny"), &json!("mode")));
    for (call, code, path) in [
        (json!({"sessionId": session}), -32602, json!("/itemId")),
        (json!({"sessionId": session, "tool": "demo", "itemId": "i1"}), -32602, json!("/itemId")),
        (json!({"sessionId": session, "tool": "nothing"}), -32602, json!("/tool")),
        (json!({"sessionId": session, "itemId": "i99"}), -32002, Value::Null),
        (json!({"sessionId": "x", "tool": "demo"}), -32002, Value::Null),
    ] {
        let error = server.call("explainPermission", &call);
        assert_eq!((&error["code"], &error["data"]["path"]), (&json!(code), &path), "{call} {error}");
    }
    assert_eq!(server.call("openSession", &json!({"sessionId": session}))["snapshot"]["items"], json!([]));
    // The change of the mode was told as well.
    server.ignore_rest();
}
