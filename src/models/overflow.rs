//! Recognises that a request did not fit the model's context, from what providers say about it.
//!
//! The table is shared by all wires. `#` in a pattern stands for a number, `*` for anything on the way. It must
//! never match a rate limit: that would cause needless compaction.

use super::{StopReason, Usage};

/// Lower-case phrases; a pattern's parts (between the wildcards) must occur in this order.
const PATTERNS: &[&str] = &[
    "prompt is too long",
    "prompt too long",
    "request_too_large",
    "input is too long for requested model",
    "exceeds the context window",
    "exceeded the context window",
    "exceeds*maximum context length of #",
    "exceeds*maximum context length (#",
    "input token count*exceeds the maximum",
    "maximum prompt length is #",
    "reduce the length of the messages",
    "maximum context length is # tokens",
    "exceeds*maximum allowed input length of # tokens",
    "input (# tokens) is longer than the model's context length (# tokens)",
    "exceeds the limit of #",
    "exceed context limit",
    "exceeds the available context size",
    "exceed_context_size",
    "greater than the context length",
    "context window exceeds limit",
    "exceeded model token limit",
    "too large for model with # maximum context length",
    "prompt has # tokens, but the configured context size is # tokens",
    "model_context_window_exceeded",
    "exceeded max context length",
    "exceeded context length",
    "range of input length should be",
    "context_length_exceeded",
    "context length exceeded",
    "context_length exceeded",
    "context length_exceeded",
    "too many tokens",
    "token limit exceeded",
];

/// What the catalog gives a model whose `models.json` names no `contextWindow`, in tokens.
const GUESSED_WINDOW: u64 = 128_000;

/// Phrases that tell throttling from overflow.
const NEVER: &[&str] = &["rate limit", "rate_limit", "too many requests", "tokens per minute"];

/// Whether `text`, an error message or code of a provider, says that the context overflowed.
pub fn recognised(text: &str) -> bool {
    let text = text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or(text).to_lowercase();
    let throttled = text.starts_with("throttling error:")
        || text.starts_with("service unavailable:")
        || NEVER.iter().any(|phrase| text.contains(phrase));
    !throttled && PATTERNS.iter().any(|pattern| matches(pattern, &text))
}

/// Whether an error answer without a body means overflow, as it does for this provider only.
pub fn bodyless(provider: &str, status: u16) -> bool {
    provider == "cerebras" && matches!(status, 400 | 413)
}

/// Whether an answer that came as if nothing were wrong was made of less than was sent. Some servers cut the
/// prompt off and say so in their counts only; others leave no room for an answer.
pub fn silent(stop: Option<StopReason>, usage: &Usage, context_window: u64) -> bool {
    let prompt = prompt_tokens(usage);
    match stop {
        // A window that nobody named is a guess, and an answer that came is no overflow because of a guess.
        _ if context_window == 0 || context_window == GUESSED_WINDOW => false,
        Some(StopReason::EndTurn) => prompt > context_window,
        Some(StopReason::MaxTokens) => {
            usage.output == 0 && prompt.saturating_mul(100) >= context_window.saturating_mul(99)
        }
        Some(StopReason::ToolUse | StopReason::Refusal) | None => false,
    }
}

/// Tokens that were sent.
pub fn prompt_tokens(usage: &Usage) -> u64 {
    usage.input.saturating_add(usage.cache_read).saturating_add(usage.cache_write)
}

/// Longer texts are not messages for people; what says "overflow" stands at the start.
const MAX_TEXT: usize = 8 << 10;

fn matches(pattern: &str, text: &str) -> bool {
    let (first, rest) = match pattern.find(['#', '*']) {
        Some(at) => pattern.split_at(at),
        None => (pattern, ""),
    };
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|tail| tail.find(first)) {
        let end = from + at + first.len();
        if text.get(end..).is_some_and(|tail| matches_rest(rest, tail)) {
            return true;
        }
        from = end;
    }
    false
}

/// `rest` starts with a wildcard or is empty; `text` is what follows the part matched so far.
fn matches_rest(rest: &str, text: &str) -> bool {
    let mut characters = rest.chars();
    match characters.next() {
        Some('#') => {
            let tail = text.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ',' | '.' | '_'));
            let literal_end = characters.as_str().find(['#', '*']).unwrap_or(characters.as_str().len());
            let (literal, next) = characters.as_str().split_at(literal_end);
            tail.len() < text.len() && tail.strip_prefix(literal).is_some_and(|tail| matches_rest(next, tail))
        }
        // At most one `*` stands in a pattern, and what follows it is a pattern of its own.
        Some('*') => matches(characters.as_str(), text),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phrases_of_known_providers() {
        for text in [
            "prompt is too long: 213462 tokens > 200000 maximum",
            "413 {\"error\":{\"type\":\"request_too_large\"}}",
            "Your input exceeds the context window of this model",
            "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575)",
            "This model's maximum prompt length is 131072 but the request contains 537812 tokens",
            "Please reduce the length of the messages or completion",
            "This endpoint's maximum context length is 1048576 tokens. However, you requested 2,000,000",
            "Requested token count exceeds the model's maximum context length of 262144 tokens",
            "input length 5000 exceeds the maximum context length (4096)",
            "The input (516368 tokens) is longer than the model's context length (262144 tokens).",
            "prompt token count of 128001 exceeds the limit of 128000",
            "request (2009 tokens) exceeds the available context size (512 tokens), try increasing it",
            "tokens to keep from the initial prompt is greater than the context length",
            "Prompt contains 300000 tokens and is too large for model with 131072 maximum context length",
            "invalid params, context window exceeds limit (2013)",
            "Your request exceeded model token limit: 131072",
            "prompt has 9000 tokens, but the configured context size is 8192 tokens",
            "CONTEXT_LENGTH_EXCEEDED",
            "Range of input length should be [1, 129024]",
            "Input exceeds maximum allowed input length of 32768 tokens",
        ] {
            assert!(recognised(text), "{text}");
        }
    }

    #[test]
    fn other_errors_are_not_overflow() {
        for text in [
            "",
            "Throttling error: Too many tokens, please wait before trying again.",
            "Rate limit reached: too many tokens per minute",
            "429 Too Many Requests: token limit exceeded",
            "the number of tools exceeds the limit of tools",
            "exceeds the maximum",
            "This model does not support images",
        ] {
            assert!(!recognised(text), "{text}");
        }
    }

    #[test]
    fn counts_tell_what_a_server_kept_silent_about() {
        let usage = |input, cache_read, output| Usage { input, output, cache_read, ..Usage::default() };
        for (stop, usage, expected) in [
            (StopReason::EndTurn, usage(1_000, 0, 5), false),
            (StopReason::EndTurn, usage(600, 401, 5), true),
            (StopReason::ToolUse, usage(2_000, 0, 5), false),
            (StopReason::MaxTokens, usage(990, 0, 0), true),
            (StopReason::MaxTokens, usage(989, 0, 0), false),
            (StopReason::MaxTokens, usage(990, 0, 1), false),
        ] {
            assert_eq!(silent(Some(stop), &usage, 1_000), expected, "{stop:?} {usage:?}");
        }
        assert!(!silent(None, &usage(2_000, 0, 0), 1_000));
        assert!(!silent(Some(StopReason::EndTurn), &usage(2_000, 0, 0), 0), "nothing is known of the window");
        assert!(!silent(Some(StopReason::EndTurn), &usage(200_000, 0, 9), GUESSED_WINDOW), "nobody named it");
        assert!(silent(Some(StopReason::EndTurn), &usage(u64::MAX, u64::MAX, 0), u64::MAX - 1));
    }

    #[test]
    fn an_empty_refusal_is_overflow_for_one_provider() {
        assert!(bodyless("cerebras", 413));
        assert!(!bodyless("cerebras", 500));
        assert!(!bodyless("openai", 400));
    }
}
