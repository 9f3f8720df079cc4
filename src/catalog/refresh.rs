//! Taking refreshed facts in: what to ask with, what to do with the answer, and what it changed. Files and plain
//! functions; who asks is `models::facts`.

use std::collections::HashMap;

use super::facts::{self, Cache};
use super::{Catalog, FactsOrigin, Listed, Snapshot, table};

/// What a refresh changed in the list of models that are offered, as `provider/id`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub added: Vec<String>,
    /// Those of which something else is said now.
    pub changed: Vec<String>,
    /// Those that are gone, or that their provider has dropped.
    pub removed: Vec<String>,
}

/// Why an answer was not taken. What was known before stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// It is not what it should be.
    #[error("{0}")]
    Unreadable(String),
    /// It could not be kept.
    #[error("{0}")]
    NotKept(String),
}

impl Changes {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

impl Catalog {
    /// Where and when the refreshed facts came from, where there are any.
    pub fn origin(&self) -> Option<FactsOrigin> {
        self.snapshot().fresh.origin().cloned()
    }

    /// The same, if an answer that nothing has changed since would do: not where another version read the facts.
    pub fn asked_with(&self) -> Option<FactsOrigin> {
        let snapshot = self.snapshot();
        snapshot.fresh.origin().filter(|_| !snapshot.fresh.is_foreign()).cloned()
    }

    /// When the built-in facts were true, in milliseconds since the epoch.
    pub fn built_in_at_ms() -> u64 {
        table::date_ms()
    }

    /// The facts are still those that are kept: notes when that was asked. Returns where they came from.
    pub fn confirm_facts(&self, checked_at_ms: u64) -> Result<FactsOrigin, FactsError> {
        let kept = Cache::read(&self.system).ok().flatten();
        let gone = || FactsError::NotKept("the facts that were kept are gone".to_owned());
        let mut cache = kept.ok_or_else(gone)?;
        cache.origin.checked_at_ms = checked_at_ms;
        cache.write(&self.system).map_err(FactsError::NotKept)?;
        Ok(cache.origin)
    }

    /// Reads an answer of models.dev and keeps it. Takes some milliseconds for each megabyte.
    pub fn take_facts(&self, body: &[u8], origin: FactsOrigin) -> Result<(), FactsError> {
        let facts = facts::read(body).map_err(FactsError::Unreadable)?;
        let cache = Cache { origin, is_foreign: false, facts };
        cache.write(&self.system).map_err(FactsError::NotKept)
    }
}

impl Snapshot {
    /// What has changed since `before`.
    pub fn changes_since(&self, before: &Self) -> Changes {
        let name = |model: &Listed<'_>| format!("{}/{}", model.provider(), model.id());
        let mut known: HashMap<(&str, &str), Listed<'_>> =
            before.models().map(|model| ((model.provider(), model.id()), model)).collect();
        let mut changes = Changes::default();
        for model in self.models() {
            match known.remove(&(model.provider(), model.id())) {
                None => changes.added.push(name(&model)),
                Some(old) if !is_same(&old, &model) => changes.changed.push(name(&model)),
                Some(_) => {}
            }
        }
        changes.removed.extend(known.values().map(name));
        changes.removed.sort_unstable();
        changes
    }
}

fn is_same(one: &Listed<'_>, other: &Listed<'_>) -> bool {
    one.name() == other.name()
        && one.context_window() == other.context_window()
        && one.max_output() == other.max_output()
        && one.cost() == other.cost()
        && one.takes_images() == other.takes_images()
        && one.thinking_levels() == other.thinking_levels()
        && one.wire() == other.wire()
}
