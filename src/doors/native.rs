//! The native protocol: handlers, one for each method of the table in `aside-protocol`, and the life of one
//! connection on standard input and output.
//!
//! Handlers are registered on a `RpcModule` and looked up there; they translate, hand over and return at once.
//! `project.rs` makes lines of what the engine tells; `lifecycle.rs` says when the process ends.

mod accounts;
pub mod convert;
mod drawn;
mod export;
mod handlers;
pub mod lifecycle;
mod login;
pub mod project;
mod refresh;
mod review;

pub use accounts::auth_status;
pub use handlers::{diagnostics, models, providers};
