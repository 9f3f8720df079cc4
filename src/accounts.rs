//! From a provider to the [`Credential`] that a call is made with: explicit key, `auth.json`, environment,
//! `models.json`, in that order. It must never know of sessions or doors.
//!
//! The order decides who is billed: a stored credential that fails is an error, never a reason to look further.
//! `auth_file` reads and writes the file, `value` says what the text of a key stands for, `command` runs those
//! that print one, `resolve` puts them together.

mod auth_file;
mod command;
mod resolve;
mod value;

use std::sync::{Arc, Mutex};

use secrecy::SecretString;

pub use auth_file::AUTH_FILE;

use crate::settings::Diagnostic;
use crate::system::System;
use auth_file::AuthFile;
use command::Commands;

/// What a call is authorised with. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub enum Credential {
    /// The provider takes calls without one.
    None,
    /// A key, put where the wire puts keys.
    Key(SecretString),
    /// A token that is always sent as `Authorization: Bearer`, whatever the wire does with keys.
    Bearer(SecretString),
}

impl Credential {
    /// The secret itself, where there is one.
    pub fn secret(&self) -> Option<&SecretString> {
        match self {
            Self::None => None,
            Self::Key(secret) | Self::Bearer(secret) => Some(secret),
        }
    }
}

/// Everything that finds credentials. Cloning is cheap, and clones share what they have read.
#[derive(Clone)]
pub struct Accounts {
    system: System,
    /// A leaf cache, never held over an await.
    file: Arc<Mutex<Option<Arc<AuthFile>>>>,
    commands: Commands,
}

/// Whether a provider can be called, as far as can be told without running or asking anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// A credential is there, though nobody has tried it, or none is needed.
    pub configured: bool,
    /// Where it would come from.
    pub source: Source,
    /// A variable that the provider's base URL has a place for and that is not set.
    pub unset: Option<Arc<str>>,
}

/// Where a credential comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nowhere.
    Missing,
    /// The provider takes calls without one.
    NotNeeded,
    /// `auth.json`.
    Stored,
    /// This variable.
    Environment(Arc<str>),
    /// `apiKey` of `models.json`.
    ModelsJson,
    /// `apiKey` of `models.json`, which is a command.
    ModelsJsonCommand,
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountErrorKind {
    /// There is no credential.
    NotSignedIn,
    /// The command that should print it failed.
    CommandFailed,
    /// A variable that it names is not set.
    VariableUnset,
    /// It cannot be sent as it is.
    Unusable,
    /// It is of a kind that Aside cannot use yet.
    Unsupported,
    /// The file could not be read or written.
    File,
}

impl AccountErrorKind {
    /// A stable word for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotSignedIn => "notSignedIn",
            Self::CommandFailed => "keyCommandFailed",
            Self::VariableUnset => "keyVariableUnset",
            Self::Unusable => "keyUnusable",
            Self::Unsupported => "signInUnsupported",
            Self::File => "authFile",
        }
    }
}

/// Why there is no credential. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AccountError {
    /// To branch on.
    pub kind: AccountErrorKind,
    /// The provider's id.
    pub provider: Arc<str>,
    /// What happened, to what.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Accounts {
    /// Reads nothing yet.
    pub fn new(system: System) -> Self {
        Self { system, file: Arc::default(), commands: Commands::default() }
    }

    /// What is wrong with `auth.json`.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.auth_file().diagnostics().to_vec()
    }
}

#[cfg(test)]
mod tests;
