//! Every provider at its own address: each is prompted through a proxy that stands in for the whole internet,
//! so that the production URLs are what is called.
//!
//! The table in `providers/table.rs` is written by hand; it judges the catalog.

mod caching;
mod cloudflare;
mod codex;
mod headers;
pub(crate) mod internet;
mod page;
mod seed;
mod table;

use std::collections::BTreeSet;
use std::sync::Arc;

use aside::catalog::Catalog;
use aside::system::{Dirs, System};
use aside_protocol::{PromptParams, PromptResult, StopReason};
use serde_json::json;
use url::Url;

use self::internet::Internet;
use self::table::{Header, ROWS, Row, WITHOUT_KEY};
use crate::provider::{Request, speech};
use crate::server::{Setup, TestServer};

const KEY: &str = "sk-table-0123456789abcdef";
const DECOY: &str = "sk-decoy-0123456789abcdef";

/// A server whose way to everywhere is `internet`, with what the row needs beside its key.
fn server(internet: &Internet, row: &Row) -> Setup {
    let setup = TestServer::new()
        .environment("HTTPS_PROXY", &internet.proxy())
        .environment("SSL_CERT_FILE", internet.authority());
    row.others.iter().fold(setup, |setup, (name, value)| setup.environment(name, value))
}

fn prompt(server: &mut TestServer, row: &Row) -> PromptResult {
    server.prompted(&PromptParams {
        text: Some("hi".to_owned()),
        model: Some(format!("{}/{}", row.provider, row.model)),
        ..PromptParams::default()
    })
}

/// Holds a request to its row: the address, the key's header, and the key nowhere else.
#[track_caller]
fn check(row: &Row, request: &Request) {
    let url = Url::parse(row.url).unwrap();
    let host = url.host_str().unwrap();
    let named = format!("{} over {}", row.provider, row.wire);
    assert_eq!(request.header("host"), Some(host), "{named}");
    assert_eq!(format!("https://{host}{}", request.target), row.url, "{named}");
    let (name, value) = match row.header {
        Header::Bearer => ("authorization", format!("Bearer {KEY}")),
        Header::Key(name) => (name, KEY.to_owned()),
        Header::BearerIn(name) => (name, format!("Bearer {KEY}")),
    };
    for (have, said) in &request.headers {
        assert_eq!(said.contains(KEY), have == name, "{named}: {have}");
        assert!(!said.contains(DECOY), "{named}: {have}");
    }
    assert_eq!(request.header(name), Some(&*value), "{named}");
    for other in ["authorization", "x-api-key", "api-key", "x-goog-api-key"] {
        assert!(other == name || request.header(other).is_none(), "{named}: {other}");
    }
    assert!(!String::from_utf8_lossy(&request.body).contains(KEY), "{named}: the body");
}

/// One text, one tool call with its result, and one refusal.
fn converse(row: &Row, setup: Setup, internet: &Internet) {
    let named = format!("{} over {}", row.provider, row.wire);
    let before = internet.provider().requests().len();
    let mut server = setup.start();
    internet.provider().reply(speech::text(row.wire, "Hel", "lo."));
    let result = prompt(&mut server, row);
    assert_eq!((result.text.as_str(), &result.error), ("Hello.", &None), "{named}");
    assert_eq!(
        (result.usage.input_tokens, result.usage.output_tokens > 0),
        (if row.wire == "openai-completions" { 0 } else { 5 }, row.wire != "openai-completions"),
        "{named}"
    );

    internet.provider().reply(speech::tool_call(row.wire, "look"));
    internet.provider().reply(speech::text(row.wire, "Do", "ne."));
    let result = prompt(&mut server, row);
    assert_eq!((result.text.as_str(), &result.error), ("Done.", &None), "{named}");

    internet.provider().reply(speech::refused(row.wire));
    let result = prompt(&mut server, row);
    assert_eq!(result.stop_reason, StopReason::Error, "{named}");
    let error = result.error.unwrap();
    assert_eq!(json!(error.kind), "authRequired", "{named}: {error:?}");
    assert!(
        error.message.contains("key not accepted") && error.message.contains(row.provider),
        "{named}: {error:?}"
    );

    let requests = internet.provider().requests().split_off(before);
    assert_eq!(requests.len(), 4, "{named}");
    for request in &requests {
        check(row, request);
    }
    // The call and its result went back.
    let body = String::from_utf8_lossy(&requests[2].body);
    assert!(body.contains("look") && body.contains("not found"), "{named}: {body}");
    server.ignore_rest();
}

#[test]
fn every_provider_is_called_where_it_lives_with_the_key_where_it_wants_it() {
    let internet = Internet::start();
    for row in ROWS {
        let named = server(&internet, row).environment(row.variable, KEY);
        converse(row, named, &internet);
        // What is stored stands above the environment.
        let entry = json!({row.provider: {"type": "api_key", "key": KEY}});
        let stored =
            server(&internet, row).environment(row.variable, DECOY).file("auth.json", &entry.to_string());
        converse(row, stored, &internet);
    }
    let hosts: BTreeSet<_> = internet.targets().into_iter().collect();
    let expected = ROWS.iter().map(|row| format!("{}:443", Url::parse(row.url).unwrap().host_str().unwrap()));
    assert_eq!(hosts, expected.collect::<BTreeSet<_>>(), "nobody else was called");
}

#[test]
fn the_table_has_every_provider() {
    let mut server = TestServer::new().start();
    let listed = server.call("listProviders", &json!({}));
    let listed: BTreeSet<&str> = listed["providers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|provider| provider["id"].as_str().unwrap())
        .collect();
    let known = ROWS.iter().map(|row| row.provider).chain(WITHOUT_KEY.iter().copied());
    assert_eq!(listed, known.collect::<BTreeSet<_>>());
}

#[test]
fn every_provider_and_api_of_the_catalog_is_in_the_table() {
    let mut system = System::real();
    system.dirs = Dirs::default();
    let catalog = Catalog::new(system, |_| true, Arc::default());
    let snapshot = catalog.snapshot();
    let ways: BTreeSet<(&str, &str)> = snapshot
        .models()
        .filter(|model| !WITHOUT_KEY.contains(&model.provider()))
        .map(|model| (model.provider(), model.wire()))
        .collect();
    assert_eq!(ways, ROWS.iter().map(|row| (row.provider, row.wire)).collect());
}
