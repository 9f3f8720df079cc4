//! Rule 3: events are numbered, and what was missed can be told.

use aside_protocol::{Event, EventPosition, OpenSessionParams, OpenSessionResult, method};
use serde_json::{Value, json};

use crate::server::{TestServer, delta};

fn open(server: &mut TestServer, session: &str, after: Option<(u64, u64)>) -> OpenSessionResult {
    let after = after.map(|(epoch, seq)| EventPosition { epoch, seq });
    let params = OpenSessionParams {
        session_id: session.to_owned(),
        after,
        layout: None,
        limit: None,
        read_only: None,
    };
    server.request::<method::OpenSession>(&params).unwrap()
}

/// Plays one turn and returns its events as they were seen.
fn live(server: &mut TestServer, session: &str) -> Vec<Event> {
    let prompt = server.prompt(session, "hi");
    let mut events = Vec::new();
    loop {
        let message = server.next();
        match message.event() {
            Some(event) => events.push(event),
            None => {
                assert!(message.answers(&prompt.0));
                return events;
            }
        }
    }
}

fn values(events: &[Event]) -> Vec<Value> {
    events.iter().map(|event| serde_json::to_value(event).unwrap()).collect()
}

#[test]
fn what_was_missed_is_told_exactly() {
    let script = r#"{"thinking":"hm"}
{"repeat":{"text":"ab ","times":50}}
{"toolCall":{"name":"demo","arguments":{"note":"x","harmless":true}}}
{"turn":true}
{"text":"done"}"#;
    let mut server = TestServer::new().script(script).start();
    let session = server.new_session();
    let events = live(&mut server, &session);
    let newest = events.last().unwrap().seq;
    for after in 0..=newest {
        let opened = open(&mut server, &session, Some((1, after)));
        assert!(opened.snapshot.is_none());
        assert_eq!((opened.session.epoch, opened.session.seq), (1, newest));
        let missed = opened.events.unwrap();
        let first = usize::try_from(after).unwrap();
        assert_eq!(values(&missed), values(&events[first..]), "after {after}");
    }
    // Nothing, another loading, and the future: everything is told.
    for after in [None, Some((0, 1)), Some((2, 1)), Some((1, newest + 1)), Some((u64::MAX, u64::MAX))] {
        let opened = open(&mut server, &session, after);
        assert!(opened.events.is_none());
        let items: Vec<Value> =
            opened.snapshot.unwrap().items.iter().map(|item| serde_json::to_value(item).unwrap()).collect();
        assert_eq!(items.len(), 5);
        assert_eq!((&items[2]["text"], &items[4]["text"]), (&json!("ab ".repeat(50)), &json!("done")));
    }
}

#[test]
fn what_is_too_old_is_told_as_a_snapshot() {
    let mut server = TestServer::new().script(r#"{"repeat":{"text":"abc ","times":3000}}"#).start();
    let session = server.new_session();
    let events = live(&mut server, &session);
    let newest = events.last().unwrap().seq;
    let opened = open(&mut server, &session, Some((1, 1)));
    assert!(opened.events.is_none());
    assert_eq!(opened.snapshot.unwrap().items[1].text.len(), 12_000);
    // The newest thousand are kept; `after` is where one of the events that were seen ends.
    let after = events.iter().map(|event| event.seq).find(|seq| *seq >= newest - 1_000).unwrap();
    let missed = open(&mut server, &session, Some((1, after))).events.unwrap();
    let seen: String = events.iter().filter(|event| event.seq > after).filter_map(delta).collect();
    assert!(missed.iter().filter_map(delta).collect::<String>() == seen);
    assert_eq!(
        (missed[0].from_seq.unwrap_or(missed[0].seq), missed.last().unwrap().seq),
        (after + 1, newest)
    );
}

#[test]
fn a_client_that_missed_the_middle_of_a_turn_catches_up() {
    let mut server =
        TestServer::new().script("{\"text\":\"one \"}\n{\"text\":\"two\"}\n{\"stall\":true}").start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    let seen = server.until("delta");
    server.until("delta");
    let missed = open(&mut server, &session, Some((1, seen["seq"].as_u64().unwrap()))).events.unwrap();
    assert_eq!(missed.iter().filter_map(delta).collect::<Vec<_>>(), ["two"]);
    server.call("cancel", &json!({"sessionId": session}));
    server.expect_turn_end(&prompt);
}

#[test]
fn each_loading_has_an_epoch_of_its_own() {
    let mut server = TestServer::new().script(r#"{"text":"a"}"#).start();
    let session = server.new_session();
    live(&mut server, &session);
    for epoch in 2..5 {
        assert_eq!(server.call("closeSession", &json!({"sessionId": session})), json!({}));
        let opened = open(&mut server, &session, Some((epoch - 1, 1)));
        assert_eq!((opened.session.epoch, opened.events.is_none()), (epoch, true));
        let events = live(&mut server, &session);
        assert_eq!((events[0].epoch, events[0].seq), (epoch, 1));
    }
    let opened = open(&mut server, &session, None);
    assert_eq!(opened.snapshot.unwrap().items.len(), 8);
}

#[test]
fn a_second_prompt_on_a_busy_session_is_refused() {
    let mut server = TestServer::new().script("{\"text\":\"a\"}\n{\"stall\":true}").start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    let second = server.prompt(&session, "me too");
    let error = server.answer::<method::Prompt>(&second).unwrap_err();
    assert_eq!((error.code, error.data.kind.as_str()), (-32003, "busy"));
    assert!(error.data.hint.is_some());
    server.call("cancel", &json!({"sessionId": session}));
    server.expect_turn_end(&prompt);
    // The refused prompt left nothing behind.
    assert_eq!(
        open(&mut server, &session, None)
            .snapshot
            .unwrap()
            .items
            .iter()
            .filter(|item| item.text == "me too")
            .count(),
        0
    );
}
