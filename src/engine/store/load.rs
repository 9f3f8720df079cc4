//! Reads a session file back, whatever happened to the process that wrote it.
//!
//! A torn last line is left out and healed by a line feed before the next append; lines that cannot be read
//! are counted and told; nothing is ever rewritten. It runs off the runtime's thread.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read as _};
use std::path::Path;

use super::format::{Record, StoredAccount, VERSION, ending_of, load_content, mode_of};
use super::{SessionFile, Store};
use crate::catalog::ThinkingLevel;
use crate::engine::event::{Account, EndedTurn, PermissionMode, SessionSummary};
use crate::engine::item::{
    Failure, FileChangeItem, Item, ItemBody, ItemId, ItemStatus, Review, SessionId, TurnId, cut,
};
use crate::models::{Content, Usage};
use crate::system::files::Files;
use crate::tools::FileChange;
use crate::tools::change::hash;
use crate::tools::workspace::sweep_beside;

/// How much of a file is read for a list.
const HEAD: usize = 8 << 10;
/// How much of its end is looked through for a later title.
const TAIL: usize = 4 << 10;
/// How much of it is read at most, where it begins with something long.
const MAX_HEAD: usize = 8 << 20;

/// A session as its file tells it.
pub struct Loaded {
    /// `None` where it was opened to be read only.
    pub file: Option<SessionFile>,
    /// Why it is read only.
    pub read_only: Option<String>,
    /// The newest epoch in the file; from `load` to be written, the one that has begun.
    pub epoch: u64,
    pub items: Vec<Item>,
    pub created_at_ms: u64,
    pub updated_at_ms: u64,
    pub cwd: String,
    /// Further folders.
    pub folders: Vec<String>,
    /// Those of them that are not there.
    pub missing: Vec<String>,
    pub title: Option<String>,
    /// Whether the person gave it.
    pub renamed: bool,
    pub system: Option<String>,
    pub model: Option<String>,
    pub account: Option<Account>,
    pub thinking: Option<ThinkingLevel>,
    pub mode: PermissionMode,
    pub usage: Usage,
    /// Decisions on changes that were being carried out.
    pub reviews: Vec<Reviewed>,
    /// Prompts that waited.
    pub queue: Vec<Vec<Content>>,
    /// The turns that are over, in order.
    pub turns: Vec<EndedTurn>,
    /// The newest turn's number.
    pub last_turn: u32,
    /// Whether that turn never ended: the process died in it.
    pub interrupted: bool,
    /// Lines that could not be read.
    pub unreadable: usize,
    /// How many of them the person was told of before.
    pub told_unreadable: usize,
    /// The greatest id of an item, known or not.
    pub last_item: u32,
    /// What could not be written while it was loaded.
    pub unwritten: Vec<u8>,
    /// The file does not end with a line feed.
    pub torn: bool,
}

/// A decision on a change that was being carried out.
pub struct Reviewed {
    pub item: ItemId,
    /// The change as it was before.
    pub before: FileChange,
    pub review: Review,
    /// Whether the file is as was decided; `None` where it is neither that nor what it was.
    pub was_made: Option<bool>,
}

/// Whether a session is opened to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Write,
    Read,
}

/// Reads the session's file, locked for this process unless it is only to be read.
pub fn load(store: &Store, session: &SessionId, access: Access) -> Result<Loaded, Failure> {
    let path = store.path(session).ok_or_else(|| Failure::no_session(session.as_str()))?;
    let failed = |what: &str, error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => Failure::no_session(session.as_str()),
        _ => Failure::storage(format!("cannot {what} {}: {error}", path.display())),
    };
    let foreign = || Failure::storage(format!("{} is not a session of Aside", path.display()));
    let files = &store.system().files;
    if access == Access::Read {
        let bytes = files.read(&path).map_err(|error| failed("read", &error))?;
        let mut loaded = parse(&bytes).ok_or_else(foreign)?;
        for item in loaded.items.iter_mut().filter(|item| item.status == ItemStatus::InProgress) {
            item.status = ItemStatus::Cancelled;
        }
        settle_reviews(&mut loaded, files.as_ref());
        loaded.read_only.get_or_insert_with(|| "it was opened to be read".to_owned());
        return Ok(loaded);
    }
    let mut file = files.open_append(&path).map_err(|error| failed("open", &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            return Err(Failure::read_only(session, "another process has it open"));
        }
        Err(std::fs::TryLockError::Error(error)) => return Err(failed("lock", &error)),
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| failed("read", &error))?;
    let mut loaded = parse(&bytes).ok_or_else(foreign)?;
    for item in loaded.items.iter_mut().filter(|item| item.status == ItemStatus::InProgress) {
        item.status = settled(item, files.as_ref());
        sweep(item);
    }
    settle_reviews(&mut loaded, files.as_ref());
    let is_missing = |folder: &&String| !files.stamp(Path::new(folder)).is_ok_and(|stamp| stamp.is_dir);
    loaded.missing = loaded.folders.iter().filter(is_missing).cloned().collect();
    if let Some(why) = &loaded.read_only {
        return Err(Failure::read_only(session, why));
    }
    begin_epoch(&mut loaded, &mut file, store);
    loaded.file = Some(SessionFile::adopt(file));
    Ok(loaded)
}

/// Begins a new epoch, on the disk before anyone is told of it: events of two processes must never have the
/// same place.
fn begin_epoch(loaded: &mut Loaded, file: &mut std::fs::File, store: &Store) {
    let now = store.system().clock.now_ms();
    let record = |n: u64| {
        // A line feed ends a line that the end of a process has torn.
        let mut bytes = if loaded.torn { b"\n".to_vec() } else { Vec::new() };
        bytes.extend(Record::Epoch { n, at_ms: now, damaged: loaded.unreadable }.line());
        bytes
    };
    let next = loaded.epoch.saturating_add(1);
    let length = file.metadata().map(|metadata| metadata.len());
    if store.system().files.append(file, &record(next)).is_ok() {
        loaded.epoch = next;
        return;
    }
    // Nothing can be written now. The time is greater than what any process could have counted to.
    let epoch = next.max(now);
    let mut unwritten = record(epoch);
    if length.and_then(|length| file.set_len(length)).is_err() {
        unwritten.insert(0, b'\n');
    }
    loaded.epoch = epoch;
    loaded.unwritten = unwritten;
}

/// Understands the lines of a session file. `None` where the first is no session record.
pub fn parse(bytes: &[u8]) -> Option<Loaded> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let first = lines.next()?;
    let Ok(Record::Session { v, created_at_ms, cwd, system, .. }) = serde_json::from_slice(first) else {
        return None;
    };
    let mut loaded = Loaded {
        file: None,
        read_only: (v > VERSION).then(|| "a newer version of Aside wrote it".to_owned()),
        epoch: 1,
        items: Vec::new(),
        created_at_ms,
        updated_at_ms: created_at_ms,
        cwd,
        folders: Vec::new(),
        missing: Vec::new(),
        title: None,
        renamed: false,
        system,
        model: None,
        account: None,
        thinking: None,
        mode: PermissionMode::default(),
        usage: Usage::default(),
        reviews: Vec::new(),
        queue: Vec::new(),
        turns: Vec::new(),
        last_turn: 0,
        interrupted: false,
        unreadable: 0,
        told_unreadable: 0,
        last_item: 0,
        unwritten: Vec::new(),
        torn: bytes.last() != Some(&b'\n'),
    };
    let mut items: BTreeMap<u32, Item> = BTreeMap::new();
    // What was written anew tells of them a second time.
    let mut ended = HashSet::new();
    for line in lines {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let Ok(record) = serde_json::from_slice::<Record>(line) else {
            loaded.unreadable += 1;
            continue;
        };
        match record {
            Record::Session { .. } | Record::Unknown => {}
            Record::Epoch { n, at_ms, damaged } => {
                loaded.told_unreadable = loaded.told_unreadable.max(damaged);
                loaded.epoch = loaded.epoch.max(n);
                loaded.updated_at_ms = loaded.updated_at_ms.max(at_ms);
            }
            Record::Config { model, thinking, mode, account, folders } => {
                loaded.folders = folders;
                loaded.account = account.map(|StoredAccount { provider, label }| Account {
                    provider: provider.into(),
                    label: label.into(),
                });
                loaded.model = model;
                loaded.thinking = thinking.and_then(|level| level.parse().ok());
                loaded.mode = mode_of(&mode);
            }
            Record::Title { title } => {
                loaded.renamed |= loaded.title.as_ref().is_some_and(|before| *before != title);
                loaded.title = Some(title);
            }
            Record::Queue { contents } => {
                loaded.queue = contents.into_iter().map(load_content).collect();
            }
            Record::Turn { id, at_ms, .. } => {
                loaded.last_turn = loaded.last_turn.max(id);
                loaded.interrupted = true;
                loaded.updated_at_ms = loaded.updated_at_ms.max(at_ms);
            }
            Record::Item { item } => {
                let id = item.id();
                loaded.last_item = loaded.last_item.max(id);
                let text = items.remove(&id).map(|old| old.text).unwrap_or_default();
                if let Some(item) = item.into_item(text) {
                    items.insert(id, item);
                }
            }
            Record::Text { id, s } => {
                if let Some(item) = items.get_mut(&id) {
                    item.text.push_str(&s);
                }
            }
            Record::End { turn, at_ms, stop, error, usage, cost, took_ms } => {
                loaded.interrupted = turn < loaded.last_turn;
                loaded.updated_at_ms = loaded.updated_at_ms.max(at_ms);
                if !ended.insert(turn) {
                    continue;
                }
                let usage = usage.into();
                loaded.usage.add(&usage);
                loaded.turns.push(EndedTurn {
                    turn: TurnId(turn),
                    ending: ending_of(&stop, error),
                    usage,
                    cost,
                    took_ms,
                    last_item: ItemId(loaded.last_item),
                });
            }
        }
    }
    loaded.items = items.into_values().collect();
    Some(loaded)
}

/// How an item ended that the process did not live to end. A change of a file was made or not: the file says
/// which. Where it is neither what it was nor what it should have become, somebody else has been there.
fn settled(item: &Item, files: &dyn Files) -> ItemStatus {
    let ItemBody::FileChange(FileChangeItem { change, .. }) = &item.body else {
        return ItemStatus::Cancelled;
    };
    let Ok(now) = state(&change.path, files) else { return ItemStatus::Failed };
    if now == change.hash_after {
        ItemStatus::Completed
    } else if now == change.hash_before {
        ItemStatus::Cancelled
    } else {
        ItemStatus::Failed
    }
}

/// Removes what a change that was cut off has left beside its file.
fn sweep(item: &Item) {
    let ItemBody::FileChange(FileChangeItem { change, .. }) = &item.body else { return };
    let swept = match item.status {
        ItemStatus::Completed => {
            sweep_beside(&change.path, Some(change.hash_before.as_deref().unwrap_or("")))
        }
        ItemStatus::Cancelled => sweep_beside(&change.path, None),
        _ => return,
    };
    if let Err(error) = swept {
        tracing::debug!(%error, "what a change has left stays");
    }
}

/// Ends the decisions on changes that the process did not live to carry out, as far as the files say what became of
/// them.
fn settle_reviews(loaded: &mut Loaded, files: &dyn Files) {
    for item in &mut loaded.items {
        let ItemBody::FileChange(change) = &mut item.body else { continue };
        let Some(review) = change.review.clone() else { continue };
        let before = change.change.clone();
        let was_made = match state(&change.change.path, files) {
            Ok(now) if now == review.hash_after => Some(true),
            Ok(now) if now == review.hash_before => Some(false),
            _ => None,
        };
        if was_made == Some(true) {
            change.reviewed();
        } else {
            change.review = None;
        }
        loaded.reviews.push(Reviewed { item: item.id, before, review, was_made });
    }
}

/// The hash of the file; `None` where there is none.
fn state(path: &Path, files: &dyn Files) -> io::Result<Option<String>> {
    match files.read(path) {
        Ok(bytes) => Ok(Some(hash(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// One page of the sessions that are kept, the newest first. `after` is a cursor of an earlier page.
pub fn list(
    store: &Store,
    cwd: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<SessionSummary>, Option<String>), Failure> {
    let Some(dir) = store.dir() else { return Ok((Vec::new(), None)) };
    let entries = match store.system().files.list(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), None)),
        Err(error) => return Err(Failure::storage(format!("cannot list {}: {error}", dir.display()))),
    };
    let after = match after {
        None => None,
        Some(cursor) => Some(
            parse_cursor(cursor)
                .ok_or_else(|| Failure::invalid("/cursor", format!("not a cursor: {}", cut(cursor))))?,
        ),
    };
    let mut files: Vec<(u64, SessionId)> = entries
        .into_iter()
        .filter_map(|entry| {
            let name = entry.path.file_name()?.to_str()?.strip_suffix(".jsonl")?;
            let modified_ms = u64::try_from(entry.stamp.modified_ns / 1_000_000).ok()?;
            Some((modified_ms, SessionId::parse(name)?))
        })
        .filter(|key| after.as_ref().is_none_or(|after| key < after))
        .collect();
    files.sort_unstable_by(|one, other| other.cmp(one));
    let mut page = Vec::new();
    for (updated_at_ms, session) in files {
        if page.len() == limit {
            let next =
                page.last().map(|last: &SessionSummary| format!("{}.{}", last.updated_at_ms, last.session));
            return Ok((page, next));
        }
        let Some(path) = store.path(&session) else { continue };
        let Some((title, folder)) = head(store, &path) else { continue };
        let title = later_title(store, &path).or(title);
        if cwd.is_none_or(|cwd| cwd == folder) {
            page.push(SessionSummary { session, title, cwd: Some(folder), updated_at_ms, open: false });
        }
    }
    Ok((page, None))
}

fn parse_cursor(cursor: &str) -> Option<(u64, SessionId)> {
    let (modified, session) = cursor.split_once('.')?;
    Some((modified.parse().ok()?, SessionId::parse(session)?))
}

/// Title and folder from the start of a file. `None` where it is no session.
fn head(store: &Store, path: &Path) -> Option<(Option<String>, String)> {
    let mut limit = HEAD;
    loop {
        let start = store.system().files.read_start(path, limit).ok()?;
        if let Some(head) = head_of(&start) {
            return Some(head);
        }
        // A long system prompt stands before what is looked for.
        if start.len() < limit || limit >= MAX_HEAD {
            return None;
        }
        limit *= 32;
    }
}

/// The title that the person gave later, which is written again behind each turn.
fn later_title(store: &Store, path: &Path) -> Option<String> {
    let end = store.system().files.read_end(path, TAIL).ok()?;
    end.split(|byte| *byte == b'\n').rev().find_map(|line| match serde_json::from_slice(line) {
        Ok(Record::Title { title }) => Some(title),
        _ => None,
    })
}

fn head_of(start: &[u8]) -> Option<(Option<String>, String)> {
    let mut lines = start.split(|byte| *byte == b'\n');
    let Ok(Record::Session { cwd, .. }) = serde_json::from_slice(lines.next()?) else { return None };
    let title = lines.find_map(|line| match serde_json::from_slice(line) {
        Ok(Record::Title { title }) => Some(title),
        _ => None,
    });
    Some((title, cwd))
}
