//! The integration tests: one binary, a module per subject.
#![expect(clippy::disallowed_methods, reason = "tests stand outside the seam")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, also in its helpers"
)]

#[cfg(unix)]
mod faults;
mod generated;
#[cfg(unix)]
mod lifecycle;
#[cfg(unix)]
mod process;
mod provider;
mod schema;
#[cfg(unix)]
mod store;
mod tidy;
mod transport;
