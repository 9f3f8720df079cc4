//! What a message is: request, notification, response, batch, or none of them. Pure.
//!
//! Everything that the JSON-RPC specification leaves open is decided here: `jsonrpc` may be missing but not
//! wrong, an id may be any string or number and is kept as the bytes that came, a member that stands twice
//! makes the message invalid, nesting is limited, and lone surrogates become U+FFFD.

use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::value::RawValue;

use super::RpcError;
use super::requests::RawId;
use crate::doors::framing::Framing;
use aside_protocol::{ErrorData, ErrorKind, INVALID_REQUEST, PARSE_ERROR};

/// Levels of nesting that a message may have; the JSON library's own limit.
const MAX_DEPTH: usize = 127;
/// Members that a batch may have.
const MAX_BATCH: usize = 1_024;

/// A readable message.
#[derive(Debug)]
pub enum Message {
    One(Result<One, Invalid>),
    Batch(Vec<Result<One, Invalid>>),
}

/// A single message.
#[derive(Debug)]
pub enum One {
    Request { id: RawId, method: String, params: Option<Box<RawValue>> },
    Notification { method: String, params: Option<Box<RawValue>> },
    Response { id: String, result: Option<Box<RawValue>> },
}

/// No usable message: what to answer, and to which id.
#[derive(Clone, Debug)]
pub struct Invalid {
    pub id: RawId,
    pub error: RpcError,
}

impl Invalid {
    fn parse(message: impl Into<String>, hint: Option<&str>) -> Self {
        Self { id: RawId::null(), error: error(PARSE_ERROR, ErrorKind::Parse, message, hint) }
    }

    pub(super) fn request(id: RawId, message: impl Into<String>, hint: Option<&str>) -> Self {
        Self { id, error: error(INVALID_REQUEST, ErrorKind::InvalidRequest, message, hint) }
    }

    /// A message beyond the limit.
    pub fn too_long(max: usize) -> Self {
        Self::parse(
            format!("the message is longer than {max} bytes"),
            Some("send less, or raise limits.maxMessageBytes in settings.json"),
        )
    }

    /// A header block without a usable length.
    pub fn bad_header(framing: Option<Framing>) -> Self {
        let message = match framing {
            Some(Framing::Headers) | None => {
                "a header block without one Content-Length, or a body that ended early"
            }
            Some(Framing::Lines) => "a broken line",
        };
        Self::parse(message, Some("each message is `Content-Length: N`, an empty line and N bytes"))
    }
}

/// An error with nothing but its kind and hint as data.
pub fn error(code: i32, kind: ErrorKind, message: impl Into<String>, hint: Option<&str>) -> RpcError {
    let data = ErrorData { kind, hint: hint.map(str::to_owned), path: None, retry_after_ms: None };
    RpcError { code, message: message.into(), data: Box::new(data) }
}

/// The members of a message that matter. A raw `null` is present; only a missing member is `None`.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads one frame's bytes.
pub fn classify(mut bytes: Vec<u8>) -> Result<Message, Invalid> {
    if mend_and_measure(&mut bytes) > MAX_DEPTH {
        return Err(Invalid::parse(format!("nested deeper than {MAX_DEPTH} levels"), None));
    }
    let text = std::str::from_utf8(&bytes)
        .map_err(|error| Invalid::parse(format!("not UTF-8 at byte {}", error.valid_up_to()), None))?;
    match text.trim_start().as_bytes().first() {
        Some(b'{') => Ok(Message::One(one(text)?)),
        Some(b'[') => {
            let members: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| not_json(&error))?;
            if members.is_empty() {
                return Err(Invalid::request(RawId::null(), "an empty batch", None));
            }
            if members.len() > MAX_BATCH {
                let message = format!("a batch of more than {MAX_BATCH} messages");
                return Err(Invalid::request(RawId::null(), message, None));
            }
            members.into_iter().map(|member| one(member.get())).collect::<Result<_, _>>().map(Message::Batch)
        }
        _ => {
            serde_json::from_str::<&RawValue>(text).map_err(|error| not_json(&error))?;
            Err(Invalid::request(RawId::null(), "a message is an object", None))
        }
    }
}

fn not_json(error: &serde_json::Error) -> Invalid {
    let hint = "one message is one line of JSON; line breaks inside a message are not allowed";
    Invalid::parse(format!("not JSON: {error}"), Some(hint))
}

/// The outer error is for what is not JSON, the inner for what is JSON and no message.
fn one(text: &str) -> Result<Result<One, Invalid>, Invalid> {
    if !text.trim_start().starts_with('{') {
        return Ok(Err(Invalid::request(RawId::null(), "a message is an object", None)));
    }
    let envelope: Envelope<'_> = match serde_json::from_str(text) {
        Ok(envelope) => envelope,
        Err(error) if error.is_data() => {
            // What follows the member that stands twice must be JSON all the same.
            serde_json::from_str::<&RawValue>(text).map_err(|error| not_json(&error))?;
            return Ok(Err(Invalid::request(RawId::null(), format!("not a message: {error}"), None)));
        }
        Err(error) => return Err(not_json(&error)),
    };
    Ok(message(&envelope))
}

fn message(envelope: &Envelope<'_>) -> Result<One, Invalid> {
    let id = envelope.id.map(RawId::parse);
    let readable = match &id {
        Some(Some(id)) => id.clone(),
        Some(None) | None => RawId::null(),
    };
    if envelope.jsonrpc.is_some_and(|version| version.get() != "\"2.0\"") {
        return Err(Invalid::request(readable, "jsonrpc is not \"2.0\"", None));
    }
    let Some(method) = envelope.method else {
        return match (envelope.result, envelope.error, &id) {
            (None, None, _) => {
                Err(Invalid::request(readable, "a message has a method, a result or an error", None))
            }
            (Some(_), Some(_), _) => {
                Err(Invalid::request(readable, "a response has a result or an error, not both", None))
            }
            (result, _, Some(Some(id))) => {
                Ok(One::Response { id: id.as_str().to_owned(), result: result.map(RawValue::to_owned) })
            }
            (_, _, Some(None) | None) => {
                Err(Invalid::request(readable, "a response has the id of its request", None))
            }
        };
    };
    let Ok(method) = serde_json::from_str::<String>(method.get()) else {
        return Err(Invalid::request(readable, "method is not a string", None));
    };
    let params = envelope.params.filter(|params| params.get() != "null").map(RawValue::to_owned);
    match id {
        None => Ok(One::Notification { method, params }),
        Some(Some(id)) => Ok(One::Request { id, method, params }),
        Some(None) => {
            let hint = "an id is a string or a number; leave it out for a notification";
            Err(Invalid::request(RawId::null(), "the id is neither a string nor a number", Some(hint)))
        }
    }
}

/// The id in the params of `$/cancelRequest` (LSP's `id`, ACP's `requestId`).
pub fn cancelled_id(params: &RawValue) -> Option<RawId> {
    #[derive(Deserialize)]
    struct Cancelled<'a> {
        #[serde(borrow, default, rename = "id")]
        lsp: Option<&'a RawValue>,
        #[serde(borrow, default, rename = "requestId")]
        acp: Option<&'a RawValue>,
    }
    // An array would be read field by field.
    let object = params.get().starts_with('{').then_some(params.get())?;
    let cancelled: Cancelled<'_> = serde_json::from_str(object).ok()?;
    RawId::parse(cancelled.lsp.or(cancelled.acp)?)
}

/// Replaces escapes of lone surrogates by `\ufffd`, which has as many bytes, and returns the deepest nesting.
/// The JSON library refuses such escapes, and editors send them.
fn mend_and_measure(bytes: &mut [u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut in_string = false;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => match code_unit(bytes, at) {
                Some(0xd800..=0xdbff) if matches!(code_unit(bytes, at + 6), Some(0xdc00..=0xdfff)) => {
                    at += 11;
                }
                Some(0xd800..=0xdfff) => {
                    bytes[at..at + 6].copy_from_slice(b"\\ufffd");
                    at += 5;
                }
                _ => at += 1,
            },
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    deepest
}

/// The code unit of the escape `\uXXXX` at `at`.
fn code_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests;
