//! What Claude Code keeps, and where: `.credentials.json` in its folder, with a sign-in to a Claude subscription.
//! On a Mac that is in the keychain, which is not read.
//!
//! The format is nowhere promised: what is not understood is left out, never guessed.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Map;

use super::{Found, Part, Take, folder, read};
use crate::accounts::AUTH_FILE;
use crate::accounts::oauth::Grant;
use crate::engine::Failure;
use crate::settings::Diagnostic;
use crate::system::System;

/// The variable that moves Claude Code's folder.
const DIR: &str = "CLAUDE_CONFIG_DIR";
const FILE: &str = ".credentials.json";
const PROVIDER: &str = "anthropic";
/// What a token must be for.
const SCOPE: &str = "user:inference";
/// A token is taken to end this much earlier, as our own sign-in does.
const MARGIN_MS: u64 = 300_000;

/// As far as it is understood.
#[derive(Deserialize)]
struct File {
    #[serde(rename = "claudeAiOauth", default)]
    sign_in: Option<Tokens>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    refresh_token: Option<String>,
    /// Milliseconds since the Unix epoch.
    #[serde(default)]
    expires_at: Option<f64>,
    #[serde(default)]
    scopes: Option<Vec<String>>,
    #[serde(default)]
    subscription_type: Option<String>,
}

/// Claude Code's folder.
pub(super) fn dir(system: &System, given: Option<&Path>) -> Result<PathBuf, Failure> {
    folder(system, given, DIR, &[".claude"], "claude code")
}

/// What is in it, and what is wrong with it.
pub(super) async fn parts(system: &System, dir: &Path) -> Result<(Vec<Part>, Vec<Diagnostic>), Failure> {
    let file = match read::<File>(system, &dir.join(FILE), "claudeAiOauth").await {
        Ok(Some(file)) => file,
        Ok(None) => {
            let message = format!("there is no {FILE} in {}", dir.display());
            let hint = "name the folder with --dir; on a Mac the sign-in is in the keychain, which is not read: \
                        `aside login anthropic` gets one of its own";
            return Err(Failure::not_found(message, Some(hint)));
        }
        Err(problem) => return Ok((Vec::new(), vec![problem])),
    };
    let entries = file.sign_in.map(sign_in).into_iter().collect();
    Ok((vec![Part { file: AUTH_FILE, inside: &[], entries }], Vec::new()))
}

fn sign_in(tokens: Tokens) -> Found {
    let text = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let plan: Option<String> =
        text(tokens.subscription_type).filter(|plan| plan.chars().all(|c| c.is_ascii_alphanumeric()));
    let what = plan.map_or("sign-in".to_owned(), |plan| format!("sign-in (plan {plan})"));
    let is_for_models = tokens.scopes.is_none_or(|scopes| scopes.iter().any(|scope| scope == SCOPE));
    let ends_ms = tokens.expires_at.filter(|ends| ends.is_finite()).unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast takes the nearest")]
    let ends_ms = ends_ms as u64;
    let take = match text(tokens.access_token) {
        None => Take::LeftOut("left out: a sign-in without a token"),
        Some(_) if !is_for_models => Take::LeftOut("left out: a sign-in that is not for models"),
        Some(access) => Take::Entry(
            Grant {
                access: access.into(),
                refresh: text(tokens.refresh_token).unwrap_or_default().into(),
                expires_ms: ends_ms.saturating_sub(MARGIN_MS),
                more: Map::new(),
            }
            .entry(),
        ),
    };
    Found { id: PROVIDER.to_owned(), what, is_sign_in: true, take }
}
