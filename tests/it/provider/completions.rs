//! The events of an answer as `openai-completions` speaks it, for [`Reply::sse`].

use super::Reply;

/// Ends an answer: the model had said all.
pub(crate) const STOP: &str = r#"{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
/// The last event of a stream.
pub(crate) const DONE: &str = "[DONE]";

/// More text.
pub(crate) fn text(text: &str) -> String {
    let text = serde_json::Value::from(text);
    format!(r#"{{"id":"c1","model":"m","choices":[{{"index":0,"delta":{{"content":{text}}}}}]}}"#)
}

/// A whole answer, one event for each text.
pub(crate) fn answer(texts: &[&str]) -> Reply {
    let said = texts.iter().map(|said| text(said));
    Reply::sse(said.chain([STOP.to_owned(), DONE.to_owned()]))
}
