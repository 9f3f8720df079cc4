//! The native protocol: handlers, one for each method of the table in `aside-protocol`, and the life of one
//! connection on standard input and output.
//!
//! Handlers are registered on a `RpcModule` and looked up there; they translate, hand over and return at once.
//! `project.rs` makes lines of what the engine tells; `lifecycle.rs` says when the process ends.

mod convert;
mod handlers;
pub mod lifecycle;
pub mod project;

pub use convert::{
    info as wire_info, item as wire_item, model_info, prompt_result as wire_prompt_result, provider_info,
    stop_reason as wire_stop_reason, turn_error as wire_turn_error,
};
pub use lifecycle::{Ended, Streams, serve};
