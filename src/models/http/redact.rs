//! Takes a call's secrets out of what others send back: providers echo keys in their error messages.

use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretString};

use crate::accounts::Credential;
use crate::models::{Call, Fault};

/// What shorter values are is no secret, but words (`ollama`, `true`) that would tear holes into messages.
const SHORTEST: usize = 8;
const MASK: &str = "***";

/// The secrets of one call.
#[derive(Clone)]
pub(super) struct Redactor {
    /// Longest first, so that a secret within another leaves no rest.
    secrets: Arc<[SecretString]>,
}

impl Redactor {
    pub(super) fn new(call: &Call) -> Self {
        let mut secrets = Vec::new();
        let mut add = |secret: &str| {
            // `Bearer KEY` may come back as KEY alone.
            for part in std::iter::once(secret).chain(secret.split_whitespace()) {
                if part.len() >= SHORTEST {
                    secrets.push(SecretString::from(part.to_owned()));
                }
            }
        };
        if let Credential::Key(key) | Credential::Bearer(key) = &call.credential {
            add(key.expose_secret());
        }
        for (_, value) in &call.headers {
            add(value.expose_secret());
        }
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        Self { secrets: secrets.into() }
    }

    /// Masks the secrets in every text of a fault.
    pub(super) fn fault(&self, fault: &mut Fault) {
        self.text(&mut fault.message);
        if let Some(hint) = &mut fault.hint {
            self.text(hint);
        }
        for short in [Some(&mut fault.said), fault.code.as_mut()].into_iter().flatten() {
            let mut text = std::mem::take(short).into_string();
            self.text(&mut text);
            *short = text.into();
        }
    }

    fn text(&self, text: &mut String) {
        for secret in self.secrets.iter() {
            if text.contains(secret.expose_secret()) {
                *text = text.replace(secret.expose_secret(), MASK);
            }
        }
    }

    /// Masks the secrets in a body, before anyone cuts or escapes it. A secret that the body's end cuts off
    /// is masked too.
    pub(super) fn bytes(&self, body: Vec<u8>) -> Vec<u8> {
        let mut body = body;
        for secret in self.secrets.iter() {
            let secret = secret.expose_secret().as_bytes();
            let finder = memchr::memmem::Finder::new(secret);
            if finder.find(&body).is_some() {
                let mut masked = Vec::with_capacity(body.len());
                let mut from = 0;
                for at in finder.find_iter(&body) {
                    masked.extend_from_slice(body.get(from..at).unwrap_or_default());
                    masked.extend_from_slice(MASK.as_bytes());
                    from = at + secret.len();
                }
                masked.extend_from_slice(body.get(from..).unwrap_or_default());
                body = masked;
            }
            let cut = (SHORTEST..secret.len())
                .rev()
                .find(|len| body.ends_with(secret.get(..*len).unwrap_or(secret)));
            if let Some(len) = cut {
                body.truncate(body.len() - len);
                body.extend_from_slice(MASK.as_bytes());
            }
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        Redactor { secrets: secrets.iter().map(|secret| SecretString::from((*secret).to_owned())).collect() }
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let redactor = redactor(&["sk-0123456789"]);
        assert_eq!(redactor.bytes(b"sk-0123456789 and sk-0123456789!".to_vec()), b"*** and ***!");
        assert_eq!(redactor.bytes(b"cut at sk-01234567".to_vec()), b"cut at ***");
        assert_eq!(redactor.bytes(b"nothing".to_vec()), b"nothing");
    }
}
