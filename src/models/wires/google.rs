//! Google's `generateContent`, which the wires `google-generative-ai` and `google-vertex` share: they differ only in
//! where a request goes and in what authorises it.
//!
//! `family.rs` knows how the models differ, `body.rs`, `contents.rs` and `schema.rs` make requests, `stream.rs` reads
//! answers with the types of `chunk.rs`, `arguments.rs` joins arguments that come in pieces, `error.rs` reads what
//! went wrong. It must never hold a key: the transport adds it.

mod arguments;
mod body;
mod chunk;
mod contents;
mod error;
mod family;
mod schema;
mod signature;
mod stream;

use super::{Decoder, Framing, HttpRequest};
use crate::catalog::Model;
use crate::models::Fault;
use crate::models::message::Request;

/// Where a key goes.
const KEY_HEADER: &str = "x-goog-api-key";

/// Tool calls that one answer may have.
const MAX_TOOL_CALLS: usize = 1000;
/// Bytes that are kept until they can be passed on: signatures, and where in a text they stand.
const MAX_KEPT: usize = 16 << 20;

/// A request for `url`, which must name the method.
pub(super) fn request(url: String, request: &Request, model: &Model) -> HttpRequest {
    HttpRequest {
        method: "POST",
        url,
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("accept", "text/event-stream".to_owned()),
        ],
        body: body::encode(request, model),
        auth: super::Auth::Header(KEY_HEADER),
        framing: Framing::Sse,
    }
}

/// `base` with the path of a streamed call of `model` behind it, before a query.
pub(super) fn url(base: &str, prefix: &str, model: &str) -> String {
    let (path, query) = base.split_once('?').unwrap_or((base, ""));
    let path = path.trim_end_matches('/');
    let model = escaped(model);
    let query = if query.is_empty() { String::new() } else { format!("&{query}") };
    format!("{path}/{prefix}{model}:streamGenerateContent?alt=sse{query}")
}

/// A name as a part of a path, slashes and all.
pub(super) fn escaped(name: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/@:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Whether `key` is an access token of Google's rather than an API key: those are sent as `Authorization: Bearer`.
pub(super) fn is_access_token(key: &str) -> bool {
    let is_signed = || key.starts_with("eyJ") && key.split('.').count() == 3;
    key.starts_with("ya29.") || is_signed()
}

/// A fresh decoder for one answer.
pub(super) fn decoder() -> Box<dyn Decoder> {
    Box::new(stream::Stream::default())
}

/// What an error answer means.
pub(super) fn fault(status: u16, body: &[u8]) -> Fault {
    error::refused(status, &String::from_utf8_lossy(body))
}

#[cfg(test)]
mod tests;
