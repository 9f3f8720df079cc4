//! Requests: what is asked, as the bytes that go out.

#![expect(clippy::needless_pass_by_value, reason = "expected values are written in place")]

use std::sync::Arc;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::catalog::{Thinking, ThinkingLevel};
use crate::models::message::{Assistant, CacheRetention, Content, Message, Request, ToolSpec};
use crate::models::wires::{Access, Auth, HttpRequest};

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
    Message::Assistant(Assistant { origin: origin(), blocks, complete: true })
}

fn said_by(provider: &str, wire: &str, model: &str, blocks: Vec<Block>) -> Message {
    let origin = Origin { provider: provider.into(), wire: wire.into(), model: model.into() };
    Message::Assistant(Assistant { origin, blocks, complete: true })
}

fn says(text: &str, signature: Option<&str>) -> Block {
    Block::Text { text: text.into(), signature: signature.map(str::to_owned) }
}

fn thinks(text: &str, signature: Option<&str>) -> Block {
    Block::Thinking { text: text.into(), signature: signature.map(str::to_owned) }
}

fn calls(id: &str, arguments: &str, signature: Option<&str>) -> Block {
    let signature = signature.map(str::to_owned);
    Block::ToolCall { id: id.into(), name: "read".into(), arguments: arguments.into(), signature }
}

fn result(id: &str, content: Vec<Content>) -> Message {
    Message::ToolResult { call_id: id.into(), name: "read".into(), content, is_error: false }
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

fn openai() -> Model {
    model("openai", OPENAI)
}

fn with(compat: &Value) -> Model {
    let mut model = model("p", "http://localhost:1/v1");
    model.compat = Arc::new(compat.as_object().unwrap().clone());
    model
}

fn body(request: &Request, model: &Model) -> String {
    let bytes = Api.encode(request, model, Access::Key).body;
    assert_eq!(bytes, Api.encode(request, model, Access::Key).body, "the same request gives the same bytes");
    assert!(serde_json::from_slice::<Value>(&bytes).is_ok());
    String::from_utf8(bytes).unwrap()
}

#[track_caller]
fn check(request: &Request, model: &Model, expected: &Expect) {
    expected.assert_eq(&body(request, model));
}

/// The items only.
#[track_caller]
fn check_input(messages: Vec<Message>, model: &Model, expected: &Expect) {
    let body: Value = serde_json::from_str(&body(&asking(messages), model)).unwrap();
    let lines: Vec<_> = body["input"].as_array().unwrap().iter().map(Value::to_string).collect();
    expected.assert_eq(&lines.join("\n"));
}

/// What is sent beside model, input and the like.
#[track_caller]
fn check_fields(request: &Request, model: &Model, expected: Value) {
    let mut body: Value = serde_json::from_str(&body(request, model)).unwrap();
    for usual in ["model", "input", "stream", "store"] {
        body.as_object_mut().unwrap().remove(usual);
    }
    assert_eq!(body, expected);
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
        ..asking(vec![user("hi")])
    };
    check(&request, &openai(), &expect![[r#"{"model":"m","input":[{"role":"developer","content":"be brief"},{"role":"user","content":[{"type":"input_text","text":"hi"}]}],"stream":true,"store":false,"prompt_cache_key":"s-1","max_output_tokens":100,"temperature":0.5,"tools":[{"type":"function","name":"read","description":"Reads.","parameters":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}}},"strict":false}],"text":{"format":{"type":"json_schema","name":"answer","schema":{"type":"object"}}},"reasoning":{"effort":"high","summary":"auto"},"include":["reasoning.encrypted_content"]}"#]]);
    let HttpRequest { method, url, headers, auth, framing, .. } = Api.encode(&request, &openai(), Access::Key);
    assert_eq!((method, &*url), ("POST", "https://api.openai.com/v1/responses"));
    assert_eq!((auth, framing), (Auth::Bearer, Framing::Sse));
    let header = |name, value: &str| (name, value.to_owned());
    assert_eq!(
        headers,
        [
            header("content-type", "application/json"),
            header("accept", "text/event-stream"),
            header("session_id", "s-1"),
            header("x-client-request-id", "s-1"),
        ]
    );
}

#[test]
fn a_small_request_to_a_local_server() {
    let mut model = with(&json!({}));
    model.reasoning = false;
    check(&asking(vec![user("hi")]), &model, &expect![[r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]}],"stream":true,"store":false,"prompt_cache_key":"s-1"}"#]]);
}

#[test]
fn people_say_text_and_show_images() {
    let messages = vec![
        Message::User(vec![text(""), image()]),
        Message::User(vec![text("")]),
        Message::User(vec![text("a"), text("b")]),
    ];
    check_input(messages, &openai(), &expect![[r#"
        {"content":[{"detail":"auto","image_url":"data:image/png;base64,AAAA","type":"input_image"}],"role":"user"}
        {"content":[{"text":"a","type":"input_text"},{"text":"b","type":"input_text"}],"role":"user"}"#]]);
}

#[test]
fn tool_results_and_their_images() {
    let messages = || {
        vec![
            said(vec![calls("1", "{\"a\":1}", Some("fc_1")), calls("2", "{\"a\":", Some("other")), calls("3|fc_3", "{}", None)]),
            result("1", vec![text("a"), image(), text("b")]),
            result("2", vec![image()]),
            result("3|fc_3", vec![]),
        ]
    };
    check_input(messages(), &openai(), &expect![[r#"
        {"arguments":"{\"a\":1}","call_id":"1","id":"fc_1","name":"read","type":"function_call"}
        {"arguments":"{}","call_id":"2","name":"read","type":"function_call"}
        {"arguments":"{}","call_id":"3","id":"fc_3","name":"read","type":"function_call"}
        {"call_id":"1","output":[{"text":"a","type":"input_text"},{"detail":"auto","image_url":"data:image/png;base64,AAAA","type":"input_image"},{"text":"b","type":"input_text"}],"type":"function_call_output"}
        {"call_id":"2","output":[{"detail":"auto","image_url":"data:image/png;base64,AAAA","type":"input_image"}],"type":"function_call_output"}
        {"call_id":"3","output":"(no tool output)","type":"function_call_output"}"#]]);
    let mut blind = openai();
    blind.takes_images = false;
    check_input(messages(), &blind, &expect![[r#"
        {"arguments":"{\"a\":1}","call_id":"1","id":"fc_1","name":"read","type":"function_call"}
        {"arguments":"{}","call_id":"2","name":"read","type":"function_call"}
        {"arguments":"{}","call_id":"3","id":"fc_3","name":"read","type":"function_call"}
        {"call_id":"1","output":"a\n(tool image omitted: model does not support images)\nb","type":"function_call_output"}
        {"call_id":"2","output":"(tool image omitted: model does not support images)","type":"function_call_output"}
        {"call_id":"3","output":"(no tool output)","type":"function_call_output"}"#]]);
}

const THOUGHT: &str = r#"{"id":"rs_1","type":"reasoning","summary":[],"z":1.0,"encrypted_content":"x"}"#;

#[test]
fn what_the_same_model_said_goes_back_as_it_came() {
    let messages = vec![
        said(vec![
            thinks("", Some(THOUGHT)),
            says("a", Some(r#"{"v":1,"id":"msg_1","phase":"commentary"}"#)),
            says("b", Some("msg_old")),
            says("c", None),
            says("", Some("msg_empty")),
            calls("call_1", "{}", Some("fc_1")),
        ]),
        said(vec![says("d", None), says("e", Some(&format!("msg_{}", "x".repeat(80))))]),
    ];
    check_input(messages, &openai(), &expect![[r#"
        {"encrypted_content":"x","id":"rs_1","summary":[],"type":"reasoning","z":1.0}
        {"content":[{"annotations":[],"text":"a","type":"output_text"}],"id":"msg_1","phase":"commentary","role":"assistant","status":"completed","type":"message"}
        {"content":[{"annotations":[],"text":"b","type":"output_text"}],"id":"msg_old","role":"assistant","status":"completed","type":"message"}
        {"content":[{"annotations":[],"text":"c","type":"output_text"}],"id":"msg_aside_1","role":"assistant","status":"completed","type":"message"}
        {"arguments":"{}","call_id":"call_1","id":"fc_1","name":"read","type":"function_call"}
        {"call_id":"call_1","output":"No result provided","type":"function_call_output"}
        {"content":[{"annotations":[],"text":"d","type":"output_text"}],"id":"msg_aside_2","role":"assistant","status":"completed","type":"message"}
        {"content":[{"annotations":[],"text":"e","type":"output_text"}],"id":"msg_13004f5edfbf17c7","role":"assistant","status":"completed","type":"message"}"#]]);
}

#[test]
fn thinking_that_cannot_go_back_takes_ids_with_it() {
    let summary = r#"{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Hm"}]}"#;
    let messages = |signature| {
        let blocks =
            vec![thinks("Hm", signature), says("a", Some("msg_1")), calls("call_1", "{}", Some("fc_1"))];
        vec![said(blocks)]
    };
    check_input(messages(None), &openai(), &expect![[r#"
        {"content":[{"annotations":[],"text":"a","type":"output_text"}],"id":"msg_aside_1","role":"assistant","status":"completed","type":"message"}
        {"arguments":"{}","call_id":"call_1","name":"read","type":"function_call"}
        {"call_id":"call_1","output":"No result provided","type":"function_call_output"}"#]]);
    let plain = body(&asking(messages(None)), &openai());
    for signature in [summary, "reasoning_content", "{", "[1]"] {
        assert_eq!(body(&asking(messages(Some(signature))), &openai()), plain, "{signature}");
    }
    // It holds what it is about.
    let clear = r#"{"id":"rs_1","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"Hm"}]}"#;
    check_input(vec![said(vec![thinks("Hm", Some(clear)), says("a", Some("msg_1"))])], &openai(), &expect![[r#"
        {"content":[{"text":"Hm","type":"reasoning_text"}],"id":"rs_1","summary":[],"type":"reasoning"}
        {"content":[{"annotations":[],"text":"a","type":"output_text"}],"id":"msg_1","role":"assistant","status":"completed","type":"message"}"#]]);
    // Nothing came of it.
    check_input(vec![user("1"), said(vec![thinks("", Some(THOUGHT))]), user("2")], &openai(), &expect![[r#"
        {"content":[{"text":"1","type":"input_text"}],"role":"user"}
        {"content":[{"text":"2","type":"input_text"}],"role":"user"}"#]]);
}

#[test]
fn another_model_gets_text_and_ids_of_its_own() {
    let blocks = || {
        vec![
            thinks("Hm", Some(THOUGHT)),
            says("a", Some(r#"{"v":1,"id":"msg_1"}"#)),
            calls("call_1", "{}", Some("fc_1")),
            calls("toolu/+=_", "{}", None),
            calls(&format!("call|{}", "x/+=".repeat(112)), "{}", None),
        ]
    };
    let answers = || vec![result("call_1", vec![text("1")]), result("toolu/+=_", vec![text("2")])];
    let one = [said_by("openai", "openai-responses", "older", blocks())];
    check_input(one.into_iter().chain(answers()).collect(), &openai(), &expect![[r#"
        {"content":[{"annotations":[],"text":"Hm","type":"output_text"}],"id":"msg_aside_1","role":"assistant","status":"completed","type":"message"}
        {"content":[{"annotations":[],"text":"a","type":"output_text"}],"id":"msg_aside_2","role":"assistant","status":"completed","type":"message"}
        {"arguments":"{}","call_id":"call_1","name":"read","type":"function_call"}
        {"arguments":"{}","call_id":"toolu_f47ed058","name":"read","type":"function_call"}
        {"arguments":"{}","call_id":"call_x___x___x___x___x___x___x___x___x___x___x___x___x_8e0696cf","name":"read","type":"function_call"}
        {"call_id":"call_1","output":"1","type":"function_call_output"}
        {"call_id":"toolu_f47ed058","output":"2","type":"function_call_output"}
        {"call_id":"call_x___x___x___x___x___x___x___x___x___x___x___x___x_8e0696cf","output":"No result provided","type":"function_call_output"}"#]]);
    let one = [said_by("anthropic", "anthropic-messages", "claude", blocks())];
    let input = |messages: Vec<Message>| {
        let body: Value = serde_json::from_str(&body(&asking(messages), &openai())).unwrap();
        body["input"].clone()
    };
    let input = input(one.into_iter().chain(answers()).collect());
    for item in input.as_array().unwrap() {
        let id = item["call_id"].as_str().unwrap_or("call");
        assert!(id.len() <= 64 && !id.ends_with('_'), "{id}");
        assert!(id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'), "{id}");
        assert!(item.get("id").is_none_or(|id| id.as_str().unwrap().starts_with("msg_")), "{item}");
    }
}

#[test]
fn thinking_is_asked_for_by_the_models_data() {
    let ask = |level| Request { thinking: level, cache: CacheRetention::None, ..asking(vec![user("hi")]) };
    let mut model = with(&json!({}));
    let level = |level, value: Option<&str>| (level, value.map(Into::into));
    let include = json!(["reasoning.encrypted_content"]);
    check_fields(&ask(None), &model, json!({ "include": include }));
    let on = json!({ "reasoning": { "effort": "high", "summary": "auto" }, "include": include });
    check_fields(&ask(Some(ThinkingLevel::High)), &model, on.clone());
    // A level that the model does not have becomes the next one that it has.
    check_fields(&ask(Some(ThinkingLevel::Max)), &model, on);
    check_fields(&ask(Some(ThinkingLevel::Off)), &model, json!({ "reasoning": { "effort": "none" } }));
    model.thinking = Thinking(vec![level(ThinkingLevel::Off, Some("zero")), level(ThinkingLevel::Minimal, Some("low"))]);
    check_fields(&ask(Some(ThinkingLevel::Off)), &model, json!({ "reasoning": { "effort": "zero" } }));
    let low = json!({ "reasoning": { "effort": "low", "summary": "auto" }, "include": include });
    check_fields(&ask(Some(ThinkingLevel::Minimal)), &model, low);
    // It thinks all the same.
    model.thinking = Thinking(vec![level(ThinkingLevel::Off, None)]);
    check_fields(&ask(Some(ThinkingLevel::Off)), &model, json!({ "include": include }));
    model.thinking = Thinking::default();
    model.provider = "github-copilot".into();
    check_fields(&ask(Some(ThinkingLevel::Off)), &model, json!({ "include": include }));
    model.provider = "xai".into();
    let off = json!({ "reasoning": { "effort": "none" }, "include": include });
    check_fields(&ask(Some(ThinkingLevel::Off)), &model, off);
    model.provider = "p".into();
    model.reasoning = false;
    check_fields(&ask(Some(ThinkingLevel::High)), &model, json!({}));
    let without = with(&json!({ "supportsReasoningEffort": false }));
    check_fields(&ask(Some(ThinkingLevel::High)), &without, json!({ "include": include }));
}

#[test]
fn caches_are_keyed_by_the_session() {
    let caching = |model: &Model, cache| {
        let mut model = model.clone();
        model.reasoning = false;
        let request = Request { cache, session: "é".repeat(70), ..asking(vec![user("hi")]) };
        let body: Value = serde_json::from_str(&body(&request, &model)).unwrap();
        let field = |name: &str| body.get(name).map_or("-".to_owned(), Value::to_string);
        assert_eq!(body.get("prompt_cache_key").is_some(), cache != CacheRetention::None);
        assert!(body["prompt_cache_key"].as_str().is_none_or(|key| key.chars().count() == 64));
        format!("{} {}", field("prompt_cache_retention"), field("prompt_cache_options"))
    };
    let (none, short, long) = (CacheRetention::None, CacheRetention::Short, CacheRetention::Long);
    let mut newer = openai();
    newer.id = "gpt-5.6-sol".into();
    assert_eq!([none, short, long].map(|cache| caching(&openai(), cache)), ["- -", "- -", "\"24h\" -"]);
    assert_eq!(
        [none, short, long].map(|cache| caching(&newer, cache)),
        ["- {\"mode\":\"explicit\"}", "- -", "- {\"ttl\":\"30m\"}"]
    );
    assert_eq!(caching(&with(&json!({ "supportsLongCacheRetention": false })), long), "- -");
    assert_eq!(caching(&with(&json!({ "supportsExplicitPromptCacheMode": true })), none), "- {\"mode\":\"explicit\"}");
    assert_eq!(caching(&model("xai", "https://api.x.ai/v1"), long), "- -");
}

#[test]
fn sessions_stay_on_one_machine() {
    let names = |model: &Model, cache| {
        let request = Request { cache, ..asking(vec![user("hi")]) };
        let headers = Api.encode(&request, model, Access::Key).headers;
        headers.into_iter().skip(2).map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    let send = |format: &str| with(&json!({ "sessionAffinityFormat": format }));
    let short = CacheRetention::Short;
    let nosession = "x-client-request-id=s-1";
    assert_eq!(names(&send("openai"), short), "session_id=s-1 x-client-request-id=s-1");
    assert_eq!(names(&send("openai-nosession"), short), nosession);
    assert_eq!(names(&with(&json!({ "sendSessionIdHeader": false })), short), nosession);
    assert_eq!(names(&model("opencode", "https://opencode.ai/zen/v1"), short), nosession);
    assert_eq!(names(&model("openrouter", "https://openrouter.ai/api/v1"), short), "x-session-id=s-1");
    assert_eq!(names(&openai(), CacheRetention::None), "");
    let copilot = model("github-copilot", "https://api.individual.githubcopilot.com");
    assert_eq!(
        names(&copilot, CacheRetention::None),
        "x-initiator=user openai-intent=conversation-edits"
    );
}

#[test]
fn keys_go_where_gateways_want_them() {
    let cloudflare = model("cloudflare-ai-gateway", "https://gateway.ai.cloudflare.com/v1/a/b/openai");
    let request = Api.encode(&asking(vec![user("hi")]), &cloudflare, Access::Key);
    assert_eq!(request.auth, Auth::BearerIn("cf-aig-authorization"));
    assert_eq!(request.url, "https://gateway.ai.cloudflare.com/v1/a/b/openai/responses");
    let queried = model("p", "http://localhost:1/v1/?a=b");
    assert_eq!(Api.encode(&asking(vec![]), &queried, Access::None).url, "http://localhost:1/v1/responses?a=b");
}

#[test]
fn switches_of_models_json() {
    let request = Request {
        system: Some("s".into()),
        tools: vec![tool()],
        max_tokens: Some(3),
        cache: CacheRetention::None,
        ..asking(vec![user("hi")])
    };
    let read = |compat: Value| -> Value { serde_json::from_str(&body(&request, &with(&compat))).unwrap() };
    let plain = read(json!({}));
    assert_eq!((&plain["input"][0]["role"], &plain["max_output_tokens"]), (&json!("developer"), &json!(16)));
    assert_eq!(plain["tools"][0]["strict"], json!(false));
    let changed = read(json!({
        "supportsDeveloperRole": false, "supportsMaxOutputTokens": false, "supportsStrictMode": false,
        "samplingParams": { "service_tier": "flex", "top_p": 0.5, "store": true },
    }));
    assert_eq!(changed["input"][0]["role"], json!("system"));
    assert_eq!(changed.get("max_output_tokens"), None);
    assert_eq!(changed["tools"][0].get("strict"), None);
    assert_eq!((&changed["service_tier"], &changed["top_p"], &changed["store"]), (&json!("flex"), &json!(0.5), &json!(true)));
}

/// Every kind of request that can be made, against the schema of OpenAI's own client.
pub(crate) fn check_schema(encode: impl Fn(&Request, &Model) -> Vec<u8>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared/data/schemas/openai-responses-create.pypi-openai-3.54.0.schema.json");
    #[expect(clippy::disallowed_methods, reason = "a test reads its data")]
    let schema = std::fs::read(path).map_or(json!({ "required": ["input", "model", "stream"] }), |bytes| {
        serde_json::from_slice(&bytes).unwrap()
    });
    let validator = jsonschema::validator_for(&crate::models::wires::tests::closed(schema)).unwrap();
    let messages = vec![
        user("look"),
        Message::User(vec![text("a"), image()]),
        said(vec![
            thinks("", Some(r#"{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"x"}"#)),
            says("x", Some(r#"{"v":1,"id":"msg_1","phase":"commentary"}"#)),
            says("y", None),
            calls("1", "{}", Some("fc_1")),
            calls("2", "{}", None),
        ]),
        result("1", vec![text("a"), image()]),
        result("2", vec![text("a")]),
    ];
    for thinking in [None, Some(ThinkingLevel::Off), Some(ThinkingLevel::Minimal), Some(ThinkingLevel::High)] {
        for cache in [CacheRetention::None, CacheRetention::Short, CacheRetention::Long] {
            for id in ["gpt-5", "gpt-6-sol"] {
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
                let mut model = openai();
                model.id = id.into();
                model.reasoning = thinking.is_some();
                let body: Value = serde_json::from_slice(&encode(&request, &model)).unwrap();
                let problems: Vec<_> =
                    validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
                assert!(problems.is_empty(), "{problems:#?}");
            }
        }
    }
}

#[test]
fn requests_satisfy_the_published_schema() {
    check_schema(|request, model| Api.encode(request, model, Access::Key).body);
}
