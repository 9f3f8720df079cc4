//! Whether a call may have gone out over a connection that was kept from an earlier one.
//!
//! A server may close such a connection at the very moment of the next request, which then was lost through
//! nobody's fault: it is sent again, once, without a word. It must never hide that a server closes new ones.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use crate::net::transport::faults::authority;

/// How long the client keeps a connection that is not used.
const KEPT_FOR: Duration = Duration::from_secs(90);
/// Hosts that are remembered.
const HOSTS: usize = 16;

/// The hosts that have answered lately, with the time of it.
#[derive(Debug, Default)]
pub(super) struct Answered(Mutex<VecDeque<(String, Instant)>>);

impl Answered {
    /// A head has come from there.
    pub(super) fn note(&self, url: &Url) {
        if !is_kept(url) {
            return;
        }
        let host = authority(url);
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|(known, _)| *known != host);
        if hosts.len() == HOSTS {
            hosts.pop_front();
        }
        hosts.push_back((host, Instant::now()));
    }

    /// A request there was lost before anything came. Says whether its connection may have been an old one;
    /// until the host answers again the next is not.
    pub(super) fn lost(&self, url: &Url) -> bool {
        let host = authority(url);
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = hosts.iter().position(|(known, _)| *known == host) else { return false };
        hosts.remove(at).is_some_and(|(_, answered)| answered.elapsed() < KEPT_FOR)
    }
}

/// Connections without TLS are not kept.
fn is_kept(url: &Url) -> bool {
    url.scheme() == "https"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn only_a_host_that_has_answered_lately_is_believed() {
        let url = |text: &str| Url::parse(text).unwrap();
        let (here, there, plain) = (url("https://here"), url("https://there"), url("http://here"));
        let answered = Answered::default();
        assert!(!answered.lost(&here));
        answered.note(&here);
        answered.note(&plain);
        assert!(!answered.lost(&there) && !answered.lost(&plain));
        assert!(answered.lost(&here));
        assert!(!answered.lost(&here), "twice is an outage");
        answered.note(&here);
        tokio::time::advance(KEPT_FOR).await;
        assert!(!answered.lost(&here), "it was not kept that long");
        for host in 0..1_000 {
            answered.note(&url(&format!("https://host-{host}")));
        }
        assert_eq!(answered.0.lock().unwrap().len(), HOSTS);
    }
}
