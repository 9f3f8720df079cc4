//! Aside: an AI agent server that sits beside an editor.
//!
//! The rooms and the arrows between them are drawn in `docs/architecture.md`; a room uses only rooms to its
//! right: `cli`, `doors`, `engine`, (`tools` | `models`), `accounts`, `catalog`, `net`, `settings`, `system`.
//! A test in `tests/it/tidy.rs` holds the `use` lines to that picture.

pub mod accounts;
pub mod catalog;
pub mod cli;
pub mod doors;
pub mod engine;
pub mod models;
pub mod net;
pub mod settings;
pub mod system;
pub mod tools;
