//! Answers: our own fixtures in every cut, and the recordings of real servers where there are any.

mod encode;
mod recordings;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::super::tests::{answers, decode, frames, judges, model as any_model};
use super::super::{Access, Frame, Framing, Wire as _};
use super::Api;
use super::stream::MAX_BLOCKS;
use crate::catalog::{Cost, Model};
use crate::models::{Block, Category, Delta, Fault, Origin, Request, StopReason, ToolSpec};

fn model() -> Model {
    let mut model = any_model("anthropic", "https://api.anthropic.com");
    model.wire = "anthropic-messages".into();
    model.cost = Cost { input: 1.0, output: 10.0, cache_read: 0.1, cache_write: 1.25, tiers: Vec::new() };
    let price = json!({ "input": 5, "output": 25, "cacheRead": 0.5, "cacheWrite": 6.25 });
    let compat = json!({ "allowedFallbackModels": [{ "model": "claude-y", "provider": "anthropic", "cost": price }] });
    model.compat = Arc::new(compat.as_object().unwrap().clone());
    model
}

/// The folders of our fixtures of this wire, by name.
fn cases() -> Vec<(PathBuf, Vec<u8>)> {
    let cases = answers::cases("anthropic-messages");
    assert!(cases.len() >= 20, "fixtures are missing");
    cases
}

fn run(body: &[u8]) -> (Vec<Delta>, Option<Fault>) {
    decode(&Api, &model(), &frames(Framing::Sse, [body]))
}

#[test]
fn the_exact_code_of_an_error_in_the_middle_is_kept() {
    let data = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded","details":{"error_code":"capacity_of_region"}}}"#;
    let (_, fault) = decode(&Api, &model(), &[Frame { event: "error".into(), data: data.into() }]);
    let fault = fault.unwrap();
    // The type decides what it is, whatever the code is called.
    assert_eq!((fault.category, fault.code.as_deref()), (Category::Overloaded, Some("capacity_of_region")));
}

#[test]
fn fixtures_give_their_deltas() {
    answers::check_deltas(&Api, &model(), "anthropic-messages");
}

#[test]
fn a_cut_at_any_byte_changes_nothing() {
    for (dir, body) in cases() {
        for line_end in ["\n", "\r\n", "\r"] {
            let body = String::from_utf8(body.clone()).unwrap().replace('\n', line_end);
            answers::check_cuts(body.as_bytes(), &dir.display().to_string());
        }
    }
}

#[test]
fn a_body_that_ends_after_any_byte_is_a_fault_or_a_normal_end() {
    for (dir, body) in cases() {
        for end in 0..body.len() {
            let (deltas, fault) = run(&body[..end]);
            let stop = deltas.iter().position(|delta| matches!(delta, Delta::Stop { .. }));
            let name = dir.display();
            match fault {
                None => assert!(stop.is_some(), "{name} after {end}"),
                Some(fault) => {
                    assert_eq!(stop, None, "{name} after {end}");
                    let expected = match fault.category {
                        Category::Protocol => true,
                        Category::Overloaded | Category::RateLimit | Category::Server => {
                            dir.to_string_lossy().contains("error-")
                        }
                        _ => false,
                    };
                    assert!(expected, "{name} after {end}: {fault:?}");
                }
            }
            let after = deltas.iter().skip(stop.unwrap_or(deltas.len())).skip(1);
            assert!(after.clone().all(|delta| matches!(delta, Delta::Usage(_))), "{name} after {end}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(noise in "(data: |event: |\\{\"type\":|\"content_block_(start|delta|stop)\"|\"message_(start|delta|stop)\"|\"error\"|,\"index\":|,\"delta\":|,\"content_block\":|\"tool_use\"|\\{|\\}|\\[|\\]|\"|:|,|text|null|1|-1|\n|\n\n|\\\\ud83d){0,60}") {
        run(noise.as_bytes());
    }

    #[test]
    fn damaged_fixtures_make_no_panic(case in 0usize..20, at in 0usize..3000, byte in proptest::prelude::any::<u8>()) {
        let (_, mut body) = cases().swap_remove(case);
        let at = at % body.len();
        body[at] = byte;
        let (deltas, fault) = run(&body);
        let stops = deltas.iter().filter(|delta| matches!(delta, Delta::Stop { .. })).count();
        proptest::prop_assert_eq!(stops, usize::from(fault.is_none()));
        for block in answers::fold(&deltas) {
            if let Block::ToolCall { arguments, .. } = block {
                proptest::prop_assert!(crate::models::json::is_object(&arguments));
            }
        }
    }
}

/// How an answer ends that has a call and this reason to stop.
fn ended(reason: &str) -> (Option<StopReason>, Option<Fault>) {
    let call = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"read"}}"#;
    let body = format!(
        "data: {call}\n\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":{reason}}}}}\n\ndata: {{\"type\":\"message_stop\"}}\n\n"
    );
    let (deltas, fault) = run(body.as_bytes());
    let stop = deltas.iter().find_map(|delta| match delta {
        Delta::Stop { reason, .. } => Some(*reason),
        _ => None,
    });
    (stop, fault)
}

#[test]
fn every_reason_to_stop_is_understood() {
    for (reason, expected) in [
        ("end_turn", StopReason::EndTurn),
        ("stop_sequence", StopReason::EndTurn),
        ("pause_turn", StopReason::EndTurn),
        ("compaction", StopReason::EndTurn),
        ("max_tokens", StopReason::MaxTokens),
        ("model_context_window_exceeded", StopReason::MaxTokens),
        ("tool_use", StopReason::ToolUse),
        ("refusal", StopReason::Refusal),
        ("sensitive", StopReason::Refusal),
        ("a_word_of_next_year", StopReason::ToolUse),
    ] {
        assert_eq!(ended(&format!("\"{reason}\"")), (Some(expected), None), "{reason}");
    }
    assert_eq!(ended("null"), (Some(StopReason::ToolUse), None));
    assert_eq!(ended("\"error\"").1.unwrap().category, Category::Server);
}

#[test]
fn a_subscription_calls_tools_by_our_names() {
    let tool = |name: &str| ToolSpec { name: name.into(), description: String::new(), parameters: "{}".into() };
    let request = Request { tools: vec![tool("read"), tool("todowrite")], ..Request::default() };
    let call = |name: &str| Frame {
        event: String::new(),
        data: format!("{{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"{name}\"}}}}"),
    };
    let named = |access, name: &str| {
        let mut out = Vec::new();
        Api.decoder_for(&request, &model(), access).push(&call(name), &mut out).unwrap();
        match out.pop() {
            Some(Delta::ToolCall { name, .. }) => name,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(named(Access::Subscription, "Read"), "read");
    assert_eq!(named(Access::Subscription, "TodoWrite"), "todowrite");
    assert_eq!(named(Access::Subscription, "Find"), "Find");
    assert_eq!(named(Access::Key, "Read"), "Read");
}

#[test]
fn what_is_kept_is_bounded() {
    let fault_of = |event: &dyn Fn(usize) -> String| {
        let mut decoder = Api.decoder(&model());
        let mut out = Vec::new();
        (0..MAX_BLOCKS + 50).find_map(|at| {
            out.clear();
            decoder.push(&Frame { event: String::new(), data: event(at) }, &mut out).err()
        })
    };
    let block = |at: usize| format!("{{\"type\":\"content_block_start\",\"index\":{at},\"content_block\":{{\"type\":\"text\"}}}}");
    assert_eq!(fault_of(&block).unwrap().category, Category::TooLarge);
    let blocks = vec!["{\"type\":\"text\",\"text\":\"x\"}"; 2 * MAX_BLOCKS].join(",");
    let whole = |_| format!("{{\"type\":\"message_start\",\"message\":{{\"content\":[{blocks}]}}}}");
    assert_eq!(fault_of(&whole).unwrap().category, Category::TooLarge);
    let thinking = "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\"}}";
    let long = "x".repeat(1 << 20);
    let signature = |at: usize| match at {
        0 => thinking.to_owned(),
        _ => format!("{{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"signature_delta\",\"signature\":\"{long}\"}}}}"),
    };
    assert_eq!(fault_of(&signature).unwrap().category, Category::TooLarge);
}

#[track_caller]
fn check_fault(status: u16, body: &str, category: Category, message: &str, code: &str) {
    let fault = Api.fault(status, body.as_bytes());
    assert_eq!((fault.category, &*fault.message), (category, message));
    assert_eq!((fault.status, fault.code.as_deref().unwrap_or_default()), (Some(status), code));
}

#[test]
fn error_answers_are_classified() {
    for (status, kind, category) in [
        (400, "invalid_request_error", Category::InvalidRequest),
        (401, "authentication_error", Category::Authentication),
        (402, "billing_error", Category::PaymentRequired),
        (403, "permission_error", Category::Permission),
        (404, "not_found_error", Category::NotFound),
        (413, "request_too_large", Category::ContextOverflow),
        (429, "rate_limit_error", Category::RateLimit),
        (500, "api_error", Category::Server),
        (504, "timeout_error", Category::Server),
        (529, "overloaded_error", Category::Overloaded),
    ] {
        let body = json!({ "type": "error", "error": { "type": kind, "message": "No." }, "request_id": "req_1" });
        check_fault(status, &body.to_string(), category, &format!("the provider answered with status {status}: No"), kind);
    }
    for text in [
        "prompt is too long: 213462 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again",
    ] {
        let body = json!({ "type": "error", "error": { "type": "invalid_request_error", "message": text } });
        assert_eq!(Api.fault(400, body.to_string().as_bytes()).category, Category::ContextOverflow, "{text}");
    }
    let old = json!({ "type": "error", "error": {
        "type": "invalid_request_error",
        "message": "Update the client",
        "details": { "error_code": "claude_code_version_too_old" },
    } });
    let said = "the provider answered with status 400: Update the client";
    check_fault(400, &old.to_string(), Category::InvalidRequest, said, "claude_code_version_too_old");
    let extra = json!({ "type": "error", "error": {
        "type": "invalid_request_error",
        "message": "Third-party apps now draw from your extra usage",
    } });
    let fault = Api.fault(400, extra.to_string().as_bytes());
    assert!(fault.hint.unwrap().contains("claude.ai/settings/usage"));
    assert_eq!(Api.fault(502, b"<html><title>Bad gateway</title></html>").category, Category::Server);
}

#[test]
fn errors_inside_an_answer_are_classified() {
    for (kind, category) in [
        ("overloaded_error", Category::Overloaded),
        ("rate_limit_error", Category::RateLimit),
        ("api_error", Category::Server),
        ("invalid_request_error", Category::InvalidRequest),
        ("authentication_error", Category::Authentication),
        ("permission_error", Category::Permission),
        ("not_found_error", Category::NotFound),
        ("timeout_error", Category::Timeout),
        ("billing_error", Category::PaymentRequired),
    ] {
        let body = format!("event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"{kind}\",\"message\":\"No\"}}}}\n\n");
        let fault = run(body.as_bytes()).1.unwrap();
        assert_eq!((fault.category, fault.code.as_deref()), (category, Some(kind)));
    }
}
