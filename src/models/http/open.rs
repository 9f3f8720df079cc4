//! From a call to the head of its answer: the request with its key, and what every answer that is no event
//! stream means. It must never send a key to another host than the model's.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
};
use secrecy::ExposeSecret as _;
use url::Url;

use super::redact::Redactor;
use super::reuse::Answered;
use super::sign::{Scope, Unsigned, sign};
use super::socket::{self, Handshake, Keep, Key, Outcome, Sockets, Wanted};
use super::source::Source;
use crate::accounts::Credential;
use crate::models::fault::clean;
use crate::models::frames::Frames;
use crate::models::wires::{self, Access, Auth, Decoder, Framing, HttpRequest, Refusal, Wire};
use crate::models::{Call, Category, Fault, fault, overflow};
use crate::net::fault::Again;
use crate::net::retry_after;
use crate::net::transport::faults::{self, Circumstances};
use crate::net::transport::{Detail, Transport, Versions};
use crate::settings::ModelTransport;

/// Bytes of an error answer that are read.
const ERROR_LIMIT: usize = 64 << 10;
/// How long they may take: whoever waits is to be told of the error soon.
const ERROR_TIME: Duration = Duration::from_secs(2);
/// How hard a body is compressed.
const ZSTD_LEVEL: i32 = 3;

/// An answer whose head has come and is an event stream's.
pub(super) struct Opened {
    pub(super) source: Source,
    pub(super) decoder: Box<dyn Decoder>,
    pub(super) redactor: Redactor,
    /// Where from, for messages.
    pub(super) url: Url,
    pub(super) warnings: Vec<String>,
    /// Nothing is wrong, but the person may want to know.
    pub(super) note: Option<String>,
}

/// What calls are made with, and share.
pub(super) struct Means {
    pub(super) transport: Arc<Transport>,
    pub(super) answered: Arc<Answered>,
    pub(super) sockets: Arc<Sockets>,
}

/// An answer on its way.
pub(super) struct Opening {
    url: Option<Url>,
    sockets: Arc<Sockets>,
    /// Set while a WebSocket is tried, and from then on.
    trying: Arc<OnceLock<Key>>,
    future: Pin<Box<dyn Future<Output = Result<Opened, Fault>> + Send>>,
}

impl Opening {
    /// Where to, where that is known.
    pub(super) fn url(&self) -> Option<&Url> {
        self.url.as_ref()
    }

    /// Nobody waits for it any longer, as nothing came. If that was a WebSocket's doing it is not tried again.
    pub(super) fn gave_up(&self) {
        if let Some(key) = self.trying.get() {
            self.sockets.refuse(*key);
        }
    }

    pub(super) fn as_mut(&mut self) -> Pin<&mut Self> {
        Pin::new(self)
    }
}

impl Future for Opening {
    type Output = Result<Opened, Fault>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().future.as_mut().poll(cx)
    }
}

/// Prepares the call; nothing happens until it is polled.
pub(super) fn open(means: Means, call: Call) -> Opening {
    let url = match wires::wire(&call.model.wire) {
        Some(wire) => Url::parse(&wire.base_url(&call.request, &call.model)).ok(),
        None => None,
    };
    let (sockets, trying) = (Arc::clone(&means.sockets), Arc::<OnceLock<Key>>::default());
    Opening { url, sockets, trying: Arc::clone(&trying), future: Box::pin(run(means, call, trying)) }
}

async fn run(means: Means, call: Call, trying: Arc<OnceLock<Key>>) -> Result<Opened, Fault> {
    let redactor = Redactor::new(&call);
    let outcome = attempt(&means, &call, &redactor, &trying).await;
    outcome.map_err(|mut fault| {
        redactor.fault(&mut fault);
        fault
    })
}

async fn attempt(
    means: &Means,
    call: &Call,
    redactor: &Redactor,
    trying: &OnceLock<Key>,
) -> Result<Opened, Fault> {
    let Means { transport, answered, .. } = means;
    let wire = wires::wire(&call.model.wire).ok_or_else(|| fault::unknown_wire(&call.model.wire))?;
    let access = access(wire, &call.credential);
    wire.check(&call.request, &call.model, access)?;
    let request = wire.encode(&call.request, &call.model, access);
    within_limit(&request, call)?;
    let note = match by_socket(means, wire, call, &request, redactor, trying).await? {
        BySocket::Opened(opened) => return Ok(*opened),
        BySocket::Instead(note) => note,
    };
    let url = parse_url(&request.url)?;
    let mut headers = headers(wire, call, &request, &url)?;
    let framing = request.framing;
    let versions = if wire.http1_only(&call.request) { Versions::Http1 } else { Versions::All };
    let route =
        Arc::clone(transport).route_over(versions, Detail::Plain, &url, &call.settings, &call.system).await?;
    let mut body = request.body;
    if wire.takes_zstd(&request.url)
        && let Ok(small) = zstd::bulk::compress(&body, ZSTD_LEVEL)
    {
        body = small;
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("zstd"));
    }
    let method = reqwest::Method::from_bytes(request.method.as_bytes()).unwrap_or(reqwest::Method::POST);
    let body = Bytes::from(body);
    let send = || {
        let request = route.client.request(method.clone(), url.clone());
        request.headers(headers.clone()).body(body.clone()).send()
    };
    let response = match send().await {
        Err(error) if !error.is_connect() && !error.is_timeout() && answered.lost(&url) => send().await,
        sent => sent,
    };
    let response = response.map_err(|error| {
        let connect_ms = call.settings.timeouts.connect_ms;
        let circumstances =
            Circumstances { proxy: route.proxy.as_ref(), connect_ms, skew_ms: transport.skew_ms() };
        faults::of_request(&error, &url, &circumstances)
    })?;
    answered.note(&url);
    transport.note_date(response.headers(), call.system.clock.now_ms());
    if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        && let Some(proxy) = &route.proxy
    {
        return Err(faults::proxy_login(&url, proxy));
    }
    let response = check(response, wire, framing, &url, call, redactor).await?;
    Ok(Opened {
        source: Source::Body {
            body: Box::pin(response.bytes_stream()),
            frames: Frames::new(framing, call.settings.limits.max_message_bytes),
        },
        decoder: wire.decoder_for(&call.request, &call.model, access),
        redactor: redactor.clone(),
        url,
        warnings: route.warnings,
        note,
    })
}

/// What came of asking over a WebSocket.
enum BySocket {
    Opened(Box<Opened>),
    /// The call goes over HTTP; with what the person should know of the reason.
    Instead(Option<String>),
}

/// Asks over a WebSocket, where the wire has one and the settings want it.
async fn by_socket(
    means: &Means,
    wire: &'static dyn Wire,
    call: &Call,
    request: &HttpRequest,
    redactor: &Redactor,
    trying: &OnceLock<Key>,
) -> Result<BySocket, Fault> {
    let keep = match call.settings.transport {
        ModelTransport::Sse => return Ok(BySocket::Instead(None)),
        ModelTransport::Websocket => Keep::Yes,
        ModelTransport::Auto | ModelTransport::WebsocketCached => Keep::WithContext,
    };
    let Some(socket) = wire.socket(request) else { return Ok(BySocket::Instead(None)) };
    let url = parse_url(&socket.url)?;
    let bare = HttpRequest { headers: socket.headers, body: Vec::new(), url: socket.url, ..request.clone() };
    let mut headers = headers(wire, call, &bare, &url)?;
    for name in [ACCEPT, ACCEPT_ENCODING] {
        headers.remove(name);
    }
    let Means { transport, sockets, .. } = means;
    let route = Arc::clone(transport)
        .route_over(Versions::Http1, Detail::Plain, &url, &call.settings, &call.system)
        .await?;
    let key = Key::of(&url, &headers, &call.request.session, route.proxy.as_ref());
    // A conversation that names itself to nobody leaves no connection behind.
    let is_named = socket.ids.iter().any(|name| headers.contains_key(*name));
    let keep = if is_named { keep } else { Keep::No };
    let id = format!("{}{}", call.system.random.id(), call.system.random.id());
    for name in socket.ids.iter().filter(|_| !is_named) {
        insert(&mut headers, name, &id, Shown::Yes)?;
    }
    let check = |response: reqwest::Response| -> Pin<Box<dyn Future<Output = Fault> + Send + '_>> {
        let url = &url;
        Box::pin(async move {
            match check(response, wire, Framing::Sse, url, call, redactor).await {
                Err(fault) => fault,
                // Only errors are checked.
                Ok(response) => faults::not_a_stream(url, response.status().as_u16(), "nothing", None),
            }
        })
    };
    let handshake = Handshake { url: &url, headers, call, transport, route: &route, check: &check };
    let wanted = Wanted { handshake, body: &request.body, dialogue: socket.dialogue, key, keep, trying };
    match socket::open(sockets, wanted).await? {
        Outcome::Talk(talk) => Ok(BySocket::Opened(Box::new(Opened {
            source: Source::Socket(talk),
            decoder: wire.decoder_for(&call.request, &call.model, access(wire, &call.credential)),
            redactor: redactor.clone(),
            url,
            warnings: route.warnings,
            note: None,
        }))),
        Outcome::Instead(mut note) => {
            if let Some(note) = &mut note {
                redactor.text(note);
                tracing::info!("{note}");
            }
            Ok(BySocket::Instead(note))
        }
    }
}

/// Refuses what the model's data say is too long, rather than sending it for nothing.
fn within_limit(request: &HttpRequest, call: &Call) -> Result<(), Fault> {
    let limits = call.model.compat.get("inputLimits");
    let most = limits.and_then(|limits| limits.get("maxRequestBytes")).and_then(serde_json::Value::as_u64);
    let bytes = u64::try_from(request.body.len()).unwrap_or(u64::MAX);
    match most {
        Some(most) if bytes > most => Err(Fault {
            hint: Some(
                "begin a new conversation, or send less; maxRequestBytes stands in models.json".to_owned(),
            ),
            ..Fault::new(
                Category::ContextOverflow,
                format!("the request has {bytes} bytes, and {} takes at most {most}", call.model.id),
            )
        }),
        Some(_) | None => Ok(()),
    }
}

/// What the wire is told of a credential.
fn access(wire: &dyn Wire, credential: &Credential) -> Access {
    match credential {
        Credential::None => Access::None,
        Credential::Key(key) | Credential::Bearer(key) if wire.is_placeholder(key.expose_secret()) => {
            Access::None
        }
        Credential::Key(key) | Credential::Bearer(key) if wire.is_subscription(key.expose_secret()) => {
            Access::Subscription
        }
        Credential::Key(_) | Credential::Aws(_) => Access::Key,
        Credential::Bearer(_) => Access::Bearer,
    }
}

fn parse_url(text: &str) -> Result<Url, Fault> {
    let mut url = Url::parse(text).map_err(|error| faults::bad_url(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(faults::bad_url(&format!("the scheme {:?} is not http or https", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(faults::bad_url(
            "it holds a user name or password, which belong into auth.json or headers",
        ));
    }
    url.set_fragment(None);
    Ok(url)
}

/// The wire's headers, over them the key, over them the user's own; a signature last, as it stands for them.
fn headers(wire: &dyn Wire, call: &Call, request: &HttpRequest, url: &Url) -> Result<HeaderMap, Fault> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    // What a proxy sends unasked is understood too, but those forms hold short events back more often.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    for (name, value) in &request.headers {
        insert(&mut headers, name, value, Shown::Yes)?;
    }
    let access = access(wire, &call.credential);
    if let Credential::Key(key) | Credential::Bearer(key) = &call.credential
        && access != Access::None
    {
        let as_wire_says = !call.model.auth_header && access == Access::Key;
        let key = key.expose_secret();
        let bad_key = |_| faults::bad_key(&call.model.provider);
        match &request.auth {
            // Some gateways refuse two keys, so one header takes the other's place.
            Auth::Header(name) if as_wire_says => insert(&mut headers, name, key, Shown::No),
            Auth::BearerIn(name) if as_wire_says => {
                insert(&mut headers, name, &format!("Bearer {key}"), Shown::No)
            }
            Auth::Header(_) | Auth::BearerIn(_) | Auth::Bearer | Auth::SigV4 { .. } => {
                insert(&mut headers, "authorization", &format!("Bearer {key}"), Shown::No)
            }
        }
        .map_err(bad_key)?;
    }
    // What cannot stand in a header is left out rather than failing the call.
    let session: String = call.request.session.chars().filter(char::is_ascii_graphic).take(256).collect();
    for name in call.model.session_headers.iter().filter(|_| !session.is_empty()) {
        insert(&mut headers, name, &session, Shown::Yes)?;
    }
    for name in &call.model.without_headers {
        headers.remove(&**name);
    }
    for (name, value) in &call.headers {
        insert(&mut headers, name, value.expose_secret(), Shown::No)?;
    }
    if let Credential::Aws(keys) = &call.credential {
        let Auth::SigV4 { service, region } = &request.auth else {
            return Err(faults::not_signed(&call.model.wire));
        };
        let unsigned = Unsigned { method: request.method, url, body: &request.body };
        let scope = Scope { service, region, now_ms: call.system.clock.now_ms() };
        sign(&unsigned, &mut headers, keys, &scope).map_err(|_| faults::bad_key(&call.model.provider))?;
    }
    Ok(headers)
}

/// Whether a header's value may be shown.
#[derive(Clone, Copy)]
enum Shown {
    Yes,
    No,
}

fn insert(headers: &mut HeaderMap, name: &str, value: &str, shown: Shown) -> Result<(), Fault> {
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| faults::bad_header(name, "it is not a header's name"))?;
    // These frame the request itself.
    if matches!(
        header.as_str(),
        "content-length" | "transfer-encoding" | "connection" | "upgrade" | "te" | "trailer"
    ) {
        return Err(faults::bad_header(name, "the connection sets it itself"));
    }
    let mut value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| faults::bad_header(name, "its value contains control characters"))?;
    value.set_sensitive(matches!(shown, Shown::No));
    headers.insert(header, value);
    Ok(())
}

/// Lets an event stream pass and says what anything else is.
async fn check(
    response: reqwest::Response,
    wire: &dyn Wire,
    framing: Framing,
    url: &Url,
    call: &Call,
    redactor: &Redactor,
) -> Result<reqwest::Response, Fault> {
    let status = response.status();
    if status.is_redirection() {
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        return Err(faults::redirected(url, status.as_u16(), location));
    }
    let wait = retry_after::from_headers(response.headers(), call.system.clock.now_ms());
    if !status.is_success() {
        // Some providers know better than their status whether it is worth it.
        let in_vain = response.headers().get("x-should-retry").is_some_and(|value| value == "false");
        let name = wire.error_header().and_then(|name| response.headers().get(name)?.to_str().ok());
        let name = name.map(str::to_owned);
        let body = redactor.bytes(start_of(response).await);
        let status = status.as_u16();
        if body.trim_ascii().is_empty() && overflow::bodyless(&call.model.provider, status) {
            return Err(fault::overflowed_silently(status));
        }
        let refusal = Refusal { status, body: &body, name: name.as_deref(), url: url.as_str() };
        let mut fault = wire.refusal(&refusal);
        fault.status = fault.status.or(Some(status));
        fault.retry_after_ms = fault.retry_after_ms.max(wait);
        if in_vain {
            fault.again = Again::Never;
        }
        return Err(fault);
    }
    let content_type =
        response.headers().get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let media_type = content_type.as_deref().and_then(|value| value.split(';').next()).map(str::trim);
    let wanted = match framing {
        Framing::Sse => "text/event-stream",
        Framing::EventStream => "application/vnd.amazon.eventstream",
    };
    match media_type {
        // Some local servers leave it out.
        None | Some("") => Ok(response),
        Some(media_type) if media_type.eq_ignore_ascii_case(wanted) => Ok(response),
        Some(media_type) => {
            let media_type: String = clean(media_type).to_lowercase().chars().take(80).collect();
            let body = redactor.bytes(start_of(response).await);
            // Of a page, the title is what is left.
            let excerpt = excerpt(&String::from_utf8_lossy(&body));
            Err(faults::not_a_stream(url, status.as_u16(), &media_type, excerpt.as_deref()))
        }
    }
}

/// At most [`ERROR_LIMIT`] bytes of a body, as far as they come within [`ERROR_TIME`].
async fn start_of(mut response: reqwest::Response) -> Vec<u8> {
    let mut body = Vec::new();
    // A body that breaks or dawdles still says what it had said.
    let _ = tokio::time::timeout(ERROR_TIME, async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = ERROR_LIMIT - body.len();
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if body.len() >= ERROR_LIMIT {
                break;
            }
        }
    })
    .await;
    body
}

/// The start of a body, in one line; the title where it is a page.
fn excerpt(body: &str) -> Option<String> {
    let line: String = clean(body).chars().take(160).collect();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_urls_without_credentials_are_called() {
        assert!(parse_url("https://api.test/v1#x").is_ok_and(|url| url.as_str() == "https://api.test/v1"));
        for bad in ["", "api.test", "file:///etc/passwd", "https://", "ftp://x"] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
        let fault = parse_url("https://me:hunter2@api.test").unwrap_err();
        assert!(!fault.to_string().contains("hunter2"));
    }
}
