//! The tool calls of a turn: what they would touch, who is asked, in which order they run, and what they report.
//!
//! Calls that change nothing run side by side; any other waits for those before it and keeps back those behind it,
//! from its first look at the disk to its result.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};

use super::{Session, State, Turn};
use crate::engine::event::{EventBody, Field, QuestionAnswer, QuestionBody};
use crate::engine::item::{self, Item, ItemBody, ItemId, ItemStatus};
use crate::engine::permissions::book::{Explained, Ready};
use crate::engine::permissions::question::{QuestionText, REJECT_ONCE};
use crate::engine::permissions::remember::remember;
use crate::engine::permissions::{Decision, Layer, Reason};
use crate::engine::session::Asker;
use crate::models;
use crate::tools::context::Proposed;
use crate::tools::{
    self, Allowed, Audience, CallId, ChangeId, Effect, Intent, Place, Preview, Report, Scope, Tool,
    ToolContext, ToolOutcome,
};

/// What the model is told of a call that its output limit cut.
pub(super) const CUT_OFF: &str = "Not run: the answer reached its output limit within this call, so its arguments \
                                  are not whole. Make the call again with less in it.";

/// The calls of one answer.
#[derive(Default)]
pub(super) struct Work {
    jobs: Vec<Job>,
    running: JoinSet<(ItemId, Done)>,
}

/// The tool calls of a turn so far.
#[derive(Default)]
pub(super) struct ToolCalls {
    count: u32,
    /// How often each was made, by a hash of its name and arguments.
    made: HashMap<String, u32>,
}

impl ToolCalls {
    /// Whether a call has been made so often, just so, that the model turns in a circle. The count begins anew
    /// when the person lets it go on.
    fn is_circle(&self, name: &str, arguments: &str) -> bool {
        self.made.get(&call_hash(name, arguments)).is_some_and(|made| *made >= CIRCLE)
    }

    fn made(&mut self, name: &str, arguments: &str) {
        let made = self.made.entry(call_hash(name, arguments)).or_default();
        *made = if *made >= CIRCLE { 1 } else { *made + 1 };
    }
}

fn call_hash(name: &str, arguments: &str) -> String {
    tools::change::hash(format!("{name}\0{arguments}").as_bytes())
}

/// So often the same call may be made in a turn; the next one asks.
const CIRCLE: u32 = 2;

/// One call.
struct Job {
    item: ItemId,
    is_parallel: bool,
    stage: Stage,
}

enum Stage {
    /// Waits for calls before it.
    Queued,
    /// What it would touch is looked up.
    Preparing,
    /// The person is asked.
    Asking(Box<Asked>),
    Running(AbortHandle),
    Ended,
}

/// A call that waits for the person's answer.
struct Asked {
    ready: Ready,
    text: QuestionText,
    preview: Option<Arc<Preview>>,
}

/// A call that the person is about to be asked about.
pub(in crate::engine) struct Looked {
    ready: Ready,
    text: QuestionText,
    /// What it would change.
    preview: Option<Preview>,
}

/// What a task of a call has come to.
pub(in crate::engine) enum Done {
    Prepared(Result<Box<Ready>, ToolOutcome>),
    /// It is known what it would change, so that the person can be asked.
    Looked(Box<Looked>),
    Ended(ToolOutcome),
    /// Something else of it, which went where it belongs.
    Nothing,
}

impl Work {
    /// Waits for the next call that has come to something. Cancel-safe.
    pub(super) async fn next(&mut self) -> (ItemId, Done) {
        match self.running.join_next().await {
            Some(Ok(done)) => done,
            // A tool's panic is caught inside its task; else only a call that was cancelled ends early, and what
            // is to be said of it has been said.
            Some(Err(_)) | None => std::future::pending().await,
        }
    }

    fn job(&mut self, item: ItemId) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.item == item)
    }

    /// The next call that may begin.
    fn next_ready(&self) -> Option<ItemId> {
        let mut only_parallel = true;
        for job in &self.jobs {
            match job.stage {
                Stage::Ended => {}
                Stage::Queued if job.is_parallel && only_parallel => return Some(job.item),
                Stage::Queued
                    if self.jobs.iter().all(|job| matches!(job.stage, Stage::Queued | Stage::Ended)) =>
                {
                    return Some(job.item);
                }
                Stage::Queued => return None,
                _ => only_parallel &= job.is_parallel,
            }
        }
        None
    }

    fn is_done(&self) -> bool {
        self.jobs.iter().all(|job| matches!(job.stage, Stage::Ended))
    }
}

impl Session {
    /// Takes on the calls of an answer. Those whose arguments the answer's end cut are not run.
    pub(super) fn begin_work(&mut self, calls: Vec<ItemId>, was_cut: bool) {
        let jobs = calls.into_iter().map(|item| Job {
            item,
            is_parallel: self.tool_of(item).is_some_and(Tool::is_parallel),
            stage: Stage::Queued,
        });
        let work = Work { jobs: jobs.collect(), running: JoinSet::new() };
        let mut cut: Vec<ItemId> = work.jobs.iter().map(|job| job.item).collect();
        cut.retain(|item| was_cut && self.is_cut_off(*item));
        let Some(turn) = &mut self.turn else { return };
        turn.state = State::Working(Box::new(work));
        for id in cut {
            // The call goes back with what is whole of it.
            self.transcript.update(id, |item| {
                if let ItemBody::ToolCall(call) = &mut item.body {
                    call.arguments = models::json::arguments(&call.arguments);
                }
            });
            self.tool_ended(id, ToolOutcome::failed(CUT_OFF));
        }
        self.advance();
    }

    /// Begins every call that may begin, and calls the model again when all have their results.
    fn advance(&mut self) {
        while let Some(id) = self.work().and_then(|work| work.next_ready()) {
            self.begin_tool(id);
        }
        if self.work().is_some_and(|work| work.is_done()) {
            self.next_call();
        }
    }

    fn work(&mut self) -> Option<&mut Work> {
        match &mut self.turn {
            Some(Turn { state: State::Working(work), .. }) => Some(work),
            _ => None,
        }
    }

    /// The tool that a call names, if the model was offered it.
    fn tool_of(&self, item: ItemId) -> Option<&'static dyn Tool> {
        let ItemBody::ToolCall(call) = &self.transcript.get(item)?.body else { return None };
        let tool = tools::tool(&call.name)?;
        let names = self.turn.as_ref()?.prompt.tools.as_deref();
        is_offered(tool, self.model.as_ref()?, names).then_some(tool)
    }

    /// Whether the arguments of a call are not whole. What was cut is never guessed: half a file is not written.
    fn is_cut_off(&self, id: ItemId) -> bool {
        self.transcript.get(id).is_some_and(|item| match &item.body {
            ItemBody::ToolCall(call) => {
                serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&call.arguments).is_err()
            }
            _ => false,
        })
    }

    /// Looks up what a call would touch.
    fn begin_tool(&mut self, id: ItemId) {
        let Some(Item { body: ItemBody::ToolCall(call), .. }) = self.transcript.get(id).map(AsRef::as_ref)
        else {
            return;
        };
        let text = models::json::arguments(&call.arguments);
        let missing = format!("Tool \"{}\" not found.", item::cut(&call.name));
        let arguments = serde_json::from_str(&text).unwrap_or(serde_json::Value::Null);
        let Some(tool) = self.tool_of(id) else {
            // The call goes back all the same, and only JSON can: else the model would not hear of its mistake.
            self.transcript.update(id, |item| {
                if let ItemBody::ToolCall(call) = &mut item.body {
                    call.arguments = text;
                }
            });
            return self.tool_ended(id, ToolOutcome::failed(missing));
        };
        let limit = self.world.settings.limits.max_tool_calls_per_turn;
        if let Some(turn) = &mut self.turn {
            turn.tool_calls.count += 1;
            if turn.tool_calls.count > limit {
                let text = format!(
                    "Not run: the prompt has caused {limit} tool calls, which is the limit. Say how far you are."
                );
                return self.tool_ended(id, ToolOutcome::failed(text));
            }
        }
        let title = tool.title(&arguments);
        let updated = self.transcript.update(id, |item| {
            if let ItemBody::ToolCall(call) = &mut item.body {
                call.title = title;
                call.kind = tool.kind();
                if call.arguments != text {
                    call.arguments = text;
                }
            }
        });
        if let Some(item) = updated {
            self.out.event(EventBody::ItemUpdated(item));
        }
        let scope = self.scope();
        let Some(work) = self.work() else { return };
        work.running.spawn_blocking(move || {
            (id, Done::Prepared(Ready::look_up(tool, arguments, &scope).map(Box::new)))
        });
        if let Some(job) = work.job(id) {
            job.stage = Stage::Preparing;
        }
    }

    /// What tools of this session share.
    pub(in crate::engine) fn scope(&self) -> Scope {
        Scope {
            workspace: Arc::clone(&self.workspace),
            system: self.world.system.clone(),
            settings: Arc::clone(&self.world.settings),
            accounts: Arc::clone(&self.world.accounts),
            catalog: Arc::clone(&self.world.catalog),
            processes: Arc::clone(&self.processes),
        }
    }

    /// Applies what a call has come to.
    pub(super) fn work_step(&mut self, id: ItemId, done: Done) {
        // A call that was cancelled meanwhile has its result already.
        let is_open = |job: &mut Job| !matches!(job.stage, Stage::Ended);
        if !self.work().and_then(|work| work.job(id)).is_some_and(is_open) {
            return;
        }
        match done {
            Done::Prepared(Ok(ready)) => self.decide(id, *ready),
            Done::Looked(looked) => self.put_question(id, *looked),
            Done::Prepared(Err(outcome)) | Done::Ended(outcome) => self.tool_ended(id, outcome),
            Done::Nothing => {}
        }
        self.advance();
    }

    /// Runs a call, asks for permission, or refuses it.
    fn decide(&mut self, id: ItemId, ready: Ready) {
        let Some(Item { body: ItemBody::ToolCall(call), .. }) = self.transcript.get(id).map(AsRef::as_ref)
        else {
            return;
        };
        let mut verdict = self.permissions.judge(&ready, self.permission_mode, &self.world.system);
        if verdict.decision == Decision::Allow && self.is_circle(id) {
            verdict.decision = Decision::Ask;
            verdict.reasons.push(Reason {
                layer: Layer::BuiltIn,
                decision: Decision::Ask,
                rule: format!("this very call has been made {CIRCLE} times in this turn"),
                about: ready.call.tool.clone(),
                is_open: false,
            });
        }
        let (decision, refusal) = (verdict.decision, verdict.refusal());
        let (explained, text) = Explained::of(&ready, verdict, &call.title);
        self.permissions.keep(id, explained);
        match decision {
            Decision::Allow => self.run_tool(id, &ready.call.intent, None),
            Decision::Deny => self.tool_ended(id, ToolOutcome::failed(refusal)),
            Decision::Ask if !self.world.client.request_permission => {
                let text = if self.is_circle(id) {
                    format!(
                        "Not run: this very call of {} has been made {CIRCLE} times, and its result is above. Do \
                         something else, or say what is in the way.",
                        ready.call.tool
                    )
                } else {
                    "Denied: the client cannot ask the person for permission.".to_owned()
                };
                self.tool_ended(id, ToolOutcome::failed(text));
            }
            Decision::Ask => self.look_ahead(id, ready, text),
        }
    }

    /// Finds out what a call would change, and then asks. What a file holds is for the person alone until they have
    /// allowed it: a call that would fail is asked about like any other.
    fn look_ahead(&mut self, id: ItemId, ready: Ready, text: QuestionText) {
        let context = self.tool_context(id, &ready.call.intent);
        let tool = tools::tool(&ready.call.tool);
        let preview = tool.and_then(|tool| tool.preview(ready.call.arguments.clone(), context));
        let mut looked = Looked { ready, text, preview: None };
        let Some(preview) = preview else { return self.put_question(id, looked) };
        let Some(work) = self.work() else { return };
        work.running.spawn(async move {
            let preview = std::panic::AssertUnwindSafe(preview);
            looked.preview = futures_util::FutureExt::catch_unwind(preview).await.ok().flatten();
            (id, Done::Looked(Box::new(looked)))
        });
    }

    fn put_question(&mut self, id: ItemId, looked: Looked) {
        let Looked { ready, text, preview } = looked;
        let body = QuestionBody::Permission {
            item: id,
            tool: ready.call.tool.clone(),
            title: text.title.clone(),
            detail: text.detail.clone(),
            locations: text.locations.clone(),
            options: text.options.clone(),
            change: preview.as_ref().map(|preview| Box::new(preview.change.clone())),
        };
        if let Some(job) = self.work().and_then(|work| work.job(id)) {
            job.stage = Stage::Asking(Box::new(Asked { ready, text, preview: preview.map(Arc::new) }));
        }
        let question = self.ask(body, Asker::Permission(id));
        self.permissions.asked(id, question);
    }

    /// The person said yes or no.
    pub(in crate::engine) fn permission_answered(&mut self, id: ItemId, answer: QuestionAnswer) {
        let (mut taken, reason, mut left_out) = match answer {
            QuestionAnswer::Option { id, reason, rejected } => (Some(id), reason, rejected),
            _ => (None, None, Vec::new()),
        };
        let Some(job) = self.work().and_then(|work| work.job(id)) else { return };
        let Stage::Asking(asked) = std::mem::replace(&mut job.stage, Stage::Preparing) else { return };
        let Asked { ready, text, preview } = *asked;
        if !left_out.is_empty() {
            let hunks = preview.as_ref().map_or(&[][..], |preview| &preview.change.hunks);
            let all: HashSet<&str> = hunks.iter().map(|hunk| &*hunk.id).collect();
            left_out.sort_unstable();
            left_out.dedup();
            // Of what is not there nothing can be left out, and of nothing nothing made.
            if left_out.len() >= all.len() || !left_out.iter().all(|id| all.contains(&**id)) {
                taken = Some(REJECT_ONCE.to_owned());
            }
        }
        let answered = self.permissions.answered(id, &ready, &text, taken.as_deref());
        if let Some(rules) = answered.remember
            && let Some(folder) = ready.roots.first()
        {
            self.remember(folder.clone(), answered.decision, rules);
        }
        if answered.decision == Decision::Allow {
            let allowed = preview.map(|preview| Arc::new(Allowed { preview, left_out, reason }));
            self.run_tool(id, &ready.call.intent, allowed);
        } else {
            let text = match reason {
                Some(reason) => format!("The person rejected this: {reason}"),
                None => "The person rejected this.".to_owned(),
            };
            self.tool_ended(id, ToolOutcome::failed(text));
        }
        self.advance();
    }

    /// Writes down an answer that holds for good. It holds for this session at once; a file that cannot be written
    /// is told of.
    fn remember(&mut self, folder: PathBuf, decision: Decision, rules: Vec<String>) {
        let system = self.world.system.clone();
        self.remembering.spawn(async move {
            let cancel = tokio_util::sync::CancellationToken::new();
            remember(&system, &folder, decision, rules, &cancel).await.map_err(|error| error.to_string())
        });
    }

    /// Whether the very same call was made too often.
    fn is_circle(&self, id: ItemId) -> bool {
        let (Some(turn), Some(item)) = (&self.turn, self.transcript.get(id)) else { return false };
        let ItemBody::ToolCall(call) = &item.body else { return false };
        turn.tool_calls.is_circle(&call.name, &call.arguments)
    }

    /// What a call is given to run with.
    fn tool_context(&self, id: ItemId, intent: &Intent) -> ToolContext {
        let granted: Vec<Place> = intent
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Read(place) | Effect::Write(place) => Some(place.clone()),
                Effect::Run { .. } | Effect::Stop { .. } | Effect::Pretend => None,
            })
            .collect();
        ToolContext::new(CallId(id.0), self.scope(), granted.into(), self.report_sender.clone())
    }

    fn run_tool(&mut self, id: ItemId, intent: &Intent, allowed: Option<Arc<Allowed>>) {
        let Some(Item { body: ItemBody::ToolCall(call), .. }) = self.transcript.get(id).map(AsRef::as_ref)
        else {
            return;
        };
        let Some(tool) = tools::tool(&call.name) else { return };
        if let Some(turn) = &mut self.turn {
            turn.tool_calls.made(&call.name, &call.arguments);
        }
        let arguments = serde_json::from_str(&call.arguments).unwrap_or(serde_json::Value::Null);
        let mut context = self.tool_context(id, intent);
        context.allowed = allowed;
        let Some(work) = self.work() else { return };
        let handle = work.running.spawn(async move {
            let work = std::panic::AssertUnwindSafe(async { tool.run(arguments, context).await });
            let outcome = futures_util::FutureExt::catch_unwind(work).await;
            (
                id,
                Done::Ended(outcome.unwrap_or_else(|_| ToolOutcome::failed("The tool failed inside Aside."))),
            )
        });
        if let Some(job) = work.job(id) {
            job.stage = Stage::Running(handle);
        }
    }

    /// Lets a tool make its change once it is written down that it was begun.
    pub(super) fn when_stored(
        &mut self,
        stored: oneshot::Receiver<io::Result<()>>,
        change: ChangeId,
        reply: oneshot::Sender<Proposed>,
    ) {
        let Some(work) = self.work() else { return };
        work.running.spawn(async move {
            // A disk that fails is told of by the log; the file that the tool writes may be on another.
            let _ = stored.await;
            let _ = reply.send(Proposed::Write(change));
            (ItemId(change.0), Done::Nothing)
        });
    }

    /// Ends one call; the turn goes on. Says whether there was anything to end.
    pub(in crate::engine) fn cancel_call(&mut self, id: ItemId) -> bool {
        let Some(job) = self.work().and_then(|work| work.job(id)) else { return false };
        match std::mem::replace(&mut job.stage, Stage::Ended) {
            Stage::Ended => return false,
            Stage::Running(handle) => handle.abort(),
            Stage::Queued | Stage::Preparing | Stage::Asking(_) => {}
        }
        self.withdraw_question(id);
        self.call_off_changes_of(id);
        self.complete_item(id, ItemStatus::Cancelled);
        self.advance();
        true
    }

    /// A running tool tells something, or asks for something.
    pub(in crate::engine) fn report(&mut self, report: Report) {
        match report {
            Report::Ask(ask) => self.ask_form(ask),
            Report::Output { call, text } => self.tool_output(ItemId(call.0), &text),
            Report::EditorText { path, reply } => self.editor_text(path.display().to_string(), reply),
            Report::Change { call, proposal, reply } => self.propose(call, *proposal, reply),
            Report::Settled { change, end } => self.settled(change, end),
        }
    }

    /// More of what a call has to show.
    fn tool_output(&mut self, id: ItemId, text: &str) {
        let is_running = |job: &mut Job| matches!(job.stage, Stage::Running(_));
        if self.commands.contains(id) || self.work().and_then(|work| work.job(id)).is_some_and(is_running) {
            self.append(id, text);
        }
    }

    /// Adds to an item's text, up to the limit.
    pub(in crate::engine) fn append(&mut self, id: ItemId, text: &str) {
        let limit = self.world.settings.limits.max_item_bytes;
        let mut start = 0;
        self.transcript.update(id, |item| {
            start = item.text.len();
            let room = limit.saturating_sub(start);
            item.text.push_str(text.get(..text.floor_char_boundary(room)).unwrap_or(text));
        });
        self.out.grown(&self.transcript, id, Field::Text, start);
        if let Some(item) = self.transcript.get(id) {
            self.log.text(item, false);
        }
    }

    fn tool_ended(&mut self, id: ItemId, outcome: ToolOutcome) {
        if let Some(job) = self.work().and_then(|work| work.job(id)) {
            job.stage = Stage::Ended;
        }
        let ToolOutcome { text, shown, is_error, images } = outcome;
        self.append(id, shown.as_deref().unwrap_or(&text));
        self.transcript.update(id, |item| {
            if let ItemBody::ToolCall(call) = &mut item.body {
                call.images = images;
                call.result = (item.text != text).then_some(text);
            }
        });
        self.complete_item(id, if is_error { ItemStatus::Failed } else { ItemStatus::Completed });
    }
}

fn is_offered(tool: &dyn Tool, model: &crate::catalog::Model, names: Option<&[String]>) -> bool {
    let heard = match tool.audience() {
        Audience::Everyone => true,
        Audience::DemoModel => &*model.wire == models::demo::WIRE,
    };
    heard && names.is_none_or(|names| names.iter().any(|name| name == tool.name()))
}

/// The tools that a model is told of.
pub(super) fn offered(model: &crate::catalog::Model, names: Option<&[String]>) -> Vec<models::ToolSpec> {
    tools::TOOLS
        .iter()
        .filter(|tool| is_offered(**tool, model, names))
        .map(|tool| models::ToolSpec {
            name: tool.name().to_owned(),
            description: tool.description().to_owned(),
            parameters: tool.parameters().to_owned(),
        })
        .collect()
}
