//! Everything that is sent, in one order: a thread that projects and writes.
//!
//! While it writes it takes nothing, so that a client that does not read is noticed by the sessions, which
//! then merge and at last stop reading from their providers. JSON of any size is made here, off the thread on
//! which everything streams.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::classify::{Invalid, error};
use super::requests::{Claim, RawId, Requests, Seat};
use super::{RpcError, STACK};
use crate::doors::framing::{Framing, write_frame};
use crate::engine::{Answer, Failure, Output, OutputBody, Reply, Ticket};
use aside_protocol::{ErrorKind, INTERNAL_ERROR, SHUTTING_DOWN};

/// A buffer that grew beyond this for one large message is given back.
const KEPT_BUFFER: usize = 256 << 10;
/// Messages taken at once: what they become is written in one piece.
const TAKEN: usize = 64;
/// Bytes of answers outside the sessions' queues that may wait before requests are refused.
const MAX_WAITING_BYTES: usize = 16 << 20;
/// Refusals that may wait before the client is given up.
const MAX_REFUSALS: usize = 20_000;

/// What is sent outside the sessions' queues.
pub enum Direct {
    /// The answer of a handler: JSON text of the result.
    Answer { ticket: Ticket, answer: Result<Vec<u8>, RpcError> },
    /// A question or a notification of the door itself, as JSON.
    Message { json: Vec<u8> },
    /// What was no request that could be taken in.
    Refused { invalid: Invalid, batch: Seat },
    /// Nothing more comes: write what is there, the answer to `shutdown` last of all, then end.
    Finish { shutdown: Option<Ticket> },
}

/// Where handlers and the reader send to. Cloning is cheap.
#[derive(Clone)]
pub struct Sink {
    direct: mpsc::UnboundedSender<Direct>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// 2 for headers, else lines.
    framing: AtomicU8,
    waiting_bytes: AtomicUsize,
    refusals: AtomicUsize,
    /// Bytes that one incoming message may have; zero until it is set.
    max_message_bytes: AtomicUsize,
    /// The connection is ending: what is lost from now on is no bug.
    ending: AtomicBool,
    /// Told when the client cannot be written to any more, or was given up.
    broken: CancellationToken,
}

impl Sink {
    /// Sends. Never waits.
    pub fn send(&self, direct: Direct) {
        match &direct {
            Direct::Answer { answer, .. } => {
                let bytes = answer.as_ref().map_or(0, Vec::len);
                self.state.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            Direct::Message { json } => {
                self.state.waiting_bytes.fetch_add(json.len(), Ordering::Relaxed);
            }
            Direct::Refused { .. } => {
                if self.state.refusals.fetch_add(1, Ordering::Relaxed) >= MAX_REFUSALS {
                    self.state.broken.cancel();
                    return;
                }
            }
            Direct::Finish { .. } => {}
        }
        // Without the writer the connection is gone; the ticket tells its loss to nobody.
        let _ = self.direct.send(direct);
    }

    /// Whether so much waits that requests must be refused.
    pub fn is_behind(&self) -> bool {
        self.state.waiting_bytes.load(Ordering::Relaxed) > MAX_WAITING_BYTES
    }

    /// The framing that the client uses, and so is answered in.
    pub fn set_framing(&self, framing: Framing) {
        let number = match framing {
            Framing::Lines => 1,
            Framing::Headers => 2,
        };
        self.state.framing.store(number, Ordering::Relaxed);
    }

    /// Another limit for incoming messages, from the next one on.
    pub fn set_max_message_bytes(&self, max: usize) {
        self.state.max_message_bytes.store(max, Ordering::Relaxed);
    }

    /// The limit for incoming messages.
    pub fn max_message_bytes(&self) -> usize {
        self.state.max_message_bytes.load(Ordering::Relaxed)
    }

    /// Requests that get no answer from now on are told that the server is ending.
    pub fn set_ending(&self) {
        self.state.ending.store(true, Ordering::Relaxed);
    }

    /// Told when the client cannot be written to any more.
    pub fn broken(&self) -> &CancellationToken {
        &self.state.broken
    }

    fn framing(&self) -> Framing {
        if self.state.framing.load(Ordering::Relaxed) == 2 { Framing::Headers } else { Framing::Lines }
    }
}

/// What a door makes of the engine's messages.
pub trait Projection: Send {
    /// Appends the notification or request that tells of `output` to `json`. Nothing where the client need
    /// not know. Never called with an answer.
    fn output(&mut self, output: &Output, json: &mut Vec<u8>);
    /// Appends the result of an answer to `json`. `note` is what the door noted on the request's ticket.
    fn answer(&mut self, answer: &Answer, note: Option<&str>, json: &mut Vec<u8>);
    /// The error that a failure is.
    fn failure(&mut self, failure: &Failure) -> RpcError;
}

/// A sink, and the receiver that a [`Writer`] takes.
pub fn sink() -> (Sink, mpsc::UnboundedReceiver<Direct>) {
    let (direct, receiver) = mpsc::unbounded_channel();
    (Sink { direct, state: Arc::default() }, receiver)
}

/// What the thread works on.
pub struct Writer<P> {
    pub projection: P,
    pub requests: Arc<Requests>,
    pub sink: Sink,
    pub direct: mpsc::UnboundedReceiver<Direct>,
    pub replies: mpsc::UnboundedReceiver<Reply>,
    pub outputs: mpsc::Receiver<Output>,
    pub abandoned: mpsc::UnboundedReceiver<u64>,
}

impl<P: Projection + 'static> Writer<P> {
    /// Starts the thread that projects and writes until everything is written after [`Direct::Finish`], or
    /// the client is gone. The receiver resolves when it has ended.
    pub fn start(self, output: impl Write + Send + 'static) -> std::io::Result<oneshot::Receiver<()>> {
        // Without drivers it only waits for the channels.
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let (ended, end) = oneshot::channel();
        let thread = std::thread::Builder::new().name("stdout".to_owned()).stack_size(STACK);
        thread.spawn(move || {
            // Whatever ends this thread but the end of its work, a panic too, ends the connection: a client
            // that nobody answers any more must not be left waiting.
            let broken = self.sink.state.broken.clone().drop_guard();
            if runtime.block_on(self.run(output)).is_ok() {
                broken.disarm();
            }
            // Whoever started this may have stopped waiting.
            let _ = ended.send(());
        })?;
        Ok(end)
    }

    async fn run(mut self, mut output: impl Write) -> std::io::Result<()> {
        let mut page = Page { json: Vec::new(), buffer: Vec::new() };
        let (mut outputs, mut replies, mut directs) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            let mut finished = false;
            tokio::select! {
                1.. = self.outputs.recv_many(&mut outputs, TAKEN) => {
                    for output in outputs.drain(..) {
                        self.output(output, &mut page);
                    }
                }
                1.. = self.replies.recv_many(&mut replies, TAKEN) => {
                    for (ticket, answer) in replies.drain(..) {
                        self.reply(ticket, answer, &mut page);
                    }
                }
                Some(number) = self.abandoned.recv() => {
                    // An answer never overtakes the events before it.
                    self.drain_outputs(&mut page);
                    self.abandoned(number, &mut page);
                }
                1.. = self.direct.recv_many(&mut directs, TAKEN) => {
                    let mut last = None;
                    for direct in directs.drain(..) {
                        if let Direct::Finish { shutdown } = direct {
                            finished = true;
                            last = shutdown;
                        } else {
                            self.direct(direct, &mut page);
                        }
                    }
                    if finished {
                        self.drain_all(&mut page);
                    }
                    if let Some(ticket) = last {
                        self.reply(ticket, Ok(Answer::ShutDown), &mut page);
                    }
                }
                // Everybody who could send is gone.
                else => return Ok(()),
            }
            if !page.buffer.is_empty() {
                output.write_all(&page.buffer)?;
                output.flush()?;
                page.buffer.clear();
                page.shrink();
            }
            if finished {
                return Ok(());
            }
        }
    }

    fn output(&mut self, output: Output, page: &mut Page) {
        if let OutputBody::Answer { ticket, answer } = output.body {
            self.reply(ticket, answer, page);
            return;
        }
        page.json.clear();
        self.projection.output(&output, &mut page.json);
        if !page.json.is_empty() {
            write_frame(self.sink.framing(), &page.json, &mut page.buffer);
        }
        page.json.clear();
        page.shrink();
    }

    fn reply(&mut self, ticket: Ticket, answer: Result<Answer, Failure>, page: &mut Page) {
        let note = ticket.note().cloned();
        let Some(claim) = self.requests.close(ticket.redeem()) else { return };
        page.json.clear();
        match answer {
            Ok(answer) => {
                self.projection.answer(&answer, note.as_deref(), &mut page.json);
                respond(&claim, Ok(&page.json), self.sink.framing(), &mut page.buffer);
            }
            Err(failure) => {
                let error = self.projection.failure(&failure);
                respond(&claim, Err(&error), self.sink.framing(), &mut page.buffer);
            }
        }
        page.json.clear();
        page.shrink();
    }

    fn abandoned(&mut self, number: u64, page: &mut Page) {
        let Some(claim) = self.requests.close(number) else { return };
        let lost = if self.sink.state.ending.load(Ordering::Relaxed) {
            error(SHUTTING_DOWN, ErrorKind::ShuttingDown, "the server is ending", None)
        } else {
            error(
                INTERNAL_ERROR,
                ErrorKind::Internal,
                "the request was lost inside Aside",
                Some("this is a bug of Aside; send it again"),
            )
        };
        respond(&claim, Err(&lost), self.sink.framing(), &mut page.buffer);
    }

    fn direct(&mut self, direct: Direct, page: &mut Page) {
        match direct {
            // The loop takes it out before.
            Direct::Finish { .. } => {}
            Direct::Message { json } => {
                self.sink.state.waiting_bytes.fetch_sub(json.len(), Ordering::Relaxed);
                write_frame(self.sink.framing(), &json, &mut page.buffer);
            }
            Direct::Refused { invalid, batch } => {
                self.sink.state.refusals.fetch_sub(1, Ordering::Relaxed);
                let claim = Claim { id: invalid.id, batch };
                respond(&claim, Err(&invalid.error), self.sink.framing(), &mut page.buffer);
            }
            Direct::Answer { ticket, answer } => {
                let bytes = answer.as_ref().map_or(0, Vec::len);
                self.sink.state.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
                if let Some(claim) = self.requests.close(ticket.redeem()) {
                    let answer = answer.as_deref();
                    respond(&claim, answer, self.sink.framing(), &mut page.buffer);
                }
            }
        }
    }

    fn drain_outputs(&mut self, page: &mut Page) {
        while let Ok(output) = self.outputs.try_recv() {
            self.output(output, page);
        }
    }

    /// Nothing more comes: whatever is there is written.
    fn drain_all(&mut self, page: &mut Page) {
        self.drain_outputs(page);
        while let Ok((ticket, answer)) = self.replies.try_recv() {
            self.reply(ticket, answer, page);
        }
        while let Ok(number) = self.abandoned.try_recv() {
            self.abandoned(number, page);
        }
        while let Ok(direct) = self.direct.try_recv() {
            self.direct(direct, page);
        }
    }
}

/// What is being put together.
struct Page {
    /// One message, before it is framed.
    json: Vec<u8>,
    /// What is written next.
    buffer: Vec<u8>,
}

impl Page {
    fn shrink(&mut self) {
        for buffer in [&mut self.json, &mut self.buffer] {
            if buffer.is_empty() && buffer.capacity() > KEPT_BUFFER {
                *buffer = Vec::new();
            }
        }
    }
}

/// Writes the answer of one request, or adds it to its batch.
fn respond(claim: &Claim, answer: Result<&[u8], &RpcError>, framing: Framing, buffer: &mut Vec<u8>) {
    let mut json = Vec::new();
    response(&claim.id, answer, &mut json);
    let whole = match &claim.batch {
        None => Some(json),
        Some((batch, member)) => batch.answer(*member, json),
    };
    if let Some(whole) = whole {
        write_frame(framing, &whole, buffer);
    }
}

/// Appends the answer of one request: JSON text of its result, or its error.
pub fn response(id: &RawId, answer: Result<&[u8], &RpcError>, json: &mut Vec<u8>) {
    json.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    json.extend_from_slice(id.as_str().as_bytes());
    match answer {
        Ok(result) => {
            json.extend_from_slice(b",\"result\":");
            json.extend_from_slice(result);
        }
        Err(error) => {
            json.extend_from_slice(b",\"error\":{\"code\":");
            json.extend_from_slice(error.code.to_string().as_bytes());
            json.extend_from_slice(b",\"message\":");
            append(json, &error.message);
            json.extend_from_slice(b",\"data\":");
            append(json, &error.data);
            json.push(b'}');
        }
    }
    json.push(b'}');
}

/// Appends a value as JSON. The types of the contract always have one.
pub fn append(json: &mut Vec<u8>, value: &impl serde::Serialize) {
    let before = json.len();
    if let Err(error) = serde_json::to_writer(&mut *json, value) {
        tracing::error!(%error, "a message could not be made into JSON");
        json.truncate(before);
        json.extend_from_slice(b"null");
    }
}
