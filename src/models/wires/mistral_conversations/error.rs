//! What Mistral says when something went wrong: a message, or a list of the fields that it did not like. It must
//! never fail on anything.

use serde_json::Value;

use crate::models::wires::error_body::ErrorBody;
use crate::models::{Category, Fault, fault, json};

/// Bytes of an error that are worth reading.
const MAX_ERROR: usize = 1 << 20;
/// Fields that are named.
const MAX_FIELDS: usize = 10;

/// What an error answer means.
pub(super) fn refused(status: u16, text: &str) -> Fault {
    let (_, code, said) = read(text);
    let fault = fault::refused(status, &code, &said);
    if code == "invalid_model" && fault.category == Category::InvalidRequest {
        let hint = fault::hint(Category::NotFound).map(str::to_owned);
        return Fault { category: Category::NotFound, hint, ..fault };
    }
    fault
}

/// What an error inside an answer means.
pub(super) fn broken_off(text: &str) -> Fault {
    let (status, code, said) = read(text);
    fault::broken_off(status, &code, &said)
}

fn read(text: &str) -> (Option<u16>, String, String) {
    if text.len() > MAX_ERROR {
        return (None, String::new(), text.to_owned());
    }
    let fields = fields(text);
    match ErrorBody::of(text) {
        Some(error) => (error.status.or_else(|| status(text)), error.code, fields.unwrap_or(error.text)),
        None => (None, String::new(), fields.unwrap_or_else(|| text.to_owned())),
    }
}

/// The status that an error inside an answer would have had.
fn status(text: &str) -> Option<u16> {
    let value: Value = serde_json::from_str(text).ok()?;
    let status = value.get("raw_status_code").or_else(|| value.pointer("/error/raw_status_code"))?.as_u64()?;
    u16::try_from(status).ok().filter(|status| (400..600).contains(status))
}

/// The fields that a list of complaints names, and what is wrong with each.
fn fields(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(&json::repair(text.trim())).ok()?;
    let list = value.get("detail").or_else(|| value.pointer("/message/detail"))?.as_array()?;
    let complaint = |item: &Value| {
        let place = item.get("loc").and_then(Value::as_array).into_iter().flatten();
        let place: Vec<String> = place
            .map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned))
            .filter(|step| step != "body")
            .collect();
        let message = item.get("msg").and_then(Value::as_str)?;
        Some(if place.is_empty() { message.to_owned() } else { format!("{}: {message}", place.join(".")) })
    };
    let complaints: Vec<String> = list.iter().filter_map(complaint).take(MAX_FIELDS).collect();
    (!complaints.is_empty()).then(|| complaints.join("; "))
}
