//! Subscriptions: what a sign-in by OAuth gives, and the seam behind which each provider's flow stands.
//!
//! A flow asks the person through [`Person`] and the provider through [`Exchange`]; it never reads or writes
//! `auth.json`, never opens a browser itself and never shows a token. A provider's flow is one file; `page` leads
//! through the browser with `callback`, `paste` and `pkce`, `device` through a code that is typed elsewhere, and
//! `reply` reads what the provider's own servers answer.

mod anthropic;
mod callback;
mod claims;
mod device;
mod github_copilot;
mod kimi_coding;
mod meta;
mod openai_codex;
mod openrouter;
mod page;
mod paste;
mod pkce;
mod reply;
mod standard;
mod xai;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::net::{Answer, Ask, Fault, Net};
use crate::settings::Settings;
use crate::system::System;

/// Every flow, in the order in which a person is offered them.
pub static FLOWS: &[&dyn Flow] = &[
    &anthropic::Anthropic,
    &openai_codex::OpenAiCodex,
    &github_copilot::GitHubCopilot,
    &xai::Xai,
    &kimi_coding::KimiCoding,
    &openrouter::OpenRouter,
    &meta::Meta,
];

/// The flow of a provider, where it has one.
pub fn flow(provider: &str) -> Option<&'static dyn Flow> {
    FLOWS.iter().copied().find(|flow| flow.provider() == provider)
}

/// What is stored of a sign-in: an entry of `auth.json` with `"type": "oauth"`. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Sent with calls.
    pub access: SecretString,
    /// Gets the next `access`; often good for one use only. Empty where `access` does not end.
    pub refresh: SecretString,
    /// When `access` ends, in milliseconds since the Unix epoch, with the provider's safety margin taken off.
    pub expires_ms: u64,
    /// What else the provider's entry holds, such as `accountId`, by its name in the file. No secrets.
    pub more: Map<String, Value>,
}

impl Grant {
    /// The name in `more` of who is signed in, such as an address; only where the provider says so.
    pub const IDENTITY: &'static str = "identity";

    /// The name in `more` of the models that the account may use, where the provider says so.
    pub const MODELS: &'static str = "availableModelIds";

    /// [`expires_ms`](Self::expires_ms) of what does not end: the greatest whole number that JSON readers agree on.
    pub const NEVER_MS: u64 = 9_007_199_254_740_991;

    /// Who is signed in, where the provider says so.
    pub fn identity(&self) -> Option<&str> {
        self.more.get(Self::IDENTITY)?.as_str()
    }
}

/// A way to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A page in the browser, which comes back to this machine or is pasted.
    Browser,
    /// A code typed on any device.
    DeviceCode,
}

/// How somebody wants to sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub way: Way,
    /// The company's own host, for providers that have such; asked for where it is missing, empty for the
    /// provider's usual one.
    pub domain: Option<String>,
}

/// One provider's sign-in.
pub trait Flow: Send + Sync {
    /// Its id in the catalog and in `auth.json`.
    fn provider(&self) -> &'static str;

    /// How a person may sign in, the usual way first.
    fn ways(&self) -> &'static [Way];

    /// What the person is to know before and after signing in, such as who is billed how.
    fn note(&self) -> Option<&'static str> {
        None
    }

    /// What the person is to know wherever the cost of a call is told.
    fn cost_note(&self) -> Option<&'static str> {
        None
    }

    /// What the person is to know of what was granted, such as a plan that does not include what is asked for.
    fn concern(&self, grant: &Grant) -> Option<String> {
        let _ = grant;
        None
    }

    /// Whether the provider also runs on companies' own hosts, so that [`Wanted::domain`] means something.
    fn has_domains(&self) -> bool {
        false
    }

    /// Signs in. Dropping the future ends the flow and closes whatever port it listens on.
    fn login<'a>(
        &'a self,
        wanted: &'a Wanted,
        exchange: &'a Exchange,
        person: &'a dyn Person,
    ) -> BoxFuture<'a, Result<Grant, OAuthError>>;

    /// The next grant. What the answer leaves out is kept from `grant`. Once it is polled the old one may be
    /// spent: whoever drops the future may lose the account.
    fn refresh<'a>(
        &'a self,
        grant: &'a Grant,
        exchange: &'a Exchange,
    ) -> BoxFuture<'a, Result<Grant, OAuthError>>;

    /// Whether what it gives is a key, sent where the provider's keys are; otherwise it is a token, which goes
    /// into `Authorization: Bearer` whatever the API.
    fn gives_key(&self) -> bool {
        false
    }

    /// Where calls go with `grant`, where that depends on it; already checked to be a host of the provider's.
    fn base_url(&self, grant: &Grant) -> Option<String> {
        let _ = grant;
        None
    }
}

/// The way to the provider.
#[derive(Clone)]
pub struct Exchange {
    pub system: System,
    pub settings: Arc<Settings>,
    pub net: Net,
}

impl Exchange {
    /// Makes one request.
    pub async fn ask(&self, ask: Ask) -> Result<Answer, Fault> {
        self.net.ask(ask, &self.settings, &self.system).await
    }
}

/// The person who signs in, as far as a flow meets them. Every question may be left unanswered for ever; whatever
/// waits with it goes on waiting.
pub trait Person: Send + Sync {
    /// A page to be opened. The client opens it where it can, else this machine's browser, else it is shown.
    fn open_url<'a>(&'a self, url: &'a str, message: &'a str) -> BoxFuture<'a, ()>;

    /// A code to be typed at `url`. `expires_at_ms` is since the Unix epoch.
    fn show_code<'a>(&'a self, url: &'a str, code: &'a str, expires_at_ms: u64) -> BoxFuture<'a, ()>;

    /// What happens now, in a line.
    fn progress(&self, message: &str);

    /// A line of text, such as a pasted redirect URL.
    fn ask<'a>(&'a self, question: &'a Asking) -> BoxFuture<'a, Result<SecretString, NotAnswered>>;
}

/// A question for a line of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// What it is about, with whatever was wrong with the last answer.
    pub message: String,
    /// The name of the field.
    pub label: String,
    /// Whether it is shown while it is typed.
    pub shown: Shown,
    /// Whether an empty answer means something.
    pub need: Need,
}

/// Whether an answer is shown while it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Yes,
    /// It is a secret.
    No,
}

/// Whether an answer may be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    Required,
    Optional,
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAnswered {
    /// There is nobody who could be asked.
    Nobody,
    /// The person closed the question.
    Closed,
}

/// What went wrong, to branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OAuthErrorKind {
    /// The person said no at the provider.
    Denied,
    /// The code or the page was used too late.
    Expired,
    /// What came back was not of this login.
    State,
    /// The port that the browser comes back to is in use, and nobody can paste.
    Port,
    /// This machine's clock is off.
    Clock,
    /// The account has no plan that includes this.
    NoPlan,
    /// The organisation or workspace does not allow it.
    Forbidden,
    /// What was given cannot be used.
    Invalid,
    /// The refresh token is spent or revoked: the person must sign in again.
    SignInAgain,
    /// The provider could not be reached, or failed.
    Unreachable,
    /// The provider's answer was not understood.
    Protocol,
    /// The person gave up.
    Cancelled,
}

impl OAuthErrorKind {
    /// A stable word for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Denied => "loginDenied",
            Self::Expired => "loginExpired",
            Self::State => "loginMismatch",
            Self::Port => "loginPort",
            Self::Clock => "clockOff",
            Self::NoPlan => "planMissing",
            Self::Forbidden => "loginForbidden",
            Self::Invalid => "invalidParams",
            Self::SignInAgain => "authRequired",
            Self::Unreachable => "network",
            Self::Protocol => "protocol",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Why there is no grant. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OAuthError {
    pub kind: OAuthErrorKind,
    /// What happened, to what: lower case, no period.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl OAuthError {
    /// One of these words.
    pub fn new(kind: OAuthErrorKind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: hint.into() }
    }

    fn cancelled(name: &str) -> Self {
        Self::new(OAuthErrorKind::Cancelled, format!("the login to {name} was cancelled"), "begin again")
    }
}
