//! The Responses API that subscriptions of `ChatGPT` are used through: that of `openai_responses.rs` with
//! instructions of its own and narrower choices, over server-sent events or a WebSocket. It must never claim to be
//! another client than it is. Next: `socket.rs`.

mod error;
mod socket;

use super::openai_responses::{Dialect, decoder, encode};
use super::{Access, Auth, Decoder, Framing, HttpRequest, SocketRequest, Wire, openai};
use crate::catalog::Model;
use crate::models::message::{CacheRetention, Request};
use crate::models::Fault;

/// The account that a token belongs to.
const ACCOUNT: &str = "chatgpt_account_id";
/// Where nothing else is said.
const BASE_URL: &str = "https://chatgpt.com/backend-api";
/// The limit for the session's name, in characters.
const MAX_SESSION: usize = 64;
/// What names the session.
const SESSION_HEADERS: [&str; 2] = ["session-id", "x-client-request-id"];
/// Headers that only a stream of events has, or has another way.
const OF_STREAMS: [&str; 3] = ["content-type", "accept", "openai-beta"];

/// The wire `openai-codex-responses`.
#[derive(Clone, Copy, Debug)]
pub struct Api;

impl Wire for Api {
    fn id(&self) -> &'static str {
        "openai-codex-responses"
    }

    fn variables(&self) -> &'static [&'static str] {
        &[ACCOUNT]
    }

    fn is_subscription(&self, _key: &str) -> bool {
        true
    }

    fn encode(&self, request: &Request, model: &Model, _access: Access) -> HttpRequest {
        HttpRequest {
            method: "POST",
            url: url(&model.base_url),
            headers: headers(request),
            body: encode(request, model, &model.id, Dialect::Codex),
            auth: Auth::Bearer,
            framing: Framing::Sse,
        }
    }

    fn socket(&self, request: &HttpRequest) -> Option<SocketRequest> {
        let plain = request.headers.iter().filter(|(name, _)| !OF_STREAMS.contains(name)).cloned();
        let beta = ("openai-beta", "responses_websockets=2026-02-06".to_owned());
        Some(SocketRequest {
            url: request.url.clone(),
            headers: plain.chain([beta]).collect(),
            ids: &SESSION_HEADERS,
            dialogue: || Box::<socket::Conversation>::default(),
        })
    }

    fn takes_zstd(&self, url: &str) -> bool {
        // Others that speak this API need not.
        url.starts_with("https://chatgpt.com/")
    }

    fn decoder(&self, model: &Model) -> Box<dyn Decoder> {
        Box::new(error::Refined(decoder(model, Dialect::Codex)))
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        error::fault(status, body)
    }
}

fn url(base: &str) -> String {
    let base = if base.trim().is_empty() { BASE_URL } else { base };
    let path = base.find('?').map_or(base, |at| base.get(..at).unwrap_or(base)).trim_end_matches('/');
    if path.ends_with("/codex/responses") {
        openai::url(base, "")
    } else if path.ends_with("/codex") {
        openai::url(base, "/responses")
    } else {
        openai::url(base, "/codex/responses")
    }
}

fn headers(request: &Request) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("accept", "text/event-stream".to_owned()),
        ("openai-beta", "responses=experimental".to_owned()),
        ("originator", "aside".to_owned()),
    ];
    if let Some(account) = request.variables.get(ACCOUNT) {
        headers.push(("chatgpt-account-id", account.to_owned()));
    }
    let session: String = openai::session(request).chars().take(MAX_SESSION).collect();
    if request.cache != CacheRetention::None && !session.is_empty() {
        headers.extend(SESSION_HEADERS.map(|name| (name, session.clone())));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::super::openai_responses::tests::encode::check_schema;
    use super::super::tests::{decode, model};
    use super::*;
    use crate::catalog::ThinkingLevel;
    use crate::models::message::{Content, Message, ToolSpec};
    use crate::models::wires::Frame;
    use crate::models::{Category, Delta, StopReason};

    fn codex() -> Model {
        Model { wire: "openai-codex-responses".into(), ..model("openai-codex", BASE_URL) }
    }

    #[test]
    fn the_path_is_completed() {
        let complete = "https://chatgpt.com/backend-api/codex/responses";
        for base in ["", "https://chatgpt.com/backend-api", "https://chatgpt.com/backend-api//"] {
            assert_eq!(url(base), complete, "{base}");
        }
        assert_eq!(url("https://chatgpt.com/backend-api/codex"), complete);
        assert_eq!(url("https://chatgpt.com/backend-api/codex/responses/"), complete);
        assert_eq!(url("http://localhost:1/codex?x=1"), "http://localhost:1/codex/responses?x=1");
    }

    #[test]
    fn a_whole_request() {
        let mut request = Request {
            messages: vec![Message::User(vec![Content::Text("hi".into())])],
            tools: vec![ToolSpec {
                name: "read".into(),
                description: "Reads.".into(),
                parameters: r#"{"type":"object","properties":{}}"#.into(),
            }],
            max_tokens: Some(100),
            thinking: Some(ThinkingLevel::High),
            session: "s".repeat(80),
            variables: [(ACCOUNT, "acc-1".to_owned())].into_iter().collect(),
            ..Request::default()
        };
        let HttpRequest { headers, body, auth, .. } = Api.encode(&request, &codex(), Access::Subscription);
        assert_eq!(auth, Auth::Bearer);
        let session = "s".repeat(64);
        let header = |name, value: &str| (name, value.to_owned());
        assert_eq!(
            headers,
            [
                header("content-type", "application/json"),
                header("accept", "text/event-stream"),
                header("openai-beta", "responses=experimental"),
                header("originator", "aside"),
                header("chatgpt-account-id", "acc-1"),
                header("session-id", &session),
                header("x-client-request-id", &session),
            ]
        );
        expect_test::expect![[r#"{"model":"m","instructions":"You are a helpful assistant.","input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]}],"stream":true,"store":false,"prompt_cache_key":"ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss","tools":[{"type":"function","name":"read","description":"Reads.","parameters":{"type":"object","properties":{}},"strict":null}],"tool_choice":"auto","parallel_tool_calls":true,"text":{"verbosity":"low"},"reasoning":{"effort":"high","summary":"auto"},"include":["reasoning.encrypted_content"]}"#]].assert_eq(&String::from_utf8(body).unwrap());
        request.system = Some("be brief".to_owned());
        request.output_schema = Some(r#"{"type":"object"}"#.to_owned());
        request.thinking = None;
        request.cache = CacheRetention::None;
        let HttpRequest { headers, body, .. } = Api.encode(&request, &codex(), Access::Subscription);
        assert_eq!(headers.len(), 5);
        expect_test::expect![[r#"{"model":"m","instructions":"be brief","input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]}],"stream":true,"store":false,"tools":[{"type":"function","name":"read","description":"Reads.","parameters":{"type":"object","properties":{}},"strict":null}],"tool_choice":"auto","parallel_tool_calls":true,"text":{"verbosity":"low","format":{"type":"json_schema","name":"answer","schema":{"type":"object"}}},"include":["reasoning.encrypted_content"]}"#]].assert_eq(&String::from_utf8(body).unwrap());
        check_schema(|request, model| Api.encode(request, model, Access::Subscription).body);
    }

    #[test]
    fn a_model_that_would_go_on_is_known_by_its_stop() {
        for (said, expected) in [("true", "completed"), ("false", "completed, end_turn: false"), ("null", "completed")] {
            let data = format!(
                r#"{{"type":"response.completed","response":{{"status":"completed","end_turn":{said},"output":[]}}}}"#
            );
            let (deltas, fault) = decode(&Api, &codex(), &[Frame { event: String::new(), data }]);
            let stop = Delta::Stop { reason: StopReason::EndTurn, raw: Some(expected.to_owned()) };
            assert_eq!((deltas.last(), fault), (Some(&stop), None));
        }
    }

    #[test]
    fn every_last_event_ends_the_answer() {
        for (kind, reason) in [
            ("done", StopReason::EndTurn),
            ("completed", StopReason::EndTurn),
            ("incomplete", StopReason::MaxTokens),
        ] {
            let data = format!("{{\"type\":\"response.{kind}\",\"response\":{{\"id\":\"r\",\"output\":[]}}}}");
            let (deltas, fault) = decode(&Api, &codex(), &[Frame { event: String::new(), data }]);
            assert_eq!(fault, None);
            assert!(matches!(deltas.last(), Some(Delta::Stop { reason: said, .. }) if *said == reason), "{kind}");
        }
    }

    #[track_caller]
    fn check_fault(status: u16, body: &str, category: Category, message: &str) {
        let fault = Api.fault(status, body.as_bytes());
        assert_eq!((fault.category, &*fault.message, fault.status), (category, message, Some(status)));
    }

    #[test]
    fn error_bodies_are_understood() {
        check_fault(
            429,
            r#"{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached","plan_type":"plus","resets_in_seconds":601}}"#,
            Category::PaymentRequired,
            "the ChatGPT usage limit of the plan plus is reached; try again in 11 min",
        );
        check_fault(
            403,
            r#"{"error":{"code":"usage_not_included","message":"x"}}"#,
            Category::PaymentRequired,
            "the ChatGPT usage limit is reached",
        );
        check_fault(
            429,
            r#"{"error":{"code":"rate_limit_exceeded","message":"slow down"}}"#,
            Category::RateLimit,
            "the provider answered with status 429: slow down",
        );
        check_fault(
            401,
            r#"{"detail":"Could not validate your token"}"#,
            Category::Authentication,
            "the provider answered with status 401: Could not validate your token",
        );
    }
}
