//! Frames of one answer in, deltas out.
//!
//! An ordinary piece of text costs one parse without copies and one string. What is odd is tolerated as long as its
//! meaning is clear; what is kept between frames is bounded.

use serde_json::value::RawValue;

use super::super::{Decoder, Frame};
use super::chunk::{Choice, Chunk, Content, Piece, ToolCall};
use super::{MAX_TOOL_CALLS, error, ids};
use crate::models::handoff::fnv;
use crate::models::{Delta, Fault, StopReason, fault, json};

/// Bytes that are kept until they can be passed on: arguments of calls without a name.
const MAX_KEPT: usize = 16 << 20;
const MAX_WARNINGS: u32 = 10;

/// The decoder of this wire.
#[derive(Default)]
pub(super) struct Stream {
    next_block: u32,
    /// The block that goes on.
    saying: Option<(Kind, u32)>,
    calls: Vec<Call>,
    /// Hash of the provider's id, to make ids of calls from.
    seed: u64,
    told: Told,
    ended: Ended,
    kept: usize,
    warnings: u32,
}

/// What was passed on about the answer itself.
#[derive(Default)]
struct Told {
    id: bool,
    model: bool,
}

/// How far the end has come.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Ended {
    #[default]
    No,
    /// Only counts may follow.
    Stopped,
    /// Nothing may.
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
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
}

impl Decoder for Stream {
    fn push(&mut self, frame: &Frame, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let data = frame.data.trim_ascii();
        if self.ended == Ended::Done || data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            if self.ended == Ended::No {
                self.stop(None, out)?;
            }
            self.ended = Ended::Done;
            return Ok(());
        }
        if frame.event == "error" {
            return self.fail(data);
        }
        match serde_json::from_str::<Option<Chunk<'_>>>(data) {
            Ok(chunk) => self.take(chunk.as_ref(), data, out),
            Err(_) => self.take_damaged(data, out),
        }
    }

    fn finish(&mut self, _out: &mut Vec<Delta>) -> Result<(), Fault> {
        if self.ended == Ended::No { Err(fault::ended_early()) } else { Ok(()) }
    }

    fn is_done(&self) -> bool {
        self.ended == Ended::Done
    }
}

impl Stream {
    /// An event that is no valid JSON: perhaps it can be repaired, perhaps it is several, else it is skipped.
    fn take_damaged(&mut self, data: &str, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let repaired = json::repair(data);
        if let Ok(chunk) = serde_json::from_str::<Option<Chunk<'_>>>(&repaired) {
            return self.take(chunk.as_ref(), &repaired, out);
        }
        if data.contains('\n') {
            for line in data.lines() {
                let frame = Frame { event: String::new(), data: line.to_owned() };
                self.push(&frame, out)?;
            }
            return Ok(());
        }
        self.warnings += 1;
        if self.ended == Ended::No && self.warnings <= MAX_WARNINGS {
            let text = "an event of the provider's answer is not valid JSON and was skipped";
            out.push(Delta::Warning(text.to_owned()));
        }
        Ok(())
    }

    fn take(&mut self, chunk: Option<&Chunk<'_>>, data: &str, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let Some(chunk) = chunk else { return Ok(()) };
        if is_error(chunk.error) || (chunk.object.0 == "error" && chunk.choices.0.is_none()) {
            return self.fail(data);
        }
        if self.ended == Ended::No {
            self.identify(&chunk.id.0, &chunk.model.0, out);
            if let Some(choice) = &chunk.choices.0 {
                self.choose(choice, out)?;
            }
        }
        out.extend(chunk.usage().map(Delta::Usage));
        Ok(())
    }

    fn identify(&mut self, id: &str, model: &str, out: &mut Vec<Delta>) {
        let id = (!self.told.id && !id.is_empty()).then(|| id.to_owned());
        let model = (!self.told.model && !model.is_empty()).then(|| model.to_owned());
        if let Some(id) = &id {
            self.told.id = true;
            self.seed = fnv(id.as_bytes());
        }
        self.told.model |= model.is_some();
        if id.is_some() || model.is_some() {
            out.push(Delta::Response { id, model });
        }
    }

    fn choose(&mut self, choice: &Choice<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        if let Some(delta) = &choice.delta {
            match &delta.content {
                Content::Nothing => {}
                Content::Text(text) => self.say(Kind::Text, text, out),
                Content::Pieces(pieces) => {
                    for piece in pieces {
                        self.piece(piece, out);
                    }
                }
            }
            for call in &delta.tool_calls.0 {
                self.call(call, out)?;
            }
        }
        let finish = &*choice.finish_reason.0;
        if finish.is_empty() { Ok(()) } else { self.stop(Some(finish), out) }
    }

    fn piece(&mut self, piece: &Piece<'_>, out: &mut Vec<Delta>) {
        match piece {
            Piece::Text(text) => self.say(Kind::Text, text, out),
            Piece::Thought { text, signature } => {
                self.say(Kind::Thinking, text, out);
                if !signature.is_empty() {
                    let block = self.block(Kind::Thinking);
                    out.push(Delta::Signature { block, signature: signature.to_string() });
                    // What is signed has ended.
                    self.saying = None;
                }
            }
        }
    }

    fn say(&mut self, kind: Kind, text: &str, out: &mut Vec<Delta>) {
        if text.is_empty() {
            return;
        }
        let block = self.block(kind);
        let text = text.to_owned();
        out.push(match kind {
            Kind::Text => Delta::Text { block, text },
            Kind::Thinking => Delta::Thinking { block, text },
        });
    }

    /// The block that goes on, or a new one where it is of another kind.
    fn block(&mut self, kind: Kind) -> u32 {
        match self.saying {
            Some((same, block)) if same == kind => block,
            _ => {
                let block = self.new_block();
                self.saying = Some((kind, block));
                block
            }
        }
    }

    fn new_block(&mut self) -> u32 {
        let block = self.next_block;
        self.next_block += 1;
        block
    }

    fn call(&mut self, piece: &ToolCall<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let id = piece.id();
        let name = piece.function.as_ref().map_or("", |function| &*function.name.0);
        let text = piece.function.as_ref().map(super::chunk::Function::arguments).unwrap_or_default();
        if id.is_empty() && name.is_empty() && text.is_empty() {
            return Ok(());
        }
        let at = match self.find_call(piece.index.0, id, name) {
            Some(at) => at,
            None => self.begin(piece.index.0, id)?,
        };
        let seed = self.seed;
        let Some(call) = self.calls.get_mut(at) else { return Ok(()) };
        if call.id.is_empty() {
            id.clone_into(&mut call.id);
        }
        if call.told {
            if !text.is_empty() {
                out.push(Delta::Arguments { block: call.block, text: text.into_owned() });
            }
        } else if name.is_empty() {
            call.early.push_str(&text);
            self.kept += text.len();
            if self.kept > MAX_KEPT {
                return Err(fault::answer_too_large("bytes that cannot be shown", MAX_KEPT));
            }
        } else {
            call.tell(name, &text, seed, out);
        }
        Ok(())
    }

    fn begin(&mut self, index: Option<u64>, id: &str) -> Result<usize, Fault> {
        if self.calls.len() >= MAX_TOOL_CALLS {
            return Err(fault::answer_too_large("tool calls", MAX_TOOL_CALLS));
        }
        // What is said after a call is another block.
        self.saying = None;
        let block = self.new_block();
        self.calls.push(Call { index, id: id.to_owned(), block, told: false, early: String::new() });
        Ok(self.calls.len() - 1)
    }

    /// The call that a piece continues. A piece with an id and a name of its own is a call of its own, although
    /// some models give all of them the index 0.
    fn find_call(&self, index: Option<u64>, id: &str, name: &str) -> Option<usize> {
        let by_id = || self.calls.iter().rposition(|call| !id.is_empty() && call.id == id);
        let at = match index {
            Some(index) => {
                let by_index = self.calls.iter().rposition(|call| call.index == Some(index));
                by_index.or_else(|| by_id().filter(|at| self.calls.get(*at).is_some_and(|call| call.index.is_none())))
            }
            None if !id.is_empty() => by_id(),
            None => self.calls.len().checked_sub(1),
        }?;
        let call = self.calls.get(at)?;
        let begins = !name.is_empty() && call.told;
        let is_other = begins && !id.is_empty() && !call.id.is_empty() && id != call.id;
        let is_again = begins && index.is_none() && id.is_empty();
        (!is_other && !is_again).then_some(at)
    }

    /// The answer ends, for the reason `raw` if there is one.
    fn stop(&mut self, raw: Option<&str>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        if raw == Some("error") {
            return Err(fault::broken_off(None, "error", ""));
        }
        if raw.is_none() && self.next_block == 0 {
            // Nothing was said, and not even an end.
            return Err(fault::ended_early());
        }
        self.ended = Ended::Stopped;
        for call in &mut self.calls {
            if !call.told {
                call.tell("", "", self.seed, out);
            }
        }
        let reason = match raw {
            Some("length" | "model_length") => StopReason::MaxTokens,
            Some("content_filter" | "refusal") => StopReason::Refusal,
            // A word that is not known here fails nothing.
            _ if !self.calls.is_empty() => StopReason::ToolUse,
            _ => StopReason::EndTurn,
        };
        let raw = raw.map(|raw| raw.get(..raw.floor_char_boundary(100)).unwrap_or(raw).to_owned());
        out.push(Delta::Stop { reason, raw });
        Ok(())
    }

    /// The server says that something went wrong. That does not touch an answer that is complete.
    fn fail(&self, data: &str) -> Result<(), Fault> {
        if self.ended == Ended::No { Err(error::broken_off(data)) } else { Ok(()) }
    }
}

impl Call {
    fn tell(&mut self, name: &str, text: &str, seed: u64, out: &mut Vec<Delta>) {
        self.told = true;
        let id = if self.id.is_empty() {
            // Unlike any other in the conversation, and the same when the answer is decoded again.
            ids::hashed(&format!("{seed:016x}:{}", self.block))
        } else {
            self.id.clone()
        };
        out.push(Delta::ToolCall { block: self.block, id, name: name.to_owned() });
        let mut early = std::mem::take(&mut self.early);
        early.push_str(text);
        if !early.is_empty() {
            out.push(Delta::Arguments { block: self.block, text: early });
        }
    }
}

/// Whether the field `error` says that there is one.
fn is_error(error: Option<&RawValue>) -> bool {
    error.is_some_and(|error| !matches!(error.get(), "null" | "false" | "\"\"" | "{}" | "[]"))
}
