//! What the model has seen of files: a file may only be changed in the state in which it was read.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;

/// Files that are remembered; the oldest is forgotten first, and must then be read again.
const FILES: usize = 4096;

/// The SHA-256 of a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

/// Makes a [`Digest`] of pieces.
pub struct Hasher(digest::Context);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Self::hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    /// For a file that is read in pieces.
    pub fn hasher() -> Hasher {
        Hasher(digest::Context::new(&digest::SHA256))
    }
}

impl Hasher {
    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all pieces.
    pub fn finish(self) -> Digest {
        let mut bytes = [0; 32];
        for (byte, told) in bytes.iter_mut().zip(self.0.finish().as_ref()) {
            *byte = *told;
        }
        Digest(bytes)
    }
}

/// The register of one session. Cloning shares it: calls of one turn may run side by side.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<Files>>);

#[derive(Debug, Default)]
struct Files {
    by_path: HashMap<PathBuf, Digest>,
    /// Oldest first.
    order: VecDeque<PathBuf>,
}

impl Seen {
    /// The model knows the file at this real path in this state.
    pub fn note(&self, real: &Path, digest: Digest) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if files.by_path.insert(real.to_path_buf(), digest).is_none() {
            files.order.push_back(real.to_path_buf());
        }
        while files.by_path.len() > FILES {
            let Some(oldest) = files.order.pop_front() else { return };
            files.by_path.remove(&oldest);
        }
    }

    /// The state in which the model knows the file.
    pub fn digest(&self, real: &Path) -> Option<Digest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_path.get(real).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_register_is_bounded() {
        let seen = Seen::default();
        for at in 0..FILES + 10 {
            seen.note(Path::new(&format!("/{at}")), Digest::of(&at.to_le_bytes()));
        }
        assert_eq!(seen.digest(Path::new("/9")), None);
        assert_eq!(seen.digest(Path::new("/10")), Some(Digest::of(&10_usize.to_le_bytes())));
        assert_ne!(Digest::of(b""), Digest::of(b"a"));
    }
}
