//! The wall clock. Waiting is done with tokio's timers, which tests can pause; this is only for dates.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Milliseconds since the Unix epoch, real or set by a test.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    Real,
    /// A clock that a test moves by hand.
    Fake(Arc<AtomicU64>),
}

impl Clock {
    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the seam that the rule points to")]
            Self::Real => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
            Self::Fake(now) => now.load(Ordering::Relaxed),
        }
    }
}
