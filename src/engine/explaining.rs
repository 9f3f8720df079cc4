//! Why a call was allowed, asked about or denied: of calls that were made, and of those that might be.
//!
//! A call that might be made is looked up as a real one is, on a thread that may wait, and never made.

use serde_json::Value;
use tokio::task::JoinSet;

use super::event::{Answer, OutputBody};
use super::item::Failure;
use super::permissions::book::{Explained, Ready};
use super::session::Session;
use super::ticket::Ticket;
use crate::tools::{self, ToolOutcome};

/// Calls that are looked up at a time.
const MAX_RUNNING: usize = 8;

/// What is to be explained.
#[derive(Clone, Debug)]
pub enum Asked {
    /// A call that was made or a question that was put, by their ids on the wire.
    Past { item: Option<String>, question: Option<String> },
    /// A call that might be made.
    Call { tool: String, arguments: Value },
}

/// Calls that are looked up.
#[derive(Default)]
pub(super) struct Explaining(JoinSet<LookedUp>);

/// A call that was looked up.
pub(super) struct LookedUp {
    ticket: Ticket,
    title: String,
    ready: Result<Ready, ToolOutcome>,
}

impl Explaining {
    /// Waits for the next. Cancel-safe.
    pub(super) async fn next(&mut self) -> LookedUp {
        loop {
            match self.0.join_next().await {
                Some(Ok(looked_up)) => return looked_up,
                // It panicked; the ticket that it dropped is reported by itself.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

impl Session {
    /// Answers `explainPermission`, at once or when the call is looked up.
    pub(super) fn explain(&mut self, ticket: Ticket, asked: Asked) {
        let answer = match asked {
            Asked::Past { item, question } => {
                let past = self.permissions.past(item.as_deref(), question.as_deref());
                past.cloned().ok_or_else(|| {
                    let hint = "only the last calls of a session are remembered, and only while it is open";
                    Failure::not_found("no decision on such a call is remembered".to_owned(), Some(hint))
                })
            }
            Asked::Call { tool: name, arguments } => match tools::tool(&name) {
                None => Err(Failure::invalid("/tool", format!("no tool {}", super::item::cut(&name)))),
                Some(_) if self.explaining.0.len() >= MAX_RUNNING => Err(Failure::overloaded("explanations")),
                Some(tool) => {
                    let scope = self.scope();
                    self.explaining.0.spawn_blocking(move || LookedUp {
                        ticket,
                        title: tool.title(&arguments),
                        ready: Ready::look_up(tool, arguments, &scope),
                    });
                    return;
                }
            },
        };
        let answer = answer.map(|explained| Answer::Explained(Box::new(explained)));
        self.out.send(OutputBody::Answer { ticket, answer });
    }

    /// Judges a call that was looked up, as if it were to be made now.
    pub(super) fn explain_call(&mut self, looked_up: LookedUp) {
        let LookedUp { ticket, title, ready } = looked_up;
        let answer = match ready {
            Ok(ready) => {
                let verdict = self.permissions.judge(&ready, self.permission_mode, &self.world.system);
                let (explained, _) = Explained::of(&ready, verdict, &title);
                Ok(Answer::Explained(Box::new(explained)))
            }
            Err(outcome) => Err(Failure::invalid("/arguments", outcome.text)),
        };
        self.out.send(OutputBody::Answer { ticket, answer });
    }
}
