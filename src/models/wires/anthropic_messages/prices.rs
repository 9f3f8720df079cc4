//! What a call costs where that is not what its counts cost at the model's prices: another model answered, or
//! some of the prompt is kept for an hour. It must never guess: without a known price it says nothing.

use serde_json::Value;

use super::compat::fallbacks;
use crate::catalog::{Cost, Model};
use crate::models::Usage;

/// The prices that may be charged.
pub(super) struct Prices {
    /// Of the model that answers; `None` where it is not known.
    current: Option<Cost>,
    /// Whether another model answers than the one that was asked.
    is_other: bool,
    /// Of the models that may take over.
    others: Vec<(String, Cost)>,
}

impl Prices {
    pub(super) fn of(model: &Model) -> Self {
        let others = fallbacks(model).filter_map(|(other, entry)| Some((other.to_owned(), cost(entry)?)));
        let is_known = model.cost != Cost::default();
        Self { current: is_known.then(|| model.cost.clone()), is_other: false, others: others.collect() }
    }

    /// From now on this model answers.
    pub(super) fn hand_over(&mut self, model: &str) {
        self.is_other = true;
        self.current = self.others.iter().find(|(known, _)| known == model).map(|(_, cost)| cost.clone());
    }

    /// What `usage` costs in dollars, `long_writes` tokens of it kept for an hour; `None` where the plain prices
    /// of the model hold, or none are known.
    pub(super) fn charge(&self, usage: &Usage, long_writes: u64) -> Option<f64> {
        let cost = self.current.as_ref().filter(|_| self.is_other || long_writes > 0)?;
        Some(cost.with_long_writes(
            usage.input,
            usage.output,
            usage.cache_read,
            usage.cache_write,
            long_writes,
        ))
    }
}

/// The prices in an entry of `allowedFallbackModels`.
fn cost(entry: &Value) -> Option<Cost> {
    let cost = entry.get("cost")?;
    let price = |name: &str| cost.get(name).and_then(Value::as_f64);
    Some(Cost {
        input: price("input")?,
        output: price("output")?,
        cache_read: price("cacheRead").unwrap_or(0.0),
        cache_write: price("cacheWrite").unwrap_or(0.0),
        tiers: Vec::new(),
    })
}
