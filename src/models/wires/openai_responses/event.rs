//! One event of an answer as it stands on the wire, borrowed from the event's text.
//!
//! What is rare and large stays raw until it is wanted, so that ordinary events are small. It must never fail on
//! fields of an odd type: see `lax.rs`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::models::wires::lax::{Float, List, Number, Text};
use crate::models::{Usage, json};

/// Items that one answer may have.
pub(super) const MAX_ITEMS: usize = 1000;
/// Parts that an item may have.
const MAX_PARTS: usize = 1000;

/// Any event.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(default, borrow)]
    pub(super) r#type: Text<'a>,
    /// The item's place; some servers leave it out.
    #[serde(default)]
    pub(super) output_index: Number,
    /// The item's id; some servers give it another one in every event.
    #[serde(default, borrow)]
    pub(super) item_id: Text<'a>,
    #[serde(default)]
    pub(super) content_index: Number,
    #[serde(default)]
    pub(super) summary_index: Number,
    #[serde(default, borrow)]
    pub(super) delta: Text<'a>,
    // The whole of what the deltas said.
    #[serde(default, borrow)]
    pub(super) text: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) item: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) response: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) error: Option<&'a RawValue>,
}

/// An item: a message, thinking, a tool call, or what is not known here.
#[derive(Default, Deserialize)]
pub(super) struct Item<'a> {
    #[serde(default, borrow)]
    pub(super) r#type: Text<'a>,
    #[serde(default, borrow)]
    pub(super) id: Text<'a>,
    #[serde(default, borrow)]
    pub(super) phase: Text<'a>,
    #[serde(default, borrow)]
    content: Option<&'a RawValue>,
    #[serde(default, borrow)]
    summary: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) encrypted_content: Text<'a>,
    #[serde(default, borrow)]
    pub(super) call_id: Text<'a>,
    #[serde(default, borrow)]
    pub(super) name: Text<'a>,
    #[serde(default, borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

/// A part of an item's content or summary.
#[derive(Deserialize)]
struct Part<'a> {
    #[serde(default, borrow)]
    text: Text<'a>,
    #[serde(default, borrow)]
    refusal: Text<'a>,
}

impl<'a> Item<'a> {
    /// `None` where it is no object.
    pub(super) fn of(raw: &'a RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok()
    }

    /// All that a message says, refusals included, and whether there are any.
    pub(super) fn said(&self) -> (String, bool) {
        let mut text = String::new();
        let mut refused = false;
        for part in parts(self.content) {
            text.push_str(&part.text.0);
            text.push_str(&part.refusal.0);
            refused |= !part.refusal.0.is_empty();
        }
        (text, refused)
    }

    /// All that thinking says: its summary, else the thinking itself.
    pub(super) fn thought(&self) -> String {
        let summary = joined(parts(self.summary));
        if summary.is_empty() { joined(parts(self.content)) } else { summary }
    }

    /// Whether the item can be sent back: nothing is stored, so that it must hold what it is about.
    pub(super) fn can_return(&self) -> bool {
        !self.encrypted_content.0.is_empty() || !joined(parts(self.content)).is_empty()
    }
}

fn parts(list: Option<&RawValue>) -> Vec<Part<'_>> {
    List::<_, MAX_PARTS>::of(list)
}

/// What stands between two parts.
pub(super) const PART_BREAK: &str = "\n\n";

fn joined(parts: Vec<Part<'_>>) -> String {
    let texts: Vec<_> = parts.into_iter().map(|part| part.text.0).collect();
    texts.join(PART_BREAK)
}

/// A string of which the whole is given, or the JSON that stands in its place.
pub(super) fn whole(raw: Option<&RawValue>) -> Cow<'_, str> {
    let Some(raw) = raw else { return Cow::Borrowed("") };
    let raw = raw.get();
    match raw.as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<Text<'_>>(raw) {
            Ok(text) => text.0,
            Err(_) => Cow::Owned(serde_json::from_str(&json::repair(raw)).unwrap_or_default()),
        },
        Some(b'{') => Cow::Borrowed(raw),
        _ => Cow::Borrowed(""),
    }
}

/// The answer as a whole, as its first and last events hold it.
#[derive(Default, Deserialize)]
pub(super) struct Response<'a> {
    #[serde(default, borrow)]
    pub(super) id: Text<'a>,
    #[serde(default, borrow)]
    pub(super) model: Text<'a>,
    #[serde(default, borrow)]
    pub(super) status: Text<'a>,
    #[serde(default, borrow)]
    pub(super) service_tier: Text<'a>,
    #[serde(default, borrow)]
    pub(super) error: Option<&'a RawValue>,
    /// Whether the model had said all that it wanted, where a server tells.
    #[serde(default, borrow)]
    end_turn: Option<&'a RawValue>,
    #[serde(default, borrow)]
    incomplete_details: Option<&'a RawValue>,
    #[serde(default, borrow)]
    output: Option<&'a RawValue>,
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
}

impl<'a> Response<'a> {
    /// Empty where it is no object.
    pub(super) fn of(raw: Option<&'a RawValue>) -> Self {
        raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }

    /// Why the answer is not whole.
    pub(super) fn incomplete(&self) -> String {
        #[derive(Deserialize)]
        struct Details<'a> {
            #[serde(default, borrow)]
            reason: Text<'a>,
        }
        let details = self.incomplete_details.and_then(|raw| serde_json::from_str::<Details<'_>>(raw.get()).ok());
        details.map_or(String::new(), |details| details.reason.0.into_owned())
    }

    /// Whether the model would go on if it were asked to.
    pub(super) fn would_go_on(&self) -> bool {
        self.end_turn.is_some_and(|said| said.get() == "false")
    }

    /// Its items, which some servers leave out.
    pub(super) fn items(&self) -> Vec<&'a RawValue> {
        List::<_, MAX_ITEMS>::of(self.output)
    }

    /// Token counts, where there are any.
    pub(super) fn usage(&self) -> Option<Usage> {
        let counts: Option<Counts> = serde_json::from_str(self.usage?.get()).ok();
        counts.map(Counts::usage)
    }
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    input_tokens: Number,
    #[serde(default)]
    output_tokens: Number,
    #[serde(default)]
    input_tokens_details: Option<InputDetails>,
    #[serde(default)]
    output_tokens_details: Option<OutputDetails>,
    #[serde(default)]
    cost: Float,
    /// xAI's: 10^10 of them are one dollar.
    #[serde(default)]
    cost_in_usd_ticks: Float,
}

#[derive(Default, Deserialize)]
struct InputDetails {
    #[serde(default)]
    cached_tokens: Number,
    #[serde(default)]
    cache_write_tokens: Number,
}

#[derive(Default, Deserialize)]
struct OutputDetails {
    #[serde(default)]
    reasoning_tokens: Number,
}

impl Counts {
    fn usage(self) -> Usage {
        let input = self.input_tokens_details.unwrap_or_default();
        let output = self.output_tokens_details.unwrap_or_default();
        let count = |number: Number| number.0.unwrap_or(0);
        let (cache_read, cache_write) = (count(input.cached_tokens), count(input.cache_write_tokens));
        let ticks = self.cost_in_usd_ticks.0.filter(|ticks| *ticks > 0.0).map(|ticks| ticks / 1e10);
        Usage {
            input: count(self.input_tokens).saturating_sub(cache_read).saturating_sub(cache_write),
            // Reasoning is a part of the output.
            output: count(self.output_tokens).max(count(output.reasoning_tokens)),
            cache_read,
            cache_write,
            reasoning: count(output.reasoning_tokens),
            provider_cost: self.cost.0.or(ticks).filter(|cost| cost.is_finite() && *cost >= 0.0),
        }
    }
}
