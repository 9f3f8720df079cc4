//! Answers: our own fixtures in every cut, and the recordings of real servers where there are any.

mod encode;
mod recordings;

use std::path::{Path, PathBuf};

use super::super::tests::{decode, frames, model};
use super::super::{Frame, Framing, Refusal, Wire as _};
use super::Api;
use crate::models::fold::Fold;
use crate::models::frames::event_stream::tests::messages;
use crate::models::{Block, Category, Delta, Fault, Origin};

/// The folders of our fixtures of this wire with their streams, by name.
#[expect(clippy::disallowed_methods, reason = "tests read their own fixtures")]
fn cases() -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bedrock-converse-stream");
    let mut cases: Vec<_> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|dir| {
            let script = std::fs::read_to_string(dir.join("reply.txt")).ok()?;
            Some((dir, messages::script(&script)))
        })
        .collect();
    cases.sort();
    assert!(cases.len() >= 20, "fixtures are missing");
    cases
}

fn asked() -> crate::catalog::Model {
    model("amazon-bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com")
}

fn run(body: &[u8]) -> (Vec<Delta>, Option<Fault>) {
    decode(&Api, &asked(), &frames(Framing::EventStream, [body]))
}

fn written(deltas: &[Delta], fault: Option<&Fault>) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for delta in deltas {
        writeln!(text, "{delta:?}").unwrap();
    }
    if let Some(fault) = fault {
        writeln!(text, "{:?} {:?} {:?}: {}", fault.category, fault.status, fault.code, fault.message).unwrap();
    }
    text
}

fn fold(deltas: &[Delta]) -> Vec<Block> {
    let mut fold = Fold::new();
    for delta in deltas {
        fold.push(delta);
    }
    fold.finish(Origin { provider: "p".into(), wire: "w".into(), model: "m".into() }).0.blocks
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
        let whole = frames(Framing::EventStream, [&*body]);
        for at in 0..body.len() {
            let (head, tail) = body.split_at(at);
            assert_eq!(frames(Framing::EventStream, [head, tail]), whole, "{} at {at}", dir.display());
        }
        assert_eq!(frames(Framing::EventStream, body.chunks(1)), whole, "{}", dir.display());
    }
}

#[test]
fn a_body_that_ends_anywhere_is_a_fault_or_a_normal_end() {
    for (dir, body) in cases() {
        let (_, whole_fault) = run(&body);
        for end in 0..body.len() {
            let (deltas, fault) = run(&body[..end]);
            let stops = deltas.iter().filter(|delta| matches!(delta, Delta::Stop { .. })).count();
            match fault {
                None => assert_eq!(stops, 1, "{} after {end}", dir.display()),
                Some(fault) => {
                    assert_eq!(stops, 0, "{} after {end}", dir.display());
                    let as_whole = whole_fault.as_ref().is_some_and(|whole| whole.category == fault.category);
                    assert!(as_whole || fault.category == Category::Protocol, "{fault:?}");
                }
            }
        }
    }
}

#[test]
fn pieces_of_redacted_thinking_are_joined_as_bytes() {
    let (_, body) = cases().into_iter().find(|(path, _)| path.ends_with("redacted")).unwrap();
    let blocks = fold(&run(&body).0);
    let redacted: Vec<_> = blocks
        .iter()
        .filter_map(|block| match block {
            Block::RedactedThinking { data } => Some(data.as_str()),
            _ => None,
        })
        .collect();
    // `abcdef` and `second`.
    assert_eq!(redacted, ["YWJjZGVm", "c2Vjb25k"]);
}

proptest::proptest! {
    #[test]
    fn damaged_events_make_no_panic(case in 0usize..20, at in 0usize..3000, byte in proptest::prelude::any::<u8>()) {
        let mut frames = frames(Framing::EventStream, [&*cases().swap_remove(case).1]);
        let at = at % frames.iter().map(|frame| frame.data.len()).sum::<usize>();
        let mut passed = 0;
        for frame in &mut frames {
            if (passed..passed + frame.data.len()).contains(&at) {
                let mut bytes = std::mem::take(&mut frame.data).into_bytes();
                bytes[at - passed] = byte;
                frame.data = String::from_utf8_lossy(&bytes).into_owned();
                break;
            }
            passed += frame.data.len();
        }
        let (deltas, _) = decode(&Api, &asked(), &frames);
        for block in fold(&deltas) {
            if let Block::ToolCall { arguments, .. } = block {
                proptest::prop_assert!(crate::models::json::is_object(&arguments));
            }
        }
    }
}

#[test]
fn what_the_cache_keeps_for_an_hour_costs_more() {
    let mut model = asked();
    model.cost = crate::catalog::Cost { input: 3.0, output: 15.0, cache_read: 0.3, cache_write: 3.75, ..model.cost };
    let charged = |details: &str| {
        let counts = format!(
            r#"{{"usage":{{"inputTokens":1000,"outputTokens":0,"cacheWriteInputTokens":3000,"cacheDetails":{details}}}}}"#
        );
        let stop = event("messageStop", r#"{"stopReason":"end_turn"}"#.to_owned());
        match decode(&Api, &model, &[stop, event("metadata", counts)]).0.pop() {
            Some(Delta::Usage(usage)) => usage.provider_cost,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(charged(r#"[{"ttl":"5m","inputTokens":3000}]"#), None);
    // A thousand at 3 dollars the million, two thousand at 3.75 and a thousand at twice 3.
    let some = charged(r#"[{"ttl":"1h","inputTokens":1000},{"ttl":"5m","inputTokens":2000}]"#).unwrap();
    assert!((some - (0.003 + 0.0075 + 0.006)).abs() < 1e-12, "{some}");
    for odd in ["null", "7", "[]", "[null]", "{}"] {
        assert_eq!(charged(odd), None, "{odd}");
    }
}

#[test]
fn an_answer_is_done_with_its_counts() {
    let (_, body) = cases().into_iter().find(|(path, _)| path.ends_with("text")).unwrap();
    let frames = frames(Framing::EventStream, [&*body]);
    let mut decoder = Api.decoder(&asked());
    let done = frames.iter().map(|frame| {
        decoder.push(frame, &mut Vec::new()).unwrap();
        decoder.is_done()
    });
    assert_eq!(done.collect::<Vec<_>>(), [false, false, false, false, false, false, true]);
}

fn event(name: &str, data: String) -> Frame {
    Frame { event: name.to_owned(), data }
}

#[test]
fn what_is_kept_is_bounded() {
    let call = |index: usize| {
        event("contentBlockStart", format!("{{\"contentBlockIndex\":{index},\"start\":{{\"toolUse\":{{}}}}}}"))
    };
    let many: Vec<_> = (0..2000).map(call).collect();
    assert_eq!(decode(&Api, &asked(), &many).1.unwrap().category, Category::TooLarge);
    for field in ["signature", "redactedContent"] {
        let large = "x".repeat(1 << 20);
        let data = format!("{{\"delta\":{{\"reasoningContent\":{{\"{field}\":\"{large}\"}}}}}}");
        let frame = event("contentBlockDelta", data);
        let mut decoder = Api.decoder(&asked());
        let mut out = Vec::new();
        let fault = (0..40).find_map(|_| decoder.push(&frame, &mut out).err());
        assert_eq!(fault.unwrap().category, Category::TooLarge, "{field}");
    }
}

#[test]
fn what_is_wrong_again_and_again_is_told_a_few_times() {
    let bad = vec![event("contentBlockDelta", "{".to_owned()); 100];
    let warnings = decode(&Api, &asked(), &bad).0;
    assert_eq!(warnings.len(), 10);
}

const URL: &str = "https://bedrock-runtime.us-east-1.amazonaws.com/model/eu.anthropic.x-v1%3A0/converse-stream";

fn refused(status: u16, name: &str, body: &str, url: &str) -> Fault {
    Api.refusal(&Refusal { status, body: body.as_bytes(), name: Some(name), url })
}

#[track_caller]
fn check_refusal(status: u16, name: &str, text: &str, category: Category, hint: &str) {
    let body = serde_json::json!({ "message": text }).to_string();
    let fault = refused(status, &format!("{name}:http://internal.amazon.com/coral/"), &body, URL);
    assert_eq!((fault.category, fault.code.as_deref()), (category, Some(name)), "{fault:?}");
    assert_eq!(fault.status, Some(status));
    assert!(fault.hint.as_deref().unwrap().contains(hint), "{fault:?}");
}

#[test]
fn errors_are_known_by_their_header() {
    let invalid = "ValidationException";
    check_refusal(400, invalid, "Input is too long for requested model.", Category::ContextOverflow, "compact");
    check_refusal(400, invalid, "The provided model identifier is invalid.", Category::InvalidRequest, "eu-*");
    check_refusal(
        400,
        invalid,
        "Invocation of model ID x with on-demand throughput isn't supported.",
        Category::InvalidRequest,
        "inference profile",
    );
    check_refusal(
        400,
        invalid,
        "data retention mode 'none' is not available for this model",
        Category::InvalidRequest,
        "retention",
    );
    check_refusal(
        429,
        "ThrottlingException",
        "Too many tokens, please wait before trying again.",
        Category::RateLimit,
        "wait",
    );
    check_refusal(429, "ModelNotReadyException", "not ready", Category::RateLimit, "wait");
    check_refusal(424, "ModelErrorException", "The model failed", Category::Server, "again");
    check_refusal(408, "ModelTimeoutException", "The model took too long", Category::Timeout, "again");
    check_refusal(503, "ServiceUnavailableException", "busy", Category::Overloaded, "again");
    check_refusal(500, "InternalServerException", "oops", Category::Server, "again");
    check_refusal(404, "ResourceNotFoundException", "no such model", Category::NotFound, "eu-*");
    check_refusal(403, "AccessDeniedException", "You don't have access to the model", Category::Permission, "eu-*");
    let keys = "AWS_ACCESS_KEY_ID";
    check_refusal(403, "UnrecognizedClientException", "The security token included in the request is invalid.", Category::Authentication, keys);
    check_refusal(403, "ExpiredTokenException", "The security token included in the request is expired", Category::Authentication, "renew");
    check_refusal(403, "InvalidSignatureException", "Signature expired: 1 is now earlier than 2", Category::Authentication, "clock");
}

#[test]
fn errors_without_the_header_are_known_by_their_body() {
    let typed = r#"{"__type":"com.amazon.coral.service#ThrottlingException","Message":"slow"}"#;
    let fault = Api.fault(429, typed.as_bytes());
    assert_eq!((fault.code.as_deref(), &*fault.message), (Some("ThrottlingException"), "the provider answered with status 429: slow"));
    let unnamed = Api.fault(400, br#"{"message":"no such field"}"#);
    assert_eq!(unnamed.message, "the provider answered with status 400: no such field");
    let silent = refused(500, "InternalServerException", r#"{"message":null}"#, URL);
    assert_eq!(silent.message, "the provider answered with status 500: InternalServerException");
    assert_eq!(Api.fault(502, b"").message, "the provider answered with status 502 and no explanation");
    let page = Api.fault(502, b"<html><head><title>Bad Gateway</title></head></html>");
    assert_eq!(page.message, "the provider answered with status 502: Bad Gateway");
    let other = Api.fault(404, br#"{"Output":{"__type":"x#UnknownOperationException"},"Version":"1.0"}"#);
    assert!(other.message.contains("UnknownOperation"), "{other:?}");
}

#[test]
fn a_hint_names_the_region_that_was_called() {
    let url = |id: &str| format!("https://bedrock-runtime.eu-west-1.amazonaws.com/model/{id}/converse-stream");
    let invalid = r#"{"message":"The provided model identifier is invalid."}"#;
    let hint = |id: &str| refused(400, "ValidationException", invalid, &url(id)).hint.unwrap();
    assert!(hint("us.anthropic.x").contains("us-* and ca-*, but this call went to eu-west-1"));
    assert!(hint("eu.anthropic.x").contains("eu-west-1 offers it"));
    let elsewhere = refused(400, "ValidationException", invalid, "http://localhost:1/model/us.x/converse-stream");
    assert_eq!(elsewhere.hint.as_deref(), crate::models::fault::hint(Category::InvalidRequest));
}
