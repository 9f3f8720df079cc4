//! Judges of request bodies: our own schema of each wire, and the published one, kept beside the repository,
//! where it is there.

use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};

use super::closed;

/// The published schemas, by wire. They are made from the types of the providers' own libraries.
const PUBLISHED: &[(&str, &str)] = &[
    ("anthropic-messages", "anthropic-beta-messages-create.pypi-anthropic-2.12.0.schema.json"),
    ("openai-completions", "openai-chat-completions-create.pypi-openai-3.54.0.schema.json"),
];

/// Fields of messages that are other vendors' own, which the published schema of a wire does not know.
const VENDORS: &[&str] =
    &["reasoning_content", "reasoning", "reasoning_text", "reasoning_details", "extra_content"];

/// Judges of one wire's requests.
pub(crate) struct Judge {
    own: Validator,
    published: Option<Validator>,
    vendors: &'static [&'static str],
}

/// The judges of `wire`, which must have a schema of our own.
pub(crate) fn of(wire: &str) -> Judge {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = root.join("tests/fixtures").join(wire).join("request.schema.json");
    let own = read(&own).unwrap_or_else(|| panic!("there is no schema of our own of {wire}"));
    let published = PUBLISHED.iter().find(|(id, _)| *id == wire);
    let published = published.and_then(|(_, file)| read(&root.join("../shared/data/schemas").join(file)));
    let mut published = published.map(closed);
    // The library has dropped what the API still takes, for older models.
    if let Some(fields) = published.as_mut().and_then(|schema| schema.get_mut("properties")?.as_object_mut())
    {
        fields.entry("temperature").or_insert(json!({ "type": "number" }));
    }
    Judge {
        own: jsonschema::validator_for(&own).unwrap(),
        published: published.map(|schema| jsonschema::validator_for(&schema).unwrap()),
        vendors: if wire == "openai-completions" { VENDORS } else { &[] },
    }
}

#[expect(clippy::disallowed_methods, reason = "tests read their own fixtures")]
fn read(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).unwrap()
}

impl Judge {
    /// What is wrong with `body`.
    pub(crate) fn problems(&self, body: &Value) -> Vec<String> {
        let problem = |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
        let mut problems: Vec<_> = self.own.iter_errors(body).map(problem).collect();
        if let Some(published) = &self.published {
            let mut body = body.clone();
            remove(&mut body["messages"], self.vendors);
            problems.extend(published.iter_errors(&body).map(problem));
        }
        problems
    }

    #[track_caller]
    pub(crate) fn check(&self, name: &str, body: &Value) {
        let problems = self.problems(body);
        assert!(problems.is_empty(), "{name}: {problems:#?}\n{body:#}");
    }
}

/// Takes these fields away, wherever they stand.
fn remove(value: &mut Value, fields: &[&str]) {
    match value {
        Value::Object(map) => {
            map.retain(|name, _| !fields.contains(&name.as_str()));
            map.values_mut().for_each(|value| remove(value, fields));
        }
        Value::Array(list) => list.iter_mut().for_each(|value| remove(value, fields)),
        _ => {}
    }
}
