//! The order in which a credential is looked for, and what is said when there is none.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use secrecy::{ExposeSecret as _, SecretString};

use super::auth_file::{self, AUTH_FILE, AuthFile};
use super::aws;
use super::choice::{Chosen, Unchosen};
use super::entry::Stored;
use super::oauth::{Flow, Grant};
use super::value::{self, ValueError, Variables};
use super::{AccountError, AccountErrorKind, Accounts, Authorisation, Credential, Source, Status};
use crate::catalog::placeholder::{self, Unfilled};
use crate::catalog::{MODELS_FILE, Provider};
use crate::system::System;

/// Most people have no key of it.
const VERTEX: &str = "google-vertex";
const VERTEX_HINT: &str = "; application default credentials are not found yet, but the key may be what `gcloud auth print-access-token` prints";

static NO_VARIABLES: BTreeMap<String, String> = BTreeMap::new();

/// What wires ask for by these names, and the fields of a sign-in that say it.
const GRANT_VARIABLES: [(&str, &str); 1] = [("chatgpt_account_id", "accountId")];

impl Accounts {
    /// Whether `provider` has a credential, as far as can be told at once: no command is run and nothing is
    /// waited for.
    pub fn status(&self, provider: &Provider) -> Status {
        let file = self.auth_file();
        let entry = match self.chosen(&file, provider) {
            Ok(chosen) => chosen.stored,
            Err(Unchosen::Unknown { .. }) => {
                return Status { configured: false, source: Source::Missing, unset: None };
            }
            Err(Unchosen::Several(_)) => {
                return Status { configured: false, source: Source::Stored, unset: None };
            }
        };
        let variables = self.variables(entry);
        let source = if aws::is_skipped(provider, variables) {
            Source::NotNeeded
        } else if matches!(entry, Some(entry) if entry.owns_provider()) {
            Source::Stored
        } else if aws::is_stored(provider, variables) {
            aws::source(provider, variables).unwrap_or(Source::Missing)
        } else if let Some(name) = variable(provider, variables) {
            Source::Environment(Arc::clone(name))
        } else if let Some(source) = aws::source(provider, variables) {
            source
        } else if let Some(key) = provider.api_key.as_deref().filter(|key| value::is_there(key, variables)) {
            if key.starts_with('!') { Source::ModelsJsonCommand } else { Source::ModelsJson }
        } else if provider.needs_key {
            Source::Missing
        } else {
            Source::NotNeeded
        };
        let unset = provider.url_variables.iter().find(|name| variables.get(name).is_none()).cloned();
        Status { configured: source != Source::Missing && unset.is_none(), source, unset }
    }

    /// The credential for a call of `provider`: `explicit`, else `auth.json`, else the environment, else
    /// `models.json`. A stored credential that fails is an error: the next one might bill somebody else.
    pub async fn resolve(
        &self,
        provider: &Provider,
        explicit: Option<SecretString>,
    ) -> Result<Credential, AccountError> {
        Ok(self.authorise(provider, explicit).await?.credential)
    }

    /// The same, with what depends on whose it is.
    pub async fn authorise(
        &self,
        provider: &Provider,
        explicit: Option<SecretString>,
    ) -> Result<Authorisation, AccountError> {
        let file = self.auth_file();
        if aws::is_skipped(provider, self.variables(self.entry(&file, provider))) {
            return Ok(Credential::None.into());
        }
        if let Some(key) = explicit {
            let key = value::sendable(key.expose_secret());
            return key
                .map(|key| Credential::Key(key).into())
                .map_err(|error| failed(provider, "the key that was given", error, None));
        }
        let Chosen { stored, id } =
            self.chosen(&file, provider).map_err(|why| Self::unchosen(provider, why))?;
        let variables = self.variables(stored);
        match stored {
            Some(Stored::Key { key: Some(key), .. }) if !key.expose_secret().trim().is_empty() => {
                let key = value::resolve(key.expose_secret(), variables, &self.commands).await;
                return key
                    .map(|key| Credential::Key(key).into())
                    .map_err(|error| failed(provider, "the stored key", error, Some(AUTH_FILE)));
            }
            Some(Stored::Grant(grant)) => {
                let flow = self.flow(provider).ok_or_else(|| self.sign_in(provider))?;
                let grant = self.current(provider, flow, &id, grant).await?;
                return granted(provider, flow, &grant);
            }
            Some(Stored::Invalid(why)) => return Err(self.invalid(provider, why)),
            Some(Stored::Key { .. }) | None => {}
        }
        if aws::is_stored(provider, variables)
            && let Some(credential) = aws::credential(provider, variables)
        {
            return credential.map(Authorisation::from);
        }
        if let Some(name) = variable(provider, variables) {
            let key = value::sendable(variables.get(name).unwrap_or_default())
                .map_err(|error| failed(provider, name, error, None))?;
            if !provider.bearer_variables.contains(name) {
                return Ok(Credential::Key(key).into());
            }
            // A token says where it is good for, wherever it comes from.
            let base_url = self.flow(provider).and_then(|flow| flow.base_url(&of_token(key.clone())));
            return Ok(Authorisation { base_url, ..Credential::Bearer(key).into() });
        }
        if let Some(credential) = aws::credential(provider, variables) {
            return credential.map(Authorisation::from);
        }
        if let Some(key) = &provider.api_key {
            let key = value::resolve(key, variables, &self.commands).await;
            return key
                .map(|key| Credential::Key(key).into())
                .map_err(|error| failed(provider, "the apiKey", error, Some(MODELS_FILE)));
        }
        if provider.needs_key { Err(self.missing(provider, &file)) } else { Ok(Credential::None.into()) }
    }

    /// How one signs in to `provider`, where that is known.
    pub(super) fn flow(&self, provider: &Provider) -> Option<&'static dyn Flow> {
        self.flows.iter().copied().find(|flow| flow.provider() == &*provider.id)
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
        let variables = self.variables(self.entry(&file, provider));
        let mut resolved = Vec::with_capacity(headers.len());
        for (name, text) in headers {
            let value = value::resolve(text, variables, &self.commands).await;
            let value = value
                .map_err(|error| failed(provider, &format!("the header {name}"), error, Some(MODELS_FILE)))?;
            resolved.push((name.to_string(), value));
        }
        Ok(resolved)
    }

    /// After the provider has refused `refused`, which went out with `sent`: whether another try would be made
    /// with something else. A command whose value was refused is run once more; a change of `auth.json` or of
    /// the environment counts too. Never asked for an explicit key, which nothing can renew.
    pub async fn renew(
        &self,
        provider: &Provider,
        headers: &[(Arc<str>, Arc<str>)],
        refused: &Credential,
        sent: &[(String, SecretString)],
    ) -> bool {
        {
            let file = self.auth_file();
            if let Ok(Chosen { id, stored: Some(Stored::Grant(_)) }) = self.chosen(&file, provider)
                && let (Some(flow), Some(token)) = (self.flow(provider), refused.secret())
            {
                return self.renew_refused(provider, flow, &id, token).await;
            }
            let variables = self.variables(self.entry(&file, provider));
            let is_refused = |value: &SecretString| {
                refused
                    .secret()
                    .into_iter()
                    .chain(sent.iter().map(|(_, value)| value))
                    .any(|used| used.expose_secret() == value.expose_secret())
            };
            let stored = match self.entry(&file, provider) {
                Some(Stored::Key { key: Some(key), .. }) => Some(key.expose_secret()),
                _ => None,
            };
            let texts = stored.into_iter().chain(provider.api_key.as_deref());
            for text in texts.chain(headers.iter().map(|(_, text)| &**text)) {
                if let Some(command) = text.strip_prefix('!') {
                    self.commands.forget(command, variables, is_refused);
                }
            }
        }
        let Ok(credential) = self.resolve(provider, None).await else { return false };
        let Ok(now) = self.resolve_headers(provider, headers).await else { return false };
        let plain = |secret: &SecretString| secret.expose_secret().to_owned();
        credential.secret().map(plain) != refused.secret().map(plain)
            || !now.iter().map(|(_, value)| plain(value)).eq(sent.iter().map(|(_, value)| plain(value)))
    }

    /// `text`, a base URL, with the places in it filled from the provider's own variables, else from the
    /// environment.
    pub fn expand(&self, provider: &Provider, text: &str) -> Result<String, AccountError> {
        expanded(provider, text, |name| self.variable(provider, name))
    }

    /// What `name` is for calls of `provider`: its own variable in `auth.json`, else the environment's.
    pub fn variable(&self, provider: &Provider, name: &str) -> Option<String> {
        let file = self.auth_file();
        self.variables(self.entry(&file, provider)).get(name).map(str::to_owned)
    }

    /// What the entry of `provider` in `auth.json` says of `name`, whatever the environment does.
    pub fn own_variable(&self, provider: &Provider, name: &str) -> Option<String> {
        let file = self.auth_file();
        self.variables(file.entry(&provider.id)).own.get(name).cloned()
    }

    /// The world as calls of `provider` see it: its own variables in `auth.json` over the environment.
    pub fn system_for(&self, provider: &Provider) -> System {
        let file = self.auth_file();
        let own = self.variables(self.entry(&file, provider)).own;
        if own.is_empty() {
            return self.system.clone();
        }
        self.system.with_environment(own.iter().map(|(name, value)| (name.clone(), value.clone())))
    }

    /// The file as it stands now. One look at its state; it is read only when that changed, so that a login
    /// made by another process is seen.
    pub(super) fn auth_file(&self) -> Arc<AuthFile> {
        let mut newest = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = AuthFile::stamp(&self.system);
        match newest.as_ref() {
            Some(file) if file.stamp_read() == stamp => Arc::clone(file),
            known => {
                let file = Arc::new(AuthFile::read(&self.system, stamp));
                if let Some(known) = known {
                    self.changes.note(known.differing(&file));
                }
                Arc::clone(newest.insert(file))
            }
        }
    }

    pub(super) fn variables<'v>(&'v self, entry: Option<&'v Stored>) -> Variables<'v> {
        let own = match entry {
            Some(Stored::Key { env, .. }) => env,
            Some(Stored::Grant(_) | Stored::Invalid(_)) | None => &NO_VARIABLES,
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
        let message = format!("{AUTH_FILE} holds a sign-in for {}, which aside cannot use", provider.id);
        let hint = format!("use an API key instead: {}", self.hint(provider));
        error_of(AccountErrorKind::Unsupported, provider, message, hint)
    }

    fn invalid(&self, provider: &Provider, why: &str) -> AccountError {
        let message = format!("the entry of {} in {AUTH_FILE} cannot be used: {why}", provider.id);
        let hint =
            format!("write it as {{\"type\": \"api_key\", \"key\": \"...\"}}, or {}", self.hint(provider));
        error_of(AccountErrorKind::Unusable, provider, message, hint)
    }

    /// How a key is given.
    pub(super) fn hint(&self, provider: &Provider) -> String {
        let mut variable = provider.usual_variable().map_or(String::new(), |name| format!(", set {name}"));
        if provider.takes_aws_keys {
            variable.push_str(", set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
        }
        let file =
            auth_file::path(&self.system).map_or(AUTH_FILE.to_owned(), |path| path.display().to_string());
        if !Self::takes_key(provider) {
            return format!("run `aside login {}`{variable}", provider.id);
        }
        let other = if &*provider.id == VERTEX { VERTEX_HINT } else { "" };
        format!("run `aside login {}`{variable}, or put an entry into {file}{other}", provider.id)
    }
}

/// `text` with its places filled in by `value`.
pub(super) fn expanded(
    provider: &Provider,
    text: &str,
    value: impl Fn(&str) -> Option<String>,
) -> Result<String, AccountError> {
    placeholder::filled(text, value).map_err(|error| match error {
        Unfilled::Unset(name) => error_of(
            AccountErrorKind::VariableUnset,
            provider,
            format!("{name} is not set, which the address of {} needs", provider.id),
            variable_hint(provider, &name),
        ),
        Unfilled::Unfit(name, why) => error_of(
            AccountErrorKind::Unusable,
            provider,
            format!("{name} cannot be part of the address of {}: {why}", provider.id),
            format!("correct {name} where it is set: in {AUTH_FILE} or in the environment"),
        ),
    })
}

impl Stored {
    /// Whether nothing but this entry may authorise calls of its provider.
    fn owns_provider(&self) -> bool {
        match self {
            Self::Key { key, .. } => key.as_ref().is_some_and(|key| !key.expose_secret().trim().is_empty()),
            Self::Grant(_) | Self::Invalid(_) => true,
        }
    }
}

/// What calls are made with that have `grant`.
fn granted(provider: &Provider, flow: &dyn Flow, grant: &Grant) -> Result<Authorisation, AccountError> {
    let access = value::sendable(grant.access.expose_secret())
        .map_err(|error| failed(provider, "the token", error, Some(AUTH_FILE)))?;
    let of_grant = |(name, field): (&'static str, &str)| {
        let value = grant.more.get(field)?.as_str().filter(|value| !value.trim().is_empty())?;
        Some((name, value.trim().to_owned()))
    };
    Ok(Authorisation {
        base_url: flow.base_url(grant),
        variables: GRANT_VARIABLES.into_iter().filter_map(of_grant).collect(),
        ..if flow.gives_key() { Credential::Key(access) } else { Credential::Bearer(access) }.into()
    })
}

/// A token that nothing else is known of.
fn of_token(access: SecretString) -> Grant {
    Grant { access, refresh: SecretString::default(), expires_ms: u64::MAX, more: serde_json::Map::new() }
}

/// The first of the provider's variables that is set.
fn variable<'p>(provider: &'p Provider, variables: Variables<'_>) -> Option<&'p Arc<str>> {
    provider.key_variables.iter().find(|name| variables.get(name).is_some())
}

/// How a variable of a provider's address is given.
fn variable_hint(provider: &Provider, name: &str) -> String {
    format!("set {name} in the environment, or in the \"env\" of the entry {} of {AUTH_FILE}", provider.id)
}

/// What is told of a value that could not be had. `what` is the value, `file` where it is written.
pub(super) fn failed(provider: &Provider, what: &str, error: ValueError, file: Option<&str>) -> AccountError {
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

pub(super) fn error_of(
    kind: AccountErrorKind,
    provider: &Provider,
    message: String,
    hint: String,
) -> AccountError {
    AccountError { kind, provider: Arc::clone(&provider.id), message, hint }
}
