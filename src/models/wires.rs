//! Wire APIs, sans-IO: `encode(call) -> HTTP request as data`, `decoder.push(frame) -> deltas`.
//!
//! Nothing here imports tokio, reqwest, accounts, the clock or the environment. One file per wire, registered
//! by one word in `wires!`.

use std::borrow::Cow;

use super::{Delta, Fault, Request};
use crate::catalog::Model;

/// One word per wire: its file, which has a unit struct `Api`.
macro_rules! wires {
    ($($name:ident)*) => {
        $(pub mod $name;)*

        /// Every wire that is built in.
        pub static WIRES: &[&dyn Wire] = &[$(&$name::Api),*];
    };
}

wires! {
    anthropic_messages
    azure_openai_responses
    bedrock_converse_stream
    google_generative_ai
    google_vertex
    mistral_conversations
    openai_codex_responses
    openai_completions
    openai_responses
}

mod error_body;
mod google;
mod lax;
mod openai;

/// The wire named `id`, as in [`Model::wire`].
pub fn wire(id: &str) -> Option<&'static dyn Wire> {
    WIRES.iter().copied().find(|wire| wire.id() == id)
}

/// An HTTP request as data. The transport adds the credential and the user's headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// Where the key goes.
    pub auth: Auth,
    /// How the body of the answer is cut into frames.
    pub framing: Framing,
}

/// Where a key goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// The named header holds the bare key.
    Header(&'static str),
    /// The named header holds `Bearer KEY`.
    BearerIn(&'static str),
    /// The request is signed with AWS's keys, for one service in one region. A key that is not AWS's goes where
    /// [`Bearer`](Self::Bearer) says.
    SigV4 { service: &'static str, region: String },
}

/// What kind of credential a call has; never the credential itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// None.
    None,
    /// A key, which goes where [`HttpRequest::auth`] says.
    Key,
    /// A token that goes into `Authorization: Bearer` in any case.
    Bearer,
    /// The same, and it belongs to a subscription whose API wants a request of its own shape.
    Subscription,
}

/// How an answer's body is cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    Sse,
    /// AWS's event streams.
    EventStream,
}

/// One frame of an answer's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The `event:` field, or the type of an event stream's message; empty where there was none.
    pub event: String,
    /// The `data:` lines joined by line feeds, or the payload.
    pub data: String,
}

/// A wire API.
pub trait Wire: Send + Sync {
    /// As in `Model::wire`.
    fn id(&self) -> &'static str;
    /// Names of the values that it wants beside the model's data, such as a region: [`Request::variables`] has
    /// those that are set.
    fn variables(&self) -> &'static [&'static str] {
        &[]
    }
    /// Where `model` is reached, which not every model's data says.
    fn base_url<'a>(&self, _request: &'a Request, model: &'a Model) -> Cow<'a, str> {
        Cow::Borrowed(&model.base_url)
    }
    /// Refuses a request that cannot be made, such as one without a place to go. Asked before `encode`.
    fn check(&self, _request: &Request, _model: &Model, _access: Access) -> Result<(), Fault> {
        Ok(())
    }
    /// Whether the call must not go over HTTP/2.
    fn http1_only(&self, _request: &Request) -> bool {
        false
    }
    /// The HTTP request that asks `model` for an answer to `request`, with a credential of the kind `access`.
    fn encode(&self, request: &Request, model: &Model, access: Access) -> HttpRequest;
    /// Whether `key` is the token of a subscription rather than a key. Such a token is sent as
    /// `Authorization: Bearer`, and the wire is told [`Access::Subscription`].
    fn is_subscription(&self, _key: &str) -> bool {
        false
    }
    /// Whether `key` is no key but a word that says that the credential is elsewhere. It is never sent, and the wire
    /// is told [`Access::None`].
    fn is_placeholder(&self, _key: &str) -> bool {
        false
    }
    /// A fresh decoder for one answer of `model`.
    fn decoder(&self, model: &Model) -> Box<dyn Decoder>;
    /// The same, for the answer to what `encode` made of these three. A wire says this where an answer cannot be
    /// read without knowing what was asked.
    fn decoder_for(&self, _request: &Request, model: &Model, _access: Access) -> Box<dyn Decoder> {
        self.decoder(model)
    }
    /// The same request over a WebSocket, where this wire has one: `request` is what `encode` made.
    fn socket(&self, _request: &HttpRequest) -> Option<SocketRequest> {
        None
    }
    /// Whether a server at `url` takes bodies that are compressed with zstd.
    fn takes_zstd(&self, _url: &str) -> bool {
        false
    }
    /// What an error answer means. `body` is at most 64 KiB of it.
    fn fault(&self, status: u16, body: &[u8]) -> Fault;
    /// The header in which an error answer names its error, where this wire has one.
    fn error_header(&self) -> Option<&'static str> {
        None
    }
    /// What an error answer means, with all that is known of it.
    fn refusal(&self, refusal: &Refusal<'_>) -> Fault {
        self.fault(refusal.status, refusal.body)
    }
}

/// What a WebSocket is opened with, as data. The transport adds the credential, the user's headers and what the
/// handshake consists of.
#[derive(Debug)]
pub struct SocketRequest {
    /// With `http` or `https`.
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    /// Headers that want an id made up for this one connection where `headers` has none.
    pub ids: &'static [&'static str],
    /// What is said over a new connection.
    pub dialogue: fn() -> Box<dyn Dialogue>,
}

/// What is said over one WebSocket: one request after the other, each with its answer.
pub trait Dialogue: Send {
    /// The message that asks for what the request's `body` asks for.
    fn ask(&mut self, body: &[u8]) -> String;
    /// A frame of the answer has come. It goes to the decoder all the same, unless it says otherwise.
    fn hear(&mut self, frame: &Frame) -> Heard;
    /// The answer is whole: what it said need not be sent again. Else the next `ask` sends all there is.
    fn settle(&mut self, model: &Model);
}

/// What a frame says of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing: it is of the answer.
    Answer,
    /// Nothing, and the answer has not begun with it.
    Aside,
    /// The server does not know what went before: it must be asked in whole.
    Unknown,
    /// The server takes no more requests over this connection.
    WornOut,
}

/// An error answer.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    pub status: u16,
    /// At most 64 KiB of it.
    pub body: &'a [u8],
    /// The value of [`Wire::error_header`].
    pub name: Option<&'a str>,
    /// What was asked.
    pub url: &'a str,
}

/// Turns the frames of one answer into deltas.
pub trait Decoder: Send {
    /// Takes one frame and appends what it says to `out`. After a fault nothing more is pushed.
    fn push(&mut self, frame: &Frame, out: &mut Vec<Delta>) -> Result<(), Fault>;
    /// The body has ended. A fault where the answer had not.
    fn finish(&mut self, out: &mut Vec<Delta>) -> Result<(), Fault>;
    /// Whether nothing can follow what was pushed, so that the end of the body need not be waited for.
    fn is_done(&self) -> bool {
        false
    }
    /// Whether the answer could end here though its body goes on: then silence, or a connection that breaks, is its
    /// end and no fault. Only of wires whose answers have no last word.
    fn is_whole(&self) -> bool {
        false
    }
}

#[cfg(test)]
pub(crate) mod tests;
