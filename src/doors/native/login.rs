//! Signing in and out for a client: tasks of the door, because accounts know no client that could be asked.
//!
//! A login asks for what its params do not say, or leads through a provider's own sign-in, stores what came of it,
//! and answers. Its questions end with it: cancelled,
//! closed or cut off, nothing is stored, and no question and no port stays open. It must never put a key or a token
//! into a message. Next: `login/person.rs`, the person as a flow meets them.

mod ask;
mod person;

use std::collections::BTreeMap;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::value::RawValue;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::convert;
use crate::accounts::oauth::{self, Wanted, Way};
use crate::accounts::{Accounts, Field};
use crate::catalog::Provider;
use crate::doors::peer::writer::{Direct, Sink, append};
use crate::engine::{Client, Failure, Ticket};
use crate::system::browser::{self, Place};
use aside_protocol as wire;
use aside_protocol::method;
use ask::{Asking, Questions, notify, number_of};
use person::Wire;

/// How often a key that cannot be used is asked for again.
const TRIES: usize = 3;

/// The logins and logouts under way. Owned by the dispatcher.
#[derive(Default)]
pub(super) struct Logins {
    tasks: JoinSet<()>,
    questions: Questions,
    ending: CancellationToken,
}

/// A request on its way, and what it works on.
pub(super) struct Job {
    pub(super) ticket: Ticket,
    pub(super) cancel: CancellationToken,
    pub(super) accounts: Arc<Accounts>,
    pub(super) sink: Sink,
    /// What the client can be asked for.
    pub(super) client: Client,
}

/// What a login was given, and what it has to ask for.
pub(super) struct Login {
    pub(super) provider: Arc<Provider>,
    /// The label of the account that is signed in to, where one was given.
    pub(super) account: Option<String>,
    pub(super) key: Option<SecretString>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) fields: Vec<Field>,
    pub(super) how: How,
    /// The company's own host, where it was given.
    pub(super) domain: Option<String>,
}

/// By what somebody signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    Key,
    Flow(Way),
    /// The person is asked which of these.
    Ask(Vec<wire::LoginMethod>),
}

impl How {
    /// The method, where it is one that is known.
    pub(super) fn of(method: &wire::LoginMethod) -> Option<Self> {
        match method {
            wire::LoginMethod::ApiKey => Some(Self::Key),
            wire::LoginMethod::Browser => Some(Self::Flow(Way::Browser)),
            wire::LoginMethod::DeviceCode => Some(Self::Flow(Way::DeviceCode)),
            wire::LoginMethod::Other(_) => None,
        }
    }

    /// What is done where nobody says and nobody can be asked: a code can be typed anywhere, and a browser comes
    /// back to the person's own machine only.
    pub(super) fn usual(flow: &dyn oauth::Flow, place: Place) -> Option<Self> {
        let ways = flow.ways();
        let remote =
            (place != Place::Local).then(|| ways.contains(&Way::DeviceCode).then_some(Way::DeviceCode));
        remote.flatten().or(ways.first().copied()).map(Self::Flow)
    }
}

impl Logins {
    /// Begins a login; it answers by itself. The ticket comes back where it cannot begin.
    pub(super) fn login(&mut self, job: Job, login: Login) -> Result<(), (Ticket, Box<Failure>)> {
        let asking = if login.fields.is_empty() && login.how == How::Key {
            None
        } else if let Some(asking) = self.questions.begin(&login.provider.id) {
            Some(asking)
        } else {
            let failure = Failure::busy_with(
                format!("another login to {} is under way", login.provider.id),
                "answer or cancel that one first",
            );
            return Err((job.ticket, Box::new(failure)));
        };
        let ending = self.ending.clone();
        self.tasks.spawn(async move {
            let stop = Stop { cancel: job.cancel.clone(), ending };
            let done = Box::pin(signed_in(&job, login, asking, &stop)).await;
            answer(job.ticket, &job.accounts, &job.sink, &stop, done);
        });
        Ok(())
    }

    /// Begins a logout; it answers by itself.
    pub(super) fn logout(&mut self, job: Job, id: String, provider: Option<Arc<Provider>>) {
        let ending = self.ending.clone();
        self.tasks.spawn(async move {
            let stop = Stop { cancel: job.cancel, ending };
            let token = stop.token();
            let removed = match &provider {
                Some(provider) => stop.change(&token, job.accounts.remove_account(provider, &token)).await,
                None => stop.change(&token, job.accounts.remove(&id, &token)).await,
            };
            let done = removed.map_err(Failure::of_account).map(|removed| wire::LogoutResult {
                removed,
                account: match &provider {
                    Some(provider) => convert::account(provider, &job.accounts.standing(provider)),
                    None => convert::unknown_account(&id, None),
                },
            });
            answer(job.ticket, &job.accounts, &job.sink, &stop, done);
        });
    }

    /// The client has answered a request of this id. Whether it was one of ours; a late answer is dropped.
    pub(super) fn answered(&self, id: &str, result: Option<&RawValue>) -> bool {
        let Some(number) = number_of(id) else { return false };
        self.questions.answer(number, result.map(ToOwned::to_owned));
        true
    }

    /// Resolves when one has ended; never where none is under way. Cancel-safe.
    pub(super) async fn one_ended(&mut self) {
        if self.tasks.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends all of them. Their requests are told that the server is ending.
    pub(super) async fn end(&mut self) {
        self.ending.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// What ends a login early.
struct Stop {
    cancel: CancellationToken,
    ending: CancellationToken,
}

impl Stop {
    async fn asked(&self) {
        tokio::select! {
            () = self.cancel.cancelled() => {}
            () = self.ending.cancelled() => {}
        }
    }

    /// The token that a change hears.
    fn token(&self) -> CancellationToken {
        self.ending.child_token()
    }

    /// Waits for a change that hears `token`: once it writes it is carried out, whoever cancels.
    async fn change<T>(&self, token: &CancellationToken, change: impl Future<Output = T>) -> T {
        tokio::pin!(change);
        tokio::select! {
            biased;
            done = &mut change => return done,
            () = self.cancel.cancelled() => token.cancel(),
        }
        change.await
    }
}

/// Signs in, by whatever it is.
async fn signed_in(
    job: &Job,
    mut login: Login,
    asking: Option<Asking>,
    stop: &Stop,
) -> Result<wire::LoginResult, Failure> {
    if let (How::Ask(methods), Some(asking)) = (&login.how, &asking) {
        let chosen = tokio::select! {
            biased;
            () = stop.asked() => None,
            chosen = asking.choose(&job.sink, &login.provider, methods) => chosen,
        };
        login.how = chosen.ok_or_else(|| cancelled(&login.provider))?;
    }
    match (login.how.clone(), asking, oauth::flow(&login.provider.id)) {
        (How::Flow(way), Some(asking), Some(flow)) => {
            let wanted = Wanted { way, domain: login.domain };
            let person = Wire::new(job, &login.provider, &asking);
            by_flow(job, &login.provider, flow, (&wanted, &person), stop).await
        }
        (_, asking, _) => {
            let asking = asking.filter(|_| !login.fields.is_empty());
            log_in(&job.accounts, &job.sink, login, asking, stop).await
        }
    }
}

/// Leads through a provider's own sign-in.
async fn by_flow(
    job: &Job,
    provider: &Provider,
    flow: &'static dyn oauth::Flow,
    (wanted, person): (&Wanted, &Wire<'_>),
    stop: &Stop,
) -> Result<wire::LoginResult, Failure> {
    if let Some(note) = flow.note() {
        oauth::Person::progress(person, note);
    }
    let exchange = job.accounts.exchange();
    let grant = tokio::select! {
        biased;
        () = stop.asked() => return Err(cancelled(provider)),
        grant = flow.login(wanted, &exchange, person) => grant?,
    };
    // What was granted is spent at the provider: only the end of the server stops its being kept.
    let stored = job.accounts.store_grant(provider, &grant, &stop.token()).await;
    stored.map_err(Failure::of_account)?;
    let mut account = convert::account(provider, &job.accounts.standing(provider));
    let told = flow.concern(&grant).into_iter().chain(account.hint.take()).collect::<Vec<_>>();
    account.hint = (!told.is_empty()).then(|| told.join("; "));
    Ok(wire::LoginResult { account })
}

async fn log_in(
    accounts: &Accounts,
    sink: &Sink,
    login: Login,
    asking: Option<Asking>,
    stop: &Stop,
) -> Result<wire::LoginResult, Failure> {
    let Login { provider, mut key, mut env, fields, .. } = login;
    if let Some(asking) = asking {
        let mut complaint = None;
        for _ in 0..TRIES {
            let asked = asking.ask(sink, &provider, &fields, complaint.as_deref());
            let values = tokio::select! {
                biased;
                () = stop.asked() => None,
                values = asked => values,
            };
            let Some(mut values) = values else { return Err(cancelled(&provider)) };
            let mut given = env.clone();
            for field in &fields {
                let value = values.remove(&field.name).unwrap_or_default().trim().to_owned();
                if field.name == Field::KEY {
                    key = Some(value.into());
                } else {
                    given.insert(Accounts::variable_of(&provider, &field.name, &value), value);
                }
            }
            let fits = accounts
                .fit_key(&provider, key.as_ref().unwrap_or(&SecretString::default()))
                .and_then(|_| Accounts::fit_variables(&provider, &given));
            match fits {
                Ok(()) => {
                    env = given;
                    complaint = None;
                    break;
                }
                Err(error) => complaint = Some(error.message),
            }
        }
        if let Some(complaint) = complaint {
            let hint = "begin again with a key as the provider shows it";
            return Err(Failure { hint: Some(hint.to_owned()), ..Failure::invalid("/apiKey", complaint) });
        }
    }
    let token = stop.token();
    let key = key.unwrap_or_default();
    stop.change(&token, accounts.store_key(&provider, &key, &env, &token))
        .await
        .map_err(Failure::of_account)?;
    Ok(wire::LoginResult { account: convert::account(&provider, &accounts.standing(&provider)) })
}

/// Answers, and tells what has changed.
fn answer(
    ticket: Ticket,
    accounts: &Accounts,
    sink: &Sink,
    stop: &Stop,
    done: Result<impl serde::Serialize, Failure>,
) {
    match done {
        Ok(result) => {
            let mut json = Vec::new();
            append(&mut json, &result);
            sink.send(Direct::Answer { ticket, answer: Ok(json) });
        }
        // A ticket that is dropped now is told that the server is ending.
        Err(_) if stop.ending.is_cancelled() => {}
        Err(failure) => {
            sink.send(Direct::Answer { ticket, answer: Err(convert::rpc_error(&failure)) });
        }
    }
    tell_changes(accounts, sink);
}

/// Tells the client which accounts have changed since the last time, whoever changed them.
pub(super) fn tell_changes(accounts: &Accounts, sink: &Sink) {
    let providers = accounts.changes().take();
    // Whoever does not read asks again anyway when it comes back.
    if providers.is_empty() || sink.is_behind() {
        return;
    }
    notify::<method::AccountsHaveChanged>(sink, &wire::AccountsChanged { providers });
    notify::<method::ModelsHaveChanged>(sink, &wire::ModelsChanged {});
}

/// Tells the client that other models can be had.
pub(super) fn tell_models_changed(sink: &Sink) {
    if !sink.is_behind() {
        notify::<method::ModelsHaveChanged>(sink, &wire::ModelsChanged {});
    }
}

fn cancelled(provider: &Provider) -> Failure {
    Failure::cancelled(format!("the login to {} was cancelled; nothing was stored", provider.id))
}

/// Where the server runs, as far as opening a browser is concerned.
pub(super) fn place(accounts: &Accounts) -> Place {
    browser::place(&accounts.exchange().system)
}
