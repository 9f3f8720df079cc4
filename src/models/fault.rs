//! What can go wrong in the answer to a model call: what providers say, judged by status, code and words.
//!
//! Faults are built by the functions here, so that wording and hints are in one place. What a provider says is
//! never trusted: it passes through [`clean`] first. Faults of the connection itself are made in `net`.

use super::overflow;
pub use crate::net::clean::{clean, redact};
pub use crate::net::fault::{Again, Category, Fault, hint};
use crate::net::fault::{SUBJECT, again};

/// The provider answered a request with an error status. `code` and `text` are its own words, empty where it
/// said nothing.
pub fn refused(status: u16, code: &str, text: &str) -> Fault {
    let (code, text) = (short_code(code), clean(text));
    let message = if text.is_empty() {
        format!("{SUBJECT} answered with status {status} and no explanation")
    } else {
        format!("{SUBJECT} answered with status {status}: {text}")
    };
    let category = classify(Some(status), &code, &text);
    let again = match (category, status) {
        // What is not built in today will not be in a second.
        (_, 501 | 505) => Again::Never,
        (Category::Timeout, _) => Again::Patiently,
        _ => again(category),
    };
    let retry_after_ms = wait_in(&text);
    Fault {
        status: Some(status),
        code: non_empty(code),
        said: text.into(),
        retry_after_ms,
        again,
        ..Fault::new(category, message)
    }
}

/// The provider reported an error inside an answer that had begun. `status` where it named one.
pub fn broken_off(status: Option<u16>, code: &str, text: &str) -> Fault {
    let (code, text) = (short_code(code), clean(text));
    let message = match (text.is_empty(), code.is_empty()) {
        (false, _) => format!("{SUBJECT} broke off its answer: {text}"),
        (true, false) => format!("{SUBJECT} broke off its answer: {code}"),
        (true, true) => format!("{SUBJECT} broke off its answer without saying why"),
    };
    let category = classify(status, &code, &text);
    let again = match again(category) {
        Again::Soon | Again::Patiently => Again::Once,
        Again::Never if category == Category::Timeout => Again::Once,
        again => again,
    };
    let retry_after_ms = wait_in(&text);
    Fault {
        status,
        code: non_empty(code),
        said: text.into(),
        retry_after_ms,
        again,
        ..Fault::new(category, message)
    }
}

/// An error answer without a word that stands for an overflow, as it does with one provider: see
/// [`overflow::bodyless`].
pub fn overflowed_silently(status: u16) -> Fault {
    let message = format!("{SUBJECT} answered with status {status}, which means that the prompt is too long");
    Fault { status: Some(status), ..Fault::new(Category::ContextOverflow, message) }
}

/// An answer was made of less than was sent, by its own counts, in tokens.
pub fn cut_off(prompt: u64, context_window: u64) -> Fault {
    let message = if prompt > context_window {
        format!(
            "{SUBJECT} cannot have read all of the prompt: it has {prompt} tokens, and the model's context {context_window}"
        )
    } else {
        format!(
            "{SUBJECT} had no room for an answer: the prompt has {prompt} tokens, and the model's context {context_window}"
        )
    };
    Fault {
        hint: Some(
            "compact the conversation or choose a model with a larger context; if this model's is larger, set its contextWindow in models.json"
                .to_owned(),
        ),
        ..Fault::new(Category::ContextOverflow, message)
    }
}

/// The body ended before the answer did.
pub fn ended_early() -> Fault {
    let message = format!("{SUBJECT}'s answer ended early, without saying that it was complete");
    Fault::new(Category::Protocol, message).again(Again::Once)
}

/// One event of an answer was larger than the limit, in bytes.
pub fn event_too_large(limit: usize) -> Fault {
    Fault::new(Category::TooLarge, format!("{SUBJECT} sent an event of more than {limit} bytes"))
}

/// A part of an answer grew beyond the limit.
pub fn answer_too_large(what: &str, limit: usize) -> Fault {
    Fault::new(Category::TooLarge, format!("{SUBJECT}'s answer has more than {limit} {what}"))
}

/// The answer is not what the wire speaks.
pub fn protocol(detail: &str) -> Fault {
    Fault::new(Category::Protocol, joined(&format!("{SUBJECT}'s answer was not understood"), detail))
}

/// Wires of built-in providers that are not spoken.
const UNSPOKEN: [&str; 1] = ["pi-messages"];

/// No wire of this name is built in.
pub fn unknown_wire(id: &str) -> Fault {
    if UNSPOKEN.contains(&id) {
        let hint = "use a model of another provider; `aside models` says which can be called";
        return Fault {
            hint: Some(hint.to_owned()),
            ..Fault::new(Category::Other, format!("the API {id} is not part of this version"))
        };
    }
    Fault {
        hint: Some("correct `api` of the model in models.json".to_owned()),
        ..Fault::new(Category::Other, format!("there is no wire API named {}", clean(id)))
    }
}

/// The category of what a provider says. `code` is its error code or type, `text` its message.
pub fn classify(status: Option<u16>, code: &str, text: &str) -> Category {
    let said = format!("{code} {text}").to_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| said.contains(phrase));
    // A rate limit on tokens speaks of tokens too.
    let overflowed = || overflow::recognised(text) || overflow::recognised(code);
    if !matches!(status, Some(401 | 402 | 403 | 404 | 408 | 429 | 500..)) && overflowed() {
        return Category::ContextOverflow;
    }
    match status {
        Some(401) => Category::Authentication,
        Some(402) => Category::PaymentRequired,
        Some(403) if says(NO_MONEY) => Category::PaymentRequired,
        Some(403) if says(BAD_AWS_KEY) => Category::Authentication,
        Some(403) => Category::Permission,
        Some(404) => Category::NotFound,
        Some(408) => Category::Timeout,
        Some(429) if says(NO_MONEY) && !says(&["retry in", "try again in"]) => Category::PaymentRequired,
        Some(429) => Category::RateLimit,
        Some(409 | 425 | 503 | 529) => Category::Overloaded,
        Some(500..) if says(BUSY) => Category::Overloaded,
        // 424: what the provider itself depends on failed.
        Some(424 | 500..) => Category::Server,
        Some(400..) if says(BAD_KEY) => Category::Authentication,
        Some(400..) if says(NO_MONEY) => Category::PaymentRequired,
        Some(400..) if says(&["rate_limit", "rate limit"]) => Category::RateLimit,
        Some(400..) if says(NO_MODEL) => Category::NotFound,
        Some(400..) => Category::InvalidRequest,
        // Below 400 or none: an error inside an answer, known by its words only.
        _ if says(BAD_KEY) || says(&["authentication"]) => Category::Authentication,
        _ if says(NO_MONEY) => Category::PaymentRequired,
        _ if says(&["rate_limit", "rate limit", "too many requests"]) => Category::RateLimit,
        _ if says(BUSY) => Category::Overloaded,
        _ if says(&["permission_", "forbidden"]) => Category::Permission,
        _ if says(NO_MODEL) => Category::NotFound,
        _ if says(&["timeout", "timed out"]) => Category::Timeout,
        _ if says(&[
            "invalid_request",
            "invalid request",
            "invalid_prompt",
            "bad request",
            "tool_use_failed",
        ]) =>
        {
            Category::InvalidRequest
        }
        _ => Category::Server,
    }
}

const BAD_KEY: &[&str] = &["api key not valid", "incorrect api key", "invalid api key", "invalid_api_key"];

/// AWS says so of keys that are no good, and has the same status for keys that may not do this.
const BAD_AWS_KEY: &[&str] = &[
    "expiredtoken",
    "incompletesignature",
    "invalidclienttokenid",
    "invalidsignature",
    "missingauthenticationtoken",
    "signaturedoesnotmatch",
    "unrecognizedclient",
    "security token included in the request is",
    "invalid api key format",
];

const NO_MONEY: &[&str] = &[
    "insufficient_quota",
    "insufficient quota",
    "insufficient balance",
    "available balance",
    "insufficient credits",
    "credit balance",
    "out of budget",
    "quota exceeded",
    "exceeded your current quota",
    "monthly usage limit reached",
    "gousagelimiterror",
    "freeusagelimiterror",
    "billing",
    "payment_required",
];

const BUSY: &[&str] =
    &["overloaded", "high demand", "no capacity", "at capacity", "resourceexhausted", "resource_exhausted"];

const NO_MODEL: &[&str] = &["model_not_found", "not a valid model", "model not found", "not_found_error"];

/// The wait that a message asks for, in milliseconds: `try again in 7m12.5s`, `retry in 20ms`.
fn wait_in(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let at =
        ["try again in ", "retry in ", "retry after "].iter().find_map(|w| Some(text.find(w)? + w.len()))?;
    let mut rest = text.get(at..)?;
    let mut total = None;
    loop {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(end);
        let Ok(number) = number.trim_end_matches('.').parse::<f64>() else { break };
        let tail = tail.trim_start();
        let unit = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let factor = match unit {
            "ms" | "milliseconds" => 1.0,
            "s" | "sec" | "secs" | "second" | "seconds" => 1e3,
            "m" | "min" | "mins" | "minute" | "minutes" => 60e3,
            "h" | "hour" | "hours" => 3_600e3,
            _ => break,
        };
        total = Some(total.unwrap_or(0.0) + number * factor);
        rest = tail;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "never negative, and saturates"
    )]
    total.map(|ms| ms.ceil() as u64)
}

/// Codes are names: what is longer or not a name is a message in the wrong field.
fn short_code(code: &str) -> String {
    let code = clean(code);
    if code.chars().count() > 100 { String::new() } else { code }
}

fn non_empty(text: String) -> Option<Box<str>> {
    (!text.is_empty()).then(|| text.into())
}

fn joined(what: &str, detail: &str) -> String {
    let detail = clean(detail);
    if detail.is_empty() { what.to_owned() } else { format!("{what}: {detail}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: impl Into<Option<u16>>, code: &str, text: &str, expected: Category) {
        assert_eq!(classify(status.into(), code, text), expected, "{code} {text}");
    }

    #[test]
    fn statuses_decide_first() {
        for (status, category) in [
            (400, Category::InvalidRequest),
            (401, Category::Authentication),
            (402, Category::PaymentRequired),
            (403, Category::Permission),
            (404, Category::NotFound),
            (408, Category::Timeout),
            (413, Category::InvalidRequest),
            (422, Category::InvalidRequest),
            (429, Category::RateLimit),
            (500, Category::Server),
            (502, Category::Server),
            (503, Category::Overloaded),
            (520, Category::Server),
            (529, Category::Overloaded),
        ] {
            check(status, "", "", category);
        }
    }

    #[test]
    fn words_decide_where_a_status_is_ambiguous() {
        check(400, "", "Incorrect API key provided: ***", Category::Authentication);
        check(429, "insufficient_quota", "You exceeded your current quota", Category::PaymentRequired);
        check(429, "", "Quota exceeded for metric x. Please retry in 10s", Category::RateLimit);
        check(400, "", "This model's maximum context length is 8192 tokens", Category::ContextOverflow);
        check(413, "context_length_exceeded", "", Category::ContextOverflow);
        check(429, "", "too many tokens", Category::RateLimit);
        check(413, "rate_limit_exceeded", "Request too large, tokens per minute", Category::RateLimit);
        check(400, "", "x is not a valid model ID", Category::NotFound);
    }

    #[test]
    fn errors_inside_an_answer_are_known_by_their_words() {
        check(None, "overloaded_error", "Overloaded", Category::Overloaded);
        check(None, "rate_limit_exceeded", "", Category::RateLimit);
        check(None, "invalid_request_error", "no", Category::InvalidRequest);
        check(None, "invalid_prompt", "no", Category::InvalidRequest);
        check(None, "", "internal error", Category::Server);
        check(None, "context_length_exceeded", "", Category::ContextOverflow);
        check(400, "tool_use_failed", "Tool call validation failed", Category::InvalidRequest);
    }

    #[test]
    fn waits_are_read_from_messages() {
        for (text, expected) in [
            ("Rate limit reached. Please try again in 7m12.5s. Visit", Some(432_500)),
            ("Please retry in 10s.", Some(10_000)),
            ("try again in 20ms", Some(20)),
            ("Try again in 2 minutes", Some(120_000)),
            ("try again in a while", None),
            ("try again in 5", None),
            ("no wait", None),
        ] {
            assert_eq!(refused(429, "", text).retry_after_ms, expected, "{text}");
        }
    }

    #[test]
    fn messages_are_clean_and_secrets_are_gone() {
        let fault =
            refused(401, "invalid_api_key", "Incorrect API key provided: sk-abcdefghijklmnop.\u{1b}[0m");
        assert_eq!(fault.message, "the provider answered with status 401: Incorrect API key provided: ***");
        assert_eq!(fault.code.as_deref(), Some("invalid_api_key"));
        let fault = refused(400, "", "bad key hunter2hunter2").without(&["hunter2hunter2"]);
        assert_eq!(fault.message, "the provider answered with status 400: bad key ***");
        assert_eq!(refused(500, "", "").message, "the provider answered with status 500 and no explanation");
    }
}
