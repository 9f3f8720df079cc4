//! What a turn looks like: styled on a screen, the bare answer in a pipe, or lines of JSON.
//!
//! It only makes bytes of events; `prompt.rs` says when they are written.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::difference;
use super::markdown::Markdown;
use super::terminal::{Complaint, Page, Terminal, clean, one_line};
use crate::doors::native::project::Native;
use crate::doors::peer::RawId;
use crate::doors::peer::writer::{Projection as _, response};
use crate::engine::{
    Answer, Event, EventBody, Failure, Field, FileChangeItem, Item, ItemBody, ItemId, ItemStatus, Output,
    OutputBody, Severity,
};
use crate::tools::FileChange;

/// Characters of a tool call's line.
const TOOL_LINE: usize = 72;

/// Lines of a change that are shown.
const DIFFERENCE: usize = 24;

/// What is said where the answer is begun anew after some of it was shown.
const ANEW: &str = "the answer broke off and is begun anew: what came before this does not count";

/// How a turn is shown.
pub(super) enum View {
    Screen(Box<Screen>),
    Pipe(Pipe),
    Json(Json),
}

impl View {
    /// Shows one message of the session. `terminal` says how complaints look.
    pub(super) fn output(&mut self, output: &Output, terminal: Terminal, page: &mut Page) {
        match self {
            Self::Json(json) => json.output(output, page),
            Self::Pipe(pipe) => {
                if let OutputBody::Event(event) = &output.body {
                    pipe.event(event, terminal, page);
                    notice(event, terminal, page);
                }
            }
            Self::Screen(screen) => {
                if let OutputBody::Event(event) = &output.body {
                    screen.event(event, page);
                    if let EventBody::ItemWithdrawn(item) = &event.body
                        && screen.withdraw(*item)
                    {
                        screen.end_line(page);
                        page.err(terminal.complaint(Complaint::Warning, ANEW, None));
                    }
                    if is_notice(event) {
                        screen.end_line(page);
                        notice(event, terminal, page);
                    }
                }
            }
        }
    }

    /// Shows the answer to the prompt, or why there is none.
    pub(super) fn end(&mut self, answer: &Result<Answer, Failure>, terminal: Terminal, page: &mut Page) {
        match self {
            Self::Json(json) => json.answer(answer, page),
            Self::Pipe(pipe) => pipe.end(terminal, page),
            Self::Screen(screen) => screen.end(page),
        }
    }

    /// Makes sure that what follows stands apart from the answer.
    pub(super) fn pause(&mut self, page: &mut Page) {
        if let Self::Screen(screen) = self {
            screen.leave(page);
            screen.gap(2, page);
            // The person's line feed ends the question.
            screen.feeds = 1;
        }
    }

    /// Whether a progress line would stand in the middle of the answer.
    pub(super) fn is_within_line(&self) -> bool {
        matches!(self, Self::Screen(screen) if screen.feeds == 0)
    }
}

fn is_notice(event: &Event) -> bool {
    match &event.body {
        EventBody::ItemCompleted(item) => matches!(item.body, ItemBody::Notice { .. }),
        EventBody::Retry { .. } => true,
        _ => false,
    }
}

/// Complains of what the server has to say.
fn notice(event: &Event, terminal: Terminal, page: &mut Page) {
    if let EventBody::Retry { attempt, max_attempts, delay_ms, failure, .. } = &event.body {
        let text = format!(
            "{}; trying again in {} s ({attempt} of {max_attempts})",
            failure.message,
            delay_ms.div_ceil(1_000)
        );
        page.err(terminal.complaint(Complaint::Warning, &text, None));
    }
    if let EventBody::ItemCompleted(item) = &event.body
        && let ItemBody::Notice { severity, hint, .. } = &item.body
    {
        match severity {
            Severity::Error => page.err(terminal.complaint(Complaint::Error, &item.text, hint.as_deref())),
            Severity::Warning => {
                page.err(terminal.complaint(Complaint::Warning, &item.text, hint.as_deref()));
            }
            Severity::Info => page.err(format!("aside: {}\n", clean(&item.text))),
        }
    }
}

/// The text of an answer, as the model wrote it.
#[derive(Default)]
pub(super) struct Pipe {
    /// The item that is being written.
    item: Option<ItemId>,
    /// Items of text, with what was written of them: the others are not the answer.
    texts: Vec<(ItemId, String)>,
    /// What was written of items that do not count any more, as far as the new answer did not repeat it.
    void: Option<Void>,
    /// Line feeds that end what was written; 2 where nothing was.
    feeds: usize,
    any: bool,
}

/// Text that a pipe cannot take back.
struct Void {
    text: String,
    /// Bytes of it that the new answer has repeated.
    repeated: usize,
}

impl Pipe {
    fn event(&mut self, event: &Event, terminal: Terminal, page: &mut Page) {
        match &event.body {
            EventBody::ItemStarted(item) if matches!(item.body, ItemBody::Text { .. }) => {
                self.texts.push((item.id, String::new()));
                self.text(item.id, &item.text, terminal, page);
            }
            EventBody::Delta { item, field: Field::Text, text } => self.text(*item, text, terminal, page),
            EventBody::ItemWithdrawn(item) => {
                if let Some((_, text)) = self.texts.iter_mut().find(|(known, _)| known == item) {
                    let text = std::mem::take(text);
                    let void = self.void.get_or_insert(Void { text: String::new(), repeated: 0 });
                    void.text.push_str(&text);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, item: ItemId, text: &str, terminal: Terminal, page: &mut Page) {
        let Some((_, written)) = self.texts.iter_mut().rev().find(|(known, _)| *known == item) else {
            return;
        };
        written.push_str(text);
        let Some(void) = &mut self.void else { return self.write(item, text, page) };
        // What stands there already need not be written again.
        let rest = void.text.get(void.repeated..).unwrap_or_default();
        if let Some(new) = text.strip_prefix(rest) {
            self.void = None;
            self.item = Some(item);
            self.write(item, new, page);
        } else if rest.starts_with(text) {
            void.repeated += text.len();
        } else {
            let whole = format!("{}{text}", void.text.get(..void.repeated).unwrap_or_default());
            self.void = None;
            self.anew(terminal, page);
            self.write(item, &whole, page);
        }
    }

    /// Says that what stands above does not count.
    fn anew(&mut self, terminal: Terminal, page: &mut Page) {
        if self.any {
            page.err(terminal.complaint(Complaint::Warning, ANEW, None));
            self.item = None;
        }
    }

    fn write(&mut self, item: ItemId, text: &str, page: &mut Page) {
        if text.is_empty() {
            return;
        }
        // Two texts, with a tool between them, are two paragraphs.
        if self.any && self.item != Some(item) {
            page.out("\n".repeat(2_usize.saturating_sub(self.feeds)));
        }
        self.any = true;
        self.item = Some(item);
        self.feeds = feeds(self.feeds, text);
        page.out(text);
    }

    fn end(&mut self, terminal: Terminal, page: &mut Page) {
        if self.void.take().is_some_and(|void| !void.text.is_empty()) {
            self.anew(terminal, page);
        }
        if self.any && self.feeds == 0 {
            page.out("\n");
            self.feeds = 1;
        }
    }
}

/// Line feeds at the end, after `text` was added to something that ended with so many.
fn feeds(before: usize, text: &str) -> usize {
    let trailing = text.len() - text.trim_end_matches('\n').len();
    if trailing == text.len() { before + trailing } else { trailing }
}

/// The styled answer.
pub(super) struct Screen {
    terminal: Terminal,
    markdown: Markdown,
    /// What is being shown.
    section: Section,
    /// Line feeds that end what was printed.
    feeds: usize,
    /// Items by what they are, so that a delta finds its section.
    items: Vec<(ItemId, Section)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Section {
    Nothing,
    Thinking(ItemId),
    Text(ItemId),
    Tool,
}

impl Screen {
    /// An empty screen.
    pub(super) fn new(terminal: Terminal) -> Self {
        Self {
            terminal,
            markdown: Markdown::default(),
            section: Section::Nothing,
            feeds: 2,
            items: Vec::new(),
        }
    }

    fn event(&mut self, event: &Event, page: &mut Page) {
        match &event.body {
            EventBody::ItemStarted(item) => {
                let section = match item.body {
                    ItemBody::Text { .. } => Section::Text(item.id),
                    ItemBody::Thinking { .. } => Section::Thinking(item.id),
                    ItemBody::ToolCall(_) => Section::Tool,
                    ItemBody::User { .. }
                    | ItemBody::FileChange(_)
                    | ItemBody::Command(_)
                    | ItemBody::Notice { .. } => return,
                };
                self.items.push((item.id, section));
                if section != Section::Tool {
                    self.grow(section, &item.text, page);
                }
            }
            EventBody::Delta { item, field: Field::Text, text } => {
                let known = self.items.iter().rev().find(|(id, _)| id == item).map(|(_, section)| *section);
                if let Some(section @ (Section::Text(_) | Section::Thinking(_))) = known {
                    self.grow(section, text, page);
                }
            }
            EventBody::ItemCompleted(item) if matches!(item.body, ItemBody::ToolCall(_)) => {
                self.tool(item, page);
            }
            EventBody::ItemCompleted(item) if item.status == ItemStatus::Completed => {
                if let ItemBody::FileChange(FileChangeItem { change, .. }) = &item.body {
                    self.change(change, page);
                }
            }
            _ => {}
        }
    }

    /// Forgets an item. Says whether anything of it was shown, once for all that are withdrawn together.
    fn withdraw(&mut self, item: ItemId) -> bool {
        let shown = self.items.iter().any(|(known, section)| {
            *known == item && matches!(section, Section::Text(_) | Section::Thinking(_))
        });
        if shown {
            self.items.clear();
        }
        shown
    }

    /// Shows more of a text. Blank lines at its start say nothing.
    fn grow(&mut self, section: Section, text: &str, page: &mut Page) {
        let text = if self.section == section { text } else { text.trim_start_matches(['\n', '\r']) };
        if text.is_empty() {
            return;
        }
        if self.section != section {
            self.leave(page);
            self.gap(2, page);
            self.section = section;
        }
        let printed = match (section, self.terminal.paints()) {
            (Section::Thinking(_), true) => {
                // Each line stands for itself, as in the answer.
                let lines: Vec<String> = clean(text)
                    .split('\n')
                    .map(|line| if line.is_empty() { String::new() } else { format!("\x1b[2m{line}\x1b[0m") })
                    .collect();
                lines.join("\n")
            }
            (_, true) => self.markdown.feed(text),
            (_, false) => clean(text).into_owned(),
        };
        self.print(&printed, page);
    }

    /// What tools do stands apart from what is said.
    fn begin_tools(&mut self, page: &mut Page) {
        if self.section != Section::Tool {
            self.leave(page);
            self.gap(2, page);
            self.section = Section::Tool;
        }
    }

    /// A file that was changed, and how.
    fn change(&mut self, change: &FileChange, page: &mut Page) {
        self.begin_tools(page);
        let paints = self.terminal.paints();
        let shown = difference::headline(change, paints) + &difference::lines(change, paints, DIFFERENCE);
        self.print(&shown, page);
    }

    /// A tool call that has ended, in one line.
    fn tool(&mut self, item: &Item, page: &mut Page) {
        let ItemBody::ToolCall(call) = &item.body else { return };
        self.begin_tools(page);
        let (mark, code) = match item.status {
            ItemStatus::Completed => ("✓", "32"),
            ItemStatus::Cancelled | ItemStatus::Withdrawn => ("-", "2"),
            ItemStatus::InProgress | ItemStatus::Failed => ("✗", "31"),
        };
        let title = one_line(&call.title, TOOL_LINE);
        let room = TOOL_LINE.saturating_sub(title.chars().count()).max(20);
        let result = one_line(&item.text, room);
        let result = if result.is_empty() { result } else { format!("  {result}") };
        if self.terminal.paints() {
            self.print(&format!("\x1b[{code}m{mark}\x1b[0m {title}\x1b[2m{result}\x1b[0m\n"), page);
        } else {
            self.print(&format!("{mark} {title}{result}\n"), page);
        }
    }

    /// Prints what the section still holds back.
    fn leave(&mut self, page: &mut Page) {
        if matches!(self.section, Section::Text(_)) {
            let rest = self.markdown.finish();
            self.print(&rest, page);
        }
        self.section = Section::Nothing;
    }

    /// Makes what was printed end with at least so many line feeds.
    fn gap(&mut self, wanted: usize, page: &mut Page) {
        let missing = "\n".repeat(wanted.saturating_sub(self.feeds));
        self.print(&missing, page);
    }

    fn print(&mut self, printed: &str, page: &mut Page) {
        if printed.is_empty() {
            return;
        }
        page.out(printed);
        self.feeds = feeds(self.feeds, printed.strip_suffix("\x1b[0m").unwrap_or(printed));
    }

    fn end_line(&mut self, page: &mut Page) {
        self.leave(page);
        self.gap(1, page);
    }

    fn end(&mut self, page: &mut Page) {
        self.end_line(page);
    }
}

/// The lines of the native protocol.
#[derive(Default)]
pub(super) struct Json {
    native: Native,
    line: Vec<u8>,
}

impl Json {
    fn output(&mut self, output: &Output, page: &mut Page) {
        // Questions are put to the person here; who reads the lines cannot answer.
        if matches!(output.body, OutputBody::Event(_)) {
            self.line.clear();
            self.native.output(output, &mut self.line);
            self.line.push(b'\n');
            page.out(&self.line);
        }
    }

    fn answer(&mut self, answer: &Result<Answer, Failure>, page: &mut Page) {
        let mut line = Vec::new();
        let id = serde_json::value::to_raw_value(&1).ok();
        let id = id.as_deref().and_then(|id: &RawValue| RawId::parse(id)).unwrap_or_else(RawId::null);
        match answer {
            Ok(answer) => {
                let mut result = Vec::new();
                self.native.answer(answer, None, &mut result);
                response(&id, Ok(&result), &mut line);
            }
            Err(failure) => {
                let error = self.native.failure(failure);
                response(&id, Err(&error), &mut line);
            }
        }
        line.push(b'\n');
        page.out(line);
    }
}

/// What the turn is doing, for the progress line; `None` where the event does not say.
pub(super) fn doing(event: &Event) -> Option<String> {
    let of_item = |item: &Arc<Item>| match &item.body {
        ItemBody::Thinking { .. } => Some("thinking".to_owned()),
        ItemBody::Text { .. } => Some("answering".to_owned()),
        ItemBody::ToolCall(call) if item.status == ItemStatus::InProgress => Some(one_line(&call.title, 40)),
        ItemBody::ToolCall(_) => Some("waiting for the model".to_owned()),
        ItemBody::User { .. } | ItemBody::FileChange(_) | ItemBody::Command(_) | ItemBody::Notice { .. } => {
            None
        }
    };
    match &event.body {
        EventBody::ItemStarted(item) | EventBody::ItemUpdated(item) => of_item(item),
        EventBody::ItemCompleted(item) if matches!(item.body, ItemBody::ToolCall(_)) => of_item(item),
        EventBody::Retry { delay_ms, attempt, max_attempts, .. } => {
            Some(format!("trying again in {} s ({attempt} of {max_attempts})", delay_ms.div_ceil(1_000)))
        }
        EventBody::Stalled { since_ms, gives_up_in_ms, .. } => Some(format!(
            "nothing has come for {} s, giving up in {} s",
            since_ms / 1_000,
            gives_up_in_ms / 1_000
        )),
        _ => None,
    }
}
