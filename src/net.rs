//! Reaching other machines: the HTTP client with its proxies and certificates, what can go wrong with a
//! connection, and one small exchange for whoever needs an answer and no stream.
//!
//! It must never know what a call is for, hold a credential beyond the request it is given, or follow a redirect.

pub mod clean;
pub mod exchange;
pub mod fault;
pub(crate) mod retry_after;
pub(crate) mod transport;

pub use exchange::{Answer, Ask, Body, Net};
pub use fault::{Again, Category, Fault};
