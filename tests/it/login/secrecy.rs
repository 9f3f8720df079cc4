//! No token, code or verifier in anything that the program writes but `auth.json`, with the most talkative log.

use std::process::Stdio;

use serde_json::{Value, json};

use super::browser::{alone, visit};
use super::flows::Lab;
use crate::identity::Client;
use crate::process::{Aside, Home, Lines, PATIENCE};
use crate::provider::speech;

#[tokio::test]
async fn no_secret_of_a_login_is_written_anywhere_else() {
    let (lab, _ports) = (Lab::new(), alone());
    let home = Home::new();
    let log = home.path().join("log");
    let mut command = home.command();
    for (name, value) in lab.variables() {
        command.env(name, value);
    }
    command.env("ASIDE_LOG", "trace").stderr(std::fs::File::create(&log).unwrap()).stdin(Stdio::piped());
    let mut child = command.arg("serve").spawn().unwrap();
    let lines = Lines::of(child.stdout.take().unwrap());
    let mut aside = Aside::with(child, lines);
    let mut said = Vec::new();
    let capabilities = json!({"openUrl": true, "promptUser": true});
    aside.call("initialize", json!({"capabilities": capabilities})).await;
    for provider in ["anthropic", "openai-codex"] {
        let login = aside.request("login", json!({"provider": provider, "method": "browser"}));
        let asked = aside.find(|line| line["method"] == "openUrl").await;
        let arguments = std::fs::read_to_string(format!("/proc/{}/cmdline", aside.pid())).unwrap();
        said.push(Value::from(arguments));
        let url = asked["params"]["url"].as_str().unwrap();
        let back = lab.identity.allow(url);
        visit(&back);
        said.push(asked.clone());
        said.push(aside.answer(login).await);
    }
    // One that fails, with the provider repeating what it was sent.
    let (access, refresh) = lab.identity.granted(Client::Anthropic);
    lab.identity.rule(|rules| {
        let words = format!("no such grant {refresh} nor {access}");
        rules.failures =
            vec![(400, json!({"error": "invalid_grant", "error_description": words}).to_string())];
    });
    let login = aside.request("login", json!({"provider": "anthropic", "method": "browser"}));
    let asked = aside.find(|line| line["method"] == "openUrl").await;
    visit(&lab.identity.allow(asked["params"]["url"].as_str().unwrap()));
    said.push(aside.answer(login).await);
    // A prompt whose token has ended.
    lab.identity.expire(Client::Anthropic);
    lab.internet.provider().reply(speech::text("anthropic-messages", "a", "b"));
    let prompt = aside.request("prompt", json!({"text": "hi", "model": "anthropic/claude-haiku-4-5"}));
    let answer = aside.answer(prompt).await;
    assert_eq!(answer["result"]["text"], "ab", "{answer}");
    aside.close_input();
    said.extend(aside.rest().await);
    aside.exit(PATIENCE).await;

    let secrets = lab.identity.secrets();
    assert!(secrets.len() >= 12, "{}", secrets.len());
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.len() > 1000, "the log is talkative: {log}");
    let said: Vec<String> = said.iter().map(Value::to_string).collect();
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log");
        assert!(!said.iter().any(|line| line.contains(secret.as_str())), "{secret} was said");
    }
    for entry in walk(home.path()) {
        let is_theirs = entry.ends_with("auth.json");
        let bytes = std::fs::read(&entry).unwrap();
        let held = secrets.iter().any(|secret| memchr::memmem::find(&bytes, secret.as_bytes()).is_some());
        assert_eq!(held, is_theirs, "{}", entry.display());
    }
    lab.no_violations(&[]);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}
