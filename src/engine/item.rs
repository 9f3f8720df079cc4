//! The parts of a conversation as the engine keeps them.
//!
//! Not serialisable: `store/format.rs` has its own types for the file, and each door its own for its wire.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::accounts::oauth::{OAuthError, OAuthErrorKind};
use crate::accounts::{AccountError, AccountErrorKind};
use crate::models::{Category, Content, Fault, Origin};
use crate::tools::{FileChange, HunkDecision};

macro_rules! numbered {
    ($($(#[$meta:meta])* $name:ident($prefix:literal);)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl $name {
            /// Reads what `Display` writes.
            pub fn parse(text: &str) -> Option<Self> {
                let digits = text.strip_prefix($prefix)?;
                digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok().map(Self))?
            }
        }
    )+};
}

numbered! {
    /// Stable within a conversation, across its epochs.
    ItemId("i");
    /// Stable within a conversation, across its epochs.
    TurnId("t");
    /// Stable within one loading of a conversation.
    QuestionId("q");
}

/// A conversation's id: ten characters of base 32.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// Takes `text` for an id when it could be one: it becomes part of a file name.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        fits.then(|| Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How far an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemStatus {
    InProgress,
    Completed,
    Failed,
    Cancelled,
    Withdrawn,
}

/// A part of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub id: ItemId,
    pub turn: Option<TurnId>,
    /// Which model call of the conversation it came from: items of one call are one assistant message.
    pub call: u32,
    pub status: ItemStatus,
    /// Milliseconds since the Unix epoch.
    pub created_at_ms: u64,
    /// The whole of it as plain text. Only ever appended to while the item is in progress.
    pub text: String,
    pub body: ItemBody,
}

/// What an item is.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemBody {
    /// What the person said.
    User { content: Vec<Content> },
    /// What the model said.
    Text { origin: Origin, signature: Option<String> },
    /// What the model thought; `redacted` is what only the provider can read.
    Thinking { origin: Origin, signature: Option<String>, redacted: Option<String> },
    /// A tool that the model called; `Item::text` is its result.
    ToolCall(ToolCallItem),
    /// A file that a tool changed; `Item::text` is a unified diff.
    FileChange(FileChangeItem),
    /// A command that the person ran; `Item::text` is what it printed.
    Command(CommandItem),
    /// Something that the server has to say; with `for_model`, to the model too.
    Notice { severity: Severity, hint: Option<String>, for_model: bool },
}

/// A command that the person ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandItem {
    pub line: String,
    /// `None` while it runs, and where it did not end by itself.
    pub exit_code: Option<i32>,
    /// What the model is told, where that is not what the person sees.
    pub result: Option<String>,
}

/// A file that a tool changed.
#[derive(Clone, Debug, PartialEq)]
pub struct FileChangeItem {
    pub tool_call: ItemId,
    pub change: FileChange,
    /// A decision on its hunks that is being carried out.
    pub review: Option<Review>,
}

/// A decision on hunks of a change that was made, written down before the file is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Ids of hunks, and whether they are kept.
    pub hunks: Vec<(String, bool)>,
    /// Of the file's bytes before, in hexadecimal; `None` where there is no file.
    pub hash_before: Option<String>,
    /// Of its bytes once the decision is carried out.
    pub hash_after: Option<String>,
}

impl FileChangeItem {
    /// The decision on its hunks is carried out, and the file is what it says.
    pub fn reviewed(&mut self) {
        let Some(Review { hunks, hash_after, .. }) = self.review.take() else { return };
        let decided: HashMap<String, bool> = hunks.into_iter().collect();
        for hunk in &mut self.change.hunks {
            if let Some(kept) = decided.get(&hunk.id) {
                hunk.decision = HunkDecision::of(*kept);
            }
        }
        self.change.hash_after = hash_after;
    }
}

impl Item {
    /// Takes its words away: they do not count any more.
    pub fn forget(&mut self) {
        self.text = String::new();
        match &mut self.body {
            ItemBody::ToolCall(call) => call.arguments = String::new(),
            ItemBody::Text { signature, .. } => *signature = None,
            ItemBody::Thinking { signature, redacted, .. } => (*signature, *redacted) = (None, None),
            ItemBody::User { .. }
            | ItemBody::FileChange(_)
            | ItemBody::Command(_)
            | ItemBody::Notice { .. } => {}
        }
    }
}

/// A tool call.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCallItem {
    pub origin: Origin,
    /// The provider's id.
    pub call_id: String,
    pub name: String,
    /// The call in a few words.
    pub title: String,
    pub kind: crate::tools::ToolKind,
    /// Raw JSON text, growing while the call streams.
    pub arguments: String,
    pub signature: Option<String>,
    /// What the model is told, where that is not what the person sees.
    pub result: Option<String>,
    /// Pictures of the result, for a model that can see.
    pub images: Vec<crate::tools::Image>,
}

/// How serious a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Info,
    Warning,
    Error,
}

/// Why a turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TurnEnd {
    EndTurn,
    MaxTokens,
    Refusal,
    Cancelled,
    Failed(Failure),
    /// The process ended before the turn did.
    Interrupted,
}

impl TurnEnd {
    /// The name of the failure's kind; empty where there is none.
    pub fn failure_kind(&self) -> &'static str {
        match self {
            Self::Failed(failure) => failure.kind.name(),
            Self::EndTurn | Self::MaxTokens | Self::Refusal | Self::Cancelled | Self::Interrupted => "",
        }
    }
}

/// What an operation or a turn failed of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub kind: FailureKind,
    /// What happened, to what: lower case, no period, no secret.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// JSON Pointer of the field that is wrong, for `InvalidParams`.
    pub path: Option<String>,
    /// What is known of the provider whose failure it is.
    pub by: Option<Box<FailedBy>>,
    /// Milliseconds after which to try again.
    pub retry_after_ms: Option<u64>,
}

/// A provider that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedBy {
    /// Its id.
    pub provider: Option<Box<str>>,
    /// Its HTTP status.
    pub status: Option<u16>,
    /// Its own code.
    pub code: Option<Box<str>>,
}

/// The kind of a failure, to branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    InvalidParams,
    Internal,
    AuthRequired,
    Overloaded,
    NotFound,
    Busy,
    Storage,
    Cancelled,
    TooLarge,
    TooManyCalls,
    /// A model that the account has and that must be enabled first.
    ModelNotEnabled,
    /// A sign-in's.
    SignIn(OAuthErrorKind),
    /// A provider's, by its category.
    Provider(Category),
}

impl FailureKind {
    /// Its name, in the file and on every wire. A name that was written once is never given to another kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidParams => "invalidParams",
            Self::Internal => "internal",
            Self::AuthRequired | Self::Provider(Category::Authentication) => "authRequired",
            Self::Overloaded | Self::Provider(Category::Overloaded) => "overloaded",
            Self::NotFound | Self::Provider(Category::NotFound) => "notFound",
            Self::Busy => "busy",
            Self::Storage => "storage",
            Self::Cancelled => "cancelled",
            Self::TooLarge | Self::Provider(Category::TooLarge) => "tooLarge",
            Self::TooManyCalls => "tooManyCalls",
            Self::ModelNotEnabled => "modelNotEnabled",
            Self::SignIn(kind) => kind.name(),
            Self::Provider(Category::ContextOverflow) => "contextOverflow",
            Self::Provider(Category::Permission) => "permissionDenied",
            Self::Provider(Category::PaymentRequired) => "paymentRequired",
            Self::Provider(Category::RateLimit) => "rateLimited",
            Self::Provider(Category::InvalidRequest) => "providerRejected",
            Self::Provider(Category::Server | Category::Other) => "providerFailed",
            Self::Provider(Category::Timeout) => "timeout",
            Self::Provider(Category::Network) => "network",
            Self::Provider(Category::Tls) => "tls",
            Self::Provider(Category::Dns) => "dns",
            Self::Provider(Category::Protocol) => "protocol",
        }
    }
}

impl Failure {
    fn new(kind: FailureKind, message: impl Into<String>, hint: Option<&str>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: hint.map(str::to_owned),
            path: None,
            by: None,
            retry_after_ms: None,
        }
    }

    /// A field of a request is wrong. `path` is a JSON Pointer.
    pub fn invalid(path: &str, message: impl Into<String>) -> Self {
        Self { path: Some(path.to_owned()), ..Self::new(FailureKind::InvalidParams, message, None) }
    }

    /// Aside itself failed.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Internal, message, Some("this is a bug of Aside; the conversation can go on"))
    }

    /// The session is at work.
    pub fn busy(session: &SessionId) -> Self {
        Self::new(
            FailureKind::Busy,
            format!("session {session} is answering another prompt"),
            Some("wait for its turnEnded event, or cancel it"),
        )
    }

    /// Something else is at work.
    pub fn busy_with(message: impl Into<String>, hint: &str) -> Self {
        Self::new(FailureKind::Busy, message, Some(hint))
    }

    /// An account was not changed as it was asked.
    pub fn of_account(error: AccountError) -> Self {
        let failure = match error.kind {
            AccountErrorKind::File => Self::storage(error.message),
            AccountErrorKind::Cancelled => Self::cancelled(error.message),
            AccountErrorKind::NotSignedIn
            | AccountErrorKind::CommandFailed
            | AccountErrorKind::VariableUnset
            | AccountErrorKind::Unusable
            | AccountErrorKind::Unsupported
            | AccountErrorKind::NeedsLogin
            | AccountErrorKind::NotRenewed => Self::invalid("/apiKey", error.message),
            AccountErrorKind::NotChosen => Self::invalid("/account", error.message),
        };
        Self { hint: Some(error.hint), ..failure }
    }

    /// There is no such account.
    pub fn of_choice(error: AccountError) -> Self {
        Self { hint: Some(error.hint), ..Self::invalid("/account", error.message) }
    }

    /// There is no credential for a call.
    pub fn of_credential(error: AccountError) -> Self {
        match error.kind {
            AccountErrorKind::NotRenewed => {
                Self::new(FailureKind::Provider(Category::Network), error.message, Some(&error.hint))
            }
            AccountErrorKind::NotSignedIn
            | AccountErrorKind::CommandFailed
            | AccountErrorKind::VariableUnset
            | AccountErrorKind::Unusable
            | AccountErrorKind::Unsupported
            | AccountErrorKind::NeedsLogin
            | AccountErrorKind::NotChosen
            | AccountErrorKind::File
            | AccountErrorKind::Cancelled => Self::auth(error.message, Some(&error.hint)),
        }
    }

    /// It was cancelled.
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Cancelled, message, None)
    }

    /// Another process has the session, or a newer version wrote it.
    pub fn read_only(session: &SessionId, why: &str) -> Self {
        Self::new(
            FailureKind::Busy,
            format!("session {session} cannot be written: {why}"),
            Some("open it with readOnly, or begin a new session"),
        )
    }

    /// No such session.
    pub fn no_session(session: &str) -> Self {
        Self::new(
            FailureKind::NotFound,
            format!("no session {}", cut(session)),
            Some("listSessions names those that are kept"),
        )
    }

    /// Something named in a request does not exist.
    pub fn not_found(message: impl Into<String>, hint: Option<&str>) -> Self {
        Self::new(FailureKind::NotFound, message, hint)
    }

    /// A credential is missing.
    pub fn auth(message: impl Into<String>, hint: Option<&str>) -> Self {
        Self::new(FailureKind::AuthRequired, message, hint)
    }

    /// A file or folder could not be used.
    pub fn storage(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Storage, message, Some("free space or mend the folder; Aside tries again"))
    }

    /// More is waiting than fits.
    pub fn overloaded(what: &str) -> Self {
        Self {
            retry_after_ms: Some(1_000),
            ..Self::new(
                FailureKind::Overloaded,
                format!("too much is waiting: {what}"),
                Some("send it again later"),
            )
        }
    }

    /// An item grew beyond its limit.
    pub fn too_large(limit: usize) -> Self {
        Self::new(
            FailureKind::TooLarge,
            format!("an item of the answer grew beyond {limit} bytes"),
            Some("raise limits.maxItemBytes in the settings if this is wanted"),
        )
    }

    /// A prompt caused too many model calls.
    pub fn too_many_calls(limit: u32) -> Self {
        Self::new(
            FailureKind::TooManyCalls,
            format!("the prompt caused {limit} model calls without an end"),
            Some("prompt again to let it go on, or raise limits.maxCallsPerTurn in the settings"),
        )
    }
}

impl Failure {
    /// A prompt was at work for too long.
    pub fn too_long(limit_ms: u64) -> Self {
        Self::new(
            FailureKind::TooManyCalls,
            format!("the prompt was at work for more than {} minutes", limit_ms / 60_000),
            Some("prompt again to let it go on, or raise limits.maxTurnMs in the settings"),
        )
    }
}

impl From<OAuthError> for Failure {
    fn from(error: OAuthError) -> Self {
        let path = (error.kind == OAuthErrorKind::Invalid).then(|| "/domain".to_owned());
        let kind = match error.kind {
            OAuthErrorKind::Cancelled => FailureKind::Cancelled,
            OAuthErrorKind::Invalid => FailureKind::InvalidParams,
            kind => FailureKind::SignIn(kind),
        };
        Self { path, ..Self::new(kind, error.message, Some(&error.hint)) }
    }
}

/// Whether Copilot refuses a model that its owner has yet to enable.
fn is_not_enabled(fault: &Fault) -> bool {
    let said = fault.said.to_lowercase();
    fault.provider.as_deref() == Some("github-copilot")
        && (fault.code.as_deref() == Some("model_not_supported")
            || said.contains("model is not supported")
            || said.contains("model not supported"))
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        if is_not_enabled(&fault) {
            let hint = "enable it in VS Code (Copilot Chat, the list of models, Enable) or at \
                        https://github.com/settings/copilot/features, then sign in again; or take another model";
            return Self {
                kind: FailureKind::ModelNotEnabled,
                hint: Some(hint.to_owned()),
                ..Self::of_fault(fault)
            };
        }
        Self::of_fault(fault)
    }
}

impl Failure {
    fn of_fault(fault: Fault) -> Self {
        Self {
            kind: FailureKind::Provider(fault.category),
            message: fault.message,
            hint: fault.hint,
            path: None,
            by: Some(Box::new(FailedBy { provider: fault.provider, status: fault.status, code: fault.code })),
            retry_after_ms: fault.retry_after_ms,
        }
    }
}

/// At most 100 characters of what a client sent, for a message.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
