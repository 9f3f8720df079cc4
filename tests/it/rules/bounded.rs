//! Rule 4: everything is bounded, and nothing is lost by it.

use aside_protocol::{EventBody, ItemBody, ListModelsParams, PromptParams, StopReason, method};
use serde_json::json;

use crate::provider::{Gate, Reply, completions};
use crate::server::{Sent, TestServer, Upstream, delta};

/// What a client has put together of the answers of one session.
#[derive(Default)]
struct Read {
    /// The deltas' texts.
    text: String,
    /// The text of the item as it was completed.
    completed: String,
    deltas: usize,
    /// Deltas that stand for several.
    merged: usize,
    longest: usize,
}

/// Reads until the turn has ended.
fn read(server: &mut TestServer) -> Read {
    let mut read = Read::default();
    loop {
        let event = server.next_event();
        if let Some(text) = delta(&event) {
            read.deltas += 1;
            read.merged += usize::from(event.from_seq.is_some());
            read.longest = read.longest.max(text.len());
            read.text.push_str(text);
        }
        match event.body {
            EventBody::ItemCompleted { item } if matches!(item.body, ItemBody::AssistantText { .. }) => {
                read.completed = item.text;
            }
            EventBody::TurnEnded { .. } => return read,
            _ => {}
        }
    }
}

#[test]
fn a_client_that_does_not_read_holds_the_provider_up() {
    const EVENTS: u64 = 10_000;
    let upstream = Upstream::start();
    let gate = Gate::new();
    let chunk = format!("data: {}\n\n", completions::text(&"0123456789".repeat(100)));
    let end = format!("data: {}\n\ndata: {}\n\n", completions::STOP, completions::DONE);
    upstream.provider.reply(Reply::stream().wait(&gate).flood(chunk, EVENTS).chunk(end));
    let mut server = TestServer::new().upstream(&upstream).start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    upstream.request(0);
    server.pause_reading();
    gate.open();
    server.stored_at_least(1 << 20);
    // Once the session has stopped reading its provider, nothing moves any more: the same number of bytes twice,
    // with a whole round through the server in between.
    let mut stored = 0;
    let mut mode = "plan";
    loop {
        server.begin("configureSession", &json!({"sessionId": session, "permissionMode": mode}));
        server.stored_holds_after(stored, &format!("\"{mode}\""));
        let now = server.stored_bytes();
        // Only the record of the mode itself was added.
        if now - stored < 500 {
            break;
        }
        stored = now;
        mode = if mode == "plan" { "acceptEdits" } else { "plan" };
    }
    let held = server.stored_bytes();
    assert!(held < 6 << 20, "{held} bytes were taken from a provider whose reader does not read");
    server.resume_reading();
    let read = read(&mut server);
    assert_eq!(read.text.len(), 1_000 * usize::try_from(EVENTS).unwrap());
    assert!(read.text == read.completed, "no character is missing");
    assert!(read.merged > 0 && read.longest <= 16 << 10, "{} of {} deltas", read.merged, read.deltas);
    assert!(server.answer::<method::Prompt>(&prompt).unwrap().text == read.completed);
    server.ignore_rest();
}

#[test]
fn deltas_are_merged_while_the_client_does_not_read() {
    let mut server = TestServer::new().script(r#"{"repeat":{"text":"abcdé ","times":60000}}"#).start();
    let session = server.new_session();
    server.pause_reading();
    let prompt = server.prompt(&session, "hi");
    // The turn ends meanwhile: what it says fits the session's queue, though not the pipe.
    server.stored_holds("\"stop\":\"endTurn\"");
    server.resume_reading();
    let read = read(&mut server);
    assert!(read.text == "abcdé ".repeat(60_000));
    assert!(read.merged > 0 && read.deltas < 10_000, "{} of {} deltas", read.merged, read.deltas);
    assert!(read.text == read.completed);
    assert_eq!(server.expect_turn_end(&prompt).text.len(), 7 * 60_000);
}

#[test]
fn a_cancel_is_heard_while_the_client_does_not_read() {
    let upstream = Upstream::start();
    let chunk = format!("data: {}\n\n", completions::text(&"x".repeat(10_000)));
    upstream.provider.reply(Reply::stream().flood(chunk, 1_500).stall());
    let mut server = TestServer::new().upstream(&upstream).start();
    let session = server.new_session();
    server.pause_reading();
    let prompt = server.prompt(&session, "hi");
    let request = upstream.request(0);
    server.send(&json!({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 2}}).to_string());
    assert_eq!(prompt, Sent("2".to_owned()));
    upstream.wait(request.closed());
    server.resume_reading();
    let read = read(&mut server);
    assert!(read.text == read.completed);
    let result = server.expect_turn_end(&prompt);
    assert_eq!(result.stop_reason, StopReason::Cancelled);
    assert!(result.text == read.completed);
}

#[test]
fn an_item_ends_at_its_limit() {
    const LIMIT: usize = 65_536;
    // Three bytes each, so that the limit falls within a character.
    let script = r#"{"repeat":{"text":"€€€€€€€","times":100000}}"#;
    let mut server =
        TestServer::new().script(script).settings(r#"{"limits": {"maxItemBytes": 65536}}"#).start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    let read = read(&mut server);
    assert_eq!((read.text.len(), read.completed.len()), (LIMIT - 1, LIMIT - 1));
    let result = server.expect_turn_end(&prompt);
    let error = result.error.unwrap();
    assert_eq!((result.stop_reason, error.kind.as_str()), (StopReason::Error, "tooLarge"));
    assert!(error.hint.is_some());
    assert_eq!(result.text, "€".repeat(LIMIT / 3));
}

#[test]
fn more_open_requests_than_the_limit_are_refused() {
    let settings = r#"{"limits": {"maxOpenRequests": 8}}"#;
    let mut server = TestServer::new().script("{\"stall\":true}").settings(settings).start();
    let prompts: Vec<Sent> = (0..10)
        .map(|_| {
            server.start::<method::Prompt>(&PromptParams {
                text: Some("hi".to_owned()),
                ..PromptParams::default()
            })
        })
        .collect();
    for refused in &prompts[8..] {
        let error = server.answer::<method::Prompt>(refused).unwrap_err();
        assert_eq!((error.code, error.data.kind.as_str()), (-32001, "overloaded"));
        assert!(error.data.hint.is_some() && error.data.retry_after_ms.is_some());
    }
    // What is not a new request still gets through.
    for open in &prompts[..8] {
        server
            .send(&format!(r#"{{"jsonrpc":"2.0","method":"$/cancelRequest","params":{{"id":{}}}}}"#, open.0));
        assert_eq!(server.expect_turn_end(open).stop_reason, StopReason::Cancelled);
    }
    server.request::<method::ListModels>(&ListModelsParams::default()).unwrap();
    server.ignore_rest();
}

#[test]
fn answers_that_nobody_reads_are_bounded() {
    let mut server = TestServer::new().start();
    let length = serde_json::to_vec(&server.call("listModels", &json!({}))).unwrap().len();
    server.pause_reading();
    // More than may wait, and beyond it what may stand between the reader and the handlers.
    let asked: Vec<Sent> =
        (0..(16 << 20) / length + 600).map(|_| server.begin("listModels", &json!({}))).collect();
    server.resume_reading();
    let mut refused = 0;
    for sent in &asked {
        if let Err(error) = server.answer::<method::ListModels>(sent) {
            assert_eq!((error.code, error.data.kind.as_str()), (-32001, "overloaded"));
            refused += 1;
        }
    }
    assert!(refused > 0 && refused < asked.len(), "{refused} of {}", asked.len());
    // Nobody holds it against a client that reads again.
    server.request::<method::ListModels>(&ListModelsParams::default()).unwrap();
}
