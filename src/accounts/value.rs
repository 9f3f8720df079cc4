//! What the text of a key or header in a file stands for: `!command`, a template with `$NAME` or `${NAME}`, the
//! bare `NAME` of a variable that is set, or just itself.
//!
//! It must never put a value or a command into a message: both may hold secrets.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

use crate::system::System;
use crate::system::process::{Bounds, ProcessError, run_shell};

/// A credential helper that wants more than this waits for a person who does not see it.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(10), output: 64 << 10 };

/// How long a failure is taken for the answer.
const FAILURE_KEPT: Duration = Duration::from_secs(5);

/// Characters of a command's complaint that are shown.
const COMPLAINT: usize = 300;

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

/// What commands have printed, for the life of the process.
#[derive(Clone, Default)]
pub(super) struct Commands(Arc<Mutex<HashMap<String, Outcome>>>);

#[derive(Clone)]
enum Outcome {
    Printed(SecretString),
    Failed { at: Instant, how: String },
}

/// What `text` stands for.
pub(super) async fn resolve(
    text: &str,
    variables: Variables<'_>,
    commands: &Commands,
) -> Result<SecretString, ValueError> {
    if let Some(command) = text.strip_prefix('!') {
        return commands.run(command, variables.system).await;
    }
    match variables.get(text).filter(|_| is_legacy_name(text)) {
        Some(value) => sendable(value),
        None => sendable(&expand(text, variables)?),
    }
}

/// Whether the value is there, without running anything.
pub(super) fn is_there(text: &str, variables: Variables<'_>) -> bool {
    !text.trim().is_empty() && (text.starts_with('!') || expand(text, variables).is_ok())
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
fn expand(text: &str, variables: Variables<'_>) -> Result<String, ValueError> {
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

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Old files name a variable without a dollar sign.
fn is_legacy_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

impl Commands {
    async fn run(&self, command: &str, system: &System) -> Result<SecretString, ValueError> {
        match self.known(command) {
            Some(Outcome::Printed(value)) => return Ok(value),
            Some(Outcome::Failed { at, how }) if at.elapsed() < FAILURE_KEPT => {
                return Err(ValueError::Command(how));
            }
            _ => {}
        }
        let outcome = match run_shell(system, command, BOUNDS).await {
            Ok(finished) if finished.success => printed(&finished.stdout),
            Ok(finished) => {
                let end = finished.code.map_or("a signal".into(), |code| format!("status {code}"));
                Err(format!("it ended with {end}{}", complaint(&finished.stderr)))
            }
            Err(ProcessError::Time(limit)) => {
                Err(format!("it took longer than {} s (it has no terminal to ask at)", limit.as_secs()))
            }
            Err(error) => Err(error.to_string()),
        };
        let (outcome, result) = match outcome {
            Ok(value) => (Outcome::Printed(value.clone()), Ok(value)),
            Err(how) => {
                (Outcome::Failed { at: Instant::now(), how: how.clone() }, Err(ValueError::Command(how)))
            }
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(command.to_owned(), outcome);
        result
    }

    fn known(&self, command: &str) -> Option<Outcome> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(command).cloned()
    }
}

fn printed(stdout: &[u8]) -> Result<SecretString, String> {
    let text = std::str::from_utf8(stdout).map_err(|_| "it printed something that is not text".to_owned())?;
    sendable(text).map_err(|error| match error {
        ValueError::Unusable(why) => format!("what it printed cannot be used: {why}"),
        ValueError::Command(how) => how,
        ValueError::Unset(_) => String::new(),
    })
}

/// What a command said of its failure, fit for a message: one line, cut, without anything that looks like a key.
fn complaint(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr.get(..stderr.len().min(4 * COMPLAINT)).unwrap_or_default());
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = words.map(redacted).collect::<Vec<_>>().join(" ");
    let line: String = line.chars().take(COMPLAINT).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}

/// A word, or stars where it is long and mixed enough to be a key.
fn redacted(word: &str) -> &str {
    let is_path = word.starts_with(['/', '~', '.']);
    let looks_secret = |part: &str| {
        (part.len() >= 16 && part.bytes().any(|byte| byte.is_ascii_digit()))
            || part.len() >= 32
            || (part.starts_with("sk-") && part.len() > 6)
    };
    let mut parts = word.split(['=', ':', ',', ';', '\'', '"', '(', ')', '<', '>']);
    if !is_path && parts.any(looks_secret) { "***" } else { word }
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

    #[test]
    fn complaints_show_no_keys() {
        let stderr = b"vault: \x1b[1m locked;\ttoken=abcdefgh12345678 'sk-secret1' /run/user/1000/op-daemon.sock missing\n";
        assert_eq!(complaint(stderr), ": vault: [1m locked; *** *** /run/user/1000/op-daemon.sock missing");
        assert_eq!(complaint(b"\n"), "");
        assert!(complaint(&b"x ".repeat(100_000)).len() <= COMPLAINT + 2);
    }

    #[cfg(unix)]
    #[test]
    fn commands_run_once_and_failures_are_tried_again() {
        let home = tempfile::tempdir().unwrap();
        let mut system = world(&[("PATH", "/usr/bin:/bin"), ("SECRET", "s3")]);
        system.working_dir = home.path().to_path_buf();
        let own = BTreeMap::new();
        let variables = Variables { own: &own, system: &system };
        let commands = Commands::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let counted = "!echo run >> count; echo \" $SECRET\" | cat; echo";
            for _ in 0..2 {
                assert_eq!(shown(resolve(counted, variables, &commands).await), Ok("s3".into()));
            }
            assert_eq!(system.files.read(&home.path().join("count")).unwrap(), b"run\n");

            let failing = "!test -e open && echo k || { echo the vault is locked >&2; exit 4; }";
            let locked = Err(ValueError::Command("it ended with status 4: the vault is locked".into()));
            assert_eq!(shown(resolve(failing, variables, &commands).await), locked);
            system.files.create_new(&home.path().join("open")).unwrap();
            assert_eq!(shown(resolve(failing, variables, &commands).await), locked);
            tokio::time::pause();
            tokio::time::advance(FAILURE_KEPT).await;
            tokio::time::resume();
            assert_eq!(shown(resolve(failing, variables, &commands).await), Ok("k".into()));

            let empty = shown(resolve("!true", variables, &commands).await);
            assert_eq!(empty, Err(ValueError::Command("what it printed cannot be used: it is empty".into())));
        });
    }
}
