//! The messages of an answer as `bedrock-converse-stream` speaks it.

#[path = "../../fuzz/messages.rs"]
pub(crate) mod messages;

use super::Reply;
use messages::script;

/// Ends an answer: the model had said all.
pub(crate) const STOP: &str = "messageStop {\"stopReason\":\"end_turn\"}\n\
     metadata {\"usage\":{\"inputTokens\":5,\"outputTokens\":7,\"totalTokens\":12},\"metrics\":{\"latencyMs\":1}}";

/// An open event stream, nothing sent yet.
pub(crate) fn stream() -> Reply {
    Reply::status(200).header("content-type", "application/vnd.amazon.eventstream")
}

/// More text, as a line of a script.
pub(crate) fn text(text: &str) -> String {
    let text = serde_json::Value::from(text);
    format!(r#"contentBlockDelta {{"contentBlockIndex":0,"delta":{{"text":{text}}},"p":"abcdefg"}}"#)
}

/// A whole answer, one message and one chunk for each text.
pub(crate) fn answer(texts: &[&str]) -> Reply {
    let start = stream().chunk(script("messageStart {\"role\":\"assistant\"}"));
    texts.iter().fold(start, |reply, said| reply.chunk(script(&text(said)))).chunk(script(STOP))
}
