//! The HTTP client: built at first use, never at start, and again only when a proxy or a certificate changes.
//!
//! Redirects are off, the process's own proxy variables are not read (the merged environment's are), and
//! nothing here knows a key. Next: `transport/proxies.rs`, `transport/trust.rs`; `http.rs` is the one user.

pub(crate) mod faults;
mod proxies;
mod trust;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use url::Url;

use super::Fault;
use crate::settings::Settings;
use crate::system::System;

/// Clients kept: sessions with different proxies must not rebuild each other's.
const KEPT: usize = 4;

/// The clients in use. One for nearly everybody.
#[derive(Default)]
pub(crate) struct Transport {
    /// A leaf cache, the most recently built last.
    clients: Mutex<Vec<(Key, reqwest::Client)>>,
}

/// What a client is built from.
#[derive(Clone, PartialEq)]
struct Key {
    proxy: Option<Url>,
    trust: Trust,
    connect_ms: u64,
    versions: Versions,
}

/// Which versions of HTTP a call may go over.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versions {
    /// What the two sides agree on.
    All,
    /// HTTP/1.1 and nothing newer.
    Http1,
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
    pub(crate) proxy: Option<Url>,
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
    ) -> Result<Route, Fault> {
        self.route_over(Versions::All, url, settings, system).await
    }

    /// The same for some versions of HTTP only.
    pub(crate) async fn route_over(
        self: Arc<Self>,
        versions: Versions,
        url: &Url,
        settings: &Settings,
        system: &System,
    ) -> Result<Route, Fault> {
        let proxy = proxies::for_url(url, settings, &system.env)?;
        let secure = |url: &Url| url.scheme() == "https";
        let trust = if secure(url) || proxy.as_ref().is_some_and(secure) {
            Trust::SystemAnd(trust::sources(settings, system))
        } else {
            Trust::Nobody
        };
        let key = Key { proxy: proxy.clone(), trust, connect_ms: settings.timeouts.connect_ms, versions };
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

    fn kept(&self, key: &Key) -> Option<reqwest::Client> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.iter().find(|(kept, _)| kept == key).map(|(_, client)| client.clone())
    }
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
            .gzip(true);
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
            // The client sets ALPN (h2, http/1.1) itself as long as it is not handed a finished TLS config.
            let client = match builder()?.tls_certs_merge(certificates.iter().cloned()).build() {
                Ok(client) => client,
                // A container without certificates: every peer is refused, with the hint how to trust it.
                Err(_) => builder()?
                    .tls_certs_only(certificates)
                    .build()
                    .map_err(|error| faults::no_client(&error))?,
            };
            Ok((client, warnings))
        }
    }
}
