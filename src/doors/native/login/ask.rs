//! The questions that logins put to the client, and the notifications beside them.
//!
//! Whoever drops a question before its answer came tells the client that none is needed any more.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::How;
use crate::accounts::{Asked, Field};
use crate::catalog::Provider;
use crate::doors::native::lifecycle::question_answer;
use crate::doors::peer::writer::{Direct, Sink, append};
use crate::engine::QuestionAnswer;
use aside_protocol as wire;
use aside_protocol::{Request, method};

/// What a client answered; `None` for an error.
type Answer = Option<Box<RawValue>>;

pub(super) fn notify<N: wire::Notification>(sink: &Sink, params: &N::Params) {
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

/// The questions that wait for the client.
#[derive(Clone, Default)]
pub(super) struct Questions(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    open: HashMap<u64, oneshot::Sender<Answer>>,
    /// Providers that somebody signs in to: two forms for the same key, or two pages, would be one too many.
    providers: HashSet<Arc<str>>,
    next: u64,
}

impl Questions {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to ask for `provider`, unless somebody has it.
    pub(super) fn begin(&self, provider: &Arc<str>) -> Option<Asking> {
        let new = self.table().providers.insert(Arc::clone(provider));
        new.then(|| Asking { questions: self.clone(), provider: Arc::clone(provider) })
    }

    /// The client's answer to the question of this number.
    pub(super) fn answer(&self, number: u64, answer: Answer) {
        if let Some(waiting) = self.table().open.remove(&number) {
            // Whoever asked may be gone.
            let _ = waiting.send(answer);
        }
    }
}

/// The right to ask for one provider.
pub(super) struct Asking {
    questions: Questions,
    provider: Arc<str>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.questions.table().providers.remove(&self.provider);
    }
}

impl Asking {
    /// Puts one question, whose params are made for its id. Dropping the future takes it back.
    async fn put<R: Request>(&self, sink: &Sink, params: impl FnOnce(String) -> R::Params) -> Answer
    where
        R::Params: serde::Serialize,
    {
        let (waiting, answer) = oneshot::channel();
        let number = {
            let mut table = self.questions.table();
            table.next += 1;
            let number = table.next;
            table.open.insert(number, waiting);
            number
        };
        let open = Open { questions: &self.questions, sink, number };
        let id = question_id(number);
        sink.send(Direct::Message { json: message(Some(&id), R::NAME, &params(id.clone())) });
        let answer = answer.await;
        drop(open);
        answer.ok().flatten()
    }

    /// Puts one form; `None` where it was closed.
    pub(super) async fn form(
        &self,
        sink: &Sink,
        message: String,
        fields: Vec<wire::FormField>,
    ) -> Option<BTreeMap<String, String>> {
        let form = |question_id| wire::PromptUserParams { session_id: None, question_id, message, fields };
        let answer = self.put::<method::PromptUser>(sink, form).await;
        let QuestionAnswer::Values(values) = question_answer(answer.as_deref()) else { return None };
        Some(values)
    }

    /// Asks for a key and what belongs to it.
    pub(super) async fn ask(
        &self,
        sink: &Sink,
        provider: &Provider,
        fields: &[Field],
        complaint: Option<&str>,
    ) -> Option<BTreeMap<String, String>> {
        let complaint = complaint.map_or(String::new(), |complaint| format!("{complaint}. "));
        let fields = fields
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
            .collect();
        self.form(sink, format!("{complaint}Sign in to {}", provider.name), fields).await
    }

    /// Asks which of several ways to take.
    pub(super) async fn choose(
        &self,
        sink: &Sink,
        provider: &Provider,
        methods: &[wire::LoginMethod],
    ) -> Option<How> {
        const WAY: &str = "method";
        let field = wire::FormField {
            name: WAY.to_owned(),
            label: "How".to_owned(),
            kind: wire::FieldKind::Choice,
            choices: methods.iter().map(|method| method.as_str().to_owned()).collect(),
            required: true,
        };
        let values = self.form(sink, format!("Sign in to {}", provider.name), vec![field]).await?;
        let chosen = methods.iter().find(|method| values.get(WAY).is_some_and(|it| it == method.as_str()))?;
        How::of(chosen)
    }

    /// Has the client open a page. Whether it did.
    pub(super) async fn open_url(&self, sink: &Sink, url: &str, message: &str) -> bool {
        #[derive(Deserialize)]
        struct Opened {
            #[serde(default)]
            opened: bool,
        }
        let params = |_| wire::OpenUrlParams { url: url.to_owned(), message: message.to_owned() };
        let answer = self.put::<method::OpenUrl>(sink, params).await;
        let object = answer.as_deref().map(RawValue::get).filter(|answer| answer.starts_with('{'));
        object.and_then(|answer| serde_json::from_str::<Opened>(answer).ok()).is_some_and(|it| it.opened)
    }

    /// Has the client show a code, until the future is dropped or the client is done.
    pub(super) async fn show_code(&self, sink: &Sink, url: &str, code: &str, expires_at_ms: u64) {
        let params =
            |_| wire::ShowDeviceCodeParams { url: url.to_owned(), code: code.to_owned(), expires_at_ms };
        self.put::<method::ShowDeviceCode>(sink, params).await;
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
pub(super) fn number_of(id: &str) -> Option<u64> {
    serde_json::from_str::<String>(id).ok()?.strip_prefix("login:")?.parse().ok()
}
