//! Recordings of the real service, kept beside the repository. Where they are absent, our own fixtures are put
//! through the same checks.

use std::collections::BTreeMap;

use serde_json::Value;

use super::encode::judge;
use super::*;
use crate::models::message::{Assistant, Content, Message, Request, ToolSpec};
use crate::models::wires::Access;
use crate::models::{StopReason, Usage};

#[expect(clippy::disallowed_methods, reason = "tests read their own fixtures")]
fn recordings(suffix: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/bedrock-converse-stream");
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

/// What a second, plain reading of the bytes gives: no checksums, no bounds, everything by offsets and trees.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    text: String,
    thinking: String,
    signatures: Vec<String>,
    calls: Vec<(String, String, Value)>,
    usage: Usage,
    stop: String,
}

fn read_plainly(mut bytes: &[u8]) -> Reading {
    let mut reading = Reading::default();
    let mut inputs: BTreeMap<u64, (String, String, String)> = BTreeMap::new();
    let mut signatures: BTreeMap<u64, String> = BTreeMap::new();
    while !bytes.is_empty() {
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let (length, headers) = (number(0), number(4));
        let head = String::from_utf8_lossy(&bytes[12..12 + headers]).into_owned();
        let payload: Value = serde_json::from_slice(&bytes[12 + headers..length - 4]).unwrap();
        bytes = &bytes[length..];
        let index = payload["contentBlockIndex"].as_u64().unwrap_or_default();
        let word = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        if head.contains("contentBlockDelta") {
            reading.text += &word("/delta/text");
            reading.thinking += &word("/delta/reasoningContent/text");
            let signature = word("/delta/reasoningContent/signature");
            if !signature.is_empty() {
                signatures.entry(index).or_default().push_str(&signature);
            }
            if let Some(input) = inputs.get_mut(&index) {
                input.2 += &word("/delta/toolUse/input");
            }
        } else if head.contains("contentBlockStart") {
            inputs.insert(index, (word("/start/toolUse/toolUseId"), word("/start/toolUse/name"), String::new()));
        } else if head.contains("messageStop") {
            reading.stop = word("/stopReason");
        } else if head.contains("metadata") {
            let count = |name: &str| payload["usage"][name].as_u64().unwrap_or_default();
            reading.usage = Usage {
                input: count("inputTokens"),
                output: count("outputTokens"),
                cache_read: count("cacheReadInputTokens"),
                cache_write: count("cacheWriteInputTokens"),
                ..Usage::default()
            };
        }
    }
    reading.signatures = signatures.into_values().collect();
    let parsed = |text: String| if text.is_empty() { serde_json::json!({}) } else { text.parse().unwrap() };
    reading.calls = inputs.into_values().map(|(id, name, input)| (id, name, parsed(input))).collect();
    reading
}

fn read(frames: &[Frame]) -> Reading {
    let (deltas, fault) = decode(&Api, &asked(), frames);
    assert_eq!(fault, None);
    let mut reading = Reading::default();
    for block in fold(&deltas) {
        match block {
            Block::Text { text, .. } => reading.text += &text,
            Block::Thinking { text, signature } => {
                reading.thinking += &text;
                reading.signatures.extend(signature);
            }
            Block::RedactedThinking { .. } => {}
            Block::ToolCall { id, name, arguments, .. } => {
                reading.calls.push((id, name, arguments.parse().unwrap()));
            }
        }
    }
    for delta in deltas {
        match delta {
            Delta::Usage(usage) => reading.usage = usage,
            Delta::Stop { reason, raw } => {
                reading.stop = raw.unwrap();
                assert_eq!(reason == StopReason::ToolUse, !reading.calls.is_empty());
            }
            Delta::Warning(text) => panic!("{text}"),
            _ => {}
        }
    }
    reading
}

#[test]
fn recorded_answers_are_read_as_a_plain_reading_does() {
    let recorded = recordings(".evs");
    let least = if recorded.is_empty() { 3 } else { 9 };
    let own = ["text", "thinking", "tools-interleaved"];
    let own = cases().into_iter().filter(|(path, _)| own.iter().any(|name| path.ends_with(name)));
    let mut checked = 0;
    for (path, body) in recorded.into_iter().chain(own) {
        let expected = read_plainly(&body);
        assert!(!expected.stop.is_empty() && expected.usage.output > 0, "{}", path.display());
        for size in [1, 2, 3, 5, 11, 12, 13, 64, 1000, usize::MAX] {
            let frames = frames(Framing::EventStream, body.chunks(size.min(body.len())));
            assert_eq!(read(&frames), expected, "{} by {size}", path.display());
        }
        checked += 1;
    }
    assert!(checked >= least, "only {checked} were read");
}

/// A recorded request in our own words, where it has nothing that we never send.
fn recorded_request(body: &Value) -> Option<Request> {
    let mut messages = Vec::new();
    for message in body.get("messages")?.as_array()? {
        let parts = message.get("content")?.as_array()?;
        if message.get("role")? == "user" {
                for part in parts {
                    if let Some(text) = part.get("text") {
                        messages.push(Message::User(vec![Content::Text(text.as_str()?.into())]));
                    } else {
                        let result = part.get("toolResult")?;
                        messages.push(Message::ToolResult {
                            call_id: result.get("toolUseId")?.as_str()?.to_owned(),
                            name: String::new(),
                            content: vec![Content::Text(result.pointer("/content/0/text")?.as_str()?.into())],
                            is_error: result.get("status").is_some_and(|status| status == "error"),
                        });
                    }
                }
            } else {
                let block = |part: &Value| match part.get("toolUse") {
                    Some(call) => Some(Block::ToolCall {
                        id: call.get("toolUseId")?.as_str()?.to_owned(),
                        name: call.get("name")?.as_str()?.to_owned(),
                        arguments: call.get("input")?.to_string(),
                        signature: None,
                    }),
                    None => Some(Block::Text { text: part.get("text")?.as_str()?.into(), signature: None }),
                };
                let blocks = parts.iter().map(block).collect::<Option<_>>()?;
                let origin = Origin {
                    provider: "amazon-bedrock".into(),
                    wire: "bedrock-converse-stream".into(),
                    model: "amazon.nova-lite-v1:0".into(),
                };
                messages.push(Message::Assistant(Assistant { origin, blocks, complete: true }));
            }
    }
    let specs = body.pointer("/toolConfig/tools").and_then(Value::as_array).into_iter().flatten();
    let tool = |tool: &Value| {
        let spec = tool.get("toolSpec")?;
        Some(ToolSpec {
            name: spec.get("name")?.as_str()?.to_owned(),
            description: spec.get("description")?.as_str()?.to_owned(),
            parameters: spec.pointer("/inputSchema/json")?.to_string(),
        })
    };
    Some(Request {
        system: body.pointer("/system/0/text").and_then(Value::as_str).map(str::to_owned),
        messages,
        tools: specs.map(tool).collect::<Option<_>>()?,
        temperature: body.pointer("/inferenceConfig/temperature").and_then(Value::as_f64),
        output_schema: body
            .pointer("/outputConfig/textFormat/structure/jsonSchema/schema")
            .and_then(Value::as_str)
            .map(str::to_owned),
        ..Request::default()
    })
}

/// Without what is a matter of taste: empty fields, the status of a success, the name of an answer's schema.
fn plain(mut body: Value) -> Value {
    let fields = body.as_object_mut().unwrap();
    fields.remove("additionalModelRequestFields");
    fields.retain(|_, value| !matches!(value.to_string().as_str(), "[]" | "{}"));
    for part in fields["messages"].as_array_mut().unwrap().iter_mut().flat_map(|m| m["content"].as_array_mut().unwrap()) {
        if part["toolResult"]["status"] == "success" {
            part["toolResult"].as_object_mut().unwrap().remove("status");
        }
        if part.get("toolResult").is_some_and(Value::is_null) {
            part.as_object_mut().unwrap().remove("toolResult");
        }
    }
    if let Some(schema) = body.pointer_mut("/outputConfig/textFormat/structure/jsonSchema") {
        schema.as_object_mut().unwrap().retain(|name, _| name == "schema");
    }
    body
}

#[test]
fn conversations_are_sent_as_other_clients_send_them() {
    let mut recorded = recordings(".req.json");
    let least = if recorded.is_empty() { 1 } else { 7 };
    let own = include_bytes!("../../../../../tests/fixtures/bedrock-converse-stream/conversation/request.json");
    recorded.push((PathBuf::from("our own"), own.to_vec()));
    let mut compared = 0;
    for (path, body) in &recorded {
        let body: Value = serde_json::from_slice(body).unwrap();
        let Some(request) = recorded_request(&body) else { continue };
        let mut nova = asked();
        nova.id = "amazon.nova-lite-v1:0".into();
        nova.wire = "bedrock-converse-stream".into();
        let ours: Value = serde_json::from_slice(&Api.encode(&request, &nova, Access::Key).body).unwrap();
        judge().check(&ours);
        assert_eq!(plain(ours), plain(body), "{}", path.display());
        compared += 1;
    }
    assert!(compared >= least, "only {compared} could be compared");
}
