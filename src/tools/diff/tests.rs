//! Changes, parts of them taken back, and how long the worst takes.

use proptest::prelude::*;

use super::*;

fn diff(before: Option<&str>, after: Option<&str>) -> Diff {
    Diff::between(before.map(str::to_owned), after.map(str::to_owned))
}

fn change(before: &str, after: &str) -> Diff {
    diff(Some(before), Some(after))
}

fn ids(diff: &Diff) -> Vec<String> {
    diff.pieces.iter().map(|piece| piece.hunk.id.clone()).collect()
}

fn numbered(range: Range<usize>) -> String {
    lines(range.map(|n| n.to_string()))
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    let mut all = lines.collect::<Vec<_>>().join("\n");
    all.push('\n');
    all
}

#[test]
fn hunks_are_numbered_and_show_their_surroundings() {
    let before = numbered(1..31);
    let after = before.replace("3\n4\n", "3\nfour\n").replace("28\n", "");
    let change = change(&before, &after);
    assert_eq!(ids(&change), ["h1", "h2"]);
    assert_eq!(change.counts(&[]), (1, 2));
    let change = change.change("/f".into(), None, None);
    let first = &change.hunks[0];
    assert_eq!((first.old_start, first.old_lines, first.new_start, first.new_lines), (1, 7, 1, 7));
    assert_eq!(first.lines, [" 1", " 2", " 3", "-4", "+four", " 5", " 6", " 7"]);
    assert_eq!(change.hunks[1].lines, [" 25", " 26", " 27", "-28", " 29", " 30"]);
}

#[test]
fn new_and_removed_files_are_one_hunk() {
    let added = diff(None, Some("a\nb"));
    let file = added.change("/f".into(), None, None);
    assert_eq!((file.kind, file.hunks.len()), (ChangeKind::Add, 1));
    assert_eq!((file.hunks[0].old_start, file.hunks[0].new_start, file.hunks[0].new_lines), (0, 1, 2));
    assert_eq!(file.hunks[0].lines, ["+a", "+b", "\\ No newline at end of file"]);
    assert_eq!(added.without(&ids(&added)), "");
    assert_eq!(diff(Some("a\n"), None).change("/f".into(), None, None).kind, ChangeKind::Delete);
    assert_eq!(diff(None, Some("")).change("/f".into(), None, None).hunks.len(), 0);
}

#[test]
fn line_ends_alone_are_a_change() {
    let change = change("a\r\nb\r\n", "a\nb\r\n");
    assert_eq!(ids(&change), ["h1"]);
    assert_eq!(change.without(&ids(&change)), "a\r\nb\r\n");
}

#[test]
fn replacements_make_the_same_text() {
    let before = "a\nbé\nc\n";
    let change = change(before, "a\nB\nC\nc\nd");
    let starts = offsets(before);
    let byte = |line: u32, byte: u32| starts[line as usize] + byte as usize;
    let mut text = before.to_owned();
    for edit in change.text_edits() {
        let range = byte(edit.start_line, edit.start_byte)..byte(edit.end_line, edit.end_byte);
        text.replace_range(range, &edit.text);
    }
    assert_eq!(text, "a\nB\nC\nc\nd");
}

/// Ten megabytes that share nothing, and ten of one line: bounded, whatever it is that is compared.
#[test]
fn the_worst_is_bounded() {
    let many = |seed: usize| {
        lines((0..700_000_usize).map(|n| format!("{:014x}", n.wrapping_mul(0x9e37_79b9) ^ seed)))
    };
    let shuffled = |step: usize| lines((0..700_000_usize).map(|n| format!("{:014}", n * step % 1_000)));
    let long = "x".repeat(10 << 20);
    for (before, after) in [
        (many(1), many(99)),
        (shuffled(7), shuffled(11)),
        (long.clone(), format!("{long}y")),
        (String::new(), "\n".repeat(5 << 20)),
    ] {
        let started = tokio::time::Instant::now();
        let change = change(&before, &after);
        let taken = started.elapsed();
        assert!(taken < Duration::from_secs(20), "{taken:?}");
        let shown: usize = change.pieces.iter().flat_map(|piece| &piece.hunk.lines).map(String::len).sum();
        assert!(shown <= 2 * SHOWN, "{shown}");
        assert!(change.without(&ids(&change)) == before, "taking all back is not what was there");
    }
}

proptest! {
    #[test]
    fn taking_all_back_is_before_and_none_is_after(
        before in "([abc]?(\r\n|\n|\r)){0,30}[ab]?", after in "([abc]?(\r\n|\n|\r)){0,30}[ab]?"
    ) {
        prop_assume!(before != after);
        let change = change(&before, &after);
        prop_assert_eq!(&change.without(&ids(&change)), &before);
        prop_assert_eq!(&change.without(&[]), &after);
        let mut text = before.clone();
        let lines = offsets(&before);
        let byte = |line: u32, byte: u32| lines.get(line as usize).map_or(before.len(), |at| at + byte as usize);
        for edit in change.text_edits() {
            let range = byte(edit.start_line, edit.start_byte)..byte(edit.end_line, edit.end_byte);
            text.replace_range(range, &edit.text);
        }
        prop_assert_eq!(text, after);
    }
}
