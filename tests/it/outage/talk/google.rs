//! The Gemini API, and Vertex AI's.

use serde_json::{Value, json};

use super::{Counts, Failure, Refusal, WireTalk, nameless};
use crate::provider::Reply;

pub(super) struct Google(&'static str);

pub(super) const GEMINI: Google = Google("google-generative-ai");
pub(super) const VERTEX: Google = Google("google-vertex");

fn chunk(part: &Value, finish: Option<(&str, Counts)>) -> Vec<u8> {
    let mut candidate = json!({"content": {"parts": [part], "role": "model"}, "index": 0});
    let mut event = json!({"modelVersion": "m", "responseId": "r1"});
    if let Some((reason, Counts { input, output })) = finish {
        candidate["finishReason"] = reason.into();
        event["usageMetadata"] = json!({"promptTokenCount": input, "candidatesTokenCount": output, "totalTokenCount": input + output});
    }
    event["candidates"] = json!([candidate]);
    nameless(&event)
}

/// What Google calls a status.
fn word(status: u16) -> &'static str {
    match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "UNKNOWN",
    }
}

fn error(status: u16, message: &str) -> Value {
    json!({"error": {"code": status, "message": message, "status": word(status)}})
}

impl WireTalk for Google {
    fn api(&self) -> &'static str {
        self.0
    }

    fn begin(&self) -> Vec<u8> {
        chunk(&json!({"text": ""}), None)
    }

    fn text(&self, text: &str) -> Vec<u8> {
        chunk(&json!({"text": text}), None)
    }

    fn tool_call(&self, name: &str, arguments: &str) -> Vec<u8> {
        // A call comes whole, its arguments as they are.
        let args: Value = serde_json::from_str(arguments).unwrap_or_else(|_| arguments.into());
        chunk(&json!({"functionCall": {"name": name, "args": args}, "thoughtSignature": "c2ln"}), None)
    }

    fn end(&self, counts: Counts) -> Vec<u8> {
        chunk(&json!({"text": ""}), Some(("STOP", counts)))
    }

    fn end_of_length(&self, counts: Counts) -> Vec<u8> {
        chunk(&json!({"text": ""}), Some(("MAX_TOKENS", counts)))
    }

    fn error_event(&self, failure: Failure, message: &str) -> Vec<u8> {
        let status = match failure {
            Failure::Key => 401,
            Failure::Busy => 503,
            Failure::Request => 400,
        };
        nameless(&error(status, message))
    }

    fn error_body(&self, status: u16, refusal: Refusal, message: &str) -> String {
        let mut body = error(status, message);
        if refusal == Refusal::Quota {
            let kind = "type.googleapis.com/google.rpc.QuotaFailure";
            let violations = json!([{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]);
            body["error"]["details"] = json!([{"@type": kind, "violations": violations}]);
        }
        if self.0 == "google-vertex" { json!([body]).to_string() } else { body.to_string() }
    }

    fn overflow(&self) -> Reply {
        let message = "The input token count (2000) exceeds the maximum number of tokens allowed (1000).";
        self.error(400, Refusal::Plain, message)
    }

    fn strange(&self, text: &str) -> Vec<u8> {
        [
            nameless(&json!({"mood": {"text": "!"}})),
            chunk(&json!({"hologram": {"text": "!"}}), None),
            chunk(&json!({"text": text, "new": {"deep": [null, 1.5]}}), None),
        ]
        .concat()
    }

    fn end_of_calls(&self) -> Vec<u8> {
        self.end(Counts::default())
    }

    fn damaged(&self) -> Vec<u8> {
        b"data: {\"candidates\": nonsense\n\n".to_vec()
    }
}
