//! Recordings of real servers, kept beside the repository. Where they are absent, our own fixtures are put
//! through the same checks.

use serde_json::Value;

use super::*;
use crate::models::StopReason;
use crate::models::message::{Assistant, Content, Message, Request};
use crate::models::wires::{self, Access, Wire};

#[expect(clippy::disallowed_methods, reason = "tests read their own fixtures")]
fn recordings(wire: &str, suffix: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures").join(wire);
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

/// What a second, plain reading of the finished items gives.
#[derive(Debug, Default, PartialEq)]
struct Expected {
    text: String,
    thinking: Vec<String>,
    /// Encrypted thinking that must go back.
    encrypted: Vec<String>,
    calls: Vec<(String, String, Value)>,
    input: u64,
    cached: u64,
    output: u64,
    reasoning: u64,
    is_cut: bool,
    id: String,
    model: String,
}

fn read_plainly(frames: &[Frame]) -> Expected {
    let mut expected = Expected::default();
    let said = |value: &Value, pointer: &str| {
        value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    for frame in frames {
        let Ok(event) = serde_json::from_str::<Value>(&frame.data) else { continue };
        match said(&event, "/type").as_str() {
            "response.output_item.done" => {
                let item = &event["item"];
                let texts = |list: &Value| -> Vec<String> {
                    list.as_array()
                        .into_iter()
                        .flatten()
                        .map(|part| said(part, "/text") + &said(part, "/refusal"))
                        .collect()
                };
                match said(item, "/type").as_str() {
                    "message" => expected.text.push_str(&texts(&item["content"]).concat()),
                    "reasoning" => {
                        expected.thinking.push(texts(&item["summary"]).join("\n\n"));
                        expected.encrypted.push(said(item, "/encrypted_content"));
                    }
                    "function_call" => {
                        let arguments = serde_json::from_str(&said(item, "/arguments")).unwrap();
                        expected.calls.push((said(item, "/call_id"), said(item, "/name"), arguments));
                    }
                    _ => {}
                }
            }
            "response.completed" | "response.incomplete" => {
                let response = &event["response"];
                let count = |pointer: &str| response.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
                expected.input = count("/usage/input_tokens");
                expected.cached = count("/usage/input_tokens_details/cached_tokens");
                expected.output = count("/usage/output_tokens");
                expected.reasoning = count("/usage/output_tokens_details/reasoning_tokens");
                expected.is_cut = said(response, "/status") == "incomplete";
            }
            _ => {}
        }
        if expected.id.is_empty() {
            expected.id = said(&event, "/response/id");
            expected.model = said(&event, "/response/model");
        }
    }
    expected.encrypted.retain(|text| !text.is_empty());
    expected.thinking.retain(|text| !text.is_empty());
    expected
}

fn check(wire: &dyn Wire, path: &Path, body: &[u8]) {
    let name = path.display();
    let whole = frames(Framing::Sse, [body]);
    for size in [1, 7, 4096] {
        assert_eq!(frames(Framing::Sse, body.chunks(size)), whole, "{name}");
    }
    let expected = read_plainly(&whole);
    let (deltas, fault) = decode(wire, &model("openai", OPENAI), &whole);
    assert_eq!(fault, None, "{name}");
    let mut read = Expected::default();
    for block in fold(&deltas) {
        match block {
            Block::Text { text, signature } => {
                assert!(signature.is_some(), "{name}: a message without its id");
                read.text.push_str(&text);
            }
            Block::Thinking { text, signature } => {
                if !text.is_empty() {
                    read.thinking.push(text.to_string());
                }
                let item: Option<Value> = signature.map(|text| serde_json::from_str(&text).unwrap());
                let encrypted = item.as_ref().and_then(|item| item["encrypted_content"].as_str());
                read.encrypted.extend(encrypted.map(str::to_owned));
            }
            Block::ToolCall { id, name, arguments, .. } => {
                read.calls.push((id, name, serde_json::from_str(&arguments).unwrap()));
            }
            Block::RedactedThinking { .. } => panic!("{name}: this wire has none"),
        }
    }
    assert!(!deltas.iter().any(|delta| matches!(delta, Delta::Warning(_))), "{name}");
    for delta in &deltas {
        match delta {
            Delta::Usage(usage) => {
                read.input = usage.input + usage.cache_read + usage.cache_write;
                (read.cached, read.output, read.reasoning) = (usage.cache_read, usage.output, usage.reasoning);
            }
            Delta::Response { id, model } => {
                read.id = id.clone().unwrap();
                read.model = model.clone().unwrap();
            }
            Delta::Stop { reason, .. } => {
                read.is_cut = *reason == StopReason::MaxTokens;
                let calls = *reason == StopReason::ToolUse;
                assert_eq!(calls, !read.calls.is_empty() && !read.is_cut, "{name}");
                assert_eq!(*reason == StopReason::Refusal, name.to_string().contains("refusal"), "{name}");
            }
            _ => {}
        }
    }
    assert_eq!(read, expected, "{name}");
    let stops = deltas.iter().filter(|delta| matches!(delta, Delta::Stop { .. })).count();
    assert_eq!(stops, 1, "{name}");
    // However far it comes, it breaks off with a fault.
    for end in 0..whole.len().min(20) {
        let fault = decode(wire, &model("openai", OPENAI), &whole[..end]).1;
        assert_eq!(fault.unwrap().category, Category::Protocol, "{name} after {end}");
    }
}

#[test]
fn recorded_answers_are_read_as_a_plain_reading_does() {
    for wire in wires::WIRES.iter().filter(|wire| wire.id().contains("responses")) {
        for (path, body) in recordings(wire.id(), ".sse") {
            check(*wire, &path, &body);
        }
        for own in ["text", "refusal", "thinking", "tools-parallel", "interleaved", "rotating-ids"] {
            let (path, body) = cases().into_iter().find(|(path, _)| path.ends_with(own)).unwrap();
            check(*wire, &path, &body);
        }
    }
}

#[test]
fn recorded_errors_are_classified() {
    let own = br#"{"error":{"message":"The model `x` does not exist","code":"model_not_found"}}"#;
    let mut errors = vec![("our own".to_owned(), 400, own.to_vec())];
    let meta = recordings("openai-responses", ".meta.json");
    for (path, body) in recordings("openai-responses", ".err.json") {
        let name = path.display().to_string();
        let wanted = PathBuf::from(name.replace(".err.", ".meta."));
        let (_, meta) = meta.iter().find(|(path, _)| *path == wanted).unwrap();
        let status = serde_json::from_slice::<Value>(meta).unwrap()["status"].as_u64().unwrap();
        errors.push((name, status.try_into().unwrap(), body));
    }
    for (name, status, body) in errors {
        let fault = Api.fault(status, &body);
        let expected = if status == 401 { Category::Authentication } else { Category::NotFound };
        assert_eq!(fault.category, expected, "{name}: {fault:?}");
        assert!(!fault.message.contains(['{', '\n']), "{}", fault.message);
    }
}

/// A recorded request's conversation in our own words, where it has nothing that we never send.
fn recorded_messages(body: &Value) -> Option<(Option<String>, Vec<Message>)> {
    let mut system = None;
    let mut out: Vec<Message> = Vec::new();
    for (at, item) in body.get("input")?.as_array()?.iter().enumerate() {
        let field = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        let block = match (field("type").as_deref().unwrap_or("message"), field("role").as_deref()) {
            ("message", Some("system" | "developer")) if at == 0 => {
                system = Some(said(item)?);
                continue;
            }
            ("message", Some("user")) => {
                out.push(Message::User(vec![Content::Text(said(item)?.into())]));
                continue;
            }
            ("message", Some("assistant")) => Block::Text { text: said(item)?.into(), signature: None },
            ("reasoning", None) if field("encrypted_content").is_some() => {
                Block::Thinking { text: "".into(), signature: Some(item.to_string()) }
            }
            ("function_call", None) if item.get("namespace").is_none() => Block::ToolCall {
                id: field("call_id")?,
                name: field("name")?,
                arguments: field("arguments")?,
                signature: field("id"),
            },
            ("function_call_output", None) => {
                let content = vec![Content::Text(field("output")?.into())];
                let name = String::new();
                out.push(Message::ToolResult { call_id: field("call_id")?, name, content, is_error: false });
                continue;
            }
            _ => return None,
        };
        match out.last_mut() {
            Some(Message::Assistant(assistant)) => assistant.blocks.push(block),
            _ => {
                out.push(Message::Assistant(Assistant { origin: origin(), blocks: vec![block], complete: true }));
            }
        }
    }
    Some((system, out))
}

/// The text of a message that is nothing but one text.
fn said(item: &Value) -> Option<String> {
    match item.get("content")? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) if parts.len() == 1 => Some(parts[0].get("text")?.as_str()?.to_owned()),
        _ => None,
    }
}

/// Without what means nothing: how a text is wrapped, ids and states of messages.
fn plain(mut input: Value) -> Value {
    for item in input.as_array_mut().unwrap() {
        let text = said(item);
        let item = item.as_object_mut().unwrap();
        item.remove("status");
        if item.get("role").is_some() {
            item.retain(|name, _| name == "role");
            item.insert("text".to_owned(), text.into());
        }
        if item.get("role") == Some(&"developer".into()) {
            item.insert("role".to_owned(), "system".into());
        }
    }
    input
}

#[test]
fn conversations_are_sent_as_other_clients_send_them() {
    let mut recorded: Vec<_> = ["openai-responses", "azure-openai-responses", "openai-codex-responses"]
        .iter()
        .flat_map(|wire| recordings(wire, ".req.json"))
        .collect();
    let least = if recorded.is_empty() { 1 } else { 30 };
    let own = include_bytes!("../../../../../tests/fixtures/openai-responses/conversation/request.json");
    recorded.push((PathBuf::from("our own"), own.to_vec()));
    let mut compared = 0;
    for (path, body) in &recorded {
        let Ok(body) = serde_json::from_slice::<Value>(body) else { continue };
        let Some((system, messages)) = recorded_messages(&body) else { continue };
        let request = Request { system, messages, ..Request::default() };
        let ours: Value = serde_json::from_slice(&Api.encode(&request, &model("openai", OPENAI), Access::Key).body).unwrap();
        // Some recordings were never valid: a call without a result.
        if ours.to_string().contains("No result provided") {
            continue;
        }
        assert_eq!(plain(ours["input"].clone()), plain(body["input"].clone()), "{}", path.display());
        compared += 1;
    }
    assert!(compared >= least, "only {compared} could be compared");
}
