//! What a process knows of its sign-ins beside the file: which are being renewed, which are over, and tokens that
//! could not be written. It must never be asked while it waits: every lock in it is a leaf.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::accounts::AccountError;
use crate::accounts::oauth::Grant;

/// How long it is not tried again to renew a token that is still good.
const FAILURE_KEPT: Duration = Duration::from_secs(30);
/// How long it is not tried again to write tokens.
const WRITE_PAUSE: Duration = Duration::from_secs(10);
/// Sign-ins that are over and remembered; whoever has more is told by the provider.
const MAX_FAILURES: usize = 100;

pub(super) type Outcome = Result<Arc<Grant>, AccountError>;

/// Stands for a pair of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mark(u64);

impl Mark {
    pub(super) fn of(access: &SecretString, refresh: &SecretString) -> Self {
        let mut hasher = DefaultHasher::new();
        access.expose_secret().hash(&mut hasher);
        refresh.expose_secret().hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// Cloning is cheap, and clones share it.
#[derive(Clone, Default)]
pub(in crate::accounts) struct Memory(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    jitter: OnceLock<u64>,
}

#[derive(Default)]
struct State {
    /// One for each sign-in that is being renewed, and those that are about to end.
    tasks: JoinSet<()>,
    flights: HashMap<String, watch::Receiver<Option<Outcome>>>,
    failures: HashMap<Mark, Failure>,
    /// The last tokens of each entry that were refused and given up.
    refused: HashMap<String, Mark>,
    unsaved: HashMap<String, Unsaved>,
}

struct Failure {
    error: AccountError,
    at: Instant,
    /// The provider will not give another for it.
    is_over: bool,
}

struct Unsaved {
    /// What the file holds.
    old: Grant,
    new: Arc<Grant>,
    tried_at: Instant,
}

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same number for the life of the process.
    pub(super) fn jitter(&self, make: impl FnOnce() -> u64) -> u64 {
        *self.0.jitter.get_or_init(make)
    }

    /// What becomes of the one flight for the entry `id`: the one under way, else one that `begin` makes. It goes on
    /// when this future is dropped. `None` where it panicked.
    pub(super) async fn flight<F>(&self, id: &str, begin: impl FnOnce() -> F) -> Option<Outcome>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let mut outcome = {
            let mut state = self.state();
            while state.tasks.try_join_next().is_some() {}
            if let Some(under_way) = state.flights.get(id) {
                under_way.clone()
            } else {
                let (tell, outcome) = watch::channel(None);
                state.flights.insert(id.to_owned(), outcome.clone());
                let landing = Landing { memory: self.clone(), id: id.to_owned() };
                let flight = Box::pin(begin());
                state.tasks.spawn(async move {
                    let ended = flight.await;
                    // The next one who needs it looks at the file first.
                    drop(landing);
                    // Those who waited may be gone.
                    let _ = tell.send(Some(ended));
                });
                outcome
            }
        };
        outcome.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone())
    }

    /// Resolves when no flight is under way.
    pub(super) async fn settled(&self) {
        loop {
            let Some(mut under_way) = self.state().flights.values().next().cloned() else { return };
            // One that panics ends too.
            let _ = under_way.wait_for(Option::is_some).await;
            tokio::task::yield_now().await;
        }
    }

    /// Why tokens cannot be renewed; `lately` is whether a passing failure counts too.
    pub(super) fn failure(&self, mark: Mark, lately: bool) -> Option<AccountError> {
        let state = self.state();
        let known = state.failures.get(&mark)?;
        let counts = known.is_over || (lately && known.at.elapsed() < FAILURE_KEPT);
        counts.then(|| known.error.clone())
    }

    pub(super) fn failed(&self, mark: Mark, error: &AccountError, is_over: bool) {
        let mut state = self.state();
        if state.failures.len() >= MAX_FAILURES {
            state.failures.clear();
        }
        state.failures.insert(mark, Failure { error: error.clone(), at: Instant::now(), is_over });
    }

    /// Takes down that these tokens of the entry `id` were refused. Whether that is new.
    pub(super) fn refuse(&self, id: &str, mark: Mark) -> bool {
        self.state().refused.insert(id.to_owned(), mark) != Some(mark)
    }

    /// Takes that back.
    pub(super) fn forgive(&self, id: &str) {
        self.state().refused.remove(id);
    }

    /// Keeps `new`, which could not be written in the place of `old`, which the file holds.
    pub(super) fn keep(&self, id: &str, old: &Grant, new: &Grant) {
        let unsaved = Unsaved { old: old.clone(), new: Arc::new(new.clone()), tried_at: Instant::now() };
        self.state().unsaved.insert(id.to_owned(), unsaved);
    }

    pub(super) fn forget(&self, id: &str) {
        self.state().unsaved.remove(id);
    }

    /// Tokens that stand above `stored`, which the file holds.
    pub(super) fn unsaved(&self, id: &str, stored: &Grant) -> Option<Arc<Grant>> {
        let mut state = self.state();
        let unsaved = state.unsaved.get(id)?;
        if unsaved.old.is_same(stored) {
            return Some(Arc::clone(&unsaved.new));
        }
        // Somebody has signed in again.
        state.unsaved.remove(id);
        None
    }

    pub(super) fn is_unsaved(&self, id: &str, stored: &Grant) -> bool {
        self.state().unsaved.get(id).is_some_and(|unsaved| unsaved.old.is_same(stored))
    }

    /// Whether it is time to try to write them again.
    pub(super) fn tries_to_save(&self, id: &str) -> bool {
        let mut state = self.state();
        let Some(unsaved) = state.unsaved.get_mut(id) else { return false };
        let is_time = unsaved.tried_at.elapsed() >= WRITE_PAUSE;
        if is_time {
            unsaved.tried_at = Instant::now();
        }
        is_time
    }
}

/// Ends a flight, however it ends.
struct Landing {
    memory: Memory,
    id: String,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.memory.state().flights.remove(&self.id);
    }
}
