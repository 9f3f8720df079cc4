//! The switches that wires know, so that a mistyped one is told. What they do is the wires' affair; those that are
//! not known here are handed on as they are.

use serde_json::Value as Json;

use crate::settings::load::shown;
use crate::settings::nearest::nearest;

/// What a switch may be. `null` is always allowed: it takes the switch away.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Flag,
    Word(&'static [&'static str]),
    Text,
    Number,
    Object,
    List,
}

const THINKING_FORMATS: &[&str] = &[
    "openai",
    "openrouter",
    "deepseek",
    "zai",
    "qwen",
    "qwen-chat-template",
    "chat-template",
    "baseten",
    "together",
    "string-thinking",
    "ant-ling",
];

const SWITCHES: &[(&str, Kind)] = &[
    ("allowEmptySignature", Kind::Flag),
    ("allowedFallbackModels", Kind::List),
    ("cacheControlFormat", Kind::Word(&["anthropic"])),
    ("chatTemplateArgs", Kind::Object),
    ("chatTemplateKwargs", Kind::Object),
    ("forceAdaptiveThinking", Kind::Flag),
    ("maxTokensField", Kind::Word(&["max_tokens", "max_completion_tokens"])),
    ("metadata", Kind::Object),
    ("openRouterRouting", Kind::Object),
    ("requiresAssistantAfterToolResult", Kind::Flag),
    ("requiresReasoningContentOnAssistantMessages", Kind::Flag),
    ("requiresThinkingAsText", Kind::Flag),
    ("requiresToolResultName", Kind::Flag),
    ("sendSessionAffinityHeaders", Kind::Flag),
    ("sendSessionIdHeader", Kind::Flag),
    ("sessionAffinityFormat", Kind::Word(&["openai", "openai-nosession", "openrouter"])),
    ("streamFunctionCallArguments", Kind::Flag),
    ("supportsAdditionalTools", Kind::Flag),
    ("supportsCacheControlOnTools", Kind::Flag),
    ("supportsDeveloperRole", Kind::Flag),
    ("supportsEagerToolInputStreaming", Kind::Flag),
    ("supportsExplicitPromptCacheMode", Kind::Flag),
    ("supportsFinishReason", Kind::Flag),
    ("supportsJsonSchema", Kind::Flag),
    ("supportsLongCacheRetention", Kind::Flag),
    ("supportsMaxOutputTokens", Kind::Flag),
    ("supportsMidConvoEffort", Kind::Flag),
    ("supportsMidConvoSystemMessages", Kind::Flag),
    ("supportsMidConvoToolAdditions", Kind::Flag),
    ("supportsMidConvoToolChanges", Kind::Flag),
    ("supportsOpenAIGrammarTools", Kind::Flag),
    ("supportsReasoningEffort", Kind::Flag),
    ("supportsStore", Kind::Flag),
    ("supportsStrictMode", Kind::Flag),
    ("supportsStrictTools", Kind::Flag),
    ("supportsTemperature", Kind::Flag),
    ("supportsThinkingTokenBudget", Kind::Flag),
    ("supportsToolSearch", Kind::Flag),
    ("supportsUsageInStreaming", Kind::Flag),
    ("thinkingFormat", Kind::Word(THINKING_FORMATS)),
    ("thinkingTokenBudgetField", Kind::Text),
    ("vercelGatewayRouting", Kind::Object),
    ("vllmPriority", Kind::Number),
    ("zaiToolStream", Kind::Flag),
];

/// Fields of a model that are kept among its switches, where the wires find them.
pub(super) const KEPT: [&str; 3] = ["promptCache", "inputLimits", "samplingParams"];

/// What is wrong with a switch, and whether it is left out for that.
pub(super) enum Fault {
    /// Its value is none that it can have.
    Value(String),
    /// Its name looks like another one's.
    Name(String),
}

/// What is wrong with the switch `name` of this value.
pub(super) fn fault(name: &str, value: &Json) -> Option<Fault> {
    let Some((_, kind)) = SWITCHES.iter().find(|(known, _)| *known == name) else {
        if let Some(known) = KEPT.iter().find(|known| **known == name) {
            return Some(Fault::Value(format!("{known} is a field of the model, beside compat")));
        }
        let near = nearest(name, SWITCHES.iter().map(|(known, _)| *known), 1);
        let near = near.first()?;
        return Some(Fault::Name(format!("unknown switch {}, did you mean {near}?", shown(name))));
    };
    let fits = match kind {
        Kind::Flag => value.is_boolean(),
        Kind::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Kind::Text => value.is_string(),
        Kind::Number => value.is_i64(),
        Kind::Object => value.is_object(),
        Kind::List => value.is_array(),
    };
    if fits || value.is_null() {
        return None;
    }
    Some(Fault::Value(match kind {
        Kind::Flag => "expected true or false".into(),
        Kind::Word([word]) => format!("expected {word}"),
        Kind::Word(words) => format!("expected one of {}", words.join(", ")),
        Kind::Text => "expected a string".into(),
        Kind::Number => "expected a whole number".into(),
        Kind::Object => "expected an object".into(),
        Kind::List => "expected an array".into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_switch_of_the_data_files_is_known() {
        let rows =
            crate::catalog::table::providers().iter().flat_map(crate::catalog::table::ProviderRow::models);
        let mut seen = 0;
        for row in rows {
            for (name, value) in row.compat() {
                let is_kept = KEPT.contains(&name.as_str());
                let fits = fault(&name, &value).is_none() && SWITCHES.iter().any(|(known, _)| *known == name);
                assert!(is_kept || fits, "{}: {name}", row.id());
                seen += 1;
            }
        }
        assert!(seen > 1000, "{seen}");
    }

    #[test]
    fn names_are_in_order_and_there_once() {
        assert!(SWITCHES.is_sorted_by(|(one, _), (other, _)| one < other));
    }
}
