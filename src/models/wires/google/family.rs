//! How Google's models differ, as far as their data does not say it: known by their names.

use crate::catalog::{Model, ThinkingLevel};
use crate::models::thinking::{self, Mapped};

/// Which rules a model follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    /// The first number of a Gemini's version; `None` for other models.
    gemini: Option<u32>,
    /// Whether calls have ids although it is no Gemini.
    foreign_ids: bool,
}

impl Family {
    pub(super) fn of(model: &Model) -> Self {
        let name = name(model);
        let gemini = name.strip_prefix("gemini-").map(|rest| {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            // Names without a number, such as `gemini-flash-latest`, are of the newest.
            rest.get(..digits).and_then(|number| number.parse().ok()).unwrap_or(3)
        });
        Self { gemini, foreign_ids: name.starts_with("claude-") || name.starts_with("gpt-oss-") }
    }

    /// Whether calls and their results are tied by ids; others refuse the field.
    pub(super) fn has_call_ids(self) -> bool {
        self.foreign_ids || self.is_signing()
    }

    /// Whether the first call of each step must have a signature, from Gemini 3 on.
    pub(super) fn is_signing(self) -> bool {
        self.gemini.is_some_and(|version| version >= 3)
    }

    /// Whether pictures may stand in the result of a tool.
    pub(super) fn sees_results(self) -> bool {
        self.gemini.is_none_or(|version| version >= 3)
    }

    /// Whether an answer may be held to a schema while tools are offered.
    pub(super) fn shapes_beside_tools(self) -> bool {
        self.sees_results()
    }
}

/// What a request says about thinking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) show: bool,
    pub(super) amount: Amount,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    Level(String),
    /// Tokens; -1 leaves it to the model.
    Budget(i64),
}

/// Tokens that must remain for the answer beside a thinking budget.
const ANSWER_TOKENS: u64 = 1024;

/// What is said about thinking; `None` for nothing. `limit` is the output limit in tokens, which thoughts are a
/// part of.
pub(super) fn thinking(model: &Model, level: Option<ThinkingLevel>, limit: Option<u64>) -> Option<Wanted> {
    let asked = level.filter(|_| model.reasoning)?;
    let by_level = goes_by_level(model);
    if asked == ThinkingLevel::Off {
        let amount = match (thinking::mapped(model, ThinkingLevel::Off), by_level) {
            (Mapped::Value(value), _) => amount(value),
            // What cannot be switched off thinks as little as it can.
            (Mapped::Unsupported | Mapped::Unnamed, true) => {
                let lowest =
                    model.thinking_levels().into_iter().find(|level| *level != ThinkingLevel::Off)?;
                Amount::Level(level_value(model, lowest))
            }
            (Mapped::Unnamed, false) => Amount::Budget(Budgets::of(model).off),
            (Mapped::Unsupported, false) => Amount::Budget(Budgets::of(model).levels.first().copied()?),
        };
        return Some(Wanted { show: false, amount });
    }
    let level = model.clamp_thinking(asked);
    if level == ThinkingLevel::Off {
        return None;
    }
    let amount = match thinking::mapped(model, level) {
        Mapped::Value(value) if value.parse::<i64>().is_ok() => amount(value),
        _ if by_level => Amount::Level(level_value(model, level)),
        _ => Amount::Budget(Budgets::of(model).tokens(level, limit)),
    };
    Some(Wanted { show: true, amount })
}

/// Whether thinking is measured in levels rather than in tokens: as the model's data has it, else by its name.
fn goes_by_level(model: &Model) -> bool {
    let mut values = model.thinking.0.iter().filter_map(|(_, value)| value.as_deref());
    match values.next() {
        Some(value) => value.parse::<i64>().is_err(),
        None => Family::of(model).is_signing() || name(model).starts_with("gemma-4"),
    }
}

fn amount(value: &str) -> Amount {
    value.parse().map_or_else(|_| Amount::Level(value.to_ascii_uppercase()), Amount::Budget)
}

fn level_value(model: &Model, level: ThinkingLevel) -> String {
    if let Mapped::Value(value) = thinking::mapped(model, level) {
        return value.to_ascii_uppercase();
    }
    let name = name(model);
    let has_two = name.starts_with("gemini-3-pro");
    match level {
        ThinkingLevel::Off | ThinkingLevel::Minimal | ThinkingLevel::Low if name.starts_with("gemma-4") => {
            "MINIMAL"
        }
        _ if name.starts_with("gemma-4") => "HIGH",
        ThinkingLevel::Off | ThinkingLevel::Minimal if !name.contains("-pro") => "MINIMAL",
        ThinkingLevel::Off | ThinkingLevel::Minimal | ThinkingLevel::Low => "LOW",
        ThinkingLevel::Medium if !has_two => "MEDIUM",
        ThinkingLevel::Medium | ThinkingLevel::High | ThinkingLevel::Xhigh | ThinkingLevel::Max => "HIGH",
    }
    .to_owned()
}

/// Tokens that a model may think.
struct Budgets {
    /// Minimal, low, medium and high.
    levels: [i64; 4],
    off: i64,
}

impl Budgets {
    fn of(model: &Model) -> Self {
        let name = name(model);
        if name.contains("2.5-pro") {
            // It refuses not to think.
            Self { levels: [128, 2048, 8192, 32_768], off: 128 }
        } else if name.contains("2.5-flash-lite") {
            Self { levels: [512, 2048, 8192, 24_576], off: 0 }
        } else if name.contains("2.5-flash") {
            Self { levels: [128, 2048, 8192, 24_576], off: 0 }
        } else {
            Self { levels: [-1; 4], off: 0 }
        }
    }

    fn tokens(&self, level: ThinkingLevel, limit: Option<u64>) -> i64 {
        let [minimal, low, medium, high] = self.levels;
        let tokens = match level {
            ThinkingLevel::Off => self.off,
            ThinkingLevel::Minimal => minimal,
            ThinkingLevel::Low => low,
            ThinkingLevel::Medium => medium,
            ThinkingLevel::High | ThinkingLevel::Xhigh | ThinkingLevel::Max => high,
        };
        let room = limit
            .map_or(i64::MAX, |limit| i64::try_from(limit.saturating_sub(ANSWER_TOKENS)).unwrap_or(i64::MAX));
        tokens.min(room.max(minimal))
    }
}

/// The model's own name: what stands before it only says where it is.
fn name(model: &Model) -> &str {
    model.id.rsplit('/').next().unwrap_or(&model.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::wires::tests::model as any;

    fn model(id: &str) -> Model {
        let mut model = any("google", "https://generativelanguage.googleapis.com/v1beta");
        model.id = id.into();
        model
    }

    #[test]
    fn families_are_known_by_their_names() {
        for (id, ids, signing, sees) in [
            ("gemini-2.5-pro", false, false, false),
            ("gemini-1.5-flash-8b", false, false, false),
            ("gemini-3-pro-preview", true, true, true),
            ("gemini-3.1-pro", true, true, true),
            ("models/gemini-3.5-flash", true, true, true),
            ("publishers/google/models/gemini-2.0-flash", false, false, false),
            ("gemini-flash-latest", true, true, true),
            ("gemini-10-pro", true, true, true),
            ("gemma-4-31b-it", false, false, true),
            ("claude-sonnet-5", true, false, true),
            ("gpt-oss-120b", true, false, true),
        ] {
            let family = Family::of(&model(id));
            assert_eq!(
                (family.has_call_ids(), family.is_signing(), family.sees_results()),
                (ids, signing, sees),
                "{id}"
            );
        }
    }

    fn level(value: &str) -> Amount {
        Amount::Level(value.to_owned())
    }

    #[track_caller]
    fn check(model: &Model, expected: [Amount; 5]) {
        let levels = [
            ThinkingLevel::Off,
            ThinkingLevel::Minimal,
            ThinkingLevel::Low,
            ThinkingLevel::Medium,
            ThinkingLevel::High,
        ];
        for (asked, amount) in levels.into_iter().zip(expected) {
            let show = asked != ThinkingLevel::Off;
            assert_eq!(
                thinking(model, Some(asked), None),
                Some(Wanted { show, amount }),
                "{} {asked}",
                model.id
            );
        }
    }

    #[test]
    fn amounts_are_the_familys_own() {
        let budgets = |list: [i64; 5]| list.map(Amount::Budget);
        check(&model("gemini-2.5-pro"), budgets([128, 128, 2048, 8192, 32_768]));
        check(&model("gemini-2.5-flash"), budgets([0, 128, 2048, 8192, 24_576]));
        check(&model("gemini-2.5-flash-lite"), budgets([0, 512, 2048, 8192, 24_576]));
        check(&model("deep-research-preview"), budgets([0, -1, -1, -1, -1]));
        // Without data, the name must do.
        check(&model("gemini-3-pro-preview"), ["LOW", "LOW", "LOW", "HIGH", "HIGH"].map(level));
        check(&model("gemini-3.1-pro"), ["LOW", "LOW", "LOW", "MEDIUM", "HIGH"].map(level));
        check(&model("gemini-3-flash"), ["MINIMAL", "MINIMAL", "LOW", "MEDIUM", "HIGH"].map(level));
        check(&model("gemma-4-26b-a4b-it"), ["MINIMAL", "MINIMAL", "MINIMAL", "HIGH", "HIGH"].map(level));
    }

    #[test]
    fn data_stand_above_names() {
        let mut pro = model("gemini-3.1-pro-preview");
        pro.thinking.0 = vec![
            (ThinkingLevel::Off, None),
            (ThinkingLevel::Minimal, None),
            (ThinkingLevel::Low, Some("low".into())),
            (ThinkingLevel::Medium, Some("medium".into())),
            (ThinkingLevel::High, Some("high".into())),
        ];
        check(&pro, ["LOW", "LOW", "LOW", "MEDIUM", "HIGH"].map(level));
        let mut gemma = model("gemma-4-31b-it");
        gemma.thinking.0 = vec![
            (ThinkingLevel::Off, None),
            (ThinkingLevel::Minimal, Some("MINIMAL".into())),
            (ThinkingLevel::Low, None),
            (ThinkingLevel::Medium, None),
            (ThinkingLevel::High, Some("HIGH".into())),
        ];
        check(&gemma, ["MINIMAL", "MINIMAL", "HIGH", "HIGH", "HIGH"].map(level));
        let mut own = model("mine");
        own.thinking.0 = vec![(ThinkingLevel::Off, None), (ThinkingLevel::Low, Some("300".into()))];
        assert_eq!(
            thinking(&own, Some(ThinkingLevel::Low), None).map(|wanted| wanted.amount),
            Some(Amount::Budget(300))
        );
    }

    #[test]
    fn an_answer_keeps_its_room_and_silence_is_kept() {
        let pro = model("gemini-2.5-pro");
        let amount =
            |limit| thinking(&pro, Some(ThinkingLevel::High), Some(limit)).map(|wanted| wanted.amount);
        assert_eq!(amount(5024), Some(Amount::Budget(4000)));
        assert_eq!(amount(10), Some(Amount::Budget(128)));
        assert_eq!(thinking(&pro, None, None), None);
        let mut plain = model("gemini-2.5-pro");
        plain.reasoning = false;
        assert_eq!(thinking(&plain, Some(ThinkingLevel::High), None), None);
    }
}
