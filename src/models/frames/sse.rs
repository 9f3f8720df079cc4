//! Server-sent events: bytes in, frames out.
//!
//! Lines end with LF, CR or CRLF, and only so; the bytes of a line are looked at once when they come and once
//! when the line is complete. `id` and `retry` mean nothing here, because an answer is never resumed.

use memchr::memchr2;

use crate::models::wires::Frame;
use crate::models::{Fault, fault};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One event stream being read.
#[derive(Debug)]
pub struct Sse {
    max: usize,
    /// The start of a line whose end has not come yet.
    line: Vec<u8>,
    /// The last line ended with CR: an LF that follows belongs to it.
    after_cr: bool,
    /// A byte order mark may still come.
    at_start: bool,
    event: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
}

impl Sse {
    /// Starts a stream. An event of more than `max` bytes is a fault.
    pub fn new(max: usize) -> Self {
        Self {
            max,
            line: Vec::new(),
            after_cr: false,
            at_start: true,
            event: Vec::new(),
            data: Vec::new(),
            has_data: false,
        }
    }

    /// Takes the next bytes, appends the events that they complete, and returns the number of comments.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<Frame>) -> Result<usize, Fault> {
        let mut comments = 0;
        loop {
            if self.after_cr && !bytes.is_empty() {
                self.after_cr = false;
                bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
            }
            let Some(end) = memchr2(b'\n', b'\r', bytes) else { break };
            let (head, rest) = bytes.split_at(end);
            self.after_cr = rest.first() == Some(&b'\r');
            bytes = rest.get(1..).unwrap_or_default();
            if self.line.is_empty() {
                self.check(head.len())?;
                comments += usize::from(self.take_line(head, out));
            } else {
                self.check(self.line.len() + head.len())?;
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(head);
                comments += usize::from(self.take_line(&line, out));
                // The buffer is kept for the next line unless it grew large.
                if line.capacity() <= 1 << 20 {
                    line.clear();
                    self.line = line;
                }
            }
        }
        self.check(self.line.len() + bytes.len())?;
        self.line.extend_from_slice(bytes);
        Ok(comments)
    }

    /// The stream has ended, perhaps without the blank line that should end its last event.
    pub fn finish(&mut self, out: &mut Vec<Frame>) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(&line, out);
        }
        self.dispatch(out);
    }

    fn check(&self, pending: usize) -> Result<(), Fault> {
        if pending + self.data.len() + self.event.len() > self.max {
            return Err(fault::event_too_large(self.max));
        }
        Ok(())
    }

    /// Takes one line without its end. Says whether it was a comment.
    fn take_line(&mut self, mut line: &[u8], out: &mut Vec<Frame>) -> bool {
        if std::mem::take(&mut self.at_start) {
            line = line.strip_prefix(BOM).unwrap_or(line);
        }
        if line.is_empty() {
            self.dispatch(out);
            return false;
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => (line.get(..colon).unwrap_or_default(), line.get(colon + 1..).unwrap_or_default()),
            None => (line, &b""[..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"" => return true,
            b"data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
            }
            b"event" => {
                self.event.clear();
                self.event.extend_from_slice(value);
            }
            _ => {}
        }
        false
    }

    fn dispatch(&mut self, out: &mut Vec<Frame>) {
        if std::mem::take(&mut self.has_data) {
            let event = text(std::mem::take(&mut self.event));
            out.push(Frame { event, data: text(std::mem::take(&mut self.data)) });
        } else {
            self.event.clear();
        }
    }
}

/// Invalid UTF-8 becomes U+FFFD; valid text is not copied.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Category;

    fn split(stream: &[u8], size: usize) -> (Vec<(String, String)>, usize) {
        let mut sse = Sse::new(1 << 16);
        let mut out = Vec::new();
        let mut comments = 0;
        for piece in stream.chunks(size) {
            comments += sse.push(piece, &mut out).unwrap();
        }
        sse.finish(&mut out);
        (out.into_iter().map(|frame| (frame.event, frame.data)).collect(), comments)
    }

    #[track_caller]
    fn check(stream: impl AsRef<[u8]>, frames: &[(&str, &str)], comments: usize) {
        let stream = stream.as_ref();
        let expected: Vec<_> = frames.iter().map(|(e, d)| ((*e).to_owned(), (*d).to_owned())).collect();
        for size in 1..=stream.len().max(1) {
            assert_eq!(split(stream, size), (expected.clone(), comments), "pieces of {size}");
        }
    }

    #[test]
    fn every_line_end_counts_once() {
        check("data: a\n\ndata: b\n\n", &[("", "a"), ("", "b")], 0);
        check("data: a\r\n\r\ndata: b\r\n\r\n", &[("", "a"), ("", "b")], 0);
        check("data: a\r\rdata: b\r\r", &[("", "a"), ("", "b")], 0);
        check("data: a\r\n\ndata: b\n\r\n", &[("", "a"), ("", "b")], 0);
    }

    #[test]
    fn fields_are_read_as_the_standard_says() {
        check("\u{feff}data:a\ndata:  b\ndata\n\n", &[("", "a\n b\n")], 0);
        check("event: x\nid: 1\nretry: 2\nunknown: 3\ndata: y\n\ndata: z\n\n", &[("x", "y"), ("", "z")], 0);
        check("event: lost\n\ndata: kept\n\n", &[("", "kept")], 0);
        check("data:\n\n", &[("", "")], 0);
        check("data: \u{feff}a\n\n", &[("", "\u{feff}a")], 0);
    }

    #[test]
    fn comments_are_counted() {
        check(": keepalive\n\n:\n:x\ndata: a\n\n", &[("", "a")], 3);
    }

    #[test]
    fn a_last_event_needs_no_end() {
        check("data: a\n\ndata: b\n", &[("", "a"), ("", "b")], 0);
        check("event: e\ndata: b", &[("e", "b")], 0);
        check("", &[], 0);
    }

    #[test]
    fn text_survives_any_cut() {
        check("data: a\u{2028}b\u{85}c\u{1f600}\n\n", &[("", "a\u{2028}b\u{85}c\u{1f600}")], 0);
        check(b"data: \xf0\x9f\x98 \xff!\n\n", &[("", "\u{fffd} \u{fffd}!")], 0);
    }

    #[test]
    fn an_event_above_the_limit_is_a_fault() {
        for stream in ["data: 0123456789abcdef", ": 0123456789abcdef0", "data: 01234567\ndata: 89abcdef\n"] {
            for size in [1, 3, 64] {
                let mut sse = Sse::new(16);
                let mut out = Vec::new();
                let result: Result<Vec<_>, _> =
                    stream.as_bytes().chunks(size).map(|piece| sse.push(piece, &mut out)).collect();
                assert_eq!(result.unwrap_err().category, Category::TooLarge, "{stream} by {size}");
            }
        }
    }

    #[test]
    fn a_large_event_in_single_bytes_is_read_once() {
        // Quadratic scanning of two mebibytes would take minutes.
        let stream = format!("data: {}\n\n", "x".repeat(2 << 20));
        let mut sse = Sse::new(4 << 20);
        let mut out = Vec::new();
        for byte in stream.as_bytes() {
            sse.push(std::slice::from_ref(byte), &mut out).unwrap();
        }
        assert_eq!(out.len(), 1);
        assert_eq!(out[0].data.len(), 2 << 20);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same(
            stream in proptest::collection::vec(proptest::sample::select(&b"data:event \n\r\xef\xbb\xbfx\xf0"[..]), 0..60),
            size in 1usize..9,
        ) {
            proptest::prop_assert_eq!(split(&stream, size), split(&stream, usize::MAX));
        }
    }
}
