//! Where the frames of one answer come from: the body of an HTTP answer, or a WebSocket.
//!
//! It must never decode what a frame says. Next: `socket.rs`.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use url::Url;

use super::socket::Talk;
use crate::models::Fault;
use crate::models::frames::Frames;
use crate::models::wires::Frame;
use crate::net::transport::faults;

/// The body of an HTTP answer.
pub(super) type Body = Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<Bytes>> + Send>>;

/// See the head of this file.
pub(super) enum Source {
    Body { body: Body, frames: Frames },
    Socket(Box<Talk>),
}

/// What came at once.
pub(super) struct Piece {
    pub(super) bytes: usize,
    /// How many signs of life without content were among it; a fault comes after the frames that are whole.
    pub(super) comments: Result<usize, Fault>,
}

impl Source {
    /// The next piece, whose frames are appended to `out`. `None` at the end, a fault where the connection broke.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        url: &Url,
        out: &mut Vec<Frame>,
    ) -> Poll<Option<Result<Piece, Fault>>> {
        match self {
            Self::Body { body, frames } => body.as_mut().poll_next(cx).map(|polled| {
                Some(match polled? {
                    Ok(chunk) => Ok(Piece { bytes: chunk.len(), comments: frames.push(&chunk, out) }),
                    Err(error) => Err(faults::of_body(&error, url)),
                })
            }),
            Self::Socket(talk) => talk.poll(cx, url, out),
        }
    }

    /// The end has come: appends a frame that lacked only its end.
    pub(super) fn finish(&mut self, out: &mut Vec<Frame>) {
        match self {
            Self::Body { frames, .. } => frames.finish(out),
            // A message is whole or it is none.
            Self::Socket(_) => {}
        }
    }

    /// Whether the last word of an answer is the end of what comes here. A body ends by itself a moment later.
    pub(super) fn ends_with_answer(&self) -> bool {
        matches!(self, Self::Socket(_))
    }

    /// The answer is whole: what it came over may serve for another.
    pub(super) fn settle(self) {
        match self {
            Self::Body { .. } => {}
            Self::Socket(talk) => talk.settle(),
        }
    }
}
