//! The rules of docs/architecture.md that a connection shows: served in every state, answers in order, events
//! numbered, everything bounded, exactly one answer.

mod bounded;
mod one_answer;
mod order;
mod replay;
mod served;
