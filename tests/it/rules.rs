//! The rules of docs/architecture.md that a connection shows: served in every state, answers in order, events
//! numbered, everything bounded, exactly one answer, nothing long where deltas stream.

mod bounded;
mod light;
mod one_answer;
mod order;
mod replay;
mod served;
