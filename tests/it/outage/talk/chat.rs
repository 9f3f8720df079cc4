//! Chat completions, OpenAI's and Mistral's.

use serde_json::{Value, json};

use super::{Counts, Failure, Refusal, WireTalk, nameless};
use crate::provider::Reply;

const DONE: &[u8] = b"data: [DONE]\n\n";

/// One chunk of either.
fn choice(delta: &Value, finish: Option<&str>, usage: Option<Counts>) -> Vec<u8> {
    let mut event =
        json!({"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    if let Some(Counts { input, output }) = usage {
        event["usage"] =
            json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output});
    }
    nameless(&event)
}

fn said(text: &str) -> Vec<u8> {
    choice(&json!({"content": text}), None, None)
}

fn called(id: &str, name: &str, arguments: &str) -> Vec<u8> {
    let call = json!({"index": 0, "id": id, "function": {"name": name, "arguments": arguments}});
    choice(&json!({"tool_calls": [call]}), None, None)
}

fn ended(finish: &str, counts: Counts) -> Vec<u8> {
    [&choice(&json!({}), Some(finish), Some(counts)), DONE].concat()
}

fn odd(text: &str) -> Vec<u8> {
    [
        nameless(&json!({"object": "mood", "mood": {"content": "!"}})),
        b"event: mood\ndata: {\"content\": \"!\"}\n\n".to_vec(),
        nameless(&json!({"id": "c1", "choices": [], "new": [1.5]})),
        choice(&json!({"content": text, "hologram": {"content": "!"}, "new": null}), None, None),
    ]
    .concat()
}

pub(super) struct Completions;

impl WireTalk for Completions {
    fn api(&self) -> &'static str {
        "openai-completions"
    }

    fn begin(&self) -> Vec<u8> {
        choice(&json!({"role": "assistant", "content": ""}), None, None)
    }

    fn text(&self, text: &str) -> Vec<u8> {
        said(text)
    }

    fn tool_call(&self, name: &str, arguments: &str) -> Vec<u8> {
        called("call_1", name, arguments)
    }

    fn end(&self, counts: Counts) -> Vec<u8> {
        ended("stop", counts)
    }

    fn end_of_length(&self, counts: Counts) -> Vec<u8> {
        ended("length", counts)
    }

    fn error_event(&self, failure: Failure, message: &str) -> Vec<u8> {
        let kind = match failure {
            Failure::Key => "authentication_error",
            Failure::Busy => "overloaded_error",
            Failure::Request => "invalid_request_error",
        };
        nameless(&json!({"error": {"message": message, "type": kind}}))
    }

    fn error_body(&self, _status: u16, refusal: Refusal, message: &str) -> String {
        let kind = if refusal == Refusal::Quota { "insufficient_quota" } else { "api_error" };
        json!({"error": {"message": message, "type": kind}}).to_string()
    }

    fn overflow(&self) -> Reply {
        let message = "This model's maximum context length is 1000 tokens";
        Reply::json(
            400,
            &json!({"error": {"message": message, "code": "context_length_exceeded"}}).to_string(),
        )
    }

    fn damaged(&self) -> Vec<u8> {
        b"data: {\"choices\": nonsense\n\n".to_vec()
    }

    fn strange(&self, text: &str) -> Vec<u8> {
        odd(text)
    }

    fn end_of_calls(&self) -> Vec<u8> {
        ended("tool_calls", Counts::default())
    }
}

pub(super) struct Mistral;

impl WireTalk for Mistral {
    fn api(&self) -> &'static str {
        "mistral-conversations"
    }

    fn begin(&self) -> Vec<u8> {
        choice(&json!({"role": "assistant", "content": ""}), None, None)
    }

    fn text(&self, text: &str) -> Vec<u8> {
        said(text)
    }

    fn tool_call(&self, name: &str, arguments: &str) -> Vec<u8> {
        called("Abc123xyz", name, arguments)
    }

    fn end(&self, counts: Counts) -> Vec<u8> {
        ended("stop", counts)
    }

    fn end_of_length(&self, counts: Counts) -> Vec<u8> {
        ended("length", counts)
    }

    fn error_event(&self, failure: Failure, message: &str) -> Vec<u8> {
        let (kind, status) = match failure {
            Failure::Key => ("unauthorized", 401),
            Failure::Busy => ("service_unavailable", 503),
            Failure::Request => ("invalid_request_error", 422),
        };
        let error = json!({"object": "error", "message": message, "type": kind, "raw_status_code": status});
        nameless(&error)
    }

    fn error_body(&self, status: u16, _refusal: Refusal, message: &str) -> String {
        match status {
            422 => json!({"detail": [{"type": "x", "loc": ["body"], "msg": message}]}),
            401 | 404 => json!({"message": message, "request_id": "r"}),
            _ => {
                json!({"object": "error", "message": message, "type": "error", "param": null, "code": "1000"})
            }
        }
        .to_string()
    }

    fn overflow(&self) -> Reply {
        let message = "Prompt contains 2000 tokens and 0 draft tokens, too large for model with 1000 maximum context length";
        self.error(400, Refusal::Plain, message)
    }

    fn damaged(&self) -> Vec<u8> {
        b"data: {\"choices\": nonsense\n\n".to_vec()
    }

    fn strange(&self, text: &str) -> Vec<u8> {
        odd(text)
    }

    fn end_of_calls(&self) -> Vec<u8> {
        ended("tool_calls", Counts::default())
    }
}
