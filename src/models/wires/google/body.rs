//! The body of a request. Field order is fixed, so that the same request gives the same bytes and the provider's
//! cache hits.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::contents::{self, Part, Turn};
use super::family::{self, Amount, Family};
use super::schema;
use crate::catalog::Model;
use crate::models::message::{Request, ToolSpec};
use crate::models::wires::openai::Schema;

/// What the model's own switches say.
struct Compat<'a> {
    /// Whether the server reads JSON Schema, rather than only the older form of schemas.
    json_schema: bool,
    /// Whether arguments are to come in pieces, where the server can do that.
    stream_arguments: bool,
    sampling: Option<&'a Map<String, Value>>,
}

impl<'a> Compat<'a> {
    fn of(model: &'a Model) -> Self {
        let switch = |name: &str| model.compat.get(name).and_then(Value::as_bool);
        Self {
            json_schema: switch("supportsJsonSchema").unwrap_or(true),
            stream_arguments: switch("streamFunctionCallArguments").unwrap_or(false),
            sampling: model.compat.get("samplingParams").and_then(Value::as_object),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    contents: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Instruction<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tools<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig>,
    #[serde(skip_serializing_if = "Shape::is_empty")]
    generation_config: Shape<'a>,
}

#[derive(Serialize)]
struct Instruction<'a> {
    role: &'static str,
    parts: Vec<Part<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tools<'a> {
    function_declarations: Vec<Function<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<Schema<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToolConfig {
    function_calling_config: CallingConfig,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallingConfig {
    stream_function_call_arguments: bool,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<Schema<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<Thoughts>,
}

impl Shape<'_> {
    fn is_empty(&self) -> bool {
        self.temperature.is_none()
            && self.max_output_tokens.is_none()
            && self.response_mime_type.is_none()
            && self.thinking_config.is_none()
    }
}

#[derive(Serialize)]
struct Thoughts {
    #[serde(rename = "includeThoughts", skip_serializing_if = "Option::is_none")]
    include: Option<bool>,
    #[serde(rename = "thinkingLevel", skip_serializing_if = "Option::is_none")]
    level: Option<String>,
    #[serde(rename = "thinkingBudget", skip_serializing_if = "Option::is_none")]
    budget: Option<i64>,
}

/// The body that asks `model` for an answer to `request`.
pub(super) fn encode(request: &Request, model: &Model) -> Vec<u8> {
    let compat = Compat::of(model);
    let family = Family::of(model);
    let prepared = contents::prepared(request, model);
    let limit = request.max_tokens.filter(|limit| *limit > 0);
    let mut config = Shape {
        temperature: request.temperature.filter(|temperature| temperature.is_finite()),
        max_output_tokens: limit,
        thinking_config: family::thinking(model, request.thinking, limit).map(|wanted| {
            let (level, budget) = match wanted.amount {
                Amount::Level(level) => (Some(level), None),
                Amount::Budget(budget) => (None, Some(budget)),
            };
            Thoughts { include: wanted.show.then_some(true), level, budget }
        }),
        ..Shape::default()
    };
    let mut system: Vec<Part<'_>> =
        request.system.as_deref().filter(|text| !text.is_empty()).map(Part::text).into_iter().collect();
    match request.output_schema.as_deref() {
        // Beside tools, older models refuse a schema. They can only be asked.
        Some(schema) if !request.tools.is_empty() && !family.shapes_beside_tools() => {
            system.push(Part::text(format!(
                "Your final answer must be JSON that satisfies this JSON Schema, and nothing else: {schema}"
            )));
        }
        Some(schema) => {
            config.response_mime_type = Some("application/json");
            if compat.json_schema {
                config.response_json_schema = Some(Schema(schema));
            } else {
                config.response_schema = Some(schema::plain(schema));
            }
        }
        None => {}
    }
    let body = Body {
        contents: contents::convert(&prepared, family),
        system_instruction: (!system.is_empty()).then_some(Instruction { role: "user", parts: system }),
        tools: tools(&request.tools, &compat),
        tool_config: (compat.stream_arguments && !request.tools.is_empty()).then_some(ToolConfig {
            function_calling_config: CallingConfig { stream_function_call_arguments: true },
        }),
        generation_config: config,
    };
    // Strings, numbers and maps with string keys always serialise.
    let bytes = serde_json::to_vec(&body).unwrap_or_default();
    match compat.sampling {
        Some(sampling) => with_own(bytes, sampling),
        None => bytes,
    }
}

fn tools<'a>(specs: &'a [ToolSpec], compat: &Compat<'_>) -> Vec<Tools<'a>> {
    let declare = |spec: &'a ToolSpec| Function {
        name: &spec.name,
        description: &spec.description,
        parameters_json_schema: compat.json_schema.then_some(Schema(&spec.parameters)),
        parameters: (!compat.json_schema).then(|| schema::plain(&spec.parameters)),
    };
    let function_declarations: Vec<_> = specs.iter().map(declare).collect();
    if function_declarations.is_empty() { Vec::new() } else { vec![Tools { function_declarations }] }
}

/// The user's own parameters win over everything. Objects such as `generationConfig` are joined rather than replaced.
fn with_own(bytes: Vec<u8>, own: &Map<String, Value>) -> Vec<u8> {
    type Fields<'a> = BTreeMap<Cow<'a, str>, Cow<'a, RawValue>>;
    let raw = |value: &Value| serde_json::value::to_raw_value(value).ok().map(Cow::Owned);
    let Ok(mut fields) = serde_json::from_slice::<Fields<'_>>(&bytes) else { return bytes };
    for (name, value) in own {
        let joined = match (fields.get(name.as_str()), value) {
            (Some(mine), Value::Object(theirs)) => {
                let mine: Result<Fields<'_>, _> = serde_json::from_str(mine.get());
                mine.ok().and_then(|mut mine| {
                    mine.extend(
                        theirs.iter().filter_map(|(name, value)| Some((Cow::Borrowed(&**name), raw(value)?))),
                    );
                    serde_json::value::to_raw_value(&mine).ok().map(Cow::Owned)
                })
            }
            _ => None,
        };
        if let Some(value) = joined.or_else(|| raw(value)) {
            fields.insert(Cow::Borrowed(name), value);
        }
    }
    serde_json::to_vec(&fields).unwrap_or(bytes)
}
