//! Rule 5: what is on the disk, when, and what becomes of it when processes die, meet and disks fail.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant, SystemTime};

use aside::engine::store::load::parse;
use serde_json::{Value, json};

use super::faults::{Disk, Faulty};
use super::process::{Aside, Home, PATIENCE, PROMPTLY, asked};
use super::provider::completions::{DONE, STOP, answer, text};
use super::provider::{Gate, Provider, Reply};

fn session_of(result: &Value) -> String {
    result["sessionId"].as_str().unwrap().to_owned()
}

fn open(session: &str) -> Value {
    json!({ "sessionId": session })
}

fn items(opened: &Value) -> &Vec<Value> {
    opened["snapshot"]["items"].as_array().unwrap()
}

/// The texts of a snapshot's items, notices and all.
fn texts(opened: &Value) -> Vec<&str> {
    items(opened).iter().map(|item| item["text"].as_str().unwrap()).collect()
}

/// A small generator: the same moments in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        // Knuth's multiplier; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// What a process has told of a session, over all its lives.
#[derive(Default)]
struct Told {
    events: HashMap<(u64, u64), Value>,
    epoch: u64,
}

impl Told {
    fn event(&mut self, event: &Value) {
        let place = (event["epoch"].as_u64().unwrap(), event["seq"].as_u64().unwrap());
        if let Some(before) = self.events.insert(place, event.clone()) {
            assert_eq!(&before, event, "{place:?} means two things");
        }
    }

    fn opened(&mut self, opened: &Value) {
        let epoch = opened["session"]["epoch"].as_u64().unwrap();
        assert!(epoch > self.epoch, "epoch {epoch} came after {}", self.epoch);
        self.epoch = epoch;
    }
}

const PIECE: &str = "forty characters of text, or nearly so. ";
/// Milliseconds after which a machine at its limits has written what should take 250.
const SLACK: u64 = 4_000;
const SLOW: usize = 400;
const FAST: usize = 3_000;

/// Turns that drip and turns that pour, in turn.
fn killed_script() -> Vec<Value> {
    let mut steps = Vec::new();
    for round in 0..20 {
        if round > 0 {
            steps.push(json!({ "turn": true }));
        }
        for _ in 0..SLOW {
            steps.push(json!({ "text": PIECE }));
            steps.push(json!({ "waitMs": 1 }));
        }
        steps.push(json!({ "turn": true }));
        steps.push(json!({ "repeat": { "text": PIECE, "times": FAST } }));
        steps.push(json!({ "waitMs": 300 }));
        steps.push(json!({ "text": "the end" }));
    }
    steps
}

/// One life: opens, prompts, is killed. Returns what must have survived.
async fn live_and_die(
    home: &Home,
    session: &mut Option<String>,
    told: &mut Told,
    chance: &mut Chance,
    life: u64,
) {
    let mut aside = home.start();
    if let Some(session) = session {
        let opened = aside.call("openSession", open(session)).await;
        told.opened(&opened);
    }
    let said = format!("prompt number {life}");
    let mut params = json!({ "text": said });
    if let Some(session) = session {
        params["sessionId"] = json!(session);
    }
    aside.request("prompt", params);
    // Most by the number of lines, some by the clock, none by a wish.
    let last_line = match chance.below(4) {
        0 => chance.below(8),
        1 => chance.below(60),
        _ => chance.below(700),
    };
    let until =
        Instant::now() + Duration::from_millis(if chance.below(5) == 0 { chance.below(400) } else { 60_000 });
    let mut received: Vec<(Instant, usize)> = Vec::new();
    let mut item = None;
    let mut length = 0;
    let mut lines = 0;
    while lines <= last_line {
        let Ok(line) = tokio::time::timeout_at(until.into(), aside.next_timed()).await else { break };
        let (at, line) = line.expect("the process lives");
        lines += 1;
        if line["method"] != "event" {
            break;
        }
        let event = &line["params"];
        session.get_or_insert_with(|| session_of(event));
        told.event(event);
        if event["type"] == "delta" {
            item = Some(event["itemId"].as_str().unwrap().to_owned());
            length += event["text"].as_str().unwrap().len();
            received.push((at, length));
        }
    }
    aside.kill().await;
    let killed = Instant::now();
    let Some(session) = session else { return };
    let mut aside = home.start();
    let opened = aside.call("openSession", open(session)).await;
    told.opened(&opened);
    if let Some(id) = item {
        let texts = texts(&opened);
        assert!(texts.contains(&said.as_str()), "the person's message was lost: {texts:#?}");
        let kept = items(&opened).iter().find(|item| item["id"] == *id);
        let kept = kept.map_or("", |item| item["text"].as_str().unwrap());
        let mut pieces = kept.trim_end_matches("the end").as_bytes().chunks(PIECE.len());
        let odd = pieces.position(|piece| !PIECE.as_bytes().starts_with(piece));
        assert_eq!(odd, None, "what was kept is not what was said: {kept}");
        // The slack is for a loaded machine: the thread that writes has to get its turn. That text is saved
        // soon, however little of it there is, is a test of its own below.
        let before = |ms: u64| {
            let early =
                received.iter().rfind(|(at, _)| killed.duration_since(*at) > Duration::from_millis(ms));
            early.map_or(0, |(_, length)| *length)
        };
        assert!(kept.len() >= before(SLACK), "{} of {} bytes, {received:?}", kept.len(), before(SLACK));
        let all_but = before(SLACK / 2).saturating_sub((8 << 10) + PIECE.len());
        assert!(kept.len() >= all_but, "{} of {} bytes", kept.len(), all_but);
    }
    aside.kill().await;
}

async fn lives(seed: u64, count: u64) {
    let home = Home::with_script(&killed_script());
    let (mut session, mut told, mut chance) = (None, Told::default(), Chance(seed));
    for life in 0..count {
        live_and_die(&home, &mut session, &mut told, &mut chance, life).await;
    }
    // And it goes on.
    let session = session.unwrap();
    let mut aside = home.start();
    let result = aside.call("prompt", json!({ "sessionId": session, "text": "the last one" })).await;
    assert_eq!(result["stopReason"], "endTurn");
    for line in std::fs::read(home.session(&session)).unwrap().split(|byte| *byte == b'\n') {
        assert!(!line.windows(8).any(|part| part == b"}{\"t\":\"e"), "a record was glued to a torn line");
    }
}

#[tokio::test]
async fn little_text_is_saved_while_the_model_is_silent() {
    let home = Home::with_script(&[json!({ "text": "half an answer" }), json!({ "stall": true })]);
    let mut aside = home.start();
    aside.request("prompt", json!({ "text": "hello" }));
    let delta = aside.find(|line| line["params"]["type"] == "delta").await;
    let session = session_of(&delta["params"]);
    let begun = Instant::now();
    // Each answer is time that has passed; nothing else is waited for.
    while !std::fs::read_to_string(home.session(&session)).unwrap().contains("half an answer") {
        aside.call("listProviders", json!({})).await;
        assert!(begun.elapsed() < PATIENCE, "the text was never saved");
    }
}

#[tokio::test]
async fn nothing_is_lost_to_200_kills() {
    let workers = (0..8).map(|seed| lives(seed * 7_919 + 1, 25));
    futures_util::future::join_all(workers).await;
}

#[tokio::test]
async fn a_second_process_may_only_read() {
    let home = Home::with_script(&[json!({ "text": "first answer" })]);
    let mut first = home.start();
    let session = session_of(&first.call("prompt", json!({ "text": "hello" })).await);
    let mut second = home.start();
    for (method, params) in [
        ("openSession", open(&session)),
        ("prompt", json!({ "sessionId": session, "text": "me too" })),
        ("configureSession", json!({ "sessionId": session, "permissionMode": "plan" })),
    ] {
        let error = second.refused(method, params).await;
        assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(-32003), &json!("busy")), "{error}");
        assert!(error["data"]["hint"].is_string());
    }
    // The answer is told a moment before it is written.
    let at = Instant::now();
    let opened = loop {
        let opened = second.call("openSession", json!({ "sessionId": session, "readOnly": true })).await;
        if texts(&opened).last() == Some(&"first answer") || at.elapsed() > PROMPTLY {
            break opened;
        }
        second.call("closeSession", open(&session)).await;
    };
    assert_eq!(opened["session"]["readOnly"], true);
    assert_eq!(texts(&opened), ["hello", "first answer"]);
    let error = second.refused("prompt", json!({ "sessionId": session, "text": "me too" })).await;
    assert_eq!(error["code"], -32003);
    second.call("closeSession", open(&session)).await;
    // The first is not disturbed by any of that, and once it has ended the second may write.
    first.call("prompt", json!({ "sessionId": session, "text": "again" })).await;
    first.close_input();
    first.exit(PATIENCE).await;
    let opened = second.call("openSession", open(&session)).await;
    assert_eq!(texts(&opened), ["hello", "first answer", "again", "first answer"]);
    second.call("prompt", json!({ "sessionId": session, "text": "mine" })).await;
}

#[tokio::test]
async fn a_file_that_may_only_be_read_is_read() {
    let home = Home::with_script(&[json!({ "text": "an answer" })]);
    let mut aside = home.start();
    let session = session_of(&aside.call("prompt", json!({ "text": "hello" })).await);
    aside.call("closeSession", open(&session)).await;
    std::fs::set_permissions(home.session(&session), std::fs::Permissions::from_mode(0o400)).unwrap();
    let opened = aside.call("openSession", json!({ "sessionId": session, "readOnly": true })).await;
    assert_eq!(texts(&opened), ["hello", "an answer"]);
}

#[tokio::test]
async fn damage_is_passed_over_told_once_and_never_rewritten() {
    let home = Home::with_script(&[json!({ "text": "an answer" })]);
    let mut aside = home.start();
    let session = session_of(&aside.call("prompt", json!({ "text": "hello" })).await);
    aside.call("closeSession", open(&session)).await;
    let mut bytes = std::fs::read(home.session(&session)).unwrap();
    bytes.extend(b"\0\xff\xfe garbage {\"t\":\n");
    bytes.extend(b"{\"t\":\"hologram\",\"v\":{\"x\":[1,2,3]}}\n");
    bytes.extend(
        b"{\"t\":\"item\",\"item\":{\"id\":77,\"turn\":null,\"status\":\"completed\",\"atMs\":1,\"text\":\"new\",\"body\":{\"k\":\"hologram\",\"shape\":1}}}\n",
    );
    bytes.extend(b"{\"t\":\"text\",\"id\":2,\"s\":\"to");
    std::fs::write(home.session(&session), &bytes).unwrap();
    let opened = aside.call("openSession", open(&session)).await;
    let damage = |opened: &Value| texts(opened).iter().filter(|text| text.contains("damaged")).count();
    assert_eq!(damage(&opened), 1, "{opened:#}");
    assert_eq!(texts(&opened)[..2], ["hello", "an answer"]);
    let started = aside.request("prompt", json!({ "sessionId": session, "text": "go on" }));
    let user = aside.find(|line| line["params"]["item"]["text"] == "go on").await;
    assert_ne!(user["params"]["item"]["id"], "i77", "an id of a newer version's item was used again");
    assert_eq!(aside.answer(started).await["result"]["stopReason"], "endTurn");
    aside.call("closeSession", open(&session)).await;
    let after = std::fs::read(home.session(&session)).unwrap();
    assert!(after.starts_with(&bytes), "what was there was changed");
    assert_eq!(after[bytes.len()], b'\n', "the torn line was not healed");
    // The same damage is no news.
    let opened = aside.call("openSession", open(&session)).await;
    assert_eq!(damage(&opened), 1, "{opened:#}");
    assert!(texts(&opened).contains(&"go on"));
}

#[tokio::test]
async fn a_newer_format_is_read_and_never_written() {
    let home = Home::with_script(&[json!({ "text": "an answer" })]);
    let mut aside = home.start();
    let session = session_of(&aside.call("prompt", json!({ "text": "hello" })).await);
    aside.call("closeSession", open(&session)).await;
    let newer = std::fs::read_to_string(home.session(&session)).unwrap().replacen("\"v\":1", "\"v\":2", 1);
    std::fs::write(home.session(&session), &newer).unwrap();
    let error = aside.refused("openSession", open(&session)).await;
    assert_eq!(error["code"], -32003, "{error}");
    let error = aside.refused("prompt", json!({ "sessionId": session, "text": "me too" })).await;
    assert_eq!(error["code"], -32003, "{error}");
    let opened = aside.call("openSession", json!({ "sessionId": session, "readOnly": true })).await;
    assert_eq!(texts(&opened), ["hello", "an answer"]);
    aside.close_input();
    aside.exit(PATIENCE).await;
    assert_eq!(std::fs::read_to_string(home.session(&session)).unwrap(), newer);
}

#[tokio::test]
async fn a_file_cut_anywhere_loads_all_its_whole_lines() {
    let home = Home::with_script(&[
        json!({ "thinking": "hm" }),
        json!({ "text": "Grüße, 世界 👋" }),
        json!({ "toolCall": { "name": "demo", "arguments": { "note": "x", "harmless": true } } }),
        json!({ "turn": true }),
        json!({ "text": "done" }),
    ]);
    let mut aside = home.start();
    let session = session_of(&aside.call("prompt", json!({ "text": "hello" })).await);
    aside.call("prompt", json!({ "sessionId": session, "text": "again" })).await;
    aside.close_input();
    aside.exit(PATIENCE).await;
    let bytes = std::fs::read(home.session(&session)).unwrap();
    let whole = parse(&bytes).unwrap();
    assert_eq!((whole.items.len(), whole.unreadable, whole.last_turn), (7, 0, 2));
    let header = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    for cut in 0..=bytes.len() {
        let loaded = parse(&bytes[..cut]);
        assert_eq!(loaded.is_some(), cut >= header, "cut at {cut}");
        let Some(loaded) = loaded else { continue };
        let lines = bytes[..cut].iter().rposition(|byte| *byte == b'\n').map_or(cut, |at| at + 1);
        // A last line that only lacks its line feed is whole all the same.
        let tail_is_whole = serde_json::from_slice::<Value>(&bytes[lines..cut]).is_ok();
        let expected = parse(if tail_is_whole { &bytes[..cut] } else { &bytes[..lines] }).unwrap();
        assert_eq!(loaded.items, expected.items, "cut at {cut}");
        assert_eq!(loaded.unreadable, usize::from(lines < cut && !tail_is_whole), "cut at {cut}");
        assert_eq!(loaded.torn, bytes[..cut].last() != Some(&b'\n'));
    }
    // One changed byte costs one line at the most.
    for at in header + 1..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x15;
        let loaded = parse(&changed).unwrap();
        assert!(loaded.unreadable <= 2 && loaded.items.len() + 2 >= whole.items.len(), "changed at {at}");
    }
}

#[tokio::test]
async fn a_full_disk_is_told_once_and_heals() {
    for fault in [Disk::NoCreate, Disk::Full] {
        let faulty = Faulty::new();
        let mut aside = faulty.serve();
        faulty.set(fault);
        let first = aside.request("prompt", json!({ "text": "one" }));
        let answer = aside.answer(first).await;
        assert_eq!(answer["result"]["stopReason"], "endTurn", "{fault:?}");
        let session = session_of(&answer["result"]);
        let second = aside.request("prompt", json!({ "sessionId": session, "text": "two" }));
        assert_eq!(aside.answer(second).await["result"]["stopReason"], "endTurn", "{fault:?}");
        let opened = aside.call("openSession", open(&session)).await;
        let notices = items(&opened).iter().filter(|item| item["type"] == "notice").count();
        assert_eq!(notices, 1, "{fault:?}: {opened:#}");
        faulty.set(Disk::Works);
        let third = aside.request("prompt", json!({ "sessionId": session, "text": "three" }));
        assert_eq!(aside.answer(third).await["result"]["stopReason"], "endTurn", "{fault:?}");
        let before = aside.call("openSession", open(&session)).await;
        aside.call("closeSession", open(&session)).await;
        let after = aside.call("openSession", open(&session)).await;
        assert_eq!(items(&after), items(&before), "{fault:?}");
        assert_eq!(after["session"]["storage"], "disk");
    }
}

#[tokio::test]
async fn a_disk_that_fills_up_in_the_middle_is_told_once_and_heals() {
    let provider = Provider::start().await;
    let (filled, healed) = (Gate::new(), Gate::new());
    let long = text(&"x".repeat(9 << 10));
    provider.reply(
        Reply::stream()
            .event(&text("before "))
            .event(&long)
            .wait(&filled)
            .event(&long)
            .event(&long)
            .wait(&healed)
            .event(&long)
            .event(&text(" after"))
            .event(STOP)
            .event(DONE),
    );
    provider.reply(answer(&["fine"]));
    let faulty = Faulty::with_provider(&provider);
    let mut aside = faulty.serve();
    let prompt = aside.request("prompt", json!({ "text": "one" }));
    aside.find(|line| line["params"]["text"].as_str().is_some_and(|text| text.len() > 8_192)).await;
    faulty.set(Disk::Full);
    filled.open();
    faulty.refused_one().await;
    let notice = aside.find(|line| line["params"]["item"]["type"] == "notice").await;
    assert!(notice["params"]["item"]["text"].as_str().unwrap().contains("saved"), "{notice}");
    faulty.set(Disk::Works);
    healed.open();
    let result = aside.answer(prompt).await["result"].clone();
    let session = session_of(&result);
    assert_eq!(result["text"].as_str().unwrap().len(), 7 + 4 * (9 << 10) + 6);
    let before = aside.call("openSession", open(&session)).await;
    aside.call("closeSession", open(&session)).await;
    let after = aside.call("openSession", open(&session)).await;
    assert_eq!(texts(&after), texts(&before));
    aside.call("prompt", json!({ "sessionId": session, "text": "two" })).await;
    let opened = aside.call("openSession", open(&session)).await;
    assert_eq!(items(&opened).iter().filter(|item| item["type"] == "notice").count(), 1, "{opened:#}");
}

#[tokio::test]
async fn the_request_waits_for_the_persons_message_to_be_written() {
    let provider = Provider::start().await;
    provider.reply(answer(&["fine"]));
    provider.reply(answer(&["fine"]));
    let faulty = Faulty::with_provider(&provider);
    let mut aside = faulty.serve();
    let session = session_of(&aside.call("prompt", json!({ "text": "hello" })).await);
    faulty.set(Disk::Hangs);
    let prompt = aside.request("prompt", json!({ "sessionId": session, "text": "a word to keep" }));
    faulty.refused_one().await;
    // Everything else is served meanwhile.
    aside.call("listModels", json!({})).await;
    aside.call("listProviders", json!({})).await;
    assert_eq!(provider.requests().len(), 1, "the request went out before the message was written");
    faulty.set(Disk::Works);
    assert_eq!(aside.answer(prompt).await["result"]["text"], "fine");
}

#[tokio::test]
async fn the_persons_message_is_on_the_disk_when_the_request_arrives() {
    let provider = Provider::start().await;
    let home = Home::with_provider(&provider);
    let mut aside = home.start();
    for index in 0..20 {
        provider.reply(answer(&["fine"]));
        let said = format!("words {index} to keep");
        let prompt = aside.request("prompt", json!({ "text": said }));
        provider.request(index).await;
        // Before anything else of this process is looked at.
        let kept = std::fs::read_dir(home.path().join("sessions"))
            .unwrap()
            .any(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap().contains(&said));
        assert!(kept, "{said} was not there");
        aside.answer(prompt).await;
    }
}

#[tokio::test]
async fn where_nothing_can_be_written_the_memory_holds_and_that_is_told() {
    let home = Home::with_script(&[json!({ "text": "an answer" })]);
    std::fs::write(home.path().join("sessions"), "a file where the folder should be").unwrap();
    let mut aside = home.start();
    let result = aside.call("prompt", json!({ "text": "hello" })).await;
    let session = session_of(&result);
    let notice = aside.find(|line| line["params"]["item"]["type"] == "notice").await;
    assert!(notice["params"]["item"]["text"].as_str().unwrap().contains("sessions"), "{notice}");
    aside.call("prompt", json!({ "sessionId": session, "text": "again" })).await;
    let opened = aside.call("openSession", open(&session)).await;
    assert_eq!(opened["session"]["storage"], "memory");
    assert_eq!(items(&opened).iter().filter(|item| item["type"] == "notice").count(), 1);
}

#[tokio::test]
async fn what_is_created_is_private() {
    let home = Home::with_script(&[json!({ "text": "an answer" })]);
    let mut aside = home.start();
    let session = session_of(&aside.call("prompt", json!({ "text": "hello" })).await);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.path().join("sessions")), 0o700);
    assert_eq!(mode(&home.session(&session)), 0o600);
}

#[tokio::test]
async fn lists_are_ordered_paged_and_filtered() {
    let home = Home::with_script(&[json!({ "text": "an answer" })]);
    let mut aside = home.start();
    let mut made = Vec::new();
    for index in 0..7 {
        let params = json!({
            "text": format!("title {index}\nmore"), "cwd": if index % 2 == 0 { "/even" } else { "/odd" },
            "system": "s".repeat(20_000),
        });
        made.push(session_of(&aside.call("prompt", params).await));
    }
    // The newest is the one that was written last. The times are set, because two files of one millisecond
    // are in no order that a test could know.
    let mut expected: Vec<usize> = vec![2, 6, 5, 4, 3, 1, 0];
    let sessions = home.path().join("sessions");
    for (age, index) in expected.iter().enumerate() {
        aside.call("closeSession", json!({ "sessionId": made[*index] })).await;
        let written = SystemTime::now() - Duration::from_secs(100 * (1 + age as u64));
        let file = std::fs::File::options().append(true).open(home.session(&made[*index])).unwrap();
        file.set_modified(written).unwrap();
    }
    std::fs::write(sessions.join("broken.jsonl"), "no session\n").unwrap();
    std::fs::write(sessions.join("empty.jsonl"), "").unwrap();
    std::fs::write(sessions.join("notes.txt"), "{}").unwrap();
    std::fs::create_dir(sessions.join("folder.jsonl")).unwrap();
    let all = aside.call("listSessions", json!({})).await;
    let names = |list: &Value| -> Vec<String> {
        list["sessions"].as_array().unwrap().iter().map(session_of).collect()
    };
    let of =
        |expected: &[usize]| -> Vec<String> { expected.iter().map(|index| made[*index].clone()).collect() };
    assert_eq!(names(&all), of(&expected));
    assert_eq!((&all["nextCursor"], &all["sessions"][0]["open"]), (&Value::Null, &json!(false)));
    assert_eq!(all["sessions"][1]["title"], "title 6");
    assert_eq!(all["sessions"][1]["cwd"], "/even");
    // A page does not change because something was written meanwhile.
    let page = aside.call("listSessions", json!({ "limit": 3 })).await;
    assert_eq!(names(&page), of(&expected[..3]));
    aside.call("prompt", json!({ "sessionId": made[5], "text": "once more" })).await;
    let rest = aside.call("listSessions", json!({ "cursor": page["nextCursor"], "limit": 100 })).await;
    assert_eq!(names(&rest), of(&expected[3..]));
    expected.retain(|index| index % 2 == 1 && *index != 5);
    expected.insert(0, 5);
    let odd = aside.call("listSessions", json!({ "cwd": "/odd" })).await;
    assert_eq!((names(&odd), &odd["sessions"][0]["open"]), (of(&expected), &json!(true)));
    let error = aside.refused("listSessions", json!({ "cursor": "nonsense" })).await;
    assert_eq!((&error["code"], &error["data"]["path"]), (&json!(-32602), &json!("/cursor")));
    for broken in ["broken", "empty"] {
        let error = aside.refused("openSession", open(broken)).await;
        assert!(error["data"]["hint"].is_string(), "{error}");
    }
}

#[tokio::test]
async fn a_closed_session_can_be_opened_at_once() {
    let home = Home::with_script(&[
        json!({ "repeat": { "text": PIECE, "times": 2_000 } }),
        json!({ "stall": true }),
    ]);
    let mut aside = home.start();
    let prompt = aside.request("prompt", json!({ "text": "hello" }));
    let session = session_of(&aside.event("delta").await);
    for _ in 0..20 {
        let close = aside.request("closeSession", open(&session));
        let opened = aside.request("openSession", open(&session));
        assert_eq!(aside.answer(close).await["result"], json!({}));
        let opened = aside.answer(opened).await;
        assert_eq!(texts(&opened["result"])[0], "hello", "{opened}");
    }
    assert_eq!(aside.answer(prompt).await["result"]["stopReason"], "cancelled");
    let mut other = home.start();
    aside.call("closeSession", open(&session)).await;
    // The lock is free when the answer has come, or in the next moment.
    let at = Instant::now();
    while other.refused_or(&session).await {
        assert!(at.elapsed() < PROMPTLY, "the lock was not freed");
    }
}

impl Aside {
    /// Whether opening the session is refused.
    async fn refused_or(&mut self, session: &str) -> bool {
        let id = self.request("openSession", open(session));
        self.answer(id).await.get("error").is_some()
    }
}

#[tokio::test]
async fn a_session_stays_what_it_was_over_processes() {
    let home = Home::with_script(&[json!({ "thinking": "hm" }), json!({ "text": "an answer" })]);
    let mut first = home.start_initialized(asked()).await;
    let params =
        json!({ "cwd": "/somewhere", "system": "be brief", "permissionMode": "plan", "thinking": "low" });
    let session = session_of(&first.call("newSession", params).await);
    first.call("prompt", json!({ "sessionId": session, "text": "hello" })).await;
    let before = first.call("openSession", open(&session)).await;
    first.close_input();
    first.exit(PATIENCE).await;
    let mut second = home.start();
    let after = second.call("openSession", open(&session)).await;
    assert_eq!(items(&after), items(&before));
    for field in ["cwd", "permissionMode", "thinking", "model", "title", "createdAtMs", "usage"] {
        assert_eq!(after["session"][field], before["session"][field], "{field}");
    }
    assert_eq!(after["session"]["epoch"], 2);
}
