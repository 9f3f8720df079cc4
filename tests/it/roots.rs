//! Several folders in one session: what lies in any of them is inside, what only looks like it is not.

use std::path::{Path, PathBuf};

use aside_protocol::{ClientCapabilities, InitializeParams, method};
use serde_json::{Value, json};

use crate::provider::completions;
use crate::server::{Setup, TestServer, Upstream};

/// Two folders beside each other, and what is around them.
struct Place {
    base: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        for folder in ["one", "two/sub", "two-evil", "outside"] {
            std::fs::create_dir_all(base.path().join(folder)).unwrap();
        }
        for file in ["one/a.txt", "two/b.txt", "two/sub/c.txt", "two-evil/e.txt", "outside/o.txt", "top.txt"]
        {
            std::fs::write(base.path().join(file), format!("{file}\n")).unwrap();
        }
        Self { base }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.base.path().canonicalize().unwrap().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

fn initialized(setup: Setup) -> TestServer {
    let mut server = setup.start();
    server
        .request::<method::Initialize>(&InitializeParams {
            capabilities: Some(ClientCapabilities {
                request_permission: true,
                ..ClientCapabilities::default()
            }),
            ..InitializeParams::default()
        })
        .unwrap();
    server
}

/// A server whose model makes these calls, one after the other.
fn calling(calls: &[(&str, Value)]) -> TestServer {
    let mut script = String::new();
    for (name, arguments) in calls {
        let call = json!({"toolCall": {"name": name, "arguments": arguments}});
        script.extend([&call.to_string(), "\n{\"turn\":true}\n"]);
    }
    initialized(TestServer::new().script(&(script + r#"{"text":"Done."}"#)))
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Met {
    Ran,
    Asked,
}

/// Plays a prompt: what of its calls was asked about, and denied. The results come with it.
fn play(server: &mut TestServer, session: &str) -> Vec<(Met, String)> {
    let before = tools(server, session).len();
    let prompt = server.prompt(session, "go");
    let mut asked = Vec::new();
    loop {
        let message = server
            .find(|message| message.answers(&prompt.0) || message.method() == Some("requestPermission"));
        let Some(id) = message.id().filter(|_| message.method().is_some()) else { break };
        asked.push(message.json["params"]["itemId"].clone());
        server.reply(&id, &json!({"optionId": "rejectOnce"}));
    }
    server.forget();
    let met = |item: &Value| if asked.contains(&item["id"]) { Met::Asked } else { Met::Ran };
    let tools = tools(server, session);
    tools[before..].iter().map(|item| (met(item), item["text"].as_str().unwrap().to_owned())).collect()
}

fn tools(server: &mut TestServer, session: &str) -> Vec<Value> {
    let opened = server.call("openSession", &json!({"sessionId": session}));
    let items = opened["snapshot"]["items"].as_array().unwrap().clone();
    items.into_iter().filter(|item| item["type"] == "toolCall").collect()
}

fn begin(server: &mut TestServer, params: &Value) -> String {
    let made = server.call("newSession", params);
    made["sessionId"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

#[test]
fn what_lies_in_any_of_the_folders_is_inside() {
    let place = Place::new();
    std::os::unix::fs::symlink(place.path("two"), place.path("one/link")).unwrap();
    let (b, c) = (place.text("two/b.txt"), place.text("two/sub/c.txt"));
    let calls = [
        ("read", json!({"path": "a.txt"})),
        ("read", json!({"path": b})),
        ("read", json!({"path": "../two/b.txt"})),
        ("read", json!({"path": "link/sub/c.txt"})),
        ("ls", json!({"path": place.text("two")})),
        ("grep", json!({"pattern": "sub/c", "path": place.text("two")})),
        ("find", json!({"pattern": "*.txt", "path": "../two"})),
        ("edit", json!({"path": c, "edits": [{"oldText": "c.txt", "newText": "C.TXT"}]})),
        ("write", json!({"path": place.text("two/new/n.txt"), "content": "n\n"})),
    ];
    let mut server = calling(&calls);
    let session = begin(
        &mut server,
        &json!({
            "cwd": place.path("one"), "additionalDirectories": [place.path("two")],
            "permissionMode": "acceptEdits",
        }),
    );
    let met = play(&mut server, &session);
    assert_eq!(met.len(), calls.len());
    for ((met, text), call) in met.iter().zip(&calls) {
        assert_eq!(*met, Met::Ran, "{call:?}: {text}");
    }
    assert!(met[1].1.contains("two/b.txt") && met[5].1.contains("c.txt"), "{met:?}");
    assert_eq!(std::fs::read_to_string(place.path("two/sub/c.txt")).unwrap(), "two/sub/C.TXT\n");
    assert_eq!(std::fs::read_to_string(place.path("two/new/n.txt")).unwrap(), "n\n");
}

#[test]
fn what_only_looks_like_it_is_outside() {
    let place = Place::new();
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(place.path(to), place.path(at)).unwrap();
    link("outside", "two/out");
    link("outside/o.txt", "two/o.txt");
    link("two", "outside/back");
    link("top.txt", "one/top.txt");
    std::fs::create_dir_all(place.path("two/.git/hooks")).unwrap();
    let outside: Vec<String> = [
        "two/../top.txt",
        "two/../outside/o.txt",
        "two/sub/../../outside/o.txt",
        "two-evil/e.txt",
        "two/../two-evil/e.txt",
        "two/out/o.txt",
        "two/o.txt",
        "one/top.txt",
        "one/../two/../top.txt",
        "outside/back/../o.txt",
    ]
    .iter()
    .map(|path| place.base.path().join(path).display().to_string())
    .chain(["../top.txt", "../outside/o.txt", "../two/out/o.txt", "../two-evil/e.txt"].map(str::to_owned))
    .collect();
    let mut calls: Vec<(&str, Value)> = Vec::new();
    for path in &outside {
        calls.push(("read", json!({"path": path})));
        calls.push(("write", json!({"path": path, "content": "gone\n"})));
    }
    // What is guarded is guarded in every folder.
    for path in ["two/.git/hooks/pre-commit", "two/.vscode/settings.json", "two/.github/workflows/x.yml"] {
        calls.push(("write", json!({"path": place.text(path), "content": "gone\n"})));
    }
    calls.push(("read", json!({"path": place.text("two/.env")})));
    std::fs::write(place.path("two/.env"), "KEY=1\n").unwrap();
    let mut server = calling(&calls);
    let session = begin(
        &mut server,
        &json!({
            "cwd": place.path("one"), "additionalDirectories": [place.path("two")],
            "permissionMode": "acceptEdits",
        }),
    );
    let met = play(&mut server, &session);
    assert_eq!(met.len(), calls.len());
    for ((met, text), call) in met.iter().zip(&calls) {
        assert_eq!(*met, Met::Asked, "{call:?}: {text}");
        assert!(!text.contains("o.txt\n") && !text.contains("KEY=1"), "{call:?}: {text}");
    }
    for file in ["two-evil/e.txt", "outside/o.txt", "top.txt"] {
        assert_eq!(std::fs::read_to_string(place.path(file)).unwrap(), format!("{file}\n"));
    }
}

#[test]
fn folders_are_checked_and_merged() {
    let place = Place::new();
    std::os::unix::fs::symlink(place.path("two"), place.path("again")).unwrap();
    let mut server = initialized(TestServer::new());
    let cwd = place.text("one");
    let session = begin(&mut server, &json!({"cwd": cwd}));
    std::fs::create_dir_all(place.path("one/.git/hooks")).unwrap();
    let two = || place.text("two");
    let long: Vec<String> = (0..40).map(|_| two()).collect();
    for (folders, wrong) in [
        (json!(["two"]), "/additionalDirectories/0"),
        (json!([two(), "../two"]), "/additionalDirectories/1"),
        (json!([""]), "/additionalDirectories/0"),
        (json!([two() + "\0"]), "/additionalDirectories/0"),
        (json!([two(), place.text("nothing")]), "/additionalDirectories/1"),
        (json!([place.text("top.txt")]), "/additionalDirectories/0"),
        (json!(["~"]), "/additionalDirectories/0"),
        (json!([7]), "/additionalDirectories/0"),
        (json!("two"), "/additionalDirectories"),
        (json!(long), "/additionalDirectories"),
    ] {
        for (name, params) in [
            ("newSession", json!({"cwd": cwd, "additionalDirectories": folders})),
            ("configureSession", json!({"sessionId": session, "additionalDirectories": folders})),
        ] {
            let error = server.call(name, &params);
            assert_eq!(
                (&error["code"], &error["data"]["path"]),
                (&json!(-32602), &json!(wrong)),
                "{params} {error}"
            );
        }
    }
    for (given, kept) in [
        (json!([]), json!([])),
        (json!([two()]), json!([two()])),
        (json!([two(), two() + "/", place.text("again"), place.text("one/../two")]), json!([two()])),
        (json!([place.text("two/sub"), two()]), json!([two()])),
        (json!([two(), place.text("two/sub")]), json!([two()])),
        // Within the working folder there is nothing to be gained, least of all for what is guarded there.
        (json!([cwd, place.text("one/.git/hooks")]), json!([])),
        (json!([place.text("two-evil"), two()]), json!([place.text("two-evil"), two()])),
        (json!([place.text(".")]), json!([place.text(".")])),
    ] {
        let made = server.call("newSession", &json!({"cwd": cwd, "additionalDirectories": given}));
        assert_eq!(made["session"]["additionalDirectories"], kept, "{given} {made}");
        let params = json!({"sessionId": session, "additionalDirectories": given});
        let changed = server.call("configureSession", &params);
        assert_eq!(changed["session"]["additionalDirectories"], kept, "{given} {changed}");
        assert_eq!(server.until("sessionChanged")["session"]["additionalDirectories"], kept);
    }
}

#[test]
fn folders_come_and_go_and_are_kept() {
    let place = Place::new();
    let read = |path: PathBuf| ("read", json!({"path": path}));
    let mut server = calling(&[read(place.path("two/b.txt"))]);
    let session = begin(&mut server, &json!({"cwd": place.path("one")}));
    let folders = |server: &mut TestServer, session: &str, folders: &[PathBuf]| {
        let params = json!({"sessionId": session, "additionalDirectories": folders});
        let changed = server.call("configureSession", &params);
        assert_eq!(changed["session"]["additionalDirectories"], json!(folders), "{changed}");
        server.forget();
    };
    assert_eq!(play(&mut server, &session)[0].0, Met::Asked);
    folders(&mut server, &session, &[place.path("two"), place.path("outside")]);
    // A change of something else leaves them.
    let changed = server.call("configureSession", &json!({"sessionId": session, "thinking": "low"}));
    assert_eq!(changed["session"]["additionalDirectories"].as_array().unwrap().len(), 2);
    server.forget();
    for _ in 0..2 {
        server.call("closeSession", &json!({"sessionId": session}));
        let opened = server.call("openSession", &json!({"sessionId": session}));
        assert_eq!(
            opened["session"]["additionalDirectories"],
            json!([place.path("two"), place.path("outside")])
        );
    }
    let fork = server.call("forkSession", &json!({"sessionId": session}))["session"].clone();
    assert_eq!(fork["additionalDirectories"], json!([place.path("two"), place.path("outside")]));
    // One that is gone holds nothing, which is told, and the others are as they were.
    server.call("closeSession", &json!({"sessionId": session}));
    std::fs::remove_dir_all(place.path("outside")).unwrap();
    let opened = server.call("openSession", &json!({"sessionId": session}));
    let items = opened["snapshot"]["items"].as_array().unwrap();
    let notice = items.iter().find(|item| item["type"] == "notice").unwrap();
    assert!(notice["text"].as_str().unwrap().contains(&place.text("outside")), "{notice}");
    server.forget();
    // The answer of an asked-about call was its script's last; a session of its own plays it anew.
    let again =
        begin(&mut server, &json!({"cwd": place.path("one"), "additionalDirectories": [place.path("two")]}));
    std::fs::rename(place.path("two"), place.path("moved")).unwrap();
    assert!(place.path("moved").is_dir());
    let (_, text) = play(&mut server, &again).remove(0);
    assert!(!text.contains("two/b.txt\n"), "{text}");
    server.forget();
}

#[test]
fn a_removed_folder_is_outside_again() {
    let place = Place::new();
    let b = place.path("two/b.txt");
    let mut server = calling(&[("read", json!({"path": b})), ("read", json!({"path": b, "limit": 1}))]);
    let params = json!({"cwd": place.path("one"), "additionalDirectories": [place.path("two")]});
    let session = begin(&mut server, &params);
    let prompt = server.prompt(&session, "go");
    server.expect_turn_end(&prompt);
    assert!(tools(&mut server, &session).iter().all(|item| item["status"] == "completed"));
    let fork =
        server.call("forkSession", &json!({"sessionId": session, "itemId": "i1"}))["sessionId"].clone();
    let fork = fork.as_str().unwrap();
    server.call("configureSession", &json!({"sessionId": fork, "additionalDirectories": []}));
    server.forget();
    let met = play(&mut server, fork);
    assert!(!met.is_empty() && met.iter().all(|(met, _)| *met == Met::Asked), "{met:?}");
}

#[test]
fn the_model_is_told_of_them() {
    let place = Place::new();
    let upstream = Upstream::start();
    upstream.provider.always(completions::answer(&["Hi."]));
    let mut server = initialized(TestServer::new().upstream(&upstream));
    let params = json!({"cwd": place.path("one"), "additionalDirectories": [place.path("two")]});
    let session = begin(&mut server, &params);
    let system = |index: usize| upstream.request(index).json()["messages"][0]["content"].to_string();
    let prompt = server.prompt(&session, "hi");
    server.expect_turn_end(&prompt);
    assert!(system(0).contains(&format!("Further folders: {}", place.text("two"))), "{}", system(0));
    server.call("configureSession", &json!({"sessionId": session, "additionalDirectories": []}));
    let prompt = server.prompt(&session, "hi");
    server.expect_turn_end(&prompt);
    assert!(!system(1).contains("Further"), "{}", system(1));
    server.forget();
}

/// Its rules hold too: a folder may restrict what is done in the session.
#[test]
fn the_rules_of_a_further_folder_count() {
    let place = Place::new();
    let rules = place.path("two/.aside");
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(rules.join("settings.json"), r#"{"permissions":{"deny":["read(sub/**)"]}}"#).unwrap();
    let path = |name: &str| -> PathBuf { Path::new(&place.text("two")).join(name) };
    let mut server =
        calling(&[("read", json!({"path": path("b.txt")})), ("read", json!({"path": path("sub/c.txt")}))]);
    let params = json!({"cwd": place.path("one"), "additionalDirectories": [place.path("two")]});
    let session = begin(&mut server, &params);
    play(&mut server, &session);
    let tools = tools(&mut server, &session);
    assert_eq!(
        (&tools[0]["status"], &tools[1]["status"]),
        (&json!("completed"), &json!("failed")),
        "{tools:?}"
    );
}
