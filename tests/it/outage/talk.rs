//! What a provider says over each wire, so that one table of faults serves them all.

use serde_json::{Value, json};

use crate::provider::Reply;

/// One wire API as a provider speaks it. Events are whole: with their names, and the blank line that ends them.
pub(super) trait WireTalk {
    /// As in models.json.
    fn api(&self) -> &'static str;
    /// What comes before the first text.
    fn begin(&self) -> String;
    /// A piece of text.
    fn text(&self, text: &str) -> String;
    /// A call of the tool `name` with all its arguments.
    fn tool_call(&self, name: &str, arguments: &str) -> String;
    /// The end of an answer that said all, with its token counts.
    fn end(&self, counts: Counts) -> String;
    /// The end of one that was cut off by its length.
    fn end_of_length(&self, counts: Counts) -> String;
    /// An error in the middle of an answer. `code` is one of those that both know, such as `overloaded_error`.
    fn error_event(&self, code: &str, message: &str) -> String;
    /// The body of an error answer.
    fn error_body(&self, code: &str, message: &str) -> String;
    /// What a prompt that is too long is answered with.
    fn overflow(&self) -> Reply;
    /// An event whose data is not JSON.
    fn damaged(&self) -> String;

    /// A whole answer in one chunk for each text.
    fn answer(&self, texts: &[&str]) -> Reply {
        let begun = Reply::stream().chunk(self.begin());
        let said = texts.iter().fold(begun, |reply, text| reply.chunk(self.text(text)));
        said.chunk(self.end(Counts::default()))
    }

    /// An answer that has begun and said `text`.
    fn begun(&self, text: &str) -> Reply {
        Reply::stream().chunk(self.begin()).chunk(self.text(text))
    }

    /// An error answer.
    fn error(&self, status: u16, code: &str, message: &str) -> Reply {
        Reply::json(status, &self.error_body(code, message))
    }
}

/// Tokens.
#[derive(Clone, Copy)]
pub(super) struct Counts {
    pub(super) input: u64,
    pub(super) output: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self { input: 10, output: 2 }
    }
}

/// Every wire that is built in, so that one that is new must only be added here.
pub(super) fn wires() -> Vec<&'static dyn WireTalk> {
    let all: [&dyn WireTalk; 2] = [&Completions, &Messages];
    all.into_iter().filter(|talk| aside::models::is_known_wire(talk.api())).collect()
}

struct Completions;

impl Completions {
    fn choice(delta: &Value, finish: Option<&str>, usage: Option<Counts>) -> String {
        let mut event = json!({
            "id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        });
        if let Some(Counts { input, output }) = usage {
            event["usage"] = json!({"prompt_tokens": input, "completion_tokens": output});
        }
        format!("data: {event}\n\n")
    }
}

impl WireTalk for Completions {
    fn api(&self) -> &'static str {
        "openai-completions"
    }

    fn begin(&self) -> String {
        Self::choice(&json!({"role": "assistant", "content": ""}), None, None)
    }

    fn text(&self, text: &str) -> String {
        Self::choice(&json!({"content": text}), None, None)
    }

    fn tool_call(&self, name: &str, arguments: &str) -> String {
        let call = json!({"index": 0, "id": "call_1", "function": {"name": name, "arguments": arguments}});
        Self::choice(&json!({"tool_calls": [call]}), None, None)
    }

    fn end(&self, counts: Counts) -> String {
        format!("{}data: [DONE]\n\n", Self::choice(&json!({}), Some("stop"), Some(counts)))
    }

    fn end_of_length(&self, counts: Counts) -> String {
        format!("{}data: [DONE]\n\n", Self::choice(&json!({}), Some("length"), Some(counts)))
    }

    fn error_event(&self, code: &str, message: &str) -> String {
        format!("data: {}\n\n", self.error_body(code, message))
    }

    fn error_body(&self, code: &str, message: &str) -> String {
        json!({"error": {"message": message, "type": code}}).to_string()
    }

    fn overflow(&self) -> Reply {
        self.error(400, "context_length_exceeded", "This model's maximum context length is 1000 tokens")
    }

    fn damaged(&self) -> String {
        "data: {\"choices\": nonsense\n\n".to_owned()
    }
}

struct Messages;

impl Messages {
    fn event(event: &Value) -> String {
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
    }

    fn stop(reason: &str, counts: Counts) -> String {
        let stop = json!({
            "type": "message_delta", "delta": {"stop_reason": reason},
            "usage": {"input_tokens": counts.input, "output_tokens": counts.output},
        });
        format!("{}{}", Self::event(&stop), Self::event(&json!({"type": "message_stop"})))
    }
}

impl WireTalk for Messages {
    fn api(&self) -> &'static str {
        "anthropic-messages"
    }

    fn begin(&self) -> String {
        let message = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
            "stop_reason": null, "usage": {"input_tokens": 10, "output_tokens": 1},
        });
        let block =
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
        let start = json!({"type": "message_start", "message": message});
        format!("{}{}", Self::event(&start), Self::event(&block))
    }

    fn text(&self, text: &str) -> String {
        let delta = json!({"type": "text_delta", "text": text});
        Self::event(&json!({"type": "content_block_delta", "index": 0, "delta": delta}))
    }

    fn tool_call(&self, name: &str, arguments: &str) -> String {
        let block = json!({"type": "tool_use", "id": "toolu_1", "name": name, "input": {}});
        let delta = json!({"type": "input_json_delta", "partial_json": arguments});
        [
            json!({"type": "content_block_start", "index": 1, "content_block": block}),
            json!({"type": "content_block_delta", "index": 1, "delta": delta}),
            json!({"type": "content_block_stop", "index": 1}),
        ]
        .iter()
        .map(Self::event)
        .collect()
    }

    fn end(&self, counts: Counts) -> String {
        Self::stop("end_turn", counts)
    }

    fn end_of_length(&self, counts: Counts) -> String {
        Self::stop("max_tokens", counts)
    }

    fn error_event(&self, code: &str, message: &str) -> String {
        format!("event: error\ndata: {}\n\n", self.error_body(code, message))
    }

    fn error_body(&self, code: &str, message: &str) -> String {
        json!({"type": "error", "error": {"type": code, "message": message}}).to_string()
    }

    fn overflow(&self) -> Reply {
        self.error(400, "invalid_request_error", "prompt is too long: 2000 tokens > 1000 maximum")
    }

    fn damaged(&self) -> String {
        "event: content_block_delta\ndata: {\"type\": nonsense\n\n".to_owned()
    }
}
