//! The secrets of one login through the browser: PKCE's verifier with its challenge, and the state.
//!
//! Verifier and state are two random values: a URL holds the state and the challenge, and never the verifier.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};

use super::{OAuthError, OAuthErrorKind};
use crate::system::Random;

/// Random bytes of each; 43 characters when written.
const BYTES: usize = 32;

/// No `Debug`: it holds secrets.
pub(super) struct Pkce {
    /// Proves to the provider that whoever redeems the code began the login.
    pub(super) verifier: SecretString,
    /// The verifier's SHA-256, which is what the browser carries.
    pub(super) challenge: String,
    state: String,
    pub(super) proof: Proof,
}

/// What shows that an answer belongs to a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// The state, which the provider gives back.
    State,
    /// The path that was asked for, which holds the state.
    Path,
}

impl Pkce {
    /// New ones.
    pub(super) fn new(random: &Random) -> Result<Self, OAuthError> {
        let verifier = unguessable(random)?;
        let challenge = challenge(&verifier);
        Ok(Self { verifier: verifier.into(), challenge, state: unguessable(random)?, proof: Proof::State })
    }

    /// The same for a provider that does not give the state back.
    pub(super) fn proven_by(self, proof: Proof) -> Self {
        Self { proof, ..self }
    }

    /// What the provider gives back with the code.
    pub(super) fn state(&self) -> &str {
        &self.state
    }

    /// Whether a state that came back is ours, in a time that does not depend on where they differ.
    pub(super) fn is_state(&self, other: &str) -> bool {
        verify_slices_are_equal(self.state.as_bytes(), other.as_bytes()).is_ok()
    }

    /// The verifier's text.
    pub(super) fn verifier(&self) -> &str {
        self.verifier.expose_secret()
    }
}

/// 43 characters that nobody can guess.
pub(super) fn unguessable(random: &Random) -> Result<String, OAuthError> {
    let mut bytes = [0; BYTES];
    random.fill(&mut bytes).map_err(|error| {
        OAuthError::new(
            OAuthErrorKind::Protocol,
            format!("this machine gives no random numbers, without which no login is safe: {error}"),
            "mend the operating system's random generator",
        )
    })?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn verifier_and_state_are_two_values_of_256_bits() {
        let (one, other) = (Pkce::new(&Random::Real).unwrap(), Pkce::new(&Random::Real).unwrap());
        for text in [one.verifier(), one.state(), &one.challenge] {
            assert_eq!(text.len(), 43);
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
        }
        let all = [one.verifier(), one.state(), &one.challenge, other.verifier(), other.state()];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert!(one.is_state(one.state()) && !one.is_state(other.state()));
        for near in ["", &one.state()[..42], &format!("{}A", one.state())] {
            assert!(!one.is_state(near));
        }
    }
}
