//! Drives the wires over HTTP, or a WebSocket where a wire has one: encode, authorise, send, cut into frames, decode.
//!
//! No task and no lock per delta: one chunk of the socket is decoded whole into a queue, which is emptied
//! before the socket is asked again. It must never make a failed call again, follow a redirect or show a key. Next:
//! `http/open.rs` (until the answer's head), `http/socket.rs` (a socket that stays open), `transport.rs` (the client), `wires.rs` (the
//! formats).

mod open;
mod redact;

mod reuse;
mod sign;
mod socket;
mod source;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use self::open::{Opened, Opening};
use self::source::Piece;
use super::wires::Frame;
use super::{Backend, Call, Delta, DeltaStream, Fault, Stream};
use crate::models::fault::clean;
use crate::net::transport::{Transport, faults};
use crate::settings::Timeouts;

/// Bytes that may come, decompressed, without one event among them.
const SILENT_LIMIT: usize = 64 << 20;
/// Chunks without a delta that are read before other tasks get their turn.
const FRUITLESS_CHUNKS: u32 = 32;
/// Frames and deltas that room is kept for; a burst may need more, for as long as it lasts.
const KEPT_CAPACITY: usize = 256;
/// How long an answer that has stopped may stay open for its token counts.
const TRAILER: Duration = Duration::from_secs(5);
/// How long one may stay open that has nothing more to say: a body that has ended leaves its connection for the
/// next call.
const CLOSING: Duration = Duration::from_millis(100);

/// Models reached over HTTP.
pub struct HttpBackend {
    transport: Arc<Transport>,
    answered: Arc<reuse::Answered>,
    sockets: Arc<socket::Sockets>,
}

impl HttpBackend {
    /// Over these clients.
    pub(super) fn new(transport: Arc<Transport>) -> Self {
        Self { transport, answered: Arc::default(), sockets: Arc::default() }
    }

    /// A session has ended: connections that were kept for it are closed.
    pub(super) fn forget(&self, session: &str) {
        self.sockets.forget(session);
    }
}

impl Backend for HttpBackend {
    fn call(&self, call: Call) -> DeltaStream {
        let timeouts = call.settings.timeouts.clone();
        let means = open::Means {
            transport: Arc::clone(&self.transport),
            answered: Arc::clone(&self.answered),
            sockets: Arc::clone(&self.sockets),
        };
        let opening = open::open(means, call);
        Box::pin(Answer {
            state: State::Opening(opening),
            ready: VecDeque::new(),
            failed: None,
            clock: WaitClock {
                timeouts,
                started: None,
                last_byte: None,
                last_event: None,
                stopped: None,
                trailer: TRAILER,
                sleep: None,
            },
            frames_scratch: Vec::new(),
            deltas_scratch: Vec::new(),
        })
    }
}

/// One answer, from before the request is made to its last delta.
struct Answer {
    state: State,
    /// Decoded and not yet taken.
    ready: VecDeque<Delta>,
    /// Comes after everything in `ready`.
    failed: Option<Fault>,
    clock: WaitClock,
    frames_scratch: Vec<Frame>,
    deltas_scratch: Vec<Delta>,
}

/// Whatever a state holds of the connection is dropped, and with it the connection, when the state changes.
enum State {
    Opening(Opening),
    Reading(Box<Reading>),
    Ended,
}

struct Reading {
    opened: Opened,
    /// Bytes since the last event.
    silent: usize,
    /// As the decoder said last.
    is_whole: bool,
}

impl Stream for Answer {
    fn resume(self: Pin<&mut Self>) {
        self.get_mut().clock.restart();
    }
}

impl futures_util::Stream for Answer {
    type Item = Result<Delta, Fault>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let mut fruitless = 0;
        loop {
            if let Some(delta) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(delta)));
            }
            if this.ready.capacity() > KEPT_CAPACITY {
                this.ready.shrink_to(KEPT_CAPACITY);
            }
            if let Some(fault) = this.failed.take() {
                return Poll::Ready(Some(Err(fault)));
            }
            match &mut this.state {
                State::Opening(opening) => match opening.as_mut().poll(cx) {
                    Poll::Ready(Ok(mut opened)) => {
                        this.ready.extend(opened.warnings.drain(..).map(Delta::Warning));
                        this.ready.extend(opened.note.take().map(Delta::Note));
                        this.state = State::Reading(Box::new(Reading { opened, silent: 0, is_whole: false }));
                    }
                    Poll::Ready(Err(fault)) => this.fail(fault),
                    Poll::Pending => match this.clock.poll(cx) {
                        Poll::Ready(wait) => this.time_out(wait),
                        Poll::Pending => return Poll::Pending,
                    },
                },
                State::Reading(reading) => {
                    let Opened { source, url, .. } = &mut reading.opened;
                    match source.poll(cx, url, &mut this.frames_scratch) {
                        Poll::Ready(Some(Ok(piece))) => {
                            this.take(piece);
                            fruitless += 1;
                            if fruitless >= FRUITLESS_CHUNKS && this.ready.is_empty() && this.failed.is_none()
                            {
                                cx.waker().wake_by_ref();
                                return Poll::Pending;
                            }
                        }
                        Poll::Ready(Some(Err(fault))) => this.end(Some(fault)),
                        Poll::Ready(None) => this.end(None),
                        Poll::Pending => match this.clock.poll(cx) {
                            Poll::Ready(Wait::Trailer) => this.end(None),
                            Poll::Ready(wait) => this.time_out(wait),
                            Poll::Pending => return Poll::Pending,
                        },
                    }
                }
                State::Ended => return Poll::Ready(None),
            }
        }
    }
}

impl Answer {
    /// Decodes what came at once.
    fn take(&mut self, piece: Piece) {
        let State::Reading(reading) = &mut self.state else { return };
        reading.silent =
            if self.frames_scratch.is_empty() { reading.silent.saturating_add(piece.bytes) } else { 0 };
        let too_silent = reading.silent > SILENT_LIMIT;
        self.clock.byte();
        if self.decode().is_err() {
            return;
        }
        let comments = match piece.comments {
            Ok(comments) => comments,
            Err(fault) => return self.fail(fault),
        };
        // A provider that never pauses must not escape the waits, which are else looked at in pauses only.
        match self.clock.overdue() {
            Some(Wait::Trailer) => return self.end(None),
            Some(wait) => return self.time_out(wait),
            None => {}
        }
        if too_silent && let State::Reading(reading) = &self.state {
            let fault = faults::too_much(&reading.opened.url, SILENT_LIMIT);
            return self.end(Some(fault));
        }
        if comments > 0 && self.ready.is_empty() {
            self.ready.push_back(Delta::Alive);
        }
        if let State::Reading(reading) = &self.state
            && reading.opened.decoder.is_done()
            && reading.opened.source.ends_with_answer()
        {
            self.end(None);
        }
    }

    /// Turns the frames that are there into deltas. After a fault there is no more to read.
    fn decode(&mut self) -> Result<(), ()> {
        let State::Reading(reading) = &mut self.state else { return Ok(()) };
        let mut event = false;
        let mut result = Ok(());
        for frame in self.frames_scratch.drain(..) {
            result = reading.opened.decoder.push(&frame, &mut self.deltas_scratch);
            // A ping says that the provider lives, not that the answer goes on.
            event |= self.deltas_scratch.is_empty()
                || self.deltas_scratch.iter().any(|delta| !matches!(delta, Delta::Alive));
            for mut delta in self.deltas_scratch.drain(..) {
                match &mut delta {
                    Delta::Stop { .. } => self.clock.stop(),
                    // Shown as our own words: nothing of the provider's may stand in them as it came.
                    Delta::Warning(text) => {
                        reading.opened.redactor.text(text);
                        *text = clean(text);
                    }
                    _ => {}
                }
                self.ready.push_back(delta);
            }
            if result.is_err() {
                break;
            }
        }
        if event {
            self.clock.event();
        }
        match (reading.opened.decoder.is_whole(), reading.is_whole) {
            (true, _) => self.clock.stop(),
            // It went on after all.
            (false, true) => self.clock.stopped = None,
            (false, false) => {}
        }
        reading.is_whole = reading.opened.decoder.is_whole();
        if reading.opened.decoder.is_done() {
            self.clock.trailer = CLOSING;
        }
        if self.frames_scratch.capacity() > KEPT_CAPACITY {
            self.frames_scratch.shrink_to(KEPT_CAPACITY);
        }
        result.map_err(|fault| self.fail(fault))
    }

    /// The body has ended, or broke with `fault`, which does not matter to an answer that had stopped before.
    fn end(&mut self, fault: Option<Fault>) {
        let State::Reading(reading) = &mut self.state else { return };
        reading.opened.source.finish(&mut self.frames_scratch);
        if self.decode().is_err() {
            // Half an event is no reason when the connection broke in the middle of it.
            self.failed = fault.or(self.failed.take());
            return;
        }
        let State::Reading(reading) = &mut self.state else { return };
        let stopped = self.clock.stopped.is_some();
        let finished = match fault {
            Some(fault) if !stopped => Err(fault),
            _ => reading.opened.decoder.finish(&mut self.deltas_scratch),
        };
        self.ready.extend(self.deltas_scratch.drain(..));
        match finished {
            Ok(()) => {
                if let State::Reading(reading) = std::mem::replace(&mut self.state, State::Ended)
                    && reading.opened.decoder.is_done()
                {
                    reading.opened.source.settle();
                }
            }
            Err(_) if stopped => self.state = State::Ended,
            Err(fault) => self.fail(fault),
        }
    }

    fn time_out(&mut self, wait: Wait) {
        let url = match &self.state {
            State::Opening(opening) => {
                opening.gave_up();
                opening.url()
            }
            State::Reading(reading) => Some(&reading.opened.url),
            State::Ended => None,
        };
        let timeouts = &self.clock.timeouts;
        let fault = match (url, wait) {
            (None, _) => faults::bad_url("it is not a url"),
            (Some(url), Wait::FirstEvent) => faults::no_first_event(url, timeouts.first_event_ms),
            (Some(url), Wait::Idle | Wait::Trailer) => faults::idle(url, timeouts.idle_ms),
            (Some(url), Wait::Event) => faults::no_event(url, timeouts.event_ms),
        };
        self.fail(fault);
    }

    /// Closes the connection now; the fault comes after what is ready.
    fn fail(&mut self, mut fault: Fault) {
        if let State::Reading(reading) = &self.state {
            reading.opened.redactor.fault(&mut fault);
        }
        self.frames_scratch.clear();
        self.state = State::Ended;
        self.failed = Some(fault);
    }
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    FirstEvent,
    Idle,
    Event,
    Trailer,
}

/// The waits of one answer, on one timer that is only moved when it rings or must ring sooner.
struct WaitClock {
    timeouts: Timeouts,
    /// The first poll.
    started: Option<Instant>,
    last_byte: Option<Instant>,
    /// The last event; `None` until the first.
    last_event: Option<Instant>,
    /// The answer said that it has ended.
    stopped: Option<Instant>,
    /// How long it may then stay open.
    trailer: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl WaitClock {
    fn byte(&mut self) {
        self.last_byte = Some(Instant::now());
    }

    /// Called with the chunk that the event came in.
    fn event(&mut self) {
        self.last_event = self.last_byte;
    }

    fn stop(&mut self) {
        self.stopped = self.stopped.or(self.last_byte);
    }

    /// Starts every wait afresh.
    fn restart(&mut self) {
        let now = Instant::now();
        let waits = [&mut self.started, &mut self.last_byte, &mut self.last_event, &mut self.stopped];
        for since in waits.into_iter().flatten() {
            *since = now;
        }
    }

    /// Rings when a wait has been too long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Wait> {
        let now = Instant::now();
        let (deadline, wait) = self.deadline(now);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                return Poll::Ready(wait);
            }
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// The wait that is over at the last byte's time.
    fn overdue(&mut self) -> Option<Wait> {
        let now = self.last_byte?;
        let (deadline, wait) = self.deadline(now);
        (deadline <= now).then_some(wait)
    }

    fn deadline(&mut self, now: Instant) -> (Instant, Wait) {
        let after = |since: Instant, ms: u64| since + Duration::from_millis(ms.min(FOREVER_MS));
        let started = *self.started.get_or_insert(now);
        if let Some(stopped) = self.stopped {
            return (stopped + self.trailer, Wait::Trailer);
        }
        match (self.last_event, self.last_byte) {
            (Some(event), Some(byte)) => {
                let idle = after(byte, self.timeouts.idle_ms);
                let event = after(event, self.timeouts.event_ms);
                if event < idle { (event, Wait::Event) } else { (idle, Wait::Idle) }
            }
            _ => (after(started, self.timeouts.first_event_ms), Wait::FirstEvent),
        }
    }
}

/// A month: longer waits would overflow the timer.
const FOREVER_MS: u64 = 30 * 24 * 3_600_000;

#[cfg(test)]
mod tests;
