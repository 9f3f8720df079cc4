//! Calls over the wire `anthropic-messages`: where each kind of key goes, and how an answer ends.

use super::*;

/// The events of a whole answer that calls a tool.
const CALL: [&str; 5] = [
    r#"{"type":"message_start","message":{"id":"msg_1","model":"claude-x","usage":{"input_tokens":3,"output_tokens":1}}}"#,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"Read","input":{}}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
    r#"{"type":"content_block_stop","index":0}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}"#,
];
const STOPPED: &str = r#"{"type":"message_stop"}"#;

fn asking(provider: &Provider, credential: Credential) -> Asking {
    let mut asking = ask(&provider.url());
    asking.model.wire = "anthropic-messages".into();
    asking.credential = credential;
    asking.tools =
        vec![ToolSpec { name: "read".into(), description: "Reads.".into(), parameters: "{}".into() }];
    asking
}

/// The name by which a call comes back.
fn called(outcome: &Outcome) -> Option<&str> {
    outcome.deltas.iter().find_map(|delta| match delta {
        Delta::ToolCall { name, .. } => Some(name.as_str()),
        _ => None,
    })
}

#[tokio::test]
async fn each_kind_of_key_has_its_place() {
    let token = "sk-ant-oat01-0123456789";
    let bearer = |key: &str| Some(format!("Bearer {key}"));
    for (credential, key, authorization, agent, name) in [
        (Credential::Key(KEY.to_owned().into()), Some(KEY), None, "aside/", "Read"),
        (Credential::Bearer(KEY.to_owned().into()), None, bearer(KEY), "aside/", "Read"),
        (Credential::Key(token.to_owned().into()), None, bearer(token), "claude-cli/", "read"),
        (Credential::Bearer(token.to_owned().into()), None, bearer(token), "claude-cli/", "read"),
        (Credential::None, None, None, "aside/", "Read"),
    ] {
        let provider = Provider::start().await;
        provider.reply(Reply::sse(CALL.into_iter().chain([STOPPED])));
        let outcome = asking(&provider, credential).all().await;
        assert_eq!((outcome.fault.as_ref(), called(&outcome)), (None, Some(name)));
        let request = provider.request(0).await;
        assert_eq!(request.target, "/v1/messages");
        assert_eq!(request.header("x-api-key"), key);
        assert_eq!(request.header("authorization"), authorization.as_deref());
        assert!(request.header("user-agent").is_some_and(|said| said.starts_with(agent)), "{agent}");
        let is_subscription = agent != "aside/";
        assert_eq!(request.header("x-app").is_some(), is_subscription);
        let beta = request.header("anthropic-beta").unwrap_or_default();
        assert_eq!(beta.contains("oauth-2025-04-20"), is_subscription);
        let body = request.json();
        assert_eq!(body["tools"][0]["name"], if is_subscription { "Read" } else { "read" });
        assert_eq!(body.get("system").is_some(), is_subscription);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_last_word_does_not_matter() {
    let provider = Provider::start().await;
    let key = || Credential::Key(KEY.to_owned().into());
    let whole = || CALL.into_iter().fold(Reply::stream(), Reply::event);
    provider.reply(whole().reset());
    let outcome = asking(&provider, key()).all().await;
    assert!(outcome.fault.is_none(), "{:?}", outcome.fault);
    assert!(
        outcome.deltas.iter().any(|delta| matches!(delta, Delta::Stop { reason: StopReason::ToolUse, .. }))
    );
    // Before it, it does.
    provider.reply(CALL.into_iter().take(4).fold(Reply::stream(), Reply::event));
    assert_eq!(asking(&provider, key()).fault().await.category, Category::Protocol);
}

#[tokio::test]
async fn errors_are_classified_inside_an_answer_and_in_its_place() {
    let provider = Provider::start().await;
    let said = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let key = || Credential::Key(KEY.to_owned().into());
    provider.reply(Reply::stream().event(CALL[0]).chunk(format!("event: error\ndata: {said}\n\n")).stall());
    assert_eq!(asking(&provider, key()).fault().await.category, Category::Overloaded);
    provider.reply(Reply::json(529, said));
    let fault = asking(&provider, key()).fault().await;
    assert_eq!((fault.category, fault.code.as_deref()), (Category::Overloaded, Some("overloaded_error")));
}
