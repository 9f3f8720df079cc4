//! Recordings of real servers, kept beside the repository. Where they are absent, our own fixtures are put through
//! the same checks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;
use crate::models::wires::tests::answers::{recordings, usage};

/// What a second, plain reading of the body gives.
#[derive(Debug, Default, PartialEq)]
struct Plain {
    text: String,
    thinking: String,
    /// Name, id and arguments.
    calls: Vec<(String, String, Value)>,
    finish: Option<String>,
    /// Prompt, cached and answered.
    counts: [u64; 3],
    id: String,
    model: String,
}

fn read_plainly(body: &[u8]) -> Plain {
    let mut plain = Plain::default();
    let mut calls: BTreeMap<u64, (String, String, String)> = BTreeMap::new();
    for line in String::from_utf8(body.to_vec()).unwrap().lines() {
        let Some(data) = line.strip_prefix("data:").map(str::trim).filter(|data| *data != "[DONE]") else { continue };
        let event: Value = serde_json::from_str(data).unwrap();
        plain.id = event["id"].as_str().unwrap().to_owned();
        plain.model = event["model"].as_str().unwrap().to_owned();
        if let Some(usage) = event.get("usage").filter(|usage| usage.is_object()) {
            let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0);
            plain.counts = [usage["prompt_tokens"].as_u64().unwrap(), cached, usage["completion_tokens"].as_u64().unwrap()];
        }
        for choice in event["choices"].as_array().unwrap().iter().filter(|choice| choice["index"] == 0) {
            let delta = &choice["delta"];
            plain.text.push_str(delta["content"].as_str().unwrap_or_default());
            for chunk in delta["content"].as_array().into_iter().flatten() {
                plain.text.push_str(chunk["text"].as_str().unwrap_or_default());
                for thought in chunk["thinking"].as_array().into_iter().flatten() {
                    plain.thinking.push_str(thought["text"].as_str().unwrap_or_default());
                }
            }
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                let kept = calls.entry(call["index"].as_u64().unwrap_or(0)).or_default();
                kept.0.push_str(call["function"]["name"].as_str().unwrap_or_default());
                kept.1.push_str(call["id"].as_str().unwrap_or_default());
                kept.2.push_str(call["function"]["arguments"].as_str().unwrap_or_default());
            }
            if let Some(finish) = choice["finish_reason"].as_str() {
                plain.finish = Some(finish.to_owned());
            }
        }
    }
    for (name, id, arguments) in calls.into_values() {
        let arguments = serde_json::from_str(&arguments).unwrap_or(Value::String(arguments));
        plain.calls.push((name, id, arguments));
    }
    plain
}

/// Reads deltas the way that `read_plainly` reads a body. Arguments that were cut off are compared as far as they go.
fn read_deltas(deltas: &[Delta]) -> Plain {
    let mut plain = Plain::default();
    let mut arguments: Vec<(u32, String, String, String)> = Vec::new();
    for delta in deltas {
        match delta {
            Delta::Text { text, .. } => plain.text.push_str(text),
            Delta::Thinking { text, .. } => plain.thinking.push_str(text),
            Delta::ToolCall { block, id, name } => arguments.push((*block, name.clone(), id.clone(), String::new())),
            Delta::Arguments { block, text } => {
                arguments.iter_mut().find(|(known, ..)| known == block).unwrap().3.push_str(text);
            }
            Delta::Stop { reason, raw } => {
                plain.finish.clone_from(raw);
                let expected = match (raw.as_deref(), arguments.is_empty()) {
                    (Some("length" | "model_length"), _) => StopReason::MaxTokens,
                    (_, true) => StopReason::EndTurn,
                    (_, false) => StopReason::ToolUse,
                };
                assert_eq!(*reason, expected);
            }
            Delta::Response { id, model } => {
                plain.id.push_str(id.as_deref().unwrap_or_default());
                plain.model.push_str(model.as_deref().unwrap_or_default());
            }
            _ => {}
        }
    }
    for (_, name, id, text) in arguments {
        let arguments = serde_json::from_str(&text).unwrap_or(Value::String(text));
        plain.calls.push((name, id, arguments));
    }
    if let Some(usage) = usage(deltas) {
        plain.counts = [usage.input + usage.cache_read, usage.cache_read, usage.output];
    }
    plain
}

fn check(path: &Path, body: &[u8]) {
    let name = path.display();
    let whole = frames(Framing::Sse, [body]);
    for at in [1, body.len() / 3, body.len() / 2, body.len() - 1] {
        let (head, tail) = body.split_at(at);
        assert_eq!(frames(Framing::Sse, [head, tail]), whole, "{name} at {at}");
    }
    let (deltas, fault) = decode(&WIRE, &mistral("m"), &whole);
    assert_eq!(fault, None, "{name}");
    assert_eq!(read_deltas(&deltas), read_plainly(body), "{name}");
    assert!(!deltas.iter().any(|delta| matches!(delta, Delta::Warning(_))), "{name}");
}

#[test]
fn recorded_answers_are_read_as_a_plain_reading_does() {
    for (path, body) in recordings("mistral-conversations", ".sse") {
        check(&path, &body);
    }
    for own in ["text", "thinking", "tools-parallel", "limit-in-call"] {
        let (path, body) = cases("mistral").into_iter().find(|(path, _)| path.ends_with(own)).unwrap();
        check(&path, &body);
    }
}

#[test]
fn recorded_errors_are_classified() {
    let own = br#"{"code":"1500","message":"Invalid model: x","object":"error","raw_status_code":400,"type":"invalid_model"}"#;
    let mut errors = vec![(PathBuf::from("our own"), own.to_vec())];
    errors.extend(recordings("mistral-conversations", ".err.json"));
    for (path, body) in errors {
        let said: Value = serde_json::from_slice(&body).unwrap();
        let status = u16::try_from(said["raw_status_code"].as_u64().unwrap()).unwrap();
        let fault = WIRE.fault(status, &body);
        let expected = if said["type"] == "invalid_model" { Category::NotFound } else { Category::InvalidRequest };
        assert_eq!((fault.category, fault.code.as_deref()), (expected, said["type"].as_str()), "{}", path.display());
        assert!(fault.message.contains(said["message"].as_str().unwrap()));
    }
}
