//! The conversation as input items. What the same model said goes back as it came; nothing is stored at the
//! server, so that thinking goes back only where it holds what it is about.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::compat::Compat;
use super::event;
use crate::catalog::Model;
use crate::models::message::{Assistant, Block, Content, Message, Request};
use crate::models::{handoff, json};

/// The limit for ids, in characters.
const MAX_ID: usize = 64;

const NO_OUTPUT: &str = "(no tool output)";

/// One item as it is sent.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Item<'a> {
    Said(Said<'a>),
    Message(OutputMessage<'a>),
    /// Thinking, byte for byte as it came.
    Reasoning(&'a RawValue),
    Call(FunctionCall<'a>),
    Output(CallOutput<'a>),
}

#[derive(Serialize)]
pub(super) struct Said<'a> {
    role: &'static str,
    content: Words<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Words<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    InputText { text: &'a str },
    InputImage { detail: &'static str, image_url: String },
}

#[derive(Serialize)]
pub(super) struct OutputMessage<'a> {
    r#type: &'static str,
    role: &'static str,
    status: &'static str,
    id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<Cow<'a, str>>,
    content: [OutputText<'a>; 1],
}

#[derive(Serialize)]
struct OutputText<'a> {
    r#type: &'static str,
    text: &'a str,
    annotations: [u8; 0],
}

#[derive(Serialize)]
pub(super) struct FunctionCall<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    call_id: &'a str,
    name: &'a str,
    arguments: Cow<'a, str>,
}

#[derive(Serialize)]
pub(super) struct CallOutput<'a> {
    r#type: &'static str,
    call_id: &'a str,
    output: Words<'a>,
}

/// What a message came with.
#[derive(Default, Deserialize)]
struct TextSignature<'a> {
    #[serde(default, borrow)]
    id: Cow<'a, str>,
    #[serde(default, borrow)]
    phase: Cow<'a, str>,
}

/// The request's conversation made fit for `model`.
pub(super) fn prepared(request: &Request, model: &Model) -> Vec<Message> {
    handoff::prepare(&request.messages, model, &|id: &str| {
        let short = handoff::short_id(id, MAX_ID);
        let trimmed = short.trim_end_matches('_');
        if trimmed.len() == short.len() {
            return short;
        }
        // An underscore at the end is refused.
        let kept = trimmed.get(..trimmed.len().min(MAX_ID - 9)).unwrap_or_default();
        format!("{kept}_{:08x}", handoff::fnv(id.as_bytes()) & 0xffff_ffff)
    })
}

/// The items to send, `system` first.
pub(super) fn convert<'a>(
    system: Option<&'a str>,
    messages: &'a [Message],
    model: &Model,
    compat: &Compat<'_>,
) -> Vec<Item<'a>> {
    let mut out = Vec::with_capacity(messages.len() + 1);
    if let Some(text) = system {
        let role = if model.reasoning && compat.developer_role { "developer" } else { "system" };
        out.push(Item::Said(Said { role, content: Words::Text(text.into()) }));
    }
    // Ids that are made up are unlike each other in the whole request.
    let mut made_up = 0;
    for message in messages {
        match message {
            Message::User(content) => {
                let parts = parts(content);
                if !parts.is_empty() {
                    out.push(Item::Said(Said { role: "user", content: Words::Parts(parts) }));
                }
            }
            Message::Assistant(assistant) => convert_assistant(assistant, &mut made_up, &mut out),
            Message::ToolResult { call_id, content, .. } => out.push(Item::Output(CallOutput {
                r#type: "function_call_output",
                call_id: split(call_id).0,
                output: result(content),
            })),
        }
    }
    out
}

/// An answer as the next request has it, one text for each item.
pub(in crate::models::wires) fn said_before(assistant: &Assistant) -> Vec<String> {
    let mut items = Vec::new();
    convert_assistant(assistant, &mut 0, &mut items);
    // Strings, numbers and maps with string keys always serialise.
    items.iter().map(|item| serde_json::to_string(item).unwrap_or_default()).collect()
}

fn parts(content: &[Content]) -> Vec<Part<'_>> {
    content
        .iter()
        .filter_map(|piece| match piece {
            Content::Text(text) => (!text.is_empty()).then_some(Part::InputText { text }),
            Content::Image { mime_type, data } => {
                Some(Part::InputImage { detail: "auto", image_url: format!("data:{mime_type};base64,{data}") })
            }
        })
        .collect()
}

fn result(content: &[Content]) -> Words<'_> {
    if content.iter().any(|piece| matches!(piece, Content::Image { .. })) {
        return Words::Parts(parts(content));
    }
    let texts: Vec<&str> = content
        .iter()
        .filter_map(|piece| match piece {
            Content::Text(text) => Some(&**text),
            Content::Image { .. } => None,
        })
        .collect();
    let text = match *texts {
        [text] => Cow::Borrowed(text),
        _ => Cow::Owned(texts.join("\n")),
    };
    Words::Text(if text.is_empty() { NO_OUTPUT.into() } else { text })
}

fn convert_assistant<'a>(assistant: &'a Assistant, made_up: &mut u32, out: &mut Vec<Item<'a>>) {
    // Ids of what followed thinking that cannot go back are refused without it.
    let mut lacks_thinking = false;
    for block in &assistant.blocks {
        match block {
            Block::Thinking { signature, .. } => match signature.as_deref().and_then(reasoning) {
                Some(item) => out.push(Item::Reasoning(item)),
                None => lacks_thinking = true,
            },
            // This wire never gets any.
            Block::RedactedThinking { .. } => {}
            Block::Text { text, .. } if text.is_empty() => {}
            Block::Text { text, signature } => {
                let TextSignature { id, phase } = signature.as_deref().map_or_else(Default::default, text_signature);
                let id = if id.is_empty() || lacks_thinking {
                    *made_up += 1;
                    format!("msg_aside_{made_up}").into()
                } else if id.len() > MAX_ID || !id.chars().all(is_plain) {
                    format!("msg_{:016x}", handoff::fnv(id.as_bytes())).into()
                } else {
                    id
                };
                out.push(Item::Message(OutputMessage {
                    r#type: "message",
                    role: "assistant",
                    status: "completed",
                    id,
                    phase: (!phase.is_empty()).then_some(phase),
                    content: [OutputText { r#type: "output_text", text, annotations: [] }],
                }));
            }
            Block::ToolCall { id, name, arguments, signature } => {
                let (call_id, item_id) = split(id);
                let item_id = signature.as_deref().or(item_id).filter(|id| {
                    id.starts_with("fc_") && id.len() <= MAX_ID && !lacks_thinking
                });
                out.push(Item::Call(FunctionCall {
                    r#type: "function_call",
                    id: item_id,
                    call_id,
                    name,
                    arguments: if json::is_object(arguments) {
                        Cow::Borrowed(arguments)
                    } else {
                        Cow::Owned(json::arguments(arguments))
                    },
                }));
            }
        }
    }
    // Thinking that nothing came of is refused.
    while matches!(out.last(), Some(Item::Reasoning(_))) {
        out.pop();
    }
}

/// The thinking that a signature is, if it can go back.
fn reasoning(signature: &str) -> Option<&RawValue> {
    let raw: &RawValue = serde_json::from_str(signature).ok()?;
    let item = event::Item::of(raw)?;
    (item.r#type.0 == "reasoning" && item.can_return()).then_some(raw)
}

/// An older form is the bare id.
fn text_signature(signature: &str) -> TextSignature<'_> {
    if signature.starts_with('{') {
        return serde_json::from_str(signature).unwrap_or_default();
    }
    TextSignature { id: signature.into(), phase: "".into() }
}

/// Whether an id may have this in it.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// A call's id: what it is answered by, and its item's own id where that is in it.
fn split(id: &str) -> (&str, Option<&str>) {
    id.split_once('|').map_or((id, None), |(call, item)| (call, Some(item)))
}
