//! Events of one answer in, deltas out.
//!
//! An ordinary piece of text costs one parse without copies and one string. Events and kinds of blocks that are
//! not known are passed over; what is kept between events is bounded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::from_str;

use super::super::{Decoder, Frame};
use super::event::{BlockDelta, BlockStart, BlockStop, Counts, MessageStop, Metadata, Piece, ToolStart};
use super::refusal;
use crate::catalog::Cost;
use crate::models::frames::event_stream;
use crate::models::handoff::fnv;
use crate::models::{Delta, Fault, StopReason, Usage, fault, json};

/// Blocks that one answer may have.
const MAX_BLOCKS: usize = 1000;
/// Bytes that are kept until they can be passed on: signatures and redacted thinking.
const MAX_KEPT: usize = 16 << 20;
const MAX_WARNINGS: u32 = 10;

/// The decoder of this wire.
#[derive(Default)]
pub(super) struct Stream {
    /// What tokens cost, for counts that the plain prices do not fit.
    cost: Cost,
    /// In the order of their numbers.
    blocks: Vec<Block>,
    has_calls: bool,
    stopped: bool,
    /// The counts have come, and with them the end.
    done: bool,
    kept: usize,
    warnings: u32,
}

struct Block {
    /// The API's number. A block of several kinds is several of ours.
    index: u64,
    kind: Kind,
    is_open: bool,
}

enum Kind {
    Text,
    /// With its signature so far.
    Thinking(String),
    /// What was read of it so far.
    Redacted(Vec<u8>),
    Call,
    /// Nothing of it is passed on.
    Other,
}

impl Decoder for Stream {
    fn push(&mut self, frame: &Frame, out: &mut Vec<Delta>) -> Result<(), Fault> {
        if let Some(name) = event_stream::exception(frame) {
            // That does not touch an answer that is complete.
            return if self.stopped { Ok(()) } else { Err(refusal::exception(name, &frame.data)) };
        }
        if let Ok(taken) = self.take(&frame.event, &frame.data, out) {
            return taken;
        }
        let repaired = json::repair(&frame.data);
        self.take(&frame.event, &repaired, out).unwrap_or_else(|_| {
            self.warn(out, "an event of the provider's answer is not valid JSON and was skipped");
            Ok(())
        })
    }

    fn finish(&mut self, _out: &mut Vec<Delta>) -> Result<(), Fault> {
        if self.stopped { Ok(()) } else { Err(fault::ended_early()) }
    }

    fn is_done(&self) -> bool {
        self.done
    }
}

impl Stream {
    /// `cost`: the model's prices.
    pub(super) fn new(cost: Cost) -> Self {
        Self { cost, ..Self::default() }
    }

    /// Takes one event. The outer error says that `data` is not what an event of this name holds; then nothing
    /// has happened.
    fn take(
        &mut self,
        event: &str,
        data: &str,
        out: &mut Vec<Delta>,
    ) -> Result<Result<(), Fault>, serde_json::Error> {
        if event == "metadata" {
            let counts = from_str::<Metadata<'_>>(data)?.usage;
            out.extend(counts.map(|counts| Delta::Usage(self.usage(&counts))));
            self.done = self.stopped;
        }
        if self.stopped {
            return Ok(Ok(()));
        }
        match event {
            "contentBlockDelta" => {
                let event = from_str::<BlockDelta<'_>>(data)?;
                if let Some(piece) = &event.delta {
                    return Ok(self.piece(event.content_block_index.0.unwrap_or(0), piece, out));
                }
            }
            "contentBlockStart" => {
                let event = from_str::<BlockStart<'_>>(data)?;
                if let Some(start) = event.start {
                    let index = event.content_block_index.0.unwrap_or(0);
                    return Ok(self.start(index, start.tool_use.as_ref(), data, out));
                }
            }
            "contentBlockStop" => {
                let event = from_str::<BlockStop>(data)?;
                self.close(event.content_block_index.0, out);
            }
            "messageStop" => {
                let event = from_str::<MessageStop<'_>>(data)?;
                return Ok(self.stop(&event.stop_reason.0, out));
            }
            _ => {}
        }
        Ok(Ok(()))
    }

    fn usage(&self, counts: &Counts<'_>) -> Usage {
        let (usage, long) = (counts.usage(), counts.long_writes());
        let Usage { input, output, cache_read, cache_write, .. } = usage;
        let charged = || self.cost.with_long_writes(input, output, cache_read, cache_write, long);
        Usage { provider_cost: (long > 0 && self.cost.input > 0.0).then(charged), ..usage }
    }

    fn start(
        &mut self,
        index: u64,
        call: Option<&ToolStart<'_>>,
        data: &str,
        out: &mut Vec<Delta>,
    ) -> Result<(), Fault> {
        // A start without a call announces text, or something that is not known here.
        let Some(call) = call else { return Ok(()) };
        if call.r#type.0 == "server_tool_use" {
            return self.open(index, Kind::Other).map(drop);
        }
        let block = self.open(index, Kind::Call)?;
        self.has_calls = true;
        let id = match &*call.tool_use_id.0 {
            // The padding of events makes it unlike any other in the conversation.
            "" => format!("call_{:016x}_{block}", fnv(data.as_bytes())),
            id => id.to_owned(),
        };
        out.push(Delta::ToolCall { block, id, name: call.name.0.to_string() });
        Ok(())
    }

    fn piece(&mut self, index: u64, piece: &Piece<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        if !piece.text.0.is_empty() {
            let block = self.block(index, |kind| matches!(kind, Kind::Text), || Kind::Text)?;
            out.push(Delta::Text { block, text: piece.text.0.to_string() });
        }
        if let Some(reasoning) = &piece.reasoning_content {
            let (text, signature, redacted) =
                (&*reasoning.text.0, &*reasoning.signature.0, &*reasoning.redacted_content.0);
            if !text.is_empty() || !signature.is_empty() {
                let thinking = || Kind::Thinking(String::new());
                let block = self.block(index, |kind| matches!(kind, Kind::Thinking(_)), thinking)?;
                self.keep(signature.len())?;
                if let Some(Kind::Thinking(kept)) = self.kind(block) {
                    kept.push_str(signature);
                }
                if !text.is_empty() {
                    out.push(Delta::Thinking { block, text: text.to_owned() });
                }
            }
            if !redacted.is_empty() {
                self.redacted(index, redacted, out)?;
            }
        }
        if let Some(input) = &piece.tool_use
            && !input.input.0.is_empty()
        {
            let call = |block: &Block| block.index == index && matches!(block.kind, Kind::Call | Kind::Other);
            match self.blocks.iter().rposition(call) {
                Some(at) if matches!(self.blocks.get(at), Some(Block { kind: Kind::Call, .. })) => {
                    out.push(Delta::Arguments { block: number(at), text: input.input.0.to_string() });
                }
                Some(_) => {}
                None => self.warn(out, "the provider sent arguments of a tool call that it had not begun"),
            }
        }
        Ok(())
    }

    /// Each piece is encoded on its own, so they can only be joined as bytes.
    fn redacted(&mut self, index: u64, piece: &str, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let Ok(bytes) = STANDARD.decode(piece) else {
            self.warn(out, "a piece of redacted thinking is not valid base64 and was skipped");
            return Ok(());
        };
        self.keep(bytes.len())?;
        let redacted = || Kind::Redacted(Vec::new());
        let block = self.block(index, |kind| matches!(kind, Kind::Redacted(_)), redacted)?;
        if let Some(Kind::Redacted(kept)) = self.kind(block) {
            kept.extend_from_slice(&bytes);
        }
        Ok(())
    }

    /// The open block of a kind at `index`, opened now if there is none.
    fn block(&mut self, index: u64, is: fn(&Kind) -> bool, new: fn() -> Kind) -> Result<u32, Fault> {
        let found =
            self.blocks.iter().rposition(|block| block.is_open && block.index == index && is(&block.kind));
        match found {
            Some(at) => Ok(number(at)),
            None => self.open(index, new()),
        }
    }

    fn open(&mut self, index: u64, kind: Kind) -> Result<u32, Fault> {
        if self.blocks.len() >= MAX_BLOCKS {
            return Err(fault::answer_too_large("blocks", MAX_BLOCKS));
        }
        self.blocks.push(Block { index, kind, is_open: true });
        Ok(number(self.blocks.len() - 1))
    }

    fn kind(&mut self, block: u32) -> Option<&mut Kind> {
        self.blocks.get_mut(block as usize).map(|block| &mut block.kind)
    }

    fn keep(&mut self, bytes: usize) -> Result<(), Fault> {
        self.kept += bytes;
        if self.kept > MAX_KEPT {
            return Err(fault::answer_too_large("bytes that cannot be shown", MAX_KEPT));
        }
        Ok(())
    }

    /// Passes on what was kept of the blocks at `index`, of all where there is none.
    fn close(&mut self, index: Option<u64>, out: &mut Vec<Delta>) {
        for (at, block) in self.blocks.iter_mut().enumerate() {
            if !block.is_open || index.is_some_and(|index| index != block.index) {
                continue;
            }
            block.is_open = false;
            match &mut block.kind {
                Kind::Thinking(signature) if !signature.is_empty() => {
                    let signature = std::mem::take(signature);
                    out.push(Delta::Signature { block: number(at), signature });
                }
                Kind::Redacted(bytes) => {
                    let data = STANDARD.encode(std::mem::take(bytes));
                    out.push(Delta::RedactedThinking { block: number(at), data });
                }
                Kind::Thinking(_) | Kind::Text | Kind::Call | Kind::Other => {}
            }
        }
    }

    fn stop(&mut self, raw: &str, out: &mut Vec<Delta>) -> Result<(), Fault> {
        // What the model said cannot be used, not even what there is of it.
        match raw {
            "malformed_model_output" => return Err(fault::broken_off(None, raw, "the model's output was malformed")),
            "malformed_tool_use" => return Err(fault::broken_off(None, raw, "the model's tool call was malformed")),
            _ => {}
        }
        self.close(None, out);
        self.stopped = true;
        let reason = match raw {
            "max_tokens" | "model_context_window_exceeded" => StopReason::MaxTokens,
            "guardrail_intervened" | "content_filtered" => StopReason::Refusal,
            // Some models call a tool and say that they had said all. A word that is not known fails nothing.
            _ if self.has_calls => StopReason::ToolUse,
            _ => StopReason::EndTurn,
        };
        let raw = raw.get(..raw.floor_char_boundary(100)).unwrap_or(raw);
        out.push(Delta::Stop { reason, raw: (!raw.is_empty()).then(|| raw.to_owned()) });
        Ok(())
    }

    fn warn(&mut self, out: &mut Vec<Delta>, text: &str) {
        self.warnings += 1;
        if !self.stopped && self.warnings <= MAX_WARNINGS {
            out.push(Delta::Warning(text.to_owned()));
        }
    }
}

/// The number of the block at a place of the list, whose length is bounded.
fn number(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
