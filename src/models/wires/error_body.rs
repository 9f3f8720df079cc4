//! What servers of the OpenAI kind say when something went wrong. It must never fail on anything.

use serde_json::Value;

use crate::models::{Fault, fault, json};

/// What an error answer with this body means.
pub(super) fn fault(status: u16, body: &[u8]) -> Fault {
    let text = String::from_utf8_lossy(body);
    match ErrorBody::of(&text) {
        Some(error) => fault::refused(status, &error.code, &error.text),
        None => fault::refused(status, "", &text),
    }
}

/// What an error object says, in any of the shapes that servers give it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ErrorBody {
    pub(super) status: Option<u16>,
    pub(super) code: String,
    pub(super) text: String,
}

impl ErrorBody {
    /// `None` where `json` is no JSON or says nothing that is known here.
    pub(super) fn of(json: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(&json::repair(json.trim())).ok()?;
        // Google wraps its errors in a list.
        let value = value.get(0).unwrap_or(&value);
        let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
        let mut body = Self::default();
        match error {
            Value::String(text) => body.text.clone_from(text),
            Value::Object(_) => body.read(error),
            _ => return None,
        }
        if body.text.is_empty() {
            // The message stands beside the error in some servers.
            body.text =
                words(value.get("message")).or_else(|| words(value.get("detail"))).unwrap_or_default();
        }
        (!body.text.is_empty() || !body.code.is_empty()).then_some(body)
    }

    fn read(&mut self, error: &Value) {
        let code = error.get("code").or_else(|| error.get("status_code"));
        let named = |name: &str| error.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        named("code")
            .filter(|code| code.parse::<u16>().is_err())
            .or_else(|| named("type"))
            .or_else(|| named("status"))
            .unwrap_or_default()
            .clone_into(&mut self.code);
        self.status = [code, error.get("status_code"), error.get("status")]
            .into_iter()
            .flatten()
            .find_map(|value| match value {
                Value::Number(number) => number.as_u64(),
                Value::String(text) => text.parse().ok(),
                _ => None,
            })
            .and_then(|status| u16::try_from(status).ok())
            .filter(|status| (400..600).contains(status));
        self.text = words(error.get("message")).or_else(|| words(error.get("detail"))).unwrap_or_default();
        // What OpenRouter's provider said itself.
        if let Some(raw) = error.pointer("/metadata/raw").and_then(|raw| words(Some(raw))) {
            let raw = Self::of(&raw).map_or(raw, |inner| inner.text);
            if !raw.is_empty() && !self.text.contains(&raw) {
                self.text = if self.text.is_empty() {
                    raw
                } else {
                    format!("{}: {raw}", self.text.trim_end_matches('.'))
                };
            }
        }
    }
}

/// A text, or the JSON of whatever stands in its place.
fn words(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then(|| text.clone()),
        other => Some(other.to_string()),
    }
}
