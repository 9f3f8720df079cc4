//! Signing in and out for a client: tasks of the door, because accounts know no client that could be asked.
//!
//! A login asks for what its params do not say, stores it, and answers. Its questions end with it: cancelled,
//! closed or cut off, nothing is stored and no question stays open. It must never put a key into a message.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::SecretString;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::convert;
use crate::accounts::{Accounts, Asked, Field};
use crate::catalog::Provider;
use crate::doors::peer::writer::{Direct, Sink, append};
use crate::engine::{Failure, QuestionAnswer, Ticket};
use aside_protocol as wire;
use aside_protocol::{Request as _, method};

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
}

/// What a login was given, and what it has to ask for.
pub(super) struct Login {
    pub(super) provider: Arc<Provider>,
    /// The label of the account that is signed in to, where one was given.
    pub(super) account: Option<String>,
    pub(super) key: Option<SecretString>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) fields: Vec<Field>,
}

impl Logins {
    /// Begins a login; it answers by itself. The ticket comes back where it cannot begin.
    pub(super) fn login(&mut self, job: Job, login: Login) -> Result<(), (Ticket, Box<Failure>)> {
        let asking = if login.fields.is_empty() {
            None
        } else if let Some(asking) = self.questions.begin(&login.provider.id) {
            Some(asking)
        } else {
            let failure = Failure::busy_with(
                format!("another login to {} waits for its answer", login.provider.id),
                "answer or cancel that one first",
            );
            return Err((job.ticket, Box::new(failure)));
        };
        let ending = self.ending.clone();
        self.tasks.spawn(async move {
            let stop = Stop { cancel: job.cancel, ending };
            let done = log_in(&job.accounts, &job.sink, login, asking, &stop).await;
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
    pub(super) fn answered(&self, id: &str, answer: impl FnOnce() -> QuestionAnswer) -> bool {
        let Some(number) = question_of(id) else { return false };
        if let Some(waiting) = self.questions.table().open.remove(&number) {
            // Whoever asked may be gone.
            let _ = waiting.send(answer());
        }
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

fn notify<N: wire::Notification>(sink: &Sink, params: &N::Params) {
    sink.send(Direct::Message { json: message(None, N::NAME, params) });
}

/// A question or a notification as JSON.
fn message(id: Option<&str>, method: &str, params: &impl serde::Serialize) -> Vec<u8> {
    let mut json = b"{\"jsonrpc\":\"2.0\",".to_vec();
    if let Some(id) = id {
        json.extend_from_slice(b"\"id\":");
        append(&mut json, &id);
        json.push(b',');
    }
    json.extend_from_slice(b"\"method\":");
    append(&mut json, &method);
    json.extend_from_slice(b",\"params\":");
    append(&mut json, params);
    json.push(b'}');
    json
}

fn cancelled(provider: &Provider) -> Failure {
    Failure::cancelled(format!("the login to {} was cancelled; nothing was stored", provider.id))
}

/// The questions that wait for the client.
#[derive(Clone, Default)]
struct Questions(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    open: HashMap<u64, oneshot::Sender<QuestionAnswer>>,
    /// Providers whose login asks: two forms for the same key would be one too many.
    providers: HashSet<Arc<str>>,
    next: u64,
}

impl Questions {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to ask for `provider`, unless somebody has it.
    fn begin(&self, provider: &Arc<str>) -> Option<Asking> {
        let new = self.table().providers.insert(Arc::clone(provider));
        new.then(|| Asking { questions: self.clone(), provider: Arc::clone(provider) })
    }
}

/// The right to ask for one provider.
struct Asking {
    questions: Questions,
    provider: Arc<str>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.questions.table().providers.remove(&self.provider);
    }
}

impl Asking {
    /// Puts one form; `None` where it was closed. Dropping the future closes it.
    async fn ask(
        &self,
        sink: &Sink,
        provider: &Provider,
        fields: &[Field],
        complaint: Option<&str>,
    ) -> Option<BTreeMap<String, String>> {
        let (waiting, answer) = oneshot::channel();
        let number = {
            let mut table = self.questions.table();
            table.next += 1;
            let number = table.next;
            table.open.insert(number, waiting);
            number
        };
        let open = Open { questions: &self.questions, sink, number };
        let complaint = complaint.map_or(String::new(), |complaint| format!("{complaint}. "));
        let id = question_id(number);
        let form = wire::PromptUserParams {
            session_id: None,
            question_id: id.clone(),
            message: format!("{complaint}Sign in to {}", provider.name),
            fields: fields
                .iter()
                .map(|field| wire::FormField {
                    name: field.name.clone(),
                    label: field.label.clone(),
                    kind: match field.asked {
                        Asked::Secret => wire::FieldKind::Secret,
                        Asked::Text => wire::FieldKind::Text,
                    },
                    choices: Vec::new(),
                    required: true,
                })
                .collect(),
        };
        sink.send(Direct::Message { json: message(Some(&id), method::PromptUser::NAME, &form) });
        let answer = answer.await;
        drop(open);
        match answer {
            Ok(QuestionAnswer::Values(values)) => Some(values),
            Ok(_) | Err(_) => None,
        }
    }
}

/// A question that was put. Whoever drops it before its answer came tells the client.
struct Open<'q> {
    questions: &'q Questions,
    sink: &'q Sink,
    number: u64,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if self.questions.table().open.remove(&self.number).is_some() {
            let params = wire::CancelRequestParams { id: question_id(self.number).into() };
            notify::<method::CancelQuestion>(self.sink, &params);
        }
    }
}

/// No session's question is called so.
fn question_id(number: u64) -> String {
    format!("login:{number}")
}

/// The question that an answer with this id (JSON text) belongs to.
fn question_of(id: &str) -> Option<u64> {
    serde_json::from_str::<String>(id).ok()?.strip_prefix("login:")?.parse().ok()
}
