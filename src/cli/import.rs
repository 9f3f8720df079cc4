//! `aside import`: keys, sign-ins and models of another agent on this machine, copied into our own files.
//!
//! What would happen is listed first. The other agent's files are only read; of ours, an entry is replaced only
//! where the person says so, and everything else stays. A sign-in that two programs renew ends for one of them, which
//! is said before it is copied. `import/pi.rs`, `codex.rs` and `claude.rs` know what each has and where.

mod claude;
mod codex;
mod pi;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Status;
use super::args::{ImportArgs, Origin};
use super::login::{Stopped, finished};
use super::person::{Answered, ask};
use super::table::{Column, Shade, Table};
use super::terminal::{Complaint, Page, Terminal, clean};
use crate::accounts::{AUTH_FILE, Accounts, entry_id};
use crate::engine::{Client, Failure, World};
use crate::settings::change::{change, is_blank};
use crate::settings::jsonc::{Document, JsoncError, Value};
use crate::settings::load::{expanded, read_text};
use crate::settings::{Diagnostic, edit};
use crate::system::System;
use crate::system::os::Signals;
use crate::tools::{FieldKind, Form, FormField};

/// Replacements that are asked for one by one; who has more is asked once.
const MAX_ASKED: usize = 20;

/// Others write their files in place: one that makes no sense may be half written.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(60);

/// What another agent has that goes into one file of ours.
struct Part {
    /// Of ours, in the config folder.
    file: &'static str,
    /// The objects around its entries.
    inside: &'static [&'static str],
    entries: Vec<Found>,
}

/// One entry.
struct Found {
    id: String,
    /// What it is, in a few words.
    what: String,
    /// Whether it is tokens, which two programs cannot both renew.
    is_sign_in: bool,
    take: Take,
}

enum Take {
    /// JSON text, as it goes into our file.
    Entry(String),
    /// Why it is left out.
    LeftOut(&'static str),
}

/// What would become of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    New,
    Same,
    Replaces,
    LeftOut,
}

/// Runs the command.
pub(super) async fn run(system: System, args: ImportArgs, terminal: Terminal) -> Status {
    let mut page = Page::default();
    let Ok(mut signals) = Signals::watch_without_parent() else { return Status::Failed };
    let done = import(&system, &args, terminal, &mut signals, &mut page).await;
    if matches!(done, Ok(Done::Changed)) {
        let world = World::new(system, Client::default());
        super::complain_of_files(&world, terminal, &mut page);
    }
    finished(done.map(|_| ()), terminal, page)
}

enum Done {
    Changed,
    Unchanged,
}

async fn import(
    system: &System,
    args: &ImportArgs,
    terminal: Terminal,
    signals: &mut Signals,
    page: &mut Page,
) -> Result<Done, Stopped> {
    let (dir, mut parts, problems) = match args.from {
        Origin::Pi => {
            let dir = pi::dir(system, args.dir.as_deref())?;
            let (parts, problems) = pi::parts(system, &dir).await?;
            (dir, parts, problems)
        }
        Origin::Codex => {
            let dir = codex::dir(system, args.dir.as_deref())?;
            let (parts, problems) = codex::parts(system, &dir).await?;
            (dir, parts, problems)
        }
        Origin::Claude => {
            let dir = claude::dir(system, args.dir.as_deref())?;
            let (parts, problems) = claude::parts(system, &dir).await?;
            (dir, parts, problems)
        }
    };
    if let Some(label) = &args.account {
        labelled(&mut parts, label)?;
    }
    for problem in &problems {
        page.err(terminal.complaint(Complaint::Warning, &told(problem), None));
    }
    let config = system.dirs.config.clone();
    let config = config.ok_or_else(|| Failure::storage("there is no folder to import into"))?;
    let mut fates = Vec::new();
    for part in &parts {
        let path = config.join(part.file);
        let ours = read_text(system, &path).map_err(|problem| unreadable(&problem))?;
        let ours = ours.filter(|text| !is_blank(text)).unwrap_or_else(|| "{}".to_owned());
        let ours = values(&ours, part.inside).map_err(|error| unreadable(&Diagnostic::at(&path, error)))?;
        fates.push(part.entries.iter().map(|entry| fate(entry, &ours)).collect::<Vec<_>>());
    }

    page.out(format!("in {}:\n", clean(&dir.display().to_string())));
    listing(&parts, &fates).write(terminal, page);
    let count = |fate: Fate| fates.iter().flatten().filter(|of| **of == fate).count();
    let (new, replaced) = (count(Fate::New), count(Fate::Replaces));
    if new + replaced == 0 {
        page.out("nothing to import\n");
        return Ok(Done::Unchanged);
    }
    if shares_sign_in(&parts, &fates) {
        page.err(terminal.complaint(Complaint::Warning, SHARED, Some(OWN)));
    }
    if args.dry_run {
        return Ok(Done::Unchanged);
    }
    let agreed = if args.yes {
        replacements(&parts, &fates).collect()
    } else if terminal.can_ask() {
        // The list is read before the question.
        let _ = std::mem::take(page).write();
        agreed(&parts, &fates, terminal, signals).await?
    } else {
        let message = "nothing was imported, because nobody can be asked here";
        let hint = "--yes imports all of it, --dry-run only lists it";
        return Err(Failure { hint: Some(hint.to_owned()), ..Failure::invalid("/yes", message) }.into());
    };

    let mut imported = 0;
    for (part, fates) in parts.iter().zip(&fates) {
        let wanted: Vec<(String, String)> = part
            .entries
            .iter()
            .zip(fates)
            .filter_map(|(entry, fate)| match (&entry.take, fate) {
                (Take::Entry(text), Fate::New) => Some((entry.id.clone(), text.clone())),
                (Take::Entry(text), Fate::Replaces) if agreed.contains(&(part.file, entry.id.clone())) => {
                    Some((entry.id.clone(), text.clone()))
                }
                _ => None,
            })
            .collect();
        if wanted.is_empty() {
            continue;
        }
        imported += wanted.len();
        let inside = part.inside;
        let path = config.join(part.file);
        let cancel = CancellationToken::new();
        let changed = change(system, &path, &cancel, move |text| {
            let mut changed = text.to_owned();
            for (id, entry) in &wanted {
                let path: Vec<&str> = inside.iter().copied().chain([id.as_str()]).collect();
                changed = edit::with(&changed, &path, entry)?;
            }
            Ok((Some(changed), ()))
        });
        changed.await.map_err(|error| Failure::storage(format!("{} was not changed: {error}", part.file)))?;
    }
    let entries = if imported == 1 { "entry" } else { "entries" };
    page.out(format!("imported {imported} {entries} into {}\n", clean(&config.display().to_string())));
    Ok(Done::Changed)
}

/// What is said of a sign-in that is copied.
const SHARED: &str = "the tokens of a sign-in are good for one program: each renewal spends them, so from the first \
                      one on only the program that made it stays signed in";
/// What to do instead.
const OWN: &str =
    "`aside login PROVIDER` gets a sign-in of its own; after an import, sign in again in the other program";

/// Whether a sign-in would be copied.
fn shares_sign_in(parts: &[Part], fates: &[Vec<Fate>]) -> bool {
    let mut all = parts.iter().zip(fates).flat_map(|(part, fates)| part.entries.iter().zip(fates));
    all.any(|(entry, fate)| entry.is_sign_in && matches!(fate, Fate::New | Fate::Replaces))
}

/// Has the accounts imported under a label.
fn labelled(parts: &mut [Part], label: &str) -> Result<(), Failure> {
    for part in parts {
        if part.file != AUTH_FILE {
            return Err(Failure::invalid("/account", "--account is for the sign-ins of codex and claude"));
        }
        for entry in &mut part.entries {
            Accounts::fit_label(&entry.id, label).map_err(Failure::of_choice)?;
            entry.id = entry_id(&entry.id, Some(label));
        }
    }
    Ok(())
}

/// The folder of another agent: the one that was given, the one that its variable names, or the usual one.
fn folder(
    system: &System,
    given: Option<&Path>,
    variable: &str,
    usual: &[&str],
    agent: &str,
) -> Result<PathBuf, Failure> {
    let home = system.dirs.home.as_deref();
    let dir = match (given, system.env.get(variable)) {
        (Some(given), _) => Some(given.to_path_buf()),
        (None, Some(named)) => Some(expanded(named.trim(), home)),
        (None, None) => home.map(|home| usual.iter().fold(home.to_path_buf(), |dir, part| dir.join(part))),
    };
    let unknown = || Failure::not_found(format!("{agent}'s folder is not known"), Some("name it with --dir"));
    dir.ok_or_else(unknown)
}

/// A file of another agent; `None` where there is none. `object` is the field of it that is an object if it is there
/// at all: a list would be read field by field, and nothing is found by its position.
async fn read<T: serde::de::DeserializeOwned>(
    system: &System,
    path: &Path,
    object: &str,
) -> Result<Option<T>, Diagnostic> {
    let whole = |text: &str| {
        let document = Document::new(text)?;
        let root = document.root()?;
        for entry in root.entries()?.into_iter().filter(|entry| entry.key == object) {
            if entry.value.text() != "null" {
                entry.value.entries()?;
            }
        }
        root.parse()
    };
    read_with(system, path, whole).await
}

/// The same, read by `read`. One that makes no sense is read again some times.
async fn read_with<T>(
    system: &System,
    path: &Path,
    read: impl Fn(&str) -> Result<T, JsoncError>,
) -> Result<Option<T>, Diagnostic> {
    let mut tries = 0;
    loop {
        let Some(text) = read_text(system, path)? else { return Ok(None) };
        let found = read(if is_blank(&text) { "{}" } else { &text });
        tries += 1;
        match found {
            Ok(found) => return Ok(Some(found)),
            Err(error) if tries >= TRIES => return Err(Diagnostic::at(path, error)),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn told(problem: &Diagnostic) -> String {
    super::place(&problem.path.display().to_string(), problem.line, problem.column, &problem.message)
}

fn unreadable(problem: &Diagnostic) -> Failure {
    let hint = "mend the file or move it away, then try again; it was not touched";
    Failure { hint: Some(hint.to_owned()), ..Failure::storage(told(problem)) }
}

/// Entries of ours that theirs would replace.
fn replacements<'p>(
    parts: &'p [Part],
    fates: &'p [Vec<Fate>],
) -> impl Iterator<Item = (&'static str, String)> + 'p {
    parts.iter().zip(fates).flat_map(|(part, fates)| {
        let replaced = part.entries.iter().zip(fates).filter(|(_, fate)| **fate == Fate::Replaces);
        replaced.map(|(entry, _)| (part.file, entry.id.clone()))
    })
}

/// Asks whether to import, and which entries of ours may be replaced.
async fn agreed(
    parts: &[Part],
    fates: &[Vec<Fate>],
    terminal: Terminal,
    signals: &mut Signals,
) -> Result<Vec<(&'static str, String)>, Stopped> {
    let question = |name: String, label: String| FormField {
        name,
        label,
        kind: FieldKind::Boolean,
        choices: Vec::new(),
        required: true,
    };
    let replaced: Vec<(&'static str, String)> = replacements(parts, fates).collect();
    let mut fields: Vec<FormField> = if replaced.len() > MAX_ASKED {
        vec![question("all".to_owned(), format!("replace {} entries of yours?", replaced.len()))]
    } else {
        let label = |file: &str, id: &str| format!("replace {id} in {file}?");
        replaced
            .iter()
            .enumerate()
            .map(|(at, (file, id))| question(at.to_string(), label(file, id)))
            .collect()
    };
    fields.push(question("go".to_owned(), "import?".to_owned()));
    let form = Form { message: "Import what is listed".to_owned(), fields };
    let values = match ask(terminal, signals, form).await {
        Answered::Values(values) => values,
        Answered::Closed => return Err(Stopped::Closed),
        Answered::Ended(event) => return Err(Stopped::Ended(event)),
    };
    let yes = |name: &str| values.get(name).is_some_and(|value| value == "true");
    if !yes("go") {
        return Err(Stopped::Closed);
    }
    let kept = replaced.into_iter().enumerate();
    Ok(kept.filter(|(at, _)| yes("all") || yes(&at.to_string())).map(|(_, entry)| entry).collect())
}

fn listing(parts: &[Part], fates: &[Vec<Fate>]) -> Table {
    let mut table = Table::new([
        Column::left("entry", 0),
        Column::left("what", 0),
        Column::left("into", 0),
        Column::left("", 0),
    ]);
    for (part, fates) in parts.iter().zip(fates) {
        for (entry, fate) in part.entries.iter().zip(fates) {
            let words = match (&entry.take, fate) {
                (Take::LeftOut(why), _) => (*why).to_owned(),
                (_, Fate::Same) => "is there already".to_owned(),
                (_, Fate::Replaces) => "replaces yours".to_owned(),
                (_, Fate::New | Fate::LeftOut) => "new".to_owned(),
            };
            let shade = Shade::of(matches!(fate, Fate::New | Fate::Replaces));
            table.row(shade, [entry.id.clone(), entry.what.clone(), part.file.to_owned(), words]);
        }
    }
    table
}

fn fate(entry: &Found, ours: &BTreeMap<String, serde_json::Value>) -> Fate {
    match (&entry.take, ours.get(&entry.id)) {
        (Take::LeftOut(_), _) => Fate::LeftOut,
        (Take::Entry(_), None) => Fate::New,
        (Take::Entry(text), Some(ours)) => match serde_json::from_str::<serde_json::Value>(text) {
            Ok(theirs) if theirs == *ours => Fate::Same,
            _ => Fate::Replaces,
        },
    }
}

/// The entries inside `path` by their names.
fn values(text: &str, path: &[&str]) -> Result<BTreeMap<String, serde_json::Value>, JsoncError> {
    let document = Document::new(text)?;
    let Some(object) = descend(document.root()?, path)? else { return Ok(BTreeMap::new()) };
    object.entries()?.into_iter().map(|entry| Ok((entry.key.clone(), entry.value.parse()?))).collect()
}

/// The object at the end of `path`.
fn descend<'d>(mut object: Value<'d>, path: &[&str]) -> Result<Option<Value<'d>>, JsoncError> {
    for name in path {
        match object.entries()?.into_iter().rev().find(|entry| entry.key == *name) {
            Some(entry) => object = entry.value,
            None => return Ok(None),
        }
    }
    Ok(Some(object))
}

/// An entry's text as a document of its own: without comments, and as far to the left as it goes.
fn dedented(text: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let rest = || text.lines().skip(1).filter(|line| !line.trim().is_empty());
    let least = rest().map(indent).min().unwrap_or(0);
    let first = text.lines().next().unwrap_or_default().trim_end();
    let lines = std::iter::once(first).chain(rest().map(|line| line.get(least..).unwrap_or(line).trim_end()));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_taken_as_it_is_written() {
        let theirs = "{\n    \"type\": \"api_key\",\n    \"env\": {\n      \"A\": \"b\"\n    },   \n\n    \"key\": \"k\"\n  }";
        let own = "{\n  \"type\": \"api_key\",\n  \"env\": {\n    \"A\": \"b\"\n  },\n  \"key\": \"k\"\n}";
        assert_eq!(dedented(theirs), own);
        assert_eq!(dedented("{\"a\": 1}"), "{\"a\": 1}");
        assert_eq!(dedented("{\n\t\t\"a\": 1\n\t}"), "{\n\t\"a\": 1\n}");
    }
}
