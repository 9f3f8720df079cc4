//! The HTTP client: built at first use, never at start, and again only when a proxy or a certificate changes.
//!
//! Redirects are off, the process's own proxy variables are not read (the merged environment's are), and
//! nothing here knows a key. Next: `transport/proxies.rs`, `transport/trust.rs`; `http.rs` is the one user.

pub(crate) mod certificate;
pub(crate) mod faults;
pub(crate) mod proxies;
pub(crate) mod trust;
mod verifier;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;

use url::Url;

use self::proxies::Proxy;
use self::verifier::Verifier;
use super::fault::Fault;
use super::retry_after::http_date_ms;
use crate::settings::Settings;
use crate::system::System;

/// Clients kept: sessions with different proxies must not rebuild each other's.
const KEPT: usize = 4;

/// The clients in use. One for nearly everybody.
#[derive(Default)]
pub(crate) struct Transport {
    /// A leaf cache, the most recently built last.
    clients: Mutex<Vec<(Key, reqwest::Client)>>,
    /// How far this machine's clock is ahead of the last server's that told the time, in milliseconds.
    skew_ms: Mutex<Option<i64>>,
}

/// What a client is built from.
#[derive(Clone, PartialEq)]
struct Key {
    proxy: Option<Url>,
    trust: Trust,
    connect_ms: u64,
    versions: Versions,
    detail: Detail,
}

/// Which versions of HTTP a call may go over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versions {
    /// What the two sides agree on.
    All,
    /// HTTP/1.1 and nothing newer.
    Http1,
}

/// What an answer tells of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    Plain,
    /// The peer's certificate too.
    Certificate,
}

/// Whom a client trusts.
#[derive(Clone, PartialEq)]
enum Trust {
    /// Plain HTTP: the system's certificates, which take milliseconds to load, are not loaded.
    Nobody,
    /// The system's certificates and these.
    SystemAnd(Vec<trust::Source>),
}

/// A client that fits one URL.
pub(crate) struct Route {
    pub(crate) client: reqwest::Client,
    /// The proxy in use, for messages.
    pub(crate) proxy: Option<Proxy>,
    /// For the person, told once per client.
    pub(crate) warnings: Vec<String>,
}

impl Transport {
    /// The client for `url`, built now if need be.
    pub(crate) async fn route(
        self: Arc<Self>,
        url: &Url,
        settings: &Settings,
        system: &System,
        detail: Detail,
    ) -> Result<Route, Fault> {
        self.route_over(Versions::All, detail, url, settings, system).await
    }

    /// The same for some versions of HTTP only.
    pub(crate) async fn route_over(
        self: Arc<Self>,
        versions: Versions,
        detail: Detail,
        url: &Url,
        settings: &Settings,
        system: &System,
    ) -> Result<Route, Fault> {
        let proxy = proxies::for_url(url, settings, &system.env)?;
        let secure = |url: &Url| url.scheme() == "https";
        let trust = if secure(url) || proxy.as_ref().is_some_and(|proxy| secure(&proxy.url)) {
            Trust::SystemAnd(trust::sources(settings, system))
        } else {
            Trust::Nobody
        };
        let proxy_url = proxy.as_ref().map(|proxy| proxy.url.clone());
        let connect_ms = settings.timeouts.connect_ms;
        let key = Key { proxy: proxy_url, trust, connect_ms, versions, detail };
        if let Some(client) = self.kept(&key) {
            return Ok(Route { client, proxy, warnings: Vec::new() });
        }
        let (client, warnings) = match &key.trust {
            Trust::Nobody => build(&key, system)?,
            Trust::SystemAnd(_) => {
                let (key, system) = (key.clone(), system.clone());
                // Hundreds of files are read and parsed here.
                tokio::task::spawn_blocking(move || build(&key, &system))
                    .await
                    .map_err(|_| faults::bad_url("the client could not be built"))??
            }
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= KEPT {
            clients.remove(0);
        }
        clients.push((key, client.clone()));
        Ok(Route { client, proxy, warnings })
    }

    /// Remembers what an answer's `Date` says of this machine's clock.
    pub(crate) fn note_date(&self, headers: &reqwest::header::HeaderMap, now_ms: u64) {
        if let Some(skew) = skew_ms(headers, now_ms) {
            *self.skew_ms.lock().unwrap_or_else(PoisonError::into_inner) = Some(skew);
        }
    }

    /// How far this machine's clock is ahead, in milliseconds, where a server has told the time.
    pub(crate) fn skew_ms(&self) -> Option<i64> {
        *self.skew_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self, key: &Key) -> Option<reqwest::Client> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.iter().find(|(kept, _)| kept == key).map(|(_, client)| client.clone())
    }
}

/// How far `now_ms` is ahead of an answer's `Date`.
pub(crate) fn skew_ms(headers: &reqwest::header::HeaderMap, now_ms: u64) -> Option<i64> {
    let date = headers.get(reqwest::header::DATE)?.to_str().ok()?;
    let theirs = i64::try_from(http_date_ms(date.trim())?).ok()?;
    Some(i64::try_from(now_ms).ok()?.saturating_sub(theirs))
}

fn build(key: &Key, system: &System) -> Result<(reqwest::Client, Vec<String>), Fault> {
    let builder = || {
        let versions = match key.versions {
            Versions::All => reqwest::Client::builder(),
            Versions::Http1 => reqwest::Client::builder().http1_only(),
        };
        let builder = versions
            .user_agent(concat!("aside/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_millis(key.connect_ms))
            .no_proxy()
            .referer(false)
            .gzip(true)
            .deflate(true)
            .brotli(true)
            .zstd(true);
        match &key.proxy {
            None => Ok(builder),
            Some(proxy) => reqwest::Proxy::all(proxy.clone())
                .map(|proxy| builder.proxy(proxy))
                .map_err(|_| faults::bad_proxy("this call", "it is not a url")),
        }
    };
    match &key.trust {
        Trust::Nobody => {
            // A server on this machine may close after each answer without saying so, as llama.cpp's does; a call
            // that follows at once would be lost on that connection, and a new one costs next to nothing.
            let client = builder()?
                .pool_max_idle_per_host(0)
                .tls_certs_only([])
                .build()
                .map_err(|error| faults::no_client(&error))?;
            Ok((client, Vec::new()))
        }
        Trust::SystemAnd(sources) => {
            let (certificates, warnings) = trust::load(sources, system);
            let crypto = Arc::new(aws_lc_rs::default_provider());
            let verifier = Verifier::new(certificates, Arc::clone(&crypto));
            let config = ClientConfig::builder_with_provider(crypto).with_safe_default_protocol_versions();
            let mut config = config
                .map_err(|error| faults::no_tls(&error))?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
                .with_no_client_auth();
            config.alpn_protocols = match key.versions {
                Versions::All => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
                Versions::Http1 => vec![b"http/1.1".to_vec()],
            };
            let client = builder()?
                .tls_backend_preconfigured(config)
                .tls_info(key.detail == Detail::Certificate)
                .build()
                .map_err(|error| faults::no_client(&error))?;
            Ok((client, warnings))
        }
    }
}
