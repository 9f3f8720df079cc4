//! What a person reads. `UPDATE_GENERATED=1` writes the documents anew.
#![expect(clippy::disallowed_methods, reason = "tests stand outside the seam")]

use std::fmt::Write as _;
use std::path::Path;

use super::*;

/// The document, and each mark in the margin of the first of its lines.
fn page(client: &Client) -> String {
    let mut page = String::new();
    for (number, line) in client.lines.iter().enumerate() {
        let mut marks: Vec<&Mark> = client.marks.values().filter(|mark| mark.from == number).collect();
        marks.sort_by_key(|mark| std::cmp::Reverse(mark.to));
        let marks: Vec<String> = marks
            .iter()
            .map(|mark| format!("{:?} {} {}", mark.kind, mark.name, mark.to - mark.from).to_lowercase())
            .collect();
        let _ = writeln!(page, "{}", format!("{line:<90}{}", marks.join(", ")).trim_end());
    }
    page
}

#[track_caller]
fn check(name: &str, play: &Play) {
    play.check();
    for (ending, text) in [("md", play.client.lines.join("\n")), ("marks.txt", page(&play.client))] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/lines/{name}.{ending}"));
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, expected, "{}", path.display());
    }
}

#[test]
fn a_conversation_with_everything_in_it() {
    let mut play = Play::new();
    let user = || ItemBody::User { content: Vec::new() };
    play.start(user(), "fix the failing test\n\nand say why it failed", ItemStatus::Completed);
    let id = play.start(thinking(), "", ItemStatus::InProgress);
    play.grow(id, "The test reads a file.\nWhich one?\n");
    play.complete(id, ItemStatus::Completed);
    let hidden = ItemBody::Thinking { origin: origin(), signature: None, redacted: Some("x".to_owned()) };
    play.start(hidden, "", ItemStatus::Completed);
    let id = play.start(text(), "", ItemStatus::InProgress);
    play.grow(id, "I look at the **test** first:\n\n```rust\nassert!(is_ok());");
    play.complete(id, ItemStatus::Completed);
    let first = play.start(tool(""), "", ItemStatus::InProgress);
    let second = play.start(tool(""), "", ItemStatus::InProgress);
    for (id, title) in [(first, "$ cargo test"), (second, "Read tests/a.rs")] {
        play.update(id, |item| {
            if let ItemBody::ToolCall(call) = &mut item.body {
                call.title = title.to_owned();
            }
        });
    }
    play.grow(first, "running 2 tests\n");
    play.grow(second, "no such file");
    play.grow(first, "test a ... FAILED\n");
    play.complete(second, ItemStatus::Failed);
    play.complete(first, ItemStatus::Completed);
    play.start(tool("$ sleep 10"), "", ItemStatus::Cancelled);
    play.start(user(), "only the first one", ItemStatus::Completed);
    let hunks = vec![
        hunk("h1", &[" fn a() {", "-    old();", "+    new();", "+    more();", " }"]),
        hunk("h2", &["-last", "\\ No newline at end of file", "+last"]),
    ];
    let id = play.start(
        change(&format!("{FOLDER}/src/a.rs"), ChangeKind::Modify, hunks),
        "",
        ItemStatus::InProgress,
    );
    play.update(id, |item| {
        if let ItemBody::FileChange(FileChangeItem { change, .. }) = &mut item.body {
            change.hunks[0].decision = HunkDecision::Accepted;
            change.hunks[1].decision = HunkDecision::Rejected;
        }
    });
    play.complete(id, ItemStatus::Completed);
    let mut moved = change("/elsewhere/new.rs", ChangeKind::Move, Vec::new());
    if let ItemBody::FileChange(FileChangeItem { change, .. }) = &mut moved {
        change.old_path = Some(format!("{FOLDER}/old.rs").into());
    }
    play.start(moved, "", ItemStatus::Failed);
    play.start(notice(Severity::Info, None), "the model was changed", ItemStatus::Completed);
    play.start(notice(Severity::Warning, Some("free space")), "not saved", ItemStatus::Completed);
    play.start(notice(Severity::Error, None), "broken\nin two lines", ItemStatus::Completed);
    let broken = play.start(text(), "", ItemStatus::InProgress);
    play.grow(broken, "this will be withd");
    play.withdraw(broken);
    play.start(text(), "It failed because `old` is gone.", ItemStatus::Completed);
    play.end(Ending::Done);
    play.start(user(), "and now?", ItemStatus::Completed);
    play.end(Ending::Failed {
        message: "demo: too many requests".to_owned(),
        hint: Some("wait a minute".to_owned()),
    });
    let id = play.start(command("make check"), "", ItemStatus::InProgress);
    play.grow(id, "make: nothing to do\n");
    play.change(id, |item| {
        if let ItemBody::Command(command) = &mut item.body {
            command.exit_code = Some(2);
        }
    });
    play.complete(id, ItemStatus::Failed);
    play.start(user(), "again", ItemStatus::Completed);
    play.end(Ending::Cancelled);
    check("everything", &play);
}

#[test]
fn while_it_runs() {
    let mut play = Play::new();
    play.start(ItemBody::User { content: Vec::new() }, "go", ItemStatus::Completed);
    play.start(thinking(), "", ItemStatus::InProgress);
    let id = play.start(tool("$ make"), "", ItemStatus::InProgress);
    play.grow(id, "cc a.c\n");
    play.start(tool(""), "", ItemStatus::InProgress);
    play.start(change("/etc/motd", ChangeKind::Add, vec![hunk("h1", &["+hi"])]), "", ItemStatus::InProgress);
    check("running", &play);
}

#[test]
fn the_newest_items_only() {
    let mut play = Play::new();
    for word in ["one", "two", "three"] {
        play.start(ItemBody::User { content: Vec::new() }, word, ItemStatus::Completed);
        play.end(Ending::Done);
    }
    let items = &play.items[2..];
    let conversation = Conversation { folder: FOLDER, items, omitted: 2, turns: &play.turns };
    let (mut document, drawing) = Document::new(conversation);
    assert_eq!(
        drawing.lines,
        [
            "⏵ 2 earlier parts not shown here",
            "",
            "## ❯ You",
            "> three",
            "",
            "⏵ done in 3.2 s · 2,234 tokens in (1,000 cached) · 56 out · $0.0123",
            ""
        ]
    );
    let mut patches = Vec::new();
    document.apply(&EventBody::ItemUpdated(Arc::clone(&play.items[0])), &mut patches);
    assert_eq!(patches, [], "what is left out stays out");
}
