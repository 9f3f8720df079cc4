//! What the text of a key or header in a file stands for: `!command`, a template with `$NAME` or `${NAME}`, the
//! bare `NAME` of a variable that is set, or just itself.
//!
//! It must never put a value or a command into a message: both may hold secrets.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::command::Commands;
use crate::system::System;

/// Why a text stands for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ValueError {
    /// The command failed; how it did, without secrets.
    Command(String),
    /// The variables that are not set.
    Unset(Vec<String>),
    /// The value cannot be part of a header; why.
    Unusable(&'static str),
}

/// Where variables are looked up: first those that belong to the entry itself.
#[derive(Clone, Copy)]
pub(super) struct Variables<'v> {
    pub(super) own: &'v BTreeMap<String, String>,
    pub(super) system: &'v System,
}

impl<'v> Variables<'v> {
    pub(super) fn get(&self, name: &str) -> Option<&'v str> {
        let own = self.own.get(name).map(String::as_str).filter(|value| !value.trim().is_empty());
        own.or_else(|| self.system.env.get(name))
    }
}

/// What `text` stands for.
pub(super) async fn resolve(
    text: &str,
    variables: Variables<'_>,
    commands: &Commands,
) -> Result<SecretString, ValueError> {
    if let Some(command) = text.strip_prefix('!') {
        return commands.run(command, variables).await;
    }
    if is_bare_name(text, variables) {
        return sendable(variables.get(text).unwrap_or_default());
    }
    sendable(&expand(text, variables)?)
}

/// Whether the value is there, without running anything.
pub(super) fn is_there(text: &str, variables: Variables<'_>) -> bool {
    !text.trim().is_empty() && (text.starts_with('!') || expand(text, variables).is_ok())
}

/// The variables that a text names and that are not set; `None` where none is missing.
pub(super) fn unset(text: &str, variables: Variables<'_>) -> Option<Vec<String>> {
    if text.starts_with('!') {
        return None;
    }
    match expand(text, variables) {
        Err(ValueError::Unset(names)) => Some(names),
        _ => None,
    }
}

/// The text that stands for `literal` itself.
pub(super) fn escaped(literal: &str) -> String {
    let text = literal.replace('$', "$$");
    if text.starts_with('!') { format!("${text}") } else { text }
}

/// The value without the space around it, if a header can carry it.
pub(super) fn sendable(value: &str) -> Result<SecretString, ValueError> {
    let value = value.trim();
    match value {
        "" => Err(ValueError::Unusable("it is empty")),
        _ if value.contains(['\r', '\n']) => Err(ValueError::Unusable("it has more than one line")),
        _ if value.chars().any(char::is_control) => {
            Err(ValueError::Unusable("it has control characters in it"))
        }
        _ => Ok(value.into()),
    }
}

/// Replaces `$NAME` and `${NAME}`; `$$` and `$!` stand for `$` and `!`, and any other `$` for itself.
pub(super) fn expand(text: &str, variables: Variables<'_>) -> Result<String, ValueError> {
    let mut expanded = String::with_capacity(text.len());
    let mut unset: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        rest = after;
        if let Some(escape) = after.chars().next().filter(|c| matches!(c, '$' | '!')) {
            expanded.push(escape);
            rest = after.get(1..).unwrap_or_default();
            continue;
        }
        let len = |text: &str| text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let (name, following) = match after.strip_prefix('{') {
            // Only as far as a name goes: looking for the brace in all of the text would be quadratic.
            Some(inside) => {
                let (name, tail) = inside.split_at(len(inside));
                (if tail.starts_with('}') { name } else { "" }, tail.get(1..).unwrap_or_default())
            }
            None => after.split_at(len(after)),
        };
        if !is_name(name) {
            expanded.push('$');
            continue;
        }
        rest = following;
        match variables.get(name) {
            Some(value) => expanded.push_str(value),
            None if unset.len() >= 8 || unset.iter().any(|known| known == name) => {}
            None => unset.push(name.to_owned()),
        }
    }
    expanded.push_str(rest);
    if unset.is_empty() { Ok(expanded) } else { Err(ValueError::Unset(unset)) }
}

pub(super) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether `text` is the bare name of a variable that is set: old files name one without a dollar sign.
pub(super) fn is_bare_name(text: &str, variables: Variables<'_>) -> bool {
    is_legacy_name(text) && variables.get(text).is_some()
}

pub(super) fn is_legacy_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn world(env: &[(&str, &str)]) -> System {
        let mut system = System::real();
        system.env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        system
    }

    fn shown(value: Result<SecretString, ValueError>) -> Result<String, ValueError> {
        value.map(|value| value.expose_secret().to_owned())
    }

    #[track_caller]
    fn check(text: &str, expected: Result<&str, ValueError>) {
        let system = world(&[("KEY", " k1 "), ("_low9", "k2"), ("BLANK", " "), ("LINES", "a\nb")]);
        let own = BTreeMap::from([("OWN".to_owned(), "k3".to_owned())]);
        let variables = Variables { own: &own, system: &system };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let value = shown(runtime.block_on(resolve(text, variables, &Commands::default())));
        let there = !matches!(expected, Err(ValueError::Unset(_))) && !text.is_empty();
        assert_eq!(value, expected.map(str::to_owned), "{text}");
        assert_eq!(is_there(text, variables), there, "{text}");
    }

    #[test]
    fn texts_stand_for_values() {
        check("sk-plain", Ok("sk-plain"));
        check(" sk-plain\n", Ok("sk-plain"));
        check("KEY", Ok("k1"));
        check("OWN", Ok("k3"));
        check("NOT_SET", Ok("NOT_SET"));
        check("_low9", Ok("_low9"));
        check("$_low9", Ok("k2"));
        check("a-${OWN}-$OWN.$KEY", Ok("a-k3-k3. k1"));
        check("$$OWN $!x", Ok("$OWN !x"));
        check("a$ ${bad-name} ${open $", Ok("a$ ${bad-name} ${open $"));
        check("$9é$", Ok("$9é$"));
        check("${é}", Ok("${é}"));
        check("$GONE/${GONE}/$BLANK", Err(ValueError::Unset(vec!["GONE".into(), "BLANK".into()])));
        check("$LINES", Err(ValueError::Unusable("it has more than one line")));
        check("a\u{7}b", Err(ValueError::Unusable("it has control characters in it")));
        check("", Err(ValueError::Unusable("it is empty")));
    }

    #[test]
    fn escaping_is_undone_by_reading() {
        for literal in ["sk-1", "!x", "$HOME", "a$$b", "$!", "${X}"] {
            check(&escaped(literal), Ok(literal));
        }
    }
}
