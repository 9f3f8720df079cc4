//! What is stored and removed, and the word that something has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::auth_file::{self, AUTH_FILE};
use super::choice::{Unchosen, provider_of};
use super::entry;
use super::oauth::Grant;
use super::resolve::{error_of, expanded, failed};
use super::value::{self, is_bare_name};
use super::{AccountError, AccountErrorKind, Accounts};
use crate::catalog::Provider;
use crate::settings::change::ChangeError;

/// Changed providers that are named; who has more is told of these.
const MAX_NAMED: usize = 1_000;

/// Providers whose stored credentials have changed and nobody was told yet.
#[derive(Debug, Default)]
pub struct Changes {
    /// A leaf, never held over an await.
    providers: Mutex<BTreeSet<String>>,
    noted: Notify,
}

impl Changes {
    /// Takes down entries that are not what they were.
    pub(super) fn note<'p>(&self, entries: impl Iterator<Item = &'p str>) {
        let mut noted = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        for provider in entries {
            if noted.len() >= MAX_NAMED {
                break;
            }
            noted.insert(provider_of(provider).to_string());
        }
        if !noted.is_empty() {
            self.noted.notify_one();
        }
    }

    /// Resolves when something has changed. Cancel-safe; another one may have taken it meanwhile.
    pub async fn noted(&self) {
        self.noted.notified().await;
    }

    /// The ids of the providers, each told once.
    pub fn take(&self) -> Vec<String> {
        let mut noted = self.providers.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *noted).into_iter().collect()
    }
}

impl Accounts {
    /// Stores `key` in `auth.json` as the credential of `provider`, and `env` as variables of its own: as the account
    /// that was [chosen](Self::choosing), else as the one without a label. Everything else in the file stays.
    /// `cancel` is heard while another process has the file.
    pub async fn store_key(
        &self,
        provider: &Provider,
        key: &SecretString,
        env: &BTreeMap<String, String>,
        cancel: &CancellationToken,
    ) -> Result<(), AccountError> {
        let key = self.fit_key(provider, key)?;
        Self::fit_variables(provider, env)?;
        let id = self.id_to_store(provider)?;
        // What was there before is known first, so that the change is noticed.
        self.auth_file();
        let stored = auth_file::store_key(&self.system, &id, &key, env, cancel).await;
        self.auth_file();
        stored.map_err(|error| unchanged(&id, "the key of", "stored in", &error))
    }

    /// Stores what a sign-in gave as the credential of `provider`, in place of whatever its account had: the one
    /// that was [chosen](Self::choosing), else the one without a label. `cancel` is heard while another process has
    /// the file; a caller that has spent a code for the grant may well not use it.
    pub async fn store_grant(
        &self,
        provider: &Provider,
        grant: &Grant,
        cancel: &CancellationToken,
    ) -> Result<(), AccountError> {
        value::sendable(grant.access.expose_secret())
            .map_err(|error| failed(provider, "the token", error, None))?;
        let id = self.id_to_store(provider)?;
        self.auth_file();
        let grant = grant.got_at(self.system.clock.now_ms());
        let stored = auth_file::store_grant(&self.system, &id, &grant, cancel).await;
        self.auth_file();
        stored.map_err(|error| unchanged(&id, "the sign-in to", "stored in", &error))
    }

    /// Takes the entry of this name out of `auth.json`: a provider's id, or one with `:label` behind it. Whether
    /// there was anything.
    pub async fn remove(&self, id: &str, cancel: &CancellationToken) -> Result<bool, AccountError> {
        self.auth_file();
        let removed = auth_file::remove(&self.system, id, cancel).await;
        self.auth_file();
        removed.map_err(|error| unchanged(id, "what is stored for", "removed from", &error))
    }

    /// Takes what is stored for an account of `provider` out of `auth.json`: the one that was
    /// [chosen](Self::choosing), else the one without a label, else the only one.
    pub async fn remove_account(
        &self,
        provider: &Provider,
        cancel: &CancellationToken,
    ) -> Result<bool, AccountError> {
        let file = self.auth_file();
        let id = match (&self.choice, self.stored_accounts(provider).as_slice()) {
            (Some((of, label)), _) if *of == provider.id => {
                entry::id(&provider.id, Some(&**label).filter(|label| !label.is_empty()))
            }
            (_, [Some(only)]) => entry::id(&provider.id, Some(only)),
            (_, [Some(_), ..]) => {
                let labels = file.labels(&provider.id).map(str::to_owned).collect();
                return Err(Self::unchosen(provider, Unchosen::Several(labels)));
            }
            _ => provider.id.to_string(),
        };
        self.remove(&id, cancel).await
    }

    /// The name of the entry that is stored.
    fn id_to_store(&self, provider: &Provider) -> Result<String, AccountError> {
        match &self.choice {
            Some((of, label)) if *of == provider.id && !label.is_empty() => {
                Self::fit_label(&provider.id, label)?;
                Ok(entry::id(&provider.id, Some(label)))
            }
            _ => Ok(provider.id.to_string()),
        }
    }

    /// A key as it is sent, if it can be: what a person pasted may be anything.
    pub fn fit_key(&self, provider: &Provider, key: &SecretString) -> Result<SecretString, AccountError> {
        let what = "the key that was given";
        let key =
            value::sendable(key.expose_secret()).map_err(|error| failed(provider, what, error, None))?;
        let unfit = if key.expose_secret().contains(char::is_whitespace) {
            Some("it has spaces in it")
        } else if !key.expose_secret().is_ascii() {
            Some("it has characters that no key has")
        } else if is_bare_name(key.expose_secret(), self.variables(None)) {
            Some("it is the name of a variable of the environment")
        } else {
            None
        };
        match unfit {
            None => Ok(key),
            Some(why) => {
                let message = format!("{what} for {} cannot be used: {why}", provider.id);
                let hint = format!(
                    "give the key itself; a command or the name of a variable is written into {AUTH_FILE} by hand"
                );
                Err(error_of(AccountErrorKind::Unusable, provider, message, hint))
            }
        }
    }

    /// Variables as they can be stored and used.
    pub fn fit_variables(provider: &Provider, env: &BTreeMap<String, String>) -> Result<(), AccountError> {
        env.iter().try_for_each(|(name, value)| Self::fit_variable(provider, name, value))
    }

    fn fit_variable(provider: &Provider, name: &str, value: &str) -> Result<(), AccountError> {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
        let why = if !value::is_name(name) || name.len() > 200 {
            "it is no name of a variable"
        } else if value.trim().is_empty() {
            "it is empty"
        } else if value.chars().any(char::is_control) {
            "it has control characters in it"
        } else {
            // A value that would lead calls elsewhere is refused before it is stored.
            return match provider.url_variables.iter().find(|known| &***known == name) {
                None => Ok(()),
                Some(_) => {
                    expanded(provider, &format!("https://host/{{{name}}}"), |_| Some(value.to_owned()))
                        .map(|_| ())
                }
            };
        };
        let message = format!("{shown} cannot be stored for {}: {why}", provider.id);
        Err(error_of(AccountErrorKind::Unusable, provider, message, "correct it and try again".to_owned()))
    }
}

fn unchanged(id: &str, what: &str, verb: &str, error: &ChangeError) -> AccountError {
    let (kind, hint) = match error {
        ChangeError::Unreadable(_) => {
            (AccountErrorKind::File, "mend the file or move it away, then try again; it was not touched")
        }
        ChangeError::Locked(_) => (AccountErrorKind::File, "try again when the other process has finished"),
        ChangeError::Cancelled => (AccountErrorKind::Cancelled, "try again"),
        ChangeError::NoFolder => (AccountErrorKind::File, "set HOME or ASIDE_HOME where aside is started"),
        ChangeError::Io { .. } => (
            AccountErrorKind::File,
            "free space or mend the permissions, then try again; what was there before stays",
        ),
    };
    let message = format!("{what} {id} was not {verb} {AUTH_FILE}: {error}");
    AccountError { kind, provider: id.into(), message, hint: hint.to_owned() }
}
