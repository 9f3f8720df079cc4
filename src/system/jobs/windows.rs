//! Commands on Windows: the warden is put into a job object before it is told what to run, so that nothing that
//! the command starts is ever outside of it. The system itself ends what is left when Aside is gone.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{CHUNK, Flow, Order, Process, STRAGGLERS, Sink, Standing, Status, Stop, WORD};
use crate::system::os::job_object::JobObject;

/// How often a command is looked at while it runs, and when only what it left runs.
const SOON: Duration = Duration::from_millis(20);
const SELDOM: Duration = Duration::from_millis(500);
/// What an order that could not be followed ends with, as shells have it.
const NOT_STARTED: i32 = 127;

/// What a [`super::Job`] holds.
pub(super) struct Handle {
    orders: Sender<Stop>,
    object: Arc<JobObject>,
}

impl Handle {
    pub(super) fn stop(&self, how: Stop) {
        // The thread may have ended; then so has the command.
        let _ = self.orders.send(how);
    }

    /// Only how many they are is told: their names would have to be asked for one by one.
    pub(super) fn processes(&self) -> Vec<Process> {
        (0..self.object.len()).map(|_| Process { id: 0, name: String::new() }).collect()
    }
}

pub(super) fn start(
    program: PathBuf,
    order: Order,
    sink: Box<dyn Sink>,
    standing: watch::Sender<Standing>,
) -> std::io::Result<Handle> {
    let object = Arc::new(JobObject::new(order.limits.processes, order.limits.memory)?);
    let (orders, heard) = channel();
    let held = Arc::clone(&object);
    let kill = orders.clone();
    let work = move || match run(program, &order, sink, kill, &held) {
        Ok(warden) => keep(warden, &held, &heard, &standing),
        Err(error) => standing.send_modify(|standing| {
            standing.status = Some(Status::Failed(error.to_string()));
            standing.gone = true;
        }),
    };
    std::thread::Builder::new().name("tool".to_owned()).spawn(work)?;
    Ok(Handle { orders, object })
}

/// A warden at work, and whether its output has ended.
struct Warden {
    child: Child,
    is_silent: Arc<Mutex<bool>>,
}

fn run(
    program: PathBuf,
    order: &Order,
    mut sink: Box<dyn Sink>,
    kill: Sender<Stop>,
    object: &JobObject,
) -> std::io::Result<Warden> {
    let (mut output, written) = std::io::pipe()?;
    #[expect(clippy::disallowed_methods, reason = "this is the seam that the rule points to")]
    let mut command = Command::new(program);
    command.arg(WORD).stdin(Stdio::piped()).stdout(written.try_clone()?).stderr(written);
    let mut child = command.spawn()?;
    drop(command);
    object.take(&child)?;
    if let Some(mut input) = child.stdin.take() {
        order.write(&mut input)?;
        input.flush()?;
    }
    let is_silent = Arc::new(Mutex::new(false));
    let told = Arc::clone(&is_silent);
    let read = move || {
        let mut chunk = vec![0; CHUNK];
        while let Ok(count @ 1..) = output.read(&mut chunk) {
            if sink.output(chunk.get(..count).unwrap_or_default()) == Flow::Kill {
                // It may be ending already.
                let _ = kill.send(Stop::Now);
            }
        }
        *told.lock().unwrap_or_else(PoisonError::into_inner) = true;
    };
    std::thread::Builder::new().name("tool-output".to_owned()).spawn(read)?;
    Ok(Warden { child, is_silent })
}

/// Until nothing is left of the command.
fn keep(mut warden: Warden, object: &JobObject, orders: &Receiver<Stop>, standing: &watch::Sender<Standing>) {
    standing.send_modify(|standing| standing.process = Some(warden.child.id()));
    let mut ended: Option<Instant> = None;
    loop {
        let pause = if standing.borrow().status.is_some() { SELDOM } else { SOON };
        match orders.recv_timeout(pause) {
            Err(RecvTimeoutError::Timeout) => {}
            // There is no gentle word that every program of the system understands.
            Ok(Stop::Gently | Stop::Now) | Err(RecvTimeoutError::Disconnected) => object.kill(),
        }
        let status = match warden.child.try_wait() {
            Ok(None) => continue,
            Ok(Some(status)) => status.code().map_or(Status::Lost, Status::Code),
            Err(_) => Status::Lost,
        };
        let since = *ended.get_or_insert_with(Instant::now);
        let is_silent = *warden.is_silent.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = is_silent || since.elapsed() >= STRAGGLERS;
        let is_empty = object.is_empty();
        if is_over || is_empty {
            standing.send_modify(|standing| {
                standing.status.get_or_insert(status);
                standing.gone = is_empty && is_over;
            });
        }
        if is_empty && is_over {
            return;
        }
    }
}

/// Runs what the standard input orders, and ends as that does.
pub(super) fn warden() -> ExitCode {
    let run = || -> std::io::Result<i32> {
        let order = Order::read(&mut std::io::stdin())?;
        #[expect(clippy::disallowed_methods, reason = "this is the seam that the rule points to")]
        let mut command = Command::new(&order.program);
        command
            .current_dir(&order.dir)
            .env_clear()
            .envs(order.env.iter().map(|(name, value)| (name, value)))
            .env(super::MARK, &order.mark)
            .stdin(Stdio::null());
        for argument in &order.arguments {
            // As it stands: the shell has quoting rules of its own.
            std::os::windows::process::CommandExt::raw_arg(&mut command, argument);
        }
        let status = command.status()?;
        Ok(status.code().unwrap_or(NOT_STARTED))
    };
    let code = run().unwrap_or_else(|error| {
        // What is read as the command's output.
        let _ = writeln!(std::io::stderr(), "it could not be started: {error}");
        NOT_STARTED
    });
    // The type that `main` returns holds eight bits; codes have thirty-two here.
    #[expect(
        clippy::exit,
        clippy::disallowed_methods,
        reason = "nothing of this process is left to be dropped"
    )]
    std::process::exit(code)
}
