//! What a model's Markdown has left open: a fence, or HTML that goes on over empty lines. Without its end,
//! everything that the document has behind it would be drawn as code.
//!
//! A rough reading of Markdown: lists and quotes are known because they end what is open in them. A mistake
//! costs a line of markup too many or a part in a wrong colour, never text.

/// Bytes of a line that are looked at.
const HEAD: usize = 512;

/// The state behind the last line.
#[derive(Clone, Debug, Default)]
pub(super) struct Fences {
    /// The start of the line so far.
    line: String,
    /// A backtick stands behind that start.
    late_tick: bool,
    /// Where the text of the list's item that the last line is in begins.
    list: Option<usize>,
    open: Option<Open>,
}

/// What is open.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Open {
    Fence {
        mark: char,
        length: usize,
        indent: usize,
        /// The indent of the list's item that it stands in; what stands before that ends it.
        inside: usize,
    },
    Html {
        end: &'static str,
    },
}

/// How HTML begins that only its own end ends.
const HTML: &[(&str, &str)] = &[
    ("<!--", "-->"),
    ("<![cdata[", "]]>"),
    ("<script", "</script>"),
    ("<pre", "</pre>"),
    ("<style", "</style>"),
    ("<textarea", "</textarea>"),
    ("<?", "?>"),
    ("<!", ">"),
];

impl Fences {
    /// More of the line.
    pub(super) fn put(&mut self, character: char) {
        if self.line.len() < HEAD {
            self.line.push(character);
        } else {
            self.late_tick |= character == '`';
        }
    }

    /// The line is whole.
    pub(super) fn line_end(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.read(&line);
        self.late_tick = false;
        // The memory is used again.
        self.line = line;
        self.line.clear();
    }

    /// Whether the next line stands in code or HTML.
    pub(super) fn is_code(&self) -> bool {
        self.open.is_some()
    }

    /// The line that ends what is open behind the line so far.
    pub(super) fn closing(&self) -> Option<String> {
        let mut behind = self.clone();
        behind.line_end();
        match behind.open? {
            Open::Fence { mark, length, indent, .. } => {
                Some(format!("{}{}", " ".repeat(indent), mark.to_string().repeat(length)))
            }
            Open::Html { end } => Some(end.to_owned()),
        }
    }

    fn read(&mut self, line: &str) {
        let mut indent = blanks(line);
        let mut rest = line.trim_start();
        if rest.is_empty() {
            return;
        }
        match &self.open {
            Some(Open::Html { end }) => {
                if rest.to_ascii_lowercase().contains(end) {
                    self.open = None;
                }
                return;
            }
            // The end of the list ended the fence too.
            Some(Open::Fence { inside, .. }) if indent < *inside => self.open = None,
            Some(Open::Fence { mark, length, inside, .. }) => {
                let run = run_of(rest, *mark);
                let is_end = run >= *length
                    && indent <= inside + 3
                    && rest.trim_start_matches(*mark).trim().is_empty();
                if is_end {
                    self.open = None;
                }
                return;
            }
            None => {}
        }
        self.list = self.list.filter(|inside| indent >= *inside);
        while let Some(marker) = marker_of(rest) {
            let after = rest.get(marker..).unwrap_or_default();
            let gap = blanks(after).clamp(1, 4);
            indent += marker + gap;
            self.list = Some(indent);
            rest = after.trim_start();
        }
        let inside = self.list.unwrap_or(0);
        if indent > inside + 3 {
            return;
        }
        self.open = ['`', '~'].into_iter().find_map(|mark| {
            let length = run_of(rest, mark);
            let info = rest.get(length..).unwrap_or_default();
            let is_fence = length >= 3 && (mark == '~' || !(info.contains('`') || self.late_tick));
            is_fence.then_some(Open::Fence { mark, length, indent, inside })
        });
        if self.open.is_none() && rest.starts_with('<') {
            let lower = rest.to_ascii_lowercase();
            let html = HTML.iter().find(|(start, _)| begins(&lower, start));
            self.open = html.and_then(|(start, end)| {
                let after = lower.get(start.len()..).unwrap_or_default();
                (!after.contains(end)).then_some(Open::Html { end })
            });
        }
    }
}

/// Whether the line begins with such a tag.
fn begins(line: &str, start: &str) -> bool {
    let Some(after) = line.strip_prefix(start) else { return false };
    let next = after.chars().next();
    match start {
        "<!" => next.is_some_and(|next| next.is_ascii_alphabetic()),
        "<!--" | "<![cdata[" | "<?" => true,
        _ => next.is_none_or(|next| next.is_whitespace() || next == '>'),
    }
}

/// Columns of blanks at the start.
fn blanks(text: &str) -> usize {
    text.chars()
        .take_while(|character| matches!(character, ' ' | '\t'))
        .map(|character| if character == '\t' { 4 } else { 1 })
        .sum()
}

fn run_of(text: &str, mark: char) -> usize {
    text.chars().take_while(|character| *character == mark).count()
}

/// The length of the list's marker at the start.
fn marker_of(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let marker = match text.as_bytes().get(digits)? {
        b'-' | b'*' | b'+' if digits == 0 => 1,
        b'.' | b')' if (1..=9).contains(&digits) => digits + 1,
        _ => return None,
    };
    let after = text.get(marker..)?;
    (after.is_empty() || after.starts_with([' ', '\t'])).then_some(marker)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closing(text: &str) -> Option<String> {
        let mut fences = Fences::default();
        for (index, line) in text.split('\n').enumerate() {
            if index > 0 {
                fences.line_end();
            }
            line.chars().for_each(|character| fences.put(character));
        }
        fences.closing()
    }

    #[test]
    fn what_is_left_open_is_closed_in_its_own_way() {
        for (text, expected) in [
            ("plain", None),
            ("```rust\nfn main", Some("```")),
            ("```\na\n```", None),
            ("```\na\n``", Some("```")),
            ("````\n```\n", Some("````")),
            ("~~~\n```\n~~~", None),
            ("~~~~ a`b\nx", Some("~~~~")),
            ("```not a fence```\nx", None),
            ("  ```\n  x", Some("  ```")),
            ("    ```\nx", None),
            ("- a\n  ```\n  x", Some("  ```")),
            ("- a\n  ```\n  x\n\nout of the list", None),
            ("1. a\n   - ```sh\n     x", Some("     ```")),
            ("> ```\n> x", None),
            ("<!-- a\n\nb", Some("-->")),
            ("<!-- a\n\nb --> c", None),
            ("<!-- a -->\nb", None),
            ("<PRE>\nx", Some("</pre>")),
            ("<present>\nx", None),
            ("<!DOCTYPE html", Some(">")),
            ("<div>\nx", None),
            ("```\n<!--\n```", None),
        ] {
            assert_eq!(closing(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_long_line_is_not_kept() {
        let text = format!("```{}`\nx", "y".repeat(10_000));
        assert_eq!(closing(&text), None, "a backtick behind it: no fence");
        let mut fences = Fences::default();
        text.chars().for_each(|character| fences.put(character));
        assert!(fences.line.len() <= HEAD + 4);
    }
}
