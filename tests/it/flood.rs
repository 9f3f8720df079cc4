//! Rule 4: everything is bounded. Providers flood, clients do not read, and a thousand prompts run at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::process::{Aside, Home, PATIENCE, PROMPTLY, asked};
use super::provider::completions::{answer, text};
use super::provider::{Provider, Reply};

/// Memory that a flood may take, in KiB.
const GROWTH_KIB: u64 = 8 << 10;
/// What the provider has to say.
const AVAILABLE: u64 = 200 << 20;
/// The default cap of one item.
const ITEM: usize = 16 << 20;

/// A minute in the long run of the tests, seconds in the short one.
fn while_nobody_reads() -> Duration {
    let long = std::env::var_os("ASIDE_LONG").is_some_and(|value| value == "1");
    Duration::from_secs(if long { 60 } else { 5 })
}

/// A process whose default model floods, after one answer that was read.
async fn flooded(provider: &Provider) -> (Home, Aside, String) {
    provider.reply(answer(&["ready"]));
    let chunk = "0123456789abcdef".repeat(64);
    let event = format!("data: {}\n\n", text(&chunk));
    provider.reply(Reply::stream().flood(&event, AVAILABLE / chunk.len() as u64));
    let home = Home::with_provider(provider);
    let mut aside = home.start_initialized(asked()).await;
    let first = aside.call("prompt", json!({ "text": "hello" })).await;
    (home, aside, first["sessionId"].as_str().unwrap().to_owned())
}

/// The peak of what the process takes beyond what it took, until the time is over or something else happens.
async fn growth(aside: &Aside, before: u64, time: Duration) -> u64 {
    let mut most = 0;
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    let _ = tokio::time::timeout(time, async {
        loop {
            tick.tick().await;
            most = most.max(aside.resident_kib().saturating_sub(before));
        }
    })
    .await;
    most
}

/// Reads to the answer of the prompt: what the deltas of its text added up to, and the item in the end.
async fn read_flood(aside: &mut Aside, prompt: u64) -> (String, Value, Value) {
    let (mut all, mut completed, mut last) = (String::new(), Value::Null, 0);
    loop {
        let line = aside.next().await.expect("the process lives");
        if line["id"] == prompt && line.get("method").is_none() {
            return (all, completed, line);
        }
        let event = &line["params"];
        if line["method"] == "event" {
            let from = event["fromSeq"].as_u64().or_else(|| event["seq"].as_u64()).unwrap();
            assert!(last == 0 || from == last + 1, "{from} came after {last}");
            last = event["seq"].as_u64().unwrap();
        }
        if event["type"] == "turnStarted" {
            // What stood here was left from the turn before.
            all.clear();
        }
        if event["type"] == "delta" {
            all.push_str(event["text"].as_str().unwrap());
        }
        if event["type"] == "itemCompleted" && event["item"]["type"] == "assistantText" {
            completed = event["item"].clone();
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_provider_back() {
    let provider = Provider::start().await;
    let (_home, mut aside, session) = flooded(&provider).await;
    let before = aside.resident_kib();
    aside.lines().hold();
    let prompt = aside.request("prompt", json!({ "sessionId": session, "text": "much" }));
    let request = provider.request(1).await;
    let grown = growth(&aside, before, while_nobody_reads()).await;
    println!("resident before {before} KiB, grown by {grown} KiB");
    assert!(grown < GROWTH_KIB, "memory grew by {grown} KiB");
    // Nothing is read, and yet the cancel is heard.
    aside.notify("cancel", json!({ "sessionId": session }));
    tokio::time::timeout(PROMPTLY, request.closed()).await.expect("the cancel was not heard");
    aside.lines().release();
    let (all, completed, answer) = read_flood(&mut aside, prompt).await;
    assert_eq!(answer["result"]["stopReason"], "cancelled");
    let whole = completed["text"].as_str().unwrap();
    assert!(all == whole, "{} bytes of deltas, {} of the item", all.len(), whole.len());
    assert!(whole.len() > 64 << 10 && whole.len() < ITEM, "{}", whole.len());
    assert!(whole.as_bytes().chunks(16).all(|chunk| b"0123456789abcdef".starts_with(chunk)));
    println!("{} bytes were taken from the provider", whole.len());
}

#[tokio::test]
async fn a_client_that_reads_again_misses_nothing_up_to_the_cap() {
    let provider = Provider::start().await;
    let (_home, mut aside, session) = flooded(&provider).await;
    aside.lines().hold();
    let prompt = aside.request("prompt", json!({ "sessionId": session, "text": "much" }));
    let request = provider.request(1).await;
    let held = tokio::time::timeout(PROMPTLY, request.closed()).await;
    assert!(held.is_err(), "the provider was left though nobody had read");
    aside.lines().release();
    let (all, completed, answer) = read_flood(&mut aside, prompt).await;
    assert_eq!(answer["result"]["stopReason"], "error");
    assert_eq!(answer["result"]["error"]["kind"], "tooLarge");
    assert_eq!(all.len(), ITEM);
    assert!(all == completed["text"].as_str().unwrap());
    assert!(all == answer["result"]["text"].as_str().unwrap());
    tokio::time::timeout(PROMPTLY, request.closed()).await.expect("the provider is left");
    // The conversation goes on.
    provider.reply(super::provider::completions::answer(&["fine"]));
    let next = aside.call("prompt", json!({ "sessionId": session, "text": "and now?" })).await;
    assert_eq!(next["text"], "fine");
}

#[tokio::test]
async fn a_thousand_prompts_run_at_once() {
    const PROMPTS: usize = 1_000;
    aside::system::os::raise_file_limit();
    let provider = Provider::start().await;
    let gate = super::provider::Gate::new();
    for _ in 0..PROMPTS {
        use super::provider::completions::{DONE, STOP};
        let reply = Reply::stream().event(&text("one ")).wait(&gate).event(&text("two"));
        provider.reply(reply.event(STOP).event(DONE));
    }
    let home = Home::with_provider(&provider);
    let mut aside = home.start_initialized(asked()).await;
    let before = aside.resident_kib();
    let mut open: BTreeSet<u64> = (0..PROMPTS)
        .map(|index| aside.request("prompt", json!({ "text": format!("prompt {index}") })))
        .collect();
    // All are open at the same time before the first ends.
    provider.request(PROMPTS - 1).await;
    let grown = aside.resident_kib().saturating_sub(before);
    println!("{PROMPTS} open prompts take {grown} KiB");
    for _ in 0..PROMPTS {
        gate.open();
    }
    let mut sessions = Vec::new();
    while !open.is_empty() {
        let line = aside.next().await.expect("the process lives");
        assert_ne!(line["params"]["item"]["type"], "notice", "{line}");
        if line["method"] == "event" {
            continue;
        }
        assert!(open.remove(&line["id"].as_u64().unwrap()), "answered twice: {line}");
        assert_eq!(
            (&line["result"]["stopReason"], &line["result"]["text"]),
            (&json!("endTurn"), &json!("one two"))
        );
        sessions.push(line["result"]["sessionId"].as_str().unwrap().to_owned());
    }
    aside.close_input();
    assert_eq!(aside.exit(PATIENCE).await, 0);
    for session in sessions {
        let records = home.records(&session);
        assert_eq!(records.last().unwrap()["stop"], "endTurn", "{session} was not saved whole: {records:#?}");
    }
}

#[tokio::test]
async fn a_storm_of_cancels_and_a_slow_reader_leave_nothing_unanswered() {
    const SESSIONS: usize = 200;
    let home = Home::with_script(&[
        json!({ "repeat": { "text": "some words ", "times": 3_000 } }),
        json!({ "waitMs": 200 }),
        json!({ "repeat": { "text": "some words ", "times": 3_000 } }),
    ]);
    let mut aside = home.start_initialized(asked()).await;
    let mut sessions = Vec::new();
    for _ in 0..SESSIONS {
        let made = aside.call("newSession", json!({})).await;
        sessions.push(made["sessionId"].as_str().unwrap().to_owned());
    }
    aside.lines().hold();
    let mut prompts = BTreeMap::new();
    let mut cancels = BTreeSet::new();
    for (index, session) in sessions.iter().enumerate() {
        prompts.insert(
            aside.request("prompt", json!({ "sessionId": session, "text": "go on" })),
            session.clone(),
        );
        if index % 3 == 0 {
            cancels.insert(aside.request("cancel", json!({ "sessionId": session })));
        }
    }
    for session in sessions.iter().step_by(2) {
        for _ in 0..5 {
            cancels.insert(aside.request("cancel", json!({ "sessionId": session })));
        }
    }
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    let mut ended = BTreeSet::new();
    let mut read = 0;
    aside.lines().release();
    while !(prompts.is_empty() && cancels.is_empty()) {
        let line = aside.next().await.expect("the process lives");
        read += 1;
        // The reader stops now and then.
        if read % 500 == 0 {
            aside.lines().hold();
            tokio::task::yield_now().await;
            aside.lines().release();
        }
        if line["method"] == "event" {
            let event = &line["params"];
            let session = event["sessionId"].as_str().unwrap().to_owned();
            assert!(!ended.contains(&session), "an event came behind the answer: {line}");
            let from = event["fromSeq"].as_u64().or_else(|| event["seq"].as_u64()).unwrap();
            let before = newest.insert(session, event["seq"].as_u64().unwrap()).unwrap_or(0);
            assert_eq!(from, before + 1, "{line}");
            continue;
        }
        let id = line["id"].as_u64().unwrap();
        if cancels.remove(&id) {
            assert!(line["result"]["cancelled"].is_boolean(), "{line}");
            continue;
        }
        let session = prompts.remove(&id).unwrap_or_else(|| panic!("answered twice or unasked: {line}"));
        let reason = line["result"]["stopReason"].as_str().unwrap();
        assert!(reason == "cancelled" || reason == "endTurn", "{line}");
        ended.insert(session);
    }
    aside.close_input();
    assert_eq!(aside.exit(PATIENCE).await, 0);
}
