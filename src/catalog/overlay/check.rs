//! What ids, addresses and headers of `models.json` may be.

use std::collections::BTreeMap;

const MAX_URL: usize = 2048;
const MAX_HEADERS: usize = 64;

/// Headers that belong to the transport.
const RESERVED_HEADERS: [&str; 6] =
    ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te"];

/// What is wrong, and with which field; the names lead down from the model or provider.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) path: Vec<String>,
    pub(super) message: String,
}

impl Fault {
    /// A fault of one field.
    pub(super) fn at<'p>(path: impl IntoIterator<Item = &'p str>, message: impl Into<String>) -> Self {
        Self { path: path.into_iter().map(str::to_owned).collect(), message: message.into() }
    }

    /// A fault of the whole.
    pub(super) fn whole(message: impl Into<String>) -> Self {
        Self::at([], message)
    }
}

/// An id of a provider or model.
pub(super) fn id(id: &str) -> Result<(), String> {
    match id {
        "" => Err("the id is empty".into()),
        _ if id.len() > 256 => Err("the id is longer than 256 bytes".into()),
        _ if id.chars().any(|c| c.is_control() || c.is_whitespace()) => {
            Err("the id has white space in it".into())
        }
        _ => Ok(()),
    }
}

/// An address that paths are appended to. It must not hold a credential: addresses are shown.
pub(super) fn url(text: &str) -> Result<(), Fault> {
    let fault = |message: String| Err(Fault::at(["baseUrl"], message));
    if text.trim().is_empty() {
        return fault("it is empty".into());
    }
    if text.len() > MAX_URL {
        return fault(format!("it is longer than {MAX_URL} bytes"));
    }
    // Some providers' URLs have places that are filled in later, such as `{location}`.
    match url::Url::parse(&text.replace(['{', '}'], "x")) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            fault("it must begin with http:// or https://".into())
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            fault("it has a name or password in it; apiKey or headers are the place for it".into())
        }
        Ok(_) => Ok(()),
        Err(error) => fault(format!("it is no URL: {error}")),
    }
}

/// Wires append their paths with a slash of their own.
pub(super) fn trim_url(url: &mut String) {
    let len = url.trim_end().trim_end_matches('/').len();
    url.truncate(len);
    let blanks = url.len() - url.trim_start().len();
    url.drain(..blanks);
}

/// Scheme, host and port of an address; every name of this machine is one.
pub(super) fn place(url: &str) -> Option<(bool, String, u16)> {
    let url = url::Url::parse(url).ok()?;
    let host =
        if is_loopback(url.as_str()) { "localhost".to_owned() } else { url.host_str()?.to_lowercase() };
    Some((url.scheme() == "https", host, url.port_or_known_default()?))
}

/// Whether the address is on this machine.
pub(super) fn is_loopback(url: &str) -> bool {
    let url = url::Url::parse(url);
    match url.as_ref().ok().and_then(url::Url::host) {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Headers with their values as they are written; `None` takes one away.
pub(super) fn headers(headers: &BTreeMap<String, Option<String>>) -> Result<(), Fault> {
    if headers.len() > MAX_HEADERS {
        return Err(Fault::at(["headers"], format!("there are more than {MAX_HEADERS}")));
    }
    for (name, value) in headers {
        let fault = |message: String| Err(Fault::at(["headers", name], message));
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let value = value.as_deref().unwrap_or_default();
        if name.is_empty() || !name.bytes().all(token) {
            return fault("it is no name of a header".into());
        } else if RESERVED_HEADERS.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) {
            return fault("it cannot be set".into());
        } else if value.contains(['\r', '\n', '\0']) && !value.starts_with('!') {
            return fault("the value has a line break".into());
        }
    }
    Ok(())
}
