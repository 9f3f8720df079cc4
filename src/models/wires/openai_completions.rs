//! OpenAI's chat completions, as OpenAI and some forty other servers speak it.
//!
//! `compat.rs` knows how they differ, `body.rs` and `messages.rs` make requests, `stream.rs` reads answers with
//! the types of `chunk.rs`. It must never hold a key: the transport adds it.

mod body;
mod chunk;
mod compat;
mod messages;
mod mold;
mod stream;

use self::compat::{Affinity, Compat};
use super::{Access, Auth, Decoder, Framing, HttpRequest, Wire, error_body, openai};
use crate::catalog::Model;
use crate::models::Fault;
use crate::models::message::{CacheRetention, Request};

/// Fields in which servers send thinking, and take it back. A signature that is one of these names the field.
const REASONING_FIELDS: [&str; 3] = ["reasoning_content", "reasoning", "reasoning_text"];

/// Tool calls that one answer may have.
const MAX_TOOL_CALLS: usize = 1000;

/// The wire `openai-completions`.
#[derive(Clone, Copy, Debug)]
pub struct Api;

impl Wire for Api {
    fn id(&self) -> &'static str {
        "openai-completions"
    }

    fn encode(&self, request: &Request, model: &Model, _access: Access) -> HttpRequest {
        let compat = Compat::of(model);
        HttpRequest {
            method: "POST",
            url: openai::url(&model.base_url, "/chat/completions"),
            headers: headers(request, model, &compat),
            body: body::encode(request, model, &compat),
            auth: openai::auth(model, Auth::Bearer),
            framing: Framing::Sse,
        }
    }

    fn decoder(&self, model: &Model) -> Box<dyn Decoder> {
        Box::new(stream::Stream::new(Compat::of(model).finish_reason))
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        error_body::fault(status, body)
    }
}

fn headers(request: &Request, model: &Model, compat: &Compat<'_>) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("accept", "text/event-stream".to_owned()),
    ];
    let session = openai::session(request);
    if compat.send_affinity && request.cache != CacheRetention::None && !session.is_empty() {
        let names: &[&'static str] = match compat.affinity {
            Affinity::Full => &["session_id", "x-client-request-id", "x-session-affinity"],
            Affinity::NoSession => &["x-client-request-id", "x-session-affinity"],
            Affinity::Routed => &["x-session-id"],
        };
        headers.extend(names.iter().map(|name| (*name, session.clone())));
    }
    if &*model.provider == "github-copilot" {
        headers.extend(openai::copilot_headers(request));
    }
    headers
}

#[cfg(test)]
mod tests;
