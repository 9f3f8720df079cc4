//! Recordings of real servers, kept beside the repository. Where they are absent, our own fixtures are put
//! through the same checks.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::super::tests::PIECES;
use super::super::super::tests::answers::recordings;
use super::*;
use crate::models::Usage;
use crate::models::fold::Fold;

/// What a plain reading of the bytes gives, with nothing of the decoder in it.
#[derive(Debug, Default, PartialEq)]
struct Reading {
    text: String,
    thinking: String,
    signatures: Vec<String>,
    redacted: Vec<String>,
    /// Id, name and arguments.
    calls: Vec<(String, String, Value)>,
    stop: String,
    /// Input, output, cache read, cache write, thinking.
    usage: [u64; 5],
    id: String,
    model: String,
}

/// Puts whole messages together, as the client libraries do: blocks are kept by their number until the end.
fn read_plainly(body: &[u8]) -> Reading {
    let body = String::from_utf8(body.to_vec()).unwrap().replace("\r\n", "\n");
    let mut reading = Reading::default();
    let mut blocks: BTreeMap<u64, Map<String, Value>> = BTreeMap::new();
    let mut usage = Map::new();
    for event in body.split("\n\n") {
        let Some(data) = event.lines().find_map(|line| line.strip_prefix("data:")) else { continue };
        let event: Value = serde_json::from_str(data.trim()).unwrap();
        let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let index = event["index"].as_u64().unwrap_or_default();
        match event["type"].as_str().unwrap() {
            "message_start" => {
                reading.id = text("/message/id");
                reading.model = text("/message/model");
                usage.extend(event["message"]["usage"].as_object().cloned().unwrap_or_default());
            }
            "content_block_start" => {
                blocks.insert(index, event["content_block"].as_object().unwrap().clone());
            }
            "content_block_delta" => {
                let block = blocks.get_mut(&index).unwrap();
                for (piece, field) in
                    [("text", "text"), ("thinking", "thinking"), ("signature", "signature"), ("partial_json", "json")]
                {
                    let before = block.get(field).and_then(Value::as_str).unwrap_or_default();
                    let after = format!("{before}{}", text(&format!("/delta/{piece}")));
                    if !after.is_empty() {
                        block.insert(field.to_owned(), after.into());
                    }
                }
            }
            "message_delta" => {
                reading.stop = text("/delta/stop_reason");
                let told = event["usage"].as_object().cloned().unwrap_or_default();
                usage.extend(told.into_iter().filter(|(_, count)| !count.is_null()));
            }
            _ => {}
        }
    }
    for block in blocks.into_values() {
        let field = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
        match field("type") {
            "text" => reading.text.push_str(field("text")),
            "thinking" => {
                reading.thinking.push_str(field("thinking"));
                reading.signatures.push(field("signature").to_owned());
            }
            "redacted_thinking" => reading.redacted.push(field("data").to_owned()),
            "tool_use" => {
                let arguments = match field("json") {
                    "" => block["input"].clone(),
                    json => serde_json::from_str(json).unwrap(),
                };
                reading.calls.push((field("id").to_owned(), field("name").to_owned(), arguments));
            }
            _ => {}
        }
    }
    let usage = Value::Object(usage);
    let count = |path: &str| usage.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    reading.usage = [
        "/input_tokens",
        "/output_tokens",
        "/cache_read_input_tokens",
        "/cache_creation_input_tokens",
        "/output_tokens_details/thinking_tokens",
    ]
    .map(count);
    reading
}

/// What the decoder gives, in the same form.
fn read(body: &[u8], size: usize, name: &str) -> (Reading, Vec<Block>) {
    let (deltas, fault) = decode(&Api, &model(), &frames(Framing::Sse, body.chunks(size)));
    assert_eq!(fault, None, "{name}");
    assert!(!deltas.iter().any(|delta| matches!(delta, Delta::Warning(_))), "{name}");
    let mut fold = Fold::new();
    for delta in &deltas {
        fold.push(delta);
    }
    let (assistant, told) = fold.finish(Origin { provider: "p".into(), wire: "w".into(), model: "m".into() });
    let Usage { input, output, cache_read, cache_write, reasoning, .. } = told.usage;
    let mut reading = Reading {
        usage: [input, output, cache_read, cache_write, reasoning],
        id: told.response_id.unwrap_or_default(),
        model: told.response_model.unwrap_or_default(),
        stop: told.raw_stop.unwrap_or_default(),
        ..Reading::default()
    };
    let expected = match &*reading.stop {
        "tool_use" => StopReason::ToolUse,
        "max_tokens" => StopReason::MaxTokens,
        "refusal" => StopReason::Refusal,
        _ => StopReason::EndTurn,
    };
    assert_eq!(told.stop, Some(expected), "{name}");
    for block in &assistant.blocks {
        match block.clone() {
            Block::Text { text, .. } => reading.text.push_str(&text),
            Block::Thinking { text, signature } => {
                reading.thinking.push_str(&text);
                reading.signatures.extend(signature);
            }
            Block::RedactedThinking { data } => reading.redacted.push(data),
            Block::ToolCall { id, name, arguments, .. } => {
                reading.calls.push((id, name, serde_json::from_str(&arguments).unwrap()));
            }
        }
    }
    (reading, assistant.blocks)
}

#[test]
fn recorded_answers_are_read_as_a_plain_reading_does() {
    let mut bodies = recordings("anthropic-messages", ".sse");
    let least = if bodies.is_empty() { 0 } else { 70 };
    for own in ["text", "refusal-silent", "server-search"] {
        bodies.push(cases().into_iter().find(|(path, _)| path.ends_with(own)).unwrap());
    }
    let (mut calls, mut signed, mut thinking, mut cached) = (0, 0, 0, 0);
    for (path, body) in &bodies {
        let name = path.display().to_string();
        let expected = read_plainly(body);
        for size in PIECES {
            let (reading, blocks) = read(body, size, &format!("{name} by {size}"));
            assert_eq!(reading, expected, "{name} by {size}");
            assert!(!blocks.is_empty() || expected.text.is_empty(), "{name}");
        }
        calls += expected.calls.len();
        signed += expected.signatures.len();
        thinking += usize::from(!expected.thinking.is_empty());
        cached += usize::from(expected.usage[2] > 0);
    }
    println!(
        "{} answers in {} cuts each: {calls} calls, {signed} signatures, {thinking} with thinking, {cached} from a cache",
        bodies.len(),
        PIECES.len()
    );
    assert!(bodies.len() >= least && calls >= least / 4, "recordings are missing");
}

#[test]
fn recorded_errors_are_classified() {
    let own = br#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-none"},"request_id":"r"}"#;
    let mut errors = vec![("our own nonexistent_model".to_owned(), 404, own.to_vec())];
    let meta = recordings("anthropic-messages", ".meta.json");
    for (path, body) in recordings("anthropic-messages", ".err.json") {
        let name = path.display().to_string();
        let wanted = PathBuf::from(name.replace(".err.", ".meta."));
        let (_, meta) = meta.iter().find(|(path, _)| *path == wanted).unwrap();
        let status = serde_json::from_slice::<Value>(meta).unwrap()["status"].as_u64().unwrap();
        errors.push((name, status.try_into().unwrap(), body));
    }
    println!("{} error answers", errors.len());
    for (name, status, body) in errors {
        let fault = Api.fault(status, &body);
        let said: Value = serde_json::from_slice(&body).unwrap();
        let expected = if status == 404 { Category::NotFound } else { Category::InvalidRequest };
        assert_eq!(fault.category, expected, "{name}: {fault:?}");
        assert_eq!(fault.code.as_deref(), said["error"]["type"].as_str(), "{name}");
        let message = said["error"]["message"].as_str().unwrap().trim_end_matches('.');
        assert!(fault.message.ends_with(message), "{name}: {fault:?}");
    }
}

/// A recorded request's conversation in our own words, where it has nothing that we never send.
fn recorded_messages(body: &Value) -> Option<Vec<crate::models::Message>> {
    use crate::models::message::{Assistant, Content, Message};
    // Others place their marks elsewhere.
    if body["messages"].to_string().contains("cache_control") {
        return None;
    }
    let mut out = Vec::new();
    for message in body["messages"].as_array()? {
        let list = match &message["content"] {
            Value::String(text) => vec![serde_json::json!({ "type": "text", "text": text })],
            content => content.as_array()?.clone(),
        };
        let text = |block: &Value, name: &str| Some(block.get(name)?.as_str()?.to_owned());
        if message["role"] == "assistant" {
            let mut blocks = Vec::new();
            for block in &list {
                blocks.push(match block["type"].as_str()? {
                    "text" => Block::Text { text: text(block, "text")?.into(), signature: None },
                    "thinking" => Block::Thinking {
                        text: text(block, "thinking")?.into(),
                        signature: Some(text(block, "signature")?),
                    },
                    "redacted_thinking" => Block::RedactedThinking { data: text(block, "data")? },
                    "tool_use" => Block::ToolCall {
                        id: text(block, "id")?,
                        name: text(block, "name")?,
                        arguments: block["input"].to_string(),
                        signature: None,
                    },
                    _ => return None,
                });
            }
            let origin = Origin { provider: "p".into(), wire: "anthropic-messages".into(), model: "m".into() };
            out.push(Message::Assistant(Assistant { origin, blocks, complete: true }));
            continue;
        }
        let mut said = Vec::new();
        for block in &list {
            match block["type"].as_str()? {
                "text" => said.push(Content::Text(text(block, "text")?.into())),
                "tool_result" => out.push(Message::ToolResult {
                    call_id: text(block, "tool_use_id")?,
                    name: String::new(),
                    content: vec![Content::Text(match &block["content"] {
                        Value::String(text) => text.as_str().into(),
                        content => content.get(0)?.get("text")?.as_str()?.into(),
                    })],
                    is_error: block["is_error"].as_bool().unwrap_or(false),
                }),
                _ => return None,
            }
        }
        if !said.is_empty() {
            out.push(Message::User(said));
        }
    }
    Some(out)
}

/// All blocks with their roles, where a text is a block too and success is not said.
fn plainly(messages: &Value) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    for message in messages.as_array().unwrap() {
        let blocks = match &message["content"] {
            Value::String(text) => vec![serde_json::json!({ "type": "text", "text": text })],
            content => content.as_array().unwrap().clone(),
        };
        for mut block in blocks {
            let fields = block.as_object_mut().unwrap();
            if fields.get("is_error") == Some(&Value::Bool(false)) {
                fields.remove("is_error");
            }
            if fields["type"] == "tool_result"
                && let Some(text) = fields["content"].pointer("/0/text").cloned()
            {
                fields.insert("content".to_owned(), text);
            }
            out.push((message["role"].as_str().unwrap().to_owned(), block));
        }
    }
    out
}

#[test]
fn conversations_are_sent_as_other_clients_send_them() {
    let mut recorded = recordings("anthropic-messages", ".req.json");
    let least = if recorded.is_empty() { 1 } else { 50 };
    let own = include_bytes!("../../../../../tests/fixtures/anthropic-messages/conversation/request.json");
    recorded.push((PathBuf::from("our own"), own.to_vec()));
    let judge = judges::of("anthropic-messages");
    let mut compared = 0;
    for (path, body) in &recorded {
        let body: Value = serde_json::from_slice(body).unwrap();
        let Some(messages) = recorded_messages(&body) else { continue };
        let mut model = any_model("p", "http://localhost:1");
        model.wire = "anthropic-messages".into();
        let cache = crate::models::CacheRetention::None;
        let request = Request { messages, cache, ..Request::default() };
        let ours: Value = serde_json::from_slice(&Api.encode(&request, &model, Access::Key).body).unwrap();
        judge.check(&path.display().to_string(), &ours);
        assert_eq!(plainly(&ours["messages"]), plainly(&body["messages"]), "{}", path.display());
        compared += 1;
    }
    println!("{compared} of {} recorded conversations compared", recorded.len());
    assert!(compared >= least, "only {compared} could be compared");
}
