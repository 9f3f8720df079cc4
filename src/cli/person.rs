//! A form that a command puts to the person at the terminal, outside any turn.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ask::Asker;
use super::terminal::{Page, Terminal};
use crate::engine::{Question, QuestionAnswer, QuestionBody, QuestionId};
use crate::system::os::{Event, Signals};
use crate::tools::Form;

/// What became of a form.
pub(super) enum Answered {
    Values(BTreeMap<String, String>),
    /// The input ended.
    Closed,
    /// The process is to end.
    Ended(Event),
}

/// Asks, field by field. What is secret is not shown while it is typed.
pub(super) async fn ask(terminal: Terminal, signals: &mut Signals, form: Form) -> Answered {
    let mut asker = Asker::new(terminal);
    let mut page = Page::default();
    let question = Question { id: QuestionId(1), body: QuestionBody::Form(form) };
    asker.ask(Arc::new(question), &mut page);
    loop {
        // Standard error is a screen; one that is gone is told by a signal.
        let _ = std::mem::take(&mut page).write();
        if let Some((_, answer)) = asker.answers().pop() {
            return match answer {
                QuestionAnswer::Values(values) => Answered::Values(values),
                _ => Answered::Closed,
            };
        }
        tokio::select! {
            biased;
            event = signals.next() => {
                asker.end_line(&mut page);
                let _ = page.write();
                return Answered::Ended(event);
            }
            line = asker.line() => asker.take(line, &mut page),
        }
    }
}
