//! Where in a text its signatures stand.
//!
//! Google signs parts, and wants each part back as it was; for the person several parts are one text. A block's
//! signature therefore is the part's own where the text is one part, else a JSON list of the parts: how many bytes
//! each has, and its signature if it has one.

use crate::models::{Fault, fault};

/// The parts of one text so far.
#[derive(Debug, Default)]
pub(super) struct Parts {
    list: Vec<(usize, Option<String>)>,
    is_signed: bool,
    kept: usize,
}

impl Parts {
    /// A part has come. Unsigned ones that follow each other are one.
    pub(super) fn add(&mut self, bytes: usize, signature: Option<&str>) -> Result<(), Fault> {
        match (signature, self.list.last_mut()) {
            (None, Some((length, None))) => *length += bytes,
            (None, _) if bytes == 0 => {}
            (signature, _) => {
                self.kept += 64 + signature.map_or(0, str::len);
                if self.kept > super::MAX_KEPT {
                    return Err(fault::answer_too_large("bytes that cannot be shown", super::MAX_KEPT));
                }
                self.is_signed |= signature.is_some();
                self.list.push((bytes, signature.map(str::to_owned)));
            }
        }
        Ok(())
    }

    /// What has to go back with the text; `None` where nothing has.
    pub(super) fn signature(self) -> Option<String> {
        if !self.is_signed {
            return None;
        }
        if let [(_, signature)] = &*self.list {
            return signature.clone();
        }
        serde_json::to_string(&self.list).ok()
    }
}

/// The parts of `text` as they came, with their signatures.
pub(super) fn split<'a>(text: &'a str, signature: Option<&'a str>) -> Vec<(&'a str, Option<String>)> {
    let Some(signature) = signature else { return vec![(text, None)] };
    let Some(listed) = listed(text, signature) else {
        return vec![(text, is_valid(signature).then(|| signature.to_owned()))];
    };
    listed
}

fn listed<'a>(text: &'a str, signature: &str) -> Option<Vec<(&'a str, Option<String>)>> {
    // A signature is base64, which has no bracket.
    if !signature.starts_with('[') {
        return None;
    }
    let list: Vec<(usize, Option<String>)> = serde_json::from_str(signature).ok()?;
    let mut rest = text;
    let mut parts = Vec::with_capacity(list.len());
    for (bytes, signature) in list {
        let (part, tail) = rest.split_at_checked(bytes)?;
        parts.push((part, signature.filter(|signature| is_valid(signature))));
        rest = tail;
    }
    rest.is_empty().then_some(parts)
}

/// Whether the API would read it: it is base64 of either alphabet.
pub(super) fn is_valid(signature: &str) -> bool {
    let body = signature.trim_end_matches('=');
    !body.is_empty()
        && signature.len().is_multiple_of(4)
        && signature.len() - body.len() <= 2
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(parts: &[(&str, Option<&str>)]) -> Option<String> {
        let mut joined = Parts::default();
        for (text, signature) in parts {
            joined.add(text.len(), *signature).unwrap();
        }
        joined.signature()
    }

    #[track_caller]
    fn check(parts: &[(&str, Option<&str>)], expected: Option<&str>) {
        let signature = joined(parts);
        assert_eq!(signature.as_deref(), expected);
        let text: String = parts.iter().map(|(text, _)| *text).collect();
        let split = split(&text, signature.as_deref());
        let back: Vec<_> = split.iter().map(|(text, signature)| (*text, signature.as_deref())).collect();
        if signature.is_some() {
            assert_eq!(back, parts);
        }
    }

    #[test]
    fn parts_come_back_as_they_were() {
        check(&[("a", None), ("b", None)], None);
        check(&[("ab", Some("QUJD"))], Some("QUJD"));
        check(&[("", Some("QUJD"))], Some("QUJD"));
        check(&[("zwölf", None), ("", Some("QUJD"))], Some(r#"[[6,null],[0,"QUJD"]]"#));
        check(
            &[("a", Some("QUJD")), ("b", None), ("c", Some("REVG"))],
            Some(r#"[[1,"QUJD"],[1,null],[1,"REVG"]]"#),
        );
    }

    #[test]
    fn what_does_not_fit_is_not_sent() {
        for signature in [
            "x",
            "not base64!",
            "[[1,null]]",
            "[[2,\"QUJD\"]]",
            "[[9,null]]",
            "[1]",
            "[",
            "===",
            "",
            "[[18446744073709551615,null],[1,\"QUJD\"]]",
        ] {
            assert_eq!(split("äb", Some(signature)), [("äb", None)], "{signature}");
        }
        assert_eq!(split("ab", Some("[[1,\"x\"],[1,null]]")), [("a", None), ("b", None)]);
    }

    #[test]
    fn signatures_are_bounded() {
        let mut parts = Parts::default();
        let long = "a".repeat(1 << 20);
        assert!((0..20).any(|_| parts.add(0, Some(&long)).is_err()));
    }
}
