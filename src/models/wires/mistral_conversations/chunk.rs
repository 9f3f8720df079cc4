//! One event of an answer as it stands on the wire, borrowed from the event's text.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::models::wires::lax::{First, Number, Numbered, Pieces, Text};
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
    #[serde(default, borrow)]
    usage: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) error: Option<&'a RawValue>,
}

impl Chunk<'_> {
    /// Token counts so far.
    pub(super) fn usage(&self) -> Option<Usage> {
        let counts = serde_json::from_str::<Counts>(self.usage?.get()).ok()?;
        let prompt = counts.prompt_tokens.0.unwrap_or(0);
        let details = [counts.prompt_tokens_details, counts.prompt_token_details];
        let cached = details
            .into_iter()
            .flatten()
            .find_map(|details| details.cached_tokens.0)
            .or(counts.num_cached_tokens.0)
            .or(counts.cached_tokens.0)
            .unwrap_or(0)
            .min(prompt);
        Some(Usage {
            input: prompt - cached,
            output: counts.completion_tokens.0.unwrap_or(0),
            cache_read: cached,
            ..Usage::default()
        })
    }
}

#[derive(Deserialize)]
struct Counts {
    #[serde(default)]
    prompt_tokens: Number,
    #[serde(default)]
    completion_tokens: Number,
    #[serde(default)]
    prompt_tokens_details: Option<Details>,
    #[serde(default)]
    prompt_token_details: Option<Details>,
    #[serde(default)]
    num_cached_tokens: Number,
    #[serde(default)]
    cached_tokens: Number,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    cached_tokens: Number,
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    #[serde(default)]
    index: Number,
    #[serde(default, borrow)]
    pub(super) delta: Option<Delta<'a>>,
    #[serde(default, borrow)]
    pub(super) finish_reason: Text<'a>,
}

#[derive(Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(default, borrow)]
    pub(super) content: Content<'a>,
    #[serde(default, borrow)]
    pub(super) tool_calls: Pieces<ToolCall<'a>, { super::MAX_TOOL_CALLS }>,
}

#[derive(Deserialize)]
pub(super) struct ToolCall<'a> {
    #[serde(default)]
    pub(super) index: Number,
    #[serde(default, borrow)]
    id: Text<'a>,
    #[serde(default, borrow)]
    pub(super) function: Option<Function<'a>>,
}

impl ToolCall<'_> {
    /// Empty where there is none.
    pub(super) fn id(&self) -> &str {
        // What the API's own description has as a default.
        if self.id.0 == "null" { "" } else { &self.id.0 }
    }
}

#[derive(Deserialize)]
pub(super) struct Function<'a> {
    #[serde(default, borrow)]
    pub(super) name: Text<'a>,
    /// A string with JSON in it, or the JSON itself.
    #[serde(default, borrow)]
    arguments: Option<&'a RawValue>,
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

/// A piece of what is said.
pub(super) enum Piece<'a> {
    Text(Cow<'a, str>),
    Thought { text: Cow<'a, str>, signature: Cow<'a, str> },
}

/// What is said: one string, or a list of chunks and strings.
#[derive(Default)]
pub(super) enum Content<'a> {
    #[default]
    Nothing,
    Text(Cow<'a, str>),
    Pieces(Vec<Piece<'a>>),
}

#[derive(Deserialize)]
struct ContentChunk<'a> {
    #[serde(default, borrow)]
    text: Text<'a>,
    #[serde(default, borrow)]
    thinking: Thoughts<'a>,
    #[serde(default, borrow)]
    signature: Text<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ContentVisitor<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for ContentVisitor<'a> {
            type Value = Content<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of chunks")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Content<'a>, E> {
                Ok(Content::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Content<'a>, E> {
                Ok(Content::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_unit<E: Error>(self) -> Result<Content<'a>, E> {
                Ok(Content::Nothing)
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<Content<'a>, E> {
                Ok(Content::Nothing)
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<Content<'a>, E> {
                Ok(Content::Nothing)
            }
            fn visit_u64<E: Error>(self, _: u64) -> Result<Content<'a>, E> {
                Ok(Content::Nothing)
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<Content<'a>, E> {
                Ok(Content::Nothing)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content<'a>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Content::Nothing)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content<'a>, A::Error> {
                let mut pieces = Vec::new();
                while let Some(raw) = seq.next_element::<&'de RawValue>()? {
                    read_chunk(raw, &mut pieces);
                }
                Ok(Content::Pieces(pieces))
            }
        }
        deserializer.deserialize_any(ContentVisitor(PhantomData))
    }
}

/// What a chunk says; references, pictures and the like are passed over.
fn read_chunk<'a>(raw: &'a RawValue, out: &mut Vec<Piece<'a>>) {
    let mut say = |text: Cow<'a, str>| {
        if !text.is_empty() {
            out.push(Piece::Text(text));
        }
    };
    match raw.get().as_bytes().first() {
        Some(b'"') => {
            if let Ok(text) = serde_json::from_str::<Text<'a>>(raw.get()) {
                say(text.0);
            }
        }
        Some(b'{') => {
            if let Ok(chunk) = serde_json::from_str::<ContentChunk<'a>>(raw.get()) {
                say(chunk.text.0);
                let (text, signature) = (chunk.thinking.0, chunk.signature.0);
                if !text.is_empty() || !signature.is_empty() {
                    out.push(Piece::Thought { text, signature });
                }
            }
        }
        _ => {}
    }
}

/// The texts of a thought's chunks.
#[derive(Default)]
struct Thoughts<'a>(Cow<'a, str>);

#[derive(Deserialize)]
struct ThoughtChunk<'a> {
    #[serde(default, borrow)]
    text: Text<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Thoughts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        let mut all = Cow::Borrowed("");
        if raw.starts_with('"') {
            all = serde_json::from_str::<Text<'a>>(raw).map_err(D::Error::custom)?.0;
        } else if raw.starts_with('[') {
            for chunk in serde_json::from_str::<Vec<&'de RawValue>>(raw).map_err(D::Error::custom)? {
                let text = match chunk.get().as_bytes().first() {
                    Some(b'"') => serde_json::from_str::<Text<'a>>(chunk.get()).ok(),
                    Some(b'{') => {
                        serde_json::from_str::<ThoughtChunk<'a>>(chunk.get()).ok().map(|chunk| chunk.text)
                    }
                    _ => None,
                };
                all += text.unwrap_or_default().0;
            }
        }
        Ok(Self(all))
    }
}

impl Numbered for Choice<'_> {
    fn index(&self) -> u64 {
        self.index.0.unwrap_or(0)
    }
}
