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
        (5, 3, "providers.good.models[3]: cost needs all of input, output, cacheRead, cacheWrite"),
        (5, 38, "providers.good.models[4]: contextWindow must be above zero"),
        (
            5,
            100,
            "providers.good.models[5].contextWindow: expected a whole number from zero up, found a number",
        ),
        (
            6,
            3,
            "providers.good.models[6]: thinkingLevelMap.huge: not a thinking level: off, minimal, low, medium, high, xhigh and max are",
        ),
        (6, 51, "providers.good.models[7]: headers: \"a b\" is no name of a header"),
        (6, 89, "model \"ok\" is there twice, the last one holds"),
        (7, 31, "providers.good.modelOverrides.ghost: no such model to override"),
        (
            8,
            11,
            "providers.empty: nothing is set; one of baseUrl, apiKey, headers, authHeader, compat, models, modelOverrides, name is needed",
        ),
        (9, 10, "provider \"grok\" has no models, did you mean groq?"),
        (10, 9, "providers.url: baseUrl must begin with http:// or https://"),
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
            "providers.groq: headers: there are more than 64",
            "providers.cerebras: compat is larger than 64 KiB"
        ]
    );
    let deep = format!("{{\"providers\": {{\"p\": {{\"compat\": {}", "[".repeat(100_000));
    let (_home, catalog) = self::catalog(&deep);
    assert_eq!(catalog.diagnostics().len(), 1);
}
