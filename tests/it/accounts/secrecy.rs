//! A secret in every place that can hold one: none of them is in any byte that the program writes, with the
//! most talkative log, but for the header of the provider that it is meant for.

use std::path::{Path, PathBuf};
use std::process::Command;

use memchr::memmem;
use serde_json::json;

use crate::process::{Aside, Home, PATIENCE};
use crate::provider::{Provider, Reply};

const STORED: &str = "planted-stored-0a1b2c3d4e";
const STORED_ENV: &str = "planted-env-of-an-entry-1f2e";
const LOGIN: &str = "planted-login-5f6a7b8c9d";
const VARIABLE: &str = "planted-variable-1a2b3c4d";
const MODELS: &str = "planted-models-json-5e6f7a8b";
const HEADER: &str = "planted-header-9c0d1e2f3a";
const EXPLICIT: &str = "planted-explicit-4b5c6d7e8f";
const PRINTED: &str = "planted-printed-9a0b1c2d3e";
const COMPLAINED: &str = "planted-complained-4f5a6b7c8d";
const PROXY: &str = "planted-proxy-9e0f1a2b3c";
const ADDRESS: &str = "planted-address-4d5e6f7a8b";
/// `me:` and [`PROXY`] in base 64, as a proxy is sent them.
const PROXY_BASE64: &str = "bWU6cGxhbnRlZC1wcm94eS05ZTBmMWEyYjNj";
const ALL: [&str; 12] = [
    STORED,
    STORED_ENV,
    LOGIN,
    VARIABLE,
    MODELS,
    HEADER,
    EXPLICIT,
    PRINTED,
    COMPLAINED,
    PROXY,
    ADDRESS,
    PROXY_BASE64,
];

/// Files of the home that hold secrets because we, or a login, put them there.
const PLANTED: [&str; 3] = ["auth.json", "models.json", "settings.json"];

#[track_caller]
fn clean(what: &str, bytes: &[u8]) {
    for secret in ALL {
        assert!(memmem::find(bytes, secret.as_bytes()).is_none(), "{secret} is in {what}");
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn plant(home: &Home, provider: &Provider) {
    let of = |base_url: &str, more: serde_json::Value| {
        let mut of = json!({"baseUrl": base_url, "api": "openai-completions", "models": [{"id": "m"}]});
        of.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        of
    };
    let url = provider.url();
    let models = json!({"providers": {
        "own": of(&url, json!({"apiKey": MODELS, "headers": {"X-Secret": HEADER, "X-Own": "$ENTRY_SECRET"}})),
        "stored": of(&url, json!({"headers": {"X-Own": "$ENTRY_SECRET"}})),
        "signed": of(&url, json!({})),
        "command": of(&url, json!({})),
        "failing": of(&url, json!({})),
        "groq": {"baseUrl": url},
        "proxied": of("http://models.example/v1", json!({"apiKey": MODELS})),
        "address": of(&format!("http://me:{ADDRESS}@127.0.0.1:9/v1"), json!({})),
    }});
    std::fs::write(home.path().join("models.json"), models.to_string()).unwrap();
    let auth = json!({
        "stored": {"type": "api_key", "key": STORED, "env": {"ENTRY_SECRET": STORED_ENV}},
        "own": {"type": "api_key", "env": {"ENTRY_SECRET": STORED_ENV}},
        "command": {"type": "api_key", "key": format!("!echo {PRINTED}")},
        "failing": {"type": "api_key", "key": format!("!echo {PRINTED}; echo the vault said token={COMPLAINED} {PRINTED} >&2; exit 3")},
    });
    std::fs::write(home.path().join("auth.json"), auth.to_string()).unwrap();
}

fn talkative(mut command: Command) -> Command {
    command
        .env("ASIDE_LOG", "trace")
        .env("PATH", "/usr/bin:/bin")
        .env("GROQ_API_KEY", VARIABLE)
        .env("HTTP_PROXY", format!("http://me:{PROXY}@127.0.0.1:1"))
        .env("http_proxy", format!("http://me:{PROXY}@127.0.0.1:1"));
    command
}

#[tokio::test]
async fn no_secret_is_in_any_byte_that_is_written() {
    let provider = Provider::start().await;
    let home = Home::new();
    plant(&home, &provider);
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("stderr");
    let mut command = talkative(home.command());
    command.arg("serve").stderr(std::fs::File::create(&log).unwrap());
    let mut aside = Aside::of(command);
    let mut written = String::new();

    let login = aside.call("login", json!({"provider": "signed", "apiKey": LOGIN})).await;
    written.push_str(&login.to_string());
    let mut requests = 0;
    // What is asked, and the secret that its provider is to see.
    for (params, secret) in [
        (json!({"provider": "stored"}), Some(STORED)),
        (json!({"provider": "own"}), Some(MODELS)),
        (json!({"provider": "own", "apiKey": EXPLICIT}), Some(EXPLICIT)),
        (json!({"provider": "signed"}), Some(LOGIN)),
        (json!({"provider": "groq", "model": "groq/openai/gpt-oss-20b"}), Some(VARIABLE)),
        (json!({"provider": "command"}), Some(PRINTED)),
        (json!({"provider": "failing"}), None),
        (json!({"provider": "proxied"}), None),
    ] {
        let mut params = params;
        params["text"] = json!("hi");
        // The provider says back what it was sent, in its answer's head and body; 400 is not tried again.
        if let Some(secret) = secret {
            let headers = match params["provider"].as_str() {
                Some("own") => format!("{HEADER} {STORED_ENV}"),
                Some("stored") => STORED_ENV.to_owned(),
                _ => String::new(),
            };
            let echo = json!({"error": {"message": format!("bad key {secret}, {headers}"), "code": secret}});
            provider.reply(Reply::json(400, &echo.to_string()).header("x-request-id", secret));
        }
        let result = aside.call("prompt", params.clone()).await;
        assert_eq!(result["stopReason"], "error", "{params}: {result}");
        written.push_str(&result.to_string());
        if let Some(secret) = secret {
            let request = provider.request(requests).await;
            requests += 1;
            assert_eq!(request.header("authorization"), Some(&*format!("Bearer {secret}")), "{params}");
            if params["provider"] == "own" {
                assert_eq!(request.header("x-secret"), Some(HEADER));
                assert_eq!(request.header("x-own"), Some(STORED_ENV));
            }
        }
    }
    for method in ["listProviders", "listModels", "authStatus"] {
        written.push_str(&aside.call(method, json!({})).await.to_string());
    }
    let refused = aside.refused("login", json!({"provider": "signed", "apiKey": format!("{LOGIN} x")})).await;
    written.push_str(&refused.to_string());
    aside.close_input();
    for line in aside.rest().await {
        written.push_str(&line.to_string());
    }
    assert_eq!(aside.exit(PATIENCE).await, 0);
    clean("the standard output", written.as_bytes());
    let logged = std::fs::read(&log).unwrap();
    clean("the log", &logged);

    // On the command line.
    for arguments in [
        &["providers"][..],
        &["models"],
        &["prompt", "-p", "own", "--api-key", EXPLICIT, "hi"],
        &["prompt", "-p", "failing", "hi"],
        &["prompt", "--json", "-p", "proxied", "hi"],
    ] {
        provider.reply(Reply::json(400, &json!({"error": {"message": EXPLICIT}}).to_string()));
        let mut command = talkative(home.command());
        command.args(arguments).stderr(std::process::Stdio::piped()).stdin(std::process::Stdio::null());
        let output = tokio::process::Command::from(command).output().await.unwrap();
        clean(&format!("the output of {arguments:?}"), &output.stdout);
        clean(&format!("the complaints of {arguments:?}"), &output.stderr);
    }

    let mut found = Vec::new();
    files(home.path(), &mut found);
    let mut looked_at = 0;
    for path in found {
        if !PLANTED.iter().any(|planted| path.ends_with(planted)) {
            clean(&path.display().to_string(), &std::fs::read(&path).unwrap());
            looked_at += 1;
        }
    }
    println!(
        "{} secrets; {} bytes of log, {} of output and {looked_at} files are without them",
        ALL.len(),
        logged.len(),
        written.len()
    );
    assert!(looked_at >= 8, "the sessions are among them");
}
