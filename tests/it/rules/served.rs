//! Rule 1: a session is served in every state of its turn.

use aside_protocol::{
    ConfigureSessionParams, ListModelsParams, OpenSessionParams, PermissionMode, ReviewChangeParams,
    ReviewDecision, SessionState, StopReason, method,
};
use serde_json::json;

use crate::provider::{Reply, completions};
use crate::server::{TestServer, Upstream};

const CALL: &str = r#"{"text":"Let me. "}
{"toolCall":{"name":"demo","arguments":{"note":"tidy"}}}
{"turn":true}
{"text":"Done."}"#;

fn open(session: &str) -> OpenSessionParams {
    OpenSessionParams {
        session_id: session.to_owned(),
        after: None,
        layout: None,
        limit: None,
        read_only: None,
    }
}

fn plan(session: &str) -> ConfigureSessionParams {
    ConfigureSessionParams {
        session_id: session.to_owned(),
        model: None,
        account: None,
        thinking: None,
        permission_mode: Some(PermissionMode::Plan),
        additional_directories: None,
    }
}

/// Asks everything that must be served, and checks that the turn still stands where it stood.
fn everything(server: &mut TestServer, session: &str, state: &SessionState) {
    let models = server.request::<method::ListModels>(&ListModelsParams::default()).unwrap();
    assert!(models.models.iter().any(|model| model.provider == "demo"));
    let opened = server.request::<method::OpenSession>(&open(session)).unwrap();
    assert_eq!(opened.session.state, *state);
    assert!(opened.snapshot.unwrap().turn_id.is_some());
    let configured = server.request::<method::ConfigureSession>(&plan(session)).unwrap();
    assert_eq!(
        (configured.session.permission_mode, configured.session.state),
        (PermissionMode::Plan, state.clone())
    );
    // The person's message, which is no change of a file.
    let review = ReviewChangeParams {
        session_id: session.to_owned(),
        item_id: "i1".to_owned(),
        hunks: Vec::new(),
        decision: Some(ReviewDecision::Reject),
    };
    let refused = server.request::<method::ReviewChange>(&review).unwrap_err();
    assert_eq!(refused.data.path.as_deref(), Some("/itemId"), "{refused:?}");
}

#[test]
fn while_a_turn_streams() {
    let mut server = TestServer::new().script("{\"text\":\"a\"}\n{\"stall\":true}").start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    server.until("delta");
    everything(&mut server, &session, &SessionState::Running);
    assert_eq!(server.call("cancel", &json!({"sessionId": session})), json!({"cancelled": true}));
    assert_eq!(server.expect_turn_end(&prompt).text, "a");
}

#[test]
fn while_the_model_streams_without_a_pause() {
    let mut server = TestServer::new().script(r#"{"repeat":{"text":"abcd ","times":100000}}"#).start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    // Sent at once, so that they wait for the turn and not the turn for them.
    let opened = server.start::<method::OpenSession>(&open(&session));
    let configured = server.start::<method::ConfigureSession>(&plan(&session));
    let models = server.start::<method::ListModels>(&ListModelsParams::default());
    let opened = server.answer::<method::OpenSession>(&opened).unwrap();
    let configured = server.answer::<method::ConfigureSession>(&configured).unwrap();
    server.answer::<method::ListModels>(&models).unwrap();
    assert_eq!(
        (opened.session.state, configured.session.state),
        (SessionState::Running, SessionState::Running)
    );
    assert_eq!(configured.session.permission_mode, PermissionMode::Plan);
    assert_eq!(server.expect_turn_end(&prompt).text.len(), 500_000);
}

#[test]
fn while_the_turn_waits_for_permission() {
    let mut server = TestServer::new().script(CALL).start();
    server.initialize();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    let (id, asked) = server.question("requestPermission");
    everything(&mut server, &session, &SessionState::Waiting);
    let opened = server.request::<method::OpenSession>(&open(&session)).unwrap();
    let questions = serde_json::to_value(opened.snapshot.unwrap().questions).unwrap();
    assert_eq!(questions, json!([{"type": "permission", "request": asked}]));
    server.reply(&id, &json!({"optionId": "allowOnce"}));
    assert_eq!(server.expect_turn_end(&prompt).text, "Done.");
}

#[test]
fn while_the_client_does_not_read() {
    let upstream = Upstream::start();
    // Far more than the queues take, so that the session is held up by its client.
    let event = format!("data: {}\n\n", completions::text(&"x".repeat(10_000)));
    upstream.provider.reply(Reply::stream().flood(event, 1_200).stall());
    let mut server = TestServer::new().upstream(&upstream).start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    let request = upstream.request(0);
    server.until("delta");
    server.pause_reading();
    let models = server.start::<method::ListModels>(&ListModelsParams::default());
    let opened = server.start::<method::OpenSession>(&open(&session));
    let configured = server.start::<method::ConfigureSession>(&plan(&session));
    let other = server.start::<method::NewSession>(&aside_protocol::NewSessionParams::default());
    // The session has served what it was asked, with nobody reading: its new mode is on the disk.
    server.stored_holds("\"plan\"");
    let cancel = server.begin("cancel", &json!({"sessionId": session}));
    // It has heard the cancel, too, and hung up.
    upstream.wait(request.closed());
    server.resume_reading();
    server.answer::<method::ListModels>(&models).unwrap();
    let opened = server.answer::<method::OpenSession>(&opened).unwrap();
    assert_eq!(opened.session.state, SessionState::Running);
    let configured = server.answer::<method::ConfigureSession>(&configured).unwrap();
    assert_eq!(configured.session.permission_mode, PermissionMode::Plan);
    server.answer::<method::NewSession>(&other).unwrap();
    server.answer::<method::Cancel>(&cancel).unwrap();
    let result = server.expect_turn_end(&prompt);
    assert_eq!(result.stop_reason, StopReason::Cancelled);
    // What was told before the cancel is all there.
    assert!(result.text.len() < 12_000_000, "{}", result.text.len());
}
