//! Cuts the body of an answer into [`Frame`]s, whatever the pieces that it arrives in.
//!
//! Sans-IO: the transport pushes bytes. Time is linear in the bytes, memory is bounded by the limit given. What
//! a frame means is the business of `wires.rs`.

pub mod event_stream;
pub mod sse;

use self::event_stream::EventStream;
use self::sse::Sse;
use super::Fault;
use super::wires::{Frame, Framing};

/// The largest frame that is taken where nothing else is said, in bytes.
pub const MAX_FRAME_BYTES: usize = 64 << 20;

/// One body being cut.
#[derive(Debug)]
pub struct Frames(Kind);

#[derive(Debug)]
enum Kind {
    Sse(Sse),
    EventStream(EventStream),
}

impl Frames {
    /// Starts a body. A frame of more than `max_frame_bytes` is a fault.
    pub fn new(framing: Framing, max_frame_bytes: usize) -> Self {
        Self(match framing {
            Framing::Sse => Kind::Sse(Sse::new(max_frame_bytes)),
            Framing::EventStream => Kind::EventStream(EventStream::new(max_frame_bytes)),
        })
    }

    /// Takes the next bytes and appends the frames that they complete. Returns how many signs of life without
    /// content (comments, kinds of messages that are not known) were among them.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Frame>) -> Result<usize, Fault> {
        match &mut self.0 {
            Kind::Sse(sse) => sse.push(bytes, out),
            Kind::EventStream(stream) => stream.push(bytes, out),
        }
    }

    /// The body has ended: appends a frame that lacked only its end.
    pub fn finish(&mut self, out: &mut Vec<Frame>) {
        match &mut self.0 {
            Kind::Sse(sse) => sse.finish(out),
            // What lacks its end lacks its checksum; the decoder knows whether the answer was complete.
            Kind::EventStream(_) => {}
        }
    }
}
