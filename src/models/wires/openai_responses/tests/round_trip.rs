//! Decoded answers sent back: to the model that gave them, and to others over another wire.

use serde_json::{Value, json};

use super::*;
use crate::models::message::{Assistant, Content, Message, Request};
use crate::models::wires::{self, Access, Wire};

fn answers_to(blocks: &[Block]) -> Vec<Message> {
    let mut messages = Vec::new();
    for block in blocks {
        if let Block::ToolCall { id, name, .. } = block {
            let content = vec![Content::Text(format!("result of {id}").into())];
            messages.push(Message::ToolResult { call_id: id.clone(), name: name.clone(), content, is_error: false });
        }
    }
    messages
}

fn sent(wire: &dyn Wire, model: &Model, origin: &Origin, blocks: Vec<Block>) -> Value {
    let answers = answers_to(&blocks);
    let said = Message::Assistant(Assistant { origin: origin.clone(), blocks, complete: true });
    let messages = std::iter::once(said).chain(answers).collect();
    let body = wire.encode(&Request { messages, ..Request::default() }, model, Access::Key).body;
    serde_json::from_slice(&body).unwrap()
}

/// The items of an answer as its server gave them last, in their order, without what means nothing here.
fn given(frames: &[Frame]) -> Vec<Value> {
    let mut items = Vec::new();
    for frame in frames {
        let Ok(event) = serde_json::from_str::<Value>(&frame.data) else { continue };
        if event["type"] == "response.output_item.done" {
            items.push(event["item"].clone());
        }
    }
    items
}

#[test]
fn an_answer_goes_back_to_its_model_item_by_item() {
    for name in ["thinking", "tools-parallel", "thinking-in-the-clear", "rotating-ids"] {
        let (_, body) = cases().into_iter().find(|(dir, _)| dir.ends_with(name)).unwrap();
        let frames = frames(Framing::Sse, [&*body]);
        let (deltas, fault) = decode(&Api, &model("openai", OPENAI), &frames);
        assert_eq!(fault, None);
        let body = sent(&Api, &model("openai", OPENAI), &origin(), fold(&deltas));
        let mut input = body["input"].as_array().unwrap().clone();
        input.retain(|item| item["type"] != "function_call_output");
        let mut items = given(&frames);
        items.sort_by_key(|item| match item["type"].as_str() {
            Some("reasoning") => 0,
            Some("message") => 1,
            _ => 2,
        });
        for item in input.iter_mut().chain(&mut items) {
            let item = item.as_object_mut().unwrap();
            if item["type"] != "reasoning" {
                item.remove("status");
            }
            for part in item.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
                part.as_object_mut().unwrap().remove("logprobs");
            }
        }
        assert_eq!(input, items, "{name}");
    }
}

#[test]
fn every_answer_can_go_on_at_any_model_of_any_wire() {
    let ours = model("openai", OPENAI);
    for (dir, body) in cases() {
        let (deltas, fault) = run(&body);
        if fault.is_some() {
            continue;
        }
        let blocks = fold(&deltas);
        let calls = blocks.iter().filter(|block| matches!(block, Block::ToolCall { .. })).count();
        for wire in wires::WIRES {
            for (provider, id) in [("openai", "m"), ("openai", "other"), ("other", "m")] {
                let mut model = Model { wire: wire.id().into(), ..model(provider, OPENAI) };
                model.id = id.into();
                let body = sent(*wire, &model, &origin(), blocks.clone()).to_string();
                let results = body.matches("result of ").count();
                assert_eq!(results, calls, "{}: {body}", dir.display());
                let is_own = wire.id() == ours.wire.as_ref() && provider == "openai" && id == "m";
                assert!(is_own || !body.contains("encrypted_content\":"), "{}: {body}", dir.display());
            }
        }
    }
}

#[test]
fn an_answer_of_another_wire_can_go_on_here() {
    let origin = Origin { provider: "groq".into(), wire: "openai-completions".into(), model: "m".into() };
    let blocks = vec![
        Block::Thinking { text: "Hm".into(), signature: Some("reasoning_content".into()) },
        Block::Text { text: "Looking.".into(), signature: None },
        Block::ToolCall {
            id: "call|x".into(),
            name: "read".into(),
            arguments: "{}".into(),
            signature: Some(r#"{"google":{}}"#.into()),
        },
    ];
    let body = sent(&Api, &model("openai", OPENAI), &origin, blocks);
    let message = |n: usize, text: &str| {
        json!({
            "type": "message", "role": "assistant", "status": "completed", "id": format!("msg_aside_{n}"),
            "content": [{ "type": "output_text", "text": text, "annotations": [] }],
        })
    };
    assert_eq!(
        body["input"],
        json!([
            message(1, "Hm"),
            message(2, "Looking."),
            { "type": "function_call", "call_id": "call_x", "name": "read", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "call_x", "output": "result of call|x" },
        ])
    );
}
