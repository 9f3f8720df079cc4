//! The command line: a client of the same engine as the doors.
//!
//! `serve`, and a pipe without arguments, go straight to the native door; only what else is typed is parsed.
//! It never reads standard input unless told to, and writes only through `cli/terminal.rs`.

mod args;
mod ask;
mod difference;
mod doctor;
mod import;
mod list;
mod login;
mod markdown;
mod person;
mod progress;
mod prompt;
mod refresh;
mod shell;
mod table;
mod terminal;
mod view;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};

use crate::doors::native::lifecycle::{Ended, Streams, Watch, serve};
use crate::engine::{Client, Failure, FailureKind, World};
use crate::models::Category;
use crate::system::System;
use crate::system::os::{self, Event, Signals};
use args::{Cli, Command};
use terminal::{Complaint, Page, Plain, Terminal};

/// How long a list waits for model servers of this machine. One that answers takes milliseconds.
const LOOK: Duration = Duration::from_secs(1);

/// How a command ended, as a script sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Done,
    /// The turn failed.
    Failed,
    /// What was typed makes no sense: also an unknown model, provider or session.
    Usage,
    NotSignedIn,
    /// A signal, by its number.
    Signal(i32),
}

impl Status {
    /// What ended it from outside. That nobody reads any more is no failure.
    fn of(event: Event) -> Self {
        match event {
            Event::Signal(number) => Self::Signal(number),
            Event::ClientGone => Self::Done,
        }
    }

    /// Of a request that never became a turn.
    fn of_request(failure: &Failure) -> Self {
        match failure.kind {
            FailureKind::InvalidParams | FailureKind::NotFound => Self::Usage,
            _ => Self::of_turn(failure),
        }
    }

    /// Of a turn.
    fn of_turn(failure: &Failure) -> Self {
        match failure.kind {
            FailureKind::AuthRequired | FailureKind::Provider(Category::Authentication) => Self::NotSignedIn,
            _ => Self::Failed,
        }
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(match status {
            Status::Done => 0,
            Status::Failed => 1,
            Status::Usage => 2,
            Status::NotSignedIn => 3,
            Status::Signal(number) => 128_u8.saturating_add(u8::try_from(number).unwrap_or(127)),
        })
    }
}

/// Does what the process was started for.
pub fn main() -> ExitCode {
    // An editor waits for `serve`, so it goes first and parses nothing.
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match arguments.get(1..).unwrap_or_default() {
        [only] if only == "serve" => run_serve(),
        // A command of a tool; it writes to what the tool reads, and to nothing else.
        [only] if only == crate::system::jobs::WORD => crate::system::jobs::warden(),
        [] if std::io::stdin().is_terminal() => {
            let mut page = Page::default();
            page.out(Cli::command().render_help().to_string());
            written(&page, Status::Done)
        }
        [] => run_serve(),
        _ => run(arguments),
    }
}

/// Serves the native door on the standard streams.
fn run_serve() -> ExitCode {
    os::raise_file_limit();
    let system = System::real();
    start_log(&system);
    let ended = on_runtime(async {
        let signals = Signals::watch()?;
        let streams = Streams { input: os::stdin()?, output: os::take_stdout()? };
        serve(system, streams, Watch::Process(signals)).await
    });
    match ended {
        Some(Ok(Ended::Closed | Ended::ClientGone)) => ExitCode::SUCCESS,
        Some(Ok(Ended::Signal(number))) => Status::Signal(number).into(),
        Some(Err(_)) | None => ExitCode::FAILURE,
    }
}

/// Starts the log where the environment asks for one. What cannot be logged is no reason not to work.
fn start_log(system: &System) {
    if let Err(error) = crate::system::log::start(&system.env) {
        let mut page = Page::default();
        page.err(format!("aside: warning: there is no log: {}\n", terminal::clean(&error.to_string())));
        // Standard error may be gone; there is nobody else to tell.
        let _ = page.write();
    }
}

/// Runs a future to its end; whatever it left running ends with the process.
fn on_runtime<T>(future: impl Future<Output = T>) -> Option<T> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(8).build().ok()?;
    let result = runtime.block_on(future);
    runtime.shutdown_background();
    Some(result)
}

/// Parses what was typed, and does it.
fn run(arguments: Vec<OsString>) -> ExitCode {
    let mut page = Page::default();
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            page.err(format!("aside: {}", terminal::clean(&error.to_string())));
            return written(&page, Status::Usage);
        }
        // Help, or the version.
        Err(error) => {
            page.out(error.to_string());
            return written(&page, Status::Done);
        }
    };
    let system = System::real();
    // `serve` starts its own.
    if !matches!(cli.command, Command::Serve(_)) {
        start_log(&system);
    }
    let terminal = Terminal::of_process(&system.env, cli.no_color.then_some(Plain));
    match cli.command {
        Command::Serve(_) => run_serve(),
        Command::Prompt(args) => {
            on_runtime(prompt::run(system, *args, terminal)).unwrap_or(Status::Failed).into()
        }
        Command::Login(args) => {
            on_runtime(login::login(system, args, terminal)).unwrap_or(Status::Failed).into()
        }
        Command::Logout(args) => {
            on_runtime(login::logout(system, args, terminal)).unwrap_or(Status::Failed).into()
        }
        Command::Import(args) => {
            on_runtime(import::run(system, args, terminal)).unwrap_or(Status::Failed).into()
        }
        Command::Models(args) => list(system, terminal, |world, page| {
            if args.refresh {
                let refreshed = on_runtime(refresh::refresh(world, terminal, page));
                refreshed.unwrap_or_else(|| Err(Failure::internal("no runtime could be started")))?;
            }
            look_around(world);
            list::models(world, &args, terminal, page)
        }),
        Command::Sessions(args) => {
            list(system, terminal, |world, page| list::sessions(world, &args, terminal, page))
        }
        Command::Completions(args) => {
            let mut page = Page::default();
            shell::completions(&args, &mut page);
            written(&page, Status::Done)
        }
        Command::Man(args) => {
            let mut page = Page::default();
            let status = match shell::man(&args, &mut page) {
                Ok(()) => Status::Done,
                Err(failure) => {
                    page.err(terminal.complaint(Complaint::Error, &failure.message, failure.hint.as_deref()));
                    Status::of_request(&failure)
                }
            };
            written(&page, status)
        }
        Command::Doctor(args) => {
            on_runtime(doctor::run(system, &args, terminal)).unwrap_or(Status::Failed).into()
        }
        Command::Providers(args) => list(system, terminal, |world, page| {
            look_around(world);
            list::providers(world, &args, terminal, page);
            Ok(())
        }),
    }
}

/// Writes a list, below what is wrong with the user's files.
fn list(
    system: System,
    terminal: Terminal,
    fill: impl FnOnce(&World, &mut Page) -> Result<(), Failure>,
) -> ExitCode {
    let mut page = Page::default();
    let world = World::new(system, Client::default());
    complain_of_files(&world, terminal, &mut page);
    let status = match fill(&world, &mut page) {
        Ok(()) => Status::Done,
        Err(failure) => {
            page.err(terminal.complaint(Complaint::Error, &failure.message, failure.hint.as_deref()));
            Status::of_request(&failure)
        }
    };
    written(&page, status)
}

/// Looks for model servers on this machine: a person who asks for a list waits for the whole of it.
fn look_around(world: &World) {
    // What has not answered by then is not in the list.
    let _ = on_runtime(async { tokio::time::timeout(LOOK, world.look_closely()).await.map(drop) });
}

/// Tells what is wrong with `settings.json`, `models.json` and `auth.json`, as a compiler would.
fn complain_of_files(world: &World, terminal: Terminal, page: &mut Page) {
    for diagnostic in crate::doors::native::diagnostics(world) {
        let message = place(&diagnostic.path, diagnostic.line, diagnostic.column, &diagnostic.message);
        page.err(terminal.complaint(Complaint::Warning, &message, None));
    }
}

/// A problem in a file, as a compiler tells it.
fn place(path: &str, line: u32, column: u32, message: &str) -> String {
    let mut place = path.to_owned();
    for number in [line, column].into_iter().take_while(|number| *number > 0) {
        // Writing to memory does not fail.
        let _ = write!(place, ":{number}");
    }
    format!("{place}: {message}")
}

/// Writes all there is. A reader who has left needs not to be told.
fn written(page: &Page, status: Status) -> ExitCode {
    match page.write() {
        Ok(()) => status.into(),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Status::Done.into(),
        Err(_) => Status::Failed.into(),
    }
}
