//! Providers and models as data: a static table compiled from `providers/*.toml`, and the user's `models.json`
//! laid over it. No network, no credentials, nothing parsed at start. Next: `accounts`, which finds the keys.

mod cost;
mod facts;
mod fresh;
pub mod glob;
mod live;
mod local;
mod overlay;
mod pattern;
pub mod placeholder;
mod refresh;
mod table;
mod thinking;

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

pub use facts::{FACTS_FILE, FACTS_URL, FactsOrigin};
pub use live::{LiveList, LiveModels};
pub use local::{LocalKind, LocalModel, LocalServer, LocalServers, is_showable};
pub use overlay::MODELS_FILE;
pub use pattern::{ResolveError, Resolved, Selected};
pub use refresh::{Changes, FactsError};
pub use thinking::UnknownLevel;

use crate::settings::Diagnostic;
use crate::system::System;
use fresh::{Fresh, Freshened};
use live::{Lists, Live};
use local::Found;
use overlay::Overlay;
use table::{ModelRow, ProviderRow};

/// How much a model is asked to think. Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ThinkingLevel {
    /// No thinking.
    Off,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

/// How a provider is called and what it is called with. `Debug` shows no key.
#[derive(Clone)]
pub struct Provider {
    /// As in `auth.json` and model patterns.
    pub id: Arc<str>,
    /// For people.
    pub name: Arc<str>,
    /// Environment variables that may hold the key, the first that is set wins.
    pub key_variables: Vec<Arc<str>>,
    /// Those of them whose value is sent as `Authorization: Bearer`, whatever the wire does with keys.
    pub bearer_variables: Vec<Arc<str>>,
    /// What one can sign in with beside a key, as words of a sentence.
    pub sign_in: Option<&'static str>,
    /// The model used where none is named.
    pub default_model: Option<Arc<str>>,
    /// `apiKey` of `models.json`, unresolved.
    pub api_key: Option<Arc<str>>,
    /// Whether a call needs a key at all: false for `demo` and local servers.
    pub needs_key: bool,
    /// Variables that its base URLs have places for; see [`placeholder`].
    pub url_variables: Vec<Arc<str>>,
    /// Whether its calls can be signed with AWS's keys.
    pub takes_aws_keys: bool,
}

/// Wire APIs whose calls AWS's keys sign.
const AWS_WIRES: &[&str] = &["bedrock-converse-stream"];

/// One model as it is called: the provider's data with every override applied. `Debug` shows no header's value.
#[derive(Clone)]
pub struct Model {
    /// The provider's id.
    pub provider: Arc<str>,
    /// As sent to the provider.
    pub id: Arc<str>,
    /// For people.
    pub name: Arc<str>,
    /// Id of the wire API, such as `openai-completions`.
    pub wire: Arc<str>,
    /// Where the wire's paths are appended.
    pub base_url: Arc<str>,
    /// Whether the model can think.
    pub reasoning: bool,
    /// Wire value per level; see [`Thinking`].
    pub thinking: Thinking,
    /// Whether images may be sent.
    pub takes_images: bool,
    /// Prices in US dollars per million tokens.
    pub cost: Cost,
    /// Tokens that a request and its answer may have together.
    pub context_window: u64,
    /// Tokens that an answer may have.
    pub max_output: u64,
    /// Headers of the data files and of `models.json`, values unresolved.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// Headers that hold the session's id.
    pub session_headers: Vec<Arc<str>>,
    /// Headers that are not sent, whoever sets them: `null` in `models.json`.
    pub without_headers: Vec<Arc<str>>,
    /// Send `Authorization: Bearer` even where the wire would use another header.
    pub auth_header: bool,
    /// The wire's own switches as a JSON object; each wire reads those that it knows.
    pub compat: Arc<serde_json::Map<String, serde_json::Value>>,
}

/// Prices in US dollars per million tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    pub input: f64,
    pub output: f64,
    pub cache_read: f64,
    pub cache_write: f64,
    /// Prices of long requests, sorted by their threshold.
    pub tiers: Vec<CostTier>,
}

/// The whole request is charged at the tier with the largest threshold below its input.
#[derive(Clone, Debug, PartialEq)]
pub struct CostTier {
    /// Tokens: input, cache reads and cache writes together.
    pub input_above: u64,
    pub input: f64,
    pub output: f64,
    pub cache_read: f64,
    pub cache_write: f64,
}

impl Provider {
    /// The variable to tell people of who have no key yet.
    pub fn usual_variable(&self) -> Option<&Arc<str>> {
        let usual = self.key_variables.iter().find(|name| name.ends_with("_API_KEY"));
        usual.or(self.key_variables.first())
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider")
            .field("id", &self.id)
            .field("key_variables", &self.key_variables)
            .field("default_model", &self.default_model)
            .field("api_key", &self.api_key.as_ref().map(|_| "***"))
            .field("needs_key", &self.needs_key)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Model")
            .field("provider", &self.provider)
            .field("id", &self.id)
            .field("wire", &self.wire)
            .field("base_url", &self.base_url)
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}

/// What each thinking level becomes on the wire.
#[derive(Clone, Debug, Default)]
pub struct Thinking(pub Vec<(ThinkingLevel, Option<Arc<str>>)>);

/// The owner of what is known about models. It reads `models.json` again whenever the file has changed; every
/// method works on the newest [`Snapshot`].
pub struct Catalog {
    system: System,
    speaks: Speaks,
    local: Arc<LocalServers>,
    /// A leaf cache, never held over an await.
    newest: Mutex<Option<Arc<Snapshot>>>,
}

/// Whether a wire API is one that can be spoken; the catalog has models of others too.
pub type Speaks = fn(&str) -> bool;

/// The catalog as it stood at one moment.
pub struct Snapshot {
    overlay: Arc<Overlay>,
    /// Facts that were refreshed.
    fresh: Arc<Freshened>,
    /// What was found on this machine.
    found: Arc<Found>,
    /// The lists that servers of `models.json` gave.
    lists: Arc<Lists>,
    live: Live,
    /// What was found, less what `models.json` says itself.
    local: Arc<Found>,
    speaks: Speaks,
}

/// One model in a listing. Cheap: nothing is built until it is asked for.
#[derive(Clone, Copy)]
pub struct Listed<'s> {
    kind: Kind<'s>,
}

#[derive(Clone, Copy)]
enum Kind<'s> {
    /// Built in; the overlay may still move it to another URL.
    Row(&'static ModelRow, &'s Overlay),
    /// New or changed since; the same holds.
    Fresh(&'s Fresh, &'s Overlay),
    /// From `models.json`, or changed by it.
    Built(&'s Arc<Model>),
}

/// Whether the table of this version has a model of this id, whatever files add or hide.
pub(crate) fn is_built_in(provider: &str, id: &str) -> bool {
    table::provider(provider).is_some_and(|provider| provider.model(id).is_some())
}

impl Catalog {
    /// Reads nothing yet.
    pub fn new(system: System, speaks: Speaks, local: Arc<LocalServers>) -> Self {
        Self { system, speaks, local, newest: Mutex::new(None) }
    }

    /// The servers on this machine that the catalog knows.
    pub fn local(&self) -> &Arc<LocalServers> {
        &self.local
    }

    /// The catalog as it stands now. One look at the state of `models.json` and of the refreshed facts each; they are
    /// read only when they changed.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = Overlay::stamp(&self.system);
        let fresh_stamp = Freshened::stamp(&self.system);
        let (found, lists) = (self.local.found(), self.local.lists());
        let fresh = match newest.as_ref() {
            Some(snapshot) if snapshot.fresh.stamp_read() == fresh_stamp => Arc::clone(&snapshot.fresh),
            _ => Arc::new(Freshened::read(&self.system, fresh_stamp)),
        };
        let overlay = match newest.as_ref() {
            Some(snapshot)
                if snapshot.overlay.stamp_read() == stamp && Arc::ptr_eq(&snapshot.fresh, &fresh) =>
            {
                if Arc::ptr_eq(&snapshot.found, &found) && Arc::ptr_eq(&snapshot.lists, &lists) {
                    return Arc::clone(snapshot);
                }
                Arc::clone(&snapshot.overlay)
            }
            _ => Arc::new(Overlay::read(&self.system, stamp, &fresh)),
        };
        let local = Arc::clone(&found).without(|server| overlay.speaks_of(server.kind.id(), &server.url));
        let live = Live::new(&overlay, &lists);
        let snapshot = Snapshot { overlay, fresh, found, lists, live, local, speaks: self.speaks };
        Arc::clone(newest.insert(Arc::new(snapshot)))
    }

    /// See [`Snapshot::providers`].
    pub fn providers(&self) -> Vec<Arc<Provider>> {
        self.snapshot().providers()
    }

    /// See [`Snapshot::provider`].
    pub fn provider(&self, id: &str) -> Option<Arc<Provider>> {
        self.snapshot().provider(id)
    }

    /// See [`Snapshot::find`].
    pub fn find(&self, provider: &str, id: &str) -> Option<Arc<Model>> {
        self.snapshot().find(provider, id)
    }

    /// Whether the data files say that models of `provider` are reached at `url`: nobody has moved them.
    pub fn is_usual_url(provider: &str, url: &str) -> bool {
        let rows = table::provider(provider).map(ProviderRow::models).unwrap_or_default();
        rows.iter().any(|row| row.base_url() == url)
    }

    /// See [`Snapshot::resolve`].
    pub fn resolve(
        &self,
        pattern: &str,
        provider: Option<&str>,
        available: impl Fn(&Provider) -> bool,
    ) -> Result<Resolved, ResolveError> {
        self.snapshot().resolve(pattern, provider, available)
    }

    /// See [`Snapshot::default_model`].
    pub fn default_model(&self, available: impl Fn(&Provider) -> bool) -> Arc<Model> {
        self.snapshot().default_model(available)
    }

    /// What is wrong with `models.json`.
    pub fn diagnostics(&self) -> Vec<Diagnostic> {
        self.snapshot().diagnostics().cloned().collect()
    }
}

impl Snapshot {
    /// All providers in the order in which they are preferred: built-in ones by rank, those that only
    /// `models.json` knows, those found on this machine, and at last `demo`.
    pub fn providers(&self) -> Vec<Arc<Provider>> {
        self.ids().map(|id| self.build_provider(id)).collect()
    }

    /// The provider of this id, exactly written.
    pub fn provider(&self, id: &str) -> Option<Arc<Provider>> {
        self.ids().find(|known| *known == id).map(|id| self.build_provider(id))
    }

    /// All models but the retired ones, grouped by provider in the order of [`Snapshot::providers`].
    pub fn models(&self) -> impl Iterator<Item = Listed<'_>> {
        self.all_models().filter(|model| !model.is_retired())
    }

    /// The same with the retired ones.
    pub fn all_models(&self) -> impl Iterator<Item = Listed<'_>> {
        self.ids().flat_map(|id| self.models_of(id))
    }

    /// The models of one provider, retired ones too: first those of `models.json`, then the built-in ones.
    pub fn models_of(&self, provider: &str) -> impl Iterator<Item = Listed<'_>> + use<'_> {
        let own = self.overlay.models(provider);
        let rows = table::provider(provider).map(ProviderRow::models).unwrap_or_default();
        let mut rows = rows.iter().peekable();
        let mut fresh = self.fresh.models(provider).iter().peekable();
        // Both are sorted by id; what is fresh stands in the place of its row.
        let built_in = std::iter::from_fn(move || {
            let order = match (rows.peek(), fresh.peek()) {
                (Some(row), Some(fresh)) => fresh.id().cmp(row.id()),
                (None, _) => Ordering::Less,
                (_, None) => Ordering::Greater,
            };
            let row = rows.next_if(|_| order.is_ge());
            match fresh.next_if(|_| order.is_le()) {
                Some(fresh) => Some(Listed { kind: Kind::Fresh(fresh, &self.overlay) }),
                None => row.map(|row| Listed { kind: Kind::Row(row, &self.overlay) }),
            }
        });
        let found = self.local.models(provider);
        let live = self.live.models(provider);
        own.values()
            .chain(live.values())
            .chain(found.values())
            .map(|model| Listed { kind: Kind::Built(model) })
            .chain(built_in.filter(move |model| !own.contains_key(model.id())))
    }

    /// The model of this provider and id, both exactly written; retired ones too.
    pub fn find(&self, provider: &str, id: &str) -> Option<Arc<Model>> {
        self.look_up(provider, id).map(|model| model.build())
    }

    /// A model that was found, as one of a listing.
    pub fn listed<'m>(&'m self, model: &'m Arc<Model>) -> Listed<'m> {
        let known = self.look_up(&model.provider, &model.id);
        known.unwrap_or(Listed { kind: Kind::Built(model) })
    }

    /// Whether the model's wire API is spoken.
    pub fn speaks(&self, model: &Listed<'_>) -> bool {
        (self.speaks)(model.wire())
    }

    /// The default model of the first provider that `available` accepts; where none of them has one that can be
    /// called, any model of theirs; `demo` at last.
    pub fn default_model(&self, available: impl Fn(&Provider) -> bool) -> Arc<Model> {
        let usable: Vec<_> = self.providers().into_iter().filter(|it| available(it)).collect();
        let callable = |model: &Arc<Model>| (self.speaks)(&model.wire);
        let real = || usable.iter().filter(|provider| &*provider.id != DEMO);
        let default = real().find_map(|provider| self.default_of(provider).filter(callable));
        let any = || {
            let offered = |model: &Listed<'_>| !model.is_retired() && self.speaks(model);
            real().find_map(|provider| self.models_of(&provider.id).find(offered)).map(|model| model.build())
        };
        let model = default.or_else(any).or_else(|| self.find(DEMO, DEMO));
        model.unwrap_or_else(|| Arc::new(stand_in()))
    }

    /// The providers of `models.json` whose servers are asked for their models: each as a model without an id, at its
    /// address, with its API and headers.
    pub fn live(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.overlay.live()
    }

    /// Whether the server of such a provider has given its list.
    pub fn is_listed(&self, provider: &str) -> bool {
        self.live.first(provider).is_some()
    }

    /// Why the server of such a provider gave no list, where it was asked.
    pub fn unlisted(&self, provider: &str) -> Option<&str> {
        self.live.failed(provider)
    }

    /// What is wrong with `models.json`, in its order, and with the refreshed facts.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.overlay.diagnostics().iter().chain(self.fresh.diagnostic())
    }

    fn look_up(&self, provider: &str, id: &str) -> Option<Listed<'_>> {
        if let Some(model) = self.overlay.models(provider).get(id) {
            return Some(Listed { kind: Kind::Built(model) });
        }
        let live = self.live.models(provider).get(id);
        if let Some(model) = live.or_else(|| self.local.models(provider).get(id)) {
            return Some(Listed { kind: Kind::Built(model) });
        }
        if let Some(fresh) = self.fresh.model(provider, id) {
            return Some(Listed { kind: Kind::Fresh(fresh, &self.overlay) });
        }
        let row = table::provider(provider)?.model(id)?;
        Some(Listed { kind: Kind::Row(row, &self.overlay) })
    }

    /// The model that a provider is used with where none is named.
    fn default_of(&self, provider: &Provider) -> Option<Arc<Model>> {
        let named = provider.default_model.as_ref().and_then(|id| self.find(&provider.id, id));
        named.or_else(|| self.models_of(&provider.id).next().map(|model| model.build()))
    }

    /// Ids of all providers, in order.
    fn ids(&self) -> impl Iterator<Item = &str> + '_ {
        let rows = table::providers();
        let (first, last) = rows.split_at(rows.partition_point(|row| row.rank < DEMO_RANK));
        let ids = |rows: &'static [ProviderRow]| rows.iter().map(|row| -> &str { row.id() });
        ids(first).chain(self.overlay.custom_providers()).chain(self.local.ids()).chain(ids(last))
    }

    fn build_provider(&self, id: &str) -> Arc<Provider> {
        let known = || table::provider(id).map(ProviderRow::build);
        let mut provider = self.overlay.provider(id, self.local.provider(id).or_else(known));
        if let Some(first) = self.live.first(id) {
            provider.default_model = Some(Arc::clone(first));
        }
        Arc::new(provider)
    }
}

/// The provider that needs no key and no network, and its one model.
const DEMO: &str = "demo";

/// What the id of a demo model that plays a script begins with; its path follows.
pub const DEMO_SCRIPT: &str = "script:";

/// Providers of `models.json` stand before those of this rank and above.
const DEMO_RANK: u16 = 1000;

/// What `demo` is where the table had no such thing; a test sees to it that it has.
fn stand_in() -> Model {
    Model {
        provider: DEMO.into(),
        id: DEMO.into(),
        name: "Demo".into(),
        wire: DEMO.into(),
        base_url: "".into(),
        reasoning: false,
        thinking: Thinking::default(),
        takes_images: false,
        cost: Cost::default(),
        context_window: 128_000,
        max_output: 16_384,
        headers: Vec::new(),
        session_headers: Vec::new(),
        without_headers: Vec::new(),
        auth_header: false,
        compat: Arc::default(),
    }
}

impl<'s> Listed<'s> {
    /// The provider's id.
    pub fn provider(&self) -> &'s str {
        match self.kind {
            Kind::Row(row, _) => row.provider().id(),
            Kind::Fresh(fresh, _) => fresh.provider(),
            Kind::Built(model) => &model.provider,
        }
    }

    /// As sent to the provider.
    pub fn id(&self) -> &'s str {
        match self.kind {
            Kind::Row(row, _) => row.id(),
            Kind::Fresh(fresh, _) => fresh.id(),
            Kind::Built(model) => &model.id,
        }
    }

    /// For people.
    pub fn name(&self) -> &'s str {
        match self.kind {
            Kind::Row(row, _) => row.name(),
            Kind::Fresh(fresh, _) => fresh.name(),
            Kind::Built(model) => &model.name,
        }
    }

    /// Id of the wire API.
    pub fn wire(&self) -> &'s str {
        match self.kind {
            Kind::Row(row, _) => row.wire(),
            Kind::Fresh(fresh, _) => fresh.wire(),
            Kind::Built(model) => &model.wire,
        }
    }

    /// Whether the provider has dropped it: callable by its full name perhaps, but not offered.
    pub fn is_retired(&self) -> bool {
        match self.kind {
            Kind::Row(row, _) => row.retired,
            Kind::Fresh(fresh, _) => fresh.facts().retired,
            Kind::Built(_) => false,
        }
    }

    /// Whether the model can think.
    pub fn reasoning(&self) -> bool {
        match self.kind {
            Kind::Row(row, _) => row.reasoning,
            Kind::Fresh(fresh, _) => fresh.facts().reasoning,
            Kind::Built(model) => model.reasoning,
        }
    }

    /// See [`Model::thinking_levels`].
    pub fn thinking_levels(&self) -> Vec<ThinkingLevel> {
        match self.kind {
            Kind::Row(row, _) => row.levels().iter().collect(),
            Kind::Fresh(fresh, _) => fresh.levels().iter().collect(),
            Kind::Built(model) => model.thinking_levels(),
        }
    }

    /// Whether images may be sent.
    pub fn takes_images(&self) -> bool {
        match self.kind {
            Kind::Row(row, _) => row.images,
            Kind::Fresh(fresh, _) => fresh.facts().images,
            Kind::Built(model) => model.takes_images,
        }
    }

    /// Prices in US dollars per million tokens.
    pub fn cost(&self) -> Cost {
        match self.kind {
            Kind::Row(row, _) => row.cost(),
            Kind::Fresh(fresh, _) => fresh.cost().clone(),
            Kind::Built(model) => model.cost.clone(),
        }
    }

    /// Tokens that a request and its answer may have together.
    pub fn context_window(&self) -> u64 {
        match self.kind {
            Kind::Row(row, _) => row.context.into(),
            Kind::Fresh(fresh, _) => fresh.facts().context.into(),
            Kind::Built(model) => model.context_window,
        }
    }

    /// Tokens that an answer may have.
    pub fn max_output(&self) -> u64 {
        match self.kind {
            Kind::Row(row, _) => row.output.into(),
            Kind::Fresh(fresh, _) => fresh.facts().output.into(),
            Kind::Built(model) => model.max_output,
        }
    }

    /// The model as it is called.
    pub fn build(&self) -> Arc<Model> {
        match self.kind {
            Kind::Row(row, overlay) => Arc::new(overlay.applied(row.build())),
            Kind::Fresh(fresh, overlay) => Arc::new(overlay.applied(fresh.build())),
            Kind::Built(model) => Arc::clone(model),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
