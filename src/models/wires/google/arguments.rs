//! Arguments of a call that come piece by piece, each with the path of the value that it is a part of, as the text
//! of one JSON object that only grows.
//!
//! That works because models write their arguments from the beginning to the end. A piece that would have to be
//! put into what is written already is a fault: it must never be lost silently.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use super::chunk::PartialArg;
use crate::models::{Fault, fault};

/// How deep arguments may be nested.
const MAX_DEPTH: usize = 64;
/// Names and skipped places of one call.
const MAX_MEMBERS: usize = 10_000;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Place(usize),
}

/// What has been written of one call's arguments.
#[derive(Debug)]
pub(super) struct Arguments {
    /// The objects and lists that are not closed yet, the outermost first.
    open: Vec<Open>,
    /// The string that is not closed yet.
    string: Option<Vec<Step>>,
    members: usize,
}

#[derive(Debug)]
struct Open {
    /// Which member of the outer one it is; nothing for the outermost.
    step: Option<Step>,
    written: Written,
}

#[derive(Debug)]
enum Written {
    Object(BTreeSet<String>),
    /// How many members the list has.
    List(usize),
}

impl Arguments {
    /// Begins with the arguments that came whole. `out` gets the text.
    pub(super) fn new(whole: Option<&RawValue>, out: &mut String) -> Self {
        let mut names = BTreeSet::new();
        out.push('{');
        let fields = whole.and_then(|raw| {
            serde_json::from_str::<std::collections::BTreeMap<String, &RawValue>>(raw.get()).ok()
        });
        for (name, value) in fields.unwrap_or_default() {
            separate(names.is_empty(), out);
            quote(&name, out);
            let _ = write!(out, ":{value}");
            names.insert(name);
        }
        let members = names.len();
        let root = Open { step: None, written: Written::Object(names) };
        Self { open: vec![root], string: None, members }
    }

    /// The next piece.
    pub(super) fn add(&mut self, piece: &PartialArg<'_>, out: &mut String) -> Result<(), Fault> {
        let path = path(&piece.json_path.0).ok_or_else(|| fault::protocol("an argument has an odd path"))?;
        if let Some(text) = &piece.string_value {
            if self.string.as_ref() != Some(&path) {
                self.reach(&path, out)?;
                out.push('"');
                self.string = Some(path);
            }
            escape(&text.0, out);
            return Ok(());
        }
        let scalar = match (piece.number_value, piece.bool_value, piece.null_value) {
            (Some(value), _, _) | (None, Some(value), _) => value.get(),
            (None, None, Some(_)) => "null",
            // It only says that there is more to come.
            (None, None, None) => return Ok(()),
        };
        self.reach(&path, out)?;
        out.push_str(scalar);
        Ok(())
    }

    /// Closes everything.
    pub(super) fn end(mut self, out: &mut String) {
        self.close_to(0, out);
    }

    /// Closes and opens until the value at `path` can be written.
    fn reach(&mut self, path: &[Step], out: &mut String) -> Result<(), Fault> {
        let common = self
            .open
            .iter()
            .skip(1)
            .zip(path)
            .take_while(|(open, step)| open.step.as_ref() == Some(step))
            .count();
        // The last step is the value's own.
        let common = common.min(path.len().saturating_sub(1));
        self.close_to(common + 1, out);
        for (at, step) in path.iter().enumerate().skip(common) {
            self.member(step, out)?;
            if let Some(next) = path.get(at + 1) {
                let written = match next {
                    Step::Name(_) => {
                        out.push('{');
                        Written::Object(BTreeSet::new())
                    }
                    Step::Place(_) => {
                        out.push('[');
                        Written::List(0)
                    }
                };
                self.open.push(Open { step: Some(step.clone()), written });
            }
        }
        Ok(())
    }

    /// Begins the member `step` of the innermost open one.
    fn member(&mut self, step: &Step, out: &mut String) -> Result<(), Fault> {
        let twice = || fault::protocol("arguments came out of their order");
        self.members += 1;
        let Some(open) = self.open.last_mut() else { return Err(twice()) };
        match (&mut open.written, step) {
            (Written::Object(names), Step::Name(name)) => {
                separate(names.is_empty(), out);
                if !names.insert(name.clone()) {
                    return Err(twice());
                }
                quote(name, out);
                out.push(':');
            }
            (Written::List(count), Step::Place(place)) => {
                if *place < *count {
                    return Err(twice());
                }
                self.members = self.members.saturating_add(*place - *count);
                if self.members <= MAX_MEMBERS {
                    for _ in *count..*place {
                        separate(*count == 0, out);
                        out.push_str("null");
                        *count += 1;
                    }
                }
                separate(*count == 0, out);
                *count += 1;
            }
            (Written::Object(_), Step::Place(_)) | (Written::List(_), Step::Name(_)) => return Err(twice()),
        }
        if self.members > MAX_MEMBERS {
            return Err(fault::answer_too_large("arguments in a call", MAX_MEMBERS));
        }
        Ok(())
    }

    fn close_to(&mut self, depth: usize, out: &mut String) {
        if self.string.take().is_some() {
            out.push('"');
        }
        while self.open.len() > depth {
            match self.open.pop().map(|open| open.written) {
                Some(Written::Object(_)) => out.push('}'),
                Some(Written::List(_)) => out.push(']'),
                None => {}
            }
        }
    }
}

fn separate(is_first: bool, out: &mut String) {
    if !is_first {
        out.push(',');
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    escape(text, out);
    out.push('"');
}

/// `text` as the inside of a JSON string.
fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// The steps of `$.a.b[0]['c']`; `None` where it is no such path, or goes nowhere.
fn path(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.trim().strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() >= MAX_DEPTH {
            return None;
        }
        if let Some(tail) = rest.strip_prefix('.') {
            let end = tail.find(['.', '[']).unwrap_or(tail.len());
            let (name, tail) = tail.split_at(end);
            if name.is_empty() {
                return None;
            }
            steps.push(Step::Name(name.to_owned()));
            rest = tail;
        } else {
            let inside = rest.strip_prefix('[')?;
            if let Some(mark @ ('\'' | '"')) = inside.chars().next() {
                let (name, tail) = quoted(inside.get(1..)?, mark)?;
                steps.push(Step::Name(name));
                rest = tail.strip_prefix(']')?;
            } else {
                let (place, tail) = inside.split_once(']')?;
                steps.push(Step::Place(place.trim().parse().ok()?));
                rest = tail;
            }
        }
    }
    // The outermost is an object.
    matches!(steps.first(), Some(Step::Name(_))).then_some(steps)
}

/// A name up to its closing mark, and what follows it.
fn quoted(text: &str, mark: char) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            c if c == mark => return Some((name, text.get(at + c.len_utf8()..)?)),
            '\\' => name.push(characters.next()?.1),
            c => name.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn written(whole: Option<&str>, pieces: &[Value]) -> Result<Value, Fault> {
        let whole = whole.map(|text| serde_json::from_str::<&RawValue>(text).unwrap());
        let mut out = String::new();
        let mut arguments = Arguments::new(whole, &mut out);
        for piece in pieces {
            let text = piece.to_string();
            arguments.add(&serde_json::from_str(&text).unwrap(), &mut out)?;
        }
        arguments.end(&mut out);
        Ok(serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}")))
    }

    #[test]
    fn pieces_become_one_object() {
        let pieces = [
            json!({ "jsonPath": "$.text", "stringValue": "a \"quo", "willContinue": true }),
            json!({ "jsonPath": "$.text", "stringValue": "te\"\n\u{1}", "willContinue": true }),
            json!({ "jsonPath": "$.text", "stringValue": "" }),
            json!({ "jsonPath": "$.edits[0].line", "numberValue": 3 }),
            json!({ "jsonPath": "$.edits[0].on", "boolValue": true }),
            json!({ "jsonPath": "$.edits[0].x", "nullValue": "NULL_VALUE" }),
            json!({ "jsonPath": "$.edits[2].line", "numberValue": -1.5e3 }),
            json!({ "jsonPath": "$['odd.name']['it\\'s'][0]", "stringValue": "ü" }),
            json!({ "jsonPath": "$.none" }),
        ];
        assert_eq!(
            written(Some(r#"{"room":"kitchen","n":[1]}"#), &pieces).unwrap(),
            json!({
                "room": "kitchen", "n": [1], "text": "a \"quote\"\n\u{1}",
                "edits": [{ "line": 3, "on": true, "x": null }, null, { "line": -1500.0 }],
                "odd.name": { "it's": ["ü"] },
            })
        );
        assert_eq!(written(None, &[]).unwrap(), json!({}));
    }

    #[test]
    fn what_cannot_be_appended_is_a_fault() {
        let number = |path: &str| json!({ "jsonPath": path, "numberValue": 1 });
        for paths in [
            &["$.a", "$.b", "$.a"][..],
            &["$.a.x", "$.b", "$.a.y"],
            &["$.a[1]", "$.a[0]"],
            &["$.a[0]", "$.a.b"],
            &["$"],
            &["$[0]"],
            &["a"],
            &["$..a"],
            &["$.a["],
            &["$['a"],
            &["$.a[99999999]"],
            &["$.a[18446744073709551615]"],
        ] {
            let pieces: Vec<_> = paths.iter().copied().map(number).collect();
            assert!(written(None, &pieces).is_err(), "{paths:?}");
        }
        let deep = format!("$.a{}", "[0]".repeat(100));
        assert!(written(None, &[number(&deep)]).is_err());
    }
}
