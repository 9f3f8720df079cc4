//! The conversation as the turns of two sides.
//!
//! What a model thought goes back exactly as it came, in its place: the API refuses a turn whose thinking was
//! changed. Blank texts are left out, because it refuses those too.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::compat::Compat;
use super::identity;
use crate::catalog::Model;
use crate::models::message::{Assistant, Block as Said, Content, Message, Request};
use crate::models::wires::Access;
use crate::models::{handoff, json};

/// The API's limit for the id of a tool call, in characters.
const MAX_CALL_ID: usize = 64;

const NO_OUTPUT: &str = "(no tool output)";
const SEE_IMAGE: &str = "(see attached image)";

/// What one side says.
#[derive(Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    content: TurnContent<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum TurnContent<'a> {
    Text(&'a str),
    Blocks(Vec<Block<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text {
        text: Cow<'a, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
    Thinking {
        thinking: &'a str,
        signature: &'a str,
    },
    RedactedThinking {
        data: &'a str,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Cow<'a, RawValue>,
    },
    ToolResult {
        tool_use_id: &'a str,
        content: ResultContent<'a>,
        is_error: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl>,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum ResultContent<'a> {
    Text(Cow<'a, str>),
    Blocks(Vec<Block<'a>>),
}

#[derive(Serialize)]
struct Source<'a> {
    r#type: &'static str,
    media_type: &'a str,
    data: &'a str,
}

/// The mark of where a cached prefix ends.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct CacheControl {
    pub(super) r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ttl: Option<&'static str>,
}

/// The request's conversation made fit for `model`.
pub(super) fn prepared(request: &Request, model: &Model) -> Vec<Message> {
    handoff::prepare(&request.messages, model, &|id: &str| handoff::short_id(id, MAX_CALL_ID))
}

/// The turns to send.
pub(super) fn convert<'a>(
    messages: &'a [Message],
    compat: &Compat<'_>,
    access: Access,
    marker: Option<CacheControl>,
) -> Vec<Turn<'a>> {
    let mut turns = Vec::with_capacity(messages.len());
    let mut messages = messages.iter().peekable();
    while let Some(message) = messages.next() {
        match message {
            Message::User(content) => {
                turns.extend(user(content).map(|content| Turn { role: "user", content }));
            }
            Message::Assistant(said) => {
                let blocks = assistant(said, compat, access);
                if !blocks.is_empty() {
                    turns.push(Turn { role: "assistant", content: TurnContent::Blocks(blocks) });
                }
            }
            Message::ToolResult { .. } => {
                // All results of a run must be in one message, before anything else in it.
                let mut blocks = Vec::new();
                let mut images = Vec::new();
                let mut current = Some(message);
                while let Some(Message::ToolResult { call_id, content, is_error, .. }) = current {
                    blocks.push(Block::ToolResult {
                        tool_use_id: call_id,
                        content: result(content, *is_error, &mut images),
                        is_error: *is_error,
                        cache_control: None,
                    });
                    current = messages.next_if(|next| matches!(next, Message::ToolResult { .. }));
                }
                blocks.append(&mut images);
                turns.push(Turn { role: "user", content: TurnContent::Blocks(blocks) });
            }
        }
    }
    if let Some(marker) = marker {
        mark(&mut turns, marker);
    }
    turns
}

/// `None` where a person said nothing at all.
fn user(content: &[Content]) -> Option<TurnContent<'_>> {
    if let [Content::Text(text)] = content {
        return (!text.trim().is_empty()).then_some(TurnContent::Text(text));
    }
    let blocks: Vec<_> = content.iter().filter_map(piece).collect();
    (!blocks.is_empty()).then_some(TurnContent::Blocks(blocks))
}

fn piece(content: &Content) -> Option<Block<'_>> {
    match content {
        Content::Text(text) if text.trim().is_empty() => None,
        Content::Text(text) => Some(text_block(Cow::Borrowed(text))),
        Content::Image { mime_type, data } => Some(image(mime_type, data)),
    }
}

fn text_block(text: Cow<'_, str>) -> Block<'_> {
    Block::Text { text, cache_control: None }
}

/// A picture of a kind that the API does not take would cost the whole request.
fn image<'a>(mime_type: &'a str, data: &'a str) -> Block<'a> {
    let media_type = match mime_type {
        "image/jpg" => "image/jpeg",
        known @ ("image/jpeg" | "image/png" | "image/gif" | "image/webp") => known,
        other => {
            return text_block(format!("(image omitted: {other} is not supported)").into());
        }
    };
    Block::Image { source: Source { r#type: "base64", media_type, data }, cache_control: None }
}

/// A failed call's result may be text only: its pictures go to `behind`, which follows all results.
fn result<'a>(content: &'a [Content], is_error: bool, behind: &mut Vec<Block<'a>>) -> ResultContent<'a> {
    let has_image = content.iter().any(|piece| matches!(piece, Content::Image { .. }));
    if has_image && !is_error {
        let mut blocks: Vec<_> = content.iter().filter_map(piece).collect();
        if !blocks.iter().any(|block| matches!(block, Block::Text { .. })) {
            blocks.insert(0, text_block(SEE_IMAGE.into()));
        }
        return ResultContent::Blocks(blocks);
    }
    let mut texts: Vec<&str> = Vec::new();
    for piece in content {
        match piece {
            Content::Text(text) => texts.push(text),
            Content::Image { mime_type, data } => behind.push(image(mime_type, data)),
        }
    }
    let text = match *texts {
        [text] => Cow::Borrowed(text),
        _ => Cow::Owned(texts.join("\n")),
    };
    ResultContent::Text(match (text.trim().is_empty(), has_image) {
        (false, _) => text,
        (true, true) => SEE_IMAGE.into(),
        (true, false) => NO_OUTPUT.into(),
    })
}

fn assistant<'a>(said: &'a Assistant, compat: &Compat<'_>, access: Access) -> Vec<Block<'a>> {
    let block = |block: &'a Said| match block {
        Said::Text { text, .. } => {
            (!text.trim().is_empty()).then(|| text_block(Cow::Borrowed(text)))
        }
        Said::Thinking { text, signature } => {
            match signature.as_deref().filter(|signature| !signature.is_empty()) {
                // Even where there is nothing to read in it.
                Some(signature) => Some(Block::Thinking { thinking: text, signature }),
                None if text.trim().is_empty() => None,
                None if compat.empty_signature => Some(Block::Thinking { thinking: text, signature: "" }),
                None => Some(text_block(Cow::Borrowed(text))),
            }
        }
        Said::RedactedThinking { data } => {
            (!data.is_empty()).then_some(Block::RedactedThinking { data })
        }
        Said::ToolCall { id, name, arguments, .. } => Some(Block::ToolUse {
            id,
            name: if access == Access::Subscription { identity::sent(name) } else { name },
            input: object(arguments),
        }),
    };
    said.blocks.iter().filter_map(block).collect()
}

/// The arguments of a call as they were written, where they are an object.
fn object(arguments: &str) -> Cow<'_, RawValue> {
    if json::is_object(arguments)
        && let Ok(raw) = serde_json::from_str::<&RawValue>(arguments)
    {
        return Cow::Borrowed(raw);
    }
    let repaired = RawValue::from_string(json::arguments(arguments));
    Cow::Owned(repaired.unwrap_or_else(|_| RawValue::NULL.to_owned()))
}

/// Marks the end of the conversation, where the last word is the person's or a tool's.
fn mark(turns: &mut [Turn<'_>], marker: CacheControl) {
    let Some(Turn { role: "user", content }) = turns.last_mut() else { return };
    if let TurnContent::Text(text) = content {
        *content = TurnContent::Blocks(vec![text_block(Cow::Borrowed(text))]);
    }
    let TurnContent::Blocks(blocks) = content else { return };
    match blocks.last_mut() {
        Some(
            Block::Text { cache_control, .. }
            | Block::Image { cache_control, .. }
            | Block::ToolResult { cache_control, .. },
        ) => *cache_control = Some(marker),
        Some(Block::Thinking { .. } | Block::RedactedThinking { .. } | Block::ToolUse { .. }) | None => {}
    }
}
