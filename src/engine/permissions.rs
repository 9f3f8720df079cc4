//! Whether a call of a tool may run, and why.
//!
//! A decision is the greatest of all that is said about a call: deny over ask over allow, whoever says it. So no
//! later or more special rule can weaken another, and appending to a command can only make it stricter. What nobody
//! allows is asked. Everything here is a plain function of what it is given; looking paths up is done before, in
//! [`Prepared::new`], on a thread that may wait. It must never write a file or talk to a client.

pub mod book;
mod built_in;
pub mod grants;
pub mod load;
mod named;
pub mod question;
pub mod remember;
pub mod rule;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use self::grants::{Grant, Grants};
use self::load::Rules;
pub use self::named::Named;
use self::rule::{Class, Subject};
use super::event::PermissionMode;
use crate::tools::shell_line::{Command, ShellLine, Understood};
use crate::tools::{Effect, Intent, Place};

/// What is to happen with a call. The greater one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    /// It runs.
    Allow,
    /// The person is asked.
    Ask,
    /// It does not run.
    Deny,
}

/// Who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Aside itself.
    BuiltIn,
    /// The file of whoever manages the machine.
    Managed,
    /// The user's `settings.json`.
    User,
    /// The client's `initialize.settings`: only asks and denies.
    Client,
    /// A settings file in a folder that is worked on: only asks and denies.
    Folder,
    /// What the person answered before, for this session.
    Session,
    /// The session's permission mode.
    Mode,
}

/// One thing that is said about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub layer: Layer,
    pub decision: Decision,
    /// The rule as it is written, or in words what is built in.
    pub rule: String,
    /// What of the call it is about: a path, a command.
    pub about: String,
    /// Whether it is only that nothing allows it, so that an answer may hold for longer than once.
    pub is_open: bool,
}

/// What was decided, and every reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub decision: Decision,
    pub mode: PermissionMode,
    pub reasons: Vec<Reason>,
}

/// A call with everything that was looked up for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The tool's name.
    pub tool: String,
    pub arguments: Value,
    pub intent: Intent,
    /// The shell lines of the intent, in order.
    pub lines: Vec<PreparedLine>,
}

/// A shell line with the places that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedLine {
    pub line: ShellLine,
    pub named: Vec<Named>,
}

/// What a call is judged by.
#[derive(Clone, Copy)]
pub struct Circumstances<'c> {
    pub mode: PermissionMode,
    pub rules: &'c Rules,
    pub grants: &'c Grants,
    /// The session's folders, real paths; the first is where commands run.
    pub roots: &'c [PathBuf],
    /// The folder with Aside's own settings and keys.
    pub config: Option<&'c Path>,
    /// Whether names of programs lead to no file that the workspace could have put there.
    pub is_plain_path: bool,
}

impl Prepared {
    /// Reads the shell lines of `intent` and looks up what they name. `locate` says where a path leads that is
    /// written relative to a folder. May take as long as the file system does.
    pub fn new(
        tool: &str,
        arguments: Value,
        intent: Intent,
        locate: &dyn Fn(&str, &Path) -> Option<Place>,
    ) -> Self {
        let lines = intent.effects.iter().filter_map(|effect| match effect {
            Effect::Run { line, folder, .. } => {
                let line = ShellLine::read(line);
                let named = named::named(&line, folder, locate);
                Some(PreparedLine { line, named })
            }
            Effect::Read(_) | Effect::Write(_) | Effect::Stop { .. } | Effect::Pretend => None,
        });
        let lines = lines.collect();
        Self { tool: tool.to_owned(), arguments, intent, lines }
    }
}

/// Whether programs are looked for only in absolute folders outside of `roots`, so that a project cannot put its
/// own `ls` before the system's.
pub fn is_plain_path(path: Option<&str>, roots: &[PathBuf]) -> bool {
    let Some(path) = path else { return false };
    std::env::split_paths(path)
        .all(|folder| folder.is_absolute() && !roots.iter().any(|root| folder.starts_with(root)))
}

/// Decides.
pub fn judge(call: &Prepared, around: &Circumstances<'_>) -> Verdict {
    let mut reasons = Vec::new();
    let mut lines = call.lines.iter();
    for effect in &call.intent.effects {
        match effect {
            Effect::Read(place) => {
                reasons.extend(place_reasons(call, around, place, Class::Read, Known::FROM_THE_CALL));
            }
            Effect::Write(place) => {
                reasons.extend(place_reasons(call, around, place, Class::Edit, Known::FROM_THE_CALL));
            }
            Effect::Run { line, folder, background } => {
                let Some(prepared) = lines.next() else { continue };
                let run = Run { line, folder, background: *background, prepared };
                reasons.extend(run_reasons(call, around, &run));
            }
            Effect::Stop { what } => reasons.extend(other_reasons(call, around, what, effect)),
            Effect::Pretend => reasons.extend(other_reasons(call, around, &call.tool, effect)),
        }
    }
    let decision = reasons.iter().map(|reason| reason.decision).max().unwrap_or(Decision::Allow);
    Verdict { decision, mode: around.mode(), reasons }
}

/// A shell line with its surroundings.
struct Run<'c> {
    line: &'c str,
    folder: &'c Path,
    background: bool,
    prepared: &'c PreparedLine,
}

impl Circumstances<'_> {
    /// The mode that holds: without its switch in the user's settings there is no full one.
    fn mode(&self) -> PermissionMode {
        match self.mode {
            PermissionMode::Full if !self.rules.allow_full => PermissionMode::Ask,
            mode => mode,
        }
    }
}

/// What is said about one part of a call, before it is known whether anything allows it.
struct Said {
    about: String,
    reasons: Vec<Reason>,
}

impl Said {
    fn new(about: impl Into<String>) -> Self {
        Self { about: about.into(), reasons: Vec::new() }
    }

    fn say(&mut self, layer: Layer, decision: Decision, rule: impl Into<String>) {
        let about = self.about.clone();
        self.reasons.push(Reason { layer, decision, rule: rule.into(), about, is_open: false });
    }

    fn rules(&mut self, rules: &Rules, subject: &Subject<'_>) {
        for (layer, decision, rule) in rules.matching(subject) {
            self.say(layer, decision, rule.text.clone());
        }
    }

    /// What the person said before.
    fn answers(&mut self, answer: Option<Decision>) {
        match answer {
            Some(Decision::Allow) => self.say(Layer::Session, Decision::Allow, ALLOWED),
            Some(Decision::Deny) => self.say(Layer::Session, Decision::Deny, REFUSED),
            Some(Decision::Ask) | None => {}
        }
    }

    /// All of it; where nothing was said, that nothing allows it.
    fn end(mut self) -> Vec<Reason> {
        if self.reasons.is_empty() {
            self.say(Layer::BuiltIn, Decision::Ask, "nothing allows it");
            if let Some(reason) = self.reasons.last_mut() {
                reason.is_open = true;
            }
        }
        self.reasons
    }
}

/// What is known of a file beyond where it is.
#[derive(Clone, Copy)]
struct Known {
    /// Whether the person allowed the command that names it.
    granted: bool,
    /// Whether it is still there when it is touched: nothing runs before that could put another in its place.
    settled: bool,
}

impl Known {
    /// What a tool touches itself, through the gate.
    const FROM_THE_CALL: Self = Self { granted: false, settled: true };
}

/// About a file.
fn place_reasons(
    call: &Prepared,
    around: &Circumstances<'_>,
    place: &Place,
    class: Class,
    known: Known,
) -> Vec<Reason> {
    let mut said = Said::new(place.path.display().to_string());
    let mode = around.mode();
    let is_write = class == Class::Edit;
    if let Some(why) = built_in::forbidden_place(place, around.config) {
        said.say(Layer::BuiltIn, Decision::Deny, why);
    }
    if is_write && mode == PermissionMode::Plan {
        said.say(Layer::Mode, Decision::Deny, PLAN);
    }
    said.rules(around.rules, &Subject::place(&call.tool, class, place, around.roots));
    if let Some(why) = place.protected.filter(|_| is_write) {
        said.say(Layer::BuiltIn, Decision::Ask, format!("a protected file is never changed unasked: {why}"));
    }
    if let Some(why) = place.secret {
        said.say(Layer::BuiltIn, Decision::Ask, format!("a secret is never touched unasked: {why}"));
    }
    if is_write && place.hard_links > 1 && mode != PermissionMode::Full {
        let others = place.hard_links - 1;
        said.say(Layer::BuiltIn, Decision::Ask, format!("the same file has {others} more names elsewhere"));
    }
    if !is_write && place.inside && place.secret.is_none() && known.settled {
        said.say(Layer::BuiltIn, Decision::Allow, "reads inside the workspace are free");
    }
    if is_write && place.inside && known.settled && mode == PermissionMode::AcceptEdits {
        said.say(Layer::Mode, Decision::Allow, "edits inside the workspace are accepted");
    }
    if mode == PermissionMode::Full {
        said.say(Layer::Mode, Decision::Allow, FULL);
    }
    let effect = if is_write { Effect::Write(place.clone()) } else { Effect::Read(place.clone()) };
    said.answers(around.grants.said(&Grant::of(call, &effect)));
    if known.granted {
        said.answers(Some(Decision::Allow));
    }
    said.end()
}

const PLAN: &str = "in plan mode nothing may have an effect";
const FULL: &str = "the mode is full";
const ALLOWED: &str = "the person allowed exactly this until the session ends";
const REFUSED: &str = "the person refused exactly this until the session ends";

/// About a shell line.
fn run_reasons(call: &Prepared, around: &Circumstances<'_>, run: &Run<'_>) -> Vec<Reason> {
    let mode = around.mode();
    let line = &run.prepared.line;
    let mut whole = Said::new(run.line);
    if let Some(why) = built_in::forbidden_line(run.line, line) {
        whole.say(Layer::BuiltIn, Decision::Deny, why);
    }
    if let Understood::Not(whys) = &line.understood
        && mode != PermissionMode::Full
    {
        for why in whys {
            whole.say(Layer::BuiltIn, Decision::Ask, format!("the command is not fully understood: {why}"));
        }
    }
    let is_harmless = |command: &Command| around.is_plain_path && built_in::is_harmless(command);
    if mode == PermissionMode::Plan && !line.commands.iter().all(is_harmless) {
        whole.say(Layer::Mode, Decision::Deny, PLAN);
    }
    let subject = Subject::line(&call.tool, run.line, run.folder, line, run.background);
    whole.rules(around.rules, &subject);
    let effect =
        Effect::Run { line: run.line.to_owned(), folder: run.folder.to_owned(), background: run.background };
    let answer = around.grants.said(&Grant::of(call, &effect));
    let granted = line.is_understood() && answer == Some(Decision::Allow);
    if granted || answer == Some(Decision::Deny) {
        whole.answers(answer);
    }
    if mode == PermissionMode::Full {
        whole.say(Layer::Mode, Decision::Allow, FULL);
    }
    // What is said of the whole line is said of each of its commands.
    let is_allowed = whole.reasons.iter().any(|reason| reason.decision == Decision::Allow);
    let mut reasons = whole.reasons;
    for command in &line.commands {
        let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
        let mut said = Said::new(words.join(" "));
        said.rules(around.rules, &Subject::command(&call.tool, command));
        if is_harmless(command) {
            said.say(Layer::BuiltIn, Decision::Allow, "the command only shows what may be read");
        }
        if is_allowed && said.reasons.is_empty() {
            continue;
        }
        // A program that is not named cannot be allowed by its name.
        reasons.extend(said.end());
    }
    for named in &run.prepared.named {
        let class = if named.is_write { Class::Edit } else { Class::Read };
        match &named.place {
            Some(place) => {
                let known = Known { granted, settled: named.is_settled };
                reasons.extend(place_reasons(call, around, place, class, known));
            }
            None if mode == PermissionMode::Full => {}
            None => {
                let mut said = Said::new(named.text.clone());
                said.say(Layer::BuiltIn, Decision::Ask, "it cannot be told which file this is");
                reasons.extend(said.end());
            }
        }
    }
    if reasons.is_empty() {
        let mut said = Said::new(run.line);
        said.say(Layer::BuiltIn, Decision::Allow, "nothing runs");
        reasons = said.end();
    }
    reasons
}

/// About what is neither a file nor a command.
fn other_reasons(call: &Prepared, around: &Circumstances<'_>, about: &str, effect: &Effect) -> Vec<Reason> {
    let mut said = Said::new(about);
    let mode = around.mode();
    if mode == PermissionMode::Plan {
        said.say(Layer::Mode, Decision::Deny, PLAN);
    }
    said.rules(around.rules, &Subject::other(&call.tool));
    if mode == PermissionMode::Full {
        said.say(Layer::Mode, Decision::Allow, FULL);
    }
    said.answers(around.grants.said(&Grant::of(call, effect)));
    said.end()
}

impl Verdict {
    /// Whether an answer may hold for longer than this once: where a rule or a guard asks, it may not.
    pub fn may_last(&self) -> bool {
        self.deciding().all(|reason| reason.is_open)
    }

    /// The reasons that the decision rests on.
    pub fn deciding(&self) -> impl Iterator<Item = &Reason> {
        self.reasons.iter().filter(|reason| reason.decision == self.decision)
    }

    /// For the model, where the call is denied.
    pub fn refusal(&self) -> String {
        let mut reasons = self.deciding();
        match reasons.next() {
            Some(reason) if reason.layer == Layer::Mode => {
                "Denied: the session is in plan mode, in which nothing may have an effect. Say what you would do \
                 instead."
                    .to_owned()
            }
            Some(Reason { layer: Layer::BuiltIn | Layer::Session, rule, .. }) => format!("Denied: {rule}."),
            Some(Reason { layer, rule, .. }) => {
                format!("Denied by the rule `{rule}` of {layer}. Do not try to reach the same in another way.")
            }
            None => "Denied.".to_owned(),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        })
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BuiltIn => "Aside itself",
            Self::Managed => "the managed settings",
            Self::User => "the user's settings",
            Self::Client => "the client's settings",
            Self::Folder => "the folder's settings",
            Self::Session => "this session",
            Self::Mode => "the permission mode",
        })
    }
}
