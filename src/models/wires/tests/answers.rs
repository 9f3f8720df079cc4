//! Answers in files: our own below `tests/fixtures`, recordings of real servers beside the repository.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{decode, frames};
use crate::catalog::Model;
use crate::models::fold::Fold;
use crate::models::wires::{Framing, Wire};
use crate::models::{Block, Delta, Fault, Origin, Usage};

/// The folders of our fixtures in `tests/fixtures/FOLDER`, by name, each with its body.
#[expect(clippy::disallowed_methods, reason = "tests read their own fixtures")]
pub(crate) fn cases(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let mut cases: Vec<_> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|dir| Some((dir.clone(), std::fs::read(dir.join("reply.sse")).ok()?)))
        .collect();
    cases.sort();
    assert!(cases.len() >= 3, "fixtures are missing");
    cases
}

/// Files of recordings whose names end with `suffix`; none where there are no recordings.
#[expect(clippy::disallowed_methods, reason = "tests read recordings")]
pub(crate) fn recordings(folder: &str, suffix: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(suffix))
        .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// One of the published schemas of requests; `None` where there are none.
#[expect(clippy::disallowed_methods, reason = "tests read published schemas")]
pub(crate) fn published(name: &str) -> Option<serde_json::Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/schemas").join(name);
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// A folder's answers decode to what stands beside them, whatever the ends of lines.
pub(crate) fn check_deltas(wire: &dyn Wire, model: &Model, folder: &str) {
    for (dir, body) in cases(folder) {
        let (deltas, fault) = decode(wire, model, &frames(Framing::Sse, [&*body]));
        let written = written(&deltas, fault.as_ref());
        expect_test::expect_file![dir.join("deltas.txt")].assert_eq(&written);
        let unix = String::from_utf8(body).unwrap().replace("\r\n", "\n");
        let again = decode(wire, model, &frames(Framing::Sse, [unix.as_bytes()]));
        assert_eq!(again, (deltas, fault), "{}", dir.display());
    }
}

/// Wherever the bytes are cut, the frames are the same.
pub(crate) fn check_cuts(body: &[u8], name: &str) {
    let whole = frames(Framing::Sse, [body]);
    for at in 0..body.len() {
        let (head, tail) = body.split_at(at);
        assert_eq!(frames(Framing::Sse, [head, tail]), whole, "{name} at {at}");
    }
    assert_eq!(frames(Framing::Sse, body.chunks(1)), whole, "{name}");
}

/// An answer that ends after any of its frames has one stop or one fault, never both.
pub(crate) fn check_ends(wire: &dyn Wire, model: &Model, body: &[u8], name: &str) {
    let frames = frames(Framing::Sse, [body]);
    for end in 0..=frames.len() {
        let (deltas, fault) = decode(wire, model, &frames[..end]);
        let stops = deltas.iter().filter(|delta| matches!(delta, Delta::Stop { .. })).count();
        assert_eq!(stops, usize::from(fault.is_none()), "{name} after {end}: {fault:?}");
    }
}

/// The blocks that deltas amount to.
pub(crate) fn fold(deltas: &[Delta]) -> Vec<Block> {
    let mut fold = Fold::new();
    for delta in deltas {
        fold.push(delta);
    }
    fold.finish(Origin { provider: "p".into(), wire: "w".into(), model: "m".into() }).0.blocks
}

/// The last counts.
pub(crate) fn usage(deltas: &[Delta]) -> Option<Usage> {
    deltas.iter().rev().find_map(|delta| match delta {
        Delta::Usage(usage) => Some(*usage),
        _ => None,
    })
}

fn written(deltas: &[Delta], fault: Option<&Fault>) -> String {
    let mut text = String::new();
    for delta in deltas {
        writeln!(text, "{delta:?}").unwrap();
    }
    if let Some(fault) = fault {
        writeln!(text, "{fault:?}").unwrap();
    }
    text
}
