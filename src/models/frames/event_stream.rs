//! AWS's event streams (`application/vnd.amazon.eventstream`): bytes in, frames out.
//!
//! A message is a prelude (its length, the length of its headers, a checksum of both), headers, a payload and a
//! checksum of all. Both checksums are held against the bytes before anything of a message is believed, and no
//! room is made for more than the limit. Our own because the official crate brings some thirty others for
//! these few rules.

use crc32fast::Hasher;

use crate::models::fault::Again;
use crate::models::wires::Frame;
use crate::models::{Fault, fault};

/// Bytes of a prelude, its own checksum included.
const PRELUDE: usize = 12;
/// Bytes of a checksum.
const CHECKSUM: usize = 4;
/// The most that all headers of a message may have, as the format's own rules say.
const MAX_HEADERS: usize = 128 << 10;
/// A buffer that grew beyond this is not kept.
const KEPT_CAPACITY: usize = 1 << 20;

/// Stands before a frame's `event` where the message is no event but an exception or an error.
const EXCEPTION: char = '!';

/// The name of the exception that a frame holds, where it holds one. Its `data` is then a JSON object with a
/// `message`.
pub fn exception(frame: &Frame) -> Option<&str> {
    frame.event.strip_prefix(EXCEPTION)
}

/// One event stream being read.
#[derive(Debug)]
pub struct EventStream {
    max: usize,
    /// The start of a message whose end has not come yet.
    pending: Vec<u8>,
    /// The whole length of that message, once its prelude is there and believed.
    length: Option<usize>,
}

impl EventStream {
    /// Starts a stream. A message of more than `max` bytes is a fault.
    pub fn new(max: usize) -> Self {
        Self { max, pending: Vec::new(), length: None }
    }

    /// Takes the next bytes, appends the messages that they complete, and returns how many of them are of a
    /// kind that is not known.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<Frame>) -> Result<usize, Fault> {
        let mut strange = 0;
        while !bytes.is_empty() {
            if self.pending.is_empty()
                && let Some(prelude) = bytes.first_chunk()
            {
                let length = self.length(prelude)?;
                if let Some((message, rest)) = bytes.split_at_checked(length) {
                    // The usual case: nothing is copied but the payload.
                    strange += take(message, out)?;
                    bytes = rest;
                    continue;
                }
                self.length = Some(length);
            }
            let wanted = self.length.unwrap_or(PRELUDE).saturating_sub(self.pending.len());
            let (head, rest) = bytes.split_at(wanted.min(bytes.len()));
            self.pending.extend_from_slice(head);
            bytes = rest;
            match (self.length, self.pending.first_chunk()) {
                (Some(length), _) if self.pending.len() >= length => {
                    self.length = None;
                    let mut message = std::mem::take(&mut self.pending);
                    strange += take(&message, out)?;
                    if message.capacity() <= KEPT_CAPACITY {
                        message.clear();
                        self.pending = message;
                    }
                }
                (None, Some(prelude)) => self.length = Some(self.length(prelude)?),
                (Some(_), _) | (None, None) => {}
            }
        }
        Ok(strange)
    }

    /// The length of the message that begins so.
    fn length(&self, prelude: &[u8; PRELUDE]) -> Result<usize, Fault> {
        let [lengths @ .., s0, s1, s2, s3] = prelude;
        if checksum(lengths) != u32::from_be_bytes([*s0, *s1, *s2, *s3]) {
            return Err(fault::protocol(
                "it is no event stream, or the start of an event was damaged on the way",
            ));
        }
        let [l0, l1, l2, l3, h0, h1, h2, h3] = *lengths;
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let headers = u32::from_be_bytes([h0, h1, h2, h3]) as usize;
        if length > self.max {
            return Err(fault::event_too_large(self.max));
        }
        if headers > MAX_HEADERS || headers.saturating_add(PRELUDE + CHECKSUM) > length {
            return Err(fault::protocol("the lengths of an event contradict each other"));
        }
        Ok(length)
    }
}

/// What a message's headers say of it. All empty where they say nothing.
#[derive(Default)]
struct Headers<'a> {
    kind: &'a str,
    event: &'a str,
    exception: &'a str,
    error_code: &'a str,
    error_message: &'a str,
}

/// Takes a whole message whose prelude is believed. Returns 1 where its kind is not known.
fn take(message: &[u8], out: &mut Vec<Frame>) -> Result<usize, Fault> {
    let Some((content, sum)) = message.split_last_chunk::<CHECKSUM>() else { return Err(damaged()) };
    if checksum(content) != u32::from_be_bytes(*sum) {
        let fault = fault::protocol("the checksum of an event is wrong: it was damaged on the way");
        return Err(fault.again(Again::Once));
    }
    let headers_length =
        content.get(4..8).and_then(<[u8]>::first_chunk).map(|bytes| u32::from_be_bytes(*bytes));
    let rest = content.get(PRELUDE..).unwrap_or_default();
    let (headers, payload) =
        rest.split_at_checked(headers_length.unwrap_or_default() as usize).ok_or_else(damaged)?;
    let headers = Headers::read(headers).ok_or_else(damaged)?;
    let named = |name: &str| {
        let mut event = String::with_capacity(name.len() + EXCEPTION.len_utf8());
        event.push(EXCEPTION);
        event.push_str(name);
        event
    };
    let frame = match headers.kind {
        "event" => Frame { event: headers.event.to_owned(), data: text(payload) },
        "exception" => Frame { event: named(headers.exception), data: text(payload) },
        "error" => {
            let data = serde_json::json!({ "message": headers.error_message });
            Frame { event: named(headers.error_code), data: data.to_string() }
        }
        _ => return Ok(1),
    };
    out.push(frame);
    Ok(0)
}

impl<'a> Headers<'a> {
    /// `None` where the bytes are no headers.
    fn read(mut bytes: &'a [u8]) -> Option<Self> {
        let mut headers = Self::default();
        while !bytes.is_empty() {
            let name = cut(&mut bytes, 1)?;
            let name = cut(&mut bytes, usize::from(*name.first()?))?;
            let kind = *cut(&mut bytes, 1)?.first()?;
            let value = match kind {
                // True and false have no value.
                0 | 1 => 0,
                2 => 1,
                3 => 2,
                4 => 4,
                5 | 8 => 8,
                // Bytes, and text.
                6 | 7 => usize::from(u16::from_be_bytes(*cut(&mut bytes, 2)?.first_chunk()?)),
                9 => 16,
                _ => return None,
            };
            let value = cut(&mut bytes, value)?;
            let field = match name {
                b":message-type" => &mut headers.kind,
                b":event-type" => &mut headers.event,
                b":exception-type" => &mut headers.exception,
                b":error-code" => &mut headers.error_code,
                b":error-message" => &mut headers.error_message,
                _ => continue,
            };
            if kind == 7 {
                *field = std::str::from_utf8(value).ok()?;
            }
        }
        Some(headers)
    }
}

/// The next `count` bytes.
fn cut<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(head)
}

fn damaged() -> Fault {
    fault::protocol("the headers of an event are not what they should be")
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(bytes);
    hasher.finalize()
}

/// Invalid UTF-8 becomes U+FFFD.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
pub(crate) mod tests;
