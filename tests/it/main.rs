//! The integration tests: one binary, a module per subject.
#![expect(clippy::disallowed_methods, reason = "tests stand outside the seam")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, also in its helpers"
)]

mod abuse;
mod conversation;
mod generated;
mod provider;
mod rules;
mod schema;
mod server;
mod tidy;
mod transport;
