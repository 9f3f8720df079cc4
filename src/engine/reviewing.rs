//! The person's word on changes that were made: hunks are kept, taken back or made again, one decision after the
//! other, in whatever state the session is.
//!
//! A decision that touches the file is written down first, so that after any end of the process the session knows
//! whether the file is before or after it. It must never write over what somebody else has changed meanwhile. How
//! lines are found and written is in `tools/review.rs`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::event::{Answer, EditorRequest, EventBody, OutputBody, QuestionAnswer};
use super::item::{
    Failure, FileChangeItem, Item, ItemBody, ItemId, ItemStatus, QuestionId, Review, Severity,
};
use super::session::{EditorAsker, Session};
use super::store::Durability;
use super::store::format::{Record, Text};
use super::store::load::Reviewed;
use super::ticket::Ticket;
use crate::tools::context::EditorText;
use crate::tools::files::Loaded;
use crate::tools::review::Refused;
use crate::tools::review::disk::{Plan, Wanted, find, may_be_open, plan, refuse_all};
use crate::tools::{ChangeKind, FileChange, Hunk, HunkDecision};

/// Decisions that may wait in one session.
const MAX_WAITING: usize = 64;
/// How long the editor may take to tell a text, which it has in memory.
const TEXT_TIME: Duration = Duration::from_secs(20);
/// How long it may take to make an edit: it may be busy with something else.
const EDIT_TIME: Duration = Duration::from_mins(2);
/// Lines of what was taken back that the model is shown.
const SHOWN_LINES: usize = 60;
/// Bytes of them.
const SHOWN_BYTES: usize = 4 << 10;

/// What the person says to the hunks of one change.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    /// The change's item.
    pub item: String,
    /// Ids of hunks, and whether they are kept.
    pub hunks: Vec<(String, bool)>,
    /// The same for all that are not named.
    pub rest: Option<bool>,
}

/// Decisions that wait, and the one that is carried out.
#[derive(Default)]
pub(super) struct Reviewing {
    waiting: VecDeque<Order>,
    running: Option<Running>,
}

struct Order {
    ticket: Ticket,
    item: ItemId,
    /// Whether each hunk is kept; `None` where nothing was said.
    kept: Vec<Option<bool>>,
    rest: Option<bool>,
}

struct Running {
    order: Order,
    /// The hunks that are not in the file as they are to be.
    wanted: Arc<Wanted>,
    refused: Vec<Refused>,
    work: BoxFuture<'static, Step>,
}

/// What the decision waited for has come.
pub(super) enum Step {
    Found(Result<Box<Loaded>, String>),
    Text(Box<Loaded>, Result<Option<EditorText>, String>),
    Planned(Box<Plan>),
    /// It is written down that the file is about to be written.
    Begun(Box<Plan>),
    Written(Box<Plan>, Result<(), String>),
    /// The decision is on the disk.
    Kept,
}

impl Reviewing {
    /// Whether nothing is to be done.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running.is_none()
    }

    /// Waits for the next step of the decision that is carried out. Cancel-safe.
    pub(super) async fn next(&mut self) -> Step {
        match &mut self.running {
            Some(running) => (&mut running.work).await,
            None => std::future::pending().await,
        }
    }

    /// The session ends: what has not begun does not.
    pub(super) fn take_waiting(&mut self) -> impl Iterator<Item = Ticket> + use<> {
        std::mem::take(&mut self.waiting).into_iter().map(|order| order.ticket)
    }
}

impl Session {
    /// Takes `reviewChange` on. It is answered when the decision is carried out and on the disk.
    pub(super) fn review(&mut self, ticket: Ticket, decisions: &Decisions) {
        match self.order(decisions) {
            Ok((item, kept)) => {
                let order = Order { ticket, item, kept, rest: decisions.rest };
                self.reviewing.waiting.push_back(order);
                self.begin_review();
            }
            Err(failure) => self.out.send(OutputBody::Answer { ticket, answer: Err(failure) }),
        }
    }

    fn order(&self, decisions: &Decisions) -> Result<(ItemId, Vec<Option<bool>>), Failure> {
        if let Some(failure) = self.read_only_failure() {
            return Err(failure);
        }
        if self.reviewing.waiting.len() >= MAX_WAITING {
            return Err(Failure::overloaded("decisions on changes"));
        }
        let item = ItemId::parse(&decisions.item).and_then(|id| self.transcript.get(id));
        let item = item.filter(|item| item.status != ItemStatus::Withdrawn);
        let named = || super::item::cut(&decisions.item);
        let Some(item) = item else {
            return Err(Failure::invalid("/itemId", format!("no item {}", named())));
        };
        let ItemBody::FileChange(FileChangeItem { change, .. }) = &item.body else {
            return Err(Failure::invalid("/itemId", format!("item {} is no change of a file", named())));
        };
        match item.status {
            ItemStatus::Completed => {}
            ItemStatus::InProgress => {
                return Err(Failure::busy_with(
                    format!("the change {} is being made", named()),
                    "wait for its itemCompleted event; what an editor applies is decided in its answer",
                ));
            }
            _ => return Err(Failure::invalid("/itemId", format!("the change {} was not made", named()))),
        }
        let mut kept = vec![None; change.hunks.len()];
        for (at, (id, keep)) in decisions.hunks.iter().enumerate() {
            let path = format!("/hunks/{at}/id");
            // They are numbered, but a file may say otherwise.
            let guess = id.strip_prefix('h').and_then(|number| number.parse::<usize>().ok());
            let guess = guess.and_then(|number| number.checked_sub(1));
            let found = guess
                .filter(|at| change.hunks.get(*at).is_some_and(|hunk| hunk.id == *id))
                .or_else(|| change.hunks.iter().position(|hunk| hunk.id == *id));
            let Some(slot) = found.and_then(|at| kept.get_mut(at)) else {
                let message = format!("no hunk {} in {}", super::item::cut(id), named());
                return Err(Failure::invalid(&path, message));
            };
            if slot.is_some_and(|before| before != *keep) {
                let message = format!("{} is both accepted and rejected", super::item::cut(id));
                return Err(Failure::invalid(&path, message));
            }
            *slot = Some(*keep);
        }
        if let Some(rest) = decisions.rest {
            for slot in &mut kept {
                slot.get_or_insert(rest);
            }
        } else if decisions.hunks.is_empty() {
            let message = "nothing is decided: name hunks, or give a decision for all";
            return Err(Failure::invalid("/hunks", message));
        }
        Ok((item.id, kept))
    }

    /// Begins the next decision, unless its file is just being changed.
    pub(super) fn begin_review(&mut self) {
        if self.reviewing.running.is_some() {
            return;
        }
        let Some(order) = self.reviewing.waiting.front() else { return };
        let Some(change) = self.change_of(order.item) else { return };
        let is_open = |id: &ItemId| self.change_of(*id).is_some_and(|open| open.path == change.path);
        if self.changes.keys().any(is_open) {
            return;
        }
        let pairs = change.hunks.iter().zip(&order.kept);
        let kept: Vec<Option<bool>> = pairs
            .map(|(hunk, kept)| kept.filter(|kept| *kept == (hunk.decision == HunkDecision::Rejected)))
            .collect();
        let is_whole = kept.is_empty() && order.rest == Some(false) && change.kind != ChangeKind::Modify;
        let touches = is_whole || kept.iter().any(Option::is_some);
        let wanted = Arc::new(Wanted { change: change.clone(), kept });
        let scope = self.scope();
        let work: BoxFuture<'static, Step> = if touches {
            let change = Arc::clone(&wanted);
            Box::pin(async move {
                let found = tokio::task::spawn_blocking(move || find(&scope, &change.change)).await;
                Step::Found(found.unwrap_or_else(|_| Err(BROKEN.to_owned())).map(Box::new))
            })
        } else {
            Box::pin(std::future::ready(Step::Planned(Box::default())))
        };
        let Some(order) = self.reviewing.waiting.pop_front() else { return };
        self.reviewing.running = Some(Running { order, wanted, refused: Vec::new(), work });
    }

    /// Applies what the decision waited for.
    pub(super) fn review_step(&mut self, step: Step) {
        let Some(running) = &self.reviewing.running else { return };
        let wanted = Arc::clone(&running.wanted);
        match step {
            Step::Found(Ok(loaded)) => self.ask_for_text(loaded),
            Step::Found(Err(reason)) => self.decided(refuse_all(&wanted, &reason)),
            Step::Text(loaded, Ok(text)) => {
                let can_edit = self.world.client.apply_edit;
                self.go_on(Box::pin(async move {
                    let inner = Arc::clone(&wanted);
                    let planned =
                        tokio::task::spawn_blocking(move || plan(*loaded, text, can_edit, &inner)).await;
                    Step::Planned(Box::new(planned.unwrap_or_else(|_| refuse_all(&wanted, BROKEN))))
                }));
            }
            Step::Text(_, Err(why)) => self.decided(refuse_all(&wanted, &why)),
            Step::Planned(plan) if plan.write.is_some() => self.write_ahead(plan),
            Step::Planned(plan) | Step::Written(plan, Ok(())) => self.decided(*plan),
            Step::Begun(plan) => self.write_change(plan),
            Step::Written(plan, Err(reason)) => {
                let refused = plan.done.iter().map(|id| Refused { hunk: id.clone(), reason: reason.clone() });
                let refused = plan.refused.iter().cloned().chain(refused).collect();
                self.decided(Plan { refused, failed: Some(reason), ..Plan::default() });
            }
            Step::Kept => self.review_ended(),
        }
    }

    fn go_on(&mut self, work: BoxFuture<'static, Step>) {
        if let Some(running) = &mut self.reviewing.running {
            running.work = work;
        }
    }

    fn ask_for_text(&mut self, loaded: Box<Loaded>) {
        if !self.world.client.read_file || !may_be_open(&loaded) {
            return self.go_on(Box::pin(std::future::ready(Step::Text(loaded, Ok(None)))));
        }
        let path = loaded.path.real().display().to_string();
        let answer = self.ask_for_review(EditorRequest::ReadFile { path }, TEXT_TIME);
        self.go_on(Box::pin(async move {
            let text = match answer.await {
                Ok(QuestionAnswer::Text(text)) => Ok(text),
                Ok(_) => Err("the editor could not tell the file's text".to_owned()),
                Err(why) => Err(why),
            };
            Step::Text(loaded, text)
        }));
    }

    /// Puts a request to the editor that is no tool's, and so does not end with a turn.
    fn ask_for_review(
        &mut self,
        request: EditorRequest,
        within: Duration,
    ) -> impl Future<Output = Result<QuestionAnswer, String>> + Send + use<> {
        let (reply, answer) = oneshot::channel();
        self.ask_editor(request, EditorAsker::Review(reply));
        async move {
            match tokio::time::timeout(within, answer).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(_)) => Err("the session has ended".to_owned()),
                Err(_) => Err(format!("the editor did not answer within {} s", within.as_secs())),
            }
        }
    }

    /// Writes down what is about to be done to the file.
    fn write_ahead(&mut self, plan: Box<Plan>) {
        let (Some(running), Some(write)) = (&self.reviewing.running, &plan.write) else { return };
        let id = running.order.item;
        let review = Review {
            hunks: decided_hunks(running, &plan),
            hash_before: write.hash_before.clone(),
            hash_after: write.hash_after.clone(),
        };
        let stored = self.keep_change(id, |item| item.review = Some(review));
        self.go_on(Box::pin(async move {
            // A disk that fails is told of by the log; the file may be on another.
            let _ = stored.await;
            Step::Begun(plan)
        }));
    }

    fn write_change(&mut self, plan: Box<Plan>) {
        let (Some(running), Some(write)) = (&self.reviewing.running, &plan.write) else { return };
        let item = running.order.item;
        if let Some(edit) = write.edit.clone() {
            let path = running.wanted.change.path.display().to_string();
            let request = EditorRequest::ApplyEdit { item, path, edit, is_review: true };
            let answer = self.ask_for_review(request, EDIT_TIME);
            self.go_on(Box::pin(async move {
                let made = match answer.await {
                    Ok(QuestionAnswer::Edited { applied: true, .. }) => Ok(()),
                    Ok(QuestionAnswer::Edited { reason: Some(reason), .. }) => Err(reason),
                    Ok(_) => Err("the editor did not make the change and did not say why".to_owned()),
                    Err(why) => Err(why),
                };
                Step::Written(plan, made)
            }));
            return;
        }
        let scope = self.scope();
        self.go_on(Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || {
                let made = plan.write.as_ref().map_or(Ok(()), |write| write.commit(&scope));
                (plan, made)
            });
            match written.await {
                Ok((plan, made)) => Step::Written(plan, made),
                Err(_) => Step::Written(Box::default(), Err(BROKEN.to_owned())),
            }
        }));
    }

    /// The file is as it is going to be: keeps the decision, tells everybody, and answers when it is on the disk.
    fn decided(&mut self, plan: Plan) {
        let Some(running) = &mut self.reviewing.running else { return };
        let id = running.order.item;
        let hunks = decided_hunks(running, &plan);
        running.refused = plan.refused;
        let is_whole = running.wanted.kept.is_empty();
        let (is_removed, failed) = (plan.write.is_some(), plan.failed);
        let Some(before) = self.change_of(id).cloned() else { return };
        let hash_after = match &plan.write {
            Some(write) => write.hash_after.clone(),
            None => before.hash_after.clone(),
        };
        if let (true, Some(reason)) = (is_whole, failed) {
            let failure =
                Failure::invalid("/itemId", format!("{} stays as it is: {reason}", before.path.display()));
            return self.end_review(Err(failure));
        }
        let told = told(&before, &hunks, is_whole && is_removed);
        let decided: HashMap<&str, bool> = hunks.iter().map(|(id, kept)| (&**id, *kept)).collect();
        let is_new = before
            .hunks
            .iter()
            .any(|hunk| decided.get(&*hunk.id).is_some_and(|kept| hunk.decision != HunkDecision::of(*kept)));
        let had_review = plan.write.is_some()
            || matches!(
                self.transcript.get(id).map(|item| &item.body),
                Some(ItemBody::FileChange(FileChangeItem { review: Some(_), .. }))
            );
        if !is_new && !had_review {
            return self.review_ended();
        }
        let stored = self.keep_change(id, |item| {
            item.review = Some(Review { hunks, hash_before: None, hash_after });
            item.reviewed();
        });
        if is_new && let Some(item) = self.transcript.get(id) {
            self.out.event(EventBody::ItemUpdated(Arc::clone(item)));
        }
        if let Some(text) = told {
            self.notice_for(Severity::Info, text, None, true);
        }
        self.go_on(Box::pin(async move {
            // A disk that fails is told of by the log.
            let _ = stored.await;
            Step::Kept
        }));
    }

    fn review_ended(&mut self) {
        let Some(running) = &mut self.reviewing.running else { return };
        let (id, refused) = (running.order.item, std::mem::take(&mut running.refused));
        let answer = match self.transcript.get(id) {
            Some(item) => Ok(Answer::Reviewed { item: Arc::clone(item), refused }),
            None => Err(Failure::internal("the change is gone")),
        };
        self.end_review(answer);
    }

    fn end_review(&mut self, answer: Result<Answer, Failure>) {
        // An editor that took too long need not answer any more.
        let is_late = |_: &QuestionId, asker: &mut EditorAsker| matches!(asker, EditorAsker::Review(reply) if reply.is_closed());
        for (id, _) in self.editor_requests.extract_if(.., is_late) {
            self.out.send(OutputBody::QuestionClosed(id));
        }
        if let Some(Running { order: Order { ticket, .. }, .. }) = self.reviewing.running.take() {
            self.out.send(OutputBody::Answer { ticket, answer });
        }
        self.begin_review();
    }

    /// What the process before this one had begun and not ended, now that the file has told how far it came.
    pub(super) fn review_interrupted(&mut self, reviewed: &Reviewed) {
        let Reviewed { item, before, review, was_made } = reviewed;
        drop(self.keep_change(*item, |_| {}));
        match was_made {
            Some(true) => {
                if let Some(text) = told(before, &review.hunks, before.hunks.is_empty()) {
                    self.notice_for(Severity::Info, text, None, true);
                }
            }
            Some(false) => {}
            None => {
                let path = before.path.display();
                let text = format!(
                    "the process ended while parts of {path} were being taken back, and the file is neither what it \
                     was nor what it was to be"
                );
                self.notice(Severity::Warning, text, Some("look at the file, then decide again".to_owned()));
            }
        }
    }

    fn change_of(&self, id: ItemId) -> Option<&FileChange> {
        match &self.transcript.get(id)?.body {
            ItemBody::FileChange(FileChangeItem { change, .. }) => Some(change),
            _ => None,
        }
    }

    /// Changes a change's item and writes it down.
    fn keep_change(
        &mut self,
        id: ItemId,
        keep: impl FnOnce(&mut FileChangeItem),
    ) -> oneshot::Receiver<io::Result<()>> {
        let item = self.transcript.update(id, |item: &mut Item| {
            if let ItemBody::FileChange(change) = &mut item.body {
                keep(change);
            }
        });
        match item {
            Some(item) => {
                self.log.record_and_tell(&Record::item(&item, Text::AlreadyStored), Durability::Flushed)
            }
            None => oneshot::channel().1,
        }
    }
}

/// When a thread of ours has failed.
const BROKEN: &str = "this failed inside Aside";

/// The hunks that are as was wanted once the plan is carried out.
fn decided_hunks(running: &Running, plan: &Plan) -> Vec<(String, bool)> {
    let done: HashSet<&str> = plan.done.iter().map(String::as_str).collect();
    let hunks = running.wanted.change.hunks.iter().zip(&running.wanted.kept).zip(&running.order.kept);
    hunks
        .filter(|((hunk, flip), _)| flip.is_none() || done.contains(&*hunk.id))
        .filter_map(|((hunk, _), kept)| Some((hunk.id.clone(), (*kept)?)))
        .collect()
}

/// What the model is told of a decision; `None` where it need not know yet.
fn told(before: &FileChange, decided: &[(String, bool)], is_removed: bool) -> Option<String> {
    let decided: HashMap<&str, bool> = decided.iter().map(|(id, kept)| (&**id, *kept)).collect();
    let of = |hunk: &Hunk| decided.get(&*hunk.id).copied();
    let news = |kept: bool, from: &[HunkDecision]| -> Vec<&Hunk> {
        let is_new = |hunk: &&Hunk| of(hunk) == Some(kept) && from.contains(&hunk.decision);
        before.hunks.iter().filter(is_new).collect()
    };
    let back = news(false, &[HunkDecision::Pending, HunkDecision::Accepted]);
    let again = news(true, &[HunkDecision::Rejected]);
    let kept = news(true, &[HunkDecision::Pending]);
    let open = before
        .hunks
        .iter()
        .filter(|hunk| hunk.decision == HunkDecision::Pending && of(hunk).is_none())
        .count();
    let path = before.path.display();
    if back.is_empty() && again.is_empty() && !is_removed {
        if kept.is_empty() || open > 0 {
            return None;
        }
        let all = kept.len() == before.hunks.len();
        let what = if all { "your change" } else { "the rest of your change" };
        return Some(format!("The person looked at {what} of {path} and keeps it."));
    }
    let names = |hunks: &[&Hunk]| -> String {
        hunks.iter().map(|hunk| hunk.id.as_str()).collect::<Vec<_>>().join(", ")
    };
    let is_whole = before.kind != ChangeKind::Modify;
    let mut text = format!("The person looked at your change of {path}. ");
    // Writing to memory does not fail.
    let _ = match (before.kind, is_whole && (is_removed || !back.is_empty())) {
        (ChangeKind::Add, true) => write!(text, "They took it back: the file does not exist any more."),
        (ChangeKind::Delete, true) => write!(text, "They took it back: the file is there again."),
        _ if !back.is_empty() => {
            write!(text, "They took back {}: in these places the file is as it was before.", names(&back))
        }
        _ => Ok(()),
    };
    if !again.is_empty() {
        let _ = write!(text, " They put back in what they had taken out before: {}.", names(&again));
    }
    if !kept.is_empty() {
        let _ = write!(text, " They keep {}.", names(&kept));
    }
    if open > 0 {
        let _ = write!(text, " {open} of the places are not decided on yet.");
    }
    text.push_str(
        " Read the file again before you change it, and do not make again what was taken back unless they ask for it.",
    );
    if !is_whole && !back.is_empty() {
        text.push_str("\n\nTaken back:\n");
        let lines = back.iter().flat_map(|hunk| {
            let head = format!(
                "@@ -{},{} +{},{} @@ {}",
                hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines, hunk.id
            );
            std::iter::once(head).chain(hunk.lines.iter().cloned())
        });
        for (count, line) in lines.enumerate() {
            if count == SHOWN_LINES || text.len() + line.len() > SHOWN_BYTES {
                text.push_str("...\n");
                break;
            }
            text.push_str(&line);
            text.push('\n');
        }
    }
    Some(text.trim_end().to_owned())
}
