//! What tests of all wires share.

use super::*;
use crate::catalog::{Cost, Thinking};
use crate::models::frames::Frames;
use crate::models::frames::event_stream::tests::messages;

pub(crate) mod answers;
mod exchange;
mod handoff;
pub(crate) mod judges;
mod providers;
mod switches;

extern crate self as aside;

#[path = "../../../tests/fuzz/checks.rs"]
mod checks;

#[path = "../../../tests/fuzz/bedrock_checks.rs"]
mod bedrock_checks;

/// A model that can do everything, at the given provider.
pub(crate) fn model(provider: &str, base_url: &str) -> Model {
    Model {
        provider: provider.into(),
        id: "m".into(),
        name: "M".into(),
        wire: "openai-completions".into(),
        base_url: base_url.into(),
        reasoning: true,
        thinking: Thinking::default(),
        takes_images: true,
        cost: Cost::default(),
        context_window: 100_000,
        max_output: 10_000,
        headers: Vec::new(),
        session_headers: Vec::new(),
        without_headers: Vec::new(),
        auth_header: false,
        compat: std::sync::Arc::default(),
    }
}

/// Sizes of the pieces in which recorded bodies arrive.
pub(crate) const PIECES: [usize; 5] = [1, 7, 64, 1460, usize::MAX];

/// The frames of a whole body, given in pieces.
pub(crate) fn frames<'a>(framing: Framing, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame> {
    let mut cutter = Frames::new(framing, 64 << 20);
    let mut out = Vec::new();
    for piece in pieces {
        cutter.push(piece, &mut out).unwrap();
    }
    cutter.finish(&mut out);
    out
}

/// What a fresh decoder makes of some frames and their end.
pub(crate) fn decode(wire: &dyn Wire, model: &Model, frames: &[Frame]) -> (Vec<Delta>, Option<Fault>) {
    let mut decoder = wire.decoder(model);
    let mut out = Vec::new();
    let fault = frames
        .iter()
        .try_for_each(|frame| decoder.push(frame, &mut out))
        .and_then(|()| decoder.finish(&mut out))
        .err();
    (out, fault)
}

/// The schema with misspelt fields forbidden, as typed dictionaries leave every object open.
pub(crate) fn closed(mut schema: serde_json::Value) -> serde_json::Value {
    use serde_json::{Value, json};
    match &mut schema {
        Value::Object(map) => {
            let is_open =
                map.get("type") == Some(&json!("object")) && !map.contains_key("additionalProperties");
            if is_open && map.contains_key("properties") {
                map.insert("additionalProperties".to_owned(), false.into());
            }
            for value in map.values_mut() {
                *value = closed(value.take());
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| *value = closed(value.take())),
        _ => {}
    }
    schema
}

#[test]
fn wires_are_found_by_their_name() {
    for known in WIRES {
        assert_eq!(wire(known.id()).map(Wire::id), Some(known.id()));
    }
    assert!(wire("no-such-wire").is_none());
}

/// The corpus of the fuzz targets, which need a nightly compiler, holds on stable as well.
mod fuzz {
    use super::{bedrock_checks, checks};

    #[expect(clippy::disallowed_methods, reason = "tests read their own fixtures")]
    fn replay(target: &str, check: fn(&[u8])) {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
        let mut count = 0;
        for entry in std::fs::read_dir(root).unwrap() {
            let path = entry.unwrap().path();
            let data = std::fs::read(&path).unwrap();
            // Every start of a file is a case too.
            for end in 0..=data.len().min(3000) {
                check(&data[..end]);
            }
            check(&data);
            count += 1;
        }
        assert!(count >= 3, "the corpus of {target} is missing");
    }

    #[test]
    fn frames_hold() {
        replay("sse", checks::sse);
    }

    #[test]
    fn event_streams_hold() {
        replay("event_stream", bedrock_checks::event_stream);
        replay("converse", |data| bedrock_checks::converse(data, &checks::model()));
    }

    #[test]
    fn answers_hold() {
        replay("completions", checks::completions);
        replay("anthropic", checks::anthropic);
    }

    #[test]
    fn answers_of_the_responses_api_hold() {
        replay("responses", checks::responses);
    }

    #[test]
    fn mistrals_answers_hold() {
        replay("mistral", checks::mistral);
    }

    #[test]
    fn googles_answers_hold() {
        replay("google", checks::google);
    }

    #[test]
    fn arguments_hold() {
        replay("partial_json", checks::partial_json);
    }
}
