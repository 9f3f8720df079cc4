//! One session: a task that owns its transcript and serves everything about it in every state.
//!
//! A turn is a state machine inside this task (`turn.rs`), never an `await` in front of the mailbox. One
//! `select!` serves the mailbox, the turn's own progress, the forms of running tools, and room in the outbound
//! queue. It knows no JSON-RPC.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::configuring::{Changes, Checking, roots};
use super::event::{
    Account, Answer, EndedTurn, Ending, EventBody, Opened, OpenedContent, OutputBody, PermissionMode,
    PromptOutcome, Question, QuestionAnswer, SessionInfo, SessionState, Storage,
};
use super::explaining::{Asked, Explaining};
use super::item::{
    Failure, Item, ItemBody, ItemId, ItemStatus, QuestionId, SessionId, Severity, TurnEnd, TurnId,
};
use super::log::Log;
use super::looking::{Ready, Waiting};
use super::outbox::Outbox;
use super::permissions::book::Book;
use super::queue::{Queue, QueueAction, WhenBusy};
use super::reviewing::{Decisions, Reviewing};
use super::running::Commands;
use super::shelf::{Copied, ExportFormat};
use super::store::Durability;
use super::store::format::Record;
use super::store::load::Loaded;
use super::ticket::Ticket;
use super::transcript::{Transcript, title_of};
use super::turn::{OpenChange, Turn};
use super::{NewSession, Prompt, World, text_of};
use crate::catalog::ThinkingLevel;
use crate::models::{Content, Usage};
use crate::tools::context::EditorText;
use crate::tools::shell::registry::Processes;
use crate::tools::{Report, Workspace};

/// Finished prompts whose answers can be given again.
const REMEMBERED_PROMPTS: usize = 64;
/// Item ids that are left out after a turn that never ended.
const UNWRITTEN_ITEMS: u32 = 1_000;
/// How often a running turn saves its text and looks at the clock.
const TICK: Duration = Duration::from_millis(250);

/// What a session is asked to do.
pub(super) enum Command {
    Prompt {
        ticket: Ticket,
        prompt: Box<Prompt>,
        cancel: CancellationToken,
    },
    Open {
        ticket: Ticket,
        after: Option<(u64, u64)>,
        limit: Option<usize>,
    },
    Configure {
        ticket: Ticket,
        changes: Changes,
    },
    Explain {
        ticket: Ticket,
        asked: Asked,
    },
    Answer {
        question: QuestionId,
        answer: QuestionAnswer,
    },
    /// Ends the turn, or one tool call of it. `any`: something was cancelled on the way here.
    Cancel {
        ticket: Option<Ticket>,
        item: Option<String>,
        any: bool,
    },
    Steer {
        ticket: Ticket,
        content: Vec<Content>,
        turn: Option<String>,
    },
    Queue {
        ticket: Ticket,
        action: QueueAction,
    },
    /// The person's word on a change that was made.
    Review {
        ticket: Ticket,
        decisions: Decisions,
    },
    /// A command of the person's own.
    Run {
        ticket: Ticket,
        line: String,
        cancel: CancellationToken,
    },
    Rename {
        ticket: Ticket,
        title: String,
    },
    Export {
        ticket: Ticket,
        format: ExportFormat,
    },
    /// Another session is to begin with this one's content.
    Copy {
        until: Option<String>,
        reply: oneshot::Sender<Result<Copied, Failure>>,
    },
    /// The client said who it is: later turns live in another world.
    World(Arc<World>),
    /// End all work, flush, and stop.
    Close {
        ticket: Option<Ticket>,
    },
}

/// Why a question was put.
pub(super) enum Asker {
    /// A tool call waits for permission.
    Permission(ItemId),
    /// A tool wants a form filled in.
    Tool(oneshot::Sender<Option<BTreeMap<String, String>>>),
}

/// Why the editor is asked.
pub(super) enum EditorAsker {
    /// A tool wants a file's text.
    Text(oneshot::Sender<Result<Option<EditorText>, String>>),
    /// It is to make a change.
    Change(ItemId),
    /// It is asked about, or for, what the person has decided on a change.
    Review(oneshot::Sender<QuestionAnswer>),
}

/// The state of one session. Fields are shared with `turn.rs`, which is the other half of this type.
pub(super) struct Session {
    pub(super) world: Arc<World>,
    pub(super) id: SessionId,
    pub(super) transcript: Transcript,
    pub(super) out: Outbox,
    pub(super) log: Log,
    mailbox: mpsc::Receiver<Command>,
    pub(super) report_sender: mpsc::Sender<Report>,
    reports: mpsc::Receiver<Report>,
    pub(super) workspace: Arc<Workspace>,
    pub(super) processes: Arc<Processes>,
    /// Changes of files that are proposed and not settled.
    pub(super) changes: BTreeMap<ItemId, OpenChange>,
    pub(super) questions: BTreeMap<QuestionId, (Arc<Question>, Asker)>,
    /// What the editor is asked for.
    pub(super) editor_requests: BTreeMap<QuestionId, EditorAsker>,
    /// Counts both.
    pub(super) next_question: u32,
    pub(super) turn: Option<Turn>,
    next_turn: u32,
    pub(super) cwd: String,
    /// Further folders that it works in.
    pub(super) folders: Vec<String>,
    /// Changes of it whose folders are looked at.
    pub(super) checking: Checking,
    pub(super) title: Option<String>,
    /// Whether the person gave it.
    pub(super) renamed: bool,
    pub(super) system: Option<String>,
    pub(super) model: Option<Arc<crate::catalog::Model>>,
    /// `provider/id` as stored, until it is looked up.
    pub(super) stored_model: Option<String>,
    /// The account that was chosen; it counts as long as the model is its provider's.
    pub(super) account: Option<Account>,
    pub(super) thinking: Option<ThinkingLevel>,
    pub(super) permission_mode: PermissionMode,
    /// Answers that are being written into the user's settings.
    pub(super) remembering: JoinSet<Result<(), String>>,
    /// Answers that last, and what was decided.
    pub(super) permissions: Book,
    /// What the person says to changes that were made.
    pub(super) reviewing: Reviewing,
    /// The person's own commands.
    pub(super) commands: Commands,
    /// Decisions that somebody wants to be told of.
    pub(super) explaining: Explaining,
    read_only: Option<String>,
    created_at_ms: u64,
    updated_at_ms: u64,
    usage: Usage,
    finished: VecDeque<(Arc<str>, PromptOutcome)>,
    pub(super) queue: Queue,
    /// Prompts and changes of the model that may mean a server of this machine.
    waiting: Waiting<Command>,
    closing: bool,
    /// Who asked for the end, and is told when the file is free.
    closers: Vec<Ticket>,
}

impl Session {
    /// A new session.
    pub(super) fn new(
        world: Arc<World>,
        id: SessionId,
        new: NewSession,
        mailbox: mpsc::Receiver<Command>,
        outputs: mpsc::Sender<super::Output>,
    ) -> Self {
        let now = world.system.clock.now_ms();
        let (report_sender, reports) = mpsc::channel(16);
        let workspace = Arc::new(Workspace::new(roots(&new.cwd, &new.folders), &world.system.dirs));
        Self {
            out: Outbox::new(id.clone(), 1, outputs),
            log: Log::new(world.store.clone()),
            transcript: Transcript::default(),
            mailbox,
            report_sender,
            reports,
            workspace,
            processes: Arc::default(),
            changes: BTreeMap::new(),
            questions: BTreeMap::new(),
            editor_requests: BTreeMap::new(),
            next_question: 0,
            turn: None,
            next_turn: 1,
            cwd: new.cwd,
            folders: new.folders,
            checking: Checking::new(),
            title: None,
            renamed: false,
            system: new.system,
            model: new.model,
            stored_model: None,
            account: new.account,
            thinking: new.thinking,
            permission_mode: new.permission_mode,
            remembering: JoinSet::new(),
            permissions: Book::default(),
            reviewing: Reviewing::default(),
            commands: Commands::default(),
            explaining: Explaining::default(),
            read_only: None,
            created_at_ms: now,
            updated_at_ms: now,
            usage: Usage::default(),
            finished: VecDeque::new(),
            queue: Queue::default(),
            waiting: Waiting::default(),
            closing: false,
            closers: Vec::new(),
            world,
            id,
        }
    }

    /// A session read from its file, in a new epoch.
    pub(super) fn loaded(
        world: Arc<World>,
        id: SessionId,
        loaded: Loaded,
        mailbox: mpsc::Receiver<Command>,
        outputs: mpsc::Sender<super::Output>,
    ) -> Self {
        let new = NewSession {
            cwd: loaded.cwd,
            folders: loaded.folders,
            system: loaded.system,
            thinking: loaded.thinking,
            permission_mode: world.client.first_mode(loaded.mode),
            model: None,
            account: loaded.account,
        };
        let epoch = loaded.epoch;
        let mut session = Self::new(world, id.clone(), new, mailbox, outputs.clone());
        session.out = Outbox::new(id, epoch, outputs);
        session.log = Log::opened(session.world.store.clone(), loaded.file, loaded.unwritten);
        // A process that was killed may have told of items that it had not written yet.
        let last = loaded.last_item.saturating_add(if loaded.interrupted { UNWRITTEN_ITEMS } else { 0 });
        session.transcript = Transcript::from_items(loaded.items, loaded.turns, ItemId(last));
        session.title = loaded.title;
        session.renamed = loaded.renamed;
        session.stored_model = loaded.model;
        session.next_turn = loaded.last_turn + 1;
        session.created_at_ms = loaded.created_at_ms;
        session.updated_at_ms = loaded.updated_at_ms;
        session.usage = loaded.usage;
        session.read_only = loaded.read_only;
        session.queue = Queue::stored(loaded.queue);
        if session.read_only.is_some() {
            return session;
        }
        let now = session.world.system.clock.now_ms();
        if loaded.interrupted {
            let turn = TurnId(loaded.last_turn);
            let ended = session.transcript.end_turn(EndedTurn {
                turn,
                ending: Ending::Interrupted,
                usage: Usage::default(),
                cost: None,
                took_ms: 0,
                last_item: ItemId(0),
            });
            session.log.record(&Record::end(&ended, now, ""), Durability::Written);
            session.notice(
                Severity::Warning,
                "the process ended while this was being answered".to_owned(),
                Some("prompt again to go on; what had arrived is kept".to_owned()),
            );
        }
        for reviewed in &loaded.reviews {
            session.review_interrupted(reviewed);
        }
        for folder in loaded.missing {
            session.notice(
                Severity::Warning,
                format!("{folder}, a folder of this conversation, is not there"),
                Some("it counts again once it is back and the conversation is opened anew".to_owned()),
            );
        }
        let lost = loaded.unreadable.saturating_sub(loaded.told_unreadable);
        if lost > 0 {
            session.notice(
                Severity::Warning,
                format!("{lost} damaged lines of this conversation's file were passed over"),
                None,
            );
        }
        session
    }

    /// Its turns are counted on from those that it began with.
    pub(super) fn begin_after(&mut self, last: Option<TurnId>) {
        self.next_turn = last.map_or(1, |turn| turn.0.saturating_add(1));
    }

    /// Answers the operation that made the session; the first message of all.
    pub(super) fn answer_new(&mut self, ticket: Ticket) {
        let info = Box::new(self.info());
        self.out.send(OutputBody::Answer { ticket, answer: Ok(Answer::NewSession(info)) });
    }

    /// Serves the session until it is closed. A panic fails the turn, not the session.
    pub(super) async fn run(mut self) {
        loop {
            if AssertUnwindSafe(self.serve()).catch_unwind().await.is_ok() {
                return;
            }
            tracing::error!(session = %self.id, "a turn panicked");
            self.finish_turn(TurnEnd::Failed(Failure::internal("the turn failed inside Aside")));
        }
    }

    async fn serve(&mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if self.closing
                && !self.out.is_waiting()
                && self.changes.is_empty()
                && self.reviewing.is_idle()
                && self.remembering.is_empty()
                && self.checking.is_empty()
            {
                self.log.settled().await;
                if self.closers.is_empty() {
                    return;
                }
                for ticket in std::mem::take(&mut self.closers) {
                    self.out.send(OutputBody::Answer { ticket, answer: Ok(Answer::Closed) });
                }
                continue;
            }
            let reading = !self.out.is_full();
            if let Some(turn) = &mut self.turn {
                turn.rest(!reading);
            }
            let cancel = self.turn.as_ref().map(|turn| turn.cancel.clone());
            // Only tools report; while a model streams there is nothing to look for.
            let working = self.turn.as_ref().is_some_and(Turn::is_working)
                || !self.changes.is_empty()
                || !self.commands.is_empty();
            tokio::select! {
                biased;
                () = cancelled(cancel.as_ref()) => self.finish_turn(TurnEnd::Cancelled),
                command = self.mailbox.recv(), if !self.closing => match command {
                    Some(command) => self.take(command),
                    // The engine is gone.
                    None => self.close(None),
                },
                ready = self.waiting.ready() => self.go_on_with(ready),
                Some(written) = self.remembering.join_next() => self.remembered(written),
                step = self.reviewing.next() => self.review_step(step),
                call = self.explaining.next() => self.explain_call(call),
                at = self.queue.cancelled() => self.queued_cancelled(at),
                permit = self.out.room() => self.out.flush(&self.transcript, permit),
                Some(report) = self.reports.recv(), if working => self.report(report),
                // Behind what it has reported.
                Some(Ok((ticket, changes, checked))) = self.checking.join_next() => {
                    self.folders_checked(ticket, changes, checked);
                }
                (id, ended) = self.commands.next() => self.command_ended(id, ended),
                step = Turn::step(self.turn.as_mut(), reading) => self.turn_step(step),
                _ = tick.tick(), if cancel.is_some() => self.tick(),
            }
        }
    }

    /// Does it, or lets it wait until it is known which model servers this machine has. What came behind a change
    /// of the model waits for it too.
    fn take(&mut self, command: Command) {
        let (cancel, may_be_local) = match &command {
            Command::Prompt { prompt, cancel, .. } => (Some(cancel.clone()), self.may_mean_local(prompt)),
            Command::Configure { changes: Changes { model, provider, .. }, .. } => {
                let is_named = model.is_some() || provider.is_some();
                (None, is_named && self.world.may_be_local(model.as_deref(), provider.as_deref()))
            }
            Command::Open { .. }
            | Command::Answer { .. }
            | Command::Cancel { .. }
            | Command::Steer { .. }
            | Command::Queue { .. }
            | Command::Review { .. }
            | Command::Run { .. }
            | Command::Explain { .. }
            | Command::Rename { .. }
            | Command::Export { .. }
            | Command::Copy { .. }
            | Command::World(_)
            | Command::Close { .. } => return self.command(command),
        };
        if may_be_local || !self.waiting.is_empty() {
            let world = Arc::clone(&self.world);
            self.waiting.push(&world, command, cancel);
        } else {
            self.command(command);
        }
    }

    /// Whether the model of a prompt may be one of this machine that nobody knows of yet.
    fn may_mean_local(&self, prompt: &Prompt) -> bool {
        let is_refused = self.read_only.is_some() || self.turn.is_some();
        match (&prompt.model, &prompt.provider) {
            _ if is_refused => false,
            (None, None) if self.model.is_some() => false,
            (None, None) => self.world.may_be_local(self.stored_model.as_deref(), None),
            (model, provider) => self.world.may_be_local(model.as_deref(), provider.as_deref()),
        }
    }

    fn go_on_with(&mut self, ready: Ready<Command>) {
        match ready {
            Ready::All(commands) => {
                for command in commands {
                    self.command(command);
                }
            }
            Ready::Cancelled(Command::Prompt { ticket, .. }) => {
                let failure = Failure::cancelled("the prompt was cancelled before it began");
                self.out.send(OutputBody::Answer { ticket, answer: Err(failure) });
            }
            Ready::Cancelled(command) => self.command(command),
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Prompt { ticket, prompt, cancel } => self.prompt(ticket, *prompt, cancel),
            Command::Open { ticket, after, limit } => {
                let answer = Answer::Opened(Box::new(self.opened(after, limit)));
                self.out.send(OutputBody::Answer { ticket, answer: Ok(answer) });
            }
            Command::Configure { ticket, changes } => self.configure_for(ticket, changes),
            Command::Answer { question, answer } => self.answered(question, answer),
            Command::World(world) => self.world = world,
            Command::Cancel { ticket, item, any } => self.cancel(ticket, item.as_deref(), any),
            Command::Steer { ticket, content, turn } => self.steer(ticket, content, turn.as_deref()),
            Command::Queue { ticket, action } => self.change_queue(ticket, action),
            Command::Review { ticket, decisions } => self.review(ticket, &decisions),
            Command::Run { ticket, line, cancel } => self.run_command(ticket, line, cancel),
            Command::Explain { ticket, asked } => self.explain(ticket, asked),
            Command::Rename { ticket, title } => self.rename(ticket, &title),
            Command::Export { ticket, format } => self.export(ticket, format),
            // The engine may have ended meanwhile.
            Command::Copy { until, reply } => drop(reply.send(self.copied(until.as_deref()))),
            Command::Close { ticket } => self.close(ticket),
        }
    }

    fn close(&mut self, ticket: Option<Ticket>) {
        if self.turn.is_some() {
            self.finish_turn(TurnEnd::Cancelled);
        }
        self.closers.extend(ticket);
        self.closing = true;
        self.mailbox.close();
        // Whatever still waits in the mailbox is refused, so that nothing is left unanswered.
        let mut left = self.waiting.take();
        while let Ok(command) = self.mailbox.try_recv() {
            left.push_back(command);
        }
        self.answer_queue();
        self.cancel_commands();
        for ticket in self.reviewing.take_waiting() {
            let failure = Failure::no_session(self.id.as_str());
            self.out.send(OutputBody::Answer { ticket, answer: Err(failure) });
        }
        // Nobody answers any more.
        for id in std::mem::take(&mut self.editor_requests).into_keys() {
            self.out.send(OutputBody::QuestionClosed(id));
        }
        for command in left {
            let ticket = match command {
                Command::Prompt { ticket, .. }
                | Command::Open { ticket, .. }
                | Command::Steer { ticket, .. }
                | Command::Queue { ticket, .. }
                | Command::Review { ticket, .. }
                | Command::Run { ticket, .. }
                | Command::Explain { ticket, .. }
                | Command::Rename { ticket, .. }
                | Command::Export { ticket, .. }
                | Command::Cancel { ticket: Some(ticket), .. }
                | Command::Configure { ticket, .. } => ticket,
                Command::Close { ticket } => {
                    self.closers.extend(ticket);
                    continue;
                }
                Command::Answer { .. }
                | Command::Copy { .. }
                | Command::World(_)
                | Command::Cancel { ticket: None, .. } => continue,
            };
            let failure = Failure::no_session(self.id.as_str());
            self.out.send(OutputBody::Answer { ticket, answer: Err(failure) });
        }
    }

    /// Everything about the session but its content.
    pub(super) fn info(&self) -> SessionInfo {
        let model = self.model.as_ref().map(|model| format!("{}/{}", model.provider, model.id));
        SessionInfo {
            session: self.id.clone(),
            title: self.title.clone(),
            cwd: self.cwd.clone(),
            folders: self.folders.clone(),
            model: model.or_else(|| self.stored_model.clone()),
            account: self.account.clone(),
            thinking: self.thinking,
            permission_mode: self.permission_mode,
            state: self.state(),
            storage: if self.read_only.is_some() { Storage::Disk } else { self.log.storage() },
            read_only: self.read_only.is_some(),
            epoch: self.out.epoch(),
            seq: self.out.seq(),
            created_at_ms: self.created_at_ms,
            updated_at_ms: self.updated_at_ms,
            usage: self.usage,
            cost: self.transcript.cost(),
        }
    }

    fn state(&self) -> SessionState {
        match (&self.turn, self.questions.is_empty()) {
            (None, _) => SessionState::Idle,
            (Some(_), true) => SessionState::Running,
            (Some(_), false) => SessionState::Waiting,
        }
    }

    fn opened(&self, after: Option<(u64, u64)>, limit: Option<usize>) -> Opened {
        let missed = after
            .filter(|(epoch, _)| *epoch == self.out.epoch())
            .and_then(|(_, seq)| self.out.since(&self.transcript, seq));
        let content = if let Some(events) = missed {
            OpenedContent::Events(events)
        } else {
            let all: Vec<_> =
                self.transcript.items().iter().filter(|item| item.status != ItemStatus::Withdrawn).collect();
            let omitted = all.len() - limit.map_or(all.len(), |limit| limit.min(all.len()));
            OpenedContent::Snapshot {
                items: all.into_iter().skip(omitted).cloned().collect(),
                omitted,
                turns: self.transcript.turns().to_vec(),
                turn: self.turn.as_ref().map(|turn| turn.id),
                questions: self.questions.values().map(|(question, _)| Arc::clone(question)).collect(),
                queue: self.queue.entries(),
            }
        };
        Opened { info: self.info(), content }
    }

    fn prompt(&mut self, ticket: Ticket, prompt: Prompt, cancel: CancellationToken) {
        if let Some(id) = &prompt.idempotency {
            if let Some(turn) = self.turn.as_mut().filter(|turn| turn.idempotency.as_ref() == Some(id)) {
                turn.tickets.push(ticket);
                return;
            }
            if let Some((_, outcome)) = self.finished.iter().find(|(finished, _)| finished == id) {
                let answer = Ok(Answer::Prompt(Box::new(outcome.clone())));
                self.out.send(OutputBody::Answer { ticket, answer });
                return;
            }
        }
        let refused = match (self.read_only_failure(), &self.turn, prompt.when_busy) {
            (Some(failure), ..) => Some(failure),
            (None, Some(_), WhenBusy::Queue) => return self.enqueue(ticket, prompt, cancel),
            (None, Some(_), WhenBusy::Steer) => return self.steer_with(ticket, prompt),
            (None, Some(_), WhenBusy::Refuse) => Some(Failure::busy(&self.id)),
            (None, None, _) => None,
        };
        let configured = match refused {
            Some(failure) => Err(failure),
            None => self.prepare(&prompt),
        };
        match configured {
            Ok(warnings) => {
                self.queue.is_paused = false;
                self.begin_turn(Some(ticket), prompt, cancel, warnings);
            }
            Err(failure) => self.out.send(OutputBody::Answer { ticket, answer: Err(failure) }),
        }
    }

    /// Why the session takes no changes, where it does not.
    pub(super) fn read_only_failure(&self) -> Option<Failure> {
        self.read_only.as_ref().map(|why| Failure::read_only(&self.id, why))
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Ends the turn that runs, or one tool call of it.
    fn cancel(&mut self, ticket: Option<Ticket>, item: Option<&str>, any: bool) {
        let answer = match item {
            // A turn that no request began has no token on the way here.
            None if self.turn.is_some() => {
                self.finish_turn(TurnEnd::Cancelled);
                Ok(true)
            }
            // Then the person's own commands are what runs.
            None => Ok(any || self.cancel_commands()),
            Some(item) => {
                let known = ItemId::parse(item).filter(|item| self.transcript.get(*item).is_some());
                known.map(|item| self.cancel_command(item) || self.cancel_call(item)).ok_or_else(|| Failure {
                    path: Some("/itemId".to_owned()),
                    ..Failure::not_found(format!("no item {}", super::item::cut(item)), None)
                })
            }
        };
        if let Some(ticket) = ticket {
            let answer = answer.map(|any| Answer::Cancelled { any });
            self.out.send(OutputBody::Answer { ticket, answer });
        }
    }

    pub(super) fn begin_turn(
        &mut self,
        ticket: Option<Ticket>,
        prompt: Prompt,
        cancel: CancellationToken,
        warnings: Vec<String>,
    ) {
        let now = self.world.system.clock.now_ms();
        let id = TurnId(self.next_turn);
        self.next_turn += 1;
        self.updated_at_ms = now;
        let info = self.info();
        let unsaved = self.log.ensure(&info, self.system.as_deref(), &self.transcript).err();
        self.out.event(EventBody::TurnStarted {
            turn: id,
            request: ticket.as_ref().map(|ticket| Arc::clone(ticket.label())),
            idempotency: prompt.idempotency.clone(),
        });
        if self.title.is_none() {
            self.title = title_of(&text_of(&prompt.content));
            if let Some(title) = self.title.clone() {
                self.log.record(&Record::Title { title }, Durability::Written);
                self.out.event(EventBody::SessionChanged(Box::new(self.info())));
            }
        }
        let idempotency = prompt.idempotency.as_deref().map(str::to_owned);
        self.log.record(&Record::Turn { id: id.0, at_ms: now, idempotency }, Durability::Written);
        let item = self.transcript.push(Item {
            id: self.transcript.next_id(),
            turn: Some(id),
            call: self.transcript.last_call(),
            status: ItemStatus::Completed,
            created_at_ms: now,
            text: text_of(&prompt.content),
            body: ItemBody::User { content: prompt.content.clone() },
        });
        let stored = self
            .log
            .record_and_tell(&Record::item(&item, super::store::format::Text::Whole), Durability::Flushed);
        self.turn = Some(Turn::new(id, ticket.into_iter().collect(), prompt, cancel, warnings, stored));
        self.out.event(EventBody::StateChanged(SessionState::Running));
        self.out.event(EventBody::ItemStarted(Arc::clone(&item)));
        self.out.event(EventBody::ItemCompleted(item));
        if let Some(failure) = unsaved {
            self.notice(Severity::Warning, failure.message, failure.hint);
        }
    }

    /// Ends the turn that runs, if any: settles its items and questions, tells and answers, in that order.
    pub(super) fn finish_turn(&mut self, end: TurnEnd) {
        let Some(mut turn) = self.turn.take() else { return };
        // Closes the connection to the provider and ends the tools.
        turn.stop(self.model.as_deref());
        self.call_off_changes();
        // What the person decides on a change does not end with a turn.
        let is_review = |_: &QuestionId, asker: &mut EditorAsker| !matches!(asker, EditorAsker::Review(_));
        for (id, asker) in self.editor_requests.extract_if(.., is_review) {
            drop(asker);
            self.out.send(OutputBody::QuestionClosed(id));
        }
        let status = match &end {
            TurnEnd::Failed(_) => ItemStatus::Failed,
            TurnEnd::Cancelled | TurnEnd::Interrupted => ItemStatus::Cancelled,
            TurnEnd::EndTurn | TurnEnd::MaxTokens | TurnEnd::Refusal => ItemStatus::Completed,
        };
        let open: Vec<ItemId> = self
            .transcript
            .items()
            .iter()
            .rev()
            .take_while(|item| item.turn.is_none_or(|of| of == turn.id))
            .filter(|item| item.status == ItemStatus::InProgress)
            .filter(|item| !self.changes.contains_key(&item.id) && !self.commands.contains(item.id))
            .map(|item| item.id)
            .collect();
        for item in open.into_iter().rev() {
            self.complete_item(item, status);
        }
        let unheard = std::mem::take(&mut turn.steers);
        if !unheard.is_empty() {
            for content in unheard {
                // What the turn did not take in any more is part of the conversation all the same.
                self.say(turn.id, content);
            }
            self.save_queue();
        }
        for (id, (_, asker)) in std::mem::take(&mut self.questions) {
            drop(asker);
            self.out.send(OutputBody::QuestionClosed(id));
            self.out.event(EventBody::QuestionResolved { question: id, outcome: "cancelled" });
        }
        self.usage.add(&turn.usage);
        let now = self.world.system.clock.now_ms();
        self.updated_at_ms = now;
        let ended = self.transcript.end_turn(turn.ended(&end));
        self.log.record(&Record::end(&ended, now, end.failure_kind()), Durability::Flushed);
        if let Some(title) = self.title.clone().filter(|_| self.renamed) {
            // Lists look for it at the end of the file, and not all through it.
            self.log.record(&Record::Title { title }, Durability::Written);
        }
        let info = self.info();
        let unsaved = self.log.mend(&info, self.system.as_deref(), &self.transcript).err();
        let outcome = PromptOutcome {
            text: turn.answer_text(&self.transcript),
            usage: turn.usage,
            cost: turn.cost,
            cost_note: turn.cost_note,
            session: self.id.clone(),
            turn: turn.id,
            model: self.model.as_ref().map(|model| format!("{}/{}", model.provider, model.id)),
            warnings: std::mem::take(&mut turn.warnings),
            end: end.clone(),
        };
        if let Some(failure) = unsaved {
            self.notice(Severity::Warning, failure.message, failure.hint);
        }
        self.pause_after(&end);
        self.out.event(EventBody::StateChanged(SessionState::Idle));
        self.out.event(EventBody::TurnEnded { turn: ended, end });
        if let Some(id) = turn.idempotency.take() {
            if self.finished.len() == REMEMBERED_PROMPTS {
                self.finished.pop_front();
            }
            self.finished.push_back((id, outcome.clone()));
        }
        for ticket in turn.tickets.drain(..) {
            let answer = Ok(Answer::Prompt(Box::new(outcome.clone())));
            self.out.send(OutputBody::Answer { ticket, answer });
        }
        self.begin_waiting();
    }

    /// Marks an item as whole and tells of it.
    pub(super) fn complete_item(&mut self, id: ItemId, status: ItemStatus) {
        if let Some(item) = self.transcript.update(id, |item| item.status = status) {
            self.log.completed(&item, Durability::Written);
            self.out.event(EventBody::ItemCompleted(item));
        }
    }

    /// Adds something that the server has to say.
    pub(super) fn notice(&mut self, severity: Severity, text: String, hint: Option<String>) {
        self.notice_for(severity, text, hint, false);
    }

    /// The same, where the model may be told too.
    pub(super) fn notice_for(
        &mut self,
        severity: Severity,
        text: String,
        hint: Option<String>,
        for_model: bool,
    ) {
        let item = self.transcript.push(Item {
            id: self.transcript.next_id(),
            turn: self.turn.as_ref().map(|turn| turn.id),
            call: self.transcript.last_call(),
            status: ItemStatus::Completed,
            created_at_ms: self.world.system.clock.now_ms(),
            text,
            body: ItemBody::Notice { severity, hint, for_model },
        });
        self.log.completed(&item, Durability::Written);
        self.out.event(EventBody::ItemStarted(Arc::clone(&item)));
        self.out.event(EventBody::ItemCompleted(item));
    }

    fn tick(&mut self) {
        let live: Vec<ItemId> = self.turn.as_ref().map(Turn::live_items).unwrap_or_default();
        for id in live {
            if let Some(item) = self.transcript.get(id) {
                self.log.text(item, true);
            }
        }
        if let Err(failure) = self.log.tell_trouble() {
            self.notice(Severity::Warning, failure.message, failure.hint);
        }
        self.tell_stall();
    }
}

/// Resolves when the turn that runs is cancelled; never where none runs.
async fn cancelled(cancel: Option<&CancellationToken>) {
    match cancel {
        Some(cancel) => cancel.cancelled().await,
        None => std::future::pending().await,
    }
}
