//! The integration tests: one binary, a module per subject.
#![expect(clippy::disallowed_methods, reason = "tests stand outside the seam")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, also in its helpers"
)]

mod abuse;
mod accounts;
mod catalog;
mod cli;
mod commands;
mod conversation;
mod discovery;
mod faults;
mod flood;
mod generated;
mod hands;
mod identity;
mod independent;
mod jobs;
mod lifecycle;
mod lines;
mod lists;
mod login;
mod outage;
mod process;
mod provider;
mod providers;
mod refresh;
mod review;
mod roots;
mod rules;
mod schema;
mod server;
mod shell;
mod store;
mod tidy;
mod transport;
