//! The body of a request. Field order is fixed, so that the same request gives the same bytes and provider
//! caches hit.

use serde::Serialize;
use serde_json::Value;

use super::compat::Compat;
use super::input::{self, Item};
use crate::catalog::{Model, ThinkingLevel};
use crate::models::message::{CacheRetention, Request};
use crate::models::thinking::{self, Mapped};
use crate::models::wires::openai::{self, Schema};

/// Fewer tokens of output are refused.
const MIN_OUTPUT: u64 = 16;
const ENCRYPTED: &str = "reasoning.encrypted_content";
/// Instructions must not be empty.
const INSTRUCTIONS: &str = "You are a helpful assistant.";

/// Whose Responses API it is: the three differ in what they want and refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::models::wires) enum Dialect {
    OpenAi,
    Azure,
    /// That of subscriptions.
    Codex,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'a str>,
    input: Vec<Item<'a>>,
    stream: bool,
    store: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_retention: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_options: Option<CacheOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<TextOptions<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    include: Option<[&'static str; 1]>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum CacheOptions {
    Mode(&'static str),
    Ttl(&'static str),
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    name: &'a str,
    description: &'a str,
    parameters: Schema<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<Value>,
}

#[derive(Serialize)]
struct TextOptions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
}

#[derive(Serialize)]
struct Format<'a> {
    r#type: &'static str,
    name: &'static str,
    schema: Schema<'a>,
}

#[derive(Serialize)]
struct Reasoning<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'static str>,
}

/// The body that asks `model` for an answer to `request`. `name` is what the server calls the model.
pub(in crate::models::wires) fn encode(request: &Request, model: &Model, name: &str, dialect: Dialect) -> Vec<u8> {
    let compat = Compat::of(model);
    let prepared = input::prepared(request, model);
    let is_codex = dialect == Dialect::Codex;
    let system = request.system.as_deref().filter(|text| !text.trim().is_empty());
    let (retention, options) = match dialect {
        Dialect::OpenAi => caching(request.cache, &compat),
        Dialect::Azure | Dialect::Codex => (None, None),
    };
    let verbosity = is_codex.then_some("low");
    let format = request.output_schema.as_deref().map(|schema| Format {
        r#type: "json_schema",
        name: "answer",
        schema: Schema(schema),
    });
    let reasoning = ask_for_thinking(request, model, &compat);
    // A model that cannot be kept from thinking thinks all the same.
    let thinks = model.reasoning && (request.thinking != Some(ThinkingLevel::Off) || reasoning.is_none());
    let body = Body {
        model: name,
        instructions: is_codex.then_some(system.unwrap_or(INSTRUCTIONS)),
        input: input::convert(system.filter(|_| !is_codex), &prepared, model, &compat),
        stream: true,
        store: false,
        prompt_cache_key: openai::cache_key(request),
        prompt_cache_retention: retention,
        prompt_cache_options: options,
        max_output_tokens: request
            .max_tokens
            .filter(|limit| *limit > 0 && compat.max_output_tokens && !is_codex)
            .map(|limit| limit.max(MIN_OUTPUT)),
        temperature: request.temperature.filter(|temperature| temperature.is_finite()),
        // The others take it from the free fields.
        service_tier: compat.service_tier().filter(|_| is_codex),
        tools: tools(request, &compat, dialect),
        tool_choice: is_codex.then_some("auto"),
        parallel_tool_calls: is_codex.then_some(true),
        text: (verbosity.is_some() || format.is_some()).then_some(TextOptions { verbosity, format }),
        reasoning,
        // Nothing is stored, so that thinking has to come here to be sent back.
        include: (thinks || is_codex || &*model.provider == "xai").then_some([ENCRYPTED]),
    };
    // Strings, numbers and maps with string keys always serialise.
    let bytes = serde_json::to_vec(&body).unwrap_or_default();
    match compat.sampling {
        Some(sampling) if !is_codex => openai::with_sampling(bytes, sampling),
        _ => bytes,
    }
}

fn caching(cache: CacheRetention, compat: &Compat<'_>) -> (Option<&'static str>, Option<CacheOptions>) {
    match cache {
        CacheRetention::None if compat.explicit_cache => (None, Some(CacheOptions::Mode("explicit"))),
        CacheRetention::Long if compat.long_cache && compat.cache_options => {
            (None, Some(CacheOptions::Ttl("30m")))
        }
        CacheRetention::Long if compat.long_cache => (Some("24h"), None),
        CacheRetention::None | CacheRetention::Short | CacheRetention::Long => (None, None),
    }
}

fn tools<'a>(request: &'a Request, compat: &Compat<'_>, dialect: Dialect) -> Vec<Tool<'a>> {
    let strict = match dialect {
        Dialect::Codex => Some(Value::Null),
        // Left out it would mean yes.
        Dialect::OpenAi | Dialect::Azure => compat.strict.then_some(Value::Bool(false)),
    };
    let tool = |spec: &'a crate::models::ToolSpec| Tool {
        r#type: "function",
        name: &spec.name,
        description: &spec.description,
        parameters: Schema(&spec.parameters),
        strict: strict.clone(),
    };
    request.tools.iter().map(tool).collect()
}

fn ask_for_thinking<'a>(request: &Request, model: &'a Model, compat: &Compat<'_>) -> Option<Reasoning<'a>> {
    let level = request.thinking.filter(|_| model.reasoning && compat.reasoning_effort)?;
    if level == ThinkingLevel::Off {
        // Where thinking cannot be switched off, the provider's default is as near as it gets.
        let effort = match thinking::mapped(model, ThinkingLevel::Off) {
            Mapped::Unsupported => return None,
            _ if &*model.provider == "github-copilot" => return None,
            Mapped::Value(value) => value,
            Mapped::Unnamed => "none",
        };
        return Some(Reasoning { effort: Some(effort), summary: None });
    }
    let level = model.clamp_thinking(level);
    Some(Reasoning { effort: Some(thinking::effort(model, level)), summary: Some("auto") })
}
