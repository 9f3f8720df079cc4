//! Providers of `models.json` that name no models: their servers are asked, with their own key, in the background.

use std::time::{Duration, Instant};

use aside_protocol::{
    ListModelsParams, ListModelsResult, ListProvidersParams, PromptParams, StopReason, method,
};
use serde_json::{Value, json};

use crate::discovery::{Answer, Fake, chat, http, not_found, ok};
use crate::server::{Setup, TestServer};

const KEY: &str = "sk-lists-0123456789";
const BEARER: &str = "authorization: bearer sk-lists-0123456789";

/// A server with one provider `gw` there, whose key is KEY.
fn with(url: &str, more: &Value) -> Setup {
    let mut provider = json!({"baseUrl": format!("{url}/v1"), "api": "openai-completions", "apiKey": KEY});
    provider.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    TestServer::new().models_json(&json!({"providers": {"gw": provider}}).to_string())
}

fn list(server: &mut TestServer) -> ListModelsResult {
    let params = ListModelsParams { provider: Some("gw".to_owned()), ..ListModelsParams::default() };
    server.request::<method::ListModels>(&params).unwrap()
}

/// `id context output images` of what is listed.
fn listed(server: &mut TestServer) -> Vec<String> {
    let list = list(server);
    assert_eq!(list.diagnostics, []);
    let shown = list.models.iter().map(|model| {
        let images = if model.input.iter().any(|kind| kind == "image") { " image" } else { "" };
        format!("{} {} {}{images}", model.id, model.context_window, model.max_output)
    });
    shown.collect()
}

/// What is listed once the servers have answered.
fn found(server: &mut TestServer) -> Vec<String> {
    server.initialize();
    assert_eq!(listed(server), [""; 0], "a list waits for nobody");
    server.find(|message| message.method() == Some("modelsChanged"));
    let found = listed(server);
    server.ignore_rest();
    found
}

fn prompt(server: &mut TestServer, model: &str) -> (StopReason, String) {
    let params = PromptParams {
        text: Some("hi".to_owned()),
        model: Some(model.to_owned()),
        ..PromptParams::default()
    };
    let result = server.prompted(&params);
    (result.stop_reason, result.text)
}

fn gateway(path: &str) -> Option<String> {
    match path {
        "/v1/models" => ok(&json!({"object": "list", "data": [
            {"id": "acme/lion", "object": "model", "owned_by": "acme", "context_length": 65_536,
             "architecture": {"input_modalities": ["text", "image"]}},
            {"id": "plain", "object": "model", "owned_by": "acme"},
            {"id": "embed", "object": "model", "type": "embedding"},
            {"id": 7}, null,
        ]})),
        "/v1/chat/completions" => chat(),
        _ => not_found(),
    }
}

fn ollama(path: &str) -> Option<String> {
    match path {
        "/v1/models" => ok(&json!({"object": "list", "data": [{"id": "qwen3:8b", "owned_by": "library"}]})),
        "/api/tags" => ok(&json!({"models": [
            {"name": "qwen3:8b", "digest": "500a", "details": {"family": "qwen3"}},
            {"name": "minilm", "digest": "1b22", "details": {"family": "bert"}},
        ]})),
        "/api/show" => ok(&json!({
            "capabilities": ["completion", "tools", "thinking"],
            "model_info": {"qwen3.context_length": 40_960},
        })),
        "/api/ps" => ok(&json!({"models": [{"name": "qwen3:8b", "context_length": 8_192}]})),
        _ => not_found(),
    }
}

fn old_ollama(path: &str) -> Option<String> {
    if path == "/v1/models" { not_found() } else { ollama(path) }
}

fn lm_studio(path: &str) -> Option<String> {
    match path {
        "/v1/models" => ok(&json!({"data": [{"id": "gemma", "owned_by": "organization_owner"}]})),
        "/api/v0/models" => ok(&json!({"data": [
            {"id": "gemma", "type": "vlm", "state": "loaded", "max_context_length": 131_072, "loaded_context_length": 4_096},
        ]})),
        _ => not_found(),
    }
}

fn vllm(path: &str) -> Option<String> {
    match path {
        "/v1/models" => ok(&json!({"data": [{"id": "Qwen/Q", "owned_by": "vllm", "max_model_len": 32_768}]})),
        _ => not_found(),
    }
}

fn llama_cpp(path: &str) -> Option<String> {
    match path {
        "/v1/models" => {
            ok(&json!({"data": [{"id": "smol", "owned_by": "llamacpp", "meta": {"n_ctx_train": 8_192}}]}))
        }
        "/props" => {
            ok(&json!({"default_generation_settings": {"n_ctx": 2_048}, "modalities": {"vision": false}}))
        }
        _ => not_found(),
    }
}

#[test]
fn each_kind_of_server_is_asked_with_its_key_and_told_of_when_it_answers() {
    let cases: [(Answer, &[&str], &[&str]); 6] = [
        (gateway, &["acme/lion 65536 16384 image", "plain 128000 16384"], &["/v1/models"]),
        (ollama, &["qwen3:8b 8192 4096"], &["/api/ps", "/api/show", "/api/tags", "/v1/models"]),
        (
            old_ollama,
            &["qwen3:8b 8192 4096"],
            &["/api/ps", "/api/show", "/api/tags", "/api/tags", "/v1/models"],
        ),
        (lm_studio, &["gemma 4096 2048 image"], &["/api/v0/models", "/v1/models"]),
        (vllm, &["Qwen/Q 32768 16384"], &["/v1/models"]),
        (llama_cpp, &["smol 2048 1024"], &["/props", "/v1/models"]),
    ];
    for (answer, models, paths) in cases {
        let fake = Fake::guarded(answer, BEARER);
        let mut server = with(&fake.url, &json!({})).start();
        assert_eq!(found(&mut server), models);
        assert_eq!(fake.asked(), paths, "each once, and nothing before it was wanted");
    }
}

#[test]
fn each_api_has_its_own_list_and_key() {
    fn anthropic(path: &str) -> Option<String> {
        match path {
            "/v1/models?limit=1000" => ok(&json!({"data": [
                {"type": "model", "id": "claude-x", "display_name": "Claude X", "max_input_tokens": 200_000},
            ], "has_more": false})),
            _ => not_found(),
        }
    }
    fn google(path: &str) -> Option<String> {
        match path {
            "/v1beta/models?pageSize=1000" => ok(&json!({"models": [
                {"name": "models/gemini-x", "displayName": "Gemini X", "inputTokenLimit": 1_000_000,
                 "outputTokenLimit": 65_536, "supportedGenerationMethods": ["generateContent"]},
                {"name": "models/embed", "supportedGenerationMethods": ["embedContent"]},
            ]})),
            _ => not_found(),
        }
    }
    let fake = Fake::guarded(anthropic, "x-api-key: sk-lists-0123456789");
    let setup = with(&fake.url, &json!({"api": "anthropic-messages", "baseUrl": fake.url}));
    assert_eq!(found(&mut setup.start()), ["claude-x 200000 16384"]);
    let fake = Fake::guarded(google, "x-goog-api-key: sk-lists-0123456789");
    let setup =
        with(&fake.url, &json!({"api": "google-generative-ai", "baseUrl": format!("{}/v1beta", fake.url)}));
    assert_eq!(found(&mut setup.start()), ["gemini-x 1000000 65536"]);
    // The user's own headers go along, over the key's.
    let fake = Fake::guarded(gateway, "x-team: blue");
    let setup = with(&fake.url, &json!({"headers": {"X-Team": "$TEAM", "Authorization": null}}));
    assert_eq!(found(&mut setup.environment("TEAM", "blue").start()).len(), 2);
}

#[test]
fn a_prompt_for_such_a_model_waits_for_the_list_and_changes_apply_to_it() {
    let fake = Fake::guarded(gateway, BEARER);
    let more = json!({"modelOverrides": {"plain": {"contextWindow": 9_000, "name": "Plain one"}}});
    let mut server = with(&fake.url, &more).start();
    assert_eq!(
        prompt(&mut server, "gw/lion"),
        (StopReason::EndTurn, "Local.".to_owned()),
        "a part of a name will do"
    );
    let plain = list(&mut server).models.into_iter().find(|model| model.id == "plain").unwrap();
    assert_eq!((plain.name.as_str(), plain.context_window), ("Plain one", 9_000));
    // No model is named, and nobody else can answer.
    let mut server = with(&fake.url, &json!({})).start();
    let result = server.prompted(&PromptParams { text: Some("hi".to_owned()), ..PromptParams::default() });
    assert_eq!((result.model.as_deref(), result.text.as_str()), (Some("gw/acme/lion"), "Local."));
}

#[test]
fn a_server_that_gives_no_list_can_be_prompted_by_full_names() {
    fn mute(path: &str) -> Option<String> {
        if path == "/v1/chat/completions" { chat() } else { not_found() }
    }
    fn slow(path: &str) -> Option<String> {
        if path == "/v1/chat/completions" { chat() } else { None }
    }
    fn garbage(path: &str) -> Option<String> {
        if path == "/v1/chat/completions" {
            chat()
        } else {
            http("200 OK", "text/html", "<html>sign in</html>")
        }
    }
    fn moved(path: &str) -> Option<String> {
        match path {
            "/v1/chat/completions" => chat(),
            _ => http("302 Found\r\nlocation: http://127.0.0.1:9/", "text/plain", ""),
        }
    }
    let cases: [(Answer, &str); 4] = [
        (mute, "gw did not list its models: status 404"),
        (garbage, "what gw answered is no list of models"),
        (moved, "gw did not list its models: status 302"),
        (slow, ""),
    ];
    for (answer, why) in cases {
        let fake = Fake::guarded(answer, BEARER);
        let mut server = with(&fake.url, &json!({})).start();
        let begun = Instant::now();
        assert_eq!(prompt(&mut server, "gw/some-model").1, "Local.", "{why}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{why}");
        assert_eq!(listed(&mut server), [""; 0]);
        let providers = server.request::<method::ListProviders>(&ListProvidersParams::default()).unwrap();
        let gateway = providers.providers.into_iter().find(|provider| provider.id == "gw").unwrap();
        if !why.is_empty() {
            assert_eq!(gateway.reason.as_deref(), Some(why));
        }
    }
}

#[test]
fn a_wrong_key_is_told_without_being_shown_and_goes_nowhere_else() {
    let fake = Fake::guarded(gateway, BEARER);
    let mut server = with(&fake.url, &json!({"apiKey": "sk-wrong"})).start();
    server.initialize();
    assert_eq!(listed(&mut server), [""; 0]);
    server.find(|message| message.method() == Some("modelsChanged"));
    let providers = server.call("listProviders", &json!({})).to_string();
    assert!(providers.contains("gw did not list its models: status 401") && !providers.contains("sk-wrong"));
    assert_eq!(fake.asked(), ["/v1/models"], "what failed is not asked again at once");
    server.ignore_rest();
}

#[test]
fn a_list_runs_no_command_and_a_prompt_does() {
    let fake = Fake::guarded(gateway, BEARER);
    let setup = with(&fake.url, &json!({"apiKey": format!("!echo {KEY}")}));
    let mut server = setup.environment("PATH", "/usr/bin:/bin").start();
    server.initialize();
    assert_eq!(listed(&mut server), [""; 0]);
    let providers = server.call("listProviders", &json!({}));
    assert!(providers["providers"].as_array().unwrap().iter().any(|provider| provider["id"] == "gw"));
    assert_eq!(fake.asked(), [""; 0]);
    assert_eq!(prompt(&mut server, "gw/plain").1, "Local.");
    assert_eq!(listed(&mut server).len(), 2);
    server.ignore_rest();
}

#[test]
fn what_cannot_be_asked_needs_its_models_named() {
    for provider in [
        json!({"baseUrl": "http://127.0.0.1:9"}),
        json!({"api": "openai-completions", "apiKey": "k"}),
        json!({"baseUrl": "http://127.0.0.1:9", "api": "bedrock-converse-stream"}),
        json!({"baseUrl": "http://127.0.0.1:9", "api": "openai-completions", "models": []}),
    ] {
        let models = json!({"providers": {"gw": provider}}).to_string();
        let mut server = TestServer::new().models_json(&models).start();
        let all = server.request::<method::ListModels>(&ListModelsParams::default()).unwrap();
        assert!(all.diagnostics[0].message.contains("has no models"), "{:?}", all.diagnostics);
    }
    let mistyped = json!({"baseUrl": "http://127.0.0.1:9", "api": "openai-completions", "modelOverrides": {"m": {"contextWindow": 0}}});
    let models = json!({"providers": {"gw": mistyped}}).to_string();
    let mut server = TestServer::new().models_json(&models).start();
    let all = server.request::<method::ListModels>(&ListModelsParams::default()).unwrap();
    assert!(all.diagnostics[0].message.contains("contextWindow"), "{:?}", all.diagnostics);
}
