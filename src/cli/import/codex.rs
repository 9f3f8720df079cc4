//! What Codex keeps, and where: `auth.json` in its folder, with a sign-in to `ChatGPT` or a key of `OpenAI`'s.
//!
//! The format is nowhere promised: what is not understood is left out, never guessed.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Found, Part, Take, folder, read};
use crate::accounts::oauth::Grant;
use crate::accounts::{AUTH_FILE, key_entry};
use crate::engine::Failure;
use crate::settings::Diagnostic;
use crate::system::System;

/// The variable that moves Codex's folder.
const DIR: &str = "CODEX_HOME";
/// Its providers, as we call them.
const SUBSCRIPTION: &str = "openai-codex";
const KEY: &str = "openai";
/// Where a token names its account.
const CLAIM: &str = "https://api.openai.com/auth";

/// As far as it is understood.
#[derive(Deserialize)]
struct File {
    #[serde(rename = "OPENAI_API_KEY", default)]
    key: Option<String>,
    #[serde(default)]
    tokens: Option<Tokens>,
}

#[derive(Deserialize)]
struct Tokens {
    #[serde(default)]
    id_token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    account_id: Option<String>,
}

/// Codex's folder.
pub(super) fn dir(system: &System, given: Option<&Path>) -> Result<PathBuf, Failure> {
    folder(system, given, DIR, &[".codex"], "codex")
}

/// What is in it, and what is wrong with it.
pub(super) async fn parts(system: &System, dir: &Path) -> Result<(Vec<Part>, Vec<Diagnostic>), Failure> {
    let path = dir.join(AUTH_FILE);
    let file = match read::<File>(system, &path, "tokens").await {
        Ok(Some(file)) => file,
        Ok(None) => {
            let message = format!("there is no {AUTH_FILE} in {}", dir.display());
            let hint = "name codex's folder with --dir; where codex keeps its sign-in in the system's keyring, \
                        `aside login openai-codex` gets one of its own";
            return Err(Failure::not_found(message, Some(hint)));
        }
        Err(problem) => return Ok((Vec::new(), vec![problem])),
    };
    let mut entries = Vec::new();
    if let Some(key) = file.key.filter(|key| !key.trim().is_empty()) {
        let take = Take::Entry(key_entry(key.trim()));
        entries.push(Found { id: KEY.to_owned(), what: "key".to_owned(), is_sign_in: false, take });
    }
    if let Some(tokens) = file.tokens {
        entries.push(sign_in(tokens));
    }
    Ok((vec![Part { file: AUTH_FILE, inside: &[], entries }], Vec::new()))
}

fn sign_in(tokens: Tokens) -> Found {
    let text = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let access = text(tokens.access_token);
    let refresh = text(tokens.refresh_token);
    let of_token = |token: &Option<String>| token.as_deref().and_then(claims).unwrap_or_default();
    let (id, own) = (of_token(&tokens.id_token), of_token(&access));
    let claim = |name: &str| {
        let of = |claims: &Value| claims.get(CLAIM)?.get(name)?.as_str().map(str::to_owned);
        of(&own).or_else(|| of(&id))
    };
    let mut more = Map::new();
    let account = text(tokens.account_id).or_else(|| claim("chatgpt_account_id"));
    more.extend(account.map(|account| ("accountId".to_owned(), account.into())));
    let email = id.get("email").and_then(Value::as_str);
    more.extend(email.map(|email| ("email".to_owned(), email.into())));
    let what = email.map_or("sign-in".to_owned(), |email| format!("sign-in of {email}"));
    let take = match (access, refresh) {
        (Some(access), Some(refresh)) => Take::Entry(
            Grant {
                access: access.into(),
                refresh: refresh.into(),
                // Where it does not say when it ends it is renewed at its first use.
                expires_ms: own.get("exp").and_then(Value::as_u64).unwrap_or(0).saturating_mul(1_000),
                more,
            }
            .entry(),
        ),
        (_, None) => Take::LeftOut("left out: a sign-in that another program renews"),
        (None, _) => Take::LeftOut("left out: a sign-in without a token"),
    };
    Found { id: SUBSCRIPTION.to_owned(), what, is_sign_in: true, take }
}

/// What a token says of itself. Nothing is granted for it.
fn claims(token: &str) -> Option<Value> {
    let part = token.split('.').nth(1)?.trim_end_matches('=');
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
