//! Answers: our own fixtures in every cut, and the recordings of real servers where there are any.

pub(crate) mod encode;
mod recordings;
mod round_trip;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::tests::{decode, frames};
use super::super::{Frame, Framing, Wire as _};
use super::Api;
use crate::catalog::{Cost, Model};
use crate::models::fold::Fold;
use crate::models::{Block, Category, Delta, Fault, Origin, Usage};

const OPENAI: &str = "https://api.openai.com/v1";

/// A model that can do everything, at the given provider.
fn model(provider: &str, base_url: &str) -> Model {
    Model { wire: "openai-responses".into(), ..super::super::tests::model(provider, base_url) }
}

/// The folders of our fixtures of this wire, by name.
#[expect(clippy::disallowed_methods, reason = "tests read their own fixtures")]
fn cases() -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openai-responses");
    let mut cases: Vec<_> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|dir| Some((dir.clone(), std::fs::read(dir.join("reply.sse")).ok()?)))
        .collect();
    cases.sort();
    assert!(cases.len() >= 30, "fixtures are missing");
    cases
}

fn run(body: &[u8]) -> (Vec<Delta>, Option<Fault>) {
    decode(&Api, &model("openai", OPENAI), &frames(Framing::Sse, [body]))
}

fn written(deltas: &[Delta], fault: Option<&Fault>) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for delta in deltas {
        writeln!(text, "{delta:?}").unwrap();
    }
    if let Some(fault) = fault {
        writeln!(text, "{fault:?}").unwrap();
    }
    text
}

fn origin() -> Origin {
    Origin { provider: "openai".into(), wire: "openai-responses".into(), model: "m".into() }
}

fn fold(deltas: &[Delta]) -> Vec<Block> {
    let mut fold = Fold::new();
    for delta in deltas {
        fold.push(delta);
    }
    fold.finish(origin()).0.blocks
}

#[test]
fn fixtures_give_their_deltas() {
    for (dir, body) in cases() {
        let (deltas, fault) = run(&body);
        expect_test::expect_file![dir.join("deltas.txt")].assert_eq(&written(&deltas, fault.as_ref()));
    }
}

#[test]
fn a_cut_at_any_byte_changes_nothing() {
    for (dir, body) in cases() {
        for line_end in ["\n", "\r\n", "\r"] {
            let body = String::from_utf8(body.clone()).unwrap().replace('\n', line_end).into_bytes();
            let whole = frames(Framing::Sse, [&*body]);
            for at in 0..body.len() {
                let (head, tail) = body.split_at(at);
                assert_eq!(frames(Framing::Sse, [head, tail]), whole, "{} at {at}", dir.display());
            }
            assert_eq!(frames(Framing::Sse, body.chunks(1)), whole, "{}", dir.display());
        }
    }
}

#[test]
fn a_body_that_ends_after_any_frame_is_a_fault_or_a_normal_end() {
    let model = model("openai", OPENAI);
    for (dir, body) in cases() {
        let frames = frames(Framing::Sse, [&*body]);
        for end in 0..frames.len() {
            let (deltas, fault) = decode(&Api, &model, &frames[..end]);
            let stops = deltas.iter().filter(|delta| matches!(delta, Delta::Stop { .. })).count();
            assert_eq!(stops, usize::from(fault.is_none()), "{} after {end}", dir.display());
            if let Some(fault) = fault {
                let early = Category::Protocol;
                let of_the_whole = run(&body).1.map(|fault| fault.category);
                assert!(fault.category == early || Some(fault.category) == of_the_whole, "{fault:?}");
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(noise in "(data: |\\{\"type\":\"response\\.|output_item\\.(added|done)\"|output_text\\.delta\"|\"item\":|\"response\":|\"delta\":|\\{|\\}|\\[|\\]|\"|:|,|function_call|reasoning|null|1|\n|\n\n|\\\\ud83d){0,60}") {
        run(noise.as_bytes());
    }

    #[test]
    fn damaged_fixtures_make_no_panic(case in 0usize..30, at in 0usize..9000, byte in proptest::prelude::any::<u8>()) {
        let (_, mut body) = cases().swap_remove(case);
        let at = at % body.len();
        body[at] = byte;
        let (deltas, fault) = run(&body);
        let stops = deltas.iter().filter(|delta| matches!(delta, Delta::Stop { .. })).count();
        proptest::prop_assert_eq!(stops, usize::from(fault.is_none()));
        for block in fold(&deltas) {
            if let Block::ToolCall { arguments, .. } = block {
                proptest::prop_assert!(crate::models::json::is_object(&arguments));
            }
        }
    }
}

#[test]
fn the_end_is_known_before_the_body_ends() {
    let model = model("openai", OPENAI);
    let (_, body) = cases().into_iter().find(|(dir, _)| dir.ends_with("text")).unwrap();
    let frames = frames(Framing::Sse, [&*body]);
    let (last, before) = frames.split_last().unwrap();
    let (mut decoder, mut out) = (Api.decoder(&model), Vec::new());
    for frame in before {
        decoder.push(frame, &mut out).unwrap();
        assert!(!decoder.is_done());
    }
    decoder.push(last, &mut out).unwrap();
    assert!(decoder.is_done());
}

#[test]
fn what_is_kept_is_bounded() {
    let model = model("openai", OPENAI);
    let frame = |data: String| Frame { event: String::new(), data };
    let item = |index: usize| {
        frame(format!(
            "{{\"type\":\"response.output_item.added\",\"output_index\":{index},\"item\":{{\"type\":\"message\"}}}}"
        ))
    };
    let many: Vec<_> = (0..2000).map(item).collect();
    assert_eq!(decode(&Api, &model, &many).1.unwrap().category, Category::TooLarge);
    let piece = frame(format!(
        "{{\"type\":\"response.function_call_arguments.delta\",\"delta\":\"{}\"}}",
        "x".repeat(1 << 20)
    ));
    let mut decoder = Api.decoder(&model);
    let mut out = Vec::new();
    let fault = (0..40).find_map(|_| decoder.push(&piece, &mut out).err());
    assert_eq!(fault.unwrap().category, Category::TooLarge);
}

#[test]
fn a_service_tier_has_its_price() {
    let price = |id: &str, asked: Option<&str>, said: &str| {
        let mut model = model("openai", OPENAI);
        model.id = id.into();
        model.cost = Cost { input: 1.0, output: 10.0, ..Cost::default() };
        if let Some(tier) = asked {
            let compat = serde_json::json!({ "samplingParams": { "service_tier": tier } });
            model.compat = Arc::new(compat.as_object().unwrap().clone());
        }
        let data = format!(
            "{{\"type\":\"response.completed\",\"response\":{{\"service_tier\":{said},\"usage\":{{\"input_tokens\":1000000,\"output_tokens\":100000}}}}}}"
        );
        let (deltas, _) = decode(&Api, &model, &[Frame { event: String::new(), data }]);
        deltas.iter().find_map(|delta| match delta {
            Delta::Usage(Usage { provider_cost, .. }) => Some(*provider_cost),
            _ => None,
        })
    };
    assert_eq!(price("gpt-5", None, "\"default\""), Some(None));
    assert_eq!(price("gpt-5", None, "\"flex\""), Some(Some(1.0)));
    assert_eq!(price("gpt-5", None, "\"priority\""), Some(Some(4.0)));
    assert_eq!(price("gpt-5.5", None, "\"priority\""), Some(Some(5.0)));
    assert_eq!(price("gpt-5", Some("flex"), "null"), Some(Some(1.0)));
    assert_eq!(price("gpt-5", Some("flex"), "\"default\""), Some(None));
}

#[track_caller]
fn check_fault(status: u16, body: &str, category: Category, message: &str) {
    let fault = Api.fault(status, body.as_bytes());
    assert_eq!((fault.category, &*fault.message), (category, message));
    assert_eq!(fault.status, Some(status));
}

#[test]
fn error_bodies_are_understood() {
    let said = |status: u16, text: &str| format!("the provider answered with status {status}: {text}");
    check_fault(
        400,
        r#"{"error":{"message":"Invalid 'max_output_tokens': too small","type":"invalid_request_error","param":"max_output_tokens","code":"integer_below_min_value"}}"#,
        Category::InvalidRequest,
        &said(400, "Invalid 'max_output_tokens': too small"),
    );
    check_fault(401, r#"{"detail":"Unauthorized"}"#, Category::Authentication, &said(401, "Unauthorized"));
    check_fault(
        429,
        r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
        Category::PaymentRequired,
        &said(429, "You exceeded your current quota"),
    );
    check_fault(
        400,
        r#"{"error":{"message":"Your input exceeds the context window of this model.","code":"context_length_exceeded"}}"#,
        Category::ContextOverflow,
        &said(400, "Your input exceeds the context window of this model"),
    );
}
