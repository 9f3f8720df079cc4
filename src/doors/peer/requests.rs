//! The requests that have no answer yet: their raw ids, their cancel tokens, and the batches that they came in.
//!
//! An entry lives until its answer is written, so that what is open is bounded even when nobody reads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::value::RawValue;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::classify::{Invalid, One, error};
use super::writer::Sink;
use crate::engine::Ticket;
use aside_protocol::{ErrorKind, OVERLOADED};

/// Bytes of params that may be open at once, whatever their number.
const MAX_OPEN_BYTES: usize = 128 << 20;

/// A request's id: the very bytes that came.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RawId(Arc<str>);

impl RawId {
    /// The id where there is none that could be echoed.
    pub fn null() -> Self {
        Self("null".into())
    }

    /// Takes a string or a number.
    pub fn parse(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        matches!(text.as_bytes().first(), Some(b'"' | b'-' | b'0'..=b'9')).then(|| Self(text.into()))
    }

    /// The bytes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A request's place in a batch.
pub type Seat = Option<(Arc<Batch>, usize)>;

/// The table.
pub struct Requests {
    open: Mutex<Table>,
    max: usize,
    /// Told whenever the last open request was answered.
    emptied: Notify,
    abandoned: mpsc::UnboundedSender<u64>,
}

#[derive(Default)]
struct Table {
    by_number: HashMap<u64, Open>,
    by_id: HashMap<RawId, u64>,
    bytes: usize,
    next: u64,
}

struct Open {
    id: RawId,
    bytes: usize,
    cancel: CancellationToken,
    batch: Seat,
}

/// Where an answer goes.
pub struct Claim {
    pub id: RawId,
    pub batch: Seat,
}

impl Requests {
    /// A table for at most `max` requests. The numbers of tickets that were dropped unanswered arrive at the
    /// receiver.
    pub fn new(max: usize) -> (Arc<Self>, mpsc::UnboundedReceiver<u64>) {
        let (abandoned, lost) = mpsc::unbounded_channel();
        (Arc::new(Self { open: Mutex::default(), max, emptied: Notify::new(), abandoned }), lost)
    }

    /// Takes a request in, or says why not.
    pub fn open(
        &self,
        id: &RawId,
        bytes: usize,
        batch: &Seat,
        sink: &Sink,
    ) -> Result<(Ticket, CancellationToken), Invalid> {
        let mut table = self.table();
        if table.by_id.contains_key(id) {
            let message = "another request with this id is still open";
            return Err(Invalid::request(id.clone(), message, Some("give each request an id of its own")));
        }
        if table.by_number.len() >= self.max || table.bytes + bytes > MAX_OPEN_BYTES || sink.is_behind() {
            let hint = "read the answers that wait, then send it again";
            let mut error =
                error(OVERLOADED, ErrorKind::Overloaded, "too many requests are open", Some(hint));
            error.data.retry_after_ms = Some(1_000);
            return Err(Invalid { id: id.clone(), error });
        }
        table.next += 1;
        let number = table.next;
        let cancel = CancellationToken::new();
        let ticket = Ticket::new(number, Arc::clone(&id.0), self.abandoned.clone());
        table.by_id.insert(id.clone(), number);
        table.bytes += bytes;
        let open = Open { id: id.clone(), bytes, cancel: cancel.clone(), batch: batch.clone() };
        table.by_number.insert(number, open);
        Ok((ticket, cancel))
    }

    /// Cancels the request of that id, if it is open.
    pub fn cancel(&self, id: &RawId) {
        let table = self.table();
        if let Some(open) = table.by_id.get(id).and_then(|number| table.by_number.get(number)) {
            open.cancel.cancel();
        }
    }

    /// The answer of a request is being written: it is open no more. `None` where it was answered before.
    pub fn close(&self, number: u64) -> Option<Claim> {
        let mut table = self.table();
        let open = table.by_number.remove(&number)?;
        table.by_id.remove(&open.id);
        table.bytes -= open.bytes;
        if table.by_number.is_empty() {
            self.emptied.notify_waiters();
        }
        Some(Claim { id: open.id, batch: open.batch })
    }

    /// Resolves when no request is open.
    pub async fn none_open(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.table().by_number.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answers of a batch, sent as one when the last is there.
#[derive(Debug)]
pub struct Batch(Mutex<BatchAnswers>);

#[derive(Debug)]
struct BatchAnswers {
    /// In the order of the members.
    answers: Vec<Option<Vec<u8>>>,
    missing: usize,
}

impl Batch {
    /// A batch of these members. Notifications and responses have no answer.
    pub fn new(members: &[Result<One, Invalid>]) -> Arc<Self> {
        let answered = |member: &&Result<One, Invalid>| matches!(member, Ok(One::Request { .. }) | Err(_));
        let missing = members.iter().filter(answered).count();
        Arc::new(Self(Mutex::new(BatchAnswers { answers: vec![None; members.len()], missing })))
    }

    /// Adds a member's answer. Returns the whole batch when it was the last.
    pub fn answer(&self, member: usize, answer: Vec<u8>) -> Option<Vec<u8>> {
        let mut batch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = batch.answers.get_mut(member) {
            *seat = Some(answer);
        }
        batch.missing = batch.missing.saturating_sub(1);
        if batch.missing > 0 {
            return None;
        }
        let mut all = vec![b'['];
        for answer in batch.answers.iter().flatten() {
            if all.len() > 1 {
                all.push(b',');
            }
            all.extend_from_slice(answer);
        }
        all.push(b']');
        Some(all)
    }
}
