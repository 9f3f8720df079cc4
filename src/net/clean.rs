//! Makes foreign text fit to be shown: no markup, no control characters, no secrets, not too long.
//!
//! It must never let through what could move a terminal's cursor or what looks like a key.

/// What stands in place of a secret.
const MASK: &str = "***";

/// The longest message that is passed on, in characters.
const MAX_CHARS: usize = 4000;

/// What is looked at at all, in bytes: the cleaned text is cut to [`MAX_CHARS`] anyway.
const MAX_BYTES: usize = 64 << 10;

/// One line of plain text: an HTML page becomes its title, tags, terminal sequences and invisible characters
/// vanish, white space is collapsed, anything that looks like a key is masked, and the end is cut.
pub fn clean(text: &str) -> String {
    let text = text.get(..text.floor_char_boundary(MAX_BYTES)).unwrap_or(text);
    let text = if is_page(text) { title(text).unwrap_or_default() } else { text };
    let text = without_tags(&without_controls(text));
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let mut line = redact(&line, &[]);
    if let Some((end, _)) = line.char_indices().nth(MAX_CHARS) {
        line.truncate(end);
        line.push('…');
    }
    if line.ends_with('.') && !line.ends_with("..") {
        line.pop();
    }
    line
}

/// `text` with the given secrets, and whatever looks like a key, masked.
pub fn redact(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets {
        // A shorter one would mask ordinary words.
        if secret.trim().len() >= 4 && text.contains(secret.trim()) {
            text = text.replace(secret.trim(), MASK);
        }
    }
    mask_patterns(&text)
}

/// How keys begin, and how many characters of a key must follow at least.
const PREFIXES: &[(&str, usize)] = &[
    ("sk-", 8),
    ("sk_", 12),
    ("pk-", 12),
    ("ghp_", 8),
    ("gho_", 8),
    ("ghu_", 8),
    ("ghs_", 8),
    ("ghr_", 8),
    ("github_pat_", 8),
    ("AIza", 12),
    ("ya29.", 8),
    ("xai-", 12),
    ("gsk_", 12),
    ("hf_", 12),
    ("csk-", 8),
    ("nvapi-", 8),
    ("fw_", 12),
    ("AKIA", 12),
    ("ASIA", 12),
    // A JSON web token: the base64 of `{"`.
    ("eyJ", 17),
];

fn mask_patterns(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut at_boundary = true;
    while let Some(character) = rest.chars().next() {
        if at_boundary && let Some(length) = secret_at(rest) {
            out.push_str(MASK);
            rest = rest.get(length..).unwrap_or_default();
            at_boundary = false;
            continue;
        }
        if at_boundary && let Some(scheme) = scheme_at(rest) {
            let (kept, tail) = rest.split_at(scheme);
            let length = key_length(tail);
            out.push_str(kept);
            out.push_str(MASK);
            rest = tail.get(length..).unwrap_or_default();
            at_boundary = false;
            continue;
        }
        out.push(character);
        at_boundary = !character.is_alphanumeric();
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
    }
    out
}

fn secret_at(text: &str) -> Option<usize> {
    PREFIXES.iter().find_map(|(prefix, least)| {
        let length = key_length(text.strip_prefix(prefix)?);
        (length >= *least).then_some(prefix.len() + length)
    })
}

/// The length of `Bearer ` or the like where a key follows.
fn scheme_at(text: &str) -> Option<usize> {
    ["bearer ", "basic "].iter().find_map(|scheme| {
        let head = text.get(..scheme.len())?;
        let key = text.get(scheme.len()..)?;
        let is_key = head.eq_ignore_ascii_case(scheme) && key_length(key) >= 12;
        is_key.then_some(scheme.len())
    })
}

fn key_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.*+/=~".contains(c))).unwrap_or(text.len())
}

fn is_page(text: &str) -> bool {
    let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    ["<!doctype", "<html", "<head", "<body", "<?xml", "<!--"].iter().any(|tag| starts_with(start, tag))
}

fn title(page: &str) -> Option<&str> {
    let open = find(page, "<title")?;
    let text = page.get(open..)?;
    let text = text.get(text.find('>')? + 1..)?;
    text.get(..text.find('<').unwrap_or(text.len()))
}

fn starts_with(text: &str, ascii: &str) -> bool {
    text.get(..ascii.len()).is_some_and(|head| head.eq_ignore_ascii_case(ascii))
}

fn find(text: &str, ascii: &str) -> Option<usize> {
    text.match_indices('<')
        .map(|(at, _)| at)
        .find(|at| text.get(*at..).is_some_and(|t| starts_with(t, ascii)))
}

/// Drops terminal sequences, and turns other control characters into spaces. Characters that reorder or hide
/// text go as well.
fn without_controls(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => match characters.next() {
                Some('[') => while characters.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
                Some(']' | 'P' | 'X' | '^' | '_') => {
                    while let Some(c) = characters.next() {
                        if c == '\u{7}' || (c == '\u{1b}' && characters.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\u{9b}' => while characters.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
            c if is_hidden(c) => {}
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Whether a character cannot be seen, or turns round what can be.
fn is_hidden(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Drops what looks like a tag. A lone `<` stays.
fn without_tags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        let (before, tail) = rest.split_at(open);
        out.push_str(before);
        let starts =
            tail.chars().nth(1).is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        // A tag is short and holds no other `<`: this also keeps the search linear.
        let window = tail.get(1..tail.floor_char_boundary(300)).unwrap_or_default();
        match window.find(['<', '>']) {
            Some(end) if starts && window.as_bytes().get(end) == Some(&b'>') => {
                out.push(' ');
                rest = tail.get(end + 2..).unwrap_or_default();
            }
            _ => {
                out.push('<');
                rest = tail.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_becomes_its_title() {
        assert_eq!(
            clean("<!DOCTYPE html>\n<html><head><TITLE>502 Bad\n Gateway</title>..."),
            "502 Bad Gateway"
        );
        assert_eq!(clean("<html><body>nothing</body></html>"), "");
    }

    #[test]
    fn markup_and_controls_vanish() {
        assert_eq!(clean("a <b>bold</b> claim: 1 < 2, x <3"), "a bold claim: 1 < 2, x <3");
        assert_eq!(
            clean("\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}bell\u{7}\u{202e}x\r\ny"),
            "red bell xy".replace("xy", "x y")
        );
        assert_eq!(clean("open \u{1b}]8;;http://x\u{1b}\\link"), "open link");
        assert_eq!(clean("a\u{61c}b\u{ad}c\u{2066}d\u{e0041}e\u{85}f\u{9b}31mg"), "abcde fg");
    }

    #[test]
    fn long_text_is_cut() {
        let cut = clean(&"é".repeat(5000));
        assert_eq!(cut.chars().count(), MAX_CHARS + 1);
        assert!(cut.ends_with('…'));
    }

    #[test]
    fn keys_are_masked() {
        for (text, expected) in [
            ("Incorrect API key provided: sk-proj-abc_DEF123.", "Incorrect API key provided: ***"),
            ("key sk-ab***********wxyz is bad", "key *** is bad"),
            ("token ghp_0123456789abcdef!", "token ***!"),
            ("?key=AIzaSyA0123456789abcdefg&x", "?key=***&x"),
            ("Authorization: Bearer abcdefghijklmnop", "Authorization: Bearer ***"),
            ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "jwt ***"),
            ("risk-averse task-oriented sk-ip", "risk-averse task-oriented sk-ip"),
            ("bearer of bad news", "bearer of bad news"),
        ] {
            assert_eq!(clean(text), expected);
        }
        assert_eq!(redact("a hunter2 b", &["hunter2", "", "b"]), "a *** b");
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_moves_a_cursor_comes_through(text in "(\\PC|\u{1b}|\u{7}|<|>|[\\[\\]a-z ]){0,200}") {
            let clean = clean(&text);
            proptest::prop_assert!(clean.chars().all(|c| !c.is_control()), "{clean:?}");
        }
    }
}
