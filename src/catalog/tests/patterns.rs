//! Tests of model patterns, with all providers there are.

use super::*;

#[test]
fn patterns_find_what_is_meant() {
    let (_home, catalog) = catalog("");
    let check = |pattern: &str, provider: Option<&str>, expected: &str| {
        let resolved = catalog.resolve(pattern, provider, |p| &*p.id == "openrouter").unwrap();
        let level = resolved.thinking.map_or(String::new(), |level| format!(" {level}"));
        let warned = if resolved.warnings.is_empty() { "" } else { " !" };
        assert_eq!(format!("{}{level}{warned}", named(&resolved.model)), expected, "{pattern}");
    };
    check("demo", None, "demo/demo");
    check(" groq/openai/gpt-oss-20b ", None, "groq/openai/gpt-oss-20b");
    check("GROQ/OpenAI/gpt-oss-20b:High", None, "groq/openai/gpt-oss-20b high");
    check("gpt-oss-120b", None, "cerebras/gpt-oss-120b");
    // Both groq and openrouter have it; only the latter can be used.
    check("openai/gpt-oss-120b", None, "openrouter/openai/gpt-oss-120b");
    check("openai/gpt-oss-120b:low", None, "openrouter/openai/gpt-oss-120b low");
    check("anthropic/claude-haiku-4.5:off", None, "openrouter/anthropic/claude-haiku-4.5 off");
    check("groq/gpt-oss-safe", None, "groq/openai/gpt-oss-safeguard-20b");
    check("kimi-k2.6:", None, "openrouter/moonshotai/kimi-k2.6 !");
    check("openrouter/auto", None, "openrouter/auto");
    check("openrouter/openrouter/auto", None, "openrouter/openrouter/auto");
    check("gpt-oss-120b", Some("Cerebras"), "cerebras/gpt-oss-120b");
    check("openrouter/openai/ghost", Some("openrouter"), "openrouter/openai/ghost !");
    check("groq/ghost-model:max", None, "groq/ghost-model max !");
    check("groq/ghost:extended", None, "groq/ghost:extended !");
}

#[test]
fn availability_is_asked_once_and_demo_only_meant_by_name() {
    let (_home, catalog) = catalog("");
    let asked = std::cell::Cell::new(0);
    let available = |provider: &Provider| {
        asked.set(asked.get() + 1);
        &*provider.id == "demo"
    };
    assert_ne!(named(&catalog.resolve("mo", None, available).unwrap().model), "demo/demo");
    assert!(asked.get() <= catalog.providers().len(), "{}", asked.get());
}

#[test]
fn of_providers_without_a_key_none_is_guessed() {
    let provider = |id: &str| {
        format!(
            r#""{id}": {{"baseUrl": "https://{id}.example", "api": "x", "models": [{{"id": "kimi-k2.6"}}]}}"#
        )
    };
    let (_home, catalog) = catalog(&format!("{{\"providers\": {{{}, {}}}}}", provider("a"), provider("b")));
    let resolve = |keys: &[&str]| {
        let resolved = catalog.resolve("kimi-k2.6", None, |p| keys.contains(&&*p.id));
        resolved.map(|resolved| named(&resolved.model)).map_err(|error| error.kind())
    };
    assert_eq!(resolve(&["b"]), Ok("b/kimi-k2.6".into()));
    assert_eq!(resolve(&["openrouter"]), Ok("openrouter/moonshotai/kimi-k2.6".into()));
    assert_eq!(resolve(&[]), Err("ambiguousModel"));
    assert_eq!(resolve(&["a", "b", "openrouter"]), Err("ambiguousModel"));
}

#[test]
fn an_unknown_id_is_tried_with_a_warning() {
    let (_home, catalog) = catalog("");
    let resolved = catalog.resolve("cerebras/gpt-oss-121b:high", None, |_| true).unwrap();
    assert_eq!(&*resolved.model.id, "gpt-oss-121b");
    assert_eq!(resolved.model.base_url, catalog.find("cerebras", "gpt-oss-120b").unwrap().base_url);
    assert_eq!(
        resolved.warnings,
        [
            "cerebras has no model \"gpt-oss-121b\" that is known here, it is tried as it is, did you mean gpt-oss-120b?"
        ]
    );
}

#[test]
fn patterns_that_mean_nothing_say_what_is_near() {
    let (_home, catalog) = catalog("");
    let check = |pattern: &str, provider: Option<&str>, kind: &str, message: &str| {
        let error = catalog.resolve(pattern, provider, |_| true).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, message), "{pattern}");
        assert!(!error.hint().is_empty());
    };
    check("", None, "invalidModel", "a model's name has between 1 and 512 bytes");
    check(&"x".repeat(513), None, "invalidModel", "a model's name has between 1 and 512 bytes");
    check("x", Some("grok"), "unknownProvider", "no provider is called \"grok\", did you mean groq?");
    check("zzzzqqqq", None, "unknownModel", "no model is called \"zzzzqqqq\"");
    check(
        "deepsek-v4-pro",
        None,
        "unknownModel",
        "no model is called \"deepsek-v4-pro\", did you mean deepseek/deepseek-v4-pro?",
    );
    check(
        "gpt-oss-120b:random",
        None,
        "unknownLevel",
        "\"random\" is not a thinking level; off, minimal, low, medium, high, xhigh and max are",
    );
    check(
        "openai/gpt-oss-120b",
        None,
        "ambiguousModel",
        "several providers have the model \"openai/gpt-oss-120b\": groq/openai/gpt-oss-120b, openrouter/openai/gpt-oss-120b, vercel-ai-gateway/openai/gpt-oss-120b, together/openai/gpt-oss-120b, baseten/openai/gpt-oss-120b, huggingface/openai/gpt-oss-120b",
    );
    check("demo/ghost", None, "unknownModel", "no model is called \"ghost\"");
    assert!(catalog.resolve(&"é/:".repeat(100), None, |_| true).is_err());
}

/// What a pattern means to somebody with keys of these providers.
fn meant(catalog: &Catalog, keys: &[&str], pattern: &str) -> String {
    match catalog.resolve(pattern, None, |provider| keys.contains(&&*provider.id)) {
        Ok(resolved) => {
            let level = resolved.thinking.map_or(String::new(), |level| format!(":{level}"));
            let warned = if resolved.warnings.is_empty() { "" } else { " !" };
            format!("{}{level}{warned}", named(&resolved.model))
        }
        Err(error) => error.kind().to_owned(),
    }
}

#[test]
fn words_mean_the_newest_model_of_the_preferred_provider() {
    let (_home, catalog) = catalog("");
    let check = |keys: &[&str], pattern: &str, expected: &str| {
        assert_eq!(meant(&catalog, keys, pattern), expected, "{pattern} with {keys:?}");
    };
    check(&["anthropic"], "sonnet", "anthropic/claude-sonnet-5");
    check(&["anthropic"], "sonnet:high", "anthropic/claude-sonnet-5:high");
    check(&["anthropic"], "Claude Sonnet 4.6", "anthropic/claude-sonnet-4-6");
    check(&["anthropic"], "sonnet:", "anthropic/claude-sonnet-5 !");
    check(&["anthropic", "openrouter"], "sonnet", "anthropic/claude-sonnet-5");
    check(&[], "sonnet", "anthropic/claude-sonnet-5");
    // The level is cut off first: it would fit a part of another name.
    check(&["kimi-coding"], "kimi-coding/kimi-for-coding:high", "kimi-coding/kimi-for-coding:high");
    check(&["kimi-coding"], "for-coding:high", "kimi-coding/kimi-for-coding:high");
    // A date is a thing that people do not mean.
    check(&["anthropic"], "claude-sonnet-4-5", "anthropic/claude-sonnet-4-5");
    check(&["anthropic"], "haiku-4", "anthropic/claude-haiku-4-5");
    check(&["anthropic"], "claude-3-5-haiku-20241022", "anthropic/claude-3-5-haiku-20241022");
    check(&["openai"], "gpt-4o:random", "unknownLevel");
    check(&["openai", "opencode"], "gpt-5.5", "ambiguousModel");
    check(&["openai"], "gpt-5.5", "openai/gpt-5.5");
    check(&["github-copilot"], "gpt-5.5:xhigh", "github-copilot/gpt-5.5:xhigh");
}

#[test]
fn a_prefix_is_a_provider_unless_only_a_gateway_can_be_meant() {
    let (_home, catalog) = catalog(
        r#"{"providers": {"openrouter": {"models": [
            {"id": "openai/gpt-4o:extended"}, {"id": "qwen/qwen3-coder:exacto"}]}}}"#,
    );
    let check = |keys: &[&str], pattern: &str, expected: &str| {
        assert_eq!(meant(&catalog, keys, pattern), expected, "{pattern} with {keys:?}");
    };
    let all = ["openai", "openrouter", "zai", "vercel-ai-gateway"];
    check(&all, "openrouter/qwen/qwen3-coder:exacto:high", "openrouter/qwen/qwen3-coder:exacto:high");
    check(&all, "openai/gpt-4o:extended", "openrouter/openai/gpt-4o:extended");
    check(&all, "zai/glm-5.3", "zai/glm-5.3");
    check(&["vercel-ai-gateway"], "zai/glm-5.3", "vercel-ai-gateway/zai/glm-5.3");
    check(&["zai"], "zai/glm-5", "zai/glm-5.3");
    check(&["zai"], "zai/glm-9", "zai/glm-9 !");
    check(&[], "zai/glm-5", "vercel-ai-gateway/zai/glm-5");
    check(&["openai"], "openai/o9-ultra:high", "openai/o9-ultra:high !");
}

#[test]
fn an_unknown_id_is_made_after_its_family() {
    let (_home, catalog) = catalog("");
    let made = |pattern: &str| {
        let resolved = catalog.resolve(pattern, None, |_| true).unwrap();
        assert_eq!(resolved.warnings.len(), 1, "{pattern}");
        assert_eq!(resolved.model.cost, Cost::default(), "nobody knows what {pattern} costs");
        (resolved.model.wire.to_string(), resolved.model.base_url.to_string())
    };
    let both = |wire: &str, base: &str| (wire.to_owned(), base.to_owned());
    assert_eq!(made("opencode/claude-opus-9"), both("anthropic-messages", "https://opencode.ai/zen"));
    assert_eq!(made("opencode/gpt-9"), both("openai-responses", "https://opencode.ai/zen/v1"));
    assert_eq!(made("opencode/gemini-9-pro"), both("google-generative-ai", "https://opencode.ai/zen/v1"));
    assert_eq!(made("opencode/x9"), both("openai-completions", "https://opencode.ai/zen/v1"));
    assert_eq!(
        made("openrouter/anthropic/claude-opus-9"),
        both("anthropic-messages", "https://openrouter.ai/api")
    );
    assert_eq!(made("openrouter/openai/gpt-9"), both("openai-completions", "https://openrouter.ai/api/v1"));
    assert_eq!(made("github-copilot/claude-opus-9").0, "anthropic-messages");
    assert_eq!(made("github-copilot/gemini-9").0, "openai-completions");
    let opus = catalog.resolve("anthropic/claude-opus-9", None, |_| true).unwrap().model;
    assert_eq!(opus.compat["forceAdaptiveThinking"], true, "the newest of its family thinks like this");
}

#[test]
fn mistyped_names_are_guessed_well() {
    let (_home, catalog) = catalog("");
    let near = |pattern: &str, provider: Option<&str>| match catalog.resolve(pattern, provider, |_| true) {
        Err(ResolveError::NotFound { near, .. } | ResolveError::UnknownProvider { near, .. }) => near,
        other => panic!("{pattern}: {other:?}"),
    };
    assert_eq!(near("claud-opus-5", None), ["anthropic/claude-opus-5"]);
    assert_eq!(near("opneai/gpt-5.5", None)[0], "openai/gpt-5.5");
    assert_eq!(near("claude-sonet-5", None)[0], "anthropic/claude-sonnet-5");
    assert_eq!(near("hello", None), [""; 0]);
    assert_eq!(near("x9", None), [""; 0]);
    assert_eq!(near("m", Some("gemini")), ["google"]);
    assert_eq!(near("m", Some("antropic")), ["anthropic"]);
    assert_eq!(near("m", Some("bedrock")), ["amazon-bedrock"]);
    assert_eq!(near("m", Some("zzz")), [""; 0]);
}

#[test]
fn a_list_takes_globs_and_forgives() {
    let (_home, catalog) = catalog(
        r#"{"providers": {"odd": {"baseUrl": "https://odd.example", "api": "x", "models": [{"id": "m[1]"}, {"id": "m1"}]}}}"#,
    );
    let select = |patterns: &[&str]| {
        let patterns: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        let selected = catalog.snapshot().select(&patterns, |provider| &*provider.id == "openai");
        let models = selected.models.iter().map(|(model, level)| {
            format!("{}{}", named(model), level.map_or(String::new(), |level| format!(":{level}")))
        });
        (models.collect::<Vec<_>>(), selected.warnings)
    };
    assert_eq!(
        select(&["kimi-coding/*:low", "kimi-coding/*", "", "GROQ/*gpt-oss-?20b"]).0,
        [
            "kimi-coding/k3:low",
            "kimi-coding/k3-256k:low",
            "kimi-coding/kimi-for-coding:low",
            "kimi-coding/kimi-for-coding-highspeed:low",
            "groq/openai/gpt-oss-120b"
        ]
    );
    // A name with brackets is itself before it is a class of letters.
    assert_eq!(select(&["odd/m[1]"]).0, ["odd/m[1]"]);
    assert_eq!(select(&["odd/m[12]"]).0, ["odd/m1"]);
    assert!(select(&["*"]).0.len() > 1400);
    let (models, warnings) = select(&["gpt-4o:random", "nothing*here", "zzzzqqqq", "gpt-4o"]);
    assert_eq!(models, ["openai/gpt-4o"]);
    assert_eq!(
        warnings,
        [
            "\"random\" in \"gpt-4o:random\" is not a thinking level, the default is used",
            "no model fits \"nothing*here\"",
            "no model is called \"zzzzqqqq\""
        ]
    );
}
