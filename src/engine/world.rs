//! What the engine works in: settings, catalog, accounts and the ways to models, as one value that is replaced as a
//! whole. Finds models by their names and makes calls that can be made. It must never know a session.

use std::borrow::Cow;
use std::sync::Arc;

use secrecy::SecretString;

use super::event::Account;
use super::event::PermissionMode;
use super::item::{self, Failure};
use super::listing::Listing;
use super::store::Store;
use super::turn::budget::RetryBudget;
use crate::accounts::{AUTH_FILE, Accounts, Authorisation, Credential, Source};
use crate::catalog::{Catalog, MODELS_FILE, Model, Provider, ThinkingLevel};
use crate::models::{self, Backends, Call, Request};
use crate::net::Net;
use crate::settings::load::SETTINGS_FILE;
use crate::settings::{CacheRetention, Diagnostic, Settings};
use crate::system::System;

/// How long prompts are kept in caches, for one provider in its entry in `auth.json`, else for all.
const CACHE_RETENTION: &str = "ASIDE_CACHE_RETENTION";
/// The same in an entry that was taken over from pi, of which only `long` means anything.
const PI_CACHE_RETENTION: &str = "PI_CACHE_RETENTION";

/// What all sessions share and none changes: replaced as a whole when the client says who it is.
pub struct World {
    pub system: System,
    pub settings: Arc<Settings>,
    pub catalog: Arc<Catalog>,
    pub accounts: Arc<Accounts>,
    pub store: Store,
    pub backends: Arc<Backends>,
    pub retries: Arc<RetryBudget>,
    /// The asking of servers for their models.
    pub(super) listing: Arc<Listing>,
    pub client: Client,
    /// Problems of `settings.json`.
    pub diagnostics: Vec<Diagnostic>,
}

/// What the client can be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "capabilities are yes or no")]
pub struct Client {
    pub request_permission: bool,
    pub prompt_user: bool,
    pub read_file: bool,
    pub apply_edit: bool,
    pub open_url: bool,
    pub show_device_code: bool,
    /// The person does not trust the folder that is open.
    pub untrusted: bool,
}

impl Client {
    /// The mode that a conversation begins in, or comes back in, where the client does not name one; `own` is what
    /// it would be otherwise.
    pub(super) fn first_mode(self, own: PermissionMode) -> PermissionMode {
        if self.untrusted { PermissionMode::Plan } else { own }
    }
}

/// A model that was looked up.
pub struct Found {
    pub model: Arc<Model>,
    pub thinking: Option<ThinkingLevel>,
    pub warnings: Vec<String>,
}

impl World {
    /// The world around a process, before any client said more.
    pub fn new(system: System, client: Client) -> Self {
        let store = Store::start(&system);
        let (settings, diagnostics) = Settings::load(&system, None);
        let settings = Arc::new(settings);
        let net = Net::default();
        let accounts = Accounts::new(system.clone(), Arc::clone(&settings), net.clone());
        let kept = (Arc::new(Backends::new(net)), Arc::default(), Arc::default());
        Self::with(system, client, store, accounts, kept, (settings, diagnostics))
    }

    /// The same store in a changed world: what `initialize` brings.
    #[must_use]
    pub fn changed(
        &self,
        system: System,
        client: Client,
        settings: Option<&serde_json::value::RawValue>,
    ) -> Self {
        let (settings, diagnostics) = Settings::load(&system, settings);
        let settings = Arc::new(settings);
        let kept = (Arc::clone(&self.backends), Arc::clone(&self.retries), Arc::clone(&self.listing));
        let accounts = self.accounts.in_system(system.clone(), Arc::clone(&settings));
        Self::with(system, client, self.store.clone(), accounts, kept, (settings, diagnostics))
    }

    fn with(
        system: System,
        client: Client,
        store: Store,
        accounts: Accounts,
        (backends, retries, listing): (Arc<Backends>, Arc<RetryBudget>, Arc<Listing>),
        (settings, diagnostics): (Arc<Settings>, Vec<Diagnostic>),
    ) -> Self {
        Self {
            catalog: Arc::new(Catalog::new(
                system.clone(),
                crate::models::is_known_wire,
                Arc::clone(backends.discovery().servers()),
            )),
            accounts: Arc::new(accounts),
            settings,
            store,
            backends,
            retries,
            listing,
            client,
            diagnostics,
            system,
        }
    }

    /// Whether a prompt could be sent to `provider` now, as far as can be told without asking anybody.
    pub fn is_available(&self, provider: &Provider) -> bool {
        self.accounts.status(provider).configured
    }

    /// Whether a session may be in this permission mode. What the machine's own settings forbid is asked about
    /// all the same.
    pub(super) fn may_choose(&self, mode: Option<PermissionMode>) -> Result<(), Failure> {
        if mode == Some(PermissionMode::Full) && self.settings.permissions.allow_full != Some(true) {
            let mut failure = Failure::invalid("/permissionMode", "the mode full is not switched on");
            failure.hint = Some(format!(
                "whoever wants tools to run unasked sets permissions.allowFull to true in their own {SETTINGS_FILE}"
            ));
            return Err(failure);
        }
        Ok(())
    }

    /// The model that a pattern means; the default where there is none.
    pub fn find_model(&self, pattern: Option<&str>, provider: Option<&str>) -> Result<Found, Failure> {
        self.look_up(pattern, provider).map_err(|failure| {
            let pattern = pattern.or(self.settings.default_model.as_deref().filter(|_| provider.is_none()));
            self.no_local_server(pattern, provider).unwrap_or(failure)
        })
    }

    fn look_up(&self, pattern: Option<&str>, provider: Option<&str>) -> Result<Found, Failure> {
        let pattern = match (pattern, provider) {
            (Some(pattern), _) => Some(pattern.to_owned()),
            (None, Some(id)) => {
                let known = self.catalog.provider(id).ok_or_else(|| {
                    Failure::not_found(
                        format!("no provider {}", item::cut(id)),
                        Some("aside models, or listProviders, names those that are known"),
                    )
                })?;
                Some(known.default_model.as_deref().map(str::to_owned).ok_or_else(|| {
                    Failure::invalid("/model", format!("{id} has no default model: name one"))
                })?)
            }
            (None, None) => self.settings.default_model.clone(),
        };
        let Some(pattern) = pattern else {
            let model = self.catalog.default_model(|provider| self.is_available(provider));
            return Ok(Found { model, thinking: None, warnings: Vec::new() });
        };
        let resolved = self
            .catalog
            .resolve(&pattern, provider, |provider| self.is_available(provider))
            .map_err(|error| {
                let mut failure = Failure::not_found(error.to_string(), None);
                failure.hint = Some(error.hint());
                failure.path = Some("/model".to_owned());
                failure
            })?;
        Ok(Found { model: resolved.model, thinking: resolved.thinking, warnings: resolved.warnings })
    }

    /// The default model's name, for lists.
    pub fn default_model(&self) -> Option<String> {
        let found = self.find_model(None, None).ok()?;
        Some(format!("{}/{}", found.model.provider, found.model.id))
    }

    /// The account of a provider that is stored under this label; an empty one is the account without a label.
    pub fn account(&self, provider: &str, label: &str) -> Result<Account, Failure> {
        let provider = self
            .catalog
            .provider(provider)
            .ok_or_else(|| Failure::not_found(format!("no provider {}", item::cut(provider)), None))?;
        self.accounts.choosing(&provider.id, label).is_stored(&provider).map_err(Failure::of_choice)?;
        Ok(Account { provider: Arc::clone(&provider.id), label: label.into() })
    }

    /// The accounts, of which that of `provider` with this label is meant.
    fn accounts_for(&self, provider: &Provider, account: Option<&str>) -> Cow<'_, Accounts> {
        match account {
            Some(label) => Cow::Owned(self.accounts.choosing(&provider.id, label)),
            None => Cow::Borrowed(&self.accounts),
        }
    }

    /// Puts a call together: finds its credential and resolves its headers. `account` is the label of the account
    /// that the session has chosen.
    pub(super) async fn authorise(
        &self,
        model: Arc<Model>,
        mut request: Request,
        cache: Option<CacheRetention>,
        explicit: Option<SecretString>,
        account: Option<&str>,
    ) -> Result<Authorised, Failure> {
        let provider = self
            .catalog
            .provider(&model.provider)
            .ok_or_else(|| Failure::not_found(format!("no provider {}", model.provider), None))?;
        if !models::is_known_wire(&model.wire) {
            // No key would help.
            return Err(models::fault::unknown_wire(&model.wire).into());
        }
        let failed = Failure::of_credential;
        let accounts = self.accounts_for(&provider, account);
        let cost_note = explicit.is_none().then(|| accounts.cost_note(&provider)).flatten();
        let source = match &explicit {
            Some(_) => "the key that was given with the request".to_owned(),
            None => credential_name(&accounts, &provider),
        };
        let Authorisation { credential, base_url: own_url, variables: own } =
            accounts.authorise(&provider, explicit).await.map_err(failed)?;
        let headers = accounts.resolve_headers(&provider, &model.headers).await.map_err(failed)?;
        let named = |name: &&'static str| {
            let of_account = own.get(name).cloned();
            Some((*name, of_account.or_else(|| accounts.variable(&provider, name))?))
        };
        request.variables = models::variables(&model.wire).iter().filter_map(named).collect();
        request.cache = match cache {
            Some(cache) => cache,
            None => self.cache_retention(&accounts, &provider)?,
        };
        // An account may have a host of its own; whoever wrote another address into models.json means that one.
        let own_url = own_url.filter(|_| Catalog::is_usual_url(&provider.id, &model.base_url));
        let base_url = match own_url {
            Some(url) => url,
            None => accounts.expand(&provider, &model.base_url).map_err(failed)?,
        };
        let model = if *base_url == *model.base_url {
            model
        } else {
            Arc::new(Model { base_url: base_url.into(), ..(*model).clone() })
        };
        let call = Call {
            request: Arc::new(request),
            model,
            credential,
            headers,
            settings: Arc::clone(&self.settings),
            system: accounts.system_for(&provider),
        };
        Ok(Authorised { call, credential: source, cost_note })
    }

    /// How long `provider` is asked to keep prompts that say nothing of it themselves.
    fn cache_retention(&self, accounts: &Accounts, provider: &Provider) -> Result<CacheRetention, Failure> {
        if let Some(word) = accounts.variable(provider, CACHE_RETENTION) {
            return CacheRetention::named(word.trim()).ok_or_else(|| Failure {
                path: None,
                hint: Some(format!("correct it where it is set: in {AUTH_FILE} or in the environment")),
                ..Failure::invalid("", format!("{CACHE_RETENTION} is none of none, short and long"))
            });
        }
        let taken_over = accounts.own_variable(provider, PI_CACHE_RETENTION);
        let is_long = taken_over.is_some_and(|word| word.trim() == CacheRetention::Long.name());
        Ok(if is_long { CacheRetention::Long } else { self.settings.cache_retention })
    }

    /// After the provider has refused the key of a call (401): whether a second try would go out with another.
    /// A key command is run once more for it, a sign-in is renewed; `explicit` is the key that came with the prompt,
    /// if one did.
    pub async fn renew(
        &self,
        model: &Model,
        explicit: Option<&SecretString>,
        account: Option<&str>,
        refused: &Credential,
        sent: &[(String, SecretString)],
    ) -> bool {
        match self.catalog.provider(&model.provider) {
            Some(provider) if explicit.is_none() => {
                let accounts = self.accounts_for(&provider, account);
                accounts.renew(&provider, &model.headers, refused, sent).await
            }
            _ => false,
        }
    }
}

/// A call that can be made.
pub(super) struct Authorised {
    pub(super) call: Call,
    /// What it is authorised with, for people: never the credential itself.
    pub(super) credential: String,
    /// What the person is to know of what it costs.
    pub(super) cost_note: Option<&'static str>,
}

/// Where a credential came from, for people.
fn credential_name(accounts: &Accounts, provider: &Provider) -> String {
    match accounts.status(provider).source {
        Source::Missing | Source::NotNeeded => "no key".to_owned(),
        Source::Stored => match accounts.sign_in_name(provider) {
            Some(name) => name,
            None => format!("the key of {AUTH_FILE}"),
        },
        Source::Environment(name) => format!("the key of the variable {name}"),
        Source::ModelsJson => format!("the apiKey of {MODELS_FILE}"),
        Source::ModelsJsonCommand => format!("what the apiKey command of {MODELS_FILE} printed"),
    }
}
