//! What is done with whole conversations: named, copied, written out, and removed for good.
//!
//! A copy is a conversation of its own from its first moment; what is removed was locked by this process before.

use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::event::{Answer, EventBody, OutputBody};
use super::item::{Failure, Item, ItemBody, ItemId, ItemStatus, SessionId};
use super::session::{Command, Session};
use super::store::format::Record;
use super::store::load::Access;
use super::store::{Durability, Store};
use super::ticket::Ticket;
use super::transcript::Transcript;
use super::{Engine, MAILBOX, NewSession, Seat};

/// The longest title, in characters.
const MAX_TITLE: usize = 200;

/// How a conversation is written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    Markdown,
    Json,
}

/// A conversation to begin another with.
pub(super) struct Copied {
    new: NewSession,
    title: Option<String>,
    items: Vec<Item>,
}

impl Session {
    /// Answers `renameSession`.
    pub(super) fn rename(&mut self, ticket: Ticket, title: &str) {
        let title: String = title.split_whitespace().collect::<Vec<_>>().join(" ");
        let answer = if let Some(failure) = self.read_only_failure() {
            Err(failure)
        } else if title.is_empty() || title.chars().count() > MAX_TITLE {
            Err(Failure::invalid("/title", format!("a title has 1 to {MAX_TITLE} characters")))
        } else {
            self.title = Some(title.clone());
            self.renamed = true;
            self.log.record(&Record::Title { title }, Durability::Written);
            self.out.event(EventBody::SessionChanged(Box::new(self.info())));
            Ok(Answer::Done)
        };
        self.out.send(OutputBody::Answer { ticket, answer });
    }

    /// Answers `exportSession`.
    pub(super) fn export(&mut self, ticket: Ticket, format: ExportFormat) {
        let items = self.transcript.items().iter().filter(|item| item.status != ItemStatus::Withdrawn);
        let answer = Answer::Export { info: Box::new(self.info()), items: items.cloned().collect(), format };
        self.out.send(OutputBody::Answer { ticket, answer: Ok(answer) });
    }

    /// What another conversation is to begin with: all that is whole, up to `until`.
    pub(super) fn copied(&self, until: Option<&str>) -> Result<Copied, Failure> {
        let until = match until {
            None => None,
            Some(id) => {
                let known = ItemId::parse(id).filter(|id| self.transcript.get(*id).is_some());
                Some(known.ok_or_else(|| Failure {
                    path: Some("/itemId".to_owned()),
                    ..Failure::not_found(format!("no item {}", super::item::cut(id)), None)
                })?)
            }
        };
        let is_whole =
            |item: &&Arc<Item>| !matches!(item.status, ItemStatus::Withdrawn | ItemStatus::InProgress);
        let items =
            self.transcript.items().iter().take_while(|item| until.is_none_or(|until| item.id <= until));
        Ok(Copied {
            new: NewSession {
                cwd: self.cwd.clone(),
                folders: self.folders.clone(),
                system: self.system.clone(),
                model: self.model.clone(),
                account: self.account.clone(),
                thinking: self.thinking,
                permission_mode: self.permission_mode,
            },
            title: self.title.clone(),
            items: items.filter(is_whole).map(|item| copy(item)).collect(),
        })
    }

    /// Begins with what was copied, and is on the disk from then on.
    pub(super) fn take_copy(&mut self, title: Option<String>, items: Vec<Item>) {
        let last = items.last().map_or(ItemId(0), |item| item.id);
        let turns = items.iter().filter_map(|item| item.turn).max();
        self.transcript = Transcript::from_items(items, Vec::new(), last);
        self.begin_after(turns);
        self.title = title;
        let info = self.info();
        if let Err(failure) = self.log.ensure(&info, self.system.as_deref(), &self.transcript) {
            self.notice(super::Severity::Warning, failure.message, failure.hint);
        }
    }
}

/// An item of another conversation. What is being done about it there is not done here.
fn copy(item: &Item) -> Item {
    let mut item = item.clone();
    if let ItemBody::FileChange(change) = &mut item.body {
        change.review = None;
    }
    item
}

impl Engine {
    /// Has a session do what changes nothing in it. One that is not open is opened for that only, so that it is
    /// free again for whoever wants to go on with it.
    fn look_into(&mut self, id: &SessionId, command: Command) {
        if self.sessions.contains_key(id) {
            return self.deliver(id, command);
        }
        self.load(id, Access::Read);
        self.deliver(id, command);
        if let Some(seat) = self.sessions.remove(id) {
            self.ending.insert(id.clone(), seat.ended);
            // The mailbox is empty but for one; it closes with its sender all the same.
            let _ = seat.mailbox.try_send(Command::Close { ticket: None });
        }
    }

    /// Writes a conversation out.
    pub(super) fn export(&mut self, ticket: Ticket, session: &str, format: ExportFormat) {
        match SessionId::parse(session) {
            Some(id) => self.look_into(&id, Command::Export { ticket, format }),
            None => self.reply(ticket, Err(Failure::no_session(session))),
        }
    }

    /// Begins a session with the content of another, as soon as that one has told it.
    pub(super) fn fork(&mut self, ticket: Ticket, session: &str, until: Option<String>) {
        let Some(source) = SessionId::parse(session) else {
            return self.reply(ticket, Err(Failure::no_session(session)));
        };
        let (reply, copied) = oneshot::channel();
        self.look_into(&source, Command::Copy { until, reply });
        let id = self.fresh_id();
        let (sender, mailbox) = mpsc::channel(MAILBOX);
        let (world, outputs, replies) = (Arc::clone(&self.world), self.outputs.clone(), self.replies.clone());
        let (end, ended) = oneshot::channel::<()>();
        let name = id.clone();
        let task = self.tasks.spawn(async move {
            // A session that could not be loaded, or is at its end, has dropped the question.
            let copied = copied.await.unwrap_or_else(|_| Err(Failure::no_session(source.as_str())));
            match copied {
                Ok(Copied { new, title, items }) => {
                    let mut session = Session::new(world, name.clone(), new, mailbox, outputs);
                    session.take_copy(title, items);
                    session.answer_new(ticket);
                    session.run().await;
                }
                // Without a receiver the connection is gone.
                Err(failure) => drop(replies.send((ticket, Err(failure)))),
            }
            drop(end);
            name
        });
        self.sessions.insert(id, Seat { mailbox: sender, cancels: Vec::new(), task: task.id(), ended });
    }

    /// Ends a session's work, then removes its file.
    pub(super) fn delete(&mut self, ticket: Ticket, session: &str) {
        let Some(id) = SessionId::parse(session) else {
            return self.reply(ticket, Err(Failure::no_session(session)));
        };
        let running = self.sessions.remove(&id);
        let was_open = running.is_some();
        let ended = match running {
            Some(seat) => {
                for cancel in &seat.cancels {
                    cancel.cancel();
                }
                // A full mailbox ends with its sender, which is dropped here; the session closes all the same.
                let _ = seat.mailbox.try_send(Command::Close { ticket: None });
                Some(seat.ended)
            }
            None => self.ending.remove(&id),
        };
        let (store, replies) = (self.world.store.clone(), self.replies.clone());
        let (gone, free) = oneshot::channel::<()>();
        self.ending.insert(id.clone(), free);
        self.tasks.spawn(async move {
            if let Some(ended) = ended {
                // Resolves with an error by design: the other side only ever drops.
                let _ = ended.await;
            }
            let name = id.clone();
            let removing = tokio::task::spawn_blocking(move || remove(&store, &name, was_open));
            let removed =
                removing.await.unwrap_or_else(|_| Err(Failure::internal("removing the session failed")));
            // Without a receiver the connection is gone.
            let _ = replies.send((ticket, removed.map(|()| Answer::Done)));
            drop(gone);
            id
        });
    }
}

/// Removes the file of a session that no process has open. One that was only in memory has none.
fn remove(store: &Store, session: &SessionId, was_open: bool) -> Result<(), Failure> {
    let missing = || if was_open { Ok(()) } else { Err(Failure::no_session(session.as_str())) };
    let Some(path) = store.path(session) else { return missing() };
    let failed = |error: &io::Error| Failure::storage(format!("cannot remove {}: {error}", path.display()));
    let files = &store.system().files;
    if let Err(error) = files.read_start(&path, 1) {
        return if error.kind() == io::ErrorKind::NotFound { missing() } else { Err(failed(&error)) };
    }
    let file = files.open_append(&path).map_err(|error| failed(&error))?;
    match file.try_lock() {
        Ok(()) => files.remove(&path).map_err(|error| failed(&error)),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(Failure::read_only(session, "another process has it open"))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(failed(&error)),
    }
}
