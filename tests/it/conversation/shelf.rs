//! Whole conversations: copied, named, written out and removed.

use aside_protocol::{StopReason, method};
use serde_json::{Value, json};

use crate::server::TestServer;

const TWO: &str = "{\"text\":\"One ```.\"}\n{\"turn\":true}\n{\"text\":\"Two.\"}";

/// A session with two turns.
fn talked() -> (TestServer, String) {
    let mut server = TestServer::new().script(TWO).start();
    server.initialize();
    let session = server.new_session();
    for text in ["first", "second"] {
        let prompt = server.prompt(&session, text);
        assert_eq!(server.expect_turn_end(&prompt).stop_reason, StopReason::EndTurn);
    }
    (server, session)
}

fn texts(server: &mut TestServer, session: &str) -> Vec<String> {
    let opened = server.call("openSession", &json!({"sessionId": session}));
    let items = opened["snapshot"]["items"].as_array().unwrap();
    items.iter().map(|item| item["text"].as_str().unwrap().to_owned()).collect()
}

/// Files of conversations.
fn conversations(server: &TestServer) -> usize {
    let stored = server.stored();
    stored.iter().filter(|(path, _)| path.parent().is_some_and(|folder| folder.ends_with("sessions"))).count()
}

#[test]
fn a_copy_goes_its_own_way() {
    let (mut server, session) = talked();
    let fork = server.call("forkSession", &json!({"sessionId": session, "itemId": "i2"}));
    let copy = fork["sessionId"].as_str().unwrap().to_owned();
    assert_eq!(fork["session"]["title"], "first");
    assert_eq!(texts(&mut server, &copy), ["first", "One ```."]);
    let prompt = server.prompt(&copy, "other");
    // Calls are counted by the model's messages: the second part answers.
    assert_eq!(server.expect_turn_end(&prompt).text, "Two.");
    assert_eq!(texts(&mut server, &copy), ["first", "One ```.", "other", "Two."]);
    assert_eq!(texts(&mut server, &session), ["first", "One ```.", "second", "Two."]);
    // It is on the disk from its first moment, and can be copied from there.
    let fork = server.call("forkSession", &json!({"sessionId": session}));
    let whole = fork["sessionId"].as_str().unwrap().to_owned();
    server.call("closeSession", &json!({"sessionId": whole}));
    assert_eq!(texts(&mut server, &whole).len(), 4);
    // Looking into a conversation that is not open leaves it free to go on.
    server.call("closeSession", &json!({"sessionId": whole}));
    server.call("exportSession", &json!({"sessionId": whole, "format": "json"}));
    server.call("forkSession", &json!({"sessionId": whole}));
    let prompt = server.prompt(&whole, "on");
    assert_eq!(server.expect_turn_end(&prompt).stop_reason, StopReason::EndTurn);
    for (params, code) in [
        (json!({"sessionId": session, "itemId": "i77"}), aside_protocol::NOT_FOUND),
        (json!({"sessionId": "nosuch"}), aside_protocol::NOT_FOUND),
    ] {
        let sent = server.begin("forkSession", &params);
        assert_eq!(server.answer::<method::ForkSession>(&sent).unwrap_err().code, code, "{params}");
    }
}

#[test]
fn a_name_stays() {
    let (mut server, session) = talked();
    server.call("renameSession", &json!({"sessionId": session, "title": "  My\nwork "}));
    let prompt = server.prompt(&session, "third");
    server.expect_turn_end(&prompt);
    server.call("closeSession", &json!({"sessionId": session}));
    let listed = server.call("listSessions", &json!({}));
    assert_eq!(listed["sessions"][0]["title"], "My work");
    let opened = server.call("openSession", &json!({"sessionId": session}));
    assert_eq!(opened["session"]["title"], "My work");
    for title in [String::new(), " \n".to_owned(), "x".repeat(201)] {
        let sent = server.begin("renameSession", &json!({"sessionId": session, "title": title}));
        let error = server.answer::<method::RenameSession>(&sent).unwrap_err();
        assert_eq!(error.code, aside_protocol::INVALID_PARAMS);
    }
}

#[test]
fn what_is_removed_is_gone() {
    let (mut server, session) = talked();
    assert_eq!(server.call("deleteSession", &json!({"sessionId": session})), json!({}));
    assert_eq!(server.call("listSessions", &json!({}))["sessions"], json!([]));
    for name in ["openSession", "deleteSession"] {
        let sent = server.begin(name, &json!({"sessionId": session}));
        let error = server.answer::<method::DeleteSession>(&sent).unwrap_err();
        assert_eq!(error.code, aside_protocol::NOT_FOUND, "{name}");
    }
    assert_eq!(conversations(&server), 0);
}

#[test]
fn a_running_turn_ends_with_its_session() {
    let mut server = TestServer::new().script("{\"stall\":true}").start();
    server.initialize();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    server.until("turnStarted");
    assert_eq!(server.call("deleteSession", &json!({"sessionId": session})), json!({}));
    assert_eq!(server.expect_turn_end(&prompt).stop_reason, StopReason::Cancelled);
    assert_eq!(conversations(&server), 0);
}

#[test]
fn a_conversation_is_written_out() {
    let (mut server, session) = talked();
    let export = |server: &mut TestServer, format: &str| {
        let params = json!({"sessionId": session, "format": format});
        server.call("exportSession", &params)["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(export(&mut server, "markdown"), "# first\n\n> first\n\nOne ```.\n\n> second\n\nTwo.\n");
    let all: Value = serde_json::from_str(&export(&mut server, "json")).unwrap();
    assert_eq!((&all["session"]["sessionId"], all["items"].as_array().unwrap().len()), (&json!(session), 4));
    let sent = server.begin("exportSession", &json!({"sessionId": session, "format": "pdf"}));
    let error = server.answer::<method::ExportSession>(&sent).unwrap_err();
    assert_eq!(error.code, aside_protocol::INVALID_PARAMS);
}
