//! What a model may call: one file and one registry entry a tool. It must not know models or doors.
//!
//! A call is decided on before it runs: [`Tool::intent`] says what it would touch, whoever runs it asks the person
//! where that is needed, and [`Tool::run`] gets no further than what was allowed.

pub mod arguments;
pub mod change;
pub mod context;
pub mod demo;
pub mod diff;
pub mod edit;
pub mod edits;
pub mod environment;
pub mod files;
pub mod find;
pub mod grep;
pub mod intent;
pub mod ls;
pub mod preview;
pub mod processes;
pub mod read;
pub mod review;
pub mod schema;
pub mod seen;
pub mod shell;
pub mod shell_line;
pub mod shown;
pub mod text;
pub mod workspace;
pub mod write;

use std::future::Future;
use std::pin::Pin;

pub use change::{ChangeKind, FileChange, Hunk, HunkDecision};
pub use context::{Ask, CallId, ChangeEnd, ChangeId, FieldKind, Form, FormField, Report, Scope, ToolContext};
pub use intent::{Effect, Intent, Place};
pub use preview::{Allowed, Preview, PreviewFuture};
pub use workspace::Workspace;

/// Every tool.
pub static TOOLS: &[&dyn Tool] = &[
    &demo::Demo,
    &read::Read,
    &ls::Ls,
    &find::Find,
    &grep::Grep,
    &edit::Edit,
    &write::Write,
    &processes::ProcessesTool,
    &shell::Shell,
];

/// What models call a path by habit.
const PATH_ALIASES: &[(&str, &str)] =
    &[("file_path", "path"), ("filePath", "path"), ("filename", "path"), ("text", "content")];

/// A call that is about one path, in a few words.
fn path_title(verb: &str, arguments: &serde_json::Value) -> String {
    let named = ["path", "file_path", "filePath"].into_iter().find_map(|name| arguments.get(name)?.as_str());
    match named {
        Some(path) => format!("{verb} {path}"),
        None => format!("{verb} the working folder"),
    }
}

/// The tool of that name.
pub fn tool(name: &str) -> Option<&'static dyn Tool> {
    TOOLS.iter().copied().find(|tool| tool.name() == name)
}

/// A tool.
pub trait Tool: Send + Sync {
    /// As the model calls it.
    fn name(&self) -> &'static str;
    /// For the model.
    fn description(&self) -> &'static str;
    /// JSON Schema of the arguments.
    fn parameters(&self) -> &'static str;
    /// For an icon.
    fn kind(&self) -> ToolKind;
    /// Which models are told of it.
    fn audience(&self) -> Audience {
        Audience::Everyone
    }
    /// Whether calls may run side by side with other such calls: those that change nothing may.
    fn is_parallel(&self) -> bool {
        false
    }
    /// The call in a few words, made from its arguments, which may be anything.
    fn title(&self, arguments: &serde_json::Value) -> String;
    /// What the call would touch. Runs on a thread that may wait, and changes nothing. The error is for the model,
    /// which can mend its arguments by it.
    fn intent(&self, arguments: &serde_json::Value, scope: &Scope) -> Result<Intent, ToolOutcome>;
    /// What the call would change, for a person who is asked before it is allowed; `None` where it changes no file or
    /// would fail. It changes nothing, and what it finds is for nobody else.
    fn preview(&self, _arguments: serde_json::Value, _context: ToolContext) -> Option<PreviewFuture> {
        None
    }
    /// Runs it. Dropping the future ends it and whatever it began, but for what is to go on in the background.
    fn run(&self, arguments: serde_json::Value, context: ToolContext) -> ToolFuture;
}

/// A running tool.
pub type ToolFuture = Pin<Box<dyn Future<Output = ToolOutcome> + Send>>;

/// Which models are told of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// All that can call tools.
    Everyone,
    /// Only the built-in `demo` model.
    DemoModel,
}

/// What a tool does, for an icon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolKind {
    Read,
    Edit,
    Delete,
    Move,
    Search,
    Execute,
    Think,
    Fetch,
    Other,
}

/// What became of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolOutcome {
    /// For the model, and for the person where `shown` says nothing else.
    pub text: String,
    /// What the person sees behind the output that was shown while the call ran.
    pub shown: Option<String>,
    pub is_error: bool,
    /// Pictures for a model that can see.
    pub images: Vec<Image>,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Such as `image/png`.
    pub mime_type: String,
    /// In base64.
    pub data: String,
}

impl ToolOutcome {
    /// It worked.
    pub fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// It did not; the text says what happened and what the model can do about it.
    pub fn failed(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_error: true, ..Self::default() }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
