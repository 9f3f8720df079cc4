//! What the default model of each provider is asked with: the ways of its server, held against a table that was
//! written from the providers' documents and never from the data that it judges.

use serde_json::Value;

use super::*;
use crate::catalog::tests::catalog;
use crate::catalog::{Catalog, ThinkingLevel};
use crate::models::message::{CacheRetention, Content, Message, ToolSpec};

/// One of everything, and as much of it as there is.
fn asking() -> Request {
    Request {
        system: Some("be brief".into()),
        messages: vec![Message::User(vec![Content::Text("hi".into())])],
        tools: vec![ToolSpec {
            name: "read".into(),
            description: "Reads.".into(),
            parameters: r#"{"type":"object","properties":{}}"#.into(),
        }],
        max_tokens: Some(40_000),
        thinking: Some(ThinkingLevel::High),
        cache: CacheRetention::Long,
        session: "s-1".into(),
        ..Request::default()
    }
}

#[track_caller]
fn body(catalog: &Catalog, provider: &str, id: &str, wire: &str) -> Value {
    let model = catalog.find(provider, id).unwrap_or_else(|| panic!("no {provider}/{id}"));
    assert_eq!(&*model.wire, wire, "{provider}/{id}");
    let wire = super::super::wire(&model.wire).unwrap();
    let body = serde_json::from_slice(&wire.encode(&asking(), &model, Access::Key).body).unwrap();
    if wire.id() == "anthropic-messages" {
        judges::of(wire.id()).check(&format!("{provider}/{id}"), &body);
    }
    body
}

/// The words for what a body of chat completions has of what servers differ in.
fn completions(body: &Value) -> String {
    let mut words = vec![body["messages"][0]["role"].as_str().unwrap().to_owned()];
    assert_eq!(body["stream_options"]["include_usage"], true);
    if let Some(store) = body.get("store") {
        words.push(if *store == false { "store".to_owned() } else { format!("store:{store}") });
    }
    for field in ["max_tokens", "max_completion_tokens"] {
        words.extend(body.get(field).map(|_| field.to_owned()));
    }
    for field in ["reasoning", "thinking", "enable_thinking", "chat_template_kwargs", "chat_template_args"] {
        words.extend(body.get(field).map(|value| format!("{field}={value}").replace('"', "")));
    }
    words.extend(body.get("reasoning_effort").map(|effort| format!("effort={effort}").replace('"', "")));
    words.extend(body["tools"][0]["function"].get("strict").map(|strict| format!("strict={strict}")));
    words.extend(body.get("tool_stream").map(|_| "tool_stream".to_owned()));
    words.extend(body.get("prompt_cache_retention").map(|time| time.as_str().unwrap().to_owned()));
    words.join(" ")
}

#[rustfmt::skip]
const COMPLETIONS: &[(&str, &str, &str)] = &[
    ("ant-ling", "Ring-2.6-1T", "system max_tokens reasoning={effort:high} strict=false"),
    ("baseten", "zai-org/GLM-5.2", "system max_tokens chat_template_args={enable_thinking:true} effort=high strict=false"),
    ("cerebras", "gpt-oss-120b", "system max_completion_tokens effort=high 24h"),
    ("cloudflare-ai-gateway", "workers-ai/@cf/moonshotai/kimi-k2.6", "system max_tokens"),
    ("cloudflare-workers-ai", "@cf/moonshotai/kimi-k2.6", "system max_completion_tokens effort=high strict=false"),
    ("deepseek", "deepseek-v4-pro", "system max_tokens thinking={type:enabled} effort=high strict=false 24h"),
    ("fireworks", "accounts/fireworks/models/glm-5p3", "system max_completion_tokens effort=high strict=false"),
    ("github-copilot", "gemini-3.8-flash", "system max_completion_tokens strict=false 24h"),
    ("groq", "openai/gpt-oss-120b", "developer store max_completion_tokens effort=high strict=false 24h"),
    ("huggingface", "moonshotai/Kimi-K2.6", "system store max_completion_tokens effort=high strict=false 24h"),
    ("moonshotai", "kimi-k2.6", "system max_tokens thinking={type:enabled} 24h"),
    ("moonshotai-cn", "kimi-k2.6", "system max_tokens thinking={type:enabled} 24h"),
    ("nvidia", "nvidia/nemotron-3-super-120b-a12b", "system max_tokens"),
    ("opencode", "kimi-k2.6", "system max_tokens thinking={type:enabled} strict=false"),
    ("opencode-go", "kimi-k2.6", "system max_tokens thinking={type:enabled} strict=false"),
    ("openrouter", "moonshotai/kimi-k2.6", "system store max_completion_tokens reasoning={effort:high} strict=false 24h"),
    ("qwen-token-plan", "qwen3.7-max", "system max_completion_tokens enable_thinking=true strict=false 24h"),
    ("qwen-token-plan-cn", "qwen3.7-max", "system max_completion_tokens enable_thinking=true strict=false 24h"),
    // It has no level "high"; the next is above.
    ("qwen-token-plan-individual", "qwen3.8-max", "system max_completion_tokens enable_thinking=true effort=xhigh strict=false 24h"),
    ("together", "moonshotai/Kimi-K2.6", "system max_tokens reasoning={enabled:true}"),
    ("xiaomi", "mimo-v2.5-pro", "developer store max_completion_tokens thinking={type:enabled} effort=high strict=false 24h"),
    ("xiaomi-token-plan-ams", "mimo-v2.5-pro", "developer store max_completion_tokens thinking={type:enabled} effort=high strict=false 24h"),
    ("xiaomi-token-plan-cn", "mimo-v2.5-pro", "developer store max_completion_tokens thinking={type:enabled} effort=high strict=false 24h"),
    ("xiaomi-token-plan-sgp", "mimo-v2.5-pro", "developer store max_completion_tokens thinking={type:enabled} effort=high strict=false 24h"),
    ("zai", "glm-5.3", "system max_tokens thinking={clear_thinking:false,type:enabled} effort=high strict=false tool_stream 24h"),
    ("zai-coding-cn", "glm-5.3", "system max_tokens thinking={clear_thinking:false,type:enabled} effort=high strict=false tool_stream 24h"),
];

#[test]
fn servers_of_chat_completions_are_asked_in_their_own_ways() {
    let (_home, catalog) = catalog("");
    let mut wrong = Vec::new();
    for (provider, id, expected) in COMPLETIONS {
        let said = completions(&body(&catalog, provider, id, "openai-completions"));
        if said != *expected {
            wrong.push(format!("{provider}/{id}\n  sent   {said}\n  should {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let snapshot = catalog.snapshot();
    let all: std::collections::BTreeSet<_> = snapshot
        .models()
        .filter(|model| model.wire() == "openai-completions")
        .map(|model| model.provider())
        .collect();
    assert_eq!(
        all,
        COMPLETIONS.iter().map(|(provider, ..)| *provider).collect(),
        "every provider that speaks it"
    );
}

/// The same for the Responses API.
fn responses(body: &Value) -> String {
    let mut words = vec![body["input"][0]["role"].as_str().unwrap().to_owned()];
    assert_eq!((&body["store"], &body["tools"][0]["strict"]), (&Value::Bool(false), &Value::Bool(false)));
    words.extend(body.get("max_output_tokens").map(|_| "max".to_owned()));
    words.extend(body.pointer("/reasoning/effort").map(|effort| format!("effort={effort}").replace('"', "")));
    words.extend(body.get("include").map(|_| "encrypted".to_owned()));
    words.extend(body.get("prompt_cache_retention").map(|time| time.as_str().unwrap().to_owned()));
    words.join(" ")
}

#[rustfmt::skip]
const RESPONSES: &[(&str, &str, &str)] = &[
    ("cloudflare-ai-gateway", "gpt-4.1", "system max 24h"),
    ("github-copilot", "gpt-5.4", "developer max effort=high encrypted 24h"),
    ("meta", "muse-spark-1.3", "developer max effort=high encrypted 24h"),
    ("openai", "gpt-5.5", "developer max effort=high encrypted 24h"),
    ("opencode", "gpt-5", "developer max effort=high encrypted 24h"),
    ("opencode-go", "grok-4.6", "developer max effort=high encrypted 24h"),
    ("xai", "grok-4.7", "developer max effort=high encrypted"),
];

/// The same for Anthropic's messages.
fn messages(body: &Value) -> String {
    let thinking = body["thinking"]["type"].as_str().unwrap();
    let mut words = vec![match (thinking, body["thinking"].get("budget_tokens")) {
        ("enabled", Some(budget)) => format!("budget={budget}"),
        ("adaptive", None) => body["output_config"]["effort"].as_str().unwrap().to_owned(),
        other => panic!("{other:?}"),
    }];
    let tool = &body["tools"][0];
    words.extend(tool.get("eager_input_streaming").map(|_| "eager".to_owned()));
    words.extend(tool.get("cache_control").map(|_| "tools".to_owned()));
    words.extend(body.pointer("/system/0/cache_control/ttl").map(|time| time.as_str().unwrap().to_owned()));
    words.join(" ")
}

#[rustfmt::skip]
const MESSAGES: &[(&str, &str, &str)] = &[
    ("anthropic", "claude-opus-4-8", "high eager tools 1h"),
    ("anthropic", "claude-sonnet-4-5", "budget=16384 eager tools 1h"),
    ("cloudflare-ai-gateway", "claude-fable-5", "high eager tools 1h"),
    ("fireworks", "accounts/fireworks/models/kimi-k2p6", "budget=16384"),
    ("github-copilot", "claude-opus-4.8", "high eager tools 1h"),
    ("kimi-coding", "kimi-for-coding", "high eager tools 1h"),
    ("minimax", "MiniMax-M2.7", "budget=16384 eager tools 1h"),
    ("minimax-cn", "MiniMax-M2.7", "budget=16384 eager tools 1h"),
    ("opencode", "claude-fable-5", "high eager tools 1h"),
    ("opencode-go", "minimax-m3", "budget=16384 eager tools 1h"),
    ("openrouter", "anthropic/claude-opus-4.5", "budget=16384 eager tools 1h"),
    ("vercel-ai-gateway", "zai/glm-5.1", "budget=16384 eager tools 1h"),
];

/// The words for a body.
type Words = fn(&Value) -> String;

#[test]
fn servers_of_the_other_two_are_asked_in_their_own_ways() {
    let (_home, catalog) = catalog("");
    for (wire, rows, words) in [
        ("openai-responses", RESPONSES, responses as Words),
        ("anthropic-messages", MESSAGES, messages as Words),
    ] {
        for (provider, id, expected) in rows {
            assert_eq!(words(&body(&catalog, provider, id, wire)), *expected, "{provider}/{id}");
        }
        let snapshot = catalog.snapshot();
        let spoken = snapshot.models().filter(|model| model.wire() == wire);
        let all: std::collections::BTreeSet<_> = spoken.map(|model| model.provider()).collect();
        assert_eq!(all, rows.iter().map(|(provider, ..)| *provider).collect(), "every provider of {wire}");
    }
}

#[test]
fn models_of_the_clouds_are_asked_to_think_in_their_own_ways() {
    let (_home, catalog) = catalog("");
    let thinking = |provider: &str, id: &str, wire: &str, path: &str| {
        let body = body(&catalog, provider, id, wire);
        body.pointer(path).map_or("-".to_owned(), Value::to_string).replace('"', "")
    };
    let config = "/generationConfig/thinkingConfig";
    let google = |id: &str| thinking("google", id, "google-generative-ai", config);
    assert_eq!(google("gemini-3.1-pro-preview"), "{includeThoughts:true,thinkingLevel:HIGH}");
    assert_eq!(
        thinking("google-vertex", "gemini-2.5-flash", "google-vertex", config),
        "{includeThoughts:true,thinkingBudget:24576}"
    );
    let bedrock = |id: &str, path: &str| {
        thinking(
            "amazon-bedrock",
            id,
            "bedrock-converse-stream",
            &format!("/additionalModelRequestFields{path}"),
        )
    };
    assert_eq!(bedrock("us.anthropic.claude-opus-4-6-v1", "/output_config/effort"), "high");
    assert_eq!(bedrock("us.anthropic.claude-sonnet-4-20250514-v1:0", "/thinking/budget_tokens"), "16384");
    assert_eq!(bedrock("amazon.nova-pro-v1:0", ""), "-");
    let azure = thinking("azure-openai-responses", "gpt-5.4", "azure-openai-responses", "/reasoning/effort");
    let codex = thinking("openai-codex", "gpt-5.5", "openai-codex-responses", "/reasoning/effort");
    assert_eq!((&*azure, &*codex), ("high", "high"));
    let mistral = |id: &str, path: &str| thinking("mistral", id, "mistral-conversations", path);
    assert_eq!(mistral("mistral-medium-latest", "/reasoning_effort"), "high");
}
