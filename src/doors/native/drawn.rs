//! The sessions that a client has drawn as lines: their documents, and events as patches of them.
//!
//! A document begins with the answer that opens the session so, and ends when the session is opened otherwise,
//! closed, deleted or loaded anew. It can be made again from a snapshot at any time.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;

use super::convert;
use super::project::write_head;
use crate::doors::lines::{Conversation, Document, Drawing, Mark, MarkKind, Patch};
use crate::doors::peer::writer::append;
use crate::engine::{
    Answer, Event, EventBody, Item, ItemBody, OpenedContent, SessionId, SessionInfo, Ticket,
};
use aside_protocol as wire;

/// What is noted on a ticket until its answer is given: from then on it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// The session's events are sent as items.
    Items,
    /// They are sent as patches of lines.
    Lines,
    /// The session of that id has no events any more.
    Forget(String),
}

impl Note {
    /// Notes it.
    pub(super) fn on(&self, ticket: Ticket) -> Ticket {
        match self {
            Self::Items => ticket,
            Self::Lines => ticket.noted("lines"),
            Self::Forget(session) => ticket.noted(&format!("forget {session}")),
        }
    }

    fn read(note: Option<&str>) -> Self {
        match note {
            None => Self::Items,
            Some("lines") => Self::Lines,
            Some(note) => Self::Forget(note.strip_prefix("forget ").unwrap_or_default().to_owned()),
        }
    }
}

/// How an event was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It is to be told as an item's.
    AsItems,
    /// It was written.
    Written,
    /// The client need not know.
    Nothing,
}

/// The documents of one client.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    sessions: HashMap<SessionId, Session>,
    /// Used again for each event.
    patches: Vec<Patch>,
}

#[derive(Debug)]
struct Session {
    epoch: u64,
    /// The newest event that was told, or needed no telling.
    told: u64,
    document: Document,
}

/// Whether an item is sent whole beside the lines that draw it: its hunks are needed for a review.
pub(super) fn is_sent_whole(item: &Item) -> bool {
    matches!(item.body, ItemBody::FileChange(_))
}

impl Drawn {
    /// Takes in an answer. Returns the document that goes with it.
    pub(super) fn answer(&mut self, answer: &Answer, note: Option<&str>) -> Option<wire::LayoutDocument> {
        match (answer, Note::read(note)) {
            (Answer::NewSession(info), Note::Lines) => {
                let conversation = Conversation { folder: &info.cwd, items: &[], omitted: 0, turns: &[] };
                Some(self.open(info, conversation))
            }
            (Answer::Opened(opened), Note::Lines) => {
                let OpenedContent::Snapshot { items, omitted, turns, .. } = &opened.content else {
                    return None;
                };
                let info = &opened.info;
                let (omitted, folder) = (*omitted, info.cwd.as_str());
                Some(self.open(info, Conversation { folder, items, omitted, turns }))
            }
            (Answer::Opened(opened), _) => {
                self.sessions.remove(&opened.info.session);
                None
            }
            (_, Note::Forget(session)) => {
                SessionId::parse(&session).map(|session| self.sessions.remove(&session));
                None
            }
            _ => None,
        }
    }

    fn open(&mut self, info: &SessionInfo, conversation: Conversation<'_>) -> wire::LayoutDocument {
        let (document, Drawing { lines, marks }) = Document::new(conversation);
        let session = Session { epoch: info.epoch, told: info.seq, document };
        self.sessions.insert(info.session.clone(), session);
        let marks = marks.into_iter().map(mark).collect();
        wire::LayoutDocument { lines, marks, revision: info.seq }
    }

    /// Writes the params of an event of a session that is drawn as lines.
    pub(super) fn event(&mut self, id: &SessionId, epoch: u64, event: &Event, json: &mut Vec<u8>) -> Told {
        if self.sessions.is_empty() {
            return Told::AsItems;
        }
        let Some(session) = self.sessions.get_mut(id) else { return Told::AsItems };
        if session.epoch != epoch {
            // It was loaded anew by something else than a request to open it.
            self.sessions.remove(id);
            return Told::AsItems;
        }
        self.patches.clear();
        session.document.apply(&event.body, &mut self.patches);
        // What needed no telling is told of with the next event.
        let from_seq = event.from_seq.min(session.told + 1);
        let item = match &event.body {
            EventBody::ItemStarted(item) | EventBody::ItemUpdated(item) | EventBody::ItemCompleted(item) => {
                Some(item).filter(|item| is_sent_whole(item))
            }
            EventBody::Delta { .. } | EventBody::ItemWithdrawn(_) => None,
            EventBody::TurnStarted { .. }
            | EventBody::QuestionAsked(_)
            | EventBody::QuestionResolved { .. }
            | EventBody::UsageChanged { .. }
            | EventBody::Retry { .. }
            | EventBody::Stalled { .. }
            | EventBody::StateChanged(_)
            | EventBody::SessionChanged(_)
            | EventBody::QueueChanged(_)
            | EventBody::TurnEnded { .. } => {
                session.told = event.seq;
                let mut told = convert::event(id, epoch, event);
                told.from_seq = (from_seq != event.seq).then_some(from_seq);
                if let wire::EventBody::TurnEnded { patches, .. } = &mut told.body {
                    patches.extend(self.patches.drain(..).map(patch_of));
                }
                append(json, &told);
                return Told::Written;
            }
        };
        if self.patches.is_empty() && item.is_none() {
            return Told::Nothing;
        }
        session.told = event.seq;
        write_head(id, epoch, from_seq, event.seq, json);
        write_patches(&self.patches, item, json);
        Told::Written
    }
}

/// The rest of a `layoutChanged`. What a delta is, of which there are many, is written by hand.
fn write_patches(patches: &[Patch], item: Option<&Arc<Item>>, json: &mut Vec<u8>) {
    json.extend_from_slice(b"layoutChanged\",\"patches\":[");
    for (index, patch) in patches.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        match patch {
            Patch::Append { line, text, lines } => {
                // Writing to memory does not fail.
                let _ = write!(json, "{{\"type\":\"append\",\"line\":{line},\"text\":");
                append(json, text);
                if !lines.is_empty() {
                    json.extend_from_slice(b",\"lines\":");
                    append(json, lines);
                }
                json.push(b'}');
            }
            other => append(json, &patch_of(other.clone())),
        }
    }
    json.push(b']');
    if let Some(item) = item {
        json.extend_from_slice(b",\"item\":");
        append(json, &convert::item(item));
    }
    json.push(b'}');
}

// A document of so many lines would have been too large long before.
fn number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

fn patch_of(patch: Patch) -> wire::LayoutPatch {
    match patch {
        Patch::Append { line, text, lines } => wire::LayoutPatch::Append { line: number(line), text, lines },
        Patch::Insert { line, lines } => wire::LayoutPatch::Insert { line: number(line), lines },
        Patch::Replace { from, to, lines } => {
            wire::LayoutPatch::Replace { from: number(from), to: number(to), lines }
        }
        Patch::Mark(of) => wire::LayoutPatch::Mark { mark: mark(of) },
        Patch::Unmark(id) => wire::LayoutPatch::Unmark { id },
    }
}

fn mark(mark: Mark) -> wire::LayoutMark {
    let Mark { id, kind, from, to, name } = mark;
    wire::LayoutMark {
        id,
        kind: match kind {
            MarkKind::Fold => wire::MarkKind::Fold,
            MarkKind::Highlight => wire::MarkKind::Highlight,
            MarkKind::Item => wire::MarkKind::Item,
        },
        from: number(from),
        to: number(to),
        name,
    }
}
