//! What a session tells: its events, its questions, its answers. Every door translates these.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::item::{Failure, Item, ItemId, QuestionId, SessionId, TurnEnd, TurnId};
use super::permissions::book::Explained;
use super::queue::QueueEntry;
use super::shelf::ExportFormat;
use super::ticket::Ticket;
use crate::models::Usage;
use crate::tools::FileChange;
use crate::tools::context::{EditorEdit, EditorText};
use crate::tools::review::Refused;

/// One message of a session, in the order in which it must reach the client.
#[derive(Debug)]
pub struct Output {
    pub session: SessionId,
    pub epoch: u64,
    pub body: OutputBody,
}

/// What a session sends.
#[derive(Debug)]
pub enum OutputBody {
    Event(Event),
    /// A question that the client is to answer.
    Question(Arc<Question>),
    /// Something that the editor is asked for, which it answers like a question.
    EditorRequest {
        id: QuestionId,
        request: EditorRequest,
    },
    /// A question that needs no answer any more.
    QuestionClosed(QuestionId),
    /// The answer to an operation: it stands exactly where it belongs among the events.
    Answer {
        ticket: Ticket,
        answer: Result<Answer, Failure>,
    },
}

/// Something that happened in a session.
#[derive(Clone, Debug)]
pub struct Event {
    /// The first of the events that this one stands for; equal to `seq` where it stands for itself.
    pub from_seq: u64,
    pub seq: u64,
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum EventBody {
    TurnStarted {
        turn: TurnId,
        request: Option<Arc<str>>,
        idempotency: Option<Arc<str>>,
    },
    ItemStarted(Arc<Item>),
    Delta {
        item: ItemId,
        field: Field,
        text: String,
    },
    ItemUpdated(Arc<Item>),
    ItemCompleted(Arc<Item>),
    ItemWithdrawn(ItemId),
    QuestionAsked(Arc<Question>),
    QuestionResolved {
        question: QuestionId,
        outcome: &'static str,
    },
    UsageChanged {
        usage: Usage,
        cost: Option<f64>,
        context_tokens: u64,
        context_window: u64,
    },
    /// `attempt` counts requests of one model call from 1; `retry_at_ms` is since the Unix epoch.
    Retry {
        attempt: u32,
        max_attempts: u32,
        delay_ms: u64,
        retry_at_ms: u64,
        failure: Box<Failure>,
    },
    Stalled {
        since_ms: u64,
        waiting_for: &'static str,
        gives_up_in_ms: u64,
    },
    StateChanged(SessionState),
    SessionChanged(Box<SessionInfo>),
    /// What waits behind the turn.
    QueueChanged(Arc<[QueueEntry]>),
    TurnEnded {
        turn: Arc<EndedTurn>,
        end: TurnEnd,
    },
}

/// A turn that is over, as long as the conversation lasts.
#[derive(Clone, Debug, PartialEq)]
pub struct EndedTurn {
    pub turn: TurnId,
    pub ending: Ending,
    pub usage: Usage,
    /// US dollars, where the price is known.
    pub cost: Option<f64>,
    /// From its beginning to its end.
    pub took_ms: u64,
    /// The newest item at its end.
    pub last_item: ItemId,
}

/// How a turn ended: what is left of a [`TurnEnd`] in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    Done,
    MaxTokens,
    Refusal,
    Cancelled,
    Interrupted,
    Failed { message: String, hint: Option<String> },
}

impl From<&TurnEnd> for Ending {
    fn from(end: &TurnEnd) -> Self {
        match end {
            TurnEnd::EndTurn => Self::Done,
            TurnEnd::MaxTokens => Self::MaxTokens,
            TurnEnd::Refusal => Self::Refusal,
            TurnEnd::Cancelled => Self::Cancelled,
            TurnEnd::Interrupted => Self::Interrupted,
            TurnEnd::Failed(failure) => {
                Self::Failed { message: failure.message.clone(), hint: failure.hint.clone() }
            }
        }
    }
}

/// Which text of an item a delta grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Text,
    Arguments,
}

/// What a session is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    Idle,
    Running,
    Waiting,
}

/// What tools may do unasked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PermissionMode {
    Plan,
    #[default]
    Ask,
    AcceptEdits,
    Full,
}

/// Where a session is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    Disk,
    Memory,
}

/// A session without its content.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    pub session: SessionId,
    pub title: Option<String>,
    pub cwd: String,
    /// Further folders.
    pub folders: Vec<String>,
    /// `provider/id`.
    pub model: Option<String>,
    /// The account that was chosen.
    pub account: Option<Account>,
    pub thinking: Option<crate::catalog::ThinkingLevel>,
    pub permission_mode: PermissionMode,
    pub state: SessionState,
    pub storage: Storage,
    pub read_only: bool,
    pub epoch: u64,
    pub seq: u64,
    pub created_at_ms: u64,
    pub updated_at_ms: u64,
    pub usage: Usage,
    /// What all turns that are over have cost, in US dollars; `None` where the price of one is not known.
    pub cost: Option<f64>,
}

/// An account of a provider, by its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub provider: Arc<str>,
    /// Empty for the one without a label.
    pub label: Arc<str>,
}

/// A question for the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub id: QuestionId,
    pub body: QuestionBody,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionBody {
    /// May a tool do this?
    Permission {
        item: ItemId,
        tool: String,
        title: String,
        detail: String,
        locations: Vec<std::path::PathBuf>,
        options: Vec<PermissionOption>,
        /// What it would change, where that is known.
        change: Option<Box<FileChange>>,
    },
    /// A form.
    Form(crate::tools::Form),
}

/// What the editor is asked for; the person need not notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditorRequest {
    /// The text of a file as the editor has it.
    ReadFile { path: String },
    /// A change that the editor is to make.
    /// `is_review`: the person has decided, and nothing is to be asked.
    ApplyEdit { item: ItemId, path: String, edit: EditorEdit, is_review: bool },
}

/// A possible answer to a permission question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PermissionOption {
    pub id: &'static str,
    pub label: String,
    pub kind: PermissionOptionKind,
}

/// How long a permission holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermissionOptionKind {
    AllowOnce,
    AllowSession,
    AllowAlways,
    RejectOnce,
    RejectAlways,
}

/// What the client answered to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionAnswer {
    /// The permission option taken, and hunks of the change that are left out.
    Option { id: String, reason: Option<String>, rejected: Vec<String> },
    /// The form's values.
    Values(BTreeMap<String, String>),
    /// A file's text; `None` where the editor does not have it open.
    Text(Option<EditorText>),
    /// Whether the editor made the change, why not, and the hunks that the person rejected.
    Edited { applied: bool, reason: Option<String>, rejected: Vec<String> },
    /// Closed, refused with an error, or not understood.
    Closed,
}

/// The answer to an operation.
#[derive(Clone, Debug)]
pub enum Answer {
    NewSession(Box<SessionInfo>),
    Opened(Box<Opened>),
    Configured { info: Box<SessionInfo>, warnings: Vec<String> },
    Closed,
    Prompt(Box<PromptOutcome>),
    Cancelled { any: bool },
    Done,
    Export { info: Box<SessionInfo>, items: Vec<Arc<Item>>, format: ExportFormat },
    Queue(Vec<QueueEntry>),
    Reviewed { item: Arc<Item>, refused: Vec<Refused> },
    Ran { item: ItemId, exit_code: Option<i32>, output: String },
    Sessions { sessions: Vec<SessionSummary>, next_cursor: Option<String> },
    Explained(Box<Explained>),
    ShutDown,
}

/// What `openSession` brings.
#[derive(Clone, Debug)]
pub struct Opened {
    pub info: SessionInfo,
    pub content: OpenedContent,
}

/// The missed events, or everything.
#[derive(Clone, Debug)]
pub enum OpenedContent {
    Events(Vec<Event>),
    Snapshot {
        items: Vec<Arc<Item>>,
        omitted: usize,
        /// Those that are over, in order.
        turns: Vec<Arc<EndedTurn>>,
        turn: Option<TurnId>,
        questions: Vec<Arc<Question>>,
        queue: Vec<QueueEntry>,
    },
}

/// How a prompt ended.
#[derive(Clone, Debug)]
pub struct PromptOutcome {
    pub end: TurnEnd,
    pub text: String,
    pub usage: Usage,
    /// US dollars, where the price is known.
    pub cost: Option<f64>,
    /// What the person is to know of it: who is billed how.
    pub cost_note: Option<&'static str>,
    pub session: SessionId,
    pub turn: TurnId,
    pub model: Option<String>,
    pub warnings: Vec<String>,
}

/// A session in a list.
#[derive(Clone, Debug)]
pub struct SessionSummary {
    pub session: SessionId,
    pub title: Option<String>,
    pub cwd: Option<String>,
    pub updated_at_ms: u64,
    pub open: bool,
}
