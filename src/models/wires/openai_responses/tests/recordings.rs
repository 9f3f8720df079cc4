//! Recordings of real servers, kept beside the repository. Where they are absent, our own fixtures are put
//! through the same checks.

use serde_json::Value;

use super::*;
use crate::models::StopReason;
use crate::models::wires::{self, Wire};

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
