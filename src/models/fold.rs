//! Deltas in, one [`Assistant`] message out.
//!
//! Blocks stand in the order of their numbers, however their deltas interleaved. Tool arguments are made valid
//! at the end, once. It keeps nothing but text: limits are the caller's.

use std::collections::BTreeMap;

use super::{Assistant, Block, Delta, Origin, StopReason, Usage, json};

/// An answer being put together.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    blocks: BTreeMap<u32, Part>,
    folded: Told,
}

/// What an answer said beside its blocks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// The provider's id of the answer.
    pub response_id: Option<String>,
    /// The model that answered, as the provider names it.
    pub response_model: Option<String>,
    /// The last counts.
    pub usage: Usage,
    /// Why the answer ended; `None` where it did not come to its end.
    pub stop: Option<StopReason>,
    /// The provider's own word for it.
    pub raw_stop: Option<String>,
}

#[derive(Clone, Debug)]
struct Part {
    kind: Kind,
    text: String,
    signature: Option<String>,
}

#[derive(Clone, Debug)]
enum Kind {
    Text,
    Thinking,
    Redacted,
    ToolCall { id: String, name: String },
}

impl Fold {
    /// An answer of which nothing has come yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next delta. One that contradicts the kind of its block is appended to the block as it is.
    pub fn push(&mut self, delta: &Delta) {
        match delta {
            Delta::Response { id, model } => {
                self.folded.response_id = id.clone().or(self.folded.response_id.take());
                self.folded.response_model = model.clone().or(self.folded.response_model.take());
            }
            Delta::Text { block, text } => self.part(*block, || Kind::Text).text.push_str(text),
            Delta::Thinking { block, text } => self.part(*block, || Kind::Thinking).text.push_str(text),
            // The last signature of a block holds. Thinking may be nothing but a signature.
            Delta::Signature { block, signature } => {
                self.part(*block, || Kind::Thinking).signature = Some(signature.clone());
            }
            Delta::RedactedThinking { block, data } => {
                self.part(*block, || Kind::Redacted).text.push_str(data);
            }
            Delta::ToolCall { block, id, name } => {
                let part = self.part(*block, || Kind::Text);
                part.kind = Kind::ToolCall { id: id.clone(), name: name.clone() };
            }
            Delta::Arguments { block, text } => {
                let unnamed = || Kind::ToolCall { id: String::new(), name: String::new() };
                self.part(*block, unnamed).text.push_str(text);
            }
            Delta::Usage(usage) => self.folded.usage = *usage,
            Delta::Stop { reason, raw } => {
                self.folded.stop = Some(*reason);
                self.folded.raw_stop.clone_from(raw);
            }
            Delta::Alive | Delta::Warning(_) | Delta::Note(_) => {}
        }
    }

    /// What was told so far, apart from the blocks.
    pub fn told(&self) -> &Told {
        &self.folded
    }

    /// The message as `origin` said it. It is complete if it was stopped.
    pub fn finish(self, origin: Origin) -> (Assistant, Told) {
        let blocks = self.blocks.into_values().filter_map(Part::block).collect();
        (Assistant { origin, blocks, complete: self.folded.stop.is_some() }, self.folded)
    }

    fn part(&mut self, block: u32, kind: impl FnOnce() -> Kind) -> &mut Part {
        self.blocks.entry(block).or_insert_with(|| Part {
            kind: kind(),
            text: String::new(),
            signature: None,
        })
    }
}

impl Part {
    /// `None` for a block that says nothing.
    fn block(self) -> Option<Block> {
        let Self { kind, text, signature } = self;
        let is_empty = text.is_empty() && signature.is_none();
        match kind {
            Kind::ToolCall { id, name } => {
                Some(Block::ToolCall { id, name, arguments: json::arguments(&text), signature })
            }
            _ if is_empty => None,
            Kind::Text => Some(Block::Text { text: text.into(), signature }),
            Kind::Thinking => Some(Block::Thinking { text: text.into(), signature }),
            Kind::Redacted => Some(Block::RedactedThinking { data: text }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin { provider: "p".into(), wire: "w".into(), model: "m".into() }
    }

    #[test]
    fn interleaved_blocks_are_put_in_order() {
        let mut fold = Fold::new();
        for delta in [
            Delta::Response { id: Some("r".into()), model: None },
            Delta::Text { block: 1, text: "he".into() },
            Delta::ToolCall { block: 2, id: "c".into(), name: "read".into() },
            Delta::Arguments { block: 2, text: "{\"a\":".into() },
            Delta::Text { block: 1, text: "y".into() },
            Delta::Arguments { block: 2, text: "[1".into() },
            Delta::Signature { block: 0, signature: "s".into() },
            Delta::Text { block: 3, text: String::new() },
            Delta::Usage(Usage { input: 1, ..Usage::default() }),
            Delta::Usage(Usage { output: 2, ..Usage::default() }),
            Delta::Stop { reason: StopReason::ToolUse, raw: Some("tool_calls".into()) },
        ] {
            fold.push(&delta);
        }
        let (assistant, told) = fold.finish(origin());
        assert_eq!(
            assistant.blocks,
            [
                Block::Thinking { text: "".into(), signature: Some("s".into()) },
                Block::Text { text: "hey".into(), signature: None },
                Block::ToolCall {
                    id: "c".into(),
                    name: "read".into(),
                    arguments: "{\"a\":[1]}".into(),
                    signature: None
                },
            ]
        );
        assert!(assistant.complete);
        assert_eq!(
            told,
            Told {
                response_id: Some("r".into()),
                response_model: None,
                usage: Usage { output: 2, ..Usage::default() },
                stop: Some(StopReason::ToolUse),
                raw_stop: Some("tool_calls".into()),
            }
        );
    }

    #[test]
    fn an_answer_without_a_stop_is_not_complete() {
        let mut fold = Fold::new();
        fold.push(&Delta::Text { block: 0, text: "par".into() });
        let (assistant, told) = fold.finish(origin());
        assert!(!assistant.complete);
        assert_eq!(told.stop, None);
        assert_eq!(assistant.blocks.len(), 1);
    }
}
