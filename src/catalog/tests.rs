//! Tests of the catalog.

mod fresh;
mod models_json;
mod patterns;
mod seed;

use super::*;
use crate::system::{Dirs, Env};

fn system(env: &[(&str, &str)]) -> (tempfile::TempDir, System) {
    let home = tempfile::tempdir().unwrap();
    let mut system = System::real();
    system.dirs = Dirs::below(home.path());
    system.env = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect::<Env>();
    (home, system)
}

/// The catalog of a machine with nothing but this `models.json`, which lies in the folder.
pub(crate) fn catalog(models_json: &str) -> (tempfile::TempDir, Catalog) {
    let (home, system) = system(&[]);
    if !models_json.is_empty() {
        system.files.replace(&home.path().join(MODELS_FILE), models_json.as_bytes()).unwrap();
    }
    (home, Catalog::new(system, |_| true, std::sync::Arc::default()))
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
            let has_no_url = ["demo", "azure-openai-responses"].contains(&&*model.provider);
            assert_eq!(model.base_url.starts_with("https://"), !has_no_url, "{name}");
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
    let place = |id: &str| order.iter().position(|known| known == id).unwrap();
    assert_eq!((order.len(), place("anthropic"), place("openai"), place("demo")), (42, 0, 1, 41));
    // What is often set for other purposes comes last.
    let shared = ["huggingface", "cloudflare-workers-ai", "google-vertex", "amazon-bedrock"];
    assert!(shared.iter().all(|id| place(id) > place("nvidia")));
    let default = |available: &[&str]| named(&catalog.default_model(|p| available.contains(&&*p.id)));
    assert_eq!(default(&["cerebras", "openrouter"]), "cerebras/gpt-oss-120b");
    assert_eq!(default(&["demo", "anthropic", "xai"]), "anthropic/claude-opus-4-8");
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
fn debug_shows_no_secret() {
    let text = r#"{"providers": {"acme": {"baseUrl": "https://a.example", "api": "x", "apiKey": "sk-secret",
        "headers": {"X-Key": "sk-secret"}, "models": [{"id": "m"}]}}}"#;
    let (_home, catalog) = catalog(text);
    let shown = format!("{:?} {:?}", catalog.provider("acme").unwrap(), catalog.find("acme", "m").unwrap());
    assert!(shown.contains("X-Key") && !shown.contains("sk-secret"), "{shown}");
}

#[test]
fn the_default_is_never_one_that_cannot_be_spoken() {
    let (_home, system) = system(&[]);
    let catalog =
        Catalog::new(system, |wire| matches!(wire, "openai-completions" | "demo"), std::sync::Arc::default());
    let default = |available: &[&str]| named(&catalog.default_model(|p| available.contains(&&*p.id)));
    assert_eq!(default(&["anthropic", "openai", "groq"]), "groq/openai/gpt-oss-120b");
    // Its default speaks another API, but some of its models do not.
    assert_eq!(default(&["fireworks"]), "fireworks/accounts/fireworks/models/glm-5p2");
    assert_eq!(default(&["anthropic"]), "demo/demo");
}

#[test]
fn a_listing_of_all_models_is_quick() {
    let (_home, catalog) = catalog("");
    let snapshot = catalog.snapshot();
    let count = snapshot.models().count();
    assert!(count > 1450, "{count}");
    // Nothing is parsed for it: each level is a bit, and each text is a part of the table.
    let levels: usize = snapshot.models().map(|model| model.thinking_levels().len()).sum();
    assert!(levels > count);
}
