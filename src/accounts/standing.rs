//! How every account stands, told without running a command or asking anybody.

use std::sync::PoisonError;

use super::auth_file::AUTH_FILE;
use super::choice::{Chosen, plain};
use super::entry::Stored;
use super::oauth::Grant;
use super::value::{self, is_bare_name};
use super::{Accounts, Source, Status};
use crate::catalog::{MODELS_FILE, Provider};

/// The end of a token that has none.
const NEVER_MS: u64 = 9_007_199_254_740_991;
/// Fields of a sign-in that say whose it is, in the order in which they are believed.
const IDENTITY: [&str; 5] = [Grant::IDENTITY, "email", "login", "account", "accountId"];
/// The field of a sign-in with the models that its account may use.
const MODELS: &str = Grant::MODELS;
/// Characters of a name that are shown.
const MAX_IDENTITY: usize = 100;

/// One account, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it can be used, and where it comes from.
    pub status: Status,
    /// The label that tells it from others of the same provider.
    pub account: Option<String>,
    /// Who is signed in, where the provider said so.
    pub identity: Option<String>,
    /// When its token ends, in milliseconds since the Unix epoch; it is renewed before, where that is possible.
    pub expires_at_ms: Option<u64>,
    /// What the person should know or do.
    pub hint: Option<String>,
}

impl Accounts {
    /// How the account of `provider` stands.
    pub fn standing(&self, provider: &Provider) -> Standing {
        let status = self.status(provider);
        let file = self.auth_file();
        let (chosen, unchosen) = match self.chosen(&file, provider) {
            Ok(chosen) => (Some(chosen), None),
            Err(why) => (None, Some(Self::unchosen(provider, why))),
        };
        let entry = chosen.as_ref().and_then(|chosen| chosen.stored);
        let variables = self.variables(entry);
        let mut hints = Vec::new();
        if file.is_broken() {
            hints.push(format!("{AUTH_FILE} cannot be read, so what it may hold is not used"));
        }
        match entry {
            Some(Stored::Invalid(why)) => {
                hints.push(format!("the entry in {AUTH_FILE} cannot be used: {why}"));
            }
            Some(Stored::Grant(grant)) => match self.flow(provider) {
                None => hints.push(format!("{AUTH_FILE} holds a sign-in, which aside cannot use")),
                Some(flow) => {
                    let id = chosen.as_ref().map(|chosen| chosen.id.as_str()).unwrap_or_default();
                    hints.extend(self.hint_of_grant(provider, id, grant));
                    hints.extend(flow.note().map(str::to_owned));
                }
            },
            Some(Stored::Key { .. }) | None => {}
        }
        let text = match (&status.source, entry) {
            (Source::Stored, Some(Stored::Key { key: Some(key), .. })) => {
                Some((secrecy::ExposeSecret::expose_secret(key), AUTH_FILE))
            }
            (Source::ModelsJson, _) => provider.api_key.as_deref().map(|key| (key, MODELS_FILE)),
            _ => None,
        };
        if let Some((text, file)) = text {
            if let Some(names) = value::unset(text, variables) {
                hints.push(format!("the key in {file} names what is not set: {}", names.join(", ")));
            } else if is_bare_name(text, variables) {
                hints.push(format!("the key in {file} is the bare name of a variable; write a $ before it"));
            }
        }
        if let Some(name) = &status.unset {
            hints.push(format!("{name} is not set"));
        }
        let ambient = provider.key_variables.iter().find(|name| variables.get(name).is_some());
        if let Some(name) = ambient.filter(|_| status.source == Source::Stored) {
            hints.push(format!("{name} is set too and not used while {AUTH_FILE} has an entry"));
        }
        if let Some(unchosen) = unchosen {
            hints.push(format!("{}; {}", unchosen.message, unchosen.hint));
        } else if status.source == Source::Missing {
            hints.push(self.hint(provider));
        }
        let grant = match entry {
            Some(Stored::Grant(grant)) if status.source == Source::Stored => Some(grant),
            _ => None,
        };
        // One that never ends is written as the last moment that other programs can tell.
        let ends = |grant: &Grant| Some(grant.expires_ms).filter(|ends| *ends < NEVER_MS);
        Standing {
            account: self.account_in_use(provider),
            identity: grant.and_then(|grant| identity(grant)),
            expires_at_ms: grant.and_then(|grant| ends(grant)),
            hint: (!hints.is_empty()).then(|| hints.join("; ")),
            status,
        }
    }

    /// The sign-in that calls of `provider` are made with, for people, and what to do when it is refused; `None`
    /// where it is no sign-in.
    pub fn sign_in_name(&self, provider: &Provider) -> Option<String> {
        let file = self.auth_file();
        let Ok(Chosen { id, stored: Some(Stored::Grant(_)) }) = self.chosen(&file, provider) else {
            return None;
        };
        Some(format!("the sign-in {} of {AUTH_FILE} ({})", plain(&id), Self::login_again(provider, &id)))
    }

    /// What the person is to know of what calls of `provider` cost, where they are made with a sign-in: who is billed
    /// how.
    pub fn cost_note(&self, provider: &Provider) -> Option<&'static str> {
        let file = self.auth_file();
        match self.chosen(&file, provider) {
            Ok(Chosen { stored: Some(Stored::Grant(_)), .. }) => self.flow(provider)?.cost_note(),
            _ => None,
        }
    }

    /// Whether the credential of `provider` is what a command prints.
    pub fn runs_command(&self, provider: &Provider) -> bool {
        let file = self.auth_file();
        match (self.status(provider).source, self.entry(&file, provider)) {
            (Source::Stored, Some(Stored::Key { key: Some(key), .. })) => {
                secrecy::ExposeSecret::expose_secret(key).starts_with('!')
            }
            (source, _) => source == Source::ModelsJsonCommand,
        }
    }

    /// The models that the account of `provider` may use, where the provider has said so.
    pub fn models_of_account(&self, provider: &Provider) -> Option<Vec<String>> {
        let file = self.auth_file();
        let Some(Stored::Grant(grant)) = self.entry(&file, provider) else { return None };
        let models = grant.more.get(MODELS)?.as_array()?;
        let models: Vec<String> =
            models.iter().filter_map(|model| Some(model.as_str()?.to_owned())).collect();
        // A list of nothing says that the provider could not tell.
        (!models.is_empty()).then_some(models)
    }

    /// Whether something changed in `auth.json` since it was last looked at is noted; nothing is read where nobody
    /// has looked yet.
    pub fn look_again(&self) {
        let is_known = self.file.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if is_known {
            self.auth_file();
        }
    }

    /// Ids in `auth.json`.
    pub fn stored_ids(&self) -> Vec<String> {
        self.auth_file().entries().map(|(id, _)| id.to_owned()).collect()
    }
}

/// Whose sign-in it is.
fn identity(grant: &Grant) -> Option<String> {
    let text = |name: &&str| {
        let text: String = grant.more.get(*name)?.as_str()?.chars().filter(|c| !c.is_control()).collect();
        (!text.trim().is_empty()).then(|| text.trim().chars().take(MAX_IDENTITY).collect::<String>())
    };
    let who = IDENTITY.iter().find_map(text);
    // Of a company's own server.
    match (who, text(&"enterpriseUrl")) {
        (Some(who), Some(host)) => Some(format!("{who} at {host}")),
        (who, host) => who.or(host),
    }
}
