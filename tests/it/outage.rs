//! What a prompt comes to when its provider fails: how often it is asked, what is told meanwhile, and what is
//! left of an answer that broke.

mod cancel;
mod odd;
mod table;
mod talk;

use aside_protocol::{PromptParams, PromptResult, StopReason};
use serde_json::{Value, json};

use crate::provider::Reply;
use crate::provider::completions::{answer, text};
use crate::server::{TestServer, Upstream};

pub(crate) fn hi() -> PromptParams {
    PromptParams { text: Some("hi".to_owned()), ..PromptParams::default() }
}

/// Sends a prompt, and returns its result and the events of its turn.
fn played(server: &mut TestServer, params: &PromptParams) -> (PromptResult, Vec<Value>) {
    let sent = server.start::<aside_protocol::method::Prompt>(params);
    let mut events = Vec::new();
    loop {
        let message = server.next();
        if message.method() == Some("event") {
            events.push(message.json["params"].clone());
        } else if message.answers(&sent.0) {
            return (serde_json::from_value(message.json["result"].clone()).unwrap(), events);
        }
    }
}

fn of_kind<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}

/// What a client shows that follows the events: the texts of the model, in order.
fn shown(events: &[Value]) -> String {
    let mut items: Vec<(String, String)> = Vec::new();
    for event in events {
        let id = event["itemId"].as_str().unwrap_or_default();
        match event["type"].as_str().unwrap() {
            "itemStarted" if event["item"]["type"] == "assistantText" => {
                items.push((event["item"]["id"].as_str().unwrap().to_owned(), String::new()));
            }
            "delta" => {
                if let Some((_, text)) = items.iter_mut().find(|(known, _)| known == id) {
                    text.push_str(event["text"].as_str().unwrap());
                }
            }
            "itemWithdrawn" => items.retain(|(known, _)| known != id),
            _ => {}
        }
    }
    items.into_iter().map(|(_, text)| text).collect()
}

fn busy() -> Reply {
    Reply::json(503, r#"{"error":{"message":"busy"}}"#)
}

#[test]
fn what_passes_is_tried_again_and_told() {
    let upstream = Upstream::start();
    upstream.provider.reply(busy());
    upstream.provider.reply(busy());
    upstream.provider.reply(answer(&["Yes."]));
    let mut server = TestServer::new().upstream(&upstream).start();
    let (result, events) = played(&mut server, &hi());
    assert_eq!((result.stop_reason, result.text.as_str()), (StopReason::EndTurn, "Yes."));
    let retries = of_kind(&events, "retry");
    let told: Vec<_> = retries
        .iter()
        .map(|retry| json!([retry["attempt"], retry["maxAttempts"], retry["error"]["kind"]]))
        .collect();
    assert_eq!(told, [json!([2, 4, "overloaded"]), json!([3, 4, "overloaded"])]);
    assert_eq!(retries[0]["error"]["message"], "lab answered with status 503: busy");
    assert_eq!(retries[0]["error"]["provider"], "lab");
    assert!(retries[0]["delayMs"].as_u64().unwrap() <= 4);
    assert!(retries[0]["retryAtMs"].as_u64().unwrap() > 1_600_000_000_000);
    assert_eq!(upstream.provider.requests().len(), 3);
    // Every request asked the same.
    assert_eq!(upstream.request(0).json(), upstream.request(2).json());
}

#[test]
fn what_lasts_is_given_up() {
    let upstream = Upstream::start();
    upstream.provider.always(busy());
    let mut server = TestServer::new().upstream(&upstream).start();
    let (result, events) = played(&mut server, &hi());
    assert_eq!(result.error.unwrap().message, "lab answered with status 503: busy");
    assert_eq!((upstream.provider.requests().len(), of_kind(&events, "retry").len()), (4, 3));
}

#[test]
fn an_answer_that_broke_is_withdrawn_when_the_next_one_speaks() {
    let upstream = Upstream::start();
    upstream.provider.reply(Reply::stream().event(&text("Hello wor")).reset());
    upstream.provider.reply(answer(&["Hello", " world"]));
    let mut server = TestServer::new().upstream(&upstream).start();
    let (result, events) = played(&mut server, &hi());
    assert_eq!((result.text.as_str(), shown(&events).as_str()), ("Hello world", "Hello world"));
    assert_eq!(upstream.provider.requests().len(), 2);
    let order: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .filter(|kind| ["delta", "retry", "itemWithdrawn", "usageChanged"].contains(kind))
        .collect();
    assert_eq!(order, ["delta", "retry", "itemWithdrawn", "delta", "delta", "usageChanged"]);
    // What was withdrawn is in no snapshot, in no replay and in no request.
    let session = result.session_id;
    let opened = server.call("openSession", &json!({"sessionId": session}));
    let statuses: Vec<&Value> =
        opened["snapshot"]["items"].as_array().unwrap().iter().map(|item| &item["status"]).collect();
    assert_eq!(statuses, ["completed", "completed"], "{opened}");
    let replay = server.call(
        "openSession",
        &json!({"sessionId": session, "after": {"epoch": opened["session"]["epoch"], "seq": 0}}),
    );
    let events = replay["events"].as_array().unwrap();
    assert_eq!(shown(events), "Hello world");
    assert!(!replay.to_string().contains("Hello wor\""), "{replay}");
    for (one, next) in events.iter().zip(&events[1..]) {
        let from = next.get("fromSeq").unwrap_or(&next["seq"]);
        assert_eq!(from.as_u64(), one["seq"].as_u64().map(|seq| seq + 1), "a gap before {next}");
    }
    upstream.provider.reply(answer(&["Again."]));
    let prompt = server.prompt(&session, "And?");
    assert_eq!(server.expect_turn_end(&prompt).text, "Again.");
    let asked = upstream.request(2).json().to_string();
    assert!(asked.contains("Hello world") && !asked.contains("Hello wor\""), "{asked}");
    // Nor when it is read from the disk.
    server.call("closeSession", &json!({"sessionId": session}));
    let opened = server.call("openSession", &json!({"sessionId": session}));
    assert!(!opened.to_string().contains("Hello wor\""), "{opened}");
    assert_eq!(opened["snapshot"]["items"].as_array().unwrap().len(), 4, "{opened}");
    server.ignore_rest();
}

#[test]
fn one_request_follows_one_that_had_spoken_and_what_came_is_kept() {
    // The second breaks too, or does not even begin.
    for (second, expected) in
        [(Reply::stream().event(&text("Hello w")).reset(), "Hello w"), (busy(), "Hello wor")]
    {
        let upstream = Upstream::start();
        upstream.provider.reply(Reply::stream().event(&text("Hello wor")).reset());
        upstream.provider.reply(second);
        let mut server = TestServer::new().upstream(&upstream).start();
        let (result, events) = played(&mut server, &hi());
        assert_eq!(result.stop_reason, StopReason::Error);
        assert_eq!(upstream.provider.requests().len(), 2);
        assert_eq!(result.text, shown(&events));
        assert_eq!(result.text, expected);
        let opened = server.call("openSession", &json!({"sessionId": result.session_id}));
        let last = opened["snapshot"]["items"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&last["text"], &last["status"]), (&json!(expected), &json!("failed")));
    }
}

#[test]
fn a_wait_is_served_and_ends_at_once_when_cancelled() {
    let upstream = Upstream::start();
    upstream.provider.always(busy().header("retry-after", "50"));
    let mut server = TestServer::new().upstream(&upstream).start();
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    let retry = server.until("retry");
    assert!(retry["delayMs"].as_u64().unwrap() >= 50_000, "{retry}");
    let opened = server.call("openSession", &json!({"sessionId": session}));
    assert_eq!(opened["session"]["state"], "running");
    server.call("cancel", &json!({"sessionId": session}));
    assert_eq!(server.expect_turn_end(&prompt).stop_reason, StopReason::Cancelled);
    assert_eq!(upstream.provider.requests().len(), 1);
}

#[test]
fn a_wait_that_is_too_long_is_an_error_that_says_the_time() {
    let upstream = Upstream::start();
    upstream
        .provider
        .always(Reply::json(429, r#"{"error":{"message":"slow down"}}"#).header("retry-after", "7200"));
    let mut server = TestServer::new().upstream(&upstream).start();
    let (result, events) = played(&mut server, &hi());
    let error = result.error.unwrap();
    assert_eq!(error.kind.as_str(), "rateLimited");
    assert_eq!(error.message, "lab answered with status 429: slow down; it asks to wait 2 h");
    assert_eq!(error.retry_after_ms, Some(7_200_000));
    assert!(error.hint.unwrap().contains("try again in 2 h"));
    assert_eq!((upstream.provider.requests().len(), of_kind(&events, "retry").len()), (1, 0));
}

#[test]
fn an_outage_is_not_multiplied_by_the_number_of_sessions() {
    const SESSIONS: usize = 20;
    let upstream = Upstream::start();
    upstream.provider.always(busy());
    let mut server = TestServer::new().upstream(&upstream).start();
    let prompts: Vec<_> =
        (0..SESSIONS).map(|_| server.start::<aside_protocol::method::Prompt>(&hi())).collect();
    let mut hints = 0;
    for prompt in &prompts {
        let error = server.expect_turn_end(prompt).error.unwrap();
        hints += usize::from(error.hint.unwrap().contains("many calls of lab fail"));
    }
    let requests = upstream.provider.requests().len();
    // Sixty would be repeated; thirty may be at once, and one a second.
    assert!((SESSIONS + 30..SESSIONS + 40).contains(&requests), "{requests} requests");
    assert!(hints > 0);
    server.ignore_rest();
}

#[test]
fn which_credential_was_refused_is_told() {
    for status in [401, 403, 404] {
        let upstream = Upstream::start();
        upstream.provider.always(Reply::json(status, r#"{"error":{"message":"no"}}"#));
        let mut server = TestServer::new().upstream(&upstream).start();
        let error = server.prompted(&hi()).error.unwrap();
        assert_eq!(error.message, format!("lab answered with status {status}: no"));
        assert!(error.hint.unwrap().ends_with("; it was asked with the apiKey of models.json"));
        let given = PromptParams { api_key: Some("sk-given-0123456789".into()), ..hi() };
        let hint = server.prompted(&given).error.unwrap().hint.unwrap();
        assert!(hint.ends_with("the key that was given with the request"), "{hint}");
        assert_eq!(upstream.provider.requests().len(), 2);
    }
}

/// A server whose key is printed by a command, another one each time it is run.
fn with_key_command(upstream: &Upstream, folder: &std::path::Path) -> TestServer {
    let count = folder.join("count");
    let path = count.display();
    let models = json!({"providers": {"lab": {
        "baseUrl": upstream.provider.url(), "api": "openai-completions", "models": [{"id": "m"}],
        "apiKey": format!("!echo x >> {path}; echo key-of-the-lab-$(($(wc -l < {path})))"),
    }}});
    let settings = r#"{"defaultModel": "lab/m", "retry": {"baseDelayMs": 4}}"#;
    let path = std::env::var("PATH").unwrap_or_default();
    TestServer::new().models_json(&models.to_string()).settings(settings).environment("PATH", &path).start()
}

#[test]
fn a_key_that_a_command_prints_anew_is_tried_once_more() {
    let upstream = Upstream::start();
    let refused = || Reply::json(401, r#"{"error":{"message":"expired"}}"#);
    upstream.provider.reply(refused());
    upstream.provider.reply(answer(&["Yes."]));
    upstream.provider.always(refused());
    let folder = tempfile::tempdir().unwrap();
    let mut server = with_key_command(&upstream, folder.path());
    let (result, events) = played(&mut server, &hi());
    assert_eq!((result.text.as_str(), of_kind(&events, "retry").len()), ("Yes.", 1));
    assert_eq!(of_kind(&events, "retry")[0]["error"]["kind"], "authRequired");
    let keys = |from: usize| -> Vec<String> {
        upstream.provider.requests()[from..]
            .iter()
            .map(|request| request.header("authorization").unwrap().to_owned())
            .collect()
    };
    assert_eq!(keys(0), ["Bearer key-of-the-lab-1", "Bearer key-of-the-lab-2"]);
    // A second is refused too, and that is that.
    let (result, events) = played(&mut server, &hi());
    assert_eq!(keys(2), ["Bearer key-of-the-lab-2", "Bearer key-of-the-lab-3"]);
    assert_eq!(of_kind(&events, "retry").len(), 1);
    let error = result.error.unwrap();
    assert_eq!(error.kind.as_str(), "authRequired");
    assert!(
        error.hint.unwrap().ends_with("it was asked with what the apiKey command of models.json printed")
    );
}
