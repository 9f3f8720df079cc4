//! The lines of a text that may be too long to be shown whole: its first and its last ones stay, and a line
//! between them says how many are left out. Only counts are kept.

use super::words;
use super::writer::Growth;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    /// Lines of the beginning.
    pub(super) head: usize,
    /// Lines of the end.
    pub(super) tail: usize,
    /// What stands before the line that says what is left out.
    pub(super) prefix: &'static str,
}

/// How much there is.
#[derive(Clone, Debug)]
pub(super) struct Content {
    limit: Option<Limit>,
    total: usize,
}

/// A change of what is shown. Lines are counted from the first one shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Append { line: usize, text: String, lines: Vec<String> },
    Replace { from: usize, to: usize, lines: Vec<String> },
}

impl Content {
    /// Nothing yet.
    pub(super) fn new(limit: Option<Limit>) -> Self {
        Self { limit, total: 0 }
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Lines that are shown.
    pub(super) fn shown(&self) -> usize {
        match self.limit {
            Some(Limit { head, tail, .. }) if self.total > head + tail => head + 1 + tail,
            _ => self.total,
        }
    }

    /// Takes the first lines in. Returns those that are shown.
    pub(super) fn fill(&mut self, mut lines: Vec<String>) -> Vec<String> {
        self.total = lines.len();
        if let Some(limit) = self.limit
            && self.total > limit.head + limit.tail
        {
            let tail = lines.split_off(self.total - limit.tail);
            lines.truncate(limit.head);
            lines.push(self.note(limit));
            lines.extend(tail);
        }
        lines
    }

    /// Takes more in, behind lines that are there. Says what that changes.
    pub(super) fn grow(&mut self, growth: Growth) -> [Option<Change>; 2] {
        let Growth { append, lines } = growth;
        if append.is_empty() && lines.is_empty() {
            return [None, None];
        }
        let (shown, before) = (self.shown(), self.total);
        let new = lines.len();
        self.total += new;
        let last = shown.saturating_sub(1);
        let Some(limit) = self.limit.filter(|limit| new > 0 && self.total > limit.head + limit.tail) else {
            return [Some(Change::Append { line: last, text: append, lines }), None];
        };
        let note = self.note(limit);
        let was_cut = before > limit.head + limit.tail;
        if new < limit.tail {
            let grown = Change::Append { line: last, text: append, lines };
            // The note stands in the place of those that go, and of itself.
            let gone = if was_cut { new + 1 } else { self.total - limit.head - limit.tail };
            let cut = Change::Replace { from: limit.head, to: limit.head + gone, lines: vec![note] };
            return [Some(grown), Some(cut)];
        }
        // None of the lines that were at the end is there any more.
        let mut lines = lines;
        let tail = lines.split_off(new - limit.tail);
        let with_note = std::iter::once(note).chain(tail).collect();
        if before >= limit.head {
            let replaced = Change::Replace { from: limit.head, to: shown, lines: with_note };
            // The last line of the beginning may still grow.
            let grown = (before == limit.head && !append.is_empty()).then(|| Change::Append {
                line: last,
                text: append,
                lines: Vec::new(),
            });
            return [grown, Some(replaced)];
        }
        lines.truncate(limit.head - before);
        let grown = Change::Append { line: last, text: append, lines };
        [Some(grown), Some(Change::Replace { from: limit.head, to: limit.head, lines: with_note })]
    }

    fn note(&self, limit: Limit) -> String {
        let left_out = self.total - limit.head - limit.tail;
        format!("{}⟨{} not shown here⟩", limit.prefix, words::lines(left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_the_same_however_it_came() {
        let limit = Limit { head: 3, tail: 4, prefix: "" };
        let all: Vec<String> = (0..40).map(|n| format!("line {n}")).collect();
        for count in 1..all.len() {
            let expected = Content::new(Some(limit)).fill(all[..count].to_vec());
            for first in 1..=count {
                for step in [1, 2, 3, 4, 5, 9] {
                    let mut content = Content::new(Some(limit));
                    let mut shown = content.fill(all[..first].to_vec());
                    // The last line comes in two pieces.
                    if let Some(line) = shown.last_mut() {
                        line.truncate(4);
                    }
                    let mut at = first;
                    loop {
                        let end = (at + step).min(count);
                        let growth =
                            Growth { append: all[at - 1][4..].to_owned(), lines: all[at..end].to_vec() };
                        let is_last = end == count;
                        let growth = if is_last {
                            growth
                        } else {
                            let mut growth = growth;
                            growth.lines.last_mut().unwrap().truncate(4);
                            growth
                        };
                        for change in content.grow(growth).into_iter().flatten() {
                            apply(&mut shown, change);
                        }
                        assert_eq!(shown.len(), content.shown());
                        at = end;
                        if is_last {
                            break;
                        }
                    }
                    assert_eq!(shown, expected, "{first} lines, then {step} at a time up to {count}");
                }
            }
        }
    }

    fn apply(shown: &mut Vec<String>, change: Change) {
        match change {
            Change::Append { line, text, lines } => {
                shown[line].push_str(&text);
                let behind = shown.split_off(line + 1);
                shown.extend(lines.into_iter().chain(behind));
            }
            Change::Replace { from, to, lines } => {
                shown.splice(from..to, lines);
            }
        }
    }
}
