//! The body of a request. Field order is fixed, so that the same request gives the same bytes and provider
//! caches hit.

use serde::Serialize;
use serde::ser::Serializer;
use serde_json::{Map, Value};

use super::compat::{Compat, MaxTokens, ThinkingFormat};
use super::messages::{self, CacheControl, ChatMessage};
use crate::catalog::{Model, ThinkingLevel};
use crate::models::message::{Block, CacheRetention, Message, Request};
use crate::models::thinking::{self, Mapped};
use crate::models::wires::openai::{self, Schema};

/// Tokens that must remain for the answer beside a thinking budget.
const ANSWER_TOKENS: u64 = 1024;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<ChatMessage<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_retention: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<Tool<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a Map<String, Value>>,
    #[serde(rename = "providerOptions", skip_serializing_if = "Option::is_none")]
    provider_options: Option<Gateway<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<i64>,
    #[serde(flatten)]
    thinking: Thinking<'a>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Gateway<'a> {
    gateway: &'a Map<String, Value>,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: Function<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: Schema<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
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

/// Whatever asks for thinking, or forbids it.
#[derive(Default)]
struct Thinking<'a>(Vec<(&'a str, Value)>);

impl Serialize for Thinking<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl<'a> Thinking<'a> {
    fn set(&mut self, name: &'a str, value: impl Into<Value>) {
        self.0.push((name, value.into()));
    }
}

/// The body that asks `model` for an answer to `request`.
pub(super) fn encode(request: &Request, model: &Model, compat: &Compat<'_>) -> Vec<u8> {
    let marker = cache_marker(request, compat);
    let prepared = messages::prepared(request, model);
    let long = request.cache == CacheRetention::Long && compat.long_cache;
    let keyed =
        long || (request.cache != CacheRetention::None && model.base_url.contains("api.openai.com"));
    let limit = request.max_tokens.filter(|limit| *limit > 0);
    let body = Body {
        model: &model.id,
        messages: messages::convert(request.system.as_deref(), &prepared, model, compat, marker),
        stream: true,
        stream_options: compat.usage_in_streaming.then_some(StreamOptions { include_usage: true }),
        prompt_cache_key: openai::cache_key(request).filter(|_| keyed),
        prompt_cache_retention: long.then_some("24h"),
        store: compat.store.then_some(false),
        max_tokens: limit.filter(|_| compat.max_tokens == MaxTokens::MaxTokens),
        max_completion_tokens: limit.filter(|_| compat.max_tokens == MaxTokens::MaxCompletionTokens),
        temperature: request.temperature.filter(|temperature| temperature.is_finite()),
        tools: tools(request, compat, marker),
        tool_stream: (compat.zai_tool_stream && !request.tools.is_empty()).then_some(true),
        response_format: request.output_schema.as_deref().map(|schema| ResponseFormat {
            r#type: "json_schema",
            json_schema: NamedSchema { name: "answer", schema: Schema(schema) },
        }),
        provider: compat.open_router_routing,
        provider_options: compat
            .vercel_routing
            .filter(|_| model.base_url.contains("ai-gateway.vercel.sh"))
            .map(|gateway| Gateway { gateway }),
        priority: compat.priority,
        thinking: ask_for_thinking(request, model, compat, limit),
    };
    // Strings, numbers and maps with string keys always serialise.
    let bytes = serde_json::to_vec(&body).unwrap_or_default();
    match compat.sampling {
        Some(sampling) => openai::with_sampling(bytes, sampling),
        None => bytes,
    }
}

fn cache_marker(request: &Request, compat: &Compat<'_>) -> Option<CacheControl> {
    (compat.cache_markers && request.cache != CacheRetention::None).then(|| CacheControl {
        r#type: "ephemeral",
        ttl: (request.cache == CacheRetention::Long && compat.long_cache).then_some("1h"),
    })
}

fn tools<'a>(
    request: &'a Request,
    compat: &Compat<'_>,
    marker: Option<CacheControl>,
) -> Option<Vec<Tool<'a>>> {
    if request.tools.is_empty() {
        // Anthropic's models behind a proxy demand the field when the history has calls.
        return has_tool_history(&request.messages).then(Vec::new);
    }
    let last = request.tools.len() - 1;
    let tool = |(index, spec): (usize, &'a crate::models::ToolSpec)| Tool {
        r#type: "function",
        function: Function {
            name: &spec.name,
            description: &spec.description,
            parameters: Schema(&spec.parameters),
            strict: compat.strict.then_some(false),
        },
        cache_control: marker.filter(|_| index == last),
    };
    Some(request.tools.iter().enumerate().map(tool).collect())
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

fn ask_for_thinking<'a>(
    request: &Request,
    model: &'a Model,
    compat: &Compat<'a>,
    limit: Option<u64>,
) -> Thinking<'a> {
    let mut fields = Thinking::default();
    let Some(level) = request.thinking.filter(|_| model.reasoning) else { return fields };
    let level = match model.clamp_thinking(level) {
        // Where thinking cannot be switched off, the provider's default is as near as it gets.
        _ if level == ThinkingLevel::Off => ThinkingLevel::Off,
        level => level,
    };
    let asked = Asked {
        level,
        effort: if level == ThinkingLevel::Off { None } else { Some(thinking::effort(model, level)) },
        off: thinking::mapped(model, ThinkingLevel::Off),
        budget: thinking::budget(level)
            .min(limit.unwrap_or(u64::MAX).saturating_sub(ANSWER_TOKENS)),
    };
    match (asked.effort, asked.off) {
        (None, Mapped::Unsupported) => return fields,
        (None, _) => asked.switch_off(compat, &mut fields),
        (Some(effort), _) => {
            asked.switch_on(effort, model, compat, &mut fields);
            if let Some(field) = compat.budget_field {
                fields.set(field, asked.budget);
            }
        }
    }
    fields
}

struct Asked<'a> {
    level: ThinkingLevel,
    /// `None` for no thinking.
    effort: Option<&'a str>,
    off: Mapped<'a>,
    budget: u64,
}

impl<'a> Asked<'a> {
    fn switch_on(&self, effort: &str, model: &Model, compat: &Compat<'a>, fields: &mut Thinking<'a>) {
        let mut send_effort = compat.reasoning_effort;
        match compat.thinking_format {
            ThinkingFormat::OpenAi => {}
            ThinkingFormat::OpenRouter => {
                fields.set("reasoning", object([("effort", effort.into())]));
                send_effort = false;
            }
            ThinkingFormat::DeepSeek => fields.set("thinking", object([("type", "enabled".into())])),
            // Keeping the replayed reasoning keeps the cache.
            ThinkingFormat::Zai => fields
                .set("thinking", object([("type", "enabled".into()), ("clear_thinking", false.into())])),
            ThinkingFormat::Qwen => fields.set("enable_thinking", true),
            ThinkingFormat::QwenChatTemplate => {
                fields.set("chat_template_kwargs", qwen_template(true));
                send_effort = false;
            }
            ThinkingFormat::ChatTemplate => {
                self.template("chat_template_kwargs", compat.template_kwargs, fields);
                send_effort = false;
            }
            ThinkingFormat::Baseten => self.template("chat_template_args", compat.template_args, fields),
            ThinkingFormat::Together => fields.set("reasoning", object([("enabled", true.into())])),
            ThinkingFormat::StringThinking => {
                fields.set("thinking", effort);
                send_effort = false;
            }
            ThinkingFormat::AntLing => {
                if let Mapped::Value(effort) = thinking::mapped(model, self.level) {
                    fields.set("reasoning", object([("effort", effort.into())]));
                }
                send_effort = false;
            }
        }
        if send_effort {
            fields.set("reasoning_effort", effort);
        }
    }

    fn switch_off(&self, compat: &Compat<'a>, fields: &mut Thinking<'a>) {
        let named = match self.off {
            Mapped::Value(value) => Some(value),
            Mapped::Unsupported | Mapped::Unnamed => None,
        };
        let disabled = || object([("type", "disabled".into())]);
        match compat.thinking_format {
            ThinkingFormat::OpenAi => {
                if let Some(value) = named.filter(|_| compat.reasoning_effort) {
                    fields.set("reasoning_effort", value);
                }
            }
            ThinkingFormat::OpenRouter => {
                fields.set("reasoning", object([("effort", named.unwrap_or("none").into())]));
            }
            ThinkingFormat::DeepSeek | ThinkingFormat::Zai => fields.set("thinking", disabled()),
            ThinkingFormat::Qwen => fields.set("enable_thinking", false),
            ThinkingFormat::QwenChatTemplate => fields.set("chat_template_kwargs", qwen_template(false)),
            ThinkingFormat::ChatTemplate => {
                self.template("chat_template_kwargs", compat.template_kwargs, fields);
            }
            ThinkingFormat::Baseten => {
                self.template("chat_template_args", compat.template_args, fields);
                if let Some(value) = named.filter(|_| compat.reasoning_effort) {
                    fields.set("reasoning_effort", value);
                }
            }
            ThinkingFormat::Together => fields.set("reasoning", object([("enabled", false.into())])),
            ThinkingFormat::StringThinking => fields.set("thinking", named.unwrap_or("none")),
            ThinkingFormat::AntLing => {}
        }
    }

    /// A configured map, in which `{"$var": ...}` stands for what is asked.
    fn template(
        &self,
        field: &'a str,
        template: Option<&'a Map<String, Value>>,
        fields: &mut Thinking<'a>,
    ) {
        let filled: Map<String, Value> = template
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), self.fill(value)?)))
            .collect();
        if !filled.is_empty() {
            fields.set(field, filled);
        }
    }

    fn fill(&self, value: &Value) -> Option<Value> {
        let Some(variable) = value.get("$var").and_then(Value::as_str) else { return Some(value.clone()) };
        if self.effort.is_none() && value.get("omitWhenOff").and_then(Value::as_bool) == Some(true) {
            return None;
        }
        match variable {
            "thinking.enabled" => Some(self.effort.is_some().into()),
            "thinking.effort" => match (self.effort, self.off) {
                (Some(effort), _) => Some(effort.into()),
                (None, Mapped::Value(off)) => Some(off.into()),
                (None, _) => Some("none".into()),
            },
            "thinking.budget" => Some(self.budget.into()),
            _ => None,
        }
    }
}

fn qwen_template(enable: bool) -> Value {
    object([("enable_thinking", enable.into()), ("preserve_thinking", true.into())])
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
