//! The rules that hold for a session, from every layer that has any.

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use super::rule::{Reading, Rule, Subject};
use super::{Decision, Layer};
use crate::settings::load::permissions::{folder_permissions, managed_permissions, user_permissions};
use crate::settings::{Permissions, Settings};
use crate::system::System;

/// Rules that are read of one list: a folder that is worked on could have any number, and each costs time.
const MAX_RULES: usize = 500;

/// The rules of a session.
#[derive(Debug, Default)]
pub struct Rules {
    all: Vec<(Layer, Decision, Rule)>,
    /// Whether the mode `full` may be chosen.
    pub allow_full: bool,
    /// What is wrong with them, for the person.
    pub warnings: Vec<String>,
}

impl Rules {
    /// Reads the files of the user, of the machine and of the session's folders as they stand now, and takes what the
    /// client sent from `settings`. May take as long as the file system does.
    pub fn load(system: &System, settings: &Settings, roots: &[PathBuf]) -> Self {
        let (mut user, diagnostics) = user_permissions(system);
        user.client_ask.clone_from(&settings.permissions.client_ask);
        user.client_deny.clone_from(&settings.permissions.client_deny);
        let mut rules = Self::new(&user, system.dirs.home.as_deref(), roots);
        rules.warnings.extend(diagnostics.iter().map(|problem| problem.message.clone()));
        let home = system.dirs.home.as_deref();
        let (managed, diagnostics) = managed_permissions(system);
        rules.add_all(Layer::Managed, &managed, home, roots);
        if managed.allow_full == Some(false) {
            rules.allow_full = false;
        }
        rules.warnings.extend(diagnostics.iter().map(|problem| problem.message.clone()));
        for root in roots {
            let (own, diagnostics) = folder_permissions(system, root);
            rules.warnings.extend(diagnostics.iter().map(|problem| problem.message.clone()));
            // A folder may restrict, and nothing else.
            let restrictions = Permissions { ask: own.ask, deny: own.deny, ..Permissions::default() };
            rules.add_all(Layer::Folder, &restrictions, home, roots);
            if !own.allow.is_empty() || own.allow_full.is_some() || !own.remembered.is_empty() {
                let message = "a folder's own settings may only ask and deny: what they allow is not heard";
                rules.warnings.push(message.to_owned());
            }
        }
        rules
    }

    /// The rules of the user's settings and of what the client sent.
    pub fn new(permissions: &Permissions, home: Option<&Path>, roots: &[PathBuf]) -> Self {
        let mut rules = Self { allow_full: permissions.allow_full == Some(true), ..Self::default() };
        rules.add_all(Layer::User, permissions, home, roots);
        let client = Permissions {
            ask: permissions.client_ask.clone(),
            deny: permissions.client_deny.clone(),
            ..Permissions::default()
        };
        rules.add_all(Layer::Client, &client, home, roots);
        let first = roots.first().and_then(|root| root.to_str());
        for remembered in &permissions.remembered {
            // What was answered in one folder holds in no other.
            if first == Some(remembered.folder.as_str()) {
                rules.add(Layer::User, Decision::Allow, &remembered.allow, home, roots);
                rules.add(Layer::User, Decision::Deny, &remembered.deny, home, roots);
            }
        }
        rules
    }

    fn add_all(&mut self, layer: Layer, permissions: &Permissions, home: Option<&Path>, roots: &[PathBuf]) {
        self.add(layer, Decision::Allow, &permissions.allow, home, roots);
        self.add(layer, Decision::Ask, &permissions.ask, home, roots);
        self.add(layer, Decision::Deny, &permissions.deny, home, roots);
    }

    fn add(
        &mut self,
        layer: Layer,
        decision: Decision,
        texts: &[String],
        home: Option<&Path>,
        roots: &[PathBuf],
    ) {
        for (index, text) in texts.iter().enumerate() {
            let reading = Reading { decision, home, roots };
            // What is beyond the limit is as good as not understood: it asks about everything.
            let (rule, warning) = match index.cmp(&MAX_RULES) {
                Ordering::Less => Rule::read(text, reading),
                Ordering::Equal => {
                    let (rule, _) = Rule::read("", reading);
                    (rule, Some(format!("there are more than {MAX_RULES} rules in one list")))
                }
                Ordering::Greater => break,
            };
            self.warnings.extend(warning.map(|warning| format!("{layer}: {warning}")));
            if let Some(rule) = rule {
                let decision = if rule.is_broken() { Decision::Ask } else { decision };
                self.all.push((layer, decision, rule));
            }
        }
    }

    /// Every rule that is about `subject`.
    pub fn matching(&self, subject: &Subject<'_>) -> impl Iterator<Item = (Layer, Decision, &Rule)> {
        self.all
            .iter()
            .filter(|(_, decision, rule)| rule.matches(subject, *decision))
            .map(|(layer, decision, rule)| (*layer, *decision, rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Dirs;
    use crate::tools::Place;

    use super::super::rule::Class;

    #[test]
    fn every_layer_is_read_and_says_who_it_is() {
        let home = tempfile::tempdir().unwrap();
        let root = home.path().join("w");
        let mut system = System::real();
        let managed = Some(home.path().join("managed"));
        system.dirs = Dirs { managed, ..Dirs::below(home.path()) };
        let write = |path: &str, text: &str| {
            system.files.replace(&home.path().join(path), text.as_bytes()).unwrap();
        };
        write("settings.json", r#"{"permissions": {"allow": ["edit(a)"], "allowFull": true}}"#);
        write(
            "w/.aside/settings.json",
            r#"{"permissions": {"allow": ["edit"], "ask": ["edit(b)"], "allowFull": true}}"#,
        );
        let client =
            serde_json::value::RawValue::from_string(r#"{"permissions": {"deny": ["edit(c)"]}}"#.to_owned());
        let (settings, _) = Settings::load(&system, Some(&client.unwrap()));
        let roots = [root.clone()];
        let told = |name: &str| {
            let place =
                Place { path: root.join(name), inside: true, protected: None, secret: None, hard_links: 1 };
            let rules = Rules::load(&system, &settings, &roots);
            let subject = Subject::place("edit", Class::Edit, &place, &roots);
            let told: Vec<_> =
                rules.matching(&subject).map(|(layer, decision, _)| (layer, decision)).collect();
            (told, rules.allow_full, rules.warnings.len())
        };
        assert_eq!(told("a"), (vec![(Layer::User, Decision::Allow)], true, 1));
        assert_eq!(told("b"), (vec![(Layer::Folder, Decision::Ask)], true, 1));
        assert_eq!(told("c"), (vec![(Layer::Client, Decision::Deny)], true, 1));
        write("managed/settings.json", r#"{"permissions": {"deny": ["edit(a)"], "allowFull": false}}"#);
        let both = vec![(Layer::User, Decision::Allow), (Layer::Managed, Decision::Deny)];
        assert_eq!(told("a"), (both, false, 1));
        // What is written while a session is open is heard.
        write("settings.json", "{");
        assert_eq!(told("d"), (vec![(Layer::User, Decision::Ask)], false, 3));
    }
}
