//! OpenAI's Responses API, as OpenAI and other servers speak it. Azure's and that of subscriptions are variations
//! of it.
//!
//! `compat.rs` knows how servers differ, `body.rs` and `input.rs` make requests, `stream.rs` reads answers with
//! the types of `event.rs`. It must never hold a key (the transport adds it), nor rely on anything being stored
//! at the server.

mod body;
mod compat;
mod event;
mod input;
mod prices;
mod slot;
mod stream;

pub(super) use self::body::{Dialect, encode};
pub(super) use self::input::said_before;
use self::compat::{Affinity, Compat};
use self::prices::Prices;
use super::{Access, Auth, Decoder, Framing, HttpRequest, Wire, error_body, openai};
use crate::catalog::Model;
use crate::models::Fault;
use crate::models::message::{CacheRetention, Request};

/// The wire `openai-responses`.
#[derive(Clone, Copy, Debug)]
pub struct Api;

impl Wire for Api {
    fn id(&self) -> &'static str {
        "openai-responses"
    }

    fn encode(&self, request: &Request, model: &Model, _access: Access) -> HttpRequest {
        HttpRequest {
            method: "POST",
            url: openai::url(&model.base_url, "/responses"),
            headers: headers(request, model),
            body: encode(request, model, &model.id, Dialect::OpenAi),
            auth: openai::auth(model, Auth::Bearer),
            framing: Framing::Sse,
        }
    }

    fn decoder(&self, model: &Model) -> Box<dyn Decoder> {
        decoder(model, Dialect::OpenAi)
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        error_body::fault(status, body)
    }
}

/// The decoder that all three have.
pub(super) fn decoder(model: &Model, dialect: Dialect) -> Box<dyn Decoder> {
    let tier = Compat::of(model).service_tier();
    Box::new(stream::Stream::new(Prices::new(model, tier, dialect == Dialect::Codex)))
}

fn headers(request: &Request, model: &Model) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("accept", "text/event-stream".to_owned()),
    ];
    let session = openai::session(request);
    if request.cache != CacheRetention::None && !session.is_empty() {
        let names: &[&'static str] = match Compat::of(model).affinity {
            Affinity::Full => &["session_id", "x-client-request-id"],
            Affinity::NoSession => &["x-client-request-id"],
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
pub(super) mod tests;
