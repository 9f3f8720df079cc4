//! The provider's side of a WebSocket, written from RFC 6455: replies are the same as over HTTP, each event of a
//! stream being one message.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;

use super::{After, Reply, Request, Script, Socket, Step, left, write};

const TEXT: u8 = 1;
const CONTINUED: u8 = 0;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const LAST: u8 = 0x80;

/// One frame of the server: never masked.
fn framed(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(u8::try_from(length).unwrap()),
        length @ 126..=0xffff => {
            frame.push(126);
            frame.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// A whole text message.
pub(crate) fn text(text: &str) -> Vec<u8> {
    framed(LAST | TEXT, text.as_bytes())
}

/// The same in pieces of so many bytes, with a ping between them.
pub(crate) fn fragments(text: &str, size: usize) -> Vec<u8> {
    let mut bytes = framed(TEXT, b"");
    for piece in text.as_bytes().chunks(size) {
        bytes.extend(framed(CONTINUED, piece));
        bytes.extend(ping());
    }
    bytes.extend(framed(LAST | CONTINUED, b""));
    bytes
}

pub(crate) fn ping() -> Vec<u8> {
    framed(LAST | PING, b"there?")
}

pub(crate) fn close(code: u16, reason: &str) -> Vec<u8> {
    framed(LAST | CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// Agrees to a WebSocket, and serves the requests that come over it.
pub(super) async fn serve(handshake: Request, mut socket: impl Socket, script: &Script, mut buffer: Vec<u8>) {
    let (closer, closed) = watch::channel(false);
    let key = handshake.header("sec-websocket-key").expect("a key");
    assert_eq!(handshake.header("sec-websocket-version"), Some("13"));
    assert_eq!(handshake.header("sec-websocket-extensions"), None);
    let salted = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = BASE64_STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, salted.as_bytes()));
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    if write(&mut socket, head.as_bytes()).await.is_ok() {
        while let Some(body) = message(&mut socket, &mut buffer, script).await {
            let mut headers = handshake.headers.clone();
            headers.retain(|(name, _)| !name.starts_with("sec-websocket-"));
            let reply = script.asked(Request {
                method: "WEBSOCKET".to_owned(),
                target: handshake.target.clone(),
                headers,
                body,
                closed: closed.clone(),
            });
            if play(reply, &mut socket, &mut buffer).await == After::Close {
                break;
            }
        }
    }
    closer.send_replace(true);
}

/// The next message of the client; `None` when it has left.
async fn message(socket: &mut impl Socket, buffer: &mut Vec<u8>, script: &Script) -> Option<Vec<u8>> {
    loop {
        let (opcode, payload) = frame(socket, buffer).await?;
        match opcode {
            TEXT => return Some(payload),
            PONG => {
                assert_eq!(payload, b"there?");
                script.pongs.send_modify(|pongs| *pongs += 1);
            }
            CLOSE => {
                let _ = write(socket, &framed(LAST | CLOSE, &payload)).await;
                return None;
            }
            other => panic!("a client sends no frame of the kind {other} here"),
        }
    }
}

async fn frame(socket: &mut impl Socket, buffer: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    loop {
        if let Some((opcode, length, mask)) = head(buffer) {
            let (start, end) = (mask + 4, mask + 4 + length);
            if buffer.len() >= end {
                let key: Vec<u8> = buffer[mask..start].to_vec();
                let payload =
                    buffer[start..end].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
                buffer.drain(..end);
                return Some((opcode, payload));
            }
        }
        if socket.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// Kind, length, and where the mask stands.
fn head(buffer: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*buffer.first()?, *buffer.get(1)?);
    assert!(first & LAST != 0 && first & 0x70 == 0, "a whole message without extensions");
    assert!(second & 0x80 != 0, "clients mask what they send");
    let (length, mask) = match second & 0x7f {
        126 => (u16::from_be_bytes(buffer.get(2..4)?.try_into().unwrap()).into(), 4),
        127 => (u64::from_be_bytes(buffer.get(2..10)?.try_into().unwrap()).try_into().unwrap(), 10),
        short => (usize::from(short), 2),
    };
    Some((first & 0xf, length, mask))
}

/// Plays what would be the answer over HTTP. One that ends without its last event ends the connection, in order.
async fn play(reply: Reply, socket: &mut impl Socket, buffer: &mut Vec<u8>) -> After {
    let status: u16 = reply.head.split(' ').nth(1).map_or(200, |status| status.parse().expect("a status"));
    if status >= 400 {
        return match write(socket, &text(&refusal(&reply, status))).await {
            Ok(()) => After::NextRequest,
            Err(_) => After::Close,
        };
    }
    let mut events = Events::default();
    for step in reply.steps {
        let done = match step {
            Step::Chunk(bytes) => write(socket, &events.push(&bytes)).await,
            Step::Raw(bytes) => write(socket, &bytes).await,
            Step::Flood { chunk, times } => {
                let begun = events.rest.trim_ascii_start();
                let begun = framed(TEXT, begun.strip_prefix(b"data: ").expect("a message that has begun"));
                let mut done = write(socket, &begun).await;
                let more = framed(CONTINUED, &chunk);
                for _ in 0..times {
                    if done.is_ok() {
                        done = write(socket, &more).await;
                    }
                }
                done
            }
            Step::Wait(gate) => {
                tokio::select! {
                    biased;
                    () = left(socket, buffer) => return After::Close,
                    permit = gate.0.acquire() => {
                        permit.expect("gates are not closed").forget();
                        Ok(())
                    }
                }
            }
            Step::Stall | Step::Fin => {
                if matches!(step, Step::Fin) {
                    let _ = tokio::io::AsyncWriteExt::shutdown(socket).await;
                }
                left(socket, buffer).await;
                return After::Close;
            }
            Step::Reset => {
                socket.reset();
                return After::Close;
            }
        };
        if done.is_err() {
            return After::Close;
        }
    }
    if events.ended {
        return After::NextRequest;
    }
    let _ = write(socket, &close(1000, "")).await;
    left(socket, buffer).await;
    After::Close
}

/// An error answer as a message.
fn refusal(reply: &Reply, status: u16) -> String {
    let body: Vec<u8> = reply
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Chunk(bytes) => Some(bytes.as_slice()),
            _ => None,
        })
        .flatten()
        .copied()
        .collect();
    let mut json: serde_json::Value = serde_json::from_slice(&body).expect("an error answer that is JSON");
    let headers: serde_json::Map<_, _> = reply
        .head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    json["type"] = "error".into();
    json["status"] = status.into();
    json["headers"] = headers.into();
    json.to_string()
}

/// A stream of events on its way into messages.
#[derive(Default)]
struct Events {
    rest: Vec<u8>,
    /// The last event of an answer was among them.
    ended: bool,
}

impl Events {
    /// The frames that these bytes complete: a message for each event, a ping for each comment.
    fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.rest.extend(bytes.iter().filter(|byte| **byte != b'\r'));
        let mut frames = Vec::new();
        while let Some(end) = self.rest.windows(2).position(|window| window == b"\n\n") {
            let event: Vec<u8> = self.rest.drain(..end + 2).collect();
            let (mut message, mut name): (Option<Vec<u8>>, _) = (None, None);
            for line in event.split(|byte| *byte == b'\n') {
                if let Some(data) = line.strip_prefix(b"data:") {
                    let data = data.trim_ascii_start();
                    message =
                        Some(message.map_or_else(|| data.to_vec(), |before| [&before, data].join(&b'\n')));
                } else if let Some(said) = line.strip_prefix(b"event:") {
                    name = Some(String::from_utf8_lossy(said.trim_ascii()).into_owned());
                } else if line.starts_with(b":") {
                    frames.extend(ping());
                }
            }
            let Some(mut message) = message else { continue };
            let mut json = serde_json::from_slice::<serde_json::Value>(&message).unwrap_or_default();
            if let (Some(name), Some(event)) = (name, json.as_object_mut())
                && !event.contains_key("type")
            {
                // A message has no name beside it.
                event.insert("type".to_owned(), name.into());
                message = json.to_string().into_bytes();
            }
            let kind = json["type"].as_str().unwrap_or_default();
            let ends = ["completed", "done", "incomplete", "failed"];
            self.ended |= kind == "error" || ends.iter().any(|end| kind == format!("response.{end}"));
            frames.extend(framed(LAST | TEXT, &message));
        }
        frames
    }
}
