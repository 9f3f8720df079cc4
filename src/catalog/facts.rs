//! Facts about models from outside: names, sizes, prices, levels of thinking, what a model takes, whether it is still
//! offered. Checked here, whoever says them.
//!
//! What decides where a key goes is no fact: addresses, headers and switches are never taken from outside, and an API
//! is only chosen among those that the provider has in the data files. `facts/models_dev.rs` reads what models.dev
//! says, `facts/cache.rs` keeps it, `fresh.rs` lays it over the table.

mod cache;
pub(super) mod models_dev;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::local::is_showable;
use super::{CostTier, ThinkingLevel};

pub(super) use cache::{Cache, stamp};
pub use cache::{FACTS_FILE, FactsOrigin};
pub(super) use models_dev::read;

/// Where the facts come from.
pub const FACTS_URL: &str = "https://models.dev/api.json";

/// Bytes of an id and of a name.
const MAX_NAME: usize = 200;
/// Models of one provider.
const MAX_MODELS: usize = 5_000;
/// Tokens that nothing has.
const MAX_TOKENS: f64 = 100_000_000.0;
/// Dollars per million tokens that nothing costs.
const MAX_PRICE: f64 = 100_000.0;
/// Tiers of one model's price.
const MAX_TIERS: usize = 8;

/// Facts of the providers that the table knows, by their ids.
pub(super) type Facts = BTreeMap<Box<str>, Vec<ModelFacts>>;

/// What is said of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModelFacts {
    /// As sent to the provider.
    pub(super) id: Box<str>,
    /// For people.
    pub(super) name: Box<str>,
    /// Tokens.
    pub(super) context: u32,
    /// Tokens.
    pub(super) output: u32,
    /// `None` where nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cost: Option<Prices>,
    /// Sorted by their threshold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) tiers: Vec<Tier>,
    #[serde(default)]
    pub(super) reasoning: bool,
    /// The levels that it has, where they are listed; without `off` nothing is said of that.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "levels")]
    pub(super) levels: Option<super::thinking::Levels>,
    #[serde(default)]
    pub(super) images: bool,
    /// The provider has dropped it.
    #[serde(default)]
    pub(super) retired: bool,
    /// One of the provider's own APIs, where it is said which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wire: Option<Box<str>>,
}

/// Dollars per million tokens; what is not said of caching is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Prices {
    pub(super) input: f64,
    pub(super) output: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cache_read: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cache_write: Option<f64>,
}

/// Prices of requests above so many tokens of input.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tier {
    pub(super) above: u32,
    #[serde(flatten)]
    pub(super) prices: Prices,
}

impl ModelFacts {
    /// Whether it can be true, and shown.
    fn is_sound(&self) -> bool {
        let is_size = |tokens: u32| tokens > 0 && f64::from(tokens) <= MAX_TOKENS;
        is_id(&self.id)
            && is_name(&self.name)
            && is_size(self.context)
            && is_size(self.output)
            && self.tiers.len() <= MAX_TIERS
            && self.cost.iter().chain(self.tiers.iter().map(|tier| &tier.prices)).all(Prices::are_sound)
            && self.tiers.is_sorted_by(|one, other| one.above < other.above)
    }
}

impl Prices {
    fn are_sound(&self) -> bool {
        let all = [Some(self.input), Some(self.output), self.cache_read, self.cache_write];
        all.into_iter().flatten().all(|price| (0.0..=MAX_PRICE).contains(&price))
    }
}

impl Tier {
    pub(super) fn cost(&self) -> CostTier {
        CostTier {
            input_above: self.above.into(),
            input: self.prices.input,
            output: self.prices.output,
            cache_read: self.prices.cache_read.unwrap_or_default(),
            cache_write: self.prices.cache_write.unwrap_or_default(),
        }
    }
}

/// Whether a text can be an id: shown, typed, and sent.
fn is_id(text: &str) -> bool {
    is_name(text) && !text.contains(char::is_whitespace)
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_NAME && is_showable(text)
}

/// Levels by their names.
mod levels {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::ThinkingLevel;
    use crate::catalog::thinking::Levels;

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
    pub(super) fn serialize<S: Serializer>(levels: &Option<Levels>, to: S) -> Result<S::Ok, S::Error> {
        let names = levels.map(|levels| levels.iter().map(ThinkingLevel::name).collect::<Vec<_>>());
        names.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Levels>, D::Error> {
        let names = Option::<Vec<String>>::deserialize(from)?;
        Ok(names.map(|names| names.iter().filter_map(|name| name.parse().ok()).collect()))
    }
}
