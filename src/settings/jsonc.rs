//! The one reader of JSON as people write it: `//` and `/* */` comments, trailing commas, a byte order mark.
//!
//! Everything that is not JSON is overwritten with as many spaces, so that every position that the parser
//! tells is one of the original text. It must never echo a value: files read here hold keys.

use std::borrow::Cow;

use serde::de::{DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_path_to_error::Segment;

/// Why a text, or a part of it, is not what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct JsoncError {
    /// 1-based line of the original text.
    pub line: u32,
    /// 1-based column of the original text, in characters.
    pub column: u32,
    /// What is wrong; holds no value of the text.
    pub message: String,
    /// Where in the document, such as `providers.acme.models[0].id`; empty for the whole.
    pub path: String,
}

/// A text made pure, and the original for the positions.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    original: &'a str,
    json: Cow<'a, str>,
}

/// A value inside a [`Document`].
#[derive(Clone, Copy, Debug)]
pub struct Value<'d> {
    document: &'d Document<'d>,
    start: usize,
    end: usize,
}

/// Reads `text` as a `T`.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, JsoncError> {
    Document::new(text)?.root()?.parse()
}

impl<'a> Document<'a> {
    /// Takes comments and trailing commas out. Fails only at a comment without an end.
    pub fn new(text: &'a str) -> Result<Self, JsoncError> {
        match purified(text) {
            Ok(json) => Ok(Self { original: text, json }),
            Err(at) => {
                let (line, column) = position(text, at);
                Err(JsoncError {
                    line,
                    column,
                    message: "a comment without an end".into(),
                    path: String::new(),
                })
            }
        }
    }

    /// The document's one value, after a check of its syntax.
    pub fn root(&'a self) -> Result<Value<'a>, JsoncError> {
        let raw: &RawValue = serde_json::from_str(&self.json).map_err(|error| self.syntax(0, &error))?;
        Ok(self.value(raw))
    }

    fn value(&'a self, raw: &RawValue) -> Value<'a> {
        let start = (raw.get().as_ptr() as usize).saturating_sub(self.json.as_ptr() as usize);
        Value { document: self, start, end: start + raw.get().len() }
    }

    /// An error of serde's, met in the part that begins at byte `from`.
    fn syntax(&self, from: usize, error: &serde_json::Error) -> JsoncError {
        let part = self.json.get(from..).unwrap_or_default();
        let line_start = match error.line() {
            0 | 1 => 0,
            line => memchr::memchr_iter(b'\n', part.as_bytes()).nth(line - 2).map_or(part.len(), |at| at + 1),
        };
        let at = from + line_start + error.column().saturating_sub(1);
        self.error(at, plain(error), String::new())
    }

    fn error(&self, at: usize, message: String, path: String) -> JsoncError {
        let (line, column) = position(self.original, at);
        JsoncError { line, column, message, path }
    }
}

impl<'d> Value<'d> {
    /// The value as pure JSON.
    pub fn text(&self) -> &'d str {
        self.document.json.get(self.start..self.end).unwrap_or_default()
    }

    /// The bytes of the original text that the value takes.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.start..self.end
    }

    /// 1-based line and column of the value's first character.
    pub fn position(&self) -> (u32, u32) {
        position(self.document.original, self.start)
    }

    /// Reads the value as a `T`. The error stands at the innermost value that does not fit.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, JsoncError> {
        let mut deserializer = serde_json::Deserializer::from_str(self.text());
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().clone();
            let inner = error.into_inner();
            if !inner.is_data() {
                return self.document.syntax(self.start, &inner);
            }
            let at = self.descend(path.iter()).start;
            let path = if path.iter().len() == 0 { String::new() } else { path.to_string() };
            self.document.error(at, plain(&inner), path)
        })
    }

    /// The entries of an object, in the order of the text; a name that is there twice comes twice.
    pub fn entries(&self) -> Result<Vec<Entry<'d>>, JsoncError> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    entries.push((Cow::Owned(key), value));
                }
                Ok(entries)
            }
        }
        let mut deserializer = serde_json::Deserializer::from_str(self.text());
        let entries = deserializer.deserialize_map(Entries).map_err(|error| self.misfit(&error))?;
        Ok(entries
            .into_iter()
            .map(|(key, raw)| Entry { key: key.into_owned(), value: self.document.value(raw) })
            .collect())
    }

    /// The elements of an array.
    pub fn elements(&self) -> Result<Vec<Value<'d>>, JsoncError> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = Vec<&'de RawValue>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(elements)
            }
        }
        let mut deserializer = serde_json::Deserializer::from_str(self.text());
        let elements = deserializer.deserialize_seq(Elements).map_err(|error| self.misfit(&error))?;
        Ok(elements.into_iter().map(|raw| self.document.value(raw)).collect())
    }

    /// The value that the names lead to, as far as they can be followed.
    #[must_use]
    pub fn at<'p>(self, names: impl IntoIterator<Item = &'p str>) -> Self {
        let mut value = self;
        for name in names {
            let entries = value.entries().unwrap_or_default();
            let Some(entry) = entries.into_iter().rev().find(|entry| entry.key == name) else { break };
            value = entry.value;
        }
        value
    }

    /// An error at this value.
    pub fn error(&self, message: impl Into<String>) -> JsoncError {
        self.document.error(self.start, message.into(), String::new())
    }

    fn misfit(&self, error: &serde_json::Error) -> JsoncError {
        if error.is_data() { self.error(plain(error)) } else { self.document.syntax(self.start, error) }
    }

    /// The innermost value that `path` leads to, as far as it can be followed.
    fn descend<'p>(self, path: impl Iterator<Item = &'p Segment>) -> Self {
        let mut value = self;
        for segment in path {
            let next = match segment {
                Segment::Map { key } => value.entries().ok().and_then(|entries| {
                    entries.into_iter().rev().find(|entry| entry.key == *key).map(|entry| entry.value)
                }),
                Segment::Seq { index } => value.elements().ok().and_then(|all| all.get(*index).copied()),
                Segment::Enum { .. } | Segment::Unknown => None,
            };
            let Some(next) = next else { break };
            value = next;
        }
        value
    }
}

/// One entry of an object.
#[derive(Clone, Debug)]
pub struct Entry<'d> {
    /// Its name, unescaped.
    pub key: String,
    /// Its value.
    pub value: Value<'d>,
}

/// What serde says, without the position that it appends and without the value that it quotes: the value of
/// a mistyped field may be a key.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let suffix = format!(" at line {} column {}", error.line(), error.column());
    let text = text.strip_suffix(&suffix).unwrap_or(&text);
    let Some(rest) = text.strip_prefix("invalid type: ").or_else(|| text.strip_prefix("invalid value: "))
    else {
        return match text.strip_prefix("unknown variant `") {
            Some(rest) => rest.split_once("`, ").map_or("unknown value", |(_, rest)| rest).to_owned(),
            None => text.to_owned(),
        };
    };
    let Some((found, expected)) = rest.rsplit_once(", expected ") else {
        return "a value of another type".into();
    };
    let kind = ["string", "integer", "floating point", "boolean", "map", "sequence", "null"]
        .into_iter()
        .find(|kind| found.starts_with(kind))
        .map_or("another value", |kind| match kind {
            "map" => "an object",
            "sequence" => "an array",
            "string" => "a string",
            "integer" | "floating point" => "a number",
            "boolean" => "a boolean",
            other => other,
        });
    let expected = match expected {
        "a map" => "an object",
        "a sequence" => "an array",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from zero up",
        "f64" => "a number",
        other => other,
    };
    format!("expected {expected}, found {kind}")
}

/// 1-based line and column, in characters, of the byte `at`. A byte order mark is no column.
fn position(text: &str, at: usize) -> (u32, u32) {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1;
    let column =
        before.get(line_start..).unwrap_or_default().trim_start_matches('\u{feff}').chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

/// The text with everything that JSON does not know blanked out, or where a comment without an end begins.
fn purified(text: &str) -> Result<Cow<'_, str>, usize> {
    let bytes = text.as_bytes();
    let mut pure: Option<Vec<u8>> = None;
    let mut blank = |range: std::ops::Range<usize>| {
        let pure = pure.get_or_insert_with(|| bytes.to_vec());
        for byte in pure.get_mut(range).into_iter().flatten() {
            // Line ends stay, so that lines keep their numbers.
            if !matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    };
    let mut at = 0;
    if text.starts_with('\u{feff}') {
        blank(0..3);
        at = 3;
    }
    // The last comma after a value, while nothing but space has followed it.
    let mut comma = None;
    let mut after_value = false;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = end_of_string(bytes, at + 1);
                (comma, after_value) = (None, true);
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                let end = memchr::memchr(b'\n', bytes.get(at..).unwrap_or_default())
                    .map_or(bytes.len(), |len| at + len);
                blank(at..end);
                at = end;
                continue;
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                let inside = bytes.get(at + 2..).unwrap_or_default();
                let end = memchr::memmem::find(inside, b"*/").map(|len| at + 4 + len).ok_or(at)?;
                blank(at..end);
                at = end;
                continue;
            }
            b' ' | b'\t' | b'\n' | b'\r' => {}
            b',' => {
                comma = after_value.then_some(at);
                after_value = false;
            }
            b'}' | b']' => {
                if let Some(comma) = comma.take() {
                    blank(comma..comma + 1);
                }
                after_value = true;
            }
            b'{' | b'[' | b':' => (comma, after_value) = (None, false),
            _ => (comma, after_value) = (None, true),
        }
        at += 1;
    }
    Ok(match pure {
        // Whole characters were overwritten with spaces, so this cannot fail.
        Some(pure) => Cow::Owned(String::from_utf8(pure).unwrap_or_default()),
        None => Cow::Borrowed(text),
    })
}

/// The byte after the quote that ends the string whose inside begins at `at`.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(offset) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += offset;
        if bytes.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Debug, serde::Deserialize, PartialEq)]
    struct Sample {
        a: u32,
        list: Vec<BTreeMap<String, bool>>,
    }

    #[track_caller]
    fn check(text: &str, expected: (u32, u32, &str, &str)) {
        let error = parse::<Sample>(text).unwrap_err();
        assert_eq!((error.line, error.column, error.path.as_str(), error.message.as_str()), expected);
    }

    #[test]
    fn comments_and_trailing_commas_are_no_matter() {
        let text = "\u{feff}// é\n{ /* x, } */ \"a\": 1, // one\r\n \"list\": [{\"//\": true, \"k,]\\\"\": false,}, ], }\n/**/";
        let sample: Sample = parse(text).unwrap();
        assert_eq!(sample.list[0].keys().collect::<Vec<_>>(), ["//", "k,]\""]);
    }

    #[test]
    fn errors_stand_where_the_wrong_value_is() {
        check(
            "{\n  /* é */ \"a\": \"sk-secret\", \"list\": []}",
            (2, 16, "a", "expected a whole number from zero up, found a string"),
        );
        check(
            "{\"a\": 1, // x\n \"list\": [{}, {\"é\": 3}]}",
            (2, 21, "list[1].é", "expected a boolean, found a number"),
        );
        check("\u{feff}{\"a\": 1,, \"list\": []}", (1, 9, "", "key must be a string"));
        check("{\"a\": 1", (1, 7, "", "EOF while parsing an object"));
        check("{\"a\": 1, \"list\": []} x", (1, 22, "", "trailing characters"));
        check(" {\"a\": 1}", (1, 2, "", "missing field `list`"));
        check("{} /* ", (1, 4, "", "a comment without an end"));
        check("", (1, 1, "", "EOF while parsing a value"));
    }

    #[test]
    fn a_lone_comma_is_still_an_error() {
        for text in ["[,]", "{,}", "[1,,]", ",", "[1],"] {
            assert!(parse::<serde_json::Value>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn entries_keep_their_places() {
        let text = "{ // first\n \"a\": [1,], \"b\": {\"x\": }";
        assert_eq!(Document::new(text).unwrap().root().unwrap_err().line, 2);
        let text = "{ // first\n \"a\": [1 , ],\n\"b\": nul, }";
        assert!(Document::new(text).unwrap().root().is_err());
        let text = "{ // first\n \"a\": [1 , ],\n\"b\": \"x\", }";
        let document = Document::new(text).unwrap();
        let entries = document.root().unwrap().entries().unwrap();
        let places: Vec<_> =
            entries.iter().map(|e| (e.key.as_str(), e.value.position(), &text[e.value.range()])).collect();
        assert_eq!(places, [("a", (2, 7), "[1 , ]"), ("b", (3, 6), "\"x\"")]);
        assert_eq!(entries[1].value.parse::<u8>().unwrap_err().column, 6);
        assert_eq!(entries[1].value.entries().unwrap_err().message, "expected an object, found a string");
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(200_000);
        assert!(parse::<serde_json::Value>(&deep).is_err());
        let closed = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        let error = parse::<serde_json::Value>(&closed).unwrap_err();
        assert_eq!(error.message, "recursion limit exceeded");
    }

    proptest::proptest! {
        #[test]
        fn pure_json_means_the_same(text in r#"[ {}\[\],:"\\/*0-9a-z\n\x{e9}]{0,40}"#) {
            // Never panics, keeps the length, and changes nothing that was JSON already.
            if let Ok(pure) = purified(&text) {
                proptest::prop_assert_eq!(pure.len(), text.len());
            }
            if let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) {
                proptest::prop_assert_eq!(parse::<serde_json::Value>(&text).unwrap(), value);
            }
            if let Err(error) = parse::<Sample>(&text) {
                let lines = u32::try_from(text.matches('\n').count()).unwrap() + 1;
                proptest::prop_assert!((1..=lines).contains(&error.line) && error.column >= 1);
            }
        }
    }
}
