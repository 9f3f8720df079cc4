//! The body of a request. Field order is fixed, so that the same request gives the same bytes and the provider's
//! cache hits.

use serde::Serialize;
use serde_json::Value;

use super::messages::{self, ChatMessage};
use crate::catalog::{Model, ThinkingLevel};
use crate::models::message::{Request, ToolSpec};
use crate::models::thinking::{self, Mapped};
use crate::models::wires::openai::{self, Schema};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<ChatMessage<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_mode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'a str>,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: Schema<'a>,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    r#type: &'static str,
    json_schema: NamedSchema<'a>,
}

#[derive(Serialize)]
struct NamedSchema<'a> {
    name: &'static str,
    schema: Schema<'a>,
}

/// The body that asks `model` for an answer to `request`.
pub(super) fn encode(request: &Request, model: &Model) -> Vec<u8> {
    let prepared = messages::prepared(request, model);
    let asked = ask_for_thinking(request.thinking, model);
    let body = Body {
        model: &model.id,
        messages: messages::convert(request.system.as_deref(), &prepared),
        stream: true,
        prompt_cache_key: openai::cache_key(request),
        max_tokens: request.max_tokens.filter(|limit| *limit > 0),
        temperature: request.temperature.filter(|temperature| temperature.is_finite()),
        tools: request.tools.iter().map(tool).collect(),
        response_format: request.output_schema.as_deref().map(|schema| ResponseFormat {
            r#type: "json_schema",
            json_schema: NamedSchema { name: "answer", schema: Schema(schema) },
        }),
        prompt_mode: matches!(asked, Asked::Mode).then_some("reasoning"),
        reasoning_effort: match asked {
            Asked::Effort(effort) => Some(effort),
            Asked::Nothing | Asked::Mode => None,
        },
    };
    // Strings, numbers and maps with string keys always serialise.
    let bytes = serde_json::to_vec(&body).unwrap_or_default();
    match model.compat.get("samplingParams").and_then(Value::as_object) {
        Some(sampling) => openai::with_sampling(bytes, sampling),
        None => bytes,
    }
}

fn tool(spec: &ToolSpec) -> Tool<'_> {
    Tool {
        r#type: "function",
        function: Function {
            name: &spec.name,
            description: &spec.description,
            parameters: Schema(&spec.parameters),
        },
    }
}

/// How thinking is asked for.
enum Asked<'a> {
    Nothing,
    /// The older way: the prompt of a model that always thinks.
    Mode,
    Effort(&'a str),
}

fn ask_for_thinking(level: Option<ThinkingLevel>, model: &Model) -> Asked<'_> {
    let Some(asked) = level.filter(|_| model.reasoning) else { return Asked::Nothing };
    let level = if asked == ThinkingLevel::Off { asked } else { model.clamp_thinking(asked) };
    match (goes_by_effort(model), level, thinking::mapped(model, level)) {
        (true, _, Mapped::Value(effort)) => Asked::Effort(effort),
        (_, ThinkingLevel::Off, _) => Asked::Nothing,
        // The models know only this one and none.
        (true, ..) => Asked::Effort("high"),
        (false, ..) => Asked::Mode,
    }
}

/// Whether a model is told how much to think: as its data has it, else by its name.
fn goes_by_effort(model: &Model) -> bool {
    if let Some(said) = model.compat.get("supportsReasoningEffort").and_then(Value::as_bool) {
        return said;
    }
    let id = &*model.id;
    model.thinking.0.iter().any(|(_, value)| value.is_some())
        || id.starts_with("mistral-medium-")
        || id.starts_with("zai-glm-")
        || matches!(id, "mistral-small-2603" | "mistral-small-latest")
}
