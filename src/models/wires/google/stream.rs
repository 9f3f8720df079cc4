//! Frames of one answer in, deltas out.
//!
//! An ordinary piece of text costs one parse without copies and one string. The end is told when the body ends: the
//! reason for it may come more than once, with text behind it. What is kept between frames is bounded.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::super::{Decoder, Frame};
use super::arguments::Arguments;
use super::chunk::{Candidate, Chunk, FunctionCall, Part};
use super::signature::Parts;
use super::{MAX_TOOL_CALLS, error};
use crate::models::fault::clean;
use crate::models::handoff::fnv;
use crate::models::{Delta, Fault, StopReason, Usage, fault, json};

const MAX_WARNINGS: u32 = 10;

/// The decoder of Google's wires.
#[derive(Default)]
pub(super) struct Stream {
    next_block: u32,
    saying: Option<Saying>,
    /// Calls whose arguments are still coming.
    open: Vec<OpenCall>,
    /// Ids of all calls.
    ids: BTreeSet<String>,
    /// Hash of the provider's id, to make ids of calls from.
    seed: u64,
    told_id: bool,
    told_model: bool,
    usage: Option<Usage>,
    reason: Option<Reason>,
    stopped: bool,
    warnings: u32,
}

/// Why the answer ended.
struct Reason {
    /// The provider's own word.
    word: String,
    /// Its explanation, if any.
    message: String,
    /// Whether nothing was answered because of what was asked.
    is_about_prompt: bool,
}

/// The block of text or thought that goes on.
struct Saying {
    kind: Kind,
    block: u32,
    parts: Parts,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
}

struct OpenCall {
    id: String,
    name: String,
    block: u32,
    arguments: Arguments,
}

impl Decoder for Stream {
    fn push(&mut self, frame: &Frame, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let data = frame.data.trim_ascii();
        if self.stopped || data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            // Gateways say it.
            return self.end(out);
        }
        if frame.event == "error" {
            return Err(error::broken_off(data));
        }
        match serde_json::from_str::<Option<Chunk<'_>>>(data) {
            Ok(chunk) => self.take(chunk.as_ref(), data, out),
            Err(_) => self.take_damaged(data, out),
        }
    }

    fn finish(&mut self, out: &mut Vec<Delta>) -> Result<(), Fault> {
        if self.stopped { Ok(()) } else { self.end(out) }
    }

    fn is_whole(&self) -> bool {
        self.stopped || self.reason.is_some()
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
        self.warn(out, "an event of the provider's answer is not valid JSON and was skipped");
        Ok(())
    }

    fn take(&mut self, chunk: Option<&Chunk<'_>>, data: &str, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let Some(chunk) = chunk else { return Ok(()) };
        if is_error(chunk.error) {
            // That does not touch an answer that is complete.
            return if self.reason.is_some() { self.end(out) } else { Err(error::broken_off(data)) };
        }
        self.identify(&chunk.response_id.0, &chunk.model_version.0, out);
        if let Some(candidate) = &chunk.candidates.0 {
            self.choose(candidate, out)?;
        } else if let Some((reason, message)) = chunk.blocked()
            && self.next_block == 0
        {
            self.reason =
                Some(Reason { word: short(&reason), message: message.into_owned(), is_about_prompt: true });
        }
        if let Some(usage) = chunk.usage().filter(|usage| self.usage != Some(*usage)) {
            self.usage = Some(usage);
            out.push(Delta::Usage(usage));
        }
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
        if id.is_some() || model.is_some() {
            out.push(Delta::Response { id, model });
        }
    }

    fn choose(&mut self, candidate: &Candidate<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        for part in candidate.content.iter().flat_map(|content| &content.parts.0) {
            // After the provider's own tools an answer goes on although it had a reason to end.
            self.reason = None;
            self.part(part, out)?;
        }
        let reason = &*candidate.finish_reason.0;
        if !reason.is_empty() {
            if is_failure(reason) {
                return Err(fault::broken_off(None, reason, &candidate.finish_message.0));
            }
            let message = candidate.finish_message.0.clone().into_owned();
            self.reason = Some(Reason { word: short(reason), message, is_about_prompt: false });
        }
        Ok(())
    }

    fn part(&mut self, part: &Part<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let signature = Some(&*part.thought_signature.0).filter(|signature| !signature.is_empty());
        if let Some(call) = part.function_call {
            self.hush(out);
            return self.call(call, signature, out);
        }
        if part.is_other() {
            self.hush(out);
            return Ok(());
        }
        let text = part.text.as_ref().map_or("", |text| &*text.0);
        let kind = if part.thought.0 { Kind::Thinking } else { Kind::Text };
        if self.saying.as_ref().is_some_and(|saying| saying.kind != kind) {
            self.hush(out);
        }
        let is_new = self.saying.is_none();
        let mut saying = match self.saying.take() {
            Some(saying) => saying,
            None => Saying { kind, block: self.new_block(), parts: Parts::default() },
        };
        saying.parts.add(text.len(), signature)?;
        let block = saying.block;
        // Even an empty text begins its block, which a signature alone would make a thought.
        if is_new || !text.is_empty() {
            let text = text.to_owned();
            out.push(match kind {
                Kind::Text => Delta::Text { block, text },
                Kind::Thinking => Delta::Thinking { block, text },
            });
        }
        self.saying = Some(saying);
        Ok(())
    }

    /// Ends the block of text or thought.
    fn hush(&mut self, out: &mut Vec<Delta>) {
        if let Some(saying) = self.saying.take() {
            let block = saying.block;
            out.extend(saying.parts.signature().map(|signature| Delta::Signature { block, signature }));
        }
    }

    fn new_block(&mut self) -> u32 {
        let block = self.next_block;
        self.next_block += 1;
        block
    }

    fn call(&mut self, raw: &RawValue, signature: Option<&str>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let Ok(piece) = serde_json::from_str::<FunctionCall<'_>>(raw.get()) else {
            return Err(fault::protocol("a tool call has an odd form"));
        };
        let at = match self.find_open(&piece) {
            Some(at) => at,
            // The end of a call that never began.
            None if piece.name.0.is_empty() => return Ok(()),
            None => {
                let Some(at) = self.begin(&piece, signature, out)? else { return Ok(()) };
                at
            }
        };
        let Some(call) = self.open.get_mut(at) else { return Ok(()) };
        let block = call.block;
        let mut text = String::new();
        for argument in piece.partial_args.iter().flatten() {
            call.arguments.add(argument, &mut text)?;
        }
        if !piece.will_continue.0 {
            self.open.remove(at).arguments.end(&mut text);
        }
        if !text.is_empty() {
            out.push(Delta::Arguments { block, text });
        }
        Ok(())
    }

    /// The open call that a piece continues: the one with its id; else, without a name of its own or with the same,
    /// the newest.
    fn find_open(&self, piece: &FunctionCall<'_>) -> Option<usize> {
        let (id, name) = (&*piece.id.0, &*piece.name.0);
        let newest = self.open.len().checked_sub(1)?;
        if !id.is_empty() {
            let by_id = self.open.iter().rposition(|call| call.id == id);
            return by_id.or_else(|| name.is_empty().then_some(newest));
        }
        let call = self.open.get(newest)?;
        (name.is_empty() || (call.name == name && piece.args.is_none())).then_some(newest)
    }

    /// Tells of a new call. Where more of it is to come, says where it stands in `open`.
    fn begin(
        &mut self,
        piece: &FunctionCall<'_>,
        signature: Option<&str>,
        out: &mut Vec<Delta>,
    ) -> Result<Option<usize>, Fault> {
        if self.ids.len() >= MAX_TOOL_CALLS {
            return Err(fault::answer_too_large("tool calls", MAX_TOOL_CALLS));
        }
        let block = self.new_block();
        let mut id = piece.id.0.clone().into_owned();
        if id.is_empty() || self.ids.contains(&id) {
            id.clear();
            // Unlike any other in the conversation, and the same when the answer is decoded again.
            let _ = write!(id, "call_{:016x}_{block}", self.seed);
        }
        self.ids.insert(id.clone());
        let name = piece.name.0.clone().into_owned();
        out.push(Delta::ToolCall { block, id: id.clone(), name: name.clone() });
        if let Some(signature) = signature {
            out.push(Delta::Signature { block, signature: signature.to_owned() });
        }
        let whole = piece.args.filter(|args| args.get().starts_with('{'));
        if !piece.will_continue.0 && piece.partial_args.as_ref().is_none_or(Vec::is_empty) {
            let text = whole.map_or("{}", RawValue::get).to_owned();
            out.push(Delta::Arguments { block, text });
            return Ok(None);
        }
        let mut text = String::new();
        let arguments = Arguments::new(whole, &mut text);
        out.push(Delta::Arguments { block, text });
        self.open.push(OpenCall { id, name, block, arguments });
        Ok(Some(self.open.len() - 1))
    }

    /// The answer is over.
    fn end(&mut self, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let Some(Reason { word, message, is_about_prompt }) = self.reason.take() else {
            return Err(fault::ended_early());
        };
        self.stopped = true;
        self.hush(out);
        for call in self.open.drain(..) {
            let mut text = String::new();
            call.arguments.end(&mut text);
            out.push(Delta::Arguments { block: call.block, text });
        }
        let reason = match word.as_str() {
            // Calls beside it may be cut off.
            "MAX_TOKENS" | "CONTINUATION" => StopReason::MaxTokens,
            word if is_about_prompt || is_refusal(word) => StopReason::Refusal,
            // A word that is not known here fails nothing.
            _ if !self.ids.is_empty() => StopReason::ToolUse,
            _ => StopReason::EndTurn,
        };
        let message = clean(&message);
        if reason == StopReason::Refusal && !message.is_empty() {
            out.push(Delta::Warning(format!("the provider did not go on: {message}")));
        }
        out.push(Delta::Stop { reason, raw: Some(word) });
        Ok(())
    }

    fn warn(&mut self, out: &mut Vec<Delta>, text: &str) {
        self.warnings += 1;
        if self.warnings <= MAX_WARNINGS {
            out.push(Delta::Warning(text.to_owned()));
        }
    }
}

/// Words that mean that the provider or one of its filters declined.
fn is_refusal(word: &str) -> bool {
    matches!(
        word,
        "SAFETY"
            | "RECITATION"
            | "LANGUAGE"
            | "BLOCKLIST"
            | "PROHIBITED_CONTENT"
            | "SPII"
            | "MODEL_ARMOR"
            | "IMAGE_SAFETY"
            | "IMAGE_PROHIBITED_CONTENT"
            | "IMAGE_RECITATION"
    )
}

/// Words that mean that the model failed: another try may succeed.
fn is_failure(word: &str) -> bool {
    matches!(
        word,
        "OTHER"
            | "MALFORMED_FUNCTION_CALL"
            | "MALFORMED_RESPONSE"
            | "UNEXPECTED_TOOL_CALL"
            | "TOO_MANY_TOOL_CALLS"
            | "MISSING_THOUGHT_SIGNATURE"
            | "IMAGE_OTHER"
            | "NO_IMAGE"
    )
}

fn short(word: &str) -> String {
    word.get(..word.floor_char_boundary(100)).unwrap_or(word).to_owned()
}

/// Whether the field `error` says that there is one.
fn is_error(error: Option<&RawValue>) -> bool {
    error.is_some_and(|error| !matches!(error.get(), "null" | "false" | "\"\"" | "{}" | "[]"))
}
