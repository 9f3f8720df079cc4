//! The Gemini API of Google AI Studio, and gateways that speak it.
//!
//! What it shares with Vertex AI is in `google.rs`. It must never hold a key: the transport adds it.

use super::{Access, Decoder, HttpRequest, Wire, google};
use crate::catalog::Model;
use crate::models::Fault;
use crate::models::message::Request;

/// The wire `google-generative-ai`.
#[derive(Clone, Copy, Debug)]
pub struct Api;

impl Wire for Api {
    fn id(&self) -> &'static str {
        "google-generative-ai"
    }

    fn encode(&self, request: &Request, model: &Model, _access: Access) -> HttpRequest {
        // Names with a folder of their own are whole.
        let folder =
            if model.id.starts_with("models/") || model.id.starts_with("tunedModels/") { "" } else { "models/" };
        google::request(google::url(&model.base_url, folder, &model.id), request, model)
    }

    /// Access tokens of Google are sent as such.
    fn is_subscription(&self, key: &str) -> bool {
        google::is_access_token(key)
    }

    fn decoder(&self, _model: &Model) -> Box<dyn Decoder> {
        google::decoder()
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        google::fault(status, body)
    }
}
