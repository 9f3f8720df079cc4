//! A provider's own sign-in at the terminal: the page and the code are shown, and what the browser ended at can be
//! pasted all the while.
//!
//! Without a terminal it goes on all the same; standard input is read only when it was said to hold the address.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};

use super::{Stopped, read_input};
use crate::accounts::oauth::{Asking, Exchange, Flow, Grant, Need, NotAnswered, Person, Shown, Wanted};
use crate::cli::ask::Asker;
use crate::cli::terminal::{Page, Terminal, clean};
use crate::engine::{Question, QuestionAnswer, QuestionBody, QuestionId};
use crate::system::os::Signals;
use crate::system::{System, browser};
use crate::tools::{FieldKind, Form, FormField};

/// The name of the only field of a question.
const ANSWER: &str = "answer";

/// Where a pasted address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paste {
    /// The person is asked.
    Terminal,
    /// Standard input, to its end.
    Input,
    /// Nobody pastes.
    Nowhere,
}

/// What a flow wants done at the terminal.
enum Said {
    Line(String),
    Question(Asking, oneshot::Sender<Result<SecretString, NotAnswered>>),
}

/// The person at the terminal, as a flow meets them.
struct Teller {
    said: mpsc::UnboundedSender<Said>,
    system: System,
    paste: Paste,
}

impl Teller {
    fn line(&self, line: String) {
        // Whoever shows it goes away only with the flow.
        let _ = self.said.send(Said::Line(line));
    }
}

impl Person for Teller {
    fn open_url<'a>(&'a self, url: &'a str, message: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.line(format!("{message} on this page:\n\n  {url}\n"));
            if browser::open(&self.system, url).await {
                self.line("it was opened in the browser".to_owned());
            } else {
                self.line("open it in any browser".to_owned());
            }
        })
    }

    fn show_code<'a>(&'a self, url: &'a str, code: &'a str, _: u64) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            self.line(format!("type the code\n\n  {code}\n\non this page, on any device:\n\n  {url}\n"));
        })
    }

    fn progress(&self, message: &str) {
        self.line(message.to_owned());
    }

    fn ask<'a>(&'a self, question: &'a Asking) -> BoxFuture<'a, Result<SecretString, NotAnswered>> {
        Box::pin(async move {
            match self.paste {
                // What is read is an address and nothing else.
                Paste::Input if question.need == Need::Required => {
                    read_input().await.map_err(|_| NotAnswered::Closed)
                }
                Paste::Nowhere | Paste::Input => Err(NotAnswered::Nobody),
                Paste::Terminal => {
                    let (answer, answered) = oneshot::channel();
                    let _ = self.said.send(Said::Question(question.clone(), answer));
                    answered.await.unwrap_or(Err(NotAnswered::Closed))
                }
            }
        })
    }
}

/// Leads through the sign-in. Ctrl-C ends it, and closes its port.
pub(super) async fn lead(
    flow: &'static dyn Flow,
    (wanted, exchange): (&Wanted, &Exchange),
    (terminal, paste): (Terminal, Paste),
    signals: &mut Signals,
) -> Result<Grant, Stopped> {
    let (said, mut heard) = mpsc::unbounded_channel();
    let teller = Teller { said, system: exchange.system.clone(), paste };
    let mut asker = Asker::new(terminal);
    let mut waiting: Option<(QuestionId, oneshot::Sender<Result<SecretString, NotAnswered>>)> = None;
    let mut questions = 0;
    let mut page = Page::default();
    let mut login = flow.login(wanted, exchange, &teller);
    loop {
        for (id, answer) in asker.answers() {
            if let Some((_, sender)) = waiting.take_if(|(asked, _)| *asked == id) {
                let answer = match answer {
                    QuestionAnswer::Values(mut values) => {
                        Ok(values.remove(ANSWER).unwrap_or_default().into())
                    }
                    QuestionAnswer::Option { .. }
                    | QuestionAnswer::Text(_)
                    | QuestionAnswer::Edited { .. }
                    | QuestionAnswer::Closed => Err(NotAnswered::Closed),
                };
                // The flow may have gone on without it.
                let _ = sender.send(answer);
            }
        }
        // Standard error is a screen or a file; one that is gone is told by a signal.
        let _ = std::mem::take(&mut page).write();
        tokio::select! {
            biased;
            event = signals.next() => {
                asker.end_line(&mut page);
                let _ = page.write();
                return Err(Stopped::Ended(event));
            }
            Some(said) = heard.recv() => match said {
                Said::Line(line) => {
                    asker.end_line(&mut page);
                    page.err(format!("{}\n", clean(&line)));
                }
                Said::Question(question, answer) => {
                    if let Some((before, _)) = waiting.take() {
                        asker.close(before, &mut page);
                    }
                    questions += 1;
                    let id = QuestionId(questions);
                    waiting = Some((id, answer));
                    asker.ask(Arc::new(Question { id, body: QuestionBody::Form(form(&question)) }), &mut page);
                }
            },
            done = &mut login => {
                asker.end_line(&mut page);
                let _ = page.write();
                return Ok(done.map_err(crate::engine::Failure::from)?);
            }
            line = asker.line() => asker.take(line, &mut page),
        }
    }
}

fn form(question: &Asking) -> Form {
    Form {
        message: question.message.clone(),
        fields: vec![FormField {
            name: ANSWER.to_owned(),
            label: question.label.clone(),
            kind: match question.shown {
                Shown::Yes => FieldKind::Text,
                Shown::No => FieldKind::Secret,
            },
            choices: Vec::new(),
            required: question.need == Need::Required,
        }],
    }
}
