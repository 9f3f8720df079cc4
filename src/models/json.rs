//! JSON as models and gateways write it: repaired where it is damaged, completed where it was cut.
//!
//! Nothing here fails or panics, and everything takes linear time.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Deeper nesting is cut, because the reader of the result has this limit as well.
const MAX_DEPTH: usize = 120;

/// `text` with damaged strings made valid: raw control characters are escaped, backslashes before anything
/// that is no escape are doubled, and unpaired surrogates become U+FFFD. Text without damage is borrowed.
pub fn repair(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    // Everything before `copied` is in `out`.
    let mut copied = 0;
    let mut at = 0;
    let mut in_string = false;
    while let Some(found) = bytes.get(at..).and_then(|tail| next_of_interest(tail, in_string)) {
        at += found;
        let byte = bytes.get(at).copied().unwrap_or_default();
        let (taken, replacement): (usize, Option<Cow<'static, str>>) = match byte {
            b'"' => {
                in_string = !in_string;
                (1, None)
            }
            b'\\' => escape(bytes.get(at..).unwrap_or_default()),
            b'\n' => (1, Some("\\n".into())),
            b'\r' => (1, Some("\\r".into())),
            b'\t' => (1, Some("\\t".into())),
            control => (1, Some(format!("\\u{control:04x}").into())),
        };
        if let Some(replacement) = replacement {
            out.push_str(text.get(copied..at).unwrap_or_default());
            out.push_str(&replacement);
            copied = at + taken;
        }
        at += taken;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

fn next_of_interest(tail: &[u8], in_string: bool) -> Option<usize> {
    if in_string {
        tail.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))
    } else {
        memchr::memchr(b'"', tail)
    }
}

/// The length of the escape at the start of `tail`, and what should stand in its place where it is bad.
fn escape(tail: &[u8]) -> (usize, Option<Cow<'static, str>>) {
    match tail.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => (2, None),
        Some(b'u') => match unit(tail) {
            Some(0xd800..=0xdbff) => match tail.get(6..).and_then(unit) {
                Some(0xdc00..=0xdfff) => (12, None),
                _ => (6, Some("\\ufffd".into())),
            },
            Some(0xdc00..=0xdfff) => (6, Some("\\ufffd".into())),
            Some(_) => (6, None),
            // The end of a cut text is left to the completion.
            None if tail.len() < 6 && tail.iter().skip(2).all(u8::is_ascii_hexdigit) => (tail.len(), None),
            None => (1, Some("\\\\".into())),
        },
        None => (1, None),
        Some(_) => (1, Some("\\\\".into())),
    }
}

/// The UTF-16 unit of a `\uXXXX` at the start of `tail`.
fn unit(tail: &[u8]) -> Option<u32> {
    let digits = tail.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

/// The text of a JSON object, made of the arguments that a model streamed: as they are where they are valid,
/// else repaired, else what can be had of their start, else `{}`.
pub fn arguments(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return "{}".to_owned();
    }
    let repaired = repair(text);
    if is_object(&repaired) {
        return repaired.into_owned();
    }
    let completed = complete(&repaired);
    if is_object(&completed) { completed } else { "{}".to_owned() }
}

/// Whether two texts of arguments mean the same.
pub fn same_arguments(one: &str, other: &str) -> bool {
    let read = |text: &str| serde_json::from_str::<Map<String, Value>>(&arguments(text));
    matches!((read(one), read(other)), (Ok(one), Ok(other)) if one == other)
}

/// Whether `text` is one JSON object and nothing else.
pub fn is_object(text: &str) -> bool {
    serde_json::from_str::<Map<String, Value>>(text).is_ok()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    /// A value, or the end of an array that is still empty or has a trailing comma.
    ValueOrEnd,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

/// The longest start of `text` that makes sense, with everything open closed. Keys without a value and numbers
/// and words that may be incomplete are dropped; a string that was cut keeps what there is of it.
pub fn complete(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len() + 8);
    let mut open: Vec<u8> = Vec::new();
    // The length of `out` up to which it only lacks the closers.
    let mut good = 0;
    let mut expect = Expect::Value;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        match (byte, expect) {
            (b'{' | b'[', Expect::Value | Expect::ValueOrEnd) if open.len() < MAX_DEPTH => {
                open.push(if byte == b'{' { b'}' } else { b']' });
                out.push(char::from(byte));
                good = out.len();
                expect = if byte == b'{' { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
                at += 1;
            }
            (b'}' | b']', Expect::KeyOrEnd | Expect::ValueOrEnd | Expect::CommaOrEnd)
                if open.last() == Some(&byte) =>
            {
                open.pop();
                // Drops a trailing comma.
                out.truncate(good);
                out.push(char::from(byte));
                good = out.len();
                expect = Expect::CommaOrEnd;
                at += 1;
            }
            (b',', Expect::CommaOrEnd) => {
                out.push(',');
                expect = if open.last() == Some(&b'}') { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
                at += 1;
            }
            (b':', Expect::Colon) => {
                out.push(':');
                expect = Expect::Value;
                at += 1;
            }
            (b'"', Expect::KeyOrEnd) => {
                let Some(length) = string_length(rest) else { break };
                out.push_str(rest.get(..length).unwrap_or_default());
                expect = Expect::Colon;
                at += length;
            }
            (b'"', Expect::Value | Expect::ValueOrEnd) => {
                let length = string_length(rest);
                if let Some(length) = length {
                    out.push_str(rest.get(..length).unwrap_or_default());
                } else {
                    out.push_str(without_partial_escape(rest));
                    out.push('"');
                }
                good = out.len();
                expect = Expect::CommaOrEnd;
                at += length.unwrap_or(rest.len());
            }
            (_, Expect::Value | Expect::ValueOrEnd) => {
                let length = rest
                    .find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)))
                    .unwrap_or(rest.len());
                let word = rest.get(..length).unwrap_or_default();
                let Some(word) = scalar(word) else { break };
                out.push_str(word);
                good = out.len();
                expect = Expect::CommaOrEnd;
                at += length;
            }
            _ => break,
        }
        if open.is_empty() {
            break;
        }
    }
    out.truncate(good);
    out.extend(open.iter().rev().map(|closer| char::from(*closer)));
    out
}

/// The length of the string at the start of `text`, quotes included; `None` where it does not end.
fn string_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// A string that was cut, without the piece of an escape at its end.
fn without_partial_escape(text: &str) -> &str {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(found) = bytes.get(at..).and_then(|tail| memchr::memchr(b'\\', tail)) {
        at += found;
        let length = match bytes.get(at + 1) {
            // Half of a pair is no character.
            Some(b'u') if matches!(bytes.get(at..).and_then(unit), Some(0xd800..=0xdbff)) => 12,
            Some(b'u') => 6,
            _ => 2,
        };
        if at + length > bytes.len() {
            return text.get(..at).unwrap_or_default();
        }
        at += length;
    }
    text
}

/// A number or word as far as it is valid.
fn scalar(word: &str) -> Option<&str> {
    if matches!(word, "true" | "false" | "null") {
        return Some(word);
    }
    // Only the end of a number can be incomplete: `-`, `1.`, `1e`, `1e+`.
    let number = word.trim_end_matches(['e', 'E', '+', '-', '.']);
    serde_json::from_str::<serde_json::Number>(number).is_ok().then_some(number)
}

#[cfg(test)]
mod tests;
