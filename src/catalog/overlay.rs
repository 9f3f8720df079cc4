//! The user's `models.json`, laid over the table: providers of their own, and changes to built-in ones.
//!
//! A mistake takes away the smallest part that it spoils (a model, else a provider) and is reported with its
//! line and column. What a value says is never echoed where it may be a key.

mod check;
mod compat;
mod fields;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::fresh::{Fresh, Freshened};
use super::{AWS_WIRES, Model, Provider, table};
use crate::settings::Diagnostic;
use crate::settings::jsonc::{Document, Entry, JsoncError, Value};
use crate::settings::load::{MAX_DIAGNOSTICS, read_text, shown};
use crate::settings::nearest::nearest;
use crate::system::System;
use crate::system::files::Stamp;
use check::Fault;
use fields::{
    FIXED_FIELDS, Headers, INNER_FIELDS, MODEL_FIELDS, ModelSettings, PROVIDER_FIELDS, ProviderSettings,
    defined, lay_headers,
};

/// The user's file, in the config folder.
pub const MODELS_FILE: &str = "models.json";

/// Bytes of what a provider hands to each of its models.
const MAX_SHARED: usize = 64 << 10;

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
    /// What each model of a server's own list is made from, where the file has no list.
    live: Option<Arc<Model>>,
    /// Changes to models of such a list.
    changes: BTreeMap<String, ModelSettings>,
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
    pub(super) fn read(system: &System, stamp: Option<Stamp>, fresh: &Freshened) -> Self {
        let empty = Self { stamp, ..Self::default() };
        let Some(path) = path(system) else { return empty };
        let mut reader = Reader { path: &path, fresh, overlay: empty };
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
        let Some(place) = check::place(url) else { return true };
        let is_there = |base: &str| check::place(base).is_some_and(|base| base == place);
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

    /// Providers whose servers are asked for their models: each as a model without an id.
    pub(super) fn live(&self) -> impl Iterator<Item = &Arc<Model>> {
        let patches = self.custom.iter().filter_map(|id| self.patches.get(id));
        patches.filter_map(|patch| patch.live.as_ref())
    }

    /// A model of a server's own list with the file's changes.
    pub(super) fn finished(&self, mut model: Model) -> Model {
        let patch = self.patches.get(&*model.provider);
        if let Some(change) = patch.and_then(|patch| patch.changes.get(&*model.id)) {
            // It was tried when the file was read.
            let _ = change.clone().apply(&mut model);
        }
        model
    }

    /// A model of a provider without a list, of which only the id is known.
    pub(super) fn unlisted(&self, provider: &str, id: &str) -> Option<Model> {
        let template = self.patches.get(provider)?.live.as_ref()?;
        Some(self.finished(Model { id: id.into(), name: id.into(), ..(**template).clone() }))
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
            takes_aws_keys: false,
        });
        if let Some(Patch { settings, models, .. }) = patch {
            if settings.base_url.is_some() {
                provider.url_variables.clear();
            }
            provider.takes_aws_keys |= models.values().any(|model| AWS_WIRES.contains(&&*model.wire));
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

/// Reads one file.
struct Reader<'r> {
    path: &'r Path,
    /// What is below the file.
    fresh: &'r Freshened,
    overlay: Overlay,
}

impl Reader<'_> {
    fn file(&mut self, text: &str) {
        let document = match Document::new(text) {
            Ok(document) => document,
            Err(error) => return self.tell(error),
        };
        let root = match document.root() {
            Ok(root) => root,
            Err(error) => return self.tell(error),
        };
        self.mistyped("", root, &["providers", "$schema"]);
        let mut seen = HashSet::new();
        for Entry { key, value } in self.good("", root.entries()).unwrap_or_default() {
            if key == "providers" {
                for entry in self.good("providers", value.entries()).unwrap_or_default() {
                    if self.is_full() {
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
            fault_of(&settings, id, &fields).map_err(|fault| error_at(value, fault))?;
            Ok((settings, fields))
        });
        let Some((mut settings, fields)) = self.good(&path, read) else { return };
        self.mistyped(&path, value, &PROVIDER_FIELDS);
        self.tidy(&path, value, &mut settings);
        let built_in = table::provider(id);
        let mut patch = Patch { settings, ..Patch::default() };
        let field = |name: &str| fields.iter().rev().find(|entry| entry.key == name).map(|entry| entry.value);

        let own_headers = self.definitions(id, field("models"), &mut patch);
        if built_in.is_none() && field("models").is_none() {
            patch.live = live(id, &patch.settings);
        }
        if built_in.is_none() && patch.models.is_empty() && patch.live.is_none() {
            let near = nearest(id, table::providers().iter().map(table::ProviderRow::id), 1);
            let near = near.first().map_or(String::new(), |near| format!(", did you mean {near}?"));
            let list = match (near.is_empty(), field("models")) {
                (true, None) => ", and no baseUrl with an api whose server could be asked for them",
                _ => "",
            };
            let message = format!("provider {} has no models{list}{near}", shown(id));
            return self.tell(value.error(message));
        }
        self.overrides(id, field("modelOverrides"), &mut patch, &own_headers);

        if built_in.is_none() {
            let all = patch.models.values().chain(&patch.live);
            patch.is_local = all.into_iter().all(|model| check::is_loopback(&model.base_url));
            self.overlay.custom.push(id.to_owned());
        }
        self.overlay.patches.insert(id.to_owned(), patch);
    }

    /// What does not spoil the provider is told and left out.
    fn tidy(&mut self, path: &str, value: Value<'_>, settings: &mut ProviderSettings) {
        if let Some(url) = &mut settings.base_url {
            check::trim_url(url);
        }
        for (name, text) in [("name", &mut settings.name), ("apiKey", &mut settings.api_key)] {
            if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
                *text = None;
                self.fault(path, value, Fault::at([name], "it is empty"));
            }
        }
        self.wire(path, value, settings.api.as_deref());
        self.switches(path, value, &mut settings.compat);
        if value.at(["oauth"]).range() != value.range() {
            let message = "signing in is not part of this version; give a key in apiKey or in auth.json";
            self.fault(path, value, Fault::at(["oauth"], message));
        }
    }

    /// The models that the file defines. Returns the headers that each of them has of its own.
    fn definitions(
        &mut self,
        provider: &str,
        models: Option<Value<'_>>,
        patch: &mut Patch,
    ) -> HashMap<String, Headers> {
        let path = format!("providers.{provider}.models");
        let mut own_headers = HashMap::new();
        let models = models.and_then(|models| self.good(&path, models.elements()));
        for (index, value) in models.unwrap_or_default().into_iter().enumerate() {
            if self.is_full() {
                break;
            }
            let path = format!("{path}[{index}]");
            let Some(mut settings) = self.good(&path, value.parse::<ModelSettings>()) else { continue };
            self.model_fields(&path, value, &mut settings);
            let headers = settings.headers.clone();
            let model = defined(provider, &patch.settings, settings);
            let Some(model) = self.good(&path, model.map_err(|fault| error_at(value, fault))) else {
                continue;
            };
            patch.default_model.get_or_insert_with(|| Arc::clone(&model.id));
            let id = model.id.to_string();
            own_headers.insert(id.clone(), headers);
            if patch.models.insert(id.clone(), Arc::new(model)).is_some() {
                self.tell(value.error(format!("model {} is there twice, the last one holds", shown(&id))));
            }
        }
        own_headers
    }

    /// The changes that the file makes to models, its own too.
    fn overrides(
        &mut self,
        provider: &str,
        overrides: Option<Value<'_>>,
        patch: &mut Patch,
        own_headers: &HashMap<String, Headers>,
    ) {
        let path = format!("providers.{provider}.modelOverrides");
        let built_in = table::provider(provider);
        let overrides = overrides.and_then(|overrides| self.good(&path, overrides.entries()));
        for Entry { key, value } in overrides.unwrap_or_default() {
            if self.is_full() {
                break;
            }
            let path = format!("{path}.{key}");
            if let Some(template) = &patch.live {
                let Some(mut change) = self.good(&path, value.parse::<ModelSettings>()) else { continue };
                self.model_fields(&path, value, &mut change);
                self.fixed(&path, value, &mut change);
                let tried = change.clone().apply(&mut (**template).clone());
                if self.good(&path, tried.map_err(|fault| error_at(value, fault))).is_some() {
                    patch.changes.insert(key, change);
                }
                continue;
            }
            let base = patch.models.get(&key).map(|model| (**model).clone()).or_else(|| {
                let mut model = self.fresh.build(provider, &key)?;
                patch.settings.apply(&mut model);
                Some(model)
            });
            let Some(mut model) = base else {
                let known =
                    built_in.into_iter().flat_map(table::ProviderRow::models).map(|row| -> &str { row.id() });
                let known = known.chain(self.fresh.models(provider).iter().map(Fresh::id));
                let near = nearest(&key, known.chain(patch.models.keys().map(String::as_str)), 1);
                let near = near.first().map_or(String::new(), |near| format!(", did you mean {near}?"));
                self.fault(&path, value, Fault::whole(format!("no such model to override{near}")));
                continue;
            };
            let Some(mut change) = self.good(&path, value.parse::<ModelSettings>()) else { continue };
            self.model_fields(&path, value, &mut change);
            self.fixed(&path, value, &mut change);
            let changed = change.apply(&mut model).map_err(|fault| error_at(value, fault));
            if self.good(&path, changed).is_some() {
                // A model's own definition stands above an override in this alone.
                if let Some(own) = own_headers.get(&key) {
                    lay_headers(&mut model, own);
                }
                patch.models.insert(key, Arc::new(model));
            }
        }
    }

    /// Tells of what an override cannot change, and leaves it out.
    fn fixed(&mut self, path: &str, value: Value<'_>, change: &mut ModelSettings) {
        for name in FIXED_FIELDS.into_iter().filter(|name| value.at([*name]).range() != value.range()) {
            let message = "an override cannot change it; define the model in models";
            self.fault(path, value, Fault::at([name], message));
        }
        change.base_url = None;
    }

    /// What can be wrong with a model without spoiling it.
    fn model_fields(&mut self, path: &str, value: Value<'_>, settings: &mut ModelSettings) {
        self.mistyped(path, value, &MODEL_FIELDS);
        for (name, known) in INNER_FIELDS {
            let inner = value.at([name]);
            if inner.range() != value.range() {
                self.mistyped(&format!("{path}.{name}"), inner, known);
            }
        }
        self.wire(path, value, settings.api.as_deref());
        self.switches(path, value, &mut settings.compat);
    }

    /// Tells of names that look like others. Those that look like nothing may be for another program.
    fn mistyped(&mut self, path: &str, value: Value<'_>, known: &[&str]) {
        for Entry { key, value } in value.entries().unwrap_or_default() {
            if self.is_full() || known.contains(&key.as_str()) {
                continue;
            }
            if let Some(near) = nearest(&key, known.iter().copied(), 1).first() {
                let message = format!("unknown field {}, did you mean {near}?", shown(&key));
                self.fault(path, value, Fault::whole(message));
            }
        }
    }

    /// Tells of an API that nobody has.
    fn wire(&mut self, path: &str, value: Value<'_>, wire: Option<&str>) {
        let Some(wire) = wire else { return };
        let known =
            || table::providers().iter().flat_map(table::ProviderRow::routes).map(table::RouteRow::wire);
        if known().any(|known| known == wire) {
            return;
        }
        if let Some(near) = nearest(wire, known(), 1).first() {
            let message = format!("no API is called {}, did you mean {near}?", shown(wire));
            self.fault(path, value, Fault::at(["api"], message));
        }
    }

    /// Takes away switches that say nothing.
    fn switches(&mut self, path: &str, value: Value<'_>, switches: &mut Map<String, Json>) {
        let mut faults = Vec::new();
        switches.retain(|name, switch| {
            if faults.len() >= MAX_DIAGNOSTICS {
                return true;
            }
            match compat::fault(name, switch) {
                None => true,
                Some(compat::Fault::Value(message)) => {
                    faults.push((name.clone(), message));
                    false
                }
                Some(compat::Fault::Name(message)) => {
                    faults.push((name.clone(), message));
                    true
                }
            }
        });
        if faults.is_empty() {
            return;
        }
        let compat = value.at(["compat"]);
        let entries = compat.entries().unwrap_or_default();
        for (name, message) in faults {
            let at = entries.iter().rev().find(|entry| entry.key == name).map_or(compat, |entry| entry.value);
            self.fault(&format!("{path}.compat.{name}"), at, Fault::whole(message));
        }
    }

    fn fault(&mut self, path: &str, value: Value<'_>, fault: Fault) {
        if !self.is_full() {
            self.good::<()>(path, Err(error_at(value, fault)));
        }
    }

    fn is_full(&self) -> bool {
        self.overlay.diagnostics.len() >= MAX_DIAGNOSTICS
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
        if !self.is_full() {
            self.overlay.diagnostics.push(Diagnostic::at(self.path, error));
        }
    }
}

/// APIs whose servers can be asked for their models.
const LISTING: [&str; 5] = [
    "openai-completions",
    "openai-responses",
    "anthropic-messages",
    "google-generative-ai",
    "mistral-conversations",
];

/// What the models of a server's own list are made from, if it can be asked for one.
fn live(provider: &str, settings: &ProviderSettings) -> Option<Arc<Model>> {
    let (Some(_), Some(api)) = (&settings.base_url, &settings.api) else { return None };
    LISTING.contains(&api.as_str()).then_some(())?;
    let mut unnamed = ModelSettings::default();
    unnamed.id = Some("-".to_owned());
    let mut template = defined(provider, settings, unnamed).ok()?;
    template.id = "".into();
    template.name = "".into();
    Some(Arc::new(template))
}

/// A fault of `value`, where it is.
fn error_at(value: Value<'_>, fault: Fault) -> JsoncError {
    let mut error = value.at(fault.path.iter().map(String::as_str)).error(fault.message);
    error.path = fault.path.join(".");
    error
}

/// What is wrong with a provider as a whole.
fn fault_of(settings: &ProviderSettings, id: &str, fields: &[Entry<'_>]) -> Result<(), Fault> {
    check::id(id).map_err(Fault::whole)?;
    if id.contains('/') {
        return Err(Fault::whole("the id of a provider has no slash"));
    }
    if !fields.iter().any(|field| PROVIDER_FIELDS.contains(&field.key.as_str()) && field.key != "api") {
        let useful = PROVIDER_FIELDS.into_iter().filter(|name| *name != "api");
        let useful = useful.collect::<Vec<_>>().join(", ");
        return Err(Fault::whole(format!("nothing is set; one of {useful} is needed")));
    }
    // They are laid under each of the provider's models.
    let shared = ["compat", "headers", "api"];
    let large =
        |field: &&Entry<'_>| field.value.text().len() > MAX_SHARED && shared.contains(&field.key.as_str());
    if let Some(field) = fields.iter().find(large) {
        return Err(Fault::at([&*field.key], format!("it is larger than {} KiB", MAX_SHARED >> 10)));
    }
    if settings.api.as_ref().is_some_and(|api| api.trim().is_empty()) {
        return Err(Fault::at(["api"], "it is empty"));
    }
    settings.base_url.as_deref().map_or(Ok(()), check::url)?;
    check::headers(&settings.headers)
}
