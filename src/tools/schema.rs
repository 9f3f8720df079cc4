//! The arguments of a call: repaired where a model only wrote them in another type, then held to the schema.
//!
//! A message says what is wrong at which path, so that the model can mend it. Unknown properties are let pass
//! unless the schema forbids them. It must never invent a value that is required.

use std::fmt::Write as _;

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};

use super::ToolOutcome;

/// Schemas inside each other that are followed.
const DEPTH: usize = 32;

/// Mistakes that are told.
const TOLD: usize = 10;

/// Characters of the arguments that are repeated to the model.
const REPEATED: usize = 2000;

/// The arguments of a call of `tool` as a value of its own type. `aliases` are names that models give to
/// properties by habit, and the property's own.
pub fn read<T: DeserializeOwned>(
    tool: &str,
    schema: &str,
    aliases: &[(&str, &str)],
    arguments: &Value,
) -> Result<T, ToolOutcome> {
    let schema: Value = serde_json::from_str(schema)
        .map_err(|error| ToolOutcome::failed(format!("the schema of {tool} cannot be read: {error}")))?;
    let mut mended = arguments.clone();
    rename(&mut mended, aliases);
    let mended = check(tool, &schema, mended).map_err(ToolOutcome::failed)?;
    serde_path_to_error::deserialize(&mended).map_err(|error| {
        let fault = format!("  - {}: {}", error.path(), error.inner());
        ToolOutcome::failed(refusal(tool, &[fault], arguments))
    })
}

/// The arguments repaired and held to the schema, or what is wrong with them.
pub fn check(tool: &str, schema: &Value, arguments: Value) -> Result<Value, String> {
    let received = arguments.clone();
    let mended = mend(schema, arguments, DEPTH);
    let mut faults = Vec::new();
    validate(schema, &mended, &mut String::new(), DEPTH, &mut faults);
    if faults.is_empty() { Ok(mended) } else { Err(refusal(tool, &faults, &received)) }
}

fn refusal(tool: &str, faults: &[String], received: &Value) -> String {
    let pretty = serde_json::to_string_pretty(received).unwrap_or_default();
    let mut shown: String = pretty.chars().take(REPEATED).collect();
    if shown.len() < pretty.len() {
        shown.push_str("\n...");
    }
    let told = faults.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join("\n");
    format!("Validation failed for tool \"{tool}\":\n{told}\n\nReceived arguments:\n{shown}")
}

/// Gives properties their own names, here and in the objects of arrays.
fn rename(value: &mut Value, aliases: &[(&str, &str)]) {
    match value {
        Value::Object(map) => {
            for (alias, name) in aliases {
                if !map.contains_key(*name)
                    && let Some(value) = map.remove(*alias)
                {
                    map.insert((*name).to_owned(), value);
                }
            }
            map.values_mut().filter(|value| value.is_array()).for_each(|value| rename(value, aliases));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, aliases)),
        _ => {}
    }
}

fn mend(schema: &Value, value: Value, depth: usize) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return value };
    for union in ["anyOf", "oneOf"] {
        if let Some(members) = schema.get(union).and_then(Value::as_array) {
            return mend_union(members, value, depth);
        }
    }
    let value = match schema.get("allOf").and_then(Value::as_array) {
        Some(all) => all.iter().fold(value, |value, schema| mend(schema, value, depth)),
        None => value,
    };
    let types = types(schema);
    let value = if types.is_empty() || types.iter().any(|name| is_type(name, &value)) {
        value
    } else {
        types.iter().find_map(|name| coerced(name, &value)).unwrap_or(value)
    };
    match value {
        Value::Object(map) => Value::Object(mend_object(schema, map, depth)),
        Value::Array(items) => {
            let of_item =
                |item: Value| schema.get("items").map_or(item.clone(), |items| mend(items, item, depth));
            Value::Array(items.into_iter().map(of_item).collect())
        }
        other => other,
    }
}

fn mend_union(members: &[Value], value: Value, depth: usize) -> Value {
    let fits = |schema: &Value, value: &Value| {
        let mut faults = Vec::new();
        validate(schema, value, &mut String::new(), depth, &mut faults);
        faults.is_empty()
    };
    if members.iter().any(|member| fits(member, &value)) {
        return value;
    }
    let mended = members.iter().map(|member| (member, mend(member, value.clone(), depth)));
    mended.into_iter().find(|(member, mended)| fits(member, mended)).map_or(value, |(_, mended)| mended)
}

fn mend_object(schema: &Value, map: Map<String, Value>, depth: usize) -> Map<String, Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = required(schema);
    map.into_iter()
        .filter_map(|(name, value)| {
            let Some(schema) = properties.and_then(|all| all.get(&name)) else {
                let value = match schema.get("additionalProperties") {
                    Some(schema @ Value::Object(_)) => mend(schema, value, depth),
                    _ => value,
                };
                return Some((name, value));
            };
            // What is not needed and said to be nothing is left out, unless nothing is a value.
            if value.is_null() && !required.contains(&name.as_str()) && !takes_null(schema) {
                return None;
            }
            let value = mend(schema, value, depth);
            Some((name, value))
        })
        .collect()
}

fn takes_null(schema: &Value) -> bool {
    let types = types(schema);
    let members = ["anyOf", "oneOf"].into_iter().filter_map(|union| schema.get(union)?.as_array()).flatten();
    types.contains(&"null")
        || members.into_iter().any(types_of_null)
        || (types.is_empty() && schema.get("enum").is_none())
}

fn types_of_null(schema: &Value) -> bool {
    types(schema).contains(&"null")
}

/// The value as one of that type, where it can only have been meant so.
fn coerced(name: &str, value: &Value) -> Option<Value> {
    match (name, value) {
        ("number" | "integer", Value::String(text)) => {
            let text = text.trim();
            let number = text.parse::<i64>().map(Number::from).ok();
            let number =
                number.or_else(|| Number::from_f64(text.parse().ok().filter(|n: &f64| n.is_finite())?))?;
            let number = Value::Number(number);
            let number = whole(&number).unwrap_or(number);
            is_type(name, &number).then_some(number)
        }
        ("integer", number @ Value::Number(_)) => whole(number),
        ("number" | "integer", Value::Bool(yes)) => Some(Value::from(i32::from(*yes))),
        ("boolean", Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" => Some(Value::Bool(true)),
            "false" | "0" | "no" => Some(Value::Bool(false)),
            _ => None,
        },
        ("boolean", Value::Number(number)) => match number.as_i64() {
            Some(0) => Some(Value::Bool(false)),
            Some(1) => Some(Value::Bool(true)),
            _ => None,
        },
        ("string", Value::Number(number)) => Some(Value::String(number.to_string())),
        ("string", Value::Bool(yes)) => Some(Value::String(yes.to_string())),
        ("null", Value::String(text)) if text.is_empty() || text == "null" => Some(Value::Null),
        // A list or an object written into a string.
        ("array", Value::String(text)) if text.trim_start().starts_with('[') => {
            serde_json::from_str(text).ok().filter(Value::is_array).or_else(|| Some(single(value)))
        }
        ("array", Value::Object(_) | Value::String(_) | Value::Number(_) | Value::Bool(_)) => {
            Some(single(value))
        }
        ("object", Value::String(text)) if text.trim_start().starts_with('{') => {
            serde_json::from_str(text).ok().filter(Value::is_object)
        }
        _ => None,
    }
}

fn single(value: &Value) -> Value {
    // An object written into a string where a list of objects is meant.
    let inner = value.as_str().filter(|text| text.trim_start().starts_with('{'));
    let inner = inner.and_then(|text| serde_json::from_str(text).ok()).filter(Value::is_object);
    Value::Array(vec![inner.unwrap_or_else(|| value.clone())])
}

/// `3.0` as `3`.
fn whole(number: &Value) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() <= EXACT)?;
    format!("{float:.0}").parse::<i64>().ok().map(Value::from)
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn required(schema: &Value) -> Vec<&str> {
    let names = schema.get("required").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        // A type of tomorrow.
        _ => true,
    }
}

fn validate(schema: &Value, value: &Value, path: &mut String, depth: usize, faults: &mut Vec<String>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    if faults.len() >= TOLD {
        return;
    }
    let shown = |path: &str| if path.is_empty() { "arguments".to_owned() } else { path.to_owned() };
    let mut fault = |why: String| faults.push(format!("  - {}: {why}", shown(path)));
    let types = types(schema);
    if !types.is_empty() && !types.iter().any(|name| is_type(name, value)) {
        return fault(format!("must be {}, is {}", types.join(" or "), kind(value)));
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array)
        && !choices.contains(value)
    {
        let choices = choices.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
        fault(format!("must be one of {choices}"));
    }
    let limit = |name: &str| schema.get(name).and_then(Value::as_f64);
    if let Some(number) = value.as_f64() {
        if let Some(least) = limit("minimum").filter(|least| number < *least) {
            fault(format!("must be at least {least}"));
        }
        if let Some(most) = limit("maximum").filter(|most| number > *most) {
            fault(format!("must be at most {most}"));
        }
    }
    let count = |name: &str| schema.get(name).and_then(Value::as_u64);
    if let (Some(least), Some(text)) = (count("minLength"), value.as_str())
        && (text.chars().count() as u64) < least
    {
        fault(format!("must have at least {least} characters"));
    }
    if let (Some(least), Some(items)) = (count("minItems"), value.as_array())
        && (items.len() as u64) < least
    {
        fault(format!("must have at least {least} elements"));
    }
    for union in ["anyOf", "oneOf"] {
        let Some(members) = schema.get(union).and_then(Value::as_array) else { continue };
        let fits = |member: &Value| {
            let mut faults = Vec::new();
            validate(member, value, &mut String::new(), depth, &mut faults);
            faults.is_empty()
        };
        if !members.iter().any(fits) {
            faults.push(format!("  - {}: fits none of the forms that are allowed", shown(path)));
        }
    }
    for member in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        validate(member, value, path, depth, faults);
    }
    match value {
        Value::Object(map) => validate_object(schema, map, path, depth, faults),
        Value::Array(items) => {
            let Some(of_item) = schema.get("items").filter(|items| items.is_object()) else { return };
            for (at, item) in items.iter().enumerate() {
                let length = path.len();
                let _ = write!(path, "[{at}]");
                validate(of_item, item, path, depth, faults);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

fn validate_object(
    schema: &Value,
    map: &Map<String, Value>,
    path: &mut String,
    depth: usize,
    faults: &mut Vec<String>,
) {
    let join =
        |path: &str, name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    for name in required(schema) {
        if !map.contains_key(name) {
            faults.push(format!("  - {}: is missing", join(path, name)));
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, value) in map {
        let schema = match properties.and_then(|all| all.get(name)) {
            Some(schema) => schema,
            None => match schema.get("additionalProperties") {
                Some(Value::Bool(false)) => {
                    faults.push(format!("  - {}: is not known", join(path, name)));
                    continue;
                }
                Some(schema @ Value::Object(_)) => schema,
                _ => continue,
            },
        };
        let length = path.len();
        let whole = join(path, name);
        path.clear();
        path.push_str(&whole);
        validate(schema, value, path, depth, faults);
        path.truncate(length);
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({"type": "object", "required": ["path"], "properties": {
            "path": {"type": "string", "minLength": 1},
            "limit": {"type": "integer", "minimum": 1, "maximum": 9},
            "all": {"type": "boolean"},
            "mode": {"enum": ["a", "b"]},
            "maybe": {"type": ["string", "null"]},
            "globs": {"type": "array", "items": {"type": "string"}},
            "edits": {"type": "array", "minItems": 1, "items": {
                "type": "object", "required": ["old"], "properties": {"old": {"type": "string"}}}},
            "either": {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]},
            "strict": {"type": "object", "additionalProperties": false, "properties": {"x": {"type": "number"}}}
        }})
    }

    #[test]
    fn what_is_only_written_otherwise_is_repaired() {
        for (given, meant) in [
            (json!({"path": 5}), json!({"path": "5"})),
            (json!({"path": "a", "limit": " 3 "}), json!({"path": "a", "limit": 3})),
            (json!({"path": "a", "limit": 3.0}), json!({"path": "a", "limit": 3})),
            (json!({"path": "a", "limit": "3.0"}), json!({"path": "a", "limit": 3})),
            (json!({"path": "a", "all": "True"}), json!({"path": "a", "all": true})),
            (json!({"path": "a", "all": 0}), json!({"path": "a", "all": false})),
            (json!({"path": "a", "limit": null, "maybe": null}), json!({"path": "a", "maybe": null})),
            (json!({"path": "a", "globs": "*.rs"}), json!({"path": "a", "globs": ["*.rs"]})),
            (json!({"path": "a", "globs": "[\"x\",\"y\"]"}), json!({"path": "a", "globs": ["x", "y"]})),
            (json!({"path": "a", "globs": "[ab].rs"}), json!({"path": "a", "globs": ["[ab].rs"]})),
            (json!({"path": "a", "edits": {"old": 1}}), json!({"path": "a", "edits": [{"old": "1"}]})),
            (json!({"path": "a", "edits": "{\"old\":\"x\"}"}), json!({"path": "a", "edits": [{"old": "x"}]})),
            (
                json!({"path": "a", "edits": "[{\"old\":\"x\"}]"}),
                json!({"path": "a", "edits": [{"old": "x"}]}),
            ),
            (json!({"path": "a", "either": "7"}), json!({"path": "a", "either": 7})),
            (json!({"path": "a", "strict": {"x": "1.5"}}), json!({"path": "a", "strict": {"x": 1.5}})),
            (json!("{\"path\":\"a\"}"), json!({"path": "a"})),
            (json!({"path": "a", "other": 1}), json!({"path": "a", "other": 1})),
        ] {
            assert_eq!(check("t", &schema(), given.clone()), Ok(meant), "{given}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (given, fault) in [
            (json!({}), "  - path: is missing"),
            (json!(null), "  - arguments: must be object, is null"),
            (json!([]), "  - arguments: must be object, is an array"),
            (json!({"path": null}), "  - path: must be string, is null"),
            (json!({"path": ""}), "  - path: must have at least 1 characters"),
            (json!({"path": {}}), "  - path: must be string, is an object"),
            (json!({"path": "a", "limit": "three"}), "  - limit: must be integer, is a string"),
            (json!({"path": "a", "limit": 2.5}), "  - limit: must be integer, is a number"),
            (json!({"path": "a", "limit": 10}), "  - limit: must be at most 9"),
            (json!({"path": "a", "mode": "c"}), "  - mode: must be one of \"a\", \"b\""),
            (json!({"path": "a", "edits": []}), "  - edits: must have at least 1 elements"),
            (json!({"path": "a", "edits": [{"old": "x"}, {}]}), "  - edits[1].old: is missing"),
            (json!({"path": "a", "strict": {"y": 1}}), "  - strict.y: is not known"),
            (json!({"path": "a", "either": {}}), "  - either: fits none"),
        ] {
            let error = check("t", &schema(), given.clone()).unwrap_err();
            assert!(
                error.starts_with("Validation failed for tool \"t\":\n") && error.contains(fault),
                "{error}"
            );
        }
        let deep = (0..500).fold(json!("x"), |inner, _| json!([inner]));
        assert!(check("t", &schema(), json!({"path": deep})).unwrap_err().len() < 4000);
    }

    #[test]
    fn habits_of_models_are_known() {
        #[derive(serde::Deserialize, Debug, PartialEq)]
        struct Call {
            path: String,
            edits: Vec<Map<String, Value>>,
        }
        let aliases = [("file_path", "path"), ("old_string", "old")];
        let given = json!({"file_path": "a", "edits": [{"old_string": "x"}]});
        let call: Call = read("t", &schema().to_string(), &aliases, &given).unwrap();
        assert_eq!((call.path.as_str(), call.edits[0].get("old")), ("a", Some(&json!("x"))));
        let error = read::<Call>("t", &schema().to_string(), &aliases, &json!({"path": "a"})).unwrap_err();
        assert!(error.is_error && error.text.contains("edits"), "{}", error.text);
    }
}
