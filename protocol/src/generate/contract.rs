//! What the types say, read from their JSON Schemas: once as final schemas, once as shapes to be rendered.
//!
//! A type that only the server sends has every field that it always writes in `required`; a type that the
//! client sends may leave out what has a default. Where both send it, the client's looser form is taken, which
//! is true in both directions.

use std::collections::{BTreeMap, BTreeSet};

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::{ErrorData, EventBody, ItemBody, METHODS, MethodInfo, Sender};

/// Where schemas refer to each other.
pub(super) const REFERENCE: &str = "#/$defs/";

/// The contract in both forms.
pub(super) struct Contract {
    /// The final schema of each type.
    pub(super) definitions: BTreeMap<String, Value>,
    /// The shape of each type.
    pub(super) types: BTreeMap<String, Type>,
}

/// A named type.
pub(super) struct Type {
    /// As in Rust.
    pub(super) name: String,
    /// What it is.
    pub(super) doc: String,
    /// What it consists of.
    pub(super) body: Body,
}

/// What a type consists of.
pub(super) enum Body {
    /// An object with these fields, and those of one kind of the named union.
    Object(Vec<Field>, Option<String>),
    /// An object of one of several kinds, told apart by `type`.
    Union(Vec<Kind>),
    /// A string, of which these values are known.
    Words(Vec<Word>),
}

/// A field of an object.
pub(super) struct Field {
    /// As on the wire.
    pub(super) name: String,
    /// What it is.
    pub(super) doc: String,
    /// Whether it may be missing.
    pub(super) optional: bool,
    /// What it holds.
    pub(super) shape: Shape,
}

/// One kind of a union.
pub(super) struct Kind {
    /// The value of `type`.
    pub(super) name: String,
    /// What it is.
    pub(super) doc: String,
    /// Its fields without `type`.
    pub(super) fields: Vec<Field>,
}

/// A known value of an open enumeration.
pub(super) struct Word {
    /// As on the wire.
    pub(super) value: String,
    /// What it means.
    pub(super) doc: String,
}

/// What a field holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A string.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// Any JSON value.
    Any,
    /// A type by its name.
    Named(String),
    /// A list.
    List(Box<Shape>),
    /// An object with any keys.
    Map(Box<Shape>),
    /// The shape, or null.
    Nullable(Box<Shape>),
}

impl Contract {
    /// Reads the types that the table of methods names.
    pub(super) fn read() -> Self {
        let written = definitions(SchemaSettings::draft2020_12().for_serialize());
        let read = definitions(SchemaSettings::draft2020_12().for_deserialize());
        let from_client = reachable(&read, |method| match method.sender {
            Sender::Client => method.params,
            Sender::Server => method.result,
        });
        let mut from_server = reachable(&written, |method| match method.sender {
            Sender::Client => method.result,
            Sender::Server => method.params,
        });
        from_server.extend(["EventBody", "ItemBody", "ErrorData"].map(str::to_owned));

        let unions: Vec<(String, Vec<String>)> = written
            .iter()
            .filter(|(_, definition)| definition.get("properties").is_none())
            .map(|(name, definition)| (name.clone(), tags(definition)))
            .filter(|(_, tags)| !tags.is_empty())
            .collect();
        let definitions: BTreeMap<String, Value> = written
            .iter()
            .map(|(name, definition)| {
                let chosen = if from_client.contains(name) {
                    read.get(name).unwrap_or(definition)
                } else {
                    definition
                };
                (name.clone(), finish(chosen.clone(), &unions, from_server.contains(name)))
            })
            .collect();
        let types = definitions
            .iter()
            .map(|(name, definition)| {
                let order = written.get(name).unwrap_or(definition);
                (name.clone(), named(name, definition, order))
            })
            .collect();
        Self { definitions, types }
    }

    /// The fields of an object; none for anything else.
    pub(super) fn fields(&self, name: &str) -> &[Field] {
        match self.types.get(name).map(|found| &found.body) {
            Some(Body::Object(fields, _)) => fields,
            Some(Body::Union(_) | Body::Words(_)) | None => &[],
        }
    }

    /// The kinds of a union; none for anything else.
    pub(super) fn kinds(&self, name: &str) -> &[Kind] {
        match self.types.get(name).map(|found| &found.body) {
            Some(Body::Union(kinds)) => kinds,
            Some(Body::Object(..) | Body::Words(_)) | None => &[],
        }
    }

    /// The known values of an open enumeration; none for anything else.
    pub(super) fn words(&self, name: &str) -> &[Word] {
        match self.types.get(name).map(|found| &found.body) {
            Some(Body::Words(words)) => words,
            Some(Body::Object(..) | Body::Union(_)) | None => &[],
        }
    }
}

/// `getThing` or `$/getThing` as `GetThing`.
pub(super) fn pascal(method: &str) -> String {
    let bare = bare(method);
    let mut characters = bare.chars();
    characters
        .next()
        .map(|first| first.to_ascii_uppercase().to_string() + characters.as_str())
        .unwrap_or_default()
}

/// `$/getThing` as `getThing`.
pub(super) fn bare(method: &str) -> &str {
    method.trim_start_matches("$/")
}

/// The same value with the keys of every object in alphabetical order, whichever map `serde_json` was built with.
pub(super) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let ordered: BTreeMap<String, Value> =
                object.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(Map::from_iter(ordered))
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}

/// The type that a reference names.
pub(super) fn referred(value: &Value) -> Option<&str> {
    value.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix(REFERENCE))
}

fn definitions(settings: SchemaSettings) -> BTreeMap<String, Value> {
    let mut generator: SchemaGenerator = settings.into_generator();
    for method in METHODS {
        (method.schemas)(&mut generator);
    }
    // Nothing refers to these by name: two are flattened, one stands in errors.
    generator.subschema_for::<EventBody>();
    generator.subschema_for::<ItemBody>();
    generator.subschema_for::<ErrorData>();
    generator.take_definitions(true).into_iter().collect()
}

/// The names of all types that can be met below the roots.
fn reachable(
    definitions: &BTreeMap<String, Value>,
    root: impl Fn(&MethodInfo) -> &'static str,
) -> BTreeSet<String> {
    let mut waiting: Vec<String> = METHODS.iter().map(|method| root(method).to_owned()).collect();
    let mut found = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        let Some(definition) = definitions.get(&name) else { continue };
        if found.insert(name) {
            references(definition, &mut waiting);
        }
    }
    found
}

fn references(value: &Value, into: &mut Vec<String>) {
    into.extend(referred(value).map(str::to_owned));
    match value {
        Value::Object(object) => object.values().for_each(|value| references(value, into)),
        Value::Array(values) => values.iter().for_each(|value| references(value, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The values of `type` that a schema tells apart; empty where it is not a union of kinds.
fn tags(definition: &Value) -> Vec<String> {
    let kinds = definition.get("oneOf").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    kinds.iter().filter_map(tag).map(str::to_owned).collect()
}

fn tag(kind: &Value) -> Option<&str> {
    kind.pointer("/properties/type/const").and_then(Value::as_str)
}

/// Refers to a flattened union by its name, opens a union to kinds of newer versions, and tidies up.
fn finish(mut definition: Value, unions: &[(String, Vec<String>)], open: bool) -> Value {
    let tags = tags(&definition);
    if let Some(object) = definition.as_object_mut() {
        if object.contains_key("properties") && !tags.is_empty() {
            if let Some((name, _)) = unions.iter().find(|(_, known)| *known == tags) {
                object.remove("oneOf");
                object.insert("allOf".to_owned(), json!([{ "$ref": format!("{REFERENCE}{name}") }]));
            }
        } else if open && let Some(Value::Array(kinds)) = object.get_mut("oneOf") {
            kinds.push(json!({
                "type": "object",
                "description": "A kind of a newer version.",
                "properties": { "type": { "type": "string", "not": { "enum": tags } } },
                "required": ["type"],
            }));
        }
    }
    tidy(definition)
}

/// Leaves out defaults that say nothing, and joins the lines of descriptions.
fn tidy(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .filter(|(key, value)| key != "default" || *value != Value::Null)
            .map(|(key, value)| match value {
                Value::String(text) if key == "description" => (key, Value::String(joined(&text))),
                value => (key, tidy(value)),
            })
            .collect(),
        Value::Array(values) => values.into_iter().map(tidy).collect(),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}

fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn named(name: &str, definition: &Value, order: &Value) -> Type {
    let kinds = list(definition, "oneOf");
    let words: Vec<Word> = list(definition, "anyOf")
        .iter()
        .filter_map(|word| {
            let value = word.get("const").and_then(Value::as_str)?;
            Some(Word { value: value.to_owned(), doc: doc(word) })
        })
        .collect();
    let body = if !kinds.is_empty() {
        let orders = list(order, "oneOf");
        Body::Union(
            kinds
                .iter()
                .zip(orders)
                .filter_map(|(kind, order)| {
                    let name = tag(kind)?;
                    let mut fields = fields(kind, order);
                    fields.retain(|field| field.name != "type");
                    Some(Kind { name: name.to_owned(), doc: doc(kind), fields })
                })
                .collect(),
        )
    } else if !words.is_empty() {
        Body::Words(words)
    } else {
        let flattened = list(definition, "allOf").iter().find_map(referred);
        Body::Object(fields(definition, order), flattened.map(str::to_owned))
    };
    Type { name: name.to_owned(), doc: doc(definition), body }
}

/// The fields in the order in which the server writes them: `required` of the written form keeps it, the
/// properties themselves are sorted.
fn fields(definition: &Value, order: &Value) -> Vec<Field> {
    let required: Vec<&str> = list(definition, "required").iter().filter_map(Value::as_str).collect();
    let order: Vec<&str> = list(order, "required").iter().filter_map(Value::as_str).collect();
    let Some(properties) = definition.get("properties").and_then(Value::as_object) else { return Vec::new() };
    let mut found: Vec<Field> = properties
        .iter()
        .map(|(name, property)| Field {
            name: name.clone(),
            doc: doc(property),
            optional: !required.contains(&name.as_str()),
            shape: shape(property),
        })
        .collect();
    found.sort_by_key(|field| {
        (order.iter().position(|name| *name == field.name).unwrap_or(order.len()), field.name.clone())
    });
    found
}

fn shape(value: &Value) -> Shape {
    if let Some(name) = referred(value) {
        return Shape::Named(name.to_owned());
    }
    if let Some(some) = list(value, "anyOf").first() {
        return Shape::Nullable(Box::new(shape(some)));
    }
    match value.get("type") {
        Some(Value::String(name)) => simple(name, value),
        Some(Value::Array(names)) => {
            let name =
                names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default();
            Shape::Nullable(Box::new(simple(name, value)))
        }
        _ => Shape::Any,
    }
}

fn simple(name: &str, value: &Value) -> Shape {
    let inner = |key: &str| Box::new(value.get(key).map_or(Shape::Any, shape));
    match name {
        "string" => Shape::Text,
        "integer" => Shape::Integer,
        "number" => Shape::Number,
        "boolean" => Shape::Boolean,
        "array" => Shape::List(inner("items")),
        "object" => Shape::Map(inner("additionalProperties")),
        _ => Shape::Any,
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn doc(value: &Value) -> String {
    value.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Body, Contract, Field, Shape};

    fn of(name: &str, fields: &[Field]) -> Vec<String> {
        let any = fields.iter().filter(|field| field.shape == Shape::Any);
        any.map(|field| format!("{name}.{}", field.name)).collect()
    }

    /// A schema that is not understood becomes `Any` too: these are the fields that are meant to be.
    #[test]
    fn every_other_shape_is_understood() {
        let contract = Contract::read();
        let found: Vec<String> = contract
            .types
            .values()
            .flat_map(|found| match &found.body {
                Body::Object(fields, _) => of(&found.name, fields),
                Body::Union(kinds) => kinds.iter().flat_map(|kind| of(&found.name, &kind.fields)).collect(),
                Body::Words(_) => Vec::new(),
            })
            .collect();
        assert_eq!(
            found,
            [
                "CancelRequestParams.id",
                "ExplainPermissionParams.arguments",
                "InitializeParams.settings",
                "ItemBody.arguments",
                "PromptParams.outputSchema"
            ]
        );
    }

    #[test]
    fn what_the_server_writes_is_there_and_what_the_client_may_omit_is_optional() {
        let contract = Contract::read();
        let optional = |name: &str| -> Vec<String> {
            let fields = contract.fields(name).iter().filter(|field| field.optional);
            fields.map(|field| field.name.clone()).collect()
        };
        assert_eq!(optional("Event"), ["fromSeq"]);
        assert_eq!(optional("PromptResult"), [""; 0]);
        assert_eq!(optional("OpenSessionParams"), ["after", "layout", "limit", "readOnly"]);
        // Both sides send it.
        assert_eq!(optional("Location"), ["line"]);
    }

    #[test]
    fn fields_keep_the_order_of_the_types() {
        let contract = Contract::read();
        let names: Vec<&str> = contract.fields("Money").iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["amount", "currency"]);
        let names: Vec<&str> = contract.fields("Event").iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["sessionId", "epoch", "seq", "fromSeq"]);
    }
}
