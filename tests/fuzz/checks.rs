//! What must hold for any bytes. Run by the fuzz targets, and on stable over the corpus by the unit tests: the
//! module above brings the crate in as `aside`.

use super::aside::catalog::{Cost, Model, Thinking};
use super::aside::models::fold::Fold;
use super::aside::models::frames::Frames;
use super::aside::models::wires::{self, Frame, Framing};
use super::aside::models::{Block, Delta, Origin, json};

/// Frames do not depend on how the bytes arrive. The first byte chooses the size of the pieces.
pub(super) fn sse(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let size = usize::from(*first).max(1);
    assert_eq!(cut(body.chunks(size)), cut([body]));
}

/// See [`answer`].
pub(super) fn completions(data: &[u8]) {
    answer("openai-completions", data);
}

/// The same of the other API.
pub(super) fn responses(data: &[u8]) {
    answer("openai-responses", data);
}

/// See [`answer`].
pub(super) fn anthropic(data: &[u8]) {
    answer("anthropic-messages", data);
}

/// The same of Google's.
pub(super) fn google(data: &[u8]) {
    answer("google-generative-ai", data);
}

/// The same of Mistral's.
pub(super) fn mistral(data: &[u8]) {
    answer("mistral-conversations", data);
}

fn answer(wire: &str, data: &[u8]) {
    let Some(frames) = cut([data]) else { return };
    let Some(wire) = wires::wire(wire) else { return };
    let mut decoder = wire.decoder(&model());
    let mut deltas = Vec::new();
    let end = frames.iter().try_for_each(|frame| decoder.push(frame, &mut deltas));
    let end = end.and_then(|()| decoder.finish(&mut deltas));
    let stop = deltas.iter().position(|delta| matches!(delta, Delta::Stop { .. }));
    assert_eq!(stop.is_some(), end.is_ok());
    let after = deltas.iter().skip(stop.unwrap_or(deltas.len())).skip(1);
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

/// Whatever a model streams as arguments becomes an object, and then stays as it is.
pub(super) fn partial_json(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let arguments = json::arguments(&text);
    assert!(json::is_object(&arguments), "{arguments}");
    assert_eq!(json::arguments(&arguments), arguments);
}

fn cut<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<Frame>> {
    let mut frames = Frames::new(Framing::Sse, 1 << 12);
    let mut out = Vec::new();
    for piece in pieces {
        frames.push(piece, &mut out).ok()?;
    }
    frames.finish(&mut out);
    Some(out)
}

/// Any model.
pub(super) fn model() -> Model {
    Model {
        provider: "p".into(),
        id: "m".into(),
        name: "M".into(),
        wire: "openai-completions".into(),
        base_url: "http://localhost".into(),
        reasoning: true,
        thinking: Thinking::default(),
        takes_images: true,
        cost: Cost::default(),
        context_window: 1,
        max_output: 1,
        headers: Vec::new(),
        session_headers: Vec::new(),
        without_headers: Vec::new(),
        auth_header: false,
        compat: std::sync::Arc::default(),
    }
}
