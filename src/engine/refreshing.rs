//! Fresh facts about models, when somebody asks for them: never at start, and never in the way of anything else.

use std::sync::Arc;

use super::listing::Reason;
use super::{Failure, World};
use crate::catalog::{Changes, FactsError, FactsOrigin};
use crate::models::facts::{self, Answer};

/// What a refresh came to.
#[derive(Clone, Debug)]
pub struct Refreshed {
    /// Whether there was anything newer than what was fetched before.
    pub is_new: bool,
    /// Where and when the facts came from.
    pub origin: FactsOrigin,
    /// What is different in the list of models.
    pub changes: Changes,
}

impl World {
    /// Asks for fresh facts, and the servers of `models.json` for their models, keeps them, and tells what they changed. Dropping the future gives up; what was known
    /// before stays then, as it does after a failure.
    pub async fn refresh_models(&self) -> Result<Refreshed, Failure> {
        self.refresh_facts().await.map_err(|failure| Failure {
            message: format!("the models were not refreshed, what was known stays: {}", failure.message),
            ..failure
        })
    }

    async fn refresh_facts(&self) -> Result<Refreshed, Failure> {
        let catalog = Arc::clone(&self.catalog);
        let before = catalog.snapshot();
        let known = catalog.asked_with();
        let asking = self.backends.fetch_facts(known.as_ref(), &self.settings, &self.system);
        // The lists stand by themselves, whatever becomes of the facts.
        let (answer, ()) = tokio::join!(asking, self.ask_for_lists(Reason::Refresh));
        let answer = answer?;
        let now_ms = self.system.clock.now_ms();
        // Megabytes are read and files written here.
        let taking = tokio::task::spawn_blocking(move || {
            let (is_new, origin) = match answer {
                Answer::Unchanged => (false, catalog.confirm_facts(now_ms)?),
                Answer::Facts { body, origin } => {
                    catalog.take_facts(&body, origin.clone())?;
                    (true, origin)
                }
            };
            Ok(Refreshed { is_new, origin, changes: catalog.snapshot().changes_since(&before) })
        });
        let taken = taking.await.map_err(|_| Failure::internal("reading the model facts failed"))?;
        taken.map_err(|error| match error {
            FactsError::Unreadable(why) => facts::unreadable(&why).into(),
            FactsError::NotKept(why) => Failure::storage(format!("the model facts were not kept: {why}")),
        })
    }
}
