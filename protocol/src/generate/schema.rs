//! The JSON Schema: every type under `$defs`, and the lines that either side may write.
//!
//! The schema is open: unknown fields are allowed everywhere. Which result belongs to an answer depends on the
//! request, so a `ServerMessage` may hold any object; check it against the method's own type for more.

use serde_json::{Map, Value, json};

use super::contract::{Contract, REFERENCE, pascal, sorted};
use crate::{METHODS, MessageKind, MethodInfo, PROTOCOL_VERSION, Sender};

/// Methods that may also be sent as a notification.
const EITHER: &[&str] = &["cancel"];

pub(super) fn render(contract: &Contract) -> String {
    let mut definitions: Map<String, Value> =
        contract.definitions.iter().map(|(name, schema)| (name.clone(), schema.clone())).collect();
    for method in METHODS {
        definitions.insert(message_name(method), message(contract, method));
    }
    definitions.insert(
        "RequestId".to_owned(),
        json!({
            "description": "Given back as it came.",
            "type": ["string", "number"],
        }),
    );
    definitions.insert("Answer".to_owned(), answer());
    definitions.insert("ErrorAnswer".to_owned(), error_answer());
    definitions.insert("ServerMessage".to_owned(), side(Sender::Server));
    definitions.insert("ClientMessage".to_owned(), side(Sender::Client));
    pretty(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:aside:protocol:{PROTOCOL_VERSION}"),
        "title": "Aside's native protocol",
        "description": "One line of it: `ServerMessage` or `ClientMessage`. \
            Unknown fields and kinds are to be ignored.",
        "anyOf": [reference("ServerMessage"), reference("ClientMessage")],
        "$defs": definitions,
    }))
}

/// Indented, keys sorted, with a line end.
pub(super) fn pretty(value: Value) -> String {
    format!("{:#}\n", sorted(value))
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("{REFERENCE}{name}") })
}

fn message_name(method: &MethodInfo) -> String {
    let kind = match method.kind {
        MessageKind::Request => "Request",
        MessageKind::Notification => "Notification",
    };
    pascal(method.name) + kind
}

fn message(contract: &Contract, method: &MethodInfo) -> Value {
    let mut required = vec!["jsonrpc", "method"];
    let mut properties = json!({
        "jsonrpc": { "const": "2.0" },
        "method": { "const": method.name },
        "params": reference(method.params),
    });
    match method.kind {
        MessageKind::Request => {
            if let Some(properties) = properties.as_object_mut() {
                properties.insert("id".to_owned(), reference("RequestId"));
            }
            if !EITHER.contains(&method.name) {
                required.push("id");
            }
        }
        // A notification with an id would be a request.
        MessageKind::Notification => {
            if let Some(properties) = properties.as_object_mut() {
                properties.insert("id".to_owned(), json!(false));
            }
        }
    }
    // The server always writes `params`; a client may leave out an object that may be empty.
    let empty = contract.fields(method.params).iter().all(|field| field.optional);
    if method.sender == Sender::Server || !empty {
        required.push("params");
    }
    // A message that both sides send has one schema, and says what its params say.
    let shared = METHODS.iter().filter(|other| other.name == method.name).count() > 1;
    let described = contract.types.get(method.params).filter(|_| shared);
    json!({
        "type": "object",
        "description": described.map_or(method.doc, |params| &params.doc),
        "properties": properties,
        "required": required,
    })
}

fn answer() -> Value {
    json!({
        "type": "object",
        "description": "The answer to a request. Its result is what the method of that request says.",
        "properties": {
            "jsonrpc": { "const": "2.0" },
            "id": reference("RequestId"),
            "result": { "type": "object" },
            "error": false,
            "method": false,
        },
        "required": ["jsonrpc", "id", "result"],
    })
}

fn error_answer() -> Value {
    json!({
        "type": "object",
        "description": "The answer to a request that failed. \
            Its id is null where the request's could not be read.",
        "properties": {
            "jsonrpc": { "const": "2.0" },
            "id": { "anyOf": [reference("RequestId"), { "type": "null" }] },
            "error": {
                "type": "object",
                "properties": {
                    "code": { "type": "integer" },
                    "message": { "type": "string" },
                    "data": reference("ErrorData"),
                },
                "required": ["code", "message", "data"],
            },
            "result": false,
            "method": false,
        },
        "required": ["jsonrpc", "id", "error"],
    })
}

fn side(sender: Sender) -> Value {
    let description = match sender {
        Sender::Server => "One line of the server.",
        Sender::Client => "One line of the client.",
    };
    // A client's error may be anybody's: nobody but the server owes `data`.
    let error = match sender {
        Sender::Server => reference("ErrorAnswer"),
        Sender::Client => json!({
            "type": "object",
            "properties": {
                "jsonrpc": { "const": "2.0" },
                "id": reference("RequestId"),
                "error": {
                    "type": "object",
                    "properties": { "code": { "type": "integer" }, "message": { "type": "string" } },
                    "required": ["code", "message"],
                },
                "result": false,
                "method": false,
            },
            "required": ["jsonrpc", "id", "error"],
        }),
    };
    let mut single = vec![reference("Answer"), error];
    single.extend(
        METHODS
            .iter()
            .filter(|method| method.sender == sender)
            .map(|method| reference(&message_name(method))),
    );
    let batch = match sender {
        Sender::Server => json!([reference("Answer"), reference("ErrorAnswer")]),
        Sender::Client => Value::Array(single.clone()),
    };
    single.push(json!({
        "type": "array",
        "description": "A batch.",
        "items": { "anyOf": batch },
        "minItems": 1,
    }));
    json!({ "description": description, "anyOf": single })
}
