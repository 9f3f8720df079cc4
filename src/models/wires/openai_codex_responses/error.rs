//! What the subscriptions' API says when it refuses: before an answer, or in a frame of one, which then brings the
//! status and the headers that an answer over HTTP would have had. It must never fail on anything.

use serde_json::Value;

use super::super::{Decoder, Frame, error_body};
use crate::models::{Category, Delta, Fault};

/// Statuses that are errors.
const ERRORS: std::ops::Range<u64> = 400..600;
/// Bytes of an event that may be a refusal.
const MAX_REFUSAL: usize = 1 << 20;

/// What an error answer means.
pub(super) fn fault(status: u16, body: &[u8]) -> Fault {
    let fault = error_body::fault(status, body);
    match fault.code.as_deref() {
        Some("usage_limit_reached" | "usage_not_included") => {
            used_up(fault, &serde_json::from_slice(body).unwrap_or_default())
        }
        _ => fault,
    }
}

/// The plan has nothing left: not to be tried again soon, and no matter of requests per minute.
fn used_up(fault: Fault, body: &Value) -> Fault {
    let plan = body.pointer("/error/plan_type").and_then(Value::as_str).unwrap_or_default();
    let plan: String = plan.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    let seconds = body.pointer("/error/resets_in_seconds").and_then(Value::as_u64);
    let of_plan = if plan.is_empty() { String::new() } else { format!(" of the plan {plan}") };
    let again = seconds.map_or(String::new(), |seconds| format!("; try again in {} min", seconds.div_ceil(60)));
    Fault {
        status: fault.status,
        retry_after_ms: seconds.map(|seconds| seconds.saturating_mul(1000)),
        message: format!("the ChatGPT usage limit{of_plan} is reached{again}"),
        code: fault.code,
        said: fault.said,
        ..Fault::new(Category::PaymentRequired, "")
    }
}

/// The decoder that the APIs of this kind share, with refusals understood that come as events.
pub(super) struct Refined(pub(super) Box<dyn Decoder>);

impl Decoder for Refined {
    fn push(&mut self, frame: &Frame, out: &mut Vec<Delta>) -> Result<(), Fault> {
        self.0.push(frame, out).map_err(|fault| refusal(&frame.data).unwrap_or(fault))
    }

    fn finish(&mut self, out: &mut Vec<Delta>) -> Result<(), Fault> {
        self.0.finish(out)
    }

    fn is_done(&self) -> bool {
        self.0.is_done()
    }
}

/// What an event means that is an error answer, or a failure for a reason that only this API has.
fn refusal(data: &str) -> Option<Fault> {
    if data.len() > MAX_REFUSAL {
        return None;
    }
    let event: Value = serde_json::from_str(data).ok()?;
    let status = [event.get("status"), event.get("status_code")].into_iter().flatten().find_map(Value::as_u64);
    if let Some(status) = status.filter(|status| ERRORS.contains(status)) {
        let mut fault = fault(u16::try_from(status).ok()?, data.as_bytes());
        let wait = event.pointer("/headers/retry-after").and_then(|value| match value {
            Value::String(text) => text.parse().ok(),
            value => value.as_u64(),
        });
        fault.retry_after_ms = fault.retry_after_ms.max(wait.map(|seconds: u64| seconds.saturating_mul(1000)));
        return Some(fault);
    }
    // `response.failed` holds its error within the response.
    let failed = event.get("response").filter(|response| response.get("error").is_some()).unwrap_or(&event);
    let code = failed.pointer("/error/code").or_else(|| failed.pointer("/error/type"))?.as_str()?;
    matches!(code, "usage_limit_reached" | "usage_not_included").then(|| {
        let fault = error_body::fault(429, failed.to_string().as_bytes());
        Fault { status: None, ..used_up(fault, failed) }
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{decode, model};
    use super::super::super::Wire as _;
    use super::super::Api;
    use super::*;
    use crate::models::fault::Again;

    #[track_caller]
    fn check(data: &str, category: Category, message: &str) -> Fault {
        let frame = Frame { event: String::new(), data: data.to_owned() };
        let (_, fault) = decode(&Api, &model("openai-codex", ""), &[frame]);
        let fault = fault.unwrap();
        assert_eq!((fault.category, &*fault.message), (category, message));
        fault
    }

    #[test]
    fn an_error_answer_in_a_frame_is_one() {
        let fault = check(
            r#"{"type":"error","status":429,"error":{"type":"rate_limit_exceeded","message":"slow down"},"headers":{"retry-after":"7"}}"#,
            Category::RateLimit,
            "the provider answered with status 429: slow down",
        );
        assert_eq!((fault.retry_after_ms, fault.again), (Some(7_000), Again::Patiently));
        check(
            r#"{"type":"error","status_code":400,"error":{"code":"context_length_exceeded","message":"too long"}}"#,
            Category::ContextOverflow,
            "the provider answered with status 400: too long",
        );
        let fault = check(
            r#"{"type":"error","status":429,"error":{"type":"usage_limit_reached","message":"The usage limit has been reached","plan_type":"pro","resets_in_seconds":90}}"#,
            Category::PaymentRequired,
            "the ChatGPT usage limit of the plan pro is reached; try again in 2 min",
        );
        assert_eq!(fault.status, Some(429));
    }

    #[test]
    fn an_answer_that_breaks_off_is_none() {
        let fault = check(
            r#"{"type":"error","error":{"type":"server_error","message":"oops"}}"#,
            Category::Server,
            "the provider broke off its answer: oops",
        );
        assert_eq!(fault.again, Again::Once);
        check(
            r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"usage_limit_reached","message":"no","plan_type":"plus"}}}"#,
            Category::PaymentRequired,
            "the ChatGPT usage limit of the plan plus is reached",
        );
        check(r#"{"type":"error","status":200,"error":{"message":"odd"}}"#, Category::Server, "the provider broke off its answer: odd");
        assert_eq!(Api.fault(500, b"").category, Category::Server);
    }
}
