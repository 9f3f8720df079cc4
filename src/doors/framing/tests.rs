//! However the bytes are split, the frames are the same.

use proptest::prelude::*;

use super::{Frame, Framer, Framing, MAX_HEADER_LINE, write_frame};

const MAX: usize = 64;

/// The frames of pieces, and the framing.
fn cut<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<Framing>) {
    let mut framer = Framer::new(MAX);
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece, &mut frames);
    }
    framer.finish(&mut frames);
    (frames, framer.framing())
}

/// Checks the frames of `bytes`, whole and split in two at every byte and into single bytes.
#[track_caller]
fn check(bytes: impl AsRef<[u8]>, framing: Option<Framing>, frames: &[Frame]) {
    let bytes = bytes.as_ref();
    let expected = (frames.to_vec(), framing);
    assert_eq!(cut([bytes]), expected);
    assert_eq!(cut(bytes.chunks(1)), expected, "byte by byte");
    for at in 0..=bytes.len() {
        assert_eq!(cut([&bytes[..at], &bytes[at..]]), expected, "split at {at}");
    }
}

fn message(text: &str) -> Frame {
    Frame::Message(text.as_bytes().to_vec())
}

#[test]
fn lines() {
    let some = Some(Framing::Lines);
    check("", None, &[]);
    check("\n \r\n\t\n", None, &[]);
    check("a\nb\n", some, &[message("a"), message("b")]);
    check("a\r\n\r\n  \nb", some, &[message("a"), message("b")]);
    check(" a \n", some, &[message(" a ")]);
    check("\u{feff}a\n\u{feff}b\n", some, &[message("a"), message("\u{feff}b")]);
    check("\u{feff}\na\n", some, &[message("a")]);
    check("\u{feff}", some, &[]);
    check("\r\n\u{feff}a\n", some, &[message("\u{feff}a")]);
    check("a\rb\r\r\n", some, &[message("a\rb\r")]);
    check("a\u{2028}b\n", some, &[message("a\u{2028}b")]);
    check(b"\xff\0\n", some, &[Frame::Message(b"\xff\0".to_vec())]);
}

#[test]
fn only_a_known_header_starts_header_framing() {
    check(
        "Last login: today\nContent-Length: 1\n",
        Some(Framing::Lines),
        &[message("Last login: today"), message("Content-Length: 1")],
    );
    check("Host: x\n\n", Some(Framing::Lines), &[message("Host: x")]);
    check("Content-Length\n\n", Some(Framing::Lines), &[message("Content-Length")]);
    check("{\"Content-Length\": 1}\n", Some(Framing::Lines), &[message("{\"Content-Length\": 1}")]);
    check("Content-Length: 2", Some(Framing::Lines), &[message("Content-Length: 2")]);
}

#[test]
fn header_blocks() {
    let some = Some(Framing::Headers);
    check("Content-Length: 2\r\n\r\n{}", some, &[message("{}")]);
    check(
        "\r\n\u{feff}Content-Length: 2\n\n{}",
        Some(Framing::Lines),
        &[message("\u{feff}Content-Length: 2"), message("{}")],
    );
    check("\u{feff}content-length:2\n\n{}", some, &[message("{}")]);
    check(
        "Content-Type: x\r\nCONTENT-LENGTH:   3  \r\n\r\na\nb\r\n\r\nContent-Length: 1\r\n\r\nc",
        some,
        &[message("a\nb"), message("c")],
    );
    check("Content-Length: 0\r\n\r\nContent-Length: 1\r\n\r\na", some, &[message(""), message("a")]);
    let next = "Content-Length: 1\r\n\r\na";
    for bad in [
        "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: +1\r\n\r\n",
        "Content-Length: 0x1\r\n\r\n",
        "Content-Length:\r\n\r\n",
        "Content-Length: 99999999999999999999999\r\n\r\n",
        "Content-Length: 1\r\nrubbish\r\n\r\n",
        "Content-Type: x\r\n\r\n",
    ] {
        check(format!("{bad}{next}"), some, &[Frame::BadHeader, message("a")]);
    }
    for cut_off in ["Content-Length: 5\r\n\r\nabc", "Content-Length: 5\r\n", "Content-Length: 500\r\n\r\nabc"]
    {
        check(cut_off, some, &[Frame::BadHeader]);
    }
}

#[test]
fn what_is_too_long_is_told_once() {
    let (fits, over) = ("x".repeat(MAX), "x".repeat(MAX + 1));
    let lines = Some(Framing::Lines);
    check(format!("{fits}\n{fits}\r\n"), lines, &[message(&fits), message(&fits)]);
    check(format!("{over}\nb\n"), lines, &[Frame::TooLong, message("b")]);
    check(format!("{over}\r\nb\n"), lines, &[Frame::TooLong, message("b")]);
    check(&over, lines, &[Frame::TooLong]);
    check(format!("{over}{over}{over}\n{over}\nb"), lines, &[Frame::TooLong, Frame::TooLong, message("b")]);
    check(format!("{}\nb", " ".repeat(3 * MAX)), lines, &[Frame::TooLong, message("b")]);
    let headers = Some(Framing::Headers);
    let block = |body: &str| format!("Content-Length: {}\r\n\r\n{body}", body.len());
    check(
        block(&fits) + &block(&over) + &block("b"),
        headers,
        &[message(&fits), Frame::TooLong, message("b")],
    );
    // A header line that has no end does not fill the memory.
    let long =
        format!("{}X-Junk: {}\r\nContent-Length: 1\r\n\r\na", block("b"), "y".repeat(3 * MAX_HEADER_LINE));
    assert_eq!(cut([long.as_bytes()]).0, [message("b"), message("a")]);
    assert_eq!(cut(long.as_bytes().chunks(7)).0, [message("b"), message("a")]);
}

#[test]
fn separators_are_written_as_escapes() {
    let mut out = Vec::new();
    write_frame(Framing::Lines, "\"a\u{2028}\u{2029}\u{2027}ä\"".as_bytes(), &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "\"a\\u2028\\u2029\u{2027}ä\"\n");
    let mut out = Vec::new();
    write_frame(Framing::Headers, "\"\u{2028}\"".as_bytes(), &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "Content-Length: 8\r\n\r\n\"\\u2028\"");
}

#[test]
fn another_limit_holds_from_the_next_message_on() {
    let mut framer = Framer::new(2);
    let mut frames = Vec::new();
    framer.push(b"ab\nabc\n", &mut frames);
    framer.set_max(3);
    framer.push(b"abc\n", &mut frames);
    assert_eq!(frames, [message("ab"), Frame::TooLong, message("abc")]);
}

fn messages() -> impl Strategy<Value = Vec<String>> {
    // What JSON may hold between the braces: no line feed, which the line framing is cut at.
    prop::collection::vec("\\{[^\n\r\u{2028}\u{2029}]{0,20}\\}", 1..6)
}

proptest! {
    #[test]
    fn any_messages_come_out_of_any_pieces(
        messages in messages(),
        sizes in prop::collection::vec(1_usize..40, 1..20),
        framing in prop::sample::select(vec![Framing::Lines, Framing::Headers]),
    ) {
        let mut bytes = Vec::new();
        for message in &messages {
            write_frame(framing, message.as_bytes(), &mut bytes);
        }
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = more;
        }
        let expected: Vec<Frame> = messages
            .iter()
            .map(|text| if text.len() > MAX { Frame::TooLong } else { message(text) })
            .collect();
        prop_assert_eq!(cut(pieces), (expected, Some(framing)));
    }

    #[test]
    fn any_bytes_are_cut_alike(bytes in prop::collection::vec(any::<u8>(), 0..300), size in 1_usize..50) {
        prop_assert_eq!(cut(bytes.chunks(size)), cut([&bytes[..]]));
    }
}
