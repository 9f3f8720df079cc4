//! What a thinking level becomes in a request, beyond what the catalog says of it: shared by all wires.

use crate::catalog::{Model, ThinkingLevel};

/// What a model's data says of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapped<'a> {
    /// It has this value on the wire.
    Value(&'a str),
    /// The model does not have this level.
    Unsupported,
    /// Nothing: the level's own name is the value.
    Unnamed,
}

/// What `model` says of `level`.
pub fn mapped(model: &Model, level: ThinkingLevel) -> Mapped<'_> {
    match model.thinking.0.iter().find(|(named, _)| *named == level) {
        Some((_, Some(value))) => Mapped::Value(value),
        Some((_, None)) => Mapped::Unsupported,
        // The highest levels exist only where they are named.
        None if matches!(level, ThinkingLevel::Xhigh | ThinkingLevel::Max) => Mapped::Unsupported,
        None => Mapped::Unnamed,
    }
}

/// The value of `level` on the wire: the model's own, else the level's name.
pub fn effort(model: &Model, level: ThinkingLevel) -> &str {
    match mapped(model, level) {
        Mapped::Value(value) => value,
        Mapped::Unsupported | Mapped::Unnamed => level.name(),
    }
}

/// Tokens that a level may think, for models that are given a budget.
pub fn budget(level: ThinkingLevel) -> u64 {
    match level {
        ThinkingLevel::Off => 0,
        ThinkingLevel::Minimal => 1024,
        ThinkingLevel::Low => 2048,
        ThinkingLevel::Medium => 8192,
        ThinkingLevel::High | ThinkingLevel::Xhigh | ThinkingLevel::Max => 16_384,
    }
}
