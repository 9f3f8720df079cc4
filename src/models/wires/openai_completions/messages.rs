//! The conversation as chat messages.
//!
//! An assistant's text is always one plain string: models imitate the structure of their own turns.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::REASONING_FIELDS;
use super::compat::Compat;
use crate::catalog::Model;
use crate::models::message::{Assistant, Block, Content, Message, Request};
use crate::models::{handoff, json};

/// OpenAI's limit for the id of a tool call, in characters.
const MAX_CALL_ID: usize = 40;

const NO_OUTPUT: &str = "(no tool output)";
const SEE_IMAGE: &str = "(see attached image)";
const IMAGES_FOLLOW: &str = "Attached image(s) from tool result:";
const BRIDGE: &str = "I have processed the tool results.";

/// One message as it is sent.
#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub(super) enum ChatMessage<'a> {
    System {
        content: ChatContent<'a>,
    },
    Developer {
        content: ChatContent<'a>,
    },
    User {
        content: ChatContent<'a>,
    },
    Assistant(Box<AssistantMessage<'a>>),
    Tool {
        tool_call_id: &'a str,
        content: ChatContent<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a str>,
    },
}

#[derive(Default, Serialize)]
pub(super) struct AssistantMessage<'a> {
    /// `null` where there is none.
    content: Option<ChatContent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<&'a RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall<'a>>,
}

#[derive(Serialize)]
struct ToolCall<'a> {
    id: &'a str,
    r#type: &'static str,
    function: FunctionCall<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct FunctionCall<'a> {
    name: &'a str,
    arguments: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ChatContent<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Part<'a> {
    Text {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    ImageUrl {
        image_url: ImageUrl,
    },
}

#[derive(Serialize)]
pub(super) struct ImageUrl {
    url: String,
}

/// Anthropic's mark of where a cached prefix ends.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct CacheControl {
    pub(super) r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ttl: Option<&'static str>,
}

/// The request's conversation made fit for `model`.
pub(super) fn prepared(request: &Request, model: &Model) -> Vec<Message> {
    let is_openai = &*model.provider == "openai";
    handoff::prepare(&request.messages, model, &|id: &str| {
        // Ids with a bar are pairs of another wire, often very long.
        if id.contains('|') || (is_openai && id.chars().count() > MAX_CALL_ID) {
            handoff::short_id(id, MAX_CALL_ID)
        } else {
            id.to_owned()
        }
    })
}

/// The messages to send, `system` first.
pub(super) fn convert<'a>(
    system: Option<&'a str>,
    messages: &'a [Message],
    model: &Model,
    compat: &Compat<'_>,
    marker: Option<CacheControl>,
) -> Vec<ChatMessage<'a>> {
    let mut out = Vec::with_capacity(messages.len() + 1);
    if let Some(text) = system.filter(|text| !text.is_empty()) {
        let content = ChatContent::Text(text.into());
        out.push(if model.reasoning && compat.developer_role {
            ChatMessage::Developer { content }
        } else {
            ChatMessage::System { content }
        });
    }
    let mut messages = messages.iter().peekable();
    let mut after_results = false;
    while let Some(message) = messages.next() {
        match message {
            Message::User(content) => {
                if let Some(content) = user_content(content) {
                    if after_results && compat.assistant_after_tool_result {
                        out.push(bridge());
                    }
                    out.push(ChatMessage::User { content });
                    after_results = false;
                }
            }
            Message::Assistant(assistant) => {
                if let Some(message) = assistant_message(assistant, model, compat) {
                    out.push(ChatMessage::Assistant(Box::new(message)));
                    after_results = false;
                }
            }
            Message::ToolResult { .. } => {
                // Images of a run of results go together behind the run: a result is only text.
                let mut images = Vec::new();
                let mut current = Some(message);
                while let Some(Message::ToolResult { call_id, name, content, .. }) = current {
                    out.push(ChatMessage::Tool {
                        tool_call_id: call_id,
                        content: result_content(content, &mut images),
                        name: compat.tool_result_name.then_some(name.as_str()),
                    });
                    current = messages.next_if(|next| matches!(next, Message::ToolResult { .. }));
                }
                after_results = true;
                if !images.is_empty() {
                    if compat.assistant_after_tool_result {
                        out.push(bridge());
                    }
                    images.insert(0, text_part(IMAGES_FOLLOW.into()));
                    out.push(ChatMessage::User { content: ChatContent::Parts(images) });
                    after_results = false;
                }
            }
        }
    }
    if let Some(marker) = marker {
        mark(&mut out, marker);
    }
    out
}

fn bridge<'a>() -> ChatMessage<'a> {
    let content = Some(ChatContent::Text(BRIDGE.into()));
    ChatMessage::Assistant(Box::new(AssistantMessage { content, ..AssistantMessage::default() }))
}

/// `None` where a person said nothing at all.
fn user_content(content: &[Content]) -> Option<ChatContent<'_>> {
    if let [Content::Text(text)] = content {
        return (!text.is_empty()).then(|| ChatContent::Text(Cow::Borrowed(text)));
    }
    let parts: Vec<_> = content
        .iter()
        .filter_map(|piece| match piece {
            Content::Text(text) => (!text.is_empty()).then(|| text_part(Cow::Borrowed(text))),
            Content::Image { mime_type, data } => Some(image_part(mime_type, data)),
        })
        .collect();
    (!parts.is_empty()).then_some(ChatContent::Parts(parts))
}

fn result_content<'a>(content: &'a [Content], images: &mut Vec<Part<'a>>) -> ChatContent<'a> {
    let mut texts: Vec<&str> = Vec::new();
    let mut has_image = false;
    for piece in content {
        match piece {
            Content::Text(text) => texts.push(text),
            Content::Image { mime_type, data } => {
                images.push(image_part(mime_type, data));
                has_image = true;
            }
        }
    }
    let text = match *texts {
        [text] => Cow::Borrowed(text),
        _ => Cow::Owned(texts.join("\n")),
    };
    ChatContent::Text(match (text.is_empty(), has_image) {
        (false, _) => text,
        (true, true) => SEE_IMAGE.into(),
        (true, false) => NO_OUTPUT.into(),
    })
}

/// `None` where nothing would be left of the message.
fn assistant_message<'a>(
    assistant: &'a Assistant,
    model: &Model,
    compat: &Compat<'_>,
) -> Option<AssistantMessage<'a>> {
    let mut message = AssistantMessage::default();
    let mut texts: Vec<&'a str> = Vec::new();
    // Everything thought, for servers that take it as text only.
    let mut thoughts: Vec<&'a str> = Vec::new();
    let mut replayed: Vec<&'a str> = Vec::new();
    let mut field = None;
    for block in &assistant.blocks {
        match block {
            Block::Text { text, .. } => texts.push(text),
            Block::Thinking { text, signature } => {
                if !text.trim().is_empty() {
                    thoughts.push(text);
                }
                match signature.as_deref() {
                    Some(signature) if REASONING_FIELDS.contains(&signature) => {
                        field.get_or_insert(signature);
                        replayed.push(text);
                    }
                    Some(signature) => {
                        let details = serde_json::from_str::<Vec<&RawValue>>(signature);
                        message.reasoning_details.extend(details.into_iter().flatten());
                    }
                    None => {}
                }
            }
            // This wire never gets any.
            Block::RedactedThinking { .. } => {}
            Block::ToolCall { id, name, arguments, signature } => message.tool_calls.push(ToolCall {
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
                extra_content: signature.as_deref().and_then(|text| serde_json::from_str(text).ok()),
            }),
        }
    }
    let text = match *texts {
        [text] => Cow::Borrowed(text),
        _ => Cow::Owned(texts.concat()),
    };
    if compat.thinking_as_text && !thoughts.is_empty() {
        let thought = text_part(thoughts.join("\n\n").into());
        let rest = texts.into_iter().filter(|text| !text.is_empty()).map(|text| text_part(text.into()));
        message.content = Some(ChatContent::Parts(std::iter::once(thought).chain(rest).collect()));
        message.reasoning_details.clear();
    } else {
        if !text.is_empty() {
            message.content = Some(ChatContent::Text(text));
        }
        // The structured form says the same, and more.
        if let Some(field) = field.filter(|_| message.reasoning_details.is_empty()) {
            let thought = Some(Cow::Owned(replayed.join("\n")));
            match field {
                "reasoning" if &*model.provider == "opencode-go" => message.reasoning_content = thought,
                "reasoning" => message.reasoning = thought,
                "reasoning_text" => message.reasoning_text = thought,
                _ => message.reasoning_content = thought,
            }
        }
    }
    if message.content.is_none() && message.tool_calls.is_empty() {
        return None;
    }
    if message.content.is_none() && compat.assistant_after_tool_result {
        message.content = Some(ChatContent::Text("".into()));
    }
    if compat.reasoning_content_always && model.reasoning && message.reasoning_content.is_none() {
        message.reasoning_content = Some("".into());
    }
    Some(message)
}

fn text_part(text: Cow<'_, str>) -> Part<'_> {
    Part::Text { text, cache_control: None }
}

fn image_part<'a>(mime_type: &str, data: &str) -> Part<'a> {
    Part::ImageUrl { image_url: ImageUrl { url: format!("data:{mime_type};base64,{data}") } }
}

/// Marks the system prompt, and the last message that has text.
fn mark(messages: &mut [ChatMessage<'_>], marker: CacheControl) {
    let system = messages.iter_mut().find_map(|message| match message {
        ChatMessage::System { content } | ChatMessage::Developer { content } => Some(content),
        _ => None,
    });
    if let Some(content) = system {
        mark_content(content, marker);
    }
    for message in messages.iter_mut().rev() {
        let content = match message {
            ChatMessage::User { content } | ChatMessage::Tool { content, .. } => Some(content),
            ChatMessage::Assistant(assistant) => assistant.content.as_mut(),
            ChatMessage::System { .. } | ChatMessage::Developer { .. } => None,
        };
        if content.is_some_and(|content| mark_content(content, marker)) {
            break;
        }
    }
}

/// Says whether there was text to mark.
fn mark_content(content: &mut ChatContent<'_>, marker: CacheControl) -> bool {
    match content {
        ChatContent::Text(text) if text.is_empty() => false,
        ChatContent::Text(text) => {
            let text = std::mem::take(text);
            *content = ChatContent::Parts(vec![Part::Text { text, cache_control: Some(marker) }]);
            true
        }
        ChatContent::Parts(parts) => {
            let last = parts.iter_mut().rev().find_map(|part| match part {
                Part::Text { cache_control, .. } => Some(cache_control),
                Part::ImageUrl { .. } => None,
            });
            last.map(|cache_control| *cache_control = Some(marker)).is_some()
        }
    }
}
