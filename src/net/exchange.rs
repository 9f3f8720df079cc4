//! One small request and its whole answer: what signing in, lists of models and the catalog's refresh are made of.
//!
//! Bounded in time and size. It must never follow a redirect, show a body or a header that was sent, or judge an
//! answer: every status is an answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::fault::{Category, Fault};
use super::retry_after;
use super::transport::faults::{self, Circumstances};
use super::transport::{Detail, Transport};
use crate::settings::Settings;
use crate::system::System;

/// The way to the network, in the manner that settings and environment say. Cloning is cheap, and clones share
/// their connections.
#[derive(Clone, Default)]
pub struct Net {
    transport: Arc<Transport>,
}

/// A request. `Debug` is left out: it may hold secrets.
pub struct Ask {
    url: String,
    headers: Vec<(Cow<'static, str>, SecretString)>,
    body: Body,
    limit: Duration,
    max_bytes: usize,
}

/// What a request carries.
pub enum Body {
    /// Nothing: the request is a GET.
    None,
    /// JSON text.
    Json(SecretString),
    /// `application/x-www-form-urlencoded` text, as [`form`] makes it.
    Form(SecretString),
}

/// An answer, whatever its status.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Decompressed.
    pub body: Vec<u8>,
    /// The wait that its headers ask for, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Ask {
    /// A GET of `url` that may take 15 seconds and bring 1 MiB.
    pub fn get(url: impl Into<String>) -> Self {
        Self::post(url, Body::None)
    }

    /// A POST of `body`; a GET where there is none.
    pub fn post(url: impl Into<String>, body: Body) -> Self {
        Self {
            url: url.into(),
            headers: Vec::new(),
            body,
            limit: Duration::from_secs(15),
            max_bytes: 1 << 20,
        }
    }

    /// With one more header, which no log shows.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<SecretString>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// With another limit of the whole exchange's time.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// With another limit of the answer's size, decompressed.
    #[must_use]
    pub fn at_most(self, max_bytes: usize) -> Self {
        Self { max_bytes, ..self }
    }
}

/// `name=value&...`, encoded.
pub fn form(fields: &[(&str, &str)]) -> SecretString {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into()
}

impl Answer {
    /// Whether it is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header's value, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Net {
    /// The clients, which whoever else speaks HTTP shares.
    pub(crate) fn transport(&self) -> Arc<Transport> {
        Arc::clone(&self.transport)
    }

    /// How far this machine's clock is ahead of that of the last server that answered, in milliseconds; below zero
    /// where it is behind.
    pub fn clock_ahead_ms(&self) -> Option<i64> {
        self.transport.skew_ms()
    }

    /// Makes the request. Dropping the future closes the connection.
    pub async fn ask(&self, ask: Ask, settings: &Settings, system: &System) -> Result<Answer, Fault> {
        let url = Url::parse(&ask.url).map_err(|error| faults::bad_url(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(faults::bad_url("its scheme is not http or https"));
        }
        let (limit, host) = (ask.limit, faults::authority(&url));
        tokio::time::timeout(limit, Box::pin(self.exchange(ask, url, settings, system))).await.unwrap_or_else(
            |_| {
                let message = format!("no whole answer from {host} within {} s", limit.as_secs());
                Err(Fault::new(Category::Timeout, message))
            },
        )
    }

    async fn exchange(
        &self,
        ask: Ask,
        url: Url,
        settings: &Settings,
        system: &System,
    ) -> Result<Answer, Fault> {
        let route = self.transport().route(&url, settings, system, Detail::Plain).await?;
        let mut request = match &ask.body {
            Body::None => route.client.get(url.clone()),
            Body::Json(text) => typed(&route.client, &url, "application/json", text),
            Body::Form(text) => typed(&route.client, &url, "application/x-www-form-urlencoded", text),
        };
        for (name, value) in &ask.headers {
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| faults::bad_header(name, "it is not a header's name"))?;
            let mut value = HeaderValue::from_str(value.expose_secret())
                .map_err(|_| faults::bad_header(name, "its value cannot stand in a header"))?;
            value.set_sensitive(true);
            request = request.header(header, value);
        }
        let mut response = request.send().await.map_err(|error| {
            let connect_ms = settings.timeouts.connect_ms;
            let circumstances =
                Circumstances { proxy: route.proxy.as_ref(), connect_ms, skew_ms: self.transport.skew_ms() };
            faults::of_request(&error, &url, &circumstances)
        })?;
        let now_ms = system.clock.now_ms();
        self.transport.note_date(response.headers(), now_ms);
        if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED
            && let Some(proxy) = &route.proxy
        {
            return Err(faults::proxy_login(&url, proxy));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| faults::of_body(&error, &url))? {
            if body.len() + chunk.len() > ask.max_bytes {
                let message = format!("{} sent more than {} bytes", faults::authority(&url), ask.max_bytes);
                return Err(Fault::new(Category::TooLarge, message));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: response.status().as_u16(),
            retry_after_ms: retry_after::from_headers(response.headers(), now_ms),
            headers: std::mem::take(response.headers_mut()),
            body,
        })
    }
}

fn typed(
    client: &reqwest::Client,
    url: &Url,
    kind: &'static str,
    text: &SecretString,
) -> reqwest::RequestBuilder {
    let body = text.expose_secret().to_owned();
    client.post(url.clone()).header(reqwest::header::CONTENT_TYPE, kind).body(body)
}
