//! How the models behind one API differ: what Claude has and the others refuse, and which Claude is which.
//!
//! Ids are opaque for profiles of one's own, so a model's name counts as much as its id.

use crate::catalog::{Model, ThinkingLevel};
use crate::models::thinking::{self, Mapped};

/// What is known of one model.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Family {
    /// Signatures, budgets and efforts are Claude's.
    pub(super) is_claude: bool,
    /// `None` where nobody said what the model is, as for a profile of one's own.
    pub(super) caches: Option<bool>,
    /// What is cached may be kept for an hour.
    pub(super) long_cache: bool,
    /// Thinks as much as it finds right, within an effort, rather than within a budget.
    pub(super) is_adaptive: bool,
    pub(super) takes_temperature: bool,
}

impl Family {
    /// What `model` is, by its data where they say so, else by its id and name.
    pub(super) fn of(model: &Model) -> Self {
        let names = [spelt(&model.id), spelt(&model.name)];
        let named = |parts: &[&str]| names.iter().any(|name| parts.iter().any(|part| name.contains(part)));
        let switch = |name: &str| model.compat.get(name).and_then(serde_json::Value::as_bool);
        let is_claude = model.id.contains("anthropic.claude")
            || model.id.contains("anthropic/claude")
            || names.get(1).is_some_and(|name| name.contains("claude"));
        let mapped = |level| matches!(thinking::mapped(model, level), Mapped::Value(_));
        let is_adaptive = switch("forceAdaptiveThinking")
            .unwrap_or_else(|| mapped(ThinkingLevel::Max) || mapped(ThinkingLevel::Xhigh) || named(ADAPTIVE));
        Self {
            is_claude,
            caches: named(&["claude"]).then(|| named(CACHES)),
            long_cache: switch("supportsLongCacheRetention").unwrap_or(true),
            is_adaptive,
            takes_temperature: switch("supportsTemperature").unwrap_or(!(is_claude && named(NO_TEMPERATURE))),
        }
    }
}

/// Claude 4 and later, and the two older ones that can.
const CACHES: &[&str] = &["-4-", "claude-3-7-sonnet-", "claude-3-5-haiku-", "fable-5-", "opus-5-", "sonnet-5-", "haiku-5-"];

const ADAPTIVE: &[&str] = &[
    "opus-4-6-",
    "opus-4-7-",
    "opus-4-8-",
    "sonnet-4-6-",
    "opus-5-",
    "sonnet-5-",
    "fable-5-",
    "haiku-5-",
];

const NO_TEMPERATURE: &[&str] = &["opus-4-7-", "opus-4-8-", "opus-5-"];

/// An id or name in one spelling, with a hyphen at its end: `Claude Opus 4.6` is `claude-opus-4-6-`.
fn spelt(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 1);
    for c in name.chars().chain(['-']) {
        let c = if c.is_whitespace() || "_.:/".contains(c) { '-' } else { c.to_ascii_lowercase() };
        if c != '-' || !out.ends_with('-') {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::catalog::Thinking;
    use crate::models::wires::tests::model;

    fn family(id: &str, name: &str) -> Family {
        let mut model = model("amazon-bedrock", "https://x");
        (model.id, model.name) = (id.into(), name.into());
        Family::of(&model)
    }

    const ARN: &str = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc";

    #[track_caller]
    fn check(id: &str, name: &str, claude: bool, caches: Option<bool>, adaptive: bool, temperature: bool) {
        let expected = Family {
            is_claude: claude,
            caches,
            long_cache: true,
            is_adaptive: adaptive,
            takes_temperature: temperature,
        };
        assert_eq!(family(id, name), expected, "{id} {name}");
    }

    #[test]
    fn models_are_known_by_id_or_name() {
        check("us.anthropic.claude-sonnet-4-20250514-v1:0", "M", true, Some(true), false, true);
        check("anthropic.claude-3-5-sonnet-20240620-v1:0", "M", true, Some(false), false, true);
        check("anthropic.claude-3-5-haiku-20241022-v1:0", "M", true, Some(true), false, true);
        check("anthropic.claude-opus-4-7", "M", true, Some(true), true, false);
        check("global.anthropic.claude-opus-5-5", "M", true, Some(true), true, false);
        check("anthropic.claude-fable-5", "M", true, Some(true), true, true);
        check("amazon.nova-lite-v1:0", "Nova Lite", false, None, false, true);
        check(ARN, "M", false, None, false, true);
        check(ARN, "Claude Opus 4.6", true, Some(true), true, true);
        check(ARN, "my claude_3.7  sonnet", true, Some(true), false, true);
        check(ARN, "Claude Opus 4", true, Some(true), false, true);
        check(ARN, "Claude Opus 50", true, Some(false), false, true);
    }

    #[test]
    fn data_win_over_names() {
        let mut model = model("amazon-bedrock", "https://x");
        model.id = "anthropic.claude-next-9".into();
        model.thinking = Thinking(vec![(ThinkingLevel::Max, Some("max".into()))]);
        assert!(Family::of(&model).is_adaptive);
        let compat = serde_json::json!({ "forceAdaptiveThinking": false, "supportsTemperature": false });
        model.compat = Arc::new(compat.as_object().unwrap().clone());
        let family = Family::of(&model);
        assert_eq!((family.is_adaptive, family.takes_temperature), (false, false));
    }
}
