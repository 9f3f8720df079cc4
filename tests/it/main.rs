//! The one integration binary: features at a boundary, one module each, and what they share.
#![expect(clippy::disallowed_methods, reason = "tests stand outside the seam")]

// `cfg(test)` is always true here; it tells clippy that unwrapping is fine, as in unit tests.
#[cfg(test)]
mod provider;
#[cfg(test)]
mod transport;
