//! Connections that wait, over a pipe and on a paused clock.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::super::Counted;
use super::*;
use crate::models::wires::{Dialogue, Frame, Heard};

struct Mute;

impl Dialogue for Mute {
    fn ask(&mut self, _: &[u8]) -> String {
        String::new()
    }
    fn hear(&mut self, _: &Frame) -> Heard {
        Heard::Answer
    }
    fn settle(&mut self, _: &crate::catalog::Model) {}
}

fn key(session: &str) -> Key {
    Key::of(&Url::parse("https://api.test").unwrap(), &HeaderMap::new(), session, None)
}

/// A connection, and the server's end of it.
async fn line() -> (Line, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let io = Counted { io: Box::new(ours), read: 0 };
    let stream = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
    (Line { stream, dialogue: Box::new(Mute), opened: Instant::now() }, theirs)
}

/// How long the server's end stays open, and what it heard.
async fn until_closed(mut theirs: DuplexStream) -> (Duration, Vec<u8>) {
    let begun = Instant::now();
    let mut heard = Vec::new();
    theirs.read_to_end(&mut heard).await.unwrap();
    (begun.elapsed(), heard)
}

#[tokio::test(start_paused = true)]
async fn one_that_nobody_wants_is_closed_in_time() {
    let sockets = Sockets::default();
    let (line, theirs) = line().await;
    sockets.keep(key("s"), line);
    let (waited, heard) = until_closed(theirs).await;
    // The server does not answer the farewell.
    assert!((IDLE..=IDLE + FAREWELL).contains(&waited), "{waited:?}");
    assert_eq!(heard.first(), Some(&0x88), "a closing: {heard:?}");
    assert!(sockets.take(&key("s")).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_old_one_is_closed_before_the_server_does() {
    let sockets = Sockets::default();
    let (line, mut theirs) = line().await;
    let mut held = Some(line);
    for _ in 0..13 {
        sockets.keep(key("s"), held.take().unwrap());
        tokio::time::advance(Duration::from_mins(4)).await;
        held = sockets.take(&key("s")).await;
        assert!(held.is_some());
    }
    sockets.keep(key("s"), held.unwrap());
    tokio::time::advance(Duration::from_mins(4)).await;
    theirs.read_u8().await.unwrap();
    assert!(sockets.take(&key("s")).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_and_a_closing_noticed() {
    let sockets = Sockets::default();
    let (one, mut theirs) = line().await;
    sockets.keep(key("s"), one);
    theirs.write_all(&[0x89, 1, b'?']).await.unwrap();
    let mut pong = [0; 7];
    theirs.read_exact(&mut pong).await.unwrap();
    assert_eq!((pong[0], pong[6] ^ pong[2]), (0x8a, b'?'));
    let one = sockets.take(&key("s")).await.unwrap();
    sockets.keep(key("s"), one);
    theirs.write_all(&[0x88, 0]).await.unwrap();
    until_closed(theirs).await;
    assert!(sockets.take(&key("s")).await.is_none());
    // Nor is one kept that speaks unasked.
    let (one, mut theirs) = line().await;
    sockets.keep(key("s"), one);
    theirs.write_all(&[0x81, 2, b'{', b'}']).await.unwrap();
    until_closed(theirs).await;
    assert!(sockets.take(&key("s")).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn everyone_gets_their_own_and_one_is_enough() {
    let sockets = Arc::new(Sockets::default());
    let (one, theirs) = line().await;
    let (two, other) = line().await;
    sockets.keep(key("s"), one);
    sockets.keep(key("s"), two);
    assert_eq!(until_closed(other).await.0, Duration::ZERO, "the second is closed");
    assert!(sockets.take(&key("t")).await.is_none());
    sockets.forget("t");
    let one = sockets.take(&key("s")).await.unwrap();
    assert!(sockets.take(&key("s")).await.is_none(), "it is in use");
    sockets.keep(key("s"), one);
    sockets.forget("s");
    let (waited, heard) = until_closed(theirs).await;
    assert!(waited <= FAREWELL && heard.first() == Some(&0x88), "{waited:?} {heard:?}");
    // The oldest goes first.
    let (first, theirs) = line().await;
    sockets.keep(key("0"), first);
    let mut open = Vec::new();
    for session in 1..=MOST {
        let (line, theirs) = line().await;
        sockets.keep(key(&session.to_string()), line);
        open.push(theirs);
    }
    assert!(until_closed(theirs).await.0 <= FAREWELL);
    assert!(sockets.take(&key("0")).await.is_none());
    assert!(sockets.take(&key("1")).await.is_some());
}

#[test]
fn what_a_connection_is_known_by() {
    let url = |text: &str| Url::parse(text).unwrap();
    let headers = |key: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", key.parse().unwrap());
        headers
    };
    let proxy = Proxy { url: url("http://proxy:1"), source: "a test" };
    let here = url("https://api.test");
    let keys = [
        Key::of(&here, &headers("one"), "s", None),
        Key::of(&here, &headers("two"), "s", None),
        Key::of(&here, &headers("one"), "t", None),
        Key::of(&here, &headers("one"), "s", Some(&proxy)),
        Key::of(&url("https://other.test"), &headers("one"), "s", None),
        Key::of_place(&here),
    ];
    for (index, one) in keys.iter().enumerate() {
        for (other, two) in keys.iter().enumerate() {
            assert_eq!(one == two, index == other, "{index} {other}");
        }
    }
    assert_eq!(keys[0], Key::of(&here, &headers("one"), "s", None));
    let sockets = Sockets::default();
    for session in 0..1_000 {
        sockets.refuse(key(&session.to_string()));
        sockets.refuse(key("999"));
    }
    assert_eq!(sockets.refused.lock().unwrap().len(), MOST_REFUSED);
    assert!(sockets.is_refused(&key("999")) && !sockets.is_refused(&key("0")));
}
