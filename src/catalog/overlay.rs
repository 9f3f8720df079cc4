//! The user's `models.json`, laid over the table: providers of their own, and changes to built-in ones.
//!
//! A mistake takes away the smallest part that it spoils (a model, else a provider) and is reported with its
//! line and column. What a value says is never echoed where it may be a key.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::pattern::{KIN, alike};
use super::{Cost, CostTier, Model, Provider, Thinking, ThinkingLevel, table};
use crate::settings::Diagnostic;
use crate::settings::jsonc::{Document, Entry, JsoncError, Value};
use crate::settings::load::{MAX_DIAGNOSTICS, read_text, shown};
use crate::settings::nearest::nearest;
use crate::system::System;
use crate::system::files::Stamp;

/// The user's file, in the config folder.
pub const MODELS_FILE: &str = "models.json";

/// What a model has that does not say so.
const CONTEXT_WINDOW: u64 = 128_000;
const MAX_OUTPUT: u64 = 16_384;

/// Bytes of what a provider hands to each of its models.
const MAX_SHARED: usize = 64 << 10;
const MAX_URL: usize = 2048;
const MAX_HEADERS: usize = 64;

/// Switches whose own keys are merged, where all others are replaced.
const NESTED: [&str; 5] =
    ["openRouterRouting", "vercelGatewayRouting", "chatTemplateKwargs", "chatTemplateArgs", "samplingParams"];

/// Headers that belong to the transport.
const RESERVED_HEADERS: [&str; 6] =
    ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te"];

/// What one state of `models.json` says.
#[derive(Default)]
pub(super) struct Overlay {
    stamp: Option<Stamp>,
    /// Ids of providers that are not built in, in the order of the file.
    custom: Vec<String>,
    patches: BTreeMap<String, Patch>,
    diagnostics: Vec<Diagnostic>,
}

/// What the file says of one provider.
#[derive(Default)]
struct Patch {
    settings: ProviderSettings,
    /// Its first model, for a provider that is not built in.
    default_model: Option<Arc<str>>,
    /// Whether every model is on this machine.
    is_local: bool,
    /// Models that the file defines or changes, ready to be called.
    models: BTreeMap<String, Arc<Model>>,
}

/// The fields of a provider that are read as one.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ProviderSettings {
    name: Option<String>,
    base_url: Option<String>,
    api_key: Option<String>,
    api: Option<String>,
    headers: BTreeMap<String, String>,
    auth_header: bool,
    compat: Map<String, Json>,
}

/// A model of the file, or a change to one: then everything is optional.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ModelSettings {
    id: Option<String>,
    name: Option<String>,
    api: Option<String>,
    base_url: Option<String>,
    reasoning: Option<bool>,
    thinking_level_map: BTreeMap<String, Option<String>>,
    input: Option<Vec<String>>,
    cost: Option<CostSettings>,
    context_window: Option<u64>,
    max_tokens: Option<u64>,
    headers: BTreeMap<String, String>,
    compat: Map<String, Json>,
    // Kept among the switches, where the wires look for them.
    prompt_cache: Option<Map<String, Json>>,
    input_limits: Option<Map<String, Json>>,
    sampling_params: Option<Map<String, Json>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CostSettings {
    input: Option<f64>,
    output: Option<f64>,
    cache_read: Option<f64>,
    cache_write: Option<f64>,
    tiers: Option<Vec<TierSettings>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TierSettings {
    input_tokens_above: u64,
    input: f64,
    output: f64,
    cache_read: f64,
    cache_write: f64,
}

impl Overlay {
    /// The state that the file is in now; `None` where there is none.
    pub(super) fn stamp(system: &System) -> Option<Stamp> {
        system.files.stamp(&path(system)?).ok()
    }

    /// The state that was read.
    pub(super) fn stamp_read(&self) -> Option<Stamp> {
        self.stamp
    }

    /// Reads the file. `stamp` was taken before, so that a change in between is seen at the next look.
    pub(super) fn read(system: &System, stamp: Option<Stamp>) -> Self {
        let empty = Self { stamp, ..Self::default() };
        let Some(path) = path(system) else { return empty };
        let mut reader = Reader { path: &path, overlay: empty };
        match read_text(system, &path) {
            Ok(Some(text)) => reader.file(&text),
            Ok(None) => {}
            Err(diagnostic) => reader.overlay.diagnostics.push(diagnostic),
        }
        reader.overlay
    }

    pub(super) fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Ids of providers that are not built in.
    pub(super) fn custom_providers(&self) -> impl Iterator<Item = &str> {
        self.custom.iter().map(String::as_str)
    }

    /// Whether the file has its own word on a provider of this id, or on a server at this address.
    pub(super) fn speaks_of(&self, id: &str, url: &str) -> bool {
        let Some(place) = place(url) else { return true };
        let is_there = |base: &str| self::place(base).is_some_and(|base| base == place);
        self.patches.get(id).is_some_and(|patch| !patch.models.is_empty())
            || self.patches.values().any(|patch| {
                patch.settings.base_url.as_deref().is_some_and(is_there)
                    || patch.models.values().any(|model| is_there(&model.base_url))
            })
    }

    /// The models of a provider that the file defines or changes.
    pub(super) fn models(&self, provider: &str) -> &BTreeMap<String, Arc<Model>> {
        static NONE: BTreeMap<String, Arc<Model>> = BTreeMap::new();
        self.patches.get(provider).map_or(&NONE, |patch| &patch.models)
    }

    /// The provider with the file's changes.
    pub(super) fn provider(&self, id: &str, built_in: Option<Provider>) -> Provider {
        let patch = self.patches.get(id);
        let mut provider = built_in.unwrap_or_else(|| Provider {
            id: id.into(),
            name: id.into(),
            key_variables: Vec::new(),
            bearer_variables: Vec::new(),
            sign_in: None,
            default_model: patch.and_then(|patch| patch.default_model.clone()),
            api_key: None,
            needs_key: !patch.is_some_and(|patch| patch.is_local),
            url_variables: Vec::new(),
        });
        if let Some(Patch { settings, models, .. }) = patch {
            if settings.base_url.is_some() {
                provider.url_variables.clear();
            }
            let urls = models.values().map(|model| &*model.base_url);
            for url in settings.base_url.as_deref().into_iter().chain(urls) {
                table::add_names(&mut provider.url_variables, url);
            }
            if let Some(name) = &settings.name {
                provider.name = name.as_str().into();
            }
            provider.api_key = settings.api_key.as_deref().filter(|key| !key.is_empty()).map(Arc::from);
        }
        provider
    }

    /// A built-in model with what the file says of its provider.
    pub(super) fn applied(&self, mut model: Model) -> Model {
        if let Some(patch) = self.patches.get(&*model.provider) {
            patch.settings.apply(&mut model);
        }
        model
    }
}

fn path(system: &System) -> Option<PathBuf> {
    system.dirs.config.as_ref().map(|dir| dir.join(MODELS_FILE))
}

impl ProviderSettings {
    /// On a built-in model the user's switches stand above the built-in ones.
    fn apply(&self, model: &mut Model) {
        if let Some(base_url) = &self.base_url {
            model.base_url = base_url.as_str().into();
        }
        lay_headers(&mut model.headers, &self.headers);
        model.auth_header |= self.auth_header;
        if !self.compat.is_empty() {
            merge(Arc::make_mut(&mut model.compat), &self.compat);
        }
    }
}

/// Reads one file.
struct Reader<'r> {
    path: &'r Path,
    overlay: Overlay,
}

impl Reader<'_> {
    fn file(&mut self, text: &str) {
        let document = match Document::new(text) {
            Ok(document) => document,
            Err(error) => return self.tell(error),
        };
        let root = document.root().and_then(|root| root.entries());
        let mut seen = HashSet::new();
        for Entry { key, value } in self.good("", root).unwrap_or_default() {
            if key == "providers" {
                for entry in self.good("providers", value.entries()).unwrap_or_default() {
                    if self.overlay.diagnostics.len() >= MAX_DIAGNOSTICS {
                        return;
                    }
                    if !seen.insert(entry.key.clone()) {
                        self.tell(
                            entry.value.error(format!("provider {} is there twice", shown(&entry.key))),
                        );
                        continue;
                    }
                    self.provider(&entry.key, entry.value);
                }
            }
        }
    }

    fn provider(&mut self, id: &str, value: Value<'_>) {
        let path = format!("providers.{id}");
        let read = value.parse::<ProviderSettings>().and_then(|settings| {
            let fields = value.entries()?;
            match settings.fault(id, &fields) {
                Some(fault) => Err(value.error(fault)),
                None => Ok((settings, fields)),
            }
        });
        let Some((mut settings, fields)) = self.good(&path, read) else { return };
        if let Some(url) = &mut settings.base_url {
            trim_url(url);
        }
        let built_in = table::provider(id);
        let mut patch = Patch { settings, ..Patch::default() };
        let field = |name: &str| fields.iter().rev().find(|entry| entry.key == name).map(|entry| entry.value);

        let definitions = field("models").map(|models| models.elements());
        let definitions = definitions.and_then(|models| self.good(&format!("{path}.models"), models));
        for (index, value) in definitions.unwrap_or_default().into_iter().enumerate() {
            if self.overlay.diagnostics.len() >= MAX_DIAGNOSTICS {
                break;
            }
            let model = value
                .parse()
                .and_then(|model| defined(id, &patch.settings, model).map_err(|m| value.error(m)));
            let Some(model) = self.good(&format!("{path}.models[{index}]"), model) else { continue };
            patch.default_model.get_or_insert_with(|| Arc::clone(&model.id));
            let model_id = model.id.to_string();
            if patch.models.insert(model_id.clone(), Arc::new(model)).is_some() {
                self.tell(
                    value.error(format!("model {} is there twice, the last one holds", shown(&model_id))),
                );
            }
        }
        if built_in.is_none() && patch.models.is_empty() {
            let near = nearest(id, table::providers().iter().map(table::ProviderRow::id), 1);
            let near = near.first().map_or(String::new(), |near| format!(", did you mean {near}?"));
            return self.tell(value.error(format!("provider {} has no models{near}", shown(id))));
        }

        let overrides = field("modelOverrides").map(|overrides| overrides.entries());
        let overrides = overrides.and_then(|entries| self.good(&format!("{path}.modelOverrides"), entries));
        for Entry { key, value } in overrides.unwrap_or_default() {
            if self.overlay.diagnostics.len() >= MAX_DIAGNOSTICS {
                break;
            }
            let base = patch.models.get(&key).map(|model| (**model).clone()).or_else(|| {
                let mut model = built_in?.model(&key)?.build();
                patch.settings.apply(&mut model);
                Some(model)
            });
            let changed = value.parse().and_then(|change: ModelSettings| match base {
                Some(mut model) => {
                    change.apply(&mut model).map(|()| model).map_err(|message| value.error(message))
                }
                None => Err(value.error("no such model to override")),
            });
            if let Some(model) = self.good(&format!("{path}.modelOverrides.{key}"), changed) {
                patch.models.insert(key, Arc::new(model));
            }
        }

        if built_in.is_none() {
            patch.is_local = patch.models.values().all(|model| is_loopback(&model.base_url));
            self.overlay.custom.push(id.to_owned());
        }
        self.overlay.patches.insert(id.to_owned(), patch);
    }

    fn good<T>(&mut self, path: &str, result: Result<T, JsoncError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(mut error) => {
                let dot = if error.path.is_empty() || error.path.starts_with('[') || path.is_empty() {
                    ""
                } else {
                    "."
                };
                error.path = format!("{path}{dot}{}", error.path);
                self.tell(error);
                None
            }
        }
    }

    fn tell(&mut self, error: JsoncError) {
        if self.overlay.diagnostics.len() < MAX_DIAGNOSTICS {
            self.overlay.diagnostics.push(Diagnostic::at(self.path, error));
        }
    }
}

impl ProviderSettings {
    /// What is wrong with the provider as a whole.
    fn fault(&self, id: &str, fields: &[Entry<'_>]) -> Option<String> {
        if let Some(fault) = id_fault(id) {
            return Some(fault);
        }
        if id.contains('/') {
            return Some("the id of a provider has no slash".into());
        }
        let useful =
            ["baseUrl", "apiKey", "headers", "authHeader", "compat", "models", "modelOverrides", "name"];
        if !fields.iter().any(|field| useful.contains(&field.key.as_str())) {
            return Some(format!("nothing is set; one of {} is needed", useful.join(", ")));
        }
        // They are laid under each of the provider's models.
        let shared = ["compat", "headers", "api"];
        let large = |field: &&Entry<'_>| {
            field.value.text().len() > MAX_SHARED && shared.contains(&field.key.as_str())
        };
        if let Some(field) = fields.iter().find(large) {
            return Some(format!("{} is larger than {} KiB", field.key, MAX_SHARED >> 10));
        }
        self.base_url.as_deref().and_then(url_fault).or_else(|| headers_fault(&self.headers))
    }
}

/// A model that the file defines whole.
fn defined(provider: &str, of: &ProviderSettings, settings: ModelSettings) -> Result<Model, String> {
    let id = settings.id.clone().ok_or("missing field `id`")?;
    if let Some(fault) = id_fault(&id) {
        return Err(fault);
    }
    let built_in = table::provider(provider);
    let same = built_in.and_then(|row| row.model(&id));
    let wire = settings.api.as_deref().or(of.api.as_deref());
    let kin = || {
        let models = built_in?.models().iter().filter(|model| alike(&id, model.id()) >= KIN);
        models.max_by_key(|model| alike(&id, model.id())).map(table::ModelRow::wire)
    };
    let wire = wire.or(same.map(table::ModelRow::wire)).or_else(kin);
    let wire = wire.or(built_in.map(table::ProviderRow::wire));
    let wire =
        wire.ok_or("no api is set, neither here nor at the provider (such as \"openai-completions\")")?;
    let route = built_in.and_then(|row| row.route(wire));
    let inherited = || {
        let alike = same.filter(|same| same.wire() == wire).map(table::ModelRow::base_url);
        let route = route.or_else(|| built_in?.routes().first());
        alike.or_else(|| route.map(table::RouteRow::base_url))
    };
    // What is known of the provider's servers holds for those of another address only as far as the user says.
    let known = settings.base_url.is_none();
    let base_url = settings.base_url.as_deref().or(of.base_url.as_deref()).or_else(inherited);
    let base_url = base_url.ok_or("no baseUrl is set, neither here nor at the provider")?;
    if let Some(CostSettings { input, output, cache_read, cache_write, .. }) = &settings.cost
        && [input, output, cache_read, cache_write].into_iter().any(Option::is_none)
    {
        return Err("cost needs all of input, output, cacheRead, cacheWrite".into());
    }
    let mut model = Model {
        provider: provider.into(),
        name: id.as_str().into(),
        id: id.into(),
        wire: wire.into(),
        base_url: base_url.into(),
        reasoning: false,
        thinking: Thinking::default(),
        takes_images: false,
        cost: Cost::default(),
        context_window: CONTEXT_WINDOW,
        max_output: MAX_OUTPUT,
        headers: built_in.filter(|_| known).map(table::ProviderRow::headers).unwrap_or_default(),
        session_headers: built_in
            .filter(|_| known)
            .map(table::ProviderRow::session_headers)
            .unwrap_or_default(),
        without_headers: Vec::new(),
        auth_header: of.auth_header,
        compat: Arc::new(route.filter(|_| known).map(table::RouteRow::compat).unwrap_or_default()),
    };
    merge(Arc::make_mut(&mut model.compat), &of.compat);
    lay_headers(&mut model.headers, &of.headers);
    settings.apply(&mut model)?;
    Ok(model)
}

impl ModelSettings {
    /// Lays what is set over `model`; scalars replace, maps are merged.
    fn apply(self, model: &mut Model) -> Result<(), String> {
        if let Some(name) = self.name.filter(|name| !name.is_empty()) {
            model.name = name.into();
        }
        if let Some(mut base_url) = self.base_url {
            if let Some(fault) = url_fault(&base_url) {
                return Err(fault);
            }
            trim_url(&mut base_url);
            model.base_url = base_url.into();
        }
        if let Some(reasoning) = self.reasoning {
            model.reasoning = reasoning;
        }
        for (name, value) in self.thinking_level_map {
            let level: ThinkingLevel =
                name.parse().map_err(|error| format!("thinkingLevelMap.{name}: {error}"))?;
            model.thinking.0.retain(|(known, _)| *known != level);
            model.thinking.0.push((level, value.map(Arc::from)));
        }
        model.thinking.0.sort_unstable_by_key(|(level, _)| *level);
        if let Some(input) = &self.input {
            if let Some(kind) = input.iter().find(|kind| !matches!(kind.as_str(), "text" | "image")) {
                return Err(format!("input: {} is neither text nor image", shown(kind)));
            }
            model.takes_images = input.iter().any(|kind| kind == "image");
        }
        if let Some(cost) = self.cost {
            cost.apply(&mut model.cost)?;
        }
        for (name, value, field) in [
            ("contextWindow", self.context_window, &mut model.context_window),
            ("maxTokens", self.max_tokens, &mut model.max_output),
        ] {
            match value {
                Some(0) => return Err(format!("{name} must be above zero")),
                Some(value) => *field = value,
                None => {}
            }
        }
        if let Some(fault) = headers_fault(&self.headers) {
            return Err(fault);
        }
        lay_headers(&mut model.headers, &self.headers);
        let kept = [
            ("promptCache", self.prompt_cache),
            ("inputLimits", self.input_limits),
            ("samplingParams", self.sampling_params),
        ];
        let mut compat = self.compat;
        compat.extend(
            kept.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Json::Object(value?)))),
        );
        if !compat.is_empty() {
            merge(Arc::make_mut(&mut model.compat), &compat);
        }
        Ok(())
    }
}

impl CostSettings {
    fn apply(self, cost: &mut Cost) -> Result<(), String> {
        for (price, field) in [
            (self.input, &mut cost.input),
            (self.output, &mut cost.output),
            (self.cache_read, &mut cost.cache_read),
            (self.cache_write, &mut cost.cache_write),
        ] {
            if let Some(price) = price {
                *field = price;
            }
        }
        if let Some(tiers) = self.tiers {
            cost.tiers = tiers
                .iter()
                .map(|tier| CostTier {
                    input_above: tier.input_tokens_above,
                    input: tier.input,
                    output: tier.output,
                    cache_read: tier.cache_read,
                    cache_write: tier.cache_write,
                })
                .collect();
            cost.tiers.sort_unstable_by_key(|tier| tier.input_above);
        }
        let tiers =
            cost.tiers.iter().flat_map(|tier| [tier.input, tier.output, tier.cache_read, tier.cache_write]);
        let mut prices =
            [cost.input, cost.output, cost.cache_read, cost.cache_write].into_iter().chain(tiers);
        if prices.any(|price| !price.is_finite() || price < 0.0) {
            return Err("cost: a price is below zero".into());
        }
        Ok(())
    }
}

fn id_fault(id: &str) -> Option<String> {
    match id {
        "" => Some("the id is empty".into()),
        _ if id.len() > 256 => Some("the id is longer than 256 bytes".into()),
        _ if id.chars().any(|c| c.is_control() || c.is_whitespace()) => {
            Some("the id has white space in it".into())
        }
        _ => None,
    }
}

fn url_fault(text: &str) -> Option<String> {
    if text.len() > MAX_URL {
        return Some(format!("baseUrl is longer than {MAX_URL} bytes"));
    }
    // Some providers' URLs have places that are filled in later, such as `{location}`.
    let url = url::Url::parse(&text.replace(['{', '}'], "x"));
    match url {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            Some("baseUrl must begin with http:// or https://".into())
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Some("baseUrl has a name or password in it; apiKey or headers are the place for it".into())
        }
        Ok(_) => None,
        Err(error) => Some(format!("baseUrl is no URL: {error}")),
    }
}

/// Wires append their paths with a slash of their own.
fn trim_url(url: &mut String) {
    let len = url.trim_end().trim_end_matches('/').len();
    url.truncate(len);
}

/// Scheme, host and port of an address; every name of this machine is one.
fn place(url: &str) -> Option<(bool, String, u16)> {
    let url = url::Url::parse(url).ok()?;
    let host =
        if is_loopback(url.as_str()) { "localhost".to_owned() } else { url.host_str()?.to_lowercase() };
    Some((url.scheme() == "https", host, url.port_or_known_default()?))
}

fn is_loopback(url: &str) -> bool {
    let url = url::Url::parse(url);
    match url.as_ref().ok().and_then(url::Url::host) {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn headers_fault(headers: &BTreeMap<String, String>) -> Option<String> {
    if headers.len() > MAX_HEADERS {
        return Some(format!("headers: there are more than {MAX_HEADERS}"));
    }
    headers.iter().find_map(|(name, value)| {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            Some(format!("headers: {} is no name of a header", shown(name)))
        } else if RESERVED_HEADERS.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
            Some(format!("headers: {name} cannot be set"))
        } else if value.contains(['\r', '\n', '\0']) && !value.starts_with('!') {
            Some(format!("headers: the value of {name} has a line break"))
        } else {
            None
        }
    })
}

/// Lays `over` on `headers`; names are compared without regard to case.
fn lay_headers(headers: &mut Vec<(Arc<str>, Arc<str>)>, over: &BTreeMap<String, String>) {
    for (name, value) in over {
        headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        headers.push((name.as_str().into(), value.as_str().into()));
    }
}

/// Lays `over` on `switches`, key by key, and one level deeper for some.
fn merge(switches: &mut Map<String, Json>, over: &Map<String, Json>) {
    for (name, value) in over {
        match (switches.get_mut(name), value) {
            (Some(Json::Object(known)), Json::Object(more)) if NESTED.contains(&name.as_str()) => {
                known.extend(more.clone());
            }
            _ => {
                switches.insert(name.clone(), value.clone());
            }
        }
    }
}
