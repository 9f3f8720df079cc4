//! Levels of thinking: their names, which of them a model has, and what they become on its wire.

use std::fmt;
use std::str::FromStr;

use super::{Model, Thinking, ThinkingLevel};

impl ThinkingLevel {
    /// All, from none to most.
    pub const ALL: [Self; 7] =
        [Self::Off, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::Xhigh, Self::Max];

    /// As in patterns, settings and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }
}

impl fmt::Display for ThinkingLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A set of levels: a bit for each, the lowest for `off`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Levels(pub(super) u8);

impl Levels {
    /// All that are in it, in order.
    pub(super) fn iter(self) -> impl Iterator<Item = ThinkingLevel> {
        ThinkingLevel::ALL.into_iter().filter(move |level| self.has(*level))
    }

    /// Whether `level` is in it.
    pub(super) fn has(self, level: ThinkingLevel) -> bool {
        self.0 >> (level as u8) & 1 == 1
    }
}

impl FromIterator<ThinkingLevel> for Levels {
    fn from_iter<T: IntoIterator<Item = ThinkingLevel>>(levels: T) -> Self {
        Self(levels.into_iter().fold(0, |bits, level| bits | 1 << (level as u8)))
    }
}

/// A word that is no level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a thinking level: off, minimal, low, medium, high, xhigh and max are")]
pub struct UnknownLevel;

impl FromStr for ThinkingLevel {
    type Err = UnknownLevel;

    /// Upper and lower case are alike.
    fn from_str(name: &str) -> Result<Self, UnknownLevel> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name)).ok_or(UnknownLevel)
    }
}

impl Thinking {
    /// What a level is called on the wire; `None` where the model does not have it. A level without an entry
    /// goes by its own name, but the two highest are only there where an entry says so.
    pub fn wire_value(&self, level: ThinkingLevel) -> Option<&str> {
        match self.0.iter().find(|(known, _)| *known == level) {
            Some((_, value)) => value.as_deref(),
            None if level >= ThinkingLevel::Xhigh => None,
            None => Some(level.name()),
        }
    }

    /// The levels of a model that can think, in order.
    pub fn supported(&self) -> Vec<ThinkingLevel> {
        ThinkingLevel::ALL.into_iter().filter(|level| self.wire_value(*level).is_some()).collect()
    }
}

impl Model {
    /// The levels that can be asked for, in order. A model that cannot think has only `Off`.
    pub fn thinking_levels(&self) -> Vec<ThinkingLevel> {
        if self.reasoning { self.thinking.supported() } else { vec![ThinkingLevel::Off] }
    }

    /// The nearest level that the model has: the same, else the next higher, else the next lower.
    pub fn clamp_thinking(&self, asked: ThinkingLevel) -> ThinkingLevel {
        let levels = self.thinking_levels();
        let higher = levels.iter().find(|level| **level >= asked);
        higher.or(levels.last()).copied().unwrap_or(ThinkingLevel::Off)
    }

    /// What a level is called on the model's wire; `None` where it does not have it.
    pub fn thinking_value(&self, level: ThinkingLevel) -> Option<&str> {
        if self.reasoning { self.thinking.wire_value(level) } else { None }
    }
}
