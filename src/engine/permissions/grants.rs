//! What the person allowed or refused until the session ends: exactly what was shown, byte for byte, and nothing like it.

use std::collections::HashSet;
use std::path::PathBuf;

use super::{Decision, Prepared};
use crate::tools::Effect;

/// Answers that are kept; a session that has more asks again.
const MAX_GRANTS: usize = 10_000;

/// One thing that was allowed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    tool: String,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum What {
    Read(PathBuf),
    Write(PathBuf),
    /// With the real paths of the files that the line names.
    Run {
        line: String,
        folder: PathBuf,
        background: bool,
        named: Vec<(String, Option<PathBuf>, bool)>,
    },
    Stop(String),
    /// The arguments as text.
    Call(String),
}

/// All that was allowed, and all that was never to be asked again.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    allowed: HashSet<Grant>,
    refused: HashSet<Grant>,
}

impl Grant {
    /// What allowing `effect` of `call` means.
    pub fn of(call: &Prepared, effect: &Effect) -> Self {
        let what = match effect {
            Effect::Read(place) => What::Read(place.path.clone()),
            Effect::Write(place) => What::Write(place.path.clone()),
            Effect::Run { line, folder, background } => {
                let named = call.lines.iter().flat_map(|line| &line.named);
                let named = named.map(|named| {
                    let path = named.place.as_ref().map(|place| place.path.clone());
                    (named.text.clone(), path, named.is_write)
                });
                What::Run {
                    line: line.clone(),
                    folder: folder.clone(),
                    background: *background,
                    named: named.collect(),
                }
            }
            Effect::Stop { what } => What::Stop(what.clone()),
            Effect::Pretend => What::Call(call.arguments.to_string()),
        };
        Self { tool: call.tool.clone(), what }
    }
}

impl Grants {
    /// Allows all that `call` would do, until the session ends.
    pub fn allow(&mut self, call: &Prepared) {
        for effect in &call.intent.effects {
            if self.allowed.len() < MAX_GRANTS {
                self.allowed.insert(Grant::of(call, effect));
            }
        }
    }

    /// Refuses all that `call` would do, until the session ends.
    pub fn refuse(&mut self, call: &Prepared) {
        for effect in &call.intent.effects {
            if self.refused.len() < MAX_GRANTS {
                self.refused.insert(Grant::of(call, effect));
            }
        }
    }

    /// What the person said to exactly this.
    pub fn said(&self, grant: &Grant) -> Option<Decision> {
        if self.refused.contains(grant) {
            Some(Decision::Deny)
        } else {
            self.allowed.contains(grant).then_some(Decision::Allow)
        }
    }
}
