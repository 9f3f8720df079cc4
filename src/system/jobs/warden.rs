//! The warden: the process between Aside and a command.
//!
//! It is told what to run on its standard input, which is a socket; its two outputs are the command's. It adopts
//! what the command leaves behind, so the system itself says when nothing is left. When the socket closes, whoever
//! started it is gone, and all is ended. It must never outlive its last process, nor its purpose.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process_group, setsid, wait};
use tokio::time::Instant;

use super::scope::Scope;
use super::{Grouping, Order, PATIENCE, table};
use crate::system::os::child::{Birth, keep_descriptors, prepare};

/// What it is told, one byte each.
pub(super) const GENTLY: u8 = b'T';
pub(super) const NOW: u8 = b'K';

/// What it tells: a line of a letter and, for some, a number or a reason.
pub(super) const STARTED: char = 'S';
pub(super) const FAILED: char = 'F';
pub(super) const CODE: char = 'X';
pub(super) const SIGNAL: char = 'G';
pub(super) const OVERCROWDED: char = 'P';
pub(super) const EMPTY: char = 'E';

/// How long processes may take to end by themselves when nobody waits for them any more.
const FAREWELL: Duration = Duration::from_millis(250);
/// Between two rounds of killing.
const ROUND: Duration = Duration::from_millis(10);
/// The same, once that has not helped for a while.
const LATER: Duration = Duration::from_millis(500);
/// How many rounds are made at the faster pace.
const ROUNDS: u32 = 500;
/// How often processes are counted, at most and at least.
const SOON: Duration = Duration::from_millis(25);
const SELDOM: Duration = Duration::from_millis(200);
/// Elsewhere a count starts a process.
const WITHOUT_A_NUMBER: Duration = Duration::from_secs(2);

pub(super) fn main() -> ExitCode {
    let Ok(control) = take_input() else { return ExitCode::FAILURE };
    let Ok(order) = Order::read(&mut &control) else { return ExitCode::FAILURE };
    match run(&control, &order) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&control, FAILED, &error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// The socket on the standard input, in whose place nothing stays.
fn take_input() -> std::io::Result<UnixStream> {
    let control = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    rustix::stdio::dup2_stdin(nothing()?)?;
    Ok(UnixStream::from(control))
}

fn nothing() -> std::io::Result<std::fs::File> {
    std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")
}

/// Nobody may be there to be told any more.
fn tell(mut control: &UnixStream, letter: char, what: &str) {
    let line: String = what.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let _ = control.write_all(format!("{letter}{line}\n").as_bytes());
}

fn run(control: &UnixStream, order: &Order) -> std::io::Result<()> {
    // Out of reach of what is typed at the terminal that Aside may have been started at, and of a command that
    // signals its group.
    let _ = setsid();
    keep_descriptors();
    #[cfg(target_os = "linux")]
    {
        rename();
        rustix::process::set_child_subreaper(Some(getpid()))?;
        // One that was stopped cannot hear that the socket closed; this wakes it, and disturbs nobody else.
        rustix::process::set_parent_process_death_signal(Some(Signal::CONT))?;
    }
    let scope = match order.limits.grouping {
        Grouping::WherePossible => Scope::new(&order.limits),
        Grouping::Never => None,
    };
    #[expect(clippy::disallowed_methods, reason = "this is the seam that the rule points to")]
    let mut command = Command::new(&order.program);
    command
        .args(&order.arguments)
        .current_dir(&order.dir)
        .env_clear()
        .envs(order.env.iter().map(|(name, value)| (name, value)))
        .env(super::MARK, &order.mark)
        .stdin(Stdio::null());
    if let Some(name) = order.program.file_name() {
        command.arg0(name);
    }
    let birth = Birth {
        files: order.limits.files,
        memory: order.limits.memory,
        group: scope.as_ref().and_then(Scope::entrance),
    };
    prepare(&mut command, birth);
    let child = command.spawn()?;
    drop(command);
    // Only the command's processes hold its output open.
    let nothing = nothing()?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&nothing)?;
    let leader = Pid::from_child(&child);
    tell(control, STARTED, &leader.as_raw_nonzero().to_string());
    let scope = scope.map(Arc::new);
    let guard = Guard {
        control: control.try_clone()?,
        scope: scope.clone(),
        leader,
        leads: Arc::new(AtomicBool::new(true)),
        limit: order.limits.processes as usize,
    };
    let leads = Arc::clone(&guard.leads);
    std::thread::Builder::new().name("guard".to_owned()).spawn(move || guard.watch())?;
    // This thread gave birth, so it must stay: the command dies with it.
    reap(leader, &leads, control);
    // A group cannot be removed while one that was just waited for is still counted; it is tried in vain then,
    // and removed by the next warden.
    drop(scope);
    tell(control, EMPTY, "");
    Ok(())
}

/// Does not answer to Aside's own name: who kills that by its name shall not kill the wardens with it.
#[cfg(target_os = "linux")]
fn rename() {
    #[expect(clippy::disallowed_methods, reason = "a file of the kernel, not of the user")]
    let _ = std::fs::write("/proc/self/comm", "tool-warden");
}

/// Waits for every process, the command's own and those that were orphaned, until there is none.
fn reap(leader: Pid, leads: &AtomicBool, control: &UnixStream) {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == leader => {
                leads.store(false, Ordering::Release);
                if let Some(signal) = status.terminating_signal() {
                    tell(control, SIGNAL, &signal.to_string());
                } else {
                    tell(control, CODE, &status.exit_status().unwrap_or(0).to_string());
                }
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            // No child is left, so no descendant is.
            Err(_) => return,
        }
    }
}

/// Hears what the warden is told, counts, and kills.
struct Guard {
    control: UnixStream,
    scope: Option<Arc<Scope>>,
    leader: Pid,
    /// Whether the command itself still runs, so that its number is its own.
    leads: Arc<AtomicBool>,
    limit: usize,
}

impl Guard {
    fn watch(mut self) {
        let mut kill_at: Option<Instant> = None;
        let mut rounds = 0;
        let mut count = Count::new();
        let mut listening = true;
        loop {
            let now = Instant::now();
            let timeout = match kill_at {
                Some(at) => at.saturating_duration_since(now),
                None => count.pause,
            };
            if listening && self.is_told(timeout) {
                match self.heard() {
                    Some(GENTLY) => kill_at = Some(self.ask_to_end(kill_at, now + PATIENCE)),
                    Some(NOW) => kill_at = Some(now),
                    Some(_) => {}
                    None => {
                        // Whoever started this is gone, and may not have had the time to say so.
                        listening = false;
                        kill_at = Some(self.ask_to_end(kill_at, now + FAREWELL));
                    }
                }
            } else if !listening {
                std::thread::sleep(timeout);
            }
            match kill_at {
                Some(at) if at <= Instant::now() => {
                    self.kill();
                    rounds += 1;
                    kill_at = Some(Instant::now() + if rounds < ROUNDS { ROUND } else { LATER });
                }
                None if count.is_over(self.limit) => {
                    tell(&self.control, OVERCROWDED, "");
                    kill_at = Some(Instant::now());
                }
                Some(_) | None => {}
            }
        }
    }

    fn is_told(&self, timeout: Duration) -> bool {
        let mut polled = [PollFd::new(&self.control, PollFlags::IN)];
        let timeout = Timespec::try_from(timeout).ok();
        poll(&mut polled, timeout.as_ref()).is_ok_and(|ready| ready > 0)
    }

    /// What was said; `None` when nobody is there any more.
    fn heard(&mut self) -> Option<u8> {
        let mut byte = [0];
        match self.control.read(&mut byte) {
            Ok(0) => None,
            Ok(_) => byte.first().copied(),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Some(0),
            Err(_) => None,
        }
    }

    /// Asks all to end; when they are killed is what is earlier.
    fn ask_to_end(&self, killed: Option<Instant>, at: Instant) -> Instant {
        if killed.is_none() {
            // One that is stopped hears nothing until it goes on.
            for signal in [Signal::TERM, Signal::CONT] {
                self.signal_group(signal);
                for entry in self.others() {
                    entry.signal(signal);
                }
            }
        }
        killed.map_or(at, |killed| killed.min(at))
    }

    fn signal_group(&self, signal: Signal) {
        if self.leads.load(Ordering::Acquire) {
            // It may have ended just now, and then nobody else has its number yet.
            let _ = kill_process_group(self.leader, signal);
        }
    }

    /// All that descend from the command and are not in its session, or all once it has ended.
    fn others(&self) -> Vec<table::Entry> {
        let leads = self.leads.load(Ordering::Acquire);
        let leader = self.leader.as_raw_nonzero().get();
        let mut all = table::descendants(getpid().as_raw_nonzero().get());
        all.retain(|entry| !(entry.is_zombie || leads && entry.session == leader));
        all
    }

    /// One round: those that fork while they are killed are met in the next.
    fn kill(&self) {
        // The one call that reaches all of a group at once, and what no process can leave.
        self.signal_group(Signal::KILL);
        if let Some(scope) = &self.scope {
            scope.kill();
        }
        for entry in table::descendants(getpid().as_raw_nonzero().get()) {
            entry.signal(Signal::KILL);
        }
    }
}

/// Counts processes, but only when so many were started anywhere that there could be too many.
struct Count {
    pause: Duration,
    /// The number of the newest process when they were counted, and when that was looked at.
    counted: Option<i64>,
    looked: Option<i64>,
}

impl Count {
    fn new() -> Self {
        let newest = table::newest();
        Self { pause: SOON, counted: newest, looked: newest }
    }

    fn is_over(&mut self, limit: usize) -> bool {
        let newest = table::newest();
        // Numbers start again at the bottom, which looks like very many.
        let since = |before: Option<i64>| match (newest, before) {
            (Some(newest), Some(before)) if newest >= before => usize::try_from(newest - before).ok(),
            _ => None,
        };
        let busy = since(self.looked).is_none_or(|started| started > 16);
        self.pause = match newest {
            None => WITHOUT_A_NUMBER,
            Some(_) if busy => SOON,
            Some(_) => (self.pause * 2).min(SELDOM),
        };
        self.looked = newest;
        if since(self.counted).is_some_and(|started| started < limit / 4) {
            return false;
        }
        self.counted = newest;
        let all = table::descendants(getpid().as_raw_nonzero().get());
        all.iter().filter(|entry| !entry.is_zombie).count() > limit
    }
}
