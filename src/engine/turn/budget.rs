//! How many model calls are made again in one process, whatever the number of its sessions: a provider that is
//! down must not be asked four times by each of them.
//!
//! A bucket per provider. Each repetition takes one token; when there is none, the call fails at once. It must
//! never delay a first request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Repetitions that may come at once.
const CAPACITY: u32 = 30;
/// How long until a token that was taken is there again.
const REFILL: Duration = Duration::from_secs(1);
/// Providers that are kept account of; beyond it the full buckets are forgotten.
const KEPT: usize = 64;

/// The buckets of one process.
#[derive(Debug, Default)]
pub struct RetryBudget {
    /// A leaf: held for moments only. What is missing is full.
    buckets: Mutex<BTreeMap<Arc<str>, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: u32,
    /// When the newest token that came by itself came.
    filled_at: Instant,
}

impl RetryBudget {
    /// Takes a token for one more request to `provider`. False where there is none.
    pub(super) fn take(&self, provider: &Arc<str>) -> bool {
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= KEPT && !buckets.contains_key(provider) {
            buckets.retain(|_, bucket| bucket.filled(now).tokens < CAPACITY);
        }
        let bucket =
            buckets.entry(Arc::clone(provider)).or_insert(Bucket { tokens: CAPACITY, filled_at: now });
        *bucket = bucket.filled(now);
        let taken = bucket.tokens.checked_sub(1);
        bucket.tokens = taken.unwrap_or(0);
        taken.is_some()
    }
}

impl Bucket {
    /// With the tokens that have come since.
    fn filled(self, now: Instant) -> Self {
        let since = now.saturating_duration_since(self.filled_at);
        let come = u32::try_from(since.as_nanos() / REFILL.as_nanos()).unwrap_or(u32::MAX);
        let tokens = self.tokens.saturating_add(come).min(CAPACITY);
        let filled_at = if tokens == CAPACITY { now } else { self.filled_at + REFILL * come };
        Self { tokens, filled_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_is_emptied_and_fills_with_time() {
        let (budget, down, up) = (RetryBudget::default(), Arc::from("down"), Arc::from("up"));
        let taken = |count: u32, provider| (0..count).filter(|_| budget.take(provider)).count();
        assert_eq!(taken(100, &down), 30);
        assert_eq!(taken(1, &up), 1, "another provider is not concerned");
        tokio::time::advance(Duration::from_millis(2_500)).await;
        assert_eq!(taken(100, &down), 2);
        // The half second that was left over counts.
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(taken(100, &down), 1);
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(taken(100, &down), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn names_without_end_are_not_kept() {
        let budget = RetryBudget::default();
        for name in 0..1_000 {
            assert!(budget.take(&Arc::from(name.to_string())));
            tokio::time::advance(REFILL).await;
        }
        assert!(budget.buckets.lock().unwrap().len() <= KEPT);
    }
}
