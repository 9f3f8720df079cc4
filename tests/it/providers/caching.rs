//! How long a provider is asked to keep a prompt: what each API is sent for none, short and long, and who says which.
//! The table is written from the providers' own documents, never from what is sent.

use aside_protocol::{CacheRetention, PromptParams, StopReason};
use serde_json::{Value, json};

use super::KEY;
use super::internet::Internet;
use crate::provider::{Request, speech};
use crate::server::{Setup, TestServer};

/// Fields by which the APIs are told of caching.
const FIELDS: &[&str] = &[
    "cache_control",
    "cachePoint",
    "cachedContent",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
];

/// Headers that keep a conversation on the machine with its cache.
const HEADERS: &[&str] = &[
    "session-id",
    "session_id",
    "x-affinity",
    "x-client-request-id",
    "x-opencode-session",
    "x-session-affinity",
    "x-session-id",
];

/// Provider, wire, model, and what is sent for none, short and long: paths in the body with their values, where `#` is
/// an index, then headers; `S` is the session's id.
type Row = (&'static str, &'static str, &'static str, [&'static [&'static str]; 3]);

const ANTHROPIC: [&[&str]; 3] = [
    &[],
    &[
        r#"/messages/#/content/#/cache_control {"type":"ephemeral"}"#,
        r#"/system/#/cache_control {"type":"ephemeral"}"#,
    ],
    &[
        r#"/messages/#/content/#/cache_control {"ttl":"1h","type":"ephemeral"}"#,
        r#"/system/#/cache_control {"ttl":"1h","type":"ephemeral"}"#,
    ],
];

const AFFINE: &[&str] = &["session_id: S", "x-client-request-id: S", "x-session-affinity: S"];
const ROUTED: &[&str] = &["x-session-id: S"];

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("anthropic", "anthropic-messages", "claude-opus-4-8", ANTHROPIC),
    ("fireworks", "anthropic-messages", "accounts/fireworks/models/kimi-k2p6", [
        &[],
        &[ANTHROPIC[1][0], ANTHROPIC[1][1], "x-session-affinity: S"],
        &[ANTHROPIC[1][0], ANTHROPIC[1][1], "x-session-affinity: S"],
    ]),
    ("cloudflare-ai-gateway", "anthropic-messages", "claude-sonnet-4-5", [
        &[],
        &[ANTHROPIC[1][0], ANTHROPIC[1][1], "x-session-affinity: S"],
        &[ANTHROPIC[2][0], ANTHROPIC[2][1], "x-session-affinity: S"],
    ]),
    ("openai", "openai-responses", "gpt-5.5", [
        &[],
        &[r#"/prompt_cache_key "S""#, "session_id: S", "x-client-request-id: S"],
        &[r#"/prompt_cache_key "S""#, r#"/prompt_cache_retention "24h""#, "session_id: S", "x-client-request-id: S"],
    ]),
    // From GPT-5.6 on caching is told in other words.
    ("openai", "openai-responses", "gpt-5.6-sol", [
        &[r#"/prompt_cache_options {"mode":"explicit"}"#],
        &[r#"/prompt_cache_key "S""#, "session_id: S", "x-client-request-id: S"],
        &[r#"/prompt_cache_key "S""#, r#"/prompt_cache_options {"ttl":"30m"}"#, "session_id: S", "x-client-request-id: S"],
    ]),
    ("opencode", "openai-responses", "gpt-5", [
        &["x-opencode-session: S"],
        &[r#"/prompt_cache_key "S""#, "x-client-request-id: S", "x-opencode-session: S"],
        &[r#"/prompt_cache_key "S""#, r#"/prompt_cache_retention "24h""#, "x-client-request-id: S", "x-opencode-session: S"],
    ]),
    ("azure-openai-responses", "azure-openai-responses", "gpt-5.5", [
        &[], &[r#"/prompt_cache_key "S""#], &[r#"/prompt_cache_key "S""#],
    ]),
    ("codex", "openai-codex-responses", "gpt-5.5", [
        &[],
        &[r#"/prompt_cache_key "S""#, "session-id: S", "x-client-request-id: S"],
        &[r#"/prompt_cache_key "S""#, "session-id: S", "x-client-request-id: S"],
    ]),
    ("groq", "openai-completions", "openai/gpt-oss-120b", [
        &[], &[], &[r#"/prompt_cache_key "S""#, r#"/prompt_cache_retention "24h""#],
    ]),
    ("together", "openai-completions", "moonshotai/Kimi-K2.6", [&[], &[], &[]]),
    ("openai-chat", "openai-completions", "gpt-5.5", [
        &[], &[r#"/prompt_cache_key "S""#], &[r#"/prompt_cache_key "S""#, r#"/prompt_cache_retention "24h""#],
    ]),
    ("openrouter", "openai-completions", "moonshotai/kimi-k2.6", [
        &[], ROUTED, &[r#"/prompt_cache_key "S""#, r#"/prompt_cache_retention "24h""#, ROUTED[0]],
    ]),
    ("openrouter", "openai-completions", "anthropic/claude-opus-4.7:batch", [
        &[],
        &[r#"/messages/#/content/#/cache_control {"type":"ephemeral"}"#, ROUTED[0]],
        &[
            r#"/messages/#/content/#/cache_control {"ttl":"1h","type":"ephemeral"}"#,
            r#"/prompt_cache_key "S""#, r#"/prompt_cache_retention "24h""#, ROUTED[0],
        ],
    ]),
    ("cloudflare-workers-ai", "openai-completions", "@cf/moonshotai/kimi-k2.6", [&[], AFFINE, AFFINE]),
    ("mistral", "mistral-conversations", "devstral-medium-latest", [
        &[], &[r#"/prompt_cache_key "S""#, "x-affinity: S"], &[r#"/prompt_cache_key "S""#, "x-affinity: S"],
    ]),
    // Google keeps what it likes, and is told nothing.
    ("google", "google-generative-ai", "gemini-3.1-pro-preview", [&[], &[], &[]]),
    ("google-vertex", "google-vertex", "gemini-2.5-flash", [&[], &[], &[]]),
    ("amazon-bedrock", "bedrock-converse-stream", "us.anthropic.claude-sonnet-4-20250514-v1:0", [
        &[],
        &[r#"/messages/#/content/#/cachePoint {"type":"default"}"#, r#"/system/#/cachePoint {"type":"default"}"#],
        &[
            r#"/messages/#/content/#/cachePoint {"ttl":"1h","type":"default"}"#,
            r#"/system/#/cachePoint {"ttl":"1h","type":"default"}"#,
        ],
    ]),
    ("amazon-bedrock", "bedrock-converse-stream", "amazon.nova-pro-v1:0", [&[], &[], &[]]),
];

/// The variable of each provider's key.
fn variable(provider: &str) -> &'static str {
    match provider {
        "anthropic" => "ANTHROPIC_API_KEY",
        "fireworks" => "FIREWORKS_API_KEY",
        "cloudflare-ai-gateway" | "cloudflare-workers-ai" => "CLOUDFLARE_API_KEY",
        "openai" => "OPENAI_API_KEY",
        "opencode" => "OPENCODE_API_KEY",
        "azure-openai-responses" => "AZURE_OPENAI_API_KEY",
        "groq" => "GROQ_API_KEY",
        "together" => "TOGETHER_API_KEY",
        "openrouter" => "OPENROUTER_API_KEY",
        "mistral" => "MISTRAL_API_KEY",
        "google" => "GEMINI_API_KEY",
        "google-vertex" => "GOOGLE_CLOUD_API_KEY",
        "amazon-bedrock" => "AWS_BEARER_TOKEN_BEDROCK",
        "codex" | "openai-chat" => "UNUSED",
        other => panic!("{other}"),
    }
}

/// A server that can call `provider`.
fn server(internet: &Internet, provider: &str) -> Setup {
    let own = |base: &str, api: &str| json!({"baseUrl": base, "api": api, "apiKey": KEY, "models": [{"id": "gpt-5.5"}]});
    let models = json!({"providers": {
        "codex": own("https://chatgpt.com/backend-api", "openai-codex-responses"),
        "openai-chat": own("https://api.openai.com/v1", "openai-completions"),
    }});
    TestServer::new()
        .environment("HTTPS_PROXY", &internet.proxy())
        .environment("SSL_CERT_FILE", internet.authority())
        .environment(variable(provider), KEY)
        .environment("CLOUDFLARE_ACCOUNT_ID", "acc0123")
        .environment("CLOUDFLARE_GATEWAY_ID", "gate-1")
        .environment("AZURE_OPENAI_RESOURCE_NAME", "res")
        .models_json(&models.to_string())
        .settings(r#"{"transport": "sse"}"#)
}

fn params(provider: &str, model: &str, cache_retention: Option<CacheRetention>) -> PromptParams {
    PromptParams {
        text: Some("hi".to_owned()),
        system: Some("Be brief.".to_owned()),
        provider: Some(provider.to_owned()),
        model: Some(model.to_owned()),
        tools: Some(Vec::new()),
        cache_retention,
        ..PromptParams::default()
    }
}

/// What a request says of caching.
fn said(request: &Request, session: &str) -> Vec<String> {
    let mut said = Vec::new();
    walk(&request.json(), "", &mut said);
    said.sort();
    said.dedup();
    let header = |name: &&str| Some(format!("{name}: {}", request.header(name)?));
    said.extend(HEADERS.iter().filter_map(header));
    said.iter().map(|line| line.replace(session, "S")).collect()
}

fn walk(value: &Value, path: &str, said: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let path = format!("{path}/{name}");
                if FIELDS.contains(&name.as_str()) {
                    said.push(format!("{path} {value}"));
                } else {
                    walk(value, &path, said);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| walk(value, &format!("{path}/#"), said)),
        _ => {}
    }
}

#[test]
fn every_api_is_told_how_long_to_keep_a_prompt() {
    let internet = Internet::start();
    for (provider, wire, model, expected) in ROWS {
        let mut server = server(&internet, provider).start();
        let retentions = [CacheRetention::None, CacheRetention::Short, CacheRetention::Long];
        for (retention, expected) in retentions.into_iter().zip(expected) {
            let named = format!("{provider}/{model} {}", retention.as_str());
            let before = internet.provider().requests().len();
            internet.provider().reply(speech::text(wire, "Hel", "lo."));
            let result = server.prompted(&params(provider, model, Some(retention)));
            assert_eq!((&*result.text, &result.error), ("Hello.", &None), "{named}");
            let requests = internet.provider().requests();
            assert_eq!(said(&requests[before], &result.session_id), *expected, "{named}");
        }
        server.ignore_rest();
    }
    let wires: std::collections::BTreeSet<_> = ROWS.iter().map(|(_, wire, ..)| *wire).collect();
    assert_eq!(wires.len(), 9, "every wire");
}

/// What goes to Anthropic for a prompt: the mark of its cache.
#[track_caller]
fn check(setup: Setup, internet: &Internet, asked: Option<CacheRetention>, expected: &str) {
    let mut server = setup.start();
    let before = internet.provider().requests().len();
    internet.provider().reply(speech::text("anthropic-messages", "Hel", "lo."));
    let result = server.prompted(&params("anthropic", "claude-opus-4-8", asked));
    assert_eq!(result.error, None);
    let requests = internet.provider().requests();
    let mark = match expected {
        "none" => Value::Null,
        "short" => json!({"type": "ephemeral"}),
        "long" => json!({"type": "ephemeral", "ttl": "1h"}),
        other => panic!("{other}"),
    };
    assert_eq!(requests[before].json()["system"][0]["cache_control"], mark, "{expected}");
    server.ignore_rest();
}

#[test]
fn the_prompt_stands_above_the_provider_and_that_above_the_settings() {
    let internet = Internet::start();
    let new = || server(&internet, "anthropic");
    let set = |word: &str| new().settings(&json!({"cacheRetention": word}).to_string());
    let entry = |env: Value| json!({"anthropic": {"type": "api_key", "key": KEY, "env": env}}).to_string();
    check(new(), &internet, None, "short");
    check(set("long"), &internet, None, "long");
    check(set("none"), &internet, None, "none");
    check(set("none"), &internet, Some(CacheRetention::Long), "long");
    check(set("long"), &internet, Some(CacheRetention::Short), "short");
    check(set("none").environment("ASIDE_CACHE_RETENTION", " Long "), &internet, None, "long");
    let stored = entry(json!({"ASIDE_CACHE_RETENTION": "none"}));
    let both = || set("long").environment("ASIDE_CACHE_RETENTION", "long").file("auth.json", &stored);
    check(both(), &internet, None, "none");
    check(both(), &internet, Some(CacheRetention::Long), "long");
    // Of what was taken over from pi only "long" means anything, and only in the entry.
    for (word, expected) in [("long", "long"), ("none", "short")] {
        let stored = entry(json!({"PI_CACHE_RETENTION": word}));
        check(new().file("auth.json", &stored), &internet, None, expected);
    }
    check(new().environment("PI_CACHE_RETENTION", "long"), &internet, None, "short");
    let stored = entry(json!({"PI_CACHE_RETENTION": "long", "ASIDE_CACHE_RETENTION": "short"}));
    check(new().file("auth.json", &stored), &internet, None, "short");
}

#[test]
fn a_word_that_is_none_is_refused() {
    let internet = Internet::start();
    let mut plain = server(&internet, "anthropic").start();
    let refused = plain.begin("prompt", &json!({"text": "hi", "cacheRetention": "ever"}));
    let error = plain.answer::<aside_protocol::method::Prompt>(&refused).unwrap_err();
    assert_eq!((error.code, error.data.path.as_deref()), (-32602, Some("/cacheRetention")), "{error:?}");

    let mut server = server(&internet, "anthropic").environment("ASIDE_CACHE_RETENTION", "ever").start();
    let result = server.prompted(&params("anthropic", "claude-opus-4-8", None));
    assert_eq!(result.stop_reason, StopReason::Error);
    let error = result.error.unwrap();
    assert_eq!(error.message, "ASIDE_CACHE_RETENTION is none of none, short and long");
    assert!(error.hint.unwrap().contains("auth.json"));
    server.ignore_rest();
    assert_eq!(internet.targets(), Vec::<String>::new(), "nobody was called");
}
