//! Makes a conversation fit for the model that continues it: run by every wire before it converts messages.
//!
//! Signatures only go back to the model that made them, every tool call has exactly one result, and what the
//! target cannot see is replaced by words. It must never change what the same model said, as prompt caches and
//! signatures depend on it.

mod images;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Assistant, Block, Content, Message};
use crate::catalog::Model;

/// Turns a tool call id of another model into one that the target accepts.
pub type NormaliseId<'a> = &'a dyn Fn(&str) -> String;

const NO_RESULT: &str = "No result provided";
const USER_IMAGE: &str = "(image omitted: model does not support images)";
const TOOL_IMAGE: &str = "(tool image omitted: model does not support images)";

/// The conversation as `model` may be sent it.
pub fn prepare(messages: &[Message], model: &Model, normalise_id: NormaliseId<'_>) -> Vec<Message> {
    let mut out = Vec::with_capacity(messages.len());
    // Ids of the other models' calls, and what they became.
    let mut renamed: BTreeMap<&str, String> = BTreeMap::new();
    let mut open = OpenCalls::default();
    for message in messages {
        match message {
            Message::User(content) => {
                open.answer_all(&mut out);
                out.push(Message::User(seen(content, model, USER_IMAGE)));
            }
            Message::Assistant(assistant) => {
                open.answer_all(&mut out);
                if !assistant.complete {
                    continue;
                }
                let assistant = if is_same(assistant, model) {
                    own(assistant)
                } else {
                    foreign(assistant, normalise_id, &mut renamed)
                };
                open.expect(&assistant);
                out.push(Message::Assistant(assistant));
            }
            Message::ToolResult { call_id, name, content, is_error } => {
                let call_id = renamed.get(call_id.as_str()).unwrap_or(call_id);
                // A result whose call was not sent, or that comes twice, would be refused.
                if open.answered(call_id) {
                    out.push(Message::ToolResult {
                        call_id: call_id.clone(),
                        name: name.clone(),
                        content: seen(content, model, TOOL_IMAGE),
                        is_error: *is_error,
                    });
                }
            }
        }
    }
    open.answer_all(&mut out);
    images::limit(&mut out, model);
    out
}

/// `id` cut to `max` characters, all of them letters, digits, `_` or `-`. A cut id ends with a hash, so that
/// two that differ only behind the cut stay different.
pub fn short_id(id: &str, max: usize) -> String {
    let plain: String =
        id.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    if plain.len() <= max {
        return plain;
    }
    let hash = format!("_{:08x}", fnv(id.as_bytes()) & 0xffff_ffff);
    let kept = plain.get(..max.saturating_sub(hash.len())).unwrap_or_default();
    // Some providers reject ids with a doubled or a final underscore.
    format!("{}{hash}", kept.trim_end_matches('_'))
}

/// FNV-1a: the same on every machine and in every version, as cached prompts need it.
pub fn fnv(bytes: &[u8]) -> u64 {
    fnv_more(None, bytes)
}

/// The hash of what `before` is the hash of, and then `bytes`.
pub fn fnv_more(before: Option<u64>, bytes: &[u8]) -> u64 {
    bytes.iter().fold(before.unwrap_or(0xcbf2_9ce4_8422_2325), |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Calls of the last assistant message that have no result yet.
#[derive(Default)]
struct OpenCalls {
    /// In order.
    calls: Vec<(String, String)>,
    unanswered: BTreeSet<String>,
}

impl OpenCalls {
    fn expect(&mut self, assistant: &Assistant) {
        for block in &assistant.blocks {
            if let Block::ToolCall { id, name, .. } = block
                && self.unanswered.insert(id.clone())
            {
                self.calls.push((id.clone(), name.clone()));
            }
        }
    }

    fn answered(&mut self, call_id: &str) -> bool {
        self.unanswered.remove(call_id)
    }

    fn answer_all(&mut self, out: &mut Vec<Message>) {
        for (call_id, name) in self.calls.drain(..) {
            if self.unanswered.contains(&call_id) {
                let content = vec![Content::Text(NO_RESULT.into())];
                out.push(Message::ToolResult { call_id, name, content, is_error: true });
            }
        }
        self.unanswered.clear();
    }
}

fn is_same(assistant: &Assistant, model: &Model) -> bool {
    let origin = &assistant.origin;
    origin.provider == model.provider && origin.wire == model.wire && origin.model == model.id
}

fn own(assistant: &Assistant) -> Assistant {
    let blocks = assistant
        .blocks
        .iter()
        .filter(|block| match block {
            // Signed thinking goes back even when it is empty.
            Block::Thinking { text, signature } => signature.is_some() || !text.trim().is_empty(),
            _ => true,
        })
        .cloned()
        .collect();
    Assistant { blocks, ..assistant.clone() }
}

fn foreign<'a>(
    assistant: &'a Assistant,
    normalise_id: NormaliseId<'_>,
    renamed: &mut BTreeMap<&'a str, String>,
) -> Assistant {
    let blocks = assistant
        .blocks
        .iter()
        .filter_map(|block| match block {
            Block::RedactedThinking { .. } => None,
            // Plain text without tags: models imitate tags.
            Block::Text { text, .. } | Block::Thinking { text, .. } => {
                (!text.trim().is_empty()).then(|| Block::Text { text: Arc::clone(text), signature: None })
            }
            Block::ToolCall { id, name, arguments, .. } => {
                let new_id = normalise_id(id);
                if new_id != *id {
                    renamed.insert(id, new_id.clone());
                }
                let (name, arguments) = (name.clone(), arguments.clone());
                Some(Block::ToolCall { id: new_id, name, arguments, signature: None })
            }
        })
        .collect();
    Assistant { origin: assistant.origin.clone(), blocks, complete: true }
}

/// `content` as `model` can see it: a run of images that it cannot is one placeholder.
fn seen(content: &[Content], model: &Model, placeholder: &str) -> Vec<Content> {
    if model.takes_images {
        return content.to_vec();
    }
    let mut out: Vec<Content> = Vec::with_capacity(content.len());
    let mut in_run = false;
    for piece in content {
        let is_image = matches!(piece, Content::Image { .. });
        if !is_image {
            out.push(piece.clone());
        } else if !in_run {
            out.push(Content::Text(placeholder.into()));
        }
        in_run = is_image;
    }
    out
}

#[cfg(test)]
mod tests;
