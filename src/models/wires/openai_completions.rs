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

use self::chunk::ErrorBody;
use self::compat::{Affinity, Compat};
use super::{Access, Auth, Decoder, Framing, HttpRequest, Wire};
use crate::catalog::Model;
use crate::models::message::{CacheRetention, Content, Message, Request};
use crate::models::{Fault, fault};

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
        let cloudflare = model.base_url.contains("gateway.ai.cloudflare.com");
        HttpRequest {
            method: "POST",
            url: url(&model.base_url),
            headers: headers(request, model, &compat),
            body: body::encode(request, model, &compat),
            auth: if cloudflare { Auth::BearerIn("cf-aig-authorization") } else { Auth::Bearer },
            framing: Framing::Sse,
        }
    }

    fn decoder(&self, model: &Model) -> Box<dyn Decoder> {
        Box::new(stream::Stream::new(Compat::of(model).finish_reason))
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        let text = String::from_utf8_lossy(body);
        match ErrorBody::of(&text) {
            Some(error) => fault::refused(status, &error.code, &error.text),
            None => fault::refused(status, "", &text),
        }
    }
}

/// The path is appended to the base URL's own, before a query.
fn url(base: &str) -> String {
    let (path, query) = base.find('?').map_or((base, ""), |at| base.split_at(at));
    format!("{}/chat/completions{query}", path.trim_end_matches('/'))
}

fn headers(request: &Request, model: &Model, compat: &Compat<'_>) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("accept", "text/event-stream".to_owned()),
    ];
    // What cannot stand in a header is left out rather than failing the call.
    let session: String = request.session.chars().filter(char::is_ascii_graphic).take(256).collect();
    if compat.send_affinity && request.cache != CacheRetention::None && !session.is_empty() {
        let names: &[&'static str] = match compat.affinity {
            Affinity::Full => &["session_id", "x-client-request-id", "x-session-affinity"],
            Affinity::NoSession => &["x-client-request-id", "x-session-affinity"],
            Affinity::Routed => &["x-session-id"],
        };
        headers.extend(names.iter().map(|name| (*name, session.clone())));
    }
    if &*model.provider == "github-copilot" {
        headers.extend(copilot_headers(request));
    }
    headers
}

/// What GitHub Copilot counts and routes by.
fn copilot_headers(request: &Request) -> Vec<(&'static str, String)> {
    let by_user = matches!(request.messages.last(), Some(Message::User(_)));
    let has_image = request.messages.iter().any(|message| match message {
        Message::User(content) | Message::ToolResult { content, .. } => {
            content.iter().any(|piece| matches!(piece, Content::Image { .. }))
        }
        Message::Assistant(_) => false,
    });
    let mut headers = vec![
        ("x-initiator", if by_user { "user" } else { "agent" }.to_owned()),
        ("openai-intent", "conversation-edits".to_owned()),
    ];
    if has_image {
        headers.push(("copilot-vision-request", "true".to_owned()));
    }
    headers
}

#[cfg(test)]
mod tests;
