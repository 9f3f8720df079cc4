//! Amazon Bedrock over a real socket: event streams in, a key or a signature out.

use aside::accounts::AwsKeys;

use super::*;
use crate::provider::bedrock::messages::{exception, script};
use crate::provider::bedrock::{STOP, answer, stream, text};
use crate::provider::sigv4::verify;

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

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLE//token==";

fn keys(session_token: Option<&str>) -> Credential {
    Credential::Aws(Box::new(AwsKeys {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: SECRET.into(),
        session_token: session_token.map(Into::into),
    }))
}

#[tokio::test]
async fn a_call_is_signed_and_the_signature_holds() {
    let provider = Provider::start().await;
    for (id, token) in [
        (ID, None),
        (ID, Some(TOKEN)),
        ("arn:aws:bedrock:eu-west-3:123456789012:application-inference-profile/abc", Some(TOKEN)),
    ] {
        provider.reply(answer(&["ok"]));
        let mut asking = asking(&format!("{}/proxy", provider.url()));
        asking.model.id = id.into();
        asking.credential = keys(token);
        // What belongs to a signature is nobody else's to set; the rest is.
        let asking =
            asking.header("authorization", "mine").header("x-amz-date", "now").header("x-team", "blue");
        assert_eq!(asking.all().await.text(), "ok");
        let request = provider.requests().pop().unwrap();
        let claims = verify(&request, SECRET).unwrap();
        let region = if id == ID { "us-east-1" } else { "eu-west-3" };
        assert_eq!((&*claims.access_key_id, &*claims.service), ("AKIDEXAMPLE", "bedrock"));
        assert_eq!((&*claims.region, &*claims.date), (region, "19700101"));
        assert_eq!(request.header("x-amz-security-token"), token);
        assert_eq!(request.header("x-team"), Some("blue"));
        // The verifier notices what it should.
        let mut changed = request.clone();
        changed.body.push(b' ');
        assert!(verify(&changed, SECRET).is_err() && verify(&request, "another").is_err());
    }
}

#[tokio::test]
async fn every_try_is_signed_anew() {
    let provider = Provider::start().await;
    let mut asking = asking(&provider.url());
    asking.credential = keys(None);
    let mut authorizations = Vec::new();
    for day in 0..2 {
        asking.clock.store(day * 86_400_000, std::sync::atomic::Ordering::Relaxed);
        provider.reply(answer(&["ok"]));
        assert!(asking.all().await.stopped());
        let request = provider.requests().pop().unwrap();
        assert_eq!(verify(&request, SECRET).unwrap().date, format!("1970010{}", day + 1));
        authorizations.push(request.header("authorization").unwrap().to_owned());
    }
    assert_ne!(authorizations[0], authorizations[1]);
}

#[tokio::test]
async fn keys_that_a_provider_echoes_are_masked() {
    let provider = Provider::start().await;
    let said = format!("The canonical string was host:x x-amz-security-token:{TOKEN}, and the key {SECRET}");
    let body = serde_json::json!({ "message": said }).to_string();
    provider.reply(Reply::json(403, &body).header("x-amzn-errortype", "InvalidSignatureException"));
    let mut asking = asking(&provider.url());
    asking.credential = keys(Some(TOKEN));
    let fault = asking.fault().await;
    assert_eq!(fault.category, Category::Authentication);
    let shown = format!("{fault:?}");
    assert!(!shown.contains(TOKEN) && !shown.contains(SECRET), "{shown}");
    let shown = format!("{:?}", asking.credential);
    assert!(!shown.contains(TOKEN) && !shown.contains(SECRET) && !shown.contains("AKID"), "{shown}");
}

#[tokio::test]
async fn keys_sign_only_what_is_to_be_signed() {
    let provider = Provider::start().await;
    let mut asking = ask(&provider.url());
    asking.credential = keys(None);
    let fault = asking.fault().await;
    assert_eq!(fault.category, Category::Authentication);
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn http_1_is_spoken_where_it_is_forced() {
    let authority = tls::Authority::new();
    let provider = Provider::start_tls(authority.acceptor_speaking(&[b"h2", b"http/1.1"])).await;
    let pem = authority.pem.path().display().to_string();
    let mut asking = asking(&provider.url()).env("SSL_CERT_FILE", &pem);
    asking.variables = vec![("AWS_BEDROCK_FORCE_HTTP1", "1".to_owned())];
    provider.reply(answer(&["ok"]));
    assert_eq!(asking.all().await.text(), "ok");
    // Without it the server's first choice is taken, which this one cannot really speak.
    asking.variables.clear();
    provider.reply(Reply::raw("no HTTP/2 frames"));
    assert!(asking.all().await.fault.is_some());
    assert_eq!(provider.requests()[1].method, "PRI");
}
