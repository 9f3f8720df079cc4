//! One event of an answer as it stands on the wire, borrowed from the event's text.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::models::Usage;
use crate::models::wires::lax::{First, Number, Numbered, Text};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Chunk<'a> {
    #[serde(default, borrow)]
    pub(super) response_id: Text<'a>,
    #[serde(default, borrow)]
    pub(super) model_version: Text<'a>,
    #[serde(default, borrow)]
    pub(super) candidates: First<Candidate<'a>>,
    #[serde(default, borrow)]
    usage_metadata: Option<&'a RawValue>,
    #[serde(default, borrow)]
    prompt_feedback: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) error: Option<&'a RawValue>,
}

impl<'a> Chunk<'a> {
    /// Token counts so far.
    pub(super) fn usage(&self) -> Option<Usage> {
        let counts = serde_json::from_str::<Counts>(self.usage_metadata?.get()).ok()?;
        let thoughts = counts.thoughts.0.unwrap_or(0);
        let cached = counts.cached.0.unwrap_or(0);
        Some(Usage {
            input: counts.prompt.0.unwrap_or(0).saturating_sub(cached),
            output: counts.candidates.0.unwrap_or(0).saturating_add(thoughts),
            cache_read: cached,
            cache_write: 0,
            reasoning: thoughts,
            provider_cost: None,
        })
    }

    /// Why the prompt was not answered at all, and what is said about it.
    pub(super) fn blocked(&self) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
        let feedback = serde_json::from_str::<Feedback<'a>>(self.prompt_feedback?.get()).ok()?;
        let reason = feedback.block_reason.0;
        (!reason.is_empty()).then_some((reason, feedback.block_reason_message.0))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Feedback<'a> {
    #[serde(default, borrow)]
    block_reason: Text<'a>,
    #[serde(default, borrow)]
    block_reason_message: Text<'a>,
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default, rename = "promptTokenCount")]
    prompt: Number,
    #[serde(default, rename = "candidatesTokenCount")]
    candidates: Number,
    #[serde(default, rename = "thoughtsTokenCount")]
    thoughts: Number,
    #[serde(default, rename = "cachedContentTokenCount")]
    cached: Number,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    #[serde(default)]
    index: Number,
    #[serde(default, borrow)]
    pub(super) content: Option<Content<'a>>,
    #[serde(default, borrow)]
    pub(super) finish_reason: Text<'a>,
    #[serde(default, borrow)]
    pub(super) finish_message: Text<'a>,
}

#[derive(Deserialize)]
pub(super) struct Content<'a> {
    #[serde(default, borrow)]
    pub(super) parts: Parts<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(default, borrow)]
    pub(super) text: Option<Text<'a>>,
    #[serde(default)]
    pub(super) thought: Flag,
    #[serde(default, borrow)]
    pub(super) thought_signature: Text<'a>,
    #[serde(default, borrow)]
    pub(super) function_call: Option<&'a RawValue>,
    // What the provider's own tools did, which is neither asked for nor shown.
    #[serde(default)]
    executable_code: Option<IgnoredAny>,
    #[serde(default)]
    code_execution_result: Option<IgnoredAny>,
    #[serde(default)]
    inline_data: Option<IgnoredAny>,
    #[serde(default)]
    file_data: Option<IgnoredAny>,
    #[serde(default)]
    tool_call: Option<IgnoredAny>,
    #[serde(default)]
    tool_response: Option<IgnoredAny>,
}

impl Part<'_> {
    /// Whether it holds something that is passed over.
    pub(super) fn is_other(&self) -> bool {
        let others = [
            self.executable_code,
            self.code_execution_result,
            self.inline_data,
            self.file_data,
            self.tool_call,
            self.tool_response,
        ];
        others.iter().any(Option::is_some)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FunctionCall<'a> {
    #[serde(default, borrow)]
    pub(super) id: Text<'a>,
    #[serde(default, borrow)]
    pub(super) name: Text<'a>,
    #[serde(default, borrow)]
    pub(super) args: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) partial_args: Option<Vec<PartialArg<'a>>>,
    #[serde(default)]
    pub(super) will_continue: Flag,
}

/// A piece of one argument.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartialArg<'a> {
    #[serde(default, borrow)]
    pub(super) json_path: Text<'a>,
    #[serde(default, borrow)]
    pub(super) string_value: Option<Text<'a>>,
    #[serde(default, borrow)]
    pub(super) number_value: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) bool_value: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) null_value: Option<IgnoredAny>,
}

/// `true`, or anything else.
#[derive(Clone, Copy, Default)]
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(raw.get() == "true"))
    }
}

impl Numbered for Candidate<'_> {
    fn index(&self) -> u64 {
        self.index.0.unwrap_or(0)
    }
}

/// Parts that say something: a list of nothing cannot fill the memory.
#[derive(Default)]
pub(super) struct Parts<'a>(pub(super) Vec<Part<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Parts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartsVisitor<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for PartsVisitor<'a> {
            type Value = Parts<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of parts")
            }
            fn visit_unit<E>(self) -> Result<Parts<'a>, E> {
                Ok(Parts::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Parts<'a>, A::Error> {
                let mut parts = Vec::new();
                while let Some(part) = seq.next_element::<Option<Part<'a>>>()? {
                    let says = |part: &Part<'_>| {
                        part.text.as_ref().is_some_and(|text| !text.0.is_empty())
                            || part.function_call.is_some()
                            || part.is_other()
                            || !part.thought_signature.0.is_empty()
                    };
                    parts.extend(part.filter(says));
                }
                Ok(Parts(parts))
            }
        }
        deserializer.deserialize_any(PartsVisitor(PhantomData))
    }
}
