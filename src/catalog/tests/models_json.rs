//! Tests of `models.json`: what it adds and changes, and what is said of mistakes.

use super::*;

#[test]
fn models_json_adds_and_changes_providers() {
    let (_home, catalog) = catalog(
        r#"{ // mine
        "providers": {
            "groq": { "baseUrl": "http://127.0.0.1:9/v1/", "apiKey": "K", "headers": {"X-Team": "$TEAM"},
                "compat": {"supportsStrictMode": false},
                "models": [{"id": "extra"}],
                "modelOverrides": {
                    "openai/gpt-oss-20b": {"name": "Small", "cost": {"input": 9}, "thinkingLevelMap": {"high": "max"},
                        "headers": {"x-team": "own"}},
                    "extra": {"contextWindow": 5}
                } },
            "acme": { "name": "Acme", "baseUrl": "http://localhost:1/v1", "api": "openai-completions", "authHeader": true,
                "compat": {"a": 1, "openRouterRouting": {"only": ["x"], "sort": "price"}},
                "models": [
                    {"id": "z", "reasoning": true, "input": ["text", "image"], "contextWindow": 10, "maxTokens": 3,
                     "cost": {"input": 1, "output": 2, "cacheRead": 3, "cacheWrite": 4,
                              "tiers": [{"inputTokensAbove": 7, "input": 1, "output": 1, "cacheRead": 1, "cacheWrite": 1}]},
                     "compat": {"openRouterRouting": {"sort": "throughput"}}, "samplingParams": {"top_k": 1}},
                    {"id": "a", "baseUrl": "https://acme.example/v2", "api": "other"},
                ], },
        }, }"#,
    );
    assert_eq!(told(&catalog), []);
    let order: Vec<_> = catalog.providers().iter().map(|provider| provider.id.to_string()).collect();
    assert_eq!(order[order.len() - 3..], ["amazon-bedrock", "acme", "demo"]);
    let groq = catalog.provider("groq").unwrap();
    assert_eq!(
        (groq.api_key.as_deref(), groq.needs_key, &*groq.key_variables[0]),
        (Some("K"), true, "GROQ_API_KEY")
    );

    let plain = catalog.find("groq", "llama-3.1-8b-instant").unwrap();
    assert_eq!(&*plain.base_url, "http://127.0.0.1:9/v1");
    assert_eq!((plain.compat["supportsStrictMode"].clone(), plain.headers.len()), (false.into(), 1));
    let small = catalog.find("groq", "openai/gpt-oss-20b").unwrap();
    assert_eq!((&*small.name, small.cost.input, small.cost.output), ("Small", 9.0, 0.3));
    assert_eq!(small.thinking.wire_value(ThinkingLevel::High), Some("max"));
    assert_eq!(small.headers, [("x-team".into(), "own".into())]);
    let extra = catalog.find("groq", "extra").unwrap();
    assert_eq!(
        (&*extra.wire, extra.context_window, &*extra.base_url),
        ("openai-completions", 5, "http://127.0.0.1:9/v1")
    );

    let acme = catalog.provider("acme").unwrap();
    assert_eq!((&*acme.name, acme.default_model.as_deref(), acme.needs_key), ("Acme", Some("z"), true));
    let z = catalog.find("acme", "z").unwrap();
    assert!(z.auth_header && z.takes_images && z.reasoning);
    assert_eq!((z.context_window, z.max_output, z.cost.tiers.len()), (10, 3, 1));
    assert_eq!(
        serde_json::Value::Object((*z.compat).clone()),
        serde_json::json!({"a": 1, "openRouterRouting": {"only": ["x"], "sort": "throughput"}, "samplingParams": {"top_k": 1}})
    );
    let a = catalog.find("acme", "a").unwrap();
    assert_eq!(
        (&*a.base_url, &*a.wire, a.context_window, a.max_output),
        ("https://acme.example/v2", "other", 128_000, 16_384)
    );
    assert_eq!(named(&catalog.resolve("acme/a:low", None, |_| true).unwrap().model), "acme/a");
    assert_eq!(
        &*catalog.find("openrouter", "openrouter/auto").unwrap().base_url,
        "https://openrouter.ai/api/v1"
    );
}

#[test]
fn a_local_server_needs_no_key() {
    let text =
        r#"{"providers": {"here": {"baseUrl": "http://[::1]:8080", "api": "x", "models": [{"id": "m"}]}}}"#;
    let (_home, catalog) = catalog(text);
    assert!(!catalog.provider("here").unwrap().needs_key);
    assert_eq!(named(&catalog.default_model(|p| !p.needs_key)), "here/m");
}

#[test]
fn one_bad_entry_does_not_hide_the_others() {
    let (_home, catalog) = catalog(
        r#"{"providers": {
 "bad": {"baseUrl": 7, "models": [{"id": "m"}]},
 "good": {"baseUrl": "https://good.example", "api": "x", "models": [
  {"id": "ok"}, {"id": 3}, {"name": "no id"},
  {"id": "c", "cost": {"input": 1}}, {"id": "w", "contextWindow": 0}, {"id": "n", "contextWindow": -1},
  {"id": "t", "thinkingLevelMap": {"huge": "x"}}, {"id": "h", "headers": {"a b": "c"}}, {"id": "ok"}],
  "modelOverrides": {"ghost": {}, "ok": {"name": "Fine"}}},
 "empty": {},
 "grok": {"apiKey": "sk-secret"},
 "url": {"baseUrl": "file:///x", "models": []},
 "noapi": {"baseUrl": "https://x.example", "models": [{"id": "m"}]},
 "key": {"apiKey": ["sk-secret"]},
 "key": {}
}}"#,
    );
    let expected = [
        (2, 21, "providers.bad.baseUrl: expected a string, found a number"),
        (4, 24, "providers.good.models[1].id: expected a string, found a number"),
        (4, 28, "providers.good.models[2]: missing field `id`"),
        (5, 23, "providers.good.models[3].cost: all of input, output, cacheRead and cacheWrite are needed"),
        (5, 67, "providers.good.models[4].contextWindow: it must be above zero"),
        (
            5,
            100,
            "providers.good.models[5].contextWindow: expected a whole number from zero up, found a number",
        ),
        (6, 44, "providers.good.models[6].thinkingLevelMap.huge: \"huge\" is not a thinking level"),
        (6, 82, "providers.good.models[7].headers.a b: it is no name of a header"),
        (6, 89, "model \"ok\" is there twice, the last one holds"),
        (7, 31, "providers.good.modelOverrides.ghost: no such model to override"),
        (
            8,
            11,
            "providers.empty: nothing is set; one of name, baseUrl, apiKey, headers, authHeader, compat, models, modelOverrides, oauth is needed",
        ),
        (9, 10, "provider \"grok\" has no models, did you mean groq?"),
        (10, 21, "providers.url.baseUrl: it must begin with http:// or https://"),
        (
            11,
            55,
            "providers.noapi.models[0]: no api is set, neither here nor at the provider (such as \"openai-completions\")",
        ),
        (11, 11, "provider \"noapi\" has no models"),
        (12, 20, "providers.key.apiKey: expected a string, found an array"),
        (13, 9, "provider \"key\" is there twice"),
    ];
    let told = told(&catalog);
    let told: Vec<_> =
        told.iter().map(|(line, column, message)| (*line, *column, message.as_str())).collect();
    assert_eq!(told, expected);
    let ids: Vec<_> = catalog.snapshot().models_of("good").map(|model| model.name().to_owned()).collect();
    assert_eq!(ids, ["Fine"]);
    assert!(!format!("{told:?}").contains("secret"));
}

#[test]
fn a_changed_file_is_read_again() {
    let (home, catalog) = catalog("");
    let path = home.path().join(MODELS_FILE);
    let write = |text: &str| catalog.system.files.replace(&path, text.as_bytes()).unwrap();
    let first = catalog.snapshot();
    assert!(Arc::ptr_eq(&first, &catalog.snapshot()));
    write(
        r#"{"providers": {"acme": {"baseUrl": "https://a.example", "api": "x", "models": [{"id": "m"}]}}}"#,
    );
    assert!(catalog.find("acme", "m").is_some());
    assert!(first.find("acme", "m").is_none());
    write("{ not json");
    assert!(catalog.find("acme", "m").is_none());
    assert_eq!(told(&catalog), [(1, 3, "key must be a string".to_owned())]);
    catalog.system.files.remove(&path).unwrap();
    assert_eq!(told(&catalog), []);
}

#[test]
fn a_hostile_file_is_told_in_bounded_time() {
    let many = (0..20_000).map(|n| format!("\"p{n}\": 1")).collect::<Vec<_>>().join(",\n");
    let (_home, catalog) = catalog(&format!("{{\"providers\": {{{many}}}}}"));
    assert_eq!(catalog.diagnostics().len(), 50);
    let headers = (0..65).map(|n| format!("\"h{n}\": \"\"")).collect::<Vec<_>>().join(",");
    let large = format!(
        "{{\"providers\": {{\"groq\": {{\"headers\": {{{headers}}}}}, \"cerebras\": {{\"compat\": {{\"a\": \"{}\"}}}}}}}}",
        "x".repeat(1 << 20)
    );
    let (_home, catalog) = self::catalog(&large);
    let messages: Vec<_> = told(&catalog).into_iter().map(|(_, _, message)| message).collect();
    assert_eq!(
        messages,
        [
            "providers.groq.headers: there are more than 64",
            "providers.cerebras.compat: it is larger than 64 KiB"
        ]
    );
    let deep = format!("{{\"providers\": {{\"p\": {{\"compat\": {}", "[".repeat(100_000));
    let (_home, catalog) = self::catalog(&deep);
    assert_eq!(catalog.diagnostics().len(), 1);
}

#[test]
fn a_base_url_alone_moves_one_provider_and_keeps_its_models() {
    let (_home, plain) = catalog("");
    let (home, catalog) = catalog(r#"{"providers": {"anthropic": {"baseUrl": "http://proxy:1/x"}}}"#);
    assert_eq!(told(&catalog), []);
    let ids = |catalog: &Catalog, provider: &str| {
        catalog.snapshot().models_of(provider).map(|model| model.id().to_owned()).collect::<Vec<_>>()
    };
    for provider in ["anthropic", "openai"] {
        assert_eq!(ids(&catalog, provider), ids(&plain, provider));
    }
    let url = |provider: &str, id: &str| catalog.find(provider, id).unwrap().base_url.to_string();
    assert_eq!(url("anthropic", "claude-opus-5"), "http://proxy:1/x");
    assert_eq!(url("openai", "gpt-5.5"), "https://api.openai.com/v1");
    // What is known of the models stays known.
    assert!(!catalog.find("anthropic", "claude-opus-5").unwrap().compat.is_empty());
    catalog.system.files.remove(&home.path().join(MODELS_FILE)).unwrap();
    assert_eq!(url("anthropic", "claude-opus-5"), "https://api.anthropic.com");
}

#[test]
fn a_model_of_the_same_id_takes_the_place_of_the_built_in_one() {
    let (_home, catalog) =
        catalog(r#"{"providers": {"deepseek": {"models": [{"id": "deepseek-v4-pro", "name": "Mine"}]}}}"#);
    let model = catalog.find("deepseek", "deepseek-v4-pro").unwrap();
    assert_eq!((&*model.name, model.reasoning, model.context_window), ("Mine", false, 128_000));
    assert_eq!(model.cost, Cost::default());
    let count = |id: &str| catalog.snapshot().models_of("deepseek").filter(|model| model.id() == id).count();
    assert_eq!(count("deepseek-v4-pro"), 1);
    assert_eq!(count("deepseek-flash"), 1);
}

#[test]
fn a_model_of_a_built_in_provider_speaks_the_api_of_its_family() {
    let (_home, catalog) = catalog(
        r#"{"providers": {
            "opencode": {"models": [{"id": "claude-next"}, {"id": "gpt-next"}, {"id": "x"},
                {"id": "gemini-next", "api": "openai-completions"}, {"id": "here", "baseUrl": "http://localhost:1/v1"}]},
            "huggingface": {"models": [{"id": "maker/new"}]},
            "nvidia": {"models": [{"id": "maker/new"}]}}}"#,
    );
    assert_eq!(told(&catalog), []);
    let at = |id: &str| {
        let model = catalog.find("opencode", id).unwrap();
        format!("{} {}", model.wire, model.base_url)
    };
    assert_eq!(at("claude-next"), "anthropic-messages https://opencode.ai/zen");
    assert_eq!(at("gpt-next"), "openai-responses https://opencode.ai/zen/v1");
    assert_eq!(at("x"), "openai-completions https://opencode.ai/zen/v1");
    assert_eq!(at("gemini-next"), "openai-completions https://opencode.ai/zen/v1");
    assert_eq!(at("here"), "openai-completions http://localhost:1/v1");
    // What the provider's servers want, its new models do too; another server is another matter.
    assert_eq!(catalog.find("huggingface", "maker/new").unwrap().compat["supportsDeveloperRole"], false);
    assert_eq!(catalog.find("nvidia", "maker/new").unwrap().headers.len(), 1);
    assert_eq!(catalog.find("opencode", "x").unwrap().session_headers.len(), 1);
    let here = catalog.find("opencode", "here").unwrap();
    assert_eq!((here.compat.len(), here.headers.len(), here.session_headers.len()), (0, 0, 0));
}

#[test]
fn an_override_changes_what_it_names_and_nothing_else() {
    let (_home, plain) = catalog("");
    let (_home, catalog) = catalog(
        r#"{"providers": {"anthropic": {"modelOverrides": {"claude-opus-5": {
            "name": "Opus", "reasoning": true, "input": ["text"], "contextWindow": 200000, "maxTokens": 9000,
            "cost": {"output": 1, "tiers": [{"inputTokensAbove": 10, "input": 1, "output": 2, "cacheRead": 3, "cacheWrite": 4}]},
            "thinkingLevelMap": {"max": null, "low": "little"},
            "promptCache": {"short": 60}, "inputLimits": {"maxRequestBytes": 1000, "images": {"maxPerRequest": 5}},
            "samplingParams": {"top_k": 1},
            "compat": {"supportsTemperature": true}}}}}}"#,
    );
    assert_eq!(told(&catalog), []);
    let (old, new) = (
        plain.find("anthropic", "claude-opus-5").unwrap(),
        catalog.find("anthropic", "claude-opus-5").unwrap(),
    );
    assert_eq!(
        (&*new.name, new.takes_images, new.context_window, new.max_output),
        ("Opus", false, 200_000, 9000)
    );
    assert_eq!((new.cost.input, new.cost.output, new.cost.tiers.len()), (old.cost.input, 1.0, 1));
    let levels: Vec<_> =
        old.thinking_levels().into_iter().filter(|level| *level != ThinkingLevel::Max).collect();
    assert_eq!((new.thinking_levels(), new.thinking_value(ThinkingLevel::Low)), (levels, Some("little")));
    let mut expected = (*old.compat).clone();
    expected.insert("promptCache".into(), serde_json::json!({"short": 60, "long": 3600}));
    expected.insert(
        "inputLimits".into(),
        serde_json::json!({"maxRequestBytes": 1000, "images": {"maxPerRequest": 5}}),
    );
    expected.insert("samplingParams".into(), serde_json::json!({"top_k": 1}));
    expected.insert("supportsTemperature".into(), true.into());
    assert_eq!(*new.compat, expected);
    assert_eq!((&new.wire, &new.base_url), (&old.wire, &old.base_url));
}

#[test]
fn switches_are_merged_from_the_provider_down_to_the_override() {
    let (_home, catalog) = catalog(
        r#"{"providers": {"acme": {"baseUrl": "https://a.example", "api": "openai-completions",
            "compat": {"supportsStore": true, "thinkingFormat": "qwen", "openRouterRouting": {"only": ["x"], "sort": "price"},
                "chatTemplateKwargs": {"a": 1, "b": 1}, "vercelGatewayRouting": {"only": ["y"]}},
            "models": [{"id": "m", "compat": {"supportsStore": false, "openRouterRouting": {"sort": "latency"}},
                "samplingParams": {"top_k": 1, "seed": 1}}],
            "modelOverrides": {"m": {"compat": {"thinkingFormat": "zai", "openRouterRouting": {"order": ["z"]},
                "chatTemplateKwargs": {"b": 2}, "supportsStore": null}, "samplingParams": {"seed": 2}}}}}}"#,
    );
    assert_eq!(told(&catalog), []);
    let model = catalog.find("acme", "m").unwrap();
    assert_eq!(
        serde_json::Value::Object((*model.compat).clone()),
        serde_json::json!({
            "supportsStore": null, "thinkingFormat": "zai",
            "openRouterRouting": {"only": ["x"], "sort": "latency", "order": ["z"]},
            "chatTemplateKwargs": {"a": 1, "b": 2}, "vercelGatewayRouting": {"only": ["y"]},
            "samplingParams": {"top_k": 1, "seed": 2}
        })
    );
}

#[test]
fn headers_are_laid_over_each_other_and_null_takes_one_away() {
    let (_home, catalog) = catalog(
        r#"{"providers": {
            "cloudflare-ai-gateway": {"headers": {"Authorization": "Bearer $UPSTREAM", "X-Gone": "1"}},
            "github-copilot": {"headers": {"user-agent": null, "Editor-Version": "mine/1"},
                "modelOverrides": {"gpt-5.5": {"headers": {"User-Agent": "back/1", "editor-version": null}}}},
            "acme": {"baseUrl": "https://a.example", "api": "openai-completions", "headers": {"X-A": "provider", "X-B": "provider"},
                "models": [{"id": "m", "headers": {"x-a": "model", "X-C": null}}],
                "modelOverrides": {"m": {"headers": {"X-A": "override", "X-B": "override", "X-C": "override"}}}}}}"#,
    );
    assert_eq!(told(&catalog), []);
    let headers = |provider: &str, id: &str| {
        let model = catalog.find(provider, id).unwrap();
        let mut set: Vec<_> = model.headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
        set.sort();
        (set.join(" "), model.without_headers.join(" "))
    };
    let (copilot, without) = headers("github-copilot", "gpt-5.4");
    assert!(copilot.contains("Editor-Version=mine/1") && !copilot.contains("GitHubCopilotChat"), "{copilot}");
    assert_eq!(without, "user-agent");
    let (copilot, without) = headers("github-copilot", "gpt-5.5");
    assert!(copilot.contains("User-Agent=back/1") && !copilot.contains("Editor-Version"), "{copilot}");
    assert_eq!(without, "editor-version");
    assert_eq!(
        headers("cloudflare-ai-gateway", "workers-ai/@cf/moonshotai/kimi-k2.6").0,
        "Authorization=Bearer $UPSTREAM X-Gone=1"
    );
    // In this alone a model's own definition stands above an override of it.
    assert_eq!(headers("acme", "m"), ("X-B=override x-a=model".into(), "X-C".into()));
}

#[test]
fn what_is_odd_is_told_and_the_rest_is_used() {
    let (_home, catalog) = catalog(
        r#"{"provider": {}, "providers": {
"acme": {"baseUrl": " https://acme.example/ ", "api": "openai-completion", "oauth": "radius", "apikey": "sk-secret",
 "name": " ", "x-mine": 1, "compat": {"supportsStore": "yes", "suportsDeveloperRole": true, "mine": 1, "maxTokensField": "tokens"},
 "models": [{"id": "m", "contextwindow": 5, "cost": {"input": 1, "output": 1, "cacheRead": 1, "cacheWrite": 1, "cached": 1},
   "promptCache": {"short": 0}},
  {"id": "n", "inputLimits": {"images": {"resize": {"jpegQuality": 101}}}},
  {"id": "o", "cost": {"input": -1, "output": 1, "cacheRead": 1, "cacheWrite": 1}, "name": "O"},
  {"id": "p", "thinkingLevelMap": {"hihg": "x"}, "compat": {"samplingParams": {}}},
  {"id": "q", "samplingParams": {"top_k": 2}}],
 "modelOverrides": {"p2": {}, "q": {"id": "z", "baseUrl": "http://evil.example", "name": "Q"}}},
"anthropic": {"modelOverrides": {"claude-opus5": {"name": "x"}, "claude-opus-5": {"compat": {"promptCache": {}}}}}
}}"#,
    );
    let told = told(&catalog);
    let told: Vec<_> =
        told.iter().map(|(line, column, message)| format!("{line}:{column} {message}")).collect();
    assert_eq!(
        told,
        [
            "1:14 unknown field \"provider\", did you mean providers?",
            "2:105 providers.acme: unknown field \"apikey\", did you mean apiKey?",
            "3:10 providers.acme.name: it is empty",
            "2:55 providers.acme.api: no API is called \"openai-completion\", did you mean openai-completions?",
            "3:122 providers.acme.compat.maxTokensField: expected one of max_tokens, max_completion_tokens",
            "3:87 providers.acme.compat.suportsDeveloperRole: unknown switch \"suportsDeveloperRole\", did you mean supportsDeveloperRole?",
            "3:56 providers.acme.compat.supportsStore: expected true or false",
            "2:85 providers.acme.oauth: signing in is not part of this version; give a key in apiKey or in auth.json",
            "4:42 providers.acme.models[0]: unknown field \"contextwindow\", did you mean contextWindow?",
            "5:29 providers.acme.models[0].promptCache.short: it must be above zero",
            "6:68 providers.acme.models[1].inputLimits.images.resize.jpegQuality: it is a number from 1 to 100",
            "7:33 providers.acme.models[2].cost.input: a price is not below zero",
            "8:79 providers.acme.models[3].compat.samplingParams: samplingParams is a field of the model, beside compat",
            "8:44 providers.acme.models[3].thinkingLevelMap.hihg: \"hihg\" is not a thinking level, did you mean high?",
            "10:27 providers.acme.modelOverrides.p2: no such model to override",
            "10:43 providers.acme.modelOverrides.q.id: an override cannot change it; define the model in models",
            "10:59 providers.acme.modelOverrides.q.baseUrl: an override cannot change it; define the model in models",
            "11:50 providers.anthropic.modelOverrides.claude-opus5: no such model to override, did you mean claude-opus-5?",
            "11:109 providers.anthropic.modelOverrides.claude-opus-5.compat.promptCache: promptCache is a field of the model, beside compat",
        ]
    );
    let acme = catalog.provider("acme").unwrap();
    assert_eq!((&*acme.name, &acme.api_key), ("acme", &None));
    let ids: Vec<_> = catalog.snapshot().models_of("acme").map(|model| model.id().to_owned()).collect();
    assert_eq!(ids, ["q"]);
    let q = catalog.find("acme", "q").unwrap();
    assert_eq!((&*q.name, &*q.base_url), ("Q", "https://acme.example"));
    assert_eq!(
        serde_json::Value::Object((*q.compat).clone()),
        serde_json::json!({"suportsDeveloperRole": true, "mine": 1, "samplingParams": {"top_k": 2}})
    );
    assert!(!format!("{told:?}").contains("secret"));
}

#[test]
fn a_file_full_of_faults_is_told_in_bounded_time() {
    let switches = (0..100_000).map(|n| format!("\"supportsStor{n}\": 1")).collect::<Vec<_>>().join(",");
    let text = format!(
        r#"{{"providers": {{"a": {{"baseUrl": "https://a.example", "api": "x", "models": [{{"id": "m", "compat": {{{switches}}}}}]}}}}}}"#
    );
    let (_home, catalog) = catalog(&text);
    assert!(catalog.diagnostics().len() <= 50);
    assert!(catalog.find("a", "m").is_some());
}
