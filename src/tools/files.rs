//! What the file tools share: from a path that a model wrote to a text, and from a text back to the file, by way
//! of the editor where it has the file open.
//!
//! A file is only changed in the state that the model has seen, and only once the session knows of the change.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::change::{HunkDecision, hash};
use super::context::{ChangeEnd, CommitGate, EditorEdit, EditorText, Proposal, Proposed, Scope, ToolContext};
use super::diff::Diff;
use super::preview::{Allowed, Preview};
use super::seen::Digest;
use super::text::{Encoding, NotText, Text, encode, plain};
use super::workspace::{Before, GateError, Located, WorkspacePath};
use super::{Effect, Intent, ToolOutcome};
use crate::settings::nearest::nearest;

/// The largest text that is read and changed, in bytes.
pub const TEXT: u64 = 16 << 20;

/// The largest text that is fetched from an editor, in bytes on the disk.
pub const EDITOR: u64 = 2 << 20;

/// What a call does at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    Read,
    Write,
}

/// The intent of a call that touches one path.
pub fn intent(scope: &Scope, path: &str, touch: Touch) -> Result<Intent, ToolOutcome> {
    let located = scope.workspace.locate(path).map_err(failed)?;
    let place = scope.workspace.place(&located);
    let effect = match touch {
        Touch::Read => Effect::Read(place),
        Touch::Write => Effect::Write(place),
    };
    Ok(Intent { effects: vec![effect] })
}

/// The path as one that may be opened, if that is what was allowed.
pub fn admitted(context: &ToolContext, path: &str, touch: Touch) -> Result<WorkspacePath, ToolOutcome> {
    let workspace = &context.scope.workspace;
    let located = workspace.locate(path).map_err(failed)?;
    let place = workspace.place(&located);
    let is_granted = context.granted.iter().any(|granted| granted.path == place.path);
    // What leads elsewhere than it did when it was allowed was not allowed.
    let is_free = touch == Touch::Read && place.inside && place.secret.is_none();
    if !is_granted && !is_free {
        return Err(ToolOutcome::failed(format!(
            "{path} leads to {} now, which is not what was allowed; try again",
            place.path.display()
        )));
    }
    Ok(match located {
        Located::Inside(path) => path,
        Located::Outside(path) => path.grant(),
    })
}

/// What the gate says, for the model.
#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
pub fn failed(error: GateError) -> ToolOutcome {
    ToolOutcome::failed(error.to_string())
}

/// Runs `work` on a thread that may wait. `Stop` is set when the call is dropped.
pub async fn aside<T: Send + 'static>(
    work: impl FnOnce(&Stop) -> T + Send + 'static,
) -> Result<T, ToolOutcome> {
    let stop = Stop::default();
    let _ended = StopOnDrop(stop.clone());
    let done = tokio::task::spawn_blocking(move || work(&stop)).await;
    done.map_err(|_| ToolOutcome::failed("the tool failed inside Aside"))
}

/// Whether nobody waits for a result any more.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Whether to end.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// What there is at a path.
#[derive(Debug)]
pub struct Loaded {
    pub path: WorkspacePath,
    pub disk: Disk,
    /// The text as the editor has it, which is then what counts.
    pub editor: Option<EditorText>,
    /// Why the editor did not tell its text though it was asked.
    pub silence: Option<String>,
}

/// What the disk has there.
#[derive(Debug)]
pub enum Disk {
    Nothing,
    Text(Vec<u8>, Text),
    Image(Vec<u8>, &'static str),
    Binary(u64),
}

impl Loaded {
    /// The text, with its own line ends; `None` where there is no file.
    pub fn raw(&self) -> Option<&str> {
        match (&self.editor, &self.disk) {
            (Some(editor), _) => Some(&editor.text),
            (None, Disk::Text(_, text)) => Some(&text.raw),
            (None, Disk::Nothing | Disk::Image(..) | Disk::Binary(_)) => None,
        }
    }
}

/// What is at the path, the editor's text among it.
pub async fn load(context: &ToolContext, path: &str, touch: Touch) -> Result<Loaded, ToolOutcome> {
    let cx = context.clone();
    let asked = path.to_owned();
    let (path, disk) = aside(move |_| {
        let path = admitted(&cx, &asked, touch)?;
        let disk = on_disk(&cx.scope, &path)?;
        Ok::<_, ToolOutcome>((path, disk))
    })
    .await??;
    let mut silence = None;
    let editor = match &disk {
        Disk::Text(bytes, _) if bytes.len() as u64 > EDITOR => None,
        Disk::Image(..) | Disk::Binary(_) => None,
        _ if !path.is_inside() => None,
        _ => match context.editor_text(path.real()).await {
            Ok(text) => text,
            // What is read may be old, which is said; what is written could be lost.
            Err(why) if touch == Touch::Read => {
                silence = Some(why);
                None
            }
            Err(why) => {
                let shown = path.shown();
                return Err(ToolOutcome::failed(format!("{shown}: {why}; nothing was changed, try again")));
            }
        },
    };
    Ok(Loaded { path, disk, editor, silence })
}

pub fn on_disk(scope: &Scope, path: &WorkspacePath) -> Result<Disk, ToolOutcome> {
    let bytes = match scope.workspace.read(path, TEXT) {
        Err(GateError::NotFound { .. }) => return Ok(Disk::Nothing),
        other => other.map_err(failed)?,
    };
    Ok(match Text::decode(&bytes) {
        Ok(text) => Disk::Text(bytes, text),
        Err(NotText::Image(kind)) => Disk::Image(bytes, kind),
        Err(NotText::Binary) => Disk::Binary(bytes.len() as u64),
    })
}

/// That there is no such file, and which ones could have been meant.
pub fn missing(scope: &Scope, path: &WorkspacePath) -> String {
    let name = path.real().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names = scope.workspace.siblings(path);
    let near = nearest(&name, names.iter().map(String::as_str), 3);
    let folder = Path::new(path.shown()).parent().unwrap_or(Path::new(""));
    let near: Vec<String> = near.iter().map(|name| folder.join(name).display().to_string()).collect();
    let shown = path.shown();
    if near.is_empty() {
        format!("{shown} does not exist")
    } else {
        format!("{shown} does not exist; there is {}", near.join(", "))
    }
}

/// Remembers that the model knows the file in this state. Line ends and marks are nothing that it sees.
pub fn note_seen(scope: &Scope, path: &WorkspacePath, raw: &str) {
    scope.workspace.seen().note(path.real(), digest(raw));
}

/// Fails where the model has not read the file, or not in this state.
pub fn must_be_seen(scope: &Scope, path: &WorkspacePath, raw: &str) -> Result<(), ToolOutcome> {
    let shown = path.shown();
    match scope.workspace.seen().digest(path.real()) {
        Some(known) if known == digest(raw) => Ok(()),
        Some(_) => Err(ToolOutcome::failed(format!(
            "{shown} was changed since you read it; read it again before you change it"
        ))),
        None => Err(ToolOutcome::failed(format!(
            "{shown} exists and you have not read it; read it before you change it"
        ))),
    }
}

fn digest(raw: &str) -> Digest {
    Digest::of(plain(raw).as_bytes())
}

/// Makes `raw` the text of the file, by the editor or on the disk. What the model is told of it comes back.
pub async fn save(context: &ToolContext, loaded: Loaded, raw: String) -> Result<String, ToolOutcome> {
    let allowed = context.allowed.clone();
    let Prepared { diff, left_out, proposal, loaded } =
        aside(move |_| prepare(loaded, raw, allowed.as_deref())).await??;
    let reason = context.allowed.as_ref().and_then(|allowed| allowed.reason.clone());
    let gate = proposal.gate.clone();
    let shown = loaded.path.shown().to_owned();
    match context.propose(proposal).await {
        Proposed::Refused { reason } => {
            Err(ToolOutcome::failed(format!("{shown}: the change was not made: {reason}")))
        }
        Proposed::Applied { rejected } => {
            let mut known = left_out;
            known.extend(rejected.into_iter().filter(|id| diff.has(id)));
            known.sort();
            known.dedup();
            note_seen(&context.scope, &loaded.path, &diff.without(&known));
            Ok(told(&diff, &known, reason.as_deref()))
        }
        Proposed::Write(change) => {
            let settler = context.settler();
            let scope = context.scope.clone();
            let text = told(&diff, &left_out, reason.as_deref());
            // Not ended with the call: what has begun is carried to its end, and told of.
            let writing = tokio::task::spawn_blocking(move || {
                let made = commit(&scope, &loaded, diff.without(&left_out), &gate);
                let end = if made.is_ok() { ChangeEnd::Made } else { ChangeEnd::Failed };
                settler.settled(change, end);
                made
            });
            let made = writing.await.map_err(|_| ToolOutcome::failed("the tool failed inside Aside"))?;
            made.map(|()| text)
        }
    }
}

/// What would become of the file if `raw` were its text; `None` where it cannot be written so.
pub async fn preview(loaded: Loaded, raw: String) -> Option<Preview> {
    let Prepared { diff, proposal, .. } = aside(move |_| prepare(loaded, raw, None)).await.ok()?.ok()?;
    Some(Preview { change: proposal.change, diff })
}

struct Prepared {
    diff: Arc<Diff>,
    /// Ids of hunks that are not made.
    left_out: Vec<String>,
    proposal: Proposal,
    loaded: Loaded,
}

fn prepare(loaded: Loaded, raw: String, allowed: Option<&Allowed>) -> Result<Prepared, ToolOutcome> {
    let before = loaded.raw().map(str::to_owned);
    let shown = loaded.path.shown();
    let (diff, left_out) = match allowed {
        None => (Arc::new(Diff::between(before.clone(), Some(raw))), Vec::new()),
        // What was allowed is what was shown, and nothing else.
        Some(Allowed { preview, .. }) if !preview.diff.is_between(before.as_deref(), &raw) => {
            return Err(ToolOutcome::failed(format!(
                "{shown} was changed while the person looked at this; read it again, then try again"
            )));
        }
        Some(Allowed { preview, left_out, .. }) => (Arc::clone(&preview.diff), left_out.clone()),
    };
    let raw = diff.without(&left_out);
    let encoding = encoding(&loaded);
    let bytes = encode(encoding, &raw).map_err(|c| {
        let name = encoding.name();
        ToolOutcome::failed(format!(
            "{shown} is {name}, in which {c:?} cannot be written; use another character"
        ))
    })?;
    if bytes.len() as u64 > TEXT {
        return Err(ToolOutcome::failed(format!(
            "{shown} would have {} bytes; {TEXT} are the most",
            bytes.len()
        )));
    }
    let hash_before = match (&loaded.editor, &loaded.disk) {
        (Some(editor), _) => Some(hash(editor.text.as_bytes())),
        (None, Disk::Text(bytes, _)) => Some(hash(bytes)),
        (None, Disk::Nothing | Disk::Image(..) | Disk::Binary(_)) => None,
    };
    let mut change = diff.change(loaded.path.real().to_owned(), hash_before, Some(hash(&bytes)));
    if !left_out.is_empty() {
        for hunk in &mut change.hunks {
            hunk.decision =
                if left_out.contains(&hunk.id) { HunkDecision::Rejected } else { HunkDecision::Accepted };
        }
    }
    let edits = |editor: &EditorText| {
        let edits = if left_out.is_empty() {
            diff.text_edits()
        } else {
            Diff::between(before, Some(raw)).text_edits()
        };
        EditorEdit { version: editor.version.clone(), edits }
    };
    let edit = loaded.editor.as_ref().map(edits);
    let proposal = Proposal { change, edit, gate: CommitGate::default() };
    Ok(Prepared { diff, left_out, proposal, loaded })
}

pub fn encoding(loaded: &Loaded) -> Encoding {
    match &loaded.disk {
        Disk::Text(_, text) => text.encoding,
        Disk::Nothing | Disk::Image(..) | Disk::Binary(_) => Encoding::Utf8,
    }
}

/// Makes the change on the disk.
fn commit(scope: &Scope, loaded: &Loaded, mut raw: String, gate: &CommitGate) -> Result<(), ToolOutcome> {
    let shown = loaded.path.shown();
    let digest = match &loaded.disk {
        Disk::Text(bytes, text) => {
            if let Some(editor) = &loaded.editor {
                if plain(&editor.text) != text.plain() {
                    return Err(ToolOutcome::failed(format!(
                        "{shown} has changes in the editor that are not saved, and the editor takes no edits; \
                         ask the person to save it"
                    )));
                }
                raw = text.line_end.applied(&plain(&raw));
            }
            Some(Digest::of(bytes))
        }
        Disk::Nothing => None,
        Disk::Image(..) | Disk::Binary(_) => return Err(ToolOutcome::failed(format!("{shown} is no text"))),
    };
    let bytes = encode(encoding(loaded), &raw)
        .map_err(|c| ToolOutcome::failed(format!("{shown}: {c:?} cannot be written in its encoding")))?;
    if !gate.take() {
        return Err(ToolOutcome::failed(format!("{shown}: the change was called off")));
    }
    let before = digest.as_ref().map_or(Before::Nothing, Before::Content);
    scope.workspace.replace(&loaded.path, &bytes, before, &scope.system.random).map_err(failed)?;
    note_seen(scope, &loaded.path, &raw);
    Ok(())
}

fn told(diff: &Diff, rejected: &[String], reason: Option<&str>) -> String {
    let (added, removed) = diff.counts(rejected);
    let lines = |n: usize| if n == 1 { "1 line".to_owned() } else { format!("{n} lines") };
    let mut text = format!("{} added, {} removed", lines(added), lines(removed));
    if !rejected.is_empty() {
        let _ = write!(
            text,
            "; the person rejected {} of the changes ({}), which are not in the file; read it to see what it is now",
            rejected.len(),
            rejected.join(", ")
        );
        if let Some(reason) = reason {
            let _ = write!(text, "; they said: {reason}");
        }
    }
    text
}
