//! Starts commands that Aside needs itself, such as one that prints a key; those of tools are in `jobs.rs`.
//!
//! Each has a time limit, a cap on its output, no standard input, and the environment that [`System`] holds.
//! A process that is given up is killed with all that it started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use super::{Files, System};

/// How long a command may run and how much it may say.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Then it is killed.
    pub time: Duration,
    /// Bytes of each of its two outputs; one that says more is killed.
    pub output: usize,
}

/// What a command that ended by itself left.
#[derive(Debug)]
pub struct Finished {
    /// Whether its status was zero.
    pub success: bool,
    /// Its status, where it was not killed by a signal.
    pub code: Option<i32>,
    /// Bytes of standard output.
    pub stdout: Vec<u8>,
    /// Bytes of standard error.
    pub stderr: Vec<u8>,
}

/// Why a command did not end by itself.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It could not be started.
    #[error("it could not be started: {0}")]
    Start(#[source] std::io::Error),
    /// Its output could not be read.
    #[error("its output could not be read: {0}")]
    Read(#[source] std::io::Error),
    /// It ran too long.
    #[error("it took longer than {} s", .0.as_secs())]
    Time(Duration),
    /// It said too much.
    #[error("it printed more than {} KiB", .0 >> 10)]
    Output(usize),
}

/// After the command itself has ended, something that it left running may still hold its output open.
const STRAGGLERS: Duration = Duration::from_millis(200);

/// This program, however it was called, and also when its file was replaced since.
pub fn own_program() -> PathBuf {
    if cfg!(target_os = "linux") {
        return PathBuf::from("/proc/self/exe");
    }
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("aside"))
}

/// Runs a line of shell to its end.
pub async fn run_shell(system: &System, line: &str, bounds: Bounds) -> Result<Finished, ProcessError> {
    let mut command = shell(line);
    command
        .env_clear()
        .envs(system.env.iter())
        .current_dir(&system.working_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let child = command.spawn().map_err(ProcessError::Start)?;
    let mut running = Running { child };
    tokio::time::timeout(bounds.time, running.finish(bounds.output))
        .await
        .unwrap_or(Err(ProcessError::Time(bounds.time)))
}

/// The shell for a line that a model wrote, and what it is given: bash where there is one, because that is what
/// such lines are written for.
pub fn shell_line(line: &str, files: &dyn Files) -> (PathBuf, Vec<OsString>) {
    if cfg!(windows) {
        return ("cmd.exe".into(), vec!["/d".into(), "/s".into(), "/c".into(), format!("\"{line}\"").into()]);
    }
    let shells = ["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash"];
    let bash = shells.into_iter().find(|shell| files.stamp(Path::new(shell)).is_ok());
    (bash.unwrap_or("/bin/sh").into(), vec!["-c".into(), line.into()])
}

#[cfg(unix)]
fn shell(line: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line);
    command
}

#[cfg(not(unix))]
fn shell(line: &str) -> Command {
    let mut command = Command::new("cmd.exe");
    command.arg("/C");
    // As it stands: the shell has quoting rules of its own.
    #[cfg(windows)]
    command.raw_arg(line);
    #[cfg(not(windows))]
    command.arg(line);
    command
}

/// A process whose whole group ends with it.
struct Running {
    child: Child,
}

impl Running {
    async fn finish(&mut self, cap: usize) -> Result<Finished, ProcessError> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let (out, err) = (self.child.stdout.take(), self.child.stderr.take());
        let status = {
            let reading = async {
                tokio::try_join!(read(out, &mut stdout, cap), read(err, &mut stderr, cap)).map(|_| ())
            };
            tokio::pin!(reading);
            tokio::select! {
                biased;
                read = &mut reading => {
                    read?;
                    self.child.wait().await
                }
                status = self.child.wait() => {
                    if let Ok(read) = tokio::time::timeout(STRAGGLERS, &mut reading).await {
                        read?;
                    }
                    status
                }
            }
        };
        let status = status.map_err(ProcessError::Read)?;
        Ok(Finished { success: status.success(), code: status.code(), stdout, stderr })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A process that was waited for has no id any more; its number may be another's.
        #[cfg(unix)]
        if let Some(pid) =
            self.child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?))
        {
            // It may end at this very moment; then there is nothing to kill.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

async fn read(
    from: Option<impl AsyncRead + Unpin>,
    into: &mut Vec<u8>,
    cap: usize,
) -> Result<(), ProcessError> {
    let Some(mut from) = from else { return Ok(()) };
    loop {
        let mut part = [0; 4096];
        let len = from.read(&mut part).await.map_err(ProcessError::Read)?;
        if len == 0 {
            return Ok(());
        }
        into.extend_from_slice(part.get(..len).unwrap_or_default());
        if into.len() > cap {
            return Err(ProcessError::Output(cap));
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::system::Env;

    fn run(line: &str, bounds: Bounds) -> Result<Finished, ProcessError> {
        let mut system = System::real();
        system.env = [("MINE".to_owned(), "yes".to_owned()), ("PATH".to_owned(), "/usr/bin:/bin".to_owned())]
            .into_iter()
            .collect::<Env>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run_shell(&system, line, bounds))
    }

    const BOUNDS: Bounds = Bounds { time: Duration::from_secs(20), output: 1000 };

    #[test]
    fn a_command_sees_our_environment_and_no_input() {
        let finished = run("cat; echo $MINE:$HOME; echo no >&2; exit 3", BOUNDS).unwrap();
        assert_eq!((finished.success, finished.code), (false, Some(3)));
        assert_eq!((finished.stdout.as_slice(), finished.stderr.as_slice()), (&b"yes:\n"[..], &b"no\n"[..]));
    }

    #[test]
    fn a_command_that_hangs_or_babbles_is_ended_with_its_children() {
        let short = Bounds { time: Duration::from_millis(100), output: 1000 };
        assert!(matches!(run("sleep 1000 | cat", short), Err(ProcessError::Time(_))));
        assert!(matches!(run("yes", BOUNDS), Err(ProcessError::Output(1000))));
    }

    #[test]
    fn what_a_command_leaves_running_is_not_waited_for() {
        let finished = run("sleep 1000 & echo done; echo $!", BOUNDS).unwrap();
        let text = String::from_utf8(finished.stdout).unwrap();
        let (said, left) = text.split_once('\n').unwrap();
        assert_eq!(said, "done");
        let left = rustix::process::Pid::from_raw(left.trim().parse().unwrap()).unwrap();
        rustix::process::kill_process(left, rustix::process::Signal::KILL).unwrap();
    }
}
