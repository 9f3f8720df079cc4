//! From a provider to the [`Credential`] that a call is made with: explicit key, `auth.json`, environment,
//! `models.json`, in that order. It must never know of sessions or doors.
//!
//! The order decides who is billed: a stored credential that fails is an error, never a reason to look further.
//! `auth_file` reads and writes the file, `entry` knows what stands in it, `choice` which account is meant, `value` says what the text of a key stands for, `command` runs those
//! that print one, `refresh` renews sign-ins, `resolve` puts them together.

mod auth_file;
mod aws;
mod change;
mod choice;
mod command;
mod entry;
mod fields;
mod known;
pub mod oauth;
mod refresh;
mod resolve;
mod standing;
mod value;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use secrecy::SecretString;

pub use auth_file::AUTH_FILE;
pub use aws::AwsKeys;
pub use change::Changes;
pub use entry::{id as entry_id, key_entry};
pub use fields::{Asked, Field};
pub use standing::Standing;

use crate::net::Net;
use crate::settings::{Diagnostic, Settings};
use crate::system::System;
use auth_file::AuthFile;
use command::Commands;
use refresh::Memory;

/// What a call is authorised with. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub enum Credential {
    /// The provider takes calls without one.
    None,
    /// A key, put where the wire puts keys.
    Key(SecretString),
    /// A token that is always sent as `Authorization: Bearer`, whatever the wire does with keys.
    Bearer(SecretString),
    /// AWS's keys, which sign requests and are never sent.
    Aws(Box<AwsKeys>),
}

impl Credential {
    /// The secret itself, where there is one.
    pub fn secret(&self) -> Option<&SecretString> {
        match self {
            Self::None => None,
            Self::Key(secret) | Self::Bearer(secret) => Some(secret),
            Self::Aws(keys) => Some(&keys.secret_access_key),
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
    changes: Arc<Changes>,
    /// Proxies, certificates and timeouts of the exchanges that signing in and refreshing need.
    settings: Arc<Settings>,
    net: Net,
    /// How one signs in.
    flows: &'static [&'static dyn oauth::Flow],
    memory: Memory,
    /// The account of one provider that was chosen, by its label.
    choice: Option<(Arc<str>, Arc<str>)>,
}

/// What a call is authorised with, and what else follows from whose it is.
#[derive(Clone, Debug)]
pub struct Authorisation {
    pub credential: Credential,
    /// Where calls go with it, where that is not for the catalog to say.
    pub base_url: Option<String>,
    /// Values of a wire's variables that belong to the account.
    pub variables: BTreeMap<&'static str, String>,
}

impl From<Credential> for Authorisation {
    fn from(credential: Credential) -> Self {
        Self { credential, base_url: None, variables: BTreeMap::new() }
    }
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
    /// The sign-in is over: the person must sign in again.
    NeedsLogin,
    /// The sign-in could not be renewed this time.
    NotRenewed,
    /// There are several accounts, and nobody said which is meant.
    NotChosen,
    /// It was given up.
    Cancelled,
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
            Self::NeedsLogin => "signInAgain",
            Self::NotRenewed => "signInNotRenewed",
            Self::NotChosen => "accountNotChosen",
            Self::Cancelled => "cancelled",
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
    pub fn new(system: System, settings: Arc<Settings>, net: Net) -> Self {
        Self {
            system,
            file: Arc::default(),
            commands: Commands::default(),
            changes: Arc::default(),
            settings,
            net,
            flows: oauth::FLOWS,
            memory: Memory::default(),
            choice: None,
        }
    }

    /// The same in a changed environment, in which commands may print something else.
    #[must_use]
    pub fn in_system(&self, system: System, settings: Arc<Settings>) -> Self {
        Self { system, settings, commands: Commands::default(), ..self.clone() }
    }

    /// The way to providers that signing in and refreshing take.
    pub fn exchange(&self) -> oauth::Exchange {
        oauth::Exchange {
            system: self.system.clone(),
            settings: Arc::clone(&self.settings),
            net: self.net.clone(),
        }
    }

    /// What is wrong with `auth.json`, and what is not wise.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        let file = self.auth_file();
        let bare_names = file.bare_names(|name| self.system.env.get(name).is_some());
        file.diagnostics().iter().chain(bare_names).cloned().collect()
    }

    /// What has changed in `auth.json`, whoever changed it, since it was first read.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }
}

#[cfg(test)]
mod tests;
