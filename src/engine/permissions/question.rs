//! What the person is asked, made from what the call would really do: never from what the model says of it.
//!
//! An answer that lasts is offered with exactly the words of what it will mean, and never means more. It must never
//! leave out a part of a command that runs.

use std::path::{Path, PathBuf};

use super::{Decision, Prepared, Verdict};
use crate::engine::event::{PermissionOption, PermissionOptionKind};
use crate::tools::shell_line::ShellLine;
use crate::tools::shown::{cut, line, show};
use crate::tools::{Effect, Place};

/// Characters of a title.
const MAX_TITLE: usize = 200;
/// Characters of one command, and of all the rest.
const MAX_PART: usize = 8_000;
/// Lines of all of it.
const MAX_LINES: usize = 300;
/// Characters of what is offered for longer than once: more would not be read.
const MAX_OFFER: usize = 300;
/// Files that one lasting answer may be about.
const MAX_OFFERED: usize = 3;
/// Programs that are named.
const MAX_PROGRAMS: usize = 40;

/// The ids of the answers.
pub const ALLOW_ONCE: &str = "allowOnce";
pub const ALLOW_SESSION: &str = "allowSession";
pub const ALLOW_ALWAYS: &str = "allowAlways";
pub const REJECT_ONCE: &str = "rejectOnce";
pub const REJECT_ALWAYS: &str = "rejectAlways";

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionText {
    /// In one line.
    pub title: String,
    /// All of it.
    pub detail: String,
    /// Where it works.
    pub locations: Vec<PathBuf>,
    pub options: Vec<PermissionOption>,
}

/// The question about `call`. `title` is what its tool calls it, for what has no words here; `roots` are the
/// session's folders.
pub fn question(call: &Prepared, verdict: &Verdict, title: &str, roots: &[PathBuf]) -> QuestionText {
    let mut parts = Vec::new();
    let mut locations = Vec::new();
    let mut lines = call.lines.iter();
    for effect in &call.intent.effects {
        match effect {
            Effect::Read(place) => {
                parts.push(about_place("Read", place));
                locations.push(place.path.clone());
            }
            Effect::Write(place) => {
                parts.push(about_place("Change", place));
                locations.push(place.path.clone());
            }
            Effect::Run { line: text, folder, background } => {
                let manner = if *background { "Run in the background" } else { "Run" };
                let mut part = format!("{manner} in {}:\n\n{}\n", path(folder), cut(&show(text), MAX_PART));
                if let Some(prepared) = lines.next() {
                    part.push_str(&about_line(&prepared.line));
                    for named in &prepared.named {
                        let what = if named.is_write { "writes" } else { "reads" };
                        let place = match &named.place {
                            Some(place) => described(place),
                            None => format!("{}, which cannot be looked up", line(&named.text, MAX_TITLE)),
                        };
                        part.extend(["\n", what, " ", &place]);
                    }
                }
                parts.push(part);
                locations.push(folder.clone());
            }
            Effect::Stop { what } => parts.push(format!("End {}", line(what, MAX_TITLE))),
            Effect::Pretend => parts.push(show(title)),
        }
    }
    let runs = call.intent.effects.iter().any(|effect| matches!(effect, Effect::Run { .. }));
    if !runs {
        let arguments = serde_json::to_string_pretty(&call.arguments).unwrap_or_default();
        parts.push(cut(&show(&arguments), MAX_PART));
    }
    let mut why: Vec<String> = Vec::new();
    for reason in verdict.deciding() {
        let text = format!("{} ({})", line(&reason.rule, MAX_TITLE), reason.layer);
        if !why.contains(&text) {
            why.push(text);
        }
    }
    if !why.is_empty() {
        parts.push(format!("Asked because: {}", why.join("; ")));
    }
    QuestionText {
        title: one_line(call, title),
        detail: few_lines(&cut(&parts.join("\n\n"), 3 * MAX_PART)),
        locations,
        options: options(call, verdict, roots),
    }
}

/// The call in one line.
fn one_line(call: &Prepared, title: &str) -> String {
    let effects = &call.intent.effects;
    // What weighs most is named: a command, then what is changed.
    let weight = |effect: &&Effect| match effect {
        Effect::Run { .. } => 3,
        Effect::Write(_) => 2,
        Effect::Stop { .. } | Effect::Pretend => 1,
        Effect::Read(_) => 0,
    };
    let named = match effects.iter().rev().max_by_key(weight) {
        Some(Effect::Run { line: text, background: false, .. }) => format!("Run: {text}"),
        Some(Effect::Run { line: text, background: true, .. }) => format!("Run in the background: {text}"),
        Some(Effect::Write(place)) => format!("Change {}", place.path.display()),
        Some(Effect::Read(place)) => format!("Read {}", place.path.display()),
        Some(Effect::Stop { what }) => format!("End {what}"),
        Some(Effect::Pretend) | None => title.to_owned(),
    };
    let more = match effects.len() {
        0 | 1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    format!("{}{more}", line(&named, MAX_TITLE))
}

fn about_place(what: &str, place: &Place) -> String {
    format!("{what} {}", described(place))
}

/// A place with everything that sets it apart.
fn described(place: &Place) -> String {
    let outside = if place.inside { "" } else { ", outside the workspace" };
    let mut parts = vec![format!("{}{outside}", path(&place.path))];
    parts.extend(place.protected.map(|why| format!("a protected file: {why}")));
    parts.extend(place.secret.map(|why| format!("a secret: {why}")));
    if place.hard_links > 1 {
        parts.push(format!("the same file has {} more names", place.hard_links - 1));
    }
    parts.join("; ")
}

fn path(path: &Path) -> String {
    line(&path.display().to_string(), 4 * MAX_TITLE)
}

/// Every program that a line starts, so that none of them is lost in its length, and the variables that it sets.
fn about_line(read: &ShellLine) -> String {
    let mut programs: Vec<String> = Vec::new();
    let mut variables: Vec<String> = Vec::new();
    for command in &read.commands {
        for words in command.levels() {
            let Some(name) = words.first() else { continue };
            let name = line(&name.text, 60);
            if !programs.contains(&name) {
                programs.push(name);
            }
        }
        for word in &command.before {
            if let Some((name, _)) = word.text.split_once('=') {
                variables.push(line(name, 60));
            }
        }
    }
    let left_out = programs.len().saturating_sub(MAX_PROGRAMS);
    programs.truncate(MAX_PROGRAMS);
    let mut notes = Vec::new();
    if programs.len() > 1 {
        let more = if left_out > 0 { format!(" and {left_out} more programs") } else { String::new() };
        notes.push(format!("\nstarts {}{more}", programs.join(", ")));
    }
    if !variables.is_empty() {
        variables.dedup();
        variables.truncate(MAX_PROGRAMS);
        notes.push(format!("\nsets {}", variables.join(", ")));
    }
    notes.concat()
}

/// At most so many lines: the middle gives way.
fn few_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= MAX_LINES {
        return text.to_owned();
    }
    let half = MAX_LINES / 2;
    let left_out = lines.len() - 2 * half;
    let head = lines.get(..half).unwrap_or_default().join("\n");
    let tail = lines.get(lines.len() - half..).unwrap_or_default().join("\n");
    format!("{head}\n⟨{left_out} more lines here⟩\n{tail}")
}

fn options(call: &Prepared, verdict: &Verdict, roots: &[PathBuf]) -> Vec<PermissionOption> {
    let option = |id, label: String, kind| PermissionOption { id, label, kind };
    let mut options = vec![option(ALLOW_ONCE, "Allow this once".to_owned(), PermissionOptionKind::AllowOnce)];
    let offer = if verdict.may_last() { offer(call) } else { None };
    let stored = lasting_rules(call, roots).and(roots.first());
    if let Some(offer) = &offer {
        let label = format!("Allow {offer}, until the session ends");
        options.push(option(ALLOW_SESSION, label, PermissionOptionKind::AllowSession));
        if let Some(root) = stored {
            let label = format!("Always allow {offer}, when working in {}", path(root));
            options.push(option(ALLOW_ALWAYS, label, PermissionOptionKind::AllowAlways));
        }
    }
    options.push(option(REJECT_ONCE, "Reject".to_owned(), PermissionOptionKind::RejectOnce));
    if let (Some(offer), Some(root)) = (offer, stored) {
        let label = format!("Never allow {offer}, when working in {}", path(root));
        options.push(option(REJECT_ALWAYS, label, PermissionOptionKind::RejectAlways));
    }
    options
}

/// What a lasting answer would be about, in words. `None` where it cannot be said in a few.
fn offer(call: &Prepared) -> Option<String> {
    let effects = &call.intent.effects;
    if effects.is_empty() || effects.len() > MAX_OFFERED {
        return None;
    }
    let mut lines = call.lines.iter();
    let mut offers = Vec::new();
    for effect in effects {
        offers.push(match effect {
            Effect::Read(place) => format!("reading {}", path(&place.path)),
            Effect::Write(place) => format!("changing {}", path(&place.path)),
            Effect::Run { line: text, folder, background } => {
                if !lines.next().is_some_and(|prepared| prepared.line.is_understood()) {
                    return None;
                }
                let manner = if *background { " in the background" } else { "" };
                format!("exactly `{}`{manner} in {}", show(text), path(folder))
            }
            Effect::Stop { what } => format!("ending {}", line(what, MAX_TITLE)),
            Effect::Pretend => format!("exactly this call of {}", call.tool),
        });
    }
    let offer = offers.join(" and ");
    (offer.chars().count() <= MAX_OFFER && !offer.contains('\n')).then_some(offer)
}

/// The rules that an answer for good stands for. `None` where there are none that mean exactly this.
pub fn lasting_rules(call: &Prepared, roots: &[PathBuf]) -> Option<Vec<String>> {
    let mut lines = call.lines.iter();
    let mut rules = Vec::new();
    for effect in &call.intent.effects {
        rules.push(match effect {
            Effect::Read(place) => format!("read={}", place.path.to_str()?),
            Effect::Write(place) => format!("edit={}", place.path.to_str()?),
            Effect::Run { line: text, folder, background } => {
                let prepared = lines.next()?;
                let writes = prepared.named.iter().any(|named| named.is_write || named.place.is_none());
                if *background || writes || roots.first() != Some(folder) || !prepared.line.is_understood() {
                    return None;
                }
                format!("shell={text}")
            }
            Effect::Stop { .. } | Effect::Pretend => return None,
        });
    }
    (!rules.is_empty()).then_some(rules)
}

/// What an answer means for the call: whether it runs.
pub fn decision_of(option: &str) -> Decision {
    match option {
        ALLOW_ONCE | ALLOW_SESSION | ALLOW_ALWAYS => Decision::Allow,
        _ => Decision::Deny,
    }
}
