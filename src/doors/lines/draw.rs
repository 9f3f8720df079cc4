//! How each kind of item looks: its lines and its marks. A function of the item and nothing else.
//!
//! Every line that is Aside's own begins with one of [`SIGILS`], which no model's text can begin a line with.

use std::path::Path;

use super::MarkKind;
use super::block::Own;
use super::content::{Content, Limit};
use super::words;
use super::writer::{FENCE, SIGILS, Style, Writer};
use crate::engine::{EndedTurn, Ending, FileChangeItem, Item, ItemBody, ItemStatus, Severity};
use crate::tools::shown::{cut, line};
use crate::tools::{ChangeKind, Hunk, HunkDecision};

/// What is shown of a tool's output.
const OUTPUT: Limit = Limit { head: 200, tail: 300, prefix: "" };
/// What is shown of a prompt.
const PROMPT: Limit = Limit { head: 400, tail: 100, prefix: "> " };
/// Lines of a diff that are shown.
const MAX_DIFF: usize = 1_000;
/// Characters of one of them.
const MAX_DIFF_LINE: usize = 2_000;
/// Characters of a heading.
const MAX_HEADING: usize = 200;
/// Characters of a line that tells something.
const MAX_WORDS: usize = 1_000;

/// The marks that every part may have.
const ITEM: usize = 0;
const FOLD: usize = 1;
const HEADING: usize = 2;
const BODY: usize = 3;
/// The first of those that only a change has.
const DIFF: usize = 10;

/// An item whose text grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Growable {
    Text,
    Thinking {
        is_redacted: bool,
    },
    Tool {
        title: String,
    },
    /// What the person ran.
    Command {
        line: String,
        exit_code: Option<i32>,
    },
}

/// What stands around a text that grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) is_shown: bool,
    /// Of the item when this was drawn.
    pub(super) status: Option<ItemStatus>,
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
}

impl Growable {
    /// The item, if its text grows.
    pub(super) fn of(item: &Item) -> Option<Self> {
        match &item.body {
            ItemBody::Text { .. } => Some(Self::Text),
            ItemBody::Thinking { redacted, .. } => Some(Self::Thinking { is_redacted: redacted.is_some() }),
            ItemBody::ToolCall(call) => {
                let names = [&call.title, &call.name];
                let title = names.into_iter().find(|name| !name.trim().is_empty());
                let title = title.map_or_else(|| "a tool".to_owned(), |title| line(title, MAX_HEADING));
                Some(Self::Tool { title })
            }
            ItemBody::Command(command) => {
                Some(Self::Command { line: line(&command.line, MAX_HEADING), exit_code: command.exit_code })
            }
            ItemBody::User { .. } | ItemBody::FileChange(_) | ItemBody::Notice { .. } => None,
        }
    }

    pub(super) fn style(&self) -> Style {
        match self {
            Self::Text => Style::Prose,
            Self::Thinking { .. } => Style::Quote,
            Self::Tool { .. } | Self::Command { .. } => Style::Fenced,
        }
    }

    pub(super) fn limit(&self) -> Option<Limit> {
        match self {
            Self::Text | Self::Thinking { .. } => None,
            Self::Tool { .. } | Self::Command { .. } => Some(OUTPUT),
        }
    }

    /// What stands around the text. `closing` ends what the text has left open.
    pub(super) fn frame(&self, status: ItemStatus, is_empty: bool, closing: Option<String>) -> Frame {
        let sigil = SIGILS[1];
        let (is_shown, before, after) = match self {
            Self::Text => (!is_empty, Vec::new(), closing.into_iter().collect()),
            Self::Thinking { is_redacted } => {
                let is_shown = !is_empty || *is_redacted || status == ItemStatus::InProgress;
                let who = if *is_redacted { " (only the provider can read it)" } else { "" };
                (is_shown, vec![format!("{sigil} thinking{who}")], Vec::new())
            }
            Self::Tool { title } => framed(format!("{sigil} {title}{}", end_of(status)), is_empty),
            Self::Command { line, exit_code } => {
                let how = match exit_code {
                    Some(code) if *code != 0 => format!("  (exit code {code})"),
                    _ => end_of(status).to_owned(),
                };
                framed(format!("{sigil} you ran: {line}{how}"), is_empty)
            }
        };
        Frame { is_shown, status: Some(status), before, after }
    }

    /// The marks, where so many lines of the text are shown.
    pub(super) fn marks(&self, status: ItemStatus, frame: &Frame, shown: usize) -> Vec<Own> {
        if !frame.is_shown {
            return Vec::new();
        }
        let end = frame.before.len() + shown + frame.after.len();
        let mut marks = vec![own(ITEM, MarkKind::Item, 0, end + 1, "")];
        match self {
            Self::Text => {}
            Self::Thinking { .. } => {
                if shown > 0 {
                    marks.push(own(FOLD, MarkKind::Fold, 0, end, "thinking"));
                }
                marks.push(own(BODY, MarkKind::Highlight, 0, end, "thinking"));
            }
            Self::Tool { .. } | Self::Command { .. } => {
                if shown > 0 {
                    marks.push(own(FOLD, MarkKind::Fold, 0, end, "toolCall"));
                    marks.push(own(BODY, MarkKind::Highlight, 1, end, "output"));
                }
                marks.push(own(HEADING, MarkKind::Highlight, 0, 1, tool_highlight(status)));
            }
        }
        marks
    }
}

/// A heading, and a fence below it where there is something.
fn framed(heading: String, is_empty: bool) -> (bool, Vec<String>, Vec<String>) {
    if is_empty {
        (true, vec![heading], Vec::new())
    } else {
        (true, vec![heading, FENCE.to_owned()], vec![FENCE.to_owned()])
    }
}

/// What stands behind a heading.
fn end_of(status: ItemStatus) -> &'static str {
    match status {
        ItemStatus::InProgress => "  …",
        ItemStatus::Completed | ItemStatus::Withdrawn => "",
        ItemStatus::Failed => "  (failed)",
        ItemStatus::Cancelled => "  (cancelled)",
    }
}

fn own(tag: usize, kind: MarkKind, from: usize, to: usize, name: &'static str) -> Own {
    Own { tag, kind, from, to, name: name.into() }
}

fn tool_highlight(status: ItemStatus) -> &'static str {
    match status {
        ItemStatus::InProgress => "toolRunning",
        ItemStatus::Completed | ItemStatus::Withdrawn => "toolCall",
        ItemStatus::Failed | ItemStatus::Cancelled => "toolFailed",
    }
}

type Still = (Vec<String>, Vec<Own>);

/// An item that does not grow.
pub(super) fn still(item: &Item, folder: &str) -> Still {
    match &item.body {
        ItemBody::User { .. } => prompt(&item.text),
        ItemBody::FileChange(change) => file_change(item, change, folder),
        ItemBody::Notice { severity, hint, .. } => {
            let (word, highlight) = match severity {
                Severity::Info => ("note", "notice"),
                Severity::Warning => ("warning", "warning"),
                Severity::Error => ("error", "error"),
            };
            let (first, rest) = item.text.split_once('\n').unwrap_or((&item.text, ""));
            let heading = format!("{word}: {}", line(first, MAX_WORDS));
            words_of(&heading, &[rest, hint.as_deref().unwrap_or_default()], highlight)
        }
        // These grow.
        ItemBody::Text { .. } | ItemBody::Thinking { .. } | ItemBody::ToolCall(_) | ItemBody::Command(_) => {
            Still::default()
        }
    }
}

/// A line of Aside's own, and more in quotes.
fn words_of(heading: &str, quoted: &[&str], highlight: &'static str) -> Still {
    let mut lines = vec![format!("{} {heading}", SIGILS[1])];
    lines.extend(quoted.iter().flat_map(|text| Writer::lines(Style::Quote, &cut(text, MAX_WORDS))));
    let end = lines.len();
    lines.push(String::new());
    let marks =
        vec![own(ITEM, MarkKind::Item, 0, end + 1, ""), own(BODY, MarkKind::Highlight, 0, end, highlight)];
    (lines, marks)
}

fn prompt(text: &str) -> Still {
    let mut lines = vec![format!("## {} You", SIGILS[0])];
    lines.extend(Content::new(Some(PROMPT)).fill(Writer::lines(Style::Quote, text)));
    let end = lines.len();
    lines.push(String::new());
    let mut marks =
        vec![own(ITEM, MarkKind::Item, 0, end + 1, ""), own(HEADING, MarkKind::Highlight, 0, 1, "heading")];
    if end > 1 {
        marks.push(own(BODY, MarkKind::Highlight, 1, end, "user"));
    }
    (lines, marks)
}

fn file_change(item: &Item, change: &FileChangeItem, folder: &str) -> Still {
    let FileChangeItem { change, .. } = change;
    let path = |path: &Path| {
        let below = path.strip_prefix(folder).ok().filter(|below| below.components().next().is_some());
        line(&below.unwrap_or(path).display().to_string(), MAX_HEADING)
    };
    let (doing, done) = match change.kind {
        ChangeKind::Add => ("adding", "added"),
        ChangeKind::Modify => ("changing", "changed"),
        ChangeKind::Delete => ("deleting", "deleted"),
        ChangeKind::Move => ("moving", "moved"),
    };
    let from = change.old_path.as_deref().map(|old| format!("{} → ", path(old))).unwrap_or_default();
    let count = |sign: char| {
        let lines = change.hunks.iter().flat_map(|hunk| &hunk.lines);
        words::grouped(lines.filter(|line| line.starts_with(sign)).count() as u64)
    };
    let verb = if item.status == ItemStatus::InProgress { doing } else { done };
    let how = end_of(item.status);
    let path = path(&change.path);
    let counts =
        if change.hunks.is_empty() { String::new() } else { format!("  +{} −{}", count('+'), count('-')) };
    let mut lines = vec![format!("{} {verb} {from}{path}{counts}{how}", SIGILS[1])];
    let mut marks = vec![own(HEADING, MarkKind::Highlight, 0, 1, tool_highlight(item.status))];
    if !change.hunks.is_empty() {
        lines.push(format!("{FENCE}diff"));
        diff(item, &change.hunks, &mut lines, &mut marks);
        lines.push(FENCE.to_owned());
        marks.push(own(FOLD, MarkKind::Fold, 0, lines.len(), "diff"));
    }
    lines.push(String::new());
    marks.push(own(ITEM, MarkKind::Item, 0, lines.len(), ""));
    marks.sort_by_key(|mark| mark.tag);
    (lines, marks)
}

fn diff(item: &Item, hunks: &[Hunk], lines: &mut Vec<String>, marks: &mut Vec<Own>) {
    let all: usize = hunks.iter().map(|hunk| hunk.lines.len() + 1).sum();
    let last = lines.len() + MAX_DIFF;
    let mut tag = DIFF;
    for hunk in hunks {
        if lines.len() >= last {
            break;
        }
        let Hunk { id, old_start, old_lines, new_start, new_lines, decision, .. } = hunk;
        let said = match decision {
            HunkDecision::Pending => "",
            HunkDecision::Accepted => " accepted",
            HunkDecision::Rejected => " rejected",
        };
        let first = lines.len();
        lines.push(format!("@@ -{old_start},{old_lines} +{new_start},{new_lines} @@{said}"));
        let mut runs = vec![(first, "diffHunk")];
        // Where every line ends with a carriage return, it says nothing.
        let returns = hunk.lines.iter().all(|line| line.ends_with('\r') || line.starts_with('\\'));
        for text in hunk.lines.iter().take(last.saturating_sub(lines.len())) {
            let highlight = match text.chars().next() {
                Some('+') => "diffAdd",
                Some('-') => "diffDelete",
                _ => "",
            };
            if runs.last().is_some_and(|(_, name)| *name != highlight) {
                runs.push((lines.len(), highlight));
            }
            let text = text.strip_suffix('\r').filter(|_| returns).unwrap_or(text);
            // A carriage return at the end would wait for its line feed.
            let shown =
                text.strip_suffix('\r').map_or_else(|| text.to_owned(), |text| format!("{text}\\u{{d}}"));
            lines.push(Writer::lines(Style::Fenced, &cut(&shown, MAX_DIFF_LINE)).concat());
        }
        let end = lines.len();
        let name = format!("{}#{id}", item.id).into();
        marks.push(Own { tag, kind: MarkKind::Item, from: first, to: end, name });
        tag += 1;
        let ends = runs.iter().skip(1).map(|(from, _)| *from).chain([end]);
        for ((from, name), to) in runs.iter().zip(ends) {
            if !name.is_empty() {
                marks.push(own(tag, MarkKind::Highlight, *from, to, name));
                tag += 1;
            }
        }
    }
    let left_out = (all + last).saturating_sub(MAX_DIFF + lines.len());
    if left_out > 0 {
        lines.push(format!("⟨{} not shown here⟩", words::lines(left_out)));
    }
}

/// The end of a turn: how it ended, and what it used.
pub(super) fn turn(turn: &EndedTurn) -> Still {
    let time = words::time(turn.took_ms);
    let mut hint = "";
    let how = match &turn.ending {
        Ending::Done => format!("done in {time}"),
        Ending::MaxTokens => format!("stopped at the model's output limit after {time}"),
        Ending::Refusal => format!("refused by the model after {time}"),
        Ending::Cancelled => format!("cancelled after {time}"),
        Ending::Interrupted => "interrupted: the process ended".to_owned(),
        Ending::Failed { message, hint: todo } => {
            hint = todo.as_deref().unwrap_or_default();
            format!("failed after {time}: {}", line(message, MAX_WORDS))
        }
    };
    let mut parts = vec![how];
    let usage = &turn.usage;
    let input = usage.input + usage.cache_read + usage.cache_write;
    if input > 0 {
        let cached = match usage.cache_read {
            0 => String::new(),
            cached => format!(" ({} cached)", words::grouped(cached)),
        };
        parts.push(format!("{} tokens in{cached}", words::grouped(input)));
    }
    if usage.output > 0 {
        parts.push(format!("{} out", words::grouped(usage.output)));
    }
    if let Some(cost) = turn.cost.filter(|cost| *cost > 0.0) {
        parts.push(words::money(cost));
    }
    let highlight = if matches!(turn.ending, Ending::Failed { .. }) { "error" } else { "usage" };
    let (lines, mut marks) = words_of(&parts.join(" · "), &[hint], highlight);
    marks.retain(|mark| mark.tag != ITEM);
    (lines, marks)
}

/// What stands before the first item where others are left out.
pub(super) fn omitted(count: usize) -> Still {
    let noun = if count == 1 { "part" } else { "parts" };
    let heading = format!("{} earlier {noun} not shown here", words::grouped(count as u64));
    let (lines, mut marks) = words_of(&heading, &[], "notice");
    marks.retain(|mark| mark.tag != ITEM);
    (lines, marks)
}
