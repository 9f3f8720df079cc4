//! Rules of the house that a compiler does not hold: who may know whom, what lies where, how files begin.
//!
//! Every rule is a function from a file to its faults, so that a made-up bad file shows that it bites.
//! The picture of the rooms is drawn in `docs/architecture.md`.

mod rust;

use std::fs;
use std::path::Path;
use std::process::Command;

use rust::{behind, heads, tokens};

/// The rooms from left to right, with their rank. A room may use the rooms of a greater rank.
const ROOMS: &[(&str, usize)] = &[
    ("cli", 0),
    ("doors", 1),
    ("engine", 2),
    ("tools", 3),
    ("models", 3),
    ("accounts", 4),
    ("catalog", 5),
    ("net", 6),
    ("settings", 7),
    ("system", 8),
];

/// Files that belong to no room: they put the rooms together.
const FRONT: &[&str] = &["main", "lib"];

/// Files and folders of `src/models` that are plain functions of data.
const PURE: &[&str] =
    &["wires", "frames", "delta", "message", "fault", "handoff", "fold", "json", "overflow"];

/// What may lie at the top level, beside dot-files.
const TOP: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "protocol",
    "src",
    "editors",
    "tests",
    "docs",
    "README.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
];

/// The longest that a file of `src` may be.
const LINES: usize = 900;

/// The files that every delta passes: see rule 8 of docs/architecture.md.
const DELTA_WAY: &[&str] = &[
    "src/models/frames.rs",
    "src/models/frames/event_stream.rs",
    "src/models/frames/sse.rs",
    "src/models/http.rs",
    "src/models/wires/anthropic_messages/event.rs",
    "src/models/wires/anthropic_messages/stream.rs",
    "src/models/wires/google/arguments.rs",
    "src/models/wires/google/chunk.rs",
    "src/models/wires/google/stream.rs",
    "src/models/wires/mistral_conversations/chunk.rs",
    "src/models/wires/mistral_conversations/stream.rs",
    "src/models/wires/openai_completions/mold.rs",
    "src/models/wires/openai_responses/event.rs",
    "src/models/wires/openai_responses/slot.rs",
    "src/models/wires/openai_responses/stream.rs",
    "src/engine/outbox.rs",
    "src/engine/transcript.rs",
    "src/doors/lines.rs",
    "src/doors/lines/block.rs",
    "src/doors/lines/content.rs",
    "src/doors/lines/fences.rs",
    "src/doors/lines/tree.rs",
    "src/doors/lines/writer.rs",
    "src/doors/native/drawn.rs",
    "src/doors/native/project.rs",
    "src/doors/framing.rs",
];

/// Tests that may sleep, each with the reason why no message and no paused clock will do.
const SLEEPERS: &[(&str, &str)] = &[];

// Written in pieces, because these rules read this file too.
const IGNORE: &str = concat!("#[", "ignore");
const MACHINE: &[&str] = &[concat!("/", "work/"), concat!("/tmp/", "wt")];

struct File {
    /// Relative to the root, with slashes.
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder, committed or not.
fn below(folder: &str) -> Vec<File> {
    let mut files = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let path = format!("{folder}/{name}");
            let hidden =
                name.starts_with('.') || ["target", "node_modules", "__pycache__"].contains(&name.as_str());
            if entry.file_type().unwrap().is_dir() {
                if !hidden {
                    waiting.push(path);
                }
            } else {
                let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
                files.push(File { path, text });
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

fn rust_below(folder: &str) -> Vec<File> {
    let mut files = below(folder);
    files.retain(|file| Path::new(&file.path).extension().is_some_and(|extension| extension == "rs"));
    assert!(!files.is_empty(), "no Rust files below {folder}");
    files
}

/// The committed paths; `None` where this is no checkout.
fn committed() -> Option<Vec<String>> {
    let output = Command::new("git").arg("-C").arg(root()).args(["ls-files", "-z"]).output().ok()?;
    let listing = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    let paths: Vec<String> = listing.split_terminator('\0').map(str::to_owned).collect();
    (!paths.is_empty()).then_some(paths)
}

/// What lies at the top level.
fn top() -> Vec<String> {
    let mut names: Vec<String> = match committed() {
        Some(paths) => paths.iter().filter_map(|path| path.split('/').next()).map(str::to_owned).collect(),
        None => fs::read_dir(root())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "target")
            .collect(),
    };
    names.sort();
    names.dedup();
    names
}

#[track_caller]
fn hold<'a>(files: impl IntoIterator<Item = &'a File>, rule: impl Fn(&str, &str) -> Vec<String>) {
    let faults: Vec<String> = files.into_iter().flat_map(|file| rule(&file.path, &file.text)).collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

fn rank(room: &str) -> Option<usize> {
    ROOMS.iter().find(|(name, _)| *name == room).map(|(_, rank)| *rank)
}

/// `src/models/wires/a.rs` as `["models", "wires", "a"]`.
fn module(path: &str) -> Vec<&str> {
    let path = path.strip_prefix("src/").unwrap_or(path);
    path.strip_suffix(".rs").unwrap_or(path).split('/').collect()
}

/// Arrows that are not in the picture.
fn arrows(path: &str, text: &str) -> Vec<String> {
    let module = module(path);
    let room = module[0];
    if FRONT.contains(&room) {
        return Vec::new();
    }
    let Some(own) = rank(room) else { return vec![format!("{path}: `{room}` is not a room")] };
    let tokens = tokens(text);
    let mut targets = behind(&tokens, "crate");
    // Enough `super`s lead out of the room.
    let mut chain = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "super" => chain += 1,
            "::" if chain > 0 => {}
            _ => chain = 0,
        }
        let next = tokens.get(at + 2).map(|token| token.text.as_str());
        if token.text == "super" && chain >= module.len() && next != Some("super") {
            targets.extend(
                heads(tokens.get(at + 2..).unwrap_or_default())
                    .into_iter()
                    .filter(|target| rank(&target.text).is_some()),
            );
        }
    }
    let mut faults = Vec::new();
    for target in targets {
        let allowed = target.text == room || rank(&target.text).is_some_and(|rank| rank > own);
        if !allowed {
            faults.push(format!("{path}:{}: `{room}` may not use `{}`", target.line, target.text));
        }
    }
    if !["cli", "doors"].contains(&room) {
        for token in tokens.iter().filter(|token| token.text == "aside_protocol") {
            faults.push(format!("{path}:{}: `{room}` may not know the protocol", token.line));
        }
    }
    faults
}

/// Effects in the files that are to be plain functions of data.
fn effects(path: &str, text: &str) -> Vec<String> {
    let module = module(path);
    if module[0] != "models" || !module.get(1).is_some_and(|file| PURE.contains(file)) {
        return Vec::new();
    }
    let tokens = tokens(text);
    let mut found: Vec<_> = tokens
        .iter()
        .filter(|token| ["tokio", "tokio_util", "reqwest"].contains(&token.text.as_str()))
        .collect();
    // What faults are called is no effect, and `fault` passes it on.
    let net = if module[1] == "fault" { "" } else { "net" };
    for (first, banned) in [("crate", ["accounts", "system", net]), ("std", ["time", "env", ""])] {
        found
            .extend(behind(&tokens, first).into_iter().filter(|token| banned.contains(&token.text.as_str())));
    }
    found.iter().map(|token| format!("{path}:{}: may not use `{}`", token.line, token.text)).collect()
}

fn misplaced(name: &str) -> bool {
    !name.starts_with('.') && !TOP.contains(&name)
}

/// Locks, tasks and JSON trees where every delta passes.
fn heavy(path: &str, text: &str) -> Vec<String> {
    if !DELTA_WAY.contains(&path) {
        return Vec::new();
    }
    let words = ["Mutex", "RwLock", "spawn(", "serde_json::Value", "block_on"];
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let heavy = code.flat_map(|line| words.iter().filter(move |word| line.contains(**word)));
    heavy.map(|word| format!("{word} on the way of a delta")).collect()
}

fn headless(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if !text.starts_with("//! ") {
        faults.push(format!("{path}:1: does not begin with `//!`: what it is for, what it must never do"));
    }
    if path.ends_with("/mod.rs") {
        faults.push(format!("{path}: is to be named after its module, beside the module's folder"));
    }
    faults
}

fn ignored(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate().filter(|(_, line)| line.contains(IGNORE));
    lines.map(|(at, _)| format!("{path}:{}: a test is ignored", at + 1)).collect()
}

fn sleeps(path: &str, text: &str) -> Vec<String> {
    if SLEEPERS.iter().any(|(sleeper, _)| *sleeper == path) {
        return Vec::new();
    }
    let tokens = tokens(text);
    ["thread", "time"]
        .into_iter()
        .flat_map(|home| behind(&tokens, home))
        .filter(|token| ["sleep", "sleep_ms", "sleep_until"].contains(&token.text.as_str()))
        .map(|token| format!("{path}:{}: sleeps; wait for a message or pause the clock", token.line))
        .collect()
}

fn overlong(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines > LINES { vec![format!("{path}: has {lines} lines, {LINES} are allowed")] } else { Vec::new() }
}

fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for named in MACHINE {
            // Inside another path it means nothing.
            let alone = line.match_indices(named).any(|(start, _)| {
                !line[..start].ends_with(|before: char| before.is_alphanumeric() || "._-}$)".contains(before))
            });
            if alone {
                faults.push(format!("{path}:{}: names a folder of one machine, {named}", at + 1));
            }
        }
    }
    faults
}

#[test]
fn arrows_between_rooms_point_right() {
    hold(&rust_below("src"), arrows);
}

#[test]
fn wrong_arrows_are_caught() {
    for (path, line) in [
        ("src/engine.rs", "use crate::doors::Peer;"),
        ("src/engine.rs", "fn f() -> crate::cli::Args {}"),
        ("src/engine/turn.rs", "use crate::{models::Delta, doors};"),
        ("src/tools/read.rs", "use crate::models::Delta;"),
        ("src/models.rs", "use crate::tools;"),
        ("src/settings/load.rs", "use super::super::catalog::Model;"),
        ("src/system.rs", "use super::settings::Settings;"),
        ("src/system.rs", "use super::{settings, system};"),
        ("src/system.rs", "macro_rules! m { () => { $crate::engine::go() } }"),
        ("src/engine/turn.rs", "use aside_protocol::Event;"),
        ("src/accounts.rs", "use aside_protocol as wire;"),
        ("src/engine.rs", "use crate::helpers::go;"),
        ("src/helpers.rs", ""),
    ] {
        assert_eq!(arrows(path, line).len(), 1, "{path}: {line}");
    }
    for (path, line) in [
        ("src/engine.rs", "use crate::{engine::turn, models::Delta, system};"),
        ("src/engine.rs", "// use crate::doors::Peer;"),
        ("src/models/http.rs", "use super::super::system::Clock; use super::demo;"),
        ("src/models/http/tests.rs", "use super::super::demo::tools;"),
        ("src/doors/native.rs", "use aside_protocol::Event;"),
        ("src/main.rs", "use aside::cli;"),
        ("src/lib.rs", "pub mod cli; use crate::engine;"),
    ] {
        assert_eq!(arrows(path, line), [""; 0], "{path}: {line}");
    }
}

#[test]
fn wires_are_plain_functions_of_data() {
    hold(&rust_below("src/models"), effects);
}

#[test]
fn effects_in_wires_are_caught() {
    for (path, line) in [
        ("src/models/wires.rs", "use tokio::sync::mpsc;"),
        ("src/models/wires/a/body.rs", "fn f(c: &reqwest::Client) {}"),
        ("src/models/delta.rs", "use std::{fmt, time::Instant};"),
        ("src/models/fault.rs", "let x = std::env::var(\"x\");"),
        ("src/models/message.rs", "use crate::{accounts, catalog};"),
        ("src/models/frames/sse.rs", "use crate::system::Clock;"),
    ] {
        assert_eq!(effects(path, line).len(), 1, "{path}: {line}");
    }
    for (path, line) in [
        ("src/models/http.rs", "use tokio::sync::mpsc;"),
        ("src/models/wires.rs", "//! No tokio.\nuse std::sync::Arc; let x = \"reqwest\";"),
        ("src/engine.rs", "use crate::system;"),
    ] {
        assert_eq!(effects(path, line), [""; 0], "{path}: {line}");
    }
}

#[test]
fn top_level_holds_nothing_else() {
    let others: Vec<String> = top().into_iter().filter(|name| misplaced(name)).collect();
    assert!(others.is_empty(), "not for the top level: {}", others.join(", "));
}

#[test]
fn strangers_at_the_top_level_are_caught() {
    assert!(misplaced("deny.toml") && misplaced("scripts") && misplaced("build.rs"));
    assert!(!misplaced(".cargo") && !misplaced("src") && !misplaced("LICENSE-MIT"));
    assert!(top().contains(&"Cargo.toml".to_owned()), "the listing is empty");
}

#[test]
fn files_say_what_they_are_for() {
    hold(&rust_below("src"), headless);
    hold(&rust_below("protocol/src"), headless);
}

#[test]
fn files_without_a_head_are_caught() {
    assert_eq!(headless("src/a.rs", "use std::fmt;\n").len(), 1);
    assert_eq!(headless("src/a.rs", "").len(), 1);
    assert_eq!(headless("src/a/mod.rs", "//! A.\n").len(), 1);
    assert_eq!(headless("src/a.rs", "//! A.\n"), [""; 0]);
}

#[test]
fn the_way_of_a_delta_is_light() {
    hold(&rust_below("src"), heavy);
}

#[test]
fn weight_on_the_way_of_a_delta_is_caught() {
    for line in ["let x: Mutex<u8>;", "tokio::spawn(f)", "fn f(v: serde_json::Value) {}", "RwLock::new(1)"] {
        assert_eq!(heavy("src/engine/outbox.rs", line).len(), 1, "{line}");
    }
    assert_eq!(heavy("src/engine/outbox.rs", "// a Mutex would be wrong here"), [""; 0]);
    assert_eq!(heavy("src/engine/store.rs", "let x: Mutex<u8>;"), [""; 0]);
    for path in DELTA_WAY {
        assert!(root().join(path).is_file(), "{path} is not there any more: name what took its place");
    }
}

#[test]
fn no_test_is_ignored() {
    for folder in ["src", "protocol/src", "tests/it"] {
        hold(&rust_below(folder), ignored);
    }
}

#[test]
fn ignored_tests_are_caught() {
    assert_eq!(ignored("tests/it/a.rs", &format!("#[test]\n{IGNORE}]\nfn f() {{}}")).len(), 1);
    assert_eq!(ignored("tests/it/a.rs", &format!("{IGNORE} = \"later\"]")).len(), 1);
    assert_eq!(ignored("tests/it/a.rs", "#[test]\nfn ignored() {}"), [""; 0]);
}

#[test]
fn no_test_sleeps() {
    hold(&rust_below("tests/it"), sleeps);
    for (path, reason) in SLEEPERS {
        assert!(root().join(path).exists(), "{path} is gone");
        assert!(!reason.is_empty(), "{path} needs a reason");
    }
}

#[test]
fn sleeping_tests_are_caught() {
    for line in [
        "std::thread::sleep(d);",
        "tokio::time::sleep(d).await;",
        "use std::thread::{self, sleep};",
        "use tokio::time::{Duration, sleep};",
    ] {
        assert_eq!(sleeps("tests/it/a.rs", line).len(), 1, "{line}");
    }
    assert_eq!(sleeps("tests/it/a.rs", "tokio::time::timeout(d, f).await; // thread::sleep(d)"), [""; 0]);
}

#[test]
fn no_file_is_too_long() {
    hold(&below("src"), overlong);
}

#[test]
fn long_files_are_caught() {
    assert_eq!(overlong("src/a.rs", &"\n".repeat(LINES + 1)).len(), 1);
    assert_eq!(overlong("src/a.rs", &"\n".repeat(LINES)), [""; 0]);
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    let files: Vec<File> = match committed() {
        Some(paths) => paths
            .into_iter()
            // A file may be committed and gone.
            .filter_map(|path| Some((fs::read(root().join(&path)).ok()?, path)))
            .map(|(bytes, path)| File { text: String::from_utf8_lossy(&bytes).into_owned(), path })
            .collect(),
        None => ["protocol", "src", "editors", "tests", "docs"].into_iter().flat_map(below).collect(),
    };
    assert!(!files.is_empty());
    hold(&files, machine_paths);
}

#[test]
fn folders_of_one_machine_are_caught() {
    for folder in MACHINE {
        for line in [format!("{folder}/x"), format!("see \"{folder}/x\""), format!("file://{folder}/x")] {
            assert_eq!(machine_paths("docs/a.md", &line).len(), 1, "{line}");
        }
        assert_eq!(machine_paths("docs/a.md", &format!("home{folder}/x and $HOME{folder}/x")), [""; 0]);
    }
}
