//! What is printed for which Markdown, and that the cuts of the stream do not matter.

use proptest::prelude::*;

use super::*;

/// The whole text in one piece, with styles as `<...>`.
fn styled(text: &str) -> String {
    let mut markdown = Markdown::default();
    let mut out = markdown.feed(text);
    out.push_str(&markdown.finish());
    out.replace("\x1b[0m", "<>")
        .replace("\x1b[0;", "<")
        .replace("<1m", "<b>")
        .replace("<2m", "<d>")
        .replace("<3m", "<i>")
        .replace("<1;3m", "<bi>")
        .replace("<36m", "<c>")
        .replace("<1;36m", "<bc>")
        .replace("<1;35m", "<h>")
        .replace("<1;4;35m", "<t>")
}

/// The text without its styles.
fn bare(printed: &str) -> String {
    let mut out = String::new();
    let mut rest = printed;
    while let Some((text, code)) = rest.split_once('\x1b') {
        out.push_str(text);
        let end = code.find('m').expect("a style ends");
        let known = code.strip_prefix('[').expect("a style").get(..end - 1).unwrap();
        assert!(known.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'), "{known}");
        rest = &code[end + 1..];
    }
    out + rest
}

#[test]
fn markup_becomes_style() {
    for (text, wanted) in [
        ("plain words\n", "plain words\n"),
        ("a **bold** b", "a <b>bold<> b"),
        ("a *slanted* _b_ c", "a <i>slanted<> <i>b<> c"),
        ("***both***", "<bi>both<>"),
        ("**bold with `code`** x", "<b>bold with <bc>code<> x"),
        ("use `a*b*c` here", "use <c>a*b*c<> here"),
        ("``a ` b``", "<c>a ` b<>"),
        ("# One\nx", "<t>One<>\nx"),
        ("### Three **b**\n", "<h>Three b<>\n"),
        ("- one\n  - two\n* three\n1. four\n", "<d>•<> one\n  <d>•<> two\n<d>•<> three\n1. four\n"),
        ("> said\n", "<d>│ said<>\n"),
        ("```rust\nlet **a** = 1;\n\n```\nb", "<d>```rust<>\n<c>let **a** = 1;<>\n\n<d>```<>\nb"),
        ("~~~\n```\n~~~~\n*a*", "<d>~~~<>\n<c>```<>\n<d>~~~~<>\n<i>a<>"),
    ] {
        assert_eq!(styled(text), wanted, "{text:?}");
    }
    assert_eq!(styled("---\n"), format!("<d>{}<>\n", "─".repeat(BREAK)));
}

#[test]
fn what_only_looks_like_markup_is_printed_as_it_stands() {
    for text in [
        "2 ** 3 and 5*3*2",
        "snake_case_name",
        "*.rs and *.toml",
        "**never closed\nnext",
        "`open",
        "# ",
        "#tag",
        "-5",
        "a * b * c",
        "x ****",
        "+",
        "_",
        "C:\\dir",
        "__init",
        "-- x",
        "``` a ` b",
    ] {
        let wanted = text.strip_prefix("# ").unwrap_or(text);
        assert_eq!(styled(text), wanted, "{text:?}");
    }
    assert_eq!(styled(r"\*no\* \\"), r"*no* \");
    let long = format!("*{}*", "a ".repeat(HELD));
    assert_eq!(styled(&long), long);
}

#[test]
fn text_is_printed_as_soon_as_it_is_decided() {
    let mut markdown = Markdown::default();
    assert_eq!(markdown.feed("Hel"), "Hel");
    assert_eq!(markdown.feed("lo **wor"), "lo ");
    assert_eq!(markdown.feed("ld*"), "");
    assert_eq!(markdown.feed("*"), "");
    assert_eq!(markdown.feed("!"), "\x1b[0;1mworld\x1b[0m!");
    assert_eq!(markdown.feed("\n"), "\n");
    assert_eq!(markdown.feed("#"), "");
    assert_eq!(markdown.feed("# x"), "\x1b[0;1;35mx");
    assert_eq!(markdown.finish(), "\x1b[0m");
    assert_eq!(markdown.feed("*open"), "");
    assert_eq!(markdown.finish(), "*open");
}

#[test]
fn a_terminal_is_told_nothing_but_styles() {
    let hostile = "# \x1b]0;title\x07\n`\x1b[2J` **\u{9b}2J**\r\n```\n\x1b]52;c;AA\x07\n";
    let mut markdown = Markdown::default();
    let printed = markdown.feed(hostile) + &markdown.finish();
    assert_eq!(bare(&printed), "␛]0;title␇\n␛[2J \u{fffd}2J\n```\n␛]52;c;AA␇\n");
}

#[test]
fn hostile_text_costs_linear_time() {
    // Each mark waits for an end that never comes; minutes if that were quadratic.
    for unit in ["*a ", "`", "_a ", "**a*b", "\\", "- ", "`a``"] {
        let text = unit.repeat((1 << 17) / unit.len());
        let mut markdown = Markdown::default();
        let mut len = 0;
        for piece in text.as_bytes().chunks(1000) {
            len += markdown.feed(std::str::from_utf8(piece).unwrap()).len();
        }
        assert!(len + markdown.finish().len() > 0);
    }
}

/// Text in which markup is likely.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[a-c ü]{1,4}",
        4 => Just("*".to_owned()),
        2 => Just("_".to_owned()),
        3 => Just("`".to_owned()),
        3 => Just("\n".to_owned()),
        1 => Just("\\".to_owned()),
        1 => Just("```\n".to_owned()),
        1 => Just("\n- ".to_owned()),
        1 => Just("\n## ".to_owned()),
        1 => Just("\n> ".to_owned()),
        1 => Just("~~~".to_owned()),
        1 => Just("\n---\n".to_owned()),
        1 => Just("\x1b\r\t".to_owned()),
        1 => Just("word ".repeat(30)),
        1 => Just("*".repeat(HELD)),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn cuts_change_nothing(text in text(), cuts in proptest::collection::vec(1_usize..9, 1..20)) {
        let mut whole = Markdown::default();
        let wanted = whole.feed(&text) + &whole.finish();
        let mut markdown = Markdown::default();
        let mut printed = String::new();
        let mut cuts = cuts.iter().cycle();
        let mut characters = text.chars().peekable();
        while characters.peek().is_some() {
            let piece: String = characters.by_ref().take(*cuts.next().unwrap()).collect();
            printed.push_str(&markdown.feed(&piece));
        }
        printed.push_str(&markdown.finish());
        prop_assert_eq!(&printed, &wanted);
        // Letters are neither lost nor doubled.
        let letters = |text: &str| text.chars().filter(|it| it.is_alphabetic()).collect::<String>();
        prop_assert_eq!(letters(&bare(&printed)), letters(&text));
    }
}
