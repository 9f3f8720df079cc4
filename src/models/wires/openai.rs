//! What requests of OpenAI's two APIs have in common.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::Auth;
use crate::catalog::Model;
use crate::models::message::{CacheRetention, Content, Message, Request};

/// OpenAI's limit for a cache key, in characters.
const MAX_CACHE_KEY: usize = 64;

/// `path` is appended to the base URL's own, before a query.
pub(super) fn url(base: &str, path: &str) -> String {
    let (base, query) = base.find('?').map_or((base, ""), |at| base.split_at(at));
    format!("{}{path}{query}", base.trim_end_matches('/'))
}

/// Where a key goes. Cloudflare's gateway has a header of its own for its key: any other is handed on to the provider
/// behind it, where it would take the place of the key that the gateway keeps for that provider.
pub(super) fn auth(model: &Model, usual: Auth) -> Auth {
    let is_gateway = &*model.provider == "cloudflare-ai-gateway"
        || model.base_url.to_ascii_lowercase().contains("://gateway.ai.cloudflare.com/");
    if is_gateway { Auth::BearerIn("cf-aig-authorization") } else { usual }
}

/// The session's name as a header: what cannot stand in one is left out rather than failing the call.
pub(super) fn session(request: &Request) -> String {
    request.session.chars().filter(char::is_ascii_graphic).take(256).collect()
}

/// What requests of one conversation are cached under.
pub(super) fn cache_key(request: &Request) -> Option<&str> {
    let key = cut(&request.session, MAX_CACHE_KEY);
    (request.cache != CacheRetention::None && !key.is_empty()).then_some(key)
}

/// What GitHub Copilot counts and routes by.
pub(super) fn copilot_headers(request: &Request) -> Vec<(&'static str, String)> {
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

/// A schema that is passed on byte for byte.
pub(super) struct Schema<'a>(pub(super) &'a str);

impl Serialize for Schema<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(self.0) {
            Ok(schema) if schema.get().starts_with('{') => schema.serialize(serializer),
            // Not an object: the provider would refuse the whole request for it.
            _ => {
                let mut map = serializer.serialize_map(Some(2))?;
                map.serialize_entry("type", "object")?;
                map.serialize_entry("properties", &Map::new())?;
                map.end()
            }
        }
    }
}

/// The user's own parameters win over everything.
pub(super) fn with_sampling(bytes: Vec<u8>, sampling: &Map<String, Value>) -> Vec<u8> {
    let Ok(mut fields) = serde_json::from_slice::<BTreeMap<String, Cow<'_, RawValue>>>(&bytes) else {
        return bytes;
    };
    for (name, value) in sampling {
        if let Ok(value) = serde_json::value::to_raw_value(value) {
            fields.insert(name.clone(), Cow::Owned(value));
        }
    }
    serde_json::to_vec(&fields).unwrap_or(bytes)
}

/// The first `max` characters.
fn cut(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(end, _)| text.get(..end).unwrap_or(text))
}
