//! Requests: what is asked, as the bytes that go out.

#![expect(clippy::needless_pass_by_value, reason = "expected values are written in place")]

use std::sync::Arc;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::catalog::{Model, Thinking, ThinkingLevel};
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
    let origin = Origin { provider: "p".into(), wire: "openai-completions".into(), model: "m".into() };
    Message::Assistant(Assistant { origin, blocks, complete: true })
}

fn says(text: &str) -> Block {
    Block::Text { text: text.into(), signature: None }
}

fn thinks(text: &str, signature: &str) -> Block {
    Block::Thinking { text: text.into(), signature: Some(signature.into()) }
}

fn calls(id: &str, arguments: &str) -> Block {
    Block::ToolCall { id: id.into(), name: "read".into(), arguments: arguments.into(), signature: None }
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

fn with(base_url: &str, compat: &Value) -> Model {
    let mut model = model("p", base_url);
    model.compat = Arc::new(compat.as_object().unwrap().clone());
    model
}

const LOCAL: &str = "http://localhost:1/v1";

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

/// The messages only.
#[track_caller]
fn check_messages(messages: Vec<Message>, model: &Model, expected: &Expect) {
    let body: Value = serde_json::from_str(&body(&asking(messages), model)).unwrap();
    let lines: Vec<_> = body["messages"].as_array().unwrap().iter().map(Value::to_string).collect();
    expected.assert_eq(&lines.join("\n"));
}

/// What is sent beside model, messages, stream and the like.
#[track_caller]
fn check_fields(request: &Request, model: &Model, expected: Value) {
    let mut body: Value = serde_json::from_str(&body(request, model)).unwrap();
    for usual in ["model", "messages", "stream", "stream_options", "store"] {
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
    let model = model("openai", "https://api.openai.com/v1/");
    check(
        &request,
        &model,
        &expect![[r#"{"model":"m","messages":[{"role":"developer","content":"be brief"},{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true},"prompt_cache_key":"s-1","store":false,"max_completion_tokens":100,"temperature":0.5,"tools":[{"type":"function","function":{"name":"read","description":"Reads.","parameters":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}}}}}],"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"}}},"reasoning_effort":"high"}"#]],
    );
    let HttpRequest { method, url, headers, auth, framing, .. } = Api.encode(&request, &model, Access::Key);
    assert_eq!((method, &*url), ("POST", "https://api.openai.com/v1/chat/completions"));
    assert_eq!((auth, framing), (Auth::Bearer, Framing::Sse));
    assert_eq!(
        headers,
        [
            ("content-type", "application/json".to_owned()),
            ("accept", "text/event-stream".to_owned())
        ]
    );
}

#[test]
fn a_small_request_to_a_local_server() {
    check(&asking(vec![user("hi")]), &with(LOCAL, &json!({})), &expect![[r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}"#]]);
}

#[test]
fn tool_results_and_their_images() {
    let messages = vec![
        user("look"),
        said(vec![calls("1", "{\"a\":1}"), calls("2", "{\"a\":")]),
        result("1", vec![text("a"), image(), text("b")]),
        result("2", vec![image()]),
        user("and?"),
        said(vec![calls("3", "{}")]),
        result("3", vec![]),
        user("then?"),
    ];
    check_messages(messages.clone(), &with(LOCAL, &json!({})), &expect![[r#"
        {"content":"look","role":"user"}
        {"content":null,"role":"assistant","tool_calls":[{"function":{"arguments":"{\"a\":1}","name":"read"},"id":"1","type":"function"},{"function":{"arguments":"{}","name":"read"},"id":"2","type":"function"}]}
        {"content":"a\nb","role":"tool","tool_call_id":"1"}
        {"content":"(see attached image)","role":"tool","tool_call_id":"2"}
        {"content":[{"text":"Attached image(s) from tool result:","type":"text"},{"image_url":{"url":"data:image/png;base64,AAAA"},"type":"image_url"},{"image_url":{"url":"data:image/png;base64,AAAA"},"type":"image_url"}],"role":"user"}
        {"content":"and?","role":"user"}
        {"content":null,"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"read"},"id":"3","type":"function"}]}
        {"content":"(no tool output)","role":"tool","tool_call_id":"3"}
        {"content":"then?","role":"user"}"#]]);
    let strict = json!({ "requiresAssistantAfterToolResult": true, "requiresToolResultName": true });
    check_messages(messages, &with(LOCAL, &strict), &expect![[r#"
        {"content":"look","role":"user"}
        {"content":"","role":"assistant","tool_calls":[{"function":{"arguments":"{\"a\":1}","name":"read"},"id":"1","type":"function"},{"function":{"arguments":"{}","name":"read"},"id":"2","type":"function"}]}
        {"content":"a\nb","name":"read","role":"tool","tool_call_id":"1"}
        {"content":"(see attached image)","name":"read","role":"tool","tool_call_id":"2"}
        {"content":"I have processed the tool results.","role":"assistant"}
        {"content":[{"text":"Attached image(s) from tool result:","type":"text"},{"image_url":{"url":"data:image/png;base64,AAAA"},"type":"image_url"},{"image_url":{"url":"data:image/png;base64,AAAA"},"type":"image_url"}],"role":"user"}
        {"content":"and?","role":"user"}
        {"content":"","role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"read"},"id":"3","type":"function"}]}
        {"content":"(no tool output)","name":"read","role":"tool","tool_call_id":"3"}
        {"content":"I have processed the tool results.","role":"assistant"}
        {"content":"then?","role":"user"}"#]]);
}

#[test]
fn people_say_text_and_show_images() {
    let messages = vec![
        Message::User(vec![text(""), image()]),
        Message::User(vec![text("")]),
        Message::User(vec![text("a"), text("b")]),
    ];
    check_messages(messages, &with(LOCAL, &json!({})), &expect![[r#"
        {"content":[{"image_url":{"url":"data:image/png;base64,AAAA"},"type":"image_url"}],"role":"user"}
        {"content":[{"text":"a","type":"text"},{"text":"b","type":"text"}],"role":"user"}"#]]);
}

#[test]
fn thinking_goes_back_as_it_came() {
    let details = r#"[{"type":"reasoning.text","text":"t","z":1.0,"a":2}]"#;
    let messages = || {
        vec![
            said(vec![thinks("a", "reasoning"), thinks("b", "reasoning"), says("x"), says("y")]),
            said(vec![thinks("c", "reasoning_content"), says("x")]),
            said(vec![thinks("t", details), thinks("d", "reasoning"), calls("1", "{}")]),
            said(vec![thinks("e", "an unknown signature"), says("x")]),
            said(vec![thinks("only thought", "reasoning_text")]),
        ]
    };
    check_messages(messages(), &with(LOCAL, &json!({})), &expect![[r#"
        {"content":"xy","reasoning":"a\nb","role":"assistant"}
        {"content":"x","reasoning_content":"c","role":"assistant"}
        {"content":null,"reasoning_details":[{"a":2,"text":"t","type":"reasoning.text","z":1.0}],"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"read"},"id":"1","type":"function"}]}
        {"content":"No result provided","role":"tool","tool_call_id":"1"}
        {"content":"x","role":"assistant"}"#]]);
    let as_text = json!({ "requiresThinkingAsText": true });
    check_messages(messages(), &with(LOCAL, &as_text), &expect![[r#"
        {"content":[{"text":"a\n\nb","type":"text"},{"text":"x","type":"text"},{"text":"y","type":"text"}],"role":"assistant"}
        {"content":[{"text":"c","type":"text"},{"text":"x","type":"text"}],"role":"assistant"}
        {"content":[{"text":"t\n\nd","type":"text"}],"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"read"},"id":"1","type":"function"}]}
        {"content":"No result provided","role":"tool","tool_call_id":"1"}
        {"content":[{"text":"e","type":"text"},{"text":"x","type":"text"}],"role":"assistant"}
        {"content":[{"text":"only thought","type":"text"}],"role":"assistant"}"#]]);
    let always = json!({ "requiresReasoningContentOnAssistantMessages": true });
    check_messages(messages(), &with(LOCAL, &always), &expect![[r#"
        {"content":"xy","reasoning":"a\nb","reasoning_content":"","role":"assistant"}
        {"content":"x","reasoning_content":"c","role":"assistant"}
        {"content":null,"reasoning_content":"","reasoning_details":[{"a":2,"text":"t","type":"reasoning.text","z":1.0}],"role":"assistant","tool_calls":[{"function":{"arguments":"{}","name":"read"},"id":"1","type":"function"}]}
        {"content":"No result provided","role":"tool","tool_call_id":"1"}
        {"content":"x","reasoning_content":"","role":"assistant"}"#]]);
}

#[test]
fn reasoning_has_another_name_at_one_provider() {
    let model = model("opencode-go", "https://opencode.ai/zen/go/v1");
    let origin =
        Origin { provider: "opencode-go".into(), wire: "openai-completions".into(), model: "m".into() };
    let blocks = vec![thinks("a", "reasoning"), says("x")];
    let message = Message::Assistant(Assistant { origin, blocks, complete: true });
    check_messages(vec![message], &model, &expect![[r#"{"content":"x","reasoning_content":"a","role":"assistant"}"#]]);
}

#[test]
fn foreign_ids_are_cut() {
    let model = model("openai", "https://api.openai.com/v1");
    let long = format!("call|{}", "x/+=".repeat(112));
    let messages = vec![said(vec![calls(&long, "{}")]), result(&long, vec![text("1")])];
    let body: Value = serde_json::from_str(&body(&asking(messages), &model)).unwrap();
    let id = body.pointer("/messages/0/tool_calls/0/id").unwrap().as_str().unwrap();
    assert!(id.len() <= 40, "{id}");
    assert!(id.starts_with("call_x__"), "{id}");
    assert_eq!(body.pointer("/messages/1/tool_call_id").unwrap(), id);
}

#[test]
fn cache_markers_stand_where_the_prefix_ends() {
    let mut model = model("openrouter", "https://openrouter.ai/api/v1");
    model.id = "anthropic/claude".into();
    let messages = vec![user("look"), said(vec![calls("1", "{}")]), result("1", vec![text("ok")]), Message::User(vec![image()])];
    let request = Request {
        system: Some("be brief".into()),
        tools: vec![tool(), tool()],
        cache: CacheRetention::Long,
        ..asking(messages)
    };
    check(&request, &model, &expect![[r#"{"model":"anthropic/claude","messages":[{"role":"developer","content":[{"type":"text","text":"be brief","cache_control":{"type":"ephemeral","ttl":"1h"}}]},{"role":"user","content":"look"},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"read","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"ok","cache_control":{"type":"ephemeral","ttl":"1h"}}]},{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}],"stream":true,"stream_options":{"include_usage":true},"prompt_cache_key":"s-1","prompt_cache_retention":"24h","store":false,"tools":[{"type":"function","function":{"name":"read","description":"Reads.","parameters":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}}}}},{"type":"function","function":{"name":"read","description":"Reads.","parameters":{"type":"object","properties":{"z":{"type":"string"},"a":{"type":"number"}}}},"cache_control":{"type":"ephemeral","ttl":"1h"}}]}"#]]);
    let request = Request { cache: CacheRetention::None, ..request };
    assert!(!body(&request, &model).contains("cache_control"));
}

#[test]
fn caches_are_keyed_by_the_session() {
    let session = "é".repeat(70);
    let request = Request { session, ..asking(vec![user("hi")]) };
    let key = "é".repeat(64);
    let openai = model("openai", "https://api.openai.com/v1");
    check_fields(&request, &openai, json!({ "prompt_cache_key": key }));
    check_fields(&request, &with(LOCAL, &json!({})), json!({}));
    let none = Request { cache: CacheRetention::None, ..request.clone() };
    check_fields(&none, &openai, json!({}));
    let long = Request { cache: CacheRetention::Long, ..request };
    let expected = json!({ "prompt_cache_key": key, "prompt_cache_retention": "24h" });
    check_fields(&long, &with(LOCAL, &json!({ "supportsLongCacheRetention": true })), expected);
    check_fields(&long, &with(LOCAL, &json!({})), json!({}));
}

#[test]
fn sessions_stay_on_one_machine() {
    let names = |model: &Model, cache| {
        let request = Request { cache, ..asking(vec![user("hi")]) };
        let headers = Api.encode(&request, model, Access::Key).headers;
        headers.into_iter().skip(2).map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    let send = |format: &str| with(LOCAL, &json!({ "sendSessionAffinityHeaders": true, "sessionAffinityFormat": format }));
    let short = CacheRetention::Short;
    assert_eq!(names(&send("openai"), short), "session_id=s-1 x-client-request-id=s-1 x-session-affinity=s-1");
    assert_eq!(names(&send("openai-nosession"), short), "x-client-request-id=s-1 x-session-affinity=s-1");
    assert_eq!(names(&model("openrouter", "https://openrouter.ai/api/v1"), short), "x-session-id=s-1");
    assert_eq!(names(&send("openai"), CacheRetention::None), "");
    assert_eq!(names(&with(LOCAL, &json!({})), short), "");
    let copilot = model("github-copilot", "https://api.githubcopilot.com");
    assert_eq!(names(&copilot, short), "x-initiator=user openai-intent=conversation-edits");
}

#[test]
fn a_gateway_takes_the_key_elsewhere() {
    let model = with("https://gateway.ai.cloudflare.com/v1/a/g/compat", &json!({}));
    assert_eq!(Api.encode(&asking(vec![]), &model, Access::Key).auth, Auth::BearerIn("cf-aig-authorization"));
    let model = with("https://x.example/v1/?api-version=1", &json!({}));
    assert_eq!(Api.encode(&asking(vec![]), &model, Access::Key).url, "https://x.example/v1/chat/completions?api-version=1");
}

#[test]
fn tools_are_named_when_the_history_has_calls() {
    let request = asking(vec![said(vec![calls("1", "{}")])]);
    check_fields(&request, &with(LOCAL, &json!({})), json!({ "tools": [] }));
    let mut broken = tool();
    broken.parameters = "[oh".into();
    let request = Request { tools: vec![broken], ..asking(vec![user("hi")]) };
    let function = json!({
        "name": "read",
        "description": "Reads.",
        "parameters": { "type": "object", "properties": {} },
        "strict": false,
    });
    let compat = json!({ "supportsStrictMode": true, "zaiToolStream": true });
    let expected = json!({ "tools": [{ "type": "function", "function": function }], "tool_stream": true });
    check_fields(&request, &with(LOCAL, &compat), expected);
}

#[test]
fn routing_and_sampling_are_passed_on() {
    let compat = json!({
        "openRouterRouting": { "order": ["a"], "zdr": true },
        "vercelGatewayRouting": { "only": ["b"] },
        "vllmPriority": 3,
        "samplingParams": { "top_k": 40, "temperature": 0.1 },
    });
    let request = Request { temperature: Some(1.0), ..asking(vec![user("hi")]) };
    let provider = json!({ "order": ["a"], "zdr": true });
    check_fields(
        &request,
        &with(LOCAL, &compat),
        json!({ "provider": provider, "priority": 3, "temperature": 0.1, "top_k": 40 }),
    );
    let expected = json!({
        "provider": provider, "priority": 3, "temperature": 0.1, "top_k": 40,
        "providerOptions": { "gateway": { "only": ["b"] } },
    });
    check_fields(&request, &with("https://ai-gateway.vercel.sh/v1", &compat), expected);
}

/// What asks for level high, mapped to `H`, and what for none, mapped to `off`.
#[track_caller]
fn check_thinking(compat: Value, off: Option<&str>, on: Value, none: Value) {
    let mut model = with(LOCAL, &compat);
    let level = |level, value: &str| (level, Some(value.into()));
    model.thinking = Thinking(vec![level(ThinkingLevel::High, "H")]);
    model.thinking.0.extend(off.map(|off| level(ThinkingLevel::Off, off)));
    let ask = |level| Request { thinking: Some(level), max_tokens: None, ..asking(vec![user("hi")]) };
    check_fields(&ask(ThinkingLevel::High), &model, on);
    check_fields(&ask(ThinkingLevel::Off), &model, none);
    // A level that the model does not have becomes the next one that it has.
    let max = body(&ask(ThinkingLevel::Max), &model);
    assert_eq!(max, body(&ask(ThinkingLevel::High), &model));
    // Nothing is asked for, or the model cannot think.
    check_fields(&asking(vec![user("hi")]), &model, json!({}));
    model.reasoning = false;
    check_fields(&ask(ThinkingLevel::High), &model, json!({}));
}

#[test]
fn thinking_in_every_format() {
    let format = |name: &str| json!({ "thinkingFormat": name });
    let effort = json!({ "reasoning_effort": "H" });
    check_thinking(json!({}), None, effort.clone(), json!({}));
    check_thinking(json!({}), Some("none"), effort, json!({ "reasoning_effort": "none" }));
    check_thinking(json!({ "supportsReasoningEffort": false }), None, json!({}), json!({}));
    check_thinking(
        format("openrouter"),
        None,
        json!({ "reasoning": { "effort": "H" } }),
        json!({ "reasoning": { "effort": "none" } }),
    );
    check_thinking(
        format("deepseek"),
        None,
        json!({ "thinking": { "type": "enabled" }, "reasoning_effort": "H" }),
        json!({ "thinking": { "type": "disabled" } }),
    );
    check_thinking(
        json!({ "thinkingFormat": "zai", "supportsReasoningEffort": false }),
        None,
        json!({ "thinking": { "type": "enabled", "clear_thinking": false } }),
        json!({ "thinking": { "type": "disabled" } }),
    );
    check_thinking(
        format("qwen"),
        None,
        json!({ "enable_thinking": true, "reasoning_effort": "H" }),
        json!({ "enable_thinking": false }),
    );
    check_thinking(
        format("qwen-chat-template"),
        None,
        json!({ "chat_template_kwargs": { "enable_thinking": true, "preserve_thinking": true } }),
        json!({ "chat_template_kwargs": { "enable_thinking": false, "preserve_thinking": true } }),
    );
    check_thinking(
        format("together"),
        None,
        json!({ "reasoning": { "enabled": true }, "reasoning_effort": "H" }),
        json!({ "reasoning": { "enabled": false } }),
    );
    check_thinking(format("string-thinking"), None, json!({ "thinking": "H" }), json!({ "thinking": "none" }));
    check_thinking(format("ant-ling"), None, json!({ "reasoning": { "effort": "H" } }), json!({}));
    check_thinking(
        json!({
            "thinkingFormat": "chat-template",
            "chatTemplateKwargs": {
                "on": { "$var": "thinking.enabled" },
                "e": { "$var": "thinking.effort", "omitWhenOff": true },
                "b": { "$var": "thinking.budget" },
                "fixed": [1],
            },
        }),
        None,
        json!({ "chat_template_kwargs": { "on": true, "e": "H", "b": 16384, "fixed": [1] } }),
        json!({ "chat_template_kwargs": { "on": false, "b": 0, "fixed": [1] } }),
    );
    check_thinking(
        json!({ "thinkingFormat": "baseten", "chatTemplateArgs": { "enable_thinking": { "$var": "thinking.enabled" } } }),
        None,
        json!({ "chat_template_args": { "enable_thinking": true }, "reasoning_effort": "H" }),
        json!({ "chat_template_args": { "enable_thinking": false } }),
    );
}

#[test]
fn no_thinking_may_have_a_name_of_its_own() {
    let format = |name: &str| json!({ "thinkingFormat": name, "thinkingTokenBudgetField": "thinking_budget" });
    let none = |name: &str| {
        let mut model = with(LOCAL, &format(name));
        model.thinking = Thinking(vec![(ThinkingLevel::Off, Some("least".into()))]);
        let request = Request { thinking: Some(ThinkingLevel::Off), ..asking(vec![user("hi")]) };
        let mut body: Value = serde_json::from_str(&body(&request, &model)).unwrap();
        for usual in ["model", "messages", "stream", "stream_options", "store"] {
            body.as_object_mut().unwrap().remove(usual);
        }
        body
    };
    assert_eq!(none("openai"), json!({ "reasoning_effort": "least" }));
    assert_eq!(none("openrouter"), json!({ "reasoning": { "effort": "least" } }));
    assert_eq!(none("string-thinking"), json!({ "thinking": "least" }));
    assert_eq!(none("baseten"), json!({ "reasoning_effort": "least" }));
    // Where it is switched off by other means, the name is not sent.
    assert_eq!(none("deepseek"), json!({ "thinking": { "type": "disabled" } }));
    assert_eq!(none("together"), json!({ "reasoning": { "enabled": false } }));
    assert_eq!(none("qwen"), json!({ "enable_thinking": false }));
    assert_eq!(none("ant-ling"), json!({}));
}

#[test]
fn what_cannot_be_switched_off_is_left_alone() {
    for format in ["openai", "openrouter", "deepseek", "zai", "qwen", "together", "string-thinking"] {
        let mut model = with(LOCAL, &json!({ "thinkingFormat": format }));
        model.thinking = Thinking(vec![(ThinkingLevel::Off, None)]);
        let request = Request { thinking: Some(ThinkingLevel::Off), ..asking(vec![user("hi")]) };
        check_fields(&request, &model, json!({}));
    }
}

#[test]
fn a_thinking_budget_leaves_room_for_the_answer() {
    let model = with(LOCAL, &json!({ "thinkingTokenBudgetField": "thinking_budget" }));
    let request = Request {
        thinking: Some(ThinkingLevel::Medium),
        max_tokens: Some(5000),
        ..asking(vec![user("hi")])
    };
    let expected =
        json!({ "max_tokens": 5000, "reasoning_effort": "medium", "thinking_budget": 3976 });
    check_fields(&request, &model, expected);
}

/// Which of the switches that change a plain request differ from an unknown server's.
#[track_caller]
fn check_host(provider: &str, base_url: &str, id: &str, expected: &str) {
    let mut model = model(provider, base_url);
    model.id = id.into();
    let request = Request {
        system: Some("s".into()),
        max_tokens: Some(9),
        thinking: Some(ThinkingLevel::High),
        cache: CacheRetention::Long,
        ..asking(vec![user("hi"), said(vec![says("x")])])
    };
    let body: Value = serde_json::from_str(&body(&request, &model)).unwrap();
    let mut seen = vec![body["messages"][0]["role"].as_str().unwrap().to_owned()];
    for field in ["store", "max_tokens", "reasoning_effort", "reasoning", "thinking", "prompt_cache_retention"] {
        if body.get(field).is_some() {
            seen.push(field.to_owned());
        }
    }
    assert_eq!(seen.join(" "), expected, "{provider} {base_url}");
}

#[test]
fn servers_are_known_by_provider_or_address() {
    let plain = "developer store reasoning_effort prompt_cache_retention";
    check_host("p", "https://api.openai.com/v1", "m", plain);
    check_host("p", "https://mine.openai.azure.com/openai/v1", "m", plain);
    // Of which nothing is known: what many servers refuse is left out.
    check_host("p", LOCAL, "m", "system max_tokens reasoning_effort");
    check_host("groq", "https://api.groq.com/openai/v1", "m", "system max_tokens reasoning_effort");
    let cerebras = "system reasoning_effort prompt_cache_retention";
    check_host("cerebras", LOCAL, "m", cerebras);
    check_host("p", "https://api.cerebras.ai/v1", "m", cerebras);
    check_host("p", "https://opencode.ai/zen/v1", "m", cerebras);
    check_host("p", "https://api.x.ai/v1", "m", "system prompt_cache_retention");
    check_host("p", "https://API.DeepSeek.com", "m", "system max_tokens reasoning_effort thinking prompt_cache_retention");
    check_host("zai", LOCAL, "m", "system max_tokens thinking prompt_cache_retention");
    check_host("p", "https://open.bigmodel.cn/api/v4", "m", "system max_tokens thinking prompt_cache_retention");
    check_host("p", "https://api.moonshot.cn/v1", "m", "system max_tokens prompt_cache_retention");
    check_host("p", "https://api.together.xyz/v1", "m", "system max_tokens reasoning");
    check_host("p", "https://integrate.api.nvidia.com/v1", "m", "system max_tokens");
    check_host("p", "https://llm.chutes.ai/v1", "m", "system max_tokens reasoning_effort prompt_cache_retention");
    check_host("p", "https://api.cloudflare.com/client/v4/x", "m", "system reasoning_effort");
    check_host("p", "https://gateway.ai.cloudflare.com/v1/x", "m", "system max_tokens");
    let router = "https://openrouter.ai/api/v1";
    check_host("p", router, "openai/m", "developer store reasoning prompt_cache_retention");
    check_host("p", router, "x/m", "system store reasoning prompt_cache_retention");
}

#[test]
fn requests_satisfy_the_schemas() {
    let judge = judges::of("openai-completions");
    let openai = model("openai", "https://api.openai.com/v1");
    let messages = vec![
        user("look"),
        Message::User(vec![text("a"), image()]),
        said(vec![says("x"), calls("1", "{}"), calls("2", "{}")]),
        result("1", vec![text("a"), image()]),
    ];
    for thinking in [None, Some(ThinkingLevel::Off), Some(ThinkingLevel::Minimal), Some(ThinkingLevel::High)] {
        for cache in [CacheRetention::None, CacheRetention::Short, CacheRetention::Long] {
            for strict in [false, true] {
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
                let mut model = openai.clone();
                model.reasoning = thinking.is_some();
                let compat = json!({ "supportsStrictMode": strict, "requiresAssistantAfterToolResult": strict });
                model.compat = Arc::new(compat.as_object().unwrap().clone());
                judge.check("a request", &serde_json::from_str(&body(&request, &model)).unwrap());
            }
        }
    }
}
