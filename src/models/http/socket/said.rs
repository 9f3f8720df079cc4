//! What is said of a WebSocket that could not be used or broke. It must never show more of an address than its host,
//! nor what a server says uncleaned.

use std::io::ErrorKind;

use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use url::Url;

use crate::models::fault::Again;
use crate::models::fault::clean;
use crate::models::{Category, Fault, fault};
use crate::net::transport::faults::authority;

/// Characters of a server's reason that are shown.
const MAX_REASON: usize = 120;

/// Where it is.
pub(super) fn place(url: &Url) -> String {
    authority(url)
}

/// For the person, once a session.
pub(super) fn instead(url: &Url, why: &str) -> String {
    format!("the websocket to {} failed ({why}); answers come over plain http instead", authority(url))
}

/// Why a connection ended before the answer began.
pub(super) fn why(error: &Error) -> String {
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => "it was closed".to_owned(),
        Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => "it was closed".to_owned(),
            _ => clean(&error.to_string()).to_lowercase(),
        },
        other => clean(&other.to_string()).to_lowercase(),
    }
}

/// What a closing says.
pub(super) fn closed(close: Option<&CloseFrame>) -> String {
    let Some(close) = close else { return "it was closed".to_owned() };
    let reason: String = clean(&close.reason).chars().take(MAX_REASON).collect();
    let code = u16::from(close.code);
    if reason.is_empty() { format!("closed with {code}") } else { format!("closed with {code}: {reason}") }
}

/// The server has closed in the middle of an answer. An ordinary end is one too, which the decoder judges.
pub(super) fn cut_off(url: &Url, close: Option<&CloseFrame>) -> Option<Fault> {
    if close.is_none_or(|close| close.code == CloseCode::Normal) {
        return None;
    }
    let message = format!(
        "the websocket of {} was closed in the middle of the answer: {}",
        authority(url),
        closed(close)
    );
    Some(Fault::new(Category::Network, message))
}

/// The connection ended without a closing.
pub(super) fn gone(url: &Url) -> Fault {
    broke(url, "it was closed")
}

fn broke(url: &Url, why: &str) -> Fault {
    let message = format!("the connection to {} broke in the middle of the answer: {why}", authority(url));
    Fault::new(Category::Network, message)
}

/// What a failure in the middle of an answer means. A message may have `limit` bytes.
pub(super) fn broken(url: &Url, error: &Error, limit: usize) -> Fault {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => fault::event_too_large(limit),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => gone(url),
        Error::Protocol(_) | Error::Utf8(_) | Error::AttackAttempt => {
            let why = why(error);
            let message = format!("{} broke the rules of websockets: {why}", authority(url));
            Fault::new(Category::Protocol, message).again(Again::Once)
        }
        other => broke(url, &why(other)),
    }
}
