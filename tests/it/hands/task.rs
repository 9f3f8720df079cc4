//! A whole task in a small project: its tests fail before and pass afterwards.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use aside_protocol::{ClientCapabilities, InitializeParams, PermissionMode, method};
use serde_json::{Value, json};

use super::{Project, calls, items, played, script, session_in, with_programs};
use crate::jobs::processes_with;
use crate::server::TestServer;

const COUNT: &str = "# Counts the words of a text.\ncount_words() {\n    echo \"$1\" | wc -l\n}\n";
const TEST: &str = "\
set -e
. ./lib/count.sh
. ./lib/upper.sh
fail() { echo \"FAILED: $1\"; exit 1; }
[ \"$(count_words 'one two three')\" = 3 ] || fail 'three words'
[ \"$(count_words '')\" = 0 ] || fail 'no words'
[ \"$(upper 'Shout')\" = SHOUT ] || fail 'upper'
grep -q '^status: done' notes.txt || fail 'notes'
echo 'all tests passed'
";

fn project() -> Project {
    Project::new(&[
        ("README.md", "# shout\n\nRun `sh test.sh`.\n"),
        (".gitignore", "build/\n"),
        (".git/HEAD", "ref: refs/heads/main\n"),
        ("build/old.sh", "wc -l\n"),
        ("lib/count.sh", COUNT),
        ("notes.txt", "shout\r\nstatus: open\r\n"),
        ("test.sh", TEST),
    ])
}

/// What the model does, tool by tool. `forever` is a number that only this test has.
fn model(forever: &str) -> String {
    script(&[
        &[("ls", json!({}))],
        &[("find", json!({"pattern": "*.sh"})), ("grep", json!({"pattern": "wc -l"}))],
        &[
            ("read", json!({"path": "lib/count.sh"})),
            ("read", json!({"path": "test.sh"})),
            ("read", json!({"path": "notes.txt"})),
        ],
        &[("shell", json!({"command": "cat README.md; sh test.sh"}))],
        &[(
            "edit",
            json!({"path": "lib/count.sh", "edits": [
                {"oldText": "    echo \"$1\" | wc -l\n", "newText": "    echo \"$1\" | wc -w | tr -d ' '\n"},
                {"oldText": "# Counts the words", "newText": "# Says how many words there are"},
            ]}),
        )],
        &[("edit", json!({"path": "notes.txt", "edits": [{"oldText": "open", "newText": "done"}]}))],
        &[(
            "write",
            json!({"path": "lib/upper.sh", "content": "upper() {\n    echo \"$1\" | tr a-z A-Z\n}\n"}),
        )],
        &[("shell", json!({"command": "sh test.sh"}))],
        &[("shell", json!({"command": format!("echo up; sleep {forever}"), "background": true}))],
        &[("processes", json!({"action": "list"}))],
        &[("processes", json!({"action": "stop", "process": 3}))],
    ])
}

fn passes(project: &Project) -> (bool, String) {
    let output = Command::new("sh").arg("test.sh").current_dir(project.root()).output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

fn forever() -> String {
    format!("8000.{:010}", aside::system::Random::Real.next_u64() % 10_000_000_000)
}

/// What every call must have said.
fn check_calls(calls: &[(String, String, String)], forever: &str) {
    // The tests fail the first time, which is what the model is told.
    let failed = calls.iter().position(|(_, status, _)| status == "failed");
    assert_eq!(failed, Some(6));
    let expected: [(&str, &[&str], &[&str]); 14] = [
        ("ls", &["README.md", "lib/", "notes.txt", "test.sh"], &["old.sh"]),
        ("find", &["lib/count.sh", "test.sh"], &["old.sh", "README"]),
        ("grep", &["lib/count.sh", "wc -l"], &["old.sh"]),
        ("read", &["count_words() {"], &[]),
        ("read", &["no words"], &[]),
        ("read", &["status: open"], &[]),
        ("shell", &["Run `sh test.sh`", "[exit code 2]"], &["all tests passed"]),
        ("edit", &["lib/count.sh"], &[]),
        ("edit", &["notes.txt"], &[]),
        ("write", &["lib/upper.sh"], &[]),
        ("shell", &["all tests passed"], &["FAILED"]),
        ("shell", &["in the background as process 3"], &[]),
        ("processes", &[forever], &[]),
        ("processes", &[], &[]),
    ];
    assert_eq!(calls.len(), expected.len(), "{calls:#?}");
    for ((name, status, text), (tool, with, without)) in calls.iter().zip(expected) {
        assert_eq!(name, tool, "{text}");
        assert!(status == "completed" || text.contains("[exit code 2]"), "{status}: {text}");
        for word in with {
            assert!(text.contains(word), "{name} does not say {word}: {text}");
        }
        for word in without {
            assert!(!text.contains(word), "{name} says {word}: {text}");
        }
    }
}

#[test]
fn a_task_is_done_with_every_tool_and_every_effect_is_asked_for() {
    let (project, forever) = (project(), forever());
    assert!(!passes(&project).0);
    let mut server = with_programs(&model(&forever)).start();
    server.initialize();
    let session = session_in(&mut server, &project.root(), &PermissionMode::Ask);
    let prompt = server.prompt(&session, "make the tests pass");
    let asked = played(&mut server, &prompt, |_, _| json!({"optionId": "allowOnce"}));
    let titles: Vec<String> = asked.into_iter().map(|(_, title)| title).collect();
    let change = |name: &str| format!("Change {}", project.path(name).display());
    assert_eq!(
        titles,
        [
            "Run: cat README.md; sh test.sh".to_owned(),
            change("lib/count.sh"),
            change("notes.txt"),
            change("lib/upper.sh"),
            "Run: sh test.sh".to_owned(),
            format!("Run in the background: echo up; sleep {forever}"),
            format!("End echo up; sleep {forever}"),
        ]
    );
    check_calls(&calls(&mut server, &session), &forever);
    assert_eq!(processes_with(&[&forever]), [""; 0]);
    assert_eq!(passes(&project), (true, "all tests passed\n".to_owned()));
    assert_eq!(project.text("notes.txt"), "shout\r\nstatus: done\r\n");
    // Each file that was changed is an item with its lines.
    let changes: Vec<(String, String)> = items(&mut server, &session)
        .iter()
        .filter(|item| item["type"] == "fileChange")
        .map(|item| {
            assert_eq!(item["status"], "completed");
            let name = Path::new(item["path"].as_str().unwrap()).strip_prefix(project.root()).unwrap();
            (name.display().to_string(), item["kind"].as_str().unwrap().to_owned())
        })
        .collect();
    let changed = |name: &str, kind: &str| (name.to_owned(), kind.to_owned());
    assert_eq!(
        changes,
        [changed("lib/count.sh", "modify"), changed("notes.txt", "modify"), changed("lib/upper.sh", "add")]
    );
}

/// An editor with files open, one of them with words that were never saved.
struct Editor {
    buffers: BTreeMap<String, String>,
    changed: Vec<String>,
}

impl Editor {
    fn serve(&mut self, method: &str, params: &Value) -> Value {
        let path = || params["path"].as_str().unwrap().to_owned();
        match method {
            "readFile" => json!({"text": self.buffers.get(&path()), "version": "1"}),
            "applyEdit" => {
                let path = path();
                let text = self.buffers.get(&path).cloned();
                let text = text.unwrap_or_else(|| std::fs::read_to_string(&path).unwrap_or_default());
                let text = edited(text, params["edits"].as_array().unwrap());
                // This one saves at once.
                std::fs::write(&path, &text).unwrap();
                self.buffers.insert(path.clone(), text);
                self.changed.push(path);
                json!({"applied": true})
            }
            _ => json!({"optionId": "allowOnce"}),
        }
    }
}

/// Edits stand in descending order, so that none moves the next.
fn edited(mut text: String, edits: &[Value]) -> String {
    for edit in edits {
        let at = |line: &str, byte: &str| {
            let line = usize::try_from(edit[line].as_u64().unwrap()).unwrap();
            let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
            start + usize::try_from(edit[byte].as_u64().unwrap()).unwrap()
        };
        let range = at("startLine", "startByte")..at("endLine", "endByte");
        text.replace_range(range, edit["text"].as_str().unwrap());
    }
    text
}

#[test]
fn the_same_is_done_in_the_buffers_of_an_editor() {
    let (project, forever) = (project(), forever());
    let mut server = with_programs(&model(&forever)).start();
    initialize_as_editor(&mut server);
    let count = project.path("lib/count.sh").display().to_string();
    let mut editor = Editor {
        buffers: BTreeMap::from([(count.clone(), format!("# Not saved yet.\n{COUNT}"))]),
        changed: Vec::new(),
    };
    let session = session_in(&mut server, &project.root(), &PermissionMode::Ask);
    let prompt = server.prompt(&session, "make the tests pass");
    played(&mut server, &prompt, |method, params| editor.serve(method, params));
    let done = calls(&mut server, &session);
    check_calls(&done, &forever);
    // The model saw what was not saved, and its edit did not lose it.
    assert!(done[3].2.contains("Not saved yet."), "{}", done[3].2);
    assert!(editor.changed.contains(&count), "{:?}", editor.changed);
    let text = project.text("lib/count.sh");
    assert!(text.starts_with("# Not saved yet.\n# Says how many words there are"), "{text}");
    assert_eq!(passes(&project), (true, "all tests passed\n".to_owned()));
    assert_eq!(project.text("notes.txt"), "shout\r\nstatus: done\r\n");
}

fn initialize_as_editor(server: &mut TestServer) {
    let capabilities = ClientCapabilities {
        request_permission: true,
        read_file: true,
        apply_edit: true,
        ..ClientCapabilities::default()
    };
    server
        .request::<method::Initialize>(&InitializeParams {
            capabilities: Some(capabilities),
            ..InitializeParams::default()
        })
        .unwrap();
}

#[test]
fn an_edit_that_the_editor_refuses_changes_nothing_and_the_model_hears_why() {
    let project = project();
    let edit = json!({"path": "lib/count.sh", "edits": [{"oldText": "wc -l", "newText": "wc -w"}]});
    let model = script(&[&[("read", json!({"path": "lib/count.sh"}))], &[("edit", edit)]]);
    let mut server = with_programs(&model).start();
    initialize_as_editor(&mut server);
    let session = session_in(&mut server, &project.root(), &PermissionMode::AcceptEdits);
    let prompt = server.prompt(&session, "go");
    played(&mut server, &prompt, |method, _| match method {
        "readFile" => json!({"text": COUNT, "version": "7"}),
        "applyEdit" => json!({"applied": false, "reason": "the buffer has changed"}),
        _ => panic!("{method} was not expected"),
    });
    let done = calls(&mut server, &session);
    assert_eq!(done[1].1, "failed");
    assert!(done[1].2.contains("the buffer has changed"), "{}", done[1].2);
    assert_eq!(project.text("lib/count.sh"), COUNT);
}

#[cfg(unix)]
#[test]
fn what_only_shows_a_file_of_the_project_is_not_asked_about() {
    let project = Project::new(&[
        ("a.txt", "alpha\n"),
        ("sub/b.txt", "beta\n"),
        (".env", "KEY=planted-canary\n"),
        ("id_rsa", "planted-canary\n"),
    ]);
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("far.txt"), "planted-canary\n").unwrap();
    std::os::unix::fs::symlink(outside.path(), project.path("out")).unwrap();
    let unasked = [
        "ls",
        "ls -la sub",
        "cat a.txt",
        "cat sub/../a.txt | wc -l",
        "cd sub && cat b.txt",
        "grep -n alpha a.txt > /dev/null",
        "head -n 1 a.txt sub/b.txt",
    ];
    let asked = [
        "cat .env",
        "head -n 1 ./sub/../.env",
        "cat id_rsa",
        "cat out/far.txt",
        "cd out && cat far.txt",
        "cat < out/far.txt",
        "cat /etc/passwd",
        "cat *.txt",
        "cat $HOME/x",
        "cat sub/none/../../out/far.txt",
        "ln -s /etc/passwd sub/p && cat sub/p",
        "cat a.txt > sub/new.txt",
        "ls ..",
    ];
    let turns: Vec<(&str, Value)> =
        unasked.iter().chain(&asked).map(|line| ("shell", json!({"command": line}))).collect();
    let turns: Vec<&[(&str, Value)]> = turns.chunks(1).collect();
    let mut server = with_programs(&script(&turns)).start();
    server.initialize();
    let session = session_in(&mut server, &project.root(), &PermissionMode::Ask);
    let prompt = server.prompt(&session, "go");
    let questions = played(&mut server, &prompt, |_, _| json!({"optionId": "rejectOnce"}));
    let titles: Vec<String> = asked.iter().map(|line| format!("Run: {line}")).collect();
    assert_eq!(questions.iter().map(|(_, title)| title.clone()).collect::<Vec<_>>(), titles);
    let done = calls(&mut server, &session);
    for (at, (_, status, text)) in done.iter().enumerate() {
        let expected = if at < unasked.len() { "completed" } else { "failed" };
        assert_eq!(status, expected, "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
    assert!(!project.path("sub/new.txt").exists() && !project.path("sub/p").exists());
}
