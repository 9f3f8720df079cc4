//! Recordings of real servers, kept beside the repository. Where they are absent, our own fixtures are put
//! through the same checks.

use serde_json::Value;

use super::*;
use crate::models::StopReason;
use crate::models::wires::Access;
use crate::models::message::{Assistant, Content, Message, Request};

#[expect(clippy::disallowed_methods, reason = "tests read their own fixtures")]
fn recordings(suffix: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/openai-completions");
    let mut files: Vec<_> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(suffix))
        .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// What a second, plain reading of the frames gives.
#[derive(Default)]
struct Expected {
    text: String,
    thinking: String,
    calls: usize,
    is_error: bool,
    prompt: u64,
}

fn read_plainly(frames: &[Frame]) -> Expected {
    let mut expected = Expected::default();
    let mut indexes = std::collections::BTreeSet::new();
    for frame in frames {
        let Ok(chunk) = serde_json::from_str::<Value>(&frame.data) else { continue };
        expected.is_error |= chunk.get("error").is_some_and(|error| !error.is_null());
        if let Some(prompt) = chunk.pointer("/usage/prompt_tokens").and_then(Value::as_u64) {
            expected.prompt = prompt;
        }
        for choice in chunk.get("choices").and_then(Value::as_array).into_iter().flatten() {
            if choice.get("index").and_then(Value::as_u64).unwrap_or(0) != 0 {
                continue;
            }
            let said = |name: &str| choice.get("delta").and_then(|d| d.get(name)).and_then(Value::as_str);
            expected.text.push_str(said("content").unwrap_or_default());
            expected.text.push_str(said("refusal").unwrap_or_default());
            let thought = ["reasoning_content", "reasoning", "reasoning_text"];
            let thought = thought.iter().filter_map(|name| said(name)).find(|text| !text.is_empty());
            let details = choice.pointer("/delta/reasoning_details").and_then(Value::as_array);
            let structured: String = details
                .into_iter()
                .flatten()
                .filter_map(|detail| detail.get("text").or(detail.get("summary"))?.as_str())
                .collect();
            expected.thinking.push_str(thought.unwrap_or(&structured));
            for call in choice.pointer("/delta/tool_calls").and_then(Value::as_array).into_iter().flatten() {
                indexes.insert(call.get("index").and_then(Value::as_u64));
            }
        }
    }
    expected.calls = indexes.len();
    expected
}

fn check(path: &Path, body: &[u8]) {
    let name = path.display();
    let frames = frames(Framing::Sse, [body]);
    let expected = read_plainly(&frames);
    let (deltas, fault) = decode(&Api, &model("openai", "https://api.openai.com/v1"), &frames);
    assert_eq!(fault.is_some(), expected.is_error, "{name}: {fault:?}");
    let (mut text, mut thinking, mut calls) = (String::new(), String::new(), 0);
    for block in fold(&deltas) {
        match block {
            Block::Text { text: said, .. } => text.push_str(&said),
            Block::Thinking { text: said, signature } => {
                assert!(fault.is_some() || signature.is_some(), "{name}: thinking without a way back");
                thinking.push_str(&said);
            }
            Block::ToolCall { id, name: tool, arguments, .. } => {
                calls += 1;
                assert!(!id.is_empty() && !tool.is_empty(), "{name}");
                assert!(crate::models::json::is_object(&arguments), "{name}: {arguments}");
            }
            Block::RedactedThinking { .. } => panic!("{name}: this wire has none"),
        }
    }
    assert_eq!(text, expected.text, "{name}");
    assert_eq!(thinking, expected.thinking, "{name}");
    assert_eq!(calls, expected.calls, "{name}");
    assert!(!deltas.iter().any(|delta| matches!(delta, Delta::Warning(_))), "{name}");
    let usage = deltas.iter().rev().find_map(|delta| match delta {
        Delta::Usage(usage) => Some(usage),
        _ => None,
    });
    if let Some(usage) = usage {
        let input = usage.input + usage.cache_read + usage.cache_write;
        assert_eq!(input, expected.prompt.max(usage.cache_read), "{name}");
        assert!(usage.reasoning <= usage.output, "{name}");
    }
    let stops: Vec<_> = deltas
        .iter()
        .filter_map(|delta| match delta {
            Delta::Stop { reason, .. } => Some(*reason),
            _ => None,
        })
        .collect();
    assert_eq!(stops.len(), usize::from(fault.is_none()), "{name}");
    assert!(
        stops
            .iter()
            .all(|stop| (*stop == StopReason::ToolUse) == (calls > 0) || *stop == StopReason::MaxTokens),
        "{name}"
    );
}

#[test]
fn recorded_answers_are_read_as_a_plain_reading_does() {
    for (path, body) in recordings(".sse") {
        check(&path, &body);
    }
    for own in ["text", "refusal", "done-without-finish", "unknown-finish"] {
        let (path, body) = cases().into_iter().find(|(path, _)| path.ends_with(own)).unwrap();
        check(&path, &body);
    }
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
