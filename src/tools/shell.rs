//! The tool that runs a command line through the shell.
//!
//! It must never decide whether a line may run, nor let the model work outside of the session's folders: what it may
//! do beyond them is what the line itself was allowed. Nothing that it starts outlives the session. Next:
//! `shell/keep.rs` for what is kept of the output, and `system/jobs.rs` for how commands are started and ended.

pub mod clean;
pub mod keep;
pub mod registry;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use self::keep::{HEAD, MOST, Output, TAIL, size};
use self::registry::{Place, Processes, Running};
use super::arguments::Arguments;
use super::environment::{Secrets, visible};
use super::{Effect, Intent, Scope, Tool, ToolContext, ToolFuture, ToolKind, ToolOutcome};
use crate::system::jobs::{Grouping, Job, Limits, Order, PATIENCE, Status, Stop};
use crate::system::{os, process};

/// What a single argument of a program may have, in bytes; systems take no more than 128 KiB.
const LONGEST: usize = 120 << 10;
/// Between two pieces of output that are shown.
const UPDATE: Duration = Duration::from_millis(50);
/// A command for the background that fails at once is told of as any other.
const FIRST_LOOK: Duration = Duration::from_secs(1);
/// After a command has ended it shows within this time whether it left something running.
const SETTLE: Duration = Duration::from_millis(100);
/// What killing may take, beyond the time to end by itself.
const KILLING: Duration = Duration::from_secs(2);
/// Characters of a line in titles and lists.
const TITLE: usize = 100;

/// Variables that keep programs from asking, paging and colouring.
const PLAIN: &[(&str, &str)] = &[
    ("NO_COLOR", "1"),
    ("TERM", "dumb"),
    ("PAGER", "cat"),
    ("GIT_PAGER", "cat"),
    ("GH_PAGER", "cat"),
    ("MANPAGER", "cat"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_EDITOR", "true"),
    ("GIT_SEQUENCE_EDITOR", "true"),
];
/// Those that would undo it.
const COLOURFUL: &[&str] = &["FORCE_COLOR", "CLICOLOR_FORCE", "COLORTERM", "LS_COLORS", "GREP_COLORS"];

/// See the head of this file.
#[derive(Clone, Copy, Debug)]
pub struct Shell;

/// What is to be run.
struct Call {
    line: String,
    folder: PathBuf,
    timeout: Duration,
    is_background: bool,
}

impl Tool for Shell {
    fn name(&self) -> &'static str {
        "shell"
    }

    fn description(&self) -> &'static str {
        "Runs a command line with the shell (bash where there is one) and returns what it printed, both streams \
         together, and how it ended. There is no input and no terminal: a command that asks gets nothing. Of a long \
         output the start and the end are returned, with the name of a file that has more. A command that runs \
         longer than its timeout is killed with all that it started. What is to go on, such as a server, runs with \
         background: true; the tool `processes` lists it, shows its output and stops it."
    }

    fn parameters(&self) -> &'static str {
        r#"{"type":"object","properties":{"command":{"type":"string","description":"The command line"},"cwd":{"type":"string","description":"The folder to run it in, inside the session's folders; the first of them where it is left out"},"timeoutSeconds":{"type":"integer","minimum":1,"description":"When to kill it; 120 where it is left out, 600 at most unless the person's settings say otherwise"},"background":{"type":"boolean","description":"Return at once and let it run on"}},"required":["command"]}"#
    }

    fn kind(&self) -> ToolKind {
        ToolKind::Execute
    }

    fn title(&self, arguments: &Value) -> String {
        match Arguments::of(arguments).text("command") {
            Ok(Some(line)) => format!("$ {}", short(&line)),
            _ => "Run a command".to_owned(),
        }
    }

    fn intent(&self, arguments: &Value, scope: &Scope) -> Result<Intent, ToolOutcome> {
        let call = Call::new(arguments, scope).map_err(ToolOutcome::failed)?;
        let Call { line, folder, is_background, .. } = call;
        Ok(Intent { effects: vec![Effect::Run { line, folder, background: is_background }] })
    }

    fn run(&self, arguments: Value, context: ToolContext) -> ToolFuture {
        Box::pin(async move {
            match run(arguments, &context).await {
                Ok(outcome) => outcome,
                Err(why) => ToolOutcome::failed(why),
            }
        })
    }
}

impl Call {
    /// Reads and checks the arguments. The error is for the model.
    fn new(arguments: &Value, scope: &Scope) -> Result<Self, String> {
        let arguments = Arguments::of(arguments);
        arguments.only(&["command", "cwd", "timeoutSeconds", "background"])?;
        let line = arguments.text("command")?.ok_or("\"command\" is missing: the command line to run")?;
        check(&line).map_err(|why| format!("\"command\" {why}"))?;
        let limits = &scope.settings.tools;
        let most = limits.max_timeout_ms.max(limits.timeout_ms);
        let timeout = match arguments.number("timeoutSeconds")? {
            None => limits.timeout_ms,
            Some(0) => return Err("\"timeoutSeconds\" must be at least 1".to_owned()),
            Some(seconds) => seconds.saturating_mul(1000).min(most),
        };
        Ok(Self {
            folder: folder(scope, arguments.text("cwd")?.as_deref())?,
            is_background: arguments.flag("background")?.unwrap_or(false),
            timeout: Duration::from_millis(timeout),
            line,
        })
    }
}

/// Whether a line can be run at all. The error is what is wrong with it.
pub fn check(line: &str) -> Result<(), String> {
    if line.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if line.contains('\0') {
        return Err("holds a NUL character, which no command line can".to_owned());
    }
    if line.len() > LONGEST {
        let long = size(line.len() as u64);
        return Err(format!("has {long}, more than systems take: write it to a file and run that"));
    }
    Ok(())
}

/// The real folder that a command runs in: one of the session's, or below one.
fn folder(scope: &Scope, cwd: Option<&str>) -> Result<PathBuf, String> {
    let files = &scope.system.files;
    let roots: Vec<PathBuf> = scope.workspace.roots.iter().map(|root| files.target(root)).collect();
    let first = roots.first().ok_or("the session has no folder to run in")?;
    let folder = match cwd {
        None | Some("") => first.clone(),
        Some(cwd) => files.target(&first.join(cwd)),
    };
    let shown = folder.display();
    if !roots.iter().any(|root| folder.starts_with(root)) {
        let roots: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
        return Err(format!(
            "\"cwd\" leads to {shown}, outside of the session's folders: {}",
            roots.join(", ")
        ));
    }
    match files.stamp(&folder) {
        Ok(stamp) if stamp.is_dir => Ok(folder),
        Ok(_) => Err(format!("\"cwd\" is no folder: {shown}")),
        Err(error) => Err(format!("\"cwd\" cannot be used: {shown}: {error}")),
    }
}

async fn run(arguments: Value, context: &ToolContext) -> Result<ToolOutcome, String> {
    run_call(move |scope| Call::new(&arguments, scope), context).await.map(|ran| ran.outcome)
}

/// How a command of the person has ended.
pub struct Ran {
    pub outcome: ToolOutcome,
    /// `None` where it did not end by itself.
    pub exit_code: Option<i32>,
}

/// Runs a line that the person typed, in the session's first folder, for as long as it takes. Dropping the future
/// ends it.
pub async fn run_line(line: String, context: &ToolContext) -> Ran {
    let call = move |scope: &Scope| {
        Ok(Call { line, folder: folder(scope, None)?, timeout: Duration::MAX, is_background: false })
    };
    let ran = run_call(call, context).await;
    ran.unwrap_or_else(|why| Ran { outcome: ToolOutcome::failed(why), exit_code: None })
}

async fn run_call(
    call: impl FnOnce(&Scope) -> Result<Call, String> + Send + 'static,
    context: &ToolContext,
) -> Result<Ran, String> {
    let scope = context.scope.clone();
    // The disk is looked at, and perhaps a file of keys read.
    let begin = tokio::task::spawn_blocking(move || begin(call(&scope)?, &scope));
    let (call, running) = begin.await.map_err(|_| "the command was not started".to_owned())??;
    let mut stop = StopWhenDropped(Some(Arc::clone(&running)));
    let show = async {
        loop {
            running.output.changed().await;
            let fresh = running.output.fresh();
            if !fresh.is_empty() {
                context.output(fresh).await;
            }
            tokio::time::sleep(UPDATE).await;
        }
    };
    let limit = if call.is_background { FIRST_LOOK } else { call.timeout };
    let ended = tokio::select! {
        biased;
        status = running.job.ended() => Some(status),
        () = tokio::time::sleep(limit) => None,
        // It does not end.
        () = show => None,
    };
    let end = match ended {
        Some(status) => End::Ended(status),
        None if call.is_background => End::Background,
        None => {
            running.job.stop(Stop::Gently);
            // What it says while it ends is kept.
            let _ = tokio::time::timeout(PATIENCE + KILLING, running.job.gone()).await;
            End::TimedOut(call.timeout)
        }
    };
    let _ = tokio::time::timeout(SETTLE, running.job.gone()).await;
    // What it left running goes on.
    stop.0 = None;
    let exit_code = match &end {
        End::Ended(Status::Code(code)) => Some(*code),
        End::Ended(_) | End::TimedOut(_) | End::Background => None,
    };
    let looked = tokio::task::spawn_blocking(move || conclude(&running, &end));
    let outcome = looked.await.map_err(|_| "the command's end was not understood".to_owned())?;
    Ok(Ran { outcome, exit_code })
}

/// How a call ended, which need not be the end of its command.
enum End {
    Ended(Status),
    TimedOut(Duration),
    Background,
}

/// Ends the command of a call that is given up.
struct StopWhenDropped(Option<Arc<Running>>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        if let Some(running) = &self.0 {
            running.job.stop(Stop::Gently);
        }
    }
}

fn begin(call: Call, scope: &Scope) -> Result<(Call, Arc<Running>), String> {
    let processes: &Processes = &scope.processes;
    let place = processes.place(&scope.system).ok_or(
        "too many commands of this session are running: stop some with the tool \"processes\" first",
    )?;
    let Place { file, .. } = &place;
    let output = Output::new(scope.system.clone(), file.clone());
    let order = order(&call, scope);
    let job = Job::start(process::own_program(), order, output.sink())
        .map_err(|error| format!("the command could not be started: {error}"))?;
    let started = scope.system.clock.now_ms();
    let running = processes.add(place, call.line.clone(), call.folder.clone(), started, output, job);
    Ok((call, running))
}

fn order(call: &Call, scope: &Scope) -> Order {
    let tools = &scope.settings.tools;
    let secrets = Secrets::known(&scope.accounts, &scope.catalog);
    let mut env = visible(&scope.system.env, &secrets, &tools.env_pass);
    env.retain(|(name, _)| {
        !COLOURFUL.contains(&name.as_str()) && !PLAIN.iter().any(|(plain, _)| name == plain)
    });
    env.extend(PLAIN.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    env.retain(|(name, _)| name != "PWD" && name != "OLDPWD");
    env.push(("PWD".to_owned(), call.folder.display().to_string()));
    let (program, arguments) = process::shell_line(&call.line, &*scope.system.files);
    let random = &scope.system.random;
    Order {
        program,
        arguments,
        dir: call.folder.clone(),
        env,
        limits: Limits {
            processes: tools.max_processes,
            memory: (tools.max_memory_bytes > 0).then_some(tools.max_memory_bytes),
            files: os::file_limit(),
            grouping: Grouping::WherePossible,
        },
        mark: format!("{}{}", random.id(), random.id()),
    }
}

/// What the model and the person are told. Looks at the system's processes if some are left.
fn conclude(running: &Running, end: &End) -> ToolOutcome {
    let standing = running.job.standing();
    let fresh = running.output.fresh();
    let rest = running.output.rest(HEAD, TAIL);
    let mut notes = Vec::new();
    let mut is_error = true;
    match end {
        _ if running.output.is_flood() => notes.push(format!("killed: it printed more than {}", size(MOST))),
        _ if standing.overcrowded => notes.push("killed: it started too many processes".to_owned()),
        End::TimedOut(limit) => notes.push(format!(
            "killed: it ran longer than {} s; give it more with timeoutSeconds, or run it in the background",
            limit.as_secs()
        )),
        End::Background => is_error = false,
        End::Ended(Status::Code(0)) => {
            is_error = false;
            if rest.text.trim().is_empty() {
                notes.push("exit code 0, and nothing was printed".to_owned());
            }
        }
        End::Ended(status) => notes.push(told(status)),
    }
    if standing.escaped {
        notes.push("some of its processes could not be killed".to_owned());
    } else if !standing.gone {
        notes.push(left(running));
    }
    let notes = notes.iter().fold(String::new(), |mut all, note| {
        // Writing to memory does not fail.
        let _ = writeln!(all, "[{note}]");
        all
    });
    let notes = notes.trim_end();
    let text = match rest.text.trim_end() {
        _ if notes.is_empty() => rest.text,
        "" => notes.to_owned(),
        text => format!("{text}\n\n{notes}"),
    };
    let cut = if running.output.is_shown_in_part() { "[more was printed than is shown]\n" } else { "" };
    let gap = if cut.is_empty() && notes.is_empty() { "" } else { running.output.gap() };
    ToolOutcome { shown: Some(format!("{fresh}{gap}{cut}{notes}")), is_error, ..ToolOutcome::done(text) }
}

/// How a command ended, in words.
pub fn told(status: &Status) -> String {
    match status {
        Status::Code(code) => format!("exit code {code}"),
        Status::Signal(signal) => match name_of(*signal) {
            Some(name) => format!("ended by signal {signal} ({name})"),
            None => format!("ended by signal {signal}"),
        },
        Status::Failed(why) => format!("it could not be started: {why}"),
        Status::Lost => "killed, together with what watched over it".to_owned(),
    }
}

fn name_of(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        4 => "ILL",
        6 => "ABRT",
        8 => "FPE",
        9 => "KILL",
        11 => "SEGV",
        13 => "PIPE",
        14 => "ALRM",
        15 => "TERM",
        _ => return None,
    })
}

/// What a command has left running.
fn left(running: &Running) -> String {
    let number = running.number;
    format!(
        "{} still running in the background as process {number}; the tool \"processes\" shows and stops it",
        who(running)
    )
}

/// The processes of a command, in words.
pub fn who(running: &Running) -> String {
    let processes = running.job.processes();
    let shown: Vec<String> = processes
        .iter()
        .take(8)
        .map(|process| format!("{} ({})", short(&process.name), process.id))
        .collect();
    let more = match processes.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}

/// One line, cut, without characters that do not show.
pub fn short(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut short: String = text.trim().chars().map(plain).take(TITLE).collect();
    if short.len() < text.trim().len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn titles_are_one_short_line_whatever_the_model_writes() {
        let title = |arguments: Value| Shell.title(&arguments);
        assert_eq!(title(json!({ "command": " ls\n\u{1b}[1m x " })), "$ ls  [1m x");
        assert_eq!(title(json!({ "command": "x".repeat(500) })).chars().count(), TITLE + 3);
        for odd in [json!(null), json!([1]), json!({ "command": 3 }), json!({})] {
            assert_eq!(title(odd), "Run a command");
        }
    }

    #[test]
    fn ends_are_told_in_words() {
        assert_eq!(told(&Status::Code(3)), "exit code 3");
        assert_eq!(told(&Status::Signal(9)), "ended by signal 9 (KILL)");
        assert_eq!(told(&Status::Signal(63)), "ended by signal 63");
        assert_eq!(told(&Status::Failed("no".to_owned())), "it could not be started: no");
    }
}
