//! One item of an answer while it grows: what was passed on of it, so that what the server says at its end can
//! be laid over it. Text already passed on is never kept, but for the arguments of calls.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::value::RawValue;

use super::event::{Item, PART_BREAK, whole};
use crate::models::fault::Again;
use crate::models::handoff::fnv_more;
use crate::models::{Delta, Fault, fault, json};

/// A server says twice at most how arguments end, and to compare them takes time.
const MAX_COMPARED: u8 = 4;

/// What an item becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Thinking,
    Call,
}

impl Kind {
    /// `None` for what is not known here, such as the tools that a provider runs itself.
    pub(super) fn of(item: &str) -> Option<Self> {
        match item {
            "message" => Some(Self::Text),
            "reasoning" => Some(Self::Thinking),
            "function_call" => Some(Self::Call),
            _ => None,
        }
    }
}

/// One item.
#[expect(clippy::struct_excessive_bools, reason = "each remembers another thing that happened")]
pub(super) struct Slot {
    kind: Kind,
    block: u32,
    /// Its place.
    index: Option<u64>,
    /// As the server said it first.
    id: String,
    added: bool,
    done: bool,
    /// Bytes of text passed on, and their hash.
    said: (usize, u64),
    /// The part of thinking that grows.
    part: Option<u64>,
    /// Whether the next piece of thinking begins another part.
    part_break: bool,
    /// Thinking that cannot be sent back as its end was told.
    lacks_signature: bool,
    call: Call,
}

/// What is known of a tool call.
#[derive(Default)]
struct Call {
    /// As passed on; empty before.
    id: String,
    told: bool,
    arguments: String,
    /// Bytes of them that were passed on.
    passed: usize,
    /// How often they were compared with others.
    compared: u8,
}

/// Thinking that can be sent back, in the last event of an answer.
pub(super) struct Thought<'a> {
    place: u64,
    id: String,
    raw: &'a str,
}

impl<'a> Thought<'a> {
    /// `None` for any other item.
    pub(super) fn of(place: u64, raw: &'a RawValue) -> Option<Self> {
        let item = Item::of(raw)?;
        let fits = Kind::of(&item.r#type.0) == Some(Kind::Thinking) && item.can_return();
        fits.then(|| Self { place, id: item.id.0.into_owned(), raw: raw.get() })
    }
}

/// What has to go back with a message.
#[derive(Serialize)]
struct TextSignature<'a> {
    v: u8,
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    phase: &'a str,
}

impl Slot {
    pub(super) fn new(kind: Kind, block: u32, index: Option<u64>, id: &str) -> Self {
        Self {
            kind,
            block,
            index,
            id: id.to_owned(),
            added: false,
            done: false,
            said: (0, fnv_more(None, b"")),
            part: None,
            part_break: false,
            lacks_signature: false,
            call: Call::default(),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn index(&self) -> Option<u64> {
        self.index
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn is_added(&self) -> bool {
        self.added
    }

    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    pub(super) fn is_silent(&self) -> bool {
        self.said.0 == 0
    }

    pub(super) fn has_no_arguments(&self) -> bool {
        self.call.arguments.is_empty()
    }

    /// Whether this is the call that was passed on as `id`.
    pub(super) fn has_told(&self, id: &str) -> bool {
        self.call.told && self.call.id == id
    }

    /// Takes what the item says of itself. `call_id` is what it is called by if it is a call.
    pub(super) fn begin(&mut self, item: &Item<'_>, call_id: &str, seed: u64, out: &mut Vec<Delta>) {
        let block = self.block;
        if self.id.is_empty() {
            self.id = item.id.0.to_string();
        }
        if self.kind == Kind::Thinking && !self.added && self.is_silent() {
            // Keeps the place of thinking that says nothing before its end.
            out.push(Delta::Thinking { block, text: String::new() });
        }
        self.added = true;
        if self.kind == Kind::Call && !self.call.told {
            call_id.clone_into(&mut self.call.id);
            if !item.name.0.is_empty() {
                self.tell(&item.name.0, seed, out);
            }
        }
    }

    fn tell(&mut self, name: &str, seed: u64, out: &mut Vec<Delta>) {
        let (call, block) = (&mut self.call, self.block);
        call.told = true;
        if call.id.is_empty() {
            // Unlike any other in the conversation, and the same when the answer is decoded again.
            let _ = write!(call.id, "call_{seed:016x}_{block}");
        }
        out.push(Delta::ToolCall { block, id: call.id.clone(), name: name.to_owned() });
        self.pass(out);
    }

    /// What comes next belongs to this part of thinking.
    pub(super) fn new_part(&mut self, part: Option<u64>) {
        self.part_break |= part != self.part && !self.is_silent();
        self.part = part;
    }

    /// Passes text or thinking on.
    pub(super) fn say(&mut self, text: &str, out: &mut Vec<Delta>) {
        if text.is_empty() {
            return;
        }
        let mut owned = String::new();
        if self.part_break {
            self.part_break = false;
            owned.reserve_exact(PART_BREAK.len() + text.len());
            owned.push_str(PART_BREAK);
        }
        owned.push_str(text);
        self.said = (self.said.0 + owned.len(), fnv_more(Some(self.said.1), owned.as_bytes()));
        out.push(match self.kind {
            Kind::Thinking => Delta::Thinking { block: self.block, text: owned },
            Kind::Text | Kind::Call => Delta::Text { block: self.block, text: owned },
        });
    }

    /// Passes on what `whole` has beyond what was passed on before. Where it says something else there is
    /// nothing to be done: what was said stands.
    fn say_rest(&mut self, whole: &str, out: &mut Vec<Delta>) {
        let (length, hash) = self.said;
        if let Some((head, rest)) = whole.split_at_checked(length)
            && fnv_more(None, head.as_bytes()) == hash
        {
            self.part_break = false;
            self.say(rest, out);
        }
    }

    /// A piece of a call's arguments.
    pub(super) fn add_arguments(&mut self, text: &str, out: &mut Vec<Delta>) {
        self.call.arguments.push_str(text);
        self.pass(out);
    }

    /// Passes arguments on, if they are an object's. Some servers stream them encrypted, and in the clear only
    /// at their end.
    fn pass(&mut self, out: &mut Vec<Delta>) {
        let call = &mut self.call;
        let plain = call.passed > 0 || call.arguments.trim_start().starts_with('{');
        if let Some(text) = call.arguments.get(call.passed..)
            && call.told
            && plain
            && !text.is_empty()
        {
            out.push(Delta::Arguments { block: self.block, text: text.to_owned() });
            call.passed = call.arguments.len();
        }
    }

    /// The arguments as the server says them at their end.
    pub(super) fn complete_arguments(&mut self, text: &str, out: &mut Vec<Delta>) -> Result<(), Fault> {
        let call = &mut self.call;
        if text.trim_ascii().is_empty() {
            return Ok(());
        }
        let passed = call.arguments.get(..call.passed).unwrap_or_default();
        if text.starts_with(passed) {
            text.clone_into(&mut call.arguments);
            self.pass(out);
            return Ok(());
        }
        call.compared += 1;
        if call.compared <= MAX_COMPARED && json::same_arguments(&call.arguments, text) {
            return Ok(());
        }
        // What was passed on cannot be taken back, and a tool must not run with what the model did not mean.
        let what = "the arguments of a tool call end otherwise than they were streamed";
        Err(fault::protocol(what).again(Again::Once))
    }

    /// Says whether the message is a refusal.
    pub(super) fn end_text(&mut self, item: &Item<'_>, out: &mut Vec<Delta>) -> bool {
        let (text, refused) = item.said();
        self.say_rest(&text, out);
        let signature = TextSignature { v: 1, id: &item.id.0, phase: &item.phase.0 };
        let known = !signature.id.is_empty() || !signature.phase.is_empty();
        // Where nothing was said there is nothing to go back.
        if known && !self.is_silent() && let Ok(signature) = serde_json::to_string(&signature) {
            out.push(Delta::Signature { block: self.block, signature });
        }
        self.done = true;
        refused
    }

    /// `raw` is the item as a whole.
    pub(super) fn end_thinking(&mut self, item: &Item<'_>, raw: &str, out: &mut Vec<Delta>) {
        self.say_rest(&item.thought(), out);
        self.done = true;
        self.id = item.id.0.to_string();
        if item.can_return() {
            out.push(Delta::Signature { block: self.block, signature: raw.to_owned() });
        } else {
            self.lacks_signature = true;
        }
    }

    pub(super) fn end_call(&mut self, item: &Item<'_>, out: &mut Vec<Delta>) -> Result<(), Fault> {
        self.complete_arguments(&whole(item.arguments), out)?;
        self.let_go(out);
        self.done = true;
        // Ids of another form are refused when they come back.
        if item.id.0.starts_with("fc_") {
            out.push(Delta::Signature { block: self.block, signature: item.id.0.to_string() });
        }
        Ok(())
    }

    /// Nothing more comes of a call: what is kept of its arguments is passed on, if it was not, and dropped.
    fn let_go(&mut self, out: &mut Vec<Delta>) {
        if !self.call.told {
            return;
        }
        let text = std::mem::take(&mut self.call.arguments);
        if self.call.passed == 0 && !text.is_empty() {
            self.call.passed = text.len();
            out.push(Delta::Arguments { block: self.block, text });
        }
    }

    /// The answer is over. `thoughts` are those of its last event: some servers say only there what thinking is
    /// sent back with.
    pub(super) fn close(&mut self, thoughts: &[Thought<'_>], seed: u64, out: &mut Vec<Delta>) {
        if self.lacks_signature || (self.kind == Kind::Thinking && !self.done) {
            let by_id = thoughts.iter().find(|thought| !self.id.is_empty() && thought.id == self.id);
            let by_place = || thoughts.iter().find(|thought| Some(thought.place) == self.index);
            if let Some(thought) = by_id.or_else(by_place) {
                out.push(Delta::Signature { block: self.block, signature: thought.raw.to_owned() });
            }
        }
        if self.kind == Kind::Call {
            if !self.call.told {
                self.tell("", seed, out);
            }
            self.let_go(out);
        }
        self.done = true;
    }
}
