//! Cutting a byte stream into messages: newline-delimited JSON, or LSP's header blocks, told apart by the first
//! line and never changed afterwards.
//!
//! Pure: bytes in, frames out, the same however the bytes are split. It must never look inside a message.

use memchr::memchr;

/// What introduces a message in header framing, beside which every other header is passed over.
const CONTENT_LENGTH: &str = "content-length";
/// A header line longer than this is no header line.
const MAX_HEADER_LINE: usize = 8 << 10;
/// Room that is kept between messages, in bytes; a larger buffer is given back.
const KEPT_BUFFER: usize = 64 << 10;
/// UTF-8's byte order mark.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// How messages are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One message a line.
    Lines,
    /// `Content-Length: N`, an empty line, N bytes.
    Headers,
}

/// What the bytes held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The bytes of one message, not looked into.
    Message(Vec<u8>),
    /// A message longer than the limit. Its bytes were thrown away as they came.
    TooLong,
    /// A header block without a usable length.
    BadHeader,
}

/// Cuts bytes into frames. Time is linear in their number, however they are split.
pub struct Framer {
    max: usize,
    framing: Option<Framing>,
    state: State,
    buffer: Vec<u8>,
    at_start: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Within a line, or a header line.
    Line,
    /// Within a line that is too long.
    SkipLine,
    /// Within the block of headers; the length as far as it is known.
    Header { length: Option<usize>, seen: bool, bad: bool },
    /// Within a body, with so many bytes to come.
    Body { left: usize },
    /// Within a body that is too long.
    SkipBody { left: usize },
}

impl Framer {
    /// A framer for messages of at most `max` bytes.
    pub fn new(max: usize) -> Self {
        Self { max, framing: None, state: State::Line, buffer: Vec::new(), at_start: true }
    }

    /// How messages are told apart, once the first line has shown it.
    pub fn framing(&self) -> Option<Framing> {
        self.framing
    }

    /// Another limit, from the next message on.
    pub fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    /// Takes bytes and appends the frames that they complete.
    pub fn push(&mut self, mut bytes: &[u8], frames: &mut Vec<Frame>) {
        while !bytes.is_empty() {
            bytes = match self.state {
                State::Line => self.line(bytes, frames),
                State::SkipLine => match memchr(b'\n', bytes) {
                    Some(end) => {
                        frames.push(Frame::TooLong);
                        self.state = State::Line;
                        &bytes[end + 1..]
                    }
                    None => return,
                },
                State::Header { .. } => self.header(bytes, frames),
                State::Body { left } => {
                    let (now, rest) = bytes.split_at(left.min(bytes.len()));
                    self.buffer.extend_from_slice(now);
                    self.body_left(left - now.len(), frames);
                    rest
                }
                State::SkipBody { left } => {
                    let (now, rest) = bytes.split_at(left.min(bytes.len()));
                    let left = left - now.len();
                    self.state = State::SkipBody { left };
                    if left == 0 {
                        frames.push(Frame::TooLong);
                        self.state = State::Header { length: None, seen: false, bad: false };
                    }
                    rest
                }
            };
        }
    }

    /// The bytes have ended: a last line without a line feed is a message too.
    pub fn finish(&mut self, frames: &mut Vec<Frame>) {
        match self.state {
            State::Line if !self.buffer.is_empty() => {
                // A first line that never ended is not taken for a header: nothing follows it.
                self.framing.get_or_insert(Framing::Lines);
                self.end_line(frames);
            }
            State::SkipLine => frames.push(Frame::TooLong),
            State::Header { seen: true, .. } | State::Body { .. } | State::SkipBody { .. } => {
                frames.push(Frame::BadHeader);
            }
            State::Line | State::Header { .. } => {}
        }
        self.buffer = Vec::new();
    }

    fn line<'b>(&mut self, bytes: &'b [u8], frames: &mut Vec<Frame>) -> &'b [u8] {
        let end = memchr(b'\n', bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        if self.buffer.len() + part.len() > self.max + 1 {
            // One byte more than the limit may still be a carriage return.
            self.framing.get_or_insert(Framing::Lines);
            self.buffer = Vec::new();
            self.at_start = false;
            self.state = State::SkipLine;
            return bytes;
        }
        self.buffer.extend_from_slice(part);
        let Some(end) = end else { return &[] };
        if self.framing.is_none() {
            self.strip_bom();
            let line = trim_cr(&self.buffer);
            if !line.iter().all(u8::is_ascii_whitespace) {
                let framing = if is_header(line) { Framing::Headers } else { Framing::Lines };
                self.framing = Some(framing);
                if framing == Framing::Headers {
                    self.state = State::Header { length: None, seen: false, bad: false };
                    self.end_header_line(frames);
                    return &bytes[end + 1..];
                }
            }
        }
        self.end_line(frames);
        &bytes[end + 1..]
    }

    fn end_line(&mut self, frames: &mut Vec<Frame>) {
        self.strip_bom();
        let mut line = self.take_buffer();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.len() > self.max {
            frames.push(Frame::TooLong);
        } else if !line.iter().all(u8::is_ascii_whitespace) {
            self.framing.get_or_insert(Framing::Lines);
            frames.push(Frame::Message(line));
        }
    }

    fn header<'b>(&mut self, bytes: &'b [u8], frames: &mut Vec<Frame>) -> &'b [u8] {
        let end = memchr(b'\n', bytes);
        let part = &bytes[..end.unwrap_or(bytes.len())];
        let room = MAX_HEADER_LINE.saturating_sub(self.buffer.len());
        self.buffer.extend_from_slice(&part[..part.len().min(room)]);
        let Some(end) = end else { return &[] };
        self.end_header_line(frames);
        &bytes[end + 1..]
    }

    fn end_header_line(&mut self, frames: &mut Vec<Frame>) {
        let State::Header { length, seen, bad } = self.state else { return };
        let line = std::mem::take(&mut self.buffer);
        let line = trim_cr(&line);
        if line.is_empty() {
            if !seen {
                // An empty line between messages.
                return;
            }
            if let Some(length) = length.filter(|_| !bad) {
                if length > self.max {
                    self.state = State::SkipBody { left: length };
                } else {
                    self.body_left(length, frames);
                }
            } else {
                frames.push(Frame::BadHeader);
                self.state = State::Header { length: None, seen: false, bad: false };
            }
            return;
        }
        let named = std::str::from_utf8(line).ok().and_then(|line| line.split_once(':'));
        self.state = match named {
            Some((name, value)) if name.trim().eq_ignore_ascii_case(CONTENT_LENGTH) => {
                let value = value.trim();
                let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                let parsed = digits.then(|| value.parse().ok()).flatten();
                State::Header { length: parsed, seen: true, bad: bad || parsed.is_none() || length.is_some() }
            }
            Some(_) => State::Header { length, seen: true, bad },
            None => State::Header { length, seen: true, bad: true },
        };
    }

    fn body_left(&mut self, left: usize, frames: &mut Vec<Frame>) {
        self.state = State::Body { left };
        if left == 0 {
            let body = self.take_buffer();
            frames.push(Frame::Message(body));
            self.state = State::Header { length: None, seen: false, bad: false };
        }
    }

    fn strip_bom(&mut self) {
        if std::mem::take(&mut self.at_start) && self.buffer.starts_with(BOM) {
            self.buffer.drain(..BOM.len());
        }
    }

    /// The buffer's bytes as a message of their own; a small buffer is kept for the next.
    fn take_buffer(&mut self) -> Vec<u8> {
        if self.buffer.capacity() > KEPT_BUFFER {
            return std::mem::take(&mut self.buffer);
        }
        let message = self.buffer.clone();
        self.buffer.clear();
        message
    }
}

fn trim_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether a first line is `Name: value` with the name of a header that introduces messages.
fn is_header(line: &[u8]) -> bool {
    let Some((name, _)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(':')) else {
        return false;
    };
    let name = name.trim();
    name.eq_ignore_ascii_case(CONTENT_LENGTH) || name.eq_ignore_ascii_case("content-type")
}

/// Appends `message` to `out` as a frame.
pub fn write_frame(framing: Framing, message: &[u8], out: &mut Vec<u8>) {
    match framing {
        Framing::Lines => {
            escape_separators(message, out);
            out.push(b'\n');
        }
        Framing::Headers => {
            let mut body = Vec::with_capacity(message.len());
            escape_separators(message, &mut body);
            out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
            out.extend_from_slice(&body);
        }
    }
}

/// Writes U+2028 and U+2029 as escapes, which some readers take for line ends. In JSON they can only stand
/// inside strings.
fn escape_separators(mut message: &[u8], out: &mut Vec<u8>) {
    // One byte is looked for and not two: a search for more has to be prepared, and most messages are short.
    while let Some(at) = memchr::memchr(0xe2, message) {
        let escape: &[u8] = match message.get(at + 1..at + 3) {
            Some([0x80, 0xa8]) => b"\\u2028",
            Some([0x80, 0xa9]) => b"\\u2029",
            _ => {
                out.extend_from_slice(&message[..=at]);
                message = &message[at + 1..];
                continue;
            }
        };
        out.extend_from_slice(&message[..at]);
        out.extend_from_slice(escape);
        message = &message[at + 3..];
    }
    out.extend_from_slice(message);
}

#[cfg(test)]
mod tests;
