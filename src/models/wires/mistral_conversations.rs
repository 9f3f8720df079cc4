//! Mistral's own chat API: close to OpenAI's, but with thoughts as chunks of content, ids of nine characters, and an
//! order of roles that is held to.
//!
//! `body.rs`, `messages.rs` and `ids.rs` make requests, `stream.rs` reads answers with the types of `chunk.rs`,
//! `error.rs` reads what went wrong. It must never hold a key: the transport adds it.

mod body;
mod chunk;
mod error;
mod ids;
mod messages;
mod stream;

use super::{Access, Auth, Decoder, Framing, HttpRequest, Wire, openai};
use crate::catalog::Model;
use crate::models::Fault;
use crate::models::message::{CacheRetention, Request};

/// Tool calls that one answer may have.
const MAX_TOOL_CALLS: usize = 1000;

/// The wire `mistral-conversations`.
#[derive(Clone, Copy, Debug)]
pub struct Api;

impl Wire for Api {
    fn id(&self) -> &'static str {
        "mistral-conversations"
    }

    fn encode(&self, request: &Request, model: &Model, _access: Access) -> HttpRequest {
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("accept", "text/event-stream".to_owned()),
        ];
        let session = openai::session(request);
        if request.cache != CacheRetention::None && !session.is_empty() {
            headers.push(("x-affinity", session));
        }
        HttpRequest {
            method: "POST",
            url: url(&model.base_url),
            headers,
            body: body::encode(request, model),
            auth: Auth::Bearer,
            framing: Framing::Sse,
        }
    }

    fn decoder(&self, _model: &Model) -> Box<dyn Decoder> {
        Box::new(stream::Stream::default())
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        error::refused(status, &String::from_utf8_lossy(body))
    }
}

/// The base URL has no version, but people write one.
fn url(base: &str) -> String {
    let path = base.split('?').next().unwrap_or_default().trim_end_matches('/');
    openai::url(base, if path.ends_with("/v1") { "/chat/completions" } else { "/v1/chat/completions" })
}

#[cfg(test)]
mod tests;
