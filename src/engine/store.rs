//! The durable store: one thread that appends records to session files, so that no disk is ever waited for by
//! the thread that streams.
//!
//! Policy: a person's message is written before its request goes out; partial text at the latest every 250 ms
//! or 8 KiB; flushed to the disk, grouped, at a person's message and at the end of a turn, never per delta.
//! `format.rs` says what the records are, `load.rs` reads them back.

pub mod format;
pub mod load;

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::item::{Failure, SessionId};
use crate::system::System;

/// Jobs that may wait for the thread. A session whose job does not fit keeps its text and tries again.
const QUEUE: usize = 4_096;
/// Bytes of one session that wait for a disk that fails, before they are given up.
const MAX_UNWRITTEN: usize = 4 << 20;
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

/// An open session file. [`Store::release`] frees its lock.
#[derive(Clone, Debug)]
pub struct SessionFile(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    open: Mutex<Open>,
    trouble: Mutex<Trouble>,
}

/// What is wrong with a file, for its session to see.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    /// Why what was appended is not all in the file now.
    pub failing: Option<String>,
    /// So much could not be written that it was given up: everything must be written anew.
    pub lost: bool,
}

/// The store's thread's side of a file.
#[derive(Debug)]
struct Open {
    file: File,
    /// What could not be written yet, and comes before anything else.
    unwritten: Vec<u8>,
    /// Half a line stands at the end and could not be taken back.
    torn: bool,
}

struct Job {
    file: SessionFile,
    bytes: Vec<u8>,
    durability: Durability,
    kind: JobKind,
    done: Vec<Done>,
}

/// Told when a job is done.
pub(super) type Done = oneshot::Sender<io::Result<()>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JobKind {
    Append,
    /// The bytes stand for everything before them.
    Anew,
    /// The last of this file: it is flushed and its lock freed.
    Release,
}

/// Whether what is appended stands for everything before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    More,
    Whole,
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

    /// Creates a session's file that begins with `head`, locked for this process. Blocks on the disk for one
    /// short moment, so that whoever hears of the session can open it, whatever becomes of this process.
    pub fn create(&self, session: &SessionId, head: &[u8]) -> Result<SessionFile, Failure> {
        let (Some(path), Some(dir)) = (self.path(session), self.dir()) else {
            return Err(Failure::storage(self.why_memory().unwrap_or("no folder").to_owned()));
        };
        let files = &self.system.files;
        let create = || {
            files.create_dir(dir)?;
            let mut file = files.create_new(&path)?;
            let begun = file.try_lock().map_err(io::Error::from).and_then(|()| files.append(&mut file, head));
            if begun.is_err() {
                // Or else it would be in the way of the next try.
                let _ = files.remove(&path);
            }
            begun.map(|()| file)
        };
        match create() {
            Ok(file) => Ok(SessionFile::adopt(file)),
            Err::<File, io::Error>(error) => {
                Err(Failure::storage(format!("cannot create {}: {error}", path.display())))
            }
        }
    }

    /// Appends. Returns what it was given when the queue is full, so that the caller can try again.
    pub(super) fn append(
        &self,
        file: &SessionFile,
        bytes: Vec<u8>,
        durability: Durability,
        part: Part,
        done: Vec<Done>,
    ) -> Result<(), (Vec<u8>, Vec<Done>)> {
        let kind = match part {
            Part::More => JobKind::Append,
            Part::Whole => JobKind::Anew,
        };
        let job = Job { file: file.clone(), bytes, durability, kind, done };
        match self.jobs.try_send(job) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(job) | mpsc::error::TrySendError::Closed(job)) => {
                Err((job.bytes, job.done))
            }
        }
    }

    /// Appends the last of a file. Resolves when everything is on the disk and the file's lock is free.
    pub async fn release(&self, file: &SessionFile, bytes: Vec<u8>) -> io::Result<()> {
        let (done, finished) = oneshot::channel();
        let job = Job {
            file: file.clone(),
            bytes,
            durability: Durability::Flushed,
            kind: JobKind::Release,
            done: vec![done],
        };
        self.jobs.send(job).await.map_err(|_| io::Error::other("the store has ended"))?;
        finished.await.map_err(|_| io::Error::other("the store has ended"))?
    }

    /// The world that the store works in.
    pub fn system(&self) -> &System {
        &self.system
    }
}

impl SessionFile {
    /// Takes a file that is open and locked.
    pub(super) fn adopt(file: File) -> Self {
        let open = Mutex::new(Open { file, unwritten: Vec::new(), torn: false });
        Self(Arc::new(Shared { open, trouble: Mutex::default() }))
    }

    /// What is wrong with it now.
    pub fn trouble(&self) -> Trouble {
        self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes, after what could not be written before.
    fn write(&self, bytes: Vec<u8>, kind: JobKind, files: &dyn crate::system::Files) -> io::Result<()> {
        let mut open = self.open();
        // Taken for moments only, never over a write: the session looks at it from the thread that streams.
        let trouble = || self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if kind == JobKind::Anew {
            open.unwritten.clear();
            trouble().lost = false;
        }
        if trouble().lost {
            // A gap in the middle would be worse than an end that is missing.
            return Err(io::Error::other("too much could not be written before"));
        }
        if open.unwritten.is_empty() {
            open.unwritten = bytes;
        } else {
            open.unwritten.extend(bytes);
        }
        let result = open.write(files);
        let lost = result.is_err() && open.unwritten.len() > MAX_UNWRITTEN;
        if lost {
            open.unwritten = Vec::new();
        }
        *trouble() = Trouble { failing: result.as_ref().err().map(ToString::to_string), lost };
        result
    }
}

impl Open {
    fn write(&mut self, files: &dyn crate::system::Files) -> io::Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        if self.torn {
            files.append(&mut self.file, b"\n")?;
            self.torn = false;
        }
        let before = self.file.metadata().map(|metadata| metadata.len());
        let result = files.append(&mut self.file, &self.unwritten);
        if result.is_ok() {
            self.unwritten = Vec::new();
        } else {
            // What half arrived is taken back, so that it is not there twice afterwards.
            self.torn = before.and_then(|length| self.file.set_len(length)).is_err();
        }
        result
    }
}

/// A file that is to be flushed, and who waits for that.
struct Flush {
    file: SessionFile,
    written: io::Result<()>,
    done: Vec<Done>,
}

/// The thread: writes whatever waits, and flushes files while nothing waits, so that what a slow disk delays
/// is only its own safety: the end of the process loses nothing that was handed over.
fn run(mut queue: mpsc::Receiver<Job>, files: &dyn crate::system::Files) {
    let mut flushes: VecDeque<Flush> = VecDeque::new();
    let mut jobs_since_flush = 0;
    loop {
        let job = if flushes.is_empty() {
            queue.blocking_recv()
        } else if jobs_since_flush < QUEUE {
            queue.try_recv().ok()
        } else {
            None
        };
        let Some(job) = job else {
            jobs_since_flush = 0;
            let Some(Flush { file, written, done }) = flushes.pop_front() else { return };
            let flushed = files.sync(&file.open().file);
            if let Err(error) = &flushed {
                tracing::warn!(%error, "a session file could not be flushed");
            }
            tell(done, &written.and(flushed));
            continue;
        };
        jobs_since_flush += 1;
        let written = job.file.write(job.bytes, job.kind, files);
        if job.kind == JobKind::Release {
            // Clones may live on, and with them the open file.
            if let Err(error) = job.file.open().file.unlock() {
                tracing::warn!(%error, "a session file could not be unlocked");
            }
            flushes.push_back(Flush { file: job.file, written, done: job.done });
            continue;
        }
        let is_flushed = |flush: &Flush| Arc::ptr_eq(&flush.file.0, &job.file.0);
        let flush =
            job.durability == Durability::Flushed && written.is_ok() && !flushes.iter().any(is_flushed);
        tell(job.done, &written);
        if flush {
            flushes.push_back(Flush { file: job.file, written: Ok(()), done: Vec::new() });
        }
    }
}

fn tell(done: Vec<Done>, result: &io::Result<()>) {
    for done in done {
        let result = match result {
            Ok(()) => Ok(()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        // Whoever asked may have been cancelled meanwhile.
        let _ = done.send(result);
    }
}
