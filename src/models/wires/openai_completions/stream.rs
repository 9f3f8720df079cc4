//! Frames of one answer in, deltas out.
//!
//! An ordinary piece of text costs one parse without copies and one string. What is odd is tolerated as long
//! as its meaning is clear; what is kept between frames is bounded.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::chunk::{Choice, Chunk, Delta as Piece, DetailPiece, ToolCall};
use super::super::error_body::ErrorBody;
use super::super::{Decoder, Frame};
use super::MAX_TOOL_CALLS;
use super::mold::Mold;
use crate::models::handoff::fnv;
use crate::models::{Delta, Fault, StopReason, fault, json};

/// Bytes that are kept until they can be passed on: arguments of a call without a name, reasoning details.
const MAX_KEPT: usize = 16 << 20;
/// Bytes of an error that are worth reading.
const MAX_ERROR: usize = 1 << 20;
const MAX_WARNINGS: u32 = 10;

/// The decoder of this wire.
#[expect(clippy::struct_excessive_bools, reason = "each remembers another thing that happened")]
pub(super) struct Stream {
    /// Whether the server tells why an answer ended.
    has_finish_reason: bool,
    next_block: u32,
    text: Option<u32>,
    thinking: Option<Thinking>,
    calls: Vec<Call>,
    /// Hash of the provider's id, to make ids of tool calls from.
    seed: u64,
    told_id: bool,
    told_model: bool,
    refused: bool,
    /// Anything at all was said.
    spoke: bool,
    stopped: bool,
    done: bool,
    kept: usize,
    warnings: u32,
    mold: Mold,
}

/// The one thinking block of an answer.
#[derive(Default)]
struct Thinking {
    block: u32,
    /// The field that it came in.
    field: Option<&'static str>,
    details: Vec<Detail>,
}

/// One structured piece of thinking; streamed pieces of one kind are joined.
struct Detail {
    kind: String,
    fields: Map<String, Value>,
    /// What has been joined: `text` or `summary`.
    text: String,
}

struct Call {
    index: Option<u64>,
    /// As the provider said it first.
    id: String,
    block: u32,
    /// Whether it was passed on. Before its name is known it is not.
    told: bool,
    /// Arguments that came before the name.
    early: String,
    signature: Option<String>,
    shape: Shape,
}

/// How far the JSON of a call's arguments has come, without keeping it.
#[derive(Default)]
struct Shape {
    depth: u32,
    in_string: bool,
    escaped: bool,
    complete: bool,
}

impl Decoder for Stream {
    fn push(&mut self, frame: &Frame, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let data = frame.data.trim_ascii();
        if self.done || data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            self.done = true;
            return self.end(out);
        }
        if frame.event == "error" {
            return self.fail(data);
        }
        if let Some(block) = self.text
            && !self.stopped
            && let Some(text) = self.mold.text(data)
        {
            out.push(Delta::Text { block, text: text.to_owned() });
            return Ok(());
        }
        match serde_json::from_str::<Option<Chunk<'_>>>(data) {
            Ok(chunk) => {
                let before = out.len();
                self.take(chunk.as_ref(), data, out)?;
                if let Some(chunk) = &chunk
                    && let Some([Delta::Text { .. }]) = out.get(before..)
                {
                    self.learn(chunk, data);
                }
                Ok(())
            }
            Err(_) => self.take_damaged(data, out),
        }
    }

    fn finish(&mut self, out: &mut Vec<Delta>) -> Result<(), Fault> {
        if self.done || self.stopped {
            self.done = true;
            return Ok(());
        }
        if !self.has_finish_reason && self.spoke {
            return self.end(out);
        }
        Err(fault::ended_early())
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

impl Stream {
    pub(super) fn new(has_finish_reason: bool) -> Self {
        Self {
            has_finish_reason,
            next_block: 0,
            text: None,
            thinking: None,
            calls: Vec::new(),
            seed: 0,
            told_id: false,
            told_model: false,
            refused: false,
            spoke: false,
            stopped: false,
            done: false,
            kept: 0,
            warnings: 0,
            mold: Mold::default(),
        }
    }

    /// Remembers the form of an event of which nothing came but a text, so that the next like it need not be
    /// parsed. What is kept silently, such as pieces of calls, must not be in it.
    fn learn(&mut self, chunk: &Chunk<'_>, data: &str) {
        let piece = chunk.choices.0.as_ref().and_then(|choice| choice.delta.as_ref());
        if let Some(piece) = piece
            && let Cow::Borrowed(text) = piece.content.0
            && piece.refusal.0.is_empty()
            && piece.reasoning_details.is_none()
            && piece.tool_calls.0.is_empty()
        {
            self.mold.learn(data, text);
        }
    }

    /// An event that is no valid JSON: perhaps it can be repaired, perhaps it is several, else it is skipped.
    fn take_damaged(&mut self, data: &str, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let repaired = json::repair(data);
        if let Ok(chunk) = serde_json::from_str::<Option<Chunk<'_>>>(&repaired) {
            return self.take(chunk.as_ref(), &repaired, out);
        }
        // Some servers forget the blank lines between events.
        if data.contains('\n') {
            for line in data.lines() {
                let frame = Frame { event: String::new(), data: line.to_owned() };
                self.push(&frame, out)?;
            }
            return Ok(());
        }
        self.warn(out, "an event of the provider's answer is not valid JSON and was skipped");
        Ok(())
    }

    fn take(&mut self, chunk: Option<&Chunk<'_>>, data: &str, out: &mut Vec<Delta>) -> Result<(), Fault> {
        // Some servers send null as a sign of life.
        let Some(chunk) = chunk else { return Ok(()) };
        let choice = chunk.choices.0.as_ref();
        let in_choice = choice.and_then(|choice| choice.error);
        if is_error(chunk.error) || (chunk.object.0 == "error" && choice.is_none()) {
            return self.fail(data);
        }
        if let Some(error) = in_choice.filter(|error| is_error(Some(error))) {
            return self.fail(error.get());
        }
        self.identify(&chunk.id.0, &chunk.model.0, out);
        let usage = chunk.usage().map(Delta::Usage);
        if let Some(choice) = choice {
            self.choose(choice, out)?;
        }
        out.extend(usage);
        Ok(())
    }

    fn identify(&mut self, id: &str, model: &str, out: &mut Vec<Delta>) {
        let id = (!self.told_id && !id.is_empty()).then(|| id.to_owned());
        let model = (!self.told_model && !model.is_empty()).then(|| model.to_owned());
        if let Some(id) = &id {
            self.told_id = true;
            self.seed = fnv(id.as_bytes());
        }
        self.told_model |= model.is_some();
        if !self.stopped && (id.is_some() || model.is_some()) {
            out.push(Delta::Response { id, model });
        }
    }

    fn choose(&mut self, choice: &Choice<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let finish = &*choice.finish_reason.0;
        if self.stopped {
            // The reason is often repeated. Anything else would come too late.
            return Ok(());
        }
        match (&choice.delta, choice.message) {
            (Some(piece), _) => self.piece(piece, out)?,
            (None, Some(message)) => {
                if let Ok(piece) = Piece::deserialize(message) {
                    self.piece(&piece, out)?;
                }
            }
            (None, None) => {}
        }
        if finish.is_empty() { Ok(()) } else { self.stop(Some(finish), out) }
    }

    fn piece(&mut self, piece: &Piece<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        self.think(piece, out)?;
        for text in [&piece.content.0, &piece.refusal.0] {
            if !text.is_empty() {
                self.spoke = true;
                let block = match self.text {
                    Some(block) => block,
                    None => self.new_block(),
                };
                self.text = Some(block);
                out.push(Delta::Text { block, text: text.to_string() });
            }
        }
        self.refused |= !piece.refusal.0.is_empty();
        for call in &piece.tool_calls.0 {
            self.call(call, out)?;
        }
        Ok(())
    }

    fn new_block(&mut self) -> u32 {
        let block = self.next_block;
        self.next_block += 1;
        block
    }

    fn think(&mut self, piece: &Piece<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        // Some servers send two copies: the first that says something counts.
        let said = [
            ("reasoning_content", &piece.reasoning_content.0),
            ("reasoning", &piece.reasoning.0),
            ("reasoning_text", &piece.reasoning_text.0),
        ];
        let said = said.into_iter().find(|(_, text)| !text.is_empty());
        let details = piece.reasoning_details.filter(|raw| raw.get().len() > 2 && raw.get().starts_with('['));
        if said.is_none() && details.is_none() {
            return Ok(());
        }
        self.spoke = true;
        let mut thinking = match self.thinking.take() {
            Some(thinking) => thinking,
            None => Thinking { block: self.new_block(), ..Thinking::default() },
        };
        let mut joined = String::new();
        if let Some(details) = details {
            self.keep(details.get().len())?;
            thinking.add(details, &mut joined);
        }
        match said {
            Some((field, text)) => {
                thinking.field.get_or_insert(field);
                out.push(Delta::Thinking { block: thinking.block, text: text.to_string() });
            }
            // Some say it only in the structured form.
            None if !joined.is_empty() => {
                out.push(Delta::Thinking { block: thinking.block, text: joined });
            }
            None => {}
        }
        self.thinking = Some(thinking);
        Ok(())
    }

    fn call(&mut self, piece: &ToolCall<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let id = &*piece.id.0;
        let name = piece.function.as_ref().map_or("", |function| &*function.name.0);
        let text = piece.function.as_ref().map(super::chunk::Function::arguments).unwrap_or_default();
        if id.is_empty() && name.is_empty() && text.is_empty() && piece.extra_content.is_none() {
            return Ok(());
        }
        self.spoke = true;
        let at = if let Some(at) = self.find_call(piece.index.0, id, name, &text) {
            at
        } else {
                if self.calls.len() >= MAX_TOOL_CALLS {
                    return Err(fault::answer_too_large("tool calls", MAX_TOOL_CALLS));
                }
                let block = self.new_block();
                self.calls.push(Call {
                    index: piece.index.0,
                    id: id.to_owned(),
                    block,
                    told: false,
                    early: String::new(),
                    signature: None,
                    shape: Shape::default(),
                });
                self.calls.len() - 1
        };
        let seed = self.seed;
        let Some(call) = self.calls.get_mut(at) else { return Ok(()) };
        if call.id.is_empty() {
            id.clone_into(&mut call.id);
        }
        if let Some(extra) = piece.extra_content.filter(|extra| extra.get().starts_with('{')) {
            call.signature = Some(extra.get().to_owned());
        }
        call.shape.feed(&text);
        if call.told {
            if !text.is_empty() {
                out.push(Delta::Arguments { block: call.block, text: text.into_owned() });
            }
        } else if name.is_empty() {
            call.early.push_str(&text);
            self.keep(text.len())?;
        } else {
            call.tell(name, &text, seed, out);
        }
        Ok(())
    }

    /// The call that a piece continues. By index first, as gateways change ids on the way; then by id; a piece
    /// with neither continues the last call.
    fn find_call(&self, index: Option<u64>, id: &str, name: &str, text: &str) -> Option<usize> {
        let by_index = index.and_then(|index| self.calls.iter().rposition(|call| call.index == Some(index)));
        if let Some(at) = by_index {
            let call = self.calls.get(at)?;
            // Some servers give every call the index 0: then a complete call is followed by another's start.
            let is_other = !id.is_empty()
                && id != call.id
                && !name.is_empty()
                && call.shape.complete
                && text.trim_start().starts_with('{');
            return (!is_other).then_some(at);
        }
        if !id.is_empty() {
            let by_id = self.calls.iter().rposition(|call| call.id == id);
            // An index that is new is a new call, unless the same call came without one before.
            return by_id.filter(|at| {
                index.is_none() || self.calls.get(*at).is_some_and(|call| call.index.is_none())
            });
        }
        if index.is_some() {
            return None;
        }
        let last = self.calls.len().checked_sub(1)?;
        let starts_anew = !name.is_empty() && self.calls.get(last).is_some_and(|call| call.told);
        (!starts_anew).then_some(last)
    }

    fn keep(&mut self, bytes: usize) -> Result<(), Fault> {
        self.kept += bytes;
        if self.kept > MAX_KEPT {
            return Err(fault::answer_too_large("bytes that cannot be shown", MAX_KEPT));
        }
        Ok(())
    }

    /// The answer ends without a word why.
    fn end(&mut self, out: &mut Vec<Delta>) -> Result<(), Fault> {
        if self.stopped { Ok(()) } else { self.stop(None, out) }
    }

    fn stop(&mut self, raw: Option<&str>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        // The two words that mean that the answer broke off.
        if let Some(word @ ("error" | "network_error")) = raw {
            return Err(fault::broken_off(None, word, ""));
        }
        self.stopped = true;
        if let Some(thinking) = self.thinking.take() {
            let block = thinking.block;
            out.extend(thinking.signature().map(|signature| Delta::Signature { block, signature }));
        }
        for call in &mut self.calls {
            if !call.told {
                call.tell("", "", self.seed, out);
            }
            let block = call.block;
            out.extend(call.signature.take().map(|signature| Delta::Signature { block, signature }));
        }
        let natural = if !self.calls.is_empty() {
            StopReason::ToolUse
        } else if self.refused {
            StopReason::Refusal
        } else {
            StopReason::EndTurn
        };
        let reason = match raw {
            Some("length" | "max_tokens" | "model_length") => StopReason::MaxTokens,
            Some("content_filter" | "refusal") => StopReason::Refusal,
            // `stop` is also said of answers with calls, and a word that is not known here fails nothing.
            _ => natural,
        };
        let raw = raw.map(|raw| raw.get(..raw.floor_char_boundary(100)).unwrap_or(raw).to_owned());
        out.push(Delta::Stop { reason, raw });
        Ok(())
    }

    /// The server says that something went wrong. That does not touch an answer that is complete.
    fn fail(&self, data: &str) -> Result<(), Fault> {
        if self.stopped {
            return Ok(());
        }
        let error = if data.len() > MAX_ERROR { None } else { ErrorBody::of(data) };
        Err(match error {
            Some(error) => fault::broken_off(error.status, &error.code, &error.text),
            None => fault::broken_off(None, "", data),
        })
    }

    fn warn(&mut self, out: &mut Vec<Delta>, text: &str) {
        self.warnings += 1;
        if !self.stopped && self.warnings <= MAX_WARNINGS {
            out.push(Delta::Warning(text.to_owned()));
        }
    }
}

impl Call {
    fn tell(&mut self, name: &str, text: &str, seed: u64, out: &mut Vec<Delta>) {
        self.told = true;
        let mut id = std::mem::take(&mut self.id);
        if id.is_empty() {
            // Unlike any other in the conversation, and the same when the answer is decoded again.
            let _ = write!(id, "call_{seed:016x}_{}", self.block);
        }
        self.id.clone_from(&id);
        out.push(Delta::ToolCall { block: self.block, id, name: name.to_owned() });
        let mut early = std::mem::take(&mut self.early);
        early.push_str(text);
        if !early.is_empty() {
            out.push(Delta::Arguments { block: self.block, text: early });
        }
    }
}

impl Shape {
    fn feed(&mut self, text: &str) {
        for byte in text.bytes() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.complete = self.depth == 0;
                }
                _ => {}
            }
        }
    }
}

impl Thinking {
    /// Takes streamed details; `joined` gets what they say in words.
    fn add(&mut self, details: &RawValue, joined: &mut String) {
        // Most often it is one more piece of the last one.
        if let Ok([piece]) = serde_json::from_str::<[DetailPiece<'_>; 1]>(details.get())
            && let Some(last) = self.details.last_mut()
            && last.is_continued_by(&piece)
        {
            let text = if last.kind == "reasoning.text" { &piece.text.0 } else { &piece.summary.0 };
            last.text.push_str(text);
            joined.push_str(text);
            return;
        }
        let list = serde_json::from_str::<Vec<Map<String, Value>>>(details.get())
            .or_else(|_| serde_json::from_str(&json::repair(details.get())));
        for mut fields in list.unwrap_or_default() {
            let Some(Value::String(kind)) = fields.remove("type") else { continue };
            let word = word(&kind);
            let text = match word.and_then(|word| fields.remove(word)) {
                Some(Value::String(text)) => text,
                _ => String::new(),
            };
            joined.push_str(&text);
            match self.details.last_mut() {
                Some(last) if word.is_some() && last.continues(&kind, &fields) => {
                    last.text.push_str(&text);
                    // What comes later, as a signature does, is laid over what was empty.
                    for (name, value) in fields {
                        if !is_blank(&value) {
                            last.fields.insert(name, value);
                        }
                    }
                }
                _ => self.details.push(Detail { kind, fields, text }),
            }
        }
    }

    /// What has to go back with the block: the details where there are any, else the name of the field.
    fn signature(self) -> Option<String> {
        if self.details.is_empty() {
            return self.field.map(str::to_owned);
        }
        let details: Vec<Value> = self
            .details
            .into_iter()
            .map(|detail| {
                let mut fields = detail.fields;
                if let Some(word) = word(&detail.kind) {
                    fields.insert(word.to_owned(), detail.text.into());
                }
                fields.insert("type".to_owned(), detail.kind.into());
                Value::Object(fields)
            })
            .collect();
        Some(Value::Array(details).to_string())
    }
}

impl Detail {
    /// Whether `piece` has nothing to add but text.
    fn is_continued_by(&self, piece: &DetailPiece<'_>) -> bool {
        let same = |name: &str, said: &str| {
            said.is_empty() || self.fields.get(name).and_then(Value::as_str) == Some(said)
        };
        word(&self.kind).is_some()
            && self.kind == piece.r#type.0
            && piece.signature.0.is_empty()
            && self.fields.get("signature").is_none_or(is_blank)
            && self.fields.get("index").and_then(Value::as_u64) == piece.index.0
            && same("id", &piece.id.0)
            && same("format", &piece.format.0)
    }

    /// Whether a further detail is the next piece of this one: same kind and place, and not signed yet.
    fn continues(&self, kind: &str, fields: &Map<String, Value>) -> bool {
        let same = |name: &str| match (self.fields.get(name), fields.get(name)) {
            (Some(a), Some(b)) => a == b || is_blank(a) || is_blank(b),
            _ => true,
        };
        let signed = self.fields.get("signature").is_some_and(|signature| !is_blank(signature));
        self.kind == kind && !signed && same("index") && same("id") && same("format")
    }
}

/// The field of a detail that streams.
fn word(kind: &str) -> Option<&'static str> {
    match kind {
        "reasoning.text" => Some("text"),
        "reasoning.summary" => Some("summary"),
        _ => None,
    }
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// Whether the field `error` says that there is one.
fn is_error(error: Option<&RawValue>) -> bool {
    error.is_some_and(|error| !matches!(error.get(), "null" | "false" | "\"\"" | "{}" | "[]"))
}
