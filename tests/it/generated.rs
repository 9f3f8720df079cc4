//! The checked-in descriptions are what the generators make.

mod providers;
mod settings;

use std::fs;
use std::path::Path;

use aside_protocol::generate::{COMMAND, files};

#[test]
fn checked_in_files_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let update = std::env::var_os("UPDATE_GENERATED").is_some_and(|value| value == "1");
    let mut stale = Vec::new();
    let page = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default().replace("\r\n", "\n");
    let own = [
        ("docs/providers.md", providers::written(&page("docs/providers.md"))),
        ("docs/settings.md", settings::page(&page("docs/settings.md"))),
        ("docs/settings.schema.json", settings::schema()),
    ];
    for (path, text) in files().into_iter().chain(own) {
        let file = root.join(path);
        // A checkout may have turned line ends.
        let present = fs::read_to_string(&file).unwrap_or_default().replace("\r\n", "\n");
        if present == text {
            continue;
        }
        if update {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
        } else {
            let line = present.lines().zip(text.lines()).take_while(|(old, new)| old == new).count() + 1;
            stale.push(format!("{path}, from line {line}"));
        }
    }
    assert!(stale.is_empty(), "out of date: {}\nwrite them anew with: {COMMAND}", stale.join("; "));
}

/// The page with what is written between two markers, each a line of its own.
fn between(page: &str, begin: &str, end: &str, text: &str) -> String {
    let start = page.find(begin).expect("a marker");
    let start = start + page[start..].find('\n').expect("a line of its own") + 1;
    let end = page.find(end).expect("the other marker");
    format!("{}{text}{}", &page[..start], &page[end..])
}
