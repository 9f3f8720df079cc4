//! Which of a provider's stored accounts is meant: the one that was chosen, else the settings' default, else the
//! one without a label, else the only one.
//!
//! It must never take another account than was named: that would bill somebody else.

use std::sync::Arc;

use super::auth_file::{AUTH_FILE, AuthFile};
use super::entry::{self, Stored};
use super::resolve::error_of;
use super::{AccountError, AccountErrorKind, Accounts};
use crate::catalog::Provider;
use crate::settings::load::shown;

/// Characters that a label may have.
const MAX_LABEL: usize = 64;
/// Labels that one message names.
const MAX_NAMED: usize = 8;

/// The entry that is meant.
pub(super) struct Chosen<'f> {
    /// Its name in the file.
    pub(super) id: String,
    /// What stands there.
    pub(super) stored: Option<&'f Stored>,
}

/// Why none is.
pub(super) enum Unchosen {
    /// There is no account with this label.
    Unknown { label: String, known: Vec<String> },
    /// There are several, and nobody said which.
    Several(Vec<String>),
}

impl Accounts {
    /// The same, with calls of `provider` made with the account of this label; an empty one is the account
    /// without a label.
    #[must_use]
    pub fn choosing(&self, provider: &str, label: &str) -> Self {
        Self { choice: Some((provider.into(), label.into())), ..self.clone() }
    }

    /// The stored accounts of `provider`: the labels, and `None` for the one without.
    pub fn stored_accounts(&self, provider: &Provider) -> Vec<Option<String>> {
        let file = self.auth_file();
        let plain = file.entry(&provider.id).map(|_| None);
        plain.into_iter().chain(file.labels(&provider.id).map(|label| Some(label.to_owned()))).collect()
    }

    /// The label of the account that calls of `provider` are made with; `None` for the one without, and where
    /// none is chosen.
    pub fn account_in_use(&self, provider: &Provider) -> Option<String> {
        let file = self.auth_file();
        let chosen = self.chosen(&file, provider).ok()?;
        chosen.id.strip_prefix(&*provider.id)?.strip_prefix(':').map(str::to_owned)
    }

    /// Whether the account that was [chosen](Self::choosing) is there.
    pub fn is_stored(&self, provider: &Provider) -> Result<(), AccountError> {
        self.chosen(&self.auth_file(), provider).map(|_| ()).map_err(|why| Self::unchosen(provider, why))
    }

    /// A label that an account can be stored under.
    pub fn fit_label(provider: &str, label: &str) -> Result<(), AccountError> {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '+');
        if !label.is_empty() && label.chars().count() <= MAX_LABEL && label.chars().all(is_plain) {
            return Ok(());
        }
        let message = format!("{} is no label for an account of {}", shown(label), shown(provider));
        let hint = format!("use up to {MAX_LABEL} letters, digits and - _ . @ +, such as work");
        Err(AccountError { kind: AccountErrorKind::Unusable, provider: provider.into(), message, hint })
    }

    /// The entry that calls of `provider` are made with.
    pub(super) fn chosen<'f>(&self, file: &'f AuthFile, provider: &Provider) -> Result<Chosen<'f>, Unchosen> {
        let id = &provider.id;
        let chosen = |label: Option<&str>| {
            let id = entry::id(id, label);
            Chosen { stored: file.entry(&id), id }
        };
        let labels = || file.labels(id).map(str::to_owned);
        let named = match &self.choice {
            Some((of, label)) if of == id => Some(&**label),
            _ => self.settings.default_accounts.get(&**id).map(String::as_str),
        };
        match named {
            Some("") => return Ok(chosen(None)),
            Some(label) => {
                let named = chosen(Some(label));
                if named.stored.is_some() {
                    return Ok(named);
                }
                return Err(Unchosen::Unknown { label: label.to_owned(), known: labels().collect() });
            }
            None => {}
        }
        let plain = chosen(None);
        if plain.stored.is_some() {
            return Ok(plain);
        }
        let mut labels = labels();
        match (labels.next(), labels.next()) {
            (None, _) => Ok(plain),
            (Some(only), None) => Ok(chosen(Some(&only))),
            (Some(first), Some(second)) => {
                Err(Unchosen::Several([first, second].into_iter().chain(labels).collect()))
            }
        }
    }

    /// The entry itself, where one is meant and there.
    pub(super) fn entry<'f>(&self, file: &'f AuthFile, provider: &Provider) -> Option<&'f Stored> {
        self.chosen(file, provider).ok()?.stored
    }

    /// What is told where no entry is meant.
    pub(super) fn unchosen(provider: &Provider, why: Unchosen) -> AccountError {
        let (kind, message, hint) = match why {
            Unchosen::Unknown { label, known } => (
                AccountErrorKind::NotSignedIn,
                format!("{AUTH_FILE} holds no account {} of {}", shown(&label), provider.id),
                match &*known {
                    [] => format!("run `aside login {} --account {}`", provider.id, plain(&label)),
                    known => format!("there is {}; aside login --account adds one", names(known)),
                },
            ),
            Unchosen::Several(known) => (
                AccountErrorKind::NotChosen,
                format!("{} has several accounts and none is chosen: {}", provider.id, names(&known)),
                format!("name one with --account, or set defaultAccounts.{} in settings.json", provider.id),
            ),
        };
        error_of(kind, provider, message, hint)
    }
}

/// Labels of the file, which may be anything.
fn names(labels: &[String]) -> String {
    let mut names: Vec<String> = labels.iter().take(MAX_NAMED).map(|label| plain(label)).collect();
    if labels.len() > MAX_NAMED {
        names.push("...".to_owned());
    }
    names.join(", ")
}

/// A label in a message.
pub(super) fn plain(label: &str) -> String {
    shown(label).trim_matches('"').to_owned()
}

/// The provider that an entry of the file belongs to, as far as its name tells.
pub(super) fn provider_of(id: &str) -> Arc<str> {
    id.split_once(':').map_or(id, |(provider, _)| provider).into()
}
