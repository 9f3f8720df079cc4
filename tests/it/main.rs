//! The one integration binary: features at a boundary, one module each, and what they share.

mod provider;
mod transport;
