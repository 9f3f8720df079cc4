//! One event of an answer as it stands on the wire, borrowed from the event's text.
//!
//! What comes with every piece of text is read at once; what comes once per block or answer is kept as it is
//! written until it is asked for, so that ordinary events stay small to move.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::stream::MAX_BLOCKS;
use crate::models::fault::clean;
use crate::models::wires::lax::{Float, Number, Text};
use crate::models::{Usage, json};

#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(default, borrow)]
    pub(super) r#type: Text<'a>,
    #[serde(default)]
    pub(super) index: Number,
    #[serde(default, borrow)]
    pub(super) delta: Option<Piece<'a>>,
    #[serde(default, borrow)]
    content_block: Option<&'a RawValue>,
    #[serde(default, borrow)]
    message: Option<&'a RawValue>,
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) error: Option<&'a RawValue>,
}

impl<'a> Event<'a> {
    /// The block that begins.
    pub(super) fn block(&self) -> Option<Block<'a>> {
        serde_json::from_str(self.content_block?.get()).ok()
    }

    /// The message that begins.
    pub(super) fn message(&self) -> Option<Message<'a>> {
        serde_json::from_str(self.message?.get()).ok()
    }

    /// Token counts so far.
    pub(super) fn counts(&self) -> Option<Counts> {
        counts(self.usage)
    }

    /// Whether it says that something went wrong.
    pub(super) fn has_error(&self) -> bool {
        self.error.is_some_and(|error| !matches!(error.get(), "null" | "false" | "\"\"" | "{}" | "[]"))
    }
}

/// The kind of an event of whatever shape; `None` where it is no JSON or does not say.
pub(super) fn kind(data: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Bare<'a> {
        #[serde(default, borrow)]
        r#type: Text<'a>,
    }
    let Bare { r#type } = serde_json::from_str(data).ok()?;
    (!r#type.0.is_empty()).then_some(r#type.0)
}

/// More of a block, or the end of the message.
#[derive(Deserialize)]
pub(super) struct Piece<'a> {
    #[serde(default, borrow)]
    pub(super) r#type: Text<'a>,
    #[serde(default, borrow)]
    pub(super) text: Text<'a>,
    #[serde(default, borrow)]
    pub(super) thinking: Text<'a>,
    #[serde(default, borrow)]
    pub(super) partial_json: Text<'a>,
    #[serde(default, borrow)]
    pub(super) signature: Text<'a>,
    #[serde(default, borrow)]
    pub(super) stop_reason: Text<'a>,
    #[serde(default, borrow)]
    stop_details: Option<&'a RawValue>,
}

impl Piece<'_> {
    /// Why the model declined, in the provider's words, cleaned; empty where it says nothing.
    pub(super) fn explanation(&self) -> String {
        explanation(self.stop_details)
    }
}

/// A block as it begins; some servers put all of it there.
#[derive(Deserialize)]
pub(super) struct Block<'a> {
    #[serde(default, borrow)]
    pub(super) r#type: Text<'a>,
    #[serde(default, borrow)]
    pub(super) text: Text<'a>,
    #[serde(default, borrow)]
    pub(super) thinking: Text<'a>,
    #[serde(default, borrow)]
    pub(super) signature: Text<'a>,
    #[serde(default, borrow)]
    pub(super) data: Text<'a>,
    #[serde(default, borrow)]
    pub(super) id: Text<'a>,
    #[serde(default, borrow)]
    pub(super) name: Text<'a>,
    #[serde(default, borrow)]
    input: Option<&'a RawValue>,
    #[serde(default, borrow)]
    to: Option<&'a RawValue>,
}

impl<'a> Block<'a> {
    /// The arguments of a call that came whole; `None` where they are empty, as they are where they follow.
    pub(super) fn input(&self) -> Option<&'a str> {
        let input = self.input?.get();
        let is_empty = input.bytes().all(|byte| matches!(byte, b'{' | b'}') || byte.is_ascii_whitespace());
        (input.starts_with('{') && !is_empty).then_some(input)
    }

    /// The model that goes on.
    pub(super) fn to_model(&self) -> Option<Text<'a>> {
        #[derive(Deserialize)]
        struct To<'a> {
            #[serde(default, borrow)]
            model: Text<'a>,
        }
        let to: To<'a> = serde_json::from_str(self.to?.get()).ok()?;
        (!to.model.0.is_empty()).then_some(to.model)
    }
}

/// A message as it begins; some servers put all of it there.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(default, borrow)]
    pub(super) id: Text<'a>,
    #[serde(default, borrow)]
    pub(super) model: Text<'a>,
    #[serde(default, borrow)]
    pub(super) content: Blocks<'a>,
    #[serde(default, borrow)]
    pub(super) stop_reason: Text<'a>,
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
}

impl Message<'_> {
    pub(super) fn counts(&self) -> Option<Counts> {
        counts(self.usage)
    }
}

/// Blocks: one more than an answer may have at most, so that a list of nothing cannot fill the memory.
#[derive(Default)]
pub(super) struct Blocks<'a>(pub(super) Vec<Block<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Blocks<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BlocksVisitor<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for BlocksVisitor<'a> {
            type Value = Blocks<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of blocks")
            }
            fn visit_unit<E: serde::de::Error>(self) -> Result<Blocks<'a>, E> {
                Ok(Blocks::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Blocks<'a>, A::Error> {
                let mut blocks = Vec::new();
                while let Some(block) = seq.next_element::<Option<Block<'a>>>()? {
                    blocks.extend(block);
                    if blocks.len() > MAX_BLOCKS {
                        while seq.next_element::<IgnoredAny>()?.is_some() {}
                    }
                }
                Ok(Blocks(blocks))
            }
        }
        deserializer.deserialize_any(BlocksVisitor(PhantomData))
    }
}

/// Token counts; what an event does not tell holds as it was told before.
#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct Counts {
    #[serde(default)]
    input_tokens: Number,
    #[serde(default)]
    output_tokens: Number,
    #[serde(default)]
    cache_read_input_tokens: Number,
    #[serde(default)]
    cache_creation_input_tokens: Number,
    #[serde(default)]
    cache_creation: Option<Creation>,
    #[serde(default)]
    output_tokens_details: Option<Details>,
    #[serde(default)]
    cost: Float,
}

#[derive(Clone, Copy, Deserialize)]
struct Creation {
    #[serde(default)]
    ephemeral_1h_input_tokens: Number,
}

#[derive(Clone, Copy, Deserialize)]
struct Details {
    #[serde(default)]
    thinking_tokens: Number,
}

impl Counts {
    /// Lays what is told here over `usage`, and over the part of the cache's writes that are kept for an hour.
    pub(super) fn lay_over(&self, usage: &mut Usage, long_writes: &mut u64) {
        let lay = |told: Number, count: &mut u64| *count = told.0.unwrap_or(*count);
        lay(self.input_tokens, &mut usage.input);
        lay(self.output_tokens, &mut usage.output);
        lay(self.cache_read_input_tokens, &mut usage.cache_read);
        lay(self.cache_creation_input_tokens, &mut usage.cache_write);
        if let Some(creation) = self.cache_creation {
            lay(creation.ephemeral_1h_input_tokens, long_writes);
        }
        if let Some(details) = self.output_tokens_details {
            lay(details.thinking_tokens, &mut usage.reasoning);
        }
        *long_writes = usage.cache_write.min(*long_writes);
        usage.reasoning = usage.reasoning.min(usage.output);
        if let Some(cost) = self.cost.0.filter(|cost| cost.is_finite() && *cost >= 0.0) {
            usage.provider_cost = Some(cost);
        }
    }
}

fn counts(raw: Option<&RawValue>) -> Option<Counts> {
    serde_json::from_str::<Option<Counts>>(raw?.get()).ok()?
}

fn explanation(raw: Option<&RawValue>) -> String {
    #[derive(Deserialize)]
    struct Details<'a> {
        #[serde(default, borrow)]
        explanation: Text<'a>,
        #[serde(default, borrow)]
        recommended_model: Text<'a>,
    }
    let details = raw.and_then(|raw| serde_json::from_str::<Option<Details<'_>>>(raw.get()).ok()?);
    let Some(details) = details else { return String::new() };
    let (why, instead) = (clean(&details.explanation.0), clean(&details.recommended_model.0));
    match (why.is_empty(), instead.is_empty()) {
        (_, true) => why,
        (false, false) => format!("{}; it recommends {instead}", why.trim_end_matches('.')),
        (true, false) => format!("it recommends {instead}"),
    }
}

/// The exact code of an error, where its body has one.
pub(super) fn error_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        error: Error<'a>,
    }
    #[derive(Deserialize)]
    struct Error<'a> {
        #[serde(borrow)]
        details: Details<'a>,
    }
    #[derive(Deserialize)]
    struct Details<'a> {
        #[serde(borrow)]
        error_code: Text<'a>,
    }
    let body = String::from_utf8_lossy(body);
    let body = json::repair(&body);
    let Body { error } = serde_json::from_str::<Body<'_>>(&body).ok()?;
    let code = &error.details.error_code.0;
    let is_name = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    (is_name && (1..=100).contains(&code.len())).then(|| code.to_string())
}
