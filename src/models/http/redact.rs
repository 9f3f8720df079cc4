//! Takes a call's secrets out of what others send back: providers echo keys in their error messages, as they
//! were sent or in the form that a URL, a JSON text or a header gave them.

use std::fmt::Write as _;
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
    /// In every form that is looked for; longest first, so that a secret within another leaves no rest.
    secrets: Arc<[SecretString]>,
}

impl Redactor {
    pub(super) fn new(call: &Call) -> Self {
        let mut secrets = Vec::new();
        match &call.credential {
            Credential::None => {}
            Credential::Key(key) | Credential::Bearer(key) => secrets.push(key.expose_secret()),
            Credential::Aws(keys) => secrets.extend(keys.secrets().map(SecretString::expose_secret)),
        }
        secrets.extend(call.headers.iter().map(|(_, value)| value.expose_secret()));
        Self::of(&secrets)
    }

    fn of(secrets: &[&str]) -> Self {
        let mut all: Vec<String> = Vec::new();
        for secret in secrets {
            // `Bearer KEY` may come back as KEY alone.
            for part in std::iter::once(*secret).chain(secret.split_whitespace()) {
                if part.len() >= SHORTEST {
                    all.extend(forms(part));
                }
            }
        }
        all.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
        all.dedup();
        Self { secrets: all.into_iter().map(SecretString::from).collect() }
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

    /// Masks the secrets in a text.
    pub(super) fn text(&self, text: &mut String) {
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

/// A secret as it is, and as it stands in a URL, in JSON and in base 64.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned(), secret.replace('/', "\\/")];
    let quoted = serde_json::Value::from(secret).to_string();
    forms.push(quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned());
    let percent = |upper: bool| {
        secret.bytes().fold(String::new(), |mut text, byte| {
            // Writing to memory does not fail.
            let _ = match byte {
                b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => write!(text, "{}", char::from(b)),
                b if upper => write!(text, "%{b:02X}"),
                b => write!(text, "%{b:02x}"),
            };
            text
        })
    };
    forms.extend([percent(true), percent(false)]);
    for alphabet in [BASE64, BASE64_URL] {
        forms.extend((0..3).map(|shift| base64_within(secret.as_bytes(), shift, alphabet)));
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// What of the base 64 of a text is `bytes` alone, where they begin `shift` bytes after a group of three: the
/// characters that are made of other bytes too are left out.
fn base64_within(bytes: &[u8], shift: usize, alphabet: &[u8; 64]) -> String {
    let all: Vec<u8> = std::iter::repeat_n(0, shift).chain(bytes.iter().copied()).collect();
    let mut text = String::with_capacity(all.len() * 4 / 3 + 4);
    for group in all.chunks(3) {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
            << (8 * (3 - group.len()));
        for at in 0..=group.len() {
            let index = bits >> (18 - 6 * at) & 63;
            text.extend(alphabet.get(index).copied().map(char::from));
        }
    }
    // Six bits a character: 0, 2 or 3 of them hold bits of what comes before.
    let start = (shift * 8).div_ceil(6);
    let end = if all.len().is_multiple_of(3) { text.len() } else { text.len() - 1 };
    text.get(start..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        let redactor = Redactor::of(&["sk-0123456789"]);
        assert_eq!(redactor.bytes(b"sk-0123456789 and sk-0123456789!".to_vec()), b"*** and ***!");
        assert_eq!(redactor.bytes(b"cut at sk-01234567".to_vec()), b"cut at ***");
        assert_eq!(redactor.bytes(b"nothing".to_vec()), b"nothing");
    }

    #[test]
    fn secrets_are_known_in_other_forms() {
        let redactor = Redactor::of(&["Bearer pass/w+rd\"x9"]);
        for (text, expected) in [
            ("?key=pass%2Fw%2Brd%22x9&a", "?key=***&a"),
            ("?key=pass%2fw%2brd%22x9&a", "?key=***&a"),
            (r#"{"key":"pass/w+rd\"x9"}"#, r#"{"key":"***"}"#),
            ("cGFzcy93K3JkIng5 in base 64", "*** in base 64"),
            // `me:` and `user:` before it: other characters, and those at the end belong to both.
            ("Basic bWU6cGFzcy93K3JkIng5", "Basic bWU6***"),
            ("Basic dXNlcjpwYXNzL3crcmQieDk=", "Basic dXNlcjp***k="),
        ] {
            let mut text = text.to_owned();
            redactor.text(&mut text);
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn short_values_are_no_secrets() {
        let mut text = "ollama said true".to_owned();
        Redactor::of(&["ollama", "true"]).text(&mut text);
        assert_eq!(text, "ollama said true");
    }

    proptest::proptest! {
        #[test]
        fn any_base_64_of_a_secret_is_masked(secret in "[!-~]{12,40}", before in "[ -~]{0,5}", after in "[ -~]{0,5}") {
            let whole = format!("{before}{secret}{after}");
            let encoded = base64_within(whole.as_bytes(), 0, BASE64);
            let mut masked = encoded.clone();
            Redactor::of(&[&secret]).text(&mut masked);
            proptest::prop_assert!(masked.contains(MASK), "{encoded} -> {masked}");
        }
    }
}
