//! Conversations over OpenAI's Responses API and its relatives, through the whole program: what a model said
//! comes back to it as it was, also out of the session's file, and other models take it over.

use aside_protocol::{PromptParams, StopReason};
use serde_json::{Value, json};

use crate::provider::Reply;
use crate::provider::completions::answer;
use crate::server::{KEY, TestServer, Upstream};

const THOUGHT: &str = r#"{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"c2VjcmV0","z":1}"#;

/// The events of an answer: thinking, then a call of a tool that does not exist.
fn calls() -> [String; 4] {
    let call =
        r#"{"type":"function_call","id":"fc_1","call_id":"call_1","name":"nothing","arguments":"{\"a\":1}"}"#;
    [
        format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{THOUGHT}}}"#),
        format!(r#"{{"type":"response.output_item.done","output_index":1,"item":{call}}}"#),
        String::new(),
        completed(),
    ]
}

fn says(text: &str) -> [String; 4] {
    let message = |content: &str| {
        format!(
            r#"{{"type":"message","id":"msg_1","role":"assistant","status":"completed","phase":"final_answer","content":[{content}]}}"#
        )
    };
    let part = format!(r#"{{"type":"output_text","text":"{text}","annotations":[]}}"#);
    [
        format!(r#"{{"type":"response.output_item.added","output_index":0,"item":{}}}"#, message("")),
        format!(
            r#"{{"type":"response.output_text.delta","output_index":0,"item_id":"msg_1","delta":"{text}"}}"#
        ),
        format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{}}}"#, message(&part)),
        completed(),
    ]
}

fn completed() -> String {
    let response =
        r#"{"id":"resp_1","status":"completed","output":[],"usage":{"input_tokens":9,"output_tokens":2}}"#;
    format!(r#"{{"type":"response.completed","response":{response}}}"#)
}

fn models(upstream: &Upstream) -> String {
    let model = |wire: &str| json!({ "id": wire, "api": wire, "reasoning": true });
    json!({"providers": {"lab": {
        "baseUrl": upstream.provider.url(), "apiKey": KEY, "api": "openai-responses",
        "models": [
            model("openai-responses"), model("openai-completions"), model("azure-openai-responses"),
            model("openai-codex-responses"),
        ],
    }}})
    .to_string()
}

fn start(upstream: &Upstream, model: &str) -> TestServer {
    TestServer::new()
        .models_json(&models(upstream))
        .settings(&json!({ "defaultModel": format!("lab/{model}") }).to_string())
        .start()
}

/// The kinds of the items of a request, and the items.
fn input(upstream: &Upstream, index: usize) -> (Vec<String>, Vec<Value>) {
    let items = upstream.request(index).json()["input"].as_array().unwrap().clone();
    let kind = |item: &Value| item["type"].as_str().or(item["role"].as_str()).unwrap().to_owned();
    (items.iter().map(kind).collect(), items)
}

#[test]
fn what_a_model_thought_and_called_comes_back_to_it() {
    let upstream = Upstream::start();
    for answer in [calls(), says("Done."), says("Again.")] {
        upstream.provider.reply(Reply::sse(answer));
    }
    let mut server = start(&upstream, "openai-responses");
    let first = server.prompted(&super::text("Go."));
    assert_eq!((first.text.as_str(), first.stop_reason), ("Done.", StopReason::EndTurn));
    assert_eq!((first.usage.input_tokens, first.usage.output_tokens), (18, 4));
    let (kinds, items) = input(&upstream, 1);
    assert_eq!(kinds, ["developer", "user", "reasoning", "function_call", "function_call_output"]);
    assert_eq!(items[2], serde_json::from_str::<Value>(THOUGHT).unwrap());
    let call = json!({ "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "nothing", "arguments": "{\"a\":1}" });
    assert_eq!((&items[3], &items[4]["call_id"]), (&call, &json!("call_1")));
    // The session is loaded from its file.
    server.call("closeSession", &json!({ "sessionId": first.session_id }));
    let prompt = server.prompt(&first.session_id, "And now?");
    assert_eq!(server.expect_turn_end(&prompt).text, "Again.");
    let (kinds, again) = input(&upstream, 2);
    assert_eq!(kinds[5..], ["message", "user"]);
    assert_eq!(again[..5], items[..]);
    assert_eq!((&again[5]["id"], &again[5]["phase"]), (&json!("msg_1"), &json!("final_answer")));
}

#[test]
fn another_model_goes_on_where_one_left_off() {
    let upstream = Upstream::start();
    upstream.provider.reply(Reply::sse(calls()));
    upstream.provider.reply(Reply::sse(says("One.")));
    upstream.provider.reply(answer(&["Two."]));
    upstream.provider.reply(Reply::sse(says("Three.")));
    let mut server = start(&upstream, "openai-responses");
    let session = server.prompted(&super::text("Go.")).session_id;
    let mut go_on = |model: &str| {
        server
            .prompted(&PromptParams {
                session_id: Some(session.clone()),
                text: Some("Go on.".to_owned()),
                model: Some(format!("lab/{model}")),
                ..PromptParams::default()
            })
            .text
    };
    assert_eq!(go_on("openai-completions"), "Two.");
    let body = upstream.request(2).json();
    assert_eq!(body["messages"][2]["tool_calls"][0]["id"], "call_1");
    assert_eq!(body["messages"][3]["tool_call_id"], "call_1");
    assert!(!body.to_string().contains("c2VjcmV0"), "{body}");
    assert_eq!(go_on("openai-codex-responses"), "Three.");
    let (kinds, items) = input(&upstream, 3);
    assert_eq!(
        kinds,
        ["user", "function_call", "function_call_output", "message", "user", "message", "user"]
    );
    assert_eq!(items[1].get("id"), None);
    assert!(upstream.request(3).json()["instructions"].as_str().is_some_and(|text| !text.is_empty()));
}

#[test]
fn an_answer_ends_with_its_last_event_though_the_body_stays_open() {
    for model in ["openai-responses", "openai-codex-responses"] {
        let upstream = Upstream::start();
        let reply = says("Bye.").iter().fold(Reply::stream(), |reply, event| reply.event(event));
        upstream.provider.reply(reply.stall());
        let mut server = start(&upstream, model);
        let begun = std::time::Instant::now();
        assert_eq!(server.prompted(&super::text("Go.")).text, "Bye.");
        // Other APIs have five seconds for their token counts.
        assert!(begun.elapsed() < std::time::Duration::from_secs(4), "{:?}", begun.elapsed());
        // The connection is closed while the program lives on.
        upstream.wait(async { upstream.provider.request(0).await.closed().await });
    }
}

#[test]
fn azure_is_reached_as_its_variables_say() {
    let upstream = Upstream::start();
    upstream.provider.reply(Reply::sse(says("Hi.")));
    let models = json!({"providers": {"azure-openai-responses": {
        "baseUrl": "http://127.0.0.1:9/nowhere", "api": "azure-openai-responses", "models": [{ "id": "m" }],
    }}});
    let auth = json!({"azure-openai-responses": {"type": "api_key", "key": KEY, "env": {
        "AZURE_OPENAI_BASE_URL": format!("{}/azure/", upstream.provider.url()),
        "AZURE_OPENAI_DEPLOYMENT_NAME_MAP": "m=mine",
    }}});
    let mut server = TestServer::new()
        .models_json(&models.to_string())
        .settings(r#"{"defaultModel": "azure-openai-responses/m"}"#)
        .environment("AZURE_OPENAI_API_VERSION", "preview")
        .start();
    std::fs::write(server.home().join("auth.json"), auth.to_string()).unwrap();
    assert_eq!(server.prompted(&super::text("Hi?")).text, "Hi.");
    let request = upstream.request(0);
    let path = url::Url::parse(&upstream.provider.url()).unwrap().path().trim_end_matches('/').to_owned();
    assert_eq!(request.target, format!("{path}/azure/responses?api-version=preview"));
    assert_eq!((request.header("api-key"), request.header("authorization")), (Some(KEY), None));
    assert_eq!(request.json()["model"], "mine");
}

#[test]
fn the_variables_of_azure_move_no_other_provider() {
    let upstream = Upstream::start();
    let mut server = TestServer::new()
        .models_json(&models(&upstream))
        .settings(r#"{"defaultModel": "lab/azure-openai-responses"}"#)
        .environment("AZURE_OPENAI_RESOURCE_NAME", "elsewhere")
        .start();
    upstream.provider.reply(Reply::sse(says("Hi.")));
    assert_eq!(server.prompted(&super::text("Hi?")).text, "Hi.");
    assert_eq!(upstream.request(0).header("api-key"), Some(KEY));
}
