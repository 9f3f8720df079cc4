//! The one page that a browser comes back to: a server on the loopback that lives as long as one login.
//!
//! Any web page and any local program can reach it, so nothing ends or disturbs a login but an answer that holds
//! its state. It must never listen beyond the loopback unless the person says so, serve anything but static pages,
//! keep a connection, or repeat what it was sent.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use futures_util::StreamExt as _;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::FuturesUnordered;
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::form_urlencoded;

use super::paste::is_code;
use super::pkce::{Pkce, Proof};
use crate::system::Env;

/// Bytes of a request's head. Codes with their states have some hundred.
const MAX_HEAD: usize = 16 << 10;
/// Headers of a request.
const MAX_HEADERS: usize = 100;
/// Bytes of a request that was refused which are read all the same, so that the refusal arrives.
const MAX_DRAIN: usize = 2 << 20;
/// Connections at a time; the oldest gives way to a new one.
const MAX_OPEN: usize = 32;
/// A browser says all it has to say within this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// Ports that are tried where any port will do.
const TRIES: usize = 5;
/// After a connection could not be accepted, such as for want of descriptors.
const BREATH: Duration = Duration::from_millis(100);

/// Variables with an address to listen on in place of the loopback: inside a container, whose published ports do
/// not reach its loopback.
const HOSTS: [&str; 2] = ["ASIDE_OAUTH_CALLBACK_HOST", "PI_OAUTH_CALLBACK_HOST"];

/// What the browser, or the person, came back with.
pub(super) enum Back {
    Code(SecretString),
    /// The provider's error, in its own words.
    Refused {
        error: String,
        description: String,
    },
}

/// Why there is no server.
#[derive(Debug)]
pub(super) enum Unbound {
    /// Somebody else has the port.
    Busy,
    /// Anything else; for people.
    Failed(String),
}

/// The listening sockets. Dropping it closes the port.
pub(super) struct Callback {
    sockets: Vec<TcpListener>,
    port: u16,
}

/// What an answer must have.
struct Rules<'r> {
    path: &'r str,
    port: u16,
    pkce: &'r Pkce,
    /// Who must have sent the browser, where the answer says it (RFC 9207).
    issuer: Option<&'r str>,
}

impl Callback {
    /// Listens on the first of `ports` that is free, for both meanings of `localhost`; on any port where there is
    /// none.
    pub(super) async fn bind(ports: &[u16], env: &Env) -> Result<Self, Unbound> {
        let host = match HOSTS.iter().find_map(|name| Some((name, env.get(name)?))) {
            None => None,
            Some((name, host)) => Some(
                host.trim()
                    .parse::<IpAddr>()
                    .map_err(|_| Unbound::Failed(format!("{name} is not an IP address")))?,
            ),
        };
        let any = [0; TRIES];
        let ports = if ports.is_empty() { any.as_slice() } else { ports };
        let mut last = Unbound::Busy;
        for port in ports {
            match bound(*port, host).await {
                Ok(callback) => return Ok(callback),
                Err(unbound) => last = unbound,
            }
        }
        Err(last)
    }

    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the browser to come back to `path`. `note` is told, now and then, of answers that are not of this
    /// login.
    pub(super) async fn wait(
        &self,
        path: &str,
        pkce: &Pkce,
        issuer: Option<&str>,
        note: impl Fn(&str),
    ) -> Back {
        let rules = Rules { path, port: self.port, pkce, issuer };
        let mut talks = FuturesUnordered::new();
        let mut open = VecDeque::<AbortHandle>::new();
        let mut noted = false;
        loop {
            tokio::select! {
                biased;
                Some(ended) = talks.next(), if !talks.is_empty() => match ended {
                    Ok(Talked::Back(back)) => return back,
                    Ok(Talked::Strange) if !noted => {
                        noted = true;
                        note("the browser came back with an answer that is not of this login; it was not used");
                    }
                    Ok(Talked::Strange | Talked::Refused) | Err(_) => {}
                },
                socket = self.accept() => {
                    let Some(socket) = socket else {
                        tokio::time::sleep(BREATH).await;
                        continue;
                    };
                    let (handle, registration) = AbortHandle::new_pair();
                    if open.len() >= MAX_OPEN && let Some(oldest) = open.pop_front() {
                        oldest.abort();
                    }
                    open.push_back(handle);
                    talks.push(Abortable::new(Box::pin(talk(socket, &rules)), registration));
                }
            }
        }
    }

    async fn accept(&self) -> Option<TcpStream> {
        let accepts = self.sockets.iter().map(|socket| Box::pin(socket.accept()));
        let (accepted, _, _) = futures_util::future::select_all(accepts).await;
        accepted.ok().map(|(socket, _)| socket)
    }
}

async fn bound(port: u16, host: Option<IpAddr>) -> Result<Callback, Unbound> {
    let unbound = |error: std::io::Error| match error.kind() {
        // The latter is what Windows says of ports that it keeps for others.
        std::io::ErrorKind::AddrInUse | std::io::ErrorKind::PermissionDenied => Unbound::Busy,
        _ => Unbound::Failed(error.to_string()),
    };
    let first = host.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let socket = TcpListener::bind((first, port)).await.map_err(unbound)?;
    let port = socket.local_addr().map_err(unbound)?.port();
    let mut sockets = vec![socket];
    if host.is_none() {
        match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            Ok(socket) => sockets.push(socket),
            // Somebody else would be sent the code by a browser that takes this one first.
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => return Err(Unbound::Busy),
            // A machine without IPv6.
            Err(_) => {}
        }
    }
    Ok(Callback { sockets, port })
}

/// How one connection ended.
enum Talked {
    Back(Back),
    /// It asked for the right page with an answer that is not of this login.
    Strange,
    Refused,
}

async fn talk(mut socket: TcpStream, rules: &Rules<'_>) -> Talked {
    let talk = async {
        let mut head = Vec::with_capacity(1024);
        let (page, talked) = match read_head(&mut socket, &mut head).await {
            Some(Ok(())) => judge(&head, rules),
            Some(Err(page)) => (page, Talked::Refused),
            None => return Talked::Refused,
        };
        // A browser that has left needs no page.
        let _ = socket.write_all(page.bytes().as_bytes()).await;
        let _ = socket.shutdown().await;
        if !matches!(talked, Talked::Back(_)) {
            drain(&mut socket).await;
        }
        talked
    };
    tokio::time::timeout(PATIENCE, Box::pin(talk)).await.unwrap_or(Talked::Refused)
}

/// Reads up to the end of the head; `None` where the connection ended before.
async fn read_head(socket: &mut TcpStream, head: &mut Vec<u8>) -> Option<Result<(), &'static Page>> {
    let mut seen: usize = 0;
    loop {
        let new = head.get(seen.saturating_sub(3)..).unwrap_or_default();
        if memchr::memmem::find(new, b"\r\n\r\n").is_some() {
            return Some(Ok(()));
        }
        if head.len() > MAX_HEAD {
            return Some(Err(&TOO_LARGE));
        }
        seen = head.len();
        let mut chunk = [0; 2048];
        match socket.read(&mut chunk).await {
            Ok(read) if read > 0 => head.extend_from_slice(chunk.get(..read).unwrap_or_default()),
            _ => return None,
        }
    }
}

async fn drain(socket: &mut TcpStream) {
    let (mut left, mut chunk) = (MAX_DRAIN, [0; 4096]);
    while let Ok(read) = socket.read(&mut chunk).await
        && read > 0
        && left > read
    {
        left -= read;
    }
}

/// What a request gets, and what it means.
fn judge(head: &[u8], rules: &Rules<'_>) -> (&'static Page, Talked) {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return (&TOO_LARGE, Talked::Refused),
        Ok(httparse::Status::Partial) | Err(_) => return (&BAD, Talked::Refused),
    }
    let (Some(method), Some(target), Some(1)) = (request.method, request.path, request.version) else {
        return (&BAD, Talked::Refused);
    };
    if !is_ours(request.headers, rules.port) {
        return (&BAD, Talked::Refused);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    // In a time that does not depend on where they differ: the path of some is a secret.
    if verify_slices_are_equal(path.as_bytes(), rules.path.as_bytes()).is_err() {
        return (&MISSING, Talked::Refused);
    }
    if method != "GET" {
        return (&METHOD, Talked::Refused);
    }
    let has_body = |header: &httparse::Header<'_>| {
        header.name.eq_ignore_ascii_case("transfer-encoding")
            || header.name.eq_ignore_ascii_case("content-length") && header.value != b"0"
    };
    if request.headers.iter().any(has_body) {
        return (&BAD, Talked::Refused);
    }
    match answer(query, rules) {
        Some(Back::Code(code)) => (&DONE, Talked::Back(Back::Code(code))),
        Some(back @ Back::Refused { .. }) => (&DECLINED, Talked::Back(back)),
        None => (&STRANGE, Talked::Strange),
    }
}

/// Whether the request was meant for this server: a name that was rebound to the loopback is another's.
fn is_ours(headers: &[httparse::Header<'_>], port: u16) -> bool {
    let mut hosts = headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host"));
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|name| host.value.eq_ignore_ascii_case(format!("{name}:{port}").as_bytes()))
}

/// The answer in a query, if it is one of this login. What is there twice is there for no good reason.
fn answer(query: &str, rules: &Rules<'_>) -> Option<Back> {
    let (mut state, mut code, mut error, mut description, mut issuer) = (None, None, None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let place = match &*name {
            "state" => &mut state,
            "code" => &mut code,
            "error" => &mut error,
            "error_description" => &mut description,
            "iss" => &mut issuer,
            _ => continue,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    match (rules.pkce.proof, state) {
        (Proof::Path, None) => {}
        (_, Some(state)) if rules.pkce.is_state(&state) => {}
        _ => return None,
    }
    if let (Some(issuer), Some(expected)) = (issuer, rules.issuer)
        && issuer.trim_end_matches('/') != expected
    {
        return None;
    }
    match (error, code) {
        (Some(error), None) if !error.is_empty() => Some(Back::Refused {
            error: error.into_owned(),
            description: description.unwrap_or_default().into_owned(),
        }),
        (None, Some(code)) if is_code(&code) => Some(Back::Code(SecretString::from(&*code))),
        _ => None,
    }
}

/// A static page.
struct Page {
    status: &'static str,
    words: &'static str,
}

const DONE: Page = Page {
    status: "200 OK",
    words: "Aside has its answer. You can close this page; how the sign-in went on is told where you began it.",
};
const DECLINED: Page = Page {
    status: "200 OK",
    words: "The sign-in was not granted. You can close this page; what to do is told where you began it.",
};
const STRANGE: Page = Page {
    status: "400 Bad Request",
    words: "This is not the answer that Aside waits for: it does not belong to this sign-in. Aside goes on waiting. \
            Use the page that was opened last, or begin again.",
};
const BAD: Page = Page { status: "400 Bad Request", words: "This request is not understood here." };
const MISSING: Page = Page { status: "404 Not Found", words: "There is nothing here." };
const METHOD: Page =
    Page { status: "405 Method Not Allowed\r\nAllow: GET", words: "This page is only read." };
const TOO_LARGE: Page =
    Page { status: "431 Request Header Fields Too Large", words: "This request is too large." };

impl Page {
    fn bytes(&self) -> String {
        let Self { status, words } = self;
        let body = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Aside</title></head>\
             <body><p>{words}</p></body></html>\n"
        );
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

#[cfg(test)]
mod tests;
