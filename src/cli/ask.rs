//! Questions of the turn, put to the person at the terminal: permissions and forms.
//!
//! A thread reads lines, one for each that is asked for, so that a turn goes on and can be cancelled while the
//! person thinks. Standard input is touched only here and for `-`.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::difference;
use super::terminal::{Page, Terminal, clean};
use crate::engine::event::PermissionOption;
use crate::engine::{PermissionOptionKind, Question, QuestionAnswer, QuestionBody, QuestionId};
use crate::system::os::{self, HiddenInput};
use crate::tools::{FieldKind, FormField};

/// The longest answer, in bytes.
const LINE: u64 = 64 << 10;

/// Lines of a change that are shown with the question about it.
const DIFFERENCE: usize = 80;

/// The questions of one turn.
pub(super) struct Asker {
    terminal: Terminal,
    waiting: VecDeque<Arc<Question>>,
    /// Values of the first question's form so far.
    values: BTreeMap<String, String>,
    reader: Option<Reader>,
    /// What was answered and is not sent yet.
    answers: Vec<(QuestionId, QuestionAnswer)>,
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
struct Reader {
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
            reader: None,
            answers: Vec::new(),
            hidden: None,
            place: Place::LineStart,
        }
    }

    /// Whether the person is being asked.
    pub(super) fn is_asking(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Puts a question, behind those that wait.
    pub(super) fn ask(&mut self, question: Arc<Question>, page: &mut Page) {
        self.waiting.push_back(question);
        if self.waiting.len() == 1 {
            self.begin(page);
        }
    }

    /// A question needs no answer any more.
    pub(super) fn close(&mut self, question: QuestionId, page: &mut Page) {
        let first = self.waiting.front().is_some_and(|asked| asked.id == question);
        self.waiting.retain(|asked| asked.id != question);
        if first {
            self.end_line(page);
            self.hidden = None;
            self.begin(page);
        }
    }

    /// What was answered since the last time.
    pub(super) fn answers(&mut self) -> Vec<(QuestionId, QuestionAnswer)> {
        std::mem::take(&mut self.answers)
    }

    /// Something else is about to be printed: leaves the line on which the person types.
    pub(super) fn end_line(&mut self, page: &mut Page) {
        if std::mem::replace(&mut self.place, Place::LineStart) == Place::Prompt {
            page.err("\n");
        }
    }

    /// Resolves with the person's next line; `None` at the end of input. Never where nobody is asked.
    pub(super) async fn line(&mut self) -> Option<String> {
        match &mut self.reader {
            Some(reader) if !self.waiting.is_empty() => {
                let line = reader.lines.recv().await.flatten();
                reader.open = false;
                line
            }
            _ => std::future::pending().await,
        }
    }

    /// Understands a line.
    pub(super) fn take(&mut self, line: Option<String>, page: &mut Page) {
        self.place = Place::LineStart;
        if self.hidden.take().is_some() {
            // The line feed that ended it was hidden too.
            page.err("\n");
        }
        let Some(question) = self.waiting.front().map(Arc::clone) else { return };
        let Some(line) = line else {
            page.err("\n");
            self.answered(question.id, QuestionAnswer::Closed, page);
            return;
        };
        let answer = match &question.body {
            QuestionBody::Permission { options, .. } => permission(options, line.trim()),
            QuestionBody::Form(form) => {
                let field = form.fields.get(self.values.len());
                if let Some(field) = field
                    && let Some(value) = value(field, line.trim_end_matches(['\n', '\r']))
                {
                    self.values.insert(field.name.clone(), value);
                }
                let whole = self.values.len() >= form.fields.len();
                whole.then(|| QuestionAnswer::Values(std::mem::take(&mut self.values)))
            }
        };
        match answer {
            Some(answer) => self.answered(question.id, answer, page),
            None if self.prompt(&question, page) => {}
            None => self.answered(question.id, QuestionAnswer::Closed, page),
        }
    }

    fn answered(&mut self, id: QuestionId, answer: QuestionAnswer, page: &mut Page) {
        self.answers.push((id, answer));
        self.waiting.pop_front();
        self.begin(page);
    }

    /// Shows the first question; those that nobody can be asked are closed.
    fn begin(&mut self, page: &mut Page) {
        self.values.clear();
        while let Some(question) = self.waiting.front().map(Arc::clone) {
            match &question.body {
                QuestionBody::Permission { tool, title, detail, change, .. } => {
                    page.err(format!("{} {}\n", self.terminal.styled("1;33", "?"), clean(title)));
                    for line in std::iter::once(format!("tool {tool}").as_str()).chain(detail.lines()) {
                        page.err(format!("  {}\n", self.terminal.styled("2", &clean(line))));
                    }
                    if let Some(change) = change {
                        page.err(difference::lines(change, self.terminal.styles(), DIFFERENCE));
                    }
                }
                QuestionBody::Form(form) => {
                    page.err(format!("{} {}\n", self.terminal.styled("1;33", "?"), clean(&form.message)));
                }
            }
            if self.prompt(&question, page) {
                return;
            }
            self.end_line(page);
            self.answers.push((question.id, QuestionAnswer::Closed));
            self.waiting.pop_front();
        }
    }

    /// Asks for a line. Whether one can be had.
    fn prompt(&mut self, question: &Question, page: &mut Page) -> bool {
        let mut secret = false;
        match &question.body {
            QuestionBody::Permission { options, .. } => {
                let keys: Vec<String> = options
                    .iter()
                    .map(|option| {
                        let key = match option.kind {
                            PermissionOptionKind::AllowOnce => "y",
                            PermissionOptionKind::AllowSession => "a",
                            PermissionOptionKind::AllowAlways => "always",
                            PermissionOptionKind::RejectOnce => "n",
                            PermissionOptionKind::RejectAlways => "never",
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
        // What must not be seen is not asked for where it would be.
        (!secret || self.hidden.is_some()) && self.want_line()
    }

    /// Has the thread read a line, unless it does already.
    fn want_line(&mut self) -> bool {
        if self.reader.is_none() {
            self.reader = Reader::start();
        }
        let Some(reader) = &mut self.reader else { return false };
        if !reader.open {
            reader.open = reader.wanted.try_send(()).is_ok();
        }
        reader.open
    }
}

impl Reader {
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

/// Which option a line takes; `None` where none, and it is asked for again.
fn permission(options: &[PermissionOption], line: &str) -> Option<QuestionAnswer> {
    let (word, reason) = line.split_once(' ').unwrap_or((line, ""));
    let kind = match word.to_lowercase().as_str() {
        "y" | "yes" => PermissionOptionKind::AllowOnce,
        "a" => PermissionOptionKind::AllowSession,
        "always" => PermissionOptionKind::AllowAlways,
        "n" | "no" => PermissionOptionKind::RejectOnce,
        "never" => PermissionOptionKind::RejectAlways,
        _ => return None,
    };
    let option = options.iter().find(|option| option.kind == kind)?;
    let reason = Some(reason.trim()).filter(|reason| !reason.is_empty()).map(str::to_owned);
    Some(QuestionAnswer::Option { id: option.id.to_owned(), reason, rejected: Vec::new() })
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
