//! The durable store: one thread that appends records to session files, so that no disk is ever waited for by
//! the thread that streams.
//!
//! Policy: a person's message is written before its request goes out; partial text at the latest every 250 ms
//! or 8 KiB; flushed to the disk, grouped, at a person's message and at the end of a turn, never per delta.
//! `format.rs` says what the records are, `load.rs` reads them back.

pub mod format;
pub mod load;

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::item::{Failure, SessionId};
use crate::system::System;

/// Jobs that may wait for the thread. A session whose job does not fit keeps its text and tries again.
const QUEUE: usize = 4_096;
/// The stack of the store's thread, in bytes: it only formats paths and writes.
const STACK: usize = 256 << 10;

/// A handle on the store. Cloning is cheap.
#[derive(Clone)]
pub struct Store {
    dir: Option<Arc<PathBuf>>,
    /// Why there is no folder, for the person.
    why_memory: Option<Arc<str>>,
    jobs: mpsc::Sender<Job>,
    system: System,
}

/// An open session file. The last clone's end closes it and frees its lock.
#[derive(Clone, Debug)]
pub struct SessionFile(Arc<Mutex<File>>);

struct Job {
    file: SessionFile,
    bytes: Vec<u8>,
    durability: Durability,
    done: Option<oneshot::Sender<io::Result<()>>>,
}

/// How safe a record must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Safe from the end of the process.
    Written,
    /// Safe from the end of the machine too, soon after.
    Flushed,
}

impl Store {
    /// Starts the store's thread. Touches no file yet.
    pub fn start(system: &System) -> Self {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let files = Arc::clone(&system.files);
        let thread = std::thread::Builder::new().name("store".to_owned()).stack_size(STACK);
        let started = thread.spawn(move || run(queue, files.as_ref()));
        let (dir, why_memory) = match (&system.dirs.data, started) {
            (_, Err(error)) => (None, Some(format!("no thread could be started: {error}").into())),
            (None, _) => (None, Some("the platform tells no folder (HOME is not set)".into())),
            (Some(data), Ok(_)) => (Some(Arc::new(data.join("sessions"))), None),
        };
        Self { dir, why_memory, jobs, system: system.clone() }
    }

    /// The folder of the session files.
    pub fn dir(&self) -> Option<&PathBuf> {
        self.dir.as_deref()
    }

    /// Why sessions are only kept in memory, where they are.
    pub fn why_memory(&self) -> Option<&str> {
        self.why_memory.as_deref()
    }

    /// Where a session is kept.
    pub fn path(&self, session: &SessionId) -> Option<PathBuf> {
        self.dir.as_ref().map(|dir| dir.join(format!("{session}.jsonl")))
    }

    /// Creates a session's file, locked for this process. Blocks on the disk for one short moment.
    pub fn create(&self, session: &SessionId) -> Result<SessionFile, Failure> {
        let (Some(path), Some(dir)) = (self.path(session), self.dir()) else {
            return Err(Failure::storage(self.why_memory().unwrap_or("no folder").to_owned()));
        };
        let create = || {
            self.system.files.create_dir(dir)?;
            let file = self.system.files.create_new(&path)?;
            file.try_lock().map_err(io::Error::from)?;
            Ok(file)
        };
        match create() {
            Ok(file) => Ok(SessionFile(Arc::new(Mutex::new(file)))),
            Err::<File, io::Error>(error) => {
                Err(Failure::storage(format!("cannot create {}: {error}", path.display())))
            }
        }
    }

    /// Appends. Returns the bytes when the queue is full, so that the caller can try again.
    pub fn append(
        &self,
        file: &SessionFile,
        bytes: Vec<u8>,
        durability: Durability,
        done: Option<oneshot::Sender<io::Result<()>>>,
    ) -> Result<(), Vec<u8>> {
        let job = Job { file: file.clone(), bytes, durability, done };
        match self.jobs.try_send(job) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job)) => {
                Err(job.bytes)
            }
        }
    }

    /// Resolves when everything appended so far is on the disk. The last that is asked for a file: it is free
    /// for others then.
    pub async fn settled(&self, file: &SessionFile) -> io::Result<()> {
        let (done, finished) = oneshot::channel();
        let job =
            Job { file: file.clone(), bytes: Vec::new(), durability: Durability::Flushed, done: Some(done) };
        self.jobs.send(job).await.map_err(|_| io::Error::other("the store has ended"))?;
        finished.await.map_err(|_| io::Error::other("the store has ended"))?
    }

    /// The world that the store works in.
    pub fn system(&self) -> &System {
        &self.system
    }
}

impl SessionFile {
    /// Takes a file that `load` has opened and locked.
    pub(super) fn adopt(file: File) -> Self {
        Self(Arc::new(Mutex::new(file)))
    }
}

/// The thread: writes what waits, then flushes each file once that asked for it.
fn run(mut queue: mpsc::Receiver<Job>, files: &dyn crate::system::Files) {
    let mut batch: Vec<Job> = Vec::new();
    while let Some(first) = queue.blocking_recv() {
        batch.push(first);
        while batch.len() < QUEUE {
            match queue.try_recv() {
                Ok(job) => batch.push(job),
                Err(_) => break,
            }
        }
        let mut flush: Vec<SessionFile> = Vec::new();
        for job in batch.drain(..) {
            let mut file = job.file.0.lock().unwrap_or_else(PoisonError::into_inner);
            let written = if job.bytes.is_empty() { Ok(()) } else { files.append(&mut file, &job.bytes) };
            drop(file);
            let wants_flush = job.durability == Durability::Flushed && written.is_ok();
            if let Some(done) = job.done {
                // Whoever asked may have been cancelled meanwhile.
                let _ = done.send(if job.bytes.is_empty() && wants_flush {
                    settle(&job.file, files)
                } else {
                    written
                });
            }
            if wants_flush
                && !job.bytes.is_empty()
                && !flush.iter().any(|file| Arc::ptr_eq(&file.0, &job.file.0))
            {
                flush.push(job.file);
            }
        }
        for file in flush {
            if let Err(error) = sync(&file, files) {
                tracing::warn!(%error, "a session file could not be flushed");
            }
        }
    }
}

/// Flushes a file for the last time, and frees it: other jobs of this batch may still hold it, and whoever is
/// told that it is settled may open it again at once.
fn settle(file: &SessionFile, files: &dyn crate::system::Files) -> io::Result<()> {
    let file = file.0.lock().unwrap_or_else(PoisonError::into_inner);
    let flushed = files.sync(&file);
    // Without a lock there is nothing to free.
    let _ = file.unlock();
    flushed
}

fn sync(file: &SessionFile, files: &dyn crate::system::Files) -> io::Result<()> {
    files.sync(&file.0.lock().unwrap_or_else(PoisonError::into_inner))
}
