//! Unpredictable bytes, and the short ids made of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Crockford's base 32 in lower case: no letter that is read as another.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A source of bytes: the system's, or a counter for tests that compare whole transcripts.
#[derive(Clone, Debug)]
pub enum Random {
    /// The operating system's generator.
    Real,
    /// Predictable, for tests.
    Counter(Arc<AtomicU64>),
}

impl Random {
    /// Eight bytes.
    pub fn next_u64(&self) -> u64 {
        match self {
            // The generator of every supported system fails only where nothing else works either; an id
            // that repeats is caught by the exclusive creation of the file named after it.
            Self::Real => getrandom::u64().unwrap_or_default(),
            Self::Counter(counter) => counter.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Fills `bytes` with what nobody can guess. An error where the system has no generator: then no secret may
    /// be made.
    pub fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        match self {
            Self::Real => getrandom::fill(bytes).map_err(|error| std::io::Error::other(error.to_string())),
            Self::Counter(_) => {
                for chunk in bytes.chunks_mut(8) {
                    chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
                }
                Ok(())
            }
        }
    }

    /// An id of ten characters (50 random bits): short, because it stands in every event line.
    pub fn id(&self) -> String {
        let mut bits = self.next_u64();
        (0..10)
            .map(|_| {
                let index = usize::try_from(bits & 31).unwrap_or_default();
                bits >>= 5;
                char::from(ALPHABET[index])
            })
            .collect()
    }
}
