//! The integration tests: one binary, a module per subject.
#![expect(clippy::disallowed_methods, reason = "tests stand outside the seam")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, also in its helpers"
)]

#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
mod flood;
mod generated;
#[cfg(target_os = "linux")]
mod independent;
#[cfg(target_os = "linux")]
mod lifecycle;
#[cfg(target_os = "linux")]
mod process;
mod provider;
mod schema;
#[cfg(target_os = "linux")]
mod store;
mod tidy;
mod transport;
