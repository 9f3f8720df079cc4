//! A session's outbound queue: events and answers in the one order in which the client gets them.
//!
//! While the client keeps up, each event goes straight to the connection's channel. While it does not, events
//! wait here, and adjacent deltas of one text are merged: a waiting delta is a range of its item's text, so
//! that waiting costs no copy. When too much waits, the session stops reading from the provider.
//! Also the replay ring, from which a client is told what it missed.

use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::event::{Event, EventBody, Field, Output, OutputBody};
use super::item::{Item, ItemBody, ItemId, SessionId};
use super::transcript::Transcript;

/// A delta event carries at most this many bytes of text, so that the connection's channel is bounded in
/// bytes too.
const MAX_DELTA_BYTES: usize = 16 << 10;
/// Text that may wait before the provider is no longer read.
const MAX_WAITING_BYTES: usize = 1 << 20;
/// Entries that may wait before the provider is no longer read.
const MAX_WAITING_ENTRIES: usize = 1_024;
/// Events that can be replayed.
const RING: usize = 1_024;

/// The queue of one session.
pub(super) struct Outbox {
    session: SessionId,
    epoch: u64,
    seq: u64,
    channel: mpsc::Sender<Output>,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    ring: VecDeque<Kept>,
}

/// A delta by reference.
#[derive(Clone, Copy, Debug)]
struct Range {
    item: ItemId,
    field: Field,
    start: usize,
    end: usize,
    from_seq: u64,
    seq: u64,
}

enum Waiting {
    Delta(Range),
    Other(OutputBody),
}

enum Kept {
    Delta(Range),
    Other(Event),
}

impl Kept {
    fn seq(&self) -> u64 {
        match self {
            Self::Delta(range) => range.seq,
            Self::Other(event) => event.seq,
        }
    }
}

impl Outbox {
    /// An empty queue whose first event will be number 1 of `epoch`.
    pub(super) fn new(session: SessionId, epoch: u64, channel: mpsc::Sender<Output>) -> Self {
        Self {
            session,
            epoch,
            seq: 0,
            channel,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            ring: VecDeque::new(),
        }
    }

    /// The newest event's number; zero before the first.
    pub(super) fn seq(&self) -> u64 {
        self.seq
    }

    /// The loading that the events belong to.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether as much waits as may: the provider must not be read further.
    pub(super) fn is_full(&self) -> bool {
        self.waiting_bytes > MAX_WAITING_BYTES || self.waiting.len() > MAX_WAITING_ENTRIES
    }

    /// Whether anything waits for room.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Emits an event other than a delta.
    pub(super) fn event(&mut self, body: EventBody) {
        self.seq += 1;
        let event = Event { from_seq: self.seq, seq: self.seq, body };
        self.keep(Kept::Other(event.clone()));
        self.send(OutputBody::Event(event));
    }

    /// Emits the growth of an item's text: what stands in `transcript` from `start` on.
    pub(super) fn grown(&mut self, transcript: &Transcript, item: ItemId, field: Field, start: usize) {
        let Some(text) = transcript.get(item).map(|item| text_of(item, field)) else { return };
        let mut start = start;
        while start < text.len() {
            let end = floor_boundary(text, (start + MAX_DELTA_BYTES).min(text.len()));
            self.seq += 1;
            let range = Range { item, field, start, end, from_seq: self.seq, seq: self.seq };
            self.keep(Kept::Delta(range));
            self.delta(range, text);
            start = end;
        }
    }

    /// Sends a question, an answer or the like, which are no events.
    pub(super) fn send(&mut self, body: OutputBody) {
        if self.waiting.is_empty() {
            match self.channel.try_reserve() {
                Ok(permit) => {
                    permit.send(Output { session: self.session.clone(), epoch: self.epoch, body });
                    return;
                }
                // The connection is gone: nobody will read this, and the process is ending.
                Err(mpsc::error::TrySendError::Closed(())) => return,
                Err(mpsc::error::TrySendError::Full(())) => {}
            }
        }
        self.waiting.push_back(Waiting::Other(body));
    }

    fn delta(&mut self, range: Range, text: &str) {
        if self.waiting.is_empty() {
            match self.channel.try_reserve() {
                Ok(permit) => {
                    let body = OutputBody::Event(delta_event(range, text));
                    permit.send(Output { session: self.session.clone(), epoch: self.epoch, body });
                    return;
                }
                Err(mpsc::error::TrySendError::Closed(())) => return,
                Err(mpsc::error::TrySendError::Full(())) => {}
            }
        }
        self.waiting_bytes += range.end - range.start;
        if let Some(Waiting::Delta(last)) = self.waiting.back_mut()
            && last.item == range.item
            && last.field == range.field
            && last.end == range.start
            && range.end - last.start <= MAX_DELTA_BYTES
        {
            last.end = range.end;
            last.seq = range.seq;
            return;
        }
        self.waiting.push_back(Waiting::Delta(range));
    }

    /// Waits until something that waits can be sent; for ever where nothing waits. `None` where the
    /// connection is gone.
    pub(super) fn room(&self) -> impl Future<Output = Option<mpsc::OwnedPermit<Output>>> + use<> {
        let channel = self.is_waiting().then(|| self.channel.clone());
        async move {
            match channel {
                Some(channel) => channel.reserve_owned().await.ok(),
                None => std::future::pending().await,
            }
        }
    }

    /// Moves what waits into the channel: as much as the permit and the room beyond it take.
    pub(super) fn flush(&mut self, transcript: &Transcript, permit: Option<mpsc::OwnedPermit<Output>>) {
        let Some(permit) = permit else {
            self.waiting.clear();
            self.waiting_bytes = 0;
            return;
        };
        let mut permit = Some(permit);
        while !self.waiting.is_empty() {
            let Some(room) = permit.take().or_else(|| self.channel.clone().try_reserve_owned().ok()) else {
                return;
            };
            let body = match self.waiting.pop_front() {
                None => return,
                Some(Waiting::Other(body)) => body,
                Some(Waiting::Delta(range)) => {
                    self.waiting_bytes -= range.end - range.start;
                    match transcript.get(range.item) {
                        Some(item) => OutputBody::Event(delta_event(range, text_of(item, range.field))),
                        None => continue,
                    }
                }
            };
            room.send(Output { session: self.session.clone(), epoch: self.epoch, body });
        }
    }

    /// Exactly the events after `seq`, or `None` where some are no longer kept.
    pub(super) fn since(&self, transcript: &Transcript, seq: u64) -> Option<Vec<Event>> {
        if seq > self.seq {
            return None;
        }
        let oldest = self.ring.front().map_or(self.seq, |kept| kept.seq() - 1);
        if seq < oldest {
            return None;
        }
        let missed = self.ring.iter().filter(|kept| kept.seq() > seq);
        Some(
            missed
                .filter_map(|kept| match kept {
                    Kept::Other(event) => Some(event.clone()),
                    Kept::Delta(range) => {
                        let item = transcript.get(range.item)?;
                        Some(delta_event(*range, text_of(item, range.field)))
                    }
                })
                .collect(),
        )
    }

    fn keep(&mut self, kept: Kept) {
        if self.ring.len() == RING {
            self.ring.pop_front();
        }
        self.ring.push_back(kept);
    }
}

fn delta_event(range: Range, text: &str) -> Event {
    let text = text.get(range.start..range.end).unwrap_or_default().to_owned();
    Event {
        from_seq: range.from_seq,
        seq: range.seq,
        body: EventBody::Delta { item: range.item, field: range.field, text },
    }
}

fn text_of(item: &Item, field: Field) -> &str {
    match (field, &item.body) {
        (Field::Text, _) => &item.text,
        (Field::Arguments, ItemBody::ToolCall(call)) => &call.arguments,
        (Field::Arguments, _) => "",
    }
}

/// The nearest character boundary at or below `index`; above it where that would be no progress.
fn floor_boundary(text: &str, index: usize) -> usize {
    // A character has at most four bytes, and a piece is far longer than that.
    (index.saturating_sub(3)..=index).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}
