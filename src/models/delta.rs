//! The vocabulary of a streamed answer, the same for every wire.

/// One step of an answer. Blocks are numbered by the wire in order of their first appearance, and deltas of
/// different blocks may interleave.
#[derive(Clone, Debug, PartialEq)]
pub enum Delta {
    /// The provider accepted the request: its ids, as soon as they are known.
    Response { id: Option<String>, model: Option<String> },
    /// Text for the person.
    Text { block: u32, text: String },
    /// Thinking, or a summary of it.
    Thinking { block: u32, text: String },
    /// What must be sent back with a block: a signature, or the name of the field that it came in.
    Signature { block: u32, signature: String },
    /// Thinking that only the provider can read.
    RedactedThinking { block: u32, data: String },
    /// A tool call begins. `id` is the provider's, or one that the wire made up.
    ToolCall { block: u32, id: String, name: String },
    /// More of a tool call's arguments, as the raw text of JSON.
    Arguments { block: u32, text: String },
    /// Token counts so far; the last one holds.
    Usage(Usage),
    /// The answer has ended. Nothing follows but `Usage`.
    Stop { reason: StopReason, raw: Option<String> },
    /// The provider is alive but said nothing (a comment, a ping).
    Alive,
    /// Something odd that did not stop the answer, for the person to know.
    Warning(String),
    /// Something that is as good as it should be, for the person to know.
    Note(String),
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The model had said all.
    EndTurn,
    /// It wants tools run.
    ToolUse,
    /// It reached its output limit.
    MaxTokens,
    /// It, or a filter of the provider, declined.
    Refusal,
}

/// Token counts of one call. `input` excludes cached tokens; `output` includes reasoning.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    /// Part of `output`.
    pub reasoning: u64,
    /// US dollars as the provider itself charged, where it says so.
    pub provider_cost: Option<f64>,
}

impl Usage {
    /// Adds the counts of another call.
    pub fn add(&mut self, other: &Self) {
        self.input += other.input;
        self.output += other.output;
        self.cache_read += other.cache_read;
        self.cache_write += other.cache_write;
        self.reasoning += other.reasoning;
        if let Some(cost) = other.provider_cost {
            self.provider_cost = Some(self.provider_cost.unwrap_or(0.0) + cost);
        }
    }
}
