//! Commands that the person runs in the session's folder, beside whatever the session does. The model sees them with
//! its next request.
//!
//! They are the person's own: nothing is asked. They run like those of the tool `shell`, with the same bounds and
//! the same environment, because what they print goes to the model.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::event::{Answer, EventBody, OutputBody};
use super::item::{CommandItem, Failure, Item, ItemBody, ItemId, ItemStatus};
use super::session::Session;
use super::ticket::Ticket;
use crate::tools::shell::keep::{HEAD, TAIL};
use crate::tools::shell::{self, Ran};
use crate::tools::{CallId, ToolContext, ToolOutcome};

/// Bytes of an output that the model is told without a gap.
const MAX_TOLD: usize = HEAD + TAIL + 4_096;

/// Commands of the person that run at a time.
const MAX_RUNNING: usize = 8;

/// The person's commands that run.
#[derive(Default)]
pub(super) struct Commands {
    tasks: JoinSet<(ItemId, Ended)>,
    open: BTreeMap<ItemId, Open>,
}

struct Open {
    ticket: Ticket,
    task: AbortHandle,
}

/// How one came to its end.
pub(super) enum Ended {
    Ran(Ran),
    Cancelled,
}

impl Commands {
    /// Whether none runs.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether the item is a command that runs.
    pub(super) fn contains(&self, id: ItemId) -> bool {
        self.open.contains_key(&id)
    }

    /// Waits for the next that ends. Cancel-safe.
    pub(super) async fn next(&mut self) -> (ItemId, Ended) {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(ended)) => return ended,
                // A panic is caught inside the task; else it was ended, and what is to be said of it has been said.
                Some(Err(_)) => {}
                None => std::future::pending().await,
            }
        }
    }
}

impl Session {
    /// Takes `runShell` on. It is answered when the command has ended.
    pub(super) fn run_command(&mut self, ticket: Ticket, line: String, cancel: CancellationToken) {
        let refused = if let Some(failure) = self.read_only_failure() {
            Some(failure)
        } else if let Err(why) = shell::check(&line) {
            Some(Failure::invalid("/command", format!("the command {why}")))
        } else if self.commands.open.len() >= MAX_RUNNING {
            Some(Failure::overloaded("commands that run"))
        } else {
            None
        };
        if let Some(failure) = refused {
            return self.out.send(OutputBody::Answer { ticket, answer: Err(failure) });
        }
        let info = self.info();
        let unsaved = self.log.ensure(&info, self.system.as_deref(), &self.transcript).err();
        let item = self.transcript.push(Item {
            id: self.transcript.next_id(),
            turn: self.turn.as_ref().map(|turn| turn.id),
            call: self.transcript.last_call(),
            status: ItemStatus::InProgress,
            created_at_ms: self.world.system.clock.now_ms(),
            text: String::new(),
            body: ItemBody::Command(CommandItem { line: line.clone(), exit_code: None, result: None }),
        });
        let id = item.id;
        self.log.text(&item, false);
        self.out.event(EventBody::ItemStarted(item));
        if let Some(failure) = unsaved {
            self.notice(super::item::Severity::Warning, failure.message, failure.hint);
        }
        let context = ToolContext::new(CallId(id.0), self.scope(), [].into(), self.report_sender.clone());
        let task = self.commands.tasks.spawn(async move {
            let running = AssertUnwindSafe(shell::run_line(line, &context)).catch_unwind();
            let ended = tokio::select! {
                biased;
                () = cancel.cancelled() => Ended::Cancelled,
                ran = running => Ended::Ran(ran.unwrap_or_else(|_| Ran {
                    outcome: ToolOutcome::failed("The command failed inside Aside."),
                    exit_code: None,
                })),
            };
            (id, ended)
        });
        self.commands.open.insert(id, Open { ticket, task });
    }

    /// A command of the person has come to its end.
    pub(super) fn command_ended(&mut self, id: ItemId, ended: Ended) {
        let Some(Open { ticket, .. }) = self.commands.open.remove(&id) else { return };
        let (output, exit_code) = match ended {
            Ended::Ran(Ran { outcome, exit_code }) => {
                let ToolOutcome { text, shown, is_error, .. } = outcome;
                self.append(id, shown.as_deref().unwrap_or(&text));
                self.transcript.update(id, |item| {
                    if let ItemBody::Command(command) = &mut item.body {
                        command.exit_code = exit_code;
                        command.result = (item.text != text).then(|| text.clone());
                    }
                });
                self.complete_item(id, if is_error { ItemStatus::Failed } else { ItemStatus::Completed });
                (text, exit_code)
            }
            Ended::Cancelled => {
                self.complete_item(id, ItemStatus::Cancelled);
                (self.transcript.get(id).map(|item| item.text.clone()).unwrap_or_default(), None)
            }
        };
        let answer = Ok(Answer::Ran { item: id, exit_code, output });
        self.out.send(OutputBody::Answer { ticket, answer });
    }

    /// Ends a command of the person. Says whether there was one.
    pub(super) fn cancel_command(&mut self, id: ItemId) -> bool {
        let Some(open) = self.commands.open.get(&id) else { return false };
        open.task.abort();
        self.command_ended(id, Ended::Cancelled);
        true
    }

    /// Ends all of them. Says whether there were any.
    pub(super) fn cancel_commands(&mut self) -> bool {
        let all: Vec<ItemId> = self.commands.open.keys().copied().collect();
        for id in &all {
            self.cancel_command(*id);
        }
        !all.is_empty()
    }
}

/// What the model is told of a command of the person.
pub(super) fn told(item: &Item, command: &CommandItem) -> Arc<str> {
    let output = command.result.as_deref().unwrap_or(&item.text).trim_end();
    let output: Cow<'_, str> = match output.len() {
        0 => "(nothing was printed)".into(),
        1..=MAX_TOLD => output.into(),
        // It was ended, so that nobody has shortened it yet.
        len => {
            let head = output.get(..output.floor_char_boundary(HEAD)).unwrap_or_default();
            let tail = output.get(output.ceil_char_boundary(len - TAIL)..).unwrap_or_default();
            let left_out = len - head.len() - tail.len();
            format!("{head}\n[{left_out} bytes are left out here]\n{tail}").into()
        }
    };
    let end = if item.status == ItemStatus::Cancelled { "\n\n[the person ended it]" } else { "" };
    format!("I ran this command in the working folder:\n\n$ {}\n\n{output}{end}", command.line).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(text: String, status: ItemStatus) -> (Item, CommandItem) {
        let command = CommandItem { line: "make".to_owned(), exit_code: None, result: None };
        let body = ItemBody::Command(command.clone());
        let item = Item { id: ItemId(1), turn: None, call: 0, status, created_at_ms: 0, text, body };
        (item, command)
    }

    #[test]
    fn the_model_is_told_no_more_than_it_is_of_its_own_commands() {
        let (item, command) = item("ä".repeat(500_000), ItemStatus::Cancelled);
        let text = told(&item, &command);
        assert!(text.len() < MAX_TOLD + 1_000, "{}", text.len());
        assert!(text.contains("\n\n$ make\n\nä") && text.ends_with("\n\n[the person ended it]"));
        assert!(text.contains("bytes are left out here]"));
    }

    #[test]
    fn what_prints_nothing_is_told_too() {
        let (item, command) = item("\n".to_owned(), ItemStatus::Completed);
        assert!(told(&item, &command).ends_with("$ make\n\n(nothing was printed)"));
    }
}
