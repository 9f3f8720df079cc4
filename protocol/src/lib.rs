//! The native JSON-RPC contract of Aside.
//!
//! Dumb structs: camelCase names, an explicit `type` tag, every field of an answer present (null rather than
//! absent), unknown fields of input ignored, unknown values of open enumerations kept as text. Nothing here
//! knows how a message travels or what it does. `methods.rs` is the one table; with the feature `schema`,
//! `generate.rs` makes the published descriptions from it.

#[macro_use]
mod open;

pub mod account;
pub mod ask;
pub mod content;
pub mod error;
pub mod event;
pub mod initialize;
pub mod item;
pub mod layout;
pub mod methods;
pub mod model;
pub mod permission;
pub mod review;
pub mod secret;
pub mod session;
pub mod turn;

#[cfg(feature = "schema")]
pub mod generate;

pub use account::*;
pub use ask::*;
pub use content::*;
pub use error::*;
pub use event::*;
pub use initialize::*;
pub use item::*;
pub use layout::*;
pub use methods::*;
pub use model::*;
pub use permission::*;
pub use review::*;
pub use secret::Secret;
pub use session::*;
pub use turn::*;

/// The version of this contract, exchanged by `initialize`. It rises when something is taken away or changes
/// its meaning, never when something is added.
pub const PROTOCOL_VERSION: u32 = 1;
