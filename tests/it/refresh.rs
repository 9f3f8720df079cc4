//! Fresh facts about models: fetched from where they are when somebody asks, kept, and never in the way.
//!
//! A proxy stands in for the whole internet, so that the real address is what is asked.

use aside_protocol::{
    ErrorKind, ListModelsParams, ListModelsResult, ModelInfo, RefreshModelsParams, RefreshModelsResult,
    method,
};
use serde_json::{Value, json};

use crate::provider::{Gate, Reply, Request};
use crate::providers::internet::Internet;
use crate::server::{Error, PATIENCE, Sent, Setup, TestServer};

/// A list in the source's shape, written by hand.
const LIST: &str = include_str!("../fixtures/models-dev/api.json");
/// Later than the built-in facts.
const LATER: &str = "Sat, 21 Nov 2026 10:00:00 GMT";
const ETAG: &str = "\"facts-1\"";

fn behind(internet: &Internet) -> Setup {
    TestServer::new()
        .environment("HTTPS_PROXY", &internet.proxy())
        .environment("SSL_CERT_FILE", internet.authority())
        .environment("OPENAI_API_KEY", "sk-secret-0123456789")
}

fn facts(list: &str) -> Reply {
    Reply::json(200, list).header("etag", ETAG).header("last-modified", LATER)
}

fn refresh(server: &mut TestServer) -> Result<RefreshModelsResult, Error> {
    server.request::<method::RefreshModels>(&RefreshModelsParams::default())
}

fn list(server: &mut TestServer) -> ListModelsResult {
    let params = ListModelsParams { retired: Some(true), ..ListModelsParams::default() };
    server.request::<method::ListModels>(&params).unwrap()
}

fn model(list: &ListModelsResult, name: &str) -> Option<ModelInfo> {
    list.models.iter().find(|model| format!("{}/{}", model.provider, model.id) == name).cloned()
}

fn asked(internet: &Internet, index: usize) -> Request {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let request = internet.provider().request(index);
    runtime.block_on(async { tokio::time::timeout(PATIENCE, request).await.unwrap() })
}

/// The id of a request, as a cancel names it.
fn number(sent: &Sent) -> u64 {
    sent.0.parse().unwrap()
}

#[test]
fn facts_are_fetched_when_asked_and_kept() {
    let internet = Internet::start();
    let mut server = behind(&internet).start();
    server.initialize();
    let before = list(&mut server);
    assert!(model(&before, "openai/gpt-9").is_none());
    assert_eq!(internet.provider().connections(), 0, "nobody is asked before somebody wants it");

    internet.provider().reply(facts(LIST));
    let result = refresh(&mut server).unwrap();
    assert!(result.modified);
    assert_eq!(
        (result.changed, result.removed),
        (vec!["openai/gpt-5.5".to_owned()], vec!["openai/gpt-4o".to_owned()])
    );
    assert!(result.added.contains(&"openai/gpt-9".to_owned()), "{:?}", result.added);
    assert_eq!(result.facts_at_ms, 1_795_255_200_000);
    server.find(|message| message.method() == Some("modelsChanged"));
    let request = asked(&internet, 0);
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/api.json"));
    assert_eq!(request.header("host"), Some("models.dev"));
    for header in ["authorization", "x-api-key", "cookie", "if-none-match", "if-modified-since"] {
        assert_eq!(request.header(header), None, "{header}");
    }
    assert!(request.header("user-agent").unwrap().starts_with("aside/"));

    let after = list(&mut server);
    let new = model(&after, "openai/gpt-9").unwrap();
    assert_eq!((new.context_window, new.api.as_str(), new.cost.input), (2_000_000, "openai-responses", 3.0));
    assert!(new.available);
    assert_eq!(model(&after, "openai/gpt-5.5").unwrap().cost.input.to_string(), "4");
    assert!(model(&after, "openai/gpt-4o").unwrap().retired);
    assert!(model(&after, "acme/lion-1").is_none());

    // Nothing has changed since: the server is told what is known, and nobody else is told anything.
    internet.provider().reply(Reply::status(304));
    let again = refresh(&mut server).unwrap();
    assert!(
        !again.modified && again.added.is_empty() && again.changed.is_empty() && again.removed.is_empty()
    );
    assert!(again.checked_at_ms >= result.checked_at_ms && again.facts_at_ms == result.facts_at_ms);
    let request = asked(&internet, 1);
    assert_eq!(
        (request.header("if-none-match"), request.header("if-modified-since")),
        (Some(ETAG), Some(LATER))
    );
    assert_eq!(list(&mut server).models.len(), after.models.len());

    // A list without a model that was new is a list without it.
    let mut shorter: Value = serde_json::from_str(LIST).unwrap();
    shorter["openai"]["models"].as_object_mut().unwrap().remove("gpt-9");
    internet.provider().reply(Reply::json(200, &shorter.to_string()).header("etag", "\"facts-2\""));
    let shorter = refresh(&mut server).unwrap();
    assert_eq!((shorter.modified, shorter.removed), (true, vec!["openai/gpt-9".to_owned()]));
    server.find(|message| message.method() == Some("modelsChanged"));
    server.ignore_rest();
}

#[test]
fn the_next_process_has_them_and_asks_nobody() {
    let internet = Internet::start();
    internet.provider().reply(facts(LIST));
    let mut server = behind(&internet).start();
    refresh(&mut server).unwrap();
    let kept = std::fs::read_to_string(server.home().join("model-facts.json")).unwrap();
    assert!(
        !kept.contains("elsewhere.example") && !kept.contains("x-evil"),
        "no address and no header is kept"
    );

    let mut next = behind(&internet).file("model-facts.json", &kept).start();
    assert!(model(&list(&mut next), "openai/gpt-9").is_some());
    let mut damaged = behind(&internet).file("model-facts.json", &kept[..kept.len() / 2]).start();
    let shown = list(&mut damaged);
    assert!(model(&shown, "openai/gpt-9").is_none());
    assert_eq!(shown.diagnostics.len(), 1);
    assert!(shown.diagnostics[0].message.contains("aside models --refresh"), "{:?}", shown.diagnostics);
    assert_eq!(internet.provider().requests().len(), 1);
    // And what is damaged is no reason to ask only for changes.
    internet.provider().reply(facts(LIST));
    refresh(&mut damaged).unwrap();
    assert_eq!(asked(&internet, 1).header("if-none-match"), None);
    assert_eq!(list(&mut damaged).diagnostics, []);
}

#[test]
fn what_is_no_list_leaves_everything_as_it_was() {
    let page = "<!doctype html><title>Sign in to the network</title>";
    let long = Reply::status(200).header("content-type", "application/json").flood("9".repeat(1 << 20), 40);
    let cases: Vec<(Reply, ErrorKind, &str)> = vec![
        (Reply::status(404), ErrorKind::NotFound, "models.dev answered with status 404"),
        (Reply::status(500), ErrorKind::ProviderFailed, "status 500"),
        (Reply::status(304), ErrorKind::ProviderFailed, "status 304"),
        (
            Reply::status(302).header("location", "https://login.example/"),
            ErrorKind::ProviderFailed,
            "status 302",
        ),
        (Reply::json(200, "{\"openai\": "), ErrorKind::Protocol, "makes no sense"),
        (Reply::json(200, "{}"), ErrorKind::Protocol, "no model of a known provider"),
        (Reply::json(200, "[1, 2]"), ErrorKind::Protocol, "makes no sense"),
        (
            Reply::status(200).header("content-type", "text/html").chunk(page),
            ErrorKind::Protocol,
            "a web page",
        ),
        (Reply::json(200, page), ErrorKind::Protocol, "a web page"),
        (long, ErrorKind::TooLarge, "more than 33554432 bytes"),
        (Reply::json(200, &LIST[..500]).reset(), ErrorKind::Network, "broke"),
    ];
    let internet = Internet::start();
    let mut server = behind(&internet).start();
    server.initialize();
    let before = json!(list(&mut server).models);
    for (reply, kind, message) in cases {
        internet.provider().reply(reply);
        let error = refresh(&mut server).unwrap_err();
        assert!(error.message.contains("what was known stays"), "{error:?}");
        assert!(error.message.contains(message), "{error:?}, not {message}");
        let data = error.data;
        assert_eq!(
            (data.kind, data.hint.is_some_and(|hint| !hint.contains("models.json"))),
            (kind, true),
            "{message}"
        );
        assert!(!server.home().join("model-facts.json").exists(), "{message}");
    }
    assert_eq!(json!(list(&mut server).models), before);
    server.ignore_rest();

    // Nobody answers, and nobody is there.
    let stalled = behind(&internet).settings(r#"{"timeouts": {"firstEventMs": 500}}"#);
    internet.provider().reply(Reply::json(200, &LIST[..500]).stall());
    let error = refresh(&mut stalled.start()).unwrap_err();
    assert_eq!(error.data.kind, ErrorKind::Timeout);
    let mut alone = TestServer::new().environment("HTTPS_PROXY", "http://127.0.0.1:9").start();
    let error = refresh(&mut alone).unwrap_err();
    assert!(error.message.contains("models.dev:443") || error.message.contains("127.0.0.1:9"), "{error:?}");
    assert_eq!(error.data.kind, ErrorKind::Network);
    assert_eq!(json!(list(&mut server).models), before);
}

#[test]
fn one_request_serves_all_who_ask_and_nobody_waits_for_it() {
    let internet = Internet::start();
    let gate = Gate::new();
    internet.provider().reply(
        Reply::status(200)
            .header("content-type", "application/json")
            .chunk(&LIST[..500])
            .wait(&gate)
            .chunk(&LIST[500..]),
    );
    let mut server = behind(&internet).settings(r#"{"defaultModel": "demo/demo"}"#).start();
    server.initialize();
    let first = server.begin("refreshModels", &json!({}));
    let second = server.start::<method::RefreshModels>(&RefreshModelsParams::default());
    asked(&internet, 0);
    // Whatever else is wanted meanwhile is done meanwhile.
    assert!(model(&list(&mut server), "openai/gpt-9").is_none());
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    server.expect_turn_end(&prompt);
    // Who gives up is answered at once, and the other one goes on.
    server.send(
        &json!({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": number(&first)}}).to_string(),
    );
    let cancelled = server.find(|message| message.answers(&first.0));
    assert_eq!(cancelled.json["error"]["code"], -32800);
    gate.open();
    assert!(server.answer::<method::RefreshModels>(&second).unwrap().modified);
    assert_eq!(internet.provider().requests().len(), 1);

    // When nobody waits any more it ends.
    internet.provider().reply(Reply::json(200, &LIST[..500]).stall());
    let third = server.begin("refreshModels", &json!({}));
    let request = asked(&internet, 1);
    server.send(
        &json!({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": number(&third)}}).to_string(),
    );
    let cancelled = server.find(|message| message.answers(&third.0));
    assert_eq!(cancelled.json["error"]["data"]["kind"], "cancelled");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, request.closed()).await.unwrap() });
    server.ignore_rest();
}
