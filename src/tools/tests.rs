//! The file tools as a session runs them: what they say, what they do to files, and what they never reach.
#![expect(clippy::disallowed_methods, reason = "tests stand outside the seam")]

mod escapes;
mod race;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::context::{ChangeEnd, EditorText, Proposal, Report};
use super::{CallId, ChangeId, Effect, Place, Scope, ToolContext, ToolOutcome, Workspace, tool};
use crate::accounts::Accounts;
use crate::catalog::Catalog;
use crate::net::Net;
use crate::settings::Settings;
use crate::system::{Dirs, System};

/// A session without an engine: it allows what nobody has to be asked for, and no more.
struct Rig {
    _dir: tempfile::TempDir,
    /// Holds `ws`, the workspace, and whatever lies beside it.
    path: PathBuf,
    scope: Scope,
    editor: Editor,
}

/// What the editor at the other end does.
#[derive(Clone, Default)]
struct Editor {
    text: Option<EditorText>,
    /// Hunks that the person rejects; `None` where the editor takes no edits.
    rejects: Option<Vec<String>>,
}

/// What a call came to.
struct Came {
    outcome: ToolOutcome,
    proposals: Vec<Proposal>,
    ends: Vec<ChangeEnd>,
}

impl Rig {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        for folder in ["ws/src", "out", "home", "own"] {
            fs::create_dir_all(path.join(folder)).unwrap();
        }
        let mut system = System::real();
        system.dirs = Dirs {
            config: Some(path.join("own")),
            data: Some(path.join("own")),
            home: Some(path.join("home")),
            managed: None,
            ..Dirs::default()
        };
        let workspace = Arc::new(Workspace::new(vec![path.join("ws")], &system.dirs));
        let settings = Arc::new(Settings::default());
        let accounts = Accounts::new(system.clone(), Arc::clone(&settings), Net::default());
        let scope = Scope {
            workspace,
            settings,
            accounts: Arc::new(accounts),
            catalog: Arc::new(Catalog::new(system.clone(), |_| true, Arc::default())),
            system,
            processes: Arc::default(),
        };
        Self { _dir: dir, path, scope, editor: Editor::default() }
    }

    fn put(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path.join("ws").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn bytes(&self, path: &str) -> Vec<u8> {
        fs::read(self.path.join("ws").join(path)).unwrap()
    }

    /// What nobody has to be asked for when edits are accepted: the most that is ever done unasked.
    fn is_free(effect: &Effect) -> bool {
        match effect {
            Effect::Read(place) => place.inside && place.secret.is_none(),
            Effect::Write(place) => place.inside && place.protected.is_none() && place.hard_links <= 1,
            Effect::Run { .. } | Effect::Stop { .. } | Effect::Pretend => false,
        }
    }

    /// Calls a tool with everything allowed that its intent names.
    async fn allowed(&self, name: &str, arguments: Value) -> Came {
        match tool(name).unwrap().intent(&arguments, &self.scope) {
            Err(outcome) => Came { outcome, proposals: Vec::new(), ends: Vec::new() },
            Ok(intent) => self.run(name, arguments, &places(&intent.effects)).await,
        }
    }

    /// Calls a tool and allows what is free. `None` where a person would have been asked.
    async fn unasked(&self, name: &str, arguments: Value) -> Option<Came> {
        match tool(name).unwrap().intent(&arguments, &self.scope) {
            Err(outcome) => Some(Came { outcome, proposals: Vec::new(), ends: Vec::new() }),
            Ok(intent) if intent.effects.iter().all(Self::is_free) => {
                Some(self.run(name, arguments, &places(&intent.effects)).await)
            }
            Ok(_) => None,
        }
    }

    /// Runs a tool with these places granted, and answers its reports.
    async fn run(&self, name: &str, arguments: Value, granted: &[Place]) -> Came {
        let (sender, mut reports) = mpsc::channel(4);
        let context = ToolContext::new(CallId(1), self.scope.clone(), granted.into(), sender);
        let mut running = tool(name).unwrap().run(arguments, context);
        let (mut proposals, mut ends) = (Vec::new(), Vec::new());
        let mut answer = |report: Report| match report {
            Report::EditorText { reply, .. } => drop(reply.send(Ok(self.editor.text.clone()))),
            Report::Change { proposal, reply, .. } => {
                let rejected = self.editor.rejects.clone().filter(|_| proposal.edit.is_some());
                proposals.push(*proposal);
                let said = match rejected {
                    Some(rejected) => super::context::Proposed::Applied { rejected },
                    None => super::context::Proposed::Write(ChangeId(1)),
                };
                drop(reply.send(said));
            }
            Report::Settled { end, .. } => ends.push(end),
            Report::Ask(_) | Report::Output { .. } => panic!("no file tool asks or streams"),
        };
        let outcome = loop {
            tokio::select! {
                biased;
                Some(report) = reports.recv() => answer(report),
                outcome = &mut running => break outcome,
            }
        };
        while let Ok(report) = reports.try_recv() {
            answer(report);
        }
        Came { outcome, proposals, ends }
    }
}

fn places(effects: &[Effect]) -> Vec<Place> {
    let place = |effect: &Effect| match effect {
        Effect::Read(place) | Effect::Write(place) => Some(place.clone()),
        Effect::Run { .. } | Effect::Stop { .. } | Effect::Pretend => None,
    };
    effects.iter().filter_map(place).collect()
}

/// Arguments with which a tool goes to that path.
fn towards(name: &str, path: &str) -> Value {
    match name {
        "write" => json!({"path": path, "content": "WRITTEN\n"}),
        "edit" => {
            json!({"path": path, "edits": [{"oldText": "KANARI", "newText": "WRITTEN", "replaceAll": true}]})
        }
        "grep" => json!({"path": path, "pattern": ".", "hidden": true, "ignored": true}),
        "find" => json!({"path": path, "pattern": "*", "hidden": true, "ignored": true}),
        _ => json!({"path": path, "hidden": true}),
    }
}

#[tokio::test]
async fn a_file_is_read_changed_and_written_in_the_state_that_was_seen() {
    let rig = Rig::new();
    rig.put("src/a.rs", "fn main() {\r\n    one();\r\n}\r\n");
    let edit =
        json!({"path": "src/a.rs", "edits": [{"oldText": "one();\n", "newText": "two();\nthree();\n"}]});
    let came = rig.allowed("edit", edit.clone()).await;
    assert!(came.outcome.is_error && came.outcome.text.contains("have not read it"), "{}", came.outcome.text);
    let came = rig.allowed("read", json!({"path": "src/a.rs"})).await;
    assert!(came.outcome.text.contains("     2\t    one();\n") && came.outcome.text.contains("CR LF"));
    let came = rig.allowed("edit", edit.clone()).await;
    assert_eq!(came.outcome.text, "Edited src/a.rs: 2 lines added, 1 line removed.");
    assert_eq!(rig.bytes("src/a.rs"), b"fn main() {\r\n    two();\r\nthree();\r\n}\r\n");
    let change = &came.proposals[0].change;
    assert_eq!((change.path.clone(), change.hunks.len()), (rig.path.join("ws/src/a.rs"), 1));
    assert_eq!(change.hash_after, Some(super::change::hash(&rig.bytes("src/a.rs"))));
    assert_eq!(came.ends, [ChangeEnd::Made]);
    // What it wrote itself it knows.
    let came = rig.allowed("edit", json!({"path": "src/a.rs", "oldText": "two();", "newText": "2();"})).await;
    assert!(!came.outcome.is_error, "{}", came.outcome.text);
    // What somebody else wrote meanwhile it does not.
    rig.put("src/a.rs", "other\n");
    let write = json!({"path": "src/a.rs", "content": "mine\n"});
    let came = rig.allowed("write", write.clone()).await;
    assert!(came.outcome.text.contains("changed since you read it"), "{}", came.outcome.text);
    assert_eq!(rig.bytes("src/a.rs"), b"other\n");
    rig.allowed("read", json!({"path": "src/a.rs"})).await;
    assert!(!rig.allowed("write", write).await.outcome.is_error);
    assert_eq!(rig.bytes("src/a.rs"), b"mine\n");
}

#[tokio::test]
async fn encodings_marks_and_ends_are_kept() {
    let rig = Rig::new();
    let utf16: Vec<u8> =
        [0xfeff].into_iter().chain("é one\r\n".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let wide: Vec<u8> =
        [0xfeff].into_iter().chain("é two\r\n".encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for (name, before, after, word) in [
        ("bom", b"\xef\xbb\xbfone\n".to_vec(), b"\xef\xbb\xbftwo\n".to_vec(), "byte order mark"),
        ("wide", utf16, wide, "UTF-16"),
        ("latin", b"\xe9 one".to_vec(), b"\xe9 two".to_vec(), "Latin-1"),
    ] {
        rig.put(name, &before);
        let came = rig.allowed("read", json!({"path": name})).await;
        assert!(came.outcome.text.contains(word), "{name}: {}", came.outcome.text);
        let came =
            rig.allowed("edit", json!({"path": name, "edits": [{"oldText": "one", "newText": "two"}]})).await;
        assert!(!came.outcome.is_error, "{name}: {}", came.outcome.text);
        assert_eq!(rig.bytes(name), after, "{name}");
    }
    let euro = json!({"path": "latin", "edits": [{"oldText": "two", "newText": "€"}]});
    let came = rig.allowed("edit", euro).await;
    assert!(
        came.outcome.is_error && came.outcome.text.contains("'€' cannot be written"),
        "{}",
        came.outcome.text
    );
    assert_eq!(rig.bytes("latin"), b"\xe9 two");
    assert_eq!(
        rig.allowed("write", json!({"path": "new/x", "content": "a\r\nb"})).await.outcome.text,
        "Created new/x: 2 lines added, 0 lines removed."
    );
    assert_eq!(rig.bytes("new/x"), b"a\r\nb");
}

#[tokio::test]
async fn what_is_no_text_is_refused_with_a_word() {
    let rig = Rig::new();
    rig.put("binary", b"\x7fELF\0\0");
    rig.put("picture.png", b"\x89PNG\r\n\x1a\nrest");
    fs::File::create(rig.path.join("ws/huge")).unwrap().set_len(super::files::TEXT + 1).unwrap();
    for (tool, path, word) in [
        ("read", "binary", "binary file of 6 bytes"),
        ("read", "huge", "are the most"),
        ("read", "src", "it is a folder"),
        ("read", "src/mian.rs", "does not exist"),
        ("edit", "binary", "cannot be edited"),
        ("edit", "huge", "are the most"),
        ("write", "binary", "not written over"),
        ("write", "src", "it is a folder"),
        ("ls", "binary", "not a folder"),
        ("find", "none", "does not exist"),
    ] {
        let came = rig.allowed(tool, towards(tool, path)).await;
        assert!(
            came.outcome.is_error && came.outcome.text.contains(word),
            "{tool} {path}: {}",
            came.outcome.text
        );
    }
    let came = rig.allowed("read", json!({"path": "picture.png"})).await;
    assert_eq!(came.outcome.images.len(), 1);
    assert_eq!(came.outcome.images[0].mime_type, "image/png");
    rig.put("src/main.rs", "x");
    let came = rig.allowed("read", json!({"path": "src/mian.rs"})).await;
    assert_eq!(came.outcome.text, "src/mian.rs does not exist; there is src/main.rs");
    let came = rig.allowed("read", json!({})).await;
    assert!(
        came.outcome.is_error && came.outcome.text.contains("  - path: is missing"),
        "{}",
        came.outcome.text
    );
}

#[tokio::test]
async fn searches_find_what_ripgrep_would() {
    let rig = Rig::new();
    rig.put(".gitignore", "target\n");
    rig.put("target/x.rs", "needle\n");
    rig.put("src/a.rs", "one\nneedle here\ntwo\nNeedle\n");
    rig.put("src/b.txt", "needle\n");
    rig.put("src/c.bin", b"needle\0needle");
    rig.put(".env", "needle=secret\n");
    let grep = async |arguments: Value| rig.unasked("grep", arguments).await.unwrap().outcome.text;
    assert_eq!(grep(json!({"pattern": "needle"})).await, "src/a.rs:2:needle here\nsrc/b.txt:1:needle");
    assert_eq!(
        grep(json!({"pattern": "NEEDLE", "ignoreCase": true, "mode": "count", "glob": "*.rs"})).await,
        "src/a.rs:2"
    );
    assert_eq!(
        grep(json!({"pattern": "needle", "mode": "files", "ignored": true})).await,
        "src/a.rs\nsrc/b.txt\ntarget/x.rs"
    );
    assert_eq!(
        grep(json!({"pattern": "here", "context": 1})).await,
        "src/a.rs-1-one\nsrc/a.rs:2:needle here\nsrc/a.rs-3-two"
    );
    assert_eq!(grep(json!({"pattern": "here\\ntwo", "multiline": true, "mode": "files"})).await, "src/a.rs");
    assert_eq!(grep(json!({"pattern": "(", "literal": true})).await, "No matches.");
    assert!(grep(json!({"pattern": "("})).await.contains("set literal"));
    assert!(grep(json!({"pattern": "needle", "limit": 1})).await.contains("the limit is reached"));
    let hidden = grep(json!({"pattern": "needle", "hidden": true})).await;
    assert!(!hidden.contains("secret=") && hidden.contains("1 files that may hold secrets"), "{hidden}");
    assert!(rig.unasked("grep", json!({"pattern": "needle", "path": ".env"})).await.is_none());
    let named = rig.allowed("grep", json!({"pattern": "needle", "path": ".env"})).await;
    assert_eq!(named.outcome.text, ".env:1:needle=secret");
    let find = async |arguments: Value| rig.unasked("find", arguments).await.unwrap().outcome.text;
    assert_eq!(find(json!({"pattern": "*.{rs,txt}"})).await, "src/a.rs\nsrc/b.txt");
    assert_eq!(find(json!({"pattern": "src/*"})).await, "src/a.rs\nsrc/b.txt\nsrc/c.bin");
    assert_eq!(find(json!({"pattern": "src"})).await, "src/");
    assert_eq!(find(json!({"pattern": "*.zig"})).await, "Nothing found.");
    assert!(find(json!({"pattern": "{"})).await.contains("glob cannot be read"));
    let ls = rig.unasked("ls", json!({"hidden": true})).await.unwrap().outcome.text;
    assert_eq!(ls, ".env 14\n.gitignore 7\nsrc/\ntarget/");
}

/// A million letters in one line, and an expression that would take for ever elsewhere.
#[tokio::test]
async fn searches_are_bounded() {
    let rig = Rig::new();
    rig.put("long", "a".repeat(1 << 20) + "b\n");
    rig.put("many", "aaaa\n".repeat(100_000));
    let came = rig.unasked("grep", json!({"pattern": "(a*)*c|b$"})).await.unwrap();
    assert!(came.outcome.text.len() < 2000, "{}", came.outcome.text.len());
    let came = rig.unasked("grep", json!({"pattern": "a", "limit": 5000})).await.unwrap();
    assert!(came.outcome.text.len() < 60 << 10, "{}", came.outcome.text.len());
    let came = rig.unasked("grep", json!({"pattern": "(a{1000}){1000}"})).await.unwrap();
    assert!(came.outcome.is_error);
}

#[tokio::test]
async fn the_editor_has_the_truth_and_is_not_written_over() {
    let mut rig = Rig::new();
    rig.put("a", "saved\n");
    let text = |text: &str| Some(EditorText { text: text.to_owned(), version: Some("7".to_owned()) });
    rig.editor.text = text("not saved\nsecond\n");
    let came = rig.allowed("read", json!({"path": "a"})).await;
    assert!(came.outcome.text.contains("not saved") && came.outcome.text.contains("in the editor"));
    let edit = json!({"path": "a", "edits": [
        {"oldText": "not saved", "newText": "new"}, {"oldText": "second", "newText": "2"}]});
    // An editor that takes no edits keeps its own.
    let came = rig.allowed("edit", edit.clone()).await;
    assert!(came.outcome.is_error && came.outcome.text.contains("not saved"), "{}", came.outcome.text);
    assert_eq!((rig.bytes("a"), came.ends), (b"saved\n".to_vec(), vec![ChangeEnd::Failed]));
    rig.editor.rejects = Some(Vec::new());
    let came = rig.allowed("edit", edit).await;
    assert!(!came.outcome.is_error, "{}", came.outcome.text);
    let made = came.proposals[0].edit.clone().unwrap();
    assert_eq!((made.version.as_deref(), made.edits.len()), (Some("7"), 1));
    assert_eq!(rig.bytes("a"), b"saved\n");
    // Rejected hunks are told, and what is known of the file is what it is.
    rig.editor.text = text("new\n2\n");
    rig.editor.rejects = Some(vec!["h1".to_owned(), "h9".to_owned()]);
    let came = rig.allowed("edit", json!({"path": "a", "edits": [{"oldText": "2", "newText": "3"}]})).await;
    assert!(came.outcome.text.contains("rejected 1 of the changes (h1)"), "{}", came.outcome.text);
    let came = rig.allowed("edit", json!({"path": "a", "edits": [{"oldText": "2", "newText": "3"}]})).await;
    assert!(!came.outcome.is_error, "{}", came.outcome.text);
}

#[tokio::test]
async fn a_change_that_was_called_off_is_not_made() {
    let rig = Rig::new();
    let (sender, mut reports) = mpsc::channel(4);
    let arguments = json!({"path": "new", "content": "x"});
    let intent = tool("write").unwrap().intent(&arguments, &rig.scope).unwrap();
    let context = ToolContext::new(CallId(1), rig.scope.clone(), places(&intent.effects).into(), sender);
    let mut running = tool("write").unwrap().run(arguments, context);
    let mut end = None;
    let outcome = loop {
        tokio::select! {
            biased;
            Some(report) = reports.recv() => match report {
                Report::EditorText { reply, .. } => drop(reply.send(Ok(None))),
                Report::Change { proposal, reply, .. } => {
                    assert!(proposal.gate.shut());
                    drop(reply.send(super::context::Proposed::Write(ChangeId(1))));
                }
                Report::Settled { end: told, .. } => end = Some(told),
                Report::Ask(_) | Report::Output { .. } => panic!(),
            },
            outcome = &mut running => break outcome,
        }
    };
    // The word of the thread that was to write may have come in the same moment.
    while let Ok(report) = reports.try_recv() {
        if let Report::Settled { end: told, .. } = report {
            end = Some(told);
        }
    }
    assert!(outcome.is_error && outcome.text.contains("called off"), "{}", outcome.text);
    assert_eq!(end, Some(ChangeEnd::Failed));
    assert!(!Path::new(&rig.path.join("ws/new")).exists());
}
