//! One WebSocket's side of the conversation: what is asked over it, and what the server still knows of the last
//! answer, so that only what is new has to be sent.
//!
//! Nothing is stored at the server beyond the connection. Of what was sent only digests are kept, which must
//! match to the byte: else the whole conversation is sent, which is never wrong. It must never make a conversation
//! shorter than the person sees it.

use aws_lc_rs::digest::{Context, Digest, SHA256};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::openai_responses::{Dialect, decoder, said_before};
use super::super::{Dialogue, Frame, Heard};
use crate::catalog::Model;
use crate::models::fold::Fold;
use crate::models::message::Origin;
use crate::models::wires::lax::Text;

/// What stands before the conversation in a body.
const INPUT: &str = "\"input\":";
/// Bytes of an answer's items that are kept until its end; of a longer answer the server is not reminded.
const MAX_KEPT: usize = 4 << 20;
/// Where in an event its type is looked for, in bytes.
const TYPE_WITHIN: usize = 64;
/// An item of an answer is whole.
const ITEM_DONE: &str = "response.output_item.done";
/// The previous answer is not known (any more).
const UNKNOWN: &str = "previous_response_not_found";
/// The connection has served its time.
const WORN_OUT: &str = "websocket_connection_limit_reached";

/// See the head of this file.
#[derive(Default)]
pub(super) struct Conversation {
    /// What the server knows.
    last: Option<Known>,
    /// What was asked, until it is answered.
    asked: Option<Asked>,
}

/// The conversation up to the end of an answer.
struct Known {
    /// Of everything but the conversation.
    rest: Digest,
    /// How many items it has.
    items: usize,
    /// Of these.
    digest: Digest,
    /// The answer's id.
    response: String,
}

struct Asked {
    rest: Digest,
    items: usize,
    digest: Context,
    /// The events that ended an item of the answer.
    ended: Vec<Frame>,
    kept: usize,
    /// The answer's id, once it is whole.
    response: String,
}

/// A body, cut around its conversation.
struct Body<'a> {
    head: &'a str,
    items: Vec<&'a RawValue>,
    tail: &'a str,
}

impl<'a> Body<'a> {
    /// `None` where it is not the object that `encode` makes.
    fn of(body: &'a str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Input<'a> {
            #[serde(borrow)]
            input: &'a RawValue,
        }
        let input = serde_json::from_str::<Input<'_>>(body).ok()?.input.get();
        // In a string the quotes of a key would be escaped, and nothing that stands before has fields.
        let (head, rest) = body.split_once(INPUT)?;
        let tail = rest.strip_prefix(input)?;
        Some(Self { head: head.strip_prefix('{')?, items: serde_json::from_str(input).ok()?, tail })
    }

    fn rest(&self) -> Digest {
        let mut context = Context::new(&SHA256);
        for part in [self.head, "\n", self.tail] {
            context.update(part.as_bytes());
        }
        context.finish()
    }
}

fn add(context: &mut Context, item: &str) {
    context.update(item.as_bytes());
    context.update(b"\n");
}

fn same(one: &Digest, other: &Digest) -> bool {
    one.as_ref() == other.as_ref()
}

impl Conversation {
    /// Keeps an item of the answer, unless the answer is too long.
    fn note(&mut self, frame: &Frame) {
        let Some(asked) = &mut self.asked else { return };
        asked.kept += frame.data.len();
        if asked.kept > MAX_KEPT {
            self.asked = None;
        } else {
            asked.ended.push(frame.clone());
        }
    }
}

impl Dialogue for Conversation {
    fn ask(&mut self, body: &[u8]) -> String {
        self.asked = None;
        let last = self.last.take();
        let whole = String::from_utf8_lossy(body);
        let Some(body) = Body::of(&whole) else { return message(&whole) };
        let mut digest = Context::new(&SHA256);
        let known = last.as_ref().map_or(0, |last| last.items);
        let (before, since) = body.items.split_at_checked(known).unwrap_or((&body.items, &[]));
        for item in before {
            add(&mut digest, item.get());
        }
        let rest = body.rest();
        let continued = last.filter(|last| {
            !since.is_empty() && same(&last.rest, &rest) && same(&last.digest, &digest.clone().finish())
        });
        for item in since {
            add(&mut digest, item.get());
        }
        let items = body.items.len();
        let response = String::new();
        self.asked = Some(Asked { rest, items, digest, ended: Vec::new(), kept: 0, response });
        match continued {
            Some(last) => {
                let id = serde_json::Value::from(last.response);
                let since: Vec<&str> = since.iter().map(|item| item.get()).collect();
                let (head, tail) = (body.head, body.tail);
                let input = since.join(",");
                format!(
                    "{{\"type\":\"response.create\",\"previous_response_id\":{id},{head}{INPUT}[{input}]{tail}"
                )
            }
            None => message(&whole),
        }
    }

    fn hear(&mut self, frame: &Frame) -> Heard {
        #[derive(Deserialize)]
        struct Event<'a> {
            #[serde(default, borrow)]
            r#type: Text<'a>,
            #[serde(default, borrow)]
            error: Option<&'a RawValue>,
            #[serde(default, borrow)]
            response: Option<&'a RawValue>,
        }
        #[derive(Default, Deserialize)]
        struct Named<'a> {
            #[serde(default, borrow)]
            code: Text<'a>,
            #[serde(default, borrow)]
            id: Text<'a>,
        }
        let start = frame.data.get(..frame.data.floor_char_boundary(TYPE_WITHIN)).unwrap_or_default();
        let says = |word: &str| start.contains(word);
        if says(".delta\"") {
            return Heard::Answer;
        }
        if says(ITEM_DONE) {
            self.note(frame);
            return Heard::Answer;
        }
        let Ok(event) = serde_json::from_str::<Event<'_>>(&frame.data) else { return Heard::Answer };
        let named = |raw: Option<&'_ RawValue>| -> (String, String) {
            let named = raw.and_then(|raw| serde_json::from_str::<Named<'_>>(raw.get()).ok());
            named.map_or_else(Default::default, |named| (named.code.0.into_owned(), named.id.0.into_owned()))
        };
        match &*event.r#type.0 {
            "error" => match &*named(event.error).0 {
                UNKNOWN => Heard::Unknown,
                WORN_OUT => Heard::WornOut,
                _ => Heard::Answer,
            },
            "response.completed" | "response.done" => {
                if let Some(asked) = &mut self.asked {
                    asked.response = named(event.response).1;
                }
                Heard::Answer
            }
            ITEM_DONE => {
                self.note(frame);
                Heard::Answer
            }
            // Limits of the plan and the like come before the answer.
            kind if kind.starts_with("codex.") => Heard::Aside,
            _ => Heard::Answer,
        }
    }

    fn settle(&mut self, model: &Model) {
        let Some(mut asked) = self.asked.take().filter(|asked| !asked.response.is_empty()) else { return };
        let mut decoder = decoder(model, Dialect::Codex);
        let (mut deltas, mut fold) = (Vec::new(), Fold::new());
        for frame in &asked.ended {
            if decoder.push(frame, &mut deltas).is_err() {
                return;
            }
        }
        for delta in &deltas {
            fold.push(delta);
        }
        let origin =
            Origin { provider: model.provider.clone(), wire: model.wire.clone(), model: model.id.clone() };
        let said = said_before(&fold.finish(origin).0);
        for item in &said {
            add(&mut asked.digest, item);
        }
        self.last = Some(Known {
            rest: asked.rest,
            items: asked.items + said.len(),
            digest: asked.digest.finish(),
            response: asked.response,
        });
    }
}

/// The message that asks for an answer to a whole body.
fn message(body: &str) -> String {
    format!("{{\"type\":\"response.create\",{}", body.strip_prefix('{').unwrap_or(body))
}

#[cfg(test)]
mod tests;
