//! Tests of the hand-off between models.

use super::*;
use crate::models::Origin;
use crate::models::wires::tests::model;

fn said(by: &str, blocks: Vec<Block>) -> Message {
    let origin = Origin { provider: "openai".into(), wire: "openai-completions".into(), model: by.into() };
    Message::Assistant(Assistant { origin, blocks, complete: true })
}

fn call(id: &str) -> Block {
    Block::ToolCall {
        id: id.into(),
        name: "read".into(),
        arguments: "{}".into(),
        signature: Some("s".into()),
    }
}

fn thinking(text: &str, signature: Option<&str>) -> Block {
    Block::Thinking { text: text.into(), signature: signature.map(str::to_owned) }
}

fn text(text: &str) -> Block {
    Block::Text { text: text.into(), signature: None }
}

fn user(text: &str) -> Message {
    Message::User(vec![Content::Text(text.into())])
}

fn result(id: &str, text: &str) -> Message {
    let content = vec![Content::Text(text.into())];
    Message::ToolResult { call_id: id.into(), name: "read".into(), content, is_error: false }
}

fn no_result(id: &str) -> Message {
    let content = vec![Content::Text(NO_RESULT.into())];
    Message::ToolResult { call_id: id.into(), name: "read".into(), content, is_error: true }
}

fn prepared(messages: &[Message]) -> Vec<Message> {
    prepare(messages, &model("openai", "https://api.openai.com/v1"), &|id| short_id(id, 12))
}

#[test]
fn the_same_model_gets_back_what_it_said() {
    let messages = [
        user("hi"),
        said("m", vec![thinking("", Some("sig")), thinking("deep", None), text("ok"), call("a|b")]),
        result("a|b", "1"),
    ];
    assert_eq!(prepared(&messages), messages);
}

#[test]
fn another_model_gets_text_and_ids_that_it_accepts() {
    let redacted = Block::RedactedThinking { data: "x".into() };
    let messages = [
        said(
            "other",
            vec![redacted, thinking("deep", Some("sig")), thinking("", Some("sig")), call("call/1|fc_1234")],
        ),
        result("call/1|fc_1234", "1"),
    ];
    let id = short_id("call/1|fc_1234", 12);
    assert_eq!(id.len(), 12);
    let unsigned =
        Block::ToolCall { id: id.clone(), name: "read".into(), arguments: "{}".into(), signature: None };
    assert_eq!(prepared(&messages), [said("other", vec![text("deep"), unsigned]), result(&id, "1")]);
}

#[test]
fn every_call_has_one_result() {
    let messages = [
        said("m", vec![call("a"), call("b")]),
        result("b", "1"),
        result("b", "again"),
        result("unknown", "1"),
        user("go on"),
        result("a", "too late"),
        said("m", vec![call("c")]),
    ];
    assert_eq!(
        prepared(&messages),
        [
            said("m", vec![call("a"), call("b")]),
            result("b", "1"),
            no_result("a"),
            user("go on"),
            said("m", vec![call("c")]),
            no_result("c"),
        ]
    );
}

#[test]
fn an_answer_that_failed_is_dropped_with_its_results() {
    let Message::Assistant(mut broken) = said("m", vec![text("par"), call("a")]) else { unreachable!() };
    broken.complete = false;
    let messages = [user("1"), Message::Assistant(broken), result("a", "x"), user("2")];
    assert_eq!(prepared(&messages), [user("1"), user("2")]);
}

#[test]
fn images_become_words_for_a_model_without_eyes() {
    let image = || Content::Image { mime_type: "image/png".into(), data: "AA==".into() };
    let words = |text: &str| Content::Text(text.into());
    let content = vec![image(), image(), words("x"), image()];
    let mut blind = model("openai", "https://api.openai.com/v1");
    blind.takes_images = false;
    assert_eq!(
        prepare(&[Message::User(content)], &blind, &str::to_owned),
        [Message::User(vec![words(USER_IMAGE), words("x"), words(USER_IMAGE)])]
    );
}

#[test]
fn cut_ids_stay_different() {
    let (a, b) = (format!("{}|a", "x".repeat(450)), format!("{}|b", "x".repeat(450)));
    assert_eq!(short_id(&a, 40).len(), 40);
    assert_ne!(short_id(&a, 40), short_id(&b, 40));
    assert_eq!(short_id("call_1-a", 40), "call_1-a");
    assert_eq!(short_id("a+b/c=é", 40), "a_b_c__");
}
