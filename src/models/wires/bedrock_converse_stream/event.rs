//! The payloads of an answer's events, as far as they matter here. Nothing in them is copied that need not be,
//! and a field of a strange type is taken for one that is not there.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::lax::{Number, Text};
use crate::models::{Usage, json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockStart<'a> {
    #[serde(default)]
    pub(super) content_block_index: Number,
    #[serde(default, borrow)]
    pub(super) start: Option<Start<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start<'a> {
    #[serde(default, borrow)]
    pub(super) tool_use: Option<ToolStart<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolStart<'a> {
    #[serde(default, borrow)]
    pub(super) tool_use_id: Text<'a>,
    #[serde(default, borrow)]
    pub(super) name: Text<'a>,
    /// Says where a call is the provider's own business.
    #[serde(default, borrow)]
    pub(super) r#type: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockDelta<'a> {
    #[serde(default)]
    pub(super) content_block_index: Number,
    #[serde(default, borrow)]
    pub(super) delta: Option<Piece<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Piece<'a> {
    #[serde(default, borrow)]
    pub(super) text: Text<'a>,
    #[serde(default, borrow)]
    pub(super) tool_use: Option<ToolInput<'a>>,
    #[serde(default, borrow)]
    pub(super) reasoning_content: Option<Reasoning<'a>>,
}

#[derive(Deserialize)]
pub(super) struct ToolInput<'a> {
    #[serde(default, borrow)]
    pub(super) input: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reasoning<'a> {
    #[serde(default, borrow)]
    pub(super) text: Text<'a>,
    #[serde(default, borrow)]
    pub(super) signature: Text<'a>,
    #[serde(default, borrow)]
    pub(super) redacted_content: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlockStop {
    #[serde(default)]
    pub(super) content_block_index: Number,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageStop<'a> {
    #[serde(default, borrow)]
    pub(super) stop_reason: Text<'a>,
}

#[derive(Deserialize)]
pub(super) struct Metadata<'a> {
    #[serde(default, borrow)]
    pub(super) usage: Option<Counts<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts<'a> {
    #[serde(default)]
    input_tokens: Number,
    #[serde(default)]
    output_tokens: Number,
    #[serde(default)]
    cache_read_input_tokens: Number,
    #[serde(default)]
    cache_write_input_tokens: Number,
    #[serde(default, borrow)]
    cache_details: Option<&'a RawValue>,
}

/// What was written to the cache, by how long it is kept.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CacheDetail<'a> {
    #[serde(default, borrow)]
    ttl: Text<'a>,
    #[serde(default)]
    input_tokens: Number,
}

impl Counts<'_> {
    /// The API's input excludes what was cached, as ours does.
    pub(super) fn usage(&self) -> Usage {
        let count = |number: Number| number.0.unwrap_or(0);
        Usage {
            input: count(self.input_tokens),
            output: count(self.output_tokens),
            cache_read: count(self.cache_read_input_tokens),
            cache_write: count(self.cache_write_input_tokens),
            ..Usage::default()
        }
    }

    /// The part of what was written to the cache that is kept for an hour, which costs more.
    pub(super) fn long_writes(&self) -> u64 {
        let details = self.cache_details.and_then(|raw| serde_json::from_str::<Vec<CacheDetail<'_>>>(raw.get()).ok());
        let long = details.into_iter().flatten().filter(|detail| detail.ttl.0 == "1h");
        long.fold(0, |sum, detail| sum.saturating_add(detail.input_tokens.0.unwrap_or(0)))
    }
}

/// What an error says, in an answer's body or within an answer.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Complaint {
    /// The error's type, where the body names it.
    pub(super) name: String,
    pub(super) text: String,
    /// The status that the model itself answered with.
    pub(super) status: Option<u16>,
}

impl Complaint {
    /// Text that is no JSON is taken as it is.
    pub(super) fn of(body: &str) -> Self {
        let Ok(value) = serde_json::from_str::<Value>(&json::repair(body.trim())) else {
            return Self { text: body.to_owned(), ..Self::default() };
        };
        let word = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let text = ["message", "Message", "errorMessage"].into_iter().find_map(word);
        let mut text = text.map_or(Cow::Borrowed(""), Cow::Borrowed);
        // What the model's own server said, where the API's words are others.
        if let Some(original) = word("originalMessage").filter(|original| !text.contains(original)) {
            text = if text.is_empty() {
                original.into()
            } else {
                format!("{}: {original}", text.trim_end_matches('.')).into()
            };
        }
        let name = word("__type").map(short).unwrap_or_default();
        if text.is_empty() && name.is_empty() && value.get("message").is_none() {
            text = body.into();
        }
        let status = value.get("originalStatusCode").and_then(Value::as_u64);
        let status = status.and_then(|status| u16::try_from(status).ok());
        Self {
            name: name.to_owned(),
            text: text.into_owned(),
            status: status.filter(|status| (400..600).contains(status)),
        }
    }
}

/// An error's type without what stands around it: `aws.x#Name:http://y` is `Name`.
pub(super) fn short(name: &str) -> &str {
    let name = name.rsplit('#').next().unwrap_or(name);
    name.split(':').next().unwrap_or(name).trim()
}
