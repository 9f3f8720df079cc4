//! Connections between two answers: each is held by a task of its own, which answers the server's pings and lets go
//! when it is closed, too old or no longer wanted.
//!
//! A connection is known by a digest of where it leads and of every header that it was opened with, the key among
//! them: another account, session or proxy never gets it. It must never hold a key itself.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use futures_util::StreamExt as _;
use reqwest::header::HeaderMap;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use url::Url;

use super::Line;
use crate::models::handoff::fnv;
use crate::net::transport::proxies::Proxy;

/// How long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_mins(5);
/// How old it may become: the server ends it after an hour, wherever its answer is then.
const MAX_AGE: Duration = Duration::from_mins(55);
/// Connections that are kept.
const MOST: usize = 64;
/// Sessions and places that are remembered.
const MOST_REFUSED: usize = 256;
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// By what a connection is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::models::http) struct Key {
    digest: [u8; 32],
    /// Whose it is, as a hash: enough to let go of too much at worst.
    session: u64,
}

impl Key {
    /// That of a session's connections.
    pub(in crate::models::http) fn of(
        url: &Url,
        headers: &HeaderMap,
        session: &str,
        proxy: Option<&Proxy>,
    ) -> Self {
        let named = headers.iter().flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]);
        let proxy = proxy.map_or("", |proxy| proxy.url.as_str());
        let first = [url.as_str().as_bytes(), session.as_bytes(), proxy.as_bytes()];
        Self::over(first.into_iter().chain(named), fnv(session.as_bytes()))
    }

    /// That of an address, whoever calls it.
    pub(super) fn of_place(url: &Url) -> Self {
        Self::over([url.as_str().as_bytes()].into_iter(), 0)
    }

    fn over<'p>(parts: impl Iterator<Item = &'p [u8]>, session: u64) -> Self {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        Self { digest, session }
    }
}

/// The connections that are kept, and whom none are made for.
#[derive(Default)]
pub(in crate::models::http) struct Sockets {
    kept: Mutex<Kept>,
    /// The oldest first.
    refused: Mutex<VecDeque<Key>>,
}

#[derive(Default)]
struct Kept {
    /// The one that has waited longest first.
    lines: VecDeque<(Key, oneshot::Sender<Taker>)>,
    tasks: JoinSet<()>,
}

/// Where a connection is handed over.
type Taker = oneshot::Sender<Line>;

impl Sockets {
    /// A connection that was kept.
    pub(super) async fn take(&self, key: &Key) -> Option<Line> {
        let keeper = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let at = kept.lines.iter().position(|(known, _)| known == key)?;
            kept.lines.remove(at)?.1
        };
        let (taker, taken) = oneshot::channel();
        keeper.send(taker).ok()?;
        // Its keeper may have let go of it in this moment.
        taken.await.ok()
    }

    /// Keeps a connection for the next answer. One is enough: where another is kept already this one is closed.
    pub(super) fn keep(&self, key: Key, line: Line) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.tasks.try_join_next().is_some() {}
        kept.lines.retain(|(_, keeper)| !keeper.is_closed());
        if kept.lines.iter().any(|(known, _)| *known == key) {
            return;
        }
        if kept.lines.len() >= MOST {
            kept.lines.pop_front();
        }
        let (keeper, asked) = oneshot::channel();
        kept.tasks.spawn(hold(line, asked));
        kept.lines.push_back((key, keeper));
    }

    /// A session has ended, and with it what was kept for it.
    pub(in crate::models::http) fn forget(&self, session: &str) {
        let session = fnv(session.as_bytes());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Their keepers close them when nobody can ask any more.
        kept.lines.retain(|(key, _)| key.session != session);
    }

    /// No connection is made for this one any more.
    pub(in crate::models::http) fn refuse(&self, key: Key) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if !refused.contains(&key) {
            if refused.len() >= MOST_REFUSED {
                refused.pop_front();
            }
            refused.push_back(key);
        }
    }

    pub(super) fn is_refused(&self, key: &Key) -> bool {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }
}

/// Holds a connection until it is asked for. What ends here is closed.
async fn hold(mut line: Line, mut asked: oneshot::Receiver<Taker>) {
    let deadline = (Instant::now() + IDLE).min(line.opened + MAX_AGE);
    loop {
        tokio::select! {
            biased;
            taker = &mut asked => {
                match taker {
                    // Whoever asked may be gone, and with it the connection.
                    Ok(taker) => drop(taker.send(line)),
                    Err(_) => farewell(line).await,
                }
                return;
            }
            () = tokio::time::sleep_until(deadline) => return farewell(line).await,
            message = line.stream.next() => match message {
                // Pings are answered by being read.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                // An answer that nobody asked for, or the end.
                _ => return,
            },
        }
    }
}

async fn farewell(mut line: Line) {
    // A server that does not hear it notices the end of the connection.
    let _ = tokio::time::timeout(FAREWELL, line.stream.close(None)).await;
}

#[cfg(test)]
mod tests;
