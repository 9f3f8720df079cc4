//! A change of a file as a person reads it at a terminal: one line that counts, and the lines that differ.

use super::terminal::{clean, one_line};
use crate::tools::{ChangeKind, FileChange, Hunk, HunkDecision};

/// Characters of the path.
const PATH: usize = 100;

/// The hunks that are made.
fn made(change: &FileChange) -> impl Iterator<Item = &Hunk> {
    change.hunks.iter().filter(|hunk| hunk.decision != HunkDecision::Rejected)
}

/// The change in one line, such as `~ src/a.rs  +3 -1`.
pub(super) fn headline(change: &FileChange, paints: bool) -> String {
    let count =
        |mark: char| made(change).flat_map(|hunk| &hunk.lines).filter(|line| line.starts_with(mark)).count();
    let mark = match change.kind {
        ChangeKind::Add => '+',
        ChangeKind::Modify => '~',
        ChangeKind::Delete => '-',
        ChangeKind::Move => '>',
    };
    let path = one_line(&change.path.display().to_string(), PATH);
    let (added, removed) = (format!("+{}", count('+')), format!("-{}", count('-')));
    if paints {
        format!("{mark} {path}  \x1b[32m{added}\x1b[0m \x1b[31m{removed}\x1b[0m\n")
    } else {
        format!("{mark} {path}  {added} {removed}\n")
    }
}

/// The lines that differ, with those around, at most so many: what is too many is counted.
pub(super) fn lines(change: &FileChange, paints: bool, most: usize) -> String {
    let all: Vec<(&str, String)> = made(change)
        .flat_map(|hunk| {
            let head = format!(
                "@@ -{},{} +{},{} @@",
                hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines
            );
            let lines = hunk.lines.iter().map(|line| {
                let code = match line.chars().next() {
                    Some('+') => "32",
                    Some('-') => "31",
                    _ => "2",
                };
                (code, clean(line).into_owned())
            });
            std::iter::once(("36", head)).chain(lines)
        })
        .collect();
    let mut text = String::new();
    let shown = if all.len() > most { most.saturating_sub(1) } else { all.len() };
    for (code, line) in all.iter().take(shown) {
        let line = if paints { format!("  \x1b[{code}m{line}\x1b[0m\n") } else { format!("  {line}\n") };
        text.push_str(&line);
    }
    let left = all.len() - shown;
    if left > 0 {
        text.extend(["  ... ", &left.to_string(), " more lines\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::diff::Diff;

    fn change(before: Option<&str>, after: &str) -> FileChange {
        let diff = Diff::between(before.map(str::to_owned), Some(after.to_owned()));
        diff.change("/w/a.txt".into(), None, None)
    }

    #[test]
    fn a_change_is_counted_and_shown() {
        let change = change(Some("a\nb\nc\n"), "a\nB\x1b[2J\nc\nd\n");
        assert_eq!(headline(&change, false), "~ /w/a.txt  +2 -1\n");
        assert_eq!(lines(&change, false, 100), "  @@ -1,3 +1,4 @@\n   a\n  -b\n  +B␛[2J\n   c\n  +d\n");
        assert!(lines(&change, true, 100).contains("\x1b[31m-b\x1b[0m\n"));
        assert!(headline(&change, true).contains("\x1b[32m+2\x1b[0m"));
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let change = change(None, &"x\n".repeat(1_000));
        assert_eq!(headline(&change, false), "+ /w/a.txt  +1000 -0\n");
        let text = lines(&change, false, 10);
        assert_eq!(text.lines().count(), 10);
        assert!(text.ends_with("  +x\n  ... 992 more lines\n"), "{text}");
    }
}
