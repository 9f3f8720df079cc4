//! What the commands of a model see of the environment: all of it, less what is or looks like a secret.
//!
//! A variable is kept back for its name, for its value, or because it is Aside's own. What a person's own settings
//! let through (`tools.env.pass`) passes; a folder's settings never do.

use secrecy::{ExposeSecret as _, SecretString};

use crate::accounts::Accounts;
use crate::catalog::Catalog;
use crate::system::Env;

/// Secrets that are shorter are found everywhere by chance. In bytes.
const SHORTEST: usize = 8;

/// Words of names that hold secrets.
const SECRET: &[&str] =
    &["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "PRIVATE", "PASS", "PWD"];
/// Those of them that also end longer words, as in `PGPASSWORD` and `APIKEY`.
const ENDINGS: &[&str] = &["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL"];
/// Words that end so and mean something else.
const HARMLESS: &[&str] = &["MONKEY", "DONKEY", "TURKEY", "HOCKEY", "JOCKEY", "WHISKEY", "HOTKEY", "LESSKEY"];
/// Names that are known to hold none, though they look like it.
const KNOWN_GOOD: &[&str] = &["PWD", "PASSWORD_STORE_DIR"];
/// Names of secrets that no word gives away.
const KNOWN_BAD: &[&str] = &["REDIS_AUTH", "REDISCLI_AUTH", "SSHPASS", "MYSQL_PWD", "NETRC", "_AUTH"];

/// Variables by which a shell runs something before, or instead of, what it is told.
const TRAPS: &[&str] =
    &["BASH_ENV", "ENV", "CDPATH", "GLOBIGNORE", "SHELLOPTS", "BASHOPTS", "PROMPT_COMMAND"];

/// How keys of well-known services begin.
const PREFIXES: &[&str] = &[
    "sk-",
    "sk_live_",
    "rk_live_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "ya29.",
    "npm_",
    "pypi-",
    "hf_",
    "gsk_",
    "xai-",
    "eyJ",
    "-----BEGIN ",
];
/// What is shorter than that is no key of such a service.
const SHORTEST_KEY: usize = 16;

/// What must not be seen.
#[derive(Clone, Default)]
pub struct Secrets {
    /// Names of the variables that providers' keys are looked for in.
    pub names: Vec<String>,
    /// Values, wherever they were found.
    pub values: Vec<SecretString>,
}

impl Secrets {
    /// All that are known: reads files that have changed, and runs nothing.
    pub fn known(accounts: &Accounts, catalog: &Catalog) -> Self {
        let providers = catalog.providers();
        let names = providers.iter().flat_map(|provider| {
            provider.key_variables.iter().chain(&provider.bearer_variables).map(ToString::to_string)
        });
        Self { names: names.collect(), values: accounts.known_secrets(&providers) }
    }
}

/// What stays for the commands of a model.
pub fn visible(env: &Env, secrets: &Secrets, pass: &[String]) -> Vec<(String, String)> {
    let values = forms(secrets);
    let stays = |name: &str, value: &str| {
        if is_own(name) || is_trap(name) {
            return false;
        }
        if pass.iter().any(|passed| is_same_name(passed, name)) {
            return true;
        }
        !(secrets.names.iter().any(|secret| is_same_name(secret, name))
            || is_secret_name(name)
            || is_secret_value(value)
            || values.iter().any(|secret| value.contains(secret.as_str())))
    };
    env.iter()
        .filter(|(name, value)| stays(name, value))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The values as they may stand in others: as they are, and as an address has them.
fn forms(secrets: &Secrets) -> Vec<String> {
    let mut forms = Vec::new();
    for value in &secrets.values {
        let value = value.expose_secret().trim();
        if value.len() < SHORTEST {
            continue;
        }
        forms.push(value.to_owned());
        let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        if encoded != value {
            forms.push(encoded);
        }
    }
    forms
}

/// Names of variables are the same in any case where the system says so, and a secret is one in any case.
fn is_same_name(one: &str, other: &str) -> bool {
    if cfg!(windows) { one.eq_ignore_ascii_case(other) } else { one == other }
}

fn is_own(name: &str) -> bool {
    name.to_ascii_uppercase().starts_with("ASIDE_")
}

/// Also functions that an outer shell hands down, which would stand in for the commands that were judged.
fn is_trap(name: &str) -> bool {
    TRAPS.contains(&name) || name.starts_with("BASH_FUNC_")
}

/// Whether a variable of that name is taken to hold a secret.
fn is_secret_name(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    if KNOWN_GOOD.contains(&upper.as_str()) {
        return false;
    }
    if KNOWN_BAD.iter().any(|bad| upper == *bad || (bad.starts_with('_') && upper.ends_with(bad))) {
        return true;
    }
    words(name).iter().any(|word| {
        let single = word.strip_suffix('S').unwrap_or(word);
        if SECRET.contains(&word.as_str()) || SECRET.contains(&single) {
            return true;
        }
        !HARMLESS.contains(&single) && ENDINGS.iter().any(|ending| single.ends_with(ending))
    })
}

/// The words of `SOME_NAME`, `some-name` and `someName`, in capitals and without digits at their ends.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = '_';
    for character in name.chars() {
        let begins = !character.is_alphanumeric() || (before.is_lowercase() && character.is_uppercase());
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| character.is_alphanumeric()) {
            word.push(character.to_ascii_uppercase());
        }
        before = character;
    }
    words.iter().map(|word| word.trim_matches(|c: char| c.is_ascii_digit()).to_owned()).collect()
}

/// Whether a value looks like a key, or is an address with a password in it.
fn is_secret_value(value: &str) -> bool {
    let value = value.trim();
    let is_key = value.len() >= SHORTEST_KEY
        && PREFIXES.iter().any(|prefix| value.starts_with(prefix))
        && (value.starts_with('-') || !value.contains(char::is_whitespace));
    is_key || holds_password(value)
}

/// `scheme://name:password@host`, anywhere in a value.
fn holds_password(value: &str) -> bool {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once("://") {
        let end =
            after.find(|c: char| matches!(c, '/' | '?' | '#') || c.is_whitespace()).unwrap_or(after.len());
        let authority = after.get(..end).unwrap_or_default();
        let password = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':'));
        if password.is_some_and(|(_, password)| !password.is_empty()) {
            return true;
        }
        rest = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(env: &[(&str, &str)], secrets: &Secrets, pass: &[&str]) -> Vec<String> {
        let env: Env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let pass: Vec<String> = pass.iter().map(|name| (*name).to_owned()).collect();
        visible(&env, secrets, &pass).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn names_are_judged_by_their_words() {
        for name in [
            "OPENAI_API_KEY",
            "openai_api_key",
            "apiKey",
            "OPENAIAPIKEY",
            "GITHUB_TOKEN",
            "GITHUBTOKEN",
            "TOKEN",
            "ACCESS_TOKENS",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID",
            "AWS_SESSION_TOKEN",
            "PGPASSWORD",
            "DB_PASSWORD",
            "MYSQL_PWD",
            "MY_PASSWD2",
            "KEY",
            "KEY2",
            "SECRETS",
            "SECRET_KEY_BASE",
            "TLS_PRIVATE",
            "PRIVATE_KEY",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "SMTP_PASS",
            "DOCKER_AUTH",
            "npm_config__auth",
            "GPG_PASSPHRASE",
            "CLIENT-SECRET",
            "signingKey",
            "REDISCLI_AUTH",
            "KEYS",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "PWD",
            "OLDPWD",
            "KEYBOARD",
            "KEYMAP",
            "XKB_KEYMAP",
            "KEYTIMEOUT",
            "TOKENIZERS_PARALLELISM",
            "MONKEY_MODE",
            "GOPRIVATE",
            "PRIVATEER",
            "SSH_AUTH_SOCK",
            "AUTHOR",
            "GIT_AUTHOR_NAME",
            "COMPASS",
            "PASSENGER_ENV",
            "BYPASS",
            "SECRETARY",
            "AWS_PROFILE",
            "AWS_REGION",
            "TURKEY",
            "LANG",
            "EDITOR",
            "XDG_RUNTIME_DIR",
            "MAX_TOKENIZER_THREADS",
            "COMPASSES",
            "",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn values_are_judged_too() {
        let secrets = Secrets { names: Vec::new(), values: vec!["p@ss/word+1".into(), "short".into()] };
        let env = [
            ("A", "p@ss/word+1"),
            ("B", "xx p@ss/word+1 yy"),
            ("C", "https://h/?q=p%40ss%2Fword%2B1"),
            ("D", "a short story"),
            ("E", "postgres://me:pw@db/x"),
            ("F", "http://proxy:3128"),
            ("G", "ssh://git@host:22/x"),
            ("H", "sk-abcdefghijklmnop"),
            ("I", "-----BEGIN PRIVATE KEY-----\nabc"),
            ("J", "sk-ill"),
            ("K", "eyJhbGciOi.eyJzdWIi.sig"),
            ("L", "a=http://x/ b=http://u:secret@y"),
        ];
        assert_eq!(names(&env, &secrets, &[]), ["D", "F", "G", "J"]);
        assert_eq!(names(&env, &secrets, &["E"]), ["D", "E", "F", "G", "J"]);
    }

    #[test]
    fn only_what_is_named_is_let_through_and_nothing_of_asides_own() {
        let secrets = Secrets { names: vec!["MY_PROVIDER".to_owned()], values: Vec::new() };
        let env = [
            ("ASIDE_HOME", "/x"),
            ("BASH_ENV", "/x"),
            ("BASH_FUNC_ls%%", "() { rm; }"),
            ("GITHUB_TOKEN", "t"),
            ("GITLAB_TOKEN", "t"),
            ("HOME", "/x"),
            ("MY_PROVIDER", "k"),
        ];
        assert_eq!(
            names(&env, &secrets, &["GITHUB_TOKEN", "ASIDE_HOME", "BASH_ENV"]),
            ["GITHUB_TOKEN", "HOME"]
        );
        assert_eq!(names(&env, &secrets, &["MY_PROVIDER"]), ["HOME", "MY_PROVIDER"]);
        assert_eq!(names(&env, &secrets, &["*_TOKEN", "github_token"]), ["HOME"]);
    }
}
