//! The program is killed in the middle of turns that change files: each file is before or after a change, never
//! between, and the session knows which.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use super::{Project, script};

/// Files of a turn. Each is changed once by each of three tools' ways.
const FILES: usize = 3;

/// Lines of a file: enough that it is not written in one piece by accident.
const LINES: usize = 1_500;

fn text(file: usize, version: usize) -> String {
    (0..LINES).fold(String::new(), |mut text, line| {
        use std::fmt::Write as _;
        writeln!(text, "file {file} version {version} line {line}").unwrap();
        text
    })
}

/// Changes every file: the first line by `edit`, then all of it by `write`; and makes a new one.
fn model() -> String {
    let mut turns: Vec<Vec<(&str, Value)>> = Vec::new();
    for file in 0..FILES {
        let path = format!("f{file}.txt");
        turns.push(vec![("read", json!({"path": path, "limit": 1}))]);
        let edit = json!({"oldText": "version 0", "newText": "version 1", "replaceAll": true});
        turns.push(vec![("edit", json!({"path": path, "edits": [edit]}))]);
        turns.push(vec![("write", json!({"path": path, "content": text(file, 2)}))]);
        turns.push(vec![("write", json!({"path": format!("new{file}.txt"), "content": text(file, 3)}))]);
    }
    let turns: Vec<&[(&str, Value)]> = turns.iter().map(Vec::as_slice).collect();
    script(&turns)
}

struct Server {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Server {
    fn start(home: &std::path::Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_aside"))
            .arg("serve")
            .env_clear()
            .env("ASIDE_HOME", home)
            .env("ASIDE_LOCAL_SERVERS", "off")
            .env("ASIDE_DEMO_SCRIPT", home.join("script.jsonl"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn send(&mut self, id: u32, method: &str, params: &Value) {
        let line = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn line(&mut self) -> Option<Value> {
        Some(serde_json::from_str(&self.lines.next()?.unwrap()).unwrap())
    }

    fn answer(&mut self, id: u32, method: &str, params: &Value) -> Value {
        self.send(id, method, params);
        loop {
            let line = self.line().expect("an answer");
            if line["id"] == id {
                return line["result"].clone();
            }
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn a_kill_leaves_every_file_whole_and_the_session_knows_which_it_is() {
    let kills = if std::env::var_os("ASIDE_LONG").is_some_and(|value| value == "1") { 200 } else { 20 };
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("script.jsonl"), model()).unwrap();
    let random = aside::system::Random::Real;
    let begun = Instant::now();
    let (mut made, mut not_made, mut whole_turns) = (0, 0, 0);
    // How many lines a whole turn has; the moments are spread over it.
    let mut lines_of_a_turn = 100;
    for round in 0..kills {
        let files: Vec<(String, String)> =
            (0..FILES).map(|file| (format!("f{file}.txt"), text(file, 0))).collect();
        let files: Vec<(&str, &str)> =
            files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let project = Project::new(&files);
        let mut server = Server::start(home.path());
        let params = json!({"cwd": project.root(), "permissionMode": "acceptEdits"});
        let session = server.answer(1, "newSession", &params)["sessionId"].clone();
        server.send(2, "prompt", &json!({"sessionId": session, "text": "go"}));
        let last = if round == 0 { u64::MAX } else { random.next_u64() % lines_of_a_turn };
        let mut seen = 0;
        while seen < last {
            seen += 1;
            let line = server
                .line()
                .unwrap_or_else(|| panic!("round {round}: the server ended: {:?}", server.child.wait()));
            if line["id"] == 2 {
                lines_of_a_turn = seen;
                whole_turns += 1;
                break;
            }
        }
        // Somewhere between two lines.
        for _ in 0..random.next_u64() % 200_000 {
            std::hint::spin_loop();
        }
        server.kill();

        let mut server = Server::start(home.path());
        let opened = server.answer(1, "openSession", &json!({"sessionId": session}));
        // Killed before the prompt was written down, it has never been: no file may have changed.
        let items = opened["snapshot"]["items"].as_array().cloned().unwrap_or_default();
        let mut expected: Vec<(String, Option<String>)> =
            files.iter().map(|(name, text)| ((*name).to_owned(), Some((*text).to_owned()))).collect();
        expected.extend((0..FILES).map(|file| (format!("new{file}.txt"), None)));
        for item in items.iter().filter(|item| item["type"] == "fileChange") {
            assert_ne!(item["status"], "inProgress", "round {round}: {item}");
            if item["status"] != "completed" {
                not_made += 1;
                continue;
            }
            made += 1;
            let path = std::path::Path::new(item["path"].as_str().unwrap());
            let name = path.file_name().unwrap().to_str().unwrap();
            let (_, content) = expected.iter_mut().find(|(known, _)| known == name).unwrap();
            let file = usize::from(name.as_bytes()[name.len() - 5] - b'0');
            let version = match content {
                None => 3,
                Some(before) if before.contains("version 0") => 1,
                Some(_) => 2,
            };
            *content = Some(text(file, version));
        }
        for (name, content) in &expected {
            let now = std::fs::read_to_string(project.path(name)).ok();
            let version = |text: &Option<String>| {
                text.as_deref().map(|text| text.lines().next().unwrap_or_default().to_owned())
            };
            assert!(
                now == *content,
                "round {round}: {name} is {:?}, the session says {:?}",
                version(&now),
                version(content)
            );
        }
        let names = std::fs::read_dir(project.root()).unwrap();
        let pieces: Vec<_> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with('.'))
            .collect();
        assert_eq!(pieces, [""; 0], "round {round}");
        drop(server.child.stdin.take());
        server.child.wait().unwrap();
    }
    println!(
        "{kills} kills in {:?}, {whole_turns} after a whole turn: {made} changes made, {not_made} not made, 0 between",
        begun.elapsed()
    );
    assert!(made > kills, "{made}");
}
