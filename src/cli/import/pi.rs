//! What pi keeps, and where: `auth.json` and `models.json` in its agent folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Found, Part, Take, dedented, descend};
use crate::accounts::AUTH_FILE;
use crate::catalog::MODELS_FILE;
use crate::engine::Failure;
use crate::settings::Diagnostic;
use crate::settings::change::is_blank;
use crate::settings::jsonc::{Document, JsoncError, Value};
use crate::settings::load::{expanded, read_text};
use crate::system::System;

/// The variable that moves pi's folder.
const DIR: &str = "PI_CODING_AGENT_DIR";

/// pi writes its files in place: one that makes no sense may be half written.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(60);

/// Why a sign-in is left out.
const SIGN_IN: &str = "left out: a sign-in, whose tokens work for one program only";
const UNKNOWN: &str = "left out: of a kind that is not known";

/// pi's folder.
pub(super) fn dir(system: &System, given: Option<&Path>) -> Result<PathBuf, Failure> {
    let home = system.dirs.home.as_deref();
    let dir = match (given, system.env.get(DIR)) {
        (Some(given), _) => Some(given.to_path_buf()),
        (None, Some(named)) => Some(expanded(named.trim(), home)),
        (None, None) => home.map(|home| home.join(".pi").join("agent")),
    };
    dir.ok_or_else(|| Failure::not_found("pi's folder is not known", Some("name it with --dir")))
}

/// What is in it, and what is wrong with it.
pub(super) async fn parts(system: &System, dir: &Path) -> Result<(Vec<Part>, Vec<Diagnostic>), Failure> {
    let mut parts = Vec::new();
    let mut problems = Vec::new();
    let mut add = |file, inside, found: Result<Option<Vec<Found>>, Diagnostic>| match found {
        Ok(Some(entries)) => parts.push(Part { file, inside, entries }),
        Ok(None) => {}
        Err(problem) => problems.push(problem),
    };
    add(AUTH_FILE, &[], entries(system, &dir.join(AUTH_FILE), &[], account).await);
    let inside: &[&str] = &["providers"];
    add(MODELS_FILE, inside, entries(system, &dir.join(MODELS_FILE), inside, models).await);
    if parts.is_empty() && problems.is_empty() {
        let message = format!("there is neither {AUTH_FILE} nor {MODELS_FILE} in {}", dir.display());
        return Err(Failure::not_found(message, Some("name pi's folder with --dir")));
    }
    Ok((parts, problems))
}

async fn entries(
    system: &System,
    path: &Path,
    inside: &[&str],
    read: fn(&str, Value<'_>) -> Found,
) -> Result<Option<Vec<Found>>, Diagnostic> {
    let mut tries = 0;
    loop {
        let Some(text) = read_text(system, path)? else { return Ok(None) };
        let found = if is_blank(&text) { Ok(Vec::new()) } else { found(&text, inside, read) };
        tries += 1;
        match found {
            Ok(found) => return Ok(Some(found)),
            Err(error) if tries >= TRIES => return Err(Diagnostic::at(path, error)),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn found(text: &str, inside: &[&str], read: fn(&str, Value<'_>) -> Found) -> Result<Vec<Found>, JsoncError> {
    let document = Document::new(text)?;
    let Some(object) = descend(document.root()?, inside)? else { return Ok(Vec::new()) };
    let mut found: Vec<Found> = Vec::new();
    for entry in object.entries()? {
        // The last of several holds.
        found.retain(|known| known.id != entry.key);
        found.push(read(&entry.key, entry.value));
    }
    Ok(found)
}

/// An entry of `auth.json`.
fn account(id: &str, value: Value<'_>) -> Found {
    let json: serde_json::Value = serde_json::from_str(value.text()).unwrap_or_default();
    let key = json.get("key").and_then(serde_json::Value::as_str);
    let (what, left_out) = match json.get("type").and_then(serde_json::Value::as_str) {
        Some("oauth") => ("sign-in", Some(SIGN_IN)),
        Some("api_key") => match key {
            Some(key) if key.starts_with('!') => ("key command", None),
            Some(_) => ("key", None),
            None if json.get("env").is_some() => ("variables", None),
            None => ("empty", Some(UNKNOWN)),
        },
        _ => ("unknown", Some(UNKNOWN)),
    };
    let take = left_out.map_or_else(|| Take::Entry(dedented(value.text())), Take::LeftOut);
    Found { id: id.to_owned(), what: what.to_owned(), take }
}

/// A provider of `models.json`.
fn models(id: &str, value: Value<'_>) -> Found {
    let json: serde_json::Value = serde_json::from_str(value.text()).unwrap_or_default();
    let count = json.get("models").and_then(serde_json::Value::as_array).map_or(0, Vec::len);
    let what = match count {
        0 => "changes of a provider".to_owned(),
        1 => "provider with 1 model".to_owned(),
        _ => format!("provider with {count} models"),
    };
    let take = if json.is_object() { Take::Entry(dedented(value.text())) } else { Take::LeftOut(UNKNOWN) };
    Found { id: id.to_owned(), what, take }
}
