//! Changes of files while tools run: as items, on the way through the editor, and called off in time.
//!
//! A change on disk is written down before it is made, so that after any end of the process the session knows
//! whether the file is before or after it. It must never write a file itself.

use tokio::sync::oneshot;

use super::Session;
use crate::engine::event::{EditorRequest, EventBody, OutputBody, QuestionAnswer};
use crate::engine::item::{FileChangeItem, Item, ItemBody, ItemId, ItemStatus};
use crate::engine::session::EditorAsker;
use crate::engine::store::Durability;
use crate::engine::store::format::{Record, Text};
use crate::tools::change::unified;
use crate::tools::context::{CommitGate, Proposal, Proposed};
use crate::tools::{CallId, ChangeEnd, ChangeId, HunkDecision};

/// A change that was proposed and is not settled.
pub(in crate::engine) struct OpenChange {
    /// The tool call that makes it.
    call: ItemId,
    gate: CommitGate,
    /// The tool that waits for the editor.
    reply: Option<oneshot::Sender<Proposed>>,
}

impl Session {
    /// The text of a file as the editor has it, for a tool.
    pub(super) fn editor_text(
        &mut self,
        path: String,
        reply: oneshot::Sender<Result<Option<crate::tools::context::EditorText>, String>>,
    ) {
        if self.world.client.read_file {
            self.ask_editor(EditorRequest::ReadFile { path }, EditorAsker::Text(reply));
        } else {
            // A tool that is gone does not wait for it.
            let _ = reply.send(Ok(None));
        }
    }

    /// A tool is about to change a file.
    pub(super) fn propose(&mut self, call: CallId, proposal: Proposal, reply: oneshot::Sender<Proposed>) {
        let Some(turn) = &self.turn else { return };
        let Proposal { change, edit, gate } = proposal;
        let path = change.path.display().to_string();
        let item = self.transcript.push(Item {
            id: self.transcript.next_id(),
            turn: Some(turn.id),
            call: self.transcript.last_call(),
            status: ItemStatus::InProgress,
            created_at_ms: self.world.system.clock.now_ms(),
            text: unified(&change),
            body: ItemBody::FileChange(FileChangeItem { tool_call: ItemId(call.0), change, review: None }),
        });
        let id = item.id;
        let record = Record::item(&item, Text::Whole);
        self.out.event(EventBody::ItemStarted(item));
        if let Some(edit) = edit.filter(|_| self.world.client.apply_edit) {
            self.log.record(&record, Durability::Written);
            self.changes.insert(id, OpenChange { call: ItemId(call.0), gate, reply: Some(reply) });
            self.ask_editor(
                EditorRequest::ApplyEdit { item: id, path, edit, is_review: false },
                EditorAsker::Change(id),
            );
        } else {
            let stored = self.log.record_and_tell(&record, Durability::Flushed);
            self.changes.insert(id, OpenChange { call: ItemId(call.0), gate, reply: None });
            self.when_stored(stored, ChangeId(id.0), reply);
        }
    }

    /// The editor has answered.
    pub(in crate::engine) fn editor_answered(&mut self, asker: EditorAsker, answer: QuestionAnswer) {
        match (asker, answer) {
            (EditorAsker::Text(reply), QuestionAnswer::Text(text)) => {
                // The tool may have ended meanwhile.
                let _ = reply.send(Ok(text));
            }
            (EditorAsker::Text(reply), _) => {
                let _ = reply.send(Err("the editor could not tell the file's text".to_owned()));
            }
            (EditorAsker::Change(item), answer) => self.edited(item, answer),
            // The session may be closing.
            (EditorAsker::Review(reply), answer) => drop(reply.send(answer)),
        }
    }

    /// The editor has made the change, or has not.
    fn edited(&mut self, id: ItemId, answer: QuestionAnswer) {
        let Some(open) = self.changes.remove(&id) else { return };
        let (proposed, status) = match answer {
            QuestionAnswer::Edited { applied: true, rejected, .. } => {
                self.decide_hunks(id, &rejected);
                (Proposed::Applied { rejected }, ItemStatus::Completed)
            }
            QuestionAnswer::Edited { applied: false, reason, .. } => {
                let reason = reason.unwrap_or_else(|| "the person did not take it".to_owned());
                (Proposed::Refused { reason }, ItemStatus::Failed)
            }
            QuestionAnswer::Option { .. }
            | QuestionAnswer::Values(_)
            | QuestionAnswer::Text(_)
            | QuestionAnswer::Closed => {
                let reason = "the editor did not make the change and did not say why".to_owned();
                (Proposed::Refused { reason }, ItemStatus::Failed)
            }
        };
        self.complete_change(id, status);
        if let Some(reply) = open.reply {
            // The tool may have been cancelled; the item says what is true.
            let _ = reply.send(proposed);
        }
    }

    /// Notes what the person said to hunks while the change was made.
    fn decide_hunks(&mut self, id: ItemId, rejected: &[String]) {
        if rejected.is_empty() {
            return;
        }
        self.transcript.update(id, |item| {
            if let ItemBody::FileChange(FileChangeItem { change, .. }) = &mut item.body {
                for hunk in &mut change.hunks {
                    let is_left_out = hunk.decision == HunkDecision::Rejected;
                    hunk.decision = if is_left_out || rejected.contains(&hunk.id) {
                        HunkDecision::Rejected
                    } else {
                        HunkDecision::Accepted
                    };
                }
            }
        });
    }

    /// A tool has made its change on disk, or could not.
    pub(super) fn settled(&mut self, change: ChangeId, end: ChangeEnd) {
        let id = ItemId(change.0);
        if self.changes.remove(&id).is_some() {
            self.complete_change(
                id,
                match end {
                    ChangeEnd::Made => ItemStatus::Completed,
                    ChangeEnd::Failed => ItemStatus::Failed,
                },
            );
        }
    }

    /// Calls off what can still be called off. What is being made just now settles by itself.
    pub(in crate::engine) fn call_off_changes(&mut self) {
        self.call_off(|_| true);
    }

    /// The same for the changes of one call.
    pub(super) fn call_off_changes_of(&mut self, call: ItemId) {
        self.call_off(|open| open.call == call);
    }

    fn call_off(&mut self, is_meant: impl Fn(&OpenChange) -> bool) {
        let meant = self.changes.iter().filter(|(_, open)| is_meant(open) && open.gate.shut());
        let off: Vec<ItemId> = meant.map(|(id, _)| *id).collect();
        for id in off {
            self.changes.remove(&id);
            self.complete_change(id, ItemStatus::Cancelled);
        }
        let changes = &self.changes;
        let gone =
            |asker: &EditorAsker| matches!(asker, EditorAsker::Change(id) if !changes.contains_key(id));
        let gone: Vec<_> =
            self.editor_requests.iter().filter(|(_, asker)| gone(asker)).map(|(id, _)| *id).collect();
        for id in gone {
            self.editor_requests.remove(&id);
            self.out.send(OutputBody::QuestionClosed(id));
        }
    }

    fn complete_change(&mut self, id: ItemId, status: ItemStatus) {
        if let Some(item) = self.transcript.update(id, |item| item.status = status) {
            self.log.completed(&item, Durability::Flushed);
            self.out.event(EventBody::ItemCompleted(item));
        }
        // A decision on an earlier change of the file may have waited for it.
        self.begin_review();
    }
}
