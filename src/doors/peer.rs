//! One connection: reads messages, keeps the open requests, and writes everything in one order.
//!
//! A thread reads and classifies, so that neither a slow session nor a long line holds up the others; another
//! projects what is to be sent and writes it. Every request gets exactly one answer, whose id is the very
//! bytes that came. It knows JSON-RPC and nothing of sessions; what messages mean is a door's.

pub mod classify;
pub mod requests;
pub mod writer;

use std::io::Read;
use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::framing::{Frame, Framer, Framing};
use classify::{Invalid, Message, classify};
pub use requests::RawId;
use requests::Requests;
use writer::{Direct, Sink};

/// Messages that may wait for the dispatcher.
const INBOX: usize = 256;
/// Bytes read at once.
const READ: usize = 64 << 10;
/// The stacks of the two threads, in bytes: they run shallow loops.
const STACK: usize = 256 << 10;

/// An error of JSON-RPC on its way out.
#[derive(Clone, Debug)]
pub struct RpcError {
    pub code: i32,
    pub message: String,
    pub data: Box<aside_protocol::ErrorData>,
}

/// A request that was taken in.
pub struct Request {
    pub ticket: crate::engine::Ticket,
    pub method: String,
    pub params: Option<Box<RawValue>>,
    /// Cancelled by the client.
    pub cancel: CancellationToken,
    /// Whether it came in a batch, where nothing long may be started.
    pub in_batch: bool,
}

/// A message for the door.
pub enum Incoming {
    Request(Request),
    Notification {
        method: String,
        params: Option<Box<RawValue>>,
    },
    /// An answer to a question of the server: its id as it was sent, and the result unless it was an error.
    Response {
        id: String,
        result: Option<Box<RawValue>>,
    },
}

/// Starts the reading thread. The channel closes at the end of input.
pub fn read(
    mut input: impl Read + Send + 'static,
    requests: &Arc<Requests>,
    sink: &Sink,
) -> std::io::Result<mpsc::Receiver<Incoming>> {
    let (inbox, incoming) = mpsc::channel(INBOX);
    let intake = Intake { requests: Arc::clone(requests), sink: sink.clone(), inbox };
    let thread = std::thread::Builder::new().name("stdin".to_owned()).stack_size(STACK);
    thread.spawn(move || {
        let mut framer = Framer::new(intake.sink.max_message_bytes());
        let mut frames = Vec::new();
        let mut buffer = vec![0; READ];
        loop {
            match input.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    framer.set_max(intake.sink.max_message_bytes());
                    framer.push(&buffer[..count], &mut frames);
                }
            }
            if let Some(framing) = framer.framing() {
                intake.sink.set_framing(framing);
            }
            for frame in frames.drain(..) {
                if intake.frame(frame, framer.framing()).is_err() {
                    return;
                }
            }
        }
        framer.finish(&mut frames);
        for frame in frames {
            if intake.frame(frame, framer.framing()).is_err() {
                return;
            }
        }
    })?;
    Ok(incoming)
}

/// Turns frames into messages for the dispatcher, or into answers where they are none.
struct Intake {
    requests: Arc<Requests>,
    sink: Sink,
    inbox: mpsc::Sender<Incoming>,
}

/// The dispatcher is gone.
struct Gone;

impl Intake {
    fn frame(&self, frame: Frame, framing: Option<Framing>) -> Result<(), Gone> {
        match frame {
            Frame::Message(bytes) => self.message(bytes),
            Frame::TooLong => self.refuse(Invalid::too_long(self.sink.max_message_bytes())),
            Frame::BadHeader => self.refuse(Invalid::bad_header(framing)),
        }
    }

    fn message(&self, bytes: Vec<u8>) -> Result<(), Gone> {
        match classify(bytes) {
            Ok(Message::One(one)) => self.one(one, None),
            Ok(Message::Batch(members)) => {
                let batch = requests::Batch::new(&members);
                for (index, member) in members.into_iter().enumerate() {
                    self.one(member, Some((Arc::clone(&batch), index)))?;
                }
                Ok(())
            }
            Err(invalid) => self.refuse(invalid),
        }
    }

    fn one(&self, one: Result<classify::One, Invalid>, batch: requests::Seat) -> Result<(), Gone> {
        let incoming = match one {
            Ok(classify::One::Request { id, method, params }) => {
                let in_batch = batch.is_some();
                let bytes = params.as_ref().map_or(0, |params| params.get().len());
                match self.requests.open(&id, bytes, &batch, &self.sink) {
                    Ok((ticket, cancel)) => {
                        Incoming::Request(Request { ticket, method, params, cancel, in_batch })
                    }
                    Err(invalid) => return self.refuse_in(invalid, batch),
                }
            }
            Ok(classify::One::Notification { method, params }) => {
                // A cancel is applied here and now, however much waits behind it.
                if method == "$/cancelRequest" || method == "$/cancel_request" {
                    if let Some(id) = params.as_deref().and_then(classify::cancelled_id) {
                        self.requests.cancel(&id);
                    }
                    return Ok(());
                }
                Incoming::Notification { method, params }
            }
            Ok(classify::One::Response { id, result }) => Incoming::Response { id, result },
            Err(invalid) => return self.refuse_in(invalid, batch),
        };
        // The dispatcher never waits for anything, so neither does this for long.
        self.inbox.blocking_send(incoming).map_err(|_| Gone)
    }

    fn refuse(&self, invalid: Invalid) -> Result<(), Gone> {
        self.refuse_in(invalid, None)
    }

    fn refuse_in(&self, invalid: Invalid, batch: requests::Seat) -> Result<(), Gone> {
        if self.inbox.is_closed() {
            return Err(Gone);
        }
        self.sink.send(Direct::Refused { invalid, batch });
        Ok(())
    }
}
