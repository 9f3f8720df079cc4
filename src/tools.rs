//! What a model may call: one file and one registry entry a tool. It must not know models or doors.

pub mod demo;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use tokio::sync::{mpsc, oneshot};

/// Every tool.
pub static TOOLS: &[&dyn Tool] = &[&demo::Demo];

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
    fn audience(&self) -> Audience;
    /// The call in a few words, made from its arguments.
    fn title(&self, arguments: &serde_json::Value) -> String;
    /// Whether the person must be asked before it runs.
    fn effect(&self, arguments: &serde_json::Value) -> Effect;
    /// Runs it. Dropping the future ends it.
    fn run(&self, arguments: serde_json::Value, context: ToolContext) -> ToolFuture;
}

/// A running tool.
pub type ToolFuture = Pin<Box<dyn Future<Output = ToolOutcome> + Send>>;

/// Which models are told of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Only the built-in `demo` model.
    DemoModel,
}

/// What a call does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: it needs no permission.
    None,
    /// Something: the person is asked, as the permission mode says.
    Some,
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

/// What a tool is given beside its arguments.
#[derive(Clone, Debug)]
pub struct ToolContext {
    asks: mpsc::Sender<Ask>,
}

impl ToolContext {
    /// A context whose questions arrive at `asks`.
    pub fn new(asks: mpsc::Sender<Ask>) -> Self {
        Self { asks }
    }

    /// Puts a form to the person. `None` where nobody answered.
    pub async fn ask(&self, form: Form) -> Option<BTreeMap<String, String>> {
        let (reply, answer) = oneshot::channel();
        self.asks.send(Ask { form, reply }).await.ok()?;
        answer.await.ok()?
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

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolOutcome {
    /// For the model and the person.
    pub text: String,
    pub is_error: bool,
}
