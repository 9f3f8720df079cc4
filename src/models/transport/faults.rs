//! The faults of the transport: what is said when a connection cannot be made, breaks, stalls or is not HTTP
//! as agreed. It must never put a key, a proxy's password or a whole URL into a message.

use std::error::Error as StdError;

use url::Url;

use crate::models::fault::Again;
use crate::models::fault::clean::clean;
use crate::models::{Category, Fault};

/// What to do when a certificate is not trusted.
const TRUST_HINT: &str = "if a proxy or the provider uses its own certificate authority, add its PEM file to the setting extraCaFiles or name it in NODE_EXTRA_CA_CERTS or SSL_CERT_FILE";

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

/// What a failure before the answer's head means. `proxy` is the one in use.
pub(crate) fn of_request(error: &reqwest::Error, url: &Url, proxy: Option<&Url>, connect_ms: u64) -> Fault {
    let host = authority(url);
    let via = proxy.map_or_else(String::new, |proxy| format!(" through the proxy {}", authority(proxy)));
    if let Some(tls) = tls_cause(error) {
        return tls_fault(&host, &via, tls);
    }
    let chain = chain(error);
    if error.is_dns() {
        let name = match proxy {
            Some(proxy) => proxy.host_str(),
            None => url.host_str(),
        };
        return hinted(
            Category::Dns,
            format!(
                "no connection to {host}{via}: the host name {} does not resolve ({})",
                name.unwrap_or_default(),
                chain.last().map_or("unknown cause", String::as_str)
            ),
            "check the network connection and baseUrl in models.json; behind a proxy set HTTPS_PROXY",
        );
    }
    if error.is_connect() && error.is_timeout() {
        return hinted(
            Category::Timeout,
            format!("no connection to {host}{via} within {connect_ms} ms"),
            "check the network connection; behind a proxy set HTTPS_PROXY",
        )
        .again(Again::Once);
    }
    if proxy.is_some()
        && error.is_connect()
        && chain.iter().any(|cause| {
            cause.contains("authorization required") || cause.contains("authentication required")
        })
    {
        return hinted(
            Category::Network,
            format!("the proxy refused to connect to {host}{via}: it wants a user name and password"),
            "put them into the proxy's url: http://user:password@host:port",
        )
        .again(Again::Never);
    }
    match io_cause(error).map(std::io::Error::kind) {
        Some(std::io::ErrorKind::ConnectionRefused) => hinted(
            Category::Network,
            match proxy {
                Some(proxy) => format!("connection refused by the proxy {}", authority(proxy)),
                None => format!("connection refused by {host}"),
            },
            "check that the server runs and that host and port are right",
        )
        .again(Again::Soon),
        _ if error.is_connect() => fault(
            Category::Network,
            format!("no connection to {host}{via}: {}", chain.last().map_or("unknown cause", String::as_str)),
        ),
        _ => fault(
            Category::Network,
            format!(
                "the connection to {host}{via} broke before an answer came: {}",
                chain.last().map_or("unknown cause", String::as_str)
            ),
        ),
    }
}

/// What a failure in the middle of an answer's body means.
pub(crate) fn of_body(error: &reqwest::Error, url: &Url) -> Fault {
    let host = authority(url);
    let damaged = io_cause(error).is_some_and(|error| {
        matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput)
    });
    if damaged {
        return fault(Category::Protocol, format!("the compressed answer of {host} is damaged"));
    }
    fault(
        Category::Network,
        format!("the connection to {host} broke in the middle of the answer: {}", innermost(error)),
    )
}

fn tls_fault(host: &str, via: &str, error: &rustls::Error) -> Fault {
    let cause = match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            "its certificate was issued by an unknown authority".to_owned()
        }
        rustls::Error::InvalidCertificate(
            rustls::CertificateError::Expired | rustls::CertificateError::ExpiredContext { .. },
        ) => "its certificate has expired".to_owned(),
        rustls::Error::InvalidCertificate(
            rustls::CertificateError::NotValidForName
            | rustls::CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name".to_owned(),
        other => clean(&other.to_string()),
    };
    let message = format!("no secure connection to {host}{via}: {cause}");
    match error {
        rustls::Error::InvalidMessage(_) => hinted(
            Category::Tls,
            message,
            "the server may speak plain http: check the scheme and port of baseUrl",
        ),
        _ => hinted(Category::Tls, message, TRUST_HINT),
    }
}

fn tls_cause(error: &reqwest::Error) -> Option<&rustls::Error> {
    causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>())
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
