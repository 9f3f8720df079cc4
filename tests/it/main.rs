//! The one integration binary: features at a boundary, one module each, and what they share.
#![expect(clippy::disallowed_methods, reason = "tests stand outside the seam")]

mod generated;
mod provider;
mod schema;
mod transport;
