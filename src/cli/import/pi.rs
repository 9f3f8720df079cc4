//! What pi keeps, and where: `auth.json` and `models.json` in its agent folder.

use std::path::{Path, PathBuf};

use super::{Found, Part, Take, dedented, descend, folder, read_with};
use crate::accounts::{AUTH_FILE, oauth};
use crate::catalog::MODELS_FILE;
use crate::engine::Failure;
use crate::settings::Diagnostic;
use crate::settings::jsonc::{Document, JsoncError, Value};
use crate::system::System;

/// The variable that moves pi's folder.
const DIR: &str = "PI_CODING_AGENT_DIR";

/// Why a sign-in is left out.
const SIGN_IN: &str = "left out: a sign-in that aside cannot use";
const UNKNOWN: &str = "left out: of a kind that is not known";

/// pi's folder.
pub(super) fn dir(system: &System, given: Option<&Path>) -> Result<PathBuf, Failure> {
    folder(system, given, DIR, &[".pi", "agent"], "pi")
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
    read_with(system, path, |text| found(text, inside, read)).await
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
        Some("oauth") => ("sign-in", oauth::flow(id).is_none().then_some(SIGN_IN)),
        Some("api_key") => match key {
            Some(key) if key.starts_with('!') => ("key command", None),
            Some(_) => ("key", None),
            None if json.get("env").is_some() => ("variables", None),
            None => ("empty", Some(UNKNOWN)),
        },
        _ => ("unknown", Some(UNKNOWN)),
    };
    let take = left_out.map_or_else(|| Take::Entry(dedented(value.text())), Take::LeftOut);
    Found { id: id.to_owned(), what: what.to_owned(), is_sign_in: what == "sign-in", take }
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
    Found { id: id.to_owned(), what, is_sign_in: false, take }
}
