//! The conversation as contents: turns of the user, in which results of tools stand too, and of the model.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::family::Family;
use super::signature;
use crate::catalog::Model;
use crate::models::message::{Assistant, Block, Content, Message, Request};
use crate::models::{handoff, json};

/// The longest id of a call, in characters.
const MAX_CALL_ID: usize = 64;

/// Stands for the signature of a call that another model made.
const NOT_SIGNED: &str = "skip_thought_signature_validator";

const NO_OUTPUT: &str = "(no tool output)";
const SEE_IMAGE: &str = "(see attached image)";
const IMAGES_FOLLOW: &str = "Tool result image:";
const NO_ARGUMENTS: &str = "{}";

/// One turn.
#[derive(Serialize)]
pub(super) struct Turn<'a> {
    role: &'static str,
    parts: Vec<Part<'a>>,
}

/// A part of a turn; one of the fields that hold something is set.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    thought: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inline_data: Option<Blob<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_call: Option<FunctionCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_response: Option<FunctionResponse<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thought_signature: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Blob<'a> {
    mime_type: &'a str,
    data: &'a str,
}

#[derive(Serialize)]
struct FunctionCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    name: &'a str,
    args: Box<RawValue>,
}

#[derive(Serialize)]
struct FunctionResponse<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    name: &'a str,
    response: Outcome<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    parts: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome<'a> {
    Output(Cow<'a, str>),
    Error(Cow<'a, str>),
}

impl<'a> Part<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }

    fn image(mime_type: &'a str, data: &'a str) -> Self {
        Self { inline_data: Some(Blob { mime_type, data }), ..Self::default() }
    }
}

/// The request's conversation made fit for `model`.
pub(super) fn prepared(request: &Request, model: &Model) -> Vec<Message> {
    let has_ids = Family::of(model).has_call_ids();
    handoff::prepare(&request.messages, model, &|id: &str| {
        if has_ids { handoff::short_id(id, MAX_CALL_ID) } else { id.to_owned() }
    })
}

/// The turns to send.
pub(super) fn convert<'a>(messages: &'a [Message], family: Family) -> Vec<Turn<'a>> {
    let mut out = Vec::with_capacity(messages.len());
    // A result without the name of its tool has its call's.
    let mut names: BTreeMap<&'a str, &'a str> = BTreeMap::new();
    let mut messages = messages.iter().peekable();
    while let Some(message) = messages.next() {
        match message {
            Message::User(content) => push(&mut out, "user", user_parts(content)),
            Message::Assistant(assistant) => {
                push(&mut out, "model", model_parts(assistant, family, &mut names));
            }
            Message::ToolResult { .. } => {
                // All results of one step stand in one turn, and what cannot stand in them behind it.
                let mut results = Vec::new();
                let mut images = Vec::new();
                let mut current = Some(message);
                while let Some(Message::ToolResult { call_id, name, content, is_error }) = current {
                    let name = if name.is_empty() {
                        names.get(call_id.as_str()).copied().unwrap_or("tool")
                    } else {
                        name
                    };
                    let (outcome, pictures) = outcome(content, *is_error);
                    let (inside, behind) =
                        if family.sees_results() { (pictures, Vec::new()) } else { (Vec::new(), pictures) };
                    images.extend(behind);
                    results.push(Part {
                        function_response: Some(FunctionResponse {
                            id: family.has_call_ids().then_some(call_id.as_str()),
                            name,
                            response: outcome,
                            parts: inside,
                        }),
                        ..Part::default()
                    });
                    current = messages.next_if(|next| matches!(next, Message::ToolResult { .. }));
                }
                push(&mut out, "user", results);
                if !images.is_empty() {
                    images.insert(0, Part::text(IMAGES_FOLLOW));
                    push(&mut out, "user", images);
                }
            }
        }
    }
    out
}

/// A turn without parts would be refused.
fn push<'a>(turns: &mut Vec<Turn<'a>>, role: &'static str, parts: Vec<Part<'a>>) {
    if !parts.is_empty() {
        turns.push(Turn { role, parts });
    }
}

fn user_parts(content: &[Content]) -> Vec<Part<'_>> {
    content
        .iter()
        .filter_map(|piece| match piece {
            Content::Text(text) => (!text.is_empty()).then(|| Part::text(&**text)),
            Content::Image { mime_type, data } => Some(Part::image(mime_type, data)),
        })
        .collect()
}

fn model_parts<'a>(
    assistant: &'a Assistant,
    family: Family,
    names: &mut BTreeMap<&'a str, &'a str>,
) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let mut is_first_call = true;
    for block in &assistant.blocks {
        match block {
            Block::Text { text, signature } => say(text, signature.as_deref(), None, &mut parts),
            Block::Thinking { text, signature } => say(text, signature.as_deref(), Some(true), &mut parts),
            // This wire never gets any.
            Block::RedactedThinking { .. } => {}
            Block::ToolCall { id, name, arguments, signature } => {
                names.insert(id, name);
                let signed = signature
                    .as_deref()
                    .filter(|signature| signature::is_valid(signature))
                    .map(Cow::Borrowed);
                // Of parallel calls only the first is signed, and it must be.
                let stand_in = || (is_first_call && family.is_signing()).then_some(Cow::Borrowed(NOT_SIGNED));
                let thought_signature = signed.or_else(stand_in);
                is_first_call = false;
                parts.push(Part {
                    function_call: Some(FunctionCall {
                        id: family.has_call_ids().then_some(id),
                        name,
                        args: arguments_of(arguments),
                    }),
                    thought_signature,
                    ..Part::default()
                });
            }
        }
    }
    parts
}

/// Text or thought, in the parts that it came in. What is empty and not signed says nothing.
fn say<'a>(text: &'a str, signature: Option<&'a str>, thought: Option<bool>, out: &mut Vec<Part<'a>>) {
    for (text, signature) in signature::split(text, signature) {
        if !text.is_empty() || signature.is_some() {
            out.push(Part {
                thought,
                text: Some(Cow::Borrowed(text)),
                thought_signature: signature.map(Cow::Owned),
                ..Part::default()
            });
        }
    }
}

/// `arguments`, made an object where they are none.
fn arguments_of(arguments: &str) -> Box<RawValue> {
    let raw = |text: &str| RawValue::from_string(text.to_owned()).ok();
    let own = if json::is_object(arguments) { raw(arguments.trim()) } else { None };
    own.or_else(|| raw(&json::arguments(arguments)))
        .or_else(|| raw(NO_ARGUMENTS))
        .unwrap_or_else(|| RawValue::NULL.to_owned())
}

fn outcome(content: &[Content], is_error: bool) -> (Outcome<'_>, Vec<Part<'_>>) {
    let mut texts: Vec<&str> = Vec::new();
    let mut images = Vec::new();
    for piece in content {
        match piece {
            Content::Text(text) => texts.push(text),
            Content::Image { mime_type, data } => images.push(Part::image(mime_type, data)),
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
    (if is_error { Outcome::Error(text) } else { Outcome::Output(text) }, images)
}
