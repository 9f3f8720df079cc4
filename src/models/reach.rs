//! Whether a provider can be reached, and how: over the same proxies and certificates as a call, without a key.
//!
//! For `aside doctor`. It must never show a proxy's password, and never send a credential of a provider.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use reqwest::StatusCode;
use reqwest::tls::TlsInfo;
use tokio::time::Instant;
use url::Url;

use super::{Category, Fault};
use crate::net::transport::faults::{self, Circumstances};
use crate::net::transport::{Detail, Transport, certificate, proxies, skew_ms, trust};
use crate::settings::Settings;
use crate::system::System;

/// What became of one address.
#[derive(Debug)]
pub struct Reach {
    /// Host and port.
    pub host: String,
    /// The proxy on the way, without its login, and where it was set.
    pub proxy: Option<String>,
    /// What answered, or what stood in the way.
    pub outcome: Result<Answered, Fault>,
    /// Milliseconds.
    pub took_ms: u64,
}

/// Somebody answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// HTTP status. Without a key hardly any address answers 200, and none needs to.
    pub status: u16,
    /// Such as `HTTP/2`.
    pub version: String,
    /// Who issued the server's certificate.
    pub issuer: Option<String>,
    /// How far this machine's clock is ahead of the server's, in milliseconds.
    pub skew_ms: Option<i64>,
}

/// What holds for the network, as it may be shown.
#[derive(Debug)]
pub struct Network {
    /// Where each proxy was set, and its address or what is wrong with it.
    pub proxies: Vec<(&'static str, Result<String, Fault>)>,
    /// What excepts hosts from them.
    pub exceptions: Vec<(&'static str, String)>,
    pub certificates: Vec<Certificates>,
}

/// Certificates that are trusted beside the system's.
#[derive(Debug)]
pub struct Certificates {
    /// The setting or variable that names them.
    pub source: &'static str,
    /// The file or folder.
    pub path: String,
    /// How many there are, or why they are not used.
    pub count: Result<usize, String>,
}

/// What holds for the network. Reads the files of certificates.
pub fn network(settings: &Settings, system: &System) -> Network {
    let variable = proxies::exceptions(&system.env).map(|(name, hosts)| (name, hosts.to_owned()));
    let setting =
        (!settings.no_proxy.is_empty()).then(|| ("the setting noProxy", settings.no_proxy.join(", ")));
    let certificates = trust::sources(settings, system).into_iter().map(|source| Certificates {
        source: source.name,
        path: source.path.display().to_string(),
        count: trust::count(&source, system),
    });
    Network {
        proxies: proxies::all(settings, &system.env),
        exceptions: setting.into_iter().chain(variable).collect(),
        certificates: certificates.collect(),
    }
}

/// Asks the server at `url` for anything, for `limit` at most.
pub(super) async fn reach(
    transport: Arc<Transport>,
    url: &str,
    settings: &Settings,
    system: &System,
    limit: Duration,
) -> Reach {
    let begun = Instant::now();
    let Ok(url) = Url::parse(url) else {
        let outcome = Err(faults::bad_url("it is not a url"));
        return Reach { host: "(no host)".to_owned(), proxy: None, outcome, took_ms: 0 };
    };
    let host = faults::authority(&url);
    let proxy = proxies::for_url(&url, settings, &system.env).ok().flatten();
    let shown = proxy.map(|proxy| format!("{} ({})", faults::authority(&proxy.url), proxy.source));
    let asked = tokio::time::timeout(limit, ask(transport, &url, settings, system).boxed()).await;
    let outcome = asked.unwrap_or_else(|_| {
        let via = shown.as_ref().map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"));
        let message = format!("no answer from {host}{via} within {} s", limit.as_secs());
        Err(Fault::new(Category::Timeout, message))
    });
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Reach { host, proxy: shown, outcome, took_ms }
}

async fn ask(
    transport: Arc<Transport>,
    url: &Url,
    settings: &Settings,
    system: &System,
) -> Result<Answered, Fault> {
    let route = transport.route(url, settings, system, Detail::Certificate).await?;
    let response = route.client.get(url.clone()).send().await.map_err(|error| {
        let connect_ms = settings.timeouts.connect_ms;
        let circumstances = Circumstances { proxy: route.proxy.as_ref(), connect_ms, skew_ms: None };
        faults::of_request(&error, url, &circumstances)
    })?;
    if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED
        && let Some(proxy) = &route.proxy
    {
        return Err(faults::proxy_login(url, proxy));
    }
    let peer = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
    Ok(Answered {
        status: response.status().as_u16(),
        version: format!("{:?}", response.version()).replace("HTTP/2.0", "HTTP/2"),
        issuer: peer.and_then(|der| certificate::read(der)?.issuer),
        skew_ms: skew_ms(response.headers(), system.clock.now_ms()),
    })
}
