//! Every secret that is known here, for whoever must keep them from being seen: what `auth.json` holds, what
//! `models.json` and the variables of providers hold, and what commands have printed.
//!
//! It must never run a command, nor be used to send anything anywhere.

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretString;

use super::Accounts;
use super::auth_file;
use super::value::{Variables, expand, is_bare_name};
use crate::catalog::Provider;
use crate::settings::jsonc;
use crate::settings::load::read_text;

/// Fields of `auth.json` that hold no secret, whatever their length.
const PLAIN: &[&str] = &["type", "expires", "email", "baseUrl", "enterpriseUrl", "label", "scope", "scopes"];
/// What is shorter stands for itself in too many places. In bytes.
const SHORTEST: usize = 8;

impl Accounts {
    /// The secrets of these providers, and of everything that is stored.
    pub fn known_secrets(&self, providers: &[Arc<Provider>]) -> Vec<SecretString> {
        let mut found = Vec::new();
        let own = BTreeMap::new();
        let variables = Variables { own: &own, system: &self.system };
        let mut add = |value: &str| {
            let value = value.trim();
            if value.len() >= SHORTEST {
                found.push(SecretString::from(value));
            }
        };
        let mut meant = |text: &str, variables: Variables<'_>| {
            if is_bare_name(text, variables) {
                add(variables.get(text).unwrap_or_default());
            } else if !text.starts_with('!')
                && let Ok(value) = expand(text, variables)
            {
                add(&value);
            }
        };
        for provider in providers {
            for name in provider.key_variables.iter().chain(&provider.bearer_variables) {
                meant(&format!("${{{name}}}"), variables);
            }
            if let Some(key) = provider.api_key.as_deref() {
                meant(key, variables);
            }
        }
        for text in self.stored_texts() {
            meant(&text, variables);
        }
        found.extend(self.commands.printed());
        found
    }

    /// Every text of `auth.json` that may be a secret, whatever kind of entry it stands in.
    fn stored_texts(&self) -> Vec<String> {
        let text = auth_file::path(&self.system).and_then(|path| read_text(&self.system, &path).ok()?);
        // A file that is broken somewhere cannot be used for anything either.
        let root = text.and_then(|text| jsonc::parse::<serde_json::Value>(&text).ok());
        let mut texts = Vec::new();
        let mut waiting: Vec<serde_json::Value> = root.into_iter().collect();
        while let Some(value) = waiting.pop() {
            match value {
                serde_json::Value::String(text) => texts.push(text),
                serde_json::Value::Array(values) => waiting.extend(values),
                serde_json::Value::Object(fields) => {
                    let secret = fields.into_iter().filter(|(name, _)| !PLAIN.contains(&name.as_str()));
                    // The variables of an entry are regions and projects too: those are no secrets.
                    waiting.extend(secret.filter(|(name, _)| name != "env").map(|(_, value)| value));
                }
                _ => {}
            }
        }
        texts
    }
}
