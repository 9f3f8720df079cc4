//! What is never touched unasked, whatever the mode: protected files, and what lies outside of the project.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aside::tools::workspace::guarded::protected_names;
use aside_protocol::PermissionMode;
use serde_json::{Value, json};

use super::{Project, calls, played, script, session_in, with_programs};

const MODES: [PermissionMode; 4] =
    [PermissionMode::Plan, PermissionMode::Ask, PermissionMode::AcceptEdits, PermissionMode::Full];

/// Everything below a folder, with the content of its files.
fn all(folder: &Path) -> BTreeSet<(PathBuf, Vec<u8>)> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path.clone());
                found.insert((path, Vec::new()));
            } else {
                let bytes = std::fs::read(&path).unwrap_or_default();
                found.insert((path, bytes));
            }
        }
    }
    found
}

/// Plays `turns` in every mode, every question answered with no. Returns for each call of each mode its name, its
/// arguments, its status and its result, and how many questions were put.
fn refused(
    project: &Project,
    turns: &[(&str, Value)],
    mode: &PermissionMode,
) -> (Vec<(String, String, String)>, usize) {
    let turns: Vec<&[(&str, Value)]> = turns.chunks(1).collect();
    let settings = json!({"permissions": {"allowFull": true}, "limits": {"maxCallsPerTurn": 1000}});
    let mut server = with_programs(&script(&turns)).settings(&settings.to_string()).start();
    server.initialize();
    let session = session_in(&mut server, &project.root(), mode);
    let prompt = server.prompt(&session, "go");
    let asked = played(&mut server, &prompt, |method, _| {
        assert_eq!(method, "requestPermission");
        json!({"optionId": "rejectOnce"})
    });
    (calls(&mut server, &session), asked.len())
}

#[test]
fn protected_files_are_changed_in_no_mode_unasked() {
    let names: Vec<String> = protected_names().map(|names| names.join("/")).collect();
    assert!(names.len() > 100, "{}", names.len());
    let mut turns = Vec::new();
    for (at, name) in names.iter().enumerate() {
        // What is a folder by its nature is one here too: the file below it is what is written.
        let path = if at % 2 == 0 { name.clone() } else { format!("sub/{name}/file") };
        turns.push(("write", json!({"path": path, "content": "planted"})));
        turns.push(("shell", json!({"command": format!("echo planted > './{path}'")})));
    }
    let calls_a_mode = turns.len();
    for mode in MODES {
        let project = Project::new(&[("a.txt", "alpha\n")]);
        let before = all(&project.root());
        let (done, asked) = refused(&project, &turns, &mode);
        assert_eq!(done.len(), calls_a_mode);
        for ((name, status, text), (_, arguments)) in done.iter().zip(&turns) {
            assert_eq!(status, "failed", "{mode:?} {name} {arguments}: {text}");
        }
        let expected = if mode == PermissionMode::Plan { 0 } else { calls_a_mode };
        assert_eq!(asked, expected, "{mode:?}");
        assert_eq!(all(&project.root()), before, "{mode:?}");
    }
    println!("{} names, {calls_a_mode} calls in each of {} modes: none unasked", names.len(), MODES.len());
}

/// Paths that lead out of the project `root` to `outside`, which holds `far.txt`.
fn escapes(root: &Path, outside: &Path) -> Vec<String> {
    let absolute = outside.join("far.txt").display().to_string();
    let up = "../".repeat(root.components().count() + 3);
    let relative = format!("{up}{}", absolute.trim_start_matches('/'));
    let beside = outside.file_name().unwrap().to_str().unwrap();
    let mut paths = vec![
        absolute.clone(),
        relative.clone(),
        format!("sub/../{relative}"),
        format!("./{relative}"),
        format!("sub/./../{relative}"),
        format!("/proc/self/root{absolute}"),
        format!("/proc/self/cwd/{relative}"),
        format!("//{}", absolute.trim_start_matches('/')),
        format!("/.{absolute}"),
        format!("/./{absolute}"),
        format!("../{beside}/far.txt"),
        format!("../{beside}/./far.txt"),
        format!("../{beside}/deep/../far.txt"),
        format!("sub/../../{beside}/far.txt"),
        format!("{}/../{beside}/far.txt", root.display()),
        format!("file://{absolute}"),
    ];
    for link in
        ["out", "sub/out", "hop", "chain/out", "sub/../out", "./out", "out/.", "out/deep/..", "sub/up"]
    {
        paths.push(format!("{link}/far.txt"));
    }
    paths.push("far-link".to_owned());
    paths.push("sub/far-link".to_owned());
    paths
}

#[cfg(unix)]
#[test]
fn nothing_outside_is_reached_unasked_by_any_tool_in_any_mode() {
    use std::os::unix::fs::symlink;
    let mut tried = 0;
    for mode in [PermissionMode::Plan, PermissionMode::Ask, PermissionMode::AcceptEdits] {
        let project = Project::new(&[("a.txt", "alpha\n"), ("sub/b.txt", "beta\n")]);
        let outside = tempfile::tempdir().unwrap();
        let far = std::fs::canonicalize(outside.path()).unwrap();
        std::fs::write(far.join("far.txt"), "planted-canary\n").unwrap();
        std::fs::create_dir(far.join("deep")).unwrap();
        symlink(&far, project.path("out")).unwrap();
        symlink(&far, project.path("sub/out")).unwrap();
        symlink("out", project.path("hop")).unwrap();
        symlink("sub", project.path("chain")).unwrap();
        symlink("../out", project.path("sub/up")).unwrap();
        symlink(far.join("far.txt"), project.path("far-link")).unwrap();
        symlink("../far-link", project.path("sub/far-link")).unwrap();
        let mut turns = Vec::new();
        for path in escapes(&project.root(), &far) {
            let folder = path.strip_suffix("/far.txt").unwrap_or(&path).to_owned();
            turns.push(("read", json!({"path": path})));
            turns.push(("ls", json!({"path": folder})));
            turns.push(("find", json!({"pattern": "*", "path": folder})));
            turns.push(("grep", json!({"pattern": "planted", "path": path})));
            turns.push(("write", json!({"path": format!("{folder}/new.txt"), "content": "x"})));
            turns.push(("edit", json!({"path": path, "edits": [{"oldText": "planted", "newText": "x"}]})));
            turns.push(("shell", json!({"command": format!("cat '{path}'")})));
            turns.push(("shell", json!({"command": format!("echo x > '{path}'")})));
            turns.push(("shell", json!({"command": "touch new.txt", "cwd": folder})));
        }
        tried += turns.len();
        let before = (all(&project.root()), all(&far));
        let (done, _) = refused(&project, &turns, &mode);
        assert_eq!(done.len(), turns.len());
        for ((name, status, text), (_, arguments)) in done.iter().zip(&turns) {
            assert_eq!(status, "failed", "{mode:?} {name} {arguments}: {text}");
            assert!(!text.contains("canary"), "{mode:?} {name} {arguments}: {text}");
        }
        assert_eq!((all(&project.root()), all(&far)), before, "{mode:?}");
    }
    assert!(tried >= 400, "{tried}");
    println!("{tried} calls that lead outside: none got there unasked");
}
