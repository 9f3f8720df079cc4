//! `auth.json`: one stored credential per provider.
//!
//! Reading needs no lock, because every write replaces the file whole. A write changes one entry in the text as
//! it stands, under a lock, and touches nothing else: comments, order and unknown fields stay. A file that
//! cannot be understood is never written.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::value::escaped;
use crate::settings::Diagnostic;
use crate::settings::jsonc::{Document, Entry, JsoncError, Value};
use crate::settings::load::{MAX_DIAGNOSTICS, read_text};
use crate::system::System;
use crate::system::files::Stamp;

/// The file, in the config folder.
pub const AUTH_FILE: &str = "auth.json";

/// Beside it; held while it is changed.
const LOCK_FILE: &str = "auth.json.lock";

/// How long another process may hold the lock.
const LOCK_WAIT: Duration = Duration::from_secs(5);
const LOCK_POLL: Duration = Duration::from_millis(20);

/// What one state of the file holds.
#[derive(Default)]
pub(super) struct AuthFile {
    stamp: Option<Stamp>,
    entries: BTreeMap<String, Stored>,
    diagnostics: Vec<Diagnostic>,
}

/// One entry. No `Debug`: it holds secrets.
pub(super) enum Stored {
    /// `env` stands above the environment for this provider alone.
    Key { key: Option<SecretString>, env: BTreeMap<String, String> },
    /// Tokens of a sign-in.
    SignIn,
    /// Something that cannot be understood; what is wrong with it.
    Invalid(String),
}

#[derive(Deserialize)]
struct RawEntry {
    #[serde(rename = "type")]
    kind: Option<String>,
    key: Option<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

pub(super) fn path(system: &System) -> Option<PathBuf> {
    system.dirs.config.as_ref().map(|dir| dir.join(AUTH_FILE))
}

impl AuthFile {
    /// The state that the file is in now; `None` where there is none.
    pub(super) fn stamp(system: &System) -> Option<Stamp> {
        system.files.stamp(&path(system)?).ok()
    }

    /// The state that was read.
    pub(super) fn stamp_read(&self) -> Option<Stamp> {
        self.stamp
    }

    /// Reads the file. `stamp` was taken before, so that a change in between is seen at the next look.
    pub(super) fn read(system: &System, stamp: Option<Stamp>) -> Self {
        let empty = Self { stamp, ..Self::default() };
        let Some(path) = path(system) else { return empty };
        match read_text(system, &path) {
            Ok(Some(text)) => Self { stamp, ..Self::parse(&path, &text) },
            Ok(None) => empty,
            Err(diagnostic) => Self { diagnostics: vec![diagnostic], ..empty },
        }
    }

    fn parse(path: &Path, text: &str) -> Self {
        let mut file = Self::default();
        let entries = Document::new(text).and_then(|document| {
            let entries = document.root()?.entries()?;
            Ok(entries.into_iter().map(|entry| (stored(&entry), entry.key)).collect::<Vec<_>>())
        });
        match entries {
            Ok(entries) => {
                for ((stored, problem), id) in entries {
                    if let Some(problem) = problem.filter(|_| file.diagnostics.len() < MAX_DIAGNOSTICS) {
                        file.diagnostics.push(Diagnostic::at(path, problem));
                    }
                    file.entries.insert(id, stored);
                }
            }
            Err(error) => file.diagnostics.push(Diagnostic::at(path, error)),
        }
        file
    }

    pub(super) fn entry(&self, provider: &str) -> Option<&Stored> {
        self.entries.get(provider)
    }

    pub(super) fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
}

fn stored(entry: &Entry<'_>) -> (Stored, Option<JsoncError>) {
    let invalid = |mut error: JsoncError| {
        let dot = if error.path.is_empty() { "" } else { "." };
        error.path = format!("{}{dot}{}", entry.key, error.path);
        (Stored::Invalid(error.message.clone()), Some(error))
    };
    match entry.value.parse::<RawEntry>() {
        Err(error) => invalid(error),
        Ok(raw) => match raw.kind.as_deref() {
            Some("oauth") => (Stored::SignIn, None),
            Some("api_key") | None => {
                (Stored::Key { key: raw.key.map(SecretString::from), env: raw.env }, None)
            }
            Some(_) => invalid(entry.value.error("its type is neither \"api_key\" nor \"oauth\"")),
        },
    }
}

/// Why an entry was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("there is no folder for it (neither HOME nor ASIDE_HOME is set)")]
    NoFolder,
    #[error("another process holds the lock {}", .0.display())]
    Locked(PathBuf),
    #[error("it is left as it is, because it cannot be understood: {}", .0.message)]
    Unreadable(Diagnostic),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Stores `key` as the credential of `provider`.
pub(super) async fn store(system: &System, provider: &str, key: &SecretString) -> Result<(), StoreError> {
    let path = path(system).ok_or(StoreError::NoFolder)?;
    let _lock = lock(system, &path.with_file_name(LOCK_FILE)).await?;
    let text = read_text(system, &path).map_err(StoreError::Unreadable)?;
    let text = text.filter(|text| !text.trim().is_empty()).unwrap_or_else(|| "{}\n".into());
    let wanted = escaped(key.expose_secret());
    let changed = with_entry(&text, provider, &wanted)
        .map_err(|error| StoreError::Unreadable(Diagnostic::at(&path, error)))?;
    // What is written must read back as what was meant.
    match AuthFile::parse(&path, &changed).entry(provider) {
        Some(Stored::Key { key: Some(read), .. }) if read.expose_secret() == wanted => {}
        _ => return Err(StoreError::Io(io::Error::other("the entry could not be put into the file"))),
    }
    Ok(system.files.replace(&path, changed.as_bytes())?)
}

/// The lock is the system's own and ends with the process; the empty file stays.
async fn lock(system: &System, path: &Path) -> Result<File, StoreError> {
    if let Some(dir) = path.parent() {
        system.files.create_dir(dir)?;
    }
    let file = match system.files.create_new(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => system.files.open_append(path)?,
        other => other?,
    };
    let given_up = tokio::time::Instant::now() + LOCK_WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error.into()),
            Err(TryLockError::WouldBlock) if tokio::time::Instant::now() >= given_up => {
                return Err(StoreError::Locked(path.to_path_buf()));
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_POLL).await,
        }
    }
}

/// `text` with the key of `provider` set.
fn with_entry(text: &str, provider: &str, key: &str) -> Result<String, JsoncError> {
    let document = Document::new(text)?;
    let root = document.root()?;
    let entries = root.entries()?;
    let key = serde_json::Value::from(key).to_string();
    let whole = format!("{{\n    \"type\": \"api_key\",\n    \"key\": {key}\n  }}");
    let Some(known) = entries.iter().rev().find(|entry| entry.key == provider) else {
        return Ok(inserted(
            text,
            root,
            &entries,
            "  ",
            &format!("{}: {whole}", serde_json::Value::from(provider)),
        ));
    };
    let is_key = matches!(stored(known).0, Stored::Key { .. });
    let fields =
        known.value.entries().ok().filter(|fields| is_key && fields.iter().any(|field| field.key == "type"));
    let Some(fields) = fields else {
        return Ok(replaced(text, known.value.range(), &whole));
    };
    Ok(match fields.iter().rev().find(|field| field.key == "key") {
        Some(field) => replaced(text, field.value.range(), &key),
        None => inserted(text, known.value, &fields, "    ", &format!("\"key\": {key}")),
    })
}

fn replaced(text: &str, range: Range<usize>, with: &str) -> String {
    let before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    format!("{before}{with}{after}")
}

/// `text` with `entry` as the last of `object`, on a line of its own.
fn inserted(text: &str, object: Value<'_>, entries: &[Entry<'_>], indent: &str, entry: &str) -> String {
    let (at, new) = if let Some(last) = entries.last() {
        (last.value.range().end, format!(",\n{indent}{entry}"))
    } else {
        let outer = indent.get(2..).unwrap_or_default();
        (object.range().start + 1, format!("\n{indent}{entry}\n{outer}"))
    };
    replaced(text, at..at, &new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &str, after: &str) {
        assert_eq!(with_entry(before, "groq", "k\"1").unwrap(), after);
    }

    #[test]
    fn an_entry_is_put_into_the_text_as_it_stands() {
        let whole = "{\n    \"type\": \"api_key\",\n    \"key\": \"k\\\"1\"\n  }";
        check("{}\n", &format!("{{\n  \"groq\": {whole}\n}}\n"));
        check(
            "\u{feff}{ // é\n \"b\": [1], /* c */ }",
            &format!("\u{feff}{{ // é\n \"b\": [1],\n  \"groq\": {whole}, /* c */ }}"),
        );
        check(
            "{\"groq\": {\"type\": \"oauth\", \"access\": \"t\"}, \"a\": 1}",
            &format!("{{\"groq\": {whole}, \"a\": 1}}"),
        );
        check("{\"groq\": 7}", &format!("{{\"groq\": {whole}}}"));
        check(
            "{\"groq\": {\"type\": \"api_key\", \"key\": \"old\", \"env\": {\"A\": \"b\"}, \"x\": 1}}",
            "{\"groq\": {\"type\": \"api_key\", \"key\": \"k\\\"1\", \"env\": {\"A\": \"b\"}, \"x\": 1}}",
        );
        check(
            "{\"groq\": {\"type\": \"api_key\"}}",
            "{\"groq\": {\"type\": \"api_key\",\n    \"key\": \"k\\\"1\"}}",
        );
        for broken in ["[]", "{\"a\": }", "{} x", "/*"] {
            assert!(with_entry(broken, "groq", "k").is_err(), "{broken}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_put_in_reads_back(text in r#"\{( |"groq": ?(1|\{"type":"(api_key|oauth)"[, ]*("key":"a")?\})|, |"b":\[\]|//x\n|/\*,\*/)*\}"#) {
            if let Ok(changed) = with_entry(&text, "groq", "new") {
                let file = AuthFile::parse(Path::new("x"), &changed);
                let is_new = matches!(file.entry("groq"), Some(Stored::Key { key: Some(key), .. }) if key.expose_secret() == "new");
                proptest::prop_assert!(is_new, "{}", changed);
            }
        }
    }
}
