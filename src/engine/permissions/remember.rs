//! Writes an answer that holds for good into the user's `settings.json`, under the folder that it was given for.
//!
//! The rest of the file stays as it is, byte for byte. It must never write a rule that means more than was shown.

use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::Decision;
use crate::settings::change::{ChangeError, Edited, change};
use crate::settings::edit::with;
use crate::settings::jsonc::Document;
use crate::settings::load::SETTINGS_FILE;
use crate::system::System;

/// Adds `rules` to what is remembered for `folder`. Returns when the file is on the disk.
pub async fn remember(
    system: &System,
    folder: &Path,
    decision: Decision,
    rules: Vec<String>,
    cancel: &CancellationToken,
) -> Result<(), ChangeError> {
    let Some(path) = system.dirs.config.as_ref().map(|dir| dir.join(SETTINGS_FILE)) else {
        return Err(ChangeError::NoFolder);
    };
    let Some(folder) = folder.to_str().map(str::to_owned) else { return Err(ChangeError::NoFolder) };
    change(system, &path, cancel, move |text| added(text, &folder, decision, &rules)).await
}

/// `text` with the rules in it; nothing where they are there already.
fn added(text: &str, folder: &str, decision: Decision, rules: &[String]) -> Edited<()> {
    let list = if decision == Decision::Allow { "allow" } else { "deny" };
    let path = ["permissions", "remembered", folder, list];
    let mut known = listed(text, &path)?;
    let before = known.len();
    for rule in rules {
        if !known.contains(rule) {
            known.push(rule.clone());
        }
    }
    if known.len() == before {
        return Ok((None, ()));
    }
    // Strings are always JSON.
    let value = serde_json::to_string_pretty(&known).unwrap_or_default();
    Ok((Some(with(text, &path, &value)?), ()))
}

/// The rules that stand at `path`.
fn listed(text: &str, path: &[&str]) -> Result<Vec<String>, crate::settings::jsonc::JsoncError> {
    let document = Document::new(text)?;
    let mut value = document.root()?;
    for name in path {
        match value.entries()?.into_iter().rev().find(|entry| entry.key == *name) {
            Some(entry) => value = entry.value,
            None => return Ok(Vec::new()),
        }
    }
    value.parse()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use crate::system::Dirs;

    #[test]
    fn an_answer_is_added_where_it_belongs() {
        let add = |text: &str, rule: &str| added(text, "/w", Decision::Allow, &[rule.to_owned()]).unwrap().0;
        let first = add("{ // mine\n  \"proxy\": \"p\"\n}\n", "shell=make \"x\"").unwrap();
        assert_eq!(
            first,
            "{ // mine\n  \"proxy\": \"p\",\n  \"permissions\": {\n    \"remembered\": {\n      \"/w\": {\n        \
             \"allow\": [\n          \"shell=make \\\"x\\\"\"\n        ]\n      }\n    }\n  }\n}\n"
        );
        let second = add(&first, "edit=/w/a").unwrap();
        assert!(second.contains("\"shell=make \\\"x\\\"\",\n          \"edit=/w/a\"\n"), "{second}");
        assert_eq!(add(&second, "edit=/w/a"), None);
        assert!(second.starts_with("{ // mine\n  \"proxy\": \"p\",\n"), "{second}");
        for broken in [
            "{",
            "[]",
            "{\"permissions\": 1}",
            "{\"permissions\": {\"remembered\": {\"/w\": {\"allow\": 1}}}}",
        ] {
            assert!(added(broken, "/w", Decision::Allow, &["x".to_owned()]).is_err(), "{broken}");
        }
    }

    #[tokio::test]
    async fn what_was_written_is_read_again() {
        let home = tempfile::tempdir().unwrap();
        let mut system = System::real();
        system.dirs = Dirs::below(home.path());
        let cancel = CancellationToken::new();
        for (folder, decision, rule) in [
            ("/w", Decision::Allow, "shell=make"),
            ("/w", Decision::Deny, "edit=/w/a"),
            ("/w", Decision::Allow, "shell=make"),
            ("/o", Decision::Allow, "shell=ls"),
        ] {
            remember(&system, Path::new(folder), decision, vec![rule.to_owned()], &cancel).await.unwrap();
        }
        let (settings, told) = Settings::load(&system, None);
        assert_eq!(told, []);
        let known: Vec<_> = settings
            .permissions
            .remembered
            .iter()
            .map(|known| (known.folder.as_str(), known.allow.join(","), known.deny.join(",")))
            .collect();
        assert_eq!(
            known,
            [
                ("/w", "shell=make".to_owned(), "edit=/w/a".to_owned()),
                ("/o", "shell=ls".to_owned(), String::new())
            ]
        );
        system.dirs = Dirs::default();
        let nowhere =
            remember(&system, Path::new("/w"), Decision::Allow, vec!["x".to_owned()], &cancel).await;
        assert!(matches!(nowhere, Err(ChangeError::NoFolder)), "{nowhere:?}");
    }
}
