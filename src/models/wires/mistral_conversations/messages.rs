//! The conversation as messages. The order of roles is held to: a user never follows a tool, and the last one is not
//! the assistant's unless it is to be continued.

use std::borrow::Cow;

use serde::Serialize;

use super::ids;
use crate::catalog::Model;
use crate::models::message::{Assistant, Block, Content, Message, Request};
use crate::models::{handoff, json};

const NO_OUTPUT: &str = "(no tool output)";
const SEE_IMAGE: &str = "(see attached image)";
const ERROR_MARK: &str = "[tool error] ";
const BRIDGE: &str = "I have processed the tool results.";

/// One message as it is sent.
#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub(super) enum ChatMessage<'a> {
    System {
        content: &'a str,
    },
    User {
        content: Said<'a>,
    },
    Assistant {
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<Said<'a>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall<'a>>,
        /// Whether the answer goes on with it.
        #[serde(skip_serializing_if = "Option::is_none")]
        prefix: Option<bool>,
    },
    Tool {
        tool_call_id: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        name: &'a str,
        content: Said<'a>,
    },
}

#[derive(Serialize)]
pub(super) struct ToolCall<'a> {
    id: &'a str,
    r#type: &'static str,
    function: FunctionCall<'a>,
}

#[derive(Serialize)]
struct FunctionCall<'a> {
    name: &'a str,
    arguments: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Said<'a> {
    Text(Cow<'a, str>),
    Chunks(Vec<Chunk<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Chunk<'a> {
    Text {
        text: Cow<'a, str>,
    },
    ImageUrl {
        image_url: String,
    },
    Thinking {
        thinking: [Thought<'a>; 1],
        #[serde(skip_serializing_if = "Option::is_none")]
        signature: Option<&'a str>,
    },
}

#[derive(Serialize)]
pub(super) struct Thought<'a> {
    r#type: &'static str,
    text: &'a str,
}

/// The request's conversation made fit for `model`.
pub(super) fn prepared(request: &Request, model: &Model) -> Vec<Message> {
    let mut messages = handoff::prepare(&request.messages, model, &str::to_owned);
    ids::rename(&mut messages);
    messages
}

/// The messages to send, `system` first.
pub(super) fn convert<'a>(system: Option<&'a str>, messages: &'a [Message]) -> Vec<ChatMessage<'a>> {
    let mut out = Vec::with_capacity(messages.len() + 1);
    if let Some(content) = system.filter(|text| !text.is_empty()) {
        out.push(ChatMessage::System { content });
    }
    for message in messages {
        match message {
            Message::User(content) => {
                let Some(content) = user_content(content) else { continue };
                if matches!(out.last(), Some(ChatMessage::Tool { .. })) {
                    let content = Some(Said::Text(BRIDGE.into()));
                    out.push(ChatMessage::Assistant { content, tool_calls: Vec::new(), prefix: None });
                }
                out.push(ChatMessage::User { content });
            }
            Message::Assistant(assistant) => out.extend(assistant_message(assistant)),
            Message::ToolResult { call_id, name, content, is_error } => out.push(ChatMessage::Tool {
                tool_call_id: call_id,
                name,
                content: result_content(content, *is_error),
            }),
        }
    }
    if let Some(ChatMessage::Assistant { tool_calls, prefix, .. }) = out.last_mut()
        && tool_calls.is_empty()
    {
        *prefix = Some(true);
    }
    out
}

/// `None` where a person said nothing at all.
fn user_content(content: &[Content]) -> Option<Said<'_>> {
    if let [Content::Text(text)] = content {
        return (!text.is_empty()).then(|| Said::Text(Cow::Borrowed(text)));
    }
    let chunks: Vec<_> = content
        .iter()
        .filter_map(|piece| match piece {
            Content::Text(text) => (!text.is_empty()).then(|| Chunk::Text { text: Cow::Borrowed(text) }),
            Content::Image { mime_type, data } => Some(image(mime_type, data)),
        })
        .collect();
    (!chunks.is_empty()).then_some(Said::Chunks(chunks))
}

fn result_content(content: &[Content], is_error: bool) -> Said<'_> {
    let mut texts: Vec<&str> = Vec::new();
    let mut images = Vec::new();
    for piece in content {
        match piece {
            Content::Text(text) => texts.push(text),
            Content::Image { mime_type, data } => images.push(image(mime_type, data)),
        }
    }
    let text = match *texts {
        [text] => Cow::Borrowed(text),
        _ => Cow::Owned(texts.join("\n")),
    };
    let text = match (text.is_empty(), images.is_empty()) {
        (false, _) => text,
        (true, false) => SEE_IMAGE.into(),
        (true, true) => NO_OUTPUT.into(),
    };
    let text = if is_error { Cow::Owned(format!("{ERROR_MARK}{text}")) } else { text };
    if images.is_empty() {
        return Said::Text(text);
    }
    images.insert(0, Chunk::Text { text });
    Said::Chunks(images)
}

/// `None` where nothing would be left of the message: an empty one would be refused.
fn assistant_message(assistant: &Assistant) -> Option<ChatMessage<'_>> {
    let mut chunks: Vec<Chunk<'_>> = Vec::new();
    let mut tool_calls = Vec::new();
    for block in &assistant.blocks {
        match block {
            Block::Text { text, .. } if text.is_empty() => {}
            Block::Text { text, .. } => chunks.push(Chunk::Text { text: Cow::Borrowed(text) }),
            Block::Thinking { text, signature } => chunks.push(Chunk::Thinking {
                thinking: [Thought { r#type: "text", text }],
                signature: signature.as_deref(),
            }),
            // This wire never gets any.
            Block::RedactedThinking { .. } => {}
            Block::ToolCall { id, name, arguments, .. } => tool_calls.push(ToolCall {
                id,
                r#type: "function",
                function: FunctionCall {
                    name,
                    arguments: if json::is_object(arguments) {
                        Cow::Borrowed(arguments)
                    } else {
                        Cow::Owned(json::arguments(arguments))
                    },
                },
            }),
        }
    }
    // Plain text is one string, as the API itself sends it: models imitate the structure of their own turns.
    let is_plain = chunks.iter().all(|chunk| matches!(chunk, Chunk::Text { .. }));
    let content = match (chunks.is_empty(), is_plain) {
        (true, _) => None,
        (false, false) => Some(Said::Chunks(chunks)),
        (false, true) => Some(Said::Text(joined(chunks))),
    };
    (content.is_some() || !tool_calls.is_empty()).then_some(ChatMessage::Assistant {
        content,
        tool_calls,
        prefix: None,
    })
}

fn joined(chunks: Vec<Chunk<'_>>) -> Cow<'_, str> {
    let mut all = Cow::Borrowed("");
    for chunk in chunks {
        if let Chunk::Text { text } = chunk {
            all += text;
        }
    }
    all
}

fn image<'a>(mime_type: &str, data: &str) -> Chunk<'a> {
    Chunk::ImageUrl { image_url: format!("data:{mime_type};base64,{data}") }
}
