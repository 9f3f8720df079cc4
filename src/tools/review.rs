//! Hunks of a change that was made, taken back or made again: found in the text as it is now by exactly the lines
//! that they say, or left alone.
//!
//! Nothing is guessed: lines that somebody changed meanwhile, or that stand in the text more than once, stay. It
//! must not touch a file; `review/disk.rs` does.

pub mod disk;

use std::ops::Range;

use super::change::{CUT, Hunk, NO_END};

/// Lines around the changed ones that are compared, at first and at last.
const AROUND: Range<usize> = 1..4;

/// Which text of a hunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Before,
    After,
}

/// A hunk that stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The hunk's id.
    pub hunk: String,
    pub reason: String,
}

/// A text with hunks turned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turned {
    pub text: String,
    /// Ids of hunks that are now as they were to be, also of those that were already.
    pub done: Vec<String>,
    pub refused: Vec<Refused>,
}

/// `text` with each hunk turned to its side. `sides` has the side that each of `hunks` is on where nobody else has
/// touched the text; `is_untouched` says whether that is so.
pub fn turn(
    text: &str,
    hunks: &[Hunk],
    sides: &[Side],
    wanted: &[Option<Side>],
    is_untouched: bool,
) -> Turned {
    let mut turned = Turned { text: String::new(), done: Vec::new(), refused: Vec::new() };
    let mut edits: Vec<(Range<usize>, String, &Hunk)> = Vec::new();
    let starts = if is_untouched { line_starts(text) } else { Vec::new() };
    // By how many lines those before have moved what follows.
    let mut moved: i64 = 0;
    for ((hunk, side), wanted) in hunks.iter().zip(sides).zip(wanted) {
        let expected = i64::from(first_line(hunk)) + moved;
        if *side == Side::Before {
            moved += i64::from(hunk.old_lines) - i64::from(hunk.new_lines);
        }
        let Some(wanted) = *wanted else { continue };
        let expected = usize::try_from(expected).ok().and_then(|line| starts.get(line)).copied();
        match place(text, hunk, wanted, expected) {
            Ok(Found::Already) => turned.done.push(hunk.id.clone()),
            Ok(Found::At(range, new)) => edits.push((range, new, hunk)),
            Err(reason) => turned.refused.push(Refused { hunk: hunk.id.clone(), reason: reason.to_owned() }),
        }
    }
    edits.sort_by_key(|(range, ..)| (range.start, range.end));
    let mut at = 0;
    for (range, new, hunk) in edits {
        let Some(kept) = text.get(at..range.start) else {
            turned.refused.push(Refused { hunk: hunk.id.clone(), reason: CHANGED.to_owned() });
            continue;
        };
        turned.text.push_str(kept);
        turned.text.push_str(&new);
        turned.done.push(hunk.id.clone());
        at = range.end;
    }
    turned.text.push_str(text.get(at..).unwrap_or_default());
    turned
}

/// The whole text of one side, where the hunk is the whole change of a file that is new or gone. `None` where more
/// was changed than is kept.
pub fn whole(hunks: &[Hunk], side: Side) -> Option<String> {
    let texts: Option<Vec<String>> =
        hunks.iter().map(|hunk| Some(Lines::of(hunk)?.text(side, usize::MAX).text)).collect();
    texts.map(|texts| texts.concat())
}

/// Why a hunk stays.
const CHANGED: &str = "its lines, or those next to them, were changed since or are gone";
const SEVERAL: &str = "its lines are in the file more than once, and the file was changed since";
const TOO_LONG: &str = "it has more lines than are kept of a change";

enum Found {
    /// The text has the wanted side there.
    Already,
    /// What is to be replaced, and what by.
    At(Range<usize>, String),
}

/// Where in the text the hunk is, on its other side. `expected` is where it begins where nobody has touched the
/// text.
fn place(text: &str, hunk: &Hunk, wanted: Side, expected: Option<usize>) -> Result<Found, &'static str> {
    let lines = Lines::of(hunk).ok_or(TOO_LONG)?;
    let is = match wanted {
        Side::Before => Side::After,
        Side::After => Side::Before,
    };
    for around in AROUND.rev() {
        let block = lines.text(is, around);
        let found = match expected.filter(|at| around + 1 == AROUND.end && block.is_at(text, *at)) {
            Some(at) => Places::One(at),
            None => block.find(text),
        };
        match found {
            Places::One(at) => {
                let range = at + block.changed.start..at + block.changed.end;
                let new = lines.text(wanted, 0).text;
                return Ok(Found::At(range, new));
            }
            Places::Several => return Err(SEVERAL),
            Places::None => {}
        }
    }
    let already = lines.text(wanted, AROUND.end - 1).find(text);
    if matches!(already, Places::One(_)) { Ok(Found::Already) } else { Err(CHANGED) }
}

/// The line at which the hunk begins after the change, from zero.
fn first_line(hunk: &Hunk) -> u32 {
    if hunk.new_lines == 0 { hunk.new_start } else { hunk.new_start.saturating_sub(1) }
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1)).collect()
}

/// The lines of a hunk, with their ends.
struct Lines {
    /// The mark, and the line.
    lines: Vec<(char, String)>,
}

impl Lines {
    /// `None` where lines were left out.
    fn of(hunk: &Hunk) -> Option<Self> {
        let mut lines: Vec<(char, String)> = Vec::with_capacity(hunk.lines.len());
        let mut crlf = hunk.crlf.iter().peekable();
        for (at, line) in hunk.lines.iter().enumerate() {
            if line == CUT {
                return None;
            }
            if line == NO_END {
                let (_, last) = lines.last_mut()?;
                last.pop();
                continue;
            }
            let at = u32::try_from(at).ok()?;
            while crlf.peek().is_some_and(|range| range.end <= at) {
                crlf.next();
            }
            let end = if crlf.peek().is_some_and(|range| range.contains(&at)) { "\r\n" } else { "\n" };
            let mark = line.chars().next()?;
            lines.push((mark, format!("{}{end}", line.get(mark.len_utf8()..)?)));
        }
        Some(Self { lines })
    }

    /// One side of it, with at most `around` lines that were not changed at its start and its end.
    fn text(&self, side: Side, around: usize) -> Block {
        let is_changed = |(mark, _): &(char, String)| *mark != ' ';
        let first = self.lines.iter().position(is_changed).unwrap_or(0);
        let last = self.lines.iter().rposition(is_changed).map_or(0, |last| last + 1);
        let from = first.saturating_sub(around);
        let to = last.saturating_add(around).min(self.lines.len());
        let mut block = Block { text: String::new(), changed: 0..0 };
        for (at, (mark, line)) in self.lines.iter().enumerate().take(to).skip(from) {
            if at == first {
                block.changed.start = block.text.len();
            }
            let is_there = match mark {
                '-' => side == Side::Before,
                '+' => side == Side::After,
                _ => true,
            };
            if is_there {
                block.text.push_str(line);
            }
            if at + 1 == last {
                block.changed.end = block.text.len();
            }
        }
        block
    }
}

/// Lines as they would stand in a text.
struct Block {
    text: String,
    /// The bytes that are not only its surroundings.
    changed: Range<usize>,
}

enum Places {
    None,
    One(usize),
    Several,
}

impl Block {
    fn is_at(&self, text: &str, at: usize) -> bool {
        let is_start = at == 0 || text.as_bytes().get(at - 1) == Some(&b'\n');
        let end = at + self.text.len();
        is_start && text.get(at..end) == Some(&self.text) && (self.text.ends_with('\n') || end == text.len())
    }

    fn find(&self, text: &str) -> Places {
        if self.text.is_empty() {
            return if text.is_empty() { Places::One(0) } else { Places::None };
        }
        let finder = memchr::memmem::Finder::new(&self.text);
        let mut found = None;
        let mut from = 0;
        while let Some(at) = text.as_bytes().get(from..).and_then(|rest| finder.find(rest)) {
            let at = from + at;
            if self.is_at(text, at) {
                if found.is_some() {
                    return Places::Several;
                }
                found = Some(at);
            }
            from = at + 1;
        }
        found.map_or(Places::None, Places::One)
    }
}

#[cfg(test)]
mod tests;
