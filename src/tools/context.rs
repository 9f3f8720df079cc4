//! What a running tool is given beside its arguments, and how it speaks with the session that runs it.
//!
//! A tool never reaches the client itself: it reports, and the session decides what becomes of a report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::change::FileChange;
use super::intent::Place;
use super::preview::Allowed;
use super::shell::registry::Processes;
use super::workspace::Workspace;
use crate::accounts::Accounts;
use crate::catalog::Catalog;
use crate::settings::Settings;
use crate::system::System;

/// How long an editor may take to tell the text of a file. It has it in memory.
const EDITOR_TIME: Duration = Duration::from_secs(20);

/// The number of a call within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u32);

/// The number of a file change within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId(pub u32);

/// What tools of one session share, for as long as the session is open.
#[derive(Clone)]
pub struct Scope {
    /// The session's folders, and the one way to files.
    pub workspace: Arc<Workspace>,
    /// Environment, clock and files.
    pub system: System,
    pub settings: Arc<Settings>,
    /// What is known to be secret, and is kept from commands.
    pub accounts: Arc<Accounts>,
    pub catalog: Arc<Catalog>,
    /// The commands that the session has begun.
    pub processes: Arc<Processes>,
}

/// What a tool is given beside its arguments.
#[derive(Clone)]
pub struct ToolContext {
    pub call: CallId,
    pub scope: Scope,
    /// What was asked for and allowed: places outside of the workspace, protected or secret, that this call may
    /// touch. What lies inside and is neither needs no entry.
    pub granted: Arc<[Place]>,
    /// The change that the person was shown and has allowed.
    pub allowed: Option<Arc<Allowed>>,
    reports: mpsc::Sender<Report>,
}

/// What a tool tells the session or asks it for.
#[derive(Debug)]
pub enum Report {
    /// A form for the person.
    Ask(Ask),
    /// Something that the person may see while the call runs; the result does not depend on it.
    Output { call: CallId, text: String },
    /// The text of a file as the editor has it.
    EditorText { path: PathBuf, reply: oneshot::Sender<Result<Option<EditorText>, String>> },
    /// A change that is about to be made.
    Change { call: CallId, proposal: Box<Proposal>, reply: oneshot::Sender<Proposed> },
    /// What became of a change that the tool made itself.
    Settled { change: ChangeId, end: ChangeEnd },
}

/// The text of a file that is open in the editor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditorText {
    pub text: String,
    /// The editor's own version, for the change that follows.
    pub version: Option<String>,
}

/// A change of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub change: FileChange,
    /// For the editor: `None` where the file's text did not come from it, so that the change is made on disk.
    pub edit: Option<EditorEdit>,
    /// Taken by whoever makes the change, just before it does.
    pub gate: CommitGate,
}

/// The change as the editor makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditorEdit {
    /// The version that the edits are meant for.
    pub version: Option<String>,
    /// In descending order of position; they do not overlap.
    pub edits: Vec<TextEdit>,
}

/// One replacement. Lines are 0-based, bytes count UTF-8 within the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextEdit {
    pub start_line: u32,
    pub start_byte: u32,
    pub end_line: u32,
    pub end_byte: u32,
    pub text: String,
}

/// What the session says to a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposed {
    /// Make it on disk, then tell with [`ToolContext::settled`]. It is written down that it was begun.
    Write(ChangeId),
    /// The editor made it, without these hunks, which the person rejected.
    Applied { rejected: Vec<String> },
    /// It was not made.
    Refused { reason: String },
}

/// How a change on disk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeEnd {
    Made,
    Failed,
}

/// Whether a change may still be called off: whoever comes first, the one who makes it or the one who cancels.
#[derive(Clone, Debug, Default)]
pub struct CommitGate(Arc<AtomicU8>);

const OPEN: u8 = 0;
const TAKEN: u8 = 1;
const SHUT: u8 = 2;

impl PartialEq for CommitGate {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for CommitGate {}

impl CommitGate {
    /// Called just before the change takes effect. `false` means that it was called off and must not be made.
    pub fn take(&self) -> bool {
        self.0.compare_exchange(OPEN, TAKEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Calls it off. `false` means that it is being made already.
    pub fn shut(&self) -> bool {
        self.0.compare_exchange(OPEN, SHUT, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl ToolContext {
    /// A context whose reports arrive at `reports`.
    pub fn new(call: CallId, scope: Scope, granted: Arc<[Place]>, reports: mpsc::Sender<Report>) -> Self {
        Self { call, scope, granted, allowed: None, reports }
    }

    /// Puts a form to the person. `None` where nobody answered.
    pub async fn ask(&self, form: Form) -> Option<BTreeMap<String, String>> {
        self.request(|reply| Report::Ask(Ask { form, reply })).await?
    }

    /// Shows more of the call's output. Waits while the client does not read.
    pub async fn output(&self, text: String) {
        // The session is gone, and this call with it.
        let _ = self.reports.send(Report::Output { call: self.call, text }).await;
    }

    /// The text of a file that the editor has open. `None` where it has not, or cannot be asked; an error, in
    /// words, where it was asked and did not say: what is on the disk may then be old.
    pub async fn editor_text(&self, path: &Path) -> Result<Option<EditorText>, String> {
        let asked = self.request(|reply| Report::EditorText { path: path.to_owned(), reply });
        match tokio::time::timeout(EDITOR_TIME, asked).await {
            Ok(Some(answer)) => answer,
            Ok(None) => Err("the session has ended".to_owned()),
            Err(_) => Err(format!("the editor did not answer within {} s", EDITOR_TIME.as_secs())),
        }
    }

    /// Announces a change; nothing may be written before the answer.
    pub async fn propose(&self, proposal: Proposal) -> Proposed {
        let proposal = Box::new(proposal);
        let proposed = self.request(|reply| Report::Change { call: self.call, proposal, reply }).await;
        proposed.unwrap_or_else(|| Proposed::Refused { reason: "the session has ended".to_owned() })
    }

    /// Whoever reports, apart from the future that runs the tool: what has begun to be written is told of even
    /// when the call was cancelled meanwhile.
    pub fn settler(&self) -> Settler {
        Settler(self.reports.clone())
    }

    async fn request<T>(&self, report: impl FnOnce(oneshot::Sender<T>) -> Report) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.reports.send(report(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// Tells what became of a change; may be sent to the thread that makes it.
#[derive(Clone, Debug)]
pub struct Settler(mpsc::Sender<Report>);

impl Settler {
    /// Tells it. Called from a thread that may wait.
    pub fn settled(&self, change: ChangeId, end: ChangeEnd) {
        // Without a session nobody needs to know; its file says that the change was begun.
        let _ = self.0.blocking_send(Report::Settled { change, end });
    }
}

/// A form on its way to the person.
#[derive(Debug)]
pub struct Ask {
    pub form: Form,
    pub reply: oneshot::Sender<Option<BTreeMap<String, String>>>,
}

/// A form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    pub message: String,
    pub fields: Vec<FormField>,
}

/// One question of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormField {
    pub name: String,
    pub label: String,
    pub kind: FieldKind,
    pub choices: Vec<String>,
    pub required: bool,
}

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    Secret,
    Choice,
    Boolean,
}
