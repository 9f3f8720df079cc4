//! Answers: our own fixtures in every cut, and the recordings of real servers where there are any.

mod encode;
mod recordings;

use std::path::{Path, PathBuf};

use super::super::tests::{decode, frames, judges, model};
use super::super::{Frame, Framing, Wire as _};
use super::Api;
use crate::models::fold::Fold;
use crate::models::{Block, Category, Delta, Fault, Origin};

/// The folders of our fixtures of this wire, by name.
#[expect(clippy::disallowed_methods, reason = "tests read their own fixtures")]
fn cases() -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openai-completions");
    let mut cases: Vec<_> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|dir| Some((dir.clone(), std::fs::read(dir.join("reply.sse")).ok()?)))
        .collect();
    cases.sort();
    assert!(cases.len() >= 10, "fixtures are missing");
    cases
}

fn run(body: &[u8]) -> (Vec<Delta>, Option<Fault>) {
    decode(&Api, &model("openai", "https://api.openai.com/v1"), &frames(Framing::Sse, [body]))
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
    let model = model("openai", "https://api.openai.com/v1");
    for (dir, body) in cases() {
        let frames = frames(Framing::Sse, [&*body]);
        for end in 0..frames.len() {
            let (deltas, fault) = decode(&Api, &model, &frames[..end]);
            let stops = deltas.iter().filter(|delta| matches!(delta, Delta::Stop { .. })).count();
            match fault {
                None => assert_eq!(stops, 1, "{} after {end}", dir.display()),
                Some(fault) => {
                    assert_eq!(stops, 0, "{} after {end}", dir.display());
                    assert!(
                        matches!(fault.category, Category::Protocol | Category::Overloaded | Category::RateLimit),
                        "{fault:?}"
                    );
                }
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(noise in "(data: |\\{\"choices\":\\[\\{|\"delta\":|\\{|\\}|\\[|\\]|\"|:|,|content|tool_calls|null|1|\n|\n\n|\\\\ud83d){0,60}") {
        run(noise.as_bytes());
    }

    #[test]
    fn damaged_fixtures_make_no_panic(case in 0usize..10, at in 0usize..3000, byte in proptest::prelude::any::<u8>()) {
        let (_, mut body) = cases().swap_remove(case);
        let at = at % body.len();
        body[at] = byte;
        let (deltas, _) = run(&body);
        for block in fold(&deltas) {
            if let Block::ToolCall { arguments, .. } = block {
                proptest::prop_assert!(crate::models::json::is_object(&arguments));
            }
        }
    }
}

/// One event of an answer; `mark` is a field that means nothing.
fn event(kind: usize, text: &str, mark: usize) -> String {
    let delta = match kind {
        0 => serde_json::json!({ "content": text, "tool_calls": [{ "index": 0, "function": { "arguments": "1" } }] }),
        1 => serde_json::json!({ "content": text, "refusal": "no" }),
        2 => serde_json::json!({ "content": text, "reasoning_details": [{ "type": "reasoning.text", "signature": "s" }] }),
        3 => serde_json::json!({ "reasoning_content": text }),
        _ => serde_json::json!({ "content": text }),
    };
    let choice = serde_json::json!({ "index": 0, "delta": delta, "finish_reason": null });
    format!("data: {}\n\n", serde_json::json!({ "id": "a", "choices": [choice], "mark": mark }))
}

proptest::proptest! {
    #[test]
    fn events_of_one_form_are_read_like_any_other(
        events in proptest::collection::vec((0usize..9, "[a-cé\"\\\\\n]{0,4}"), 0..12),
    ) {
        let body = |mark: fn(usize) -> usize| {
            let events = events.iter().enumerate().map(|(at, (kind, text))| event(*kind, text, mark(at)));
            events.chain(["data: [DONE]\n\n".to_owned()]).collect::<String>()
        };
        // Where each event is another there is nothing to learn from the last.
        proptest::prop_assert_eq!(run(body(|_| 0).as_bytes()), run(body(|at| at).as_bytes()));
    }
}

#[test]
fn a_server_without_finish_reasons_may_just_end() {
    let mut model = model("local", "http://localhost:1/v1");
    let compat = serde_json::json!({ "supportsFinishReason": false });
    model.compat = std::sync::Arc::new(compat.as_object().unwrap().clone());
    let body = frames(Framing::Sse, [&b"data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"[..]]);
    assert_eq!(decode(&Api, &model, &body).1, None);
    // An empty body is no answer of any server.
    assert_eq!(decode(&Api, &model, &[]).1.unwrap().category, Category::Protocol);
}

#[test]
fn what_is_kept_is_bounded() {
    let model = model("openai", "https://api.openai.com/v1");
    let call = |index: usize| Frame {
        event: String::new(),
        data: format!("{{\"choices\":[{{\"delta\":{{\"tool_calls\":[{{\"index\":{index},\"id\":\"{index}\"}}]}}}}]}}"),
    };
    let many: Vec<_> = (0..2000).map(call).collect();
    assert_eq!(decode(&Api, &model, &many).1.unwrap().category, Category::TooLarge);
    let nameless = Frame {
        event: String::new(),
        data: format!(
            "{{\"choices\":[{{\"delta\":{{\"tool_calls\":[{{\"function\":{{\"arguments\":\"{}\"}}}}]}}}}]}}",
            "x".repeat(1 << 20)
        ),
    };
    let mut decoder = Api.decoder(&model);
    let mut out = Vec::new();
    let fault = (0..40).find_map(|_| decoder.push(&nameless, &mut out).err());
    assert_eq!(fault.unwrap().category, Category::TooLarge);
}

#[track_caller]
fn check_fault(status: u16, body: &str, category: Category, message: &str) {
    let fault = Api.fault(status, body.as_bytes());
    assert_eq!((fault.category, &*fault.message), (category, message));
    assert_eq!(fault.status, Some(status));
}

#[test]
fn error_bodies_of_every_shape_are_understood() {
    let said = |text: &str| format!("the provider answered with status 400: {text}");
    for body in [
        r#"{"error":{"message":"no such field","code":"bad","type":"invalid_request_error"}}"#,
        r#"{"error":"no such field"}"#,
        r#"{"message":"no such field","code":400}"#,
        r#"[{"error":{"message":"no such field","status":"INVALID_ARGUMENT"}}]"#,
        r#"{"object":"error","message":"no such field"}"#,
        r#"{"detail":"no such field"}"#,
        "no such field.",
        "<html><head><title>no such field</title></head><body>x</body></html>",
    ] {
        check_fault(400, body, Category::InvalidRequest, &said("no such field"));
    }
    let routed = r#"{"error":{"code":429,"message":"Provider returned error","metadata":{"raw":"slow down","provider_name":"X"}}}"#;
    check_fault(
        429,
        routed,
        Category::RateLimit,
        "the provider answered with status 429: Provider returned error: slow down",
    );
    check_fault(500, "", Category::Server, "the provider answered with status 500 and no explanation");
    check_fault(
        400,
        r#"{"error":{"message":"This model's maximum context length is 8 tokens","code":"context_length_exceeded"}}"#,
        Category::ContextOverflow,
        &said("This model's maximum context length is 8 tokens"),
    );
    let fault = Api.fault(401, br#"{"error":{"message":"Incorrect API key provided: sk-proj-0123456789.","code":"invalid_api_key"}}"#);
    assert_eq!(fault.code.as_deref(), Some("invalid_api_key"));
    assert!(!fault.message.contains("0123456789"), "{}", fault.message);
}
