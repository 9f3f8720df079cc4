//! Frames of one answer in, deltas out.
//!
//! An ordinary piece of text costs one parse without copies and one string. What is odd is tolerated as long
//! as its meaning is clear; what is kept between frames is bounded.

use std::borrow::Cow;
use std::mem::take;

use super::event::{self, Block, Counts, Event, Message, Piece};
use super::identity;
use super::prices::Prices;
use crate::models::fault::Again;
use crate::models::fault::clean;
use crate::models::handoff::fnv;
use crate::models::wires::error_body::ErrorBody;
use crate::models::wires::{Decoder, Frame};
use crate::models::{Delta, Fault, StopReason, Usage, fault, json};

/// Blocks that one answer may have.
pub(super) const MAX_BLOCKS: usize = 2000;
/// Bytes that are kept until they can be passed on: signatures, and arguments that came at once.
const MAX_KEPT: usize = 16 << 20;
/// Bytes of an error that are worth reading.
const MAX_ERROR: usize = 1 << 20;
const MAX_WARNINGS: u32 = 10;

/// Events that are read, and so must be whole.
const KNOWN: [&str; 7] = [
    "content_block_delta",
    "content_block_start",
    "content_block_stop",
    "message_start",
    "message_delta",
    "message_stop",
    "error",
];

/// The decoder of this wire.
pub(super) struct Stream {
    /// Our names of the tools, where they were sent under others.
    tools: Vec<String>,
    prices: Prices,
    next_block: u32,
    /// Blocks that may go on, by the server's number.
    open: Vec<Open>,
    /// Ids of the tool calls so far.
    calls: Vec<String>,
    /// The message's id, once there is a message.
    message: Option<String>,
    /// What was said that cannot be taken back.
    said: Said,
    /// Thinking that was signed.
    signed: Vec<u32>,
    usage: Usage,
    /// Tokens written to a cache that keeps them for an hour.
    long_writes: u64,
    /// The reason that a message had from its start.
    early_stop: String,
    end: End,
    kept: usize,
    warnings: u32,
}

/// A block that goes on.
struct Open {
    index: u64,
    block: u32,
    kind: Kind,
}

enum Kind {
    Text,
    /// With its signature so far.
    Thinking(String),
    /// With the arguments that came at its start, which hold where none follow.
    Call(Option<String>),
    /// Something that is not for us.
    Silent,
}

/// How much has been passed on. Later ones include earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Nothing,
    Words,
    /// A call, or thinking that cannot be read: what must not be there twice.
    Deeds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    NotYet,
    /// The reason is known; counts may follow.
    Stopped,
    Done,
}

impl Decoder for Stream {
    fn push(&mut self, frame: &Frame, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let data = frame.data.trim_ascii();
        if self.end == End::Done || data.is_empty() {
            return Ok(());
        }
        if frame.event == "error" {
            return self.fail(data);
        }
        // The ends and signs of life of other APIs, which gateways let through.
        if !data.starts_with('{') {
            return Ok(());
        }
        match serde_json::from_str::<Event<'_>>(data) {
            Ok(mut event) => self.take(&mut event, &frame.event, data, out),
            Err(_) => self.take_damaged(frame, data, out),
        }
    }

    fn finish(&mut self, _out: &mut Vec<Delta>) -> Result<(), Fault> {
        // Where the reason came, all came: what would follow says nothing more.
        match self.end {
            End::NotYet => Err(fault::ended_early()),
            End::Stopped | End::Done => {
                self.end = End::Done;
                Ok(())
            }
        }
    }

    fn is_done(&self) -> bool {
        self.end == End::Done
    }
}

impl Stream {
    pub(super) fn new(tools: Vec<String>, prices: Prices) -> Self {
        Self {
            tools,
            prices,
            next_block: 0,
            open: Vec::new(),
            calls: Vec::new(),
            message: None,
            said: Said::Nothing,
            signed: Vec::new(),
            usage: Usage::default(),
            long_writes: 0,
            early_stop: String::new(),
            end: End::NotYet,
            kept: 0,
            warnings: 0,
        }
    }

    /// An event that is no valid JSON: perhaps it can be repaired, perhaps it is several. To skip it would leave
    /// a hole in a text or in the arguments of a call.
    fn take_damaged(&mut self, frame: &Frame, data: &str, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let repaired = json::repair(data);
        if let Ok(mut event) = serde_json::from_str::<Event<'_>>(&repaired) {
            return self.take(&mut event, &frame.event, &repaired, out);
        }
        // An event that is not known may have any shape.
        if event::kind(&repaired).is_some_and(|kind| !KNOWN.contains(&&*kind)) {
            return Ok(());
        }
        // Some servers forget the blank lines between events.
        if data.contains('\n') {
            for line in data.lines() {
                let frame = Frame { event: frame.event.clone(), data: line.to_owned() };
                self.push(&frame, out)?;
            }
            return Ok(());
        }
        if self.end >= End::Stopped {
            return Ok(());
        }
        if !self.open.iter().any(|open| matches!(open.kind, Kind::Call(_))) {
            self.warn(out, "an event of the provider's answer is not valid JSON and was skipped");
            return Ok(());
        }
        // A piece may be missing of what is to be done: it is not guessed.
        let start: String = data.chars().take(200).collect();
        Err(fault::protocol(&format!("an event is not valid JSON: {start}")).again(Again::Once))
    }

    fn take(&mut self, event: &mut Event<'_>, name: &str, data: &str, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let kind = if event.r#type.0.is_empty() { name } else { &*event.r#type.0 };
        match kind {
            "content_block_delta" => match &mut event.delta {
                Some(piece) if self.end == End::NotYet => self.piece(event.index.0, piece, out),
                _ => Ok(()),
            },
            "content_block_start" => match event.block() {
                Some(block) if self.end == End::NotYet => self.begin(event.index.0, &block, out),
                _ => Ok(()),
            },
            "content_block_stop" => {
                let open = self.find(event.index.0).map(|at| self.open.swap_remove(at));
                if let Some(open) = open {
                    self.close(open, out);
                }
                Ok(())
            }
            "message_start" => match event.message() {
                Some(message) if self.end == End::NotYet => self.start(&message, out),
                _ => Ok(()),
            },
            "message_delta" => {
                if let Some(counts) = event.counts() {
                    self.count(counts, out);
                }
                if let Some(piece) = &event.delta
                    && !piece.stop_reason.0.is_empty()
                {
                    self.stop(Some(&piece.stop_reason.0), &piece.explanation(), out)?;
                }
                Ok(())
            }
            "message_stop" => {
                let early = take(&mut self.early_stop);
                self.stop(Some(&*early).filter(|reason| !reason.is_empty()), "", out)?;
                self.end = End::Done;
                Ok(())
            }
            "ping" => {
                if self.end == End::NotYet {
                    out.push(Delta::Alive);
                }
                Ok(())
            }
            "error" => self.fail(data),
            _ if event.has_error() => self.fail(data),
            // Events that are not known may come at any time.
            _ => Ok(()),
        }
    }

    fn start(&mut self, message: &Message<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let id = &*message.id.0;
        let is_repeated = self.message.as_deref() == Some(id);
        if self.message.is_some() && !is_repeated {
            self.start_anew(out)?;
        }
        if !is_repeated {
            self.message = Some(id.to_owned());
            let told = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let (id, model) = (told(id), told(&message.model.0));
            if id.is_some() || model.is_some() {
                out.push(Delta::Response { id, model });
            }
        }
        if let Some(counts) = message.counts() {
            self.count(counts, out);
        }
        if is_repeated {
            return Ok(());
        }
        for (index, block) in (0..).zip(&message.content.0) {
            self.begin(Some(index), block, out)?;
            if let Some(at) = self.find(Some(index)) {
                let open = self.open.swap_remove(at);
                self.close(open, out);
            }
        }
        self.early_stop = message.stop_reason.0.to_string();
        Ok(())
    }

    /// Another message begins before this one has ended: a gateway that tries again, or mixes answers up. Words
    /// may stand twice, but not what is acted upon.
    fn start_anew(&mut self, out: &mut Vec<Delta>) -> Result<(), Fault> {
        if self.said == Said::Deeds {
            return Err(fault::protocol("another answer began within it").again(Again::Once));
        }
        if self.said == Said::Words {
            self.warn(out, "the provider began its answer anew");
        }
        self.close_all(out);
        self.usage = Usage::default();
        self.long_writes = 0;
        self.early_stop.clear();
        Ok(())
    }

    fn find(&self, index: Option<u64>) -> Option<usize> {
        match index {
            Some(index) => self.open.iter().rposition(|open| open.index == index),
            None => self.open.len().checked_sub(1),
        }
    }

    fn begin(&mut self, index: Option<u64>, block: &Block<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let index = index.unwrap_or_else(|| u64::from(self.next_block));
        match &*block.r#type.0 {
            "text" => {
                let number = self.open(index, Kind::Text, out)?;
                self.words(Cow::Borrowed(&block.text.0), |text| Delta::Text { block: number, text }, out);
            }
            "thinking" => {
                let signature = &*block.signature.0;
                self.keep(signature.len())?;
                let number = self.open(index, Kind::Thinking(signature.to_owned()), out)?;
                self.words(Cow::Borrowed(&block.thinking.0), |text| Delta::Thinking { block: number, text }, out);
            }
            "redacted_thinking" => {
                let number = self.open(index, Kind::Silent, out)?;
                if !block.data.0.is_empty() {
                    self.said = Said::Deeds;
                    out.push(Delta::RedactedThinking { block: number, data: block.data.0.to_string() });
                }
            }
            "tool_use" => self.call(index, block, out)?,
            "fallback" => self.fall_back(block, out)?,
            other => {
                let is_known = other.ends_with("_tool_result")
                    || matches!(
                        other,
                        "server_tool_use"
                            | "mcp_tool_use"
                            | "mcp_tool_listing"
                            | "container_upload"
                            | "compaction"
                            | "tool_addition"
                            | "tool_removal"
                    );
                if !is_known {
                    let name: String = clean(other).chars().take(60).collect();
                    self.warn(out, &format!("a part of the answer is not shown, because it is a {name:?}"));
                }
                self.open(index, Kind::Silent, out)?;
            }
        }
        Ok(())
    }

    /// A block that takes the place of one with the same number of the server's.
    fn open(&mut self, index: u64, kind: Kind, out: &mut Vec<Delta>) -> Result<u32, Fault> {
        if let Some(at) = self.find(Some(index)) {
            let open = self.open.swap_remove(at);
            self.close(open, out);
        }
        let block = self.next_block;
        if usize::try_from(block).is_ok_and(|block| block >= MAX_BLOCKS) {
            return Err(fault::answer_too_large("parts", MAX_BLOCKS));
        }
        self.next_block += 1;
        self.open.push(Open { index, block, kind });
        Ok(block)
    }

    fn call(&mut self, index: u64, block: &Block<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let input = block.input().map(str::to_owned);
        self.keep(input.as_ref().map_or(0, String::len))?;
        let number = self.open(index, Kind::Call(input), out)?;
        let mut id = block.id.0.to_string();
        if id.is_empty() || self.calls.contains(&id) {
            // Unlike any other in the conversation, and the same when the answer is decoded again.
            let seed = fnv(self.message.as_deref().unwrap_or_default().as_bytes());
            id = format!("toolu_{seed:016x}_{number}");
        }
        self.calls.push(id.clone());
        self.said = Said::Deeds;
        let name = identity::ours(&block.name.0, &self.tools).to_owned();
        out.push(Delta::ToolCall { block: number, id, name });
        Ok(())
    }

    /// The model declined, and another one goes on. What was thought before cannot be sent back as it was.
    fn fall_back(&mut self, block: &Block<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let model = block.to_model().map(|model| model.0.into_owned());
        if self.said == Said::Deeds {
            return Err(fault::protocol("the model declined midway, after calls that must not be made").again(Again::Once));
        }
        self.close_all(out);
        // An empty signature is none: the thinking goes back as plain text.
        out.extend(self.signed.drain(..).map(|block| Delta::Signature { block, signature: String::new() }));
        if let Some(model) = model {
            let shown = clean(&model);
            self.warn(out, &format!("the model declined, and {shown} goes on"));
            self.prices.hand_over(&model);
            out.push(Delta::Response { id: None, model: Some(model) });
        }
        Ok(())
    }

    fn piece(&mut self, index: Option<u64>, piece: &mut Piece<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let found = self.find(index);
        let open = found.and_then(|at| self.open.get_mut(at));
        match (&*piece.r#type.0, open) {
            ("text_delta", Some(Open { block, kind: Kind::Text, .. })) => {
                let block = *block;
                self.words(take(&mut piece.text.0), |text| Delta::Text { block, text }, out);
            }
            ("thinking_delta", Some(Open { block, kind: Kind::Thinking(_), .. })) => {
                let block = *block;
                self.words(take(&mut piece.thinking.0), |text| Delta::Thinking { block, text }, out);
            }
            ("input_json_delta", Some(Open { block, kind: Kind::Call(whole), .. })) => {
                let text = take(&mut piece.partial_json.0);
                if !text.is_empty() {
                    *whole = None;
                    out.push(Delta::Arguments { block: *block, text: text.into_owned() });
                }
            }
            ("signature_delta", Some(Open { kind: Kind::Thinking(signature), .. })) => {
                signature.push_str(&piece.signature.0);
                self.keep(piece.signature.0.len())?;
            }
            // Words without a block of their kind begin one.
            ("text_delta", _) if !piece.text.0.is_empty() => {
                let index = index.unwrap_or_else(|| u64::from(self.next_block));
                let block = self.open(index, Kind::Text, out)?;
                self.words(take(&mut piece.text.0), |text| Delta::Text { block, text }, out);
            }
            ("thinking_delta", _) if !piece.thinking.0.is_empty() => {
                let index = index.unwrap_or_else(|| u64::from(self.next_block));
                let block = self.open(index, Kind::Thinking(String::new()), out)?;
                self.words(take(&mut piece.thinking.0), |text| Delta::Thinking { block, text }, out);
            }
            ("input_json_delta", None) if !piece.partial_json.0.is_empty() => {
                self.warn(out, "arguments came for a tool call that had not begun");
            }
            // The input of a tool that the provider runs itself, citations, and what is not known yet.
            _ => {}
        }
        Ok(())
    }

    fn words(&mut self, text: Cow<'_, str>, delta: impl FnOnce(String) -> Delta, out: &mut Vec<Delta>) {
        if !text.is_empty() {
            self.said = self.said.max(Said::Words);
            out.push(delta(text.into_owned()));
        }
    }

    fn count(&mut self, counts: Counts, out: &mut Vec<Delta>) {
        counts.lay_over(&mut self.usage, &mut self.long_writes);
        let mut usage = self.usage;
        usage.provider_cost = usage.provider_cost.or_else(|| self.prices.charge(&usage, self.long_writes));
        out.push(Delta::Usage(usage));
    }

    fn keep(&mut self, bytes: usize) -> Result<(), Fault> {
        self.kept += bytes;
        if self.kept > MAX_KEPT {
            return Err(fault::answer_too_large("bytes that cannot be shown", MAX_KEPT));
        }
        Ok(())
    }

    fn stop(&mut self, raw: Option<&str>, explanation: &str, out: &mut Vec<Delta>) -> Result<(), Fault> {
        if self.end >= End::Stopped {
            return Ok(());
        }
        // A word of gateways that means that the answer broke off.
        if raw == Some("error") {
            return Err(fault::broken_off(None, "error", explanation));
        }
        self.end = End::Stopped;
        self.close_all(out);
        let reason = match raw {
            Some("end_turn" | "stop_sequence" | "pause_turn" | "compaction") => StopReason::EndTurn,
            Some("max_tokens" | "model_context_window_exceeded") => StopReason::MaxTokens,
            Some("refusal" | "sensitive") => StopReason::Refusal,
            // A word that is not known here fails nothing.
            _ if self.calls.is_empty() => StopReason::EndTurn,
            _ => StopReason::ToolUse,
        };
        if !explanation.is_empty() {
            self.warn(out, &format!("the provider declined: {explanation}"));
        }
        let raw = raw.map(|raw| raw.get(..raw.floor_char_boundary(100)).unwrap_or(raw).to_owned());
        out.push(Delta::Stop { reason, raw });
        Ok(())
    }

    /// The server says that something went wrong. That does not touch an answer that is complete.
    fn fail(&self, data: &str) -> Result<(), Fault> {
        if self.end >= End::Stopped {
            return Ok(());
        }
        if data.len() > MAX_ERROR {
            return Err(fault::broken_off(None, "", ""));
        }
        // Where the connection broke within the error, its start may still say what it was.
        let error = ErrorBody::of(data).or_else(|| ErrorBody::of(&json::complete(&json::repair(data))));
        let mut fault = match error {
            Some(error) => fault::broken_off(error.status, &error.code, &error.text),
            None => fault::broken_off(None, "", if data.starts_with('{') { "" } else { data }),
        };
        // More telling than the type of the error, and not in every event.
        fault.code = event::error_code(data.as_bytes()).map(Into::into).or(fault.code);
        Err(fault)
    }

    /// Passes on what a block kept until its end.
    fn close(&mut self, open: Open, out: &mut Vec<Delta>) {
        let block = open.block;
        match open.kind {
            Kind::Thinking(signature) if !signature.is_empty() => {
                self.signed.push(block);
                out.push(Delta::Signature { block, signature });
            }
            Kind::Call(Some(input)) => out.push(Delta::Arguments { block, text: input }),
            Kind::Thinking(_) | Kind::Call(None) | Kind::Text | Kind::Silent => {}
        }
    }

    /// In the order in which they began.
    fn close_all(&mut self, out: &mut Vec<Delta>) {
        self.open.sort_unstable_by_key(|open| open.block);
        for open in take(&mut self.open) {
            self.close(open, out);
        }
    }

    fn warn(&mut self, out: &mut Vec<Delta>, text: &str) {
        self.warnings += 1;
        if self.warnings <= MAX_WARNINGS {
            out.push(Delta::Warning(text.to_owned()));
        }
    }
}

