//! One event of an answer as it stands on the wire, borrowed from the event's text.
//!
//! Servers differ in the types of fields that do not matter: those are read leniently, so that an odd one does
//! not cost the event.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::models::wires::lax::{First, Float, Number, Numbered, Pieces, Text};
use crate::models::{Usage, json};

#[derive(Deserialize)]
pub(super) struct Chunk<'a> {
    #[serde(default, borrow)]
    pub(super) id: Text<'a>,
    #[serde(default, borrow)]
    pub(super) model: Text<'a>,
    /// `error` where an error's fields are not wrapped.
    #[serde(default, borrow)]
    pub(super) object: Text<'a>,
    #[serde(default, borrow)]
    pub(super) choices: First<Choice<'a>>,
    // Rare and large: read when they are there, so that ordinary chunks stay small to move.
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
    #[serde(default, borrow)]
    x_groq: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) error: Option<&'a RawValue>,
}

impl Chunk<'_> {
    /// Token counts, wherever they stand.
    pub(super) fn usage(&self) -> Option<Usage> {
        #[derive(Deserialize)]
        struct Groq {
            #[serde(default)]
            usage: Option<Counts>,
        }
        let read = |raw: &RawValue| serde_json::from_str::<Option<Counts>>(raw.get()).ok().flatten();
        let in_choice = || self.choices.0.as_ref().and_then(|choice| choice.usage);
        let in_groq = || serde_json::from_str::<Option<Groq>>(self.x_groq?.get()).ok()??.usage;
        let counts = self.usage.or_else(in_choice).and_then(read).or_else(in_groq)?;
        Some(counts.usage())
    }
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(default)]
    index: Number,
    #[serde(default, borrow)]
    pub(super) delta: Option<Delta<'a>>,
    /// In place of `delta`, or beside it and then the whole text so far.
    #[serde(default, borrow)]
    pub(super) message: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) finish_reason: Text<'a>,
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(default, borrow)]
    pub(super) content: Text<'a>,
    #[serde(default, borrow)]
    pub(super) refusal: Text<'a>,
    #[serde(default, borrow)]
    pub(super) reasoning_content: Text<'a>,
    #[serde(default, borrow)]
    pub(super) reasoning: Text<'a>,
    #[serde(default, borrow)]
    pub(super) reasoning_text: Text<'a>,
    #[serde(default, borrow)]
    pub(super) reasoning_details: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) tool_calls: Pieces<ToolCall<'a>, { super::MAX_TOOL_CALLS }>,
}

/// What is known of one structured piece of thinking; there may be more to it.
#[derive(Deserialize)]
pub(super) struct DetailPiece<'a> {
    #[serde(default, borrow)]
    pub(super) r#type: Text<'a>,
    #[serde(default, borrow)]
    pub(super) text: Text<'a>,
    #[serde(default, borrow)]
    pub(super) summary: Text<'a>,
    #[serde(default, borrow)]
    pub(super) signature: Text<'a>,
    #[serde(default, borrow)]
    pub(super) id: Text<'a>,
    #[serde(default, borrow)]
    pub(super) format: Text<'a>,
    #[serde(default)]
    pub(super) index: Number,
}

#[derive(Deserialize)]
pub(super) struct ToolCall<'a> {
    #[serde(default)]
    pub(super) index: Number,
    #[serde(default, borrow)]
    pub(super) id: Text<'a>,
    #[serde(default, borrow)]
    pub(super) function: Option<Function<'a>>,
    /// Google's signature of a call.
    #[serde(default, borrow)]
    pub(super) extra_content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Function<'a> {
    #[serde(default, borrow)]
    pub(super) name: Text<'a>,
    /// A string with JSON in it, or the JSON itself.
    #[serde(default, borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

impl<'a> Function<'a> {
    pub(super) fn arguments(&self) -> Cow<'a, str> {
        let Some(raw) = self.arguments else { return Cow::Borrowed("") };
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
}

impl Numbered for Choice<'_> {
    fn index(&self) -> u64 {
        self.index.0.unwrap_or(0)
    }
}

/// Token counts under all the names they have.
#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    prompt_tokens: Number,
    #[serde(default)]
    completion_tokens: Number,
    #[serde(default)]
    total_tokens: Number,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    completion_tokens_details: Option<CompletionDetails>,
    #[serde(default)]
    prompt_cache_hit_tokens: Number,
    #[serde(default)]
    cached_tokens: Number,
    #[serde(default)]
    cache_creation_input_tokens: Number,
    #[serde(default)]
    reasoning_tokens: Number,
    #[serde(default)]
    cost: Float,
    /// xAI's: 10^10 of them are one dollar.
    #[serde(default)]
    cost_in_usd_ticks: Float,
}

#[derive(Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Number,
    #[serde(default)]
    cache_write_tokens: Number,
}

#[derive(Deserialize)]
struct CompletionDetails {
    #[serde(default)]
    reasoning_tokens: Number,
}

impl Counts {
    fn usage(&self) -> Usage {
        let prompt = self.prompt_tokens.0.unwrap_or(0);
        let completion = self.completion_tokens.0.unwrap_or(0);
        let details = self.prompt_tokens_details.as_ref();
        let cache_read = details
            .and_then(|details| details.cached_tokens.0)
            .or(self.prompt_cache_hit_tokens.0)
            .or(self.cached_tokens.0)
            .unwrap_or(0);
        let cache_write = details
            .and_then(|details| details.cache_write_tokens.0)
            .or(self.cache_creation_input_tokens.0)
            .unwrap_or(0);
        let reasoning = self
            .completion_tokens_details
            .as_ref()
            .and_then(|details| details.reasoning_tokens.0)
            .or(self.reasoning_tokens.0)
            .unwrap_or(0);
        // Reasoning is a part of the output, but some servers leave it out: then it shows in the total, or it
        // is more than the output that it should be a part of.
        let total = self.total_tokens.0.unwrap_or(0);
        let left_out = total > prompt.saturating_add(completion) || reasoning > completion;
        let output = if left_out { completion.saturating_add(reasoning) } else { completion };
        let ticks = self.cost_in_usd_ticks.0.filter(|ticks| *ticks > 0.0).map(|ticks| ticks / 1e10);
        Usage {
            input: prompt.saturating_sub(cache_read).saturating_sub(cache_write),
            output,
            cache_read,
            cache_write,
            reasoning,
            provider_cost: self.cost.0.or(ticks).filter(|cost| cost.is_finite() && *cost >= 0.0),
        }
    }
}
