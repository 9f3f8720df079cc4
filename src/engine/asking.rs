//! Questions that a session puts: to the person, whom it waits for, and to the editor, which answers by itself.

use std::sync::Arc;

use super::event::{
    EditorRequest, EventBody, OutputBody, Question, QuestionAnswer, QuestionBody, SessionState,
};
use super::item::{ItemId, QuestionId, Severity};
use super::session::{Asker, EditorAsker, Session};
use crate::tools::Ask;

impl Session {
    /// An answer was written into the user's settings, or was not.
    pub(super) fn remembered(&mut self, written: Result<Result<(), String>, tokio::task::JoinError>) {
        if let Ok(Err(why)) = written {
            let text = format!("the answer holds for this session only: {why}");
            self.notice(Severity::Warning, text, None);
        }
    }

    /// Puts a question to the client.
    pub(super) fn ask(&mut self, body: QuestionBody, asker: Asker) -> QuestionId {
        self.next_question += 1;
        let question = Arc::new(Question { id: QuestionId(self.next_question), body });
        self.questions.insert(question.id, (Arc::clone(&question), asker));
        self.out.event(EventBody::QuestionAsked(Arc::clone(&question)));
        if self.questions.len() == 1 {
            self.out.event(EventBody::StateChanged(SessionState::Waiting));
        }
        let id = question.id;
        self.out.send(OutputBody::Question(question));
        id
    }

    /// Takes back the question whether a call may run.
    pub(super) fn withdraw_question(&mut self, call: ItemId) {
        let of_call =
            |(_, asker): &(Arc<Question>, Asker)| matches!(asker, Asker::Permission(id) if *id == call);
        let Some(id) = self.questions.iter().find(|(_, asked)| of_call(asked)).map(|(id, _)| *id) else {
            return;
        };
        self.questions.remove(&id);
        self.out.send(OutputBody::QuestionClosed(id));
        self.out.event(EventBody::QuestionResolved { question: id, outcome: "cancelled" });
        if self.questions.is_empty() {
            self.out.event(EventBody::StateChanged(SessionState::Running));
        }
    }

    /// Asks the editor for something.
    pub(super) fn ask_editor(&mut self, request: EditorRequest, asker: EditorAsker) {
        self.next_question += 1;
        let id = QuestionId(self.next_question);
        self.editor_requests.insert(id, asker);
        self.out.send(OutputBody::EditorRequest { id, request });
    }

    pub(super) fn ask_form(&mut self, ask: Ask) {
        if ask.reply.is_closed() || !self.world.client.prompt_user {
            // The tool is gone, or nobody can answer, which the tool is told by the lost reply.
            return;
        }
        self.ask(QuestionBody::Form(ask.form), Asker::Tool(ask.reply));
    }

    /// An answer of the client. One that is late or comes twice finds no question and is ignored.
    pub(super) fn answered(&mut self, id: QuestionId, answer: QuestionAnswer) {
        if let Some(asker) = self.editor_requests.remove(&id) {
            return self.editor_answered(asker, answer);
        }
        let Some((_, asker)) = self.questions.remove(&id) else { return };
        let outcome = if answer == QuestionAnswer::Closed { "closed" } else { "answered" };
        self.out.event(EventBody::QuestionResolved { question: id, outcome });
        if self.questions.is_empty() {
            self.out.event(EventBody::StateChanged(SessionState::Running));
        }
        match (asker, answer) {
            (Asker::Tool(reply), QuestionAnswer::Values(values)) => {
                // The tool may have ended meanwhile.
                let _ = reply.send(Some(values));
            }
            (Asker::Tool(reply), _) => drop(reply),
            (Asker::Permission(item), answer) => self.permission_answered(item, answer),
        }
    }
}
