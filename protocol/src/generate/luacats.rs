//! The types for Lua, as annotations that its language server reads, and a table of the methods' names.
//!
//! Lua knows no unions of records: a union is a class with a child per kind. Where the union is flattened into
//! an object, the children are those of the object.

use super::COMMAND;
use super::contract::{Body, Contract, Field, Kind, Shape, Type, bare};
use super::page::Page;
use crate::{METHODS, MessageKind, PROTOCOL_VERSION, Sender};

pub(super) fn render(contract: &Contract) -> String {
    let mut page = Page::default();
    page.line("-- Aside's native protocol. docs/protocol.md tells what goes when.");
    page.line(format!("-- Generated, do not edit: {COMMAND}"));
    page.line("--");
    page.line("-- A field that may be null is marked as optional: decode with `luanil`.");
    page.line("-- A class with a field `type` has a child per kind; ignore kinds that are not here.");
    let flattened: Vec<&str> = contract
        .types
        .values()
        .filter_map(|found| match &found.body {
            Body::Object(_, union) => union.as_deref(),
            Body::Union(_) | Body::Words(_) => None,
        })
        .collect();
    for found in contract.types.values().filter(|found| !flattened.contains(&found.name.as_str())) {
        page.gap();
        declare(&mut page, contract, found);
    }
    page.gap();
    page.line("local M = {}");
    page.gap();
    page.line("--- The version of the contract, exchanged by `initialize`.");
    page.line(format!("M.version = {PROTOCOL_VERSION}"));
    for (name, what, sender, kind) in [
        ("client_requests", "What the client asks the server.", Sender::Client, MessageKind::Request),
        (
            "client_notifications",
            "What the client tells the server.",
            Sender::Client,
            MessageKind::Notification,
        ),
        ("server_requests", "What the server asks the client.", Sender::Server, MessageKind::Request),
        (
            "server_notifications",
            "What the server tells the client.",
            Sender::Server,
            MessageKind::Notification,
        ),
    ] {
        page.gap();
        page.line(format!("--- {what}"));
        page.line(format!("M.{name} = {{"));
        for method in METHODS.iter().filter(|method| method.sender == sender && method.kind == kind) {
            page.line(format!("  {} = \"{}\",", bare(method.name), method.name));
        }
        page.line("}");
    }
    page.gap();
    page.line("return M");
    page.finish()
}

fn declare(page: &mut Page, contract: &Contract, found: &Type) {
    let name = &found.name;
    doc(page, &found.doc);
    match &found.body {
        Body::Object(object, union) => {
            page.line(format!("---@class aside.{name}"));
            fields(page, object);
            if let Some(union) = union {
                kinds(page, name, contract.kinds(union));
            }
        }
        Body::Union(variants) => {
            page.line(format!("---@class aside.{name}"));
            kinds(page, name, variants);
        }
        Body::Words(words) => {
            page.line(format!("---@alias aside.{name}"));
            for word in words {
                page.line(format!("---| \"{}\" # {}", word.value, word.doc));
            }
            page.line("---| string # A value of a newer version.");
        }
    }
}

fn kinds(page: &mut Page, name: &str, kinds: &[Kind]) {
    let tags: Vec<String> = kinds.iter().map(|kind| format!("\"{}\"", kind.name)).collect();
    page.line(format!("---@field type {}|string Its kind.", tags.join("|")));
    for kind in kinds {
        page.gap();
        doc(page, &kind.doc);
        page.line(format!("---@class aside.{name}.{}: aside.{name}", kind.name));
        page.line(format!("---@field type \"{}\"", kind.name));
        fields(page, &kind.fields);
    }
}

fn fields(page: &mut Page, fields: &[Field]) {
    for field in fields {
        let (shape, nullable) = match &field.shape {
            Shape::Nullable(inner) => (inner.as_ref(), true),
            shape => (shape, false),
        };
        let mark = if field.optional || nullable { "?" } else { "" };
        page.line(format!("---@field {}{mark} {} {}", field.name, self::shape(shape), field.doc));
    }
}

fn shape(shape: &Shape) -> String {
    match shape {
        Shape::Text => "string".to_owned(),
        Shape::Integer => "integer".to_owned(),
        Shape::Number => "number".to_owned(),
        Shape::Boolean => "boolean".to_owned(),
        Shape::Any => "any".to_owned(),
        Shape::Named(name) => format!("aside.{name}"),
        Shape::List(inner) => match inner.as_ref() {
            Shape::Nullable(_) => format!("({})[]", self::shape(inner)),
            _ => format!("{}[]", self::shape(inner)),
        },
        Shape::Map(inner) => format!("table<string, {}>", self::shape(inner)),
        Shape::Nullable(inner) => format!("{}|nil", self::shape(inner)),
    }
}

fn doc(page: &mut Page, text: &str) {
    if !text.is_empty() {
        page.line(format!("--- {text}"));
    }
}
