//! A shortcut for what a long answer consists of: the same event over and over, with another text in one place.
//!
//! An event that begins and ends, byte for byte, like one that was read before and said nothing but text, and
//! that has between them a string without escapes, says that text. It must never take anything else for text.

/// Beyond this many bytes around its text an event is not worth remembering.
const MAX: usize = 4 << 10;

/// What stands around the text of an event.
#[derive(Default)]
pub(super) struct Mold {
    /// Up to and with the opening quote; empty where nothing is known.
    head: String,
    /// From the closing quote on.
    tail: String,
}

impl Mold {
    /// Remembers what stands around `text`, which must be a part of `data` and the whole of a JSON string.
    pub(super) fn learn(&mut self, data: &str, text: &str) {
        self.head.clear();
        self.tail.clear();
        if data.len().saturating_sub(text.len()) > MAX {
            return;
        }
        let start = text.as_ptr().addr().wrapping_sub(data.as_ptr().addr());
        let around = data.split_at_checked(start).and_then(|(head, rest)| Some((head, rest.strip_prefix(text)?)));
        let Some((head, tail)) = around else { return };
        if head.ends_with('"') && tail.starts_with('"') {
            self.head.push_str(head);
            self.tail.push_str(tail);
        }
    }

    /// The text of `data`, where nothing else in it is new.
    pub(super) fn text<'a>(&self, data: &'a str) -> Option<&'a str> {
        if self.head.is_empty() {
            return None;
        }
        let text = data.strip_prefix(self.head.as_str())?.strip_suffix(self.tail.as_str())?;
        let plain = text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        (plain && !text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(data: &str, text: std::ops::Range<usize>) -> Mold {
        let mut mold = Mold::default();
        mold.learn(data, &data[text]);
        mold
    }

    #[test]
    fn only_the_text_may_differ() {
        let mold = learned(r#"{"a":"one","b":1}"#, 6..9);
        assert_eq!(mold.text(r#"{"a":"two\u00e4","b":1}"#), None, "an escape is for the parser");
        assert_eq!(mold.text(r#"{"a":"zwölf","b":1}"#), Some("zwölf"));
        for other in [
            r#"{"a":"","b":1}"#,
            r#"{"a":"x","c":"y","b":1}"#,
            r#"{"a":"one","b":2}"#,
            r#"{"b":"one","b":1}"#,
            "{\"a\":\"o\tne\",\"b\":1}",
            r#"{"a":","b":1}"#,
            "",
        ] {
            assert_eq!(mold.text(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_not_a_whole_string_of_the_event_is_not_learned() {
        let data = r#"{"a":"one","b":1}"#;
        assert_eq!(Mold::default().text(data), None);
        assert_eq!(learned(data, 6..8).text(data), None);
        assert_eq!(learned(data, 15..16).text(data), None);
        let mut mold = learned(data, 6..9);
        mold.learn(data, "one");
        assert_eq!(mold.text(data), None, "a copy is no part of the event");
        let long = format!(r#"{{"a":"one","b":"{}"}}"#, "x".repeat(MAX));
        assert_eq!(learned(&long, 6..9).text(&long), None);
    }
}
