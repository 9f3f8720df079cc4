//! The conversation as turns of user and assistant, which must alternate.
//!
//! The API refuses a whole request for one blank text, one empty key of a tool's input or one signature that is
//! not its own, so nothing of the kind is sent.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::family::Family;
use crate::catalog::Model;
use crate::models::message::{Assistant, Block, Content, Message, Request};
use crate::models::{handoff, json};

/// The longest id of a call, and name of a tool.
const MAX_NAME: usize = 64;

/// Stands where something must be said and nothing was.
const EMPTY: &str = "<empty>";

#[derive(Serialize)]
pub(super) struct Turn<'a> {
    role: Role,
    content: Vec<Part<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Role {
    User,
    Assistant,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Part<'a> {
    Text(Cow<'a, str>),
    Image(Image<'a>),
    ReasoningContent(Reasoning<'a>),
    ToolUse(ToolUse<'a>),
    ToolResult(ToolResult<'a>),
    CachePoint(CachePoint),
}

#[derive(Serialize)]
struct Image<'a> {
    format: &'static str,
    source: Source<'a>,
}

#[derive(Serialize)]
struct Source<'a> {
    /// In base64.
    bytes: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Reasoning<'a> {
    ReasoningText {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        signature: Option<&'a str>,
    },
    /// In base64.
    RedactedContent(&'a str),
}

#[derive(Serialize)]
struct ToolUse<'a> {
    #[serde(rename = "toolUseId")]
    id: Cow<'a, str>,
    name: Cow<'a, str>,
    input: Cow<'a, RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolResult<'a> {
    tool_use_id: Cow<'a, str>,
    content: Vec<Part<'a>>,
    status: &'static str,
}

/// A mark of where a cached prefix ends.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct CachePoint {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<&'static str>,
}

impl CachePoint {
    /// What stands before it is kept for minutes.
    pub(super) const SHORT: Self = Self { r#type: "default", ttl: None };
    /// The same for an hour.
    pub(super) const LONG: Self = Self { r#type: "default", ttl: Some("1h") };
}

/// The request's conversation made fit for `model`.
pub(super) fn prepared(request: &Request, model: &Model) -> Vec<Message> {
    handoff::prepare(&request.messages, model, &|id: &str| handoff::short_id(id, MAX_NAME))
}

/// The turns to send, with `mark` at the end of the last one of the user.
pub(super) fn convert<'a>(
    messages: &'a [Message],
    family: &Family,
    mark: Option<CachePoint>,
) -> Vec<Turn<'a>> {
    let mut turns: Vec<Turn<'a>> = Vec::with_capacity(messages.len());
    for message in messages {
        let (role, mut parts) = match message {
            Message::User(content) => (Role::User, seen(content)),
            Message::Assistant(assistant) => (Role::Assistant, said(assistant, family)),
            // All results of a run belong into one message.
            Message::ToolResult { call_id, content, is_error, .. } => {
                let content = at_least(seen(content));
                let status = if *is_error { "error" } else { "success" };
                let tool_use_id = fit(call_id, ".:");
                (Role::User, vec![Part::ToolResult(ToolResult { tool_use_id, content, status })])
            }
        };
        match turns.last_mut().filter(|last| last.role == role) {
            Some(last) => last.content.append(&mut parts),
            None if role == Role::Assistant && parts.is_empty() => {}
            None => turns.push(Turn { role, content: parts }),
        }
    }
    for turn in &mut turns {
        turn.content = at_least(std::mem::take(&mut turn.content));
    }
    if let Some(mark) = mark
        && let Some(turn) = turns.iter_mut().rev().find(|turn| turn.role == Role::User)
    {
        turn.content.push(Part::CachePoint(mark));
    }
    turns
}

/// What a person or a tool says, without what is blank.
fn seen(content: &[Content]) -> Vec<Part<'_>> {
    content
        .iter()
        .filter_map(|piece| match piece {
            Content::Text(text) => spoken(text),
            Content::Image { mime_type, data } => Some(image(mime_type, data)),
        })
        .collect()
}

fn at_least(parts: Vec<Part<'_>>) -> Vec<Part<'_>> {
    if parts.is_empty() { vec![Part::Text(EMPTY.into())] } else { parts }
}

fn spoken(text: &str) -> Option<Part<'_>> {
    (!text.trim().is_empty()).then_some(Part::Text(Cow::Borrowed(text)))
}

fn image<'a>(mime_type: &str, data: &'a str) -> Part<'a> {
    let format = match mime_type.to_ascii_lowercase().as_str() {
        "image/png" => "png",
        "image/jpeg" | "image/jpg" => "jpeg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        _ => "",
    };
    if format.is_empty() || data.is_empty() {
        return Part::Text(Cow::Borrowed("(image omitted: only png, jpeg, gif and webp can be sent)"));
    }
    Part::Image(Image { format, source: Source { bytes: data } })
}

fn said<'a>(assistant: &'a Assistant, family: &Family) -> Vec<Part<'a>> {
    assistant.blocks.iter().filter_map(|block| part(block, family)).collect()
}

fn part<'a>(block: &'a Block, family: &Family) -> Option<Part<'a>> {
    match block {
        Block::Text { text, .. } => spoken(text),
        Block::Thinking { text, signature } => match signature.as_deref().filter(|_| family.is_claude) {
            Some(signature) => {
                let signature = Some(signature);
                Some(Part::ReasoningContent(Reasoning::ReasoningText { text, signature }))
            }
            // A Claude refuses thinking without a signature, and the others refuse signatures.
            None if family.is_claude => spoken(text),
            None => (!text.trim().is_empty())
                .then_some(Part::ReasoningContent(Reasoning::ReasoningText { text, signature: None })),
        },
        Block::RedactedThinking { data } => (!data.is_empty())
            .then_some(Part::ReasoningContent(Reasoning::RedactedContent(data))),
        Block::ToolCall { id, name, arguments, .. } => Some(Part::ToolUse(ToolUse {
            id: fit(id, ".:"),
            name: tool_name(name),
            input: input(arguments),
        })),
    }
}

/// A tool's name as the API takes it.
pub(super) fn tool_name(name: &str) -> Cow<'_, str> {
    fit(name, "")
}

/// An id or name as the API takes it: of letters, digits, `_`, `-` and what is in `more`.
fn fit<'a>(name: &'a str, more: &str) -> Cow<'a, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c) || more.contains(c);
    match name {
        "" => Cow::Borrowed("unnamed"),
        name if name.len() <= MAX_NAME && name.chars().all(plain) => Cow::Borrowed(name),
        name => Cow::Owned(handoff::short_id(name, MAX_NAME)),
    }
}

/// A call's arguments as they are, but for what would be refused.
fn input(arguments: &str) -> Cow<'_, RawValue> {
    let raw = serde_json::from_str::<&RawValue>(arguments);
    let suspect = arguments.contains("\"\"");
    if let Ok(raw) = raw
        && !suspect
        && json::is_object(arguments)
    {
        return Cow::Borrowed(raw);
    }
    let mut value = serde_json::from_str::<Value>(&json::arguments(arguments)).unwrap_or_default();
    if suspect {
        drop_empty_keys(&mut value);
    }
    // A JSON value is valid JSON.
    serde_json::value::to_raw_value(&value).map_or(Cow::Borrowed(RawValue::NULL), Cow::Owned)
}

/// Depth is bounded by the parser that made the value.
fn drop_empty_keys(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("");
            fields.values_mut().for_each(drop_empty_keys);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_empty_keys),
        _ => {}
    }
}
