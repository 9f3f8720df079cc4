//! Hunks found and turned, and left alone where somebody else has been.

use proptest::prelude::*;

use super::*;
use crate::tools::change::FileChange;
use crate::tools::diff::Diff;

fn change(before: &str, after: &str) -> FileChange {
    Diff::between(Some(before.to_owned()), Some(after.to_owned())).change("/f".into(), None, None)
}

/// `text` with the hunks of these indexes taken back.
fn back(text: &str, change: &FileChange, at: &[usize], is_untouched: bool) -> Turned {
    let sides = vec![Side::After; change.hunks.len()];
    let wanted: Vec<_> =
        (0..change.hunks.len()).map(|index| at.contains(&index).then_some(Side::Before)).collect();
    turn(text, &change.hunks, &sides, &wanted, is_untouched)
}

fn numbered(range: Range<usize>) -> String {
    range.map(|n| n.to_string() + "\n").collect()
}

#[test]
fn hunks_are_taken_back_alone_also_where_others_have_moved_them() {
    let before = numbered(1..41);
    let after = before.replace("\n5\n", "\nfive\n").replace("\n20\n", "\n").replace("\n35\n", "\n35\n35b\n");
    let change = change(&before, &after);
    assert_eq!(change.hunks.len(), 3);
    for is_untouched in [true, false] {
        let turned = back(&after, &change, &[1], is_untouched);
        assert_eq!(turned.done, ["h2"]);
        assert_eq!(turned.text, after.replace("\n19\n", "\n19\n20\n"));
        assert_eq!(back(&after, &change, &[0, 1, 2], is_untouched).text, before);
    }
    let edited = format!("first\n{}last\n", after.replace("\n28\n", "\n28\nmore\n"));
    let turned = back(&edited, &change, &[0, 2], false);
    assert_eq!(turned.refused, []);
    assert_eq!(turned.text, edited.replace("\nfive\n", "\n5\n").replace("\n35b\n", "\n"));
}

#[test]
fn what_was_changed_meanwhile_stays() {
    let before = numbered(1..31);
    let after = before.replace("\n5\n", "\nfive\n").replace("\n20\n", "\ntwenty\n");
    let change = change(&before, &after);
    for edited in [
        after.replace("five", "FIVE"),
        after.replace("\n4\nfive\n6\n", "\nfour\nfive\nsix\n"),
        after.replace("\nfive\n", "\n"),
        after.replace("\nfive\n", "\nfive\r\n"),
    ] {
        let turned = back(&edited, &change, &[0, 1], false);
        assert_eq!(turned.refused.iter().map(|refused| refused.hunk.as_str()).collect::<Vec<_>>(), ["h1"]);
        assert!(turned.refused[0].reason.contains("changed since"), "{:?}", turned.refused);
        assert_eq!((turned.text, turned.done), (edited.replace("twenty", "20"), vec!["h2".to_owned()]));
    }
    // A line further off, and all but the nearest of its surroundings.
    for edited in
        [after.replace("\n2\n", "\ntwo\n"), after.replace("\n3\n", "\nthree\n").replace("\n8\n", "\n")]
    {
        let turned = back(&edited, &change, &[0], false);
        assert_eq!((turned.text, turned.refused), (edited.replace("five", "5"), vec![]));
    }
}

#[test]
fn what_is_undone_already_is_done() {
    let before = numbered(1..31);
    let after = before.replace("\n5\n", "\nfive\n").replace("\n20\n", "\n20\nmore\n").replace("\n12\n", "\n");
    let change = change(&before, &after);
    let edited = format!("0\n{before}");
    let turned = back(&edited, &change, &[0, 1, 2], false);
    assert_eq!((turned.text, turned.done.len(), turned.refused), (edited, change.hunks.len(), vec![]));
}

#[test]
fn lines_that_are_there_more_than_once_are_only_touched_where_nobody_else_was() {
    let block = "{\n  a\n  b\n  c\n}\n";
    let before = block.repeat(6);
    let at = block.len() * 3;
    let after = format!("{}{}{}", &before[..at], block.replace("  b\n", ""), &before[at + block.len()..]);
    let change = change(&before, &after);
    assert_eq!(back(&after, &change, &[0], true).text, before);
    let twice = format!("{after}{after}");
    let turned = back(&twice, &change, &[0], false);
    assert_eq!(turned.text, twice);
    assert!(turned.refused[0].reason.contains("more than once"));
    // Where it says that nobody has touched it, the text itself is looked at all the same.
    let wrong = format!("x\n{after}");
    assert_eq!(back(&wrong, &change, &[0], true).text, format!("x\n{before}"));
}

#[test]
fn a_missing_end_of_the_last_line_comes_back() {
    for (before, after) in
        [("a\nb", "a\nb\n"), ("a\nb\n", "a\nb"), ("a", ""), ("", "a\n"), ("a\r\nb", "a\nb\r\n")]
    {
        let change = change(before, after);
        assert_eq!(back(after, &change, &[0], false).text, before, "{before:?} {after:?}");
        assert_eq!(back(after, &change, &[0], true).text, before);
    }
    let change = change("a\nb", "a\nB");
    let turned = back("a\nB\nc\n", &change, &[0], false);
    assert_eq!((turned.text.as_str(), turned.refused.len()), ("a\nB\nc\n", 1));
}

#[test]
fn too_many_lines_are_left_alone() {
    let before = numbered(0..100);
    let after = (0..60_000).map(|n| ["line ", &n.to_string(), "\n"].concat()).collect::<String>();
    let change = change(&before, &after);
    let turned = back(&after, &change, &[0], true);
    assert_eq!(turned.text, after);
    assert!(turned.refused[0].reason.contains("more lines than are kept"));
    assert_eq!(whole(&change.hunks, Side::Before), None);
}

#[test]
fn many_hunks_in_a_large_text_take_no_time() {
    let before = numbered(0..60_000);
    let after: String =
        (0..60_000).map(|n| n.to_string() + if n % 40 == 0 { " x\n" } else { "\n" }).collect();
    let change = change(&before, &after);
    assert_eq!(change.hunks.len(), 1_500);
    let all: Vec<usize> = (0..1_500).collect();
    let started = tokio::time::Instant::now();
    let edited = format!("0\n{after}");
    assert_eq!(back(&edited, &change, &all, false).text, format!("0\n{before}"));
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
}

fn line() -> impl Strategy<Value = String> {
    (
        prop::sample::select(vec!["a", "b", "c", "", "}", "\r", "x y"]),
        prop::sample::select(vec!["\n", "\r\n"]),
    )
        .prop_map(|(line, end)| format!("{line}{end}"))
}

proptest! {
    /// Whatever is taken back of an untouched text is what the diff itself would make of it, and comes back.
    #[test]
    fn turning_agrees_with_the_diff(
        before in prop::collection::vec(line(), 0..40),
        after in prop::collection::vec(line(), 0..40),
        ends in any::<(bool, bool)>(),
        chosen in prop::collection::vec(any::<bool>(), 12),
    ) {
        let text = |lines: &[String], ended: bool| {
            let text = lines.concat();
            if ended { text } else { text.trim_end_matches(['\r', '\n']).to_owned() }
        };
        let (before, after) = (text(&before, ends.0), text(&after, ends.1));
        let diff = Diff::between(Some(before), Some(after.clone()));
        let change = diff.change("/f".into(), None, None);
        let at: Vec<usize> =
            (0..change.hunks.len()).filter(|index| chosen.get(*index) == Some(&true)).collect();
        let ids: Vec<String> = at.iter().map(|index| change.hunks[*index].id.clone()).collect();
        let turned = back(&after, &change, &at, true);
        prop_assert_eq!(&turned.refused, &vec![]);
        prop_assert_eq!(&turned.text, &diff.without(&ids));
        // And again the other way.
        let sides: Vec<Side> = (0..change.hunks.len())
            .map(|index| if at.contains(&index) { Side::Before } else { Side::After })
            .collect();
        let wanted: Vec<Option<Side>> =
            (0..change.hunks.len()).map(|index| at.contains(&index).then_some(Side::After)).collect();
        let again = turn(&turned.text, &change.hunks, &sides, &wanted, true);
        prop_assert_eq!(&again.text, &after);
        prop_assert_eq!(&again.refused, &vec![]);
    }
}
