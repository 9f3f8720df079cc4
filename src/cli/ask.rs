//! Questions of the turn, put to the person at the terminal: permissions and forms.
//!
//! A thread reads lines, one for each that is asked for, so that a turn goes on and can be cancelled while the
//! person thinks. Standard input is touched only here and for `-`.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::terminal::{Page, Terminal, clean};
use crate::engine::{PermissionOptionKind, Question, QuestionAnswer, QuestionBody, QuestionId};
use crate::system::os::{self, HiddenInput};
use crate::tools::{FieldKind, FormField};

/// The longest answer, in bytes.
const LINE: u64 = 64 << 10;

/// The questions of one turn.
pub(super) struct Asker {
    terminal: Terminal,
    waiting: VecDeque<Arc<Question>>,
    /// Values of the first question's form so far.
    values: BTreeMap<String, String>,
    lines: Option<Lines>,
    /// While a secret is typed.
    hidden: Option<HiddenInput>,
    place: Place,
}

/// Where the cursor stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    LineStart,
    /// Behind the mark at which the person types.
    Prompt,
}

/// The reading thread.
struct Lines {
    wanted: mpsc::Sender<()>,
    lines: mpsc::Receiver<Option<String>>,
    /// Whether a line was asked for that has not come.
    open: bool,
}

impl Asker {
    /// Nothing is asked yet, and nothing read.
    pub(super) fn new(terminal: Terminal) -> Self {
        Self {
            terminal,
            waiting: VecDeque::new(),
            values: BTreeMap::new(),
            lines: None,
            hidden: None,
            place: Place::LineStart,
        }
    }

    /// Whether the person is being asked.
    pub(super) fn is_asking(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Puts a question, behind those that wait. Returns the answer where none can be had.
    pub(super) fn ask(
        &mut self,
        question: Arc<Question>,
        page: &mut Page,
    ) -> Option<(QuestionId, QuestionAnswer)> {
        self.waiting.push_back(question);
        if self.waiting.len() > 1 {
            return None;
        }
        self.begin(page)
    }

    /// A question needs no answer any more.
    pub(super) fn close(
        &mut self,
        question: QuestionId,
        page: &mut Page,
    ) -> Option<(QuestionId, QuestionAnswer)> {
        let first = self.waiting.front().is_some_and(|asked| asked.id == question);
        self.waiting.retain(|asked| asked.id != question);
        if !first {
            return None;
        }
        self.end_line(page);
        self.hidden = None;
        self.begin(page)
    }

    /// Something else is about to be printed: leaves the line on which the person types.
    pub(super) fn end_line(&mut self, page: &mut Page) {
        if std::mem::replace(&mut self.place, Place::LineStart) == Place::Prompt {
            page.err("\n");
        }
    }

    /// Resolves with the person's next line; `None` at the end of input. Never where nobody is asked.
    pub(super) async fn line(&mut self) -> Option<String> {
        match &mut self.lines {
            Some(lines) if !self.waiting.is_empty() => {
                let line = lines.lines.recv().await.flatten();
                lines.open = false;
                line
            }
            _ => std::future::pending().await,
        }
    }

    /// Understands a line. Returns the answer when the question is answered.
    pub(super) fn take(
        &mut self,
        line: Option<String>,
        page: &mut Page,
    ) -> Option<(QuestionId, QuestionAnswer)> {
        self.place = Place::LineStart;
        if self.hidden.take().is_some() {
            // The line feed that ended it was hidden too.
            page.err("\n");
        }
        let question = Arc::clone(self.waiting.front()?);
        let Some(line) = line else {
            page.err("\n");
            return self.answered(question.id, QuestionAnswer::Closed, page);
        };
        match &question.body {
            QuestionBody::Permission { options, .. } => {
                let (word, reason) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
                let kind = match word.to_lowercase().as_str() {
                    "y" | "yes" => PermissionOptionKind::AllowOnce,
                    "a" | "always" => PermissionOptionKind::AllowSession,
                    "n" | "no" => PermissionOptionKind::RejectOnce,
                    _ => return self.prompt(page),
                };
                let Some(option) = options.iter().find(|option| option.kind == kind) else {
                    return self.prompt(page);
                };
                let reason = Some(reason.trim()).filter(|reason| !reason.is_empty()).map(str::to_owned);
                self.answered(question.id, QuestionAnswer::Option { id: option.id.to_owned(), reason }, page)
            }
            QuestionBody::Form(form) => {
                let field = form.fields.get(self.values.len());
                if let Some(field) = field {
                    let Some(value) = value(field, line.trim_end_matches(['\n', '\r'])) else {
                        return self.prompt(page);
                    };
                    self.values.insert(field.name.clone(), value);
                }
                if self.values.len() < form.fields.len() {
                    return self.prompt(page);
                }
                let values = std::mem::take(&mut self.values);
                self.answered(question.id, QuestionAnswer::Values(values), page)
            }
        }
    }

    fn answered(
        &mut self,
        id: QuestionId,
        answer: QuestionAnswer,
        page: &mut Page,
    ) -> Option<(QuestionId, QuestionAnswer)> {
        self.waiting.pop_front();
        self.values.clear();
        // A question that waits behind this one and cannot be asked is closed when the turn ends.
        let _ = self.begin(page);
        Some((id, answer))
    }

    /// Shows the first question.
    fn begin(&mut self, page: &mut Page) -> Option<(QuestionId, QuestionAnswer)> {
        self.values.clear();
        let question = Arc::clone(self.waiting.front()?);
        match &question.body {
            QuestionBody::Permission { tool, title, detail, .. } => {
                page.err(format!("{} {}\n", self.terminal.styled("1;33", "?"), clean(title)));
                for line in std::iter::once(format!("tool {tool}").as_str()).chain(detail.lines()) {
                    page.err(format!("  {}\n", self.terminal.styled("2", &clean(line))));
                }
            }
            QuestionBody::Form(form) => {
                page.err(format!("{} {}\n", self.terminal.styled("1;33", "?"), clean(&form.message)));
            }
        }
        self.prompt(page)
    }

    /// Asks for a line.
    fn prompt(&mut self, page: &mut Page) -> Option<(QuestionId, QuestionAnswer)> {
        let question = Arc::clone(self.waiting.front()?);
        let mut secret = false;
        match &question.body {
            QuestionBody::Permission { options, .. } => {
                let keys: Vec<String> = options
                    .iter()
                    .map(|option| {
                        let key = match option.kind {
                            PermissionOptionKind::AllowOnce => "y",
                            PermissionOptionKind::AllowSession => "a",
                            PermissionOptionKind::RejectOnce => "n",
                        };
                        format!("  {}  {}\n", self.terminal.styled("1", key), clean(&option.label))
                    })
                    .collect();
                page.err(format!("{}> ", keys.concat()));
            }
            QuestionBody::Form(form) => {
                if let Some(field) = form.fields.get(self.values.len()) {
                    for (index, choice) in field.choices.iter().enumerate() {
                        page.err(format!("  {}  {}\n", index + 1, clean(choice)));
                    }
                    let label = if field.label == form.message {
                        String::new()
                    } else {
                        format!("{} ", clean(&field.label))
                    };
                    let expected = match field.kind {
                        FieldKind::Boolean => "(y/n) ",
                        FieldKind::Text | FieldKind::Secret | FieldKind::Choice => "",
                    };
                    page.err(format!("{label}{expected}> "));
                    secret = field.kind == FieldKind::Secret;
                }
            }
        }
        self.place = Place::Prompt;
        if secret {
            self.hidden = os::hide_input();
        }
        let readable = (!secret || self.hidden.is_some()) && self.want_line();
        if readable {
            return None;
        }
        self.end_line(page);
        self.waiting.pop_front();
        Some((question.id, QuestionAnswer::Closed))
    }

    /// Has the thread read a line, unless it does already.
    fn want_line(&mut self) -> bool {
        if self.lines.is_none() {
            self.lines = Lines::start();
        }
        let Some(lines) = &mut self.lines else { return false };
        if !lines.open {
            lines.open = lines.wanted.try_send(()).is_ok();
        }
        lines.open
    }
}

impl Lines {
    fn start() -> Option<Self> {
        let input = os::stdin().ok()?;
        let (wanted, mut orders) = mpsc::channel::<()>(1);
        let (told, lines) = mpsc::channel(1);
        let thread = std::thread::Builder::new().name("questions".to_owned()).stack_size(256 << 10);
        let reading = thread.spawn(move || {
            let mut input = BufReader::new(input);
            while orders.blocking_recv().is_some() {
                let mut line = Vec::new();
                let read = input.by_ref().take(LINE).read_until(b'\n', &mut line);
                let line = match read {
                    Ok(1..) => Some(String::from_utf8_lossy(&line).into_owned()),
                    Ok(0) | Err(_) => None,
                };
                if told.blocking_send(line).is_err() {
                    return;
                }
            }
        });
        reading.ok()?;
        Some(Self { wanted, lines, open: false })
    }
}

/// What a line means in a field; `None` where nothing, and it is asked for again.
fn value(field: &FormField, line: &str) -> Option<String> {
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return (!field.required).then(String::new);
    }
    match field.kind {
        FieldKind::Text | FieldKind::Secret => Some(line.to_owned()),
        FieldKind::Boolean => match trimmed.to_lowercase().as_str() {
            "y" | "yes" | "true" => Some("true".to_owned()),
            "n" | "no" | "false" => Some("false".to_owned()),
            _ => None,
        },
        FieldKind::Choice => {
            let numbered =
                trimmed.parse::<usize>().ok().and_then(|number| field.choices.get(number.checked_sub(1)?));
            numbered.or_else(|| field.choices.iter().find(|choice| choice.as_str() == trimmed)).cloned()
        }
    }
}
