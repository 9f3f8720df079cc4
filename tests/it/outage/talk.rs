//! What a provider says over each wire, so that one table of faults serves them all.

mod chat;
mod google;
mod others;
mod responses;

use crate::provider::{Reply, Sockets};
use crate::server::Upstream;

/// One wire API as a provider speaks it. What it says is whole: events with their names and the blank line that ends
/// them, or messages with their checksums.
pub(super) trait WireTalk: Sync {
    /// As in models.json.
    fn api(&self) -> &'static str;
    /// What comes before the first text.
    fn begin(&self) -> Vec<u8>;
    /// A piece of text.
    fn text(&self, text: &str) -> Vec<u8>;
    /// A call of the tool `name` with its arguments, or the start of it.
    fn tool_call(&self, name: &str, arguments: &str) -> Vec<u8>;
    /// The end of an answer that said all, with its token counts.
    fn end(&self, counts: Counts) -> Vec<u8>;
    /// The end of one that was cut off by its length.
    fn end_of_length(&self, counts: Counts) -> Vec<u8>;
    /// An error in the middle of an answer.
    fn error_event(&self, failure: Failure, message: &str) -> Vec<u8>;
    /// The body of an error answer.
    fn error_body(&self, status: u16, refusal: Refusal, message: &str) -> String;
    /// What a prompt that is too long is answered with.
    fn overflow(&self) -> Reply;
    /// An event whose data is not JSON.
    fn damaged(&self) -> Vec<u8>;

    /// A kind of event that is not known, and a piece of text with fields that are not.
    fn strange(&self, text: &str) -> Vec<u8>;
    /// The end of an answer that called tools.
    fn end_of_calls(&self) -> Vec<u8>;

    /// How answers come.
    fn way(&self) -> Way {
        Way::Body
    }

    /// As it stands in the table.
    fn name(&self) -> &'static str {
        self.api()
    }

    /// An open answer, nothing said yet.
    fn stream(&self) -> Reply {
        Reply::stream()
    }

    /// A piece of text in which these bytes stand in place of each `@`.
    fn spoilt(&self, text: &str, with: &[u8]) -> Vec<u8> {
        replaced(&self.text(text), with)
    }

    /// Makes a provider one that speaks this.
    fn meet(&self, upstream: &Upstream) {
        if self.way() == Way::Socket {
            upstream.provider.sockets(Sockets::Agreed);
        }
    }

    /// A sign of life of so many bytes that says nothing.
    fn alive(&self, bytes: usize) -> Vec<u8> {
        format!(":{}\n\n", "a".repeat(bytes - 3)).into_bytes()
    }

    /// An answer whose only event has no end.
    fn endless(&self) -> Reply {
        self.stream().chunk("data: ").flood(vec![b'a'; 1 << 20], 300).stall()
    }

    /// What is left where a connection broke within what frames an event.
    fn cut(&self) -> Vec<u8> {
        b"ff\r\ndata: {".to_vec()
    }

    /// A whole answer in one chunk for each text.
    fn answer(&self, texts: &[&str]) -> Reply {
        let begun = self.stream().chunk(self.begin());
        let said = texts.iter().fold(begun, |reply, text| reply.chunk(self.text(text)));
        said.chunk(self.end(Counts::default()))
    }

    /// An answer that has begun and said `text`.
    fn begun(&self, text: &str) -> Reply {
        self.stream().chunk(self.begin()).chunk(self.text(text))
    }

    /// An error answer.
    fn error(&self, status: u16, refusal: Refusal, message: &str) -> Reply {
        Reply::json(status, &self.error_body(status, refusal, message))
    }
}

/// How answers come.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// In the body of an HTTP answer.
    Body,
    /// Over a WebSocket, with an HTTP answer to fall back on.
    Socket,
}

impl Way {
    /// What the setting `transport` must be.
    pub(super) fn setting(self) -> &'static str {
        match self {
            Self::Body => "sse",
            Self::Socket => "auto",
        }
    }
}

/// What goes wrong in the middle of an answer.
#[derive(Clone, Copy)]
pub(super) enum Failure {
    /// The key is no good.
    Key,
    /// There is no capacity.
    Busy,
    /// The request is.
    Request,
}

/// What an error answer is about, beside what its status says.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Refusal {
    Plain,
    /// There is no quota left.
    Quota,
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

/// Every wire that is built in, and each way that it has.
pub(super) const TALKS: [&dyn WireTalk; 10] = [
    &chat::Completions,
    &others::Messages,
    &responses::OPENAI,
    &responses::AZURE,
    &responses::CODEX,
    &responses::CODEX_SOCKET,
    &google::GEMINI,
    &google::VERTEX,
    &chat::Mistral,
    &others::Bedrock,
];

fn replaced(bytes: &[u8], with: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| if *byte == b'@' { with.to_vec() } else { vec![*byte] }).collect()
}

/// An event without a name.
fn nameless(data: &serde_json::Value) -> Vec<u8> {
    format!("data: {data}\n\n").into_bytes()
}

/// An event whose name is its type.
fn named(event: &serde_json::Value) -> Vec<u8> {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()).into_bytes()
}

#[test]
fn every_wire_is_in_the_table() {
    let talked: std::collections::BTreeSet<_> = TALKS.iter().map(|talk| talk.api()).collect();
    let known = aside::models::wires::WIRES.iter().map(|wire| wire.id());
    assert_eq!(talked, known.collect());
}
