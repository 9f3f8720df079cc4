//! `aside doctor`: what is there, what is wrong with it, and what to do about it.
//!
//! It changes nothing, shows no secret, and runs no command that it was not told to. `checks.rs` looks at what is on
//! this machine, `net.rs` at what is beyond.

mod checks;
mod net;

use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;

use super::Status;
use super::args::DoctorArgs;
use super::terminal::{Page, Terminal, clean};
use crate::engine::{Client, World};
use crate::system::System;
use crate::system::os::Signals;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    area: Area,
    level: Level,
    /// What it is about.
    subject: String,
    /// What was found.
    message: String,
    /// What to do.
    hint: Option<String>,
}

/// Where it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Area {
    Program,
    Files,
    Accounts,
    Proxies,
    LocalServers,
    Network,
    Model,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Level {
    Ok,
    Warning,
    Problem,
}

impl Finding {
    fn new(area: Area, level: Level, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { area, level, subject: subject.into(), message: message.into(), hint: None }
    }

    fn ok(area: Area, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(area, Level::Ok, subject, message)
    }

    fn warning(area: Area, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(area, Level::Warning, subject, message)
    }

    fn problem(area: Area, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(area, Level::Problem, subject, message)
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// Looks at everything and tells it.
pub(super) async fn run(system: System, args: &DoctorArgs, terminal: Terminal) -> Status {
    let Ok(mut signals) = Signals::watch_without_parent() else { return Status::Failed };
    tokio::select! {
        biased;
        event = signals.next() => Status::of(event),
        status = examine(system, args, terminal) => status,
    }
}

async fn examine(system: System, args: &DoctorArgs, terminal: Terminal) -> Status {
    let world = Arc::new(World::new(system, Client::default()));
    let mut report = Report { terminal, is_json: args.json, findings: Vec::new(), area: None };
    // What is on this machine is told before anything beyond is waited for.
    let mut findings = checks::program();
    findings.extend(checks::files(&world));
    findings.extend(checks::accounts(&world, args).await);
    findings.extend(checks::network(&world));
    let mut written = report.tell(findings);
    if !args.offline {
        let (servers, reached) = tokio::join!(net::servers(&world), net::providers(&world));
        written = written.and(report.tell(servers)).and(report.tell(reached));
    }
    written = written.and(report.tell(vec![checks::model(&world)])).and(report.end());
    match written {
        Ok(()) if report.is_healthy() => Status::Done,
        // A reader who has left needs not to be told.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Status::Done,
        Ok(()) | Err(_) => Status::Failed,
    }
}

/// What was found so far.
struct Report {
    terminal: Terminal,
    is_json: bool,
    findings: Vec<Finding>,
    /// The area that was told of last.
    area: Option<Area>,
}

impl Report {
    fn is_healthy(&self) -> bool {
        self.count(Level::Problem) == 0
    }

    fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// Tells of these, unless all is told at once in the end.
    fn tell(&mut self, findings: Vec<Finding>) -> std::io::Result<()> {
        let mut page = Page::default();
        if !self.is_json {
            for finding in &findings {
                if self.area != Some(finding.area) {
                    let blank = if self.area.is_some() { "\n" } else { "" };
                    page.out(format!("{blank}{}\n", self.painted("1", title(finding.area))));
                    self.area = Some(finding.area);
                }
                page.out(self.lines(finding));
            }
        }
        self.findings.extend(findings);
        page.write()
    }

    /// One finding, for people.
    fn lines(&self, finding: &Finding) -> String {
        let (mark, word, code) = match finding.level {
            Level::Ok => ("✓", "ok", "32"),
            Level::Warning => ("!", "warning", "33"),
            Level::Problem => ("✗", "problem", "31"),
        };
        // Programs that read this look for words.
        let mark = if self.terminal.paints() { self.painted(code, mark) } else { format!("{word:<7}") };
        let mut lines =
            format!("  {mark} {}: {}\n", clean(&finding.subject), clean(&finding.message).replace('\n', " "));
        if let Some(hint) = &finding.hint {
            let indent = if self.terminal.paints() { "    " } else { "          " };
            let hint = format!("-> {}", clean(hint).replace('\n', " "));
            // Writing to memory does not fail.
            let _ = writeln!(lines, "{indent}{}", self.painted("36", &hint));
        }
        lines
    }

    /// The last word.
    fn end(&self) -> std::io::Result<()> {
        let mut page = Page::default();
        let (problems, warnings) = (self.count(Level::Problem), self.count(Level::Warning));
        if self.is_json {
            let whole = Whole {
                version: env!("CARGO_PKG_VERSION"),
                platform: platform(),
                ok: problems == 0,
                findings: &self.findings,
            };
            let mut line = Vec::new();
            crate::doors::peer::writer::append(&mut line, &whole);
            line.push(b'\n');
            page.out(line);
        } else {
            let count = |count: usize, what: &str| match count {
                0 => format!("no {what}s"),
                1 => format!("1 {what}"),
                count => format!("{count} {what}s"),
            };
            let code = if problems > 0 { "1;31" } else { "1" };
            let said = format!("{}, {}", count(problems, "problem"), count(warnings, "warning"));
            page.out(format!("\n{}\n", self.painted(code, &said)));
        }
        page.write()
    }

    fn painted(&self, code: &str, text: &str) -> String {
        if self.terminal.paints() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Everything, for programs.
#[derive(Serialize)]
struct Whole<'f> {
    version: &'static str,
    platform: String,
    ok: bool,
    findings: &'f [Finding],
}

fn title(area: Area) -> &'static str {
    match area {
        Area::Program => "Program",
        Area::Files => "Files",
        Area::Accounts => "Keys",
        Area::Proxies => "Proxies and certificates",
        Area::LocalServers => "Model servers on this machine",
        Area::Network => "Providers",
        Area::Model => "Default model",
    }
}

fn platform() -> String {
    format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)
}
