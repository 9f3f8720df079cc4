//! What of a list is taken, and what is passed over.

use serde_json::{Value, json};

use super::*;

/// A list in the source's shape, written by hand.
pub(in crate::catalog) const LIST: &str = include_str!("../../../../tests/fixtures/models-dev/api.json");

fn model(facts: &Facts, provider: &str, id: &str) -> ModelFacts {
    facts[provider].iter().find(|model| &*model.id == id).unwrap().clone()
}

#[test]
fn what_can_be_called_is_taken() {
    let facts = read(LIST.as_bytes()).unwrap();
    let names: Vec<String> = facts
        .iter()
        .flat_map(|(provider, models)| models.iter().map(move |model| format!("{provider}/{}", model.id)))
        .collect();
    let expected = [
        "anthropic/claude-haiku-4-5",
        "anthropic/claude-opus-5-9",
        "cloudflare-ai-gateway/claude-opus-5.9",
        "openai/gpt-4o",
        "openai/gpt-5.5",
        "openai/gpt-9",
        "opencode/gpt-9",
        "opencode/gpt-oss-9",
        "together/acme/Lion-2",
    ];
    assert_eq!(names, expected);
    let new = model(&facts, "openai", "gpt-9");
    let tier = Prices { input: 6.0, output: 18.0, cache_read: None, cache_write: None };
    let levels = [ThinkingLevel::Low, ThinkingLevel::Medium, ThinkingLevel::High, ThinkingLevel::Max];
    let expected = ModelFacts {
        id: "gpt-9".into(),
        name: "GPT-9".into(),
        context: 2_000_000,
        output: 256_000,
        cost: Some(Prices { input: 3.0, output: 12.0, cache_read: Some(0.3), cache_write: None }),
        tiers: vec![Tier { above: 200_000, prices: tier }],
        reasoning: true,
        levels: Some(levels.into_iter().collect()),
        images: true,
        retired: false,
        wire: None,
    };
    assert_eq!(new, expected);
    assert!(model(&facts, "openai", "gpt-4o").retired);
    // Known better here.
    assert_eq!(model(&facts, "openai", "gpt-5.5").context, 272_000);
    assert_eq!(model(&facts, "openai", "gpt-5.5").tiers.len(), 1);
    assert_eq!(model(&facts, "anthropic", "claude-haiku-4-5").levels, None);
    // Tokens of an answer that are not said, a price that depends, one with the noise of a division.
    let lion = model(&facts, "together", "acme/Lion-2");
    assert_eq!((lion.output, lion.cost.unwrap().input, lion.cost.unwrap().output), (4_096, 0.0, 0.3));
    let wires =
        [("opencode", "gpt-9"), ("opencode", "gpt-oss-9"), ("cloudflare-ai-gateway", "claude-opus-5.9")]
            .map(|(provider, id)| model(&facts, provider, id).wire);
    let expected = ["openai-responses", "openai-completions", "anthropic-messages"];
    assert_eq!(wires, expected.map(|wire| Some(wire.into())));
}

/// A list of one provider with one good model and another.
fn beside(other: &Value) -> Value {
    let good = json!({"id": "good", "tool_call": true, "limit": {"context": 1000, "output": 10}});
    json!({"openai": {"models": {"good": good, "other": other}}})
}

#[test]
fn what_is_odd_spoils_no_other() {
    let fine = json!({"id": "m", "tool_call": true, "limit": {"context": 1000, "output": 10}});
    assert_eq!(read(beside(&fine).to_string().as_bytes()).unwrap()["openai"].len(), 2);
    let with = |name: &str, value: Value| {
        let mut model = fine.clone();
        model[name] = value;
        model
    };
    let odd = [
        json!(null),
        json!(7),
        json!([]),
        json!({}),
        with("id", json!(7)),
        with("id", json!("")),
        with("id", json!("two words")),
        with("id", json!("e\u{202e}vil")),
        with("id", json!("x".repeat(300))),
        with("tool_call", json!(false)),
        with("tool_call", json!("yes")),
        with("limit", json!({})),
        with("limit", json!({"context": 0, "output": 1})),
        with("limit", json!({"context": -5, "output": 1})),
        with("limit", json!({"context": 1e300, "output": 1})),
        with("limit", json!({"context": "many", "output": 1})),
        with("cost", json!({"input": 1e9, "output": 1})),
        with("modalities", json!({"input": ["text"], "output": ["audio"]})),
    ];
    for other in odd {
        let facts = read(beside(&other).to_string().as_bytes()).unwrap();
        assert_eq!(facts["openai"].len(), 1, "{other}");
    }
    // What is odd in what can be left out is left out.
    let odd = [
        with("name", json!("e\u{1b}[31mvil")),
        with("cost", json!("cheap")),
        with("cost", json!({"input": 1, "output": 1, "tiers": [7, {"input": 1}]})),
        with("reasoning_options", json!([7, {"type": "effort", "values": [7, "enormous"]}])),
        with("provider", json!("me")),
        with("status", json!("resting")),
    ];
    for other in odd {
        let facts = read(beside(&other).to_string().as_bytes()).unwrap();
        let model = model(&facts, "openai", "m");
        assert_eq!((&*model.name, model.tiers.len(), model.levels), ("m", 0, None), "{other}");
    }
}

#[test]
fn what_is_no_list_is_an_error() {
    for text in [
        "",
        "{",
        "[]",
        "7",
        "null",
        "{}",
        "{\"openai\": 7}",
        "{\"openai\": {\"models\": []}}",
        "<html>",
        "{} x",
    ] {
        assert!(read(text.as_bytes()).is_err(), "{text}");
    }
    assert!(read(LIST.as_bytes().split_at(LIST.len() / 2).0).is_err(), "cut off");
    assert!(read(format!("{LIST} x").as_bytes()).is_err());
    // Depth is the parser's to bound.
    assert!(read(format!("{{\"acme\": {}", "[".repeat(100_000)).as_bytes()).is_err());
}
