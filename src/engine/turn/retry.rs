//! What is done when a model call fails: whether it is made again, when, and what becomes of what had come.
//!
//! [`decide`] is a plain function of the fault and of what the call has cost so far. It must never make a call
//! again that would fail again, nor let more than one request follow one that the person has seen words of.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Sleep;

use super::{Calling, Sent, State, account_of};
use crate::engine::event::EventBody;
use crate::engine::item::{Failure, ItemId, ItemStatus, TurnEnd};
use crate::engine::session::Session;
use crate::models::fault::Again;
use crate::models::{Category, Fault, Origin};
use crate::settings::Retry;

/// The requests of one model call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tries {
    /// Requests made.
    pub(super) requests: u32,
    /// The first of them that said something before it broke.
    pub(super) spoke: Option<u32>,
    /// Another key was looked for.
    pub(super) renewed: bool,
}

/// What is done about a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// The call is made again.
    Again { max_requests: u32, delay_ms: u64 },
    /// It is not.
    Never,
    /// The provider asks for a longer wait than the settings allow.
    TooLong { wait_ms: u64 },
}

/// Looks at a fault of the last of `tries`. `random` is any number.
fn decide(fault: &Fault, tries: Tries, settings: &Retry, random: u64) -> Verdict {
    let of_fault = match fault.again {
        Again::Never => 1,
        Again::Once => 2,
        Again::Soon | Again::Patiently => u32::MAX,
    };
    let of_words = tries.spoke.map_or(u32::MAX, |spoke| spoke.saturating_add(1));
    let max_requests = of_fault.min(of_words).min(settings.max_requests);
    if tries.requests >= max_requests {
        return Verdict::Never;
    }
    // The first wait has the number 0.
    let waits = tries.requests.saturating_sub(1).min(16);
    let base = settings.base_delay_ms;
    let delay_ms = match (fault.retry_after_ms.filter(|wait| *wait > 0), fault.again) {
        (Some(wait_ms), _) if wait_ms > settings.max_delay_ms => return Verdict::TooLong { wait_ms },
        // Never sooner than asked, and not all at the same moment.
        (Some(wait_ms), _) => wait_ms.saturating_add(random % (base / 4 + 1)),
        // A quarter, three quarters and seven quarters of the base: about three seconds in all.
        (None, Again::Soon) => spread(base.saturating_mul((2 << waits) - 1) / 4, random),
        (None, _) => spread(base.saturating_mul(1 << waits), random),
    };
    Verdict::Again { max_requests, delay_ms: delay_ms.min(settings.max_delay_ms.saturating_add(base)) }
}

/// Between three quarters of `ms` and all of it.
fn spread(ms: u64, random: u64) -> u64 {
    ms - random % (ms / 4 + 1)
}

/// A time for people, rounded up.
fn words(ms: u64) -> String {
    let seconds = ms.div_ceil(1_000);
    match seconds {
        0..=120 => format!("{seconds} s"),
        121..=7_199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3_600)),
    }
}

/// Says with which credential a refused call was made: the reader has more than one place to look.
fn about_credential(mut fault: Fault, name: &str) -> Fault {
    let refused =
        matches!(fault.category, Category::Authentication | Category::Permission | Category::NotFound);
    if fault.status.is_some() && refused {
        let hint = fault.hint.take().map_or(String::new(), |hint| format!("{hint}; "));
        fault.hint = Some(format!("{hint}it was asked with {name}"));
    }
    fault
}

/// A wait before a call is made again.
pub(super) type Wait = Pin<Box<Sleep>>;

impl Session {
    /// The model call under way has failed.
    pub(super) fn faulted(&mut self, fault: Fault) {
        let Some(turn) = &mut self.turn else { return };
        let State::Calling(calling) = std::mem::replace(&mut turn.state, State::Stopped) else { return };
        let counted = turn.account(&calling, self.model.as_deref());
        // Closes the connection.
        let Calling { blocks, origin: Origin { provider, .. }, sent, .. } = *calling;
        if !blocks.is_empty() {
            turn.tries.spoke = turn.tries.spoke.or(Some(turn.tries.requests));
            turn.broken.extend(blocks.into_iter().map(|(_, item)| item));
        }
        // What had come is kept through the wait, however long that is.
        for id in &turn.broken {
            if let Some(item) = self.transcript.get(*id) {
                self.log.text(item, true);
            }
        }
        let (tries, settings) = (turn.tries, self.world.settings.retry.clone());
        let mut fault = about_credential(fault.named(&provider), &sent.name);
        if counted {
            self.tell_usage(None);
        }
        if fault.status == Some(401) && !tries.renewed && tries.requests < settings.max_requests {
            return self.renew(fault, sent);
        }
        match decide(&fault, tries, &settings, self.world.system.random.next_u64()) {
            Verdict::Again { max_requests, delay_ms } => {
                if self.world.retries.take(&provider) {
                    self.wait_to_retry(fault, tries.requests + 1, max_requests, delay_ms);
                    return;
                }
                fault.hint = Some(format!(
                    "many calls of {provider} fail at the moment, so this one was not made again; try later"
                ));
            }
            Verdict::Never => {}
            Verdict::TooLong { wait_ms } => {
                let wait = words(wait_ms);
                fault.message = format!("{}; it asks to wait {wait}", fault.message);
                fault.hint = Some(format!(
                    "try again in {wait} or choose another model; no more than {} is waited for (retry.maxDelayMs in the settings)",
                    words(settings.max_delay_ms)
                ));
            }
        }
        self.finish_turn(TurnEnd::Failed(fault.into()));
    }

    /// Looks a refused key up again: a command may print another now.
    fn renew(&mut self, fault: Fault, sent: Sent) {
        let Some(turn) = &mut self.turn else { return };
        turn.tries.renewed = true;
        let world = Arc::clone(&self.world);
        let explicit = turn.prompt.api_key.clone();
        let account = account_of(self.account.as_ref(), &sent.model);
        let renewing = async move {
            let Sent { model, credential, headers, .. } = &sent;
            world.renew(model, explicit.as_ref(), account.as_deref(), credential, headers).await
        };
        turn.state = State::Renewing(Box::pin(renewing), Box::new(fault));
    }

    /// A refused key was looked up again.
    pub(super) fn renewed(&mut self, renewed: bool) {
        let Some(turn) = &mut self.turn else { return };
        let State::Renewing(_, fault) = std::mem::replace(&mut turn.state, State::Stopped) else { return };
        let attempt = turn.tries.requests + 1;
        if renewed {
            self.wait_to_retry(*fault, attempt, attempt, 0);
        } else {
            self.finish_turn(TurnEnd::Failed((*fault).into()));
        }
    }

    fn wait_to_retry(&mut self, fault: Fault, attempt: u32, max_attempts: u32, delay_ms: u64) {
        let Some(turn) = &mut self.turn else { return };
        turn.state = State::Waiting(Box::pin(tokio::time::sleep(Duration::from_millis(delay_ms))));
        self.out.event(EventBody::Retry {
            attempt,
            max_attempts,
            delay_ms,
            retry_at_ms: self.world.system.clock.now_ms().saturating_add(delay_ms),
            failure: Box::new(Failure::from(fault)),
        });
    }

    /// The call that was made again speaks: what its forerunner had said does not count any more.
    pub(super) fn withdraw_broken(&mut self) {
        let Some(turn) = &mut self.turn else { return };
        for id in std::mem::take(&mut turn.broken) {
            self.withdraw(id);
        }
    }

    /// Takes an item back. Its text is gone from the conversation, from what waits to be sent and from what can
    /// be replayed; only the growth of it has its place among the events, without a word.
    fn withdraw(&mut self, id: ItemId) {
        let withdrawn = self.transcript.update(id, |item| {
            item.status = ItemStatus::Withdrawn;
            item.forget();
        });
        if let Some(item) = withdrawn {
            self.log.withdrawn(&item);
            self.out.event(EventBody::ItemWithdrawn(id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::fault;

    fn settings() -> Retry {
        crate::settings::Settings::default().retry
    }

    fn tries(requests: u32, spoke: Option<u32>) -> Tries {
        Tries { requests, spoke, renewed: false }
    }

    /// How many requests a steady fault costs, and the waits between them at their longest.
    fn play(fault: &Fault, spoke: bool) -> (u32, Vec<u64>) {
        let mut waits = Vec::new();
        let mut requests = 1;
        loop {
            let tries = tries(requests, spoke.then_some(1));
            match decide(fault, tries, &settings(), 0) {
                Verdict::Again { max_requests, delay_ms } => {
                    assert!(requests < max_requests);
                    waits.push(delay_ms);
                    requests += 1;
                }
                Verdict::Never | Verdict::TooLong { .. } => return (requests, waits),
            }
        }
    }

    #[test]
    fn a_steady_fault_costs_what_it_may() {
        for (status, requests) in [
            (400, 1),
            (401, 1),
            (402, 1),
            (403, 1),
            (404, 1),
            (408, 4),
            (409, 4),
            (413, 1),
            (422, 1),
            (429, 4),
            (500, 4),
            (501, 1),
            (502, 4),
            (503, 4),
            (504, 4),
            (520, 4),
            (524, 4),
            (529, 4),
        ] {
            let fault = fault::refused(status, "", "no");
            assert_eq!(play(&fault, false).0, requests, "{status}");
            assert_eq!(play(&fault, true).0, requests.min(2), "{status} after words");
        }
        assert_eq!(play(&fault::refused(429, "insufficient_quota", ""), false).0, 1);
        assert_eq!(play(&fault::refused(400, "", "prompt is too long"), false).0, 1);
        assert_eq!(play(&fault::ended_early(), false).0, 2);
        assert_eq!(play(&fault::broken_off(None, "overloaded_error", ""), false).0, 2);
        assert_eq!(play(&fault::broken_off(None, "invalid_request_error", ""), false).0, 1);
        assert_eq!(play(&fault::event_too_large(1), false).0, 1);
    }

    #[test]
    fn waits_grow_and_a_server_that_starts_is_looked_for_soon() {
        assert_eq!(play(&fault::refused(503, "", ""), false).1, [1_000, 2_000, 4_000]);
        let refused = Fault::new(Category::Network, "connection refused").again(Again::Soon);
        let (requests, waits) = play(&refused, false);
        assert_eq!((requests, &waits[..]), (4, &[250, 750, 1_750][..]));
    }

    #[test]
    fn what_a_provider_asks_for_is_kept_to_as_far_as_it_may() {
        let asks = |ms| Fault { retry_after_ms: Some(ms), ..fault::refused(429, "", "") };
        let delay = |ms, random| match decide(&asks(ms), tries(1, None), &settings(), random) {
            Verdict::Again { delay_ms, .. } => Ok(delay_ms),
            Verdict::TooLong { wait_ms } => Err(wait_ms),
            Verdict::Never => panic!("not made again"),
        };
        assert_eq!(delay(2_000, 0), Ok(2_000));
        assert_eq!(delay(60_000, u64::MAX), Ok(60_000 + u64::MAX % 251));
        assert_eq!(delay(60_001, 0), Err(60_001));
        assert_eq!(delay(0, 0), Ok(1_000), "at once would be too soon");
        assert_eq!(decide(&asks(60_001), tries(4, None), &settings(), 0), Verdict::Never);
    }

    #[test]
    fn any_number_makes_a_wait_within_bounds() {
        let fault = fault::refused(500, "", "");
        for random in [0, 1, 249, 250, 12_345, u64::MAX] {
            let Verdict::Again { delay_ms, .. } = decide(&fault, tries(1, None), &settings(), random) else {
                panic!("not made again");
            };
            assert!((750..=1_000).contains(&delay_ms), "{delay_ms}");
        }
        let hasty = Retry { max_requests: 10, base_delay_ms: u64::MAX, max_delay_ms: 5 };
        for requests in 1..10 {
            let verdict = decide(&fault, tries(requests, None), &hasty, 7);
            assert!(matches!(verdict, Verdict::Again { .. }), "{verdict:?}");
        }
    }

    #[test]
    fn times_are_told_in_words() {
        for (ms, expected) in
            [(1, "1 s"), (60_000, "60 s"), (121_000, "3 min"), (7_200_000, "2 h"), (86_400_000, "24 h")]
        {
            assert_eq!(words(ms), expected);
        }
    }
}
