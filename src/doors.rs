//! The faces of Aside: one file per protocol, over one framing and one peer.
//!
//! A door translates and owns no session state; what it keeps can be made again from a snapshot. It never
//! talks to a provider.

pub mod framing;
pub mod lines;
pub mod native;
pub mod peer;
