//! Logs: off unless asked for, on standard error or into a file, written by a thread of their own.
//!
//! Whoever logs never waits: lines that the thread cannot keep up with are dropped and counted.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::Env;

/// What is logged, in the syntax of `tracing`'s filters: `debug`, `aside::engine=trace`.
pub const ASIDE_LOG: &str = "ASIDE_LOG";
/// The file that the log goes into; standard error where it is not set.
pub const ASIDE_LOG_FILE: &str = "ASIDE_LOG_FILE";
/// Lines that may wait.
const WAITING: usize = 1_024;

/// Starts logging if the environment asks for it.
pub fn start(env: &Env) -> std::io::Result<()> {
    let Some(filter) = env.get(ASIDE_LOG) else { return Ok(()) };
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| std::io::Error::other(format!("{ASIDE_LOG} is not a filter: {error}")))?;
    let target: Box<dyn Write + Send> = match env.get(ASIDE_LOG_FILE).map(PathBuf::from) {
        Some(path) => Box::new(open(&path)?),
        None => Box::new(std::io::stderr()),
    };
    let (lines, waiting) = sync_channel(WAITING);
    std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&waiting, target))?;
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(Lines(lines));
    // A second start in one process keeps the first; that is a test's, and harmless.
    let _ = tracing::subscriber::set_global_default(subscriber.finish());
    Ok(())
}

/// The file, for the user alone.
fn open(path: &std::path::Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Lines that were dropped since the last that was written.
static DROPPED: AtomicU64 = AtomicU64::new(0);

struct Lines(SyncSender<Vec<u8>>);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(self.0.clone())
    }
}

/// One line; the subscriber writes it in one piece.
struct Line(SyncSender<Vec<u8>>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.try_send(bytes.to_vec()).is_err() {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn write_all(lines: &Receiver<Vec<u8>>, mut target: impl Write) {
    while let Ok(line) = lines.recv() {
        let dropped = DROPPED.swap(0, Ordering::Relaxed);
        let lost = if dropped > 0 { format!("({dropped} lines were dropped)\n") } else { String::new() };
        // A log that cannot be written has nobody to tell.
        let _ = target.write_all(lost.as_bytes()).and_then(|()| target.write_all(&line));
    }
}
