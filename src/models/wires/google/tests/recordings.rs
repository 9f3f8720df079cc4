//! Recordings of real servers, kept beside the repository. Where they are absent, our own fixtures are put through
//! the same checks.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;
use crate::models::wires::tests::answers::{recordings, usage};

const FOLDERS: [&str; 2] = ["google-generative-ai", "google-vertex"];

/// What a second, plain reading of the body gives.
#[derive(Debug, Default, PartialEq)]
struct Plain {
    text: String,
    thinking: String,
    calls: Vec<(String, Value)>,
    signatures: Vec<String>,
    finish: Option<String>,
    counts: [u64; 4],
    model: Option<String>,
    id: Option<String>,
}

fn read_plainly(body: &[u8]) -> Plain {
    let mut plain = Plain::default();
    for line in String::from_utf8(body.to_vec()).unwrap().lines() {
        let Some(data) = line.strip_prefix("data:") else { continue };
        let event: Value = serde_json::from_str(data).unwrap();
        let text_of = |value: &Value| value.as_str().map(str::to_owned);
        plain.model = plain.model.or(text_of(&event["modelVersion"]));
        plain.id = plain.id.or(text_of(&event["responseId"]));
        let usage = &event["usageMetadata"];
        if usage.is_object() {
            let names =
                ["promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "cachedContentTokenCount"];
            let counted = names.map(|name| usage[name].as_u64());
            if counted.iter().any(Option::is_some) {
                plain.counts = counted.map(Option::unwrap_or_default);
            }
        }
        let candidate = &event["candidates"][0];
        for part in candidate["content"]["parts"].as_array().into_iter().flatten() {
            plain.signatures.extend(text_of(&part["thoughtSignature"]));
            let said = part["text"].as_str().unwrap_or_default();
            if part["thought"] == true { &mut plain.thinking } else { &mut plain.text }.push_str(said);
            if let Some(call) = part.get("functionCall") {
                let arguments = call.get("args").cloned().unwrap_or_else(|| serde_json::json!({}));
                plain.calls.push((call["name"].as_str().unwrap().to_owned(), arguments));
            }
        }
        plain.finish = text_of(&candidate["finishReason"]).or(plain.finish);
    }
    plain
}

/// Reads deltas the way that `read_plainly` reads a body.
fn read_deltas(deltas: &[Delta]) -> Plain {
    let mut plain = Plain::default();
    for block in fold(deltas) {
        let mut sign = |signature: Option<String>| {
            let Some(signature) = signature else { return };
            if signature.starts_with('[') {
                let parts: Vec<(usize, Option<String>)> = serde_json::from_str(&signature).unwrap();
                plain.signatures.extend(parts.into_iter().filter_map(|(_, signature)| signature));
            } else {
                plain.signatures.push(signature);
            }
        };
        match block {
            Block::Text { text, signature } => {
                sign(signature);
                plain.text.push_str(&text);
            }
            Block::Thinking { text, signature } => {
                sign(signature);
                plain.thinking.push_str(&text);
            }
            Block::ToolCall { id, name, arguments, signature } => {
                assert!(!id.is_empty());
                sign(signature);
                plain.calls.push((name, serde_json::from_str(&arguments).unwrap()));
            }
            Block::RedactedThinking { .. } => panic!("this wire has none"),
        }
    }
    if let Some(usage) = usage(deltas) {
        plain.counts = [
            usage.input + usage.cache_read,
            usage.output - usage.reasoning,
            usage.reasoning,
            usage.cache_read,
        ];
    }
    for delta in deltas {
        match delta {
            Delta::Stop { reason, raw } => {
                plain.finish.clone_from(raw);
                let expected = match (raw.as_deref(), plain.calls.is_empty()) {
                    (Some("MAX_TOKENS"), _) => StopReason::MaxTokens,
                    (_, true) => StopReason::EndTurn,
                    (_, false) => StopReason::ToolUse,
                };
                assert_eq!(*reason, expected);
            }
            Delta::Response { id, model } => {
                plain.id = plain.id.or(id.clone());
                plain.model = plain.model.or(model.clone());
            }
            _ => {}
        }
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
    let (deltas, fault) = decode(&WIRE, &gemini("gemini-3-pro"), &whole);
    assert_eq!(fault, None, "{name}");
    assert_eq!(read_deltas(&deltas), read_plainly(body), "{name}");
    assert!(!deltas.iter().any(|delta| matches!(delta, Delta::Warning(_))), "{name}");
}

#[test]
fn recorded_answers_are_read_as_a_plain_reading_does() {
    for folder in FOLDERS {
        for (path, body) in recordings(folder, ".sse") {
            check(&path, &body);
        }
    }
    for own in ["text", "thinking", "tools-parallel", "unknown-finish", "two-ends"] {
        let (path, body) = cases("google").into_iter().find(|(path, _)| path.ends_with(own)).unwrap();
        check(&path, &body);
    }
}

#[test]
fn recorded_errors_are_classified() {
    let own = br#"{"error":{"code":404,"message":"models/x is not found","status":"NOT_FOUND"}}"#;
    let mut errors = vec![(PathBuf::from("our own"), own.to_vec())];
    for folder in FOLDERS {
        errors.extend(recordings(folder, ".err.json"));
    }
    for (path, body) in errors {
        let status = serde_json::from_slice::<Value>(&body).unwrap()["error"]["code"].as_u64().unwrap();
        let fault = WIRE.fault(status.try_into().unwrap(), &body);
        assert_eq!(
            (fault.category, fault.code.as_deref()),
            (Category::NotFound, Some("NOT_FOUND")),
            "{}",
            path.display()
        );
    }
}
