//! The integration tests: one binary, a module per subject.
#![expect(clippy::disallowed_methods, reason = "tests stand outside the seam")]

mod generated;
mod schema;
