//! From the engine's messages to lines of the native protocol. Also used by the command line's `--json`.

use std::io::Write as _;
use std::sync::Arc;

use super::drawn::{self, Drawn};
use super::{convert, export};
use crate::doors::peer::RpcError;
use crate::doors::peer::writer::{Projection, append};
use crate::engine::{
    Answer, EditorRequest, Event, EventBody, Failure, Field, Item, OpenedContent, Output, OutputBody,
    Question, QuestionId, SessionId,
};
use aside_protocol as wire;

/// The projection of the native door.
#[derive(Default)]
pub struct Native {
    /// The sessions that this client has drawn as lines.
    drawn: Drawn,
}

impl Projection for Native {
    fn output(&mut self, output: &Output, json: &mut Vec<u8>) {
        match &output.body {
            OutputBody::Event(event) => {
                json.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":");
                match self.drawn.event(&output.session, output.epoch, event, json) {
                    drawn::Told::AsItems => write_event(&output.session, output.epoch, event, json),
                    drawn::Told::Written => {}
                    drawn::Told::Nothing => return json.clear(),
                }
                json.push(b'}');
            }
            OutputBody::Question(question) => ask(&output.session, question, json),
            OutputBody::EditorRequest { id, request } => ask_editor(&output.session, *id, request, json),
            OutputBody::QuestionClosed(question) => {
                json.extend_from_slice(
                    b"{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":",
                );
                append(json, &question_request_id(&output.session, *question));
                json.extend_from_slice(b"}}");
            }
            // The peer takes answers out before.
            OutputBody::Answer { .. } => {}
        }
    }

    fn answer(&mut self, answer: &Answer, note: Option<&str>, json: &mut Vec<u8>) {
        let document = self.drawn.answer(answer, note);
        match answer {
            Answer::NewSession(info) => append(
                json,
                &wire::NewSessionResult {
                    session_id: info.session.to_string(),
                    session: convert::info(info),
                    document,
                },
            ),
            Answer::Opened(opened) => {
                let session = &opened.info.session;
                let (events, snapshot) = match &opened.content {
                    OpenedContent::Events(events) => (
                        Some(
                            events
                                .iter()
                                .map(|event| convert::event(session, opened.info.epoch, event))
                                .collect(),
                        ),
                        None,
                    ),
                    OpenedContent::Snapshot { items, omitted, turns: _, turn, questions, queue } => {
                        let are_wanted = |item: &&Arc<Item>| document.is_none() || drawn::is_sent_whole(item);
                        let items = items.iter().filter(are_wanted);
                        let snapshot = wire::Snapshot {
                            items: items.map(|item| convert::item(item)).collect(),
                            omitted: u32::try_from(*omitted).unwrap_or(u32::MAX),
                            turn_id: turn.map(|turn| turn.to_string()),
                            questions: questions
                                .iter()
                                .map(|question| convert::question(session, question))
                                .collect(),
                            queue: queue.iter().map(convert::queue_entry).collect(),
                        };
                        (None, Some(snapshot))
                    }
                };
                append(
                    json,
                    &wire::OpenSessionResult {
                        session: convert::info(&opened.info),
                        events,
                        snapshot,
                        document,
                    },
                );
            }
            Answer::Configured { info, warnings } => append(
                json,
                &wire::ConfigureSessionResult { session: convert::info(info), warnings: warnings.clone() },
            ),
            Answer::Export { info, items, format } => {
                append(json, &wire::ExportSessionResult { text: export::text(info, items, *format) });
            }
            Answer::Queue(queue) => {
                append(json, &wire::QueueResult { queue: queue.iter().map(convert::queue_entry).collect() });
            }
            Answer::Reviewed { item, refused } => {
                let refused = refused.iter().map(|refused| wire::RefusedHunk {
                    id: refused.hunk.clone(),
                    reason: refused.reason.clone(),
                });
                append(
                    json,
                    &wire::ReviewChangeResult { item: convert::item(item), refused: refused.collect() },
                );
            }
            Answer::Ran { item, exit_code, output } => append(
                json,
                &wire::RunShellResult {
                    item_id: item.to_string(),
                    exit_code: *exit_code,
                    output: output.clone(),
                },
            ),
            Answer::Closed | Answer::Done | Answer::ShutDown => json.extend_from_slice(b"{}"),
            Answer::Prompt(outcome) => append(json, &convert::prompt_result(outcome)),
            Answer::Explained(explained) => append(json, &convert::explained(explained)),
            Answer::Cancelled { any } => append(json, &wire::CancelResult { cancelled: *any }),
            Answer::Sessions { sessions, next_cursor } => append(
                json,
                &wire::ListSessionsResult {
                    sessions: sessions.iter().map(convert::summary).collect(),
                    next_cursor: next_cursor.clone(),
                },
            ),
        }
    }

    fn failure(&mut self, failure: &Failure) -> RpcError {
        convert::rpc_error(failure)
    }
}

/// Appends an event's params. Deltas, of which there are many, are written by hand.
pub fn write_event(session: &SessionId, epoch: u64, event: &Event, json: &mut Vec<u8>) {
    let EventBody::Delta { item, field, text } = &event.body else {
        append(json, &convert::event(session, epoch, event));
        return;
    };
    let kind = match field {
        Field::Text => "delta",
        Field::Arguments => "argumentsDelta",
    };
    write_head(session, epoch, event.from_seq, event.seq, json);
    json.extend_from_slice(kind.as_bytes());
    json.extend_from_slice(b"\",\"itemId\":\"");
    // Writing to memory does not fail.
    let _ = write!(json, "{item}");
    json.extend_from_slice(b"\",\"text\":");
    append(json, text);
    json.push(b'}');
}

/// What stands before an event's kind.
pub(super) fn write_head(session: &SessionId, epoch: u64, from_seq: u64, seq: u64, json: &mut Vec<u8>) {
    // A session's id needs no escape.
    json.extend_from_slice(b"{\"sessionId\":\"");
    json.extend_from_slice(session.as_str().as_bytes());
    json.extend_from_slice(b"\",\"epoch\":");
    append(json, &epoch);
    json.extend_from_slice(b",\"seq\":");
    append(json, &seq);
    if from_seq != seq {
        json.extend_from_slice(b",\"fromSeq\":");
        append(json, &from_seq);
    }
    json.extend_from_slice(b",\"type\":\"");
}

/// The id of the request that puts a question: what is needed to find it again is in the id itself.
fn question_request_id(session: &SessionId, question: QuestionId) -> String {
    format!("{session}/{question}")
}

/// The question that an answer with this id (JSON text) belongs to.
pub fn question_of(id: &str) -> Option<(SessionId, QuestionId)> {
    let id: String = serde_json::from_str(id).ok()?;
    let (session, question) = id.split_once('/')?;
    Some((SessionId::parse(session)?, QuestionId::parse(question)?))
}

fn ask_editor(session: &SessionId, id: QuestionId, request: &EditorRequest, json: &mut Vec<u8>) {
    json.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    append(json, &question_request_id(session, id));
    match request {
        EditorRequest::ReadFile { path } => {
            json.extend_from_slice(b",\"method\":\"readFile\",\"params\":");
            append(json, &wire::ReadFileParams { session_id: session.to_string(), path: path.clone() });
        }
        EditorRequest::ApplyEdit { item, path, edit, is_review } => {
            json.extend_from_slice(b",\"method\":\"applyEdit\",\"params\":");
            append(json, &convert::apply_edit(session, *item, path, edit, *is_review));
        }
    }
    json.push(b'}');
}

fn ask(session: &SessionId, question: &Question, json: &mut Vec<u8>) {
    json.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    append(json, &question_request_id(session, question.id));
    match convert::question(session, question) {
        wire::PendingQuestion::Permission { request } => {
            json.extend_from_slice(b",\"method\":\"requestPermission\",\"params\":");
            append(json, &request);
        }
        wire::PendingQuestion::Form { request } => {
            json.extend_from_slice(b",\"method\":\"promptUser\",\"params\":");
            append(json, &request);
        }
    }
    json.push(b'}');
}
