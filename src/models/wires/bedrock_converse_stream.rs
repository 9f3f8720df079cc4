//! Amazon Bedrock's `ConverseStream`: one API for the models of many makers.
//!
//! `place.rs` knows where a call goes, `family.rs` how the models differ, `body.rs` and `messages.rs` make
//! requests, `stream.rs` reads answers with the types of `event.rs`, `refusal.rs` reads errors. It must never
//! hold a key: the transport adds or signs with it.

mod body;
mod event;
mod family;
mod messages;
mod place;
mod refusal;
mod stream;

use std::borrow::Cow;

use self::family::Family;
use self::place::Place;
use super::{Access, Auth, Decoder, Framing, HttpRequest, Refusal, Wire};
use crate::catalog::Model;
use crate::models::Fault;
use crate::models::message::Request;

/// The wire `bedrock-converse-stream`.
#[derive(Clone, Copy, Debug)]
pub struct Api;

impl Wire for Api {
    fn id(&self) -> &'static str {
        "bedrock-converse-stream"
    }

    fn variables(&self) -> &'static [&'static str] {
        &[
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
            "AWS_ENDPOINT_URL",
            "AWS_BEDROCK_FORCE_CACHE",
            "AWS_BEDROCK_FORCE_HTTP1",
        ]
    }

    fn base_url<'a>(&self, request: &'a Request, model: &'a Model) -> Cow<'a, str> {
        Cow::Owned(place(request, model).base)
    }

    fn http1_only(&self, request: &Request) -> bool {
        is_on(request, "AWS_BEDROCK_FORCE_HTTP1")
    }

    fn encode(&self, request: &Request, model: &Model, _access: Access) -> HttpRequest {
        let place = place(request, model);
        let family = Family::of(model);
        let force_cache = is_on(request, "AWS_BEDROCK_FORCE_CACHE");
        HttpRequest {
            method: "POST",
            url: place.url(&model.id),
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("accept", "application/vnd.amazon.eventstream".to_owned()),
            ],
            body: body::encode(request, model, &family, &place, force_cache),
            auth: Auth::SigV4 { service: "bedrock", region: place.region },
            framing: Framing::EventStream,
        }
    }

    fn decoder(&self, model: &Model) -> Box<dyn Decoder> {
        Box::new(stream::Stream::new(model.cost.clone()))
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        self.refusal(&Refusal { status, body, name: None, url: "" })
    }

    fn error_header(&self) -> Option<&'static str> {
        Some("x-amzn-errortype")
    }

    fn refusal(&self, refusal: &Refusal<'_>) -> Fault {
        refusal::fault(refusal)
    }
}

/// Whether a switch of the environment is on.
fn is_on(request: &Request, name: &str) -> bool {
    matches!(request.variables.get(name), Some("1" | "true"))
}

fn place(request: &Request, model: &Model) -> Place {
    Place::of(model, &|name| request.variables.get(name))
}

#[cfg(test)]
mod tests;
