//! Credential commands: `!command` in a key or header prints the value.
//!
//! A value is kept for the life of the process, a failure for some seconds; however many calls want the same
//! value, its command runs once. It must never put a command, or what one printed, into a message.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;

use super::value::{ValueError, Variables, sendable};
use crate::system::process::{Bounds, ProcessError, run_shell};

/// A credential helper that wants more than this waits for a person who does not see it.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(10), output: 64 << 10 };

/// How long a failure is taken for the answer.
const FAILURE_KEPT: Duration = Duration::from_secs(5);

/// Characters of a command's complaint that are shown.
const COMPLAINT: usize = 300;

/// What commands have printed. Cloning is cheap, and clones share it.
#[derive(Clone, Default)]
pub(super) struct Commands(Arc<Mutex<HashMap<String, Flight>>>);

/// One command. Held locked while it runs, so that whoever else wants its value waits for it; when the one who
/// runs it is cancelled, the next one runs it.
type Flight = Arc<tokio::sync::Mutex<Option<Outcome>>>;

#[derive(Clone)]
enum Outcome {
    Printed(SecretString),
    Failed { at: Instant, how: String },
}

impl Commands {
    /// What `command` prints, from memory or from a run.
    pub(super) async fn run(
        &self,
        command: &str,
        variables: Variables<'_>,
    ) -> Result<SecretString, ValueError> {
        let flight = {
            let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(flights.entry(identity(command, variables)).or_default())
        };
        let mut known = flight.lock().await;
        match &*known {
            Some(Outcome::Printed(value)) => return Ok(value.clone()),
            Some(Outcome::Failed { at, how }) if at.elapsed() < FAILURE_KEPT => {
                return Err(ValueError::Command(how.clone()));
            }
            _ => {}
        }
        let system = if variables.own.is_empty() {
            variables.system.clone()
        } else {
            let own = variables.own.iter().map(|(name, value)| (name.clone(), value.clone()));
            variables.system.with_environment(own)
        };
        let outcome = match run_shell(&system, command, BOUNDS).await {
            Ok(finished) if finished.success => printed(&finished.stdout),
            Ok(finished) => {
                let end = finished.code.map_or("a signal".into(), |code| format!("status {code}"));
                Err(format!("it ended with {end}{}", complaint(&finished.stderr, &finished.stdout)))
            }
            Err(ProcessError::Time(limit)) => {
                Err(format!("it took longer than {} s (it has no terminal to ask at)", limit.as_secs()))
            }
            Err(error) => Err(error.to_string()),
        };
        match outcome {
            Ok(value) => {
                *known = Some(Outcome::Printed(value.clone()));
                Ok(value)
            }
            Err(how) => {
                *known = Some(Outcome::Failed { at: Instant::now(), how: how.clone() });
                Err(ValueError::Command(how))
            }
        }
    }

    /// Forgets what `command` printed if `is_refused` says that it is of no use, so that it is run once more.
    /// A value that somebody else has fetched anew meanwhile stays.
    pub(super) fn forget(
        &self,
        command: &str,
        variables: Variables<'_>,
        is_refused: impl Fn(&SecretString) -> bool,
    ) {
        let flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(flight) = flights.get(&identity(command, variables)) else { return };
        // A flight that is locked is running: its value is not the one that was refused.
        if let Ok(mut known) = flight.try_lock()
            && matches!(&*known, Some(Outcome::Printed(value)) if is_refused(value))
        {
            *known = None;
        }
    }
}

impl Commands {
    /// What commands have printed as secrets.
    pub(super) fn printed(&self) -> Vec<SecretString> {
        let flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let values = flights.values().filter_map(|flight| match &*flight.try_lock().ok()? {
            Some(Outcome::Printed(value)) => Some(value.clone()),
            Some(Outcome::Failed { .. }) | None => None,
        });
        values.collect()
    }
}

/// The same command with other variables may print something else.
fn identity(command: &str, variables: Variables<'_>) -> String {
    let mut identity = command.to_owned();
    for (name, value) in variables.own {
        for part in ["\0", name, "=", value] {
            identity.push_str(part);
        }
    }
    identity
}

fn printed(stdout: &[u8]) -> Result<SecretString, String> {
    let text = std::str::from_utf8(stdout).map_err(|_| "it printed something that is not text".to_owned())?;
    sendable(text).map_err(|error| match error {
        ValueError::Unusable(why) => format!("what it printed cannot be used: {why}"),
        ValueError::Command(how) => how,
        ValueError::Unset(_) => String::new(),
    })
}

/// What a command said of its failure, fit for a message: one line, cut, without anything that looks like a key
/// or was also printed as one.
fn complaint(stderr: &[u8], stdout: &[u8]) -> String {
    let start = |bytes: &[u8]| {
        String::from_utf8_lossy(bytes.get(..bytes.len().min(4 * COMPLAINT)).unwrap_or_default()).into_owned()
    };
    let (text, output) = (start(stderr), start(stdout));
    let printed: Vec<&str> = output.split_whitespace().filter(|word| word.len() >= 6).take(20).collect();
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let words = words.map(|word| {
        if looks_secret(word) || printed.iter().any(|printed| word.contains(printed)) { "***" } else { word }
    });
    let line = words.collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !is_hidden(*c)).take(COMPLAINT).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}

/// Characters that turn the direction of writing or hide text.
fn is_hidden(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether a part of the word is long and mixed enough to be a key.
fn looks_secret(word: &str) -> bool {
    let parts = word
        .split(['/', '\\', '=', ':', ',', ';', '\'', '"', '`', '(', ')', '[', ']', '<', '>', '&', '?', '@']);
    parts.into_iter().any(|part| {
        (part.len() >= 16 && part.bytes().any(|byte| byte.is_ascii_digit()))
            || part.len() >= 32
            || (part.starts_with("sk-") && part.len() > 6)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use secrecy::ExposeSecret as _;

    use super::super::value::resolve;
    use super::*;
    use crate::system::System;

    fn world(env: &[(&str, &str)]) -> System {
        let mut system = System::real();
        system.env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        system
    }

    fn shown(value: Result<SecretString, ValueError>) -> Result<String, ValueError> {
        value.map(|value| value.expose_secret().to_owned())
    }

    #[test]
    fn complaints_show_no_keys() {
        let stderr = b"vault: \x1b[1m locked;\ttoken=abcdefgh12345678 'sk-secret1' /run/user/1000/op-daemon.sock missing\n";
        assert_eq!(
            complaint(stderr, b""),
            ": vault: [1m locked; *** *** /run/user/1000/op-daemon.sock missing"
        );
        assert_eq!(complaint(b"\n", b""), "");
        assert_eq!(complaint(b"+ echo hunter2x\n+ false", b"hunter2x\n"), ": + echo *** + false");
        assert_eq!(complaint(b"/v1/ab12cd34ef56ab78cd90 gone", b""), ": *** gone");
        assert!(complaint(&b"x ".repeat(100_000), b"").len() <= COMPLAINT + 2);
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
