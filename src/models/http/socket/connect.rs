//! The handshake of a WebSocket: an HTTP/1.1 request that the client of all other calls makes, so that proxies,
//! certificates, timeouts and their faults are the same. It must never offer an extension.

use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::StatusCode;
use reqwest::header::{
    CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use url::Url;

use super::Counted;
use crate::models::{Call, Category, Fault};
use crate::net::transport::faults::{self, Circumstances};
use crate::net::transport::{Route, Transport};

/// What the standard adds to a key before it is hashed.
const SALT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Bytes that are read at once.
const READ_BUFFER: usize = 16 << 10;

/// What a handshake is made of.
pub(in crate::models::http) struct Handshake<'a> {
    pub(in crate::models::http) url: &'a Url,
    /// The wire's, the key and the user's own.
    pub(in crate::models::http) headers: HeaderMap,
    pub(in crate::models::http) call: &'a Call,
    pub(in crate::models::http) transport: &'a Transport,
    /// For HTTP/1.1 and nothing newer.
    pub(in crate::models::http) route: &'a Route,
    /// What an error answer means.
    pub(in crate::models::http) check: &'a (dyn Fn(reqwest::Response) -> Checked<'a> + Sync),
}

type Checked<'a> = std::pin::Pin<Box<dyn Future<Output = Fault> + Send + 'a>>;

/// Why there is no connection.
pub(super) enum Refused {
    /// The call itself is refused, as it would be over HTTP.
    Fault(Fault),
    /// There is no WebSocket at this address.
    NoSuchPlace(String),
    /// It may go well another time.
    Broken(String),
}

impl Handshake<'_> {
    /// Bytes that a message may have.
    pub(super) fn limit(&self) -> usize {
        self.call.settings.limits.max_message_bytes
    }

    /// Makes a connection.
    pub(super) async fn shake(&self) -> Result<WebSocketStream<Counted>, Refused> {
        let connect_ms = self.call.settings.timeouts.connect_ms;
        // To connect has its own limit; what follows is one exchange of heads.
        let limit = Duration::from_millis(connect_ms.saturating_mul(2));
        match tokio::time::timeout(limit, self.upgraded(connect_ms)).await {
            Ok(shaken) => shaken,
            Err(_) => Err(Refused::Broken("no answer to the handshake".to_owned())),
        }
    }

    async fn upgraded(&self, connect_ms: u64) -> Result<WebSocketStream<Counted>, Refused> {
        let random = &self.call.system.random;
        let mut bytes = [0; 16];
        for half in bytes.chunks_exact_mut(8) {
            half.copy_from_slice(&random.next_u64().to_ne_bytes());
        }
        let key = BASE64_STANDARD.encode(bytes);
        let mut headers = self.headers.clone();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        // Base 64 is always fit for a header.
        let value = HeaderValue::from_str(&key).map_err(|_| Refused::Broken("no key".to_owned()))?;
        headers.insert(SEC_WEBSOCKET_KEY, value);
        let sent = self.route.client.get(self.url.clone()).headers(headers).send().await;
        let response = sent.map_err(|error| {
            let proxy = self.route.proxy.as_ref();
            let circumstances = Circumstances { proxy, connect_ms, skew_ms: self.transport.skew_ms() };
            let fault = faults::of_request(&error, self.url, &circumstances);
            // Who cannot be reached is not reached by another request either; but a server may not want HTTP/1.1.
            if error.is_connect() && fault.category != Category::Tls {
                Refused::Fault(fault)
            } else {
                Refused::Broken(fault.message)
            }
        })?;
        self.transport.note_date(response.headers(), self.call.system.clock.now_ms());
        let status = response.status();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.refused(response).await);
        }
        let named = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let switches = named(UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
        let unasked = [SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL]
            .iter()
            .any(|name| response.headers().contains_key(name));
        if !switches || unasked || named(SEC_WEBSOCKET_ACCEPT) != Some(&accept(&key)) {
            return Err(Refused::NoSuchPlace("the answer to the handshake is not one".to_owned()));
        }
        let io = response.upgrade().await.map_err(|_| Refused::Broken("it was closed".to_owned()))?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(self.limit()))
            .max_frame_size(Some(self.limit()));
        let io = Counted { io: Box::new(io), read: 0 };
        Ok(WebSocketStream::from_raw_socket(io, Role::Client, Some(config)).await)
    }

    /// What it means that the handshake was answered otherwise.
    async fn refused(&self, response: reqwest::Response) -> Refused {
        let status = response.status();
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_json = content_type.is_some_and(|value| value.starts_with("application/json"));
        // The provider's own word on the key, the plan or its own state. Anything else may be a proxy's, or a server's
        // that knows no WebSockets.
        let is_word = matches!(status.as_u16(), 401 | 402 | 403 | 408 | 409 | 425 | 429 | 500..);
        if is_json && is_word {
            return Refused::Fault((self.check)(response).await);
        }
        let why = format!("the handshake was answered with status {}", status.as_u16());
        if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED {
            return Refused::Broken(why);
        }
        Refused::NoSuchPlace(why)
    }
}

/// The answer that shows that the key was read.
fn accept(key: &str) -> String {
    BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{SALT}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_a_key_is_the_standards() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
