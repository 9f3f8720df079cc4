//! Tests of the catalog.

use super::*;
use crate::system::{Dirs, Env};

fn system(env: &[(&str, &str)]) -> (tempfile::TempDir, System) {
    let home = tempfile::tempdir().unwrap();
    let mut system = System::real();
    system.dirs = Dirs::below(home.path());
    system.env = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect::<Env>();
    (home, system)
}

fn catalog(models_json: &str) -> (tempfile::TempDir, Catalog) {
    let (home, system) = system(&[]);
    if !models_json.is_empty() {
        system.files.replace(&home.path().join(MODELS_FILE), models_json.as_bytes()).unwrap();
    }
    (home, Catalog::new(system))
}

fn told(catalog: &Catalog) -> Vec<(u32, u32, String)> {
    catalog.diagnostics().into_iter().map(|d| (d.line, d.column, d.message)).collect()
}

fn named(model: &Model) -> String {
    format!("{}/{}", model.provider, model.id)
}

#[test]
fn every_provider_is_whole() {
    let (_home, catalog) = catalog("");
    let snapshot = catalog.snapshot();
    let mut ids = std::collections::HashSet::new();
    for provider in snapshot.providers() {
        assert!(ids.insert(provider.id.clone()), "{} is there twice", provider.id);
        assert!(!provider.name.is_empty());
        assert_eq!(provider.needs_key, &*provider.id != "demo");
        assert!(provider.needs_key || provider.key_variables.is_empty(), "{}", provider.id);
        for name in &provider.key_variables {
            let valid = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
            assert!(name.bytes().all(valid) && !name.starts_with(|c: char| c.is_ascii_digit()), "{name}");
        }
        let default = provider.default_model.as_deref().unwrap();
        assert_eq!(snapshot.default_of(&provider).unwrap().id.as_ref(), default);
        let mut models = std::collections::HashSet::new();
        for listed in snapshot.models_of(&provider.id) {
            let model = listed.build();
            let name = named(&model);
            assert!(models.insert(model.id.clone()), "{name} is there twice");
            assert_eq!(snapshot.find(&provider.id, &model.id).unwrap().name, model.name);
            assert!(!model.name.is_empty() && !model.wire.is_empty(), "{name}");
            assert!(model.base_url.starts_with("https://") || &*model.wire == "demo", "{name}");
            assert!(!model.base_url.ends_with('/'), "{name}");
            assert!(model.context_window > 0 && model.max_output > 0, "{name}");
            let tiers =
                model.cost.tiers.iter().flat_map(|t| [t.input, t.output, t.cache_read, t.cache_write]);
            let cost = &model.cost;
            let mut prices =
                [cost.input, cost.output, cost.cache_read, cost.cache_write].into_iter().chain(tiers);
            assert!(prices.all(|price| price.is_finite() && price >= 0.0), "{name}");
            let levels = model.thinking_levels();
            assert!(!levels.is_empty(), "{name}");
            assert_eq!(levels, listed.thinking_levels(), "{name}");
            for level in ThinkingLevel::ALL {
                assert!(levels.contains(&model.clamp_thinking(level)), "{name}");
            }
        }
    }
}

#[test]
fn facts_survive_the_build() {
    let (_home, catalog) = catalog("");
    let oss = catalog.find("groq", "openai/gpt-oss-120b").unwrap();
    assert_eq!((oss.context_window, oss.max_output), (131_072, 65_536));
    assert_eq!(
        oss.cost,
        Cost { input: 0.15, output: 0.6, cache_read: 0.075, cache_write: 0.0, tiers: vec![] }
    );
    assert_eq!(oss.thinking_levels(), [ThinkingLevel::Low, ThinkingLevel::Medium, ThinkingLevel::High]);
    let claude = catalog.find("openrouter", "anthropic/claude-haiku-4.5").unwrap();
    assert_eq!((&*claude.wire, &*claude.base_url), ("anthropic-messages", "https://openrouter.ai/api"));
    assert!(claude.compat.is_empty(), "switches of another wire: {:?}", claude.compat);
    let deepseek = catalog.find("deepseek", "deepseek-v4-pro").unwrap();
    assert_eq!(deepseek.compat["thinkingFormat"], "deepseek");
    assert_eq!(deepseek.compat["supportsMidConvoSystemMessages"], true);
}

#[test]
fn the_first_available_provider_gives_the_default() {
    let (_home, catalog) = catalog("");
    let order: Vec<_> = catalog.providers().iter().map(|provider| provider.id.to_string()).collect();
    assert_eq!(order, ["groq", "openrouter", "deepseek", "cerebras", "demo"]);
    let default = |available: &[&str]| named(&catalog.default_model(|p| available.contains(&&*p.id)));
    assert_eq!(default(&["cerebras", "openrouter"]), "openrouter/moonshotai/kimi-k2.6");
    assert_eq!(default(&["demo", "cerebras"]), "cerebras/gpt-oss-120b");
    assert_eq!(default(&[]), "demo/demo");
}

#[test]
fn retired_models_are_found_but_not_offered() {
    let (_home, catalog) = catalog("");
    let snapshot = catalog.snapshot();
    assert!(snapshot.all_models().count() > snapshot.models().count());
    assert!(snapshot.models().all(|model| model.id() != "gemma2-9b-it"));
    assert_eq!(named(&catalog.resolve("gemma2-9b-it", None, |_| false).unwrap().model), "groq/gemma2-9b-it");
}

#[test]
fn levels_are_clamped_upwards_first() {
    use ThinkingLevel::{High, Low, Max, Medium, Minimal, Off, Xhigh};
    let thinking = Thinking(vec![(Off, None), (Minimal, None), (Medium, None), (Max, Some("MAX".into()))]);
    assert_eq!(thinking.supported(), [Low, High, Max]);
    assert_eq!((thinking.wire_value(Max), thinking.wire_value(Low)), (Some("MAX"), Some("low")));
    let model = Model { reasoning: true, thinking, ..stand_in() };
    let clamped = ThinkingLevel::ALL.map(|level| model.clamp_thinking(level));
    assert_eq!(clamped, [Low, Low, Low, High, High, Max, Max]);
    let low_only = Thinking(vec![(Off, None), (Minimal, None), (Medium, None), (High, None), (Xhigh, None)]);
    assert_eq!(Model { thinking: low_only, ..model.clone() }.clamp_thinking(Max), Low);
    let dull = Model { reasoning: false, ..model };
    assert_eq!(
        (dull.thinking_levels(), dull.clamp_thinking(Max), dull.thinking_value(Low)),
        (vec![Off], Off, None)
    );
    assert_eq!("HIGH".parse(), Ok(High));
    assert_eq!(format!("{Off:>7}|{Xhigh}"), "    off|xhigh");
}

#[test]
fn long_requests_cost_what_their_tier_says() {
    let tier =
        |input_above, input| CostTier { input_above, input, output: 10.0, cache_read: 1.0, cache_write: 4.0 };
    let cost = Cost {
        input: 1.0,
        output: 2.0,
        cache_read: 0.5,
        cache_write: 3.0,
        tiers: vec![tier(100, 5.0), tier(1000, 7.0)],
    };
    let check = |tokens: [u64; 4], dollars: f64| {
        let [input, output, cache_read, cache_write] = tokens;
        let got = cost.of(input, output, cache_read, cache_write);
        assert!((got - dollars * 1e-6).abs() < 1e-15, "{tokens:?}: {got}");
    };
    check([100, 10, 0, 0], 120.0);
    check([50, 10, 50, 1], 250.0 + 100.0 + 50.0 + 4.0);
    check([1001, 0, 0, 0], 7007.0);
    check([0, 0, 0, 0], 0.0);
    assert!(cost.of(u64::MAX, u64::MAX, u64::MAX, u64::MAX).is_finite());
}

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
fn debug_shows_no_secret() {
    let text = r#"{"providers": {"acme": {"baseUrl": "https://a.example", "api": "x", "apiKey": "sk-secret",
        "headers": {"X-Key": "sk-secret"}, "models": [{"id": "m"}]}}}"#;
    let (_home, catalog) = catalog(text);
    let shown = format!("{:?} {:?}", catalog.provider("acme").unwrap(), catalog.find("acme", "m").unwrap());
    assert!(shown.contains("X-Key") && !shown.contains("sk-secret"), "{shown}");
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
        "several providers have the model \"openai/gpt-oss-120b\": groq/openai/gpt-oss-120b, openrouter/openai/gpt-oss-120b",
    );
    check("demo/ghost", None, "unknownModel", "no model is called \"ghost\"");
    assert!(catalog.resolve(&"é/:".repeat(100), None, |_| true).is_err());
}

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
    assert_eq!(order, ["groq", "openrouter", "deepseek", "cerebras", "acme", "demo"]);
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
