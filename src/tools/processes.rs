//! The tool that shows and stops the commands that a session left running.
//!
//! It knows no process that the session did not begin.

use std::fmt::Write as _;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::arguments::Arguments;
use super::shell::keep::{HEAD, TAIL, size};
use super::shell::registry::Running;
use super::shell::{clean, short, told, who};
use super::{Effect, Intent, Scope, Tool, ToolContext, ToolFuture, ToolKind, ToolOutcome};
use crate::system::jobs::{PATIENCE, Stop};

/// What stopping a command may take until it is said that it did not help.
const STOPPING: Duration = PATIENCE.saturating_add(Duration::from_secs(2));

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub struct ProcessesTool;

/// What is to be done.
enum Call {
    List,
    Output { number: u32, offset: Option<u64> },
    Stop { number: u32 },
}

impl Tool for ProcessesTool {
    fn name(&self) -> &'static str {
        "processes"
    }

    fn description(&self) -> &'static str {
        "Lists the commands of this session that run in the background or have just ended (action: list), shows what \
         one of them has printed (action: output, with its process number; with offset, what its file has from that \
         byte on), or stops one with everything that it started (action: stop)."
    }

    fn parameters(&self) -> &'static str {
        r#"{"type":"object","properties":{"action":{"type":"string","enum":["list","output","stop"]},"process":{"type":"integer","minimum":1,"description":"The number of a command, for output and stop"},"offset":{"type":"integer","minimum":0,"description":"For output: the byte to begin at, where the start and the end are not enough"}},"required":["action"]}"#
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Execute
    }

    fn title(&self, arguments: &Value) -> String {
        match Call::new(arguments) {
            Ok(Call::Output { number, .. }) => format!("Output of process {number}"),
            Ok(Call::Stop { number }) => format!("Stop process {number}"),
            Ok(Call::List) | Err(_) => "Processes of this session".to_owned(),
        }
    }

    fn intent(&self, arguments: &Value, scope: &Scope) -> Result<Intent, ToolOutcome> {
        let call = Call::new(arguments).map_err(ToolOutcome::failed)?;
        let effects = match call {
            Call::List | Call::Output { .. } => Vec::new(),
            Call::Stop { number } => {
                let running = find(scope, number).map_err(ToolOutcome::failed)?;
                vec![Effect::Stop { what: running.line.clone() }]
            }
        };
        Ok(Intent { effects })
    }

    fn run(&self, arguments: Value, context: ToolContext) -> ToolFuture {
        Box::pin(async move {
            let scope = context.scope;
            if let Ok(Call::Stop { number }) = Call::new(&arguments) {
                return stop(&scope, number).await;
            }
            // Files and the system's processes are looked at.
            let look = tokio::task::spawn_blocking(move || match Call::new(&arguments)? {
                Call::List | Call::Stop { .. } => Ok(list(&scope)),
                Call::Output { number, offset } => output(&scope, number, offset),
            });
            match look.await.unwrap_or_else(|_| Err("the processes could not be looked at".to_owned())) {
                Ok(text) => ToolOutcome::done(text),
                Err(why) => ToolOutcome::failed(why),
            }
        })
    }
}

impl Call {
    fn new(arguments: &Value) -> Result<Self, String> {
        let arguments = Arguments::of(arguments);
        arguments.only(&["action", "process", "offset"])?;
        let number = || {
            let number =
                arguments.number("process")?.ok_or("\"process\" is missing: the number of a command")?;
            u32::try_from(number).map_err(|_| format!("there is no process {number}"))
        };
        match arguments.text("action")?.as_deref() {
            Some("list") | None => Ok(Self::List),
            Some("output") => Ok(Self::Output { number: number()?, offset: arguments.number("offset")? }),
            Some("stop" | "kill") => Ok(Self::Stop { number: number()? }),
            Some(_) => Err("\"action\" must be list, output or stop".to_owned()),
        }
    }
}

fn find(scope: &Scope, number: u32) -> Result<Arc<Running>, String> {
    scope.processes.find(number).ok_or_else(|| {
        let known: Vec<String> =
            scope.processes.list().iter().map(|running| running.number.to_string()).collect();
        match known.as_slice() {
            [] => format!("there is no process {number}: this session has begun none that is still known"),
            known => format!("there is no process {number}; those that are known: {}", known.join(", ")),
        }
    })
}

fn list(scope: &Scope) -> String {
    let now = scope.system.clock.now_ms();
    let mut text = String::new();
    for running in scope.processes.list() {
        let Running { number, line, folder, started_ms, .. } = &*running;
        let age = now.saturating_sub(*started_ms) / 1000;
        // Writing to memory does not fail.
        let _ = writeln!(
            text,
            "{number}: {} (in {}, {age} s ago, printed {}): {}",
            short(line),
            folder.display(),
            size(running.output.total()),
            state(&running)
        );
    }
    if text.is_empty() { "No command of this session runs in the background.".to_owned() } else { text }
}

/// Whether it runs, and how it ended.
fn state(running: &Running) -> String {
    let standing = running.job.standing();
    let ended = standing.status.as_ref().map(told);
    match (ended, standing.gone) {
        (None, _) => format!("running: {}", who(running)),
        (Some(ended), false) => format!("{ended}, but left running: {}", who(running)),
        (Some(ended), true) => ended,
    }
}

fn output(scope: &Scope, number: u32, offset: Option<u64>) -> Result<String, String> {
    let running = find(scope, number)?;
    let rest = running.output.rest(HEAD, TAIL);
    let text = match offset {
        None => rest.text,
        Some(offset) => {
            let file = rest.file.ok_or("all that was printed is shown without an offset")?;
            let failed = |error: std::io::Error| format!("the file of the output cannot be read: {error}");
            let mut file = scope.system.files.open_append(&file).map_err(failed)?;
            file.seek(SeekFrom::Start(offset)).map_err(failed)?;
            let mut bytes = Vec::new();
            file.take((HEAD + TAIL) as u64).read_to_end(&mut bytes).map_err(failed)?;
            if bytes.is_empty() {
                return Err(format!("the file has nothing at byte {offset}"));
            }
            clean::clean(&bytes).0
        }
    };
    Ok(format!("{}\n\n[{}]", text.trim_end(), state(&running)))
}

async fn stop(scope: &Scope, number: u32) -> ToolOutcome {
    let running = match find(scope, number) {
        Ok(running) => running,
        Err(why) => return ToolOutcome::failed(why),
    };
    if running.is_gone() {
        return ToolOutcome::done(format!("Process {number} has ended already."));
    }
    running.job.stop(Stop::Gently);
    // Whether it did is asked below.
    let _ = tokio::time::timeout(STOPPING, running.job.gone()).await;
    let standing = running.job.standing();
    if standing.gone {
        ToolOutcome::done(format!("Process {number} was stopped, with everything that it started."))
    } else {
        ToolOutcome::failed(format!("Some of process {number} could not be stopped."))
    }
}
