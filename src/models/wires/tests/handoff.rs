//! A conversation that goes from wire to wire and back: what one model said, every other can be sent.

use std::collections::BTreeSet;

use serde_json::Value;

use super::answers::{cases, fold};
use super::{decode, frames, model};
use crate::catalog::Model;
use crate::models::message::{Assistant, Content, Message, Origin, Request};
use crate::models::wires::{Access, Framing, Wire, wire};
use crate::models::{Block, handoff};

/// Each wire with a folder of answers of its own, and a model.
const WIRES: [(&str, &str, &str); 6] = [
    ("anthropic-messages", "anthropic-messages", "claude-opus"),
    ("openai-completions", "openai-completions", "gpt"),
    ("google-generative-ai", "google", "gemini-3.1-pro"),
    ("google-generative-ai", "google", "gemini-2.5-flash"),
    ("google-vertex", "google", "gemini-3.1-pro"),
    ("mistral-conversations", "mistral", "mistral-small-latest"),
];

fn known(name: &str, id: &str) -> (&'static dyn Wire, Model) {
    let mut model = model(name, "https://api.test/v1");
    model.wire = name.into();
    model.id = id.into();
    (wire(name).unwrap(), model)
}

/// A call or a result as it is sent: the id if there is one, the name or text, and the arguments.
#[derive(Debug, PartialEq)]
struct Sent {
    id: Option<String>,
    what: String,
}

/// The calls and the results in a request's body, and everything said beside them.
fn sent(name: &str, body: &Value) -> (Vec<Sent>, Vec<Sent>, String) {
    let (mut calls, mut results, mut text) = (Vec::new(), Vec::new(), String::new());
    let id = |value: &Value| value.as_str().map(str::to_owned);
    if name.starts_with("google") {
        let parts =
            body["contents"].as_array().unwrap().iter().flat_map(|turn| turn["parts"].as_array().unwrap());
        for part in parts {
            assert_eq!(part.get("thought"), None, "thoughts of others are text");
            text.push_str(part["text"].as_str().unwrap_or_default());
            if let Some(call) = part.get("functionCall") {
                let what = format!("{} {}", call["name"].as_str().unwrap(), call["args"]);
                calls.push(Sent { id: id(&call["id"]), what });
            }
            if let Some(result) = part.get("functionResponse") {
                let what = result["response"]["output"].as_str().unwrap().to_owned();
                results.push(Sent { id: id(&result["id"]), what });
            }
        }
    } else if name == "anthropic-messages" {
        for message in body["messages"].as_array().unwrap() {
            text.push_str(message["content"].as_str().unwrap_or_default());
            for block in message["content"].as_array().into_iter().flatten() {
                match block["type"].as_str().unwrap() {
                    "text" => text.push_str(block["text"].as_str().unwrap()),
                    "tool_use" => {
                        let what = format!("{} {}", block["name"].as_str().unwrap(), block["input"]);
                        calls.push(Sent { id: id(&block["id"]), what });
                    }
                    "tool_result" => {
                        let what = block["content"].as_str().unwrap().to_owned();
                        results.push(Sent { id: id(&block["tool_use_id"]), what });
                    }
                    other => panic!("{other}: thoughts of others are text"),
                }
            }
        }
    } else {
        for message in body["messages"].as_array().unwrap() {
            for call in message["tool_calls"].as_array().into_iter().flatten() {
                let arguments: Value =
                    serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
                let what = format!("{} {arguments}", call["function"]["name"].as_str().unwrap());
                calls.push(Sent { id: id(&call["id"]), what });
            }
            let said = message["content"].as_str().unwrap_or_default();
            if message["role"] == "tool" {
                results.push(Sent { id: id(&message["tool_call_id"]), what: said.to_owned() });
            } else {
                text.push_str(said);
            }
            assert!(!message["content"].to_string().contains("thinking"), "thoughts of others are text");
        }
    }
    (calls, results, text)
}

#[test]
fn every_answer_can_be_continued_by_every_other_wire() {
    let mut compared = 0;
    for (from, folder, from_id) in WIRES {
        let (from_wire, from_model) = known(from, from_id);
        for (dir, reply) in cases(folder) {
            let (deltas, fault) = decode(from_wire, &from_model, &frames(Framing::Sse, [&*reply]));
            let blocks = fold(&deltas);
            if fault.is_some() || blocks.is_empty() {
                continue;
            }
            let origin = Origin { provider: from.into(), wire: from.into(), model: from_id.into() };
            let mut messages = vec![Message::User(vec![Content::Text("hi".into())])];
            let (mut text, mut calls) = ("hi".to_owned(), Vec::new());
            for block in &blocks {
                match block {
                    Block::Text { text: said, .. } | Block::Thinking { text: said, .. } => {
                        text.push_str(if said.trim().is_empty() { "" } else { said });
                    }
                    Block::ToolCall { id, name, arguments, .. } => {
                        let arguments: Value = serde_json::from_str(arguments).unwrap();
                        calls.push((id.clone(), name.clone(), format!("{name} {arguments}")));
                    }
                    Block::RedactedThinking { .. } => {}
                }
            }
            messages.push(Message::Assistant(Assistant { origin, blocks, complete: true }));
            for (at, (id, name, _)) in calls.iter().enumerate() {
                let content = vec![Content::Text(format!("result {at}").into())];
                messages.push(Message::ToolResult {
                    call_id: id.clone(),
                    name: name.clone(),
                    content,
                    is_error: false,
                });
            }
            for (to, _, to_id) in WIRES {
                if (from, from_id) == (to, to_id) {
                    continue;
                }
                let (to_wire, to_model) = known(to, to_id);
                let request = Request { messages: messages.clone(), ..Request::default() };
                let body: Value =
                    serde_json::from_slice(&to_wire.encode(&request, &to_model, Access::Key).body).unwrap();
                let place = format!("{} to {to} {to_id}: {body}", dir.display());
                let (sent_calls, results, sent_text) = sent(to, &body);
                let what: Vec<_> = sent_calls.iter().map(|call| &call.what).collect();
                assert_eq!(what, calls.iter().map(|(.., what)| what).collect::<Vec<_>>(), "{place}");
                assert_eq!(sent_text, text, "{place}");
                for (at, (call, result)) in sent_calls.iter().zip(&results).enumerate() {
                    assert_eq!((&call.id, &result.what), (&result.id, &format!("result {at}")), "{place}");
                }
                assert_eq!(sent_calls.len(), results.len(), "{place}");
                let ids: BTreeSet<_> = sent_calls.iter().filter_map(|call| call.id.as_ref()).collect();
                assert!(ids.len() == sent_calls.len() || ids.is_empty(), "{place}");
                let fits = |id: &&String| match to {
                    "mistral-conversations" => id.len() == 9 && id.bytes().all(|b| b.is_ascii_alphanumeric()),
                    _ => handoff::short_id(id, 64) == **id,
                };
                assert!(ids.iter().all(fits), "{place}");
                // Signatures are for those who made them.
                let signed = body.to_string().replace("skip_thought_signature_validator", "");
                assert!(!signed.contains("QUJD") && !signed.contains("sig1"), "{place}");
                compared += 1;
            }
        }
    }
    assert!(compared > 80, "only {compared}");
}
