//! How servers differ that all claim to speak Anthropic's messages: detected by provider, base URL and model id,
//! then overridden field by field by the model's own `compat`.

use serde_json::Value;

use crate::catalog::Model;

/// Models that Anthropic takes as stand-ins for one that declines.
const MAX_FALLBACKS: usize = 3;

/// The servers whose ways are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    CloudflareGateway,
    Copilot,
    Fireworks,
    OpenRouter,
    Other,
}

/// Provider ids and parts of base URLs; the first that fits wins.
const HOSTS: &[(Host, &str, &str)] = &[
    (Host::CloudflareGateway, "cloudflare-ai-gateway", "gateway.ai.cloudflare.com"),
    (Host::Copilot, "github-copilot", "githubcopilot.com"),
    (Host::Fireworks, "fireworks", "api.fireworks.ai"),
    (Host::OpenRouter, "openrouter", "openrouter.ai"),
];

/// Everything that differs.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in models.json")]
pub(super) struct Compat<'a> {
    pub(super) host: Host,
    /// Tools may ask for their arguments to be streamed as they are made.
    pub(super) eager_input: bool,
    pub(super) long_cache: bool,
    pub(super) cache_on_tools: bool,
    /// The header that keeps a conversation on one machine.
    pub(super) affinity: Option<&'static str>,
    pub(super) temperature: bool,
    /// The model decides itself how long it thinks, and is given an effort instead of a budget.
    pub(super) adaptive: bool,
    /// Thinking cannot be switched off, and is bound to the conversation that it was made in.
    pub(super) managed_effort: bool,
    /// Thinking without a signature goes back with an empty one, instead of as text.
    pub(super) empty_signature: bool,
    /// Models of the same provider that take over when this one declines.
    pub(super) fallbacks: Vec<&'a str>,
    /// An opaque name of the person, for the provider's own purposes.
    pub(super) user: Option<&'a str>,
}

impl<'a> Compat<'a> {
    /// What holds for `model`.
    pub(super) fn of(model: &'a Model) -> Self {
        let base = model.base_url.to_ascii_lowercase();
        let host = HOSTS
            .iter()
            .find(|(_, provider, _)| **provider == *model.provider)
            .or_else(|| HOSTS.iter().find(|(_, _, part)| base.contains(part)))
            .map_or(Host::Other, |(host, ..)| *host);
        let claude = Claude::of(&model.id);
        let fireworks = host == Host::Fireworks;
        let explicit = &*model.compat;
        let flag = |name: &str, default: bool| explicit.get(name).and_then(Value::as_bool).unwrap_or(default);
        let send_affinity = flag(
            "sendSessionAffinityHeaders",
            matches!(host, Host::CloudflareGateway | Host::Fireworks | Host::OpenRouter),
        );
        let affinity = match explicit.get("sessionAffinityFormat").and_then(Value::as_str) {
            Some("openrouter") => "x-session-id",
            None if host == Host::OpenRouter => "x-session-id",
            _ => "x-session-affinity",
        };
        Self {
            host,
            eager_input: flag("supportsEagerToolInputStreaming", !fireworks),
            long_cache: flag("supportsLongCacheRetention", !fireworks),
            cache_on_tools: flag("supportsCacheControlOnTools", !fireworks),
            affinity: send_affinity.then_some(affinity),
            temperature: flag("supportsTemperature", claude.is_none_or(Claude::takes_temperature)),
            adaptive: flag("forceAdaptiveThinking", claude.is_some_and(Claude::is_adaptive)),
            managed_effort: flag("supportsMidConvoEffort", false),
            empty_signature: flag("allowEmptySignature", false),
            fallbacks: fallbacks(model).map(|(model, _)| model).collect(),
            user: explicit
                .get("metadata")
                .and_then(|metadata| metadata.get("user_id"))
                .and_then(Value::as_str)
                .filter(|user| !user.is_empty()),
        }
    }
}

/// The models that may take over: ids, or objects that may name another provider, whose models cannot.
pub(super) fn fallbacks(model: &Model) -> impl Iterator<Item = (&str, &Value)> {
    let provider = &*model.provider;
    let entries = model.compat.get("allowedFallbackModels").and_then(Value::as_array).into_iter().flatten();
    entries
        .filter(move |entry| {
            entry.get("provider").and_then(Value::as_str).is_none_or(|named| named == provider)
        })
        .filter_map(|entry| {
            let model = entry.as_str().or_else(|| entry.get("model")?.as_str())?;
            (!model.is_empty()).then_some((model, entry))
        })
        .take(MAX_FALLBACKS)
}

/// Which Claude an id names, so that one that no data file lists yet is asked as its kind demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claude {
    is_opus: bool,
    is_haiku: bool,
    version: (u32, u32),
}

impl Claude {
    /// Reads `claude-opus-4-7`, `anthropic/claude-opus-4.7`, `claude-sonnet-4-20250514` and the like. The older
    /// order, `claude-3-7-sonnet`, says that it is none of the kinds that are told apart here.
    fn of(id: &str) -> Option<Self> {
        let (_, name) = id.split_once("claude-")?;
        let (family, version) = name.split_once('-')?;
        let mut numbers = version.split(['-', '.', '@', ':']).map_while(|part| {
            // A date is no version.
            (part.len() < 3).then(|| part.parse::<u32>().ok()).flatten()
        });
        let version = (numbers.next()?, numbers.next().unwrap_or(0));
        let is_family = !family.is_empty() && family.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_family.then_some(Self { is_opus: family == "opus", is_haiku: family == "haiku", version })
    }

    fn is_adaptive(self) -> bool {
        self.version >= if self.is_haiku { (5, 0) } else { (4, 6) }
    }

    fn takes_temperature(self) -> bool {
        !(self.is_opus && self.version >= (4, 7))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_by_their_ids() {
        for (id, adaptive, temperature) in [
            ("claude-opus-4-5-20251101", false, true),
            ("claude-opus-4-6", true, true),
            ("anthropic/claude-opus-4.7", true, false),
            ("us.anthropic.claude-opus-4-8-v1:0", true, false),
            ("claude-opus-4-20250514", false, true),
            ("claude-sonnet-4-6", true, true),
            ("claude-sonnet-5", true, true),
            ("claude-haiku-4-5-20251001", false, true),
            ("claude-haiku-5-5", true, true),
            ("claude-fable-5-2", true, true),
            ("claude-opus-5-5", true, false),
        ] {
            let claude = Claude::of(id).unwrap();
            assert_eq!((claude.is_adaptive(), claude.takes_temperature()), (adaptive, temperature), "{id}");
        }
        for other in ["claude-3-7-sonnet-20250219", "claude-3-haiku-20240307", "kimi-k2", "claude-", "claude-x-"] {
            assert_eq!(Claude::of(other), None, "{other}");
        }
    }
}
