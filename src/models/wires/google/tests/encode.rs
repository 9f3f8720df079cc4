//! Requests: what is asked, as the bytes that go out.

use std::sync::Arc;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::catalog::ThinkingLevel;
use crate::models::message::{Assistant, Content, Message, Origin, ToolSpec};
use crate::models::wires::tests::answers::published;
use crate::models::wires::{Access, Auth};

const NEW: &str = "gemini-3.1-pro";
const OLD: &str = "gemini-2.5-flash";

fn text(text: &str) -> Content {
    Content::Text(text.into())
}

fn image() -> Content {
    Content::Image { mime_type: "image/png".into(), data: "AAAA".into() }
}

fn user(said: &str) -> Message {
    Message::User(vec![text(said)])
}

/// Said by `model` on this wire.
fn said(model: &str, blocks: Vec<Block>) -> Message {
    let origin = Origin { provider: "google".into(), wire: WIRE.id().into(), model: model.into() };
    Message::Assistant(Assistant { origin, blocks, complete: true })
}

fn says(text: &str, signature: Option<&str>) -> Block {
    Block::Text { text: text.into(), signature: signature.map(str::to_owned) }
}

fn thinks(text: &str, signature: Option<&str>) -> Block {
    Block::Thinking { text: text.into(), signature: signature.map(str::to_owned) }
}

fn calls(id: &str, arguments: &str, signature: Option<&str>) -> Block {
    Block::ToolCall {
        id: id.into(),
        name: "read".into(),
        arguments: arguments.into(),
        signature: signature.map(str::to_owned),
    }
}

fn result(id: &str, content: Vec<Content>, is_error: bool) -> Message {
    Message::ToolResult { call_id: id.into(), name: "read".into(), content, is_error }
}

fn tool() -> ToolSpec {
    ToolSpec {
        name: "read".into(),
        description: "Reads.".into(),
        parameters: r#"{"$schema":"x","type":"object","properties":{"z":{"type":"string"},"a":{"type":["number","null"]}},"additionalProperties":false}"#.into(),
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

/// The turns only.
#[track_caller]
fn check(id: &str, messages: Vec<Message>, expected: &Expect) {
    let body = body(&asking(messages), &gemini(id));
    let lines: Vec<_> = body["contents"].as_array().unwrap().iter().map(Value::to_string).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn a_whole_request() {
    let request = Request {
        system: Some("be brief".into()),
        tools: vec![tool()],
        max_tokens: Some(100),
        temperature: Some(0.5),
        thinking: Some(ThinkingLevel::High),
        output_schema: Some(r#"{"type":"object"}"#.into()),
        ..asking(vec![Message::User(vec![text("hi"), image()])])
    };
    let encoded = WIRE.encode(&request, &gemini(NEW), Access::Key);
    assert_eq!(encoded.url, format!("{BASE}/models/gemini-3.1-pro:streamGenerateContent?alt=sse"));
    assert_eq!(
        (encoded.method, encoded.auth, encoded.framing),
        ("POST", Auth::Header("x-goog-api-key"), Framing::Sse)
    );
    expect![[r#"{"contents":[{"role":"user","parts":[{"text":"hi"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}],"systemInstruction":{"role":"user","parts":[{"text":"be brief"}]},"tools":[{"functionDeclarations":[{"name":"read","description":"Reads.","parametersJsonSchema":{"$schema":"x","type":"object","properties":{"z":{"type":"string"},"a":{"type":["number","null"]}},"additionalProperties":false}}]}],"generationConfig":{"temperature":0.5,"maxOutputTokens":100,"responseMimeType":"application/json","responseJsonSchema":{"type":"object"},"thinkingConfig":{"includeThoughts":true,"thinkingLevel":"HIGH"}}}"#]].assert_eq(&String::from_utf8(encoded.body).unwrap());
    assert_eq!(
        body(&asking(vec![user("hi")]), &gemini(NEW)),
        json!({ "contents": [{ "role": "user", "parts": [{ "text": "hi" }] }] })
    );
}

#[test]
fn paths_are_put_behind_any_base() {
    let url = |base: &str, id: &str| {
        let mut model = gemini(id);
        model.base_url = base.into();
        WIRE.encode(&asking(vec![]), &model, Access::Key).url
    };
    let tail = ":streamGenerateContent?alt=sse";
    assert_eq!(url("https://opencode.ai/zen/v1/", "m"), format!("https://opencode.ai/zen/v1/models/m{tail}"));
    assert_eq!(
        url("https://x.test/v1?key=a&b=c", "m"),
        format!("https://x.test/v1/models/m{tail}&key=a&b=c")
    );
    assert_eq!(url("https://x.test/v1", "tunedModels/m"), format!("https://x.test/v1/tunedModels/m{tail}"));
    assert_eq!(url("https://x.test/v1", "models/m"), format!("https://x.test/v1/models/m{tail}"));
    assert_eq!(url("https://x.test/v1", "a b?c#d"), format!("https://x.test/v1/models/a%20b%3Fc%23d{tail}"));
}

#[test]
fn what_the_model_said_goes_back_as_it_came() {
    let messages = |id: &str| {
        vec![
            user("hi"),
            said(
                id,
                vec![
                    thinks("Plan", None),
                    thinks("", Some("QUJD")),
                    says("Look", Some(r#"[[2,null],[2,"REVG"],[0,"R0hJ"]]"#)),
                    calls("c1", r#"{"z":"a"}"#, Some("SktM")),
                    calls("c2", "", None),
                ],
            ),
            result("c1", vec![text("one"), text("two")], false),
            result("c2", vec![text("no")], true),
            said(id, vec![says("", None)]),
        ]
    };
    check(
        NEW,
        messages(NEW),
        &expect![[r#"
        {"parts":[{"text":"hi"}],"role":"user"}
        {"parts":[{"text":"Plan","thought":true},{"text":"","thought":true,"thoughtSignature":"QUJD"},{"text":"Lo"},{"text":"ok","thoughtSignature":"REVG"},{"text":"","thoughtSignature":"R0hJ"},{"functionCall":{"args":{"z":"a"},"id":"c1","name":"read"},"thoughtSignature":"SktM"},{"functionCall":{"args":{},"id":"c2","name":"read"}}],"role":"model"}
        {"parts":[{"functionResponse":{"id":"c1","name":"read","response":{"output":"one\ntwo"}}},{"functionResponse":{"id":"c2","name":"read","response":{"error":"no"}}}],"role":"user"}"#]],
    );
    // Older models refuse ids.
    check(
        OLD,
        messages(OLD),
        &expect![[r#"
        {"parts":[{"text":"hi"}],"role":"user"}
        {"parts":[{"text":"Plan","thought":true},{"text":"","thought":true,"thoughtSignature":"QUJD"},{"text":"Lo"},{"text":"ok","thoughtSignature":"REVG"},{"text":"","thoughtSignature":"R0hJ"},{"functionCall":{"args":{"z":"a"},"name":"read"},"thoughtSignature":"SktM"},{"functionCall":{"args":{},"name":"read"}}],"role":"model"}
        {"parts":[{"functionResponse":{"name":"read","response":{"output":"one\ntwo"}}},{"functionResponse":{"name":"read","response":{"error":"no"}}}],"role":"user"}"#]],
    );
    // To another model signatures mean nothing, and the first of its calls needs a stand-in.
    check(
        NEW,
        messages(OLD),
        &expect![[r#"
        {"parts":[{"text":"hi"}],"role":"user"}
        {"parts":[{"text":"Plan"},{"text":"Look"},{"functionCall":{"args":{"z":"a"},"id":"c1","name":"read"},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"args":{},"id":"c2","name":"read"}}],"role":"model"}
        {"parts":[{"functionResponse":{"id":"c1","name":"read","response":{"output":"one\ntwo"}}},{"functionResponse":{"id":"c2","name":"read","response":{"error":"no"}}}],"role":"user"}"#]],
    );
}

#[test]
fn a_call_that_lost_its_signature_gets_a_stand_in() {
    let step = |signature| said(NEW, vec![calls("c1", "{}", signature), calls("c2", "{}", None)]);
    let results = [result("c1", vec![], false), result("c2", vec![], false)];
    let messages =
        [vec![user("hi"), step(None)], results.to_vec(), vec![step(Some("not base64"))], results.to_vec()];
    let body = body(&asking(messages.concat()), &gemini(NEW));
    for turn in [1, 3] {
        let signatures: Vec<_> = body["contents"][turn]["parts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["thoughtSignature"].clone())
            .collect();
        assert_eq!(signatures, [json!("skip_thought_signature_validator"), Value::Null]);
    }
}

#[test]
fn pictures_of_tools_stand_where_the_model_sees_them() {
    let messages = |id: &str| {
        vec![
            user("hi"),
            said(id, vec![calls("c1", "{}", Some("QUJD")), calls("c2", "{}", None), calls("c3", "{}", None)]),
            result("c1", vec![image()], false),
            result("c2", vec![text("x"), image()], false),
            Message::ToolResult {
                call_id: "c3".into(),
                name: String::new(),
                content: vec![],
                is_error: false,
            },
        ]
    };
    check(
        NEW,
        messages(NEW),
        &expect![[r#"
        {"parts":[{"text":"hi"}],"role":"user"}
        {"parts":[{"functionCall":{"args":{},"id":"c1","name":"read"},"thoughtSignature":"QUJD"},{"functionCall":{"args":{},"id":"c2","name":"read"}},{"functionCall":{"args":{},"id":"c3","name":"read"}}],"role":"model"}
        {"parts":[{"functionResponse":{"id":"c1","name":"read","parts":[{"inlineData":{"data":"AAAA","mimeType":"image/png"}}],"response":{"output":"(see attached image)"}}},{"functionResponse":{"id":"c2","name":"read","parts":[{"inlineData":{"data":"AAAA","mimeType":"image/png"}}],"response":{"output":"x"}}},{"functionResponse":{"id":"c3","name":"read","response":{"output":"(no tool output)"}}}],"role":"user"}"#]],
    );
    check(
        OLD,
        messages(OLD),
        &expect![[r#"
        {"parts":[{"text":"hi"}],"role":"user"}
        {"parts":[{"functionCall":{"args":{},"name":"read"},"thoughtSignature":"QUJD"},{"functionCall":{"args":{},"name":"read"}},{"functionCall":{"args":{},"name":"read"}}],"role":"model"}
        {"parts":[{"functionResponse":{"name":"read","response":{"output":"(see attached image)"}}},{"functionResponse":{"name":"read","response":{"output":"x"}}},{"functionResponse":{"name":"read","response":{"output":"(no tool output)"}}}],"role":"user"}
        {"parts":[{"text":"Tool result image:"},{"inlineData":{"data":"AAAA","mimeType":"image/png"}},{"inlineData":{"data":"AAAA","mimeType":"image/png"}}],"role":"user"}"#]],
    );
    let mut blind = gemini(NEW);
    blind.takes_images = false;
    assert!(!body(&asking(messages(NEW)), &blind).to_string().contains("inlineData"));
}

#[test]
fn calls_without_results_are_answered() {
    check(
        NEW,
        vec![
            user("hi"),
            said(NEW, vec![calls("c1", "{}", Some("QUJD"))]),
            user("stop"),
            result("c9", vec![], false),
        ],
        &expect![[r#"
        {"parts":[{"text":"hi"}],"role":"user"}
        {"parts":[{"functionCall":{"args":{},"id":"c1","name":"read"},"thoughtSignature":"QUJD"}],"role":"model"}
        {"parts":[{"functionResponse":{"id":"c1","name":"read","response":{"error":"No result provided"}}}],"role":"user"}
        {"parts":[{"text":"stop"}],"role":"user"}"#]],
    );
}

#[test]
fn thinking_is_asked_for_as_the_model_has_it() {
    let asked = |id: &str, level| {
        let request = Request { thinking: level, ..asking(vec![user("hi")]) };
        body(&request, &gemini(id))["generationConfig"]["thinkingConfig"].clone()
    };
    for (id, level, expected) in [
        (NEW, Some(ThinkingLevel::High), json!({ "includeThoughts": true, "thinkingLevel": "HIGH" })),
        (NEW, Some(ThinkingLevel::Off), json!({ "thinkingLevel": "LOW" })),
        (OLD, Some(ThinkingLevel::Medium), json!({ "includeThoughts": true, "thinkingBudget": 8192 })),
        (OLD, Some(ThinkingLevel::Off), json!({ "thinkingBudget": 0 })),
        (OLD, None, Value::Null),
    ] {
        assert_eq!(asked(id, level), expected, "{id} {level:?}");
    }
}

#[test]
fn a_schema_beside_tools_is_asked_for_in_words_where_it_is_refused() {
    let request = Request {
        tools: vec![tool()],
        output_schema: Some(r#"{"type":"object"}"#.into()),
        ..asking(vec![user("hi")])
    };
    let old = body(&request, &gemini(OLD));
    assert_eq!(old.get("generationConfig"), None);
    assert!(old["systemInstruction"]["parts"][0]["text"].as_str().unwrap().ends_with(r#"{"type":"object"}"#));
    let alone = body(&Request { tools: vec![], ..request.clone() }, &gemini(OLD));
    let shape = json!({ "responseMimeType": "application/json", "responseJsonSchema": { "type": "object" } });
    assert_eq!(alone["generationConfig"], shape);
    assert_eq!(body(&request, &gemini(NEW))["generationConfig"], shape);
}

#[test]
fn switches_of_the_model_are_heeded() {
    let mut model = gemini(NEW);
    let compat = json!({
        "supportsJsonSchema": false, "streamFunctionCallArguments": true,
        "samplingParams": { "generationConfig": { "topK": 3, "temperature": 1 }, "safetySettings": [] },
    });
    model.compat = Arc::new(compat.as_object().unwrap().clone());
    let request = Request {
        tools: vec![tool()],
        temperature: Some(0.5),
        max_tokens: Some(9),
        output_schema: Some(r#"{"type":["string","null"]}"#.into()),
        ..asking(vec![user("hi")])
    };
    let mut body = body(&request, &model);
    body.as_object_mut().unwrap().remove("contents");
    assert_eq!(
        body,
        json!({
            "generationConfig": {
                "maxOutputTokens": 9, "temperature": 1, "topK": 3, "responseMimeType": "application/json",
                "responseSchema": { "type": "STRING", "nullable": true },
            },
            "safetySettings": [],
            "toolConfig": { "functionCallingConfig": { "streamFunctionCallArguments": true } },
            "tools": [{ "functionDeclarations": [{
                "name": "read", "description": "Reads.",
                "parameters": { "type": "OBJECT", "properties": { "z": { "type": "STRING" }, "a": { "type": "NUMBER", "nullable": true } } },
            }] }],
        })
    );
}

/// Google's own description of requests as a schema, in which nothing may be misspelt.
fn description() -> Value {
    let Some(document) = published("vertex-generateContent.discovery-subset.json") else {
        return json!({ "required": ["contents"], "additionalProperties": { "type": ["array", "object"] } });
    };
    json!({ "$ref": "#/$defs/GoogleCloudAiplatformV1GenerateContentRequest", "$defs": translated(&document["schemas"]) })
}

fn translated(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut out = serde_json::Map::new();
            for (name, value) in map {
                match (name.as_str(), value) {
                    ("$ref", Value::String(target)) => {
                        out.insert(name.clone(), format!("#/$defs/{target}").into());
                    }
                    ("type", Value::String(kind)) if kind == "any" => {}
                    ("format" | "enumDescriptions" | "required" | "deprecated", value)
                        if !value.is_object() => {}
                    _ => {
                        out.insert(name.clone(), translated(value));
                    }
                }
            }
            if out.get("type") == Some(&json!("object")) && out.contains_key("properties") {
                out.insert("additionalProperties".to_owned(), false.into());
            }
            Value::Object(out)
        }
        Value::Array(list) => list.iter().map(translated).collect(),
        other => other.clone(),
    }
}

#[test]
fn requests_satisfy_the_published_description() {
    let validator = jsonschema::validator_for(&description()).unwrap();
    for id in [NEW, OLD, "gemma-4-31b-it"] {
        let messages = vec![
            user("look"),
            Message::User(vec![text("a"), image()]),
            said(
                id,
                vec![
                    thinks("t", None),
                    says("x", Some("QUJD")),
                    calls("1", "{\"a\":[1]}", Some("QUJD")),
                    calls("2", "{}", None),
                ],
            ),
            result("1", vec![text("a"), image()], false),
            result("2", vec![text("no")], true),
        ];
        for thinking in
            [None, Some(ThinkingLevel::Off), Some(ThinkingLevel::Minimal), Some(ThinkingLevel::High)]
        {
            for json_schema in [false, true] {
                let request = Request {
                    system: Some("be brief".into()),
                    tools: vec![tool()],
                    max_tokens: Some(100),
                    temperature: Some(0.5),
                    thinking,
                    output_schema: Some(r#"{"type":"object","properties":{"a":{"type":"string"}}}"#.into()),
                    ..asking(messages.clone())
                };
                let mut model = gemini(id);
                let compat =
                    json!({ "supportsJsonSchema": json_schema, "streamFunctionCallArguments": json_schema });
                model.compat = Arc::new(compat.as_object().unwrap().clone());
                let body = body(&request, &model);
                let problems: Vec<_> = validator
                    .iter_errors(&body)
                    .map(|error| format!("{}: {error}", error.instance_path()))
                    .collect();
                assert!(problems.is_empty(), "{problems:#?}");
                let mut odd = body.clone();
                odd["misspelt"] = json!(1);
                assert!(!validator.is_valid(&odd));
            }
        }
    }
}

/// What a model said comes back in the next request part by part.
#[test]
fn decoded_answers_go_back_as_they_came() {
    for (dir, reply) in cases("google") {
        let (deltas, fault) = run(&reply);
        let texts = String::from_utf8(reply).unwrap();
        if fault.is_some()
            || dir.ends_with("damaged-events")
            || texts.contains("partialArgs")
            || texts.contains("executableCode")
            || texts.contains("inlineData")
        {
            continue;
        }
        let mut expected = Vec::new();
        for line in texts.lines() {
            let Some(event) = line.strip_prefix("data: ") else { continue };
            let Ok(event) = serde_json::from_str::<Value>(event) else { continue };
            for part in event["candidates"][0]["content"]["parts"].as_array().into_iter().flatten() {
                expected.push(part.clone());
            }
        }
        let blocks = fold(&deltas);
        let body = body(&asking(vec![user("hi"), said(NEW, blocks), user("go on")]), &gemini(NEW));
        let turn = &body["contents"][1];
        let sent =
            if turn["role"] == "model" { turn["parts"].as_array().unwrap().clone() } else { Vec::new() };
        assert_eq!(joined(&sent), joined(&expected), "{}", dir.display());
    }
}

/// Parts without ids, unsigned neighbours of one kind joined, and those that say nothing left out.
fn joined(parts: &[Value]) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for part in parts {
        let mut part = part.clone();
        if part.is_null() {
            continue;
        }
        let signed = part.get("thoughtSignature").is_some();
        if let Some(call) = part.get_mut("functionCall") {
            call.as_object_mut().unwrap().remove("id");
            if call.get("args").is_none() {
                call["args"] = json!({});
            }
        } else if part["text"] == "" && !signed {
            continue;
        } else if let Some(last) = out.last_mut()
            && !signed
            && last.get("thoughtSignature").is_none()
            && last.get("text").is_some()
            && last.get("thought") == part.get("thought")
        {
            last["text"] =
                format!("{}{}", last["text"].as_str().unwrap(), part["text"].as_str().unwrap()).into();
            continue;
        }
        part.as_object_mut().unwrap().remove("videoMetadata");
        out.push(part);
    }
    out
}
