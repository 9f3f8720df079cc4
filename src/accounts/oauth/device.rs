//! A code that is typed on any device (RFC 8628): how often the provider is asked whether it was, and until when.
//!
//! Only tokio's clock counts here, so that a machine whose wall clock jumps still waits as long as it should.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::reply::{self, Stage};
use super::{OAuthError, OAuthErrorKind, Person};
use crate::net::{Answer, Category, Fault};

/// The standard's name of what is asked for.
pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Where the provider names no interval.
const INTERVAL: Duration = Duration::from_secs(5);
const MIN_INTERVAL: Duration = Duration::from_secs(1);
const MAX_INTERVAL: Duration = Duration::from_mins(1);
/// Added by `slow_down`.
const SLOWER: Duration = Duration::from_secs(5);
/// A code is good for at most this.
const MAX_LIFE: Duration = Duration::from_hours(1);
/// Faults in a row that are bad luck.
const MAX_FAULTS: u32 = 5;
/// The longest code that is shown, in characters.
const MAX_CODE: usize = 64;

/// How a code is polled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) interval: Duration,
    pub(super) life: Duration,
    pub(super) first: First,
}

/// When the first poll is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    AtOnce,
    AfterInterval,
}

impl Pace {
    /// As the provider says, in seconds, within reason.
    pub(super) fn new(interval: Option<u64>, life: Option<u64>, usual_life: Duration) -> Self {
        let interval = interval.map_or(INTERVAL, Duration::from_secs);
        let life = life.map_or(usual_life, Duration::from_secs);
        Self {
            interval: interval.clamp(MIN_INTERVAL, MAX_INTERVAL),
            life: life.clamp(MIN_INTERVAL, MAX_LIFE),
            first: First::AfterInterval,
        }
    }

    /// The first poll without a wait.
    pub(super) fn at_once(self) -> Self {
        Self { first: First::AtOnce, ..self }
    }

    /// When the code ends, in milliseconds since the Unix epoch.
    pub(super) fn ends_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add(u64::try_from(self.life.as_millis()).unwrap_or(u64::MAX))
    }
}

/// What one poll came to.
pub(super) enum Polled<T> {
    Done(T),
    Pending,
    /// Slower, in seconds where the provider says how slow.
    SlowDown(Option<u64>),
    /// Its time is over.
    Expired,
    /// The provider was not reached, or failed.
    Fault(Fault),
}

/// Polls until the person has typed the code. `name` is the provider's.
pub(super) async fn poll<T, F>(name: &str, pace: Pace, mut once: impl FnMut() -> F) -> Result<T, OAuthError>
where
    F: Future<Output = Result<Polled<T>, OAuthError>>,
{
    let deadline = Instant::now() + pace.life;
    let mut interval = pace.interval;
    let (mut slowed, mut faults) = (false, 0);
    let mut wait = match pace.first {
        First::AtOnce => Duration::ZERO,
        First::AfterInterval => interval,
    };
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        tokio::time::sleep(wait.min(left)).await;
        match once().await? {
            Polled::Done(done) => return Ok(done),
            Polled::Pending => faults = 0,
            Polled::SlowDown(seconds) => {
                (slowed, faults) = (true, 0);
                let asked = seconds.map_or(interval + SLOWER, Duration::from_secs);
                interval = asked.max(interval).min(MAX_INTERVAL);
            }
            Polled::Expired => return Err(over(name, slowed)),
            Polled::Fault(fault) => {
                faults += 1;
                if faults >= MAX_FAULTS {
                    return Err(reply::unreachable(name, fault));
                }
                interval = (interval * 2).min(MAX_INTERVAL);
            }
        }
        if Instant::now() >= deadline {
            return Err(over(name, slowed));
        }
        wait = interval;
    }
}

/// A token endpoint's answer to a poll.
#[derive(Deserialize)]
pub(super) struct Token {
    pub(super) access_token: String,
}

/// What the answer to a poll by the standard means. `secrets` are what was sent.
pub(super) fn polled<T: DeserializeOwned>(
    name: &str,
    answer: &Answer,
    secrets: &[&SecretString],
) -> Result<Polled<T>, OAuthError> {
    // Some answer 200 with an error.
    let said = reply::said(&answer.body);
    match said.code.as_deref() {
        None if answer.is_success() => Ok(Polled::Done(reply::json(name, answer)?)),
        Some("authorization_pending") => Ok(Polled::Pending),
        Some("slow_down") => Ok(Polled::SlowDown(said.interval)),
        _ => failed(name, answer, secrets),
    }
}

/// A poll that failed: bad luck that is borne, or the end.
pub(super) fn failed<T>(
    name: &str,
    answer: &Answer,
    secrets: &[&SecretString],
) -> Result<Polled<T>, OAuthError> {
    let error = reply::refused(name, Stage::Device, answer, secrets);
    match error.kind {
        OAuthErrorKind::Unreachable => Ok(Polled::Fault(Fault::new(Category::Server, error.message))),
        OAuthErrorKind::Expired => Ok(Polled::Expired),
        _ => Err(error),
    }
}

/// Shows the code while `poll` asks whether it was typed. Whoever closes what shows it goes on waiting.
pub(super) async fn shown<T>(
    person: &dyn Person,
    url: &str,
    code: &str,
    ends_ms: u64,
    poll: impl Future<Output = Result<T, OAuthError>>,
) -> Result<T, OAuthError> {
    let showing = async {
        person.show_code(url, code, ends_ms).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // The code is shown before it is asked for.
        biased;
        () = showing => std::future::pending().await,
        done = poll => done,
    }
}

/// The code was not typed in time.
fn over(name: &str, slowed: bool) -> OAuthError {
    let mut hint = "begin again and type the new code".to_owned();
    if slowed {
        hint.push_str(
            "; if you did type it, this machine's clock may run too fast, as in a virtual machine after sleep: set it",
        );
    }
    OAuthError::new(OAuthErrorKind::Expired, format!("the code for {name} ended before it was typed"), hint)
}

/// The page on which a code is typed, if it may be shown: https, on `host` or below it.
pub(super) fn page(name: &str, url: &str, host: &str) -> Result<String, OAuthError> {
    let parsed = Url::parse(url).ok().filter(|parsed| {
        parsed.scheme() == "https"
            && parsed.username().is_empty()
            && parsed.password().is_none()
            && parsed.host_str().is_some_and(|named| is_below(named, host))
    });
    parsed.map(String::from).ok_or_else(|| {
        OAuthError::new(
            OAuthErrorKind::Protocol,
            format!("{name} named a page for the code that is not on {host}, so it is not opened"),
            "begin again; if it happens again, something stands between this machine and the provider",
        )
    })
}

/// Whether `host` is `domain` or lies below it.
pub(super) fn is_below(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// A code as it can be shown and typed.
pub(super) fn code(name: &str, code: &str) -> Result<String, OAuthError> {
    let fits = !code.is_empty() && code.len() <= MAX_CODE && code.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        return Ok(code.to_owned());
    }
    Err(reply::strange(name, "the code to be typed is none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds at which it polled, and how it ended, where `answers` are the polls' and the last one stays.
    async fn played(
        pace: Pace,
        answers: Vec<fn() -> Polled<&'static str>>,
    ) -> (Vec<u64>, Result<&'static str, OAuthError>) {
        let begin = Instant::now();
        let mut times = Vec::new();
        let done = poll("Lab", pace, || {
            times.push(begin.elapsed().as_secs());
            std::future::ready(Ok(answers.get(times.len() - 1).or(answers.last()).unwrap()()))
        })
        .await;
        (times, done)
    }

    fn pace(interval: u64, life: u64) -> Pace {
        Pace::new(Some(interval), Some(life), MAX_LIFE)
    }

    #[tokio::test(start_paused = true)]
    async fn it_asks_at_the_provider_s_pace() {
        let pending = || Polled::Pending;
        let done = || Polled::Done("t");
        let (times, ended) = played(pace(5, 60), vec![pending, pending, done]).await;
        assert_eq!((times, ended), (vec![5, 10, 15], Ok("t")));
        let (times, ended) = played(pace(5, 60).at_once(), vec![pending, done]).await;
        assert_eq!((times, ended), (vec![0, 5], Ok("t")));
        // The server's own number, else five seconds more, and never faster.
        let slow = || Polled::SlowDown(None);
        let slow_7 = || Polled::SlowDown(Some(7));
        let slow_1 = || Polled::SlowDown(Some(1));
        let (times, _) = played(pace(2, 60), vec![slow, slow_1, slow_7, slow, done]).await;
        assert_eq!(times, [2, 9, 16, 23, 35]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_asks_a_last_time_at_the_end() {
        let (times, ended) = played(pace(5, 12), vec![|| Polled::Pending]).await;
        assert_eq!(times, [5, 10, 12]);
        let error = ended.unwrap_err();
        assert_eq!(error.kind, OAuthErrorKind::Expired);
        assert!(!error.hint.contains("clock"), "{error:?}");
        let (times, ended) = played(pace(5, 12), vec![|| Polled::SlowDown(None)]).await;
        assert_eq!(times, [5, 12]);
        assert!(ended.unwrap_err().hint.contains("clock"));
    }

    #[tokio::test(start_paused = true)]
    async fn bad_luck_is_borne_for_a_while() {
        let fault = || Polled::Fault(Fault::new(Category::Network, "no route"));
        let (times, ended) = played(pace(5, 600), vec![fault, fault, || Polled::Done("t")]).await;
        assert_eq!((times, ended), (vec![5, 15, 35], Ok("t")));
        let (times, ended) = played(pace(1, 600), vec![fault]).await;
        assert_eq!(times, [1, 3, 7, 15, 31]);
        assert_eq!(ended.unwrap_err().kind, OAuthErrorKind::Unreachable);
    }

    #[test]
    fn numbers_are_kept_within_reason() {
        let far = Pace::new(Some(u64::MAX), Some(u64::MAX), MAX_LIFE);
        assert_eq!((far.interval, far.life), (MAX_INTERVAL, MAX_LIFE));
        let none = Pace::new(None, None, Duration::from_mins(15));
        assert_eq!((none.interval, none.life), (INTERVAL, Duration::from_mins(15)));
        let zero = Pace::new(Some(0), Some(0), MAX_LIFE);
        assert_eq!((zero.interval, zero.life), (MIN_INTERVAL, MIN_INTERVAL));
        assert_eq!(far.ends_ms(u64::MAX), u64::MAX);
    }

    #[test]
    fn only_pages_of_the_provider_are_shown() {
        let fits = |url: &str| page("Lab", url, "github.com").is_ok();
        assert!(fits("https://github.com/login/device"));
        assert!(fits("https://www.github.com/login/device?user_code=A"));
        for bad in [
            "http://github.com/login/device",
            "https://github.com.evil.example/",
            "https://evilgithub.com/",
            "https://github.com@evil.example/",
            "https://user@github.com/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "github.com",
            "",
        ] {
            assert!(!fits(bad), "{bad}");
        }
        for bad in ["", "A B", "\u{1b}[2J", &"A".repeat(65)] {
            assert!(code("Lab", bad).is_err(), "{bad:?}");
        }
    }
}
