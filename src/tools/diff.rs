//! What a change did to a file, computed once: hunks with ids that a person can accept or reject.
//!
//! The time that it takes is bounded: two large texts that share nothing get a coarser answer, never a late one.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use similar::{Algorithm, ChangeTag, DiffOp, TextDiff};

use super::change::{CUT, ChangeKind, FileChange, Hunk, HunkDecision, NO_END};
use super::context::TextEdit;

/// Lines shown around a change.
const CONTEXT: usize = 3;

/// How long the shortest difference is looked for.
const PATIENCE: Duration = Duration::from_millis(400);

/// Bytes of lines that all hunks of a change show.
const SHOWN: usize = 256 << 10;

/// What a change did to a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// `None` where there was no file.
    before: Option<String>,
    /// `None` where there is none any more.
    after: Option<String>,
    pieces: Vec<Piece>,
}

/// A hunk, and what it replaces without the lines around.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    hunk: Hunk,
    /// Bytes of the text before.
    before: Range<usize>,
    /// Bytes of the text after that stand there instead.
    after: Range<usize>,
}

impl Diff {
    /// The change from `before` to `after`.
    pub fn between(before: Option<String>, after: Option<String>) -> Self {
        let pieces = pieces(before.as_deref().unwrap_or_default(), after.as_deref().unwrap_or_default());
        Self { before, after, pieces }
    }

    /// The change as that of a file.
    pub fn change(
        &self,
        path: PathBuf,
        hash_before: Option<String>,
        hash_after: Option<String>,
    ) -> FileChange {
        let kind = match (&self.before, &self.after) {
            (None, _) => ChangeKind::Add,
            (Some(_), None) => ChangeKind::Delete,
            (Some(_), Some(_)) => ChangeKind::Modify,
        };
        let hunks = self.pieces.iter().map(|piece| piece.hunk.clone()).collect();
        FileChange { path, old_path: None, kind, hunks, hash_before, hash_after }
    }

    /// The text after, with the hunks of these ids taken back.
    pub fn without(&self, rejected: &[String]) -> String {
        let (before, after) = self.texts();
        let mut text = String::with_capacity(after.len());
        let mut at = 0;
        for piece in self.pieces.iter().filter(|piece| rejected.contains(&piece.hunk.id)) {
            text.push_str(after.get(at..piece.after.start).unwrap_or_default());
            text.push_str(before.get(piece.before.clone()).unwrap_or_default());
            at = piece.after.end;
        }
        text.push_str(after.get(at..).unwrap_or_default());
        text
    }

    /// Whether it is the change between these texts.
    pub fn is_between(&self, before: Option<&str>, after: &str) -> bool {
        self.before.as_deref() == before && self.after.as_deref() == Some(after)
    }

    /// Whether there is a hunk of this id.
    pub fn has(&self, id: &str) -> bool {
        self.pieces.iter().any(|piece| piece.hunk.id == id)
    }

    /// The change as replacements in the text before, the last one first.
    pub fn text_edits(&self) -> Vec<TextEdit> {
        let (before, after) = self.texts();
        let mut at = Position { text: before, byte: 0, line: 0, line_start: 0 };
        let mut all: Vec<TextEdit> = self
            .pieces
            .iter()
            .map(|piece| {
                let (start_line, start_byte) = at.of(piece.before.start);
                let (end_line, end_byte) = at.of(piece.before.end);
                let text = after.get(piece.after.clone()).unwrap_or_default().to_owned();
                TextEdit { start_line, start_byte, end_line, end_byte, text }
            })
            .collect();
        all.reverse();
        all
    }

    /// Lines that were added and lines that were removed, without the hunks of these ids.
    pub fn counts(&self, rejected: &[String]) -> (usize, usize) {
        let lines =
            |text: &str, range: &Range<usize>| text.get(range.clone()).map_or(0, |part| part.lines().count());
        let (before, after) = self.texts();
        let taken = self.pieces.iter().filter(|piece| !rejected.contains(&piece.hunk.id));
        taken.fold((0, 0), |(added, removed), piece| {
            (added + lines(after, &piece.after), removed + lines(before, &piece.before))
        })
    }

    fn texts(&self) -> (&str, &str) {
        (self.before.as_deref().unwrap_or_default(), self.after.as_deref().unwrap_or_default())
    }
}

/// Goes through a text once, from byte to line.
struct Position<'t> {
    text: &'t str,
    byte: usize,
    line: u32,
    line_start: usize,
}

impl Position<'_> {
    /// Line and byte within it; `byte` must not be before the last one asked for.
    fn of(&mut self, byte: usize) -> (u32, u32) {
        let passed = self.text.as_bytes().get(self.byte..byte).unwrap_or_default();
        for end in memchr::memchr_iter(b'\n', passed) {
            self.line += 1;
            self.line_start = self.byte + end + 1;
        }
        self.byte = byte;
        (self.line, number(byte - self.line_start))
    }
}

fn pieces(before: &str, after: &str) -> Vec<Piece> {
    // Cut here, because a carriage return alone ends no line in an editor, but does for the library.
    let old_lines: Vec<&str> = before.split_inclusive('\n').collect();
    let new_lines: Vec<&str> = after.split_inclusive('\n').collect();
    let mut config = TextDiff::configure();
    let diff = config.algorithm(Algorithm::Myers).timeout(PATIENCE).diff_slices(&old_lines, &new_lines);
    let old = offsets(before);
    let new = offsets(after);
    let bytes = |offsets: &[usize], range: Range<usize>| {
        let at = |line: usize| offsets.get(line).or(offsets.last()).copied().unwrap_or(0);
        at(range.start)..at(range.end)
    };
    let mut pieces = Vec::new();
    let mut left = SHOWN;
    for group in diff.grouped_ops(CONTEXT) {
        // Changes near to each other share the lines around them, but each can be judged alone only with them.
        let changed = |op: &&DiffOp| !matches!(op, DiffOp::Equal { .. });
        let (Some(first), Some(last)) = (group.iter().find(changed), group.iter().rev().find(changed)) else {
            continue;
        };
        let (Some(start), Some(end)) = (group.first(), group.last()) else { continue };
        let old_span = start.old_range().start..end.old_range().end;
        let new_span = start.new_range().start..end.new_range().end;
        let mut lines = Vec::new();
        let mut crlf: Vec<Range<u32>> = Vec::new();
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let mark = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            let line = change.value();
            if left < line.len() {
                lines.push(CUT.to_owned());
                left = 0;
                break;
            }
            left -= line.len();
            let ended = line.strip_suffix('\n');
            let plain = ended.and_then(|line| line.strip_suffix('\r'));
            if plain.is_some() {
                let at = number(lines.len());
                match crlf.last_mut() {
                    Some(range) if range.end == at => range.end += 1,
                    _ => crlf.push(at..at + 1),
                }
            }
            lines.push(format!("{mark}{}", plain.or(ended).unwrap_or(line)));
            if ended.is_none() {
                lines.push(NO_END.to_owned());
            }
        }
        let hunk = Hunk {
            id: format!("h{}", pieces.len() + 1),
            old_start: first_line(&old_span),
            old_lines: number(old_span.len()),
            new_start: first_line(&new_span),
            new_lines: number(new_span.len()),
            lines,
            crlf,
            decision: HunkDecision::Pending,
        };
        pieces.push(Piece {
            hunk,
            before: bytes(&old, first.old_range().start..last.old_range().end),
            after: bytes(&new, first.new_range().start..last.new_range().end),
        });
    }
    pieces
}

/// Where each line starts, and the end.
fn offsets(text: &str) -> Vec<usize> {
    let ends = memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1);
    let mut offsets: Vec<usize> = std::iter::once(0).chain(ends).collect();
    if offsets.last() != Some(&text.len()) {
        offsets.push(text.len());
    }
    offsets
}

/// As diffs count: an empty range is named by the line before it.
fn first_line(span: &Range<usize>) -> u32 {
    number(if span.is_empty() { span.start } else { span.start + 1 })
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
