//! What models.dev says: one object of providers, each with its models. Read leniently, in one pass and without a tree:
//! a model that is not as expected is passed over, a provider that the table does not know is skipped.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};

use super::{Facts, MAX_MODELS, MAX_PRICE, MAX_TIERS, MAX_TOKENS, ModelFacts, Prices, Tier, is_name};
use crate::catalog::ThinkingLevel;
use crate::catalog::table::{self, ProviderRow, RouteRow};
use crate::catalog::thinking::Levels;

/// Tokens of an answer where nothing is said.
const OUTPUT: f64 = 4_096.0;
/// The threshold of `context_over_200k`.
const LONG: f64 = 200_000.0;

/// The facts of all providers that the table knows, or what is wrong with the text.
pub(in crate::catalog) fn read(bytes: &[u8]) -> Result<Facts, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let facts = Providers.deserialize(&mut deserializer).and_then(|facts| deserializer.end().map(|()| facts));
    let facts = facts.map_err(|error| error.to_string())?;
    if facts.is_empty() {
        return Err("there is no model of a known provider in it".to_owned());
    }
    Ok(facts)
}

/// The whole.
struct Providers;

impl<'de> DeserializeSeed<'de> for Providers {
    type Value = Facts;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Facts, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Providers {
    type Value = Facts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of providers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Facts, A::Error> {
        let mut facts = Facts::new();
        while let Some(key) = map.next_key::<String>()? {
            let known = || table::providers().iter().filter(|row| !key.is_empty() && row.facts() == key);
            if known().next().is_none() {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let Entry::Good(said) = map.next_value::<Entry<Provider>>()? else { continue };
            for row in known() {
                let models = said.of(row);
                if !models.is_empty() {
                    facts.insert(row.id().into(), models);
                }
            }
        }
        Ok(facts)
    }
}

/// What may not be as expected without spoiling its neighbours.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry<T> {
    Good(T),
    Bad(IgnoredAny),
}

impl<T> Entry<T> {
    fn good(&self) -> Option<&T> {
        match self {
            Self::Good(value) => Some(value),
            Self::Bad(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct Provider {
    #[serde(default)]
    npm: Option<Entry<String>>,
    models: BTreeMap<String, Entry<Model>>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    reasoning: bool,
    #[serde(default)]
    reasoning_options: Option<Vec<Entry<Effort>>>,
    #[serde(default)]
    tool_call: bool,
    #[serde(default)]
    modalities: Option<Modalities>,
    #[serde(default)]
    status: Option<String>,
    limit: Limit,
    #[serde(default)]
    cost: Option<Entry<Cost>>,
    #[serde(default)]
    provider: Option<Entry<Called>>,
}

/// One of the ways in which its thinking is steered.
#[derive(Deserialize)]
struct Effort {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    values: Vec<Entry<String>>,
}

#[derive(Deserialize)]
struct Modalities {
    #[serde(default)]
    input: Vec<String>,
    #[serde(default)]
    output: Vec<String>,
}

#[derive(Deserialize)]
struct Limit {
    context: f64,
    #[serde(default)]
    output: f64,
}

#[derive(Deserialize)]
struct Cost {
    input: f64,
    output: f64,
    #[serde(default)]
    cache_read: Option<f64>,
    #[serde(default)]
    cache_write: Option<f64>,
    #[serde(default)]
    tiers: Vec<Entry<LongCost>>,
    #[serde(default)]
    context_over_200k: Option<Entry<LongPrices>>,
}

#[derive(Deserialize)]
struct LongCost {
    #[serde(flatten)]
    prices: LongPrices,
    tier: Threshold,
}

#[derive(Clone, Copy, Deserialize)]
struct LongPrices {
    input: f64,
    output: f64,
    #[serde(default)]
    cache_read: Option<f64>,
    #[serde(default)]
    cache_write: Option<f64>,
}

#[derive(Deserialize)]
struct Threshold {
    #[serde(rename = "type")]
    kind: String,
    size: f64,
}

/// The package that calls a model, which tells its API.
#[derive(Deserialize)]
struct Called {
    #[serde(default)]
    npm: Option<String>,
}

impl Provider {
    /// The models that can be used with our provider `row`, sorted by id.
    fn of(&self, row: &'static ProviderRow) -> Vec<ModelFacts> {
        let npm = self.npm.as_ref().and_then(Entry::good).map(String::as_str);
        let models = || self.models.values().filter_map(Entry::good);
        // Where some models say how they are called, the others are called as the provider says.
        let is_told = models().any(|model| model.npm().is_some());
        let mut facts: BTreeMap<Box<str>, ModelFacts> = BTreeMap::new();
        for model in models().take(MAX_MODELS) {
            let Some(called) = model.called(row, npm, is_told) else { continue };
            if let Some(model) = model.facts(row, &called).filter(ModelFacts::is_sound) {
                facts.insert(model.id.clone(), model);
            }
        }
        facts.into_values().collect()
    }
}

/// How our provider calls a model.
struct How<'m> {
    id: &'m str,
    wire: Option<&'static str>,
}

impl Model {
    fn npm(&self) -> Option<&str> {
        self.provider.as_ref()?.good()?.npm.as_deref()
    }

    /// `None` where our provider cannot call it.
    fn called(&self, row: &'static ProviderRow, npm: Option<&str>, is_told: bool) -> Option<How<'_>> {
        let prefixed = row.routes().iter().find_map(|route| {
            let prefix = Some(route.facts_prefix()).filter(|prefix| !prefix.is_empty())?;
            Some(How { id: self.id.strip_prefix(prefix)?, wire: Some(route.wire()) })
        });
        if prefixed.is_some() {
            return prefixed;
        }
        let has = |wire: &str| row.routes().iter().map(RouteRow::wire).find(|known| *known == wire);
        let wire = match self.npm() {
            Some(own) if Some(own) == npm => wire_of(own).and_then(has).or(Some(row.wire())),
            Some(own) => Some(wire_of(own).and_then(has)?),
            None if is_told => npm.and_then(wire_of).and_then(has).or(Some(row.wire())),
            None => None,
        };
        Some(How { id: &self.id, wire })
    }

    /// `None` where it cannot be used.
    fn facts(&self, row: &ProviderRow, called: &How<'_>) -> Option<ModelFacts> {
        let (mut context, mut output) = (self.limit.context, self.limit.output);
        for correction in row.corrections() {
            if crate::catalog::glob::Glob::new(correction.pattern).matches(called.id) {
                if correction.drop {
                    return None;
                }
                for (known, said) in [(correction.context, &mut context), (correction.output, &mut output)] {
                    if known > 0 {
                        *said = known.into();
                    }
                }
            }
        }
        let speaks = |kinds: &[String]| kinds.is_empty() || kinds.iter().any(|kind| kind == "text");
        let is_for_text = self.modalities.as_ref().is_none_or(|kinds| speaks(&kinds.output));
        if !self.tool_call || !is_for_text {
            return None;
        }
        let name = self.name.as_deref().filter(|name| is_name(name)).unwrap_or(called.id);
        let cost = self.cost.as_ref().and_then(Entry::good);
        Some(ModelFacts {
            id: called.id.into(),
            name: name.trim().into(),
            context: tokens(context)?,
            output: tokens(if output > 0.0 { output } else { OUTPUT })?,
            cost: cost.map(Cost::prices),
            tiers: cost.map(Cost::tiers).unwrap_or_default(),
            reasoning: self.reasoning,
            levels: self.levels(),
            images: self.modalities.iter().flat_map(|kinds| &kinds.input).any(|kind| kind == "image"),
            retired: self.status.as_deref() == Some("deprecated"),
            wire: called.wire.map(Into::into),
        })
    }

    /// The levels of thinking that are listed.
    fn levels(&self) -> Option<Levels> {
        let options = self.reasoning_options.iter().flatten().filter_map(Entry::good);
        let values = options.filter(|option| option.kind == "effort").flat_map(|option| &option.values);
        let levels: Levels = values
            .filter_map(Entry::good)
            .filter_map(|value| if value == "none" { Some(ThinkingLevel::Off) } else { value.parse().ok() })
            .collect();
        // A list of words that nobody knows says nothing.
        levels.iter().any(|level| level > ThinkingLevel::Off).then_some(levels)
    }
}

/// The API that a package speaks.
fn wire_of(npm: &str) -> Option<&'static str> {
    Some(match npm {
        "@ai-sdk/openai" => "openai-responses",
        "@ai-sdk/anthropic" => "anthropic-messages",
        "@ai-sdk/google" => "google-generative-ai",
        "@ai-sdk/openai-compatible" => "openai-completions",
        _ => return None,
    })
}

fn tokens(count: f64) -> Option<u32> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds")]
    (1.0..=MAX_TOKENS).contains(&count).then_some(count as u32)
}

/// Some prices are "depends", written below zero, and some have the noise of a division.
fn price(price: f64) -> f64 {
    (price.clamp(0.0, MAX_PRICE * 2.0) * 1e6).round() / 1e6
}

impl Cost {
    fn prices(&self) -> Prices {
        LongPrices {
            input: self.input,
            output: self.output,
            cache_read: self.cache_read,
            cache_write: self.cache_write,
        }
        .prices()
    }

    fn tiers(&self) -> Vec<Tier> {
        let told = self.tiers.iter().filter_map(Entry::good).filter(|tier| tier.tier.kind == "context");
        let mut tiers: Vec<Tier> = told.filter_map(|tier| tier.prices.above(tier.tier.size)).collect();
        if tiers.is_empty() {
            let long = self.context_over_200k.as_ref().and_then(Entry::good);
            tiers.extend(long.and_then(|prices| prices.above(LONG)));
        }
        tiers.sort_unstable_by_key(|tier| tier.above);
        tiers.dedup_by_key(|tier| tier.above);
        tiers.truncate(MAX_TIERS);
        tiers
    }
}

impl LongPrices {
    fn prices(self) -> Prices {
        Prices {
            input: price(self.input),
            output: price(self.output),
            cache_read: self.cache_read.map(price),
            cache_write: self.cache_write.map(price),
        }
    }

    fn above(self, threshold: f64) -> Option<Tier> {
        Some(Tier { above: tokens(threshold)?, prices: self.prices() })
    }
}

#[cfg(test)]
pub(in crate::catalog) mod tests;
