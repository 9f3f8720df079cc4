//! `auth.json`: one stored credential per provider.
//!
//! Reading needs no lock, because every write replaces the file whole. A write changes one entry in the text as
//! it stands, under a lock, and touches nothing else: comments, order and unknown fields stay. A file that
//! cannot be understood is never written. Next: `settings/change.rs`, which holds the lock.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::value::{escaped, is_legacy_name};
use crate::settings::Diagnostic;
use crate::settings::change::{ChangeError, change, is_blank};
use crate::settings::edit;
use crate::settings::jsonc::{Document, Entry, JsoncError, Value};
use crate::settings::load::{MAX_DIAGNOSTICS, read_text};
use crate::system::System;
use crate::system::files::Stamp;

/// The file, in the config folder.
pub const AUTH_FILE: &str = "auth.json";

/// What one state of the file holds.
#[derive(Default)]
pub(super) struct AuthFile {
    stamp: Option<Stamp>,
    entries: BTreeMap<String, Kept>,
    diagnostics: Vec<Diagnostic>,
    /// Whether the file as a whole could not be read.
    is_broken: bool,
    /// Keys that would be the bare names of variables if those were set.
    bare_names: Vec<(SecretString, Diagnostic)>,
}

struct Kept {
    stored: Stored,
    /// Of its text, to tell whether it has changed.
    mark: u64,
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
        match path(system) {
            Some(path) => Self { stamp, ..Self::read_at(system, &path, stamp) },
            None => Self { stamp, ..Self::default() },
        }
    }

    /// Reads a file of this format anywhere.
    pub(super) fn read_at(system: &System, path: &Path, stamp: Option<Stamp>) -> Self {
        let mut file = match read_text(system, path) {
            Ok(Some(text)) => Self::parse(path, &text),
            Ok(None) => Self::default(),
            Err(diagnostic) => Self { diagnostics: vec![diagnostic], is_broken: true, ..Self::default() },
        };
        if let Some(mode) = stamp.map(|stamp| stamp.shared_mode).filter(|mode| *mode != 0) {
            file.diagnostics.push(Diagnostic {
                path: path.to_path_buf(),
                line: 0,
                column: 0,
                message: format!(
                    "others than you may use the file (its mode ends in {mode:02o}); `chmod 600` makes it private"
                ),
            });
        }
        file
    }

    pub(super) fn parse(path: &Path, text: &str) -> Self {
        let mut file = Self::default();
        if is_blank(text) {
            return file;
        }
        let read = Document::new(text).and_then(|document| {
            for entry in document.root()?.entries()? {
                file.take(path, &entry);
            }
            Ok(())
        });
        if let Err(error) = read {
            file.is_broken = true;
            file.diagnostics.push(Diagnostic::at(path, error));
        }
        file
    }

    fn take(&mut self, path: &Path, entry: &Entry<'_>) {
        // A position is found by counting lines, so only those that are told are found.
        let may_tell = self.diagnostics.len() < MAX_DIAGNOSTICS;
        let stored = match stored(entry.value) {
            Ok(stored) => stored,
            Err(misfit) => {
                if may_tell {
                    let error = JsoncError {
                        path: format!("{}{}", crate::settings::load::shown(&entry.key), misfit.inside),
                        ..misfit.value.error(&*misfit.message)
                    };
                    self.diagnostics.push(Diagnostic::at(path, error));
                }
                Stored::Invalid(misfit.message)
            }
        };
        if let Stored::Key { key: Some(key), .. } = &stored
            && is_legacy_name(key.expose_secret())
            && self.bare_names.len() < MAX_DIAGNOSTICS
        {
            let message = "the key is the bare name of a variable; write it with a $ before it";
            let error = JsoncError { path: format!("{}.key", entry.key), ..entry.value.error(message) };
            self.bare_names.push((key.clone(), Diagnostic::at(path, error)));
        }
        let mut mark = DefaultHasher::new();
        entry.value.text().hash(&mut mark);
        let kept = Kept { stored, mark: mark.finish() };
        if self.entries.insert(entry.key.clone(), kept).is_some() && may_tell {
            let name = crate::settings::load::shown(&entry.key);
            let error = entry.value.error(format!("{name} is there twice; the last one holds"));
            self.diagnostics.push(Diagnostic::at(path, error));
        }
    }

    pub(super) fn entry(&self, provider: &str) -> Option<&Stored> {
        self.entries.get(provider).map(|kept| &kept.stored)
    }

    /// Every entry.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Stored)> {
        self.entries.iter().map(|(id, kept)| (id.as_str(), &kept.stored))
    }

    /// Whether the file as a whole could not be read.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    pub(super) fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// What is to be told of keys that `is_set` says are the bare names of variables.
    pub(super) fn bare_names(&self, is_set: impl Fn(&str) -> bool) -> impl Iterator<Item = &Diagnostic> {
        let set = self.bare_names.iter().filter(move |(name, _)| is_set(name.expose_secret()));
        set.map(|(_, diagnostic)| diagnostic)
    }

    /// Providers whose entries are not the same in both.
    pub(super) fn differing<'f>(&'f self, other: &'f Self) -> impl Iterator<Item = &'f str> {
        let mark = |file: &Self, id: &str| file.entries.get(id).map(|kept| kept.mark);
        let here = self.entries.keys().filter(move |id| mark(self, id) != mark(other, id));
        let there = other.entries.keys().filter(|id| !self.entries.contains_key(*id));
        here.chain(there).map(String::as_str)
    }
}

/// A value that is not what it should be.
struct Misfit<'d> {
    value: Value<'d>,
    /// Where in its entry, such as `.key`.
    inside: String,
    message: String,
}

fn stored(value: Value<'_>) -> Result<Stored, Misfit<'_>> {
    let (mut kind, mut key, mut env) = (None, None, BTreeMap::new());
    for field in fields(value, "")? {
        match field.key.as_str() {
            "type" => kind = string(field.value, ".type")?,
            "key" => key = string(field.value, ".key")?.map(SecretString::from),
            "env" if field.value.text() == "null" => env = BTreeMap::new(),
            "env" => {
                env = BTreeMap::new();
                for variable in fields(field.value, ".env")? {
                    let inside = format!(".env.{}", crate::settings::load::shown(&variable.key));
                    env.extend(string(variable.value, &inside)?.map(|value| (variable.key, value)));
                }
            }
            _ => {}
        }
    }
    match kind.as_deref() {
        Some("oauth") => Ok(Stored::SignIn),
        Some("api_key") | None => Ok(Stored::Key { key, env }),
        Some(_) => Err(Misfit {
            value,
            inside: String::new(),
            message: "its type is neither \"api_key\" nor \"oauth\"".to_owned(),
        }),
    }
}

fn fields<'d>(value: Value<'d>, inside: &str) -> Result<Vec<Entry<'d>>, Misfit<'d>> {
    match value.text().starts_with('{').then(|| value.entries()) {
        Some(Ok(fields)) => Ok(fields),
        _ => Err(misfit(value, inside, "an object")),
    }
}

fn string<'d>(value: Value<'d>, inside: &str) -> Result<Option<String>, Misfit<'d>> {
    serde_json::from_str(value.text()).map_err(|_| misfit(value, inside, "a string"))
}

fn misfit<'d>(value: Value<'d>, inside: &str, expected: &str) -> Misfit<'d> {
    let found = match value.text().bytes().next() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    };
    Misfit { value, inside: inside.to_owned(), message: format!("expected {expected}, found {found}") }
}

/// Stores `key` as the credential of `provider`, and `env` with it.
pub(super) async fn store(
    system: &System,
    provider: &str,
    key: &SecretString,
    env: &BTreeMap<String, String>,
    cancel: &CancellationToken,
) -> Result<(), ChangeError> {
    let path = path(system).ok_or(ChangeError::NoFolder)?;
    let (provider, key, env) = (provider.to_owned(), key.clone(), env.clone());
    let own = path.clone();
    change(system, &path, cancel, move |text| {
        let wanted = escaped(key.expose_secret());
        let changed = with_entry(text, &provider, &wanted, &env)?;
        // What is written must read back as what was meant.
        match AuthFile::parse(&own, &changed).entry(&provider) {
            Some(Stored::Key { key: Some(read), env: read_env })
                if read.expose_secret() == wanted
                    && env.iter().all(|(name, value)| read_env.get(name) == Some(value)) =>
            {
                Ok((Some(changed), ()))
            }
            _ => Err(misplaced()),
        }
    })
    .await
}

/// Takes what is stored for `provider` out. Whether there was anything.
pub(super) async fn remove(
    system: &System,
    provider: &str,
    cancel: &CancellationToken,
) -> Result<bool, ChangeError> {
    let path = path(system).ok_or(ChangeError::NoFolder)?;
    if AuthFile::stamp(system).is_none() {
        return Ok(false);
    }
    let (provider, own) = (provider.to_owned(), path.clone());
    change(system, &path, cancel, move |text| {
        let Some(changed) = edit::without(text, &[&provider])? else { return Ok((None, false)) };
        let (before, after) = (AuthFile::parse(&own, text), AuthFile::parse(&own, &changed));
        if before.differing(&after).eq([provider.as_str()]) {
            Ok((Some(changed), true))
        } else {
            Err(misplaced())
        }
    })
    .await
}

/// A change that did not come out as it was meant: nothing is written.
fn misplaced() -> JsoncError {
    let message = "the entry cannot be changed where it stands".to_owned();
    JsoncError { line: 0, column: 0, message, path: String::new() }
}

/// `text` with the key of `provider` set.
fn with_entry(
    text: &str,
    provider: &str,
    key: &str,
    env: &BTreeMap<String, String>,
) -> Result<String, JsoncError> {
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let document = Document::new(text)?;
    let known = document.root()?.entries()?.into_iter().rev().find(|entry| entry.key == provider);
    let known = known.filter(|known| matches!(stored(known.value), Ok(Stored::Key { .. })));
    let fields = known.and_then(|known| known.value.entries().ok()).unwrap_or_default();
    if !fields.iter().any(|field| field.key == "type") {
        return edit::with(text, &[provider], &entry_text(key, env));
    }
    let mut changed = edit::with(text, &[provider, "key"], &json(key))?;
    let has_env = fields.iter().rev().find(|field| field.key == "env").map(|field| field.value.text());
    if has_env == Some("null") && !env.is_empty() {
        changed = edit::with(&changed, &[provider, "env"], "{}")?;
    }
    for (name, value) in env {
        changed = edit::with(&changed, &[provider, "env", name], &json(value))?;
    }
    Ok(changed)
}

/// An entry as it is written by us.
fn entry_text(key: &str, env: &BTreeMap<String, String>) -> String {
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = format!("{{\n  \"type\": \"api_key\",\n  \"key\": {}", json(key));
    if !env.is_empty() {
        let variables: Vec<String> =
            env.iter().map(|(name, value)| format!("    {}: {}", json(name), json(value))).collect();
        text.push_str(",\n  \"env\": {\n");
        text.push_str(&variables.join(",\n"));
        text.push_str("\n  }");
    }
    text.push_str("\n}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &str, after: &str) {
        assert_eq!(with_entry(before, "groq", "k\"1", &BTreeMap::new()).unwrap(), after);
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
            assert!(with_entry(broken, "groq", "k", &BTreeMap::new()).is_err(), "{broken}");
        }
    }

    #[test]
    fn variables_are_stored_beside_the_key() {
        let env = BTreeMap::from([("B".to_owned(), "2".to_owned()), ("A".to_owned(), "1".to_owned())]);
        let whole = "{\n  \"groq\": {\n    \"type\": \"api_key\",\n    \"key\": \"k\",\n    \"env\": {\n      \"A\": \"1\",\n      \"B\": \"2\"\n    }\n  }\n}\n";
        assert_eq!(with_entry("{}\n", "groq", "k", &env).unwrap(), whole);
        for env_before in ["", ", \"env\": null", ", \"env\": {\"A\": \"0\", \"C\": \"3\"}"] {
            let before = format!("{{\"groq\": {{\"type\": \"api_key\"{env_before}, \"x\": [1]}}}}");
            let after = with_entry(&before, "groq", "k", &env).unwrap();
            let file = AuthFile::parse(Path::new("x"), &after);
            let Some(Stored::Key { env: read, .. }) = file.entry("groq") else { panic!("{after}") };
            assert!(
                read.get("A").is_some_and(|a| a == "1") && read.get("B").is_some_and(|b| b == "2"),
                "{after}"
            );
            assert_eq!(read.contains_key("C"), env_before.contains('C'));
            assert!(after.contains("\"x\": [1]"), "{after}");
        }
    }

    #[track_caller]
    fn told(text: &str, expected: &[(u32, u32, &str)]) -> AuthFile {
        let file = AuthFile::parse(Path::new("x"), text);
        let told: Vec<_> =
            file.diagnostics().iter().map(|d| (d.line, d.column, d.message.as_str())).collect();
        assert_eq!(told, expected, "{text}");
        file
    }

    #[test]
    fn a_file_is_read_as_people_and_programs_write_it() {
        for empty in ["", " \n", "\u{feff}", "{}", "\u{feff}{ /* none */ }"] {
            assert_eq!(told(empty, &[]).entries().count(), 0);
        }
        told("[]", &[(1, 1, "expected an object, found an array")]);
        told("{\n \"a\": ", &[(2, 6, "EOF while parsing a value")]);
        let twice = "{\"a\": {\"key\": \"1\"},\n \"a\": {\"key\": \"x\", \"key\": \"2\"}}";
        let file = told(twice, &[(2, 7, "\"a\" is there twice; the last one holds")]);
        assert!(
            matches!(file.entry("a"), Some(Stored::Key { key: Some(key), .. }) if key.expose_secret() == "2")
        );
        told(
            "{\"a\": 1, \"b\": {\"env\": {\"X\": 2}}, \"c\": {\"type\": \"x\"}, \"d\": {\"key\": [\"sk-secret\"]}}",
            &[
                (1, 7, "\"a\": expected an object, found a number"),
                (1, 29, "\"b\".env.\"X\": expected a string, found a number"),
                (1, 39, "\"c\": its type is neither \"api_key\" nor \"oauth\""),
                (1, 67, "\"d\".key: expected a string, found an array"),
            ],
        );
    }

    #[test]
    fn a_hostile_file_is_read_in_bounded_time() {
        let many: String =
            (0..200_000).flat_map(|n| ["\"p".to_owned(), n.to_string(), "\":1,\n".to_owned()]).collect();
        let file = AuthFile::parse(Path::new("x"), &format!("{{{many}}}"));
        assert_eq!((file.entries().count(), file.diagnostics().len()), (200_000, MAX_DIAGNOSTICS));
        let same = "\"p\":{\"key\":\"ABC\"},\n".repeat(100_000);
        let file = AuthFile::parse(Path::new("x"), &format!("{{{same}}}"));
        assert_eq!((file.entries().count(), file.diagnostics().len()), (1, MAX_DIAGNOSTICS));
        let deep = format!("{{\"a\": {}", "[".repeat(1 << 20));
        assert_eq!(AuthFile::parse(Path::new("x"), &deep).diagnostics().len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn what_is_put_in_reads_back(text in r#"\{( |"groq": ?(1|\{"type":"(api_key|oauth)"[, ]*("key":"a")?\})|, |"b":\[\]|//x\n|/\*,\*/)*\}"#) {
            if let Ok(changed) = with_entry(&text, "groq", "new", &BTreeMap::new()) {
                let file = AuthFile::parse(Path::new("x"), &changed);
                let is_new = matches!(file.entry("groq"), Some(Stored::Key { key: Some(key), .. }) if key.expose_secret() == "new");
                proptest::prop_assert!(is_new, "{}", changed);
            }
        }
    }
}
