//! The life of one connection: what starts it, what its messages do, and the five ways in which it ends.
//!
//! End of input drains a script's requests and cancels an editor's; a signal, a broken output and the death of
//! the client's process cancel; each then has a second to settle. Nothing outlives that second but a sign-in that is
//! just being renewed: its old tokens are spent, and the new ones are waited for some seconds.

use std::io::{Read, Write};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use jsonrpsee::MethodResponse;
use jsonrpsee::core::server::MethodCallback;
use jsonrpsee::types::{Id, Params};
use jsonrpsee::{Extensions, RpcModule};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};

use super::handlers::{self, Call, Chosen, Context, unknown_method};
use super::login::{Logins, tell_changes, tell_models_changed};
use super::project::{Native, question_of};
use super::refresh::{self, Refreshes};
use crate::doors::peer::requests::Requests;
use crate::doors::peer::writer::{Direct, Sink, Writer, sink};
use crate::doors::peer::{self, Incoming, Request};
use crate::engine::{Client, Engine, Handle, Op, QuestionAnswer, World};
use crate::system::System;
use crate::system::os::{self, Signals};
use crate::tools::context::EditorText;

/// Messages between the sessions and the writer.
const OUTPUTS: usize = 128;
/// Turns are cancelled, settled and saved within this time.
const SETTLE: Duration = Duration::from_millis(700);
/// How often it is looked whether another process has changed the accounts.
const LOOK: Duration = Duration::from_secs(2);
/// Tokens that are on their way from a provider are waited for this long: they would be lost.
const RENEWAL: Duration = Duration::from_secs(5);
/// What is left to write is written within this time more.
const FLUSH: Duration = Duration::from_millis(200);

/// The two ends of a connection.
pub struct Streams<I, O> {
    pub input: I,
    pub output: O,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The input ended, or `shutdown` or `exit` was sent.
    Closed,
    /// The client does not read any more, or is dead.
    ClientGone,
    /// A signal, by its number.
    Signal(i32),
}

/// What ends a connection from outside: the process's own signals, or nothing in a test.
pub enum Watch {
    /// Signals, the parent, and a standard output whose reader is gone.
    Process(Signals),
    /// Only the streams themselves.
    Streams,
}

/// Serves one connection until it ends.
pub async fn serve<I, O>(system: System, streams: Streams<I, O>, watch: Watch) -> std::io::Result<Ended>
where
    I: Read + Send + 'static,
    O: Write + Send + 'static,
{
    let cwd = system.working_dir.display().to_string();
    let world = Arc::new(World::new(system, Client::default()));
    let (requests, abandoned) = Requests::new(world.settings.limits.max_open_requests);
    let (sink, direct) = sink();
    let (outputs_in, outputs) = mpsc::channel(OUTPUTS);
    let (replies_in, replies) = mpsc::unbounded_channel();
    let (engine, handle) = Engine::new(Arc::clone(&world), outputs_in, replies_in);
    sink.set_max_message_bytes(world.settings.limits.max_message_bytes);
    let mut incoming = peer::read(streams.input, &requests, &sink)?;
    let writer = Writer {
        projection: Native::default(),
        requests: Arc::clone(&requests),
        sink: sink.clone(),
        direct,
        replies,
        outputs,
        abandoned,
    };
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(engine.run());
    let mut written = writer.start(streams.output)?;
    let context = Context {
        engine: handle.clone(),
        sink: sink.clone(),
        world,
        cwd,
        initialized: false,
        client_process: None,
        logins: Logins::default(),
        refreshes: Refreshes::default(),
        shutdown: None,
    };
    let mut dispatcher = Dispatcher { context, module: handlers::module(), drained: false };
    let mut signals = match watch {
        Watch::Process(signals) => Some(signals),
        Watch::Streams => None,
    };
    let ended = dispatcher.run(&mut incoming, &requests, &mut signals).await;
    sink.set_ending();
    // What was read and not served is refused with the word that the server is ending.
    drop(incoming);
    settle(&handle, &sink, &mut dispatcher.context).await;
    if ended == Ended::Closed && dispatcher.drained {
        // A script reads as slowly as it likes: what it asked for is not lost to a pager or a full pipe.
        return Ok(tokio::select! {
            biased;
            _ = &mut written => ended,
            ended = ended_by(signals.as_mut()) => ended,
        });
    }
    // A client that does not read keeps the writer from ending; it has had its time.
    let _ = tokio::time::timeout(FLUSH, written).await;
    Ok(ended)
}

/// Cancels and saves everything, then answers `shutdown`, if that was it, as the last message of all.
async fn settle(engine: &Handle, sink: &Sink, context: &mut Context) {
    let (done, settled) = oneshot::channel();
    engine.send(Op::Shutdown { done });
    // Whoever waits for it is told that the server is ending.
    context.refreshes = Refreshes::default();
    let all = async {
        context.logins.end().await;
        // Nothing else ends it than its being done.
        let _ = settled.await;
    };
    // Either all is settled, or the time is over and the process ends all the same.
    let _ = tokio::time::timeout(SETTLE, all).await;
    let _ = tokio::time::timeout(RENEWAL, context.world.accounts.settled()).await;
    sink.send(Direct::Finish { shutdown: context.shutdown.take() });
}

struct Dispatcher {
    context: Context,
    module: RpcModule<()>,
    /// Whether a script's input ended and everything that it asked for was answered.
    drained: bool,
}

impl Dispatcher {
    async fn run(
        &mut self,
        incoming: &mut mpsc::Receiver<Incoming>,
        requests: &Arc<Requests>,
        signals: &mut Option<Signals>,
    ) -> Ended {
        let broken = self.context.sink.broken().clone();
        let mut local = self.context.world.catalog.local().watch();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut open = true;
        loop {
            let accounts = Arc::clone(&self.context.world.accounts);
            tokio::select! {
                biased;
                () = broken.cancelled() => return Ended::ClientGone,
                ended = ended_by(signals.as_mut()) => return ended,
                () = self.context.logins.one_ended() => {}
                () = accounts.changes().noted() => tell_changes(&accounts, &self.context.sink),
                ended = self.context.refreshes.next(&self.context.sink) => {
                    if matches!(ended, refresh::Ended::Changed) && self.context.initialized {
                        tell_models_changed(&self.context.sink);
                    }
                }
                Ok(()) = local.changed() => {
                    // A script's pipe gets what it asked for and nothing else.
                    if self.context.initialized {
                        tell_models_changed(&self.context.sink);
                    }
                }
                // What other processes do to the accounts is told too.
                _ = look.tick(), if self.context.initialized => accounts.look_again(),
                message = incoming.recv(), if open => match message {
                    Some(message) => {
                        if self.message(message) == Next::End {
                            return Ended::Closed;
                        }
                        if let (Some(process), Some(signals)) = (self.context.client_process.take(), signals.as_mut()) {
                            signals.watch_process(process);
                        }
                    }
                    None => open = false,
                },
                // A script's pipe has ended: what it asked for is answered first, however long that takes.
                () = requests.none_open(), if !open => {
                    self.drained = true;
                    return Ended::Closed;
                }
            }
            if !open && self.context.initialized {
                return Ended::Closed;
            }
        }
    }

    fn message(&mut self, message: Incoming) -> Next {
        match message {
            Incoming::Request(request) => self.request(request),
            Incoming::Notification { method, params } => {
                return self.notification(&method, params.as_deref());
            }
            Incoming::Response { id, result } => {
                if self.context.logins.answered(&id, result.as_deref()) {
                    return Next::GoOn;
                }
                if let Some((session, question)) = question_of(&id) {
                    let answer = question_answer(result.as_deref());
                    self.context.engine.send(Op::Answer { session, question, answer });
                }
            }
        }
        if self.context.shutdown.is_some() { Next::End } else { Next::GoOn }
    }

    fn request(&mut self, request: Request) {
        let Request { ticket, method, params, cancel, in_batch } = request;
        let Some(handler) = self.look_up(&method) else {
            self.context.sink.send(Direct::Answer { ticket, answer: Err(unknown_method(&method)) });
            return;
        };
        let call = Call { ticket, params, cancel, in_batch };
        let context = &mut self.context;
        // A panic drops the ticket, which answers the request with -32603.
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| handler(context, call)));
        if let Ok(Err((ticket, error))) = result {
            let answer = Err(handlers::rpc_error(&error));
            self.context.sink.send(Direct::Answer { ticket, answer });
        }
    }

    fn look_up(&self, method: &str) -> Option<handlers::Handler> {
        let Some(MethodCallback::Sync(callback)) = self.module.method(method) else { return None };
        let chosen = Chosen::default();
        let mut extensions = Extensions::new();
        extensions.insert(chosen.clone());
        // The table's own answer is not used: ids and order are the peer's.
        let _: MethodResponse = callback(Id::Null, Params::new(None), usize::MAX, extensions);
        chosen.handler()
    }

    fn notification(&mut self, method: &str, params: Option<&RawValue>) -> Next {
        match method {
            "exit" => return Next::End,
            "cancel" => {
                let params = params.and_then(|params| {
                    serde_json::from_str::<aside_protocol::CancelParams>(params.get()).ok()
                });
                if let Some(params) = params {
                    self.context.engine.send(Op::Cancel {
                        ticket: None,
                        session: params.session_id,
                        item: params.item_id,
                    });
                }
            }
            // Notifications are never answered, not even with an error.
            _ => tracing::debug!(method = crate::engine::item::cut(method), "a notification was ignored"),
        }
        Next::GoOn
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    GoOn,
    End,
}

/// What the process's surroundings end the connection with.
async fn ended_by(signals: Option<&mut Signals>) -> Ended {
    match signals {
        None => std::future::pending().await,
        Some(signals) => match signals.next().await {
            os::Event::Signal(number) => Ended::Signal(number),
            os::Event::ClientGone => Ended::ClientGone,
        },
    }
}

/// Hunks of one change that an answer may reject.
const MAX_REJECTED: usize = 20_000;

/// Reads a client's answer to a question; what is not understood means that it was closed.
pub(super) fn question_answer(result: Option<&RawValue>) -> QuestionAnswer {
    /// Any answer: the fields of one kind are missing in the others.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Any {
        #[serde(default)]
        option_id: Option<String>,
        #[serde(default)]
        reason: Option<String>,
        #[serde(default)]
        values: Option<std::collections::BTreeMap<String, String>>,
        #[serde(default)]
        applied: Option<bool>,
        #[serde(default)]
        rejected_hunks: Vec<String>,
        #[serde(default)]
        text: FileText,
        #[serde(default)]
        version: Option<String>,
    }
    /// Null where the editor does not have the file open, which is an answer too.
    #[derive(Default)]
    struct FileText(Option<Result<String, ()>>);
    impl<'de> Deserialize<'de> for FileText {
        fn deserialize<D: serde::Deserializer<'de>>(text: D) -> Result<Self, D::Error> {
            Option::deserialize(text).map(|text| Self(Some(text.ok_or(()))))
        }
    }
    // An array would be read field by field; a yes must not be found by position.
    let object = result.map(RawValue::get).filter(|result| result.starts_with('{'));
    let any = object.and_then(|result| serde_json::from_str::<Any>(result).ok());
    // No change has so many; whoever rejects them means something else.
    let any = any.filter(|any| any.rejected_hunks.len() <= MAX_REJECTED);
    match any {
        Some(Any { option_id: Some(id), reason, rejected_hunks: rejected, .. }) => {
            QuestionAnswer::Option { id, reason, rejected }
        }
        Some(Any { values: Some(values), .. }) => QuestionAnswer::Values(values),
        Some(Any { applied: Some(applied), reason, rejected_hunks: rejected, .. }) => {
            QuestionAnswer::Edited { applied, reason, rejected }
        }
        Some(Any { text: FileText(Some(text)), version, .. }) => {
            QuestionAnswer::Text(text.ok().map(|text| EditorText { text, version }))
        }
        _ => QuestionAnswer::Closed,
    }
}
