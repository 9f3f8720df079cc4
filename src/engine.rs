//! Sessions, turns, permissions and the store. Every door translates to the operations and events of this
//! room; it knows no JSON-RPC, ACP or LSP.
//!
//! One task (`Engine`) owns the table of sessions and never waits; each session is a task of its own
//! (`session.rs`) that owns everything about it. Operations go in as [`Op`]; answers come out as messages, those
//! of a session in that session's own ordered queue.

pub mod event;
pub mod item;
mod log;
mod looking;
mod outbox;
mod session;
pub mod store;
pub mod ticket;
mod transcript;
mod turn;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use event::{
    Answer, Event, EventBody, Field, Opened, OpenedContent, Output, OutputBody, PermissionMode,
    PermissionOptionKind, PromptOutcome, Question, QuestionAnswer, QuestionBody, SessionInfo, SessionState,
    SessionSummary, Storage,
};
pub use item::{
    Failure, FailureKind, Item, ItemBody, ItemId, ItemStatus, QuestionId, SessionId, Severity, TurnEnd,
    TurnId,
};
pub use session::Changes;
pub use ticket::Ticket;

use crate::accounts::{AUTH_FILE, Accounts, Source};
use crate::catalog::{Catalog, MODELS_FILE, Model, Provider, ThinkingLevel};
use crate::models::{self, Backends, Call, Content, Request};
use crate::settings::{Diagnostic, Settings};
use crate::system::System;
use looking::{Ready, Waiting};
use session::{Command, Session};
use store::Store;
use store::load::Access;
use turn::budget::RetryBudget;

/// Commands that may wait for one session.
const MAILBOX: usize = 256;
/// Prompts whose idempotency ids are remembered across sessions.
const REMEMBERED_PROMPTS: usize = 1_024;
/// Sessions in one page of a list at most.
const MAX_PAGE: usize = 500;

/// What all sessions share and none changes: replaced as a whole when the client says who it is.
pub struct World {
    pub system: System,
    pub settings: Arc<Settings>,
    pub catalog: Arc<Catalog>,
    pub accounts: Arc<Accounts>,
    pub store: Store,
    pub backends: Arc<Backends>,
    pub retries: Arc<RetryBudget>,
    pub client: Client,
    /// Problems of `settings.json`.
    pub diagnostics: Vec<Diagnostic>,
}

/// What the client can be asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    pub request_permission: bool,
    pub prompt_user: bool,
}

/// A model that was looked up.
pub struct Found {
    pub model: Arc<Model>,
    pub thinking: Option<ThinkingLevel>,
    pub warnings: Vec<String>,
}

impl World {
    /// The world around a process, before any client said more.
    pub fn new(system: System, client: Client) -> Self {
        let store = Store::start(&system);
        let accounts = Accounts::new(system.clone());
        Self::with(system, client, store, accounts, (Arc::default(), Arc::default()), None)
    }

    /// The same store in a changed world: what `initialize` brings.
    #[must_use]
    pub fn changed(
        &self,
        system: System,
        client: Client,
        settings: Option<&serde_json::value::RawValue>,
    ) -> Self {
        let kept = (Arc::clone(&self.backends), Arc::clone(&self.retries));
        let accounts = self.accounts.in_system(system.clone());
        Self::with(system, client, self.store.clone(), accounts, kept, settings)
    }

    fn with(
        system: System,
        client: Client,
        store: Store,
        accounts: Accounts,
        (backends, retries): (Arc<Backends>, Arc<RetryBudget>),
        settings: Option<&serde_json::value::RawValue>,
    ) -> Self {
        let (settings, diagnostics) = Settings::load(&system, settings);
        Self {
            catalog: Arc::new(Catalog::new(
                system.clone(),
                crate::models::is_known_wire,
                Arc::clone(backends.discovery().servers()),
            )),
            accounts: Arc::new(accounts),
            settings: Arc::new(settings),
            store,
            backends,
            retries,
            client,
            diagnostics,
            system,
        }
    }

    /// Whether a prompt could be sent to `provider` now, as far as can be told without asking anybody.
    pub fn is_available(&self, provider: &Provider) -> bool {
        self.accounts.status(provider).configured
    }

    /// The model that a pattern means; the default where there is none.
    pub fn find_model(&self, pattern: Option<&str>, provider: Option<&str>) -> Result<Found, Failure> {
        self.look_up(pattern, provider).map_err(|failure| {
            let pattern = pattern.or(self.settings.default_model.as_deref().filter(|_| provider.is_none()));
            self.no_local_server(pattern, provider).unwrap_or(failure)
        })
    }

    fn look_up(&self, pattern: Option<&str>, provider: Option<&str>) -> Result<Found, Failure> {
        let pattern = match (pattern, provider) {
            (Some(pattern), _) => Some(pattern.to_owned()),
            (None, Some(id)) => {
                let known = self.catalog.provider(id).ok_or_else(|| {
                    Failure::not_found(
                        format!("no provider {}", item::cut(id)),
                        Some("aside models, or listProviders, names those that are known"),
                    )
                })?;
                Some(known.default_model.as_deref().map(str::to_owned).ok_or_else(|| {
                    Failure::invalid("/model", format!("{id} has no default model: name one"))
                })?)
            }
            (None, None) => self.settings.default_model.clone(),
        };
        let Some(pattern) = pattern else {
            let model = self.catalog.default_model(|provider| self.is_available(provider));
            return Ok(Found { model, thinking: None, warnings: Vec::new() });
        };
        let resolved = self
            .catalog
            .resolve(&pattern, provider, |provider| self.is_available(provider))
            .map_err(|error| {
                let mut failure = Failure::not_found(error.to_string(), None);
                failure.hint = Some(error.hint());
                failure.path = Some("/model".to_owned());
                failure
            })?;
        Ok(Found { model: resolved.model, thinking: resolved.thinking, warnings: resolved.warnings })
    }

    /// The default model's name, for lists.
    pub fn default_model(&self) -> Option<String> {
        let found = self.find_model(None, None).ok()?;
        Some(format!("{}/{}", found.model.provider, found.model.id))
    }

    /// Puts a call together: finds its credential and resolves its headers.
    async fn authorise(
        &self,
        model: Arc<Model>,
        mut request: Request,
        explicit: Option<SecretString>,
    ) -> Result<Authorised, Failure> {
        let provider = self
            .catalog
            .provider(&model.provider)
            .ok_or_else(|| Failure::not_found(format!("no provider {}", model.provider), None))?;
        let failed =
            |error: crate::accounts::AccountError| Failure::auth(error.to_string(), Some(&error.hint));
        let source = match &explicit {
            Some(_) => "the key that was given with the request".to_owned(),
            None => credential_name(&self.accounts.status(&provider).source),
        };
        let credential = self.accounts.resolve(&provider, explicit).await.map_err(failed)?;
        let headers = self.accounts.resolve_headers(&provider, &model.headers).await.map_err(failed)?;
        let named = |name: &&'static str| Some((*name, self.accounts.variable(&provider, name)?));
        request.variables = models::variables(&model.wire).iter().filter_map(named).collect();
        let base_url = self.accounts.expand(&provider, &model.base_url).map_err(failed)?;
        let model = if *base_url == *model.base_url {
            model
        } else {
            Arc::new(Model { base_url: base_url.into(), ..(*model).clone() })
        };
        let call = Call {
            request: Arc::new(request),
            model,
            credential,
            headers,
            settings: Arc::clone(&self.settings),
            system: self.accounts.system_for(&provider),
        };
        Ok(Authorised { call, credential: source })
    }

    /// After the provider has refused the key of a call (401): whether a second try would go out with another.
    /// A key command is run once more for it; `explicit` is the key that came with the prompt, if one did.
    pub async fn renew(
        &self,
        model: &Model,
        explicit: Option<&SecretString>,
        refused: &crate::accounts::Credential,
        sent: &[(String, SecretString)],
    ) -> bool {
        match self.catalog.provider(&model.provider) {
            Some(provider) if explicit.is_none() => {
                self.accounts.renew(&provider, &model.headers, refused, sent).await
            }
            _ => false,
        }
    }
}

/// A call that can be made.
struct Authorised {
    call: Call,
    /// What it is authorised with, for people: never the credential itself.
    credential: String,
}

/// Where a credential came from, for people.
fn credential_name(source: &Source) -> String {
    match source {
        Source::Missing | Source::NotNeeded => "no key".to_owned(),
        Source::Stored => format!("the key of {AUTH_FILE}"),
        Source::Environment(name) => format!("the key of the variable {name}"),
        Source::ModelsJson => format!("the apiKey of {MODELS_FILE}"),
        Source::ModelsJsonCommand => format!("what the apiKey command of {MODELS_FILE} printed"),
    }
}

/// A prompt.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    pub content: Vec<Content>,
    pub model: Option<String>,
    pub provider: Option<String>,
    pub thinking: Option<ThinkingLevel>,
    /// A key for this prompt only.
    pub api_key: Option<SecretString>,
    /// Names of the tools that may be used; all where it is `None`.
    pub tools: Option<Vec<String>>,
    /// JSON Schema that the answer must satisfy, as JSON text.
    pub output_schema: Option<String>,
    pub max_tokens: Option<u64>,
    pub temperature: Option<f64>,
    /// Made by the client: a second prompt with the same id gets the first one's answer.
    pub idempotency: Option<Arc<str>>,
}

impl Prompt {
    /// All of it as plain text.
    pub fn text(&self) -> String {
        let parts: Vec<&str> = self
            .content
            .iter()
            .map(|content| match content {
                Content::Text(text) => text,
                Content::Image { .. } => "[image]",
            })
            .collect();
        parts.join("\n")
    }
}

/// How a new session begins.
#[derive(Clone, Default)]
pub struct NewSession {
    pub cwd: String,
    pub system: Option<String>,
    pub model: Option<Arc<Model>>,
    pub thinking: Option<ThinkingLevel>,
    pub permission_mode: PermissionMode,
}

/// An operation.
pub enum Op {
    NewSession {
        ticket: Ticket,
        cwd: String,
        system: Option<String>,
        changes: Changes,
    },
    Open {
        ticket: Ticket,
        session: String,
        after: Option<(u64, u64)>,
        limit: Option<usize>,
        access: Access,
    },
    List {
        ticket: Ticket,
        cwd: Option<String>,
        cursor: Option<String>,
        limit: usize,
    },
    Configure {
        ticket: Ticket,
        session: String,
        changes: Changes,
    },
    Close {
        ticket: Ticket,
        session: String,
    },
    /// `session: None` begins one, in `cwd` and with `system`.
    Prompt {
        ticket: Ticket,
        session: Option<String>,
        cwd: String,
        system: Option<String>,
        prompt: Box<Prompt>,
        cancel: CancellationToken,
    },
    Cancel {
        ticket: Option<Ticket>,
        session: String,
    },
    Answer {
        session: SessionId,
        question: QuestionId,
        answer: QuestionAnswer,
    },
    World(Arc<World>),
    /// Ends every turn, flushes every session, then tells.
    Shutdown {
        done: oneshot::Sender<()>,
    },
}

/// An answer that stands in no session's queue.
pub type Reply = (Ticket, Result<Answer, Failure>);

/// What a door holds of the engine.
#[derive(Clone)]
pub struct Handle {
    ops: mpsc::UnboundedSender<Op>,
}

impl Handle {
    /// Hands an operation over. Never waits: what may be open at once is bounded by the door, which counts
    /// the tickets. After the end of the engine the operation is dropped, which reports its ticket.
    pub fn send(&self, op: Op) {
        // See above: the loss is reported by the ticket.
        let _ = self.ops.send(op);
    }
}

/// The task that owns the table of sessions.
pub struct Engine {
    world: Arc<World>,
    ops: mpsc::UnboundedReceiver<Op>,
    outputs: mpsc::Sender<Output>,
    replies: mpsc::UnboundedSender<Reply>,
    sessions: HashMap<SessionId, Seat>,
    /// Sessions that were closed and still flush: their files are locked until they end.
    ending: HashMap<SessionId, oneshot::Receiver<()>>,
    tasks: JoinSet<SessionId>,
    prompts: VecDeque<(Arc<str>, SessionId)>,
    /// What would begin a session with a model that may be on this machine.
    waiting: Waiting<Op>,
}

/// A running session.
struct Seat {
    mailbox: mpsc::Sender<Command>,
    /// The tokens of its prompts, the used ones cancelled.
    cancels: Vec<CancellationToken>,
    task: tokio::task::Id,
    /// Closes when the session's file is free.
    ended: oneshot::Receiver<()>,
}

fn is_closed(error: &oneshot::error::TryRecvError) -> bool {
    matches!(error, oneshot::error::TryRecvError::Closed)
}

impl Engine {
    /// An engine whose messages come out at `outputs`, and answers that belong to no session at `replies`.
    pub fn new(
        world: Arc<World>,
        outputs: mpsc::Sender<Output>,
        replies: mpsc::UnboundedSender<Reply>,
    ) -> (Self, Handle) {
        let (sender, ops) = mpsc::unbounded_channel();
        let engine = Self {
            world,
            ops,
            outputs,
            replies,
            sessions: HashMap::new(),
            ending: HashMap::new(),
            tasks: JoinSet::new(),
            prompts: VecDeque::new(),
            waiting: Waiting::default(),
        };
        (engine, Handle { ops: sender })
    }

    /// Serves until a shutdown is done or every handle is gone.
    pub async fn run(mut self) {
        // Nothing is looked for until somebody asks.
        let discovery = Arc::clone(self.world.backends.discovery());
        let mut discovering = Box::pin(async move { discovery.serve().await });
        loop {
            tokio::select! {
                biased;
                op = self.ops.recv() => match op {
                    None => return self.end().await,
                    Some(Op::Shutdown { done }) => {
                        self.end().await;
                        // Whoever asked may have given up.
                        let _ = done.send(());
                        return;
                    }
                    Some(op) => self.take(op),
                },
                never = &mut discovering => match never {},
                ready = self.waiting.ready() => match ready {
                    Ready::All(ops) => {
                        for op in ops {
                            self.op(op);
                        }
                    }
                    Ready::Cancelled(op) => self.cancelled(op),
                },
                Some(ended) = self.tasks.join_next_with_id() => {
                    let id = ended.as_ref().map_or_else(tokio::task::JoinError::id, |(id, _)| *id);
                    self.sessions.retain(|_, seat| seat.task != id);
                    if let Ok((_, name)) = &ended
                        && self.ending.get_mut(name).is_some_and(|ended| ended.try_recv().as_ref().is_err_and(is_closed))
                    {
                        self.ending.remove(name);
                    }
                }
            }
        }
    }

    /// Does it, or lets it wait until it is known which model servers this machine has.
    fn take(&mut self, op: Op) {
        let (model, provider, cancel) = match &op {
            Op::NewSession { changes, .. } => (&changes.model, &None, None),
            Op::Prompt { session: None, prompt, cancel, .. } => {
                (&prompt.model, &prompt.provider, Some(cancel.clone()))
            }
            _ => return self.op(op),
        };
        // Without a name nothing is looked up before the session does.
        let is_named = model.is_some() || provider.is_some();
        if is_named && self.world.may_be_local(model.as_deref(), provider.as_deref()) {
            self.waiting.push(&self.world, op, cancel);
        } else {
            self.op(op);
        }
    }

    /// It was cancelled before anything came of it.
    fn cancelled(&mut self, op: Op) {
        match op {
            Op::Prompt { ticket, .. } | Op::NewSession { ticket, .. } => {
                self.reply(ticket, Err(Failure::cancelled("the prompt was cancelled before it began")));
            }
            op => self.op(op),
        }
    }

    async fn end(&mut self) {
        // Their tickets tell that the server is ending.
        drop(self.waiting.take());
        for (_, seat) in std::mem::take(&mut self.sessions) {
            for cancel in &seat.cancels {
                cancel.cancel();
            }
            // A full mailbox ends with its sender, which the drain drops; the session closes all the same.
            let _ = seat.mailbox.try_send(Command::Close { ticket: None });
        }
        while self.tasks.join_next().await.is_some() {}
    }

    fn op(&mut self, op: Op) {
        match op {
            Op::NewSession { ticket, cwd, system, changes } => {
                self.new_session(ticket, cwd, system, &changes);
            }
            Op::Open { ticket, session, after, limit, access } => {
                self.hand_to_session(&session, access, ticket, |ticket| Command::Open {
                    ticket,
                    after,
                    limit,
                });
            }
            Op::List { ticket, cwd, cursor, limit } => self.list(ticket, cwd, cursor, limit),
            Op::Configure { ticket, session, changes } => {
                self.hand_to_session(&session, Access::Write, ticket, |ticket| Command::Configure {
                    ticket,
                    changes,
                });
            }
            Op::Close { ticket, session } => self.close(ticket, &session),
            Op::Prompt { ticket, session, cwd, system, prompt, cancel } => {
                self.prompt(ticket, session, cwd, system, prompt, cancel);
            }
            Op::Cancel { ticket, session } => self.cancel(ticket, &session),
            Op::Answer { session, question, answer } => {
                if let Some(seat) = self.sessions.get(&session) {
                    // A session that is that far behind has lost its client's patience anyway; the question
                    // then stays open until the turn is cancelled.
                    let _ = seat.mailbox.try_send(Command::Answer { question, answer });
                }
            }
            Op::World(world) => {
                self.world = Arc::clone(&world);
                for seat in self.sessions.values() {
                    let _ = seat.mailbox.try_send(Command::World(Arc::clone(&world)));
                }
            }
            // Served by `run`.
            Op::Shutdown { done } => drop(done),
        }
    }

    fn reply(&self, ticket: Ticket, answer: Result<Answer, Failure>) {
        // Without a receiver the connection is gone.
        let _ = self.replies.send((ticket, answer));
    }

    fn new_session(&mut self, ticket: Ticket, cwd: String, system: Option<String>, changes: &Changes) {
        if let Err(refused) = self.begin(cwd, system, changes, Some(ticket))
            && let (Some(ticket), failure) = *refused
        {
            self.reply(ticket, Err(failure));
        }
    }

    /// Starts a session. The ticket comes back with a failure.
    fn begin(
        &mut self,
        cwd: String,
        system: Option<String>,
        changes: &Changes,
        ticket: Option<Ticket>,
    ) -> Result<SessionId, Box<(Option<Ticket>, Failure)>> {
        if changes.permission_mode == Some(PermissionMode::Full) {
            let failure = Failure::invalid(
                "/permissionMode",
                "the mode full needs a switch in the user's own settings, which this version does not have",
            );
            return Err(Box::new((ticket, failure)));
        }
        let mut new = NewSession {
            cwd,
            system,
            model: None,
            thinking: changes.thinking,
            permission_mode: changes.permission_mode.unwrap_or_default(),
        };
        if let Some(pattern) = &changes.model {
            match self.world.find_model(Some(pattern), None) {
                Ok(found) => {
                    new.thinking = new.thinking.or(found.thinking);
                    new.model = Some(found.model);
                }
                Err(failure) => return Err(Box::new((ticket, failure))),
            }
        }
        let id = loop {
            // Ten characters of the generator are always an id; the loop is for one that is taken.
            match SessionId::parse(&self.world.system.random.id()) {
                Some(id) if !self.sessions.contains_key(&id) => break id,
                _ => {}
            }
        };
        let (sender, mailbox) = mpsc::channel(MAILBOX);
        let mut session =
            Session::new(Arc::clone(&self.world), id.clone(), new, mailbox, self.outputs.clone());
        if let Some(ticket) = ticket {
            session.answer_new(ticket);
        }
        let name = id.clone();
        let (end, ended) = oneshot::channel::<()>();
        let task = self.tasks.spawn(async move {
            session.run().await;
            drop(end);
            name
        });
        self.sessions
            .insert(id.clone(), Seat { mailbox: sender, cancels: Vec::new(), task: task.id(), ended });
        Ok(id)
    }

    /// Hands a command to a session, which is loaded where it is not running.
    fn hand_to_session(
        &mut self,
        session: &str,
        access: Access,
        ticket: Ticket,
        command: impl FnOnce(Ticket) -> Command,
    ) {
        let Some(id) = SessionId::parse(session) else {
            self.reply(ticket, Err(Failure::no_session(session)));
            return;
        };
        if !self.sessions.contains_key(&id) {
            self.load(&id, access);
        }
        self.deliver(&id, command(ticket));
    }

    fn deliver(&mut self, id: &SessionId, command: Command) {
        let Some(seat) = self.sessions.get(id) else { return };
        let (command, failure) = match seat.mailbox.try_send(command) {
            Ok(()) => return,
            Err(mpsc::error::TrySendError::Full(command)) => {
                (command, Failure::overloaded("commands of the session"))
            }
            Err(mpsc::error::TrySendError::Closed(command)) => (command, Failure::no_session(id.as_str())),
        };
        match command {
            Command::Prompt { ticket, .. }
            | Command::Open { ticket, .. }
            | Command::Configure { ticket, .. }
            | Command::Close { ticket: Some(ticket) } => self.reply(ticket, Err(failure)),
            Command::Answer { .. } | Command::World(_) | Command::Close { ticket: None } => {}
        }
    }

    /// Starts a session from its file. What cannot be loaded refuses all that waits for it.
    fn load(&mut self, id: &SessionId, access: Access) {
        let (sender, mailbox) = mpsc::channel(MAILBOX);
        let world = Arc::clone(&self.world);
        let outputs = self.outputs.clone();
        let replies = self.replies.clone();
        let name = id.clone();
        let before = self.ending.remove(id);
        let (end, ended) = oneshot::channel::<()>();
        let task = self.tasks.spawn(async move {
            if let Some(before) = before {
                // Resolves with an error by design: the other side only ever drops.
                let _ = before.await;
            }
            let (store, session) = (world.store.clone(), name.clone());
            let loading = tokio::task::spawn_blocking(move || store::load::load(&store, &session, access));
            let loaded =
                loading.await.unwrap_or_else(|_| Err(Failure::internal("loading the session failed")));
            match loaded {
                Ok(loaded) => Session::loaded(world, name.clone(), loaded, mailbox, outputs).run().await,
                Err(failure) => refuse(mailbox, &replies, &failure),
            }
            drop(end);
            name
        });
        self.sessions
            .insert(id.clone(), Seat { mailbox: sender, cancels: Vec::new(), task: task.id(), ended });
    }

    fn close(&mut self, ticket: Ticket, session: &str) {
        let seat = SessionId::parse(session).and_then(|id| Some((self.sessions.remove(&id)?, id)));
        let Some((seat, id)) = seat else {
            self.reply(ticket, Err(Failure::no_session(session)));
            return;
        };
        for cancel in &seat.cancels {
            cancel.cancel();
        }
        self.ending.insert(id, seat.ended);
        if let Err(error) = seat.mailbox.try_send(Command::Close { ticket: Some(ticket) })
            && let Command::Close { ticket: Some(ticket) } = error.into_inner()
        {
            // The mailbox closes with its sender, which ends the session.
            self.reply(ticket, Ok(Answer::Closed));
        }
    }

    fn list(&mut self, ticket: Ticket, cwd: Option<String>, cursor: Option<String>, limit: usize) {
        let store = self.world.store.clone();
        let replies = self.replies.clone();
        let open: Vec<SessionId> = self.sessions.keys().cloned().collect();
        let limit = limit.clamp(1, MAX_PAGE);
        // Reading a folder is left to a thread; the closure ends by itself and holds nothing of ours.
        let _reading = tokio::task::spawn_blocking(move || {
            let answer = store::load::list(&store, cwd.as_deref(), cursor.as_deref(), limit).map(
                |(mut page, next_cursor)| {
                    for summary in &mut page {
                        summary.open = open.contains(&summary.session);
                    }
                    Answer::Sessions { sessions: page, next_cursor }
                },
            );
            // Without a receiver the connection is gone.
            let _ = replies.send((ticket, answer));
        });
    }

    fn prompt(
        &mut self,
        ticket: Ticket,
        session: Option<String>,
        cwd: String,
        system: Option<String>,
        prompt: Box<Prompt>,
        cancel: CancellationToken,
    ) {
        let known = prompt.idempotency.as_ref().and_then(|id| {
            self.prompts.iter().find(|(known, _)| known == id).map(|(_, session)| session.clone())
        });
        let id = match (session, known) {
            (Some(session), _) => match SessionId::parse(&session) {
                Some(id) => id,
                None => return self.reply(ticket, Err(Failure::no_session(&session))),
            },
            (None, Some(id)) => id,
            (None, None) => {
                // A wrong model is an error of the prompt; no session is begun for it.
                if prompt.model.is_some() || prompt.provider.is_some() {
                    let found = self.world.find_model(prompt.model.as_deref(), prompt.provider.as_deref());
                    if let Err(failure) = found {
                        return self.reply(ticket, Err(failure));
                    }
                }
                match self.begin(cwd, system, &Changes::default(), None) {
                    Ok(id) => id,
                    Err(refused) => return self.reply(ticket, Err(refused.1)),
                }
            }
        };
        if !self.sessions.contains_key(&id) {
            self.load(&id, Access::Write);
        }
        if let Some(idempotency) = &prompt.idempotency {
            if self.prompts.len() == REMEMBERED_PROMPTS {
                self.prompts.pop_front();
            }
            self.prompts.push_back((Arc::clone(idempotency), id.clone()));
        }
        if let Some(seat) = self.sessions.get_mut(&id) {
            seat.cancels.retain(|cancel| !cancel.is_cancelled());
            seat.cancels.push(cancel.clone());
        }
        self.deliver(&id, Command::Prompt { ticket, prompt, cancel });
    }

    fn cancel(&mut self, ticket: Option<Ticket>, session: &str) {
        let seat = SessionId::parse(session).and_then(|id| self.sessions.get_mut(&id));
        let answer = match seat {
            None => Err(Failure::no_session(session)),
            Some(seat) => {
                let mut any = false;
                for cancel in seat.cancels.drain(..) {
                    any |= !cancel.is_cancelled();
                    cancel.cancel();
                }
                Ok(Answer::Cancelled { any })
            }
        };
        if let Some(ticket) = ticket {
            self.reply(ticket, answer);
        }
    }
}

/// Answers everything that waits for a session that could not be loaded.
fn refuse(mut mailbox: mpsc::Receiver<Command>, replies: &mpsc::UnboundedSender<Reply>, failure: &Failure) {
    mailbox.close();
    while let Ok(command) = mailbox.try_recv() {
        let (Command::Prompt { ticket, .. }
        | Command::Open { ticket, .. }
        | Command::Configure { ticket, .. }
        | Command::Close { ticket: Some(ticket) }) = command
        else {
            continue;
        };
        // Without a receiver the connection is gone.
        let _ = replies.send((ticket, Err(failure.clone())));
    }
}
