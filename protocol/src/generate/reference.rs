//! The reference page: `introduction.md`, written by hand, then every method, event, item and type.

use super::COMMAND;
use super::contract::{Body, Contract, Field, Kind, Shape};
use super::page::{Page, sentences};
use crate::{
    AUTH_REQUIRED, BUSY, CANCELLED, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND,
    METHODS, MessageKind, MethodInfo, NOT_FOUND, OVERLOADED, PARSE_ERROR, SHUTTING_DOWN, STORAGE, Sender,
    Stage,
};

/// The codes, each with the kind that goes with it.
const CODES: &[(i32, &str)] = &[
    (PARSE_ERROR, "parse"),
    (INVALID_REQUEST, "invalidRequest"),
    (METHOD_NOT_FOUND, "methodNotFound"),
    (INVALID_PARAMS, "invalidParams"),
    (INTERNAL_ERROR, "internal"),
    (AUTH_REQUIRED, "authRequired"),
    (OVERLOADED, "overloaded"),
    (NOT_FOUND, "notFound"),
    (BUSY, "busy"),
    (STORAGE, "storage"),
    (SHUTTING_DOWN, "shuttingDown"),
    (CANCELLED, "cancelled"),
];

/// Types with a section of their own.
const ELSEWHERE: &[&str] = &["Event", "EventBody", "Item", "ItemBody", "ErrorData", "ErrorKind", "Empty"];

pub(super) fn render(contract: &Contract) -> String {
    let mut page = Page::default();
    page.line(format!("<!-- Generated, do not edit: {COMMAND} -->"));
    page.gap();
    page.line(include_str!("introduction.md").trim_end());
    errors(&mut page, contract);
    for (heading, about, sender, stage) in [
        ("What the client sends", "", Sender::Client, Stage::Working),
        (
            "What the server sends",
            "Each request needs the client's capability of the same name, and has a fallback without it.",
            Sender::Server,
            Stage::Working,
        ),
        (
            "Planned: what the client will send",
            "The types are fixed, the work is not done: these are answered -32601 for now.",
            Sender::Client,
            Stage::Planned,
        ),
        (
            "Planned: what the server will send",
            "The types are fixed, the work is not done: these do not come yet.",
            Sender::Server,
            Stage::Planned,
        ),
    ] {
        page.gap();
        page.line(format!("## {heading}"));
        if !about.is_empty() {
            page.gap();
            page.line(about);
        }
        for method in METHODS.iter().filter(|method| method.sender == sender && method.stage == stage) {
            self::method(&mut page, contract, method);
        }
        if sender == Sender::Server && stage == Stage::Working {
            union(&mut page, contract, "Events", "Event", "EventBody");
            union(&mut page, contract, "Items", "Item", "ItemBody");
        }
    }
    types(&mut page, contract);
    page.finish()
}

fn errors(page: &mut Page, contract: &Contract) {
    let words = contract.words("ErrorKind");
    page.gap();
    page.line("## Errors");
    page.gap();
    page.line("Every error has `data`:");
    table(page, contract.fields("ErrorData"));
    page.gap();
    page.line("| Code | `data.kind` | Meaning |");
    page.line("|---|---|---|");
    for (code, kind) in CODES {
        let doc =
            words.iter().find(|word| word.value == *kind).map(|word| word.doc.as_str()).unwrap_or_default();
        page.line(format!("| {code} | `{kind}` | {doc} |"));
    }
    page.gap();
    page.line("A turn that fails is not an error: its `prompt` has a result with `stopReason: \"error\"`.");
    page.line("That result's `error.kind` is one of the above or of these:");
    page.gap();
    page.line("| Kind | Meaning |");
    page.line("|---|---|");
    for word in words.iter().filter(|word| CODES.iter().all(|(_, kind)| *kind != word.value)) {
        page.line(format!("| `{}` | {} |", word.value, word.doc));
    }
}

fn method(page: &mut Page, contract: &Contract, method: &MethodInfo) {
    page.gap();
    page.line(format!("### `{}`", method.name));
    page.gap();
    if method.kind == MessageKind::Notification {
        page.line("A notification.");
    }
    paragraph(page, method.doc);
    if method.params == "Event" {
        page.line("See [events](#events).");
        return;
    }
    part(page, contract, "Params", method.params, method.doc);
    if method.kind == MessageKind::Request {
        part(page, contract, "Result", method.result, method.doc);
    }
}

/// The fields of params or result, and what their type says beyond what is `known` already.
fn part(page: &mut Page, contract: &Contract, what: &str, name: &str, known: &str) {
    let fields = contract.fields(name);
    page.gap();
    if fields.is_empty() {
        page.line(format!("{what}: an object without fields."));
    } else {
        page.line(format!("{what} (`{name}`):"));
        let doc = contract.types.get(name).map_or("", |found| &found.doc);
        for sentence in sentences(doc).iter().filter(|sentence| !known.contains(sentence.as_str())) {
            page.line(sentence);
        }
        table(page, fields);
    }
}

fn union(page: &mut Page, contract: &Contract, heading: &str, head: &str, body: &str) {
    page.gap();
    page.line(format!("## {heading}"));
    for name in [head, body] {
        if let Some(found) = contract.types.get(name) {
            page.gap();
            paragraph(page, &found.doc);
        }
    }
    page.gap();
    page.line("Each has these fields, a `type`, and the fields of its type:");
    table(page, contract.fields(head));
    for kind in contract.kinds(body) {
        page.gap();
        page.line(format!("### {head} `{}`", kind.name));
        self::kind(page, kind);
    }
}

fn kind(page: &mut Page, kind: &Kind) {
    page.gap();
    paragraph(page, &kind.doc);
    table(page, &kind.fields);
}

fn types(page: &mut Page, contract: &Contract) {
    let shown = |name: &str| {
        ELSEWHERE.contains(&name)
            || METHODS.iter().any(|method| method.params == name || method.result == name)
                && !referred_to(contract, name)
    };
    page.gap();
    page.line("## Types");
    for found in contract.types.values().filter(|found| !shown(&found.name)) {
        page.gap();
        page.line(format!("### Type `{}`", found.name));
        page.gap();
        paragraph(page, &found.doc);
        match &found.body {
            Body::Object(fields, _) => table(page, fields),
            Body::Union(kinds) => {
                for kind in kinds {
                    page.gap();
                    page.line(format!("With `type: \"{}\"`:", kind.name));
                    paragraph(page, &kind.doc);
                    table(page, &kind.fields);
                }
            }
            Body::Words(words) => {
                page.gap();
                page.line("| Value | Meaning |");
                page.line("|---|---|");
                for word in words {
                    page.line(format!("| `{}` | {} |", word.value, word.doc));
                }
            }
        }
    }
}

/// Whether a table links to the type.
fn referred_to(contract: &Contract, name: &str) -> bool {
    fn names(shape: &Shape, name: &str) -> bool {
        match shape {
            Shape::Named(found) => found == name,
            Shape::List(inner) | Shape::Map(inner) | Shape::Nullable(inner) => names(inner, name),
            Shape::Text | Shape::Integer | Shape::Number | Shape::Boolean | Shape::Any => false,
        }
    }
    contract.types.values().any(|found| match &found.body {
        Body::Object(fields, _) => fields.iter().any(|field| names(&field.shape, name)),
        Body::Union(kinds) => {
            kinds.iter().flat_map(|kind| &kind.fields).any(|field| names(&field.shape, name))
        }
        Body::Words(_) => false,
    })
}

fn table(page: &mut Page, fields: &[Field]) {
    if fields.is_empty() {
        return;
    }
    page.gap();
    page.line("| Field | Type | Meaning |");
    page.line("|---|---|---|");
    for field in fields {
        let (kind, nullable) = match &field.shape {
            Shape::Nullable(inner) => (shape(inner), true),
            other => (shape(other), false),
        };
        let mark = match (field.optional, nullable) {
            (true, _) => ", optional",
            (false, true) => " or null",
            (false, false) => "",
        };
        page.line(format!("| `{}` | {kind}{mark} | {} |", field.name, field.doc.replace('|', "\\|")));
    }
}

fn shape(shape: &Shape) -> String {
    match shape {
        Shape::Text => "string".to_owned(),
        Shape::Integer => "integer".to_owned(),
        Shape::Number => "number".to_owned(),
        Shape::Boolean => "boolean".to_owned(),
        Shape::Any => "any".to_owned(),
        Shape::Named(name) => match name.as_str() {
            "Event" => "[event](#events)".to_owned(),
            "Item" => "[item](#items)".to_owned(),
            "ErrorKind" => "[error kind](#errors)".to_owned(),
            _ => format!("[{name}](#type-{})", name.to_lowercase()),
        },
        Shape::List(inner) => format!("list of {}", self::shape(inner)),
        Shape::Map(inner) => format!("object of {}", self::shape(inner)),
        Shape::Nullable(inner) => format!("{} or null", self::shape(inner)),
    }
}

fn paragraph(page: &mut Page, text: &str) {
    for sentence in sentences(text) {
        page.line(sentence);
    }
}

#[cfg(test)]
mod tests {
    use super::{CODES, Contract, render};

    #[test]
    fn every_link_leads_to_a_heading() {
        let page = render(&Contract::read());
        let headings: Vec<String> = page
            .lines()
            .filter(|line| line.starts_with('#'))
            .map(|line| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-").replace('`', ""))
            .collect();
        let links: Vec<&str> = page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        assert!(links.len() > 50, "the links are not found");
        for link in links {
            assert!(headings.iter().any(|heading| heading == link), "{link} leads nowhere");
        }
    }

    #[test]
    fn every_code_has_a_known_kind() {
        let contract = Contract::read();
        for (code, kind) in CODES {
            assert!(contract.words("ErrorKind").iter().any(|word| word.value == *kind), "{code}: {kind}");
        }
    }
}
