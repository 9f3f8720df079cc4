//! From a provider to the [`Credential`] that a call is made with: explicit key, `auth.json`, environment,
//! `models.json`, in that order. It must never know of sessions or doors.

use secrecy::SecretString;

/// What a call is authorised with. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub enum Credential {
    /// The provider takes calls without one.
    None,
    /// A key, put where the wire puts keys.
    Key(SecretString),
}
