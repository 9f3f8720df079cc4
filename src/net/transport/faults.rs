//! The faults of the transport: what is said when a connection cannot be made, breaks, stalls or is not HTTP
//! as agreed. It must never put a key, a proxy's password or a whole URL into a message.

mod tls;

use std::error::Error as StdError;

use url::Url;

use super::proxies::{self, Proxy};
use crate::net::clean::clean;
use crate::net::fault::Again;
use crate::net::fault::{Category, Fault};

/// With the hint of its category.
fn fault(category: Category, message: String) -> Fault {
    Fault::new(category, message)
}

fn hinted(category: Category, message: String, hint: &str) -> Fault {
    Fault { hint: Some(hint.to_owned()), ..fault(category, message) }
}

/// `HOST:PORT` of a URL: all of it that may be shown.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or("(no host)");
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The model's base URL cannot be called.
pub(crate) fn bad_url(why: &str) -> Fault {
    hinted(
        Category::InvalidRequest,
        format!("the model's base url cannot be used: {why}"),
        "set baseUrl in models.json to an http or https url",
    )
}

/// A header that cannot be sent; its value is not shown.
pub(crate) fn bad_header(name: &str, why: &str) -> Fault {
    hinted(
        Category::InvalidRequest,
        format!("the header {name:?} cannot be sent: {why}"),
        "correct \"headers\" in models.json",
    )
}

/// The wire has no place for a signature.
pub(crate) fn not_signed(wire: &str) -> Fault {
    hinted(
        Category::Authentication,
        format!("AWS's keys cannot authorise calls over {}", clean(wire)),
        "give the provider a key of its own in auth.json",
    )
}

/// A key that cannot stand in a header; it is not shown.
pub(crate) fn bad_key(provider: &str) -> Fault {
    hinted(
        Category::Authentication,
        format!("the key of {provider} contains characters that cannot be sent in a header"),
        "sign in again and paste the key without line breaks",
    )
}

/// A proxy that cannot be used. `source` tells where it was set.
pub(crate) fn bad_proxy(source: &str, why: &str) -> Fault {
    hinted(
        Category::InvalidRequest,
        format!("the proxy of {source} cannot be used: {why}"),
        "use a url such as http://host:3128 or socks5h://host:1080",
    )
}

/// The proxy's address is that of a script.
pub(crate) fn pac(source: &str) -> Fault {
    hinted(
        Category::InvalidRequest,
        format!("{source} names a script that chooses proxies (PAC), which is not supported"),
        "look the proxy up in that script, and name it itself, such as http://host:3128",
    )
}

/// The proxy does not let us in.
pub(crate) fn proxy_login(url: &Url, proxy: &Proxy) -> Fault {
    let (host, shown) = (authority(url), authority(&proxy.url));
    let source = proxy.source;
    let (message, hint) = if proxies::has_login(&proxy.url) {
        (
            format!("the proxy {shown} refused the user name and password for {host}"),
            format!(
                "correct them in {source}; special characters are written as %40 for @, %3A for : and so on"
            ),
        )
    } else {
        (
            format!("the proxy {shown} wants a user name and password for {host}"),
            format!("put them into {source}: http://user:password@host:port"),
        )
    };
    hinted(Category::Network, message, &hint).again(Again::Never)
}

/// TLS could not be set up.
pub(crate) fn no_tls(error: &rustls::Error) -> Fault {
    fault(Category::Tls, format!("failed to set up tls: {error}"))
}

/// The client could not be built.
pub(crate) fn no_client(error: &reqwest::Error) -> Fault {
    fault(Category::Tls, format!("failed to set up tls: {}", innermost(error)))
}

/// The provider answered with a redirect, which is never followed.
pub(crate) fn redirected(from: &Url, status: u16, location: Option<&str>) -> Fault {
    let to = location.and_then(|location| from.join(location).ok()).map_or_else(
        || "nowhere".to_owned(),
        |target| format!("{}://{}", target.scheme(), authority(&target)),
    );
    Fault {
        status: Some(status),
        ..hinted(
            Category::Protocol,
            format!("{} redirects to {to}; keys do not follow redirects", authority(from)),
            "if that is the right host, set it as baseUrl in models.json",
        )
    }
}

/// A 200 that is no event stream.
pub(crate) fn not_a_stream(url: &Url, status: u16, content_type: &str, excerpt: Option<&str>) -> Fault {
    let excerpt = excerpt.map_or_else(String::new, |excerpt| format!(" ({excerpt:?})"));
    let message =
        format!("the answer of {} is not an event stream but {content_type}{excerpt}", authority(url));
    Fault {
        status: Some(status),
        ..hinted(
            Category::Protocol,
            message,
            "check baseUrl in models.json, and whether a proxy or sign-in page answers in the provider's place",
        )
    }
}

/// Too much came without an event.
pub(crate) fn too_much(url: &Url, limit: usize) -> Fault {
    fault(Category::TooLarge, format!("{} sent {limit} bytes without an event", authority(url)))
}

/// Nothing came before the first event.
pub(crate) fn no_first_event(url: &Url, ms: u64) -> Fault {
    timeout(format!("no event from {} within {ms} ms of the request", authority(url)), "firstEventMs")
}

/// The answer stopped.
pub(crate) fn idle(url: &Url, ms: u64) -> Fault {
    timeout(format!("no byte from {} for {ms} ms in the middle of the answer", authority(url)), "idleMs")
        .again(Again::Once)
}

/// Comments, but no event.
pub(crate) fn no_event(url: &Url, ms: u64) -> Fault {
    timeout(format!("{} kept the connection alive but sent no event for {ms} ms", authority(url)), "eventMs")
}

fn timeout(message: String, setting: &str) -> Fault {
    hinted(
        Category::Timeout,
        message,
        &format!("try again; a slow model may need a larger timeouts.{setting} in settings.json"),
    )
}

/// What stood around a request that failed.
#[derive(Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    /// The proxy in use.
    pub(crate) proxy: Option<&'a Proxy>,
    /// How long a connection was waited for.
    pub(crate) connect_ms: u64,
    /// How far this machine's clock is ahead, where that is known.
    pub(crate) skew_ms: Option<i64>,
}

/// What a failure before the answer's head means.
pub(crate) fn of_request(error: &reqwest::Error, url: &Url, circumstances: &Circumstances<'_>) -> Fault {
    let Circumstances { proxy, connect_ms, skew_ms } = *circumstances;
    let host = authority(url);
    let shown = proxy.map(|proxy| format!("{} ({})", authority(&proxy.url), proxy.source));
    let via = shown.as_ref().map_or_else(String::new, |shown| format!(" through the proxy {shown}"));
    if let Some(error) = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>()) {
        return tls::fault(error, &host, &via, skew_ms);
    }
    let chain = chain(error);
    let cause = chain.last().map_or("unknown cause", String::as_str);
    if error.is_dns() {
        let name = proxy.map_or(url, |proxy| &proxy.url).host_str().unwrap_or_default();
        let message =
            format!("no connection to {host}{via}: the host name {name} does not resolve ({cause})");
        let hint = match proxy {
            Some(proxy) => format!("check the network connection and {}", proxy.source),
            None => "check the network connection and baseUrl in models.json; behind a proxy set HTTPS_PROXY"
                .to_owned(),
        };
        return hinted(Category::Dns, message, &hint);
    }
    if error.is_connect() && error.is_timeout() {
        let hint = match proxy {
            Some(proxy) => {
                format!("check that the proxy runs, that it may reach the host, and {}", proxy.source)
            }
            None => "check the network connection; behind a proxy set HTTPS_PROXY".to_owned(),
        };
        let message = format!("no connection to {host}{via} within {connect_ms} ms");
        return hinted(Category::Timeout, message, &hint).again(Again::Once);
    }
    let io = io_cause(error).map(std::io::Error::kind);
    if let Some(proxy) = proxy.filter(|_| error.is_connect()) {
        return of_proxy(&chain, io, url, proxy);
    }
    match io {
        Some(std::io::ErrorKind::ConnectionRefused) => hinted(
            Category::Network,
            format!("connection refused by {host}"),
            "check that the server runs and that host and port are right",
        )
        .again(Again::Soon),
        _ if error.is_connect() => fault(Category::Network, format!("no connection to {host}: {cause}")),
        _ => fault(
            Category::Network,
            format!("the connection to {host}{via} broke before an answer came: {cause}"),
        ),
    }
}

/// What a proxy's own failure means. Its words are those of the libraries that speak with it.
fn of_proxy(chain: &[String], io: Option<std::io::ErrorKind>, url: &Url, proxy: &Proxy) -> Fault {
    let (host, shown) = (authority(url), authority(&proxy.url));
    let source = proxy.source;
    let says = |words: &[&str]| chain.iter().any(|cause| words.iter().any(|word| cause.contains(word)));
    if says(&[
        "authorization required",
        "credentials not accepted",
        "user/pass authentication",
        "no acceptable",
    ]) {
        return proxy_login(url, proxy);
    }
    match io {
        Some(std::io::ErrorKind::ConnectionRefused) => {
            let hint = format!("check that the proxy runs, and its address in {source}");
            hinted(Category::Network, format!("connection refused by the proxy {shown} ({source})"), &hint)
                .again(Again::Soon)
        }
        _ if says(&["unsuccessful", "not allowed", "ruleset"]) => hinted(
            Category::Network,
            format!("the proxy {shown} refused to connect to {host}"),
            &format!(
                "ask whoever runs the proxy to allow the host; if it can be reached without the proxy, add it to NO_PROXY or noProxy ({source} is in use)"
            ),
        ),
        _ => hinted(
            Category::Network,
            format!(
                "no connection to {host} through the proxy {shown}: {}",
                chain.last().map_or("unknown cause", String::as_str)
            ),
            &format!("check that the proxy runs, and its address and kind in {source}"),
        ),
    }
}

/// What a failure in the middle of an answer's body means.
pub(crate) fn of_body(error: &reqwest::Error, url: &Url) -> Fault {
    let host = authority(url);
    // What the connection says comes wrapped in an error of the HTTP library; what a decoder says does not.
    let decoder = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
    let damaged = decoder.is_some_and(|error| error.kind() != std::io::ErrorKind::UnexpectedEof);
    if damaged {
        return fault(Category::Protocol, format!("the compressed answer of {host} is damaged"));
    }
    fault(
        Category::Network,
        format!("the connection to {host} broke in the middle of the answer: {}", innermost(error)),
    )
}

fn io_cause(error: &reqwest::Error) -> Option<&std::io::Error> {
    causes(error).filter_map(|cause| cause.downcast_ref::<std::io::Error>()).last()
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let mut next = error.source();
    // A chain is a few links long; the bound keeps a cyclic one from being walked for ever.
    std::iter::from_fn(move || {
        let cause = next?;
        next = match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            // An io::Error's source() is that of the error which it wraps, and leaves that one out.
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
        Some(cause)
    })
    .take(16)
}

fn chain(error: &reqwest::Error) -> Vec<String> {
    // The client's own errors name whole URLs.
    causes(error)
        .filter(|cause| !cause.is::<reqwest::Error>())
        .map(|cause| clean(&cause.to_string()).to_lowercase())
        .collect()
}

fn innermost(error: &reqwest::Error) -> String {
    chain(error).pop().unwrap_or_else(|| "unknown cause".to_owned())
}
