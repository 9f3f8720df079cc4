//! `reviewChange`: hunks of changes that were made, kept and taken back, on the disk and in the editor.

use std::path::{Path, PathBuf};

use aside_protocol::{ClientCapabilities, InitializeParams, NewSessionParams, PermissionMode, method};
use serde_json::{Value, json};

use crate::provider::{Gate, Reply, completions};
use crate::server::{Sent, Setup, TestServer, Upstream};

mod killed;

/// A session in a folder of its own, in which edits run unasked.
struct Desk {
    server: TestServer,
    session: String,
    folder: tempfile::TempDir,
}

/// One step of a demo script: a call of a tool.
fn call(name: &str, arguments: &Value) -> String {
    json!({"toolCall": {"name": name, "arguments": arguments}}).to_string()
}

/// A script that reads a file, edits it, and says so.
fn edits(path: &str, edits: &Value) -> String {
    let read = call("read", &json!({"path": path}));
    let edit = call("edit", &json!({"path": path, "edits": edits}));
    format!("{read}\n{{\"turn\":true}}\n{edit}\n{{\"turn\":true}}\n{{\"text\":\"Done.\"}}")
}

impl Desk {
    fn start(setup: Setup, editor: bool, files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let mut server = setup.start();
        server
            .request::<method::Initialize>(&InitializeParams {
                capabilities: Some(ClientCapabilities {
                    request_permission: true,
                    read_file: editor,
                    apply_edit: editor,
                    ..ClientCapabilities::default()
                }),
                ..InitializeParams::default()
            })
            .unwrap();
        let params = NewSessionParams {
            cwd: Some(folder.path().display().to_string()),
            permission_mode: Some(PermissionMode::AcceptEdits),
            ..NewSessionParams::default()
        };
        let session = server.request::<method::NewSession>(&params).unwrap().session_id;
        Self { server, session, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    /// Plays a prompt to its end on the disk.
    fn play(&mut self) {
        let prompt = self.server.prompt(&self.session, "go");
        self.server.expect_turn_end(&prompt);
    }

    fn items(&mut self) -> Vec<Value> {
        let opened = self.server.call("openSession", &json!({"sessionId": self.session}));
        opened["snapshot"]["items"].as_array().unwrap().clone()
    }

    fn changes(&mut self) -> Vec<Value> {
        self.items().into_iter().filter(|item| item["type"] == "fileChange").collect()
    }

    fn change(&mut self) -> Value {
        self.changes().pop().unwrap()
    }

    fn notices(&mut self) -> Vec<String> {
        let notices = self.items().into_iter().filter(|item| item["type"] == "notice");
        notices.map(|item| item["text"].as_str().unwrap().to_owned()).collect()
    }

    fn begin(&mut self, item: &Value, hunks: &[(&str, &str)], rest: Option<&str>) -> Sent {
        let hunks: Vec<Value> =
            hunks.iter().map(|(id, decision)| json!({"id": id, "decision": decision})).collect();
        let params =
            json!({"sessionId": self.session, "itemId": item["id"], "hunks": hunks, "decision": rest});
        self.server.begin("reviewChange", &params)
    }

    fn end(&mut self, sent: &Sent) -> Value {
        let message = self.server.find(|message| message.answers(&sent.0));
        message.json.get("result").or_else(|| message.json.get("error")).unwrap().clone()
    }

    fn review(&mut self, item: &Value, hunks: &[(&str, &str)], rest: Option<&str>) -> Value {
        let sent = self.begin(item, hunks, rest);
        self.end(&sent)
    }

    /// Waits until the model has said this.
    fn hear(&mut self, text: &str) {
        while self.server.until("delta")["text"] != text {}
    }

    /// Passes over the events that came.
    fn quiet(&mut self) {
        self.server.forget();
    }
}

fn decisions(item: &Value) -> Vec<&str> {
    item["hunks"].as_array().unwrap().iter().map(|hunk| hunk["decision"].as_str().unwrap()).collect()
}

fn refused(result: &Value) -> Vec<(&str, &str)> {
    let all = result["refused"].as_array().unwrap_or_else(|| panic!("{result}"));
    all.iter().map(|one| (one["id"].as_str().unwrap(), one["reason"].as_str().unwrap())).collect()
}

/// Lines `l1` to `l40`.
fn lines() -> String {
    (1..=40).map(|n| ["l", &n.to_string(), "\n"].concat()).collect()
}

fn two_edits() -> Value {
    json!([{"oldText": "l5\n", "newText": "five\n"}, {"oldText": "l30\n", "newText": "l30\nmore\n"}])
}

fn edited() -> String {
    lines().replace("l5\n", "five\n").replace("l30\n", "l30\nmore\n")
}

#[test]
fn hunks_are_kept_and_taken_back_on_the_disk() {
    let setup = TestServer::new().script(&edits("a.txt", &two_edits()));
    let mut desk = Desk::start(setup, false, &[("a.txt", lines().as_bytes())]);
    desk.play();
    assert_eq!(desk.text("a.txt"), edited());
    let item = desk.change();
    assert_eq!(decisions(&item), ["pending", "pending"]);
    let result = desk.review(&item, &[("h2", "reject")], None);
    assert_eq!((refused(&result), decisions(&result["item"])), (vec![], vec!["pending", "rejected"]));
    assert_eq!(desk.text("a.txt"), lines().replace("l5\n", "five\n"));
    let event = desk.server.until("itemUpdated");
    assert_eq!(decisions(&event["item"]), ["pending", "rejected"]);
    let notices = desk.notices();
    assert_eq!(notices.len(), 1);
    for part in ["took back h2", "\n+more", "1 of the places", &desk.path("a.txt").display().to_string()] {
        assert!(notices[0].contains(part), "{part}: {notices:?}");
    }
    // The same again changes nothing, tells nothing and is no error.
    desk.quiet();
    let written = desk.server.stored_bytes();
    let again = desk.review(&item, &[("h2", "reject"), ("h2", "reject")], None);
    assert_eq!(again, result);
    assert_eq!(desk.server.stored_bytes(), written);
    // The rest is kept; the model hears of it once everything is decided.
    let kept = desk.review(&item, &[], Some("accept"));
    assert_eq!(decisions(&kept["item"]), ["accepted", "accepted"]);
    assert_eq!(desk.text("a.txt"), edited(), "what was taken back is made again");
    let gone = desk.review(&item, &[], Some("reject"));
    assert_eq!(decisions(&gone["item"]), ["rejected", "rejected"]);
    assert_eq!(desk.text("a.txt"), lines());
    assert_eq!(desk.notices().len(), 3);
    desk.quiet();
}

#[test]
fn a_person_that_keeps_everything_is_heard_once() {
    let setup = TestServer::new().script(&edits("a.txt", &two_edits()));
    let mut desk = Desk::start(setup, false, &[("a.txt", lines().as_bytes())]);
    desk.play();
    let item = desk.change();
    desk.review(&item, &[("h1", "accept")], None);
    assert_eq!(desk.notices(), Vec::<String>::new());
    let result = desk.review(&item, &[("h2", "accept")], None);
    assert_eq!(decisions(&result["item"]), ["accepted", "accepted"]);
    assert!(desk.notices()[0].contains("keeps it"));
    assert_eq!(desk.text("a.txt"), edited());
    desk.quiet();
}

#[test]
fn what_the_person_changed_meanwhile_is_never_touched() {
    let setup = TestServer::new().script(&edits("a.txt", &two_edits()));
    let mut desk = Desk::start(setup, false, &[("a.txt", lines().as_bytes())]);
    desk.play();
    let item = desk.change();
    // Elsewhere in the file: what is taken back is found all the same.
    let mine =
        format!("mine\n{}", edited().replace("l15\n", "fifteen\n")).replace("more\n", "more of mine\n");
    desk.write("a.txt", &mine);
    let result = desk.review(&item, &[], Some("reject"));
    let refused = refused(&result);
    assert_eq!(refused.len(), 1);
    assert!(refused[0].0 == "h2" && refused[0].1.contains("changed since"), "{refused:?}");
    assert_eq!(decisions(&result["item"]), ["rejected", "pending"]);
    assert_eq!(desk.text("a.txt"), mine.replace("five\n", "l5\n"));
    // A file that is gone, or another kind of file, is left alone.
    for (make, reason) in [
        (
            Box::new(|path: &Path| std::fs::remove_file(path).unwrap()) as Box<dyn Fn(&Path)>,
            "not there any more",
        ),
        (Box::new(|path: &Path| std::fs::write(path, b"\0\x01\x02").unwrap()), "no text"),
        (
            Box::new(|path: &Path| {
                std::fs::remove_file(path).unwrap();
                std::fs::create_dir(path).unwrap();
            }),
            "folder",
        ),
    ] {
        make(&desk.path("a.txt"));
        let result = desk.review(&item, &[("h2", "reject")], None);
        assert!(result["refused"][0]["reason"].as_str().unwrap().contains(reason), "{result}");
        assert_eq!(decisions(&result["item"]), ["rejected", "pending"]);
    }
    desk.quiet();
}

#[cfg(unix)]
#[test]
fn a_path_that_leads_elsewhere_now_is_not_followed() {
    let setup = TestServer::new().script(&edits("a.txt", &two_edits()));
    let mut desk = Desk::start(setup, false, &[("a.txt", lines().as_bytes())]);
    desk.play();
    let item = desk.change();
    desk.write("other.txt", edited());
    std::fs::remove_file(desk.path("a.txt")).unwrap();
    std::os::unix::fs::symlink(desk.path("other.txt"), desk.path("a.txt")).unwrap();
    let result = desk.review(&item, &[], Some("reject"));
    assert_eq!(refused(&result).len(), 2);
    assert!(refused(&result)[0].1.contains("leads to"), "{result}");
    assert_eq!(desk.text("other.txt"), edited());
    desk.quiet();
}

#[test]
fn encodings_line_ends_and_modes_are_kept() {
    let wide = |text: &str| -> Vec<u8> {
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    let crlf = lines().replace('\n', "\r\n");
    let mixed = lines().replace("l6\n", "l6\r\n");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("crlf.txt", crlf.clone().into_bytes()),
        ("mixed.txt", mixed.into_bytes()),
        ("bom.txt", [b"\xef\xbb\xbf", crlf.as_bytes()].concat()),
        ("wide.txt", wide(&crlf)),
        ("latin.txt", [b"\xe4\n".as_slice(), lines().as_bytes(), b"\xe9"].concat()),
        ("open.txt", lines().trim_end().as_bytes().to_vec()),
    ];
    for (name, bytes) in cases {
        let setup = TestServer::new().script(&edits(name, &two_edits()));
        let mut desk = Desk::start(setup, false, &[(name, &bytes)]);
        #[cfg(unix)]
        std::fs::set_permissions(
            desk.path(name),
            <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o750),
        )
        .unwrap();
        desk.play();
        let after = desk.bytes(name);
        assert_ne!(after, bytes, "{name}");
        let item = desk.change();
        desk.review(&item, &[("h1", "reject")], None);
        let half = desk.bytes(name);
        assert!(half != after && half != bytes, "{name}");
        let result = desk.review(&item, &[("h2", "reject")], None);
        assert_eq!(refused(&result), [], "{name}");
        assert_eq!(desk.bytes(name), bytes, "{name}");
        let result = desk.review(&item, &[], Some("accept"));
        assert_eq!((refused(&result), desk.bytes(name)), (vec![], after), "{name}");
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&desk.path(name).metadata().unwrap().permissions())
                & 0o777,
            0o750
        );
        desk.quiet();
    }
}

#[test]
fn a_new_file_goes_only_when_it_is_as_it_was_made() {
    let script = |content: &str| {
        let write = call("write", &json!({"path": "new.txt", "content": content}));
        format!("{write}\n{{\"turn\":true}}\n{{\"text\":\"Done.\"}}")
    };
    // The last one has more lines than are kept of a change.
    for content in ["a\nb", "", &"long line\n".repeat(60_000)] {
        let mut desk = Desk::start(TestServer::new().script(&script(content)), false, &[]);
        desk.play();
        let item = desk.change();
        desk.write("new.txt", "mine");
        let result = desk.review(&item, &[], Some("reject"));
        let why = if content.is_empty() { &result["message"] } else { &result["refused"][0]["reason"] };
        assert!(why.as_str().unwrap().contains("changed since"), "{result}");
        assert_eq!(desk.text("new.txt"), "mine");
        desk.write("new.txt", content);
        let result = desk.review(&item, &[], Some("reject"));
        assert_eq!(refused(&result), []);
        assert!(!desk.path("new.txt").exists());
        assert!(desk.notices().last().unwrap().contains("does not exist any more"));
        // Gone is gone, and what is kept of it makes it again.
        assert_eq!(refused(&desk.review(&item, &[], Some("reject"))), []);
        let result = desk.review(&item, &[], Some("accept"));
        if content.len() > 10 {
            assert!(refused(&result)[0].1.contains("more was in the file"), "{result}");
        } else if !content.is_empty() {
            assert_eq!((refused(&result), desk.text("new.txt").as_str()), (vec![], content));
        }
        desk.quiet();
    }
}

#[test]
fn mistakes_are_named() {
    let read = call("read", &json!({"path": "a.txt"}));
    let edit = call("edit", &json!({"path": "a.txt", "edits": two_edits()}));
    let wrong = call("edit", &json!({"path": "a.txt", "edits": [{"oldText": "x", "newText": "y"}]}));
    let script =
        [&read, r#"{"turn":true}"#, &edit, &wrong, r#"{"turn":true}"#, r#"{"text":"Done."}"#].join("\n");
    let mut desk = Desk::start(TestServer::new().script(&script), false, &[("a.txt", lines().as_bytes())]);
    desk.play();
    let item = desk.change();
    let (session, id) = (desk.session.clone(), item["id"].clone());
    let hunk = |id: &str, decision: &str| json!({"id": id, "decision": decision});
    for (params, path) in [
        (json!({"itemId": id, "hunks": []}), "/hunks"),
        (json!({"itemId": "i999", "decision": "accept"}), "/itemId"),
        (json!({"itemId": "nonsense", "decision": "accept"}), "/itemId"),
        (json!({"itemId": "i1", "decision": "accept"}), "/itemId"),
        (json!({"itemId": id, "decision": "perhaps"}), "/decision"),
        (json!({"itemId": id, "hunks": [hunk("h1", "reject"), hunk("h3", "reject")]}), "/hunks/1/id"),
        (json!({"itemId": id, "hunks": [hunk("", "reject")]}), "/hunks/0/id"),
        (json!({"itemId": id, "hunks": [hunk("h1", "maybe")]}), "/hunks/0/decision"),
        (json!({"itemId": id, "hunks": [hunk("h1", "accept"), hunk("h1", "reject")]}), "/hunks/1/id"),
        (json!({"itemId": id, "hunks": [{"id": "h1"}]}), "/hunks/0/decision"),
        (json!({"itemId": id, "hunks": 7}), "/hunks"),
    ] {
        let mut params = params;
        params["sessionId"] = json!(session);
        let error = desk.server.call("reviewChange", &params);
        assert_eq!(
            (&error["code"], &error["data"]["path"]),
            (&json!(-32602), &json!(path)),
            "{params} {error}"
        );
    }
    let error =
        desk.server.call("reviewChange", &json!({"sessionId": "x", "itemId": "i1", "decision": "accept"}));
    assert_eq!(error["code"], -32002);
    assert_eq!((desk.text("a.txt"), decisions(&desk.change())), (edited(), vec!["pending", "pending"]));
    // A conversation that is only read takes no decision.
    desk.server.call("closeSession", &json!({"sessionId": session}));
    desk.server.call("openSession", &json!({"sessionId": session, "readOnly": true}));
    let error =
        desk.server.call("reviewChange", &json!({"sessionId": session, "itemId": id, "decision": "reject"}));
    assert_eq!(error["data"]["kind"], "busy", "{error}");
    assert_eq!(desk.text("a.txt"), edited());
    desk.quiet();
}

#[test]
fn a_decision_outlives_the_session() {
    let setup = TestServer::new().script(&edits("a.txt", &two_edits()));
    let mut desk = Desk::start(setup, false, &[("a.txt", lines().replace('\n', "\r\n").as_bytes())]);
    desk.play();
    let item = desk.change();
    desk.review(&item, &[("h1", "reject")], None);
    desk.quiet();
    for _ in 0..2 {
        desk.server.call("closeSession", &json!({"sessionId": desk.session}));
        assert_eq!(decisions(&desk.change()), ["rejected", "pending"]);
        desk.quiet();
    }
    // The session was loaded from its file, and so were the lines.
    let result = desk.review(&item, &[("h1", "accept"), ("h2", "reject")], None);
    assert_eq!((refused(&result), decisions(&result["item"])), (vec![], vec!["accepted", "rejected"]));
    assert_eq!(desk.text("a.txt"), lines().replace("l5\n", "five\n").replace('\n', "\r\n"));
    // A copy of the conversation has the decisions, and can take others.
    let fork = desk.server.call("forkSession", &json!({"sessionId": desk.session}))["sessionId"].clone();
    desk.session = fork.as_str().unwrap().to_owned();
    assert_eq!(decisions(&desk.change()), ["accepted", "rejected"]);
    desk.review(&item, &[("h1", "reject")], None);
    assert_eq!(desk.text("a.txt"), lines().replace('\n', "\r\n"));
    desk.quiet();
}

/// The editor's side: what it has of the only file.
struct Buffer {
    text: String,
    version: u32,
}

impl Buffer {
    /// Answers the next request of the server, and says which it was.
    fn serve(&mut self, desk: &mut Desk) -> Value {
        let asked = desk.server.find(|message| matches!(message.method(), Some("readFile" | "applyEdit")));
        let (id, params) = (asked.id().unwrap(), asked.json["params"].clone());
        if asked.method() == Some("readFile") {
            desk.server.reply(&id, &json!({"text": self.text, "version": self.version.to_string()}));
        } else if params["version"] != json!(self.version.to_string()) {
            desk.server.reply(&id, &json!({"applied": false, "reason": "it was typed into"}));
        } else {
            for edit in params["edits"].as_array().unwrap() {
                let starts: Vec<usize> =
                    std::iter::once(0).chain(self.text.match_indices('\n').map(|(at, _)| at + 1)).collect();
                let at = |line: &str, byte: &str| {
                    starts[usize::try_from(edit[line].as_u64().unwrap()).unwrap()]
                        + usize::try_from(edit[byte].as_u64().unwrap()).unwrap()
                };
                let range = at("startLine", "startByte")..at("endLine", "endByte");
                self.text.replace_range(range, edit["text"].as_str().unwrap());
            }
            self.version += 1;
            desk.server.reply(&id, &json!({"applied": true}));
        }
        asked.json
    }
}

#[test]
fn the_editor_takes_back_what_it_has_open() {
    let setup = TestServer::new().script(&edits("a.txt", &two_edits()));
    let mut desk = Desk::start(setup, true, &[("a.txt", lines().as_bytes())]);
    // The person has typed and not saved.
    let mut buffer = Buffer { text: format!("typed\n{}", lines()), version: 1 };
    let prompt = desk.server.prompt(&desk.session, "go");
    for expected in ["readFile", "readFile", "applyEdit"] {
        let asked = buffer.serve(&mut desk);
        assert_eq!(asked["method"], expected);
        assert_ne!(asked["params"]["review"], true);
    }
    desk.server.expect_turn_end(&prompt);
    assert_eq!(buffer.text, format!("typed\n{}", edited()));
    let item = desk.change();
    let sent = desk.begin(&item, &[("h2", "reject")], None);
    assert_eq!(buffer.serve(&mut desk)["method"], "readFile");
    let asked = buffer.serve(&mut desk);
    assert_eq!(
        json!([asked["method"], asked["params"]["review"], asked["params"]["itemId"]]),
        json!(["applyEdit", true, item["id"]])
    );
    let result = desk.end(&sent);
    assert_eq!((refused(&result), decisions(&result["item"])), (vec![], vec!["pending", "rejected"]));
    assert_eq!(buffer.text, format!("typed\n{}", lines().replace("l5\n", "five\n")));
    assert_eq!(desk.text("a.txt"), lines(), "the disk is the editor's to write");
    // The buffer moves on between the look at it and the edit.
    let sent = desk.begin(&item, &[("h1", "reject")], None);
    buffer.serve(&mut desk);
    buffer.version += 1;
    buffer.serve(&mut desk);
    let result = desk.end(&sent);
    assert_eq!(refused(&result), [("h1", "it was typed into")]);
    assert_eq!(decisions(&result["item"]), ["pending", "rejected"]);
    // An editor that fails, or answers nonsense.
    let sent = desk.begin(&item, &[("h1", "reject")], None);
    let (id, _) = desk.server.question("readFile");
    desk.server.send(&format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32603,"message":"no"}}}}"#));
    assert!(refused(&desk.end(&sent))[0].1.contains("could not tell"));
    let sent = desk.begin(&item, &[("h1", "reject")], None);
    buffer.serve(&mut desk);
    let (id, _) = desk.server.question("applyEdit");
    desk.server.reply(&id, &json!([true]));
    assert!(refused(&desk.end(&sent))[0].1.contains("did not say why"));
    // The person has undone it in the editor: then there is nothing to do.
    buffer.text = lines();
    let sent = desk.begin(&item, &[("h1", "reject")], None);
    buffer.serve(&mut desk);
    let result = desk.end(&sent);
    assert_eq!((refused(&result), decisions(&result["item"])), (vec![], vec!["rejected", "rejected"]));
    desk.quiet();
}

#[test]
fn hunks_are_decided_on_while_a_turn_runs() {
    let script =
        edits("a.txt", &two_edits()).replace("{\"text\":\"Done.\"}", "{\"text\":\"Well\"}\n{\"stall\":true}");
    let mut desk = Desk::start(TestServer::new().script(&script), false, &[("a.txt", lines().as_bytes())]);
    let prompt = desk.server.prompt(&desk.session, "go");
    desk.hear("Well");
    let item = desk.change();
    let result = desk.review(&item, &[], Some("reject"));
    assert_eq!(decisions(&result["item"]), ["rejected", "rejected"]);
    assert_eq!(desk.text("a.txt"), lines());
    desk.server.call("cancel", &json!({"sessionId": desk.session}));
    desk.server.expect_turn_end(&prompt);
    desk.quiet();
}

/// Many decisions at once, with the file being edited by the model all the while: no line is lost, and what is said
/// of the hunks is true.
#[test]
fn decisions_and_edits_of_one_file_do_not_get_into_each_others_way() {
    let mut steps = Vec::new();
    for n in 1..=12 {
        let old = format!("l{}\n", n * 3);
        steps.push(call("read", &json!({"path": "a.txt", "limit": 100 + n})));
        steps.push(r#"{"turn":true}"#.to_owned());
        let edit = json!([{"oldText": old, "newText": format!("{old}new {n}\n")}]);
        steps.push(call("edit", &json!({"path": "a.txt", "edits": edit})));
        steps.push(r#"{"turn":true}"#.to_owned());
    }
    steps.push(r#"{"text":"Done."}"#.to_owned());
    let setup = TestServer::new().script(&steps.join("\n"));
    let mut desk = Desk::start(setup, false, &[("a.txt", lines().as_bytes())]);
    let prompt = desk.server.prompt(&desk.session, "go");
    let mut sent = Vec::new();
    loop {
        let event = desk.server.find(|message| {
            message.kind().is_some_and(|kind| kind == "itemCompleted" || kind == "turnEnded")
        });
        if event.kind() == Some("turnEnded") {
            break;
        }
        let item = &event.json["params"]["item"];
        if item["type"] == "fileChange" && item["status"] == "completed" {
            sent.push(desk.begin(item, &[], Some("reject")));
        }
    }
    desk.server.answer::<method::Prompt>(&prompt).unwrap();
    assert!(!sent.is_empty());
    for sent in sent {
        let result = desk.end(&sent);
        assert!(result["item"].is_object(), "{result}");
    }
    let kept: Vec<String> = desk
        .changes()
        .iter()
        .filter(|item| item["status"] == "completed" && decisions(item) != ["rejected"])
        .flat_map(|item| item["hunks"].as_array().unwrap().clone())
        .flat_map(|hunk| hunk["lines"].as_array().unwrap().clone())
        .filter_map(|line| Some(line.as_str()?.strip_prefix('+')?.to_owned()))
        .collect();
    let there = desk.text("a.txt");
    let new: Vec<&str> = there.lines().filter(|line| line.starts_with("new")).collect();
    assert_eq!(new, kept);
    let old: String =
        there.lines().filter(|line| line.starts_with('l')).map(|line| line.to_owned() + "\n").collect();
    assert_eq!(old, lines());
    desk.quiet();
}

/// A streamed answer of the Chat Completions API that calls one tool.
fn calls(id: &str, name: &str, arguments: &Value) -> Reply {
    let function = json!({"name": name, "arguments": arguments.to_string()});
    let call = json!({"index": 0, "id": id, "type": "function", "function": function});
    let chunk = json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": null}]});
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
    Reply::sse([chunk.to_string(), end.to_string(), "[DONE]".to_owned()])
}

fn last_message(request: &Value) -> (Value, String) {
    let last = request["messages"].as_array().unwrap().last().unwrap();
    (last["role"].clone(), last["content"].to_string())
}

#[test]
fn the_model_is_told_with_its_next_request() {
    let upstream = Upstream::start();
    upstream.provider.reply(calls("c1", "read", &json!({"path": "a.txt"})));
    upstream.provider.reply(calls("c2", "edit", &json!({"path": "a.txt", "edits": two_edits()})));
    let gate = Gate::new();
    // The model speaks, and calls a tool, while the person decides.
    let said = json!({"choices": [{"index": 0, "delta": {"content": "And"}, "finish_reason": null}]});
    let function = json!({"name": "ls", "arguments": "{}"});
    let call = json!({"index": 0, "id": "c3", "type": "function", "function": function});
    let called =
        json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]});
    upstream.provider.reply(
        Reply::stream().event(&said.to_string()).wait(&gate).event(&called.to_string()).event("[DONE]"),
    );
    upstream.provider.reply(completions::answer(&["Done."]));
    upstream.provider.reply(completions::answer(&["I see."]));
    let setup = TestServer::new().upstream(&upstream);
    let mut desk = Desk::start(setup, false, &[("a.txt", lines().as_bytes())]);
    let prompt = desk.server.prompt(&desk.session, "go");
    desk.hear("And");
    let item = desk.change();
    desk.review(&item, &[("h2", "reject")], None);
    gate.open();
    desk.server.expect_turn_end(&prompt);
    desk.quiet();
    // What the model said and called is one message still, and the word of the person comes behind its result.
    let request = upstream.request(3).json();
    let messages = request["messages"].as_array().unwrap();
    let roles: Vec<&str> =
        messages.iter().map(|message| message["role"].as_str().unwrap()).rev().take(3).collect();
    assert_eq!(roles, ["user", "tool", "assistant"], "{messages:?}");
    let (_, told) = last_message(&request);
    for part in ["took back h2", "+more", "Read the file again"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let result = desk.review(&item, &[], Some("reject"));
    assert_eq!(refused(&result), []);
    let prompt = desk.server.prompt(&desk.session, "and now?");
    desk.server.expect_turn_end(&prompt);
    let request = upstream.request(4).json();
    let all = request["messages"].to_string();
    assert!(all.contains("took back h1") && all.contains("-l5"), "{all}");
    assert!(all.find("took back h1") < all.find("and now?"));
    desk.quiet();
}

/// A session in which edits ask.
fn asking(script: &str, editor: bool) -> Desk {
    let mut desk = Desk::start(TestServer::new().script(script), editor, &[("a.txt", lines().as_bytes())]);
    desk.server.call("configureSession", &json!({"sessionId": desk.session, "permissionMode": "ask"}));
    desk
}

/// The result of the only call of `edit`, as the person sees it.
fn edit_result(desk: &mut Desk) -> (Value, String) {
    let items = desk.items();
    let edit = items.iter().find(|item| item["name"] == "edit").unwrap();
    (edit["status"].clone(), edit["text"].as_str().unwrap().to_owned())
}

#[test]
fn some_hunks_are_taken_before_the_change_is_made() {
    let mut desk = asking(&edits("a.txt", &two_edits()), false);
    let prompt = desk.server.prompt(&desk.session, "go");
    let (id, asked) = desk.server.question("requestPermission");
    let change = &asked["change"];
    assert_eq!(
        json!([change["path"], change["kind"], change["hunks"][1]["lines"][3]]),
        json!([desk.path("a.txt"), "modify", "+more"])
    );
    assert_eq!(desk.text("a.txt"), lines(), "nothing is changed before the answer");
    let answer =
        json!({"optionId": "allowOnce", "rejectedHunks": ["h1"], "reason": "five is not a word here"});
    desk.server.reply(&id, &answer);
    desk.server.expect_turn_end(&prompt);
    assert_eq!(desk.text("a.txt"), lines().replace("l30\n", "l30\nmore\n"));
    let item = desk.change();
    assert_eq!(decisions(&item), ["rejected", "accepted"]);
    let (status, told) = edit_result(&mut desk);
    assert_eq!(status, "completed");
    for part in ["1 line added, 0 lines removed", "rejected 1 of the changes (h1)", "five is not a word here"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    // What was left out can be made after all, and what was made be taken back.
    assert_eq!(refused(&desk.review(&item, &[("h1", "accept"), ("h2", "reject")], None)), []);
    assert_eq!(desk.text("a.txt"), lines().replace("l5\n", "five\n"));
    desk.quiet();
}

#[test]
fn hunks_that_are_left_out_never_reach_the_editor() {
    let mut desk = asking(&edits("a.txt", &two_edits()), true);
    let mut buffer = Buffer { text: lines(), version: 1 };
    let prompt = desk.server.prompt(&desk.session, "go");
    // For `read`, and to see what would be changed.
    buffer.serve(&mut desk);
    buffer.serve(&mut desk);
    let (id, asked) = desk.server.question("requestPermission");
    assert_eq!(asked["change"]["hunks"].as_array().unwrap().len(), 2);
    desk.server.reply(&id, &json!({"optionId": "allowOnce", "rejectedHunks": ["h2"]}));
    buffer.serve(&mut desk);
    let edit = buffer.serve(&mut desk);
    assert_eq!(edit["params"]["edits"].as_array().unwrap().len(), 1, "{edit}");
    desk.server.expect_turn_end(&prompt);
    assert_eq!(buffer.text, lines().replace("l5\n", "five\n"));
    assert_eq!(decisions(&desk.change()), ["accepted", "rejected"]);
    desk.quiet();
}

#[test]
fn what_leaves_out_everything_or_what_is_not_there_is_a_no() {
    for left_out in [json!(["h1", "h2"]), json!(["h3"]), json!(["h1", ""]), json!(["h1", "h2", "h3"])] {
        let mut desk = asking(&edits("a.txt", &two_edits()), false);
        let prompt = desk.server.prompt(&desk.session, "go");
        let (id, _) = desk.server.question("requestPermission");
        desk.server.reply(&id, &json!({"optionId": "allowSession", "rejectedHunks": left_out}));
        desk.server.expect_turn_end(&prompt);
        assert_eq!((desk.text("a.txt"), desk.changes().len()), (lines(), 0), "{left_out}");
        assert_eq!(edit_result(&mut desk), (json!("failed"), "The person rejected this.".to_owned()));
        desk.quiet();
    }
}

#[test]
fn what_is_made_is_what_was_shown() {
    let mut desk = asking(&edits("a.txt", &two_edits()), false);
    let prompt = desk.server.prompt(&desk.session, "go");
    let (id, _) = desk.server.question("requestPermission");
    let mine = lines() + "mine\n";
    desk.write("a.txt", &mine);
    desk.server.reply(&id, &json!({"optionId": "allowOnce", "rejectedHunks": ["h1"]}));
    desk.server.expect_turn_end(&prompt);
    assert_eq!(desk.text("a.txt"), mine);
    let (status, told) = edit_result(&mut desk);
    assert!(status == "failed" && told.contains("read it again"), "{told}");
    desk.quiet();
}

/// A call that is not allowed yet tells nothing of what a file holds, though it is looked at for the person.
#[test]
fn a_question_tells_the_model_nothing() {
    let edit = call("edit", &json!({"path": "a.txt", "edits": [{"oldText": "l", "newText": "x"}]}));
    let script = format!("{edit}\n{{\"turn\":true}}\n{{\"text\":\"Done.\"}}");
    let mut desk = asking(&script, false);
    let prompt = desk.server.prompt(&desk.session, "go");
    let (id, asked) = desk.server.question("requestPermission");
    assert_eq!(asked["change"], Value::Null, "it would fail: the file was not read");
    desk.server.reply(&id, &json!({"optionId": "rejectOnce"}));
    desk.server.expect_turn_end(&prompt);
    assert_eq!(edit_result(&mut desk).1, "The person rejected this.");
    desk.quiet();
}

#[test]
fn a_decision_waits_until_the_file_is_not_being_changed() {
    let one = call("edit", &json!({"path": "a.txt", "edits": [{"oldText": "l5\n", "newText": "five\n"}]}));
    let two = call("edit", &json!({"path": "a.txt", "edits": [{"oldText": "l30\n", "newText": "thirty\n"}]}));
    let read = call("read", &json!({"path": "a.txt"}));
    let turn = r#"{"turn":true}"#;
    let script = [&read, turn, &one, turn, &two, turn, r#"{"text":"Done."}"#].join("\n");
    let setup = TestServer::new().script(&script);
    let mut desk = Desk::start(setup, true, &[("a.txt", lines().as_bytes())]);
    let mut buffer = Buffer { text: lines(), version: 1 };
    let prompt = desk.server.prompt(&desk.session, "go");
    for _ in 0..4 {
        buffer.serve(&mut desk);
    }
    // The second edit is on its way to the editor, which has not answered.
    let (id, _) = desk.server.question("applyEdit");
    let first = desk.changes().remove(0);
    let open = desk.changes().remove(1);
    let error = desk.review(&open, &[], Some("reject"));
    assert_eq!(error["data"]["kind"], "busy", "{error}");
    let sent = desk.begin(&first, &[], Some("reject"));
    // An answer of something else shows that the decision was taken in, and that the editor is not asked.
    desk.changes();
    desk.server.reply(&id, &json!({"applied": false, "reason": "no"}));
    for expected in ["readFile", "applyEdit"] {
        assert_eq!(buffer.serve(&mut desk)["method"], expected);
    }
    assert_eq!(refused(&desk.end(&sent)), []);
    assert_eq!(buffer.text, lines());
    desk.server.expect_turn_end(&prompt);
    desk.quiet();
}

#[test]
fn a_conversation_in_memory_is_reviewed_too() {
    // Without a home the script is named as it lies in the folder that the server was started in.
    let setup = TestServer::new().in_memory().script(&edits("a.txt", &two_edits()));
    let mut desk = Desk::start(setup, false, &[("a.txt", lines().as_bytes())]);
    desk.play();
    let item = desk.change();
    assert_eq!(refused(&desk.review(&item, &[("h1", "reject")], None)), []);
    assert_eq!(desk.text("a.txt"), lines().replace("l30\n", "l30\nmore\n"));
    desk.quiet();
}

#[test]
fn a_call_can_be_cancelled_while_its_change_is_looked_at() {
    let mut desk = asking(&edits("a.txt", &two_edits()), true);
    let mut buffer = Buffer { text: lines(), version: 1 };
    let prompt = desk.server.prompt(&desk.session, "go");
    buffer.serve(&mut desk);
    let (id, _) = desk.server.question("readFile");
    let edit = desk.items().into_iter().find(|item| item["name"] == "edit").unwrap();
    let params = json!({"sessionId": desk.session, "itemId": edit["id"]});
    assert_eq!(desk.server.call("cancel", &params), json!({"cancelled": true}));
    desk.server.expect_turn_end(&prompt);
    // It is late now, and nobody is asked.
    desk.server.reply(&id, &json!({"text": lines(), "version": "1"}));
    assert_eq!(edit_result(&mut desk).0, "cancelled");
    desk.server.ignore_rest();
    assert_eq!((buffer.text, desk.text("a.txt")), (lines(), lines()));
}
