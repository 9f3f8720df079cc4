//! A decision on the hunks of a change, carried out on the file: by the editor where it has the file open, else on
//! the disk.
//!
//! First [`find`] looks what is there, then [`plan`] says what is to be written, and only then [`Plan::commit`]
//! writes it, over nothing else than what was found. The person decides here: there is nothing to be asked.

use super::{Refused, Side, Turned, turn, whole};
use crate::tools::Scope;
use crate::tools::change::{ChangeKind, FileChange, HunkDecision, hash};
use crate::tools::context::{EditorEdit, EditorText};
use crate::tools::diff::Diff;
use crate::tools::files::{Disk, EDITOR, Loaded, TEXT, encoding, on_disk};
use crate::tools::seen::Digest;
use crate::tools::text::{Encoding, encode, plain};
use crate::tools::workspace::{Before, GateError, Located};

/// What is to become of the hunks of a change.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub change: FileChange,
    /// Whether each of its hunks is to be in the file; `None` leaves it as it is.
    pub kept: Vec<Option<bool>>,
}

/// What is to be done to the file.
#[derive(Debug, Default)]
pub struct Plan {
    /// Ids of the hunks that will be as they are to be.
    pub done: Vec<String>,
    pub refused: Vec<Refused>,
    /// Why nothing at all can be done.
    pub failed: Option<String>,
    /// `None` where the file is as it is to be.
    pub write: Option<Write>,
}

/// A file that is to be written.
#[derive(Debug)]
pub struct Write {
    pub hash_before: Option<String>,
    pub hash_after: Option<String>,
    /// For the editor, where the text is its own.
    pub edit: Option<EditorEdit>,
    loaded: Loaded,
    /// `None` where the file is to be removed.
    bytes: Option<Vec<u8>>,
}

/// What is at the change's path. Waits for the disk. The error says why it cannot be touched.
pub fn find(scope: &Scope, change: &FileChange) -> Result<Loaded, String> {
    let named = change.path.to_str().ok_or("its path is no text")?;
    let located = scope.workspace.locate(named).map_err(|error| error.to_string())?;
    if located.real() != change.path {
        return Err(format!("{named} leads to {} now", located.real().display()));
    }
    let path = match located {
        Located::Inside(path) => path,
        // The change was allowed, and now the person decides about the same file.
        Located::Outside(path) => path.grant(),
    };
    let disk = on_disk(scope, &path).map_err(|outcome| outcome.text)?;
    Ok(Loaded { path, disk, editor: None, silence: None })
}

/// Whether the editor is to be asked for the text of the file.
pub fn may_be_open(loaded: &Loaded) -> bool {
    match &loaded.disk {
        Disk::Text(bytes, _) => bytes.len() as u64 <= EDITOR,
        Disk::Nothing => true,
        Disk::Image(..) | Disk::Binary(_) => false,
    }
}

/// What is to be written. `can_edit` says whether the editor takes edits.
pub fn plan(mut loaded: Loaded, editor: Option<EditorText>, can_edit: bool, wanted: &Wanted) -> Plan {
    loaded.editor = editor;
    let planned = match (wanted.change.kind, &loaded.disk) {
        (_, Disk::Image(..) | Disk::Binary(_)) => Err("the file is no text any more".to_owned()),
        (ChangeKind::Add | ChangeKind::Delete, _) => whole_file(loaded, wanted),
        (ChangeKind::Modify | ChangeKind::Move, _) => part(loaded, can_edit, wanted),
    };
    planned.unwrap_or_else(|reason| refuse_all(wanted, &reason))
}

/// Nothing is done, and why.
pub fn refuse_all(wanted: &Wanted, reason: &str) -> Plan {
    let refused = ids(wanted).map(|hunk| Refused { hunk, reason: reason.to_owned() });
    Plan { refused: refused.collect(), failed: Some(reason.to_owned()), ..Plan::default() }
}

fn ids(wanted: &Wanted) -> impl Iterator<Item = String> {
    let hunks = wanted.change.hunks.iter().zip(&wanted.kept);
    hunks.filter(|(_, kept)| kept.is_some()).map(|(hunk, _)| hunk.id.clone())
}

/// Hunks of a file that was there before and after.
fn part(loaded: Loaded, can_edit: bool, wanted: &Wanted) -> Result<Plan, String> {
    let Some(text) = loaded.raw().map(str::to_owned) else {
        return Err("the file is not there any more".to_owned());
    };
    let change = &wanted.change;
    let sides: Vec<Side> = change
        .hunks
        .iter()
        .map(|hunk| match hunk.decision {
            HunkDecision::Rejected => Side::Before,
            HunkDecision::Pending | HunkDecision::Accepted => Side::After,
        })
        .collect();
    let to = |kept: &Option<bool>| kept.map(|kept| if kept { Side::After } else { Side::Before });
    let to: Vec<Option<Side>> = wanted.kept.iter().map(to).collect();
    let is_untouched = state(&loaded).is_some_and(|hash| Some(hash) == change.hash_after);
    let Turned { text: new, done, refused } = turn(&text, &change.hunks, &sides, &to, is_untouched);
    if new == text {
        return Ok(Plan { done, refused, ..Plan::default() });
    }
    let write = write(loaded, &text, new, can_edit)?;
    Ok(Plan { done, refused, write: Some(write), ..Plan::default() })
}

fn write(loaded: Loaded, text: &str, new: String, can_edit: bool) -> Result<Write, String> {
    let encoding = encoding(&loaded);
    let encoded = |text: &str| {
        encode(encoding, text).map_err(|c| format!("{c:?} cannot be written in {}", encoding.name()))
    };
    let mut edit = None;
    let mut bytes = encoded(&new)?;
    if bytes.len() as u64 > TEXT {
        return Err(format!("the file would have {} bytes; {TEXT} are the most", bytes.len()));
    }
    if let Some(editor) = &loaded.editor {
        if can_edit {
            let edits = Diff::between(Some(text.to_owned()), Some(new)).text_edits();
            edit = Some(EditorEdit { version: editor.version.clone(), edits });
        } else {
            match &loaded.disk {
                Disk::Text(_, disk) if disk.plain() == plain(text) => {
                    bytes = encoded(&disk.line_end.applied(&plain(&new)))?;
                }
                _ => {
                    return Err(
                        "the file has changes in the editor that are not saved, and the editor takes \
                                no edits; save it first"
                            .to_owned(),
                    );
                }
            }
        }
    }
    let hash_before = match &loaded.disk {
        Disk::Text(bytes, _) if edit.is_none() => Some(hash(bytes)),
        _ => state(&loaded),
    };
    Ok(Write { hash_before, hash_after: Some(hash(&bytes)), edit, loaded, bytes: Some(bytes) })
}

/// A file that the change made, or removed.
fn whole_file(loaded: Loaded, wanted: &Wanted) -> Result<Plan, String> {
    let change = &wanted.change;
    // A file that is made or removed whole has one hunk, or none where it is empty.
    let kept = wanted.kept.first().copied().flatten().unwrap_or(false);
    let is_to_be = kept == (change.kind == ChangeKind::Add);
    let done = Plan { done: ids(wanted).collect(), ..Plan::default() };
    let expected = if change.kind == ChangeKind::Add { Side::After } else { Side::Before };
    let now = state(&loaded);
    if !is_to_be {
        let Some(now) = now else { return Ok(done) };
        let known = if change.kind == ChangeKind::Add { &change.hash_after } else { &change.hash_before };
        if known.as_ref() != Some(&now) {
            return Err(
                "the file was changed since; remove it yourself if nothing in it is needed".to_owned()
            );
        }
        if loaded.editor.as_ref().is_some_and(
            |editor| !matches!(&loaded.disk, Disk::Text(_, disk) if disk.plain() == plain(&editor.text)),
        ) {
            return Err("the file is open in the editor and not saved; close it there".to_owned());
        }
        let write = Write { hash_before: Some(now), hash_after: None, edit: None, loaded, bytes: None };
        return Ok(Plan { write: Some(write), ..done });
    }
    let text = whole(&change.hunks, expected).ok_or("more was in the file than is kept of a change")?;
    if now.is_some() {
        let is_there = loaded.raw().is_some_and(|raw| raw == text);
        return if is_there { Ok(done) } else { Err("there is another file of this name now".to_owned()) };
    }
    let bytes = match &change.hash_before {
        Some(hash_before) if change.kind == ChangeKind::Delete => {
            bytes_of(&text, hash_before).ok_or("what is kept of the file is not all that it held")?
        }
        _ => text.into_bytes(),
    };
    let hash_after = Some(hash(&bytes));
    let write = Write { hash_before: None, hash_after, edit: None, loaded, bytes: Some(bytes) };
    Ok(Plan { write: Some(write), ..done })
}

/// The bytes of a file with this text that have the hash: its encoding is found by trying.
fn bytes_of(text: &str, wanted: &str) -> Option<Vec<u8>> {
    let all = [Encoding::Utf8, Encoding::Utf8Bom, Encoding::Utf16Le, Encoding::Utf16Be, Encoding::Latin1];
    all.into_iter().filter_map(|encoding| encode(encoding, text).ok()).find(|bytes| hash(bytes) == wanted)
}

/// The hash of what counts: the editor's text as it would be saved, else what is on the disk.
fn state(loaded: &Loaded) -> Option<String> {
    match (&loaded.editor, &loaded.disk) {
        (Some(editor), _) => encode(encoding(loaded), &editor.text).ok().map(|bytes| hash(&bytes)),
        (None, Disk::Text(bytes, _)) => Some(hash(bytes)),
        (None, Disk::Nothing | Disk::Image(..) | Disk::Binary(_)) => None,
    }
}

impl Write {
    /// Writes it on the disk. Waits for it. The error says why nothing was written.
    pub fn commit(&self, scope: &Scope) -> Result<(), String> {
        let digest = match &self.loaded.disk {
            Disk::Text(bytes, _) => Some(Digest::of(bytes)),
            Disk::Nothing => None,
            Disk::Image(..) | Disk::Binary(_) => return Err("the file is no text".to_owned()),
        };
        let path = &self.loaded.path;
        let written = match (&self.bytes, &digest) {
            (Some(bytes), digest) => {
                let before = digest.as_ref().map_or(Before::Nothing, Before::Content);
                scope.workspace.replace(path, bytes, before, &scope.system.random).map(drop)
            }
            (None, Some(digest)) => scope.workspace.remove(path, digest),
            (None, None) => Ok(()),
        };
        written.map_err(|error| match error {
            GateError::Changed { .. } | GateError::Exists { .. } | GateError::Moved { .. } => {
                "the file changed while this was written; try again".to_owned()
            }
            error => error.to_string(),
        })
    }
}
