//! The order in which a credential is looked for, and what is said when there is none.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use secrecy::{ExposeSecret as _, SecretString};

use super::auth_file::{self, AUTH_FILE, AuthFile, StoreError, Stored};
use super::value::{self, ValueError, Variables};
use super::{AccountError, AccountErrorKind, Accounts, Credential, Source, Status};
use crate::catalog::{MODELS_FILE, Provider};

static NO_VARIABLES: BTreeMap<String, String> = BTreeMap::new();

impl Accounts {
    /// Whether `provider` has a credential, as far as can be told at once: no command is run and nothing is
    /// waited for.
    pub fn status(&self, provider: &Provider) -> Status {
        let file = self.auth_file();
        let entry = file.entry(&provider.id);
        let variables = self.variables(entry);
        let source = if matches!(entry, Some(entry) if entry.owns_provider()) {
            Source::Stored
        } else if let Some(name) = variable(provider, variables) {
            Source::Environment(Arc::clone(name))
        } else if let Some(key) = provider.api_key.as_deref().filter(|key| value::is_there(key, variables)) {
            if key.starts_with('!') { Source::ModelsJsonCommand } else { Source::ModelsJson }
        } else if provider.needs_key {
            Source::Missing
        } else {
            Source::NotNeeded
        };
        Status { configured: source != Source::Missing, source }
    }

    /// The credential for a call of `provider`: `explicit`, else `auth.json`, else the environment, else
    /// `models.json`. A stored credential that fails is an error: the next one might bill somebody else.
    pub async fn resolve(
        &self,
        provider: &Provider,
        explicit: Option<SecretString>,
    ) -> Result<Credential, AccountError> {
        if let Some(key) = explicit {
            let key = value::sendable(key.expose_secret());
            return key
                .map(Credential::Key)
                .map_err(|error| failed(provider, "the key that was given", error, None));
        }
        let file = self.auth_file();
        let entry = file.entry(&provider.id);
        let variables = self.variables(entry);
        match entry {
            Some(Stored::Key { key: Some(key), .. }) if !key.expose_secret().trim().is_empty() => {
                let key = value::resolve(key.expose_secret(), variables, &self.commands).await;
                return key
                    .map(Credential::Key)
                    .map_err(|error| failed(provider, "the stored key", error, Some(AUTH_FILE)));
            }
            Some(Stored::SignIn) => return Err(self.sign_in(provider)),
            Some(Stored::Invalid(why)) => return Err(self.invalid(provider, why)),
            Some(Stored::Key { .. }) | None => {}
        }
        if let Some(name) = variable(provider, variables) {
            let key = value::sendable(variables.get(name).unwrap_or_default());
            return key.map(Credential::Key).map_err(|error| failed(provider, name, error, None));
        }
        if let Some(key) = &provider.api_key {
            let key = value::resolve(key, variables, &self.commands).await;
            return key
                .map(Credential::Key)
                .map_err(|error| failed(provider, "the apiKey", error, Some(MODELS_FILE)));
        }
        if provider.needs_key { Err(self.missing(provider, &file)) } else { Ok(Credential::None) }
    }

    /// The values of a model's headers, in their order. They are written like keys.
    pub async fn resolve_headers(
        &self,
        provider: &Provider,
        headers: &[(Arc<str>, Arc<str>)],
    ) -> Result<Vec<(String, SecretString)>, AccountError> {
        if headers.is_empty() {
            return Ok(Vec::new());
        }
        let file = self.auth_file();
        let variables = self.variables(file.entry(&provider.id));
        let mut resolved = Vec::with_capacity(headers.len());
        for (name, text) in headers {
            let value = value::resolve(text, variables, &self.commands).await;
            let value = value
                .map_err(|error| failed(provider, &format!("the header {name}"), error, Some(MODELS_FILE)))?;
            resolved.push((name.to_string(), value));
        }
        Ok(resolved)
    }

    /// Stores `key` in `auth.json` as the credential of `provider`; everything else in the file stays.
    pub async fn store_key(&self, provider: &Provider, key: &SecretString) -> Result<(), AccountError> {
        let key = value::sendable(key.expose_secret())
            .map_err(|error| failed(provider, "the key that was given", error, None))?;
        auth_file::store(&self.system, &provider.id, &key).await.map_err(|error| {
            let hint = match &error {
                StoreError::Unreadable(_) => {
                    "mend the file or move it away, then store the key again".to_owned()
                }
                StoreError::Locked(_) => "try again when the other process has finished".to_owned(),
                StoreError::NoFolder | StoreError::Io(_) => self.hint(provider),
            };
            let message = format!("the key of {} was not stored in {AUTH_FILE}: {error}", provider.id);
            error_of(AccountErrorKind::File, provider, message, hint)
        })
    }

    /// The file as it stands now. One look at its state; it is read only when that changed, so that a login
    /// made by another process is seen.
    pub(super) fn auth_file(&self) -> Arc<AuthFile> {
        let mut newest = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = AuthFile::stamp(&self.system);
        match newest.as_ref() {
            Some(file) if file.stamp_read() == stamp => Arc::clone(file),
            _ => Arc::clone(newest.insert(Arc::new(AuthFile::read(&self.system, stamp)))),
        }
    }

    fn variables<'v>(&'v self, entry: Option<&'v Stored>) -> Variables<'v> {
        let own = match entry {
            Some(Stored::Key { env, .. }) => env,
            Some(Stored::SignIn | Stored::Invalid(_)) | None => &NO_VARIABLES,
        };
        Variables { own, system: &self.system }
    }

    fn missing(&self, provider: &Provider, file: &AuthFile) -> AccountError {
        // A file that cannot be read may well hold the key.
        let problem = file.diagnostics().first().map_or(String::new(), |problem| {
            let place = match problem.line {
                0 => String::new(),
                line => format!(" (line {line}, column {})", problem.column),
            };
            format!(", and {AUTH_FILE} could not be read whole: {}{place}", problem.message)
        });
        let message = format!("no key was found for {}{problem}", provider.id);
        error_of(AccountErrorKind::NotSignedIn, provider, message, self.hint(provider))
    }

    fn sign_in(&self, provider: &Provider) -> AccountError {
        let message = format!(
            "{AUTH_FILE} holds a sign-in for {}, which this version of aside cannot use yet",
            provider.id
        );
        let hint = format!(
            "use an API key instead: take the entry out of {AUTH_FILE}, then {}",
            self.hint(provider)
        );
        error_of(AccountErrorKind::Unsupported, provider, message, hint)
    }

    fn invalid(&self, provider: &Provider, why: &str) -> AccountError {
        let message = format!("the entry of {} in {AUTH_FILE} cannot be used: {why}", provider.id);
        let hint = format!(
            "write it as {{\"type\": \"api_key\", \"key\": \"...\"}}, or take it out and {}",
            self.hint(provider)
        );
        error_of(AccountErrorKind::Unusable, provider, message, hint)
    }

    /// How a key is given.
    fn hint(&self, provider: &Provider) -> String {
        let variable = provider.key_variables.first().map_or(String::new(), |name| format!("set {name}, "));
        let file =
            auth_file::path(&self.system).map_or(AUTH_FILE.to_owned(), |path| path.display().to_string());
        format!(
            "{variable}pass --api-key, or add \"{}\": {{\"type\": \"api_key\", \"key\": \"...\"}} to {file}",
            provider.id
        )
    }
}

impl Stored {
    /// Whether nothing but this entry may authorise calls of its provider.
    fn owns_provider(&self) -> bool {
        match self {
            Self::Key { key, .. } => key.as_ref().is_some_and(|key| !key.expose_secret().trim().is_empty()),
            Self::SignIn | Self::Invalid(_) => true,
        }
    }
}

/// The first of the provider's variables that is set.
fn variable<'p>(provider: &'p Provider, variables: Variables<'_>) -> Option<&'p Arc<str>> {
    provider.key_variables.iter().find(|name| variables.get(name).is_some())
}

/// What is told of a value that could not be had. `what` is the value, `file` where it is written.
fn failed(provider: &Provider, what: &str, error: ValueError, file: Option<&str>) -> AccountError {
    let id = &provider.id;
    let place = file.map_or(String::new(), |file| format!(" in {file}"));
    match error {
        ValueError::Command(how) => error_of(
            AccountErrorKind::CommandFailed,
            provider,
            format!("the command for {what} of {id} failed: {how}"),
            format!("run the command of {id}{place} in a terminal; no other key is tried in its place"),
        ),
        ValueError::Unset(names) => error_of(
            AccountErrorKind::VariableUnset,
            provider,
            format!("{what} of {id} names what is not set in the environment: {}", names.join(", ")),
            format!("set {} where the editor is started, or change the entry{place}", names.join(" and ")),
        ),
        ValueError::Unusable(why) => error_of(
            AccountErrorKind::Unusable,
            provider,
            format!("{what} of {id} cannot be sent: {why}"),
            format!("correct the value{place}"),
        ),
    }
}

fn error_of(kind: AccountErrorKind, provider: &Provider, message: String, hint: String) -> AccountError {
    AccountError { kind, provider: Arc::clone(&provider.id), message, hint }
}
