//! `refreshModels`: one refresh at a time, whose answer goes to everybody who asks while it runs. It ends when nobody
//! waits for it any more, and never stands in the way of another request.

use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use jsonrpsee::types::ErrorObjectOwned;

use super::convert;
use super::handlers::{Call, Context, parse};
use crate::doors::peer::writer::{Direct, Sink, append};
use crate::engine::{Failure, Refreshed, Ticket, World};
use aside_protocol as wire;

/// The refresh that runs, and who waits for it. Owned by the dispatcher.
#[derive(Default)]
pub(super) struct Refreshes {
    running: JoinSet<Result<Refreshed, Failure>>,
    waiting: Vec<(Ticket, CancellationToken)>,
}

/// What became of it.
pub(super) enum Ended {
    /// One of those who waited has given up.
    GivenUp,
    /// It is done; the list of models is another one.
    Changed,
    /// It is done, or failed, and the list is as it was.
    Same,
}

/// `refreshModels`.
pub(super) fn refresh_models(context: &mut Context, call: Call) -> Result<(), (Ticket, ErrorObjectOwned)> {
    if let Err(error) = parse::<wire::RefreshModelsParams>(&call) {
        return Err((call.ticket, error));
    }
    context.refreshes.wait(&context.world, call.ticket, call.cancel);
    Ok(())
}

impl Refreshes {
    fn wait(&mut self, world: &Arc<World>, ticket: Ticket, cancel: CancellationToken) {
        if self.running.is_empty() {
            let world = Arc::clone(world);
            self.running.spawn(async move { world.refresh_models().boxed().await });
        }
        self.waiting.push((ticket, cancel));
    }

    /// Resolves when it has ended or somebody has given up, who is answered then; never where none runs. Cancel-safe.
    pub(super) async fn next(&mut self, sink: &Sink) -> Ended {
        if self.running.is_empty() {
            return std::future::pending().await;
        }
        let given_up =
            self.waiting.iter().map(|(_, cancel)| Box::pin(cancel.cancelled())).collect::<Vec<_>>();
        let one_given_up = async {
            if given_up.is_empty() {
                return std::future::pending().await;
            }
            futures_util::future::select_all(given_up).await;
        };
        let done = tokio::select! {
            biased;
            () = one_given_up => None,
            Some(done) = self.running.join_next() => Some(done),
        };
        let Some(done) = done else {
            self.give_up(sink);
            return Ended::GivenUp;
        };
        let done = done.unwrap_or_else(|_| Err(Failure::internal("the refresh ended early")));
        let is_changed = done.as_ref().is_ok_and(|refreshed| !refreshed.changes.is_empty());
        let answer = done.map(result).map_err(|failure| convert::rpc_error(&failure));
        for (ticket, _) in self.waiting.drain(..) {
            let answer = answer.clone().map(|result| {
                let mut json = Vec::new();
                append(&mut json, &result);
                json
            });
            sink.send(Direct::Answer { ticket, answer });
        }
        if is_changed { Ended::Changed } else { Ended::Same }
    }

    /// Answers those who have given up, and ends what nobody waits for.
    fn give_up(&mut self, sink: &Sink) {
        for (ticket, _) in self.waiting.extract_if(.., |(_, cancel)| cancel.is_cancelled()) {
            let failure = Failure::cancelled("the refresh was cancelled; the models are as they were");
            sink.send(Direct::Answer { ticket, answer: Err(convert::rpc_error(&failure)) });
        }
        if self.waiting.is_empty() {
            // What it has begun to write is written whole.
            self.running = JoinSet::new();
        }
    }
}

/// As the contract tells it.
pub(super) fn result(refreshed: Refreshed) -> wire::RefreshModelsResult {
    let Refreshed { is_new, origin, changes } = refreshed;
    wire::RefreshModelsResult {
        modified: is_new,
        added: changes.added,
        changed: changes.changed,
        removed: changes.removed,
        facts_at_ms: origin.facts_at_ms,
        checked_at_ms: origin.checked_at_ms,
    }
}
