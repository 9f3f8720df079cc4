//! What Google says when something went wrong: the message, and in the details how long to wait and which quota was
//! used up. It must never fail on anything.

use serde_json::Value;

use crate::models::fault::Again;
use crate::models::{Category, Fault, fault, json};

/// Bytes of an error that are worth reading.
const MAX_ERROR: usize = 1 << 20;
/// Longer waits are cut to this, in milliseconds.
const LONGEST_MS: f64 = 24.0 * 3_600_000.0;

/// What an error answer means.
pub(super) fn refused(status: u16, text: &str) -> Fault {
    match Said::read(text) {
        Some(said) => said.lay_over(fault::refused(status, &said.code, &said.text())),
        None => fault::refused(status, "", text),
    }
}

/// What an error inside an answer means.
pub(super) fn broken_off(text: &str) -> Fault {
    match Said::read(text) {
        Some(said) => said.lay_over(fault::broken_off(said.status, &said.code, &said.text())),
        None => fault::broken_off(None, "", text),
    }
}

#[derive(Default)]
struct Said {
    status: Option<u16>,
    /// Such as `RESOURCE_EXHAUSTED`.
    code: String,
    message: String,
    /// Such as `API_KEY_INVALID`.
    reason: String,
    /// Milliseconds.
    wait: Option<u64>,
    quotas: Vec<String>,
}

impl Said {
    /// `None` where it is no JSON or says nothing that is known here.
    fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_ERROR {
            return None;
        }
        let value: Value = serde_json::from_str(&json::repair(text.trim())).ok()?;
        // Some answers are lists with one error.
        let value = value.get(0).unwrap_or(&value);
        let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
        let mut said = Self::default();
        if let Value::String(message) = error {
            said.message.clone_from(message);
        } else {
            said.read_fields(error);
        }
        // Proxies put the whole error into the message of another.
        if said.message.trim_start().starts_with('{')
            && let Some(inner) = Self::read(&said.message)
        {
            said = inner;
        }
        (!said.message.is_empty() || !said.code.is_empty()).then_some(said)
    }

    fn read_fields(&mut self, error: &Value) {
        let named = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        named("message").clone_into(&mut self.message);
        named("status").clone_into(&mut self.code);
        if self.code.is_empty() {
            named("type").clone_into(&mut self.code);
        }
        let code = error.get("code");
        let status = code.and_then(Value::as_u64).or_else(|| code?.as_str()?.parse().ok());
        self.status = status.and_then(|status| u16::try_from(status).ok()).filter(|s| (400..600).contains(s));
        for detail in error.get("details").and_then(Value::as_array).into_iter().flatten().take(100) {
            let kind = detail.get("@type").and_then(Value::as_str).unwrap_or_default();
            match kind.rsplit('.').next() {
                Some("RetryInfo") => self.wait = detail.get("retryDelay").and_then(milliseconds),
                Some("ErrorInfo") => {
                    detail
                        .get("reason")
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .clone_into(&mut self.reason);
                }
                Some("QuotaFailure") => {
                    let violations = detail.get("violations").and_then(Value::as_array);
                    let ids = violations.into_iter().flatten().filter_map(|violation| {
                        violation.get("quotaId").or_else(|| violation.get("subject"))?.as_str()
                    });
                    self.quotas.extend(ids.take(20).map(str::to_owned));
                }
                _ => {}
            }
        }
    }

    /// The message, with the quotas that it does not name.
    fn text(&self) -> String {
        let unnamed: Vec<&str> =
            self.quotas.iter().map(String::as_str).filter(|quota| !self.message.contains(quota)).collect();
        if unnamed.is_empty() {
            return self.message.clone();
        }
        format!("{} (quota {})", self.message.trim_end().trim_end_matches('.'), unnamed.join(", "))
    }

    fn lay_over(&self, mut fault: Fault) -> Fault {
        fault.retry_after_ms = self.wait.or(fault.retry_after_ms);
        if matches!(self.reason.as_str(), "API_KEY_INVALID" | "ACCESS_TOKEN_EXPIRED" | "CREDENTIALS_MISSING")
        {
            fault.category = Category::Authentication;
            fault.again = Again::Never;
            fault.hint = fault::hint(fault.category).map(str::to_owned);
        }
        let is_daily = self.quotas.iter().any(|quota| quota.contains("PerDay"));
        if is_daily && matches!(fault.category, Category::RateLimit | Category::PaymentRequired) {
            // It asks to wait for seconds all the same.
            fault.retry_after_ms = None;
            fault.category = Category::PaymentRequired;
            fault.again = Again::Never;
            fault.hint = Some(
                "the quota of the day is used up: choose another model or a paid plan, or wait for tomorrow"
                    .to_owned(),
            );
        }
        fault
    }
}

/// `34.07s`, or an object with seconds and nanoseconds.
fn milliseconds(delay: &Value) -> Option<u64> {
    let seconds = match delay {
        Value::String(text) => text.trim().strip_suffix('s')?.parse::<f64>().ok()?,
        Value::Object(fields) => {
            let part = |name: &str| {
                let value = fields.get(name)?;
                value.as_f64().or_else(|| value.as_str()?.parse().ok())
            };
            part("seconds").unwrap_or(0.0) + part("nanos").unwrap_or(0.0) / 1e9
        }
        _ => return None,
    };
    let milliseconds = (seconds * 1000.0).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a day")]
    (milliseconds.is_finite() && milliseconds >= 0.0).then(|| milliseconds.min(LONGEST_MS) as u64)
}
