//! What a model picker gets.

use aside_protocol::{ErrorKind, ListModelsParams, method};

use crate::server::TestServer;

fn listing(server: &mut TestServer, params: &ListModelsParams) -> Vec<String> {
    let result = server.request::<method::ListModels>(params).unwrap();
    result.models.iter().map(|model| format!("{}/{}", model.provider, model.id)).collect()
}

#[test]
fn a_picker_gets_all_models_with_what_they_cost_and_why_they_cannot_be_used() {
    let mut server = TestServer::new().environment("OPENAI_API_KEY", "k").start();
    let result = server.request::<method::ListModels>(&ListModelsParams::default()).unwrap();
    assert!(result.models.len() > 1450, "{}", result.models.len());
    assert!(result.warnings.is_empty());
    let of = |provider: &str, id: &str| {
        result.models.iter().find(|model| model.provider == provider && model.id == id).unwrap()
    };
    let model = of("openai", "gpt-5.5");
    assert_eq!((model.available, &model.reason, &*model.api), (true, &None, "openai-responses"));
    assert_eq!(model.cost.tiers.first().map(|tier| tier.input_above), Some(272_000));
    let codex = of("openai-codex", "gpt-5.5");
    assert_eq!(
        codex.reason.as_deref(),
        Some("not signed in: `aside login openai-codex` (with a ChatGPT subscription)")
    );
    let groq = of("groq", "openai/gpt-oss-120b");
    assert!(groq.reason.as_ref().is_some_and(|reason| reason.contains("GROQ_API_KEY")), "{:?}", groq.reason);
    let radius = of("radius", "balanced");
    assert_eq!(radius.reason.as_deref(), Some("its API pi-messages is not part of this version"));
    assert_eq!(result.default_model.as_deref(), Some("openai/gpt-5.5"));
    assert!(result.models.iter().all(|model| !model.retired));
    let available = ListModelsParams { available: Some(true), ..ListModelsParams::default() };
    assert!(
        listing(&mut server, &available)
            .iter()
            .all(|name| name.starts_with("openai/") || name == "demo/demo")
    );
}

#[test]
fn an_account_without_its_number_is_not_available() {
    let mut server = TestServer::new().environment("CLOUDFLARE_API_KEY", "k").start();
    let params =
        ListModelsParams { provider: Some("cloudflare-workers-ai".into()), ..ListModelsParams::default() };
    let result = server.request::<method::ListModels>(&params).unwrap();
    let reason = result.models[0].reason.as_deref().unwrap_or_default();
    assert!(reason.starts_with("CLOUDFLARE_ACCOUNT_ID is not set"), "{reason}");
    assert_eq!(result.default_model.as_deref(), Some("demo/demo"));
}

#[test]
fn favourites_are_a_list_of_patterns() {
    let mut server = TestServer::new().start();
    let patterns = |patterns: &[&str]| ListModelsParams {
        patterns: Some(patterns.iter().map(ToString::to_string).collect()),
        ..ListModelsParams::default()
    };
    let asked = patterns(&["cerebras/*", "demo", "cerebras/gpt-oss-120b:high", "claude-nothing"]);
    assert_eq!(listing(&mut server, &asked), ["cerebras/gpt-oss-120b", "cerebras/qwen-3.8-27b", "demo/demo"]);
    let result = server.request::<method::ListModels>(&asked).unwrap();
    assert_eq!(result.warnings, ["no model is called \"claude-nothing\""]);
    let only = ListModelsParams { provider: Some("demo".into()), ..asked };
    assert_eq!(listing(&mut server, &only), ["demo/demo"]);
    let many = ListModelsParams { patterns: Some(vec!["*".into(); 65]), ..ListModelsParams::default() };
    let error = server.request::<method::ListModels>(&many).unwrap_err();
    assert_eq!(error.data.kind, ErrorKind::InvalidParams);
    let retired = ListModelsParams {
        provider: Some("cerebras".into()),
        retired: Some(true),
        ..ListModelsParams::default()
    };
    assert!(listing(&mut server, &retired).contains(&"cerebras/zai-glm-4.7".to_owned()));
}
