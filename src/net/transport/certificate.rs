//! What a certificate says of itself, for messages: who issued it, to whom, from when to when.
//!
//! It must never decide whom to trust: names are whatever the peer likes to write. Next: `verifier.rs`.

use crate::net::clean::clean;

/// Characters of a name in a message.
const MAX_NAME: usize = 100;

/// The readable parts of one certificate. What could not be read is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Who signed it: a common name, else an organisation.
    pub(crate) issuer: Option<String>,
    /// Whom it is for.
    pub(crate) subject: Option<String>,
    /// Whether it names itself as its issuer.
    pub(crate) is_self_issued: bool,
}

/// Reads a certificate in DER; `None` where it is none.
pub(crate) fn read(der: &[u8]) -> Option<Certificate> {
    let mut outer = der;
    let mut certificate = expect(&mut outer, SEQUENCE)?;
    let mut rest = expect(&mut certificate, SEQUENCE)?;
    if rest.first() == Some(&VERSION) {
        element(&mut rest)?;
    }
    expect(&mut rest, INTEGER)?;
    // The algorithm.
    expect(&mut rest, SEQUENCE)?;
    let issuer = expect(&mut rest, SEQUENCE)?;
    // From when to when: the verifier tells that itself.
    expect(&mut rest, SEQUENCE)?;
    let subject = expect(&mut rest, SEQUENCE)?;
    Some(Certificate { issuer: name(issuer), subject: name(subject), is_self_issued: issuer == subject })
}

const INTEGER: u8 = 0x02;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const BMP_STRING: u8 = 0x1e;
/// UTF-8, numeric, printable, teletex and IA5 strings: all of them ASCII where they are sane.
const STRINGS: [u8; 5] = [0x0c, 0x12, 0x13, 0x14, 0x16];

/// Parts of a name, the one that tells most first: common name, organisation, organisational unit.
const PARTS: [&[u8]; 3] = [&[0x55, 4, 3], &[0x55, 4, 10], &[0x55, 4, 11]];

/// The part of a distinguished name that tells most.
fn name(mut rest: &[u8]) -> Option<String> {
    let mut best: Option<(usize, String)> = None;
    while !rest.is_empty() {
        let mut set = expect(&mut rest, SET)?;
        while !set.is_empty() {
            let mut pair = expect(&mut set, SEQUENCE)?;
            let kind = expect(&mut pair, OBJECT_ID)?;
            let (tag, value) = element(&mut pair)?;
            let Some(rank) = PARTS.iter().position(|part| *part == kind) else { continue };
            if best.as_ref().is_none_or(|(known, _)| rank < *known)
                && let Some(text) = text(tag, value)
            {
                best = Some((rank, text));
            }
        }
    }
    best.map(|(_, text)| text)
}

fn text(tag: u8, bytes: &[u8]) -> Option<String> {
    let text = match tag {
        BMP_STRING => {
            let pairs =
                bytes.chunks_exact(2).filter_map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)));
            char::decode_utf16(pairs).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        _ if STRINGS.contains(&tag) => String::from_utf8_lossy(bytes).into_owned(),
        _ => return None,
    };
    let text: String = clean(&text).chars().filter(|c| *c != '"').take(MAX_NAME).collect();
    (!text.is_empty()).then_some(text)
}

/// The content of the next element, if it has this tag.
fn expect<'d>(rest: &mut &'d [u8], wanted: u8) -> Option<&'d [u8]> {
    let (tag, content) = element(rest)?;
    (tag == wanted).then_some(content)
}

/// Tag and content of the next element.
fn element<'d>(rest: &mut &'d [u8]) -> Option<(u8, &'d [u8])> {
    let (tag, after) = rest.split_first()?;
    let (first, mut after) = after.split_first()?;
    let length = match first {
        0..=0x7f => usize::from(*first),
        0x81..=0x84 => {
            let (bytes, left) = after.split_at_checked(usize::from(first & 0x7f))?;
            after = left;
            bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
        }
        _ => return None,
    };
    let (content, left) = after.split_at_checked(length)?;
    *rest = left;
    Some((*tag, content))
}

/// A point in time as people write it, to the minute, in UTC. `seconds` since the epoch.
pub(crate) fn date(seconds: u64) -> String {
    let (days, minutes) = (seconds / 86_400, seconds % 86_400 / 60);
    // Civil from days, with the year beginning in March.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

    use super::*;

    fn made(parts: &[(DnType, DnValue)]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["x.test".to_owned()]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn text(text: &str) -> DnValue {
        DnValue::Utf8String(text.to_owned())
    }

    #[test]
    fn the_name_that_tells_most_is_read() {
        let named = |parts: &[(DnType, DnValue)]| read(&made(parts)).unwrap().issuer;
        let (name, company) = (DnType::CommonName, DnType::OrganizationName);
        assert_eq!(
            named(&[
                (company.clone(), text("Corp")),
                (name.clone(), text("Corp \u{1b}[31mProxy\u{202e} \"CA\""))
            ]),
            Some("Corp Proxy CA".to_owned())
        );
        assert_eq!(
            named(&[(DnType::CountryName, text("DE")), (company, text("Corp"))]),
            Some("Corp".to_owned())
        );
        assert_eq!(named(&[]), None);
        let wide = DnValue::BmpString("Größe".try_into().unwrap());
        assert_eq!(named(&[(name.clone(), wide)]), Some("Größe".to_owned()));
        assert_eq!(named(&[(name, text(&"x".repeat(5_000)))]), Some("x".repeat(MAX_NAME)));
        assert!(read(&made(&[])).unwrap().is_self_issued);
    }

    #[test]
    fn garbage_is_no_certificate() {
        let whole = made(&[(DnType::CommonName, text("A name"))]);
        for end in 0..whole.len() {
            // Cut anywhere, it is unreadable; nothing panics.
            assert_eq!(read(&whole[..end]), None, "{end}");
        }
        assert_eq!(read(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff, 1]), None);
        assert_eq!(read(&[SEQUENCE, 0x80, 0, 0]), None);
    }

    proptest::proptest! {
        #[test]
        fn damage_never_panics(at in 0_usize..300, byte: u8) {
            let mut der = made(&[(DnType::CommonName, text("A name"))]);
            if let Some(place) = der.get_mut(at) {
                *place = byte;
            }
            read(&der);
        }
    }

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(784_111_777), "1994-11-06 08:49 UTC");
        assert_eq!(date(1_709_164_800), "2024-02-29 00:00 UTC");
        assert_eq!(date(4_102_444_799), "2099-12-31 23:59 UTC");
    }
}
