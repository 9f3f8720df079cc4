//! The Responses API that subscriptions of `ChatGPT` are used through: that of `openai_responses.rs` with
//! instructions of its own and narrower choices. It must never claim to be another client than it is.

use super::openai_responses::{Dialect, decoder, encode};
use super::{Access, Auth, Decoder, Framing, HttpRequest, Wire, error_body, openai};
use crate::catalog::Model;
use crate::models::message::{CacheRetention, Request};
use crate::models::{Category, Fault};

/// The account that a token belongs to.
const ACCOUNT: &str = "chatgpt_account_id";
/// Where nothing else is said.
const BASE_URL: &str = "https://chatgpt.com/backend-api";
/// The limit for the session's name, in characters.
const MAX_SESSION: usize = 64;

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

    fn decoder(&self, model: &Model) -> Box<dyn Decoder> {
        decoder(model, Dialect::Codex)
    }

    fn fault(&self, status: u16, body: &[u8]) -> Fault {
        let fault = error_body::fault(status, body);
        match fault.code.as_deref() {
            Some("usage_limit_reached" | "usage_not_included") => used_up(fault, body),
            _ => fault,
        }
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
        headers.extend(["session-id", "x-client-request-id"].map(|name| (name, session.clone())));
    }
    headers
}

/// The plan has nothing left: not to be tried again soon, and no matter of requests per minute.
fn used_up(fault: Fault, body: &[u8]) -> Fault {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let plan = body.pointer("/error/plan_type").and_then(serde_json::Value::as_str).unwrap_or_default();
    let plan: String = plan.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    let seconds = body.pointer("/error/resets_in_seconds").and_then(serde_json::Value::as_u64);
    let of_plan = if plan.is_empty() { String::new() } else { format!(" of the plan {plan}") };
    let again = seconds.map_or(String::new(), |seconds| format!("; try again in {} min", seconds.div_ceil(60)));
    Fault {
        status: fault.status,
        retry_after_ms: seconds.map(|seconds| seconds.saturating_mul(1000)),
        message: format!("the ChatGPT usage limit{of_plan} is reached{again}"),
        code: fault.code,
        said: fault.said,
        ..Fault::new(Category::PaymentRequired, "")
    }
}

#[cfg(test)]
mod tests {
    use super::super::openai_responses::tests::encode::check_schema;
    use super::super::tests::{decode, model};
    use super::*;
    use crate::catalog::ThinkingLevel;
    use crate::models::message::{Content, Message, ToolSpec};
    use crate::models::wires::Frame;
    use crate::models::{Delta, StopReason};

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
