//! Calling a model: a provider-neutral [`Request`] in, a stream of [`Delta`]s out, behind one [`Backend`] seam.
//!
//! It must never read credentials from anywhere but the [`Call`] it is handed, and knows nothing of sessions.
//! Read `delta.rs` for the vocabulary, `wires.rs` for the sans-IO wires, `http.rs` for how they are driven.

pub mod delta;
pub mod demo;
pub mod discovery;
pub mod facts;
pub mod fault;
pub mod fold;
pub mod frames;
pub mod handoff;
pub mod http;
pub mod json;
pub mod message;
pub mod overflow;
pub mod reach;
pub mod thinking;

pub mod wires;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use delta::{Delta, StopReason, Usage};
pub use fault::{Category, Fault};
pub use message::{Assistant, Block, CacheRetention, Content, Message, Origin, Request, ToolSpec, Variables};

use crate::accounts::Credential;
use crate::catalog::{FactsOrigin, Model};
use crate::net::Net;
use crate::settings::Settings;
use crate::system::System;

/// Everything that one model call is made from.
#[derive(Clone)]
pub struct Call {
    /// What is asked.
    pub request: Arc<Request>,
    /// Of which model.
    pub model: Arc<Model>,
    /// With which key.
    pub credential: Credential,
    /// `model.headers` with their values resolved.
    pub headers: Vec<(String, secrecy::SecretString)>,
    /// Timeouts, proxies and certificates in force.
    pub settings: Arc<Settings>,
    /// Environment (proxies), clock and files (demo scripts).
    pub system: System,
}

/// A running answer. Dropping it closes the connection to the provider at once.
pub type DeltaStream = Pin<Box<dyn Stream>>;

/// A stream of deltas that can rest: while the client does not read, nobody polls it, and the waits for the
/// provider must not run.
pub trait Stream: futures_util::Stream<Item = Result<Delta, Fault>> + Send {
    /// Called before polling again after a rest: starts every wait afresh.
    fn resume(self: Pin<&mut Self>);
}

/// One way to reach models: HTTP wires, the `demo` model, later others.
pub trait Backend: Send + Sync {
    /// Begins a call. Never blocks: connecting is part of the stream.
    fn call(&self, call: Call) -> DeltaStream;
}

/// Every way to reach models.
pub struct Backends {
    http: http::HttpBackend,
    demo: demo::DemoBackend,
    discovery: Arc<discovery::Discovery>,
    net: Net,
}

impl Default for Backends {
    fn default() -> Self {
        Self::new(Net::default())
    }
}

impl Backends {
    /// Over `net`, whose connections they share with whoever else speaks HTTP: a process has one.
    pub fn new(net: Net) -> Self {
        let discovery = Arc::new(discovery::Discovery::new(net.transport()));
        Self { http: http::HttpBackend::new(net.transport()), demo: demo::DemoBackend, discovery, net }
    }

    /// The backend that speaks the wire API `wire`; a wire that does not exist is HTTP's to refuse.
    pub fn of(&self, wire: &str) -> &dyn Backend {
        if wire == demo::WIRE { &self.demo } else { &self.http }
    }

    /// The search for model servers on this machine.
    pub fn discovery(&self) -> &Arc<discovery::Discovery> {
        &self.discovery
    }

    /// Whether the server at `url` can be reached, without a key; decided within `limit`.
    pub async fn reach(
        &self,
        url: &str,
        settings: &Settings,
        system: &System,
        limit: Duration,
    ) -> reach::Reach {
        reach::reach(self.net.transport(), url, settings, system, limit).await
    }

    /// The session of that name (as in [`Request::session`]) has ended: what is kept for it is let go.
    pub fn forget(&self, session: &str) {
        self.http.forget(session);
    }

    /// Asks for facts about models. `known` is where those came from that were answered before.
    pub async fn fetch_facts(
        &self,
        known: Option<&FactsOrigin>,
        settings: &Settings,
        system: &System,
    ) -> Result<facts::Answer, Fault> {
        facts::fetch(&self.net, known, settings, system).await
    }

    /// Asks the server of a provider for its models.
    pub async fn list(&self, asked: &discovery::live::Asked) -> Result<crate::catalog::LiveModels, Fault> {
        asked.list(&self.net).await
    }

    /// Begins a call with the backend of its model.
    pub fn call(&self, call: Call) -> DeltaStream {
        self.of(&call.model.wire).call(call)
    }
}

/// Names of the values that the wire API `wire` wants in [`Request::variables`].
pub fn variables(wire: &str) -> &'static [&'static str] {
    wires::wire(wire).map_or(&[], wires::Wire::variables)
}

/// Whether this version speaks the wire API `wire`.
pub fn is_known_wire(wire: &str) -> bool {
    wire == demo::WIRE || wires::wire(wire).is_some()
}
