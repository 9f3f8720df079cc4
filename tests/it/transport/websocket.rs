//! The Codex API over a WebSocket, and what comes of it where there is none.

use serde_json::{Value, json};

use super::tunnel::{Kind, Tunnel};
use super::*;
use crate::provider::socket::{close, fragments, ping, text};
use crate::provider::{Sockets, speech};

const WIRE: &str = "openai-codex-responses";

fn asking(provider: &Provider) -> Asking {
    asking_at(&provider.url())
}

fn asking_at(url: &str) -> Asking {
    let mut asking = ask(url);
    asking.model.wire = WIRE.into();
    asking.model.provider = "openai-codex".into();
    asking.variables.push(("chatgpt_account_id", "acc-1".to_owned()));
    asking
}

async fn agreed() -> Provider {
    let provider = Provider::start().await;
    provider.sockets(Sockets::Agreed);
    provider
}

fn event(kind: &str, rest: &Value) -> String {
    let mut event = rest.clone();
    event["type"] = format!("response.{kind}").into();
    event.to_string()
}

/// A piece of the only message.
fn delta(text: &str) -> String {
    event("output_text.delta", &json!({"output_index": 0, "item_id": "msg_1", "delta": text}))
}

fn completed() -> String {
    event("completed", &json!({"response": {"id": "resp_1", "status": "completed", "output": []}}))
}

fn said(text: &str) -> Reply {
    Reply::sse([delta(text), completed()])
}

fn notes(outcome: &Outcome) -> Vec<&str> {
    let note = |delta: &'_ Delta| matches!(delta, Delta::Note(_));
    outcome
        .deltas
        .iter()
        .filter(|delta| note(delta))
        .map(|delta| match delta {
            Delta::Note(text) => text.as_str(),
            _ => "",
        })
        .collect()
}

#[tokio::test]
async fn an_answer_comes_over_a_websocket() {
    let provider = agreed().await;
    provider.reply(speech::text(WIRE, "Hel", "lo."));
    let outcome = asking(&provider).all().await;
    assert_eq!((outcome.text().as_str(), outcome.stopped(), &outcome.fault), ("Hello.", true, &None));
    let handshake = &provider.handshakes()[0];
    assert_eq!((handshake.method.as_str(), handshake.target.as_str()), ("GET", "/codex/responses"));
    for (name, value) in [
        ("authorization", Some(format!("Bearer {KEY}"))),
        ("chatgpt-account-id", Some("acc-1".to_owned())),
        ("openai-beta", Some("responses_websockets=2026-02-06".to_owned())),
        ("originator", Some("aside".to_owned())),
        ("session-id", Some("s".to_owned())),
        ("x-client-request-id", Some("s".to_owned())),
        ("upgrade", Some("websocket".to_owned())),
        ("content-type", None),
        ("content-length", None),
    ] {
        assert_eq!(handshake.header(name), value.as_deref(), "{name}");
    }
    let request = provider.request(0).await;
    let asked = request.json();
    assert_eq!((&asked["type"], &asked["stream"]), (&json!("response.create"), &json!(true)));
    assert_eq!(asked["input"][0]["content"][0]["text"], "hi");
    assert_eq!(provider.requests().len(), 1);
}

/// Recorded answers, and where there are none our own.
fn recordings() -> Vec<(String, Vec<u8>)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["../shared/fixtures/openai-codex-responses", "tests/fixtures/openai-responses"] {
        let mut folders = vec![root.join(folder)];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "sse") {
                    found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
                }
            }
        }
    }
    found
}

#[tokio::test]
async fn recorded_answers_are_the_same_over_both_transports() {
    let recordings = recordings();
    assert!(recordings.len() >= 20, "our own fixtures are there");
    let provider = agreed().await;
    for (name, body) in recordings {
        provider.reply(Reply::stream().chunk(&body));
        let plain =
            asking(&provider).settings(|settings| settings.transport = ModelTransport::Sse).all().await;
        provider.reply(Reply::stream().chunk(&body).chunk("\n\n"));
        let socket = asking(&provider).all().await;
        let said = |outcome: &Outcome| -> Vec<Delta> {
            outcome.deltas.iter().filter(|delta| **delta != Delta::Alive).cloned().collect()
        };
        assert_eq!(said(&socket), said(&plain), "{name}");
        assert_eq!(socket.fault, plain.fault, "{name}");
    }
}

#[tokio::test]
async fn a_connection_serves_the_next_answer() {
    let provider = agreed().await;
    let asking = asking(&provider);
    provider.reply(said("one").bytes(ping()));
    assert_eq!(asking.all().await.text(), "one");
    // It lives between two answers.
    provider.pongs(1).await;
    provider.reply(said("two"));
    assert_eq!(asking.all().await.text(), "two");
    assert_eq!((provider.handshakes().len(), provider.requests().len(), provider.connections()), (1, 2, 1));
    // The same question is not the rest of a conversation: it is sent in whole.
    assert_eq!(provider.request(1).await.json().get("previous_response_id"), None);
}

#[tokio::test]
async fn another_credential_or_account_has_another_connection() {
    let provider = agreed().await;
    let mut asking = asking(&provider);
    let first = provider_says(&provider, &asking).await;
    asking.credential = Credential::Key("sk-test-another-0123".to_owned().into());
    let second = provider_says(&provider, &asking).await;
    asking.variables = vec![("chatgpt_account_id", "acc-2".to_owned())];
    provider_says(&provider, &asking).await;
    assert_eq!(provider.handshakes().len(), 3);
    assert_ne!(first, second);
    // Each has its own still.
    provider_says(&provider, &asking).await;
    assert_eq!(provider.handshakes().len(), 3);
    let accounts: Vec<_> = provider
        .requests()
        .iter()
        .map(|request| request.header("chatgpt-account-id").unwrap().to_owned())
        .collect();
    assert_eq!(accounts, ["acc-1", "acc-1", "acc-2", "acc-2"]);
}

/// Plays an answer, and returns the key that it was asked with.
async fn provider_says(provider: &Provider, asking: &Asking) -> String {
    provider.reply(said("yes"));
    assert_eq!(asking.all().await.text(), "yes");
    provider.requests().last().unwrap().header("authorization").unwrap().to_owned()
}

#[tokio::test]
async fn a_session_that_is_busy_or_names_itself_to_nobody_has_connections_of_its_own() {
    let provider = agreed().await;
    let asking = asking(&provider);
    let gate = Gate::new();
    provider.reply(Reply::stream().event(&delta("one")).wait(&gate).event(&completed()));
    provider.reply(said("two"));
    let mut first = asking.start();
    assert!(matches!(first.next().await, Some(Ok(Delta::Text { .. }))));
    assert_eq!(asking.all().await.text(), "two");
    gate.open();
    drain(&mut first).await;
    assert_eq!(provider.handshakes().len(), 2);
    // What does not want to be recognised is given a name for once.
    let unnamed = asking.cache(CacheRetention::None);
    for _ in 0..2 {
        provider_says(&provider, &unnamed).await;
    }
    let names: Vec<_> = provider.handshakes().split_off(2);
    let names: Vec<_> = names.iter().map(|handshake| handshake.header("session-id").unwrap()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.iter().all(|name| name.len() == 20));
}

#[tokio::test]
async fn a_session_that_ended_leaves_no_connection() {
    let provider = agreed().await;
    let asking = asking(&provider);
    provider_says(&provider, &asking).await;
    asking.backends.forget("s");
    provider.request(0).await.closed().await;
    provider_says(&provider, &asking).await;
    assert_eq!(provider.handshakes().len(), 2);
}

#[tokio::test]
async fn a_kept_connection_that_went_bad_is_made_anew_without_a_word() {
    let provider = agreed().await;
    let asking = asking(&provider);
    // Closed while nobody looked, with the request lost on it, and in order.
    for reply in [said("one"), Reply::stream().reset(), said("two").bytes(close(1001, "bye")).fin()] {
        provider.reply(reply);
    }
    provider.always(said("more"));
    assert_eq!(asking.all().await.text(), "one");
    let outcome = asking.all().await;
    assert_eq!((outcome.text().as_str(), notes(&outcome).len()), ("two", 0));
    provider.request(2).await.closed().await;
    assert_eq!(asking.all().await.text(), "more");
    assert_eq!((provider.handshakes().len(), provider.requests().len()), (3, 4));
}

#[tokio::test]
async fn where_there_is_no_websocket_the_answer_comes_over_http() {
    for sockets in [
        Sockets::Unknown,
        Sockets::Refused(Reply::status(404)),
        Sockets::Refused(Reply::json(400, "{\"error\":{\"message\":\"no upgrade\"}}")),
        Sockets::Refused(Reply::status(403).header("content-type", "text/html").chunk("<p>blocked</p>")),
        Sockets::Refused(Reply::stream().event(&completed())),
        Sockets::Refused(Reply::raw(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: x\r\n\r\n",
        )),
    ] {
        let provider = Provider::start().await;
        provider.sockets(sockets);
        provider.always(said("yes"));
        let asking = asking(&provider);
        for _ in 0..2 {
            let outcome = asking.all().await;
            // Nothing is wrong with that.
            assert_eq!((outcome.text().as_str(), &outcome.fault, notes(&outcome).len()), ("yes", &None, 0));
        }
        assert_eq!((provider.handshakes().len(), provider.requests().len()), (1, 2), "it is tried once");
        let request = provider.request(0).await;
        assert_eq!(
            (request.method.as_str(), request.header("openai-beta")),
            ("POST", Some("responses=experimental"))
        );
    }
}

#[tokio::test]
async fn one_that_breaks_before_a_word_is_told_once_and_not_tried_again() {
    let early = [
        (Reply::stream().reset(), "closed"),
        (Reply::stream().fin(), "closed"),
        (Reply::stream().bytes(close(1009, "message too big")).stall(), "closed with 1009: message too big"),
        (
            Reply::stream().bytes(close(1008, "Authorization: sk-test-0123456789abcdef\u{1b}[1m")).stall(),
            "closed with 1008",
        ),
        (Reply::stream().bytes([0xf1, 0]).stall(), "reserved"),
        (Reply::stream(), "closed with 1000"),
        // What comes before the answer is none.
        (Reply::sse([r#"{"type":"codex.rate_limits"}"#]).reset(), "closed"),
    ];
    for (reply, says) in early {
        let provider = agreed().await;
        provider.reply(reply);
        provider.always(said("yes"));
        let asking = asking(&provider);
        let outcome = asking.all().await;
        assert_eq!((outcome.text().as_str(), &outcome.fault), ("yes", &None), "{says}");
        let [note] = *notes(&outcome) else { panic!("{says}: {:?}", outcome.deltas) };
        assert!(note.contains(says) && note.contains("127.0.0.1") && !note.contains(KEY), "{note}");
        assert!(!note.chars().any(char::is_control), "{note:?}");
        let again = asking.all().await;
        assert_eq!((again.text().as_str(), notes(&again).len()), ("yes", 0));
        let methods: Vec<_> = provider.requests().into_iter().map(|request| request.method).collect();
        assert_eq!(methods, ["WEBSOCKET", "POST", "POST"], "{says}");
    }
}

#[tokio::test]
async fn a_handshake_without_an_answer_does_not_hold_the_call_up() {
    let provider = Provider::start().await;
    provider.sockets(Sockets::Refused(Reply::raw("").stall()));
    provider.always(said("yes"));
    let asking = asking(&provider).settings(|settings| settings.timeouts.connect_ms = 100);
    let outcome = asking.all().await;
    assert_eq!((outcome.text().as_str(), notes(&outcome).len()), ("yes", 1));
    // One that the whole call does not survive is not tried again either.
    let asking = self::asking(&provider).settings(|settings| settings.timeouts.first_event_ms = 100);
    assert_eq!(asking.fault().await.category, Category::Timeout);
    assert_eq!(asking.all().await.text(), "yes");
    assert_eq!(provider.handshakes().len(), 2);
}

#[tokio::test]
async fn what_the_provider_itself_refuses_is_not_asked_again() {
    let provider = Provider::start().await;
    for (status, body, category) in [
        (401, r#"{"detail":"Could not validate your token"}"#, Category::Authentication),
        (
            429,
            r#"{"error":{"type":"usage_limit_reached","message":"no","plan_type":"plus"}}"#,
            Category::PaymentRequired,
        ),
        (503, r#"{"error":{"message":"busy"}}"#, Category::Overloaded),
    ] {
        provider.sockets(Sockets::Refused(Reply::json(status, body).header("retry-after", "7")));
        let fault = asking(&provider).fault().await;
        assert_eq!(
            (fault.category, fault.status, fault.retry_after_ms),
            (category, Some(status), Some(7_000))
        );
    }
    assert_eq!(provider.requests().len(), 0);
    // In a message it is the same.
    provider.sockets(Sockets::Agreed);
    provider.reply(Reply::json(429, r#"{"error":{"message":"slow down"}}"#).header("retry-after", "7"));
    let fault = asking(&provider).fault().await;
    assert_eq!(
        (fault.category, fault.status, fault.retry_after_ms),
        (Category::RateLimit, Some(429), Some(7_000))
    );
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn one_that_breaks_after_a_word_is_a_fault() {
    let begun = || Reply::stream().event(&delta("so far"));
    for (reply, category, says) in [
        (begun().reset(), Category::Network, "broke in the middle of the answer"),
        (begun().fin(), Category::Network, "broke in the middle of the answer"),
        (
            begun().bytes(close(1011, "oops\u{1b}")).stall(),
            Category::Network,
            "closed in the middle of the answer: closed with 1011: oops",
        ),
        (begun(), Category::Protocol, "ended early"),
        (begun().bytes([0xc1, 0]).stall(), Category::Protocol, "broke the rules of websockets"),
        (begun().bytes([0x81, 2, 0xff, 0xfe]).stall(), Category::Protocol, "broke the rules of websockets"),
        (
            begun().bytes([0x81, 0x82, 1, 2, 3, 4, 5, 6]).stall(),
            Category::Protocol,
            "broke the rules of websockets",
        ),
        (begun().bytes([0x80, 0]).stall(), Category::Protocol, "broke the rules of websockets"),
        (
            begun().event(r#"{"type":"error","error":{"code":"server_error","message":"oops"}}"#).stall(),
            Category::Server,
            "broke off its answer: oops",
        ),
        (
            begun()
                .event(r#"{"type":"error","error":{"code":"previous_response_not_found","message":"gone"}}"#)
                .stall(),
            Category::Server,
            "gone",
        ),
    ] {
        let provider = agreed().await;
        provider.reply(reply);
        let outcome = asking(&provider).all().await;
        assert_eq!(outcome.text(), "so far");
        let fault = outcome.fault.unwrap();
        assert!(fault.category == category && fault.message.contains(says), "{fault:?}");
        assert_eq!(provider.requests().len(), 1, "{says}");
        provider.request(0).await.closed().await;
    }
}

#[tokio::test]
async fn a_cancel_closes_the_connection() {
    let provider = agreed().await;
    provider.reply(Reply::stream().event(&delta("so far")).stall());
    let mut stream = asking(&provider).start();
    assert!(matches!(stream.next().await, Some(Ok(Delta::Text { .. }))));
    drop(stream);
    provider.request(0).await.closed().await;
    // And before the first word.
    provider.reply(Reply::stream().stall());
    let mut stream = asking(&provider).start();
    tokio::select! {
        biased;
        next = stream.next() => panic!("{next:?}"),
        _ = provider.request(1) => {}
    }
    drop(stream);
    provider.request(1).await.closed().await;
}

#[tokio::test]
async fn messages_are_bounded() {
    // Whole, and in pieces without an end.
    let whole = [vec![0x81, 127], (70_000_u64).to_be_bytes().to_vec()].concat();
    let long = format!("data: {{\"type\":\"{}", "a".repeat(60_000));
    for reply in [
        Reply::stream().event(&delta("so far")).bytes(whole).stall(),
        Reply::stream().event(&delta("so far")).chunk(long).flood(vec![b'a'; 60_000], 3).stall(),
    ] {
        let provider = agreed().await;
        provider.reply(reply);
        let fault =
            asking(&provider).settings(|settings| settings.limits.max_message_bytes = 1 << 16).fault().await;
        assert_eq!(
            (fault.category, fault.message.contains("65536 bytes")),
            (Category::TooLarge, true),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn pieces_and_pings_make_no_difference() {
    let provider = agreed().await;
    let binary = [vec![0x82, u8::try_from(completed().len()).unwrap()], completed().into_bytes()].concat();
    let reply = Reply::stream()
        .bytes(ping())
        .bytes(fragments(&delta("üß→ 🙂"), 5))
        .bytes(ping())
        .bytes(text(&delta("!")));
    provider.reply(reply.bytes(binary).stall());
    let outcome = asking(&provider).all().await;
    assert_eq!((outcome.text().as_str(), outcome.stopped(), &outcome.fault), ("üß→ 🙂!", true, &None));
    assert!(outcome.deltas.contains(&Delta::Alive));
}

#[tokio::test]
async fn silence_is_a_fault_and_pings_are_no_answer() {
    let provider = agreed().await;
    let begun = || Reply::stream().event(&delta("so far"));
    let pings = (0..400).fold(begun(), |reply, _| reply.bytes(ping()));
    for (reply, idle_ms, event_ms, says) in [
        (begun().stall(), 200, 60_000, "no byte"),
        (pings.stall(), 60_000, 200, "kept the connection alive but sent no event"),
    ] {
        provider.reply(reply);
        let asking = asking(&provider).settings(|settings| {
            settings.timeouts.idle_ms = idle_ms;
            settings.timeouts.event_ms = event_ms;
        });
        let fault = asking.fault().await;
        assert_eq!((fault.category, fault.message.contains(says)), (Category::Timeout, true), "{fault}");
    }
}

#[tokio::test]
async fn what_the_server_forgot_is_said_again_and_a_worn_connection_replaced() {
    let refused = |code: &str| {
        Reply::sse([
            r#"{"type":"codex.rate_limits"}"#.to_owned(),
            json!({"type": "error", "status": 400, "error": {"code": code, "message": "no"}}).to_string(),
        ])
    };
    let provider = agreed().await;
    provider.reply(refused("previous_response_not_found"));
    provider.reply(said("one"));
    provider.reply(refused("websocket_connection_limit_reached"));
    provider.reply(said("two"));
    let asking = asking(&provider);
    assert_eq!((asking.all().await.text().as_str(), provider.handshakes().len()), ("one", 1));
    assert_eq!((asking.all().await.text().as_str(), provider.handshakes().len()), ("two", 2));
    // Not for ever.
    provider.always(refused("websocket_connection_limit_reached"));
    let fault = self::asking(&provider).fault().await;
    assert_eq!((fault.status, provider.requests().len()), (Some(400), 6));
}

#[tokio::test]
async fn the_setting_chooses() {
    let provider = agreed().await;
    provider.always(said("yes"));
    for (transport, method) in [
        (ModelTransport::Sse, "POST"),
        (ModelTransport::Websocket, "WEBSOCKET"),
        (ModelTransport::WebsocketCached, "WEBSOCKET"),
        (ModelTransport::Auto, "WEBSOCKET"),
    ] {
        let outcome = asking(&provider).settings(|settings| settings.transport = transport).all().await;
        assert_eq!(outcome.text(), "yes");
        assert_eq!(provider.requests().last().unwrap().method, method);
    }
    // Other APIs have no choice.
    provider.reply(answer(&["plain"]));
    assert_eq!(ask(&provider.url()).all().await.text(), "plain");
    assert_eq!(provider.handshakes().len(), 3);
}

#[tokio::test]
async fn proxies_and_certificates_are_those_of_every_call() {
    let authority = tls::Authority::new();
    let provider = Provider::start_tls(authority.acceptor()).await;
    provider.sockets(Sockets::Agreed);
    let path = authority.pem.path().to_str().unwrap();
    for kind in [Kind::Connect, Kind::Socks5] {
        let tunnel = Tunnel::start(kind, provider.address()).await;
        provider.reply(said("through"));
        let asking =
            asking_at("https://api.test").env("HTTPS_PROXY", &tunnel.url()).env("NODE_EXTRA_CA_CERTS", path);
        let outcome = asking.all().await;
        assert_eq!((outcome.text().as_str(), outcome.fault), ("through", None));
        assert_eq!(tunnel.targets(), ["api.test:443"]);
    }
    assert_eq!((provider.handshakes().len(), provider.requests().len()), (2, 2));
    // Faults of the way are told as they are for any call, and cost no second try where that would fail as well.
    let fault = asking(&provider).fault().await;
    assert_eq!(
        (fault.category, fault.message.contains("unknown authority")),
        (Category::Tls, true),
        "{fault}"
    );
    let refusing = Tunnel::start(Kind::Refuse("HTTP/1.1 403 No\r\n\r\n"), provider.address()).await;
    let fault = asking_at("https://api.test").env("HTTPS_PROXY", &refusing.url()).fault().await;
    assert!(fault.message.contains("refused to connect to api.test:443"), "{fault}");
    let fault = asking_at("http://127.0.0.1:1").fault().await;
    assert!(fault.message.contains("connection refused by 127.0.0.1:1"), "{fault}");
}
