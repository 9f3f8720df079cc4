//! Reads what a JSON web token says of its holder. Nothing is verified: the token came from its issuer over TLS,
//! and nothing is granted for what it says.

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

/// The longest token that is looked into, in bytes.
const MAX: usize = 64 << 10;

/// URL-safe, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The claims of `token`; `None` where it is no such token.
pub(super) fn of(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if token.len() > MAX || parts.next().is_some() {
        return None;
    }
    let claims: Value = serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()?;
    claims.is_object().then_some(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_in_the_url_safe_alphabet() {
        // "~~~???" needs both characters that differ from plain base64.
        let text = r#"{"a":"~~~???>>>"}"#;
        let part = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        assert!(part.contains('-') || part.contains('_'), "{part}");
        let read = of(&format!("e30.{part}.sig")).unwrap();
        assert_eq!(read["a"], "~~~???>>>");
        let padded = base64::engine::general_purpose::URL_SAFE.encode(text);
        assert_eq!(of(&format!("e30.{padded}.")), Some(read));
        for bad in ["", "a.b", "a.b.c", "e30.e30.e30.e30", "e30.!!.x", "e30.W10.x", "x.IiI.x"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(of(&format!("e30.{}.x", "A".repeat(MAX))), None);
    }
}
