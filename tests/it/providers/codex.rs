//! The subscriptions' API at its own address: over a WebSocket through the proxy, and over HTTP where there is none.

use aside_protocol::StopReason;
use serde_json::json;

use super::internet::Internet;
use crate::outage::hi;
use crate::provider::{Reply, Request, Sockets, socket, speech};
use crate::server::{KEY, TestServer};

const WIRE: &str = "openai-codex-responses";

fn server(internet: &Internet, transport: &str) -> TestServer {
    let models = json!({"providers": {"plan": {
        "baseUrl": "https://chatgpt.com/backend-api", "api": WIRE, "apiKey": KEY, "models": [{"id": "m"}],
    }}});
    TestServer::new()
        .environment("HTTPS_PROXY", &internet.proxy())
        .environment("SSL_CERT_FILE", internet.authority())
        .models_json(&models.to_string())
        .settings(&json!({"defaultModel": "plan/m", "transport": transport}).to_string())
        .start()
}

#[test]
fn a_conversation_with_tools_goes_over_one_connection() {
    let internet = Internet::start();
    let provider = internet.provider();
    provider.sockets(Sockets::Agreed);
    let mut server = server(&internet, "auto");
    let session = server.new_session();
    provider.reply(speech::tool_call(WIRE, "look"));
    provider.reply(speech::text(WIRE, "Do", "ne."));
    provider.reply(speech::text(WIRE, "Ye", "s."));
    for (question, answer) in [("hi", "Done."), ("And?", "Yes.")] {
        let prompt = server.prompt(&session, question);
        let result = server.expect_turn_end(&prompt);
        assert_eq!((result.stop_reason, result.text.as_str()), (StopReason::EndTurn, answer));
    }
    assert_eq!(internet.targets(), ["chatgpt.com:443"]);
    let handshakes = provider.handshakes();
    assert_eq!(handshakes.len(), 1);
    assert_eq!(handshakes[0].target, "/backend-api/codex/responses");
    let asked: Vec<_> = provider.requests().iter().map(Request::json).collect();
    let previous: Vec<_> = asked.iter().map(|body| body["previous_response_id"].as_str()).collect();
    // What the server knows is not said again.
    assert_eq!(previous, [None, Some("resp_1"), Some("resp_1")]);
    let inputs: Vec<_> = asked.iter().map(|body| body["input"].as_array().unwrap()).collect();
    assert_eq!(inputs.iter().map(|input| input.len()).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(inputs[1][0]["type"], "function_call_output");
    assert_eq!(inputs[2][0]["content"][0]["text"], "And?");
    // The session's end is the connection's.
    server.call("closeSession", &json!({"sessionId": session}));
    let request = provider.requests().swap_remove(2);
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        tokio::time::timeout(crate::server::PATIENCE, request.closed()).await.expect("it is closed");
    });
    server.ignore_rest();
}

#[test]
fn the_whole_conversation_is_said_again_where_that_is_wanted() {
    let internet = Internet::start();
    let provider = internet.provider();
    provider.sockets(Sockets::Agreed);
    let mut server = server(&internet, "websocket");
    provider.reply(speech::tool_call(WIRE, "look"));
    provider.reply(speech::text(WIRE, "Do", "ne."));
    assert_eq!(server.prompted(&hi()).text, "Done.");
    let asked: Vec<_> = provider.requests().iter().map(Request::json).collect();
    assert_eq!(asked[1].get("previous_response_id"), None);
    assert_eq!(asked[1]["input"].as_array().unwrap().len(), 3);
    assert_eq!(provider.handshakes().len(), 1);
    server.ignore_rest();
}

#[test]
fn bodies_are_compressed_for_the_host_that_takes_it() {
    let internet = Internet::start();
    let provider = internet.provider();
    let mut server = server(&internet, "sse");
    provider.reply(speech::text(WIRE, "Ye", "s."));
    assert_eq!(server.prompted(&hi()).text, "Yes.");
    let request = provider.requests().swap_remove(0);
    assert_eq!((request.method.as_str(), request.header("content-encoding")), ("POST", Some("zstd")));
    let body = zstd::bulk::decompress(&request.body, 1 << 20).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["input"][0]["content"][0]["text"], "hi");
    assert!(provider.handshakes().is_empty());
    server.ignore_rest();
}

#[test]
fn a_websocket_that_fails_is_a_notice_and_no_fault() {
    let internet = Internet::start();
    let provider = internet.provider();
    provider.sockets(Sockets::Agreed);
    provider.reply(Reply::stream().bytes(socket::close(1011, "oops")).stall());
    provider.reply(speech::text(WIRE, "Ye", "s."));
    let mut server = server(&internet, "auto");
    let session = server.new_session();
    let prompt = server.prompt(&session, "hi");
    let notice = loop {
        let event = server.until("itemCompleted");
        if event["item"]["type"] == "notice" {
            break event;
        }
    };
    assert_eq!(notice["item"]["severity"], "info");
    let said = "the websocket to chatgpt.com:443 failed (closed with 1011: oops); answers come over plain http instead";
    assert_eq!(notice["item"]["text"], said);
    assert_eq!(server.expect_turn_end(&prompt).text, "Yes.");
    server.ignore_rest();
}
