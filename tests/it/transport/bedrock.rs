//! Amazon Bedrock over a real socket: event streams in, a key or a signature out.

use super::*;
use crate::provider::bedrock::messages::{exception, script};
use crate::provider::bedrock::{STOP, answer, stream, text};

const ID: &str = "us.anthropic.claude-sonnet-4-20250514-v1:0";

fn asking(base_url: &str) -> Asking {
    let mut asking = ask(base_url);
    asking.model.wire = "bedrock-converse-stream".into();
    asking.model.id = ID.into();
    asking
}

#[tokio::test]
async fn an_answer_streams_with_a_bearer_token() {
    let provider = Provider::start().await;
    provider.reply(answer(&["Hel", "lo"]));
    let outcome = asking(&format!("{}/proxy/", provider.url())).all().await;
    assert_eq!((outcome.text().as_str(), outcome.stopped(), outcome.fault), ("Hello", true, None));
    assert!(matches!(outcome.deltas.last(), Some(Delta::Usage(usage)) if usage.output == 7));
    let request = provider.request(0).await;
    let path = "/proxy/model/us.anthropic.claude-sonnet-4-20250514-v1%3A0/converse-stream";
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", path));
    assert_eq!(request.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(request.header("accept"), Some("application/vnd.amazon.eventstream"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert!(!request.headers.iter().any(|(name, _)| name.starts_with("x-amz")));
    assert_eq!(request.json()["messages"][0]["content"][0]["text"], "hi");
}

#[tokio::test]
async fn a_cut_within_a_message_changes_nothing() {
    let body = script(&format!("{}\n{STOP}", text("üß→ 🙂")));
    let provider = Provider::start().await;
    let asking = asking(&provider.url());
    for at in (1..body.len()).step_by(7) {
        let (one, two) = body.split_at(at);
        provider.reply(stream().chunk(one).chunk(two));
        let outcome = asking.all().await;
        assert_eq!((outcome.text().as_str(), outcome.stopped()), ("üß→ 🙂", true), "cut at {at}");
    }
}

#[tokio::test]
async fn streams_go_wrong_in_their_own_ways() {
    let provider = Provider::start().await;
    let asking = asking(&provider.url());
    let so_far = || stream().chunk(script(&text("so far")));
    let mut damaged = script(&text("more"));
    damaged[20] ^= 1;
    let throttled = exception("throttlingException", r#"{"message":"Too many tokens, please wait"}"#);
    for (reply, category, says) in [
        (so_far().chunk(&damaged), Category::Protocol, "checksum"),
        (so_far().chunk("HTTP/1.1 500 Oops\r\n\r\n"), Category::Protocol, "no event stream"),
        (so_far().chunk(&script(&text("more"))[..30]), Category::Protocol, "ended early"),
        (so_far().chunk(&throttled).stall(), Category::RateLimit, "Too many tokens"),
        (so_far().reset(), Category::Network, ""),
        (Reply::sse(["{}"]), Category::Protocol, "text/event-stream"),
        (Reply::json(200, "{}"), Category::Protocol, "application/json"),
    ] {
        provider.reply(reply);
        let fault = asking.fault().await;
        assert_eq!(fault.category, category, "{fault:?}");
        assert!(fault.message.contains(says), "{fault:?}");
    }
}

#[tokio::test]
async fn a_message_above_the_limit_is_cut_off() {
    let provider = Provider::start().await;
    let long = script(&text(&"a".repeat(70_000)));
    provider.reply(stream().chunk(&long[..40]).stall());
    let fault = asking(&provider.url())
        .settings(|settings| settings.limits.max_message_bytes = 1 << 16)
        .fault()
        .await;
    assert_eq!(fault.category, Category::TooLarge, "{fault:?}");
    provider.request(0).await.closed().await;
}

#[tokio::test]
async fn errors_are_named_in_a_header() {
    let provider = Provider::start().await;
    let refuse = |status, name: &str, body: &str| {
        provider.reply(Reply::json(status, body).header("x-amzn-errortype", name));
    };
    refuse(403, "UnrecognizedClientException", r#"{"message":"The security token is invalid."}"#);
    let fault = asking(&provider.url()).fault().await;
    assert_eq!((fault.category, fault.status), (Category::Authentication, Some(403)));
    assert_eq!(fault.code.as_deref(), Some("UnrecognizedClientException"));
    refuse(400, "ValidationException:http://x", r#"{"message":"Input is too long for requested model."}"#);
    let fault = asking(&provider.url()).fault().await;
    assert_eq!(fault.category, Category::ContextOverflow);
    assert_eq!(fault.code.as_deref(), Some("ValidationException"));
}
