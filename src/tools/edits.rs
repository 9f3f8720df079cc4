//! Exact replacements in a text: all of them or none, each in one place unless it says otherwise.
//!
//! What is replaced is found without regard to how lines end; everything else stays to the byte. Where a text is
//! not found, the answer says what is nearest to it and why that is not the same. Nothing is guessed.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;

use super::text::{LineEnd, plain};

/// Places that are named where a text occurs more than once.
const PLACES: usize = 8;

/// Lines of the nearest place that are shown.
const SHOWN: usize = 12;

/// Characters of a line that are shown.
const LINE: usize = 200;

/// One replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub old: String,
    pub new: String,
    /// Wherever it occurs.
    pub all: bool,
}

/// `raw` with every edit made, or why none was made. Each edit is looked for in `raw` as it is.
pub fn apply(raw: &str, edits: &[Edit]) -> Result<String, String> {
    let text = Plain::of(raw);
    let mut replacements: Vec<(Range<usize>, &Edit, usize)> = Vec::new();
    for (at, edit) in edits.iter().enumerate() {
        let found = text.places(edit).map_err(|why| numbered(at, edits.len(), &why))?;
        replacements.extend(found.into_iter().map(|place| (place, edit, at)));
    }
    replacements.sort_by_key(|(place, ..)| (place.start, place.end));
    for pair in replacements.windows(2) {
        if let [(one, _, first), (other, _, second)] = pair
            && other.start < one.end
        {
            let (first, second) = (first.min(second) + 1, first.max(second) + 1);
            return Err(format!(
                "edits {first} and {second} overlap at line {}; make one edit of them; nothing was changed",
                text.line_of(other.start)
            ));
        }
    }
    let mut result = String::with_capacity(raw.len());
    let mut at = 0;
    for (place, edit, _) in replacements {
        let place = text.raw_range(&place);
        let replaced = raw.get(place.clone()).unwrap_or_default();
        // New lines end as the ones that they stand for, else as most of the file's.
        let ends = if replaced.contains('\n') { LineEnd::of(replaced) } else { text.line_end };
        result.push_str(raw.get(at..place.start).unwrap_or_default());
        result.push_str(&ends.applied(&plain(&edit.new)));
        at = place.end;
    }
    result.push_str(raw.get(at..).unwrap_or_default());
    if result == raw {
        return Err("the edits change nothing: every new text is the old one".to_owned());
    }
    Ok(result)
}

fn numbered(at: usize, count: usize, why: &str) -> String {
    if count == 1 {
        why.to_owned()
    } else {
        format!("edit {}: {why}; none of the {count} edits was made", at + 1)
    }
}

/// A text with line feeds alone, and the way back.
struct Plain<'r> {
    text: std::borrow::Cow<'r, str>,
    /// Where, in `text`, a carriage return was left out before a line feed.
    dropped: Vec<usize>,
    line_end: LineEnd,
}

impl<'r> Plain<'r> {
    fn of(raw: &'r str) -> Self {
        let dropped = memchr::memmem::find_iter(raw.as_bytes(), b"\r\n");
        let dropped: Vec<usize> = dropped.enumerate().map(|(before, at)| at - before).collect();
        let text = if dropped.is_empty() { raw.into() } else { plain(raw).into() };
        Self { text, dropped, line_end: LineEnd::of(raw) }
    }

    /// A range of `text` in the raw text. A line feed takes the carriage return before it along.
    fn raw_range(&self, range: &Range<usize>) -> Range<usize> {
        let before = |at: usize| self.dropped.partition_point(|dropped| *dropped < at);
        range.start + before(range.start)..range.end + before(range.end)
    }

    fn line_of(&self, at: usize) -> usize {
        memchr::memchr_iter(b'\n', self.text.as_bytes().get(..at).unwrap_or_default()).count() + 1
    }

    fn places(&self, edit: &Edit) -> Result<Vec<Range<usize>>, String> {
        let old = plain(&edit.old);
        if old.is_empty() {
            return Err("the old text is empty: it must be some text of the file; \
                        to write a whole file use `write`"
                .to_owned());
        }
        let found = memchr::memmem::find_iter(self.text.as_bytes(), old.as_bytes());
        let places: Vec<Range<usize>> = found.map(|at| at..at + old.len()).collect();
        let Some(first) = places.first() else { return Err(self.absent(&old)) };
        if edit.all {
            return Ok(places);
        }
        // Also one that begins inside the first.
        let again = self.text.get(first.start..).and_then(|rest| {
            let step = rest.chars().next().map_or(1, char::len_utf8);
            rest.get(step..).and_then(|rest| rest.find(&old)).map(|at| first.start + step + at)
        });
        let Some(again) = again else { return Ok(places) };
        let mut lines: Vec<String> = match places.as_slice() {
            [_] => vec![self.line_of(first.start).to_string(), self.line_of(again).to_string()],
            places => places.iter().take(PLACES).map(|place| self.line_of(place.start).to_string()).collect(),
        };
        if places.len() > PLACES {
            lines.push("...".to_owned());
        }
        Err(format!(
            "the old text is in the file {} times (lines {}); take more of the lines around it so that it is \
             there once, or set replaceAll",
            places.len().max(2),
            lines.join(", ")
        ))
    }

    /// What is nearest to a text that is not there, and why it is not the same.
    fn absent(&self, old: &str) -> String {
        if let Some(why) = self.written_otherwise(old) {
            return format!("the old text is not in the file: {why}");
        }
        let lines: Vec<&str> = self.text.lines().collect();
        let wanted: Vec<&str> = old.lines().collect();
        let Some(start) = nearest(&lines, &wanted) else {
            return "the old text is not in the file, and nothing like it; read the file again".to_owned();
        };
        let end = (start + wanted.len()).min(lines.len());
        let near = lines.get(start..end).unwrap_or_default();
        let mut message = format!(
            "the old text is not in the file; the nearest is {}{}",
            if end - start == 1 {
                format!("line {}", start + 1)
            } else {
                format!("lines {}-{end}", start + 1)
            },
            difference(near, &wanted, start),
        );
        message.push_str("\nin the file:");
        for (at, line) in near.iter().enumerate().take(SHOWN) {
            let _ = write!(message, "\n{:>6}\t{}", start + at + 1, clip(line));
        }
        if near.len() > SHOWN {
            message.push_str("\n   ...");
        }
        message
    }

    /// Ways in which models write a text that they saw otherwise.
    fn written_otherwise(&self, old: &str) -> Option<&'static str> {
        let holds = |text: &str| !text.is_empty() && text != old && self.text.contains(text);
        let lines: Vec<&str> = old.lines().collect();
        let stripped: Option<Vec<&str>> = lines
            .iter()
            .map(|line| {
                let (number, rest) = line.trim_start().split_once('\t')?;
                (!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())).then_some(rest)
            })
            .collect();
        if stripped.is_some_and(|stripped| holds(&stripped.join("\n"))) {
            return Some("it begins its lines with line numbers, which are not part of the file");
        }
        let unescaped = old.replace("\\n", "\n").replace("\\t", "\t").replace("\\\"", "\"");
        if holds(&unescaped) {
            return Some("its line breaks, tabs or quotes are written as escapes; give them as they are");
        }
        if holds(&old.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&"))
        {
            return Some("it has characters written as in HTML; give them as they are in the file");
        }
        holds(old.trim_matches('\n')).then_some("it has empty lines at its start or end that are not there")
    }
}

/// The line at which the run begins that is most like `wanted`.
fn nearest(lines: &[&str], wanted: &[&str]) -> Option<usize> {
    // Lines that are the same but for white space and case vote for where the run would begin.
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, line) in wanted.iter().enumerate() {
        let key = squeezed(line);
        if !key.is_empty() {
            places.entry(key).or_default().push(at);
        }
    }
    let mut votes: HashMap<usize, usize> = HashMap::new();
    for (at, line) in lines.iter().enumerate() {
        // A line that stands often in both would make this quadratic, and tells little.
        for place in places.get(&squeezed(line)).into_iter().flatten().take(PLACES) {
            if let Some(start) = at.checked_sub(*place) {
                *votes.entry(start).or_default() += 1;
            }
        }
    }
    let best = votes.into_iter().max_by_key(|(start, votes)| (*votes, std::cmp::Reverse(*start)));
    best.map(|(start, _)| start).or_else(|| {
        // Else the line that shares most with the longest one of them.
        let (at, longest) = wanted.iter().enumerate().max_by_key(|(_, line)| line.trim().len())?;
        let pairs = pairs(longest);
        let scored = lines.iter().enumerate().map(|(at, line)| (alike(&pairs, line), at));
        let (score, found) = scored.max_by_key(|(score, at)| (*score, std::cmp::Reverse(*at)))?;
        (score >= ALIKE).then(|| found.saturating_sub(at))
    })
}

/// Of a thousand, how alike two lines must be for one to be shown for the other.
const ALIKE: usize = 500;

type Pairs = HashMap<(char, char), usize>;

fn pairs(line: &str) -> Pairs {
    let mut pairs = Pairs::new();
    let mut last = None;
    for c in line.trim().chars().take(LINE) {
        if let Some(last) = last {
            *pairs.entry((last, c)).or_default() += 1;
        }
        last = Some(c);
    }
    pairs
}

/// Of a thousand, how many pairs of neighbouring letters two lines share.
fn alike(wanted: &Pairs, line: &str) -> usize {
    let other = pairs(line);
    let count = |pairs: &Pairs| pairs.values().sum::<usize>();
    let all = count(wanted) + count(&other);
    let shared: usize =
        other.iter().map(|(pair, count)| wanted.get(pair).copied().unwrap_or(0).min(*count)).sum();
    (shared * 2000).checked_div(all).unwrap_or(0)
}

/// A line by which it is found though its spaces, its case or its quotation marks are others.
fn squeezed(line: &str) -> String {
    line.chars().filter(|c| !c.is_whitespace()).map(unfancied).flat_map(char::to_lowercase).collect()
}

/// The plain form of a character that is often taken for it.
fn unfancied(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{2032}' | '`' => '\'',
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2033}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' | '\u{3000}' => ' ',
        other => other,
    }
}

/// How the first lines that are not the same differ.
fn difference(near: &[&str], wanted: &[&str], start: usize) -> String {
    let Some((at, (file, given))) =
        near.iter().zip(wanted).enumerate().find(|(_, (file, given))| file != given)
    else {
        return ", which has fewer lines or another end".to_owned();
    };
    let spaces = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = |line: &str| line.chars().map(unfancied).collect::<String>();
    let why = if file.trim_end() == given.trim_end() {
        "in the white space at the end"
    } else if file.trim() == given.trim() {
        "in the indentation"
    } else if spaces(file) == spaces(given) {
        "in the white space"
    } else if plain(file) == plain(given) {
        "in characters that look alike (quotation marks, dashes or spaces)"
    } else if file.to_lowercase() == given.to_lowercase() {
        "in upper and lower case"
    } else {
        "in its words"
    };
    format!(
        ", which differs {why} at line {}: there is {:?}, given was {:?}",
        start + at + 1,
        clip(file),
        clip(given)
    )
}

fn clip(line: &str) -> String {
    let mut clipped: String = line.chars().take(LINE).collect();
    if clipped.len() < line.len() {
        clipped.push('…');
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(old: &str, new: &str) -> Edit {
        Edit { old: old.to_owned(), new: new.to_owned(), all: false }
    }

    #[track_caller]
    fn fails(raw: &str, edits: &[Edit], parts: &[&str]) {
        let error = apply(raw, edits).unwrap_err();
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in {error:?}");
        }
    }

    #[test]
    fn edits_are_made_in_one_step_wherever_they_stand() {
        let raw = "one\ntwo\nthree\n";
        let edits = [edit("three", "3"), edit("one\n", "1\n")];
        assert_eq!(apply(raw, &edits).unwrap(), "1\ntwo\n3\n");
        // Each is looked for in the file as it was.
        assert_eq!(apply("a b", &[edit("a", "b"), edit("b", "c")]).unwrap(), "b c");
        let all = Edit { all: true, ..edit("o", "0") };
        assert_eq!(apply(raw, &[all]).unwrap(), "0ne\ntw0\nthree\n");
    }

    #[test]
    fn line_ends_are_kept_where_nothing_changes_and_taken_over_where_something_does() {
        let raw = "a\r\nb\r\nc\nd\r\n";
        assert_eq!(apply(raw, &[edit("a\nb\n", "x\ny\nz\n")]).unwrap(), "x\r\ny\r\nz\r\nc\nd\r\n");
        assert_eq!(apply(raw, &[edit("c\n", "x\ny\n")]).unwrap(), "a\r\nb\r\nx\ny\nd\r\n");
        assert_eq!(apply(raw, &[edit("b", "x\ny")]).unwrap(), "a\r\nx\r\ny\r\nc\nd\r\n");
        assert_eq!(apply(raw, &[edit("b\r\n", "")]).unwrap(), "a\r\nc\nd\r\n");
        assert_eq!(apply("a\rb\n", &[edit("b", "c")]).unwrap(), "a\rc\n");
        assert_eq!(apply("a\n", &[edit("a\n", "a")]).unwrap(), "a");
    }

    #[test]
    fn what_is_not_there_once_changes_nothing() {
        fails("x\ny\nx\n", &[edit("x", "z")], &["2 times", "lines 1, 3", "replaceAll"]);
        fails("aaa", &[edit("aa", "b")], &["2 times"]);
        fails("a\nb\n", &[edit("a\n", "x"), edit("q", "z")], &["edit 2", "none of the 2"]);
        fails("abc", &[edit("ab", "x"), edit("bc", "y")], &["edits 1 and 2 overlap at line 1"]);
        fails("abc", &[edit("", "x")], &["empty", "`write`"]);
        fails("abc", &[edit("b", "b")], &["change nothing"]);
        fails("", &[edit("b", "c")], &["nothing like it"]);
    }

    #[test]
    fn the_nearest_place_is_named_with_the_reason() {
        let raw = "fn main() {\n\tlet x = 1;\n\tprint(x);\n}\n";
        fails(
            raw,
            &[edit("    let x = 1;", "")],
            &["line 2", "indentation", "\"\\tlet x = 1;\"", "     2\t\tlet"],
        );
        fails(raw, &[edit("let x = 1; \n\tprint(x);", "")], &["lines 2-3"]);
        fails(raw, &[edit("\tlet  x = 1;", "")], &["in the white space at line 2"]);
        fails(raw, &[edit("\tLET x = 1;", "")], &["upper and lower case"]);
        fails(raw, &[edit("\tlet y = 1;\n\tprint(x);\n", "")], &["lines 2-3", "in its words at line 2"]);
        fails(raw, &[edit("     2\t\tlet x = 1;\n     3\t\tprint(x);", "")], &["line numbers"]);
        fails(raw, &[edit("{\\n\\tlet x", "")], &["escapes"]);
        fails("say(\u{201c}hi\u{201d})\n", &[edit("say(\"hi\")", "")], &["look alike"]);
        fails("a < b\n", &[edit("a &lt; b", "")], &["HTML"]);
        fails(raw, &[edit("\tlet x = 1;\n\n", "")], &["empty lines"]);
        fails(raw, &[edit("print(xx)", "")], &["line 3"]);
        fails("trailing  \nnext\n", &[edit("trailing\nnext", "")], &["white space at the end"]);
    }

    #[test]
    fn a_large_file_of_equal_lines_takes_no_time() {
        let raw = "same line\n".repeat(200_000);
        let old = "same line\n".repeat(5_000) + "other";
        let started = tokio::time::Instant::now();
        assert!(apply(&raw, &[edit(&old, "")]).is_err());
        assert!(started.elapsed() < std::time::Duration::from_secs(20));
    }
}
