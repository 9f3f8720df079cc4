//! Rule 8: what takes long runs beside the thread that streams. (That the way of a delta has no lock and no
//! JSON tree is read off the source: see `tidy.rs`.)

use std::cell::Cell;
use std::fmt::Write as _;

use serde_json::json;

use crate::server::TestServer;

/// Items of a conversation that takes far longer to load than a delta does to come.
const MANY: usize = 60_000;
/// Deltas that must come while it is loaded; were it loaded by the thread that streams, there would be none but
/// those that were under way already.
const MEANWHILE: usize = 20;

#[test]
fn a_large_conversation_is_loaded_while_another_streams() {
    let mut large = format!(
        "{}\n",
        json!({"t": "session", "v": 1, "id": "large", "createdAtMs": 1, "cwd": "/", "system": null})
    );
    for id in 1..=MANY {
        let item = json!({"t": "item", "item": {
            "id": id, "turn": 1, "call": 0, "status": "completed", "atMs": 1, "text": "once upon a time",
            "body": {"k": "user", "content": [{"k": "text", "text": "once upon a time"}]},
        }});
        writeln!(large, "{item}").unwrap();
    }
    let script = "{\"text\":\"a\"}\n{\"waitMs\":1}\n".repeat(20_000);
    let mut server = TestServer::new().script(&script).file("sessions/large.jsonl", &large).start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    server.until("delta");
    server.begin("openSession", &json!({"sessionId": "large", "limit": 1}));
    let meanwhile = Cell::new(0);
    let answer = server.find(|message| {
        meanwhile.set(meanwhile.get() + usize::from(message.kind() == Some("delta")));
        message.method().is_none()
    });
    assert_eq!(answer.json["result"]["snapshot"]["omitted"], MANY - 1, "{}", answer.json);
    let meanwhile = meanwhile.get();
    assert!(meanwhile >= MEANWHILE, "{meanwhile} deltas came while the conversation was loaded");
    server.call("cancel", &json!({"sessionId": session}));
    server.expect_turn_end(&prompt);
}
