//! What an answer costs beyond the model's list price: a service tier has a price of its own.

use crate::catalog::{Cost, Model};
use crate::models::Usage;

/// What the price of an answer is made from.
pub(in crate::models::wires) struct Prices {
    cost: Cost,
    /// What a priority answer costs in ordinary ones.
    priority: f64,
    /// The tier that was asked for.
    asked: Option<String>,
    /// Whether the server calls every tier the default one.
    hides_tier: bool,
}

impl Prices {
    pub(in crate::models::wires) fn new(model: &Model, asked: Option<&str>, hides_tier: bool) -> Self {
        Self {
            cost: model.cost.clone(),
            priority: if model.id.contains("gpt-5.5") { 2.5 } else { 2.0 },
            asked: asked.map(str::to_owned),
            hides_tier,
        }
    }

    /// `usage` with its price, where that is not the model's own. `said` is the tier that the server names.
    pub(super) fn charge(&self, usage: Usage, said: &str) -> Usage {
        let asked = self.asked.as_deref().unwrap_or_default();
        let tier = if said.is_empty() || (self.hides_tier && said == "default") { asked } else { said };
        let factor = match tier {
            "flex" => 0.5,
            "priority" => self.priority,
            _ => return usage,
        };
        if usage.provider_cost.is_some() || self.cost == Cost::default() {
            return usage;
        }
        let listed = self.cost.of(usage.input, usage.output, usage.cache_read, usage.cache_write);
        Usage { provider_cost: Some(listed * factor), ..usage }
    }
}
