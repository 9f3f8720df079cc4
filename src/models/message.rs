//! A conversation as every wire is given it. See wire API notes in `wires.rs` for what is made of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::catalog::{Model, ThinkingLevel};
pub use crate::settings::CacheRetention;

/// One request to a model.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The system prompt.
    pub system: Option<String>,
    /// The conversation so far, the newest last.
    pub messages: Vec<Message>,
    /// What the model may call.
    pub tools: Vec<ToolSpec>,
    /// Output limit in tokens; the wire's default where `None`.
    pub max_tokens: Option<u64>,
    /// Sampling temperature.
    pub temperature: Option<f64>,
    /// How much to think; `None` leaves it to the provider.
    pub thinking: Option<ThinkingLevel>,
    /// How long the provider should keep the prompt cached.
    pub cache: CacheRetention,
    /// Stable within a conversation, for cache affinity.
    pub session: String,
    /// JSON Schema that the answer must satisfy, as JSON text.
    pub output_schema: Option<String>,
    /// Values that the wire asked for by name.
    pub variables: Variables,
}

/// Values of the provider's entry in `auth.json`, else of the environment, by the names that the wire gave.
/// `Debug` shows no value.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<&'static str, String>);

impl Variables {
    /// The value, if it is set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
}

impl FromIterator<(&'static str, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (&'static str, String)>>(values: I) -> Self {
        Self(values.into_iter().collect())
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What a picture is reckoned at, in characters.
const IMAGE_CHARS: usize = 4_800;
/// Tokens of the context that are left free beside the request and its answer.
const SPARE_TOKENS: u64 = 4_096;

impl Request {
    /// A rough count of the request's tokens: four characters each.
    pub fn estimated_tokens(&self) -> u64 {
        let content = |content: &[Content]| -> usize {
            content
                .iter()
                .map(|content| match content {
                    Content::Text(text) => text.len(),
                    Content::Image { .. } => IMAGE_CHARS,
                })
                .sum()
        };
        let block = |block: &Block| match block {
            Block::Text { text, .. } | Block::Thinking { text, .. } => text.len(),
            Block::RedactedThinking { data } => data.len(),
            Block::ToolCall { name, arguments, .. } => name.len() + arguments.len(),
        };
        let messages: usize = self
            .messages
            .iter()
            .map(|message| match message {
                Message::User(parts) | Message::ToolResult { content: parts, .. } => content(parts),
                Message::Assistant(assistant) => assistant.blocks.iter().map(block).sum(),
            })
            .sum();
        let tools: usize = self.tools.iter().map(|tool| tool.description.len() + tool.parameters.len()).sum();
        let all = messages + tools + self.system.as_ref().map_or(0, String::len);
        u64::try_from(all / 4).unwrap_or(u64::MAX)
    }

    /// The output limit to send: the one that was asked for or else the model's own, but no more than its
    /// context has room for beside this request.
    pub fn output_limit(&self, model: &Model) -> Option<u64> {
        let wanted = self.max_tokens.unwrap_or(model.max_output);
        (wanted > 0).then(|| wanted.min(self.room(model)))
    }

    /// Tokens that the model's context has room for beside this request, at least one.
    pub fn room(&self, model: &Model) -> u64 {
        // A small context cannot spare that much.
        let spare = SPARE_TOKENS.min(model.context_window / 8);
        model.context_window.saturating_sub(self.estimated_tokens().saturating_add(spare)).max(1)
    }
}

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolSpec {
    pub name: String,
    pub description: String,
    /// JSON Schema of the arguments, as JSON text.
    pub parameters: String,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    User(Vec<Content>),
    Assistant(Assistant),
    ToolResult { call_id: String, name: String, content: Vec<Content>, is_error: bool },
}

/// A piece of what a person or a tool says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Text(Arc<str>),
    /// `data` is base64.
    Image {
        mime_type: Arc<str>,
        data: Arc<str>,
    },
}

/// What a model said in one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Assistant {
    /// Which model said it: signatures are only good for the same one.
    pub origin: Origin,
    /// In order.
    pub blocks: Vec<Block>,
    /// Whether the answer came to its end: one that failed or was cancelled is not sent again.
    pub complete: bool,
}

/// The three names that must all be equal for "the same model".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub provider: Arc<str>,
    pub wire: Arc<str>,
    pub model: Arc<str>,
}

/// A part of an assistant's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    Text {
        text: Arc<str>,
        signature: Option<String>,
    },
    Thinking {
        text: Arc<str>,
        signature: Option<String>,
    },
    /// Thinking that only the provider can read.
    RedactedThinking {
        data: String,
    },
    /// `arguments` is the text of a JSON object.
    ToolCall {
        id: String,
        name: String,
        arguments: String,
        signature: Option<String>,
    },
}
