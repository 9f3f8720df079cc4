//! The body of a request. Field order is fixed, so that the same request gives the same bytes and caches hit.

use serde::Serialize;

use super::super::openai::Schema;
use super::family::Family;
use super::messages::{self, CachePoint, Turn};
use super::place::Place;
use crate::catalog::{Model, ThinkingLevel};
use crate::models::message::{Block, CacheRetention, Message, Request};
use crate::models::thinking;

/// Tokens that must remain for the answer beside a thinking budget; also the smallest budget that is taken.
const ANSWER_TOKENS: u64 = 1024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<System<'a>>,
    #[serde(skip_serializing_if = "InferenceConfig::is_empty")]
    inference_config: InferenceConfig,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_model_request_fields: Option<Additional<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<OutputConfig<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum System<'a> {
    Text(&'a str),
    CachePoint(CachePoint),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InferenceConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
}

impl InferenceConfig {
    fn is_empty(&self) -> bool {
        self.max_tokens.is_none() && self.temperature.is_none()
    }
}

#[derive(Serialize)]
struct ToolConfig<'a> {
    tools: Vec<Tool<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Tool<'a> {
    ToolSpec(ToolSpec<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolSpec<'a> {
    name: std::borrow::Cow<'a, str>,
    /// An empty one is refused.
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    input_schema: InputSchema<'a>,
}

#[derive(Serialize)]
struct InputSchema<'a> {
    json: Schema<'a>,
}

/// What goes to the model itself, past the API; these are Anthropic's own fields.
#[derive(Serialize)]
struct Additional<'a> {
    thinking: Thinking,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<Effort<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anthropic_beta: Option<[&'static str; 1]>,
}

#[derive(Serialize)]
struct Thinking {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display: Option<&'static str>,
}

#[derive(Serialize)]
struct Effort<'a> {
    effort: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputConfig<'a> {
    text_format: TextFormat<'a>,
}

#[derive(Serialize)]
struct TextFormat<'a> {
    r#type: &'static str,
    structure: Structure<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Structure<'a> {
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'static str,
    /// The text of the schema, as a string.
    schema: &'a str,
}

/// The body that asks `model` for an answer to `request`. `force_cache`: a model that nobody knows caches.
pub(super) fn encode(
    request: &Request,
    model: &Model,
    family: &Family,
    place: &Place,
    force_cache: bool,
) -> Vec<u8> {
    let caches = family.caches.unwrap_or(force_cache);
    let mark = match request.cache {
        CacheRetention::Long if caches && family.long_cache => Some(CachePoint::LONG),
        CacheRetention::Short | CacheRetention::Long if caches => Some(CachePoint::SHORT),
        CacheRetention::None | CacheRetention::Short | CacheRetention::Long => None,
    };
    let thinks = ask_for_thinking(request, model, family, place);
    let prepared = messages::prepared(request, model);
    let limit = request.max_tokens.filter(|limit| *limit > 0);
    // Without a limit of its own a Claude stops after 4096 tokens.
    let limit = limit.or((family.is_claude && model.max_output > 0).then_some(model.max_output));
    let temperature = request.temperature.filter(|temperature| {
        temperature.is_finite() && family.takes_temperature && !(family.is_claude && thinks.is_some())
    });
    let body = Body {
        messages: messages::convert(&prepared, family, mark),
        system: system(request, mark),
        inference_config: InferenceConfig {
            max_tokens: thinks.as_ref().and_then(|thinks| thinks.max_tokens).or(limit),
            temperature: temperature.map(|temperature| temperature.clamp(0.0, 1.0)),
        },
        tool_config: tools(request, &prepared),
        additional_model_request_fields: thinks.map(|thinks| thinks.fields),
        output_config: request.output_schema.as_deref().map(|schema| OutputConfig {
            text_format: TextFormat {
                r#type: "json_schema",
                structure: Structure { json_schema: JsonSchema { name: "answer", schema } },
            },
        }),
    };
    // Strings, numbers and maps with string keys always serialise.
    serde_json::to_vec(&body).unwrap_or_default()
}

fn system(request: &Request, mark: Option<CachePoint>) -> Vec<System<'_>> {
    let text = request.system.as_deref().filter(|text| !text.trim().is_empty());
    let Some(text) = text else { return Vec::new() };
    std::iter::once(System::Text(text)).chain(mark.map(System::CachePoint)).collect()
}

fn tools<'a>(request: &'a Request, prepared: &[Message]) -> Option<ToolConfig<'a>> {
    if request.tools.is_empty() {
        // A history with calls is refused where no tool is declared.
        let stand_in = Tool::ToolSpec(ToolSpec {
            name: "unavailable".into(),
            description: "Stands for the tools used earlier in this conversation, which are gone. Do not call it.",
            input_schema: InputSchema { json: Schema("") },
        });
        return has_tool_history(prepared).then(|| ToolConfig { tools: vec![stand_in] });
    }
    let tool = |spec: &'a crate::models::ToolSpec| {
        Tool::ToolSpec(ToolSpec {
            name: messages::tool_name(&spec.name),
            description: spec.description.trim(),
            input_schema: InputSchema { json: Schema(&spec.parameters) },
        })
    };
    Some(ToolConfig { tools: request.tools.iter().map(tool).collect() })
}

fn has_tool_history(messages: &[Message]) -> bool {
    messages.iter().any(|message| match message {
        Message::ToolResult { .. } => true,
        Message::Assistant(assistant) => {
            assistant.blocks.iter().any(|block| matches!(block, Block::ToolCall { .. }))
        }
        Message::User(_) => false,
    })
}

struct Thinks<'a> {
    fields: Additional<'a>,
    /// The output limit that has room for the budget.
    max_tokens: Option<u64>,
}

/// `None` where the request says nothing of thinking: it is switched off, or the model is not asked that way.
fn ask_for_thinking<'a>(
    request: &Request,
    model: &'a Model,
    family: &Family,
    place: &Place,
) -> Option<Thinks<'a>> {
    let level = request.thinking.filter(|_| model.reasoning && family.is_claude)?;
    let level = model.clamp_thinking(level);
    if level == ThinkingLevel::Off {
        return None;
    }
    // The government's regions do not know this field.
    let display = (!place.is_gov_cloud(&model.id)).then_some("summarized");
    if family.is_adaptive {
        let effort = match thinking::effort(model, level) {
            // No model has an effort of this name.
            "minimal" => "low",
            effort => effort,
        };
        let thinking = Thinking { r#type: "adaptive", budget_tokens: None, display };
        let fields = Additional { thinking, output_config: Some(Effort { effort }), anthropic_beta: None };
        return Some(Thinks { fields, max_tokens: None });
    }
    let (max_tokens, budget) = with_budget(request, model, thinking::budget(level))?;
    let thinking = Thinking { r#type: "enabled", budget_tokens: Some(budget), display };
    let beta = Some(["interleaved-thinking-2025-05-14"]);
    let fields = Additional { thinking, output_config: None, anthropic_beta: beta };
    Some(Thinks { fields, max_tokens: Some(max_tokens) })
}

/// The output limit and the budget within it; `None` where there is no room to think.
fn with_budget(request: &Request, model: &Model, budget: u64) -> Option<(u64, u64)> {
    let asked = request.max_tokens.filter(|limit| *limit > 0).unwrap_or(model.max_output);
    let most = model.max_output.max(asked).min(request.room(model));
    // A small limit is meant for what is said, so the thinking comes on top of it.
    let limit = if asked < budget.saturating_add(ANSWER_TOKENS) {
        asked.saturating_add(budget).min(most).max(asked)
    } else {
        asked
    };
    let budget = budget.min(limit.saturating_sub(ANSWER_TOKENS));
    (budget >= ANSWER_TOKENS).then_some((limit, budget))
}
