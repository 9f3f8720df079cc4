//! The headers that each provider gets beside its key, in full: what it asks for is there, and nothing else is. The
//! table is written from the providers' documents.

use std::collections::BTreeSet;

use aside_protocol::{ContentBlock, PromptParams};

use super::internet::Internet;
use super::table::{ROWS, Row};
use super::{DECOY, KEY, server};
use crate::provider::{Request, speech};
use crate::server::{Setup, TestServer};

/// What every call has, checked elsewhere or by the transport itself.
const USUAL: &[&str] = &["host", "accept", "accept-encoding", "content-length", "content-type"];

/// Where keys go: held by the other tests to the one that each provider wants.
const KEYS: &[&str] = &["authorization", "x-api-key", "api-key", "x-goog-api-key", "cf-aig-authorization"];

const VERSION: &str = "anthropic-version: 2023-06-01";
/// `S` stands for the session's id.
const AFFINE: &[&str] = &["session_id: S", "x-client-request-id: S", "x-session-affinity: S"];
const COPILOT: &[&str] = &[
    "copilot-integration-id: vscode-chat",
    "editor-plugin-version: copilot-chat/0.35.0",
    "editor-version: vscode/1.107.0",
    "openai-intent: conversation-edits",
    "user-agent: GitHubCopilotChat/0.35.0",
    "x-initiator: user",
];
const OPENCODE: &[&str] = &["x-opencode-client: aside", "x-opencode-session: S"];

/// What a provider gets over one of its APIs.
fn expected(row: &Row) -> BTreeSet<&'static str> {
    let of_wire: &[&str] = match row.wire {
        "anthropic-messages" => &[VERSION],
        "mistral-conversations" => &["x-affinity: S"],
        "openai-responses" if row.provider.starts_with("opencode") => &["x-client-request-id: S"],
        "openai-responses" => &["session_id: S", "x-client-request-id: S"],
        _ => &[],
    };
    let of_provider: &[&str] = match (row.provider, row.wire) {
        ("github-copilot", _) => COPILOT,
        ("nvidia", _) => &["nvcf-poll-seconds: 3600"],
        ("opencode" | "opencode-go", _) => OPENCODE,
        ("openrouter", _) => &["x-session-id: S"],
        ("fireworks" | "cloudflare-ai-gateway", "anthropic-messages") => &["x-session-affinity: S"],
        (
            "baseten" | "cloudflare-workers-ai" | "fireworks" | "cloudflare-ai-gateway",
            "openai-completions",
        ) => AFFINE,
        _ => &[],
    };
    of_wire.iter().chain(of_provider).copied().collect()
}

/// The headers of a request beside the usual ones, without our own name.
fn sent(request: &Request, session: &str) -> BTreeSet<String> {
    let agent = concat!("aside/", env!("CARGO_PKG_VERSION"));
    let headers = request.headers.iter().filter(|(name, value)| {
        let known = USUAL.contains(&name.as_str()) || KEYS.contains(&name.as_str());
        !known && (name != "user-agent" || value != agent)
    });
    headers.map(|(name, value)| format!("{name}: {}", value.replace(session, "S"))).collect()
}

fn hello(row: &Row) -> PromptParams {
    PromptParams {
        text: Some("hi".to_owned()),
        model: Some(format!("{}/{}", row.provider, row.model)),
        tools: Some(Vec::new()),
        ..PromptParams::default()
    }
}

#[test]
fn every_provider_gets_its_headers_and_no_others() {
    let internet = Internet::start();
    for row in ROWS {
        let mut server = server(&internet, row).environment(row.variable, KEY).start();
        let before = internet.provider().requests().len();
        internet.provider().reply(speech::text(row.wire, "Hel", "lo."));
        let result = server.prompted(&hello(row));
        let requests = internet.provider().requests();
        let sent = sent(&requests[before], &result.session_id);
        assert_eq!(
            sent,
            expected(row).into_iter().map(str::to_owned).collect(),
            "{} over {}",
            row.provider,
            row.wire
        );
        server.ignore_rest();
    }
}

#[test]
fn copilot_is_told_who_began_and_whether_there_is_a_picture() {
    let internet = Internet::start();
    for row in ROWS.iter().filter(|row| row.provider == "github-copilot") {
        let mut server = server(&internet, row).environment(row.variable, KEY).start();
        let before = internet.provider().requests().len();
        internet.provider().reply(speech::tool_call(row.wire, "look"));
        internet.provider().reply(speech::text(row.wire, "Do", "ne."));
        let result = server.prompted(&PromptParams { tools: None, ..hello(row) });
        internet.provider().reply(speech::text(row.wire, "A ", "cat."));
        let picture = ContentBlock::Image {
            data: "iVBORw0KGgo=".to_owned(),
            mime_type: "image/png".to_owned(),
            uri: None,
        };
        server.prompted(&PromptParams {
            text: None,
            content: Some(vec![picture]),
            session_id: Some(result.session_id.clone()),
            ..hello(row)
        });
        internet.provider().reply(speech::text(row.wire, "Bl", "ack."));
        server.prompted(&PromptParams { session_id: Some(result.session_id), ..hello(row) });
        let requests = internet.provider().requests().split_off(before);
        let told: Vec<_> = requests
            .iter()
            .map(|request| (request.header("x-initiator"), request.header("copilot-vision-request")))
            .collect();
        let (user, agent, yes) = (Some("user"), Some("agent"), Some("true"));
        assert_eq!(told, [(user, None), (agent, None), (user, yes), (user, yes)], "{}", row.wire);
        for request in &requests {
            assert_eq!(request.header("authorization"), Some(&*format!("Bearer {KEY}")), "{}", row.wire);
        }
        server.ignore_rest();
    }
}

/// What goes to Anthropic from a world with these variables.
fn to_anthropic(internet: &Internet, variables: &[(&str, &str)]) -> Request {
    let setup = TestServer::new()
        .environment("HTTPS_PROXY", &internet.proxy())
        .environment("SSL_CERT_FILE", internet.authority());
    let setup = variables.iter().fold(setup, |setup: Setup, (name, value)| setup.environment(name, value));
    let mut server = setup.start();
    let row = ROWS.iter().find(|row| row.provider == "anthropic").unwrap();
    internet.provider().reply(speech::text(row.wire, "Hel", "lo."));
    let result = server.prompted(&hello(row));
    assert_eq!(result.error, None);
    server.ignore_rest();
    internet.provider().requests().pop().unwrap()
}

#[test]
fn anthropics_three_variables_are_three_kinds_of_credential() {
    let internet = Internet::start();
    let oauth = "sk-ant-oat01-0123456789";
    // A token is a token; it is looked for first.
    let request = to_anthropic(
        &internet,
        &[("ANTHROPIC_AUTH_TOKEN", KEY), ("ANTHROPIC_OAUTH_TOKEN", DECOY), ("ANTHROPIC_API_KEY", DECOY)],
    );
    assert_eq!(request.header("authorization"), Some(&*format!("Bearer {KEY}")));
    assert_eq!((request.header("x-api-key"), request.header("anthropic-beta")), (None, None));
    assert!(!format!("{:?}", request.headers).contains(DECOY));

    // A subscription's goes out in the form that subscriptions are served in.
    let request = to_anthropic(&internet, &[("ANTHROPIC_OAUTH_TOKEN", oauth), ("ANTHROPIC_API_KEY", DECOY)]);
    assert_eq!(request.header("authorization"), Some(&*format!("Bearer {oauth}")));
    assert_eq!((request.header("x-api-key"), request.header("x-app")), (None, Some("cli")));
    assert_eq!(request.header("user-agent"), Some("claude-cli/2.1.280"));
    assert_eq!(request.header("anthropic-beta"), Some("claude-code-20250219,oauth-2025-04-20"));
    let body = request.json();
    assert_eq!(body["system"][0]["text"], "You are Claude Code, Anthropic's official CLI for Claude.");
    assert!(!format!("{:?}{body}", request.headers).contains(DECOY));

    // A key is a key.
    let request = to_anthropic(&internet, &[("ANTHROPIC_API_KEY", KEY)]);
    assert_eq!((request.header("x-api-key"), request.header("authorization")), (Some(KEY), None));
    assert_eq!((request.header("x-app"), request.header("anthropic-beta")), (None, None));
}
