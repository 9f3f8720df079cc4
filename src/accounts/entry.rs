//! One entry of `auth.json`: what it says, and how it is put into the text of the file as it stands. Plain
//! functions of text; `auth_file.rs` reads and writes the file.
//!
//! What is changed is the field that changes: comments, order and fields that nobody here knows stay.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Map;

use super::oauth::Grant;
use super::value::escaped;
use crate::settings::edit;
use crate::settings::jsonc::{Document, Entry, JsoncError, Value};

/// Fields of a sign-in that are not [`Grant::more`].
const GRANT_FIELDS: [&str; 4] = ["type", "access", "refresh", "expires"];

/// One entry. No `Debug`: it holds secrets.
pub(super) enum Stored {
    /// `env` stands above the environment for this provider alone.
    Key { key: Option<SecretString>, env: BTreeMap<String, String> },
    /// Tokens of a sign-in.
    Grant(Box<Grant>),
    /// Something that cannot be understood; what is wrong with it.
    Invalid(String),
}

/// The entry of an account of `provider`: the provider's own name, or with a label behind a colon.
pub fn id(provider: &str, label: Option<&str>) -> String {
    label.map_or_else(|| provider.to_owned(), |label| format!("{provider}:{label}"))
}

/// An entry with this key, as JSON text.
pub fn key_entry(key: &str) -> String {
    key_text(&escaped(key), &BTreeMap::new())
}

impl Grant {
    /// An entry with it, as JSON text.
    pub fn entry(&self) -> String {
        grant_text(self)
    }

    /// Whether both hold the same tokens.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.access.expose_secret() == other.access.expose_secret()
            && self.refresh.expose_secret() == other.refresh.expose_secret()
    }
}

/// A value that is not what it should be.
pub(super) struct Misfit<'d> {
    pub(super) value: Value<'d>,
    /// Where in its entry, such as `.key`.
    pub(super) inside: String,
    pub(super) message: String,
}

/// What an entry says.
pub(super) fn stored(value: Value<'_>) -> Result<Stored, Misfit<'_>> {
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
        Some("oauth") => Ok(Stored::Grant(Box::new(grant(value)?))),
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

/// The fields of a sign-in. Whatever else is there is kept with it.
fn grant(value: Value<'_>) -> Result<Grant, Misfit<'_>> {
    let (mut access, mut refresh, mut expires_ms) = (None, None, None);
    let mut more = Map::new();
    for field in fields(value, "")? {
        match field.key.as_str() {
            "type" => {}
            "access" => access = string(field.value, ".access")?,
            "refresh" => refresh = string(field.value, ".refresh")?,
            "expires" => {
                let expires = milliseconds(field.value.text());
                expires_ms = Some(expires.ok_or_else(|| misfit(field.value, ".expires", "a number"))?);
            }
            _ => {
                // What cannot be held here stays in the text all the same.
                if let Ok(json) = serde_json::from_str(field.value.text()) {
                    more.insert(field.key, json);
                }
            }
        }
    }
    let missing = |name: &str| Misfit {
        value,
        inside: String::new(),
        message: format!("it is a sign-in without \"{name}\""),
    };
    let access = access.filter(|access| !access.trim().is_empty()).ok_or_else(|| missing("access"))?;
    Ok(Grant {
        access: access.into(),
        refresh: refresh.unwrap_or_default().into(),
        expires_ms: expires_ms.ok_or_else(|| missing("expires"))?,
        more,
    })
}

/// A time as any program writes it: with a fraction perhaps, or before 1970.
fn milliseconds(text: &str) -> Option<u64> {
    if let Ok(whole) = text.parse() {
        return Some(whole);
    }
    let number: f64 = serde_json::from_str(text).ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast takes the nearest")]
    number.is_finite().then_some(number as u64)
}

/// `text` with the key of the entry `id` set.
pub(super) fn with_key(
    text: &str,
    id: &str,
    key: &str,
    env: &BTreeMap<String, String>,
) -> Result<String, JsoncError> {
    let document = Document::new(text)?;
    let known = document.root()?.entries()?.into_iter().rev().find(|entry| entry.key == id);
    let known = known.filter(|known| matches!(stored(known.value), Ok(Stored::Key { .. })));
    let fields = known.and_then(|known| known.value.entries().ok()).unwrap_or_default();
    if !fields.iter().any(|field| field.key == "type") {
        return edit::with(text, &[id], &key_text(key, env));
    }
    let mut changed = edit::with(text, &[id, "key"], &json(key))?;
    let has_env = fields.iter().rev().find(|field| field.key == "env").map(|field| field.value.text());
    if has_env == Some("null") && !env.is_empty() {
        changed = edit::with(&changed, &[id, "env"], "{}")?;
    }
    for (name, value) in env {
        changed = edit::with(&changed, &[id, "env", name], &json(value))?;
    }
    Ok(changed)
}

/// An entry with a key as it is written by us.
fn key_text(key: &str, env: &BTreeMap<String, String>) -> String {
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

/// `text` with the sign-in `grant` as the entry `id`, whatever stood there before.
pub(super) fn with_grant(text: &str, id: &str, grant: &Grant) -> Result<String, JsoncError> {
    edit::with(text, &[id], &grant_text(grant))
}

/// `text` with the tokens of the entry `id`, which is a sign-in, replaced by their successors. Only fields that
/// are not what they were are written.
pub(super) fn with_renewed(text: &str, id: &str, old: &Grant, new: &Grant) -> Result<String, JsoncError> {
    let mut changed = text.to_owned();
    let mut set = |name: &str, value: String| -> Result<(), JsoncError> {
        changed = edit::with(&changed, &[id, name], &value)?;
        Ok(())
    };
    for (name, old, new) in [("access", &old.access, &new.access), ("refresh", &old.refresh, &new.refresh)] {
        if old.expose_secret() != new.expose_secret() {
            set(name, json(new.expose_secret()))?;
        }
    }
    if old.expires_ms != new.expires_ms {
        set("expires", new.expires_ms.to_string())?;
    }
    for (name, value) in own_fields(new) {
        if old.more.get(name) != Some(value) {
            set(name, value.to_string())?;
        }
    }
    Ok(changed)
}

/// An entry with tokens as it is written by us.
fn grant_text(grant: &Grant) -> String {
    let mut text = format!(
        "{{\n  \"type\": \"oauth\",\n  \"access\": {},\n  \"refresh\": {},\n  \"expires\": {}",
        json(grant.access.expose_secret()),
        json(grant.refresh.expose_secret()),
        grant.expires_ms
    );
    for (name, value) in own_fields(grant) {
        text.extend([",\n  ", &json(name), ": ", &value.to_string()]);
    }
    text.push_str("\n}");
    text
}

/// What a grant holds beside its tokens; a field of that name would be another one.
fn own_fields(grant: &Grant) -> impl Iterator<Item = (&String, &serde_json::Value)> {
    grant.more.iter().filter(|(name, _)| !GRANT_FIELDS.contains(&name.as_str()))
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The entry `groq` of a file.
    fn read(text: &str) -> Option<Result<Stored, String>> {
        let document = Document::new(text).ok()?;
        let entry =
            document.root().ok()?.entries().ok()?.into_iter().rev().find(|entry| entry.key == "groq")?;
        Some(stored(entry.value).map_err(|misfit| format!("{}: {}", misfit.inside, misfit.message)))
    }

    #[track_caller]
    fn check(before: &str, after: &str) {
        assert_eq!(with_key(before, "groq", "k\"1", &BTreeMap::new()).unwrap(), after);
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
            assert!(with_key(broken, "groq", "k", &BTreeMap::new()).is_err(), "{broken}");
        }
    }

    #[test]
    fn variables_are_stored_beside_the_key() {
        let env = BTreeMap::from([("B".to_owned(), "2".to_owned()), ("A".to_owned(), "1".to_owned())]);
        let whole = "{\n  \"groq\": {\n    \"type\": \"api_key\",\n    \"key\": \"k\",\n    \"env\": {\n      \"A\": \"1\",\n      \"B\": \"2\"\n    }\n  }\n}\n";
        assert_eq!(with_key("{}\n", "groq", "k", &env).unwrap(), whole);
        for env_before in ["", ", \"env\": null", ", \"env\": {\"A\": \"0\", \"C\": \"3\"}"] {
            let before = format!("{{\"groq\": {{\"type\": \"api_key\"{env_before}, \"x\": [1]}}}}");
            let after = with_key(&before, "groq", "k", &env).unwrap();
            let Some(Ok(Stored::Key { env: read, .. })) = read(&after) else { panic!("{after}") };
            assert!(
                read.get("A").is_some_and(|a| a == "1") && read.get("B").is_some_and(|b| b == "2"),
                "{after}"
            );
            assert_eq!(read.contains_key("C"), env_before.contains('C'));
            assert!(after.contains("\"x\": [1]"), "{after}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_put_in_reads_back(text in r#"\{( |"groq": ?(1|\{"type":"(api_key|oauth)"[, ]*("key":"a")?\})|, |"b":\[\]|//x\n|/\*,\*/)*\}"#) {
            if let Ok(changed) = with_key(&text, "groq", "new", &BTreeMap::new()) {
                let is_new = matches!(read(&changed), Some(Ok(Stored::Key { key: Some(key), .. })) if key.expose_secret() == "new");
                proptest::prop_assert!(is_new, "{}", changed);
            }
        }
    }

    fn grant_of(text: &str) -> Grant {
        match read(text) {
            Some(Ok(Stored::Grant(grant))) => *grant,
            Some(Err(why)) => panic!("{why}: {text}"),
            _ => panic!("no grant: {text}"),
        }
    }

    #[test]
    fn a_sign_in_is_read_as_others_write_it() {
        let all = r#"{"groq": {"type": "oauth", "refresh": "r", "access": "a", "expires": 1700000000000, "accountId": "x", "availableModelIds": ["m"]}}"#;
        let grant = grant_of(all);
        assert_eq!((grant.access.expose_secret(), grant.refresh.expose_secret()), ("a", "r"));
        assert_eq!(grant.expires_ms, 1_700_000_000_000);
        let more = serde_json::json!({"accountId": "x", "availableModelIds": ["m"]});
        assert_eq!(serde_json::Value::from(grant.more.clone()), more);
        assert!(!format!("{grant:?}").contains("\"a\""), "{grant:?}");
        for (expires, read) in [
            ("1700000000000.5", 1_700_000_000_000),
            ("1.7e12", 1_700_000_000_000),
            ("-5", 0),
            ("9007199254740991", 9_007_199_254_740_991),
            ("1e300", u64::MAX),
        ] {
            let text = format!(r#"{{"groq": {{"type": "oauth", "access": "a", "expires": {expires}}}}}"#);
            let grant = grant_of(&text);
            assert_eq!((grant.expires_ms, grant.refresh.expose_secret()), (read, ""), "{expires}");
        }
    }

    #[test]
    fn a_sign_in_that_cannot_be_used_says_what_is_wrong() {
        for (fields, told) in [
            ("\"expires\": 1", ": it is a sign-in without \"access\""),
            ("\"access\": \" \", \"expires\": 1", ": it is a sign-in without \"access\""),
            ("\"access\": \"a\"", ": it is a sign-in without \"expires\""),
            ("\"access\": [\"a\"], \"expires\": 1", ".access: expected a string, found an array"),
            ("\"access\": \"a\", \"refresh\": 1", ".refresh: expected a string, found a number"),
            ("\"access\": \"a\", \"expires\": \"1\"", ".expires: expected a number, found a string"),
            ("\"access\": \"a\", \"expires\": 1e400", ".expires: expected a number, found a number"),
        ] {
            let text = format!("{{\"groq\": {{\"type\": \"oauth\", {fields}}}}}");
            assert_eq!(read(&text).unwrap().err().as_deref(), Some(told), "{text}");
        }
    }

    #[test]
    fn a_sign_in_takes_the_place_of_what_was_there() {
        let more = serde_json::json!({"accountId": "x\"y"});
        let grant = Grant {
            access: "a".into(),
            refresh: "r".into(),
            expires_ms: 7,
            more: more.as_object().unwrap().clone(),
        };
        let own = "{\n    \"type\": \"oauth\",\n    \"access\": \"a\",\n    \"refresh\": \"r\",\n    \"expires\": 7,\n    \"accountId\": \"x\\\"y\"\n  }";
        assert_eq!(with_grant("{}\n", "groq", &grant).unwrap(), format!("{{\n  \"groq\": {own}\n}}\n"));
        let old = "{\"groq\": {\"type\": \"oauth\", \"enterpriseUrl\": \"old\"}, /* mine */ \"b\": 1}";
        let new = with_grant(old, "groq", &grant).unwrap();
        assert_eq!(new, format!("{{\"groq\": {own}, /* mine */ \"b\": 1}}"));
    }

    #[test]
    fn new_tokens_change_nothing_else() {
        let text = "{\"groq\": { // mine\n \"type\": \"oauth\", \"x\": 1e400, \"z\": 12345678901234567890.5, \"refresh\": \"r1\", \"y\": [1.0] ,\n \"access\": \"a1\", \"expires\": 1}}";
        let old = grant_of(text);
        let mut new = Grant { access: "a2".into(), refresh: "r2".into(), expires_ms: 2, ..old.clone() };
        new.more.insert("type".to_owned(), "api_key".into());
        new.more.insert("refreshedAt".to_owned(), 5.into());
        let expected = text
            .replace("r1", "r2")
            .replace("a1", "a2")
            .replace("\"expires\": 1}", "\"expires\": 2,\n    \"refreshedAt\": 5}");
        assert_eq!(with_renewed(text, "groq", &old, &new).unwrap(), expected);
        assert_eq!(with_renewed(text, "groq", &old, &old).unwrap(), text);
    }
}
