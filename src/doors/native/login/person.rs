//! The person behind the client, as a sign-in meets them: asked by the client's own means where it has them, and
//! told in `loginProgress` what a client without any must show.

use futures_util::future::BoxFuture;
use secrecy::SecretString;

use super::Job;
use super::ask::{Asking, notify};
use crate::accounts::oauth::{self, Need, NotAnswered, Shown};
use crate::catalog::Provider;
use crate::doors::peer::writer::Sink;
use crate::engine::Client;
use crate::system::{System, browser};
use aside_protocol as wire;
use aside_protocol::method;

/// The name of the only field of a question.
const ANSWER: &str = "answer";

pub(super) struct Wire<'l> {
    asking: &'l Asking,
    sink: &'l Sink,
    client: Client,
    provider: &'l Provider,
    /// The id of the `login` request, as JSON text.
    request: String,
    system: System,
}

impl<'l> Wire<'l> {
    pub(super) fn new(job: &'l Job, provider: &'l Provider, asking: &'l Asking) -> Self {
        Self {
            asking,
            sink: &job.sink,
            client: job.client,
            provider,
            request: job.ticket.label().to_string(),
            system: job.accounts.exchange().system,
        }
    }
}

impl oauth::Person for Wire<'_> {
    fn open_url<'a>(&'a self, url: &'a str, message: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.progress(&format!("{message}: {url}"));
            if self.client.open_url && self.asking.open_url(self.sink, url, message).await {
                return;
            }
            if browser::open(&self.system, url).await {
                self.progress("the page was opened in the browser of this machine");
            } else {
                self.progress("open the page in any browser");
            }
        })
    }

    fn show_code<'a>(&'a self, url: &'a str, code: &'a str, expires_at_ms: u64) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.progress(&format!("type the code {code} at {url}"));
            if self.client.show_device_code {
                self.asking.show_code(self.sink, url, code, expires_at_ms).await;
            }
        })
    }

    fn progress(&self, message: &str) {
        let params = wire::LoginProgress {
            request_id: self.request.clone(),
            provider: self.provider.id.to_string(),
            message: message.to_owned(),
        };
        notify::<method::LoginProgressed>(self.sink, &params);
    }

    fn ask<'a>(&'a self, question: &'a oauth::Asking) -> BoxFuture<'a, Result<SecretString, NotAnswered>> {
        Box::pin(async move {
            if !self.client.prompt_user {
                return Err(NotAnswered::Nobody);
            }
            let field = wire::FormField {
                name: ANSWER.to_owned(),
                label: question.label.clone(),
                kind: match question.shown {
                    Shown::Yes => wire::FieldKind::Text,
                    Shown::No => wire::FieldKind::Secret,
                },
                choices: Vec::new(),
                required: question.need == Need::Required,
            };
            let values = self.asking.form(self.sink, question.message.clone(), vec![field]).await;
            let mut values = values.ok_or(NotAnswered::Closed)?;
            Ok(values.remove(ANSWER).unwrap_or_default().into())
        })
    }
}
