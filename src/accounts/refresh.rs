//! Renewing sign-ins: only when a call needs one, once for all who wait in this process, once for all processes.
//!
//! A refresh token is often good for one use, and using it twice can end the sign-in; so whoever renews holds a lock
//! of the provider's own, looks at the file again, and is not cancelled with the prompt that needed it. What the
//! provider gave is written, whatever happened meanwhile, unless somebody signed in or out; what failed removes
//! nothing. No token may get into a message. `refresh/memory.rs` keeps what this process knows of its sign-ins.

mod memory;

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::auth_file::{self, AUTH_FILE};
use super::entry::Stored;
use super::oauth::{Flow, Grant, OAuthError, OAuthErrorKind};
use super::resolve::error_of;
use super::value;
use super::{AccountError, AccountErrorKind, Accounts};
use crate::catalog::Provider;
use crate::settings::change::{ChangeError, hold};
use memory::Mark;
pub(super) use memory::Memory;

/// How long before its end a token is renewed, at most: clocks differ, and answers take time.
const EARLY_MS: u64 = 5 * 60_000;
/// Each process begins up to this much earlier, so that not all come at once.
const JITTER_MS: u64 = 60_000;
/// A token that was just got is used for this long, however short the provider says that it lives.
const LEAST_USE_MS: u64 = 5_000;
/// A clock that is this much behind the moment at which a token was got has been set back.
const SLACK_MS: u64 = 60_000;
/// How long the provider is asked: the first time, and once more when it may have been lost on the way. Together
/// less than others wait for the lock.
const LIMITS: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(10)];
/// Before it is asked once more.
const PAUSE: Duration = Duration::from_millis(500);
/// How often the file may turn out to hold another sign-in than was asked with.
const CHANGES: usize = 3;
/// The field of an entry that says when its tokens were got, in milliseconds since the Unix epoch.
const GOT_AT: &str = "refreshedAt";

/// Whether a token is to be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    No,
    /// It is still good.
    Soon,
    Now,
}

/// Why a sign-in is renewed.
#[derive(Clone)]
enum Reason {
    /// Its token ends.
    Due,
    /// The provider does not take this token any more, whatever the clock says.
    Refused(SecretString),
}

impl Grant {
    /// The same, got at this time.
    pub(super) fn got_at(&self, now_ms: u64) -> Self {
        let mut grant = self.clone();
        grant.more.insert(GOT_AT.to_owned(), now_ms.into());
        grant
    }

    /// Whether it is to be renewed by a process that is `jitter_ms` early.
    fn due(&self, now_ms: u64, jitter_ms: u64) -> Due {
        let got_ms = self.more.get(GOT_AT).and_then(serde_json::Value::as_u64);
        let ends_ms =
            got_ms.map_or(self.expires_ms, |got| self.expires_ms.max(got.saturating_add(LEAST_USE_MS)));
        // Nobody can tell how old it is.
        let set_back = got_ms.is_some_and(|got| now_ms.saturating_add(SLACK_MS) < got);
        if now_ms >= ends_ms || set_back {
            return Due::Now;
        }
        // One that lives for minutes is not renewed all the time.
        let life_ms = got_ms.map_or(u64::MAX, |got| ends_ms.saturating_sub(got));
        let early_ms = (EARLY_MS + jitter_ms).min(life_ms / 4);
        if now_ms.saturating_add(early_ms) >= ends_ms { Due::Soon } else { Due::No }
    }

    fn mark(&self) -> Mark {
        Mark::of(&self.access, &self.refresh)
    }
}

impl Accounts {
    /// The tokens of the entry `id`, which is `stored`, renewed if that is time.
    pub(super) async fn current(
        &self,
        provider: &Provider,
        flow: &'static dyn Flow,
        id: &str,
        stored: &Grant,
    ) -> Result<Arc<Grant>, AccountError> {
        let grant = self.kept(id, stored).await;
        let due = self.due(&grant);
        if due == Due::No {
            return Ok(grant);
        }
        let renewed = if grant.refresh.expose_secret().is_empty() {
            Err(Self::ended(provider, id))
        } else if let Some(known) = self.memory.failure(grant.mark(), due == Due::Soon) {
            Err(known)
        } else {
            self.renewed(provider, flow, id, Arc::clone(&grant), Reason::Due).await
        };
        match renewed {
            // It is still good: that it could not be renewed will be told when it is not.
            Err(error) if self.due(&grant) == Due::Soon => {
                tracing::warn!(provider = %provider.id, %error, "a sign-in was not renewed in advance");
                Ok(grant)
            }
            renewed => renewed,
        }
    }

    /// After the provider has refused `refused`, which the entry `id` held: whether it holds another token now.
    pub(super) async fn renew_refused(
        &self,
        provider: &Provider,
        flow: &'static dyn Flow,
        id: &str,
        refused: &SecretString,
    ) -> bool {
        let file = self.auth_file();
        let Some(Stored::Grant(stored)) = file.entry(id) else { return true };
        let grant = self.kept(id, stored).await;
        let is_refused = |grant: &Grant| grant.access.expose_secret() == refused.expose_secret();
        if !is_refused(&grant) {
            return true;
        }
        // Each token is given up for once: a provider that refuses all of them is not asked for ever.
        if grant.refresh.expose_secret().is_empty()
            || self.memory.failure(grant.mark(), false).is_some()
            || !self.memory.refuse(id, grant.mark())
        {
            return false;
        }
        match self.renewed(provider, flow, id, grant, Reason::Refused(refused.clone())).await {
            Ok(renewed) => !is_refused(&renewed),
            Err(error) => {
                tracing::warn!(provider = %provider.id, %error, "a sign-in was not renewed");
                if error.kind != AccountErrorKind::NeedsLogin {
                    // The next refusal may find the provider in a better state.
                    self.memory.forgive(id);
                }
                false
            }
        }
    }

    /// Resolves when nothing is being renewed: tokens that are on their way would be lost with the process.
    pub async fn settled(&self) {
        self.memory.settled().await;
    }

    /// What the person should know of the sign-in `grant`, which is the entry `id`.
    pub(super) fn hint_of_grant(&self, provider: &Provider, id: &str, grant: &Grant) -> Option<String> {
        if let Some(known) = self.memory.failure(grant.mark(), false) {
            return Some(format!("{}; {}", known.message, known.hint));
        }
        if self.memory.is_unsaved(id, grant) {
            return Some(format!("new tokens could not be written to {AUTH_FILE} and end with this process"));
        }
        if self.due(grant) != Due::Now {
            return None;
        }
        if grant.refresh.expose_secret().is_empty() {
            let ended = Self::ended(provider, id);
            return Some(format!("{}; {}", ended.message, ended.hint));
        }
        Some("it has expired and is renewed at its next use".to_owned())
    }

    fn due(&self, grant: &Grant) -> Due {
        let jitter_ms = self.memory.jitter(|| self.system.random.next_u64() % JITTER_MS);
        grant.due(self.system.clock.now_ms(), jitter_ms)
    }

    /// The tokens that are used for the entry `id`: newer ones than `stored` where those could not be written yet.
    async fn kept(&self, id: &str, stored: &Grant) -> Arc<Grant> {
        let Some(newer) = self.memory.unsaved(id, stored) else { return Arc::new(stored.clone()) };
        if self.memory.tries_to_save(id) {
            self.save(id, stored, &newer).await;
        }
        newer
    }

    /// The next tokens of the entry `id`: those that another task or another process got meanwhile, or new ones.
    async fn renewed(
        &self,
        provider: &Provider,
        flow: &'static dyn Flow,
        id: &str,
        held: Arc<Grant>,
        reason: Reason,
    ) -> Result<Arc<Grant>, AccountError> {
        let begin = || {
            let (accounts, provider) = (self.clone(), provider.clone());
            let (own, held, reason) = (id.to_owned(), Arc::clone(&held), reason.clone());
            async move { accounts.under_lock(&provider, flow, &own, held, &reason).await }
        };
        let mut outcome = self.memory.flight(id, begin).await;
        // Who came to one that was under way may get what was refused.
        if let (Reason::Refused(refused), Some(Ok(grant))) = (&reason, &outcome)
            && grant.access.expose_secret() == refused.expose_secret()
        {
            outcome = self.memory.flight(id, begin).await;
        }
        outcome.unwrap_or_else(|| {
            let message = format!("renewing the sign-in to {} failed inside aside", provider.id);
            Err(error_of(AccountErrorKind::NotRenewed, provider, message, "try again".to_owned()))
        })
    }

    /// One flight. Nothing cancels it but the end of the process.
    async fn under_lock(
        &self,
        provider: &Provider,
        flow: &'static dyn Flow,
        id: &str,
        mut held: Arc<Grant>,
        reason: &Reason,
    ) -> Result<Arc<Grant>, AccountError> {
        let path = auth_file::path(&self.system).ok_or(ChangeError::NoFolder);
        let lock = match path {
            Ok(path) => hold(&self.system, &path, flow.provider()).await,
            Err(error) => Err(error),
        };
        let _lock = match lock {
            Ok(lock) => lock,
            // Whoever holds it may have done what we came for.
            Err(error) => {
                return match self.newer(id, &held, reason) {
                    Some(newer) => Ok(newer),
                    None => Err(Self::not_locked(provider, &error)),
                };
            }
        };
        for _ in 0..CHANGES {
            let file = self.auth_file();
            let stored = match file.entry(id) {
                Some(Stored::Grant(stored)) => stored,
                _ if file.is_broken() => return Err(Self::unreadable(provider)),
                _ => return Err(Self::signed_out(provider, id)),
            };
            let newest = self.memory.unsaved(id, stored).unwrap_or_else(|| Arc::new((**stored).clone()));
            if !newest.is_same(&held) && self.is_fresh(&newest, reason) {
                return Ok(newest);
            }
            held = newest;
            let error = match ask(flow, &held, &self.exchange()).await {
                Ok(mut new) => {
                    if new.refresh.expose_secret().is_empty() {
                        new.refresh = held.refresh.clone();
                    }
                    let new = new.got_at(self.system.clock.now_ms());
                    if self.save(id, stored, &new).await {
                        return Ok(Arc::new(new));
                    }
                    // Somebody has signed in or out meanwhile: that holds.
                    continue;
                }
                Err(error) => error,
            };
            let is_over = error.kind == OAuthErrorKind::SignInAgain;
            let told = Self::not_renewed(provider, id, &held, &error);
            // Somebody may have signed in just now, or renewed it on a machine that shares the file but not the
            // lock.
            match self.auth_file().entry(id) {
                Some(Stored::Grant(now)) if !now.is_same(stored) => continue,
                _ => {}
            }
            self.memory.failed(held.mark(), &told, is_over);
            return Err(told);
        }
        let message = format!("the sign-in to {} changes all the time", provider.id);
        Err(error_of(AccountErrorKind::NotRenewed, provider, message, "try again".to_owned()))
    }

    /// What the file holds now, if that is newer than `held` and good.
    fn newer(&self, id: &str, held: &Grant, reason: &Reason) -> Option<Arc<Grant>> {
        match self.auth_file().entry(id) {
            Some(Stored::Grant(stored)) if !stored.is_same(held) && self.is_fresh(stored, reason) => {
                Some(Arc::new((**stored).clone()))
            }
            _ => None,
        }
    }

    fn is_fresh(&self, grant: &Grant, reason: &Reason) -> bool {
        let is_refused = match reason {
            Reason::Due => false,
            Reason::Refused(refused) => refused.expose_secret() == grant.access.expose_secret(),
        };
        !is_refused && self.due(grant) != Due::Now
    }

    /// Writes `new` in the place of `old`; whether it holds now. Where it cannot be written it holds in this process.
    async fn save(&self, id: &str, old: &Grant, new: &Grant) -> bool {
        let mut written = auth_file::renew_grant(&self.system, id, old, new).await;
        if let Err(error) = &written {
            tracing::error!(%error, "renewed tokens were not written; they are kept in memory");
            written = Ok(true);
            self.memory.keep(id, old, new);
        } else {
            self.memory.forget(id);
        }
        self.auth_file();
        written.unwrap_or(false)
    }

    fn ended(provider: &Provider, id: &str) -> AccountError {
        let message = format!("the sign-in to {} has expired and cannot be renewed", provider.id);
        error_of(AccountErrorKind::NeedsLogin, provider, message, Self::login_again(provider, id))
    }

    /// What to do about a sign-in that is over.
    pub(super) fn login_again(provider: &Provider, id: &str) -> String {
        let label = id.strip_prefix(&*provider.id).and_then(|rest| rest.strip_prefix(':'));
        let account =
            label.map_or(String::new(), |label| format!(" --account {}", super::choice::plain(label)));
        format!("sign in again: `aside login {}{account}`", provider.id)
    }

    fn signed_out(provider: &Provider, id: &str) -> AccountError {
        let message = format!("{} was signed out of meanwhile", provider.id);
        error_of(AccountErrorKind::NotSignedIn, provider, message, Self::login_again(provider, id))
    }

    fn unreadable(provider: &Provider) -> AccountError {
        let message =
            format!("{AUTH_FILE} cannot be read any more, so nothing is renewed for {}", provider.id);
        error_of(AccountErrorKind::File, provider, message, "mend the file, then try again".to_owned())
    }

    fn not_locked(provider: &Provider, error: &ChangeError) -> AccountError {
        let message = format!("the sign-in to {} was not renewed: {error}", provider.id);
        let hint = match error {
            ChangeError::Locked(_) => {
                "another process renews it for very long: try again, or end that process"
            }
            // Tokens are spent by being used; without a place for the next ones nothing is asked for.
            _ => "make the folder of auth.json writable, so that the new tokens can be kept",
        };
        error_of(AccountErrorKind::NotRenewed, provider, message, hint.to_owned())
    }

    fn not_renewed(provider: &Provider, id: &str, held: &Grant, error: &OAuthError) -> AccountError {
        let clean = |text: &str| {
            let tokens = [&held.access, &held.refresh].map(ExposeSecret::expose_secret);
            let tokens = tokens.into_iter().filter(|token| token.len() >= 6);
            tokens.fold(text.to_owned(), |text, token| text.replace(token, "***"))
        };
        let (kind, hint) = match error.kind {
            OAuthErrorKind::SignInAgain
            | OAuthErrorKind::Denied
            | OAuthErrorKind::Expired
            | OAuthErrorKind::State => (AccountErrorKind::NeedsLogin, Self::login_again(provider, id)),
            OAuthErrorKind::NoPlan
            | OAuthErrorKind::Forbidden
            | OAuthErrorKind::Unreachable
            | OAuthErrorKind::Protocol
            | OAuthErrorKind::Port
            | OAuthErrorKind::Clock
            | OAuthErrorKind::Invalid
            | OAuthErrorKind::Cancelled => (AccountErrorKind::NotRenewed, clean(&error.hint)),
        };
        let message =
            format!("the sign-in to {} could not be renewed: {}", provider.id, clean(&error.message));
        error_of(kind, provider, message, hint)
    }
}

/// Asks the provider for the next tokens.
async fn ask(
    flow: &'static dyn Flow,
    held: &Grant,
    exchange: &super::oauth::Exchange,
) -> Result<Grant, OAuthError> {
    let mut failed = None;
    for limit in LIMITS {
        if failed.is_some() {
            tokio::time::sleep(PAUSE).await;
        }
        let asked = tokio::time::timeout(limit, flow.refresh(held, exchange)).await;
        match asked {
            Ok(Ok(new)) if value::sendable(new.access.expose_secret()).is_ok() => return Ok(new),
            Ok(Ok(_)) => {
                return Err(OAuthError {
                    kind: OAuthErrorKind::Protocol,
                    message: "the new token cannot be sent".to_owned(),
                    hint: "try again; what was there before stays".to_owned(),
                });
            }
            // Whether it was spent is not known. Where it was not, this is all it takes; and providers that know
            // of lost answers give the same once more.
            Ok(Err(error)) if error.kind == OAuthErrorKind::Unreachable => failed = Some(error),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                failed = Some(OAuthError {
                    kind: OAuthErrorKind::Unreachable,
                    message: format!("no answer within {} s", limit.as_secs()),
                    hint: "look at the connection and try again; what was there before stays".to_owned(),
                });
            }
        }
    }
    Err(failed.unwrap_or_else(|| OAuthError {
        kind: OAuthErrorKind::Unreachable,
        message: "nobody was asked".to_owned(),
        hint: "try again".to_owned(),
    }))
}

#[cfg(test)]
mod tests;
