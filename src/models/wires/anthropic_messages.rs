//! Anthropic's messages API, as Anthropic and the gateways and model makers that imitate it speak it.
//!
//! `compat.rs` knows how they differ, `body.rs` and `messages.rs` make requests, `identity.rs` is the shape that
//! a subscription demands, `stream.rs` reads answers with the types of `event.rs`. It must never hold a key: the
//! transport adds it.

mod body;
mod compat;
mod event;
mod identity;
mod messages;
mod prices;
mod stream;

use self::body::{Ask, Thinking};
use self::compat::{Compat, Host};
use self::prices::Prices;
use super::{Access, Auth, Decoder, Framing, HttpRequest, Wire, error_body, openai};
use crate::catalog::Model;
use crate::models::Fault;
use crate::models::message::{CacheRetention, Request};

/// The version of the API that all servers know.
const VERSION: &str = "2023-06-01";

/// The wire `anthropic-messages`.
#[derive(Clone, Copy, Debug)]
pub struct Api;

impl Wire for Api {
    fn id(&self) -> &'static str {
        "anthropic-messages"
    }

    fn encode(&self, request: &Request, model: &Model, access: Access) -> HttpRequest {
        let compat = Compat::of(model);
        let ask = Ask::of(request, model, &compat);
        HttpRequest {
            method: "POST",
            url: url(&model.base_url),
            headers: headers(request, model, &compat, &ask, access),
            body: body::encode(request, model, &compat, &ask, access),
            auth: match compat.host {
                Host::Copilot => Auth::Bearer,
                Host::CloudflareGateway | Host::Fireworks | Host::OpenRouter | Host::Other => {
                    openai::auth(model, Auth::Header("x-api-key"))
                }
            },
            framing: Framing::Sse,
        }
    }

    fn is_subscription(&self, key: &str) -> bool {
        key.contains("sk-ant-oat")
    }

    fn decoder(&self, model: &Model) -> Box<dyn Decoder> {
        Box::new(stream::Stream::new(Vec::new(), Prices::of(model)))
    }

    fn decoder_for(&self, request: &Request, model: &Model, access: Access) -> Box<dyn Decoder> {
        let called = match access {
            Access::Subscription => request.tools.iter().map(|tool| tool.name.clone()).collect(),
            Access::None | Access::Key | Access::Bearer => Vec::new(),
        };
        Box::new(stream::Stream::new(called, Prices::of(model)))
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        let mut fault = error_body::fault(status, body);
        // More telling than the type of the error, and not in every answer.
        if let Some(code) = event::error_code(body) {
            fault.code = Some(code.into());
        }
        if fault.message.contains("extra usage") {
            fault.hint = Some("see https://claude.ai/settings/usage, or use an API key".to_owned());
        }
        fault
    }
}

/// The path is appended to the base URL's own, before a query. A base that has some of the path already is not
/// given it twice.
fn url(base: &str) -> String {
    let path = base.split('?').next().unwrap_or_default().trim_end_matches('/');
    let rest = match path {
        whole if whole.ends_with("/v1/messages") => "",
        versioned if versioned.ends_with("/v1") => "/messages",
        _ => "/v1/messages",
    };
    openai::url(base, rest)
}

fn headers(
    request: &Request,
    model: &Model,
    compat: &Compat<'_>,
    ask: &Ask<'_>,
    access: Access,
) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("accept", "application/json".to_owned()),
        ("anthropic-version", VERSION.to_owned()),
    ];
    let mut betas: Vec<&str> = Vec::new();
    if access == Access::Subscription {
        headers.extend(identity::HEADERS.iter().map(|(name, value)| (*name, (*value).to_owned())));
        betas.extend(identity::BETAS);
    }
    if !compat.eager_input && !request.tools.is_empty() {
        betas.push("fine-grained-tool-streaming-2025-05-14");
    }
    match ask.thinking {
        Some(Thinking::Enabled { .. }) => betas.push("interleaved-thinking-2025-05-14"),
        Some(Thinking::Adaptive { block_binding: Some(_), .. }) => {
            betas.push("thinking-binding-controls-2026-08-01");
        }
        Some(Thinking::Adaptive { block_binding: None, .. } | Thinking::Disabled) | None => {}
    }
    if !compat.fallbacks.is_empty() {
        betas.push("server-side-fallback-2026-07-01");
    }
    if !betas.is_empty() {
        headers.push(("anthropic-beta", betas.join(",")));
    }
    let session = openai::session(request);
    if let Some(name) = compat.affinity
        && request.cache != CacheRetention::None
        && !session.is_empty()
    {
        headers.push((name, session));
    }
    if &*model.provider == "github-copilot" {
        headers.extend(openai::copilot_headers(request));
    }
    headers
}

#[cfg(test)]
mod tests;
