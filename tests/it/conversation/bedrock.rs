//! Amazon Bedrock through the whole program: which credential a call goes out with, and where it goes.

use aside_protocol::{PromptParams, PromptResult};
use serde_json::json;

use crate::provider::bedrock::{answer, messages::script, stream};
use crate::provider::sigv4::verify;
use crate::provider::{Reply, Request};
use crate::server::{Setup, TestServer, Upstream};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const MODEL: &str = "amazon-bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0";

fn setup() -> Setup {
    TestServer::new().settings(&json!({ "defaultModel": MODEL, "retry": { "baseDelayMs": 4 } }).to_string())
}

fn with_keys(setup: Setup) -> Setup {
    setup.environment("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").environment("AWS_SECRET_ACCESS_KEY", SECRET)
}

/// What one prompt gives, and the requests that it took.
fn asked(setup: Setup) -> (PromptResult, Vec<Request>) {
    let upstream = Upstream::start();
    upstream.provider.reply(answer(&["Hel", "lo."]));
    let setup = setup.environment("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", &upstream.provider.url());
    let result = setup.start().prompted(&super::text("hi"));
    (result, upstream.provider.requests())
}

#[test]
fn keys_of_the_environment_sign_for_its_region() {
    let setup = with_keys(setup())
        .environment("AWS_REGION", "us-west-2")
        .environment("AWS_SESSION_TOKEN", "token-of-a-session");
    let (result, requests) = asked(setup);
    assert_eq!((result.text.as_str(), result.error), ("Hello.", None));
    assert_eq!(result.usage.output_tokens, 7);
    let [request] = &requests[..] else { panic!("{requests:?}") };
    let claims = verify(request, SECRET).unwrap();
    assert_eq!((&*claims.access_key_id, &*claims.region), ("AKIDEXAMPLE", "us-west-2"));
    assert_eq!(request.header("x-amz-security-token"), Some("token-of-a-session"));
    assert!(
        request.target.ends_with("/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream")
    );
}

#[test]
fn a_bearer_token_takes_the_place_of_a_signature() {
    let stored = r#"{"amazon-bedrock": {"type": "api_key", "key": "stored-token-1234"}}"#;
    for (setup, expected) in [
        (
            with_keys(setup()).environment("AWS_BEARER_TOKEN_BEDROCK", "ambient-token-1234"),
            "Bearer ambient-token-1234",
        ),
        (
            with_keys(setup()).environment("AWS_BEARER_TOKEN_BEDROCK", "ambient").file("auth.json", stored),
            "Bearer stored-token-1234",
        ),
    ] {
        let (result, requests) = asked(setup);
        assert_eq!(result.text, "Hello.");
        assert_eq!(requests[0].header("authorization"), Some(expected));
        assert!(!requests[0].headers.iter().any(|(name, _)| name.starts_with("x-amz")));
    }
}

#[test]
fn an_entry_of_its_own_says_whose_keys_and_which_region() {
    let stored = json!({"amazon-bedrock": {"type": "api_key", "env": {
        "AWS_ACCESS_KEY_ID": "AKIDOTHER", "AWS_SECRET_ACCESS_KEY": "another-secret-key", "AWS_REGION": "eu-west-1",
    }}});
    let setup = with_keys(setup())
        .environment("AWS_SESSION_TOKEN", "of-others")
        .environment("AWS_REGION", "us-west-2");
    let (result, requests) = asked(setup.file("auth.json", &stored.to_string()));
    assert_eq!(result.text, "Hello.");
    let claims = verify(&requests[0], "another-secret-key").unwrap();
    assert_eq!((&*claims.access_key_id, &*claims.region), ("AKIDOTHER", "eu-west-1"));
    assert_eq!(requests[0].header("x-amz-security-token"), None);
}

#[test]
fn a_proxy_may_want_no_credential() {
    let setup = with_keys(setup())
        .environment("AWS_BEARER_TOKEN_BEDROCK", "x")
        .environment("AWS_BEDROCK_SKIP_AUTH", "1");
    let (result, requests) = asked(setup);
    assert_eq!(result.text, "Hello.");
    assert_eq!(requests[0].header("authorization"), None);
}

#[test]
fn credentials_that_cannot_be_had_yet_are_told_with_the_ways_that_work() {
    let refused = |setup: Setup| {
        let (result, requests) = asked(setup);
        assert!(requests.is_empty());
        let error = result.error.unwrap();
        assert_eq!(error.kind.as_str(), "authRequired");
        format!("{}; {}", error.message, error.hint.unwrap())
    };
    for name in ["AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"] {
        let said = refused(setup().environment(name, "x"));
        assert!(said.contains(name) && said.contains("AWS_BEARER_TOKEN_BEDROCK"), "{said}");
        assert!(said.contains("export-credentials"), "{said}");
    }
    // A stored profile is not passed over for keys that happen to be set.
    let stored = r#"{"amazon-bedrock": {"type": "api_key", "env": {"AWS_PROFILE": "work"}}}"#;
    let said = refused(with_keys(setup()).file("auth.json", stored));
    assert!(said.contains("AWS_PROFILE"), "{said}");
    let said = refused(setup().environment("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"));
    assert!(said.contains("AWS_SECRET_ACCESS_KEY is not set"), "{said}");
    let said = refused(setup());
    assert!(said.contains("AWS_BEARER_TOKEN_BEDROCK") && said.contains("AWS_ACCESS_KEY_ID"), "{said}");
}

#[test]
fn a_provider_of_ones_own_is_signed_for_with_keys_of_its_own() {
    let upstream = Upstream::start();
    upstream.provider.reply(answer(&["Hello."]));
    upstream.provider.reply(answer(&["Hello."]));
    let models = json!({"providers": {"corp": {
        "baseUrl": upstream.provider.url(), "api": "bedrock-converse-stream", "models": [{ "id": "m" }],
    }}});
    let setup = || {
        with_keys(TestServer::new())
            .models_json(&models.to_string())
            .settings(r#"{"defaultModel": "corp/m"}"#)
    };
    // A server on this machine is called without a key: Amazon's are not for others.
    assert_eq!(setup().start().prompted(&super::text("hi")).text, "Hello.");
    assert_eq!(upstream.request(0).header("authorization"), None);
    let stored = json!({"corp": {"type": "api_key", "env": {
        "AWS_ACCESS_KEY_ID": "AKIDCORP", "AWS_SECRET_ACCESS_KEY": "corporate-secret", "AWS_REGION": "eu-north-1",
    }}});
    let result = setup().file("auth.json", &stored.to_string()).start().prompted(&super::text("hi"));
    assert_eq!(result.text, "Hello.", "{result:?}");
    let claims = verify(&upstream.request(1), "corporate-secret").unwrap();
    assert_eq!((&*claims.access_key_id, &*claims.region), ("AKIDCORP", "eu-north-1"));
}

#[test]
fn a_call_that_is_made_again_is_signed_again() {
    let upstream = Upstream::start();
    let busy = r#"{"message":"Too many tokens, please wait before trying again."}"#;
    upstream.provider.reply(Reply::json(429, busy).header("x-amzn-errortype", "ThrottlingException"));
    upstream.provider.reply(answer(&["Hello."]));
    let setup = with_keys(setup()).environment("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", &upstream.provider.url());
    assert_eq!(setup.start().prompted(&super::text("hi")).text, "Hello.");
    for index in 0..2 {
        verify(&upstream.request(index), SECRET).unwrap();
    }
}

#[test]
fn what_a_model_thought_and_called_comes_back_to_it() {
    let upstream = Upstream::start();
    upstream.provider.reply(stream().chunk(script(
        r#"messageStart {"role":"assistant"}
contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"I should look."}}}
contentBlockDelta {"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"c2lnbmVk"}}}
contentBlockStop {"contentBlockIndex":0}
contentBlockDelta {"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"aGlkZGVu"}}}
contentBlockStop {"contentBlockIndex":1}
contentBlockStart {"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"tooluse_1","name":"nothing"}}}
contentBlockDelta {"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"a\":"}}}
contentBlockDelta {"contentBlockIndex":2,"delta":{"toolUse":{"input":"1}"}}}
contentBlockStop {"contentBlockIndex":2}
messageStop {"stopReason":"tool_use"}"#,
    )));
    upstream.provider.reply(answer(&["Done."]));
    let setup = with_keys(setup()).environment("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", &upstream.provider.url());
    let result = setup.start().prompted(&PromptParams { tools: None, ..super::text("look") });
    assert_eq!(result.text, "Done.", "{result:?}");
    let body = upstream.request(1).json();
    assert_eq!(
        body["messages"][1]["content"],
        json!([
            { "reasoningContent": { "reasoningText": { "text": "I should look.", "signature": "c2lnbmVk" } } },
            { "reasoningContent": { "redactedContent": "aGlkZGVu" } },
            { "toolUse": { "toolUseId": "tooluse_1", "name": "nothing", "input": { "a": 1 } } },
        ])
    );
    let answered = &body["messages"][2]["content"][0]["toolResult"];
    assert_eq!((&answered["toolUseId"], &answered["status"]), (&json!("tooluse_1"), &json!("error")));
}
