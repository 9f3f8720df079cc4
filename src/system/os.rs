//! What is only to be had from the operating system: the standard streams, signals, the life of the client's
//! process, limits.
//!
//! Signals and the watch of a process are Unix's (pidfd on Linux, polling elsewhere); on Windows the end of
//! input and Ctrl-C are what ends the process.

#[cfg(unix)]
pub mod child;
#[cfg(windows)]
pub mod job_object;

use std::io::{Read, Write};

/// Why the process should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A signal, by its number.
    Signal(i32),
    /// The client's process is dead, or nobody reads the standard output any more.
    ClientGone,
}

/// The standard input as a stream of bytes.
pub fn stdin() -> std::io::Result<Box<dyn Read + Send>> {
    #[cfg(unix)]
    {
        let input = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
        Ok(Box::new(std::fs::File::from(input)))
    }
    #[cfg(not(unix))]
    {
        Ok(Box::new(std::io::stdin()))
    }
}

/// Takes the standard output away: from now on only the returned stream reaches it, and whatever prints by
/// mistake goes to standard error.
pub fn take_stdout() -> std::io::Result<Box<dyn Write + Send>> {
    #[cfg(unix)]
    {
        let output = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3)?;
        // Without a standard error there is nowhere else for a stray print to go; that is no reason to fail.
        if rustix::stdio::dup2_stdout(rustix::stdio::stderr()).is_err() {
            tracing::debug!("standard error is closed");
        }
        Ok(Box::new(std::fs::File::from(output)))
    }
    #[cfg(not(unix))]
    {
        Ok(Box::new(std::io::stdout()))
    }
}

/// Raises the limit of open files as far as the system lets: each session has a file and a connection.
pub fn raise_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        if let Some(files) = limit.current {
            let _ = FILES.set(files);
        }
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(%error, "the limit of open files stays as it is");
        }
    }
}

/// The limit of open files that the process was started with, for those that it starts.
#[cfg(unix)]
static FILES: std::sync::OnceLock<u64> = std::sync::OnceLock::new();

/// The limit of open files that a command of a tool gets: the one from before [`raise_file_limit`]. `None` where
/// that was never called.
pub fn file_limit() -> Option<u64> {
    #[cfg(unix)]
    {
        FILES.get().copied()
    }
    #[cfg(not(unix))]
    {
        None
    }
}

/// The columns of the terminal that the standard output leads to; `None` where it leads to none.
pub fn columns() -> Option<u16> {
    #[cfg(unix)]
    {
        let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok()?;
        (size.ws_col > 0).then_some(size.ws_col)
    }
    #[cfg(not(unix))]
    {
        None
    }
}

/// While it lives, what is typed at the standard input's terminal is not shown.
pub struct HiddenInput {
    #[cfg(unix)]
    before: rustix::termios::Termios,
}

/// Stops the terminal from showing what is typed. `None` where that cannot be done.
pub fn hide_input() -> Option<HiddenInput> {
    #[cfg(unix)]
    {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(rustix::stdio::stdin()).ok()?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &hidden).ok()?;
        Some(HiddenInput { before })
    }
    #[cfg(not(unix))]
    {
        None
    }
}

#[cfg(unix)]
impl Drop for HiddenInput {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        if let Err(error) = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &self.before) {
            tracing::debug!(%error, "the terminal stays as it is");
        }
    }
}

/// Watches everything outside the streams that ends the process.
pub struct Signals {
    #[cfg(unix)]
    unix: unix::Watches,
}

impl Signals {
    /// Starts watching: signals, the parent, and the reader of the standard output. To be called before
    /// [`take_stdout`], inside a runtime.
    pub fn watch() -> std::io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            unix: unix::Watches::new()?,
        })
    }

    /// The same without the parent: a command goes on when the shell that started it is gone.
    pub fn watch_without_parent() -> std::io::Result<Self> {
        #[cfg(unix)]
        let signals = Self { unix: unix::Watches::new()?.without_client() };
        #[cfg(not(unix))]
        let signals = Self {};
        Ok(signals)
    }

    /// Watches `process` instead of the parent, if it is alive.
    pub fn watch_process(&mut self, process: u32) {
        #[cfg(unix)]
        self.unix.watch_process(process);
        #[cfg(not(unix))]
        let _ = process;
    }

    /// Resolves when the process should end. Cancel-safe.
    pub async fn next(&mut self) -> Event {
        #[cfg(unix)]
        {
            self.unix.next().await
        }
        #[cfg(not(unix))]
        {
            match tokio::signal::ctrl_c().await {
                Ok(()) => Event::Signal(2),
                Err(_) => std::future::pending().await,
            }
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::process::{Pid, getppid};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::Event;

    /// How often a process is looked for where the system does not tell of its death.
    const POLL: Duration = Duration::from_millis(400);

    pub(super) struct Watches {
        terminate: Signal,
        interrupt: Signal,
        hang_up: Signal,
        client: Option<Process>,
        /// A copy of the standard output, watched for the loss of its reader.
        output: Option<AsyncFd<OwnedFd>>,
    }

    impl Watches {
        pub(super) fn new() -> std::io::Result<Self> {
            let output = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).ok();
            Ok(Self {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hang_up: signal(SignalKind::hangup())?,
                client: Process::parent(),
                // A regular file cannot be watched, and needs not to be.
                output: output.and_then(|fd| told_of(fd, Interest::ERROR)),
            })
        }

        pub(super) fn without_client(self) -> Self {
            Self { client: None, ..self }
        }

        pub(super) fn watch_process(&mut self, process: u32) {
            let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
            if let Some(process) = pid.and_then(Process::of) {
                self.client = Some(process);
            }
        }

        pub(super) async fn next(&mut self) -> Event {
            tokio::select! {
                Some(()) = self.terminate.recv() => Event::Signal(15),
                Some(()) = self.interrupt.recv() => Event::Signal(2),
                Some(()) = self.hang_up.recv() => Event::Signal(1),
                () = death(self.client.as_ref()) => Event::ClientGone,
                () = loss(self.output.as_ref()) => Event::ClientGone,
            }
        }
    }

    /// Registers a descriptor with the runtime; `None` for one that the system cannot watch.
    #[expect(
        unsafe_code,
        reason = "the one call of the runtime that leaves the life of the descriptor to its caller"
    )]
    fn told_of(fd: OwnedFd, interest: Interest) -> Option<AsyncFd<OwnedFd>> {
        // SAFETY: an `OwnedFd` answers with the same open descriptor until it is dropped, and the `AsyncFd`
        // that takes it here is what drops it, after taking it off the runtime's list.
        unsafe { AsyncFd::register_with_interest(fd, interest) }.ok()
    }

    /// A process that is watched.
    enum Process {
        #[cfg(target_os = "linux")]
        Told(AsyncFd<OwnedFd>),
        Asked(Pid),
        /// Known by its no longer being our parent.
        Parent(Pid),
    }

    impl Process {
        fn parent() -> Option<Self> {
            // Process 1 adopts orphans: whoever started us is gone already, or is the system itself.
            let parent = getppid().filter(|pid| pid.as_raw_nonzero().get() > 1)?;
            let watched = Self::of(parent).unwrap_or(Self::Parent(parent));
            // It may have died, and its number been given away, between the two calls.
            Some(if getppid() == Some(parent) { watched } else { Self::Parent(parent) })
        }

        fn of(pid: Pid) -> Option<Self> {
            #[cfg(target_os = "linux")]
            if let Ok(fd) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())
                && let Some(told) = told_of(fd, Interest::READABLE)
            {
                return Some(Self::Told(told));
            }
            is_alive(pid).then_some(Self::Asked(pid))
        }
    }

    /// A process of another user is alive too, though it may not be signalled.
    fn is_alive(pid: Pid) -> bool {
        !matches!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH))
    }

    async fn death(process: Option<&Process>) {
        match process {
            None => std::future::pending().await,
            #[cfg(target_os = "linux")]
            Some(Process::Told(fd)) => {
                if fd.readable().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            Some(Process::Asked(pid)) => {
                while is_alive(*pid) {
                    tokio::time::sleep(POLL).await;
                }
            }
            Some(Process::Parent(pid)) => {
                while getppid() == Some(*pid) {
                    tokio::time::sleep(POLL).await;
                }
            }
        }
    }

    /// Whether the other side neither reads nor writes any more.
    fn is_hung_up(output: &OwnedFd) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let mut polled = [PollFd::new(output, PollFlags::empty())];
        // Only looked at, not waited for.
        let looked = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
        let [polled] = polled;
        looked.is_ok() && polled.revents().intersects(PollFlags::HUP | PollFlags::ERR)
    }

    /// A pipe tells of its lost reader by an error, a socket (which Node hands out) by a hang-up.
    async fn loss(output: Option<&AsyncFd<OwnedFd>>) {
        let Some(fd) = output else { return std::future::pending().await };
        loop {
            let Ok(mut guard) = fd.ready(Interest::READABLE | Interest::ERROR).await else {
                return std::future::pending().await;
            };
            let ready = guard.ready();
            if ready.is_error() || is_hung_up(fd.get_ref()) {
                return;
            }
            if ready.is_read_closed() {
                // The other side only said that it will not write, and that is told for ever: what is
                // written will fail when it does not read either.
                return std::future::pending().await;
            }
            guard.clear_ready();
        }
    }
}
