//! Changes one of the user's files: under a lock, from the text as it stands, and whole or not at all.
//!
//! The lock is the system's own on a file beside it, so it ends with the process; that file is never removed.
//! What cannot be understood is never written, and nothing here blocks the thread that everything runs on.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Diagnostic;
use super::jsonc::JsoncError;
use super::load::read_text;
use crate::system::System;
use crate::system::files::Stamp;

/// How long another process may hold the lock.
const LOCK_WAIT: Duration = Duration::from_secs(30);
/// Between two tries: at first, and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LAST_PAUSE: Duration = Duration::from_millis(40);

/// Other programs take a folder of this name for their lock. One that was not touched for so long was left
/// behind by a crash.
const FOREIGN_LOCK_MS: u64 = 30_000;

/// Why a file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The platform tells no folder for it.
    #[error("there is no folder for it (neither HOME nor ASIDE_HOME is set)")]
    NoFolder,
    /// Somebody else changes it for too long.
    #[error("another process holds the lock {}", .0.display())]
    Locked(PathBuf),
    /// It is left as it is.
    #[error("it is left as it is, because it cannot be understood: {}", place(.0))]
    Unreadable(Diagnostic),
    /// It was given up while it waited for the lock.
    #[error("it was cancelled")]
    Cancelled,
    /// The system refused.
    #[error("{source} ({})", .path.display())]
    Io {
        /// What it refused.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn place(problem: &Diagnostic) -> String {
    let Diagnostic { path, line, column, message } = problem;
    match (line, column) {
        (0, _) => format!("{message} ({})", path.display()),
        (_, 0) => format!("{message} ({}, line {line})", path.display()),
        _ => format!("{message} ({}, line {line}, column {column})", path.display()),
    }
}

/// What an edit comes to: the text that is to be written, or nothing, and what its caller wants to know.
pub type Edited<T> = Result<(Option<String>, T), JsoncError>;

/// Changes the file at `path` by `edit`, which gets its text (`{}` where there is none yet). `cancel` is heard
/// as long as the lock is waited for; a change that has begun is carried out, also when this future is dropped.
pub async fn change<T: Send + 'static>(
    system: &System,
    path: &Path,
    cancel: &CancellationToken,
    edit: impl FnOnce(&str) -> Edited<T> + Send + 'static,
) -> Result<T, ChangeError> {
    let target = system.files.target(path);
    let failed = |source| ChangeError::Io { path: target.clone(), source };
    if let Some(dir) = target.parent() {
        system.files.create_dir(dir).map_err(failed)?;
    }
    let lock_path = beside(&target, "lock");
    let lock = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(ChangeError::Cancelled),
        lock = lock(system, &lock_path) => lock?,
    };
    let (system, path, failed_in) = (system.clone(), path.to_path_buf(), target.clone());
    let changing = tokio::task::spawn_blocking(move || {
        let _lock = lock;
        apply(&system, &path, &target, edit)
    });
    // Only a panic of the edit ends it otherwise.
    changing
        .await
        .unwrap_or_else(|error| Err(ChangeError::Io { path: failed_in, source: io::Error::other(error) }))
}

fn apply<T>(
    system: &System,
    path: &Path,
    target: &Path,
    edit: impl FnOnce(&str) -> Edited<T>,
) -> Result<T, ChangeError> {
    let failed = |source| ChangeError::Io { path: target.to_path_buf(), source };
    let text = read_text(system, path).map_err(ChangeError::Unreadable)?;
    let text = text.filter(|text| !is_blank(text)).unwrap_or_else(|| "{}\n".into());
    let (changed, told) =
        edit(&text).map_err(|error| ChangeError::Unreadable(Diagnostic::at(path, error)))?;
    if let Some(changed) = changed {
        // What a process that was killed while it wrote has left, which may hold secrets. Nobody else writes
        // now; a folder that cannot be listed keeps it.
        for left in system.files.leftovers(target).unwrap_or_default() {
            if let Err(error) = system.files.remove(&left) {
                tracing::debug!(%error, "a temporary file stays");
            }
        }
        system.files.replace(target, changed.as_bytes()).map_err(failed)?;
    }
    Ok(told)
}

/// Whether a file holds nothing at all, which is as good as `{}`.
pub fn is_blank(text: &str) -> bool {
    text.trim_start_matches('\u{feff}').trim().is_empty()
}

/// The file at `path` with more at the end of its name.
fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(more);
    path.with_file_name(name)
}

/// Waits for a lock beside the file at `path` that is for `what` alone (part of a file's name) and keeps nobody from
/// changing the file. It is held until what is returned is dropped, or the process is gone.
pub async fn hold(system: &System, path: &Path, what: &str) -> Result<File, ChangeError> {
    let target = system.files.target(path);
    let failed = |source| ChangeError::Io { path: target.clone(), source };
    if let Some(dir) = target.parent() {
        system.files.create_dir(dir).map_err(failed)?;
    }
    lock(system, &beside(&target, &format!("{what}.lock"))).await
}

async fn lock(system: &System, path: &Path) -> Result<File, ChangeError> {
    let given_up = tokio::time::Instant::now() + LOCK_WAIT;
    let mut pause = FIRST_PAUSE;
    loop {
        match try_lock(system, path) {
            Ok(Some(file)) => return Ok(file),
            Ok(None) if tokio::time::Instant::now() >= given_up => {
                return Err(ChangeError::Locked(path.to_path_buf()));
            }
            Ok(None) => {}
            Err(source) => return Err(ChangeError::Io { path: path.to_path_buf(), source }),
        }
        // Those who wait must not all come back at the same moment.
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX).max(1);
        tokio::time::sleep(pause / 2 + Duration::from_micros(system.random.next_u64() % micros)).await;
        pause = (pause * 3 / 2).min(LAST_PAUSE);
    }
}

/// The lock, unless somebody else has it.
fn try_lock(system: &System, path: &Path) -> io::Result<Option<File>> {
    let file = system.files.open_lock(path)?;
    let opened = file.metadata().map(|metadata| Stamp::of(&metadata))?;
    if opened.is_dir {
        let age = u128::from(system.clock.now_ms()).saturating_sub(opened.modified_ns / 1_000_000);
        if age < u128::from(FOREIGN_LOCK_MS) {
            return Ok(None);
        }
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        // Some network file systems know no locks; a write is whole all the same.
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            tracing::warn!(path = %path.display(), "the file system knows no locks");
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Whoever tidies up may have removed it meanwhile; then the lock is on a file that nobody else will find.
    let same =
        system.files.stamp(path).is_ok_and(|now| (now.device, now.inode) == (opened.device, opened.inode));
    Ok(same.then_some(file))
}
