//! One answer over a WebSocket: the connection is made or one that was kept is taken, the request is sent, and the
//! messages that come are the frames of the answer.
//!
//! Where that fails before the answer begins, the same request goes out as an ordinary HTTP call, and the session
//! keeps to that. It must never ask twice for an answer that had begun. Next: `socket/connect.rs` (the handshake),
//! `socket/kept.rs` (connections between two answers).

mod connect;
mod kept;
mod said;

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use url::Url;

pub(super) use self::connect::Handshake;
use self::connect::Refused;
pub(super) use self::kept::{Key, Sockets};
use super::source::Piece;
use crate::catalog::Model;
use crate::models::Fault;
use crate::models::wires::{Dialogue, Frame, Heard};

/// Messages that may come before the first of the answer.
const MAX_ASIDES: usize = 64;

/// What a WebSocket runs over.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// The same, with the bytes counted that came: a large message is a sign of life before it is whole.
struct Counted {
    io: Box<dyn Io>,
    read: u64,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        self.read += buf.filled().len().saturating_sub(before) as u64;
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A connection, with what was said over it.
pub(super) struct Line {
    stream: WebSocketStream<Counted>,
    dialogue: Box<dyn Dialogue>,
    opened: Instant,
}

/// What a call over a WebSocket is made of.
pub(super) struct Wanted<'a> {
    pub(super) handshake: Handshake<'a>,
    /// The request's body, as it would go out over HTTP.
    pub(super) body: &'a [u8],
    pub(super) dialogue: fn() -> Box<dyn Dialogue>,
    /// By which a connection is known.
    pub(super) key: Key,
    /// Whether it may be kept for the next answer.
    pub(super) keep: Keep,
    /// Set as soon as the answer is asked for in this way.
    pub(super) trying: &'a OnceLock<Key>,
}

/// What becomes of a connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// It is closed.
    No,
    /// It is kept.
    Yes,
    /// It is kept, and so is what the server knows of the conversation.
    WithContext,
}

/// What came of it.
pub(super) enum Outcome {
    Talk(Box<Talk>),
    /// The answer is to be asked for over HTTP; with what the person should know of the reason.
    Instead(Option<String>),
}

/// Asks for an answer over a WebSocket, and waits for its first event.
pub(super) async fn open(sockets: &Arc<Sockets>, wanted: Wanted<'_>) -> Result<Outcome, Fault> {
    let Wanted { handshake, body, dialogue, key, keep, trying } = wanted;
    let url = handshake.url;
    if sockets.is_refused(&key) || sockets.is_refused(&Key::of_place(url)) {
        return Ok(Outcome::Instead(None));
    }
    // An error is that it was set before, to the same.
    let _ = trying.set(key);
    let mut line = match keep {
        Keep::No => None,
        Keep::Yes | Keep::WithContext => sockets.take(&key).await,
    };
    let (mut was_kept, mut may_repeat, mut may_reconnect) = (line.is_some(), true, true);
    loop {
        let mut open = match line.take() {
            Some(line) => line,
            None => match handshake.shake().await {
                Ok(stream) => Line { stream, dialogue: dialogue(), opened: Instant::now() },
                Err(Refused::Fault(fault)) => return Err(fault),
                Err(Refused::NoSuchPlace(why)) => {
                    tracing::debug!("no websocket at {}: {why}", said::place(url));
                    sockets.refuse(Key::of_place(url));
                    return Ok(Outcome::Instead(None));
                }
                Err(Refused::Broken(why)) => return Ok(instead(sockets, key, url, &why)),
            },
        };
        if keep == Keep::Yes {
            open.dialogue = dialogue();
        }
        let message = open.dialogue.ask(body);
        match begin(&mut open, message).await {
            Ok((_, Heard::Unknown)) if may_repeat => {
                may_repeat = false;
                line = Some(open);
            }
            Ok((_, Heard::WornOut)) if may_reconnect => may_reconnect = false,
            Ok((waiting, _)) => {
                let home = (keep != Keep::No).then(|| (Arc::clone(sockets), key));
                let counted = open.stream.get_ref().read;
                let limit = handshake.limit();
                let model = Arc::clone(&handshake.call.model);
                return Ok(Outcome::Talk(Box::new(Talk {
                    line: open,
                    waiting,
                    home,
                    model,
                    counted,
                    limit,
                })));
            }
            Err(Failed::Fault(error)) => return Err(said::broken(url, &error, handshake.limit())),
            // A connection that was kept may have gone bad meanwhile: that says nothing of new ones.
            Err(Failed::Broken(_)) if was_kept => {}
            Err(Failed::Broken(why)) => return Ok(instead(sockets, key, url, &why)),
        }
        was_kept = false;
    }
}

fn instead(sockets: &Sockets, key: Key, url: &Url, why: &str) -> Outcome {
    sockets.refuse(key);
    Outcome::Instead(Some(said::instead(url, why)))
}

/// Why no answer began.
enum Failed {
    /// The connection was of no use.
    Broken(String),
    /// It was, but for what came over it.
    Fault(Error),
}

/// Sends a request and waits until the answer begins. Returns what came, and what the last of it means.
async fn begin(line: &mut Line, message: String) -> Result<(Vec<Frame>, Heard), Failed> {
    line.stream.send(Message::text(message)).await.map_err(|error| Failed::Broken(said::why(&error)))?;
    let mut frames = Vec::new();
    loop {
        let frame = match line.stream.next().await {
            Some(Ok(Message::Text(text))) => frame(text.as_str()),
            Some(Ok(Message::Binary(bytes))) => frame(&String::from_utf8_lossy(&bytes)),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            Some(Ok(Message::Close(close))) => return Err(Failed::Broken(said::closed(close.as_ref()))),
            Some(Err(error @ Error::Capacity(_))) => return Err(Failed::Fault(error)),
            Some(Err(error)) => return Err(Failed::Broken(said::why(&error))),
            None => return Err(Failed::Broken(said::closed(None))),
        };
        let heard = line.dialogue.hear(&frame);
        frames.push(frame);
        if heard != Heard::Aside || frames.len() >= MAX_ASIDES {
            return Ok((frames, heard));
        }
    }
}

fn frame(text: &str) -> Frame {
    Frame { event: String::new(), data: text.to_owned() }
}

/// An answer that has begun. Dropping it closes the connection.
pub(super) struct Talk {
    line: Line,
    /// What came before anybody asked.
    waiting: Vec<Frame>,
    /// Where the connection goes when the answer is whole.
    home: Option<(Arc<Sockets>, Key)>,
    model: Arc<Model>,
    /// Bytes that were told.
    counted: u64,
    limit: usize,
}

impl Talk {
    /// As [`Source::poll`](super::source::Source::poll).
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        url: &Url,
        out: &mut Vec<Frame>,
    ) -> Poll<Option<Result<Piece, Fault>>> {
        if !self.waiting.is_empty() {
            let bytes = self.waiting.iter().map(|frame| frame.data.len()).sum();
            out.append(&mut self.waiting);
            return Poll::Ready(Some(Ok(Piece { bytes, comments: Ok(0) })));
        }
        let polled = self.line.stream.poll_next_unpin(cx);
        let read = self.line.stream.get_ref().read;
        let bytes = usize::try_from(read - self.counted).unwrap_or(usize::MAX);
        self.counted = read;
        let text = match polled {
            // A part of a message. Asked again it has nothing more, and wakes when it has.
            Poll::Pending if bytes > 0 => return Poll::Ready(Some(Ok(Piece { bytes, comments: Ok(0) }))),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(Ok(Message::Text(text)))) => frame(text.as_str()),
            Poll::Ready(Some(Ok(Message::Binary(bytes)))) => frame(&String::from_utf8_lossy(&bytes)),
            Poll::Ready(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => {
                return Poll::Ready(Some(Ok(Piece { bytes, comments: Ok(1) })));
            }
            Poll::Ready(Some(Ok(Message::Close(close)))) => {
                return Poll::Ready(said::cut_off(url, close.as_ref()).map(Err));
            }
            Poll::Ready(Some(Err(error))) => {
                return Poll::Ready(Some(Err(said::broken(url, &error, self.limit))));
            }
            Poll::Ready(None) => return Poll::Ready(Some(Err(said::gone(url)))),
        };
        // What it says of the connection is too late to matter: the decoder makes a fault of it.
        self.line.dialogue.hear(&text);
        out.push(text);
        Poll::Ready(Some(Ok(Piece { bytes, comments: Ok(0) })))
    }

    /// The answer is whole.
    pub(super) fn settle(self) {
        let Self { mut line, home, model, .. } = self;
        let Some((sockets, key)) = home else { return };
        line.dialogue.settle(&model);
        sockets.keep(key, line);
    }
}
