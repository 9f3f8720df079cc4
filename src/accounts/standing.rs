//! How every account stands, told without running a command or asking anybody.

use super::auth_file::{AUTH_FILE, Stored};
use super::value::{self, is_bare_name};
use super::{Accounts, Source, Status};
use crate::catalog::{MODELS_FILE, Provider};

/// One account, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it can be used, and where it comes from.
    pub status: Status,
    /// What the person should know or do.
    pub hint: Option<String>,
}

impl Accounts {
    /// How the account of `provider` stands.
    pub fn standing(&self, provider: &Provider) -> Standing {
        let status = self.status(provider);
        let file = self.auth_file();
        let entry = file.entry(&provider.id);
        let variables = self.variables(entry);
        let mut hints = Vec::new();
        if file.is_broken() {
            hints.push(format!("{AUTH_FILE} cannot be read, so what it may hold is not used"));
        }
        match entry {
            Some(Stored::Invalid(why)) => {
                hints.push(format!("the entry in {AUTH_FILE} cannot be used: {why}"));
            }
            Some(Stored::SignIn) => {
                hints.push(format!("{AUTH_FILE} holds a sign-in, which this version cannot use yet"));
            }
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
        if status.source == Source::Missing {
            hints.push(self.hint(provider));
        }
        let hint = (!hints.is_empty()).then(|| hints.join("; "));
        Standing { status, hint }
    }

    /// Whether the credential of `provider` is what a command prints.
    pub fn runs_command(&self, provider: &Provider) -> bool {
        let file = self.auth_file();
        match (self.status(provider).source, file.entry(&provider.id)) {
            (Source::Stored, Some(Stored::Key { key: Some(key), .. })) => {
                secrecy::ExposeSecret::expose_secret(key).starts_with('!')
            }
            (source, _) => source == Source::ModelsJsonCommand,
        }
    }

    /// Ids in `auth.json`.
    pub fn stored_ids(&self) -> Vec<String> {
        self.auth_file().entries().map(|(id, _)| id.to_owned()).collect()
    }
}
