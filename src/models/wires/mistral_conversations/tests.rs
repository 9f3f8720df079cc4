//! Answers: our own fixtures in every cut, and the recordings of real servers where there are any.

mod encode;
mod recordings;

use super::*;
use crate::models::wires::Frame;
use crate::models::wires::tests::answers::{self, cases, fold};
use crate::models::wires::tests::{decode, frames, model};
use crate::models::{Block, Category, Delta, StopReason};

const WIRE: Api = Api;
const BASE: &str = "https://api.mistral.ai";

fn mistral(id: &str) -> Model {
    let mut model = model("mistral", BASE);
    model.id = id.into();
    model.wire = WIRE.id().into();
    model
}

fn run(body: &[u8]) -> (Vec<Delta>, Option<Fault>) {
    decode(&WIRE, &mistral("mistral-small-latest"), &frames(Framing::Sse, [body]))
}

#[test]
fn fixtures_give_their_deltas() {
    answers::check_deltas(&WIRE, &mistral("m"), "mistral");
}

#[test]
fn a_cut_at_any_byte_changes_nothing() {
    for (dir, body) in cases("mistral") {
        answers::check_cuts(&body, &dir.display().to_string());
    }
}

#[test]
fn a_body_that_ends_after_any_frame_is_a_fault_or_a_normal_end() {
    for (dir, body) in cases("mistral") {
        answers::check_ends(&WIRE, &mistral("m"), &body, &dir.display().to_string());
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(noise in "(data: |\\{\"choices\":\\[\\{|\"delta\":|\"content\":|\\{\"type\":\"thinking\",\"thinking\":|tool_calls|\\{|\\}|\\[|\\]|\"|:|,|text|null|1|\n|\n\n|\\\\ud83d){0,60}") {
        run(noise.as_bytes());
    }

    #[test]
    fn damaged_fixtures_make_no_panic(case in 0usize..8, at in 0usize..3000, byte in proptest::prelude::any::<u8>()) {
        let (_, mut body) = cases("mistral").swap_remove(case);
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
    let ended = |word: &str, delta: &str| {
        let (deltas, fault) =
            run(format!("data: {{\"choices\":[{{\"delta\":{delta},\"finish_reason\":\"{word}\"}}]}}\n\n").as_bytes());
        let stop = deltas.iter().find_map(|delta| match delta {
            Delta::Stop { reason, .. } => Some(*reason),
            _ => None,
        });
        stop.ok_or_else(|| fault.unwrap().category)
    };
    let text = r#"{"content":"x"}"#;
    let call = r#"{"tool_calls":[{"id":"abcdefghi","function":{"name":"f","arguments":"{}"}}]}"#;
    for (word, of_text, of_call) in [
        ("stop", StopReason::EndTurn, StopReason::ToolUse),
        ("tool_calls", StopReason::EndTurn, StopReason::ToolUse),
        ("a_new_one", StopReason::EndTurn, StopReason::ToolUse),
        ("length", StopReason::MaxTokens, StopReason::MaxTokens),
        ("model_length", StopReason::MaxTokens, StopReason::MaxTokens),
        ("content_filter", StopReason::Refusal, StopReason::Refusal),
    ] {
        assert_eq!((ended(word, text), ended(word, call)), (Ok(of_text), Ok(of_call)), "{word}");
    }
    assert_eq!(ended("error", text), Err(Category::Server));
}

#[test]
fn what_is_kept_is_bounded() {
    let model = mistral("m");
    let call = |index: usize| Frame {
        event: String::new(),
        data: format!("{{\"choices\":[{{\"delta\":{{\"tool_calls\":[{{\"index\":{index},\"id\":\"{index}\"}}]}}}}]}}"),
    };
    let many: Vec<_> = (0..2000).map(call).collect();
    assert_eq!(decode(&WIRE, &model, &many).1.unwrap().category, Category::TooLarge);
    let nameless = Frame {
        event: String::new(),
        data: format!(
            "{{\"choices\":[{{\"delta\":{{\"tool_calls\":[{{\"function\":{{\"arguments\":\"{}\"}}}}]}}}}]}}",
            "x".repeat(1 << 20)
        ),
    };
    assert_eq!(decode(&WIRE, &model, &vec![nameless; 40]).1.unwrap().category, Category::TooLarge);
}

#[track_caller]
fn check_fault(status: u16, body: &str, category: Category, says: &str) {
    let fault = WIRE.fault(status, body.as_bytes());
    assert_eq!((fault.category, fault.status), (category, Some(status)), "{fault:?}");
    assert!(fault.message.contains(says) && !fault.message.contains(['{', '[']), "{}", fault.message);
}

#[test]
fn error_bodies_are_understood() {
    check_fault(
        422,
        r#"{"detail":[{"type":"missing","loc":["body","messages",0,"content"],"msg":"Field required","input":{}},{"loc":["body"],"msg":"odd"}]}"#,
        Category::InvalidRequest,
        "messages.0.content: Field required; odd",
    );
    check_fault(
        422,
        r#"{"object":"error","message":{"detail":[{"loc":["body","temperature"],"msg":"too hot"}]},"type":"invalid_request_error","code":null}"#,
        Category::InvalidRequest,
        "temperature: too hot",
    );
    check_fault(
        400,
        r#"{"object":"error","message":"Invalid model: nope","type":"invalid_model","param":null,"code":"1500"}"#,
        Category::NotFound,
        "Invalid model: nope",
    );
    check_fault(401, r#"{"detail":"Unauthorized"}"#, Category::Authentication, "Unauthorized");
    check_fault(
        429,
        r#"{"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","code":"3505"}"#,
        Category::RateLimit,
        "capacity exceeded",
    );
    check_fault(
        400,
        r#"{"object":"error","message":"Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_prompt","code":"3051"}"#,
        Category::ContextOverflow,
        "too large",
    );
    check_fault(500, "", Category::Server, "no explanation");
    check_fault(502, "<html><title>Bad Gateway</title></html>", Category::Server, "Bad Gateway");
}
