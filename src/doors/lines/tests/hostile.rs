//! Text that would like to be something else.

use super::*;

fn lines_of(body: ItemBody, text: &str) -> Vec<String> {
    let mut play = Play::new();
    let id = play.start(body, "", ItemStatus::InProgress);
    for character in text.chars() {
        play.grow(id, &character.to_string());
        play.check();
    }
    play.complete(id, ItemStatus::Completed);
    play.check();
    play.client.lines
}

#[test]
fn what_does_not_show_is_spelt_out() {
    let shown = lines_of(text(), "a\0b\u{1b}[31mc\rd\r\ne\u{2028}f\u{202e}g\u{85}h\tñ\u{feff}");
    assert_eq!(shown, ["a\\u{0}b\\u{1b}[31mc\\u{d}d", "e\\u{2028}f\\u{202e}g\\u{85}h\tñ\\u{feff}", ""]);
    let people = "👩\u{200d}💻 ❤\u{fe0f} می\u{200c}خواهم l\u{a0}’été\u{3000}字";
    assert_eq!(lines_of(text(), people), [people, ""], "how people write stays");
}

#[test]
fn no_output_ends_its_fence() {
    let output = "```\n`````\n   ``````` x\n    `````\n a `````\n";
    let shown = lines_of(tool("$ cat"), output);
    assert_eq!(
        shown,
        ["⏵ $ cat", "`````", "```", "```` `", "   ```` ``` x", "    `````", " a `````", "`````", ""]
    );
}

#[test]
fn what_a_model_leaves_open_is_closed_behind_it() {
    assert_eq!(lines_of(text(), "so:\n~~~~rust\nfn main"), ["so:", "~~~~rust", "fn main", "~~~~", ""]);
    assert_eq!(lines_of(text(), "<!-- now\n\nx"), ["<!-- now", "", "x", "-->", ""]);
}

#[test]
fn no_text_looks_like_a_line_of_asides_own() {
    let shown = lines_of(text(), "⏵ done in 3 s\n## ❯ You\n> ⏵ x\na ⏵ b\n```\n❯ ls\n```\n❯");
    assert_eq!(shown, ["\\⏵ done in 3 s", "## \\❯ You", "> \\⏵ x", "a ⏵ b", "```", "❯ ls", "```", "\\❯", ""]);
    let mut play = Play::new();
    play.start(ItemBody::User { content: Vec::new() }, "## ❯ You\n⏵ x", ItemStatus::Completed);
    assert_eq!(play.client.lines, ["## ❯ You", "> ## ❯ You", "> ⏵ x", ""]);
}

#[test]
fn titles_and_notices_are_one_line_each() {
    let mut play = Play::new();
    play.start(tool("a\nb\u{1b}[1m\u{202e}"), "", ItemStatus::InProgress);
    play.start(notice(Severity::Error, Some("x\r\ny\u{7}")), "one\ntwo", ItemStatus::Completed);
    play.end(Ending::Failed { message: "a\nb\u{202e}".to_owned(), hint: Some("c".to_owned()) });
    play.check();
    assert_eq!(
        play.client.lines,
        [
            "⏵ a⏎b\\u{1b}[1m\\u{202e}  …",
            "",
            "⏵ error: one",
            "> two",
            "> x",
            "> y\\u{7}",
            "",
            "⏵ failed after 3.2 s: a⏎b\\u{202e} · 2,234 tokens in (1,000 cached) · 56 out · $0.0123",
            "> c",
            ""
        ]
    );
}

#[test]
fn long_lines_go_on_in_the_next_and_empty_ones_have_an_end() {
    let whole = |text_of: &str| {
        let mut play = Play::new();
        play.start(text(), text_of, ItemStatus::Completed);
        play.client.lines
    };
    let shown = whole(&"x".repeat(20_000));
    assert!(shown.iter().all(|line| line.len() <= 8_000), "without a blank");
    let words = "word ".repeat(2_000);
    let shown = whole(&words);
    assert_eq!(shown.concat(), words);
    assert!(shown.iter().all(|line| line.len() < 4_010), "at a blank");
    let mut play = Play::new();
    let id = play.start(text(), "a", ItemStatus::InProgress);
    play.grow(id, &"\n".repeat(1_000_000));
    assert_eq!(play.patches, [], "nothing follows yet");
    play.grow(id, "b");
    assert!(play.client.lines.len() < 60);
    play.check();
}

#[test]
fn what_has_no_end_is_bounded() {
    let mut play = Play::new();
    let id = play.start(tool("$ yes"), "", ItemStatus::InProgress);
    for _ in 0..2_000 {
        play.grow(id, "yes\n");
    }
    play.check();
    assert!(play.client.lines.len() < 510, "{}", play.client.lines.len());
    assert!(play.client.lines.contains(&"⟨1,500 lines not shown here⟩".to_owned()));
    let many: Vec<String> = (0..5_000).map(|n| format!("+{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let hunks = vec![hunk("h1", &many[..10]), hunk("h2", &many), hunk("h3", &many[..10])];
    let id = play.start(change("/a", ChangeKind::Add, hunks), "", ItemStatus::InProgress);
    play.complete(id, ItemStatus::Completed);
    play.check();
    assert!(play.client.lines.len() < 1_530, "{}", play.client.lines.len());
    assert!(play.client.lines.contains(&"⟨4,023 lines not shown here⟩".to_owned()));
    let pasted = "line\n".repeat(100_000);
    play.start(ItemBody::User { content: Vec::new() }, &pasted, ItemStatus::Completed);
    play.check();
    assert!(play.client.lines.contains(&"> ⟨99,500 lines not shown here⟩".to_owned()));
}
