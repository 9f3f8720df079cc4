//! A turn: from a prompt to its answer, through any number of model calls and tools.
//!
//! A state machine that the session drives: [`Turn::step`] waits for whatever the state waits for and can be
//! dropped at any moment without losing anything; `turn_step` applies what came. Nothing here waits itself.
//! What happens when a call fails is in `turn/retry.rs`.

pub(super) mod budget;
mod changes;
mod retry;
mod work;

use std::io;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(super) use self::changes::OpenChange;
use self::retry::{Tries, Wait};
use self::work::{Done, ToolCalls, Work, offered};
use super::Prompt;
use super::brief::system_prompt;
use super::event::{Account, EndedTurn, Ending, EventBody, Field};
use super::item::{Failure, Item, ItemBody, ItemId, ItemStatus, Severity, ToolCallItem, TurnEnd, TurnId};
use super::session::Session;
use super::ticket::Ticket;
use super::transcript::Transcript;
use super::world::Authorised;
use crate::accounts::Credential;
use crate::models::{
    Content, Delta, DeltaStream, Fault, Origin, Request, StopReason, Usage, fault, overflow,
};
use crate::tools::ToolKind;

/// One turn of a session.
pub(super) struct Turn {
    pub(super) id: TurnId,
    /// Everyone who waits for the answer: one, and those who sent the same prompt again.
    pub(super) tickets: Vec<Ticket>,
    pub(super) cancel: CancellationToken,
    pub(super) idempotency: Option<Arc<str>>,
    /// What all its calls used.
    pub(super) usage: Usage,
    /// US dollars, where every call's price is known.
    pub(super) cost: Option<f64>,
    /// What the person is to know of the cost: who is billed how.
    pub(super) cost_note: Option<&'static str>,
    pub(super) warnings: Vec<String>,
    /// What the person said meanwhile and the model has not been told yet.
    pub(super) steers: Vec<Vec<Content>>,
    prompt: Prompt,
    state: State,
    begun: Instant,
    /// Model calls so far.
    calls: u32,
    tool_calls: ToolCalls,
    /// The model call whose items are the newest.
    call: u32,
    /// Tokens in the context, as its last call counted them.
    context_tokens: u64,
    /// What the model call under way has cost so far.
    tries: Tries,
    /// What a request of it said before it broke: counts until the next one speaks.
    broken: Vec<ItemId>,
}

enum State {
    /// The person's message is on its way to the disk.
    Storing(oneshot::Receiver<io::Result<()>>),
    /// The credential is looked up.
    Resolving(BoxFuture<'static, Result<Authorised, Failure>>),
    /// The model answers.
    Calling(Box<Calling>),
    /// The model call failed and is made again afterwards.
    Waiting(Wait),
    /// The key was refused: whether there is another now.
    Renewing(BoxFuture<'static, bool>, Box<Fault>),
    /// Tools run or wait for permission.
    Working(Box<Work>),
    /// Over; nothing more comes.
    Stopped,
}

/// A model call under way.
struct Calling {
    stream: DeltaStream,
    /// The number of the call, for its items.
    call: u32,
    /// What it was authorised with.
    sent: Sent,
    /// The items of the answer's blocks.
    blocks: Vec<(u32, ItemId)>,
    origin: Origin,
    usage: Usage,
    stop: Option<StopReason>,
    /// The provider is not read because the client does not read.
    resting: bool,
    began: bool,
    /// The last byte, and the last that said something.
    alive_at: Instant,
    active_at: Instant,
    stall_told: bool,
}

/// What a call was authorised with.
struct Sent {
    /// Where the credential came from, for people.
    name: String,
    model: Arc<crate::catalog::Model>,
    credential: Credential,
    headers: Vec<(String, SecretString)>,
}

/// What a turn waited for has come.
pub(super) enum Step {
    Stored(io::Result<()>),
    Resolved(Result<Box<Authorised>, Failure>),
    Delta(Option<Result<Delta, Fault>>),
    Waited,
    Renewed(bool),
    Tool(ItemId, Done),
}

impl Turn {
    /// What is kept of it when it is over.
    pub(super) fn ended(&self, end: &TurnEnd) -> EndedTurn {
        EndedTurn {
            turn: self.id,
            ending: Ending::from(end),
            usage: self.usage,
            cost: self.cost,
            took_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            // The transcript knows it.
            last_item: ItemId(0),
        }
    }

    pub(super) fn new(
        id: TurnId,
        tickets: Vec<Ticket>,
        mut prompt: Prompt,
        cancel: CancellationToken,
        warnings: Vec<String>,
        stored: oneshot::Receiver<io::Result<()>>,
    ) -> Self {
        Self {
            id,
            tickets,
            cancel,
            idempotency: prompt.idempotency.take(),
            usage: Usage::default(),
            cost: Some(0.0),
            cost_note: None,
            warnings,
            steers: Vec::new(),
            prompt,
            state: State::Storing(stored),
            begun: Instant::now(),
            calls: 0,
            tool_calls: ToolCalls::default(),
            call: 0,
            context_tokens: 0,
            tries: Tries::default(),
            broken: Vec::new(),
        }
    }

    /// Waits for the turn's own progress. `read` is whether the client keeps up. Cancel-safe.
    pub(super) async fn step(turn: Option<&mut Self>, read: bool) -> Step {
        let Some(turn) = turn else { return std::future::pending().await };
        match &mut turn.state {
            State::Storing(stored) => {
                Step::Stored(stored.await.unwrap_or_else(|_| Err(io::Error::other("the store has ended"))))
            }
            State::Resolving(resolving) => Step::Resolved(resolving.await.map(Box::new)),
            State::Calling(calling) if read => {
                // A model that is never short of an answer must not keep the other sessions from theirs.
                tokio::task::coop::consume_budget().await;
                Step::Delta(calling.stream.next().await)
            }
            State::Waiting(wait) => {
                wait.await;
                Step::Waited
            }
            State::Renewing(renewing, _) => Step::Renewed(renewing.await),
            State::Working(work) => {
                let (item, done) = work.next().await;
                Step::Tool(item, done)
            }
            State::Calling(_) | State::Stopped => std::future::pending().await,
        }
    }

    /// Says whether the provider is left unread, so that its waits rest meanwhile.
    pub(super) fn rest(&mut self, resting: bool) {
        let State::Calling(calling) = &mut self.state else { return };
        if calling.resting && !resting {
            calling.stream.as_mut().resume();
            calling.alive_at = Instant::now();
            calling.active_at = calling.alive_at;
        }
        calling.resting = resting;
    }

    /// Ends whatever runs: the connection to the provider is closed, tools are dropped.
    pub(super) fn stop(&mut self, model: Option<&crate::catalog::Model>) {
        if let State::Calling(calling) = std::mem::replace(&mut self.state, State::Stopped) {
            self.account(&calling, model);
        }
        // Marks the token as used, so that whoever keeps it can forget it.
        self.cancel.cancel();
    }

    /// Adds what a call used that did not come to its end. Says whether that is known.
    fn account(&mut self, calling: &Calling, model: Option<&crate::catalog::Model>) -> bool {
        let counted = calling.usage != Usage::default();
        self.usage.add(&calling.usage);
        // What a call costs that was cut off before its counts came is not known; one that never began costs
        // nothing.
        if counted || calling.began {
            let cost = model.filter(|_| counted).and_then(|model| cost_of(model, &calling.usage));
            self.cost = self.cost.zip(cost).map(|(sum, cost)| sum + cost);
        }
        counted
    }

    /// Whether tools run or wait for permission.
    pub(super) fn is_working(&self) -> bool {
        matches!(self.state, State::Working(_))
    }

    /// Items whose text may still grow.
    pub(super) fn live_items(&self) -> Vec<ItemId> {
        match &self.state {
            State::Calling(calling) => calling.blocks.iter().map(|(_, item)| *item).collect(),
            State::Storing(_)
            | State::Resolving(_)
            | State::Waiting(_)
            | State::Renewing(..)
            | State::Working(_)
            | State::Stopped => Vec::new(),
        }
    }

    /// What the model said in its last message.
    pub(super) fn answer_text(&self, transcript: &Transcript) -> String {
        let items =
            transcript.items().iter().rev().take_while(|item| item.turn.is_none_or(|turn| turn == self.id));
        let mut texts: Vec<&str> = items
            .filter(|item| {
                item.call == self.call
                    && item.status != ItemStatus::Withdrawn
                    && matches!(item.body, ItemBody::Text { .. })
            })
            .map(|item| item.text.as_str())
            .collect();
        texts.reverse();
        texts.concat()
    }
}

impl Session {
    /// Applies what the turn waited for.
    pub(super) fn turn_step(&mut self, step: Step) {
        match step {
            Step::Stored(result) => self.stored(result),
            Step::Resolved(Ok(call)) => self.call_model(*call),
            Step::Resolved(Err(failure)) => self.finish_turn(TurnEnd::Failed(failure)),
            Step::Delta(Some(Ok(delta))) => self.delta(delta),
            Step::Delta(Some(Err(fault))) => self.faulted(fault),
            Step::Delta(None) => self.call_ended(),
            Step::Waited => self.resolve(),
            Step::Renewed(renewed) => self.renewed(renewed),
            Step::Tool(item, done) => self.work_step(item, done),
        }
    }

    fn stored(&mut self, result: io::Result<()>) {
        if let Err(error) = result
            && let Err(failure) = self.log.failed(&error)
        {
            self.notice(Severity::Warning, failure.message, failure.hint);
        }
        self.next_call();
    }

    /// Begins the next model call.
    fn next_call(&mut self) {
        self.take_steers();
        let Some(turn) = &mut self.turn else { return };
        turn.calls += 1;
        turn.tries = Tries::default();
        let limits = &self.world.settings.limits;
        let exceeded = if turn.calls > limits.max_calls_per_turn {
            Some(Failure::too_many_calls(limits.max_calls_per_turn))
        } else if turn.begun.elapsed().as_millis() > limits.max_turn_ms.into() {
            Some(Failure::too_long(limits.max_turn_ms))
        } else {
            None
        };
        if let Some(failure) = exceeded {
            self.finish_turn(TurnEnd::Failed(failure));
            return;
        }
        self.resolve();
    }

    /// Looks up the credential for a request of the model call, the first or a later one.
    fn resolve(&mut self) {
        let (Some(turn), Some(model)) = (&mut self.turn, &self.model) else { return };
        let world = Arc::clone(&self.world);
        let model = Arc::clone(model);
        let (explicit, cache) = (turn.prompt.api_key.clone(), turn.prompt.cache);
        let account = account_of(self.account.as_ref(), &model);
        let tools = offered(&model, turn.prompt.tools.as_deref());
        let mut request = Request {
            system: Some(system_prompt(
                self.system.as_deref(),
                &tools,
                (&self.cwd, &self.folders),
                self.world.system.clock.now_ms(),
            )),
            messages: self.transcript.messages(),
            tools,
            max_tokens: turn.prompt.max_tokens,
            temperature: turn.prompt.temperature,
            thinking: self.thinking,
            session: self.id.to_string(),
            output_schema: turn.prompt.output_schema.clone(),
            ..Request::default()
        };
        request.max_tokens = request.output_limit(&model);
        turn.state = State::Resolving(Box::pin(async move {
            world.authorise(model, request, cache, explicit, account.as_deref()).await
        }));
    }

    fn call_model(&mut self, authorised: Authorised) {
        let Authorised { call, credential, cost_note } = authorised;
        let sent = Sent {
            name: credential,
            model: Arc::clone(&call.model),
            credential: call.credential.clone(),
            headers: call.headers.clone(),
        };
        let Some(turn) = &mut self.turn else { return };
        turn.cost_note = cost_note;
        let number = self.transcript.last_call() + 1;
        if turn.broken.is_empty() {
            turn.call = number;
        }
        turn.tries.requests += 1;
        let origin = Origin {
            provider: Arc::clone(&call.model.provider),
            wire: Arc::clone(&call.model.wire),
            model: Arc::clone(&call.model.id),
        };
        turn.state = State::Calling(Box::new(Calling {
            stream: self.world.backends.call(call),
            call: number,
            sent,
            blocks: Vec::new(),
            origin,
            usage: Usage::default(),
            stop: None,
            resting: false,
            began: false,
            alive_at: Instant::now(),
            active_at: Instant::now(),
            stall_told: false,
        }));
    }

    fn delta(&mut self, delta: Delta) {
        let Some(Turn { state: State::Calling(calling), .. }) = &mut self.turn else { return };
        calling.alive_at = Instant::now();
        if !matches!(delta, Delta::Alive | Delta::Warning(_) | Delta::Note(_)) {
            calling.began = true;
            calling.active_at = calling.alive_at;
            calling.stall_told = false;
        }
        match delta {
            Delta::Text { block, text } => {
                self.grow(block, Field::Text, &text, |origin| ItemBody::Text { origin, signature: None });
            }
            Delta::Thinking { block, text } => self.grow(block, Field::Text, &text, thinking),
            Delta::Arguments { block, text } => {
                self.grow(block, Field::Arguments, &text, |origin| {
                    tool_call(origin, String::new(), String::new())
                });
            }
            Delta::ToolCall { block, id, name } => {
                self.grow(block, Field::Arguments, "", |origin| tool_call(origin, id, name));
            }
            Delta::Signature { block, signature } => {
                let id = self.block(block, thinking);
                self.transcript.update_some(id, |item| match &mut item.body {
                    ItemBody::Text { signature: kept, .. } | ItemBody::Thinking { signature: kept, .. } => {
                        *kept = Some(signature);
                    }
                    ItemBody::ToolCall(call) => call.signature = Some(signature),
                    ItemBody::User { .. }
                    | ItemBody::FileChange(_)
                    | ItemBody::Command(_)
                    | ItemBody::Notice { .. } => {}
                });
            }
            Delta::RedactedThinking { block, data } => {
                let id = self.block(block, thinking);
                self.transcript.update_some(id, |item| {
                    if let ItemBody::Thinking { redacted, .. } = &mut item.body {
                        *redacted = Some(data);
                    }
                });
            }
            Delta::Usage(usage) => calling.usage = usage,
            Delta::Stop { reason, .. } => calling.stop = Some(reason),
            Delta::Warning(text) => self.notice(Severity::Warning, text, None),
            Delta::Note(text) => self.notice(Severity::Info, text, None),
            Delta::Response { .. } | Delta::Alive => {}
        }
    }

    /// The item of an answer's block, begun where it is new.
    fn block(&mut self, block: u32, body: impl FnOnce(Origin) -> ItemBody) -> Option<ItemId> {
        let Some(Turn { state: State::Calling(calling), .. }) = &self.turn else { return None };
        // The newest block is the one that grows, nearly always.
        if let Some((_, item)) = calling.blocks.iter().rev().find(|(known, _)| *known == block) {
            return Some(*item);
        }
        self.withdraw_broken();
        let Some(Turn { id: turn, call, state: State::Calling(calling), .. }) = &mut self.turn else {
            return None;
        };
        *call = calling.call;
        let item = self.transcript.push(Item {
            id: self.transcript.next_id(),
            turn: Some(*turn),
            call: *call,
            status: ItemStatus::InProgress,
            created_at_ms: self.world.system.clock.now_ms(),
            text: String::new(),
            body: body(calling.origin.clone()),
        });
        calling.blocks.push((block, item.id));
        let id = item.id;
        self.log.text(&item, false);
        self.out.event(EventBody::ItemStarted(item));
        Some(id)
    }

    /// Appends to a block's text, up to the limit.
    fn grow(&mut self, block: u32, field: Field, text: &str, body: impl FnOnce(Origin) -> ItemBody) {
        let Some(id) = self.block(block, body) else { return };
        if text.is_empty() {
            return;
        }
        let limit = self.world.settings.limits.max_item_bytes;
        let mut start = 0;
        let mut whole = true;
        let updated = self.transcript.update(id, |item| {
            let target = match (field, &mut item.body) {
                (Field::Arguments, ItemBody::ToolCall(call)) => &mut call.arguments,
                _ => &mut item.text,
            };
            start = target.len();
            let room = limit.saturating_sub(start);
            let fits = if text.len() <= room {
                text
            } else {
                whole = false;
                let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
                &text[..end]
            };
            target.push_str(fits);
        });
        // The copy is dropped at once: the transcript must be the only owner when the next delta comes.
        drop(updated);
        self.out.grown(&self.transcript, id, field, start);
        if let Some(item) = self.transcript.get(id)
            && field == Field::Text
        {
            self.log.text(item, false);
        }
        if !whole {
            self.finish_turn(TurnEnd::Failed(Failure::too_large(limit)));
        }
    }

    /// The model has said all of this call.
    fn call_ended(&mut self) {
        let Some(turn) = &mut self.turn else { return };
        let State::Calling(calling) = std::mem::replace(&mut turn.state, State::Stopped) else { return };
        turn.usage.add(&calling.usage);
        let usage = calling.usage;
        let cost = self.model.as_ref().and_then(|model| cost_of(model, &usage));
        turn.cost = turn.cost.zip(cost).map(|(sum, cost)| sum + cost);
        self.tell_usage(Some(&usage));
        // An answer without a word stands in the place of what had come before it.
        self.withdraw_broken();
        let mut calls = Vec::new();
        for (_, id) in calling.blocks {
            let tool_call = self.transcript.get(id).map(|item| matches!(item.body, ItemBody::ToolCall(_)));
            match tool_call {
                Some(true) => calls.push(id),
                Some(false) => self.complete_item(id, ItemStatus::Completed),
                None => {}
            }
        }
        let window = self.model.as_ref().map_or(0, |model| model.context_window);
        if calls.is_empty() && overflow::silent(calling.stop, &usage, window) {
            let fault = fault::cut_off(overflow::prompt_tokens(&usage), window);
            self.finish_turn(TurnEnd::Failed(fault.named(&calling.origin.provider).into()));
            return;
        }
        if calls.is_empty() || calling.stop == Some(StopReason::Refusal) {
            // What a refused answer wanted done is not done.
            for id in calls {
                self.complete_item(id, ItemStatus::Failed);
            }
            let is_over = matches!(calling.stop, Some(StopReason::MaxTokens | StopReason::Refusal));
            if !is_over && self.turn.as_ref().is_some_and(|turn| !turn.steers.is_empty()) {
                return self.next_call();
            }
            self.finish_turn(match calling.stop {
                Some(StopReason::MaxTokens) => TurnEnd::MaxTokens,
                Some(StopReason::Refusal) => TurnEnd::Refusal,
                Some(StopReason::EndTurn | StopReason::ToolUse) | None => TurnEnd::EndTurn,
            });
            return;
        }
        self.begin_work(calls, calling.stop == Some(StopReason::MaxTokens));
    }

    /// Tells what the turn has used, and how full the context is after a call that used `last`; what it was
    /// before where that call broke.
    fn tell_usage(&mut self, last: Option<&Usage>) {
        let Some(turn) = &mut self.turn else { return };
        if let Some(last) = last {
            turn.context_tokens = last.input + last.cache_read + last.cache_write + last.output;
        }
        self.out.event(EventBody::UsageChanged {
            usage: turn.usage,
            cost: turn.cost,
            context_tokens: turn.context_tokens,
            context_window: self.model.as_ref().map_or(0, |model| model.context_window),
        });
    }

    /// Tells that nothing has come for a while, once per silence.
    pub(super) fn tell_stall(&mut self) {
        let timeouts = &self.world.settings.timeouts;
        let Some(Turn { state: State::Calling(calling), .. }) = &mut self.turn else { return };
        let since = |at: Instant| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX);
        let since_ms = since(calling.active_at);
        if calling.resting || calling.stall_told || since_ms < timeouts.stall_notice_ms {
            return;
        }
        calling.stall_told = true;
        let (waiting_for, gives_up_in_ms) = if calling.began {
            // Comments keep the connection alive, but not for ever.
            let idle = timeouts.idle_ms.saturating_sub(since(calling.alive_at));
            ("event", idle.min(timeouts.event_ms.saturating_sub(since_ms)))
        } else {
            ("firstEvent", timeouts.first_event_ms.saturating_sub(since_ms))
        };
        self.out.event(EventBody::Stalled { since_ms, waiting_for, gives_up_in_ms });
    }
}

fn thinking(origin: Origin) -> ItemBody {
    ItemBody::Thinking { origin, signature: None, redacted: None }
}

fn tool_call(origin: Origin, call_id: String, name: String) -> ItemBody {
    ItemBody::ToolCall(ToolCallItem {
        origin,
        call_id,
        title: name.clone(),
        name,
        kind: ToolKind::Other,
        arguments: String::new(),
        signature: None,
        result: None,
        images: Vec::new(),
    })
}

/// The account that was chosen, if it is one of the model's provider.
pub(super) fn account_of(chosen: Option<&Account>, model: &crate::catalog::Model) -> Option<Arc<str>> {
    chosen.filter(|chosen| chosen.provider == model.provider).map(|chosen| Arc::clone(&chosen.label))
}

/// US dollars, or `None` where no price is known.
fn cost_of(model: &crate::catalog::Model, usage: &Usage) -> Option<f64> {
    if usage.provider_cost.is_some() {
        return usage.provider_cost;
    }
    let known = model.cost != crate::catalog::Cost::default();
    known.then(|| model.cost.of(usage.input, usage.output, usage.cache_read, usage.cache_write))
}
