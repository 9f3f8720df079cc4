//! Answers: our own fixtures in every cut, and the recordings of real servers where there are any.

mod encode;
mod recordings;

use super::*;
use crate::models::wires::tests::answers::{self, cases, fold};
use crate::models::wires::tests::{decode, frames, model};
use crate::models::wires::{Frame, Wire, google_generative_ai};
use crate::models::{Block, Category, Delta, StopReason};

const WIRE: google_generative_ai::Api = google_generative_ai::Api;
const BASE: &str = "https://generativelanguage.googleapis.com/v1beta";

fn gemini(id: &str) -> Model {
    let mut model = model("google", BASE);
    model.id = id.into();
    model.wire = WIRE.id().into();
    model
}

fn run(body: &[u8]) -> (Vec<Delta>, Option<Fault>) {
    decode(&WIRE, &gemini("gemini-3-pro"), &frames(Framing::Sse, [body]))
}

/// An answer of these events.
fn answer(events: &[serde_json::Value]) -> (Vec<Delta>, Option<Fault>) {
    let events: Vec<_> = events.iter().map(|event| format!("data: {event}\r\n\r\n")).collect();
    run(events.concat().as_bytes())
}

#[test]
fn fixtures_give_their_deltas() {
    answers::check_deltas(&WIRE, &gemini("gemini-3-pro"), "google");
}

#[test]
fn a_cut_at_any_byte_changes_nothing() {
    for (dir, body) in cases("google") {
        answers::check_cuts(&body, &dir.display().to_string());
    }
}

#[test]
fn a_body_that_ends_after_any_frame_is_a_fault_or_a_normal_end() {
    for (dir, body) in cases("google") {
        answers::check_ends(&WIRE, &gemini("gemini-3-pro"), &body, &dir.display().to_string());
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(noise in "(data: |\\{\"candidates\":\\[\\{|\"content\":|\"parts\":|\"functionCall\":|\"partialArgs\":|\"jsonPath\":\"\\$|\\{|\\}|\\[|\\]|\"|:|,|text|null|1|\n|\n\n|\\\\ud83d){0,60}") {
        run(noise.as_bytes());
    }

    #[test]
    fn damaged_fixtures_make_no_panic(case in 0usize..15, at in 0usize..3000, byte in proptest::prelude::any::<u8>()) {
        let (_, mut body) = cases("google").swap_remove(case);
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

#[test]
fn every_reason_to_end_is_known() {
    let ended = |word: &str, parts: serde_json::Value| {
        let candidate = serde_json::json!({ "content": { "parts": parts }, "finishReason": word });
        let (deltas, fault) = answer(&[serde_json::json!({ "candidates": [candidate] })]);
        deltas
            .iter()
            .find_map(|delta| match delta {
                Delta::Stop { reason, raw } => {
                    assert_eq!(raw.as_deref(), Some(word));
                    Some(*reason)
                }
                _ => None,
            })
            .ok_or_else(|| fault.unwrap())
    };
    let text = || serde_json::json!([{ "text": "x" }]);
    let call = || serde_json::json!([{ "functionCall": { "name": "f" } }]);
    for (word, of_text, of_call) in [
        ("STOP", StopReason::EndTurn, StopReason::ToolUse),
        ("FINISH_REASON_UNSPECIFIED", StopReason::EndTurn, StopReason::ToolUse),
        ("A_NEW_ONE", StopReason::EndTurn, StopReason::ToolUse),
        ("MAX_TOKENS", StopReason::MaxTokens, StopReason::MaxTokens),
        ("CONTINUATION", StopReason::MaxTokens, StopReason::MaxTokens),
    ] {
        assert_eq!(ended(word, text()), Ok(of_text), "{word}");
        assert_eq!(ended(word, call()), Ok(of_call), "{word}");
    }
    for word in [
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "MODEL_ARMOR",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
    ] {
        assert_eq!(ended(word, call()), Ok(StopReason::Refusal), "{word}");
    }
    for word in [
        "OTHER",
        "MALFORMED_FUNCTION_CALL",
        "MALFORMED_RESPONSE",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "IMAGE_OTHER",
        "NO_IMAGE",
    ] {
        let fault = ended(word, text()).unwrap_err();
        assert_eq!((fault.category, fault.code.as_deref()), (Category::Server, Some(word)));
    }
}

#[test]
fn an_answer_is_whole_when_it_has_a_reason_to_end() {
    let push = |decoder: &mut Box<dyn Decoder>, event: &str| {
        let frame = Frame { event: String::new(), data: event.to_owned() };
        decoder.push(&frame, &mut Vec::new()).unwrap();
        decoder.is_whole()
    };
    let mut decoder = super::decoder();
    assert!(!push(&mut decoder, r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#));
    assert!(push(&mut decoder, r#"{"candidates":[{"finishReason":"STOP"}]}"#));
    assert!(push(&mut decoder, r#"{"usageMetadata":{"promptTokenCount":1}}"#));
    assert!(push(&mut decoder, r#"{"candidates":[{"content":{"parts":[{"text":""}]}}]}"#), "it says nothing");
    assert!(!push(&mut decoder, r#"{"candidates":[{"content":{"parts":[{"text":"b"}]}}]}"#), "it goes on");
    assert!(decoder.finish(&mut Vec::new()).is_err());
}

#[test]
fn what_is_kept_is_bounded() {
    let call = serde_json::json!({ "candidates": [{ "content": { "parts": vec![serde_json::json!({ "functionCall": { "name": "f" } }); 2000] } }] });
    assert_eq!(answer(&[call]).1.unwrap().category, Category::TooLarge);
    let signed = serde_json::json!({ "candidates": [{ "content": { "parts": [{ "text": "", "thoughtSignature": "A".repeat(1 << 20) }] } }] });
    assert_eq!(answer(&vec![signed; 20]).1.unwrap().category, Category::TooLarge);
}

#[test]
fn ids_are_made_up_where_they_are_missing_or_double() {
    let call = |id: &str| serde_json::json!({ "functionCall": { "name": "f", "id": id } });
    let event = serde_json::json!({
        "responseId": "r", "candidates": [{ "content": { "parts": [call("a"), call("a"), call("")] }, "finishReason": "STOP" }],
    });
    let ids = |deltas: &[Delta]| -> Vec<String> {
        fold(deltas)
            .into_iter()
            .filter_map(|block| match block {
                Block::ToolCall { id, .. } => Some(id),
                _ => None,
            })
            .collect()
    };
    let first = ids(&answer(std::slice::from_ref(&event)).0);
    assert_eq!(first[0], "a");
    assert_eq!(first.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{first:?}");
    assert_eq!(ids(&answer(&[event]).0), first, "the same answer gives the same ids");
}

#[track_caller]
fn check_fault(status: u16, body: &str, category: Category, message: &str, wait: Option<u64>) {
    let fault = WIRE.fault(status, body.as_bytes());
    assert_eq!((fault.category, &*fault.message, fault.retry_after_ms), (category, message, wait));
    assert_eq!(fault.status, Some(status));
}

#[test]
fn error_bodies_are_understood() {
    let bad_key = r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}"#;
    let said = "the provider answered with status 400: API key not valid. Please pass a valid API key";
    check_fault(400, bad_key, Category::Authentication, said, None);
    check_fault(400, &format!("[{bad_key}]"), Category::Authentication, said, None);
    let nested = serde_json::json!({ "error": { "message": bad_key, "code": 400, "status": "Bad Request" } });
    check_fault(400, &nested.to_string(), Category::Authentication, said, None);
    check_fault(
        400,
        r#"{"error":{"code":400,"message":"The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).","status":"INVALID_ARGUMENT"}}"#,
        Category::ContextOverflow,
        "the provider answered with status 400: The input token count (1196265) exceeds the maximum number of tokens allowed (1048575)",
        None,
    );
    check_fault(
        503,
        r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#,
        Category::Overloaded,
        "the provider answered with status 503: The model is overloaded",
        None,
    );
    check_fault(
        403,
        r#"{"error":"no"}"#,
        Category::Permission,
        "the provider answered with status 403: no",
        None,
    );
    check_fault(500, "", Category::Server, "the provider answered with status 500 and no explanation", None);
    check_fault(
        404,
        "<html><title>Error 404 (Not Found)</title></html>",
        Category::NotFound,
        "the provider answered with status 404: Error 404 (Not Found)",
        None,
    );
}

fn quota(id: &str, delay: &serde_json::Value) -> String {
    serde_json::json!({ "error": {
        "code": 429, "status": "RESOURCE_EXHAUSTED",
        "message": "You exceeded your current quota, please check your plan and billing details. Please retry in 34s.",
        "details": [
            { "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{ "quotaMetric": "m", "quotaId": id }] },
            { "@type": "type.googleapis.com/google.rpc.Help", "links": [] },
            { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay },
        ],
    } })
    .to_string()
}

#[test]
fn quotas_say_how_long_to_wait() {
    let message = |quota: &str| {
        format!(
            "the provider answered with status 429: You exceeded your current quota, please check your plan and billing details. Please retry in 34s (quota {quota})"
        )
    };
    let a_minute = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier";
    for (delay, wait) in [
        (serde_json::json!("34.074824224s"), 34_075),
        (serde_json::json!({ "seconds": "2", "nanos": 500_000_000 }), 2500),
        (serde_json::json!("1e300s"), 24 * 3_600_000),
        (serde_json::json!("soon"), 34_000),
        (serde_json::json!("-1s"), 34_000),
    ] {
        check_fault(429, &quota(a_minute, &delay), Category::RateLimit, &message(a_minute), Some(wait));
    }
    let a_day = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
    check_fault(
        429,
        &quota(a_day, &serde_json::json!("34s")),
        Category::PaymentRequired,
        &message(a_day),
        None,
    );
}

#[test]
fn access_tokens_are_told_from_keys() {
    for (key, is_token) in [
        ("AIzaSyA-0123", false),
        ("AQ.Ab8RN6", false),
        ("ya29.a0AfH6", true),
        ("eyJhbGciOi.eyJpc3Mi.c2ln", true),
        ("eyJhbGciOi", false),
        ("", false),
    ] {
        assert_eq!(WIRE.is_subscription(key), is_token, "{key}");
    }
}
