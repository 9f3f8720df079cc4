//! The commands that tools start, each with everything that it starts in turn.
//!
//! A command is a child of a warden: this program once more, behind a hidden word of its command line. The warden
//! adopts whatever its command leaves behind, also what left the session or forked twice, counts it, and kills all
//! of it when it is told to, or when the process that started it is gone, however that came about. So nothing
//! that a tool starts outlives Aside.
//!
//! It must never decide what may run. Next: `jobs/warden.rs`, the other side.

mod order;
#[cfg(unix)]
mod scope;
#[cfg(unix)]
mod table;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
mod warden;
#[cfg(windows)]
mod windows;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::watch;

/// The word that makes the program a warden.
pub const WORD: &str = "__run";

/// The variable that marks the processes of a command. Its value is the command's mark.
pub const MARK: &str = "ASIDE_TOOL";

/// How long a command may take to end by itself when it is told to.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// After a command has ended, something that it left running may still hold its output open.
const STRAGGLERS: Duration = Duration::from_millis(200);

/// Bytes of output that are taken at once.
const CHUNK: usize = 64 << 10;

/// What is to be run, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The program, by its path.
    pub program: PathBuf,
    /// What it is given.
    pub arguments: Vec<OsString>,
    /// The folder that it runs in.
    pub dir: PathBuf,
    /// All of its variables.
    pub env: Vec<(String, String)>,
    /// What it may take.
    pub limits: Limits,
    /// What its processes are known by: long and random.
    pub mark: String,
}

/// What a command may take, with everything that it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Processes at a time; with more, all are killed.
    pub processes: u32,
    /// Bytes of address space of each process.
    pub memory: Option<u64>,
    /// Open files of each process, which may raise it as far as the system lets.
    pub files: Option<u64>,
    /// Whether a control group is used where there is one to be had.
    pub grouping: Grouping,
}

/// Whether the system is asked to keep a command's processes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// Where it can.
    WherePossible,
    /// Not at all: they are found by their parents and their mark.
    Never,
}

/// Where a command's output goes. It is called on a thread of the command's own.
pub trait Sink: Send {
    /// Takes some output, of both streams in the order in which they were written.
    fn output(&mut self, bytes: &[u8]) -> Flow;
}

/// Whether a command goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// It does.
    GoOn,
    /// It is killed.
    Kill,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// By itself, with that code.
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// It could not be started.
    Failed(String),
    /// Nobody knows: its warden was killed.
    Lost,
}

/// How a command stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its process, once it runs.
    pub process: Option<u32>,
    /// How it ended. What it left running may go on, and speak.
    pub status: Option<Status>,
    /// Whether it was killed because there were too many processes.
    pub overcrowded: bool,
    /// Whether nothing of it is left.
    pub gone: bool,
    /// Whether something is left that could not be killed.
    pub escaped: bool,
}

/// How a command is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is asked to end, and killed after [`PATIENCE`].
    Gently,
    /// It is killed.
    Now,
}

/// One process of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// The name of its program, as the system cuts it; it may hold anything.
    pub name: String,
}

/// A command that was started. Dropping it stops it gently.
pub struct Job {
    #[cfg(unix)]
    inner: unix::Handle,
    #[cfg(windows)]
    inner: windows::Handle,
    standing: watch::Receiver<Standing>,
}

impl Job {
    /// Starts a command through `program`, which is Aside itself. What goes wrong is told as its status.
    pub fn start(program: PathBuf, order: Order, sink: Box<dyn Sink>) -> std::io::Result<Self> {
        let (told, standing) = watch::channel(Standing::default());
        #[cfg(unix)]
        let inner = unix::start(program, order, sink, told)?;
        #[cfg(windows)]
        let inner = windows::start(program, order, sink, told)?;
        Ok(Self { inner, standing })
    }

    /// How it stands now.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Waits until the command itself has ended and what it said is read. Cancel-safe.
    pub async fn ended(&self) -> Status {
        let mut standing = self.standing.clone();
        let ended = standing.wait_for(|standing| standing.status.is_some()).await;
        // Its thread tells a status before it ends, unless it panicked.
        ended.ok().and_then(|standing| standing.status.clone()).unwrap_or(Status::Lost)
    }

    /// Waits until nothing of it is left, or is known to have escaped. Cancel-safe.
    pub async fn gone(&self) {
        let mut standing = self.standing.clone();
        let _ = standing.wait_for(|standing| standing.gone || standing.escaped).await;
    }

    /// Ends it with everything that it started. Returns at once.
    pub fn stop(&self, how: Stop) {
        self.inner.stop(how);
    }

    /// Its processes that run now. Takes as long as a look at all processes of the system.
    pub fn processes(&self) -> Vec<Process> {
        self.inner.processes()
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("standing", &self.standing()).finish_non_exhaustive()
    }
}

/// The life of a warden, from the order on its standard input to the end of the last process.
pub fn warden() -> ExitCode {
    #[cfg(unix)]
    {
        warden::main()
    }
    #[cfg(windows)]
    {
        windows::warden()
    }
}
