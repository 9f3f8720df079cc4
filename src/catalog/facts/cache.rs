//! The file that keeps what the last refresh brought, in the platform's folder for caches. It can always be deleted.
//!
//! It is read when the catalog is first asked for something, never at start; what is wrong with it is told, and then
//! it counts as not there.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Facts, MAX_MODELS, ModelFacts};
use crate::catalog::table;
use crate::settings::Diagnostic;
use crate::system::System;
use crate::system::files::Stamp;

/// The file's name.
pub const FACTS_FILE: &str = "model-facts.json";

/// The form of this version.
const VERSION: u32 = 1;
/// Bytes of the file.
const MAX_BYTES: usize = 8 << 20;
/// Bytes of what a server identifies its answer with.
const MAX_VALIDATOR: usize = 256;

/// Where and when facts came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FactsOrigin {
    /// What the server calls this state of its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// When it last changed, in the server's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// When the facts were true, in milliseconds since the epoch.
    pub facts_at_ms: u64,
    /// When they were last asked for.
    pub checked_at_ms: u64,
}

/// What the file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::catalog) struct Cache {
    pub(in crate::catalog) origin: FactsOrigin,
    /// Whether another version read the facts, which may have passed over what this one would take.
    pub(in crate::catalog) is_foreign: bool,
    pub(in crate::catalog) facts: Facts,
}

#[derive(Serialize, Deserialize)]
struct File<F> {
    version: u32,
    /// Who read the facts.
    by: String,
    #[serde(flatten)]
    origin: FactsOrigin,
    providers: F,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

fn path(system: &System) -> Option<PathBuf> {
    system.dirs.cache.as_ref().map(|dir| dir.join(FACTS_FILE))
}

/// The state that the file is in now; `None` where there is none.
pub(in crate::catalog) fn stamp(system: &System) -> Option<Stamp> {
    system.files.stamp(&path(system)?).ok()
}

/// This version with these data.
fn by() -> String {
    format!("aside {} of {}", env!("CARGO_PKG_VERSION"), table::date())
}

impl Cache {
    /// What is kept; `None` where nothing is.
    pub(in crate::catalog) fn read(system: &System) -> Result<Option<Self>, Diagnostic> {
        let Some(path) = path(system) else { return Ok(None) };
        let whole = |message: String| Diagnostic {
            path: path.clone(),
            line: 0,
            column: 0,
            message: format!(
                "{message}; the built-in facts are used, and `aside models --refresh` writes it anew"
            ),
        };
        let bytes = match system.files.read_start(&path, MAX_BYTES + 1) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(whole(format!("the file cannot be read: {error}"))),
        };
        if bytes.len() > MAX_BYTES {
            return Err(whole(format!("the file is larger than {} MiB", MAX_BYTES >> 20)));
        }
        let damaged = |_| whole("the file is damaged".to_owned());
        let Version { version } = serde_json::from_slice(&bytes).map_err(damaged)?;
        if version != VERSION {
            return Err(whole(format!("the file has the form {version}, not {VERSION}")));
        }
        let file: File<Facts> = serde_json::from_slice(&bytes).map_err(damaged)?;
        let are_sound = |models: &Vec<ModelFacts>| {
            models.len() <= MAX_MODELS
                && models.iter().all(ModelFacts::is_sound)
                && models.is_sorted_by(|one, other| one.id < other.id)
        };
        if !file.providers.values().all(are_sound) {
            return Err(whole("the file is damaged".to_owned()));
        }
        Ok(Some(Self { origin: file.origin, is_foreign: file.by != by(), facts: file.providers }))
    }

    /// Keeps it. An error says what could not be done.
    pub(in crate::catalog) fn write(&self, system: &System) -> Result<(), String> {
        let path = path(system).ok_or("there is no folder to keep them in: set HOME or ASIDE_HOME")?;
        let file = File { version: VERSION, by: by(), origin: self.origin.clone(), providers: &self.facts };
        let mut bytes = serde_json::to_vec(&file).map_err(|error| error.to_string())?;
        bytes.push(b'\n');
        if bytes.len() > MAX_BYTES {
            return Err(format!("they have more than {} MiB", MAX_BYTES >> 20));
        }
        system.files.replace(&path, &bytes).map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl FactsOrigin {
    /// With what a server calls its answer, as far as it can be sent back.
    pub fn new(
        etag: Option<&str>,
        last_modified: Option<&str>,
        facts_at_ms: u64,
        checked_at_ms: u64,
    ) -> Self {
        let kept = |text: Option<&str>| {
            let text = text?.trim();
            let fits = !text.is_empty()
                && text.len() <= MAX_VALIDATOR
                && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
            fits.then(|| text.to_owned())
        };
        // A date from the future would stand above every later one.
        let facts_at_ms = facts_at_ms.min(checked_at_ms);
        Self { etag: kept(etag), last_modified: kept(last_modified), facts_at_ms, checked_at_ms }
    }
}
