//! Just enough of Rust's surface to find what a file mentions: words and signs, without comments and texts.

/// A word or a sign of the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    /// 1-based.
    pub(super) line: usize,
    /// A name, `::`, or one other character.
    pub(super) text: String,
}

/// The code's tokens in order.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let source: Vec<char> = source.chars().collect();
    let mut found = Vec::new();
    let mut line = 1;
    let mut at = 0;
    while let Some(&here) = source.get(at) {
        let next = source.get(at + 1).copied();
        let end = match here {
            '/' if next == Some('/') => find(&source, at, |rest| rest[0] == '\n'),
            '/' if next == Some('*') => comment_end(&source, at),
            '"' => text_end(&source, at),
            'r' if raw_hashes(&source, at + 1).is_some() => {
                let hashes = raw_hashes(&source, at + 1).unwrap();
                let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                find(&source, at + hashes + 2, |rest| rest.starts_with(&close)) + close.len()
            }
            '\'' => character_end(&source, at),
            _ if here.is_alphabetic() || here == '_' => {
                let end = find(&source, at, |rest| !rest[0].is_alphanumeric() && rest[0] != '_');
                found.push(Token { line, text: source[at..end].iter().collect() });
                end
            }
            ':' if next == Some(':') => {
                found.push(Token { line, text: "::".to_owned() });
                at + 2
            }
            _ => {
                if !here.is_whitespace() {
                    found.push(Token { line, text: here.to_string() });
                }
                at + 1
            }
        };
        let end = end.min(source.len());
        line += source[at..end].iter().filter(|character| **character == '\n').count();
        at = end;
    }
    found
}

/// What stands right behind `first::`, also inside braces: `a` and `b` for `first::{a::c, b}`.
pub(super) fn behind<'a>(tokens: &'a [Token], first: &str) -> Vec<&'a Token> {
    let mut found = Vec::new();
    for (at, pair) in tokens.windows(2).enumerate() {
        if pair[0].text == first && pair[1].text == "::" {
            found.extend(heads(&tokens[at + 2..]));
        }
    }
    found
}

/// The first names of the path or of the group of paths that begins here.
pub(super) fn heads(rest: &[Token]) -> Vec<&Token> {
    let Some(token) = rest.first() else { return Vec::new() };
    if token.text != "{" {
        return vec![token];
    }
    let mut found = Vec::new();
    let mut depth = 0;
    let mut fresh = false;
    for token in rest {
        match token.text.as_str() {
            "{" => {
                depth += 1;
                fresh = depth == 1;
            }
            "}" => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            "," => fresh = depth == 1,
            _ if fresh => {
                found.push(token);
                fresh = false;
            }
            _ => {}
        }
    }
    found
}

fn find(source: &[char], from: usize, stop: impl Fn(&[char]) -> bool) -> usize {
    (from..source.len()).find(|at| stop(&source[*at..])).unwrap_or(source.len())
}

fn comment_end(source: &[char], from: usize) -> usize {
    let mut depth = 0;
    let mut at = from;
    while at < source.len() {
        match source[at..] {
            ['/', '*', ..] => {
                depth += 1;
                at += 2;
            }
            ['*', '/', ..] => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn text_end(source: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < source.len() && source[at] != '"' {
        at += if source[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The number of `#` where a raw text begins behind its `r`.
fn raw_hashes(source: &[char], from: usize) -> Option<usize> {
    let hashes = source.get(from..)?.iter().take_while(|character| **character == '#').count();
    (source.get(from + hashes) == Some(&'"')).then_some(hashes)
}

/// Behind a character, or behind the quote of a lifetime.
fn character_end(source: &[char], from: usize) -> usize {
    match source[from..] {
        // The character behind the backslash may itself be a quote.
        ['\'', '\\', ..] => find(source, from + 3, |rest| rest[0] == '\'') + 1,
        ['\'', _, '\'', ..] => from + 3,
        _ => from + 1,
    }
}

#[test]
fn comments_and_texts_are_no_code() {
    let source = r##"
use a::b; // crate::no
/* crate::no /* crate::no */ crate::no */
let x = "crate::no \" crate::no"; let y = r#"crate::" no"#;
let c = '"'; let d = '\''; fn f<'a>(z: &'a str) { crate::yes(z) }
"##;
    let tokens = tokens(source);
    let found: Vec<(usize, &str)> =
        behind(&tokens, "crate").iter().map(|token| (token.line, token.text.as_str())).collect();
    assert_eq!(found, [(5, "yes")]);
}

#[test]
fn groups_are_opened() {
    let tokens = tokens("use crate::{a::{b, c}, d, e as f};\nuse x::crate_like::no;");
    let found: Vec<&str> = behind(&tokens, "crate").iter().map(|token| token.text.as_str()).collect();
    assert_eq!(found, ["a", "d", "e"]);
}
