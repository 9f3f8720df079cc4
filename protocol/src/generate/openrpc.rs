//! The OpenRPC document: the client's methods, with the server's own under `x-serverMethods`.

use serde_json::{Value, json};

use super::contract::{Contract, REFERENCE};
use super::schema::pretty;
use crate::{METHODS, MessageKind, MethodInfo, PROTOCOL_VERSION, Sender, Stage};

const COMPONENT: &str = "#/components/schemas/";

pub(super) fn render(contract: &Contract) -> String {
    let of = |sender: Sender| -> Vec<Value> {
        METHODS
            .iter()
            .filter(|method| method.sender == sender)
            .map(|method| self::method(contract, method))
            .collect()
    };
    let document = json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "Aside's native protocol",
            "version": PROTOCOL_VERSION.to_string(),
            "description": "JSON-RPC 2.0 over standard input and output. See docs/protocol.md.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "methods": of(Sender::Client),
        "x-serverMethods": of(Sender::Server),
        "components": { "schemas": contract.definitions },
    });
    pretty(moved(document))
}

fn method(contract: &Contract, method: &MethodInfo) -> Value {
    let schemas = contract.definitions.get(method.params).and_then(|params| params.get("properties"));
    let params: Vec<Value> = contract
        .fields(method.params)
        .iter()
        .map(|field| {
            json!({
                "name": field.name,
                "description": field.doc,
                "required": !field.optional,
                "schema": schemas.and_then(|schemas| schemas.get(&field.name)),
            })
        })
        .collect();
    let stage = match method.stage {
        Stage::Working => "working",
        Stage::Planned => "planned",
    };
    let mut described = json!({
        "name": method.name,
        "description": method.doc,
        "paramStructure": "by-name",
        "params": params,
        "x-paramsType": method.params,
        "x-stage": stage,
    });
    if method.kind == MessageKind::Request
        && let Some(object) = described.as_object_mut()
    {
        let schema = json!({ "$ref": format!("{REFERENCE}{}", method.result) });
        object.insert("result".to_owned(), json!({ "name": method.result, "schema": schema }));
    }
    described
}

/// The same document with its references to where OpenRPC keeps schemas.
fn moved(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .map(|(key, value)| match value {
                Value::String(path) if key == "$ref" => {
                    (key, Value::String(path.replacen(REFERENCE, COMPONENT, 1)))
                }
                value => (key, moved(value)),
            })
            .collect(),
        Value::Array(values) => values.into_iter().map(moved).collect(),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}
