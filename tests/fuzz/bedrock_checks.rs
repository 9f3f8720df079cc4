//! What must hold for any bytes that come as an event stream of AWS's. Run by the fuzz targets, and on stable
//! over the corpus by the unit tests: the module above brings the crate in as `aside`, and `messages`.

use super::aside::catalog::Model;
use super::aside::models::fold::Fold;
use super::aside::models::frames::Frames;
use super::aside::models::wires::{self, Frame, Framing};
use super::aside::models::{Block, Delta, Origin, json};
use super::messages;

/// The same bytes give the same frames, however they arrive. The first byte chooses the size of the pieces.
pub(super) fn event_stream(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let size = usize::from(*first).max(1);
    assert_eq!(cut(body.chunks(size)), cut([body]));
}

/// An answer ends with one stop or one fault, nothing but counts comes after the stop, and tool calls have
/// objects for arguments. The data are a script of messages, because no chance hits upon their checksums.
pub(super) fn converse(data: &[u8], model: &Model) {
    let text = String::from_utf8_lossy(data);
    // What does not fit a header's length is no message.
    let lines: String = text.lines().filter(|line| line.len() < 200).flat_map(|line| [line, "\n"]).collect();
    let stream = messages::script(&lines);
    let Some(frames) = cut([&*stream]) else { return };
    assert_eq!(Some(&frames), cut(stream.chunks(1 + data.len() % 40)).as_ref());
    let Some(wire) = wires::wire("bedrock-converse-stream") else { return };
    let mut decoder = wire.decoder(model);
    let mut deltas = Vec::new();
    let end = frames.iter().try_for_each(|frame| decoder.push(frame, &mut deltas));
    let end = end.and_then(|()| decoder.finish(&mut deltas));
    let stops = deltas.iter().filter(|delta| matches!(delta, Delta::Stop { .. })).count();
    assert_eq!(stops, usize::from(end.is_ok()));
    let after = deltas.iter().skip_while(|delta| !matches!(delta, Delta::Stop { .. })).skip(1);
    for delta in after {
        assert!(matches!(delta, Delta::Usage(_)), "{delta:?}");
    }
    let mut fold = Fold::new();
    for delta in &deltas {
        fold.push(delta);
    }
    let origin = Origin { provider: "p".into(), wire: "w".into(), model: "m".into() };
    for block in fold.finish(origin).0.blocks {
        if let Block::ToolCall { arguments, .. } = block {
            assert!(json::is_object(&arguments), "{arguments}");
        }
    }
}

fn cut<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<Frame>> {
    let mut frames = Frames::new(Framing::EventStream, 1 << 12);
    let mut out = Vec::new();
    for piece in pieces {
        frames.push(piece, &mut out).ok()?;
    }
    frames.finish(&mut out);
    Some(out)
}
