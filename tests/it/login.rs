//! Signing in, from the first question to the first prompt, against [`Identity`](crate::identity::Identity) at the
//! providers' production addresses.

mod attacks;
pub(crate) mod browser;
mod flows;
mod recording;
mod secrecy;
mod terminal;
mod wire;
