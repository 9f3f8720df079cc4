//! The commands of one session: those that run, those that were left running, and the last that ended. They are
//! stopped when their session is closed, and the system sees to it when this process ends.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::keep::Output;
use crate::system::System;
use crate::system::jobs::{Job, Stop};
use crate::system::scratch::Scratch;

/// Commands that run at a time in one session.
const RUNNING: usize = 32;
/// Commands that have ended and can still be asked for their output, each of which may have a file of 64 MiB.
const ENDED: usize = 6;

/// One command of the session.
pub struct Running {
    /// How the model and the person call it.
    pub number: u32,
    /// As the model wrote it.
    pub line: String,
    /// The folder that it runs in.
    pub folder: PathBuf,
    /// In milliseconds since the Unix epoch.
    pub started_ms: u64,
    pub output: Output,
    pub job: Job,
    /// Its file, which may not exist.
    file: Option<PathBuf>,
}

/// Where the output of the next command goes, and how that is called.
pub struct Place {
    pub number: u32,
    pub file: Option<PathBuf>,
}

/// The commands of one session. Dropping it stops them.
#[derive(Default)]
pub struct Processes {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    commands: VecDeque<Arc<Running>>,
    last: u32,
    /// Made when the first command runs.
    scratch: Option<Scratch>,
}

impl Processes {
    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes room for one more command. `None` where too many run already.
    pub fn place(&self, system: &System) -> Option<Place> {
        self.with(|inner| {
            inner.forget(system);
            if inner.commands.iter().filter(|command| !command.is_gone()).count() >= RUNNING {
                return None;
            }
            if inner.scratch.is_none() {
                match Scratch::new(system) {
                    Ok(scratch) => inner.scratch = Some(scratch),
                    Err(error) => tracing::debug!(%error, "there is no place for the output of commands"),
                }
            }
            inner.last += 1;
            let number = inner.last;
            let file = inner.scratch.as_ref().map(|scratch| scratch.path(&format!("{number}.log")));
            Some(Place { number, file })
        })
    }

    /// Adds a command that was started in that place.
    pub fn add(
        &self,
        place: Place,
        line: String,
        folder: PathBuf,
        started_ms: u64,
        output: Output,
        job: Job,
    ) -> Arc<Running> {
        let Place { number, file } = place;
        let running = Arc::new(Running { number, line, folder, started_ms, output, job, file });
        self.with(|inner| inner.commands.push_back(Arc::clone(&running)));
        running
    }

    /// Those that run, or of which something runs, and the last that have ended; the oldest first.
    pub fn list(&self) -> Vec<Arc<Running>> {
        self.with(|inner| inner.commands.iter().cloned().collect())
    }

    /// The command of that number.
    pub fn find(&self, number: u32) -> Option<Arc<Running>> {
        self.with(|inner| inner.commands.iter().find(|command| command.number == number).cloned())
    }

    /// Stops all of them, and returns at once.
    pub fn stop_all(&self) {
        for command in self.list() {
            command.job.stop(Stop::Gently);
        }
    }
}

impl Running {
    /// Whether nothing of it runs any more.
    pub fn is_gone(&self) -> bool {
        let standing = self.job.standing();
        standing.gone || standing.escaped
    }
}

impl Inner {
    /// Lets go of commands that ended long ago.
    fn forget(&mut self, system: &System) {
        let mut ended = self.commands.iter().filter(|command| command.is_gone()).count();
        self.commands.retain(|command| {
            if ended <= ENDED || !command.is_gone() {
                return true;
            }
            ended -= 1;
            if let Some(file) = &command.file
                && let Err(error) = system.files.remove(file)
            {
                // Most were never made.
                tracing::trace!(%error, "the file of a command's output");
            }
            false
        });
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.stop_all();
    }
}

impl std::fmt::Debug for Processes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Processes").finish_non_exhaustive()
    }
}
