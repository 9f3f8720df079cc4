//! Sessions, turns, permissions and the store. Every door translates to the operations and events of this
//! room; it knows no JSON-RPC, ACP or LSP.
//!
//! One task (`Engine`) owns the table of sessions and never waits; each session is a task of its own
//! (`session.rs`) that owns everything about it. Operations go in as [`Op`]; answers come out as messages, those
//! of a session in that session's own ordered queue.

mod asking;
mod brief;
mod configuring;
pub mod event;
mod explaining;
mod folders;
pub mod item;
mod listing;
mod log;
mod looking;
mod outbox;
pub mod permissions;
mod queue;
mod refreshing;
mod reviewing;
mod running;
mod session;
mod shelf;
pub mod store;
pub mod ticket;
mod transcript;
mod turn;
mod world;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use secrecy::SecretString;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use configuring::Changes;
pub use event::{
    Account, Answer, EditorRequest, EndedTurn, Ending, Event, EventBody, Field, Opened, OpenedContent,
    Output, OutputBody, PermissionMode, PermissionOptionKind, PromptOutcome, Question, QuestionAnswer,
    QuestionBody, SessionInfo, SessionState, SessionSummary, Storage,
};
pub use explaining::Asked;
pub use item::{
    Failure, FailureKind, FileChangeItem, Item, ItemBody, ItemId, ItemStatus, QuestionId, SessionId,
    Severity, TurnEnd, TurnId,
};
pub use queue::{QueueAction, QueueEntry, WhenBusy};
pub use refreshing::Refreshed;
pub use reviewing::Decisions;
pub use shelf::ExportFormat;
pub use ticket::Ticket;
pub use world::{Client, Found, World};

use crate::catalog::{Model, ThinkingLevel};
use crate::models::Content;
use crate::settings::CacheRetention;
use looking::{Ready, Waiting};
use session::{Command, Session};
use store::load::Access;

/// Commands that may wait for one session.
const MAILBOX: usize = 256;
/// Prompts whose idempotency ids are remembered across sessions.
const REMEMBERED_PROMPTS: usize = 1_024;
/// Sessions in one page of a list at most.
const MAX_PAGE: usize = 500;

/// A prompt.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    pub content: Vec<Content>,
    pub model: Option<String>,
    pub provider: Option<String>,
    /// The label of the provider's account, from this prompt on.
    pub account: Option<String>,
    pub thinking: Option<ThinkingLevel>,
    /// A key for this prompt only.
    pub api_key: Option<SecretString>,
    /// Names of the tools that may be used; all where it is `None`.
    pub tools: Option<Vec<String>>,
    /// JSON Schema that the answer must satisfy, as JSON text.
    pub output_schema: Option<String>,
    pub max_tokens: Option<u64>,
    pub temperature: Option<f64>,
    /// How long the provider should keep the conversation cached; as the settings say where it is `None`.
    pub cache: Option<CacheRetention>,
    /// Made by the client: a second prompt with the same id gets the first one's answer.
    pub idempotency: Option<Arc<str>>,
    pub when_busy: WhenBusy,
}

/// What a person said, as plain text.
fn text_of(content: &[Content]) -> String {
    let parts = content.iter().map(|content| match content {
        Content::Text(text) => text,
        Content::Image { .. } => "[image]",
    });
    parts.collect::<Vec<&str>>().join("\n")
}

/// How a new session begins.
#[derive(Clone, Default)]
pub struct NewSession {
    pub cwd: String,
    /// Further folders.
    pub folders: Vec<String>,
    pub system: Option<String>,
    pub model: Option<Arc<Model>>,
    pub account: Option<Account>,
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
    /// `item` is one tool call; without it the turn is meant.
    Cancel {
        ticket: Option<Ticket>,
        session: String,
        item: Option<String>,
    },
    /// `turn`: refused where another runs.
    Steer {
        ticket: Ticket,
        session: String,
        content: Vec<Content>,
        turn: Option<String>,
    },
    Queue {
        ticket: Ticket,
        session: String,
        action: QueueAction,
    },
    /// The person's word on a change that was made.
    Review {
        ticket: Ticket,
        session: String,
        decisions: Decisions,
    },
    /// A command of the person's own.
    Run {
        ticket: Ticket,
        session: String,
        line: String,
        cancel: CancellationToken,
    },
    /// Why a call was allowed, asked about or denied.
    Explain {
        ticket: Ticket,
        session: String,
        asked: Asked,
    },
    /// `until`: the last item that the new session has.
    Fork {
        ticket: Ticket,
        session: String,
        until: Option<String>,
    },
    Rename {
        ticket: Ticket,
        session: String,
        title: String,
    },
    Export {
        ticket: Ticket,
        session: String,
        format: ExportFormat,
    },
    Delete {
        ticket: Ticket,
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
        let listing = Arc::clone(&self.world.listing);
        let mut listing = Box::pin(async move { listing.serve().await });
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
                never = &mut listing => match never {},
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
            Op::Cancel { ticket, session, item } => self.cancel(ticket, &session, item),
            Op::Steer { ticket, session, content, turn } => {
                self.hand_to_session(&session, Access::Write, ticket, |ticket| Command::Steer {
                    ticket,
                    content,
                    turn,
                });
            }
            Op::Explain { ticket, session, asked } => {
                self.hand_to_session(&session, Access::Write, ticket, |ticket| Command::Explain {
                    ticket,
                    asked,
                });
            }
            Op::Review { ticket, session, decisions } => {
                self.hand_to_session(&session, Access::Write, ticket, |ticket| Command::Review {
                    ticket,
                    decisions,
                });
            }
            Op::Run { ticket, session, line, cancel } => {
                self.hand_to_session(&session, Access::Write, ticket, |ticket| Command::Run {
                    ticket,
                    line,
                    cancel,
                });
            }
            Op::Fork { ticket, session, until } => self.fork(ticket, &session, until),
            Op::Delete { ticket, session } => self.delete(ticket, &session),
            Op::Rename { ticket, session, title } => {
                self.hand_to_session(&session, Access::Write, ticket, |ticket| Command::Rename {
                    ticket,
                    title,
                });
            }
            Op::Export { ticket, session, format } => self.export(ticket, &session, format),
            Op::Queue { ticket, session, action } => {
                self.hand_to_session(&session, Access::Write, ticket, |ticket| Command::Queue {
                    ticket,
                    action,
                });
            }
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
        if let Err(failure) = self.world.may_choose(changes.permission_mode) {
            return Err(Box::new((ticket, failure)));
        }
        let mut new = NewSession {
            cwd,
            folders: Vec::new(),
            system,
            model: None,
            account: None,
            thinking: changes.thinking,
            permission_mode: changes
                .permission_mode
                .unwrap_or_else(|| self.world.client.first_mode(PermissionMode::default())),
        };
        if changes.model.is_some() || changes.account.is_some() {
            match self.world.find_model(changes.model.as_deref(), None) {
                Ok(found) => {
                    new.thinking = new.thinking.or(found.thinking);
                    new.model = Some(found.model);
                }
                Err(failure) => return Err(Box::new((ticket, failure))),
            }
        }
        if let (Some(label), Some(model)) = (&changes.account, &new.model) {
            match self.world.account(&model.provider, label) {
                Ok(account) => new.account = Some(account),
                Err(failure) => return Err(Box::new((ticket, failure))),
            }
        }
        let id = self.fresh_id();
        let (sender, mailbox) = mpsc::channel(MAILBOX);
        let (world, outputs, replies) = (Arc::clone(&self.world), self.outputs.clone(), self.replies.clone());
        let name = id.clone();
        let (end, ended) = oneshot::channel::<()>();
        let folders = changes.folders.clone().unwrap_or_default();
        let task = self.tasks.spawn(async move {
            match checked(&world, &new.cwd, folders).await {
                Ok(folders) => {
                    new.folders = folders;
                    let mut session = Session::new(world, name.clone(), new, mailbox, outputs);
                    if let Some(ticket) = ticket {
                        session.answer_new(ticket);
                    }
                    session.run().await;
                }
                Err(failure) => {
                    if let Some(ticket) = ticket {
                        // Without a receiver the connection is gone.
                        let _ = replies.send((ticket, Err(failure.clone())));
                    }
                    refuse(mailbox, &replies, &failure);
                }
            }
            drop(end);
            name
        });
        self.sessions
            .insert(id.clone(), Seat { mailbox: sender, cancels: Vec::new(), task: task.id(), ended });
        Ok(id)
    }

    fn fresh_id(&self) -> SessionId {
        loop {
            // Ten characters of the generator are always an id; the loop is for one that is taken.
            match SessionId::parse(&self.world.system.random.id()) {
                Some(id) if !self.sessions.contains_key(&id) => break id,
                _ => {}
            }
        }
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
            | Command::Steer { ticket, .. }
            | Command::Queue { ticket, .. }
            | Command::Review { ticket, .. }
            | Command::Run { ticket, .. }
            | Command::Explain { ticket, .. }
            | Command::Rename { ticket, .. }
            | Command::Export { ticket, .. }
            | Command::Cancel { ticket: Some(ticket), .. }
            | Command::Close { ticket: Some(ticket) } => self.reply(ticket, Err(failure)),
            // Whoever asks for a copy is told by the lost reply.
            Command::Answer { .. }
            | Command::Copy { .. }
            | Command::World(_)
            | Command::Cancel { ticket: None, .. }
            | Command::Close { ticket: None } => {}
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
        self.world.backends.forget(&id.to_string());
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

    fn cancel(&mut self, ticket: Option<Ticket>, session: &str, item: Option<String>) {
        let seat = SessionId::parse(session).and_then(|id| Some((self.sessions.get_mut(&id)?, id)));
        let Some((seat, id)) = seat else {
            if let Some(ticket) = ticket {
                self.reply(ticket, Err(Failure::no_session(session)));
            }
            return;
        };
        let mut any = false;
        if item.is_none() {
            // The tokens reach a session whatever it is waiting for; its mailbox has the rest.
            for cancel in seat.cancels.drain(..) {
                any |= !cancel.is_cancelled();
                cancel.cancel();
            }
        }
        self.deliver(&id, Command::Cancel { ticket, item, any });
    }
}

/// The further folders of a new session, looked at where it has any.
async fn checked(world: &World, cwd: &str, folders: Vec<String>) -> Result<Vec<String>, Failure> {
    if folders.is_empty() {
        return Ok(folders);
    }
    let (system, cwd) = (world.system.clone(), cwd.to_owned());
    let checking = tokio::task::spawn_blocking(move || folders::check(&system, &cwd, &folders));
    checking.await.unwrap_or_else(|_| Err(Failure::internal("looking at the folders failed")))
}

/// Answers everything that waits for a session that could not be loaded.
fn refuse(mut mailbox: mpsc::Receiver<Command>, replies: &mpsc::UnboundedSender<Reply>, failure: &Failure) {
    mailbox.close();
    while let Ok(command) = mailbox.try_recv() {
        let (Command::Prompt { ticket, .. }
        | Command::Open { ticket, .. }
        | Command::Configure { ticket, .. }
        | Command::Steer { ticket, .. }
        | Command::Queue { ticket, .. }
        | Command::Review { ticket, .. }
        | Command::Run { ticket, .. }
        | Command::Explain { ticket, .. }
        | Command::Rename { ticket, .. }
        | Command::Export { ticket, .. }
        | Command::Cancel { ticket: Some(ticket), .. }
        | Command::Close { ticket: Some(ticket) }) = command
        else {
            continue;
        };
        // Without a receiver the connection is gone.
        let _ = replies.send((ticket, Err(failure.clone())));
    }
}
