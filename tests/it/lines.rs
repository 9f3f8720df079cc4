//! A session drawn as lines: a client that follows docs/protocol.md has what the server would draw anew, in every
//! moment, and a delta costs it the same however long the conversation is.

use std::collections::BTreeMap;

use aside_protocol::{
    Event, EventBody, LayoutDocument, LayoutMark, LayoutPatch, NewSessionParams, OpenSessionParams, method,
};
use serde_json::json;

use crate::server::{Message, Sent, TestServer};

/// The client of docs/protocol.md.
#[derive(Debug, Default, PartialEq)]
struct Drawn {
    lines: Vec<String>,
    marks: BTreeMap<String, LayoutMark>,
}

impl Drawn {
    fn new(document: LayoutDocument) -> Self {
        let marks = document.marks.into_iter().map(|mark| (mark.id.clone(), mark)).collect();
        Self { lines: document.lines, marks }
    }

    fn apply(&mut self, patch: LayoutPatch) {
        let at = |line: u32| line as usize;
        let (from, to, lines) = match patch {
            LayoutPatch::Append { line, text, lines } => {
                self.lines[at(line)].push_str(&text);
                let new = u32::try_from(lines.len()).unwrap();
                let behind = self.lines.split_off(at(line) + 1);
                self.lines.extend(lines.into_iter().chain(behind));
                for mark in self.marks.values_mut() {
                    mark.from += if mark.from > line { new } else { 0 };
                    mark.to += if mark.to > line { new } else { 0 };
                }
                return;
            }
            LayoutPatch::Insert { line, lines } => (line, line, lines),
            LayoutPatch::Replace { from, to, lines } => {
                self.marks.retain(|_, mark| mark.from < from || mark.to > to);
                (from, to, lines)
            }
            LayoutPatch::Mark { mark } => {
                self.marks.insert(mark.id.clone(), mark);
                return;
            }
            LayoutPatch::Unmark { id } => {
                self.marks.remove(&id);
                return;
            }
        };
        let new = u32::try_from(lines.len()).unwrap();
        self.lines.splice(at(from)..at(to), lines);
        for mark in self.marks.values_mut() {
            if mark.from >= to {
                mark.from = mark.from + new - (to - from);
                mark.to = mark.to + new - (to - from);
            } else if mark.to > from {
                mark.to = mark.to + new - (to - from);
            }
        }
    }

    fn take(&mut self, event: Event) {
        if let EventBody::LayoutChanged { patches, .. } | EventBody::TurnEnded { patches, .. } = event.body {
            for patch in patches {
                self.apply(patch);
            }
        }
    }

    fn text(&self) -> String {
        self.lines.join("\n")
    }
}

fn new(server: &mut TestServer) -> (String, Drawn) {
    let params = NewSessionParams { layout: Some("lines".into()), ..NewSessionParams::default() };
    let new = server.request::<method::NewSession>(&params).unwrap();
    (new.session_id, Drawn::new(new.document.unwrap()))
}

fn open(server: &mut TestServer, session: &str, limit: Option<u32>) -> Drawn {
    let params = OpenSessionParams {
        session_id: session.to_owned(),
        after: None,
        layout: Some("lines".into()),
        limit,
        read_only: None,
    };
    let opened = server.request::<method::OpenSession>(&params).unwrap();
    assert!(opened.events.is_none());
    let document = opened.document.unwrap();
    assert_eq!(document.revision, opened.session.seq);
    Drawn::new(document)
}

/// Takes in all events until the prompt is answered. Returns the messages.
fn follow(server: &mut TestServer, prompt: &Sent, drawn: &mut Drawn) -> Vec<Message> {
    let mut messages = Vec::new();
    loop {
        let message = server.next();
        if message.answers(&prompt.0) {
            return messages;
        }
        if message.method() == Some("requestPermission") {
            server.reply(&message.id().unwrap(), &json!({"optionId": "allowOnce"}));
        }
        if let Some(event) = message.event() {
            let kind = message.kind().unwrap();
            let is_of_items = kind.starts_with("item") || kind.ends_with("elta");
            assert!(!is_of_items, "drawn as lines, and sent as {kind}");
            drawn.take(event);
        }
        messages.push(message);
    }
}

const SCRIPT: &str = r#"{"thinking":"hm\nhm"}
{"text":"I will:\n\n"}
{"repeat":{"text":"ab ","times":50}}
{"toolCall":{"name":"demo","arguments":{"note":"x","harmless":true}}}
{"turn":true}
{"text":"done\r"}
{"text":"\n```sh\nls"}"#;

#[test]
fn what_is_kept_by_patches_is_what_is_drawn_anew() {
    let mut server = TestServer::new().script(SCRIPT).start();
    let (session, mut drawn) = new(&mut server);
    assert_eq!(drawn, Drawn::default());
    let prompt = server.prompt(&session, "hello\nyou");
    follow(&mut server, &prompt, &mut drawn);
    let text = drawn.text();
    assert!(
        text.starts_with("## ❯ You\n> hello\n> you\n\n⏵ thinking\n> hm\n> hm\n\nI will:\n\nab ab"),
        "{text}"
    );
    assert!(text.contains("\ndone\n```sh\nls\n```\n\n⏵ done in "), "{text}");
    assert_eq!(open(&mut server, &session, None), drawn);
    let name = |name: &str| drawn.marks.values().filter(|mark| mark.name == name).count();
    assert_eq!((name("thinking"), name("user"), name("usage"), name("i1")), (2, 1, 1, 1));
    // Loaded from its file it is the same, with its turn's end.
    assert_eq!(server.call("closeSession", &json!({"sessionId": session})), json!({}));
    assert_eq!(open(&mut server, &session, None), drawn);
}

#[test]
fn a_session_is_opened_in_the_middle_of_an_answer() {
    let script = "{\"repeat\":{\"text\":\"word \",\"times\":30}}\n{\"text\":\"\\nend\"}";
    let mut server = TestServer::new().script(script).environment("ASIDE_DEMO_DELAY_MS", "0").start();
    let (session, _) = new(&mut server);
    let prompt = server.prompt(&session, "hi");
    server.until("layoutChanged");
    let opening = server.begin(
        "openSession",
        &json!({"sessionId": session, "layout": "lines", "after": {"epoch": 1, "seq": 1}}),
    );
    let mut drawn = None;
    let mut is_answered = false;
    while drawn.is_none() || !is_answered {
        let message = server.next();
        if message.answers(&opening.0) {
            let document = message.json["result"]["document"].clone();
            drawn = Some(Drawn::new(serde_json::from_value(document).unwrap()));
        } else if message.answers(&prompt.0) {
            is_answered = true;
        } else if let (Some(event), Some(drawn)) = (message.event(), &mut drawn) {
            drawn.take(event);
        }
    }
    assert_eq!(drawn.unwrap(), open(&mut server, &session, None));
}

#[test]
fn the_newest_items_and_a_word_about_the_others() {
    let mut server = TestServer::new().script("{\"text\":\"ok\"}").start();
    let (session, mut drawn) = new(&mut server);
    for text in ["one", "two"] {
        let prompt = server.prompt(&session, text);
        follow(&mut server, &prompt, &mut drawn);
    }
    let newest = open(&mut server, &session, Some(2));
    assert!(newest.text().starts_with("⏵ 2 earlier parts not shown here\n\n## ❯ You\n> two\n"), "{newest:?}");
    assert!(drawn.lines.ends_with(&newest.lines[2..]), "{newest:?}");
}

#[test]
fn what_was_opened_as_items_again_is_told_as_items() {
    let mut server = TestServer::new().script("{\"text\":\"ok\"}").start();
    let (session, mut drawn) = new(&mut server);
    let prompt = server.prompt(&session, "one");
    follow(&mut server, &prompt, &mut drawn);
    let opened = server.call("openSession", &json!({"sessionId": session, "layout": "items"}));
    assert_eq!(opened["document"], json!(null));
    assert_eq!(opened["snapshot"]["items"].as_array().unwrap().len(), 2);
    let prompt = server.prompt(&session, "two");
    assert_eq!(server.until("delta")["text"], "ok");
    server.expect_turn_end(&prompt);
    let refused = server.call("openSession", &json!({"sessionId": session, "layout": "pictures"}));
    assert_eq!((&refused["code"], &refused["data"]["path"]), (&json!(-32602), &json!("/layout")));
}

#[test]
fn a_delta_costs_the_same_however_long_the_text_is() {
    let script = "{\"repeat\":{\"text\":\"word \",\"times\":3000}}";
    let mut server = TestServer::new().script(script).start();
    let (session, mut drawn) = new(&mut server);
    let prompt = server.prompt(&session, "hi");
    let messages = follow(&mut server, &prompt, &mut drawn);
    let mut words = 0;
    for message in messages.iter().filter(|message| message.kind() == Some("layoutChanged")) {
        let said = message.raw.matches("word ").count();
        words += said;
        // What came while the client did not read is one event of several.
        assert!(said < 2 || message.json["params"]["fromSeq"].is_number(), "{}", message.raw);
        if said == 1 && !message.raw.contains("mark") {
            assert!(message.raw.len() <= 185, "{} bytes: {}", message.raw.len(), message.raw);
        }
    }
    assert_eq!(words, 3_000);
    assert_eq!(open(&mut server, &session, None), drawn);
}

#[test]
fn a_change_of_a_file_comes_with_its_hunks() {
    let script = "{\"toolCall\":{\"name\":\"write\",\"arguments\":{\"path\":\"new.txt\",\"content\":\"a\\nb\\n\"}}}\n{\"turn\":true}\n{\"text\":\"ok\"}";
    let mut server = TestServer::new().script(script).start();
    server.initialize();
    let cwd = server.home().display().to_string();
    let params = json!({"cwd": cwd, "layout": "lines", "permissionMode": "acceptEdits"});
    let session = server.call("newSession", &params)["sessionId"].as_str().unwrap().to_owned();
    let prompt = server.prompt(&session, "write");
    let mut drawn = Drawn::default();
    let messages = follow(&mut server, &prompt, &mut drawn);
    let changes: Vec<_> =
        messages.iter().filter(|message| message.json["params"]["item"]["type"] == "fileChange").collect();
    assert_eq!(changes.len(), 2, "begun and made: {}", drawn.text());
    assert_eq!(changes[1].json["params"]["item"]["hunks"][0]["lines"], json!(["+a", "+b"]));
    assert!(
        drawn.text().contains("⏵ added new.txt  +2 −0\n`````diff\n@@ -0,0 +1,2 @@\n+a\n+b\n`````\n"),
        "{}",
        drawn.text()
    );
    assert!(drawn.marks.values().any(|mark| mark.name.ends_with("#h1")));
    let opened = server.call("openSession", &json!({"sessionId": session, "layout": "lines"}));
    assert_eq!(opened["snapshot"]["items"].as_array().unwrap().len(), 1, "only what is to be reviewed");
}

#[test]
fn what_was_merged_for_a_slow_client_is_one_patch_of_all() {
    let script = "{\"repeat\":{\"text\":\"some words\\n\",\"times\":60000}}";
    let mut server = TestServer::new().script(script).slow_output().start();
    let (session, mut drawn) = new(&mut server);
    server.pause_reading();
    let prompt = server.prompt(&session, "hi");
    server.stored_at_least(300_000);
    server.resume_reading();
    let messages = follow(&mut server, &prompt, &mut drawn);
    let merged = messages.iter().filter(|message| {
        let params = &message.json["params"];
        params["type"] == "layoutChanged"
            && params["patches"].as_array().is_some_and(|patches| patches.len() == 1)
            && params["fromSeq"].as_u64().is_some_and(|first| first + 1 < params["seq"].as_u64().unwrap())
    });
    assert!(merged.count() > 0, "nothing was merged");
    assert_eq!(drawn.lines.iter().filter(|line| *line == "some words").count(), 60_000);
    assert_eq!(open(&mut server, &session, None), drawn);
}

#[test]
fn what_a_broken_answer_had_said_is_taken_out_again() {
    let script = r#"{"text":"said too early"}
{"fail":{"category":"overloaded","status":503,"message":"later"}}"#;
    let settings = r#"{"retry":{"maxRequests":2,"baseDelayMs":1}}"#;
    let mut server = TestServer::new().script(script).settings(settings).start();
    let (session, mut drawn) = new(&mut server);
    let prompt = server.prompt(&session, "hi");
    let messages = follow(&mut server, &prompt, &mut drawn);
    assert!(messages.iter().any(|message| message.kind() == Some("retry")));
    let text = drawn.text();
    assert_eq!(text.matches("said too early").count(), 1, "{text}");
    assert!(text.contains("⏵ failed after "), "{text}");
    assert_eq!(open(&mut server, &session, None), drawn);
    server.call("closeSession", &json!({"sessionId": session}));
    assert_eq!(open(&mut server, &session, None), drawn, "why it failed is kept");
}
