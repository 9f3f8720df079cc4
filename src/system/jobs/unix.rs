//! Aside's side of a warden: a thread of its own that starts it, hears it, and reads what the command says.
//!
//! The thread lives as long as its warden, so that the signal that a warden gets at the death of its parent, which
//! is its parent's thread, means what it says. It must never wait for the end of the output alone: that may be held
//! open by what the command left running.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use tokio::sync::watch;
use tokio::time::Instant;

use super::warden::{CODE, EMPTY, FAILED, GENTLY, NOW, OVERCROWDED, SIGNAL, STARTED};
use super::{CHUNK, Flow, Order, PATIENCE, Process, STRAGGLERS, Sink, Standing, Status, Stop, WORD, table};

/// A warden that is told to end everything has that long beyond the patience that it is to have; then it is not
/// believed to be well.
const TRUST: Duration = Duration::from_secs(1);
/// How often what it left is then looked for, and how long between.
const SWEEPS: u32 = 100;
const BETWEEN_SWEEPS: Duration = Duration::from_millis(10);
/// How often nothing must be found: a process that is just changing its program shows no mark.
const CLEAN_SWEEPS: u32 = 3;
/// What a warden says at once, in bytes; one line is some dozens.
const LINES: usize = 4096;

/// What a [`Job`] holds. The thread hears when it is dropped.
pub(super) struct Handle {
    orders: UnixStream,
    warden: Arc<AtomicU32>,
}

impl Handle {
    pub(super) fn stop(&self, how: Stop) {
        let byte = match how {
            Stop::Gently => GENTLY,
            Stop::Now => NOW,
        };
        // The thread may have ended; then so has the command. A socket that is full has been told often enough.
        let _ = (&self.orders).write(&[byte]);
    }

    pub(super) fn processes(&self) -> Vec<Process> {
        match self.warden.load(Ordering::Acquire) {
            0 => Vec::new(),
            warden => table::descendants(i32::try_from(warden).unwrap_or(0))
                .into_iter()
                .filter(|entry| !entry.is_zombie)
                .map(|entry| Process { id: entry.id.unsigned_abs(), name: entry.name })
                .collect(),
        }
    }
}

pub(super) fn start(
    program: PathBuf,
    order: Order,
    sink: Box<dyn Sink>,
    standing: watch::Sender<Standing>,
) -> std::io::Result<Handle> {
    let (orders, heard) = UnixStream::pair()?;
    orders.set_nonblocking(true)?;
    let warden = Arc::new(AtomicU32::new(0));
    let number = Arc::clone(&warden);
    let work = move || {
        let failed = |error: std::io::Error| {
            standing.send_modify(|standing| {
                standing.status.get_or_insert(Status::Failed(error.to_string()));
                standing.gone = true;
            });
        };
        match Keeper::new(program, &order, sink, standing.clone(), heard) {
            Ok(mut keeper) => {
                number.store(keeper.warden.id(), Ordering::Release);
                keeper.keep();
                number.store(0, Ordering::Release);
            }
            Err(error) => failed(error),
        }
    };
    std::thread::Builder::new().name("tool".to_owned()).stack_size(256 << 10).spawn(work)?;
    Ok(Handle { orders, warden })
}

/// What the thread owns.
struct Keeper {
    warden: Child,
    mark: String,
    control: UnixStream,
    /// Unread bytes of the warden.
    said: Vec<u8>,
    output: Option<OwnedFd>,
    sink: Box<dyn Sink>,
    standing: watch::Sender<Standing>,
    /// What the job's handle tells; gone once it was dropped.
    orders: Option<UnixStream>,
    /// How the command ended, until that is told.
    ended: Option<(Status, Instant)>,
    /// When the warden is given up.
    deadline: Option<Instant>,
    empty: bool,
}

impl Keeper {
    fn new(
        program: PathBuf,
        order: &Order,
        sink: Box<dyn Sink>,
        standing: watch::Sender<Standing>,
        orders: UnixStream,
    ) -> std::io::Result<Self> {
        let (control, theirs) = UnixStream::pair()?;
        let (output, written) = std::io::pipe()?;
        #[expect(clippy::disallowed_methods, reason = "this is the seam that the rule points to")]
        let mut command = std::process::Command::new(program);
        command
            .arg0("aside")
            .arg(WORD)
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(written.try_clone()?)
            .stderr(written);
        let warden = command.spawn()?;
        // With it goes this process's own end of the output.
        drop(command);
        let mut keeper = Self {
            warden,
            mark: order.mark.clone(),
            control,
            said: Vec::new(),
            output: Some(output.into()),
            sink,
            standing,
            orders: Some(orders),
            ended: None,
            deadline: None,
            empty: false,
        };
        // A warden that does not read is not one.
        keeper.control.set_write_timeout(Some(PATIENCE + TRUST))?;
        if let Err(error) = order.write(&mut &keeper.control) {
            keeper.bury();
            return Err(error);
        }
        keeper.control.set_nonblocking(true)?;
        Ok(keeper)
    }

    /// Until nothing is left of the command, and what it said is read.
    fn keep(&mut self) {
        let mut chunk = vec![0; CHUNK];
        while let Some(ready) = self.wait() {
            if ready.control && !self.hear_warden() {
                break;
            }
            if ready.orders {
                self.hear_orders();
            }
            if ready.output {
                self.read(&mut chunk);
            }
            let now = Instant::now();
            let settled = self.output.is_none();
            if let Some((status, _)) = self.ended.take_if(|(_, until)| settled || *until <= now) {
                self.tell(|standing| standing.status = Some(status));
            }
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                tracing::debug!("a tool's warden did not end its processes in time");
                break;
            }
        }
        self.bury();
        let escaped = !self.empty && !self.sweep();
        // What is still in the pipe was said before the end.
        let until = Instant::now() + STRAGGLERS;
        while Instant::now() < until && self.wait_for_output(until) {
            self.read(&mut chunk);
        }
        let status = self.ended.take().map_or(Status::Lost, |(status, _)| status);
        self.tell(|standing| {
            standing.status.get_or_insert(status);
            standing.gone = !escaped;
            standing.escaped = escaped;
        });
    }

    fn tell(&self, change: impl FnOnce(&mut Standing)) {
        self.standing.send_modify(change);
    }

    /// What can be read now, or nothing when it is time for something else. `None` where nothing can be waited
    /// for.
    fn wait(&self) -> Option<Ready> {
        let mut polled = vec![PollFd::new(&self.control, PollFlags::IN)];
        let output = self.output.as_ref().map(|output| {
            polled.push(PollFd::new(output, PollFlags::IN));
            polled.len() - 1
        });
        let orders = self.orders.as_ref().map(|orders| {
            polled.push(PollFd::new(orders, PollFlags::IN));
            polled.len() - 1
        });
        let until = [self.ended.as_ref().map(|(_, until)| *until), self.deadline].into_iter().flatten().min();
        let timeout = until.map(|until| until.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Some(Ready::default()),
            Err(_) => return None,
        }
        let is_ready = |at: usize| polled.get(at).is_some_and(|polled| !polled.revents().is_empty());
        Some(Ready {
            control: is_ready(0),
            output: output.is_some_and(is_ready),
            orders: orders.is_some_and(is_ready),
        })
    }

    fn wait_for_output(&self, until: Instant) -> bool {
        let Some(output) = &self.output else { return false };
        let timeout = Timespec::try_from(until.saturating_duration_since(Instant::now())).ok();
        poll(&mut [PollFd::new(output, PollFlags::IN)], timeout.as_ref()).is_ok_and(|ready| ready > 0)
    }

    fn read(&mut self, chunk: &mut [u8]) {
        let Some(output) = &self.output else { return };
        match rustix::io::read(output, &mut *chunk) {
            Ok(0) => self.output = None,
            Ok(count) => {
                let flow = self.sink.output(chunk.get(..count).unwrap_or_default());
                if flow == Flow::Kill && self.deadline.is_none() {
                    self.order(NOW);
                }
            }
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
            Err(_) => self.output = None,
        }
    }

    /// Whether the warden is still there.
    fn hear_warden(&mut self) -> bool {
        let mut part = [0; 256];
        match self.control.read(&mut part) {
            Ok(0) => return false,
            Ok(count) => self.said.extend_from_slice(part.get(..count).unwrap_or_default()),
            Err(error) => {
                let later = [std::io::ErrorKind::WouldBlock, std::io::ErrorKind::Interrupted];
                return later.contains(&error.kind());
            }
        }
        while let Some(at) = memchr::memchr(b'\n', &self.said) {
            let line: Vec<u8> = self.said.drain(..=at).collect();
            self.understand(String::from_utf8_lossy(&line).trim_end());
        }
        self.said.len() < LINES
    }

    fn understand(&mut self, line: &str) {
        let mut rest = line.chars();
        let letter = rest.next().unwrap_or_default();
        let rest = rest.as_str();
        let ends = |status| Some((status, Instant::now() + STRAGGLERS));
        match letter {
            STARTED => self.tell(|standing| standing.process = rest.parse().ok()),
            FAILED => self.ended = ends(Status::Failed(rest.to_owned())),
            CODE => self.ended = ends(rest.parse().map_or(Status::Lost, Status::Code)),
            SIGNAL => self.ended = ends(rest.parse().map_or(Status::Lost, Status::Signal)),
            OVERCROWDED => {
                self.tell(|standing| standing.overcrowded = true);
                self.trust_until(TRUST);
            }
            EMPTY => self.empty = true,
            _ => {}
        }
        if letter == FAILED {
            self.empty = true;
        }
    }

    fn hear_orders(&mut self) {
        let Some(orders) = &mut self.orders else { return };
        let mut bytes = [0; 16];
        match orders.read(&mut bytes) {
            Ok(0) => {
                self.orders = None;
                self.order(GENTLY);
            }
            Ok(count) if bytes.iter().take(count).any(|byte| *byte == NOW) => self.order(NOW),
            Ok(_) => self.order(GENTLY),
            Err(_) => {}
        }
    }

    fn order(&mut self, byte: u8) {
        // One that is stopped would not hear it.
        self.signal_warden(Signal::CONT);
        // Of one that does not hear at all, the deadline takes care.
        let _ = self.control.write(&[byte]);
        self.trust_until(if byte == GENTLY { PATIENCE + TRUST } else { TRUST });
    }

    fn trust_until(&mut self, time: Duration) {
        let until = Instant::now() + time;
        self.deadline = Some(self.deadline.map_or(until, |deadline| deadline.min(until)));
    }

    fn signal_warden(&self, signal: Signal) {
        // It is waited for only in `bury`, so its number is still its own.
        let _ = rustix::process::kill_process(rustix::process::Pid::from_child(&self.warden), signal);
    }

    /// Ends the warden, which is mostly ending by itself.
    fn bury(&mut self) {
        if !self.empty {
            self.signal_warden(Signal::KILL);
        }
        let _ = self.warden.wait();
    }

    /// Kills what a warden that was itself killed has left: by its session and its mark. Whether nothing is left.
    fn sweep(&self) -> bool {
        let session = self.standing.borrow().process.and_then(|process| i32::try_from(process).ok());
        let mut clean = 0;
        for _ in 0..SWEEPS {
            let left = table::marked(&self.mark, session);
            clean = if left.is_empty() { clean + 1 } else { 0 };
            if clean == CLEAN_SWEEPS {
                return true;
            }
            for entry in &left {
                entry.signal(Signal::KILL);
            }
            std::thread::sleep(BETWEEN_SWEEPS);
        }
        false
    }
}

/// What can be read.
#[derive(Clone, Copy, Debug, Default)]
struct Ready {
    control: bool,
    output: bool,
    orders: bool,
}
