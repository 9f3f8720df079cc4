//! Recordings of real servers, kept beside the repository. Where they are absent, our own fixtures are put
//! through the same checks.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::super::tests::PIECES;
use super::super::super::tests::answers;
use super::*;
use crate::models::message::{Assistant, Content, Message, Request};
use crate::models::wires::Access;
use crate::models::{StopReason, Usage};

fn recordings(suffix: &str) -> Vec<(PathBuf, Vec<u8>)> {
    answers::recordings("openai-completions", suffix)
}

/// What a plain reading of the bytes gives, with nothing of the decoder in it.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    text: String,
    thinking: String,
    /// Id, name and arguments, which are null where they broke off.
    calls: Vec<(String, String, Value)>,
    finish: Option<String>,
    /// Input, output, cache read, cache write, thinking.
    usage: Option<[u64; 5]>,
    is_error: bool,
}

/// The counts of a usage object, which stands in three places and has three spellings.
fn count(usage: &Value) -> [u64; 5] {
    let first = |paths: &[&str]| paths.iter().find_map(|path| usage.pointer(path)?.as_u64()).unwrap_or(0);
    let [prompt, completion, total] =
        ["/prompt_tokens", "/completion_tokens", "/total_tokens"].map(|path| first(&[path]));
    let read = first(&["/prompt_tokens_details/cached_tokens", "/prompt_cache_hit_tokens", "/cached_tokens"]);
    let write = first(&["/prompt_tokens_details/cache_write_tokens", "/cache_creation_input_tokens"]);
    let thought = first(&["/completion_tokens_details/reasoning_tokens", "/reasoning_tokens"]);
    // One maker counts what was thought beside the rest.
    let beside = if prompt + completion < total || thought > completion { thought } else { 0 };
    [prompt.saturating_sub(read + write), completion + beside, read, write, thought]
}

/// The reading, and whether the model refused.
fn read_plainly(body: &[u8]) -> (Reading, bool) {
    let body = String::from_utf8(body.to_vec()).unwrap();
    let (mut reading, mut refused) = (Reading::default(), false);
    let mut calls: BTreeMap<u64, [String; 3]> = BTreeMap::new();
    for line in body.lines() {
        let data = line.strip_prefix("data:").map_or("", str::trim);
        let Ok(chunk) = serde_json::from_str::<Value>(data) else {
            assert!(data.is_empty() || data == "[DONE]", "{data}");
            continue;
        };
        reading.is_error |= chunk.get("error").is_some_and(|error| !error.is_null());
        let choices = chunk["choices"].as_array().cloned().unwrap_or_default();
        let usage = [chunk.pointer("/usage"), chunk.pointer("/choices/0/usage"), chunk.pointer("/x_groq/usage")];
        if let Some(usage) = usage.into_iter().flatten().find(|usage| usage.is_object()) {
            reading.usage = Some(count(usage));
        }
        for choice in choices.iter().filter(|choice| choice["index"].as_u64().unwrap_or(0) == 0) {
            let delta = &choice["delta"];
            let said = |name: &str| delta[name].as_str().unwrap_or_default();
            reading.text.push_str(said("content"));
            reading.text.push_str(said("refusal"));
            refused |= !said("refusal").is_empty();
            let thought = ["reasoning_content", "reasoning", "reasoning_text"].map(said);
            match thought.into_iter().find(|text| !text.is_empty()) {
                Some(text) => reading.thinking.push_str(text),
                None => delta["reasoning_details"].as_array().into_iter().flatten().for_each(|detail| {
                    let text = detail.get("text").or(detail.get("summary")).and_then(Value::as_str);
                    reading.thinking.push_str(text.unwrap_or_default());
                }),
            }
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                let known = calls.entry(call["index"].as_u64().unwrap_or(0)).or_default();
                let told = ["/id", "/function/name", "/function/arguments"];
                for (at, path) in told.iter().enumerate() {
                    let text = call.pointer(path).and_then(Value::as_str).unwrap_or_default();
                    // Ids and names come once; arguments come in pieces.
                    if at == 2 || known[at].is_empty() {
                        known[at].push_str(text);
                    }
                }
            }
            let finish = choice["finish_reason"].as_str().filter(|reason| !reason.is_empty());
            reading.finish = reading.finish.take().or(finish.map(str::to_owned));
        }
    }
    reading.calls = calls
        .into_values()
        .map(|[id, name, arguments]| {
            let arguments = if arguments.is_empty() { json!({}) } else { serde_json::from_str(&arguments).unwrap_or_default() };
            (id, name, arguments)
        })
        .collect();
    (reading, refused)
}

/// What the decoder gives, in the same form.
fn read(body: &[u8], size: usize, name: &str) -> (Reading, Option<StopReason>) {
    let frames = frames(Framing::Sse, body.chunks(size));
    let (deltas, fault) = decode(&Api, &model("openai", "https://api.openai.com/v1"), &frames);
    assert!(!deltas.iter().any(|delta| matches!(delta, Delta::Warning(_))), "{name}");
    let mut reading = Reading { is_error: fault.is_some(), ..Reading::default() };
    let mut reason = None;
    for delta in &deltas {
        match delta {
            Delta::Stop { reason: stop, raw } => {
                assert_eq!(reason.replace(*stop), None, "{name}: stopped twice");
                reading.finish.clone_from(raw);
            }
            Delta::Usage(usage) => {
                let Usage { input, output, cache_read, cache_write, reasoning, .. } = *usage;
                reading.usage = Some([input, output, cache_read, cache_write, reasoning]);
            }
            _ => {}
        }
    }
    assert_eq!(reason.is_some(), fault.is_none(), "{name}: {fault:?}");
    for block in answers::fold(&deltas) {
        match block {
            Block::Text { text, .. } => reading.text.push_str(&text),
            Block::Thinking { text, signature } => {
                assert!(fault.is_some() || signature.is_some(), "{name}: thinking without a way back");
                reading.thinking.push_str(&text);
            }
            Block::ToolCall { id, name, arguments, .. } => {
                reading.calls.push((id, name, serde_json::from_str(&arguments).unwrap()));
            }
            Block::RedactedThinking { .. } => panic!("{name}: this wire has none"),
        }
    }
    (reading, reason)
}

#[test]
fn recorded_answers_are_read_as_a_plain_reading_does() {
    let mut bodies = recordings(".sse");
    let least = if bodies.is_empty() { 0 } else { 200 };
    for own in ["text", "refusal", "done-without-finish", "unknown-finish"] {
        bodies.push(cases().into_iter().find(|(path, _)| path.ends_with(own)).unwrap());
    }
    let (mut calls, mut thinking, mut counted, mut broken) = (0, 0, 0, 0);
    for (path, body) in &bodies {
        let (expected, refused) = read_plainly(body);
        for size in PIECES {
            let name = format!("{} by {size}", path.display());
            let (mut reading, reason) = read(body, size, &name);
            for (call, (_, _, plain)) in reading.calls.iter_mut().zip(&expected.calls) {
                assert!(call.2.is_object(), "{name}");
                if plain.is_null() {
                    call.2 = Value::Null;
                }
            }
            assert_eq!(reading, expected, "{name}");
            let wanted = match expected.finish.as_deref() {
                _ if expected.is_error => None,
                Some("length") => Some(StopReason::MaxTokens),
                Some("content_filter") => Some(StopReason::Refusal),
                _ if !expected.calls.is_empty() => Some(StopReason::ToolUse),
                _ if refused => Some(StopReason::Refusal),
                _ => Some(StopReason::EndTurn),
            };
            assert_eq!(reason, wanted, "{name}");
        }
        calls += expected.calls.len();
        thinking += usize::from(!expected.thinking.is_empty());
        counted += usize::from(expected.usage.is_some());
        broken += usize::from(expected.is_error);
    }
    println!(
        "{} answers in {} cuts each: {calls} calls, {thinking} with thinking, {counted} with counts, {broken} that broke off",
        bodies.len(),
        PIECES.len()
    );
    assert!(bodies.len() >= least && calls >= least / 4, "recordings are missing");
}

#[test]
fn recorded_errors_are_classified() {
    let own = br#"{"error":{"message":"prompt is too long","type":"invalid_request_error"}}"#;
    let mut errors = vec![("our own context_overflow".to_owned(), 400, own.to_vec())];
    let meta = recordings(".meta.json");
    for (path, body) in recordings(".err.json") {
        let name = path.display().to_string();
        let wanted = PathBuf::from(name.replace(".err.", ".meta."));
        let (_, meta) = meta.iter().find(|(path, _)| *path == wanted).unwrap();
        let status = serde_json::from_slice::<Value>(meta).unwrap()["status"].as_u64().unwrap();
        errors.push((name, status.try_into().unwrap(), body));
    }
    for (name, status, body) in errors {
        let fault = Api.fault(status, &body);
        let expected = match status {
            429 => Category::RateLimit,
            404 => Category::NotFound,
            _ if name.contains("context_overflow") => Category::ContextOverflow,
            _ if name.contains("routed_failure") => Category::NotFound,
            _ => Category::InvalidRequest,
        };
        assert_eq!(fault.category, expected, "{name}: {fault:?}");
        assert!(!fault.message.contains(['{', '\n']) || name.contains("tool_use"), "{}", fault.message);
    }
}

/// A recorded request's conversation in our own words, where it has nothing that we never send.
fn recorded_messages(body: &Value) -> Option<(Option<String>, Vec<Message>)> {
    // Others place cache marks elsewhere.
    if body.to_string().contains("cache_control") {
        return None;
    }
    let mut system = None;
    let mut out = Vec::new();
    for (at, message) in body.get("messages")?.as_array()?.iter().enumerate() {
        let content = message.get("content").and_then(Value::as_str);
        let fields = message.as_object()?;
        if fields.get("content").is_some_and(Value::is_array) {
            return None;
        }
        match message.get("role")?.as_str()? {
            "system" if at == 0 => system = Some(content?.to_owned()),
            "user" if fields.len() == 2 => out.push(Message::User(vec![Content::Text(content?.into())])),
            "tool" if fields.len() == 3 => out.push(Message::ToolResult {
                call_id: message.get("tool_call_id")?.as_str()?.to_owned(),
                name: String::new(),
                content: vec![Content::Text(content?.into())],
                is_error: false,
            }),
            "assistant" => {
                let mut blocks = Vec::new();
                for field in ["reasoning_content", "reasoning_details"] {
                    let Some(value) = message.get(field) else { continue };
                    let (text, signature) = match value {
                        Value::String(text) => (&**text, field.to_owned()),
                        details => ("", details.to_string()),
                    };
                    blocks.push(Block::Thinking { text: text.into(), signature: Some(signature) });
                }
                if let Some(text) = content.filter(|text| !text.is_empty()) {
                    blocks.push(Block::Text { text: text.into(), signature: None });
                }
                for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
                    blocks.push(Block::ToolCall {
                        id: call.get("id")?.as_str()?.to_owned(),
                        name: call.pointer("/function/name")?.as_str()?.to_owned(),
                        arguments: call.pointer("/function/arguments")?.as_str()?.to_owned(),
                        signature: None,
                    });
                }
                let origin =
                    Origin { provider: "p".into(), wire: "openai-completions".into(), model: "m".into() };
                out.push(Message::Assistant(Assistant { origin, blocks, complete: true }));
            }
            _ => return None,
        }
    }
    Some((system, out))
}

/// Without what means nothing: an assistant's empty text, thoughts that are sent twice, a call's index.
fn plain(mut messages: Value) -> Value {
    for message in messages.as_array_mut().unwrap() {
        let message = message.as_object_mut().unwrap();
        if message.get("content").is_some_and(|content| content.is_null() || content == "") {
            message.remove("content");
        }
        if message.contains_key("reasoning_details") || message.contains_key("reasoning_content") {
            message.remove("reasoning");
        }
        for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
            call.as_object_mut().unwrap().remove("index");
        }
    }
    messages
}

#[test]
fn conversations_are_sent_as_other_clients_send_them() {
    let mut recorded = recordings(".req.json");
    let least = if recorded.is_empty() { 1 } else { 100 };
    let own = include_bytes!("../../../../../tests/fixtures/openai-completions/conversation/request.json");
    recorded.push((PathBuf::from("our own"), own.to_vec()));
    let mut compared = 0;
    for (path, body) in &recorded {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { continue };
        let Some((system, messages)) = recorded_messages(&body) else { continue };
        let mut model = model("p", "http://localhost:1/v1");
        model.reasoning = false;
        let request = Request { system, messages, ..Request::default() };
        let ours: Value = serde_json::from_slice(&Api.encode(&request, &model, Access::Key).body).unwrap();
        let theirs = body.get("messages").unwrap().clone();
        // Some recordings were never valid: a call without a result, or a result without a call.
        if ours.to_string().contains("No result provided") {
            continue;
        }
        assert_eq!(plain(ours.get("messages").unwrap().clone()), plain(theirs), "{}", path.display());
        compared += 1;
    }
    assert!(compared >= least, "only {compared} could be compared");
}
