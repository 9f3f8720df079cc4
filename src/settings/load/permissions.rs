//! Reads the rules of permissions. A list that cannot be read must not be lost in silence: where it would ask or
//! deny, everything is asked about instead.

use std::path::Path;

use super::{Layer, Source, read_text, shown};
use crate::settings::jsonc::{Document, Entry, Value};
use crate::settings::{Diagnostic, Permissions, Remembered, table};
use crate::system::System;

/// Where a folder keeps its own settings.
const FOLDER: &str = ".aside";

/// Folders that are remembered.
const MAX_FOLDERS: usize = 2_000;

/// Stands in the place of rules that could not be read: it is none, and so asks about everything.
const UNREADABLE: &str = "";

impl Layer<'_> {
    /// The object `permissions`.
    pub(super) fn permissions(&mut self, object: Value<'_>, permissions: &mut Permissions, source: Source) {
        let entries = match object.entries() {
            Ok(entries) => entries,
            Err(mut error) => {
                error.path = "permissions".into();
                self.diagnostics.push(Diagnostic::at(self.path, error));
                permissions.ask.push(UNREADABLE.to_owned());
                return;
            }
        };
        let is_user = source == Source::User;
        for entry in entries {
            if self.is_full() {
                break;
            }
            let named = Entry { key: format!("permissions.{}", entry.key), value: entry.value };
            match (entry.key.as_str(), is_user) {
                ("allow", true) => {
                    if let Some(rules) = self.typed::<Option<Vec<String>>>(&named) {
                        permissions.allow = rules.unwrap_or_default();
                    }
                }
                ("ask", true) => permissions.ask = self.restrictions(&named),
                ("deny", true) => permissions.deny = self.restrictions(&named),
                ("ask", false) => permissions.client_ask = self.restrictions(&named),
                ("deny", false) => permissions.client_deny = self.restrictions(&named),
                ("allowFull", true) => {
                    if let Some(allow) = self.typed::<Option<bool>>(&named) {
                        permissions.allow_full = allow;
                    }
                }
                ("remembered", true) => permissions.remembered = self.remembered(&named),
                ("allow" | "allowFull" | "remembered", false) => {
                    let message = format!("{} is only heard from the user's own settings.json", named.key);
                    self.diagnostics.push(Diagnostic::at(self.path, entry.value.error(message)));
                }
                _ => self.unknown(&entry, "permissions.", &table::names(Some("permissions"))),
            }
        }
    }

    /// Rules that ask or deny.
    fn restrictions(&mut self, entry: &Entry<'_>) -> Vec<String> {
        match self.typed::<Option<Vec<String>>>(entry) {
            Some(rules) => rules.unwrap_or_default(),
            None => vec![UNREADABLE.to_owned()],
        }
    }

    fn remembered(&mut self, entry: &Entry<'_>) -> Vec<Remembered> {
        let folders = entry.value.entries().map_err(|mut error| {
            error.path.clone_from(&entry.key);
            error
        });
        let mut remembered = Vec::new();
        for folder in self.good(folders).unwrap_or_default().into_iter().take(MAX_FOLDERS) {
            if self.is_full() {
                break;
            }
            let path = format!("{}.{}", entry.key, shown(&folder.key));
            let mut known = Remembered { folder: folder.key.clone(), ..Remembered::default() };
            for list in self.good(folder.value.entries()).unwrap_or_default() {
                let named = Entry { key: format!("{path}.{}", list.key), value: list.value };
                match list.key.as_str() {
                    "allow" => known.allow = self.typed::<Vec<String>>(&named).unwrap_or_default(),
                    "deny" => known.deny = self.restrictions(&named),
                    _ => self.unknown(&list, &format!("{path}."), &["allow", "deny"]),
                }
            }
            remembered.push(known);
        }
        remembered
    }
}

/// The rules of the user's own file as it stands now.
pub fn user_permissions(system: &System) -> (Permissions, Vec<Diagnostic>) {
    match &system.dirs.config {
        Some(folder) => only_permissions(system, &folder.join(super::SETTINGS_FILE)),
        None => (Permissions::default(), Vec::new()),
    }
}

/// The rules of whoever manages the machine.
pub fn managed_permissions(system: &System) -> (Permissions, Vec<Diagnostic>) {
    match &system.dirs.managed {
        Some(folder) => only_permissions(system, &folder.join(super::SETTINGS_FILE)),
        None => (Permissions::default(), Vec::new()),
    }
}

/// The rules of a folder that is worked on. Whoever calls takes only restrictions from it.
pub fn folder_permissions(system: &System, folder: &Path) -> (Permissions, Vec<Diagnostic>) {
    let own = folder.join(FOLDER);
    let path = own.join(super::SETTINGS_FILE);
    // Only a regular file: a pipe of that name would be waited for without end.
    let files = system.files.list(&own).unwrap_or_default();
    if files.iter().any(|file| file.path == path) {
        only_permissions(system, &path)
    } else {
        (Permissions::default(), Vec::new())
    }
}

fn only_permissions(system: &System, path: &Path) -> (Permissions, Vec<Diagnostic>) {
    let mut permissions = Permissions::default();
    let mut diagnostics = Vec::new();
    let unreadable = Permissions { ask: vec![UNREADABLE.to_owned()], ..Permissions::default() };
    let text = match read_text(system, path) {
        Ok(Some(text)) => text,
        Ok(None) => return (permissions, diagnostics),
        Err(diagnostic) => return (unreadable, vec![diagnostic]),
    };
    let document = match Document::new(&text) {
        Ok(document) => document,
        Err(error) => return (unreadable, vec![Diagnostic::at(path, error)]),
    };
    match document.root().and_then(|root| root.entries()) {
        Ok(entries) => {
            let mut layer = Layer { path, diagnostics: &mut diagnostics };
            for entry in entries.iter().filter(|entry| entry.key == "permissions") {
                layer.permissions(entry.value, &mut permissions, Source::User);
            }
        }
        Err(error) => return (unreadable, vec![Diagnostic::at(path, error)]),
    }
    (permissions, diagnostics)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::system::Dirs;

    fn system() -> (tempfile::TempDir, System) {
        let home = tempfile::tempdir().unwrap();
        let mut system = System::real();
        system.dirs = Dirs { managed: Some(home.path().join("managed")), ..Dirs::below(home.path()) };
        (home, system)
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn the_user_allows_and_the_client_only_restricts() {
        let (home, system) = system();
        let file = r#"{"permissions": {
            "allow": ["shell(make)"], "ask": ["edit"], "deny": null, "allowFull": true,
            "remembered": {"/a": {"allow": ["edit=/a/b"], "deny": ["read=/x"]}}
        }}"#;
        system.files.replace(&home.path().join("settings.json"), file.as_bytes()).unwrap();
        let client = r#"{"permissions": {"allow": ["*"], "allowFull": true, "remembered": {}, "ask": ["a"], "deny": ["b"]}}"#;
        let client = serde_json::value::RawValue::from_string(client.to_owned()).unwrap();
        let (settings, told) = Settings::load(&system, Some(&client));
        assert_eq!(
            settings.permissions,
            Permissions {
                allow: texts(&["shell(make)"]),
                ask: texts(&["edit"]),
                deny: Vec::new(),
                allow_full: Some(true),
                remembered: vec![Remembered {
                    folder: "/a".to_owned(),
                    allow: texts(&["edit=/a/b"]),
                    deny: texts(&["read=/x"]),
                }],
                client_ask: texts(&["a"]),
                client_deny: texts(&["b"]),
            }
        );
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told.iter().all(|told| told.message.contains("only heard from the user's own")), "{told:?}");
    }

    #[test]
    fn restrictions_that_cannot_be_read_ask_about_everything() {
        let unreadable = texts(&[UNREADABLE]);
        let (home, system) = system();
        for (text, ask, deny) in [
            (r#"{"permissions": {"deny": "shell(rm *)"}}"#, &[][..], &unreadable[..]),
            (r#"{"permissions": {"ask": [1]}}"#, &unreadable[..], &[][..]),
            (r#"{"permissions": ["shell"]}"#, &unreadable[..], &[][..]),
        ] {
            system.files.replace(&home.path().join("settings.json"), text.as_bytes()).unwrap();
            let (settings, told) = Settings::load(&system, None);
            assert_eq!(
                (&settings.permissions.ask[..], &settings.permissions.deny[..]),
                (ask, deny),
                "{text}"
            );
            assert_eq!(told.len(), 1, "{text}");
        }
        for text in ["{", "[]", "{\"permissions\": 1}", "/*"] {
            system.files.replace(&home.path().join("managed/settings.json"), text.as_bytes()).unwrap();
            let (managed, told) = managed_permissions(&system);
            assert_eq!((managed.ask, told.len()), (unreadable.clone(), 1), "{text}");
        }
    }

    #[test]
    fn a_folder_has_rules_where_it_has_the_file() {
        let (home, system) = system();
        assert_eq!(folder_permissions(&system, home.path()), (Permissions::default(), Vec::new()));
        let path = home.path().join(".aside/settings.json");
        system.files.replace(&path, b"{\"proxy\": \"x\", \"permissions\": {\"deny\": [\"edit\"]}}").unwrap();
        let (own, told) = folder_permissions(&system, home.path());
        assert_eq!((own.deny, told), (texts(&["edit"]), Vec::new()));
    }
}
