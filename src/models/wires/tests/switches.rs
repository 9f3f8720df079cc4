//! Every switch that `models.json` can have, and what it does to a request: each is read from such a file, laid over
//! a model, and held against two requests that differ in nothing else. The list is written from the documents.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::*;
use crate::catalog::tests::catalog;
use crate::catalog::{Catalog, ThinkingLevel};
use crate::models::message::{Assistant, Block, CacheRetention, Content, Message, Origin, ToolSpec};

const C: &str = "openai-completions";
const R: &str = "openai-responses";
const A: &str = "anthropic-messages";
const B: &str = "bedrock-converse-stream";
const G: &str = "google-generative-ai";
const M: &str = "mistral-conversations";

/// The model of a `models.json` that says nothing but this, and nothing that is wrong.
#[track_caller]
fn defined(api: &str, fields: &Value) -> Model {
    let mut model = json!({
        "id": "m", "name": if api == B { "Claude Sonnet 4" } else { "M" }, "reasoning": true, "maxTokens": 40_000,
    });
    let mut base_url = "https://own.example/v1".to_owned();
    for (name, value) in fields.as_object().unwrap() {
        match name.as_str() {
            "baseUrl" => value.as_str().unwrap().clone_into(&mut base_url),
            _ => model[name] = value.clone(),
        }
    }
    let (_home, catalog, told) = read(&json!({"own": {"baseUrl": base_url, "api": api, "models": [model]}}));
    assert!(told.is_empty(), "{told:?}");
    (*catalog.find("own", "m").unwrap()).clone()
}

/// The catalog with these providers in `models.json`, and what is told of them.
fn read(providers: &Value) -> (tempfile::TempDir, Catalog, Vec<String>) {
    let (home, catalog) = catalog(&json!({ "providers": providers }).to_string());
    let told = catalog.diagnostics().into_iter().map(|told| told.message).collect();
    (home, catalog, told)
}

fn text(text: &str) -> Vec<Content> {
    vec![Content::Text(text.into())]
}

/// A conversation with everything: a thought, a call with its result, and a question after it.
fn asking(level: ThinkingLevel, cache: CacheRetention) -> Request {
    let origin = Origin { provider: "own".into(), wire: "own".into(), model: "m".into() };
    let said = |blocks| Message::Assistant(Assistant { origin: origin.clone(), blocks, complete: true });
    let call = Block::ToolCall {
        id: "call12345".into(),
        name: "read".into(),
        arguments: "{}".into(),
        signature: None,
    };
    Request {
        system: Some("be brief".into()),
        messages: vec![
            Message::User(text("hi")),
            said(vec![call]),
            Message::ToolResult {
                call_id: "call12345".into(),
                name: "read".into(),
                content: text("done"),
                is_error: false,
            },
            Message::User(text("and?")),
        ],
        tools: vec![ToolSpec {
            name: "read".into(),
            description: "Reads.".into(),
            parameters: r#"{"type":"object","properties":{}}"#.into(),
        }],
        max_tokens: Some(40_000),
        temperature: Some(0.5),
        thinking: Some(level),
        cache,
        session: "s-1".into(),
        ..Request::default()
    }
}

/// What goes out; headers stand in it as `/headers/NAME`.
#[track_caller]
fn sent(api: &str, fields: &Value, request: &Request) -> Value {
    let model = defined(api, fields);
    let HttpRequest { body, headers, url, .. } =
        wire(&model.wire).unwrap().encode(request, &model, Access::Key);
    let mut body: Value = serde_json::from_slice(&body).unwrap();
    body["url"] = url.into();
    body["headers"] = headers
        .into_iter()
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect::<Map<_, _>>()
        .into();
    body
}

/// An API, a switch with a value, where that shows, what is there then; another value, and what is there with that.
/// `null` is nothing: of a switch, and of a field.
struct Effect(&'static str, &'static str, Value, &'static str, Value, Value, Value);

#[rustfmt::skip]
fn effects() -> Vec<Effect> {
    let [yes, no, none] = [json!(true), json!(false), Value::Null];
    let mark = json!({"type": "ephemeral"});
    let long = json!({"type": "ephemeral", "ttl": "1h"});
    vec![
        // Chat completions. What is not said stands at what a server of which nothing is known gets.
        Effect(C, "supportsStore", yes.clone(), "/store", no.clone(), none.clone(), none.clone()),
        Effect(C, "supportsDeveloperRole", yes.clone(), "/messages/0/role", json!("developer"), none.clone(), json!("system")),
        Effect(C, "supportsReasoningEffort", no.clone(), "/reasoning_effort", none.clone(), none.clone(), json!("high")),
        Effect(C, "supportsUsageInStreaming", no.clone(), "/stream_options", none.clone(), none.clone(), json!({"include_usage": true})),
        Effect(C, "maxTokensField", json!("max_completion_tokens"), "/max_completion_tokens", json!(40_000), none.clone(), none.clone()),
        Effect(C, "maxTokensField", json!("max_tokens"), "/max_tokens", json!(40_000), json!("max_completion_tokens"), none.clone()),
        Effect(C, "requiresToolResultName", yes.clone(), "/messages/3/name", json!("read"), none.clone(), none.clone()),
        Effect(C, "requiresAssistantAfterToolResult", yes.clone(), "/messages/4/role", json!("assistant"), none.clone(), json!("user")),
        Effect(C, "requiresReasoningContentOnAssistantMessages", yes.clone(), "/messages/2/reasoning_content", json!(""), none.clone(), none.clone()),
        Effect(C, "cacheControlFormat", json!("anthropic"), "/messages/0/content/0/cache_control", mark.clone(), none.clone(), none.clone()),
        Effect(C, "cacheControlFormat", json!("anthropic"), "/tools/0/cache_control", mark.clone(), none.clone(), none.clone()),
        Effect(C, "openRouterRouting", json!({"only": ["a"], "sort": "price", "zdr": true}), "/provider", json!({"only": ["a"], "sort": "price", "zdr": true}), none.clone(), none.clone()),
        Effect(C, "supportsStrictMode", yes.clone(), "/tools/0/function/strict", no.clone(), none.clone(), none.clone()),
        Effect(C, "supportsLongCacheRetention", yes.clone(), "/prompt_cache_retention", json!("24h"), none.clone(), none.clone()),
        Effect(C, "supportsLongCacheRetention", yes.clone(), "/prompt_cache_key", json!("s-1"), no.clone(), none.clone()),
        Effect(C, "sendSessionAffinityHeaders", yes.clone(), "/headers/x-session-affinity", json!("s-1"), none.clone(), none.clone()),
        Effect(C, "sendSessionAffinityHeaders", yes.clone(), "/headers/session_id", json!("s-1"), no.clone(), none.clone()),
        Effect(C, "zaiToolStream", yes.clone(), "/tool_stream", yes.clone(), none.clone(), none.clone()),
        Effect(C, "thinkingTokenBudgetField", json!("thinking_budget"), "/thinking_budget", json!(16_384), none.clone(), none.clone()),
        Effect(C, "supportsThinkingTokenBudget", yes.clone(), "/thinking_token_budget", json!(16_384), no.clone(), none.clone()),
        Effect(C, "vllmPriority", json!(-7), "/priority", json!(-7), none.clone(), none.clone()),
        // Responses.
        Effect(R, "supportsDeveloperRole", no.clone(), "/input/0/role", json!("system"), none.clone(), json!("developer")),
        Effect(R, "supportsReasoningEffort", no.clone(), "/reasoning/effort", none.clone(), none.clone(), json!("high")),
        Effect(R, "supportsStrictMode", no.clone(), "/tools/0/strict", none.clone(), none.clone(), no.clone()),
        Effect(R, "supportsMaxOutputTokens", no.clone(), "/max_output_tokens", none.clone(), none.clone(), json!(40_000)),
        Effect(R, "supportsLongCacheRetention", no.clone(), "/prompt_cache_retention", none.clone(), none.clone(), json!("24h")),
        Effect(R, "sessionAffinityFormat", json!("openai-nosession"), "/headers/session_id", none.clone(), json!("openai"), json!("s-1")),
        Effect(R, "sessionAffinityFormat", json!("openrouter"), "/headers/x-session-id", json!("s-1"), none.clone(), none.clone()),
        Effect(R, "sendSessionIdHeader", no.clone(), "/headers/session_id", none.clone(), yes.clone(), json!("s-1")),
        // Anthropic's messages.
        Effect(A, "supportsEagerToolInputStreaming", no.clone(), "/tools/0/eager_input_streaming", none.clone(), none.clone(), yes.clone()),
        Effect(A, "supportsLongCacheRetention", no.clone(), "/system/0/cache_control", mark, none.clone(), long.clone()),
        Effect(A, "supportsCacheControlOnTools", no.clone(), "/tools/0/cache_control", none.clone(), none.clone(), long),
        Effect(A, "sendSessionAffinityHeaders", yes.clone(), "/headers/x-session-affinity", json!("s-1"), none.clone(), none.clone()),
        Effect(A, "forceAdaptiveThinking", yes.clone(), "/thinking/type", json!("adaptive"), none.clone(), json!("enabled")),
        Effect(A, "forceAdaptiveThinking", yes.clone(), "/output_config/effort", json!("high"), no.clone(), none.clone()),
        Effect(A, "supportsMidConvoEffort", yes.clone(), "/thinking/block_binding/prefix_mismatch_behavior", json!("drop_block"), none.clone(), none.clone()),
        Effect(A, "allowedFallbackModels", json!(["n", {"model": "o"}]), "/fallbacks", json!([{"model": "n"}, {"model": "o"}]), none.clone(), none.clone()),
        Effect(A, "metadata", json!({"user_id": "u-1"}), "/metadata", json!({"user_id": "u-1"}), none.clone(), none.clone()),
        // The clouds.
        Effect(B, "supportsLongCacheRetention", no.clone(), "/system/1/cachePoint", json!({"type": "default"}), none.clone(), json!({"type": "default", "ttl": "1h"})),
        Effect(B, "forceAdaptiveThinking", yes.clone(), "/additionalModelRequestFields/thinking/type", json!("adaptive"), none.clone(), json!("enabled")),
        Effect(G, "supportsJsonSchema", no.clone(), "/tools/0/functionDeclarations/0/parametersJsonSchema", none.clone(), none.clone(), json!({"type": "object", "properties": {}})),
        Effect(G, "streamFunctionCallArguments", yes.clone(), "/toolConfig/functionCallingConfig/streamFunctionCallArguments", yes.clone(), none.clone(), none.clone()),
        Effect(M, "supportsReasoningEffort", yes, "/reasoning_effort", json!("high"), no, none),
    ]
}

#[test]
fn every_switch_changes_the_request() {
    let request = asking(ThinkingLevel::High, CacheRetention::Long);
    for Effect(api, switch, value, at, there, other, instead) in effects() {
        // The marks of chat completions are seen better without a time.
        let request = if switch == "cacheControlFormat" {
            asking(ThinkingLevel::High, CacheRetention::Short)
        } else {
            request.clone()
        };
        let field = |value: &Value| {
            let compat = if value.is_null() { json!({}) } else { json!({switch: value}) };
            sent(api, &json!({ "compat": compat }), &request).pointer(at).cloned().unwrap_or_default()
        };
        assert_ne!(there, instead, "{api} {switch} {at}");
        assert_eq!(field(&value), there, "{api} {switch}={value}: {at}");
        assert_eq!(field(&other), instead, "{api} {switch}={other}: {at}");
    }
}

/// Switches that are shown at work by the other tests of this file.
const ELSEWHERE: &[&str] = &[
    "thinkingFormat",
    "chatTemplateKwargs",
    "chatTemplateArgs",
    "requiresThinkingAsText",
    "allowEmptySignature",
    "supportsTemperature",
    "supportsFinishReason",
    "supportsExplicitPromptCacheMode",
    "vercelGatewayRouting",
];

/// Switches that are understood and have nothing to change: they allow what Aside has no use for yet, tools and
/// instructions that come or go within a conversation, tools that are no functions, and tools that must be strict.
const UNUSED: &[&str] = &[
    "supportsAdditionalTools",
    "supportsMidConvoSystemMessages",
    "supportsMidConvoToolAdditions",
    "supportsMidConvoToolChanges",
    "supportsOpenAIGrammarTools",
    "supportsStrictTools",
    "supportsToolSearch",
];

#[test]
fn what_has_nothing_to_change_changes_nothing() {
    let request = asking(ThinkingLevel::High, CacheRetention::Long);
    for api in [C, R, A, B, G, M] {
        let plain = sent(api, &json!({}), &request);
        for switch in UNUSED {
            assert_eq!(sent(api, &json!({"compat": {*switch: true}}), &request), plain, "{api} {switch}");
        }
    }
}

#[test]
fn the_page_explains_every_switch() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/models-json.md");
    #[expect(clippy::disallowed_methods, reason = "tests read documents")]
    let page = std::fs::read_to_string(path).unwrap();
    let effects = effects();
    let names =
        effects.iter().map(|Effect(_, switch, ..)| *switch).chain(ELSEWHERE.iter().chain(UNUSED).copied());
    let missing: Vec<_> = names.filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for (format, ..) in FORMATS {
        assert!(page.contains(&format!("| `{format}` |")), "{format}");
    }
}

#[test]
fn no_switch_of_the_documents_is_left_out() {
    let known: BTreeSet<String> = effects()
        .iter()
        .map(|Effect(_, switch, ..)| *switch)
        .chain(ELSEWHERE.iter().chain(UNUSED).copied())
        .map(str::to_owned)
        .collect();
    assert!(known.len() > 40, "{known:?}");
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/spec/accounts.md");
    #[expect(clippy::disallowed_methods, reason = "tests read documents")]
    let Ok(page) = std::fs::read_to_string(path) else { return };
    let part = page.split("Compat flags:").nth(1).unwrap().split("\n## ").next().unwrap();
    let cells = part.lines().filter(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1));
    let words = cells.flat_map(|cell| cell.split(|c: char| !c.is_ascii_alphanumeric()));
    let switches: BTreeSet<String> = words
        .filter(|word| {
            word.len() > 4 && word.contains(char::is_uppercase) && word.starts_with(char::is_lowercase)
        })
        .map(str::to_owned)
        .collect();
    assert!(switches.len() > 35, "{switches:?}");
    let missing: Vec<_> = switches.difference(&known).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_reader_of_the_file_knows_every_switch() {
    // No switch may be this number, so each that is known is told.
    let names: BTreeSet<&str> = effects()
        .iter()
        .map(|Effect(_, switch, ..)| *switch)
        .chain(ELSEWHERE.iter().chain(UNUSED).copied())
        .collect();
    let compat: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), json!(1.5))).collect();
    let models = json!([{"id": "m", "compat": compat}]);
    let (_home, _, told) =
        read(&json!({"own": {"baseUrl": "https://own.example", "api": C, "models": models}}));
    let unknown: Vec<_> =
        names.iter().filter(|name| !told.iter().any(|line| line.contains(&format!(".{name}:")))).collect();
    assert!(unknown.is_empty(), "{unknown:?} of {told:#?}");
}

/// How each format asks for a high level, and how for none.
#[rustfmt::skip]
const FORMATS: &[(&str, &str, &str)] = &[
    ("openai", r#"{"reasoning_effort":"high"}"#, "{}"),
    ("openrouter", r#"{"reasoning":{"effort":"high"}}"#, r#"{"reasoning":{"effort":"none"}}"#),
    ("deepseek", r#"{"reasoning_effort":"high","thinking":{"type":"enabled"}}"#, r#"{"thinking":{"type":"disabled"}}"#),
    ("zai", r#"{"reasoning_effort":"high","thinking":{"clear_thinking":false,"type":"enabled"}}"#, r#"{"thinking":{"type":"disabled"}}"#),
    ("qwen", r#"{"enable_thinking":true,"reasoning_effort":"high"}"#, r#"{"enable_thinking":false}"#),
    ("qwen-chat-template", r#"{"chat_template_kwargs":{"enable_thinking":true,"preserve_thinking":true}}"#, r#"{"chat_template_kwargs":{"enable_thinking":false,"preserve_thinking":true}}"#),
    ("chat-template", r#"{"chat_template_kwargs":{"budget":16384,"effort":"high","on":true,"x":1}}"#, r#"{"chat_template_kwargs":{"effort":"none","on":false,"x":1}}"#),
    ("baseten", r#"{"chat_template_args":{"on":true},"reasoning_effort":"high"}"#, r#"{"chat_template_args":{"on":false}}"#),
    ("together", r#"{"reasoning":{"enabled":true},"reasoning_effort":"high"}"#, r#"{"reasoning":{"enabled":false}}"#),
    ("string-thinking", r#"{"thinking":"high"}"#, r#"{"thinking":"none"}"#),
    ("ant-ling", "{}", "{}"),
];

#[test]
fn every_format_asks_for_thinking_and_for_none() {
    let fields = [
        "reasoning",
        "reasoning_effort",
        "thinking",
        "enable_thinking",
        "chat_template_kwargs",
        "chat_template_args",
    ];
    let asked = |fields_of_model: &Value, level| {
        let body = sent(C, fields_of_model, &asking(level, CacheRetention::Short));
        let said: Map<String, Value> =
            fields.iter().filter_map(|name| Some(((*name).to_owned(), body.get(*name)?.clone()))).collect();
        Value::Object(said).to_string()
    };
    for (format, on, off) in FORMATS {
        let model = json!({ "compat": {
            "thinkingFormat": format,
            "chatTemplateKwargs": {
                "on": {"$var": "thinking.enabled"}, "effort": {"$var": "thinking.effort"},
                "budget": {"$var": "thinking.budget", "omitWhenOff": true}, "x": 1,
            },
            "chatTemplateArgs": {"on": {"$var": "thinking.enabled"}},
        } });
        assert_eq!(asked(&model, ThinkingLevel::High), *on, "{format}");
        assert_eq!(asked(&model, ThinkingLevel::Off), *off, "{format}, off");
    }
    // Only what the map names.
    let ling = json!({ "compat": {"thinkingFormat": "ant-ling"}, "thinkingLevelMap": {"high": "heavy"} });
    assert_eq!(asked(&ling, ThinkingLevel::High), r#"{"reasoning":{"effort":"heavy"}}"#);
    // What cannot be switched off is not told to be.
    for (format, ..) in
        FORMATS.iter().filter(|(format, ..)| *format != "chat-template" && *format != "baseten")
    {
        let model = json!({ "compat": {"thinkingFormat": format}, "thinkingLevelMap": {"off": null} });
        assert_eq!(asked(&model, ThinkingLevel::Off), "{}", "{format}");
    }
}

#[test]
fn thoughts_go_back_as_the_server_takes_them() {
    let thought = |wire: &str, signature: Option<&str>| {
        let mut request = asking(ThinkingLevel::High, CacheRetention::None);
        let origin = Origin { provider: "own".into(), wire: wire.into(), model: "m".into() };
        let blocks = vec![
            Block::Thinking { text: "hm".into(), signature: signature.map(str::to_owned) },
            Block::Text { text: "so".into(), signature: None },
        ];
        request.messages = vec![
            Message::User(text("hi")),
            Message::Assistant(Assistant { origin, blocks, complete: true }),
            Message::User(text("and?")),
        ];
        request
    };
    let request = thought(C, Some("reasoning_content"));
    let plain = sent(C, &json!({}), &request);
    assert_eq!(
        (&plain["messages"][2]["content"], &plain["messages"][2]["reasoning_content"]),
        (&json!("so"), &json!("hm"))
    );
    let as_text = sent(C, &json!({"compat": {"requiresThinkingAsText": true}}), &request);
    assert_eq!(as_text["messages"][2].get("reasoning_content"), None);
    assert!(as_text["messages"][2]["content"].to_string().contains("hm"), "{as_text}");

    let request = thought(A, None);
    let plain = sent(A, &json!({}), &request);
    assert_eq!(plain["messages"][1]["content"][0], json!({"type": "text", "text": "hm"}));
    let empty = sent(A, &json!({"compat": {"allowEmptySignature": true}}), &request);
    assert_eq!(
        empty["messages"][1]["content"][0],
        json!({"type": "thinking", "thinking": "hm", "signature": ""})
    );
}

#[test]
fn what_needs_a_request_of_its_own_is_shown_too() {
    // A temperature goes only where nothing is thought.
    for api in [A, B] {
        let at = if api == A { "/temperature" } else { "/inferenceConfig/temperature" };
        let plain = asking(ThinkingLevel::Off, CacheRetention::None);
        let field = |fields: &Value| sent(api, fields, &plain).pointer(at).cloned();
        assert_eq!(field(&json!({})), Some(json!(0.5)), "{api}");
        assert_eq!(field(&json!({"compat": {"supportsTemperature": false}})), None, "{api}");
    }
    // Caching that is not wanted is switched off where that can be said.
    let without = asking(ThinkingLevel::Off, CacheRetention::None);
    let options = |fields: &Value| sent(R, fields, &without).get("prompt_cache_options").cloned();
    assert_eq!(options(&json!({})), None);
    assert_eq!(
        options(&json!({"compat": {"supportsExplicitPromptCacheMode": true}})),
        Some(json!({"mode": "explicit"}))
    );
    // Vercel's routing is for Vercel.
    let routing = json!({"only": ["bedrock"], "order": ["bedrock"]});
    let gateway = |base: &str| {
        let fields = json!({"baseUrl": base, "compat": {"vercelGatewayRouting": routing}});
        sent(C, &fields, &without).pointer("/providerOptions/gateway").cloned()
    };
    assert_eq!(gateway("https://ai-gateway.vercel.sh/v1"), Some(routing.clone()));
    assert_eq!(gateway("https://own.example/v1"), None);
    // An answer without a reason for its end.
    let data = r#"{"id":"c","choices":[{"index":0,"delta":{"content":"hi"}}]}"#.to_owned();
    let frame = Frame { event: String::new(), data };
    let ended =
        |fields: &Value| decode(wire(C).unwrap(), &defined(C, fields), std::slice::from_ref(&frame)).1;
    assert!(ended(&json!({})).is_some());
    assert_eq!(ended(&json!({"compat": {"supportsFinishReason": false}})), None);
    // The older way to ask for arguments as they are made.
    let beta = sent(A, &json!({"compat": {"supportsEagerToolInputStreaming": false}}), &without);
    let beta = beta["headers"]["anthropic-beta"].as_str().unwrap_or_default().to_owned();
    assert_eq!(beta, "fine-grained-tool-streaming-2025-05-14");
}

#[test]
fn the_fields_of_a_model_show_in_its_requests() {
    let mut request = asking(ThinkingLevel::High, CacheRetention::Short);
    request
        .messages
        .push(Message::User(vec![Content::Image { mime_type: "image/png".into(), data: "AAAA".into() }]));
    let field = |fields: &Value, at: &str| sent(C, fields, &request).pointer(at).cloned();
    let effort = "/reasoning_effort";
    assert_eq!(field(&json!({}), effort), Some(json!("high")));
    assert_eq!(field(&json!({"reasoning": false}), effort), None);
    assert_eq!(field(&json!({"thinkingLevelMap": {"high": "heavy"}}), effort), Some(json!("heavy")));
    // The next above, else the next below.
    let without = |levels: Value| field(&json!({"thinkingLevelMap": levels}), effort);
    assert_eq!(without(json!({"high": null, "xhigh": "very"})), Some(json!("very")));
    assert_eq!(without(json!({"high": null})), Some(json!("medium")));
    let picture = "/messages/5/content/0/type";
    assert_eq!(field(&json!({"input": ["text", "image"]}), picture), Some(json!("image_url")));
    assert_eq!(field(&json!({"input": ["text"]}), picture), None);
    let sampling = json!({"samplingParams": {"top_k": 40, "temperature": 0.1, "max_tokens": 7}});
    assert_eq!(field(&sampling, "/top_k"), Some(json!(40)));
    assert_eq!(field(&sampling, "/temperature"), Some(json!(0.1)));
    assert_eq!(field(&sampling, "/max_tokens"), Some(json!(7)));
    let url = |api: &str, fields: &Value| sent(api, fields, &request)["url"].as_str().unwrap().to_owned();
    assert_eq!(url(C, &json!({"baseUrl": "https://a.example/x/"})), "https://a.example/x/chat/completions");
    assert_eq!(url(C, &json!({"api": R})), "https://own.example/v1/responses");
    // Of two pictures one is one too many.
    let limited = json!({"input": ["text", "image"], "inputLimits": {"images": {"maxPerRequest": 1}}});
    request
        .messages
        .push(Message::User(vec![Content::Image { mime_type: "image/png".into(), data: "BBBB".into() }]));
    let body = sent(C, &limited, &request).to_string();
    assert_eq!((body.contains("AAAA"), body.contains("BBBB")), (false, true), "{body}");
}
