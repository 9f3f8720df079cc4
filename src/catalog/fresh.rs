//! Refreshed facts laid over the table: the layer between what is built in and what `models.json` says.
//!
//! Only what differs is held, and compactly. A model that the table has keeps its address, API, headers and switches; one
//! that it does not have gets them from the provider's data and from the model there that is called most like it.

use std::sync::Arc;

use super::facts::{self, Cache, FactsOrigin, ModelFacts};
use super::table::{self, ModelRow, ProviderRow, RouteRow};
use super::thinking::Levels;
use super::{Cost, Model, Thinking, ThinkingLevel};
use crate::settings::Diagnostic;
use crate::system::System;
use crate::system::files::Stamp;

/// Switches that are one model's own, and not those of others that are called alike.
const PERSONAL: [&str; 1] = ["allowedFallbackModels"];

/// What one state of the kept facts comes to.
#[derive(Default)]
pub(super) struct Freshened {
    stamp: Option<Stamp>,
    origin: Option<FactsOrigin>,
    is_foreign: bool,
    diagnostic: Option<Diagnostic>,
    /// By the provider's id; its models sorted by theirs.
    providers: Vec<(&'static str, Vec<Fresh>)>,
}

/// A model that is new, or of which something else is said than in the table.
pub(super) struct Fresh {
    provider: &'static ProviderRow,
    /// The model that it is in the table, or after which it is made.
    like: Option<&'static ModelRow>,
    is_new: bool,
    wire: &'static str,
    cost: Cost,
    levels: Levels,
    facts: ModelFacts,
}

impl Freshened {
    /// Reads what is kept. `stamp` was taken before, so that a change in between is seen at the next look.
    pub(super) fn read(system: &System, stamp: Option<Stamp>) -> Self {
        match Cache::read(system) {
            Ok(Some(cache)) => Self { stamp, ..Self::of(cache) },
            Ok(None) => Self { stamp, ..Self::default() },
            Err(diagnostic) => Self { stamp, diagnostic: Some(diagnostic), ..Self::default() },
        }
    }

    /// The state that the file is in now.
    pub(super) fn stamp(system: &System) -> Option<Stamp> {
        facts::stamp(system)
    }

    /// The state that was read.
    pub(super) fn stamp_read(&self) -> Option<Stamp> {
        self.stamp
    }

    fn of(cache: Cache) -> Self {
        let is_newer = cache.origin.facts_at_ms > table::date_ms();
        let mut providers = Vec::new();
        for (id, models) in cache.facts {
            let Some(provider) = table::provider(&id).filter(|row| !row.facts().is_empty()) else { continue };
            let fresh = models.into_iter().filter_map(|facts| match provider.model(&facts.id) {
                Some(row) if is_newer => Fresh::changed(provider, row, facts),
                Some(_) => None,
                None => Fresh::new(provider, facts),
            });
            let fresh: Vec<Fresh> = fresh.collect();
            if !fresh.is_empty() {
                providers.push((provider.id(), fresh));
            }
        }
        Self { origin: Some(cache.origin), is_foreign: cache.is_foreign, providers, ..Self::default() }
    }

    /// Where and when the facts came from, if there are any.
    pub(super) fn origin(&self) -> Option<&FactsOrigin> {
        self.origin.as_ref()
    }

    /// Whether another version read the facts.
    pub(super) fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// What is wrong with the file.
    pub(super) fn diagnostic(&self) -> Option<&Diagnostic> {
        self.diagnostic.as_ref()
    }

    /// The models of one provider that are new or changed, sorted by id.
    pub(super) fn models(&self, provider: &str) -> &[Fresh] {
        let of = self.providers.iter().find(|(id, _)| *id == provider);
        of.map(|(_, models)| &**models).unwrap_or_default()
    }

    /// The one of this id.
    pub(super) fn model(&self, provider: &str, id: &str) -> Option<&Fresh> {
        let models = self.models(provider);
        models.binary_search_by(|model| model.id().cmp(id)).ok().and_then(|at| models.get(at))
    }

    /// A model as it is without `models.json`.
    pub(super) fn build(&self, provider: &str, id: &str) -> Option<Model> {
        match self.model(provider, id) {
            Some(fresh) => Some(fresh.build()),
            None => Some(table::provider(provider)?.model(id)?.build()),
        }
    }
}

impl Fresh {
    /// A model of the table of which something else is said; `None` where nothing is.
    fn changed(provider: &'static ProviderRow, row: &'static ModelRow, facts: ModelFacts) -> Option<Self> {
        // A model that was dropped does not come back because a list still has it.
        let facts = ModelFacts { retired: facts.retired || row.retired, ..facts };
        let fresh = Self::made(provider, Some(row), row.wire(), facts);
        let facts = &fresh.facts;
        let is_same = &*facts.name == row.name()
            && (facts.context, facts.output) == (row.context, row.output)
            && (facts.reasoning, facts.images, facts.retired) == (row.reasoning, row.images, row.retired)
            && fresh.levels == row.levels()
            && fresh.cost == row.cost();
        (!is_same).then_some(fresh)
    }

    /// A model that the table does not have; `None` where the provider cannot call it.
    fn new(provider: &'static ProviderRow, facts: ModelFacts) -> Option<Self> {
        let routes = || provider.routes().iter().map(RouteRow::wire);
        let like = provider.kin(&facts.id, facts.wire.as_deref());
        let wire = match &facts.wire {
            Some(named) => routes().find(|wire| *wire == &**named)?,
            None => like.map_or(provider.wire(), ModelRow::wire),
        };
        Some(Self { is_new: true, ..Self::made(provider, like, wire, facts) })
    }

    fn made(
        provider: &'static ProviderRow,
        like: Option<&'static ModelRow>,
        wire: &'static str,
        facts: ModelFacts,
    ) -> Self {
        let known = like.filter(|row| row.id() == &*facts.id).map(ModelRow::cost);
        let mut fresh = Self {
            provider,
            like,
            is_new: false,
            wire,
            cost: cost(&facts, known.as_ref()),
            levels: Levels::from_iter([ThinkingLevel::Off]),
            facts,
        };
        if fresh.facts.reasoning {
            fresh.levels = match (like, fresh.facts.levels) {
                (Some(row), None) if row.reasoning => row.levels(),
                _ => fresh.thinking().supported().into_iter().collect(),
            };
        }
        fresh
    }

    pub(super) fn provider(&self) -> &'static str {
        self.provider.id()
    }

    pub(super) fn id(&self) -> &str {
        &self.facts.id
    }

    pub(super) fn name(&self) -> &str {
        &self.facts.name
    }

    pub(super) fn wire(&self) -> &'static str {
        self.wire
    }

    pub(super) fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    pub(super) fn cost(&self) -> &Cost {
        &self.cost
    }

    pub(super) fn levels(&self) -> Levels {
        self.levels
    }

    /// What its levels are called: as those of the model that it is like, as far as they are listed.
    fn thinking(&self) -> Thinking {
        let mut thinking = self.like.filter(|row| row.reasoning).map(ModelRow::thinking).unwrap_or_default();
        let Some(listed) = self.facts.levels else { return thinking };
        for level in ThinkingLevel::ALL {
            let known = thinking.0.iter().find(|(known, _)| *known == level);
            let called = known.and_then(|(_, value)| value.clone());
            // A level may go by the name of another one, or by a word of the provider's own.
            let stands = called.as_ref().is_some_and(|name| match name.parse() {
                Ok(other) => listed.has(other),
                Err(_) => true,
            });
            let value: Option<Arc<str>> = match level {
                ThinkingLevel::Off if !listed.has(level) => continue,
                _ if stands => called,
                ThinkingLevel::Off => Some("none".into()),
                _ => listed.has(level).then(|| level.name().into()),
            };
            if thinking.wire_value(level) != value.as_deref() {
                thinking.0.retain(|(known, _)| *known != level);
                thinking.0.push((level, value));
            }
        }
        thinking.0.sort_unstable_by_key(|(level, _)| *level);
        thinking
    }

    /// The model as it is called.
    pub(super) fn build(&self) -> Model {
        let Self { facts, provider, .. } = self;
        let alike = self.like.map(ModelRow::build);
        let mut model = alike.unwrap_or_else(|| {
            let route = provider.route(self.wire);
            Model {
                provider: provider.id().into(),
                id: "".into(),
                name: "".into(),
                wire: self.wire.into(),
                base_url: route.map_or("", RouteRow::base_url).into(),
                reasoning: false,
                thinking: Thinking::default(),
                takes_images: false,
                cost: Cost::default(),
                context_window: 0,
                max_output: 0,
                headers: provider.headers(),
                session_headers: provider.session_headers(),
                without_headers: Vec::new(),
                auth_header: false,
                compat: Arc::new(route.map(RouteRow::compat).unwrap_or_default()),
            }
        });
        if self.is_new {
            let compat = Arc::make_mut(&mut model.compat);
            for name in PERSONAL {
                compat.remove(name);
            }
        }
        Model {
            id: (&*facts.id).into(),
            name: (&*facts.name).into(),
            reasoning: facts.reasoning,
            thinking: self.thinking(),
            takes_images: facts.images,
            cost: self.cost.clone(),
            context_window: facts.context.into(),
            max_output: facts.output.into(),
            ..model
        }
    }
}

/// What it costs: what nobody says is as it was, as long as the price of the input is.
fn cost(facts: &ModelFacts, known: Option<&Cost>) -> Cost {
    let Some(prices) = &facts.cost else { return known.cloned().unwrap_or_default() };
    #[expect(clippy::float_cmp, reason = "the same number was written down twice")]
    let known = known.filter(|known| known.input == prices.input);
    Cost {
        input: prices.input,
        output: prices.output,
        cache_read: prices.cache_read.or(known.map(|known| known.cache_read)).unwrap_or_default(),
        cache_write: prices.cache_write.or(known.map(|known| known.cache_write)).unwrap_or_default(),
        tiers: facts.tiers.iter().map(facts::Tier::cost).collect(),
    }
}
