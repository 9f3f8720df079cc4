//! What must hold for any bytes that a client sends. Run by the fuzz targets, and on stable over the corpus by the
//! unit tests: the module above brings the crate in as `aside`.

use super::aside::doors::framing::{Frame, Framer, Framing, write_frame};
use super::aside::doors::peer::classify::{Invalid, Message, One, classify as read};

/// Longer than most of the corpus's messages, and shorter than some.
const MAX: usize = 256;

/// Frames do not depend on how the bytes arrive, are never longer than the limit, and come out again as they were
/// when they are written. The first byte chooses the size of the pieces.
pub(super) fn framing(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let size = usize::from(*first).max(1);
    let (frames, framing) = cut(body.chunks(size));
    assert_eq!((frames.clone(), framing), cut([body]));
    let mut written = Vec::new();
    let mut kept = Vec::new();
    for frame in frames {
        let Frame::Message(message) = &frame else { continue };
        assert!(message.len() <= MAX);
        // Separators are written as escapes, and a line that ends in a carriage return loses it.
        let is_plain = !message.windows(2).any(|pair| pair == b"\xe2\x80") && message.last() != Some(&b'\r');
        let is_first_mark = written.is_empty() && message.starts_with(b"\xef\xbb\xbf");
        if is_plain && !is_first_mark {
            write_frame(framing.unwrap_or(Framing::Lines), message, &mut written);
            kept.push(frame);
        }
    }
    // A line may look like a header where it is the first.
    if cut([&written[..]]).1 == framing {
        assert_eq!(cut([&written[..]]).0, kept);
    }
}

/// Whatever comes is a message or has an answer, with an id that can be echoed.
pub(super) fn classify(data: &[u8]) {
    match read(data.to_vec()) {
        Ok(Message::One(one)) => member(one),
        Ok(Message::Batch(members)) => {
            assert!(!members.is_empty());
            members.into_iter().for_each(member);
        }
        Err(invalid) => refusal(&invalid),
    }
}

fn member(member: Result<One, Invalid>) {
    match member {
        Ok(One::Request { id, params, .. }) => {
            let id: serde_json::Result<&serde_json::value::RawValue> = serde_json::from_str(id.as_str());
            assert!(id.is_ok_and(|id| id.get() != "null"));
            assert!(params.is_none_or(|params| params.get() != "null"));
        }
        Ok(One::Notification { .. } | One::Response { .. }) => {}
        Err(invalid) => refusal(&invalid),
    }
}

fn refusal(invalid: &Invalid) {
    assert!(matches!(invalid.error.code, -32700 | -32600));
    assert!(!invalid.error.message.is_empty() && invalid.error.message.len() < 400);
    let id: serde_json::Result<&serde_json::value::RawValue> = serde_json::from_str(invalid.id.as_str());
    assert!(id.is_ok());
}

fn cut<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<Framing>) {
    let mut framer = Framer::new(MAX);
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece, &mut frames);
    }
    framer.finish(&mut frames);
    (frames, framer.framing())
}
