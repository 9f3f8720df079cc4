//! A server that is killed while hunks are taken back: the file is before or after, never between, and the next
//! server knows which.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use aside::tools::change::hash;
use serde_json::{Value, json};

use super::{Desk, decisions, edited, edits, lines, two_edits};
use crate::process::Home;
use crate::server::TestServer;

/// So often it is killed.
const ROUNDS: usize = 60;

/// One life of the server.
struct Life {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Life {
    fn begin(home: &Home) -> Self {
        let mut child = home.command().arg("serve").spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    fn send(&mut self, id: usize, method: &str, params: &Value) {
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.input.write_all(format!("{message}\n").as_bytes()).unwrap();
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// The result of the request of that id; what comes before it is passed over.
    fn result(&mut self, id: usize) -> Value {
        loop {
            let line = self.line();
            if line["id"] == id {
                assert!(line["error"].is_null(), "{line}");
                return line["result"].clone();
            }
        }
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.send(1, method, params);
        self.result(1)
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn change(opened: &Value) -> Value {
    let items = opened["snapshot"]["items"].as_array().unwrap();
    items.iter().find(|item| item["type"] == "fileChange").unwrap().clone()
}

/// Whether the hunks are in the file.
fn there(path: &Path) -> [bool; 2] {
    let text = std::fs::read_to_string(path).unwrap();
    let expected = |first: bool, second: bool| {
        let text = if first { edited() } else { lines().replace("l30\n", "l30\nmore\n") };
        if second { text } else { text.replace("more\n", "") }
    };
    let all = [[true, true], [true, false], [false, true], [false, false]];
    all.into_iter()
        .find(|[first, second]| expected(*first, *second) == text)
        .unwrap_or_else(|| panic!("neither before nor after: {text}"))
}

#[test]
fn a_server_that_is_killed_knows_what_it_has_taken_back() {
    let step = |name: &str, arguments: Value| json!({"toolCall": {"name": name, "arguments": arguments}});
    let home = Home::with_script(&[
        step("read", json!({"path": "a.txt"})),
        json!({"turn": true}),
        step("edit", json!({"path": "a.txt", "edits": two_edits()})),
        json!({"turn": true}),
        json!({"text": "Done."}),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    std::fs::write(&path, lines()).unwrap();
    let mut life = Life::begin(&home);
    life.call("initialize", &json!({"protocolVersion": 1}));
    let new = json!({"cwd": folder.path(), "permissionMode": "acceptEdits"});
    let session = life.call("newSession", &new)["sessionId"].clone();
    life.call("prompt", &json!({"sessionId": session, "text": "go"}));
    life.kill();
    assert_eq!(there(&path), [true, true]);
    // What is asked for in the order in which it comes about: every state follows every other.
    let asked = [
        json!([{"id": "h1", "decision": "reject"}]),
        json!([{"id": "h2", "decision": "reject"}]),
        json!([{"id": "h1", "decision": "accept"}, {"id": "h2", "decision": "accept"}]),
        json!([{"id": "h1", "decision": "reject"}, {"id": "h2", "decision": "reject"}]),
        json!([{"id": "h2", "decision": "accept"}]),
    ];
    let mut seen = std::collections::HashSet::new();
    for round in 0..=ROUNDS {
        let mut life = Life::begin(&home);
        life.send(1, "openSession", &json!({"sessionId": session}));
        let opened = life.result(1);
        let item = change(&opened);
        let kept = there(&path);
        seen.insert(kept);
        let known: Vec<bool> = decisions(&item).iter().map(|decision| *decision != "rejected").collect();
        assert_eq!(known, kept, "round {round}: {opened}");
        if round == ROUNDS {
            life.kill();
            break;
        }
        let decide = |hunks: &Value| json!({"sessionId": session, "itemId": item["id"], "hunks": hunks});
        for (at, hunks) in asked.iter().cycle().skip(round).take(15).enumerate() {
            life.send(at + 2, "reviewChange", &decide(hunks));
        }
        // From before the first to after the last of them.
        let mut pick = u64::from_be_bytes(chance());
        for _ in 0..pick % 16 {
            life.line();
        }
        pick /= 16;
        let until = Instant::now() + Duration::from_micros(pick % 4_000);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        life.kill();
    }
    assert!(seen.len() >= 3, "it was killed at the same moment always: {seen:?}");
    // Of a file that is being replaced nothing is left over but the moments in which it was killed.
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "a.txt" || name.starts_with(".aside-"), "{name}");
    }
}

/// Eight bytes that nobody foresees.
fn chance() -> [u8; 8] {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish().to_be_bytes()
}

#[test]
fn what_a_killed_server_had_begun_is_read_off_the_file() {
    let taken_back = lines().replace("l30\n", "l30\nmore\n");
    for (now, decided, notice) in [
        (taken_back.clone(), ["rejected", "accepted"], "took back h1"),
        (edited(), ["pending", "accepted"], ""),
        (edited() + "mine\n", ["pending", "accepted"], "neither what it was nor what it was to be"),
    ] {
        let setup = TestServer::new().script(&edits("a.txt", &two_edits()));
        let mut desk = Desk::start(setup, false, &[("a.txt", lines().as_bytes())]);
        desk.play();
        let item = desk.change();
        desk.review(&item, &[("h2", "accept")], None);
        desk.server.call("closeSession", &json!({"sessionId": desk.session}));
        desk.quiet();
        // As it is written just before the file is touched.
        let file = desk.server.home().join(format!("sessions/{}.jsonl", desk.session));
        let mut text = std::fs::read_to_string(&file).unwrap();
        let mut records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut record = records.rfind(|record| record["item"]["body"]["k"] == "fileChange").unwrap();
        record["item"]["body"]["review"] = json!({
            "hunks": [["h1", false]],
            "hashBefore": hash(edited().as_bytes()), "hashAfter": hash(taken_back.as_bytes()),
        });
        text.extend([&record.to_string(), "\n"]);
        std::fs::write(&file, text).unwrap();
        desk.write("a.txt", &now);
        for _ in 0..2 {
            assert_eq!(decisions(&desk.change()), decided, "{now}");
            let told: Vec<String> =
                desk.notices().into_iter().filter(|notice| !notice.contains("keeps it")).collect();
            assert_eq!(told.len(), usize::from(!notice.is_empty()), "{told:?}");
            assert!(told.iter().all(|told| told.contains(notice)), "{told:?}");
            assert_eq!(desk.text("a.txt"), now);
            // It is told once.
            desk.server.call("closeSession", &json!({"sessionId": desk.session}));
            desk.quiet();
        }
    }
}
