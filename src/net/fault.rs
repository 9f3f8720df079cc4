//! What can go wrong with a call over the network, with its category: the one vocabulary that retries, hints and
//! exit statuses branch on.
//!
//! What a peer says is never trusted: it passes through [`clean`] and [`redact`] first. It must never hold a secret.

use super::clean::{clean, redact};

/// The kind of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// The request and its answer do not fit the model's context.
    ContextOverflow,
    /// No valid credential (401).
    Authentication,
    /// The credential may not do this (403).
    Permission,
    /// No such model or endpoint (404).
    NotFound,
    /// Money or quota is needed (402).
    PaymentRequired,
    /// Too many requests (429).
    RateLimit,
    /// The provider has no capacity (503, 529).
    Overloaded,
    /// The provider did not accept the request (other 4xx).
    InvalidRequest,
    /// The provider failed (other 5xx).
    Server,
    /// Nothing came for too long.
    Timeout,
    /// The connection could not be made or broke.
    Network,
    /// The peer's certificate or handshake was not acceptable.
    Tls,
    /// The host's name did not resolve.
    Dns,
    /// The answer is not what the wire speaks.
    Protocol,
    /// The answer is larger than the limits allow.
    TooLarge,
    /// Anything else.
    Other,
}

/// Whether a call that failed may be made again. The engine adds its own limits (`engine/turn/retry.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It would fail again, or cost what nobody asked for.
    Never,
    /// Once: it may have been bad luck.
    Once,
    /// After short waits: a server that is just starting listens within seconds or not at all.
    Soon,
    /// After growing waits.
    Patiently,
}

/// One failure of a model call. Built by the functions of this module, so that the wording is in one place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// To branch on.
    pub category: Category,
    /// Whether the call may be made again.
    pub again: Again,
    /// The provider's id, once whoever made the call has said it: see [`named`](Self::named).
    pub provider: Option<Box<str>>,
    /// HTTP status, where there was one.
    pub status: Option<u16>,
    /// The provider's own error code or type.
    pub code: Option<Box<str>>,
    /// What happened, to what: lower case, no period, no markup, no secret.
    pub message: String,
    /// The provider's own words in `message`, cleaned; empty where it said nothing.
    pub said: Box<str>,
    /// What to do about it.
    pub hint: Option<String>,
    /// The provider asked to wait this long, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Fault {
    /// A fault without status or code, with the hint of its category. `message` must be our own words or
    /// cleaned ones.
    pub fn new(category: Category, message: impl Into<String>) -> Self {
        Self {
            category,
            again: again(category),
            provider: None,
            status: None,
            code: None,
            message: message.into(),
            said: Box::default(),
            hint: hint(category).map(str::to_owned),
            retry_after_ms: None,
        }
    }

    /// The same fault with every occurrence of the call's own secrets taken out.
    #[must_use]
    pub fn without(mut self, secrets: &[&str]) -> Self {
        self.message = redact(&self.message, secrets);
        self.said = redact(&self.said, secrets).into();
        self.code = self.code.map(|code| redact(&code, secrets).into());
        self
    }

    /// The same fault with the provider's id in place of the words that stand for it. Wires do not know whom
    /// they speak with; whoever made the call does.
    #[must_use]
    pub fn named(mut self, provider: &str) -> Self {
        let provider: String = clean(provider).chars().take(MAX_NAME).collect();
        if let Some(rest) = self.message.strip_prefix(SUBJECT).filter(|_| !provider.is_empty()) {
            self.message = format!("{provider}{rest}");
        }
        self.provider = Some(provider.into());
        self
    }

    /// The same fault, which is made again in this way at most.
    #[must_use]
    pub fn again(self, again: Again) -> Self {
        Self { again, ..self }
    }
}

/// How messages call the provider until it is [named](Fault::named). They begin with it.
pub(crate) const SUBJECT: &str = "the provider";
/// Characters of a provider's id in a message.
const MAX_NAME: usize = 80;

/// What a person can do about a failure of this kind.
pub fn hint(category: Category) -> Option<&'static str> {
    Some(match category {
        Category::ContextOverflow => "compact the conversation or choose a model with a larger context",
        Category::Authentication => "sign in again or check the provider's API key",
        Category::Permission => "check that the account may use this model",
        Category::NotFound => "check the model's name and the provider's base URL",
        Category::PaymentRequired => "check the balance, the plan and the quota of the account",
        Category::RateLimit => "wait a little or choose another model",
        Category::Overloaded | Category::Server => "try again or choose another model",
        Category::InvalidRequest => "check the model's settings; the provider did not accept the request",
        Category::Timeout => "try again, or raise the timeouts in the settings",
        Category::Network => "check the network and the proxy settings",
        Category::Tls => "check the clock, the proxy and the certificates in the settings",
        Category::Dns => "check the network and the provider's base URL",
        Category::Protocol => "try again; if it stays so, check the model's `api` and base URL",
        Category::TooLarge => "ask for less in one answer",
        Category::Other => return None,
    })
}

/// Whether a failure of this kind may pass, where nothing more is known of it.
pub(crate) fn again(category: Category) -> Again {
    match category {
        Category::RateLimit | Category::Overloaded | Category::Server | Category::Network => Again::Patiently,
        Category::ContextOverflow
        | Category::Authentication
        | Category::Permission
        | Category::NotFound
        | Category::PaymentRequired
        | Category::InvalidRequest
        | Category::Timeout
        | Category::Tls
        | Category::Dns
        | Category::Protocol
        | Category::TooLarge
        | Category::Other => Again::Never,
    }
}
