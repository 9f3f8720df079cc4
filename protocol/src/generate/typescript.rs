//! The types for TypeScript: interfaces, unions, and one map per direction and kind of message.

use super::COMMAND;
use super::contract::{Body, Contract, Field, Shape, Type};
use super::page::Page;
use crate::{METHODS, MessageKind, PROTOCOL_VERSION, Sender, Stage};

pub(super) fn render(contract: &Contract) -> String {
    let mut page = Page::default();
    page.line("// Aside's native protocol. docs/protocol.md tells what goes when.");
    page.line(format!("// Generated, do not edit: {COMMAND}"));
    page.line("//");
    page.line("// Unions name the kinds of this version. Ignore an object whose `type` is not among them.");
    page.gap();
    doc(&mut page, "", "The version of the contract, exchanged by `initialize`.");
    page.line(format!("export const PROTOCOL_VERSION = {PROTOCOL_VERSION};"));
    for kind in contract.types.values() {
        page.gap();
        declare(&mut page, kind);
    }
    for (name, what, sender, kind) in [
        ("ClientRequests", "What the client asks the server.", Sender::Client, MessageKind::Request),
        (
            "ClientNotifications",
            "What the client tells the server.",
            Sender::Client,
            MessageKind::Notification,
        ),
        ("ServerRequests", "What the server asks the client.", Sender::Server, MessageKind::Request),
        (
            "ServerNotifications",
            "What the server tells the client.",
            Sender::Server,
            MessageKind::Notification,
        ),
    ] {
        page.gap();
        doc(&mut page, "", what);
        page.line(format!("export interface {name} {{"));
        for method in METHODS.iter().filter(|method| method.sender == sender && method.kind == kind) {
            let planned = match method.stage {
                Stage::Working => "",
                Stage::Planned => "Planned. ",
            };
            doc(&mut page, "  ", &format!("{planned}{}", method.doc));
            let key = key(method.name);
            match method.kind {
                MessageKind::Request => {
                    page.line(format!(
                        "  {key}: {{ params: {}; result: {} }};",
                        method.params, method.result
                    ));
                }
                MessageKind::Notification => page.line(format!("  {key}: {{ params: {} }};", method.params)),
            }
        }
        page.line("}");
    }
    page.finish()
}

fn declare(page: &mut Page, kind: &Type) {
    doc(page, "", &kind.doc);
    let name = &kind.name;
    match &kind.body {
        Body::Object(object, None) if object.is_empty() => page.line(format!("export interface {name} {{}}")),
        Body::Object(object, None) => {
            page.line(format!("export interface {name} {{"));
            fields(page, "  ", object);
            page.line("}");
        }
        Body::Object(object, Some(flattened)) => {
            page.line(format!("export type {name} = {{"));
            fields(page, "  ", object);
            page.line(format!("}} & {flattened};"));
        }
        Body::Union(kinds) => {
            page.line(format!("export type {name} ="));
            for (at, kind) in kinds.iter().enumerate() {
                page.line("  | {");
                doc(page, "      ", &kind.doc);
                page.line(format!("      type: \"{}\";", kind.name));
                fields(page, "      ", &kind.fields);
                page.line(if at + 1 == kinds.len() { "    };" } else { "    }" });
            }
        }
        Body::Words(words) => {
            page.line(format!("export type {name} ="));
            for word in words {
                doc(page, "  ", &word.doc);
                page.line(format!("  | \"{}\"", word.value));
            }
            page.line("  | (string & {});");
        }
    }
}

fn fields(page: &mut Page, indent: &str, fields: &[Field]) {
    for field in fields {
        doc(page, indent, &field.doc);
        let mark = if field.optional { "?" } else { "" };
        page.line(format!("{indent}{}{mark}: {};", key(&field.name), shape(&field.shape)));
    }
}

fn shape(shape: &Shape) -> String {
    match shape {
        Shape::Text => "string".to_owned(),
        Shape::Integer | Shape::Number => "number".to_owned(),
        Shape::Boolean => "boolean".to_owned(),
        Shape::Any => "unknown".to_owned(),
        Shape::Named(name) => name.clone(),
        Shape::List(inner) => match inner.as_ref() {
            Shape::Nullable(_) => format!("({})[]", self::shape(inner)),
            _ => format!("{}[]", self::shape(inner)),
        },
        Shape::Map(inner) => format!("Record<string, {}>", self::shape(inner)),
        Shape::Nullable(inner) => format!("{} | null", self::shape(inner)),
    }
}

fn key(name: &str) -> String {
    let plain = name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    if plain { name.to_owned() } else { format!("\"{name}\"") }
}

fn doc(page: &mut Page, indent: &str, text: &str) {
    if !text.is_empty() {
        page.line(format!("{indent}/** {} */", text.replace("*/", "*\\/")));
    }
}
