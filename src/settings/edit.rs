//! Changes one entry in a text of JSON with comments. Everything else stays as it stands, byte for byte:
//! comments, order, unknown fields, white space.
//!
//! Where a name stands twice in an object, the last one holds, as everywhere.

use std::ops::Range;

use super::jsonc::{Document, Entry, JsoncError, Value};

/// `text` with `value` (JSON text of one line, or indented like a document of its own) at the end of `path`,
/// whose objects are made where they are missing.
pub fn with(text: &str, path: &[&str], value: &str) -> Result<String, JsoncError> {
    let document = Document::new(text)?;
    let mut object = document.root()?;
    let mut rest = path;
    let mut depth = 0;
    while let Some((name, below)) = rest.split_first() {
        depth += 1;
        let entries = object.entries()?;
        match entries.iter().rev().find(|entry| entry.key == *name) {
            Some(entry) => object = entry.value,
            None => return Ok(inserted(text, object, &entries, depth, name, &nested(below, value))),
        }
        rest = below;
    }
    Ok(replaced(text, object.range(), &indented(value, depth)))
}

/// `text` without the entry at the end of `path`; `None` where there is no such entry.
pub fn without(text: &str, path: &[&str]) -> Result<Option<String>, JsoncError> {
    let mut changed: Option<String> = None;
    // A name may stand there more than once.
    while let Some(less) = without_one(changed.as_deref().unwrap_or(text), path)? {
        changed = Some(less);
    }
    Ok(changed)
}

fn without_one(text: &str, path: &[&str]) -> Result<Option<String>, JsoncError> {
    let document = Document::new(text)?;
    let mut object = document.root()?;
    let Some((name, above)) = path.split_last() else { return Ok(None) };
    for name in above {
        match object.entries()?.into_iter().rev().find(|entry| entry.key == *name) {
            Some(entry) => object = entry.value,
            None => return Ok(None),
        }
    }
    let entries = object.entries()?;
    let Some(index) = entries.iter().position(|entry| entry.key == *name) else { return Ok(None) };
    let Some(entry) = entries.get(index) else { return Ok(None) };
    let before = index.checked_sub(1).and_then(|index| entries.get(index));
    let from = before.map_or(object.range().start + 1, |before| before.value.range().end);
    Ok(Some(cut(text, object, from, entry.value.range())))
}

/// Takes the entry out whose value is `value`; the one before it ends at `from`.
fn cut(text: &str, object: Value<'_>, from: usize, value: Range<usize>) -> String {
    let start = object.range().start;
    // Without comments: a quote or comma in one is none.
    let between = object.text().get(from - start..value.start - start).unwrap_or_default();
    let key = from + between.find('"').unwrap_or_default();
    let comma_before = between.find(',').map(|at| from + at).filter(|at| *at < key);
    let slice = |range: Range<usize>| text.get(range).unwrap_or_default();
    let blank = |range: Range<usize>| slice(range).trim().is_empty();

    let comma_after = comma_after(text, value.end);
    let end =
        comma_after.map_or(value.end, |comma| if blank(value.end..comma) { comma + 1 } else { value.end });
    let line_start = slice(0..key).rfind('\n').map_or(0, |at| at + 1);
    let line_end = slice(end..text.len()).find('\n').map(|at| end + at + 1);
    let entry = match line_end {
        // The lines are its own: they go whole.
        Some(line_end) if line_start >= from && blank(line_start..key) && blank(end..line_end) => {
            line_start..line_end
        }
        _ if end > value.end => {
            let space = slice(end..text.len()).chars().take_while(|c| matches!(c, ' ' | '\t')).count();
            key..end + space
        }
        _ => match comma_before {
            Some(comma) if blank(comma + 1..key) => comma..value.end,
            _ => key..value.end,
        },
    };
    let mut cuts = vec![entry];
    // One comma goes with the entry: the one behind it, or before it where it is the last.
    let comma = comma_after.or(comma_before);
    if let Some(comma) = comma.filter(|comma| !cuts.iter().any(|cut| cut.contains(comma))) {
        cuts.push(comma..comma + 1);
    }
    cuts.sort_by_key(|cut| std::cmp::Reverse(cut.start));
    cuts.into_iter().fold(text.to_owned(), |text, cut| replaced(&text, cut, ""))
}

/// Where the comma is that follows a value, behind space and comments.
fn comma_after(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = text.get(at..)?;
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        if let Some(comment) = trimmed.strip_prefix("//") {
            at += 2 + comment.find('\n')?;
        } else if let Some(comment) = trimmed.strip_prefix("/*") {
            at += 4 + comment.find("*/")?;
        } else {
            return trimmed.starts_with(',').then_some(at);
        }
    }
}

/// `value` inside the objects of `names`.
fn nested(names: &[&str], value: &str) -> String {
    names.iter().rev().fold(value.to_owned(), |value, name| {
        format!("{{\n  {}: {}\n}}", serde_json::Value::from(*name), indented(&value, 1))
    })
}

/// `value` as it stands `depth` objects deep.
fn indented(value: &str, depth: usize) -> String {
    value.replace('\n', &format!("\n{}", "  ".repeat(depth)))
}

fn replaced(text: &str, range: Range<usize>, with: &str) -> String {
    let before = text.get(..range.start).unwrap_or_default();
    let after = text.get(range.end..).unwrap_or_default();
    format!("{before}{with}{after}")
}

/// `text` with an entry as the last of `object`, on a line of its own.
fn inserted(
    text: &str,
    object: Value<'_>,
    entries: &[Entry<'_>],
    depth: usize,
    name: &str,
    value: &str,
) -> String {
    let indent = "  ".repeat(depth);
    let entry = format!("{}: {}", serde_json::Value::from(name), indented(value, depth));
    let (at, new) = if let Some(last) = entries.last() {
        (last.value.range().end, format!(",\n{indent}{entry}"))
    } else {
        let outer = indent.get(2..).unwrap_or_default();
        (object.range().start + 1, format!("\n{indent}{entry}\n{outer}"))
    };
    replaced(text, at..at, &new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_with(before: &str, path: &[&str], after: &str) {
        assert_eq!(with(before, path, "1").unwrap(), after);
    }

    #[track_caller]
    fn check_without(before: &str, after: &str) {
        assert_eq!(without(before, &["b"]).unwrap().as_deref(), Some(after));
    }

    #[test]
    fn an_entry_is_put_into_the_text_as_it_stands() {
        check_with("{}\n", &["a"], "{\n  \"a\": 1\n}\n");
        check_with("{\"a\": 2} // x", &["a"], "{\"a\": 1} // x");
        check_with("{\"a\": 2, \"a\": 3}", &["a"], "{\"a\": 2, \"a\": 1}");
        check_with(
            "\u{feff}{ // é\n \"b\": [1], /* c */ }",
            &["a"],
            "\u{feff}{ // é\n \"b\": [1],\n  \"a\": 1, /* c */ }",
        );
        check_with("{}", &["p", "x"], "{\n  \"p\": {\n    \"x\": 1\n  }\n}");
        check_with("{\"p\": {}}", &["p", "x"], "{\"p\": {\n    \"x\": 1\n  }}");
        let value = "{\n  \"k\": 2\n}";
        assert_eq!(with("{}", &["a"], value).unwrap(), "{\n  \"a\": {\n    \"k\": 2\n  }\n}");
        for (broken, path) in
            [("[]", &["a"][..]), ("{\"a\": }", &["b"]), ("{} x", &["a"]), ("{\"a\": 1}", &["a", "b"])]
        {
            assert!(with(broken, path, "1").is_err(), "{broken}");
        }
    }

    #[test]
    fn an_entry_is_taken_out_with_one_comma() {
        check_without("{\"b\": 1}", "{}");
        check_without("{\"b\": 1,}", "{}");
        check_without("{\"a\": 1, \"b\": 2}", "{\"a\": 1}");
        check_without("{\"a\": 1, \"b\": 2, \"c\": 3}", "{\"a\": 1, \"c\": 3}");
        check_without("{\"b\": 2, \"c\": 3}", "{\"c\": 3}");
        check_without("{\n  \"a\": 1,\n  \"b\": {\n    \"x\": \",\"\n  }\n}\n", "{\n  \"a\": 1\n}\n");
        check_without("{\n  \"b\": 1,\n  \"c\": 2\n}\n", "{\n  \"c\": 2\n}\n");
        check_without(
            "{\n  \"a\": 1, // one, \"b\"\n  \"b\": 2, // two\n}\n",
            "{\n  \"a\": 1, // one, \"b\"\n  // two\n}\n",
        );
        check_without("{\n  \"a\": 1 /* , */ , /* x */ \"b\": 2\n}", "{\n  \"a\": 1 /* , */  /* x */ \n}");
        check_without("{\"b\": 1, \"a\": 2, \"b\": 3}", "{\"a\": 2}");
        check_without(
            "{ /* \"b\": 0 */ \"b\": 1 /* x */ , \"c\": 1 }",
            "{ /* \"b\": 0 */  /* x */  \"c\": 1 }",
        );
        assert_eq!(without("{\"a\": 1}", &["b"]), Ok(None));
        assert_eq!(
            without("{\"a\": {\"b\": 1, \"c\": 2}}", &["a", "b"]).unwrap().unwrap(),
            "{\"a\": {\"c\": 2}}"
        );
        assert!(without("{\"b\": 1", &["b"]).is_err());
    }

    fn content(text: &str) -> Vec<(String, String)> {
        let document = Document::new(text).unwrap();
        let entries = document.root().unwrap().entries().unwrap();
        entries.into_iter().map(|entry| (entry.key.clone(), entry.value.text().to_owned())).collect()
    }

    proptest::proptest! {
        #[test]
        fn a_change_touches_nothing_else(
            entries in proptest::collection::vec(("[abc]", "1|\"[,}]\"|\\{\"b\":[12]\\}|\\[\\]", "( |\n|/\\*,\"b\"\\*/|// \"b\",\n){0,2}"), 0..5),
            trailing in "(,?)",
        ) {
            let inside: Vec<String> = entries.iter().map(|(key, value, space)| format!("{space}\"{key}\": {value}{space}")).collect();
            let text = format!("{{{}{}}}", inside.join(","), if entries.is_empty() { "" } else { &trailing });
            let others = |text: &str| content(text).into_iter().filter(|(key, _)| key != "b").collect::<Vec<_>>();
            let before = others(&text);
            let added = with(&text, &["b"], "7").unwrap();
            proptest::prop_assert_eq!(&others(&added), &before);
            proptest::prop_assert_eq!(content(&added).into_iter().rev().find(|(key, _)| key == "b").unwrap().1, "7");
            let removed = without(&added, &["b"]).unwrap().unwrap();
            proptest::prop_assert_eq!(content(&removed), before);
            proptest::prop_assert_eq!(removed.matches("/*").count(), text.matches("/*").count());
        }
    }
}
