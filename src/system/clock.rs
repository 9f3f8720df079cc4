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

/// Year, month and day in UTC of a time in milliseconds since the Unix epoch.
pub fn date(ms: u64) -> (u64, u64, u64) {
    // Years that begin in March, in eras of 400 of them, since the year 0.
    let shifted = ms / 86_400_000 + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}
