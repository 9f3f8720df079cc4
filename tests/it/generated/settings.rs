//! The page and the schema of `settings.json`, from the table that the loader reads by.

use std::fmt::Write as _;

use aside::settings::Settings;
use aside::settings::table::{Kind, SERVERS, SETTINGS};
use serde_json::{Map, Value, json};

const BEGIN: &str = "<!-- settings: ";
const END: &str = "<!-- end of settings -->";

/// The page with the table as it should be.
pub(super) fn page(page: &str) -> String {
    super::between(page, BEGIN, END, &table())
}

fn table() -> String {
    let defaults = Settings::default();
    let mut table = String::from("| setting | may be | default | meaning |\n|---|---|---|---|\n");
    for setting in SETTINGS {
        let (may_be, default) = match setting.kind {
            Kind::Text => ("a string or `null`".to_owned(), "none".to_owned()),
            Kind::Texts => ("strings".to_owned(), "none".to_owned()),
            Kind::Switch => ("`true` or `false`".to_owned(), "`false`".to_owned()),
            Kind::Remembered => {
                ("an object with `allow` and `deny` for each folder".to_owned(), "none".to_owned())
            }
            Kind::Word { words, field } => {
                let words: Vec<_> = words.iter().map(|word| format!("`\"{word}\"`")).collect();
                (words.join(", "), format!("`\"{}\"`", field(&defaults)))
            }
            Kind::Labels => {
                ("an object with a string for each of some providers".to_owned(), "none".to_owned())
            }
            Kind::Servers => {
                let kinds = SERVERS.map(|kind| format!("`{kind}`")).join(", ");
                let may_be = format!(
                    "`true`, `false`, or an object with a list of addresses, or `false`, for {kinds}"
                );
                (may_be, "the usual ports of this machine".to_owned())
            }
            Kind::Number { least, most, field } => {
                (format!("a number from {least} to {most}"), field(&defaults).to_string())
            }
        };
        writeln!(table, "| `{}` | {may_be} | {default} | {} |", setting.name, setting.meaning).unwrap();
    }
    table
}

/// The schema, as a file.
pub(super) fn schema() -> String {
    let defaults = Settings::default();
    let mut top = Map::new();
    top.insert("$schema".into(), json!({ "type": "string" }));
    for setting in SETTINGS {
        let mut value = match setting.kind {
            Kind::Text => json!({ "type": ["string", "null"] }),
            Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Kind::Switch => json!({ "type": ["boolean", "null"], "default": false }),
            Kind::Remembered => {
                let rules = json!({ "type": "array", "items": { "type": "string" } });
                json!({ "type": "object", "additionalProperties": {
                    "type": "object",
                    "properties": { "allow": rules, "deny": rules },
                    "additionalProperties": false,
                }})
            }
            Kind::Word { words, field } => {
                let words: Vec<Value> = words.iter().map(|word| json!(word)).chain([Value::Null]).collect();
                json!({ "enum": words, "default": field(&defaults) })
            }
            Kind::Labels => {
                json!({ "type": "object", "additionalProperties": { "type": ["string", "null"] } })
            }
            Kind::Servers => {
                let places = json!({ "anyOf": [
                    { "type": "array", "items": { "type": "string" } }, { "enum": [false, "off"] },
                ]});
                let kinds: Map<String, Value> =
                    SERVERS.iter().map(|kind| ((*kind).to_owned(), places.clone())).collect();
                json!({ "anyOf": [
                    { "type": ["boolean", "null"] }, { "const": "off" },
                    { "type": "object", "properties": kinds, "additionalProperties": false },
                ]})
            }
            Kind::Number { least, most, field } => {
                json!({ "type": "integer", "minimum": least, "maximum": most, "default": field(&defaults) })
            }
        };
        value["description"] = json!(setting.meaning);
        let (objects, name) = match setting.name.rsplit_once('.') {
            None => (Vec::new(), setting.name),
            Some((objects, name)) => (objects.split('.').collect(), name),
        };
        let mut place = &mut top;
        for object in objects {
            let empty = json!({ "type": "object", "additionalProperties": false, "properties": {} });
            let object = place.entry(object).or_insert(empty);
            place = object["properties"].as_object_mut().unwrap();
        }
        place.insert(name.to_owned(), value);
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "settings.json of Aside",
        "type": "object",
        "properties": Value::Object(top),
        "additionalProperties": false,
    });
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

#[test]
fn the_schema_takes_what_the_program_takes() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (text, fits) in [
        (json!({}), true),
        (
            json!({ "defaultModel": null, "limits": { "maxCallsPerTurn": 3 }, "extraCaFiles": ["~/a.pem"] }),
            true,
        ),
        (json!({ "limits": { "maxCallsPerTurn": 0 } }), false),
        (json!({ "limits": { "calls": 1 } }), false),
        (json!({ "defaultModle": "x" }), false),
        (json!({ "timeouts": 3 }), false),
        (json!({ "permissions": { "allow": ["shell(make)"], "allowFull": true } }), true),
        (json!({ "permissions": { "allow": "shell(make)" } }), false),
        (json!({ "permissions": { "remembered": { "/a": { "deny": ["edit=/a/b"] } } } }), true),
        (json!({ "permissions": { "remembered": { "/a": ["edit"] } } }), false),
        (json!({ "cacheRetention": "long" }), true),
        (json!({ "cacheRetention": "ever" }), false),
        (json!({ "localServers": { "ollama": ["http://127.0.0.1:1"], "vllm": false } }), true),
        (json!({ "localServers": { "lama": false } }), false),
        (json!({ "defaultAccounts": { "anthropic": "work", "meta": null } }), true),
        (json!({ "defaultAccounts": { "anthropic": 1 } }), false),
    ] {
        assert_eq!(validator.is_valid(&text), fits, "{text}");
    }
}
