//! `auth.json`: the stored credentials, one for each provider, or one for each account of it.
//!
//! Reading needs no lock, because every write replaces the file whole. A write changes one entry in the text as
//! it stands, under a lock, and touches nothing else: comments, order and unknown fields stay. A file that
//! cannot be understood is never written. Next: `entry.rs`, which knows what an entry says, and
//! `settings/change.rs`, which holds the lock.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::entry::{self, Stored};
use super::oauth::Grant;
use super::value::{escaped, is_legacy_name};
use crate::settings::Diagnostic;
use crate::settings::change::{ChangeError, change, is_blank};
use crate::settings::edit;
use crate::settings::jsonc::{Document, Entry, JsoncError};
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
        let stored = match entry::stored(entry.value) {
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

    /// The labels of the provider's accounts that have one.
    pub(super) fn labels<'f>(&'f self, provider: &str) -> impl Iterator<Item = &'f str> {
        let prefix = entry::id(provider, Some(""));
        let length = prefix.len();
        let from = self.entries.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        let of: Vec<&str> = from
            .map(|(id, _)| id.as_str())
            .take_while(|id| id.starts_with(&prefix))
            .filter_map(|id| id.get(length..).filter(|label| !label.is_empty()))
            .collect();
        of.into_iter()
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

/// Stores `key` as the entry `id`, and `env` with it.
pub(super) async fn store_key(
    system: &System,
    id: &str,
    key: &SecretString,
    env: &BTreeMap<String, String>,
    cancel: &CancellationToken,
) -> Result<(), ChangeError> {
    let path = path(system).ok_or(ChangeError::NoFolder)?;
    let (id, key, env) = (id.to_owned(), key.clone(), env.clone());
    let own = path.clone();
    change(system, &path, cancel, move |text| {
        let wanted = escaped(key.expose_secret());
        let changed = entry::with_key(text, &id, &wanted, &env)?;
        // What is written must read back as what was meant.
        match AuthFile::parse(&own, &changed).entry(&id) {
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

/// Stores `grant` as the entry `id`, whatever stood there before.
pub(super) async fn store_grant(
    system: &System,
    id: &str,
    grant: &Grant,
    cancel: &CancellationToken,
) -> Result<(), ChangeError> {
    let path = path(system).ok_or(ChangeError::NoFolder)?;
    let (id, grant, own) = (id.to_owned(), grant.clone(), path.clone());
    change(system, &path, cancel, move |text| {
        let changed = entry::with_grant(text, &id, &grant)?;
        read_back(&own, &changed, &id, &grant)?;
        Ok((Some(changed), ()))
    })
    .await
}

/// Puts `new` into the place of `old`, if the entry `id` still is `old`; whoever has signed in or out meanwhile
/// has the last word. Whether it was put there.
pub(super) async fn renew_grant(
    system: &System,
    id: &str,
    old: &Grant,
    new: &Grant,
) -> Result<bool, ChangeError> {
    let path = path(system).ok_or(ChangeError::NoFolder)?;
    let (id, old, new, own) = (id.to_owned(), old.clone(), new.clone(), path.clone());
    // Tokens that were got are written: nobody gives that up.
    change(system, &path, &CancellationToken::new(), move |text| {
        // A file that makes no sense says nothing of who has signed out.
        Document::new(text)?.root()?.entries()?;
        match AuthFile::parse(&own, text).entry(&id) {
            Some(Stored::Grant(stored)) if stored.is_same(&old) => {
                let changed = entry::with_renewed(text, &id, stored, &new)?;
                read_back(&own, &changed, &id, &new)?;
                Ok((Some(changed), true))
            }
            _ => Ok((None, false)),
        }
    })
    .await
}

/// What is written must read back as what was meant.
fn read_back(path: &Path, text: &str, id: &str, grant: &Grant) -> Result<(), JsoncError> {
    match AuthFile::parse(path, text).entry(id) {
        Some(Stored::Grant(read)) if read.is_same(grant) && read.expires_ms == grant.expires_ms => Ok(()),
        _ => Err(misplaced()),
    }
}

/// Takes the entry `id` out. Whether there was one.
pub(super) async fn remove(
    system: &System,
    id: &str,
    cancel: &CancellationToken,
) -> Result<bool, ChangeError> {
    let path = path(system).ok_or(ChangeError::NoFolder)?;
    if AuthFile::stamp(system).is_none() {
        return Ok(false);
    }
    let (id, own) = (id.to_owned(), path.clone());
    change(system, &path, cancel, move |text| {
        let Some(changed) = edit::without(text, &[&id])? else { return Ok((None, false)) };
        let (before, after) = (AuthFile::parse(&own, text), AuthFile::parse(&own, &changed));
        if before.differing(&after).eq([id.as_str()]) { Ok((Some(changed), true)) } else { Err(misplaced()) }
    })
    .await
}

/// A change that did not come out as it was meant: nothing is written.
fn misplaced() -> JsoncError {
    let message = "the entry cannot be changed where it stands".to_owned();
    JsoncError { line: 0, column: 0, message, path: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
