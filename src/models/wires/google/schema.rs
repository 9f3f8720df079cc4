//! Schemas of tools and answers for servers that do not read JSON Schema: as much of them as Google's older form can
//! say. It must never fail on a schema, nor follow one that refers to itself for ever.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// What the older form knows and means as JSON Schema does.
const KNOWN: &[&str] = &[
    "default",
    "description",
    "example",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "nullable",
    "pattern",
    "propertyOrdering",
    "required",
    "title",
];

/// How deep a schema is followed.
const MAX_DEPTH: usize = 32;
/// How many schemas one may have in it, with what it refers to.
const MAX_NODES: usize = 5000;

/// The JSON Schema `schema` in the older form.
pub(super) fn plain(schema: &str) -> Value {
    let Some(root) = serde_json::from_str::<Value>(schema).ok().filter(Value::is_object) else {
        return serde_json::json!({ "type": named("object"), "properties": {} });
    };
    Cleaner { root: &root, nodes: 0 }.clean(&root, 0).into()
}

struct Cleaner<'a> {
    root: &'a Value,
    nodes: usize,
}

impl<'a> Cleaner<'a> {
    fn clean(&mut self, schema: &'a Value, depth: usize) -> Map<String, Value> {
        let mut out = Map::new();
        self.nodes += 1;
        let Value::Object(fields) = schema else { return out };
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return out;
        }
        if let Some(target) = fields.get("$ref").and_then(Value::as_str).and_then(|name| self.target(name)) {
            out = self.clean(target, depth + 1);
        }
        for (name, value) in fields {
            match (name.as_str(), value) {
                ("type", Value::String(kind)) => {
                    out.insert("type".to_owned(), named(kind));
                }
                ("type", Value::Array(kinds)) => alternatives(kinds, &mut out),
                ("enum", Value::Array(values)) if values.iter().all(Value::is_string) => {
                    out.insert("enum".to_owned(), value.clone());
                }
                ("const", Value::String(_)) => {
                    out.insert("enum".to_owned(), vec![value.clone()].into());
                }
                ("properties", Value::Object(properties)) => {
                    let cleaned = properties
                        .iter()
                        .map(|(name, value)| (name.clone(), self.clean(value, depth + 1).into()));
                    out.insert("properties".to_owned(), Value::Object(cleaned.collect()));
                }
                ("items", Value::Object(_)) => {
                    out.insert("items".to_owned(), self.clean(value, depth + 1).into());
                }
                ("anyOf" | "oneOf", Value::Array(variants)) => self.any_of(variants, depth, &mut out),
                ("allOf", Value::Array(members)) => {
                    for member in members {
                        let member = self.clean(member, depth + 1);
                        merge(member, &mut out);
                    }
                }
                (name, value) if KNOWN.contains(&name) => {
                    out.insert(name.to_owned(), value.clone());
                }
                _ => {}
            }
        }
        // Names without a schema are refused.
        if let Some(Value::Object(properties)) = out.get("properties") {
            let known: BTreeSet<String> = properties.keys().cloned().collect();
            if let Some(Value::Array(required)) = out.get_mut("required") {
                required.retain(|name| name.as_str().is_some_and(|name| known.contains(name)));
            }
        }
        if !out.contains_key("type") && out.contains_key("properties") {
            out.insert("type".to_owned(), named("object"));
        }
        if !out.contains_key("type") && out.contains_key("enum") {
            out.insert("type".to_owned(), named("string"));
        }
        out
    }

    /// The schema that a reference within this one names.
    fn target(&self, reference: &str) -> Option<&'a Value> {
        self.root.pointer(reference.strip_prefix('#')?)
    }

    fn any_of(&mut self, variants: &'a [Value], depth: usize, out: &mut Map<String, Value>) {
        let is_null = |variant: &Value| variant.get("type").and_then(Value::as_str) == Some("null");
        if variants.iter().any(is_null) {
            out.insert("nullable".to_owned(), true.into());
        }
        let mut cleaned: Vec<_> = Vec::new();
        for variant in variants.iter().filter(|variant| !is_null(variant)) {
            cleaned.push(self.clean(variant, depth + 1));
        }
        if cleaned.len() == 1 {
            merge(cleaned.pop().unwrap_or_default(), out);
        } else if !cleaned.is_empty() {
            out.insert("anyOf".to_owned(), cleaned.into_iter().map(Value::Object).collect());
        }
    }
}

/// The older form's name of a type.
fn named(kind: &str) -> Value {
    kind.to_ascii_uppercase().into()
}

/// A list of types: one of them may be null, several others are alternatives.
fn alternatives(kinds: &[Value], out: &mut Map<String, Value>) {
    let others: Vec<_> = kinds.iter().filter(|kind| kind.as_str() != Some("null")).collect();
    if others.len() < kinds.len() {
        out.insert("nullable".to_owned(), true.into());
    }
    match *others {
        [] => {}
        [kind] => {
            out.insert("type".to_owned(), named(kind.as_str().unwrap_or_default()));
        }
        _ => {
            let kinds = others.into_iter().filter_map(Value::as_str);
            let variants = kinds.map(|kind| serde_json::json!({ "type": named(kind) }));
            out.insert("anyOf".to_owned(), variants.collect());
        }
    }
}

/// What `out` does not say already; properties and what is required are joined.
fn merge(more: Map<String, Value>, out: &mut Map<String, Value>) {
    for (name, value) in more {
        match (out.get_mut(&name), value) {
            (Some(Value::Object(mine)), Value::Object(theirs)) if name == "properties" => mine.extend(theirs),
            (Some(Value::Array(mine)), Value::Array(theirs)) if name == "required" => mine.extend(theirs),
            (Some(_), _) => {}
            (None, value) => {
                out.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "schemas are written in place")]
    fn check(schema: Value, expected: Value) {
        assert_eq!(plain(&schema.to_string()), expected);
    }

    #[test]
    fn what_the_older_form_cannot_say_is_left_out() {
        check(
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "x", "$comment": "c",
                "type": "object", "additionalProperties": false,
                "properties": {
                    "a": { "type": ["string", "null"], "minLength": 1, "$anchor": "y" },
                    "b": { "type": ["integer", "string"] },
                    "c": { "const": "one" }, "d": { "enum": [1, 2], "type": "integer" },
                    "$ref": { "type": "string", "format": "date-time" },
                },
                "required": ["a", "gone"],
            }),
            json!({
                "type": "OBJECT",
                "properties": {
                    "a": { "type": "STRING", "nullable": true, "minLength": 1 },
                    "b": { "anyOf": [{ "type": "INTEGER" }, { "type": "STRING" }] },
                    "c": { "type": "STRING", "enum": ["one"] }, "d": { "type": "INTEGER" },
                    "$ref": { "type": "STRING", "format": "date-time" },
                },
                "required": ["a"],
            }),
        );
    }

    #[test]
    fn references_and_unions_are_resolved() {
        check(
            json!({
                "properties": {
                    "p": { "$ref": "#/$defs/P", "description": "here" },
                    "q": { "oneOf": [{ "$ref": "#/$defs/P" }, { "type": "null" }] },
                    "r": { "allOf": [{ "$ref": "#/$defs/P" }, { "properties": { "y": { "type": "number" } }, "required": ["y"] }] },
                },
                "$defs": { "P": { "type": "object", "properties": { "x": { "type": "number" } }, "required": ["x"] } },
            }),
            json!({
                "type": "OBJECT",
                "properties": {
                    "p": { "type": "OBJECT", "description": "here", "properties": { "x": { "type": "NUMBER" } }, "required": ["x"] },
                    "q": { "type": "OBJECT", "nullable": true, "properties": { "x": { "type": "NUMBER" } }, "required": ["x"] },
                    "r": { "type": "OBJECT", "properties": { "x": { "type": "NUMBER" }, "y": { "type": "NUMBER" } }, "required": ["x", "y"] },
                },
            }),
        );
    }

    #[test]
    fn no_schema_is_followed_for_ever() {
        let endless = json!({ "$ref": "#", "properties": { "a": { "$ref": "#" }, "b": { "$ref": "#" } } });
        assert!(plain(&endless.to_string()).to_string().len() < 1 << 20);
        for odd in
            ["", "[]", "true", "{\"properties\":1,\"items\":[],\"anyOf\":{},\"required\":3,\"type\":{}}"]
        {
            assert!(plain(odd).is_object(), "{odd}");
        }
    }
}
