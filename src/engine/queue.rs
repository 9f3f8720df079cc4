//! What waits for a session: prompts behind the running turn, and words that are to reach the model within it.
//!
//! Nothing that a person wrote is lost: what a turn did not take in stands in the conversation all the same, and
//! what waits behind it is on the disk and stays until it is begun or taken away.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::future::select_all;
use tokio_util::sync::CancellationToken;

use super::event::{Answer, EventBody, OutputBody};
use super::item::{Failure, Item, ItemBody, ItemStatus, Severity, TurnEnd, TurnId};
use super::session::Session;
use super::store::Durability;
use super::store::format::{Record, Text};
use super::ticket::Ticket;
use super::{Prompt, text_of};
use crate::models::Content;

/// Prompts that may wait in one session.
const MAX_ENTRIES: usize = 100;

/// What happens to a prompt while the session is at work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenBusy {
    #[default]
    Refuse,
    /// It waits its turn.
    Queue,
    /// It reaches the model before its next call.
    Steer,
}

/// A change of what waits.
#[derive(Clone, Debug)]
pub enum QueueAction {
    List,
    Add(Vec<Content>),
    Edit { id: String, content: Vec<Content> },
    Move { id: String, before: Option<String> },
    Remove { id: String },
}

/// A prompt that waits, as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueEntry {
    pub id: String,
    pub content: Vec<Content>,
}

/// The prompts that wait behind the running turn.
#[derive(Default)]
pub(super) struct Queue {
    entries: VecDeque<Waiting>,
    last: u32,
    /// A turn was cancelled or failed: nothing begins by itself until the person says more.
    pub(super) is_paused: bool,
}

struct Waiting {
    id: u32,
    prompt: Box<Prompt>,
    /// The request that waits for the answer, and its token; none for one that was only put here.
    request: Option<(Ticket, CancellationToken)>,
}

impl Queue {
    /// As a file has kept it.
    pub(super) fn stored(contents: Vec<Vec<Content>>) -> Self {
        let mut queue = Self { is_paused: true, ..Self::default() };
        for content in contents {
            queue.push(Box::new(Prompt { content, ..Prompt::default() }), None);
        }
        queue
    }

    fn push(&mut self, prompt: Box<Prompt>, request: Option<(Ticket, CancellationToken)>) {
        self.last += 1;
        self.entries.push_back(Waiting { id: self.last, prompt, request });
    }

    fn position(&self, id: &str) -> Option<usize> {
        let id: u32 = id.strip_prefix('e')?.parse().ok()?;
        self.entries.iter().position(|entry| entry.id == id)
    }

    /// As it is shown.
    pub(super) fn entries(&self) -> Vec<QueueEntry> {
        let entry = |entry: &Waiting| QueueEntry {
            id: format!("e{}", entry.id),
            content: entry.prompt.content.clone(),
        };
        self.entries.iter().map(entry).collect()
    }

    /// Resolves when the request of an entry was cancelled; never where none waits with one.
    pub(super) async fn cancelled(&self) -> usize {
        let tokens = self.entries.iter().enumerate().filter_map(|(index, entry)| {
            let (_, cancel) = entry.request.as_ref()?;
            Some(Box::pin(async move {
                cancel.cancelled().await;
                index
            }))
        });
        let tokens: Vec<_> = tokens.collect();
        if tokens.is_empty() {
            return std::future::pending().await;
        }
        select_all(tokens).await.0
    }
}

impl Session {
    /// Puts a prompt behind what is there.
    pub(super) fn enqueue(&mut self, ticket: Ticket, prompt: Prompt, cancel: CancellationToken) {
        if self.queue.entries.len() >= MAX_ENTRIES {
            let failure = Failure::overloaded("prompts of the session");
            self.out.send(OutputBody::Answer { ticket, answer: Err(failure) });
            return;
        }
        self.queue.push(Box::new(prompt), Some((ticket, cancel)));
        self.queue.is_paused = false;
        self.queue_changed();
    }

    /// Answers `queue`.
    pub(super) fn change_queue(&mut self, ticket: Ticket, action: QueueAction) {
        let changed = match self.read_only_failure() {
            Some(failure) if !matches!(action, QueueAction::List) => Err(failure),
            _ => self.apply_to_queue(action),
        };
        let answer = changed.map(|changed| {
            if changed {
                self.queue_changed();
            }
            Answer::Queue(self.queue.entries())
        });
        self.out.send(OutputBody::Answer { ticket, answer });
        self.begin_waiting();
    }

    /// Says whether anything changed.
    fn apply_to_queue(&mut self, action: QueueAction) -> Result<bool, Failure> {
        let unknown = |path: &str, id: &str| Failure {
            path: Some(path.to_owned()),
            ..Failure::not_found(
                format!("nothing waits under the id {}", super::item::cut(id)),
                Some("it may have begun; list the queue again"),
            )
        };
        match action {
            QueueAction::List => return Ok(false),
            QueueAction::Add(content) => {
                if self.queue.entries.len() >= MAX_ENTRIES {
                    return Err(Failure::overloaded("prompts of the session"));
                }
                self.queue.push(Box::new(Prompt { content, ..Prompt::default() }), None);
                self.queue.is_paused = false;
            }
            QueueAction::Edit { id, content } => {
                let at = self.queue.position(&id).ok_or_else(|| unknown("/action/id", &id))?;
                if let Some(entry) = self.queue.entries.get_mut(at) {
                    entry.prompt.content = content;
                }
            }
            QueueAction::Move { id, before } => {
                let at = self.queue.position(&id).ok_or_else(|| unknown("/action/id", &id))?;
                if before.as_ref() == Some(&id) {
                    return Ok(false);
                }
                if let Some(before) = &before {
                    self.queue.position(before).ok_or_else(|| unknown("/action/before", before))?;
                }
                if let Some(entry) = self.queue.entries.remove(at) {
                    let to = before.and_then(|before| self.queue.position(&before));
                    self.queue.entries.insert(to.unwrap_or(self.queue.entries.len()), entry);
                }
            }
            QueueAction::Remove { id } => {
                let at = self.queue.position(&id).ok_or_else(|| unknown("/action/id", &id))?;
                self.unqueue(at, "the prompt was taken out of the queue");
            }
        }
        Ok(true)
    }

    /// An entry's request was cancelled while it waited.
    pub(super) fn queued_cancelled(&mut self, at: usize) {
        self.unqueue(at, "the prompt was cancelled before it began");
        self.queue_changed();
    }

    fn unqueue(&mut self, at: usize, why: &str) {
        if let Some(Waiting { request: Some((ticket, _)), .. }) = self.queue.entries.remove(at) {
            self.out.send(OutputBody::Answer { ticket, answer: Err(Failure::cancelled(why)) });
        }
    }

    /// The session ends: requests are answered, and what is only waiting is on the disk.
    pub(super) fn answer_queue(&mut self) {
        for entry in std::mem::take(&mut self.queue.entries) {
            if let Some((ticket, _)) = entry.request {
                let failure = Failure::no_session(self.id.as_str());
                self.out.send(OutputBody::Answer { ticket, answer: Err(failure) });
            }
        }
    }

    /// Begins what waits first, where nothing runs.
    pub(super) fn begin_waiting(&mut self) {
        while self.turn.is_none() && !self.queue.is_paused && !self.is_closing() {
            let Some(Waiting { prompt, request, .. }) = self.queue.entries.pop_front() else { return };
            self.queue_changed();
            let (ticket, cancel) = request.unzip();
            match (self.prepare(&prompt), ticket) {
                (Ok(warnings), ticket) => {
                    let cancel = cancel.unwrap_or_default();
                    self.begin_turn(ticket, *prompt, cancel, warnings);
                }
                (Err(failure), Some(ticket)) => {
                    self.out.send(OutputBody::Answer { ticket, answer: Err(failure) });
                }
                (Err(failure), None) => {
                    // Its words are not lost: they wait until the person has seen to it.
                    self.queue.last += 1;
                    let id = self.queue.last;
                    self.queue.entries.push_front(Waiting { id, prompt, request: None });
                    self.queue.is_paused = true;
                    self.queue_changed();
                    self.notice(Severity::Error, failure.message, failure.hint);
                }
            }
        }
    }

    fn queue_changed(&mut self) {
        let entries = self.queue.entries();
        self.save_queue();
        self.out.event(EventBody::QueueChanged(entries.into()));
    }

    /// What waits and nobody waits for is on the disk, and so is what has not reached the model yet.
    pub(super) fn save_queue(&mut self) {
        let steers = self.turn.iter().flat_map(|turn| &turn.steers);
        let entries = self.queue.entries.iter().map(|entry| &entry.prompt.content);
        let record = Record::queue(steers.chain(entries));
        self.log.record(&record, Durability::Flushed);
    }

    /// Answers `steer`: adds to the running turn.
    pub(super) fn steer(&mut self, ticket: Ticket, content: Vec<Content>, turn: Option<&str>) {
        let running = self.turn.as_ref().map(|turn| turn.id);
        let answer = match (running, turn.map(TurnId::parse)) {
            (None, _) => Err(Failure::not_found(
                format!("no turn runs in session {}", self.id),
                Some("send it as a prompt"),
            )),
            (Some(running), Some(wanted)) if wanted != Some(running) => {
                let hint = "send it without turnId, or put it into the queue";
                Err(Failure::not_found(format!("the turn that runs is {running}"), Some(hint)))
            }
            (Some(_), _) => {
                self.add_steer(content);
                Ok(Answer::Done)
            }
        };
        self.out.send(OutputBody::Answer { ticket, answer });
    }

    /// A prompt joins the running turn, whose answer is its own.
    pub(super) fn steer_with(&mut self, ticket: Ticket, prompt: Prompt) {
        if let Some(turn) = &mut self.turn {
            turn.tickets.push(ticket);
            self.add_steer(prompt.content);
        }
    }

    fn add_steer(&mut self, content: Vec<Content>) {
        if let Some(turn) = &mut self.turn {
            turn.steers.push(content);
        }
        self.save_queue();
    }

    /// What the person said meanwhile becomes part of the conversation. Says whether there was anything.
    pub(super) fn take_steers(&mut self) -> bool {
        let Some(turn) = &mut self.turn else { return false };
        let (id, steers) = (turn.id, std::mem::take(&mut turn.steers));
        let any = !steers.is_empty();
        for content in steers {
            self.say(id, content);
        }
        if any {
            self.save_queue();
        }
        any
    }

    /// Adds words of the person to the conversation.
    pub(super) fn say(&mut self, turn: TurnId, content: Vec<Content>) -> Arc<Item> {
        let item = self.transcript.push(Item {
            id: self.transcript.next_id(),
            turn: Some(turn),
            call: self.transcript.last_call(),
            status: ItemStatus::Completed,
            created_at_ms: self.world.system.clock.now_ms(),
            text: text_of(&content),
            body: ItemBody::User { content },
        });
        self.log.record(&Record::item(&item, Text::Whole), Durability::Flushed);
        self.out.event(EventBody::ItemStarted(Arc::clone(&item)));
        self.out.event(EventBody::ItemCompleted(Arc::clone(&item)));
        item
    }

    /// A turn has ended like this: whether the next may begin by itself.
    pub(super) fn pause_after(&mut self, end: &TurnEnd) {
        self.queue.is_paused |= matches!(end, TurnEnd::Cancelled | TurnEnd::Failed(_));
    }
}
