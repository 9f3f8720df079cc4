//! A folder for what need not outlive its owner: private to the user, named at random, removed when it is dropped.
//!
//! What a process that was killed has left is removed by the next that makes one: a lock tells them apart.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::System;

/// The folder of all of them, below Aside's data or the system's folder for such things.
const ABOVE: &str = "scratch";
/// Held locked for as long as its folder is in use.
const LOCK: &str = "lock";

/// The folder. Removed with all that is in it when dropped.
#[derive(Debug)]
pub struct Scratch {
    dir: tempfile::TempDir,
    /// Its lock ends with the process, however that ends.
    _lock: File,
}

impl Scratch {
    /// Makes one.
    pub fn new(system: &System) -> io::Result<Self> {
        let above = match &system.dirs.data {
            Some(data) => {
                let above = data.join(ABOVE);
                system.files.create_dir(&above)?;
                sweep(&above);
                above
            }
            // Without a place of its own Aside may not leave anything behind, and nobody sweeps.
            None => std::env::temp_dir(),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix("aside-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let dir = builder.tempdir_in(above)?;
        // It has its name only when it is locked, so that nobody takes the folder for one that was left.
        let (new, named) = (dir.path().join("lock.new"), dir.path().join(LOCK));
        let lock = system.files.create_new(&new)?;
        lock.lock()?;
        #[expect(clippy::disallowed_methods, reason = "this is the seam that the rule points to")]
        std::fs::rename(new, named)?;
        Ok(Self { dir, _lock: lock })
    }

    /// Where a file of that name lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

/// Removes the folders of processes that are gone.
#[expect(clippy::disallowed_methods, reason = "this is the seam that the rule points to")]
fn sweep(above: &Path) {
    for entry in std::fs::read_dir(above).into_iter().flatten().flatten() {
        let dir = entry.path();
        let Ok(lock) = File::open(dir.join(LOCK)) else { continue };
        match lock.try_lock() {
            Ok(()) => {
                if let Err(error) = std::fs::remove_dir_all(&dir) {
                    tracing::debug!(%error, "a folder that is not used any more stays");
                }
            }
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Dirs;

    #[test]
    fn it_is_private_and_goes_with_its_owner_or_the_next() {
        let home = tempfile::tempdir().unwrap();
        let mut system = System::real();
        system.dirs = Dirs::below(home.path());
        let first = Scratch::new(&system).unwrap();
        let path = first.path("x");
        system.files.create_new(&path).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            for dir in [path.parent().unwrap(), &home.path().join(ABOVE)] {
                assert_eq!(dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
            }
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
        // One that is in use stays when another is made.
        let second = Scratch::new(&system).unwrap();
        assert!(path.exists());
        drop(first);
        assert!(!path.parent().unwrap().exists());
        drop(second);
        // What a process that was killed has left.
        let left = home.path().join(ABOVE).join("aside-left");
        system.files.create_dir(&left).unwrap();
        system.files.create_new(&left.join(LOCK)).unwrap();
        system.files.create_new(&left.join("1.log")).unwrap();
        drop(Scratch::new(&system).unwrap());
        assert!(!left.exists());
    }
}
