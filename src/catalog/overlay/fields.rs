//! The fields of `models.json`, and how a model is made or changed by them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::check::{self, Fault};
use crate::catalog::{Cost, CostTier, Model, Thinking, ThinkingLevel, table};
use crate::settings::load::shown;
use crate::settings::nearest::nearest;

/// What a model has that does not say so.
const CONTEXT_WINDOW: u64 = 128_000;
const MAX_OUTPUT: u64 = 16_384;

/// Switches whose own keys are merged, where all others are replaced.
const NESTED: [&str; 7] = [
    "openRouterRouting",
    "vercelGatewayRouting",
    "chatTemplateKwargs",
    "chatTemplateArgs",
    "samplingParams",
    "promptCache",
    "inputLimits",
];

/// Names of fields, for those that are mistyped.
pub(super) const PROVIDER_FIELDS: [&str; 10] = [
    "name",
    "baseUrl",
    "apiKey",
    "api",
    "headers",
    "authHeader",
    "compat",
    "models",
    "modelOverrides",
    "oauth",
];
pub(super) const MODEL_FIELDS: [&str; 15] = [
    "id",
    "name",
    "api",
    "baseUrl",
    "reasoning",
    "thinkingLevelMap",
    "input",
    "cost",
    "contextWindow",
    "maxTokens",
    "headers",
    "compat",
    "promptCache",
    "inputLimits",
    "samplingParams",
];
/// Fields of a model that are objects with fields of their own.
pub(super) const INNER_FIELDS: [(&str, &[&str]); 3] = [
    ("cost", &["input", "output", "cacheRead", "cacheWrite", "tiers"]),
    ("promptCache", &["short", "long"]),
    ("inputLimits", &["maxRequestBytes", "images"]),
];
/// Fields of a model that an override cannot change.
pub(super) const FIXED_FIELDS: [&str; 3] = ["id", "api", "baseUrl"];

/// Headers as they are written; `None` takes one away.
pub(super) type Headers = BTreeMap<String, Option<String>>;

/// The fields of a provider that are read as one.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ProviderSettings {
    pub(super) name: Option<String>,
    pub(super) base_url: Option<String>,
    pub(super) api_key: Option<String>,
    pub(super) api: Option<String>,
    pub(super) headers: Headers,
    pub(super) auth_header: bool,
    pub(super) compat: Map<String, Json>,
}

/// A model of the file, or a change to one: then everything is optional.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ModelSettings {
    pub(super) id: Option<String>,
    name: Option<String>,
    pub(super) api: Option<String>,
    pub(super) base_url: Option<String>,
    reasoning: Option<bool>,
    thinking_level_map: BTreeMap<String, Option<String>>,
    input: Option<Vec<String>>,
    cost: Option<CostSettings>,
    context_window: Option<u64>,
    max_tokens: Option<u64>,
    pub(super) headers: Headers,
    pub(super) compat: Map<String, Json>,
    // Kept among the switches, where the wires look for them.
    prompt_cache: Option<PromptCache>,
    input_limits: Option<InputLimits>,
    sampling_params: Option<Map<String, Json>>,
}

#[derive(Clone, Default, Deserialize)]
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

/// Seconds for which a provider keeps a cached prefix.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct PromptCache {
    short: Option<u64>,
    long: Option<u64>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct InputLimits {
    max_request_bytes: Option<u64>,
    images: Option<ImageLimits>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ImageLimits {
    resize: Option<Resize>,
    max_per_message: Option<u64>,
    max_per_request: Option<u64>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Resize {
    max_width: Option<u64>,
    max_height: Option<u64>,
    max_bytes: Option<u64>,
    jpeg_quality: Option<u64>,
}

impl ProviderSettings {
    /// On a built-in model the user's switches stand above the built-in ones.
    pub(super) fn apply(&self, model: &mut Model) {
        if let Some(base_url) = &self.base_url {
            model.base_url = base_url.as_str().into();
        }
        lay_headers(model, &self.headers);
        model.auth_header |= self.auth_header;
        if !self.compat.is_empty() {
            merge(Arc::make_mut(&mut model.compat), &self.compat);
        }
    }
}

/// A model that the file defines whole.
pub(super) fn defined(
    provider: &str,
    of: &ProviderSettings,
    settings: ModelSettings,
) -> Result<Model, Fault> {
    let id = settings.id.clone().ok_or_else(|| Fault::whole("missing field `id`"))?;
    check::id(&id).map_err(|message| Fault::at(["id"], message))?;
    let built_in = table::provider(provider);
    let same = built_in.and_then(|row| row.model(&id));
    let wire = settings.api.as_deref().or(of.api.as_deref());
    let kin = || built_in?.kin(&id, None).map(table::ModelRow::wire);
    let wire = wire.or(same.map(table::ModelRow::wire)).or_else(kin);
    let wire = wire.or(built_in.map(table::ProviderRow::wire)).ok_or_else(|| {
        Fault::whole("no api is set, neither here nor at the provider (such as \"openai-completions\")")
    })?;
    let route = built_in.and_then(|row| row.route(wire));
    let inherited = || {
        let alike = same.filter(|same| same.wire() == wire).map(table::ModelRow::base_url);
        let route = route.or_else(|| built_in?.routes().first());
        alike.or_else(|| route.map(table::RouteRow::base_url))
    };
    // What is known of the provider's servers holds for those of another address only as far as the user says.
    let known = settings.base_url.is_none();
    let base_url = settings.base_url.as_deref().or(of.base_url.as_deref()).or_else(inherited);
    let base_url =
        base_url.ok_or_else(|| Fault::whole("no baseUrl is set, neither here nor at the provider"))?;
    if let Some(CostSettings { input, output, cache_read, cache_write, .. }) = &settings.cost
        && [input, output, cache_read, cache_write].into_iter().any(Option::is_none)
    {
        return Err(Fault::at(["cost"], "all of input, output, cacheRead and cacheWrite are needed"));
    }
    let row = built_in.filter(|_| known);
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
        headers: row.map(table::ProviderRow::headers).unwrap_or_default(),
        session_headers: row.map(table::ProviderRow::session_headers).unwrap_or_default(),
        without_headers: Vec::new(),
        auth_header: of.auth_header,
        compat: Arc::new(route.filter(|_| known).map(table::RouteRow::compat).unwrap_or_default()),
    };
    merge(Arc::make_mut(&mut model.compat), &of.compat);
    lay_headers(&mut model, &of.headers);
    settings.apply(&mut model)?;
    Ok(model)
}

impl ModelSettings {
    /// Lays what is set over `model`; scalars replace, maps are merged.
    pub(super) fn apply(self, model: &mut Model) -> Result<(), Fault> {
        if let Some(name) = self.name {
            if name.trim().is_empty() {
                return Err(Fault::at(["name"], "it is empty"));
            }
            model.name = name.into();
        }
        if let Some(mut base_url) = self.base_url {
            check::url(&base_url)?;
            check::trim_url(&mut base_url);
            model.base_url = base_url.into();
        }
        if let Some(reasoning) = self.reasoning {
            model.reasoning = reasoning;
        }
        for (name, value) in self.thinking_level_map {
            let level: ThinkingLevel =
                name.parse().map_err(|_| Fault::at(["thinkingLevelMap", &name], not_a_level(&name)))?;
            model.thinking.0.retain(|(known, _)| *known != level);
            model.thinking.0.push((level, value.map(Arc::from)));
        }
        model.thinking.0.sort_unstable_by_key(|(level, _)| *level);
        if let Some(input) = &self.input {
            if let Some(kind) = input.iter().find(|kind| !matches!(kind.as_str(), "text" | "image")) {
                return Err(Fault::at(["input"], format!("{} is neither text nor image", shown(kind))));
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
                Some(0) => return Err(Fault::at([name], "it must be above zero")),
                Some(value) => *field = value,
                None => {}
            }
        }
        check::headers(&self.headers)?;
        lay_headers(model, &self.headers);
        let mut compat = self.compat;
        let kept = [
            ("promptCache", self.prompt_cache.map(PromptCache::checked)),
            ("inputLimits", self.input_limits.map(InputLimits::checked)),
            ("samplingParams", self.sampling_params.map(Ok)),
        ];
        for (name, value) in kept {
            if let Some(value) = value {
                compat.insert(name.to_owned(), Json::Object(value?));
            }
        }
        if !compat.is_empty() {
            merge(Arc::make_mut(&mut model.compat), &compat);
        }
        Ok(())
    }
}

fn not_a_level(name: &str) -> String {
    let near = nearest(name, ThinkingLevel::ALL.map(ThinkingLevel::name), 1);
    let near = near.first().map_or(String::new(), |near| format!(", did you mean {near}?"));
    format!("{} is not a thinking level{near}", shown(name))
}

impl CostSettings {
    fn apply(self, cost: &mut Cost) -> Result<(), Fault> {
        let bad = |price: f64| !price.is_finite() || price < 0.0;
        for (name, price, field) in [
            ("input", self.input, &mut cost.input),
            ("output", self.output, &mut cost.output),
            ("cacheRead", self.cache_read, &mut cost.cache_read),
            ("cacheWrite", self.cache_write, &mut cost.cache_write),
        ] {
            match price {
                Some(price) if bad(price) => {
                    return Err(Fault::at(["cost", name], "a price is not below zero"));
                }
                Some(price) => *field = price,
                None => {}
            }
        }
        if let Some(tiers) = self.tiers {
            let prices = |tier: &TierSettings| [tier.input, tier.output, tier.cache_read, tier.cache_write];
            if tiers.iter().flat_map(prices).any(bad) {
                return Err(Fault::at(["cost", "tiers"], "a price is not below zero"));
            }
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
        Ok(())
    }
}

/// The numbers that are set as an object; each must be above zero.
fn numbers<'p>(path: &[&'p str], fields: &[(&'p str, Option<u64>)]) -> Result<Map<String, Json>, Fault> {
    let mut object = Map::new();
    for (name, value) in fields {
        match value {
            Some(0) => {
                return Err(Fault::at(path.iter().copied().chain([*name]), "it must be above zero"));
            }
            Some(value) => drop(object.insert((*name).to_owned(), (*value).into())),
            None => {}
        }
    }
    Ok(object)
}

impl PromptCache {
    fn checked(self) -> Result<Map<String, Json>, Fault> {
        numbers(&["promptCache"], &[("short", self.short), ("long", self.long)])
    }
}

impl InputLimits {
    fn checked(self) -> Result<Map<String, Json>, Fault> {
        let mut limits = numbers(&["inputLimits"], &[("maxRequestBytes", self.max_request_bytes)])?;
        let Some(images) = self.images else { return Ok(limits) };
        let path = ["inputLimits", "images", "resize"];
        let counts = [("maxPerMessage", images.max_per_message), ("maxPerRequest", images.max_per_request)];
        let mut object = numbers(path.get(..2).unwrap_or_default(), &counts)?;
        if let Some(resize) = images.resize {
            if resize.jpeg_quality.is_some_and(|quality| quality > 100) {
                let path = path.into_iter().chain(["jpegQuality"]);
                return Err(Fault::at(path, "it is a number from 1 to 100"));
            }
            let sizes = [
                ("maxWidth", resize.max_width),
                ("maxHeight", resize.max_height),
                ("maxBytes", resize.max_bytes),
                ("jpegQuality", resize.jpeg_quality),
            ];
            object.insert("resize".to_owned(), Json::Object(numbers(&path, &sizes)?));
        }
        limits.insert("images".to_owned(), Json::Object(object));
        Ok(limits)
    }
}

/// Lays `over` on the model's headers; names are compared without regard to case. A header that is taken away is
/// not sent, whoever else would set it, until a later layer sets it again.
pub(super) fn lay_headers(model: &mut Model, over: &Headers) {
    for (name, value) in over {
        model.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        model.without_headers.retain(|known| !known.eq_ignore_ascii_case(name));
        match value {
            Some(value) => model.headers.push((name.as_str().into(), value.as_str().into())),
            None => model.without_headers.push(name.as_str().into()),
        }
    }
}

/// Lays `over` on `switches`, key by key, and one level deeper for some.
pub(super) fn merge(switches: &mut Map<String, Json>, over: &Map<String, Json>) {
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
