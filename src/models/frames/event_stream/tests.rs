//! Messages of every kind in every cut, and what is no message.

use super::*;
use crate::models::Category;

#[path = "../../../../tests/fuzz/messages.rs"]
pub(crate) mod messages;

use messages::{event, exception, message, raw, script};

fn split(stream: &[u8], size: usize) -> Result<(Vec<(String, String)>, usize), Fault> {
    let mut reader = EventStream::new(1 << 16);
    let mut out = Vec::new();
    let mut strange = 0;
    for piece in stream.chunks(size) {
        strange += reader.push(piece, &mut out)?;
    }
    Ok((out.into_iter().map(|frame| (frame.event, frame.data)).collect(), strange))
}

#[track_caller]
fn check(stream: &[u8], frames: &[(&str, &str)], strange: usize) {
    let expected: Vec<_> = frames.iter().map(|(e, d)| ((*e).to_owned(), (*d).to_owned())).collect();
    for size in 1..=stream.len().max(1) {
        assert_eq!(split(stream, size), Ok((expected.clone(), strange)), "pieces of {size}");
    }
    for at in 0..stream.len() {
        let (head, tail) = stream.split_at(at);
        let mut reader = EventStream::new(1 << 16);
        let mut out = Vec::new();
        reader.push(head, &mut out).unwrap();
        reader.push(tail, &mut out).unwrap();
        assert_eq!(out.len(), expected.len(), "cut at {at}");
    }
}

#[track_caller]
fn check_fault(stream: &[u8], category: Category, says: &str) {
    for size in [1, 7, stream.len()] {
        let fault = split(stream, size).unwrap_err();
        assert_eq!(fault.category, category, "{fault:?}");
        assert!(fault.message.contains(says), "{fault:?}");
    }
}

#[test]
fn messages_of_every_kind() {
    let error = [(":message-type", "error"), (":error-code", "Busy"), (":error-message", "say \"when\"")];
    let stream = [
        event("messageStart", r#"{"role":"assistant"}"#),
        event("é", ""),
        exception("throttlingException", r#"{"message":"slow"}"#),
        message(&error, b"ignored"),
        message(&[(":message-type", "weather")], b"rain"),
        message(&[], b""),
        event("last", "Gr\u{fc}\u{df}e \u{1f600}"),
    ]
    .concat();
    check(
        &stream,
        &[
            ("messageStart", r#"{"role":"assistant"}"#),
            ("é", ""),
            ("!throttlingException", r#"{"message":"slow"}"#),
            ("!Busy", r#"{"message":"say \"when\""}"#),
            ("last", "Gr\u{fc}\u{df}e \u{1f600}"),
        ],
        2,
    );
    check(b"", &[], 0);
}

#[test]
fn exceptions_are_told_from_events() {
    let mut out = Vec::new();
    let stream = [event("a", "{}"), exception("b", "{}")].concat();
    assert_eq!(stream, script("a {}\n# a remark\n!b {}\n"));
    EventStream::new(1 << 16).push(&stream, &mut out).unwrap();
    assert_eq!(out.iter().map(exception_name).collect::<Vec<_>>(), [None, Some("b")]);
}

fn exception_name(frame: &Frame) -> Option<&str> {
    super::exception(frame)
}

#[test]
fn headers_of_every_type_are_passed_over() {
    let mut headers = Vec::new();
    for (kind, value) in [
        (0, &b""[..]),
        (1, b""),
        (2, b"1"),
        (3, b"22"),
        (4, b"4444"),
        (5, b"88888888"),
        (6, b"\0\x03abc"),
        (7, b"\0\x02\xc3\xbc"),
        (8, b"88888888"),
        (9, b"0123456789abcdef"),
    ] {
        headers.extend_from_slice(b"\x01x");
        headers.push(kind);
        headers.extend_from_slice(value);
    }
    headers.extend_from_slice(b"\x0d:message-type\x07\0\x05event\x0b:event-type\x07\0\x01e");
    check(&raw(&headers, b"{}"), &[("e", "{}")], 0);
    // A name that counts only as text.
    check(&raw(b"\x0d:message-type\x06\0\x05event", b"{}"), &[], 1);
    for bad in
        [&b"\x05x"[..], b"\x01x", b"\x01x\x0a", b"\x01x\x07\0\x09a", b"\x01x\x04abc", b"\x00", b"\x01x\x07\0"]
    {
        check_fault(&raw(bad, b""), Category::Protocol, "headers");
    }
    check_fault(&raw(b"\x0d:message-type\x07\0\x01\xff", b""), Category::Protocol, "headers");
}

#[test]
fn a_published_message_is_read() {
    // The empty message and the one with a payload that the format's own description gives.
    check(&[0, 0, 0, 16, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff], &[], 1);
    let mut with_payload = vec![0, 0, 0, 0x1d, 0, 0, 0, 0, 0xfd, 0x52, 0x8c, 0x5a];
    with_payload.extend_from_slice(b"{'foo':'bar'}");
    with_payload.extend_from_slice(&[0xc3, 0x65, 0x39, 0x36]);
    check(&with_payload, &[], 1);
}

#[test]
fn damage_is_noticed_at_every_byte() {
    let good = event("e", "{\"a\":1}");
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            let says = if at < PRELUDE { "start of an event" } else { "checksum" };
            let fault = split(&bad, bad.len()).unwrap_err();
            assert_eq!(fault.category, Category::Protocol);
            assert!(fault.message.contains(says), "{at}: {fault:?}");
        }
    }
    check_fault(b"HTTP/1.1 404 Not Found\r\n\r\n", Category::Protocol, "no event stream");
    check_fault(&[b'{'; 64], Category::Protocol, "no event stream");
}

#[test]
fn a_cut_message_is_no_message() {
    let good = event("e", "{}");
    for end in 0..good.len() {
        assert_eq!(split(&good[..end], 5).unwrap(), (Vec::new(), 0));
    }
}

fn prelude(length: u32, headers: u32) -> Vec<u8> {
    let mut prelude = [length.to_be_bytes(), headers.to_be_bytes()].concat();
    let sum = checksum(&prelude);
    prelude.extend_from_slice(&sum.to_be_bytes());
    prelude
}

#[test]
fn lengths_are_bounded_before_room_is_made() {
    check_fault(&prelude(u32::MAX, 0), Category::TooLarge, "65536");
    check_fault(&prelude((1 << 16) + 1, 0), Category::TooLarge, "65536");
    for (length, headers) in [(0, 0), (15, 0), (16, 1), (100, 85), (100, u32::MAX)] {
        check_fault(&prelude(length, headers), Category::Protocol, "lengths");
    }
    let mut reader = EventStream::new(1 << 20);
    reader.push(&prelude(1 << 20, 0), &mut Vec::new()).unwrap();
    assert!(reader.pending.capacity() < 1024);
    let many_headers = prelude(200 << 10, (128 << 10) + 1);
    assert!(EventStream::new(1 << 20).push(&many_headers, &mut Vec::new()).is_err());
}

#[test]
fn a_large_message_in_single_bytes_is_read_once() {
    let stream = event("e", &"x".repeat(2 << 20));
    let mut reader = EventStream::new(4 << 20);
    let mut out = Vec::new();
    for byte in &stream {
        reader.push(std::slice::from_ref(byte), &mut out).unwrap();
    }
    assert_eq!(out[0].data.len(), 2 << 20);
    assert!(reader.pending.capacity() <= KEPT_CAPACITY);
}

proptest::proptest! {
    #[test]
    fn any_messages_in_any_pieces_give_the_same(
        messages in proptest::collection::vec(("[!a-c]{0,3}", "[ -~é]{0,20}"), 0..6),
        damage in proptest::option::of((0usize..400, proptest::prelude::any::<u8>())),
        size in 1usize..40,
    ) {
        let mut stream: Vec<u8> =
            messages.iter().flat_map(|(name, payload)| event(name, payload)).collect();
        if let Some((at, byte)) = damage
            && let Some(place) = stream.get_mut(at)
        {
            *place = byte;
        }
        proptest::prop_assert_eq!(split(&stream, size), split(&stream, stream.len().max(1)));
    }
}
