//! The Responses API in its three dialects.

use serde_json::{Value, json};

use super::{Counts, Failure, Refusal, Way, WireTalk, named};
use crate::provider::Reply;

pub(super) struct Responses {
    api: &'static str,
    name: &'static str,
    way: Way,
}

pub(super) const OPENAI: Responses = body("openai-responses");
pub(super) const AZURE: Responses = body("azure-openai-responses");
pub(super) const CODEX: Responses = body("openai-codex-responses");
pub(super) const CODEX_SOCKET: Responses =
    Responses { api: "openai-codex-responses", name: "codex over a websocket", way: Way::Socket };

const fn body(api: &'static str) -> Responses {
    Responses { api, name: api, way: Way::Body }
}

impl Responses {
    fn end_with(kind: &str, reason: Option<&str>, counts: Counts) -> Vec<u8> {
        let Counts { input, output } = counts;
        let details = reason.map(|reason| json!({"reason": reason}));
        let response = json!({
            "id": "resp_1", "status": kind, "output": [], "incomplete_details": details,
            "usage": {"input_tokens": input, "output_tokens": output, "total_tokens": input + output},
        });
        named(&json!({"type": format!("response.{kind}"), "response": response}))
    }
}

impl WireTalk for Responses {
    fn api(&self) -> &'static str {
        self.api
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn way(&self) -> Way {
        self.way
    }

    fn begin(&self) -> Vec<u8> {
        let response = json!({"id": "resp_1", "model": "m", "status": "in_progress", "output": []});
        let item = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": []});
        let created = json!({"type": "response.created", "response": response});
        let added = json!({"type": "response.output_item.added", "output_index": 0, "item": item});
        [named(&created), named(&added)].concat()
    }

    fn text(&self, text: &str) -> Vec<u8> {
        let kind = "response.output_text.delta";
        named(
            &json!({"type": kind, "output_index": 0, "item_id": "msg_1", "content_index": 0, "delta": text}),
        )
    }

    fn tool_call(&self, name: &str, arguments: &str) -> Vec<u8> {
        let item = json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name, "arguments": ""});
        let added = json!({"type": "response.output_item.added", "output_index": 1, "item": item});
        let kind = "response.function_call_arguments.delta";
        let delta = json!({"type": kind, "output_index": 1, "item_id": "fc_1", "delta": arguments});
        [named(&added), named(&delta)].concat()
    }

    fn end(&self, counts: Counts) -> Vec<u8> {
        Self::end_with("completed", None, counts)
    }

    fn end_of_length(&self, counts: Counts) -> Vec<u8> {
        Self::end_with("incomplete", Some("max_output_tokens"), counts)
    }

    fn error_event(&self, failure: Failure, message: &str) -> Vec<u8> {
        let code = match failure {
            Failure::Key => "invalid_api_key",
            Failure::Busy => "server_is_overloaded",
            Failure::Request => "invalid_prompt",
        };
        let error = json!({"code": code, "message": message});
        named(&match self.api {
            "openai-responses" => json!({"type": "error", "code": code, "message": message, "param": null}),
            "azure-openai-responses" => {
                let response = json!({"id": "resp_1", "status": "failed", "error": error, "output": []});
                json!({"type": "response.failed", "response": response})
            }
            _ => json!({"type": "error", "error": error}),
        })
    }

    fn error_body(&self, status: u16, refusal: Refusal, message: &str) -> String {
        let code: Value = match (self.api, refusal) {
            (_, Refusal::Quota) => "insufficient_quota".into(),
            ("azure-openai-responses", Refusal::Plain) => status.to_string().into(),
            ("openai-codex-responses", Refusal::Plain) if status == 401 => {
                return json!({"detail": message}).to_string();
            }
            (_, Refusal::Plain) => Value::Null,
        };
        json!({"error": {"message": message, "type": "api_error", "param": null, "code": code}}).to_string()
    }

    fn overflow(&self) -> Reply {
        let message =
            "Your input exceeds the context window of this model. Please adjust your input and try again.";
        let error =
            json!({"message": message, "type": "invalid_request_error", "code": "context_length_exceeded"});
        Reply::json(400, &json!({"error": error}).to_string())
    }

    fn damaged(&self) -> Vec<u8> {
        b"event: response.output_text.delta\ndata: {\"type\": nonsense\n\n".to_vec()
    }

    fn strange(&self, text: &str) -> Vec<u8> {
        let kind = "response.output_text.delta";
        let item = json!({"type": "hologram", "id": "h_1", "content": [{"text": "!"}]});
        [
            named(&json!({"type": "mood.changed", "delta": "!"})),
            named(&json!({"type": "response.hologram.delta", "output_index": 0, "delta": "!"})),
            named(&json!({"type": "response.output_item.added", "output_index": 7, "item": item})),
            named(&json!({"type": "response.output_item.done", "output_index": 7, "item": item})),
            named(&json!({"type": kind, "output_index": 0, "item_id": "msg_1", "delta": text, "new": {"a": [null]}})),
        ]
        .concat()
    }

    fn end_of_calls(&self) -> Vec<u8> {
        self.end(Counts::default())
    }

    fn cut(&self) -> Vec<u8> {
        match self.way {
            Way::Body => b"ff\r\ndata: {".to_vec(),
            // A message of sixteen bytes.
            Way::Socket => vec![0x81, 16, b'{'],
        }
    }
}
