//! What an editor asks first, in either framing, and what the user's files are answered with.

use aside_protocol::{InitializeParams, METHODS, MessageKind, Sender, Stage, method};
use serde_json::json;

use crate::server::TestServer;

#[test]
fn initialize_tells_all() {
    let mut server = TestServer::new().start();
    let result = server.request::<method::Initialize>(&InitializeParams::default()).unwrap();
    assert_eq!(
        (result.protocol_version, result.server_info.name.as_str()),
        (aside_protocol::PROTOCOL_VERSION, "aside")
    );
    assert_eq!(result.server_info.version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!((result.capabilities.max_message_bytes, &*result.capabilities.storage), (64 << 20, "disk"));
    let working = METHODS.iter().filter(|method| {
        (method.sender, method.kind, method.stage) == (Sender::Client, MessageKind::Request, Stage::Working)
    });
    assert_eq!(result.methods, working.map(|method| method.name).collect::<Vec<_>>());
    assert_eq!(result.diagnostics.len(), 0);
    let twice = server.request::<method::Initialize>(&InitializeParams::default()).unwrap_err();
    assert_eq!(twice.code, -32602, "{}", twice.message);
}

#[test]
fn initialize_brings_settings_and_an_environment() {
    let mut server = TestServer::new()
        .file("talk.jsonl", r#"{"text":"from the client's script"}"#)
        .settings(r#"{"defaultModel": "groq/none"}"#)
        .start();
    let result = server
        .request::<method::Initialize>(&InitializeParams {
            settings: Some(json!({"defaultModel": "demo", "colour": 1})),
            environment: Some([("ASIDE_DEMO_SCRIPT".to_owned(), "talk.jsonl".to_owned())].into()),
            cwd: Some("/some/where".to_owned()),
            ..InitializeParams::default()
        })
        .unwrap();
    assert!(result.diagnostics[0].message.contains("colour"), "{:?}", result.diagnostics);
    let result = server.prompted(&super::text("hi"));
    assert_eq!(result.text, "from the client's script");
    let opened = server.call("openSession", &json!({"sessionId": result.session_id}));
    assert_eq!(opened["session"]["cwd"], "/some/where");
}

#[test]
fn header_blocks_are_answered_in_header_blocks() {
    // The client of the tests takes nothing else.
    let mut server = TestServer::new().headers().script(r#"{"text":"Hellö \u2028"}"#).start();
    server.initialize();
    assert_eq!(server.prompted(&super::text("hi")).text, "Hellö \u{2028}");
    server.send("[1]");
    assert_eq!(server.next().json[0]["error"]["code"], -32600);
    server.send("{");
    assert_eq!(server.next().json["error"]["code"], -32700);
    server.call("listProviders", &json!({}));
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_place() {
    let models = "{\n  \"providers\": {\n    \"good\": {\"baseUrl\": \"http://127.0.0.1:9/v1\", \"api\": \"openai-completions\",\n      \"apiKey\": \"k\", \"models\": [{\"id\": \"m\"}]},\n    \"bad\": {\"baseUrl\": 5, \"api\": \"openai-completions\", \"models\": [{\"id\": \"n\"}]}\n  }\n}";
    let mut server = TestServer::new().models_json(models).start();
    let listed = server.call("listModels", &json!({}));
    let models = listed["models"].as_array().unwrap();
    assert!(
        models
            .iter()
            .any(|model| model["provider"] == "good" && model["id"] == "m" && model["available"] == true)
    );
    let told = &listed["diagnostics"][0];
    assert_eq!((&told["line"], &told["column"]), (&json!(5), &json!(24)), "{told}");
    assert!(told["path"].as_str().unwrap().ends_with("models.json"));
    assert!(told["message"].as_str().unwrap().contains("bad"), "{told}");
}

#[test]
fn a_file_that_cannot_be_read_at_all_is_told_and_the_rest_works() {
    let mut server =
        TestServer::new().models_json("{\n  \"providers\": {,}\n}").script(r#"{"text":"a"}"#).start();
    let listed = server.call("listModels", &json!({}));
    assert_eq!(listed["diagnostics"][0]["line"], 2);
    assert!(!listed["models"].as_array().unwrap().is_empty());
    assert_eq!(server.prompted(&super::text("hi")).text, "a");
}

#[test]
fn shutdown_is_answered_last() {
    let mut server = TestServer::new().script("{\"text\":\"a\"}\n{\"stall\":true}").start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    server.until("delta");
    let shutdown = server.begin("shutdown", &json!({}));
    let mut last = None;
    while !last.as_ref().is_some_and(|message: &crate::server::Message| message.answers(&shutdown.0)) {
        let message = server.next();
        if message.answers(&prompt.0) {
            assert_eq!(message.json["result"]["stopReason"], "cancelled");
        }
        last = Some(message);
    }
}
