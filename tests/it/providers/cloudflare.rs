//! Cloudflare as its users meet it: Workers AI, and the gateway on its three routes in its four modes. What goes out
//! is held to Cloudflare's own rules: a header too many is handed on to the provider behind the gateway, where it
//! takes the place of the key that is kept there.

use aside_protocol::{PromptParams, PromptResult, StopReason};
use serde_json::{Value, json};

use super::internet::Internet;
use super::{DECOY, KEY};
use crate::provider::{Request, speech};
use crate::server::{Setup, TestServer};

const UPSTREAM: &str = "sk-upstream-0123456789abcdef";

const COMPLETIONS: &str = "openai-completions";
const RESPONSES: &str = "openai-responses";
const ANTHROPIC: &str = "anthropic-messages";

/// A route of the gateway: its wire, one of its models, and where it is.
const ROUTES: &[(&str, &str, &str)] = &[
    (COMPLETIONS, "workers-ai/@cf/moonshotai/kimi-k2.6", "compat/chat/completions"),
    (RESPONSES, "gpt-5.1", "openai/responses"),
    (ANTHROPIC, "claude-sonnet-4-5", "anthropic/v1/messages"),
];

/// Every header by which some API is given a key.
const KEY_HEADERS: &[&str] = &[
    "authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cf-aig-authorization",
    "proxy-authorization",
];

/// Every header that may hold the session's id.
const SESSION_HEADERS: &[&str] =
    &["session_id", "session-id", "x-client-request-id", "x-session-affinity", "x-session-id", "x-affinity"];

fn cloudflare(internet: &Internet) -> Setup {
    TestServer::new()
        .environment("HTTPS_PROXY", &internet.proxy())
        .environment("SSL_CERT_FILE", internet.authority())
}

fn with_ids(internet: &Internet) -> Setup {
    cloudflare(internet)
        .environment("CLOUDFLARE_API_KEY", KEY)
        .environment("CLOUDFLARE_ACCOUNT_ID", "acc0123")
        .environment("CLOUDFLARE_GATEWAY_ID", "gate-1")
}

/// Prompts a model of a provider; what went out, and the answer.
fn prompt(
    internet: &Internet,
    setup: Setup,
    (provider, wire, model): (&str, &str, &str),
) -> (PromptResult, Request) {
    let mut server = setup.start();
    let before = internet.provider().requests().len();
    internet.provider().reply(speech::text(wire, "Hel", "lo."));
    let result = server.prompted(&params(provider, model));
    assert_eq!((&*result.text, &result.error), ("Hello.", &None), "{model}");
    let mut requests = internet.provider().requests().split_off(before);
    assert_eq!(requests.len(), 1, "{model}");
    server.ignore_rest();
    (result, requests.remove(0))
}

fn params(provider: &str, model: &str) -> PromptParams {
    PromptParams {
        text: Some("hi".to_owned()),
        provider: Some(provider.to_owned()),
        model: Some(model.to_owned()),
        ..PromptParams::default()
    }
}

/// The address, the model, and exactly these headers with keys.
#[track_caller]
fn check(request: &Request, url: &str, model: &str, keys: &[(&str, &str)]) {
    let host = request.header("host").unwrap();
    assert_eq!(format!("https://{host}{}", request.target), url, "{model}");
    assert_eq!(request.json()["model"], model);
    let sent: Vec<(&str, &str)> =
        KEY_HEADERS.iter().filter_map(|name| Some((*name, request.header(name)?))).collect();
    let mut expected: Vec<_> = keys.to_vec();
    expected.sort_by_key(|(name, _)| KEY_HEADERS.iter().position(|known| known == name));
    assert_eq!(sent, expected, "{model} at {url}");
    let body = String::from_utf8_lossy(&request.body).into_owned();
    for secret in [KEY, UPSTREAM, DECOY] {
        assert!(!body.contains(secret) && !request.target.contains(secret), "{model}");
        for (name, value) in &request.headers {
            assert!(
                !value.contains(secret) || keys.iter().any(|(known, _)| known == name),
                "{model}: {name}"
            );
        }
    }
}

/// Exactly these headers hold the session's id, and no other does.
#[track_caller]
fn check_affinity(request: &Request, result: &PromptResult, names: &[&str]) {
    let sent: Vec<&str> =
        SESSION_HEADERS.iter().copied().filter(|name| request.header(name).is_some()).collect();
    assert_eq!(sent, names);
    for name in names {
        assert_eq!(request.header(name), Some(&*result.session_id), "{name}");
    }
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

#[test]
fn workers_ai_is_called_with_the_account_and_keeps_to_one_machine() {
    let internet = Internet::start();
    let way = ("cloudflare-workers-ai", COMPLETIONS, "@cf/moonshotai/kimi-k2.6");
    let (result, request) = prompt(&internet, with_ids(&internet), way);
    let url = "https://api.cloudflare.com/client/v4/accounts/acc0123/ai/v1/chat/completions";
    check(&request, url, way.2, &[("authorization", &bearer(KEY))]);
    check_affinity(&request, &result, &["session_id", "x-client-request-id", "x-session-affinity"]);
    let agent = request.header("user-agent").unwrap();
    assert!(agent.starts_with("aside/"), "{agent}");
    let body = request.json();
    for absent in ["store", "prompt_cache_key", "prompt_cache_retention"] {
        assert_eq!(body.get(absent), None, "{absent}");
    }
    assert_eq!(body["messages"][0]["role"], "system");
}

#[test]
fn the_gateway_gets_its_own_key_and_no_other_on_every_route() {
    // Workers AI, unified billing and keys that are stored there look alike from here.
    let internet = Internet::start();
    for (wire, model, path) in ROUTES {
        let (result, request) =
            prompt(&internet, with_ids(&internet), ("cloudflare-ai-gateway", wire, model));
        let url = format!("https://gateway.ai.cloudflare.com/v1/acc0123/gate-1/{path}");
        check(&request, &url, model, &[("cf-aig-authorization", &bearer(KEY))]);
        let affinity: &[&str] = match *wire {
            COMPLETIONS => &["session_id", "x-client-request-id", "x-session-affinity"],
            RESPONSES => &["session_id", "x-client-request-id"],
            _ => &["x-session-affinity"],
        };
        check_affinity(&request, &result, affinity);
        assert!(request.header("user-agent").unwrap().starts_with("aside/"));
        assert_eq!(request.header("anthropic-version").is_some(), *wire == ANTHROPIC);
    }
    let targets = internet.targets();
    assert!(targets.iter().all(|target| target == "gateway.ai.cloudflare.com:443"), "{targets:?}");
}

#[test]
fn a_key_of_the_provider_behind_the_gateway_goes_beside_the_gateways() {
    let internet = Internet::start();
    let gateway = bearer(KEY);
    let upstream = bearer(UPSTREAM);
    for (wire, model, path) in ROUTES {
        let (header, value) = match *wire {
            ANTHROPIC => ("x-api-key", UPSTREAM),
            _ => ("Authorization", &*upstream),
        };
        let url = format!("https://gateway.ai.cloudflare.com/v1/acc0123/gate-1/{path}");
        let expected = [("cf-aig-authorization", &*gateway), (&*header.to_lowercase(), value)];
        let text = value.replace(UPSTREAM, "$UPSTREAM_KEY");
        // For the whole provider, and for this model alone; the variable is the environment's, or the entry's own.
        let whole = json!({"headers": {header: text}});
        let one = json!({"modelOverrides": {*model: {"headers": {header: text}}}});
        for (at, entry) in [whole, one].iter().enumerate() {
            let models = json!({"providers": {"cloudflare-ai-gateway": entry}}).to_string();
            let setup = with_ids(&internet).models_json(&models);
            let setup = if at == 0 {
                setup.environment("UPSTREAM_KEY", UPSTREAM)
            } else {
                let entry = json!({"type": "api_key", "key": KEY, "env": {"UPSTREAM_KEY": UPSTREAM}});
                setup
                    .environment("UPSTREAM_KEY", DECOY)
                    .file("auth.json", &json!({"cloudflare-ai-gateway": entry}).to_string())
            };
            let (_, request) = prompt(&internet, setup, ("cloudflare-ai-gateway", wire, model));
            check(&request, &url, model, &expected);
        }
    }
    // What is set for one model is not sent with another.
    let models = json!({"providers": {"cloudflare-ai-gateway": {
        "modelOverrides": {"gpt-5.1": {"headers": {"Authorization": upstream}}},
    }}});
    let (wire, model, path) = ROUTES[0];
    let setup = with_ids(&internet).models_json(&models.to_string());
    let (_, request) = prompt(&internet, setup, ("cloudflare-ai-gateway", wire, model));
    let url = format!("https://gateway.ai.cloudflare.com/v1/acc0123/gate-1/{path}");
    check(&request, &url, model, &[("cf-aig-authorization", &gateway)]);
}

#[test]
fn what_is_stored_with_the_key_stands_above_the_environment() {
    let internet = Internet::start();
    let entry = |env: Value| json!({"type": "api_key", "key": KEY, "env": env});
    let key = bearer(KEY);
    let stored = |ids: &[(&str, &str)], auth: Value| {
        let setup = cloudflare(&internet)
            .environment("CLOUDFLARE_API_KEY", DECOY)
            .file("auth.json", &auth.to_string());
        ids.iter().fold(setup, |setup, (name, value)| setup.environment(name, value))
    };
    let (account, gateway) = ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_GATEWAY_ID");

    // Both from the entry, over others in the environment.
    let auth = json!({"cloudflare-ai-gateway": entry(json!({account: "mine", gateway: "own.gate"}))});
    let (wire, model, path) = ROUTES[2];
    let setup = stored(&[(account, "theirs"), (gateway, "theirs")], auth);
    let (_, request) = prompt(&internet, setup, ("cloudflare-ai-gateway", wire, model));
    let url = format!("https://gateway.ai.cloudflare.com/v1/mine/own.gate/{path}");
    check(&request, &url, model, &[("cf-aig-authorization", &key)]);

    // One from each; the key of the entry with the ids of the environment.
    let auth = json!({"cloudflare-ai-gateway": entry(json!({gateway: "own"}))});
    let setup = stored(&[(account, "env0")], auth);
    let (_, request) = prompt(&internet, setup, ("cloudflare-ai-gateway", wire, model));
    let url = format!("https://gateway.ai.cloudflare.com/v1/env0/own/{path}");
    check(&request, &url, model, &[("cf-aig-authorization", &key)]);

    // One provider's entry says nothing to the other; ids without a key go with the environment's key.
    let auth = json!({
        "cloudflare-ai-gateway": entry(json!({account: "theirs"})),
        "cloudflare-workers-ai": {"type": "api_key", "env": {account: "mine"}},
    });
    let setup = stored(&[], auth).environment("CLOUDFLARE_API_KEY", KEY);
    let way = ("cloudflare-workers-ai", COMPLETIONS, "@cf/openai/gpt-oss-120b");
    let (_, request) = prompt(&internet, setup, way);
    let url = "https://api.cloudflare.com/client/v4/accounts/mine/ai/v1/chat/completions";
    check(&request, url, way.2, &[("authorization", &key)]);
}

/// A provider and its model, the ids that are set, and the one that is wrong.
type Wrong<'r> = ((&'r str, &'r str), &'r [(&'r str, &'r str)], &'r str);

#[test]
fn nothing_is_sent_while_an_id_is_missing_or_no_id() {
    let internet = Internet::start();
    let (account, gateway) = ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_GATEWAY_ID");
    let workers = ("cloudflare-workers-ai", "@cf/moonshotai/kimi-k2.6");
    let behind = ("cloudflare-ai-gateway", "claude-sonnet-4-5");
    let rows: &[Wrong<'_>] = &[
        (workers, &[], account),
        (workers, &[(account, " ")], account),
        (behind, &[(account, "a")], gateway),
        (behind, &[(gateway, "g")], account),
        // What would lead elsewhere, or to another account.
        (workers, &[(account, "../v5/x")], account),
        (behind, &[(account, "a"), (gateway, "g/../../other")], gateway),
        (behind, &[(account, "a?x="), (gateway, "g")], account),
        (behind, &[(account, ".."), (gateway, "g")], account),
    ];
    for ((provider, model), ids, wrong) in rows {
        let setup = cloudflare(&internet).environment("CLOUDFLARE_API_KEY", KEY);
        let mut server =
            ids.iter().fold(setup, |setup, (name, value)| setup.environment(name, value)).start();
        let result = server.prompted(&params(provider, model));
        assert_eq!(result.stop_reason, StopReason::Error);
        let error = result.error.unwrap();
        assert_eq!(json!(error.kind), "authRequired", "{error:?}");
        assert!(error.message.contains(wrong) && error.message.contains(provider), "{error:?}");
        assert!(error.hint.as_deref().is_some_and(|hint| hint.contains(wrong)), "{error:?}");
        let missing = ids.iter().all(|(name, value)| name != wrong || value.trim().is_empty());
        if missing {
            assert_eq!(error.message, format!("{wrong} is not set, which the address of {provider} needs"));
            let listed = server.call("listModels", &json!({"provider": provider}));
            let models = listed["models"].as_array().unwrap();
            assert!(!models.is_empty() && models.iter().all(|model| model["available"] == false), "{listed}");
            let reason = models[0]["reason"].as_str().unwrap();
            assert!(reason.starts_with(&format!("{wrong} is not set")), "{reason}");
        }
        server.ignore_rest();
    }
    assert_eq!(internet.targets(), Vec::<String>::new(), "nobody was called");
}

#[test]
fn a_provider_of_ones_own_at_the_gateway_says_whose_its_key_is() {
    let internet = Internet::start();
    let base = "https://gateway.ai.cloudflare.com/v1/acc0123/gate-1/openai";
    let url = format!("{base}/responses");
    let way = ("mine", RESPONSES, "gpt-5.1");
    let with = |auth_header: bool| {
        let models = json!({"providers": {"mine": {
            "baseUrl": base, "api": RESPONSES, "apiKey": KEY, "authHeader": auth_header, "models": [{"id": way.2}],
        }}});
        cloudflare(&internet).models_json(&models.to_string())
    };
    let (_, request) = prompt(&internet, with(false), way);
    check(&request, &url, way.2, &[("cf-aig-authorization", &bearer(KEY))]);
    let (_, request) = prompt(&internet, with(true), way);
    check(&request, &url, way.2, &[("authorization", &bearer(KEY))]);

    // The gateway under a name of one's own is still the gateway.
    let models = json!({"providers": {"cloudflare-ai-gateway": {"baseUrl": "https://gate.example/v1"}}});
    let setup = with_ids(&internet).models_json(&models.to_string());
    let (_, request) = prompt(&internet, setup, ("cloudflare-ai-gateway", ANTHROPIC, "claude-sonnet-4-5"));
    check(
        &request,
        "https://gate.example/v1/messages",
        "claude-sonnet-4-5",
        &[("cf-aig-authorization", &bearer(KEY))],
    );
}
