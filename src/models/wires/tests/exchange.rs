//! Conversations that go from one wire to another: what was said over one is asked of every other, and every
//! request satisfies its judges.

use serde_json::Value;

use super::answers::recordings;
use super::*;
use crate::models::fold::Fold;
use crate::models::message::{Assistant, Block, Content, Message, Origin, ToolSpec};

/// The wires whose requests can be judged.
const JUDGED: [&str; 2] = ["anthropic-messages", "openai-completions"];

/// A model of this wire at its usual place.
fn model_of(wire: &str) -> Model {
    let mut model = match wire {
        "anthropic-messages" => model("anthropic", "https://api.anthropic.com"),
        _ => model("openai", "https://api.openai.com/v1"),
    };
    model.wire = wire.into();
    model
}

/// The answers of this wire that there are, of our own and recorded, as messages of its model.
fn answers(wire: &dyn Wire, model: &Model) -> Vec<(String, Assistant)> {
    let bodies = super::answers::cases(wire.id()).into_iter().chain(recordings(wire.id(), ".sse"));
    bodies
        .filter_map(|(path, body)| {
            let (deltas, fault) = decode(wire, model, &frames(Framing::Sse, [&*body]));
            let mut fold = Fold::new();
            for delta in &deltas {
                fold.push(delta);
            }
            let origin = Origin {
                provider: model.provider.clone(),
                wire: model.wire.clone(),
                model: model.id.clone(),
            };
            let (assistant, _) = fold.finish(origin);
            (fault.is_none() && !assistant.blocks.is_empty()).then(|| (path.display().to_string(), assistant))
        })
        .collect()
}

/// A conversation in which `assistant` spoke and its calls were made.
fn conversation(assistant: &Assistant) -> Request {
    let text = |text: &str| vec![Content::Text(text.into())];
    let mut messages = vec![Message::User(text("hi")), Message::Assistant(assistant.clone())];
    let mut tools: Vec<ToolSpec> = Vec::new();
    for block in &assistant.blocks {
        if let Block::ToolCall { id, name, .. } = block {
            messages.push(Message::ToolResult {
                call_id: id.clone(),
                name: name.clone(),
                content: text("done"),
                is_error: false,
            });
            tools.push(ToolSpec {
                name: name.clone(),
                description: "A tool.".into(),
                parameters: r#"{"type":"object","properties":{}}"#.into(),
            });
        }
    }
    messages.push(Message::User(text("go on")));
    Request { system: Some("be brief".into()), messages, tools, ..Request::default() }
}

/// Ids of calls and ids that results name, wherever they stand.
fn ids(value: &Value, calls: &mut Vec<String>, results: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let text = |name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned);
            if matches!(text("type").as_deref(), Some("tool_use" | "function")) {
                calls.extend(text("id"));
            }
            results.extend(text("tool_use_id").or_else(|| text("tool_call_id")));
            map.values().for_each(|value| ids(value, calls, results));
        }
        Value::Array(list) => list.iter().for_each(|value| ids(value, calls, results)),
        _ => {}
    }
}

#[test]
fn what_was_said_over_one_wire_can_be_sent_over_every_other() {
    for from in JUDGED {
        let speaker = model_of(from);
        let spoken = answers(wire(from).unwrap(), &speaker);
        assert!(spoken.len() >= 8, "there are hardly any answers of {from}");
        for to in JUDGED {
            let judge = judges::of(to);
            let mut other = model_of(to);
            other.id = "another".into();
            let targets = if from == to { vec![speaker.clone(), other] } else { vec![other] };
            for (name, assistant) in &spoken {
                for target in &targets {
                    let bytes = wire(to).unwrap().encode(&conversation(assistant), target, Access::Key).body;
                    let body: Value = serde_json::from_slice(&bytes).unwrap();
                    let name = format!("{name} to {to} as {}", target.id);
                    judge.check(&name, &body);
                    let (mut calls, mut results) = (Vec::new(), Vec::new());
                    ids(&body["messages"], &mut calls, &mut results);
                    assert_eq!(calls, results, "{name}");
                    check_thoughts(&name, assistant, target, &String::from_utf8(bytes).unwrap());
                }
            }
            println!("{} answers of {from} sent over {to}, to {} models", spoken.len(), targets.len());
        }
    }
}

/// Signatures go back to the model that made them, and to nobody else.
fn check_thoughts(name: &str, assistant: &Assistant, target: &Model, body: &str) {
    let is_same = assistant.origin.model == target.id;
    for block in &assistant.blocks {
        let signature = match block {
            Block::Thinking { signature: Some(signature), .. } => signature,
            Block::RedactedThinking { data } => data,
            _ => continue,
        };
        // The other wire's signatures are names of fields, or lists.
        if &*assistant.origin.wire == "anthropic-messages" && !signature.is_empty() {
            let written = serde_json::to_string(signature).unwrap();
            assert_eq!(body.contains(&written), is_same, "{name}");
        }
    }
}
