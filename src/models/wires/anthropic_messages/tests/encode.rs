//! Requests: what is asked, as the bytes that go out.

#![expect(clippy::needless_pass_by_value, reason = "expected values are written in place")]

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::catalog::{Thinking, ThinkingLevel};
use crate::models::message::{Assistant, CacheRetention, Content, Message};
use crate::models::wires::{Auth, HttpRequest};

fn text(text: &str) -> Content {
    Content::Text(text.into())
}

fn image(kind: &str) -> Content {
    Content::Image { mime_type: format!("image/{kind}").into(), data: "AAAA".into() }
}

fn user(said: &str) -> Message {
    Message::User(vec![text(said)])
}

fn said(blocks: Vec<Block>) -> Message {
    let origin = Origin { provider: "p".into(), wire: "anthropic-messages".into(), model: "m".into() };
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

fn tool(name: &str) -> ToolSpec {
    ToolSpec {
        name: name.into(),
        description: "Reads.".into(),
        parameters: r#"{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}},"required":["z"]}"#
            .into(),
    }
}

fn asking(messages: Vec<Message>) -> Request {
    Request { messages, session: "s-1".into(), cache: CacheRetention::None, ..Request::default() }
}

fn with(compat: Value) -> Model {
    let mut model = any_model("p", "http://localhost:1");
    model.wire = "anthropic-messages".into();
    model.compat = Arc::new(compat.as_object().unwrap().clone());
    model
}

fn plain() -> Model {
    with(json!({}))
}

fn encoded(request: &Request, model: &Model, access: Access) -> HttpRequest {
    let encoded = Api.encode(request, model, access);
    assert_eq!(encoded, Api.encode(request, model, access), "the same request gives the same bytes");
    encoded
}

fn body(request: &Request, model: &Model) -> Value {
    serde_json::from_slice(&encoded(request, model, Access::Key).body).unwrap()
}

fn header(request: &Request, model: &Model, access: Access, name: &str) -> Option<String> {
    encoded(request, model, access).headers.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
}

#[track_caller]
fn check(request: &Request, model: &Model, access: Access, expected: Expect) {
    expected.assert_eq(&String::from_utf8(encoded(request, model, access).body).unwrap());
}

/// The messages only.
#[track_caller]
fn check_messages(messages: Vec<Message>, model: &Model, expected: Expect) {
    let body = body(&asking(messages), model);
    let lines: Vec<_> = body["messages"].as_array().unwrap().iter().map(Value::to_string).collect();
    expected.assert_eq(&lines.join("\n"));
}

/// What is sent beside model, messages and stream.
#[track_caller]
fn check_fields(request: &Request, model: &Model, expected: Value) {
    let mut body = body(request, model);
    for usual in ["model", "messages", "stream"] {
        body.as_object_mut().unwrap().remove(usual);
    }
    assert_eq!(body, expected);
}

fn everything() -> Request {
    Request {
        system: Some("be brief".into()),
        tools: vec![tool("look"), tool("read")],
        max_tokens: Some(100),
        temperature: Some(0.5),
        output_schema: Some(r#"{"type":"object"}"#.into()),
        cache: CacheRetention::Long,
        ..asking(vec![user("hi")])
    }
}

#[test]
fn a_whole_request() {
    check(
        &everything(),
        &plain(),
        Access::Key,
        expect![[r#"{"model":"m","max_tokens":100,"stream":true,"system":[{"type":"text","text":"be brief","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral","ttl":"1h"}}]}],"tools":[{"name":"look","description":"Reads.","input_schema":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}},"required":["z"]},"eager_input_streaming":true},{"name":"read","description":"Reads.","input_schema":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}},"required":["z"]},"eager_input_streaming":true,"cache_control":{"type":"ephemeral","ttl":"1h"}}],"temperature":0.5,"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}"#]],
    );
    let HttpRequest { method, url, headers, auth, framing, .. } = encoded(&everything(), &plain(), Access::Key);
    assert_eq!((method, &*url), ("POST", "http://localhost:1/v1/messages"));
    assert_eq!((auth, framing), (Auth::Header("x-api-key"), Framing::Sse));
    assert_eq!(
        headers,
        [
            ("content-type", "application/json".to_owned()),
            ("accept", "application/json".to_owned()),
            ("anthropic-version", "2023-06-01".to_owned()),
        ]
    );
}

#[test]
fn a_subscription_has_its_own_shape() {
    let request = Request {
        thinking: Some(ThinkingLevel::Low),
        messages: vec![user("hi"), said(vec![calls("1", "{}")]), result("1", vec![text("ok")], false)],
        ..everything()
    };
    check(
        &request,
        &plain(),
        Access::Subscription,
        expect![[r#"{"model":"m","max_tokens":2148,"stream":true,"system":[{"type":"text","text":"You are Claude Code, Anthropic's official CLI for Claude.","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"be brief","cache_control":{"type":"ephemeral","ttl":"1h"}}],"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"tool_use","id":"1","name":"Read","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"ok","is_error":false,"cache_control":{"type":"ephemeral","ttl":"1h"}}]}],"tools":[{"name":"look","description":"Reads.","input_schema":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}},"required":["z"]},"eager_input_streaming":true},{"name":"Read","description":"Reads.","input_schema":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}},"required":["z"]},"eager_input_streaming":true,"cache_control":{"type":"ephemeral","ttl":"1h"}}],"thinking":{"type":"enabled","budget_tokens":2048,"display":"summarized"},"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}"#]],
    );
    let headers = encoded(&request, &plain(), Access::Subscription).headers;
    assert_eq!(
        headers[3..],
        [
            ("user-agent", "claude-cli/2.1.280".to_owned()),
            ("x-app", "cli".to_owned()),
            (
                "anthropic-beta",
                "claude-code-20250219,oauth-2025-04-20,interleaved-thinking-2025-05-14".to_owned()
            ),
        ]
    );
    // Without a prompt of ours the identity stands alone, and other credentials have none.
    let request = Request { system: None, ..request };
    let system = |access| {
        let body: Value = serde_json::from_slice(&encoded(&request, &plain(), access).body).unwrap();
        body.get("system").and_then(Value::as_array).map_or(0, Vec::len)
    };
    assert_eq!([Access::Subscription, Access::Bearer, Access::Key, Access::None].map(system), [1, 0, 0, 0]);
    assert!(Api.is_subscription("sk-ant-oat01-x") && !Api.is_subscription("sk-ant-api03-x"));
}

#[test]
fn tool_results_and_their_images() {
    check_messages(
        vec![
            user("look"),
            said(vec![calls("1", "{\"a\":1}"), calls("2", "{\"a\":"), calls("3", "{}"), calls("4", "{}")]),
            result("1", vec![text("a"), image("png"), text("b")], false),
            result("2", vec![image("jpg"), image("bmp")], false),
            result("3", vec![], false),
            result("4", vec![text("no"), image("webp")], true),
            user("and?"),
            said(vec![calls("5", "{}")]),
        ],
        &plain(),
        expect![[r#"
            {"content":"look","role":"user"}
            {"content":[{"id":"1","input":{"a":1},"name":"read","type":"tool_use"},{"id":"2","input":{},"name":"read","type":"tool_use"},{"id":"3","input":{},"name":"read","type":"tool_use"},{"id":"4","input":{},"name":"read","type":"tool_use"}],"role":"assistant"}
            {"content":[{"content":[{"text":"a","type":"text"},{"source":{"data":"AAAA","media_type":"image/png","type":"base64"},"type":"image"},{"text":"b","type":"text"}],"is_error":false,"tool_use_id":"1","type":"tool_result"},{"content":[{"source":{"data":"AAAA","media_type":"image/jpeg","type":"base64"},"type":"image"},{"text":"(image omitted: image/bmp is not supported)","type":"text"}],"is_error":false,"tool_use_id":"2","type":"tool_result"},{"content":"(no tool output)","is_error":false,"tool_use_id":"3","type":"tool_result"},{"content":"no","is_error":true,"tool_use_id":"4","type":"tool_result"},{"source":{"data":"AAAA","media_type":"image/webp","type":"base64"},"type":"image"}],"role":"user"}
            {"content":"and?","role":"user"}
            {"content":[{"id":"5","input":{},"name":"read","type":"tool_use"}],"role":"assistant"}
            {"content":[{"content":"No result provided","is_error":true,"tool_use_id":"5","type":"tool_result"}],"role":"user"}"#]],
    );
}

#[test]
fn blank_words_are_left_out() {
    check_messages(
        vec![
            Message::User(vec![text(" \n"), image("png")]),
            user("\n"),
            said(vec![says(" "), thinks(" ", None)]),
            Message::User(vec![text("a"), text(""), text("b")]),
            said(vec![says(""), says("x")]),
        ],
        &plain(),
        expect![[r#"
            {"content":[{"source":{"data":"AAAA","media_type":"image/png","type":"base64"},"type":"image"}],"role":"user"}
            {"content":[{"text":"a","type":"text"},{"text":"b","type":"text"}],"role":"user"}
            {"content":[{"text":"x","type":"text"}],"role":"assistant"}"#]],
    );
}

#[test]
fn thinking_goes_back_as_it_came() {
    let messages = || {
        vec![
            said(vec![
                thinks("a", Some("sig")),
                Block::RedactedThinking { data: "secret".into() },
                thinks("", Some("empty")),
                thinks("b", None),
                thinks("c", Some("")),
                says("x"),
                calls("1", "{}"),
            ]),
            result("1", vec![text("ok")], false),
        ]
    };
    check_messages(messages(), &plain(), expect![[r#"
        {"content":[{"signature":"sig","thinking":"a","type":"thinking"},{"data":"secret","type":"redacted_thinking"},{"signature":"empty","thinking":"","type":"thinking"},{"text":"b","type":"text"},{"text":"c","type":"text"},{"text":"x","type":"text"},{"id":"1","input":{},"name":"read","type":"tool_use"}],"role":"assistant"}
        {"content":[{"content":"ok","is_error":false,"tool_use_id":"1","type":"tool_result"}],"role":"user"}"#]]);
    let gateway = with(json!({ "allowEmptySignature": true }));
    check_messages(messages(), &gateway, expect![[r#"
        {"content":[{"signature":"sig","thinking":"a","type":"thinking"},{"data":"secret","type":"redacted_thinking"},{"signature":"empty","thinking":"","type":"thinking"},{"signature":"","thinking":"b","type":"thinking"},{"signature":"","thinking":"c","type":"thinking"},{"text":"x","type":"text"},{"id":"1","input":{},"name":"read","type":"tool_use"}],"role":"assistant"}
        {"content":[{"content":"ok","is_error":false,"tool_use_id":"1","type":"tool_result"}],"role":"user"}"#]]);
}

#[test]
fn what_another_model_thought_is_text_and_its_ids_are_cut() {
    let mut model = plain();
    model.id = "other".into();
    let long = format!("call|{}", "x/+=".repeat(112));
    let messages = vec![
        said(vec![thinks("a", Some("sig")), Block::RedactedThinking { data: "secret".into() }, calls(&long, "{}")]),
        result(&long, vec![text("1")], false),
    ];
    let body = body(&asking(messages), &model);
    assert_eq!(body["messages"][0]["content"][0], json!({ "type": "text", "text": "a" }));
    let id = body["messages"][0]["content"][1]["id"].as_str().unwrap();
    assert!(id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)), "{id}");
    assert_eq!(body["messages"][1]["content"][0]["tool_use_id"], id);
}

/// Where the marks stand, as paths.
fn marks(value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(mark) = map.get("cache_control") {
                out.push(format!("{path}{}", if mark.get("ttl").is_some() { " 1h" } else { "" }));
            }
            map.iter().for_each(|(name, value)| marks(value, &format!("{path}/{name}"), out));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, value)| marks(value, &format!("{path}/{at}"), out));
        }
        _ => {}
    }
}

#[track_caller]
fn check_marks(request: &Request, model: &Model, access: Access, expected: &str) {
    let body = serde_json::from_slice(&encoded(request, model, access).body).unwrap();
    let mut found = Vec::new();
    marks(&body, "", &mut found);
    assert!(found.len() <= 4, "{found:?}");
    assert_eq!(found.join(", "), expected);
}

#[test]
fn cache_marks_stand_where_the_prefix_ends() {
    let by = |cache| Request { cache, ..everything() };
    let (none, short, long) =
        (by(CacheRetention::None), by(CacheRetention::Short), by(CacheRetention::Long));
    check_marks(&none, &plain(), Access::Subscription, "");
    check_marks(&short, &plain(), Access::Key, "/messages/0/content/0, /system/0, /tools/1");
    check_marks(&long, &plain(), Access::Key, "/messages/0/content/0 1h, /system/0 1h, /tools/1 1h");
    check_marks(&short, &plain(), Access::Subscription, "/messages/0/content/0, /system/0, /system/1, /tools/1");
    let limited = with(json!({ "supportsLongCacheRetention": false, "supportsCacheControlOnTools": false }));
    check_marks(&long, &limited, Access::Key, "/messages/0/content/0, /system/0");
    let fireworks = any_model("fireworks", "https://api.fireworks.ai/inference");
    check_marks(&long, &fireworks, Access::Key, "/messages/0/content/0, /system/0");
    // The newest result, the newest picture; nothing where the model spoke last.
    let turn = |last| Request { messages: vec![user("a"), said(vec![calls("1", "{}")]), last], ..by(CacheRetention::Short) };
    let results = turn(result("1", vec![text("ok")], false));
    check_marks(&results, &plain(), Access::Key, "/messages/2/content/0, /system/0, /tools/1");
    let picture = Request { messages: vec![Message::User(vec![text("a"), image("png")])], ..short.clone() };
    check_marks(&picture, &plain(), Access::Key, "/messages/0/content/1, /system/0, /tools/1");
    let spoken = Request { messages: vec![user("a"), said(vec![says("b")])], ..short };
    check_marks(&spoken, &plain(), Access::Key, "/system/0, /tools/1");
}

#[test]
fn tools_are_described_as_the_api_takes_them() {
    let schema = |parameters: &str, compat: Value| {
        let spec = ToolSpec { parameters: parameters.into(), description: String::new(), ..tool("t") };
        let request = Request { tools: vec![spec], ..asking(vec![user("hi")]) };
        serde_json::to_string(&body(&request, &with(compat))["tools"][0]).unwrap()
    };
    let eager = || json!({});
    expect![[r#"{"eager_input_streaming":true,"input_schema":{"properties":{},"required":[],"type":"object"},"name":"t"}"#]].assert_eq(&schema("{}", eager()));
    expect![[r#"{"eager_input_streaming":true,"input_schema":{"properties":{},"required":[],"type":"object"},"name":"t"}"#]].assert_eq(&schema("[oh", eager()));
    expect![[r##"{"input_schema":{"$defs":{"B":{"const":1.0}},"additionalProperties":false,"properties":{"a":{},"b":{"$ref":"#/$defs/B"}},"required":["b"],"type":"object"},"name":"t"}"##]]
    .assert_eq(&schema(
        r##"{"$schema":"x","anyOf":[],"properties":{"b":{"$ref":"#/$defs/B"},"a":{}},"required":["b"],"$defs":{"B":{"const":1.0}},"additionalProperties":false}"##,
        json!({ "supportsEagerToolInputStreaming": false }),
    ));
    let betas = |tools, compat: Value| {
        header(&Request { tools, ..asking(vec![user("hi")]) }, &with(compat), Access::Key, "anthropic-beta")
    };
    let lazy = || json!({ "supportsEagerToolInputStreaming": false });
    assert_eq!(betas(vec![tool("t")], lazy()).as_deref(), Some("fine-grained-tool-streaming-2025-05-14"));
    assert_eq!(betas(vec![], lazy()), None);
    assert_eq!(betas(vec![tool("t")], json!({})), None);
}

/// Fields and betas that ask `model` for thinking at some level.
#[track_caller]
fn check_thinking(model: &Model, level: Option<ThinkingLevel>, expected: Value, betas: Option<&str>) {
    let request = Request { thinking: level, max_tokens: Some(1000), ..asking(vec![user("hi")]) };
    check_fields(&request, model, expected);
    assert_eq!(header(&request, model, Access::Key, "anthropic-beta").as_deref(), betas);
}

fn mapped(compat: Value, levels: &[(ThinkingLevel, Option<&str>)]) -> Model {
    let mut model = with(compat);
    model.thinking = Thinking(levels.iter().map(|(level, value)| (*level, value.map(Into::into))).collect());
    model
}

const INTERLEAVED: Option<&str> = Some("interleaved-thinking-2025-05-14");

#[test]
fn thinking_within_a_budget() {
    use ThinkingLevel::{High, Max, Medium, Minimal, Off};
    let model = plain();
    let enabled = |budget: u64, limit: u64| {
        json!({ "max_tokens": limit, "thinking": { "type": "enabled", "budget_tokens": budget, "display": "summarized" } })
    };
    check_thinking(&model, None, json!({ "max_tokens": 1000 }), None);
    check_thinking(&model, Some(Off), json!({ "max_tokens": 1000, "thinking": { "type": "disabled" } }), None);
    check_thinking(&model, Some(Minimal), enabled(1024, 2024), INTERLEAVED);
    check_thinking(&model, Some(Medium), enabled(8192, 9192), INTERLEAVED);
    // No more than the model may say, and room for the answer.
    check_thinking(&model, Some(High), enabled(10_000 - 1024, 10_000), INTERLEAVED);
    check_thinking(&model, Some(Max), enabled(10_000 - 1024, 10_000), INTERLEAVED);
    // Whatever was asked for, it is not raised beyond what the model may say.
    let all = Request { thinking: Some(High), ..asking(vec![user("hi")]) };
    check_fields(&all, &model, enabled(10_000 - 1024, 10_000));
    let mut small = plain();
    small.max_output = 2000;
    check_thinking(&small, Some(High), json!({ "max_tokens": 1000, "thinking": { "type": "disabled" } }), None);
    let mut blunt = plain();
    blunt.reasoning = false;
    check_thinking(&blunt, Some(High), json!({ "max_tokens": 1000 }), None);
    let always = mapped(json!({}), &[(Off, None)]);
    check_thinking(&always, Some(Off), json!({ "max_tokens": 1000 }), None);
}

#[test]
fn a_budget_leaves_the_context_its_room() {
    let mut model = plain();
    model.context_window = 8000;
    let request = Request { thinking: Some(ThinkingLevel::High), ..asking(vec![user(&"x".repeat(8000))]) };
    let body = body(&request, &model);
    assert_eq!(body["max_tokens"], 5000);
    assert_eq!(body["thinking"]["budget_tokens"], 5000 - 1024);
}

#[test]
fn thinking_with_an_effort() {
    use ThinkingLevel::{High, Low, Max, Medium, Minimal, Off, Xhigh};
    let adaptive = |effort: &str| {
        json!({
            "max_tokens": 1000,
            "thinking": { "type": "adaptive", "display": "summarized" },
            "output_config": { "effort": effort },
        })
    };
    let model = mapped(json!({ "forceAdaptiveThinking": true }), &[(Max, Some("max"))]);
    check_thinking(&model, None, json!({ "max_tokens": 1000 }), None);
    check_thinking(&model, Some(Off), json!({ "max_tokens": 1000, "thinking": { "type": "disabled" } }), None);
    for (level, effort) in
        [(Minimal, "low"), (Low, "low"), (Medium, "medium"), (High, "high"), (Xhigh, "max"), (Max, "max")]
    {
        check_thinking(&model, Some(level), adaptive(effort), None);
    }
    let model = mapped(json!({ "forceAdaptiveThinking": true }), &[(Off, None), (Minimal, None), (High, Some("H"))]);
    let least = json!({ "max_tokens": 1000, "output_config": { "effort": "low" } });
    check_thinking(&model, Some(Off), least, None);
    check_thinking(&model, Some(Minimal), adaptive("low"), None);
    check_thinking(&model, Some(Max), adaptive("H"), None);
    // One that is not in any list yet.
    let mut new = plain();
    new.id = "claude-sonnet-6-1".into();
    check_thinking(&new, Some(Medium), adaptive("medium"), None);
}

#[test]
fn thinking_that_is_managed_by_the_conversation() {
    use ThinkingLevel::{High, Max, Off, Xhigh};
    let compat = json!({ "forceAdaptiveThinking": true, "supportsMidConvoEffort": true });
    let model = mapped(compat, &[(Off, None), (Xhigh, Some("xhigh")), (Max, Some("max"))]);
    let thinking = json!({
        "type": "adaptive",
        "display": "summarized",
        "block_binding": { "prefix_mismatch_behavior": "drop_block" },
    });
    let beta = Some("thinking-binding-controls-2026-08-01");
    check_thinking(&model, None, json!({ "max_tokens": 1000, "thinking": thinking }), beta);
    for (level, effort) in [(Off, "low"), (High, "high"), (Xhigh, "xhigh"), (Max, "max")] {
        let expected =
            json!({ "max_tokens": 1000, "thinking": thinking, "output_config": { "effort": effort } });
        check_thinking(&model, Some(level), expected, beta);
    }
}

#[test]
fn temperature_goes_only_where_nothing_is_thought() {
    let sent = |model: &Model, thinking| {
        let request = Request { temperature: Some(0.5), thinking, ..asking(vec![user("hi")]) };
        body(&request, model).get("temperature").is_some()
    };
    let (off, high) = (Some(ThinkingLevel::Off), Some(ThinkingLevel::High));
    assert!(sent(&plain(), None) && sent(&plain(), off) && !sent(&plain(), high));
    let refusing = with(json!({ "supportsTemperature": false }));
    assert!(!sent(&refusing, None) && !sent(&refusing, off));
    let managed = with(json!({ "supportsMidConvoEffort": true }));
    assert!(!sent(&managed, None) && !sent(&managed, off));
    let always = mapped(json!({}), &[(ThinkingLevel::Off, None)]);
    assert!(!sent(&always, None) && !sent(&always, off));
    let mut opus = plain();
    opus.id = "claude-opus-4-7".into();
    assert!(!sent(&opus, None));
    let mut blunt = plain();
    blunt.reasoning = false;
    assert!(sent(&blunt, high));
}

#[test]
fn keys_and_sessions_go_where_each_server_wants_them() {
    let at = |provider: &str, base: &str, cache| {
        let request = Request { cache, ..asking(vec![Message::User(vec![image("png")])]) };
        let mut model = any_model(provider, base);
        model.wire = "anthropic-messages".into();
        let HttpRequest { url, auth, headers, .. } = encoded(&request, &model, Access::Key);
        let extra: Vec<_> = headers.into_iter().skip(3).map(|(name, value)| format!("{name}={value}")).collect();
        (url, auth, extra.join(" "))
    };
    let expect = |url: &str, auth, extra: &str| (url.to_owned(), auth, extra.to_owned());
    let key = || Auth::Header("x-api-key");
    let short = CacheRetention::Short;
    assert_eq!(
        at("anthropic", "https://api.anthropic.com", short),
        expect("https://api.anthropic.com/v1/messages", key(), "")
    );
    assert_eq!(at("p", "http://h:1/v1/", short), expect("http://h:1/v1/messages", key(), ""));
    assert_eq!(at("p", "http://h:1/v1/messages?a=b", short), expect("http://h:1/v1/messages?a=b", key(), ""));
    assert_eq!(at("p", "http://h:1/x/?a=b", short), expect("http://h:1/x/v1/messages?a=b", key(), ""));
    let fireworks = "https://api.fireworks.ai/inference";
    assert_eq!(
        at("p", fireworks, short),
        expect("https://api.fireworks.ai/inference/v1/messages", key(), "x-session-affinity=s-1")
    );
    assert_eq!(at("p", fireworks, CacheRetention::None).2, "");
    let gateway = "https://gateway.ai.cloudflare.com/v1/a/g/anthropic";
    assert_eq!(
        at("p", gateway, short),
        expect(
            "https://gateway.ai.cloudflare.com/v1/a/g/anthropic/v1/messages",
            Auth::BearerIn("cf-aig-authorization"),
            "x-session-affinity=s-1"
        )
    );
    let router = at("openrouter", "https://openrouter.ai/api", short);
    assert_eq!(router, expect("https://openrouter.ai/api/v1/messages", Auth::Header("x-api-key"), "x-session-id=s-1"));
    let copilot = at("github-copilot", "https://api.individual.githubcopilot.com", short);
    assert_eq!(copilot.1, Auth::Bearer);
    assert_eq!(copilot.2, "x-initiator=user openai-intent=conversation-edits copilot-vision-request=true");
}

#[test]
fn stand_ins_and_the_persons_name_are_passed_on() {
    let compat = json!({
        "allowedFallbackModels": [
            { "provider": "p", "model": "a" }, "b", { "provider": "other", "model": "x" }, "", 1, "c", "d",
        ],
        "metadata": { "user_id": "u-1" },
    });
    let request = asking(vec![user("hi")]);
    let model = with(compat);
    check_fields(
        &request,
        &model,
        json!({
            "max_tokens": 10_000,
            "fallbacks": [{ "model": "a" }, { "model": "b" }, { "model": "c" }],
            "metadata": { "user_id": "u-1" },
        }),
    );
    let beta = header(&request, &model, Access::Key, "anthropic-beta");
    assert_eq!(beta.as_deref(), Some("server-side-fallback-2026-07-01"));
    assert_eq!(header(&request, &with(json!({ "allowedFallbackModels": [] })), Access::Key, "anthropic-beta"), None);
}

#[test]
fn an_answer_always_has_a_limit() {
    let mut model = plain();
    model.max_output = 0;
    check_fields(&asking(vec![user("hi")]), &model, json!({ "max_tokens": 4096 }));
    check_fields(&asking(vec![user("hi")]), &plain(), json!({ "max_tokens": 10_000 }));
}

#[test]
fn requests_satisfy_the_schemas() {
    let judge = judges::of("anthropic-messages");
    let messages = vec![
        user("look"),
        Message::User(vec![text("a"), image("png")]),
        said(vec![
            thinks("t", Some("s")),
            Block::RedactedThinking { data: "r".into() },
            says("x"),
            calls("1", "{}"),
            calls("2", "{}"),
        ]),
        result("1", vec![text("a"), image("jpg")], false),
        result("2", vec![text("a"), image("bmp")], true),
    ];
    let compats = [
        json!({}),
        json!({ "forceAdaptiveThinking": true, "supportsEagerToolInputStreaming": false }),
        json!({ "supportsMidConvoEffort": true, "allowedFallbackModels": ["a"], "metadata": { "user_id": "u" } }),
    ];
    let mut count = 0;
    for compat in compats {
        for thinking in [None, Some(ThinkingLevel::Off), Some(ThinkingLevel::Minimal), Some(ThinkingLevel::High)] {
            for cache in [CacheRetention::None, CacheRetention::Short, CacheRetention::Long] {
                for access in [Access::Key, Access::Subscription] {
                    let request = Request { thinking, cache, messages: messages.clone(), ..everything() };
                    let body = encoded(&request, &with(compat.clone()), access).body;
                    judge.check("a request", &serde_json::from_slice(&body).unwrap());
                    count += 1;
                }
            }
        }
    }
    assert_eq!(count, 72);
}

#[test]
fn the_schemas_bite() {
    let judge = judges::of("anthropic-messages");
    let good = body(&everything(), &plain());
    assert_eq!(judge.problems(&good), [""; 0]);
    for (path, bad) in [
        ("/max_tokens", json!("many")),
        ("/messages/0/role", json!("tool")),
        ("/messages/0/content/0/type", json!("txt")),
        ("/tools/0/input_schema", json!([])),
        ("/system/0", json!({ "type": "text", "text": "x", "cache_controll": {} })),
        ("/system/0/cache_control/ttl", json!("2h")),
        ("/output_config", json!({ "efort": "high" })),
    ] {
        let mut body = good.clone();
        *body.pointer_mut(path).unwrap() = bad;
        assert_ne!(judge.problems(&body), [""; 0], "{path}");
    }
}
