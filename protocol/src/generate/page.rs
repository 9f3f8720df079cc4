//! A text built line by line.

/// A text that ends with a line end.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// One more line.
    pub(super) fn line(&mut self, text: impl AsRef<str>) {
        self.0.push_str(text.as_ref());
        self.0.push('\n');
    }

    /// An empty line, unless there is one already.
    pub(super) fn gap(&mut self) {
        if !self.0.is_empty() && !self.0.ends_with("\n\n") {
            self.0.push('\n');
        }
    }

    /// The text.
    pub(super) fn finish(mut self) -> String {
        let end = self.0.trim_end().len();
        self.0.truncate(end);
        self.0.push('\n');
        self.0
    }
}

/// The sentences of a paragraph.
pub(super) fn sentences(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let words: Vec<&str> = text.split_whitespace().collect();
    for (at, word) in words.iter().enumerate() {
        if let Some(sentence) = found.last_mut() {
            if !sentence.is_empty() {
                sentence.push(' ');
            }
            sentence.push_str(word);
        }
        let begins = words.get(at + 1).and_then(|next| next.chars().next());
        if word.ends_with('.') && begins.is_some_and(|first| first.is_uppercase() || first == '`') {
            found.push(String::new());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::sentences;

    #[test]
    fn sentences_end_at_periods_before_a_capital() {
        assert_eq!(
            sentences("One. Two, e.g. three. `four` is five."),
            ["One.", "Two, e.g. three.", "`four` is five."]
        );
        assert_eq!(sentences(""), [""]);
    }
}
