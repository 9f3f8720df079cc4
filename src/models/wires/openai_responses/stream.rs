//! Frames of one answer in, deltas out.
//!
//! An answer consists of items, several of which may grow at once: each has a slot, found by its place, else by
//! its id, else by its kind. An ordinary piece of text costs one parse without copies and one string. What is
//! odd is tolerated as long as its meaning is clear, and what is kept between frames is bounded. Next:
//! `slot.rs` (one item), `event.rs` (the events).

use serde_json::value::RawValue;

use super::super::error_body::ErrorBody;
use super::super::{Decoder, Frame};
use super::event::{Event, Item, MAX_ITEMS, Response, whole};
use super::prices::Prices;
use super::slot::{Kind, Slot, Thought};
use crate::models::handoff::fnv;
use crate::models::{Delta, Fault, StopReason, fault, json};

/// Bytes of arguments that are kept, to be compared with what the server says at their end.
const MAX_KEPT: usize = 16 << 20;
/// Bytes of an error that are worth reading.
const MAX_ERROR: usize = 1 << 20;
const MAX_WARNINGS: u32 = 10;

/// The decoder of this wire.
#[expect(clippy::struct_excessive_bools, reason = "each remembers another thing that happened")]
pub(super) struct Stream {
    prices: Prices,
    slots: Vec<Slot>,
    /// Hash of the provider's id, to make ids of tool calls from.
    seed: u64,
    told_id: bool,
    told_model: bool,
    refused: bool,
    stopped: bool,
    kept: usize,
    warnings: u32,
}

impl Decoder for Stream {
    fn push(&mut self, frame: &Frame, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let data = frame.data.trim_ascii();
        if self.stopped || data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        match serde_json::from_str::<Option<Event<'_>>>(data) {
            // Some servers send null as a sign of life.
            Ok(None) => Ok(()),
            Ok(Some(event)) => self.take(&event, &frame.event, data, out),
            Err(_) => self.take_damaged(frame, data, out),
        }
    }

    fn finish(&mut self, _out: &mut Vec<Delta>) -> Result<(), Fault> {
        if self.stopped { Ok(()) } else { Err(fault::ended_early()) }
    }

    fn is_done(&self) -> bool {
        self.stopped
    }
}

impl Stream {
    pub(super) fn new(prices: Prices) -> Self {
        Self {
            prices,
            slots: Vec::new(),
            seed: 0,
            told_id: false,
            told_model: false,
            refused: false,
            stopped: false,
            kept: 0,
            warnings: 0,
        }
    }

    /// An event that is no valid JSON: perhaps it can be repaired, perhaps it is several, else it is skipped.
    fn take_damaged(&mut self, frame: &Frame, data: &str, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let repaired = json::repair(data);
        if let Ok(event) = serde_json::from_str::<Option<Event<'_>>>(&repaired) {
            return event.map_or(Ok(()), |event| self.take(&event, &frame.event, &repaired, out));
        }
        if frame.event == "error" {
            return Err(Self::failure(data));
        }
        // Some servers forget the blank lines between events.
        if data.contains('\n') {
            for line in data.lines() {
                let frame = Frame { event: String::new(), data: line.to_owned() };
                self.push(&frame, out)?;
            }
            return Ok(());
        }
        self.warnings += 1;
        if self.warnings <= MAX_WARNINGS {
            let text = "an event of the provider's answer is not valid JSON and was skipped";
            out.push(Delta::Warning(text.to_owned()));
        }
        Ok(())
    }

    fn take(&mut self, event: &Event<'_>, name: &str, data: &str, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let kind: &str = if event.r#type.0.is_empty() { name } else { &event.r#type.0 };
        let Some(kind) = kind.strip_prefix("response.") else {
            let nameless = kind.is_empty() && event.error.is_some_and(|error| error.get() != "{}");
            return if kind == "error" || nameless { Err(Self::failure(data)) } else { Ok(()) };
        };
        match kind {
            "output_text.delta" => self.text(event, out),
            "refusal.delta" => {
                self.refused = true;
                self.text(event, out)
            }
            "function_call_arguments.delta" => self.arguments(event, out),
            "reasoning_summary_text.delta" => self.think(event, event.summary_index.0, out),
            "reasoning_text.delta" => self.think(event, event.content_index.0, out),
            "reasoning_summary_part.added" => {
                if let Some(slot) = self.open(Kind::Thinking, event) {
                    slot.new_part(event.summary_index.0);
                }
                Ok(())
            }
            // Of use only where there were no deltas.
            "output_text.done" => {
                if let Some(slot) = self.open(Kind::Text, event).filter(|slot| slot.is_silent()) {
                    slot.say(&whole(event.text), out);
                }
                Ok(())
            }
            "function_call_arguments.done" => match self.open(Kind::Call, event) {
                Some(slot) => slot.complete_arguments(&whole(event.arguments), out),
                None => Ok(()),
            },
            "output_item.added" => self.added(event, out),
            "output_item.done" => match event.item {
                Some(raw) => self.item_done(raw, event.output_index.0, out),
                None => Ok(()),
            },
            "created" | "in_progress" | "queued" => {
                self.identify(&Response::of(event.response), out);
                Ok(())
            }
            "completed" | "done" | "incomplete" | "failed" | "cancelled" => {
                self.end(kind, &Response::of(event.response), out)
            }
            _ => Ok(()),
        }
    }

    fn identify(&mut self, response: &Response<'_>, out: &mut Vec<Delta>) {
        let (id, model) = (&response.id.0, &response.model.0);
        let id = (!self.told_id && !id.is_empty()).then(|| id.to_string());
        let model = (!self.told_model && !model.is_empty()).then(|| model.to_string());
        if let Some(id) = &id {
            self.told_id = true;
            self.seed = fnv(id.as_bytes());
        }
        self.told_model |= model.is_some();
        if id.is_some() || model.is_some() {
            out.push(Delta::Response { id, model });
        }
    }

    /// The slot that is meant. By place and id, else by place, as some servers give an item another id in every
    /// event; without a place by id, else the newest of its kind.
    fn find(&self, kind: Kind, index: Option<u64>, id: &str) -> Option<usize> {
        let open = |slot: &Slot| slot.kind() == kind && !slot.is_done();
        let newest = |fits: &dyn Fn(&Slot) -> bool| self.slots.iter().rposition(|slot| open(slot) && fits(slot));
        let has_id = |slot: &Slot| !id.is_empty() && slot.id() == id;
        match index {
            Some(_) => newest(&|slot| slot.index() == index && has_id(slot))
                .or_else(|| newest(&|slot| slot.index() == index))
                .or_else(|| newest(&|slot| slot.index().is_none() && has_id(slot))),
            None => newest(&has_id).or_else(|| newest(&|_| true)),
        }
    }

    fn open(&mut self, kind: Kind, event: &Event<'_>) -> Option<&mut Slot> {
        let at = self.find(kind, event.output_index.0, &event.item_id.0)?;
        self.slots.get_mut(at)
    }

    fn open_or_new(&mut self, kind: Kind, event: &Event<'_>) -> Result<Option<&mut Slot>, Fault> {
        let (index, id) = (event.output_index.0, &*event.item_id.0);
        let at = self.or_new(self.find(kind, index, id), kind, index, id)?;
        Ok(self.slots.get_mut(at))
    }

    /// The slot that is known, else a new one.
    fn or_new(
        &mut self,
        known: Option<usize>,
        kind: Kind,
        index: Option<u64>,
        id: &str,
    ) -> Result<usize, Fault> {
        if let Some(at) = known {
            return Ok(at);
        }
        let at = self.slots.len();
        if at >= MAX_ITEMS {
            return Err(fault::answer_too_large("items", MAX_ITEMS));
        }
        let block = u32::try_from(at).unwrap_or(u32::MAX);
        self.slots.push(Slot::new(kind, block, index, id));
        Ok(at)
    }

    fn text(&mut self, event: &Event<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        if !event.delta.0.is_empty()
            && let Some(slot) = self.open_or_new(Kind::Text, event)?
        {
            slot.say(&event.delta.0, out);
        }
        Ok(())
    }

    fn think(&mut self, event: &Event<'_>, part: Option<u64>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        if !event.delta.0.is_empty()
            && let Some(slot) = self.open_or_new(Kind::Thinking, event)?
        {
            slot.new_part(part);
            slot.say(&event.delta.0, out);
        }
        Ok(())
    }

    fn arguments(&mut self, event: &Event<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        self.kept += event.delta.0.len();
        if self.kept > MAX_KEPT {
            return Err(fault::answer_too_large("bytes of arguments", MAX_KEPT));
        }
        if let Some(slot) = self.open_or_new(Kind::Call, event)? {
            slot.add_arguments(&event.delta.0, out);
        }
        Ok(())
    }

    fn added(&mut self, event: &Event<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let Some(item) = event.item.and_then(Item::of) else { return Ok(()) };
        let Some(kind) = Kind::of(&item.r#type.0) else { return Ok(()) };
        let index = event.output_index.0;
        // Deltas may have come before, and an event may come twice; else what is added is new, even where a
        // server gives every item the same place.
        let known = self.find(kind, index, &item.id.0).filter(|at| {
            self.slots.get(*at).is_some_and(|slot| !slot.is_added() || (index.is_some() && slot.id() == item.id.0))
        });
        let at = self.or_new(known, kind, index, &item.id.0)?;
        self.begin(at, &item, out);
        let Some(slot) = self.slots.get_mut(at) else { return Ok(()) };
        if kind == Kind::Call && slot.has_no_arguments() {
            slot.add_arguments(&whole(item.arguments), out);
        }
        Ok(())
    }

    /// Gives a slot what its item says of itself, and tells that there is one.
    fn begin(&mut self, at: usize, item: &Item<'_>, out: &mut Vec<Delta>) {
        let call_id = &*item.call_id.0;
        let taken = |id: &str| self.slots.iter().enumerate().any(|(other, slot)| other != at && slot.has_told(id));
        // Two calls may share the first half of their id.
        let id = if call_id.is_empty() || !taken(call_id) {
            call_id.to_owned()
        } else {
            let whole = format!("{call_id}|{}", item.id.0);
            if taken(&whole) { format!("{call_id}|{at}") } else { whole }
        };
        let seed = self.seed;
        if let Some(slot) = self.slots.get_mut(at) {
            slot.begin(item, &id, seed, out);
        }
    }

    fn item_done(&mut self, raw: &RawValue, index: Option<u64>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let Some(item) = Item::of(raw) else { return Ok(()) };
        let Some(kind) = Kind::of(&item.r#type.0) else { return Ok(()) };
        let known = self.find(kind, index, &item.id.0);
        let at = self.or_new(known, kind, index, &item.id.0)?;
        self.begin(at, &item, out);
        let Some(slot) = self.slots.get_mut(at) else { return Ok(()) };
        match kind {
            Kind::Text => self.refused |= slot.end_text(&item, out),
            Kind::Thinking => slot.end_thinking(&item, raw.get(), out),
            Kind::Call => slot.end_call(&item, out)?,
        }
        Ok(())
    }

    /// A last event has come.
    fn end(&mut self, event: &str, response: &Response<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        self.identify(response, out);
        let items = response.items();
        if self.slots.is_empty() {
            // A server that does not stream.
            for (index, item) in (0..).zip(&items) {
                self.item_done(item, Some(index), out)?;
            }
        }
        let thoughts: Vec<_> = (0..).zip(&items).filter_map(|(place, raw)| Thought::of(place, raw)).collect();
        for slot in &mut self.slots {
            slot.close(&thoughts, self.seed, out);
        }
        let usage = response.usage().map(|usage| self.prices.charge(usage, &response.service_tier.0));
        out.extend(usage.map(Delta::Usage));
        let status: &str = if response.status.0.is_empty() { event } else { &response.status.0 };
        let reason = response.incomplete();
        let calls = self.slots.iter().any(|slot| slot.kind() == Kind::Call);
        let (reason, raw) = match (event, status) {
            ("failed" | "cancelled", _) | (_, "failed" | "cancelled") => {
                return Err(Self::failed(status, &reason, response.error));
            }
            ("incomplete", _) | (_, "incomplete") => match &*reason {
                "" | "max_output_tokens" | "max_tokens" | "length" => (StopReason::MaxTokens, reason),
                "content_filter" => (StopReason::Refusal, reason),
                _ => return Err(fault::broken_off(None, &reason, &format!("it is incomplete: {reason}"))),
            },
            _ if calls => (StopReason::ToolUse, status.to_owned()),
            _ if self.refused => (StopReason::Refusal, status.to_owned()),
            _ if response.would_go_on() => (StopReason::EndTurn, format!("{status}, end_turn: false")),
            _ => (StopReason::EndTurn, status.to_owned()),
        };
        self.stopped = true;
        let raw = raw.get(..raw.floor_char_boundary(100)).unwrap_or_default().to_owned();
        out.push(Delta::Stop { reason, raw: (!raw.is_empty()).then_some(raw) });
        Ok(())
    }

    /// The answer is over because something went wrong.
    fn failed(status: &str, reason: &str, error: Option<&RawValue>) -> Fault {
        let error = error.filter(|error| error.get().len() <= MAX_ERROR).and_then(|error| ErrorBody::of(error.get()));
        match error {
            Some(error) => fault::broken_off(error.status, &error.code, &error.text),
            None if reason.is_empty() => fault::broken_off(None, status, ""),
            None => fault::broken_off(None, reason, &format!("it is incomplete: {reason}")),
        }
    }

    /// The server says that something went wrong.
    fn failure(data: &str) -> Fault {
        let error = if data.len() > MAX_ERROR { None } else { ErrorBody::of(data) };
        match error {
            Some(error) => {
                // That it is an error is no code.
                let code = if error.code == "error" { "" } else { &*error.code };
                fault::broken_off(error.status, code, &error.text)
            }
            None => fault::broken_off(None, "", data),
        }
    }
}
