//! Anthropic's messages, and Bedrock's conversations in event streams.

use serde_json::{Value, json};

use super::{Counts, Failure, Refusal, WireTalk, named, replaced};
use crate::provider::Reply;
use crate::provider::bedrock;
use crate::provider::bedrock::messages::{event, exception, message};

pub(super) struct Messages;

fn stop(reason: &str, Counts { input, output }: Counts) -> Vec<u8> {
    let stop = json!({
        "type": "message_delta", "delta": {"stop_reason": reason},
        "usage": {"input_tokens": input, "output_tokens": output},
    });
    [named(&stop), named(&json!({"type": "message_stop"}))].concat()
}

impl WireTalk for Messages {
    fn api(&self) -> &'static str {
        "anthropic-messages"
    }

    fn begin(&self) -> Vec<u8> {
        let message = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
            "stop_reason": null, "usage": {"input_tokens": 10, "output_tokens": 1},
        });
        let block =
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
        [named(&json!({"type": "message_start", "message": message})), named(&block)].concat()
    }

    fn text(&self, text: &str) -> Vec<u8> {
        let delta = json!({"type": "text_delta", "text": text});
        named(&json!({"type": "content_block_delta", "index": 0, "delta": delta}))
    }

    fn tool_call(&self, name: &str, arguments: &str) -> Vec<u8> {
        let block = json!({"type": "tool_use", "id": "toolu_1", "name": name, "input": {}});
        let delta = json!({"type": "input_json_delta", "partial_json": arguments});
        [
            json!({"type": "content_block_start", "index": 1, "content_block": block}),
            json!({"type": "content_block_delta", "index": 1, "delta": delta}),
            json!({"type": "content_block_stop", "index": 1}),
        ]
        .iter()
        .flat_map(named)
        .collect()
    }

    fn end(&self, counts: Counts) -> Vec<u8> {
        stop("end_turn", counts)
    }

    fn end_of_length(&self, counts: Counts) -> Vec<u8> {
        stop("max_tokens", counts)
    }

    fn error_event(&self, failure: Failure, message: &str) -> Vec<u8> {
        let kind = match failure {
            Failure::Key => "authentication_error",
            Failure::Busy => "overloaded_error",
            Failure::Request => "invalid_request_error",
        };
        named(&json!({"type": "error", "error": {"type": kind, "message": message}}))
    }

    fn error_body(&self, status: u16, refusal: Refusal, message: &str) -> String {
        let kind = match (status, refusal) {
            (_, Refusal::Quota) => "billing_error",
            (401, _) => "authentication_error",
            (403, _) => "permission_error",
            (404, _) => "not_found_error",
            (429, _) => "rate_limit_error",
            (529, _) => "overloaded_error",
            (400..500, _) => "invalid_request_error",
            _ => "api_error",
        };
        json!({"type": "error", "error": {"type": kind, "message": message}}).to_string()
    }

    fn overflow(&self) -> Reply {
        self.error(400, Refusal::Plain, "prompt is too long: 2000 tokens > 1000 maximum")
    }

    fn damaged(&self) -> Vec<u8> {
        b"event: content_block_delta\ndata: {\"type\": nonsense\n\n".to_vec()
    }

    fn strange(&self, text: &str) -> Vec<u8> {
        let delta = json!({"type": "text_delta", "text": text, "new": [{"a": null}]});
        [
            named(&json!({"type": "message_mood", "mood": {"text": "!"}})),
            named(&json!({"type": "content_block_start", "index": 7, "content_block": {"type": "hologram", "text": "!"}})),
            named(&json!({"type": "content_block_delta", "index": 7, "delta": {"type": "hologram_delta", "text": "!"}})),
            named(&json!({"type": "content_block_stop", "index": 7})),
            named(&json!({"type": "content_block_delta", "index": 0, "delta": delta, "new": {"deep": [1.5, true]}})),
        ]
        .concat()
    }

    fn end_of_calls(&self) -> Vec<u8> {
        stop("tool_use", Counts::default())
    }
}

pub(super) struct Bedrock;

impl Bedrock {
    fn block(index: u64, delta: &Value) -> Vec<u8> {
        event(
            "contentBlockDelta",
            &json!({"contentBlockIndex": index, "delta": delta, "p": "abc"}).to_string(),
        )
    }

    fn stop(reason: &str, Counts { input, output }: Counts) -> Vec<u8> {
        let usage = json!({"inputTokens": input, "outputTokens": output, "totalTokens": input + output});
        [
            event("messageStop", &json!({"stopReason": reason}).to_string()),
            event("metadata", &json!({"usage": usage, "metrics": {"latencyMs": 1}}).to_string()),
        ]
        .concat()
    }
}

impl WireTalk for Bedrock {
    fn api(&self) -> &'static str {
        "bedrock-converse-stream"
    }

    fn begin(&self) -> Vec<u8> {
        event("messageStart", r#"{"role":"assistant"}"#)
    }

    fn text(&self, text: &str) -> Vec<u8> {
        Self::block(0, &json!({"text": text}))
    }

    fn tool_call(&self, name: &str, arguments: &str) -> Vec<u8> {
        let start = json!({"toolUse": {"toolUseId": "tooluse_1", "name": name}});
        [
            event("contentBlockStart", &json!({"contentBlockIndex": 1, "start": start}).to_string()),
            Self::block(1, &json!({"toolUse": {"input": arguments}})),
        ]
        .concat()
    }

    fn end(&self, counts: Counts) -> Vec<u8> {
        Self::stop("end_turn", counts)
    }

    fn end_of_length(&self, counts: Counts) -> Vec<u8> {
        Self::stop("max_tokens", counts)
    }

    fn error_event(&self, failure: Failure, message: &str) -> Vec<u8> {
        let said = json!({"message": message}).to_string();
        match failure {
            // Only the model's own provider can still say so here.
            Failure::Key => exception(
                "modelStreamErrorException",
                &json!({"message": message, "originalStatusCode": 401}).to_string(),
            ),
            Failure::Busy => exception("serviceUnavailableException", &said),
            Failure::Request => exception("validationException", &said),
        }
    }

    fn error_body(&self, _status: u16, _refusal: Refusal, message: &str) -> String {
        json!({"message": message}).to_string()
    }

    fn error(&self, status: u16, refusal: Refusal, message: &str) -> Reply {
        let name = match (status, refusal) {
            (_, Refusal::Quota) => "ServiceQuotaExceededException",
            (400, _) => "ValidationException",
            (401, _) => "UnrecognizedClientException",
            (403, _) => "AccessDeniedException",
            (404, _) => "ResourceNotFoundException",
            (408, _) => "ModelTimeoutException",
            (429, _) => "ThrottlingException",
            (503, _) => "ServiceUnavailableException",
            _ => "InternalServerException",
        };
        Reply::json(status, &self.error_body(status, refusal, message)).header("x-amzn-errortype", name)
    }

    fn overflow(&self) -> Reply {
        self.error(400, Refusal::Plain, "Input is too long for requested model.")
    }

    fn damaged(&self) -> Vec<u8> {
        event("contentBlockDelta", r#"{"contentBlockIndex": nonsense"#)
    }

    fn strange(&self, text: &str) -> Vec<u8> {
        let said =
            json!({"contentBlockIndex": 0, "delta": {"text": text, "new": 1}, "new": {"deep": [null]}});
        [
            event("moodChange", r#"{"mood":{"text":"!"}}"#),
            event("contentBlockStart", r#"{"contentBlockIndex":7,"start":{"hologram":{"text":"!"}}}"#),
            event("contentBlockDelta", r#"{"contentBlockIndex":7,"delta":{"hologram":{"text":"!"}}}"#),
            event("contentBlockDelta", &said.to_string()),
        ]
        .concat()
    }

    fn end_of_calls(&self) -> Vec<u8> {
        Self::stop("tool_use", Counts::default())
    }

    fn stream(&self) -> Reply {
        bedrock::stream()
    }

    fn spoilt(&self, text: &str, with: &[u8]) -> Vec<u8> {
        let payload = json!({"contentBlockIndex": 0, "delta": {"text": text}}).to_string();
        let payload = replaced(payload.as_bytes(), with);
        message(&[(":event-type", "contentBlockDelta"), (":message-type", "event")], &payload)
    }

    fn alive(&self, bytes: usize) -> Vec<u8> {
        message(&[(":message-type", "else")], &vec![b'a'; bytes.saturating_sub(40)])
    }

    fn endless(&self) -> Reply {
        let mut prelude = [(300_u32 << 20).to_be_bytes(), 0_u32.to_be_bytes()].concat();
        prelude.extend(crc32fast::hash(&prelude).to_be_bytes());
        self.stream().chunk(prelude).flood(vec![b'a'; 1 << 20], 300).stall()
    }
}
