//! Refreshed facts over the table and under `models.json`.

use super::*;
use crate::catalog::facts::models_dev::tests::LIST;

/// The beginning of 2026, and a day much later, in milliseconds.
const OLD: u64 = 1_767_225_600_000;
const NEW: u64 = 1_900_000_000_000;

fn origin(facts_at_ms: u64) -> FactsOrigin {
    FactsOrigin::new(Some("\"v1\""), None, facts_at_ms, NEW)
}

/// A catalog that was refreshed with the list, which was made then.
fn refreshed(facts_at_ms: u64, models_json: &str) -> (tempfile::TempDir, Catalog) {
    let (home, catalog) = catalog(models_json);
    catalog.take_facts(LIST.as_bytes(), origin(facts_at_ms)).unwrap();
    (home, catalog)
}

fn kept(home: &tempfile::TempDir) -> std::path::PathBuf {
    home.path().join(FACTS_FILE)
}

#[test]
fn newer_facts_stand_above_the_built_in_ones() {
    let (_home, plain) = catalog("");
    let (_home, catalog) = refreshed(NEW, "");
    let (before, after) =
        (plain.find("openai", "gpt-5.5").unwrap(), catalog.find("openai", "gpt-5.5").unwrap());
    assert_eq!((before.cost.input, after.cost.input, after.cost.cache_read), (5.0, 4.0, 0.4));
    assert_eq!(after.cost.tiers.iter().map(|tier| tier.input).collect::<Vec<_>>(), [8.0]);
    assert_eq!((after.context_window, after.max_output), (272_000, 128_000));
    // What decides where and how it is called is never taken from outside.
    assert_eq!(
        (&after.base_url, &after.wire, &after.compat),
        (&before.base_url, &before.wire, &before.compat)
    );
    assert_eq!(after.thinking.0, before.thinking.0);

    let changes = catalog.snapshot().changes_since(&plain.snapshot());
    assert_eq!(changes.changed, ["openai/gpt-5.5"]);
    assert_eq!(changes.removed, ["openai/gpt-4o"], "it was dropped");
    let added = [
        "anthropic/claude-opus-5-9",
        "openai/gpt-9",
        "opencode/gpt-9",
        "opencode/gpt-oss-9",
        "together/acme/Lion-2",
        "cloudflare-ai-gateway/claude-opus-5.9",
    ];
    assert_eq!(changes.added, added);
    assert!(catalog.find("openai", "gpt-4o").is_some(), "but can be called");
    assert!(plain.snapshot().changes_since(&plain.snapshot()).is_empty());

    // The listing is that of the built models, in the order of the ids, each once.
    let snapshot = catalog.snapshot();
    for provider in snapshot.providers() {
        let ids: Vec<&str> = snapshot.models_of(&provider.id).map(|model| model.id()).collect();
        assert!(ids.is_sorted_by(|one, other| one < other), "{}: {ids:?}", provider.id);
    }
    for listed in snapshot.all_models() {
        let model = listed.build();
        assert_eq!((listed.id(), listed.name(), listed.wire()), (&*model.id, &*model.name, &*model.wire));
        assert_eq!((listed.cost(), listed.thinking_levels()), (model.cost.clone(), model.thinking_levels()));
        assert_eq!((listed.context_window(), listed.max_output()), (model.context_window, model.max_output));
        assert_eq!((listed.takes_images(), listed.reasoning()), (model.takes_images, model.reasoning));
    }
}

#[test]
fn a_new_model_is_called_as_its_provider_says() {
    let (_home, catalog) = refreshed(NEW, "");
    let called = |provider: &str, id: &str| {
        let model = catalog.find(provider, id).unwrap();
        (model.wire.to_string(), model.base_url.to_string())
    };
    let at = |wire: &str, url: &str| (wire.to_owned(), url.to_owned());
    assert_eq!(called("openai", "gpt-9"), at("openai-responses", "https://api.openai.com/v1"));
    assert_eq!(called("opencode", "gpt-9"), at("openai-responses", "https://opencode.ai/zen/v1"));
    assert_eq!(called("opencode", "gpt-oss-9"), at("openai-completions", "https://opencode.ai/zen/v1"));
    assert_eq!(called("together", "acme/Lion-2"), at("openai-completions", "https://api.together.ai/v1"));
    let gateway =
        "https://gateway.ai.cloudflare.com/v1/{CLOUDFLARE_ACCOUNT_ID}/{CLOUDFLARE_GATEWAY_ID}/anthropic";
    assert_eq!(called("cloudflare-ai-gateway", "claude-opus-5.9"), at("anthropic-messages", gateway));

    // Like the model that is called most like it, but for what is said of it.
    let (new, kin) = (
        catalog.find("anthropic", "claude-opus-5-9").unwrap(),
        catalog.find("anthropic", "claude-opus-5-5").unwrap(),
    );
    assert_eq!((&new.base_url, &new.compat, &new.headers), (&kin.base_url, &kin.compat, &kin.headers));
    let names: Vec<&str> = new.thinking_levels().into_iter().map(ThinkingLevel::name).collect();
    assert_eq!(names, ["low", "medium", "high", "max"]);
    let names: Vec<&str> = catalog
        .find("openai", "gpt-9")
        .unwrap()
        .thinking_levels()
        .into_iter()
        .map(ThinkingLevel::name)
        .collect();
    assert_eq!(names.last(), Some(&"max"));
    assert!(!names.contains(&"minimal") && !names.contains(&"xhigh"), "{names:?}");
    for (provider, header) in [("opencode", "x-opencode-client"), ("opencode", "x-evil")] {
        let model = catalog.find(provider, "gpt-9").unwrap();
        assert_eq!(model.headers.iter().any(|(name, _)| &**name == header), header != "x-evil");
    }
    // Nobody is asked for its key who was not asked before.
    assert!(catalog.provider("acme").is_none());
}

#[test]
fn older_facts_only_add() {
    let (_home, catalog) = refreshed(OLD, "");
    assert_eq!(catalog.find("openai", "gpt-5.5").unwrap().cost.tiers[0].output.to_string(), "45");
    assert!(catalog.snapshot().models().any(|model| model.id() == "gpt-4o"));
    assert!(catalog.find("openai", "gpt-9").is_some());
    // Time from the future is as good as now.
    let origin = FactsOrigin::new(None, None, u64::MAX, NEW);
    assert_eq!(origin.facts_at_ms, NEW);
}

#[test]
fn the_users_word_stands_above_refreshed_facts() {
    let (_home, catalog) = refreshed(
        NEW,
        r#"{"providers": {
            "openai": {
                "baseUrl": "http://127.0.0.1:9/v1",
                "models": [{"id": "gpt-5.5", "contextWindow": 7}],
                "modelOverrides": {"gpt-9": {"maxTokens": 9}, "gpt-10": {"name": "x"}}
            },
            "anthropic": {"modelOverrides": {"claude-haiku-4-5": {"name": "Mine"}}}
        }}"#,
    );
    let whole = catalog.find("openai", "gpt-5.5").unwrap();
    assert_eq!((whole.context_window, whole.cost.input), (7, 0.0));
    let new = catalog.find("openai", "gpt-9").unwrap();
    assert_eq!((new.max_output, new.context_window, &*new.base_url), (9, 2_000_000, "http://127.0.0.1:9/v1"));
    assert_eq!(&*catalog.find("openai", "gpt-4o").unwrap().base_url, "http://127.0.0.1:9/v1");
    assert_eq!(&*catalog.find("anthropic", "claude-haiku-4-5").unwrap().name, "Mine");
    let told: Vec<String> = told(&catalog).into_iter().map(|(_, _, message)| message).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("gpt-10") && told[0].contains("did you mean gpt-"), "{told:?}");
}

#[test]
fn the_file_is_private_versioned_and_seen_when_another_process_writes_it() {
    let (home, catalog) = catalog("");
    assert_eq!((catalog.origin(), catalog.asked_with()), (None, None));
    let other = Catalog::new(catalog.system.clone(), |_| true, std::sync::Arc::default());
    other.take_facts(LIST.as_bytes(), origin(NEW)).unwrap();
    assert_eq!(catalog.origin(), Some(origin(NEW)));
    assert_eq!(catalog.asked_with(), Some(origin(NEW)));
    assert!(catalog.find("openai", "gpt-9").is_some());
    #[cfg(unix)]
    assert_eq!(catalog.system.files.stamp(&kept(&home)).unwrap().shared_mode, 0);

    let confirmed = catalog.confirm_facts(NEW + 5).unwrap();
    assert_eq!(confirmed, FactsOrigin { checked_at_ms: NEW + 5, ..origin(NEW) });
    assert_eq!(other.origin().unwrap().checked_at_ms, NEW + 5);
    assert!(other.find("openai", "gpt-9").is_some());

    // What another version read may lack what this one would take.
    let text = String::from_utf8(catalog.system.files.read(&kept(&home)).unwrap()).unwrap();
    let foreign = text.replace("\"by\":\"aside ", "\"by\":\"aside 0.0.1 ");
    catalog.system.files.replace(&kept(&home), foreign.as_bytes()).unwrap();
    assert_eq!((catalog.asked_with(), catalog.origin().is_some()), (None, true));
    assert!(catalog.find("openai", "gpt-9").is_some());
    catalog.system.files.remove(&kept(&home)).unwrap();
    assert!(catalog.find("openai", "gpt-9").is_none());
    assert!(matches!(catalog.confirm_facts(NEW), Err(FactsError::NotKept(_))));
}

#[test]
fn a_damaged_file_counts_as_none_and_is_told() {
    let (home, catalog) = refreshed(NEW, "");
    let good = String::from_utf8(catalog.system.files.read(&kept(&home)).unwrap()).unwrap();
    let damaged = [
        (String::new(), "damaged"),
        (good[..good.len() / 2].to_owned(), "damaged"),
        ("[]".to_owned(), "damaged"),
        ("\u{0}\u{1}".to_owned(), "damaged"),
        (good.replace("\"version\":1", "\"version\":2"), "the form 2, not 1"),
        (good.replace("\"gpt-9\"", "\"g\\u001bpt-9\""), "damaged"),
        (good.replace("\"context\":2000000", "\"context\":0"), "damaged"),
        (good.replace("\"input\":4.0", "\"input\":-4.0"), "damaged"),
        (format!("{good}{}", " ".repeat(9 << 20)), "larger than 8 MiB"),
    ];
    for (text, why) in damaged {
        assert_ne!(text, good, "{why}");
        catalog.system.files.replace(&kept(&home), text.as_bytes()).unwrap();
        let told = told(&catalog);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].2.contains(why) && told[0].2.contains("aside models --refresh"), "{told:?}");
        assert!(catalog.find("openai", "gpt-9").is_none() && catalog.asked_with().is_none());
        assert_eq!(catalog.find("openai", "gpt-5.5").unwrap().cost.input.to_string(), "5");
    }
    catalog.take_facts(LIST.as_bytes(), origin(NEW)).unwrap();
    assert_eq!(told(&catalog), []);
    assert!(catalog.find("openai", "gpt-9").is_some());
}

#[test]
fn what_makes_no_sense_changes_nothing() {
    let (home, catalog) = refreshed(NEW, "");
    let before = catalog.system.files.read(&kept(&home)).unwrap();
    assert!(matches!(catalog.take_facts(b"<html>", origin(NEW)), Err(FactsError::Unreadable(_))));
    assert!(matches!(catalog.take_facts(b"{}", origin(NEW)), Err(FactsError::Unreadable(_))));
    assert_eq!(catalog.system.files.read(&kept(&home)).unwrap(), before);
    // Nowhere to keep it.
    let mut system = catalog.system;
    system.dirs.cache = None;
    let homeless = Catalog::new(system, |_| true, std::sync::Arc::default());
    let failed = homeless.take_facts(LIST.as_bytes(), origin(NEW)).unwrap_err();
    assert!(failed.to_string().contains("ASIDE_HOME"), "{failed}");
}
