//! The body of a request. Field order is fixed, so that the same request gives the same bytes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::compat::Compat;
use super::identity;
use super::messages::{self, CacheControl, Turn};
use crate::catalog::{Model, ThinkingLevel};
use crate::models::message::{CacheRetention, Request, ToolSpec};
use crate::models::thinking::{self, Mapped};
use crate::models::wires::Access;
use crate::models::wires::openai::Schema;

/// The output limit where neither the request nor the model says one: the API demands it.
const SOME_TOKENS: u64 = 4096;
/// The smallest budget that the API takes, and what must remain for the answer beside one.
const MIN_BUDGET: u64 = 1024;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u64,
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<System<'a>>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "OutputConfig::is_empty")]
    output_config: OutputConfig<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fallbacks: Vec<Fallback<'a>>,
}

#[derive(Serialize)]
struct System<'a> {
    r#type: &'static str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    input_schema: InputSchema<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eager_input_streaming: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<CacheControl>,
}

/// The parts of a schema that the API takes at its top; alternatives there are refused.
#[derive(Default, Serialize)]
struct InputSchema<'a> {
    r#type: &'static str,
    properties: Raw<'a>,
    required: RawList<'a>,
    #[serde(flatten)]
    others: BTreeMap<&'static str, &'a RawValue>,
}

/// An object as it was written.
#[derive(Default)]
struct Raw<'a>(Option<&'a RawValue>);

/// A list as it was written.
#[derive(Default)]
struct RawList<'a>(Option<&'a RawValue>);

impl Serialize for Raw<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(raw) => raw.serialize(serializer),
            None => serializer.collect_map(std::iter::empty::<((), ())>()),
        }
    }
}

impl Serialize for RawList<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Some(raw) => raw.serialize(serializer),
            None => serializer.collect_seq(std::iter::empty::<()>()),
        }
    }
}

/// How the model is asked to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Thinking {
    Disabled,
    Enabled {
        budget_tokens: u64,
        display: &'static str,
    },
    Adaptive {
        display: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        block_binding: Option<BlockBinding>,
    },
}

/// What becomes of thinking that is sent back in a conversation that has changed before it, as ours does when
/// it is compacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct BlockBinding {
    prefix_mismatch_behavior: &'static str,
}

#[derive(Serialize)]
struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format<'a>>,
}

impl OutputConfig<'_> {
    fn is_empty(&self) -> bool {
        self.effort.is_none() && self.format.is_none()
    }
}

#[derive(Serialize)]
struct Format<'a> {
    r#type: &'static str,
    schema: Schema<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    user_id: &'a str,
}

#[derive(Serialize)]
struct Fallback<'a> {
    model: &'a str,
}

/// What of a request depends on how the model thinks.
pub(super) struct Ask<'a> {
    pub(super) thinking: Option<Thinking>,
    effort: Option<&'a str>,
    max_tokens: u64,
    temperature: Option<f64>,
}

impl<'a> Ask<'a> {
    pub(super) fn of(request: &Request, model: &'a Model, compat: &Compat<'_>) -> Self {
        let max_tokens = request.output_limit(model).unwrap_or(SOME_TOKENS);
        let mut ask = Self { thinking: None, effort: None, max_tokens, temperature: None };
        if model.reasoning {
            ask.think(request, model, compat);
        }
        // A model that thinks in any case takes no temperature either.
        let is_free = match ask.thinking {
            Some(Thinking::Disabled) => true,
            None => !model.reasoning || !(compat.managed_effort || always_thinks(model)),
            Some(Thinking::Enabled { .. } | Thinking::Adaptive { .. }) => false,
        };
        ask.temperature =
            request.temperature.filter(|degree| is_free && compat.temperature && degree.is_finite());
        ask
    }

    fn think(&mut self, request: &Request, model: &'a Model, compat: &Compat<'_>) {
        let adaptive = |block_binding| Thinking::Adaptive { display: "summarized", block_binding };
        if compat.managed_effort {
            self.thinking = Some(adaptive(Some(BlockBinding { prefix_mismatch_behavior: "drop_block" })));
            self.effort = request.thinking.map(|level| effort(model, model.clamp_thinking(level)));
            return;
        }
        match request.thinking {
            Some(ThinkingLevel::Off) if !always_thinks(model) => self.thinking = Some(Thinking::Disabled),
            // The least is as near to none as it gets.
            Some(ThinkingLevel::Off) if compat.adaptive => {
                self.effort = Some(effort(model, model.clamp_thinking(ThinkingLevel::Off)));
            }
            None | Some(ThinkingLevel::Off) => {}
            Some(level) if compat.adaptive => {
                self.thinking = Some(adaptive(None));
                self.effort = Some(effort(model, model.clamp_thinking(level)));
            }
            Some(level) => self.think_within(thinking::budget(model.clamp_thinking(level)), request, model),
        }
    }

    /// Thinking counts as output: the limit is raised by the budget, as far as the model and its context allow.
    fn think_within(&mut self, budget: u64, request: &Request, model: &Model) {
        let most = model.max_output.max(self.max_tokens).min(request.room(model));
        let raised = self.max_tokens.saturating_add(budget).min(most).max(self.max_tokens);
        let fits = raised - self.max_tokens >= budget;
        let budget = if fits { budget } else { budget.min(raised.saturating_sub(MIN_BUDGET)) };
        if budget >= MIN_BUDGET {
            self.max_tokens = raised;
            self.thinking = Some(Thinking::Enabled { budget_tokens: budget, display: "summarized" });
        } else if !always_thinks(model) {
            self.thinking = Some(Thinking::Disabled);
        }
    }
}

fn always_thinks(model: &Model) -> bool {
    thinking::mapped(model, ThinkingLevel::Off) == Mapped::Unsupported
}

/// The word for a level that the model has.
fn effort(model: &Model, level: ThinkingLevel) -> &str {
    match thinking::mapped(model, level) {
        Mapped::Value(value) => value,
        Mapped::Unnamed | Mapped::Unsupported => match level {
            ThinkingLevel::Off | ThinkingLevel::Minimal | ThinkingLevel::Low => "low",
            ThinkingLevel::Medium => "medium",
            ThinkingLevel::High | ThinkingLevel::Xhigh | ThinkingLevel::Max => "high",
        },
    }
}

/// The body that asks `model` for an answer to `request`.
pub(super) fn encode(
    request: &Request,
    model: &Model,
    compat: &Compat<'_>,
    ask: &Ask<'_>,
    access: Access,
) -> Vec<u8> {
    let marker = (request.cache != CacheRetention::None).then(|| CacheControl {
        r#type: "ephemeral",
        ttl: (request.cache == CacheRetention::Long && compat.long_cache).then_some("1h"),
    });
    let prepared = messages::prepared(request, model);
    let body = Body {
        model: &model.id,
        max_tokens: ask.max_tokens,
        stream: true,
        system: system(request, access, marker),
        messages: messages::convert(&prepared, compat, access, marker),
        tools: tools(&request.tools, compat, access, marker),
        temperature: ask.temperature,
        thinking: ask.thinking,
        output_config: OutputConfig {
            effort: ask.effort,
            format: request
                .output_schema
                .as_deref()
                .map(|schema| Format { r#type: "json_schema", schema: Schema(schema) }),
        },
        metadata: compat.user.map(|user_id| Metadata { user_id }),
        fallbacks: compat.fallbacks.iter().map(|model| Fallback { model }).collect(),
    };
    // Strings, numbers and maps with string keys always serialise.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// Two blocks at most: with the last tool and the last message they make the four marks that the API takes.
fn system<'a>(request: &'a Request, access: Access, marker: Option<CacheControl>) -> Vec<System<'a>> {
    let identity = (access == Access::Subscription).then_some(identity::SYSTEM);
    let prompt = request.system.as_deref().filter(|text| !text.trim().is_empty());
    let block = |text: &'a str| System { r#type: "text", text, cache_control: marker };
    identity.into_iter().chain(prompt).map(block).collect()
}

fn tools<'a>(
    tools: &'a [ToolSpec],
    compat: &Compat<'_>,
    access: Access,
    marker: Option<CacheControl>,
) -> Vec<Tool<'a>> {
    let tool = |(at, tool): (usize, &'a ToolSpec)| Tool {
        name: if access == Access::Subscription { identity::sent(&tool.name) } else { &tool.name },
        description: &tool.description,
        input_schema: InputSchema::of(&tool.parameters),
        eager_input_streaming: compat.eager_input.then_some(true),
        cache_control: marker.filter(|_| compat.cache_on_tools && at + 1 == tools.len()),
    };
    tools.iter().enumerate().map(tool).collect()
}

impl<'a> InputSchema<'a> {
    fn of(schema: &'a str) -> Self {
        let fields: BTreeMap<String, &'a RawValue> = serde_json::from_str(schema).unwrap_or_default();
        let field = |name: &str, open: char| fields.get(name).copied().filter(|raw| raw.get().starts_with(open));
        let others = ["$defs", "definitions", "additionalProperties", "description"];
        Self {
            r#type: "object",
            properties: Raw(field("properties", '{')),
            required: RawList(field("required", '[')),
            others: others.into_iter().filter_map(|name| Some((name, *fields.get(name)?))).collect(),
        }
    }
}
