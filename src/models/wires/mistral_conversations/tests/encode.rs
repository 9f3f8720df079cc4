//! Requests: what is asked, as the bytes that go out.

use std::sync::Arc;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::catalog::ThinkingLevel;
use crate::models::message::{Assistant, Content, Message, Origin, ToolSpec};
use crate::models::wires::tests::answers::published;

const SMALL: &str = "mistral-small-latest";

fn text(text: &str) -> Content {
    Content::Text(text.into())
}

fn image() -> Content {
    Content::Image { mime_type: "image/png".into(), data: "AAAA".into() }
}

fn user(said: &str) -> Message {
    Message::User(vec![text(said)])
}

fn said(blocks: Vec<Block>) -> Message {
    let origin = Origin { provider: "mistral".into(), wire: WIRE.id().into(), model: SMALL.into() };
    Message::Assistant(Assistant { origin, blocks, complete: true })
}

fn says(text: &str) -> Block {
    Block::Text { text: text.into(), signature: None }
}

fn thinks(text: &str, signature: Option<&str>) -> Block {
    Block::Thinking { text: text.into(), signature: signature.map(str::to_owned) }
}

fn calls(id: &str, arguments: &str) -> Block {
    Block::ToolCall { id: id.into(), name: "read".into(), arguments: arguments.into(), signature: None }
}

fn result(id: &str, content: Vec<Content>, is_error: bool) -> Message {
    Message::ToolResult { call_id: id.into(), name: "read".into(), content, is_error }
}

fn tool() -> ToolSpec {
    ToolSpec {
        name: "read".into(),
        description: "Reads.".into(),
        parameters: r#"{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}}}"#.into(),
    }
}

fn asking(messages: Vec<Message>) -> Request {
    Request { messages, session: "s-1".into(), ..Request::default() }
}

fn body(request: &Request, model: &Model) -> Value {
    let bytes = WIRE.encode(request, model, Access::Key).body;
    assert_eq!(bytes, WIRE.encode(request, model, Access::Key).body, "the same request gives the same bytes");
    serde_json::from_slice(&bytes).unwrap()
}

/// The messages only.
#[track_caller]
fn check(messages: Vec<Message>, expected: &Expect) {
    let body = body(&asking(messages), &mistral(SMALL));
    let lines: Vec<_> = body["messages"].as_array().unwrap().iter().map(Value::to_string).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn a_whole_request() {
    let request = Request {
        system: Some("be brief".into()),
        tools: vec![tool()],
        max_tokens: Some(100),
        temperature: Some(0.5),
        thinking: Some(ThinkingLevel::Medium),
        output_schema: Some(r#"{"type":"object"}"#.into()),
        ..asking(vec![Message::User(vec![text("hi"), image()])])
    };
    let encoded = WIRE.encode(&request, &mistral(SMALL), Access::Key);
    assert_eq!(encoded.url, "https://api.mistral.ai/v1/chat/completions");
    assert_eq!((encoded.method, encoded.auth, encoded.framing), ("POST", Auth::Bearer, Framing::Sse));
    assert_eq!(encoded.headers.last(), Some(&("x-affinity", "s-1".to_owned())));
    expect![[r#"{"model":"mistral-small-latest","messages":[{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":"data:image/png;base64,AAAA"}]}],"stream":true,"prompt_cache_key":"s-1","max_tokens":100,"temperature":0.5,"tools":[{"type":"function","function":{"name":"read","description":"Reads.","parameters":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}}}}}],"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"}}},"reasoning_effort":"high"}"#]].assert_eq(&String::from_utf8(encoded.body).unwrap());
    let quiet = Request { cache: CacheRetention::None, ..asking(vec![user("hi")]) };
    let encoded = WIRE.encode(&quiet, &mistral(SMALL), Access::Key);
    assert_eq!(encoded.headers.len(), 2);
    expect![[r#"{"model":"mistral-small-latest","messages":[{"role":"user","content":"hi"}],"stream":true}"#]].assert_eq(&String::from_utf8(encoded.body).unwrap());
}

#[test]
fn a_version_in_the_base_url_is_not_doubled() {
    for (base, expected) in [
        ("https://x.test/", "https://x.test/v1/chat/completions"),
        ("https://x.test/v1/", "https://x.test/v1/chat/completions"),
        ("https://x.test/eu/v1?a=b", "https://x.test/eu/v1/chat/completions?a=b"),
    ] {
        let mut model = mistral(SMALL);
        model.base_url = base.into();
        assert_eq!(WIRE.encode(&asking(vec![]), &model, Access::Key).url, expected);
    }
}

#[test]
fn what_the_model_said_goes_back_as_it_came() {
    check(
        vec![
            user("hi"),
            said(vec![thinks("Hm", None), thinks("", Some("sig")), says("I"), says(" look"), calls("a1B2c3D4e", r#"{"z":"a"}"#), calls("b1B2c3D4e", "")]),
            result("a1B2c3D4e", vec![text("one"), text("two"), image()], false),
            result("b1B2c3D4e", vec![], true),
            said(vec![]),
            said(vec![says("I"), says(" see")]),
            user("go on"),
        ],
        &expect![[r#"
            {"content":"hi","role":"user"}
            {"content":[{"thinking":[{"text":"Hm","type":"text"}],"type":"thinking"},{"signature":"sig","thinking":[{"text":"","type":"text"}],"type":"thinking"},{"text":"I","type":"text"},{"text":" look","type":"text"}],"role":"assistant","tool_calls":[{"function":{"arguments":"{\"z\":\"a\"}","name":"read"},"id":"a1B2c3D4e","type":"function"},{"function":{"arguments":"{}","name":"read"},"id":"b1B2c3D4e","type":"function"}]}
            {"content":[{"text":"one\ntwo","type":"text"},{"image_url":"data:image/png;base64,AAAA","type":"image_url"}],"name":"read","role":"tool","tool_call_id":"a1B2c3D4e"}
            {"content":"[tool error] (no tool output)","name":"read","role":"tool","tool_call_id":"b1B2c3D4e"}
            {"content":"I see","role":"assistant"}
            {"content":"go on","role":"user"}"#]],
    );
}

#[test]
fn the_order_of_roles_is_held_to() {
    check(
        vec![
            user("hi"),
            said(vec![calls("call_1", "{}"), calls("call_2", "{}")]),
            result("call_1", vec![text("x")], false),
            user("no, wait"),
            said(vec![says("cut o")]),
        ],
        &expect![[r#"
            {"content":"hi","role":"user"}
            {"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"read"},"id":"16xj2wjzp","type":"function"},{"function":{"arguments":"{}","name":"read"},"id":"g4r1ckgto","type":"function"}]}
            {"content":"x","name":"read","role":"tool","tool_call_id":"16xj2wjzp"}
            {"content":"[tool error] No result provided","name":"read","role":"tool","tool_call_id":"g4r1ckgto"}
            {"content":"I have processed the tool results.","role":"assistant"}
            {"content":"no, wait","role":"user"}
            {"content":"cut o","prefix":true,"role":"assistant"}"#]],
    );
}

#[test]
fn thinking_is_asked_for_as_the_model_has_it() {
    let asked = |model: &Model, level| {
        let body = body(&Request { thinking: level, ..asking(vec![user("hi")]) }, model);
        (body["reasoning_effort"].clone(), body["prompt_mode"].clone())
    };
    let effort = |word: &str| (json!(word), Value::Null);
    let nothing = (Value::Null, Value::Null);
    for id in [SMALL, "mistral-small-2603", "mistral-medium-3.5", "mistral-medium-latest", "zai-glm-5-2"] {
        assert_eq!(asked(&mistral(id), Some(ThinkingLevel::Low)), effort("high"), "{id}");
        assert_eq!(asked(&mistral(id), Some(ThinkingLevel::Off)), nothing, "{id}");
    }
    let magistral = mistral("magistral-medium-latest");
    assert_eq!(asked(&magistral, Some(ThinkingLevel::High)), (Value::Null, json!("reasoning")));
    assert_eq!(asked(&magistral, Some(ThinkingLevel::Off)), nothing);
    assert_eq!(asked(&magistral, None), nothing);
    let mut data = mistral("new");
    data.thinking.0 = vec![(ThinkingLevel::Off, Some("none".into())), (ThinkingLevel::Low, Some("low".into()))];
    assert_eq!(asked(&data, Some(ThinkingLevel::Low)), effort("low"));
    assert_eq!(asked(&data, Some(ThinkingLevel::Off)), effort("none"));
    let mut switched = mistral("new");
    switched.compat = Arc::new(json!({ "supportsReasoningEffort": true, "samplingParams": { "top_p": 0.5 } }).as_object().unwrap().clone());
    assert_eq!(asked(&switched, Some(ThinkingLevel::High)), effort("high"));
    assert_eq!(body(&asking(vec![]), &switched)["top_p"], 0.5);
    let mut plain = mistral(SMALL);
    plain.reasoning = false;
    assert_eq!(asked(&plain, Some(ThinkingLevel::High)), nothing);
}

#[test]
fn requests_satisfy_the_published_description() {
    let document = published("mistral-chat.openapi-subset.json");
    let schema = match &document {
        Some(document) => json!({ "$ref": "#/components/schemas/ChatCompletionRequest", "components": document["components"] }),
        None => json!({ "required": ["model", "messages"], "properties": { "stream": { "const": true } } }),
    };
    let validator = jsonschema::validator_for(&schema).unwrap();
    let messages = vec![
        user("look"),
        Message::User(vec![text("a"), image()]),
        said(vec![thinks("t", None), says("x"), calls("1", "{\"a\":[1]}"), calls("2", "{}")]),
        result("1", vec![text("a"), image()], false),
        result("2", vec![text("no")], true),
        user("and"),
        said(vec![says("y")]),
    ];
    for id in [SMALL, "magistral-small", "codestral-latest"] {
        for thinking in [None, Some(ThinkingLevel::Off), Some(ThinkingLevel::Minimal), Some(ThinkingLevel::High)] {
            for cache in [CacheRetention::None, CacheRetention::Short, CacheRetention::Long] {
                let request = Request {
                    system: Some("be brief".into()),
                    tools: vec![tool()],
                    max_tokens: Some(100),
                    temperature: Some(0.5),
                    thinking,
                    cache,
                    output_schema: Some(r#"{"type":"object"}"#.into()),
                    ..asking(messages.clone())
                };
                let body = body(&request, &mistral(id));
                let problems: Vec<_> =
                    validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
                assert!(problems.is_empty(), "{problems:#?}");
                let mut odd = body.clone();
                odd["messages"][1]["misspelt"] = json!(1);
                assert!(document.is_none() || !validator.is_valid(&odd));
            }
        }
    }
}

/// What a model said comes back in the next request with the same thoughts, text and calls.
#[test]
fn decoded_answers_go_back_as_they_came() {
    for (dir, reply) in cases("mistral") {
        let (deltas, fault) = run(&reply);
        let blocks = fold(&deltas);
        if fault.is_some() || blocks.is_empty() {
            continue;
        }
        let results: Vec<Message> = blocks
            .iter()
            .filter_map(|block| match block {
                Block::ToolCall { id, .. } => Some(result(id, vec![text("r")], false)),
                _ => None,
            })
            .collect();
        let messages = [vec![user("hi"), said(blocks.clone())], results].concat();
        let body = body(&asking(messages), &mistral(SMALL));
        let turn = &body["messages"][1];
        let (mut said, mut thought) = (turn["content"].as_str().unwrap_or_default().to_owned(), String::new());
        for chunk in turn["content"].as_array().into_iter().flatten() {
            said.push_str(chunk["text"].as_str().unwrap_or_default());
            thought.push_str(chunk["thinking"][0]["text"].as_str().unwrap_or_default());
        }
        let mut expected = (String::new(), String::new(), Vec::new());
        for block in &blocks {
            match block {
                Block::Text { text, .. } => expected.0.push_str(text),
                Block::Thinking { text, .. } => expected.1.push_str(text),
                Block::ToolCall { name, arguments, .. } => expected.2.push((name.clone(), arguments.clone())),
                Block::RedactedThinking { .. } => panic!("this wire has none"),
            }
        }
        let calls: Vec<_> = turn["tool_calls"].as_array().into_iter().flatten().collect();
        let sent: Vec<_> = calls
            .iter()
            .map(|call| &call["function"])
            .map(|call| (call["name"].as_str().unwrap().to_owned(), call["arguments"].as_str().unwrap().to_owned()))
            .collect();
        assert_eq!((said, thought, sent), expected, "{}", dir.display());
        for (at, call) in calls.iter().enumerate() {
            assert_eq!(call["id"], body["messages"][2 + at]["tool_call_id"], "{}", dir.display());
        }
    }
}
