//! How servers differ that all claim to speak OpenAI's Responses API: what is known of providers, then overridden
//! field by field by the model's own `compat`.

use serde_json::{Map, Value};

use crate::catalog::Model;

/// Which headers keep a conversation on one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Affinity {
    Full,
    NoSession,
    Routed,
}

/// Everything that differs.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in models.json")]
pub(in crate::models::wires) struct Compat<'a> {
    pub(super) developer_role: bool,
    pub(super) reasoning_effort: bool,
    pub(super) max_output_tokens: bool,
    pub(super) strict: bool,
    pub(super) long_cache: bool,
    /// Whether caching can be switched off.
    pub(super) explicit_cache: bool,
    /// Whether long caching is asked for with the newer field.
    pub(super) cache_options: bool,
    pub(super) affinity: Affinity,
    pub(super) sampling: Option<&'a Map<String, Value>>,
}

impl<'a> Compat<'a> {
    /// What holds for `model`.
    pub(in crate::models::wires) fn of(model: &'a Model) -> Self {
        let routed = &*model.provider == "openrouter" || model.base_url.contains("openrouter.ai");
        let refuses_session = matches!(&*model.provider, "opencode" | "opencode-go");
        let newer = is_newer(&model.id);
        let mut compat = Self {
            developer_role: true,
            reasoning_effort: true,
            max_output_tokens: true,
            strict: true,
            long_cache: &*model.provider != "xai",
            explicit_cache: newer && model.base_url.contains("api.openai.com"),
            cache_options: newer,
            affinity: match (routed, refuses_session) {
                (true, _) => Affinity::Routed,
                (false, true) => Affinity::NoSession,
                (false, false) => Affinity::Full,
            },
            sampling: None,
        };
        compat.apply(&model.compat);
        compat
    }

    /// Explicit fields win one by one. A value of the wrong type says nothing.
    fn apply(&mut self, explicit: &'a Map<String, Value>) {
        let flag = |name: &str, field: &mut bool| {
            if let Some(value) = explicit.get(name).and_then(Value::as_bool) {
                *field = value;
            }
        };
        flag("supportsDeveloperRole", &mut self.developer_role);
        flag("supportsReasoningEffort", &mut self.reasoning_effort);
        flag("supportsMaxOutputTokens", &mut self.max_output_tokens);
        flag("supportsStrictMode", &mut self.strict);
        flag("supportsLongCacheRetention", &mut self.long_cache);
        flag("supportsExplicitPromptCacheMode", &mut self.explicit_cache);
        // The older name of the same switch.
        if explicit.get("sendSessionIdHeader").and_then(Value::as_bool) == Some(false) {
            self.affinity = Affinity::NoSession;
        }
        self.affinity = match explicit.get("sessionAffinityFormat").and_then(Value::as_str) {
            Some("openai") => Affinity::Full,
            Some("openai-nosession") => Affinity::NoSession,
            Some("openrouter") => Affinity::Routed,
            _ => self.affinity,
        };
        self.sampling = explicit.get("samplingParams").and_then(Value::as_object).filter(|map| !map.is_empty());
    }

    /// The service tier that is asked for.
    pub(in crate::models::wires) fn service_tier(&self) -> Option<&'a str> {
        self.sampling?.get("service_tier")?.as_str()
    }
}

/// Whether a model is GPT-5.6 or later, which are cached in another way.
fn is_newer(id: &str) -> bool {
    let id = id.rsplit_once('/').map_or(id, |(_, id)| id);
    let Some(version) = id.strip_prefix("gpt-") else { return false };
    let number = |text: &str| -> Option<u32> {
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text.get(..end)?.parse().ok()
    };
    let Some(major) = number(version) else { return false };
    let minor = version.split_once('.').filter(|(before, _)| before.len() < 3).and_then(|(_, after)| number(after));
    (major, minor.unwrap_or(0)) >= (5, 6)
}

#[cfg(test)]
mod tests {
    use super::is_newer;

    #[test]
    fn models_tell_their_age() {
        for id in ["gpt-5.6-luna", "gpt-6-sol", "openai/gpt-5.10", "gpt-5.6", "gpt-12"] {
            assert!(is_newer(id), "{id}");
        }
        for id in ["gpt-5", "gpt-5.5-pro", "gpt-4.1", "gpt-oss-120b", "gpt-4o", "o3", "gpt-", "gpt-5-2025.7"] {
            assert!(!is_newer(id), "{id}");
        }
    }
}
