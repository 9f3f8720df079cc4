//! A claim to exactly one answer. Whoever holds it must answer; dropping it unanswered is itself reported, so
//! that no request is ever left hanging, not even by a panic.

use std::fmt;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

/// The claim of one request. Moves with the operation and ends in `OutputBody::Answer`.
pub struct Ticket {
    /// Opaque to the engine: a door's own name for the request.
    label: Arc<str>,
    /// The door's number for it.
    number: u64,
    /// Opaque to the engine: what the door needs to know when it gives the answer.
    note: Option<Arc<str>>,
    abandoned: Option<UnboundedSender<u64>>,
}

impl Ticket {
    /// A ticket whose loss is told through `abandoned`.
    pub fn new(number: u64, label: Arc<str>, abandoned: UnboundedSender<u64>) -> Self {
        Self { label, number, note: None, abandoned: Some(abandoned) }
    }

    /// The door's own name for the request.
    pub fn label(&self) -> &Arc<str> {
        &self.label
    }

    /// The same ticket with what the door needs to know when it gives the answer.
    #[must_use]
    pub fn noted(mut self, note: &str) -> Self {
        self.note = Some(note.into());
        self
    }

    /// What the door noted.
    pub fn note(&self) -> Option<&Arc<str>> {
        self.note.as_ref()
    }

    /// The door's number for it.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The answer is being written: the ticket is used up.
    pub fn redeem(mut self) -> u64 {
        self.abandoned = None;
        self.number
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(abandoned) = self.abandoned.take() {
            // Without a receiver the connection is gone, and nobody waits for the answer.
            let _ = abandoned.send(self.number);
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({})", self.number)
    }
}
