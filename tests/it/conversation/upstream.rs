//! Conversations with a provider on the network: what it is sent, and how its failures are told.

use aside_protocol::{PromptParams, StopReason};
use serde_json::{Value, json};

use crate::provider::Reply;
use crate::provider::completions::{answer, text};
use crate::server::{KEY, TestServer, Upstream};

#[test]
fn the_second_request_holds_the_first_exchange() {
    let upstream = Upstream::start();
    upstream.provider.reply(answer(&["Hel", "lo."]));
    upstream.provider.reply(answer(&["Again."]));
    let mut server = TestServer::new().upstream(&upstream).start();
    let first = server.prompted(&super::text("What?"));
    assert_eq!((first.text.as_str(), first.model.as_deref()), ("Hello.", Some("lab/m")));
    let prompt = server.prompt(&first.session_id, "And?");
    assert_eq!(server.expect_turn_end(&prompt).text, "Again.");
    let request = upstream.request(1);
    assert_eq!(request.header("authorization"), Some(&*format!("Bearer {KEY}")));
    let body = request.json();
    let messages: Vec<(&str, &Value)> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| (message["role"].as_str().unwrap(), &message["content"]))
        .collect();
    assert_eq!(
        messages[1..],
        [("user", &json!("What?")), ("assistant", &json!("Hello.")), ("user", &json!("And?"))]
    );
    assert!(matches!(messages[0].0, "system" | "developer"), "{messages:?}");
}

#[test]
fn what_a_conversation_has_cost_is_the_sum_of_its_turns() {
    let upstream = Upstream::start();
    let counts = r#"{"id":"c","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":500}}"#;
    for _ in 0..2 {
        upstream.provider.reply(Reply::sse([&*text("Yes."), counts, "[DONE]"]));
    }
    let mut server = TestServer::new().upstream(&upstream).start();
    let session = server.new_session();
    let open = json!({"sessionId": session});
    assert_eq!(
        server.call("openSession", &open)["session"]["cost"],
        json!({"amount": 0.0, "currency": "USD"})
    );
    for total in [0.002, 0.004] {
        let prompt = server.prompt(&session, "And?");
        assert_eq!(server.expect_turn_end(&prompt).cost.unwrap().amount.to_string(), "0.002");
        assert_eq!(server.call("openSession", &open)["session"]["cost"]["amount"], json!(total));
    }
    // As it is kept in the file too.
    server.call("closeSession", &open);
    assert_eq!(server.call("openSession", &open)["session"]["cost"]["amount"], json!(0.004));
    server.ignore_rest();
}

#[test]
fn the_output_limit_is_the_models_unless_the_prompt_or_the_context_says_less() {
    let upstream = Upstream::start();
    let mut server = TestServer::new().upstream(&upstream).start();
    let models = json!({"providers": {"tight": {
        "baseUrl": upstream.provider.url(), "apiKey": "k", "api": "openai-completions",
        "models": [{"id": "wide", "maxTokens": 500}, {"id": "narrow", "contextWindow": 800, "maxTokens": 5000}],
    }}});
    std::fs::write(server.home().join("models.json"), models.to_string()).unwrap();
    let prompt = |model: &str, max_tokens| PromptParams {
        text: Some("a".repeat(400)),
        system: Some(String::new()),
        tools: Some(Vec::new()),
        model: Some(model.to_owned()),
        max_tokens,
        ..PromptParams::default()
    };
    // 400 characters are 100 tokens, and an eighth of a small context is left free.
    for (index, (model, asked, sent)) in
        [("tight/wide", None, 500), ("tight/wide", Some(40), 40), ("tight/narrow", None, 600)]
            .into_iter()
            .enumerate()
    {
        upstream.provider.reply(answer(&["Yes."]));
        server.prompted(&prompt(model, asked));
        assert_eq!(upstream.request(index).json()["max_tokens"], sent, "{model} {asked:?}");
    }
}

#[test]
fn a_conversation_goes_on_in_another_process() {
    let upstream = Upstream::start();
    upstream.provider.reply(answer(&["One."]));
    upstream.provider.reply(answer(&["Two."]));
    let mut server = TestServer::new().upstream(&upstream).start();
    let session = server.prompted(&super::text("first")).session_id;
    server.call("closeSession", &json!({"sessionId": session}));
    let prompt = server.prompt(&session, "second");
    assert_eq!(server.expect_turn_end(&prompt).text, "Two.");
    let body = upstream.request(1).json();
    let said: Vec<&Value> =
        body["messages"].as_array().unwrap().iter().skip(1).map(|m| &m["content"]).collect();
    assert_eq!(said, [&json!("first"), &json!("One."), &json!("second")]);
}

#[test]
fn a_cancel_hangs_up_at_once() {
    let upstream = Upstream::start();
    for by_request in [true, false] {
        upstream.provider.reply(Reply::stream().event(&text("so far")).stall());
        let mut server = TestServer::new().upstream(&upstream).start();
        let session = server.new_session();
        let prompt = server.prompt(&session, "hi");
        server.until("delta");
        let request = upstream.request(usize::from(!by_request));
        if by_request {
            server.send(&format!(
                r#"{{"jsonrpc":"2.0","method":"$/cancelRequest","params":{{"id":{}}}}}"#,
                prompt.0
            ));
        } else {
            server.call("cancel", &json!({"sessionId": session}));
        }
        upstream.wait(request.closed());
        let result = server.expect_turn_end(&prompt);
        assert_eq!((result.stop_reason, result.text.as_str()), (StopReason::Cancelled, "so far"));
    }
}

#[test]
fn closing_a_session_hangs_up_too() {
    let upstream = Upstream::start();
    upstream.provider.reply(Reply::stream().stall());
    let mut server = TestServer::new().upstream(&upstream).start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    let request = upstream.request(0);
    let close = server.begin("closeSession", &json!({"sessionId": session}));
    upstream.wait(request.closed());
    assert_eq!(server.expect_turn_end(&prompt).stop_reason, StopReason::Cancelled);
    server.find(|message| message.answers(&close.0));
}

/// What a provider does, and the kind of error that a prompt is answered with.
fn failures() -> Vec<(Reply, &'static str, Option<u16>)> {
    let error = |status, message: &str| {
        Reply::json(status, &json!({"error": {"message": message, "type": "x"}}).to_string())
    };
    vec![
        (error(400, "bad field"), "providerRejected", Some(400)),
        (error(401, "invalid key"), "authRequired", Some(401)),
        (error(402, "pay first"), "paymentRequired", Some(402)),
        (error(403, "not yours"), "permissionDenied", Some(403)),
        (error(404, "no such model"), "notFound", Some(404)),
        (error(429, "slow down").header("retry-after", "700"), "rateLimited", Some(429)),
        (error(500, "oops"), "providerFailed", Some(500)),
        (error(503, "busy"), "overloaded", Some(503)),
        (Reply::raw("garbage\r\n\r\n"), "network", None),
        (Reply::stream().event(&text("so far")).reset(), "network", None),
        (Reply::stream().event(&text("so far")).event("{"), "protocol", None),
        (Reply::sse([text("so far")]), "protocol", None),
    ]
}

#[test]
fn a_failure_is_told_with_its_kind_and_what_to_do() {
    for (reply, kind, status) in failures() {
        let upstream = Upstream::start();
        upstream.provider.always(reply);
        let mut server = TestServer::new().upstream(&upstream).start();
        let result = server.prompted(&super::text("hi"));
        assert_eq!(result.stop_reason, StopReason::Error, "{kind}");
        let error = result.error.unwrap();
        assert_eq!((error.kind.as_str(), error.status), (kind, status), "{error:?}");
        assert!(error.hint.is_some(), "{error:?}");
        assert!(!error.message.contains(KEY));
        if kind == "rateLimited" {
            assert_eq!(error.retry_after_ms, Some(700_000));
        }
        // The session can be used again.
        upstream.provider.reply(answer(&["fine"]));
        let again = server.prompt(&result.session_id, "again");
        assert_eq!(server.expect_turn_end(&again).text, "fine", "after {kind}");
    }
}

#[test]
fn a_provider_that_is_not_there_is_told() {
    let upstream = Upstream::start();
    let setup = TestServer::new().upstream(&upstream);
    drop(upstream);
    let mut server = setup.start();
    let error = server.prompted(&super::text("hi")).error.unwrap();
    assert_eq!(error.kind.as_str(), "network");
    assert!(error.hint.is_some());
}

#[test]
fn a_key_that_is_given_with_a_prompt_is_used_and_not_kept() {
    const GIVEN: &str = "sk-given-9876543210";
    let upstream = Upstream::start();
    let echo = json!({"error": {"message": format!("invalid key {GIVEN}")}}).to_string();
    upstream.provider.reply(Reply::json(401, &echo));
    upstream.provider.reply(answer(&["ok"]));
    let mut server = TestServer::new().upstream(&upstream).start();
    let prompt = PromptParams { api_key: Some(GIVEN.into()), ..super::text("hi") };
    let failed = server.prompted(&prompt);
    assert!(!format!("{failed:?}").contains(GIVEN), "{failed:?}");
    let result = server.prompted(&prompt);
    assert_eq!(result.text, "ok");
    for request in [upstream.request(0), upstream.request(1)] {
        assert_eq!(request.header("authorization"), Some(&*format!("Bearer {GIVEN}")));
    }
    // Written down by then.
    server.call("closeSession", &json!({"sessionId": result.session_id}));
    server.stored_holds("\"ok\"");
    for (path, bytes) in server.stored() {
        assert!(memchr::memmem::find(&bytes, GIVEN.as_bytes()).is_none(), "{}", path.display());
    }
}

#[test]
fn without_a_key_nothing_is_sent() {
    let mut server = TestServer::new().start();
    let result = server.prompted(&PromptParams { provider: Some("groq".to_owned()), ..super::text("hi") });
    let error = result.error.unwrap();
    assert_eq!(error.kind.as_str(), "authRequired");
    assert!(error.hint.unwrap().contains("GROQ_API_KEY"));
}

#[test]
fn a_call_that_the_output_limit_cut_is_not_run() {
    let upstream = Upstream::start();
    let call = |arguments: &str| {
        let arguments = Value::from(arguments);
        format!(
            r#"{{"id":"c1","choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":0,"id":"t1","type":"function","function":{{"name":"write","arguments":{arguments}}}}}]}}}}]}}"#
        )
    };
    let limit = r#"{"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#.to_owned();
    upstream.provider.reply(Reply::sse([
        call("{\"path\": \"a\", \"text\": \"half"),
        limit,
        "[DONE]".to_owned(),
    ]));
    upstream.provider.reply(answer(&["Sorry."]));
    let mut server = TestServer::new().upstream(&upstream).start();
    assert_eq!(server.prompted(&super::text("write")).text, "Sorry.");
    let told = upstream.request(1).json()["messages"].to_string();
    assert!(told.contains("output limit within this call"), "{told}");
}

#[test]
fn a_request_that_is_too_long_is_not_sent() {
    let upstream = Upstream::start();
    let models = json!({"providers": {"small": {
        "baseUrl": upstream.provider.url(), "apiKey": "k", "api": "openai-completions",
        "models": [{"id": "m", "inputLimits": {"maxRequestBytes": 5000}}],
    }}});
    let mut server = TestServer::new().models_json(&models.to_string()).start();
    let prompt = |text: &str| PromptParams {
        text: Some(text.to_owned()),
        model: Some("small/m".to_owned()),
        tools: Some(Vec::new()),
        ..PromptParams::default()
    };
    upstream.provider.reply(answer(&["Yes."]));
    assert_eq!(server.prompted(&prompt("hi")).text, "Yes.");
    let error = server.prompted(&prompt(&"a".repeat(5000))).error.unwrap();
    assert_eq!(json!(error.kind), "contextOverflow", "{error:?}");
    assert!(error.message.ends_with("bytes, and m takes at most 5000"), "{error:?}");
    assert!(error.hint.unwrap().contains("maxRequestBytes"));
    assert_eq!(upstream.provider.requests().len(), 1);
}
