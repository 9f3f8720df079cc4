//! Signs requests as AWS wants it (Signature Version 4).
//!
//! What is signed is what AWS insists on: host, content type and its own headers; proxies change the others on
//! the way. A signature holds for minutes, so each try of a call is signed anew. It must never show a key. Our own
//! because the official crate brings some thirty others; hashes are those of the TLS library.

use aws_lc_rs::{digest, hmac};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;
use url::Url;

use crate::accounts::AwsKeys;
use crate::system::clock::date;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// A request that is complete but for its signature.
pub(super) struct Unsigned<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a Url,
    pub(super) body: &'a [u8],
}

/// What a signature is good for.
pub(super) struct Scope<'a> {
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    /// Milliseconds since the Unix epoch.
    pub(super) now_ms: u64,
}

/// A key that no header can hold.
#[derive(Debug)]
pub(super) struct BadKey;

/// Adds the headers that authorise the request. Headers that belong to a signature and came from elsewhere are
/// taken out.
pub(super) fn sign(
    request: &Unsigned<'_>,
    headers: &mut HeaderMap,
    keys: &AwsKeys,
    scope: &Scope<'_>,
) -> Result<(), BadKey> {
    let strange: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with("x-amz-")).cloned().collect();
    for name in strange.iter().chain([&AUTHORIZATION, &HOST]) {
        headers.remove(name);
    }
    let time = timestamp(scope.now_ms);
    let date = time.get(..8).unwrap_or_default();
    headers.insert(DATE, HeaderValue::from_str(&time).map_err(|_| BadKey)?);
    if let Some(token) = &keys.session_token {
        headers.insert(TOKEN, secret(token.expose_secret())?);
    }

    // In the order of the alphabet.
    let host = host(request.url);
    let mut signed = vec![("host", Zeroizing::new(host)), ("x-amz-date", Zeroizing::new(time.clone()))];
    for (at, name) in [(0, CONTENT_TYPE), (signed.len() + 1, TOKEN)] {
        if let Some(value) = headers.get(&name).and_then(|value| value.to_str().ok()) {
            let name = if name == TOKEN { "x-amz-security-token" } else { "content-type" };
            signed.insert(at.min(signed.len()), (name, Zeroizing::new(collapsed(value))));
        }
    }
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let mut canonical = Zeroizing::new(format!(
        "{}\n{}\n{}\n",
        request.method,
        path(request.url.path()),
        query(request.url.query().unwrap_or_default()),
    ));
    for (name, value) in &signed {
        canonical.extend([name, ":", value.as_str(), "\n"]);
    }
    canonical.extend(["\n", &names, "\n", &hash(request.body)]);

    let Scope { service, region, .. } = scope;
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let text = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hash(canonical.as_bytes()));
    let seed = Zeroizing::new(format!("AWS4{}", keys.secret_access_key.expose_secret()));
    let key = [date, region, service, "aws4_request"]
        .into_iter()
        .fold(hmac::Key::new(hmac::HMAC_SHA256, seed.as_bytes()), |key, part| {
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
        });
    let signature = hex(hmac::sign(&key, text.as_bytes()).as_ref());
    let id = keys.access_key_id.expose_secret();
    let authorization =
        format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}");
    headers.insert(AUTHORIZATION, secret(&authorization)?);
    Ok(())
}

fn secret(value: &str) -> Result<HeaderValue, BadKey> {
    let mut value = HeaderValue::from_str(value).map_err(|_| BadKey)?;
    value.set_sensitive(true);
    Ok(value)
}

/// As the client will send it: with a port that is not the scheme's own.
fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A header's value as it is signed.
fn collapsed(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The path as it is signed: what is encoded on the wire is encoded once more, and empty parts are left out.
fn path(on_the_wire: &str) -> String {
    let mut out = String::with_capacity(on_the_wire.len() + 16);
    for part in on_the_wire.split('/').filter(|part| !part.is_empty()) {
        out.push('/');
        encode(part.bytes(), &mut out);
    }
    if out.is_empty() || on_the_wire.ends_with('/') {
        out.push('/');
    }
    out
}

/// The query as it is signed: decoded, encoded anew, and in order.
fn query(on_the_wire: &str) -> String {
    let mut pairs: Vec<(String, String)> = on_the_wire
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let anew = |text: &str| {
                let mut out = String::with_capacity(text.len());
                encode(decoded(text), &mut out);
                out
            };
            (anew(name), anew(value))
        })
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((first, rest)) = bytes.split_first() {
        let digits = rest.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = digits.and_then(|digits| {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            Some(digit(digits[0])? << 4 | digit(digits[1])?)
        });
        out.push(byte.unwrap_or(*first));
        bytes = if byte.is_some() { rest.get(2..).unwrap_or_default() } else { rest };
    }
    out
}

fn encode(bytes: impl IntoIterator<Item = u8>, out: &mut String) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            push_hex(byte, b"0123456789ABCDEF", out);
        }
    }
}

fn hash(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        push_hex(*byte, b"0123456789abcdef", &mut out);
    }
    out
}

fn push_hex(byte: u8, digits: &[u8; 16], out: &mut String) {
    for nibble in [byte >> 4, byte & 15] {
        out.extend(digits.get(usize::from(nibble)).map(|digit| char::from(*digit)));
    }
}

/// A time as AWS writes it: `20150830T123600Z`.
fn timestamp(ms: u64) -> String {
    let seconds = ms / 1000;
    let of_day = seconds % 86_400;
    let (year, month, day) = date(ms);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys of AWS's own examples.
    fn keys(session_token: Option<&str>) -> AwsKeys {
        AwsKeys {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session_token: session_token.map(Into::into),
        }
    }

    fn signed(
        request: &Unsigned<'_>,
        content_type: Option<&str>,
        keys: &AwsKeys,
        scope: &Scope<'_>,
    ) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        }
        for strange in ["authorization", "host", "x-amz-date", "x-amz-content-sha256", "user-agent"] {
            headers.insert(strange, HeaderValue::from_static("strange"));
        }
        sign(request, &mut headers, keys, scope).unwrap();
        assert_eq!(headers.remove("user-agent").unwrap(), "strange");
        assert!(!headers.contains_key("x-amz-content-sha256") && !headers.contains_key(HOST));
        headers
    }

    #[track_caller]
    fn check_published(method: &str, target: &str, content_type: Option<&str>, body: &str, signature: &str) {
        let url = Url::parse(&format!("https://example.amazonaws.com{target}")).unwrap();
        let request = Unsigned { method, url: &url, body: body.as_bytes() };
        let scope = Scope { service: "service", region: "us-east-1", now_ms: 1_440_938_160_000 };
        let headers = signed(&request, content_type, &keys(None), &scope);
        let names = if content_type.is_some() { "content-type;host;x-amz-date" } else { "host;x-amz-date" };
        assert_eq!(
            headers[AUTHORIZATION],
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders={names}, Signature={signature}"
            )
        );
    }

    #[test]
    fn the_published_examples_are_signed_as_published() {
        let vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        check_published("GET", "/", None, "", vanilla);
        check_published("GET", "//", None, "", vanilla);
        let query = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500";
        check_published("GET", "/?Param2=value2&Param1=value1", None, "", query);
        let post = "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b";
        check_published("POST", "/", None, "", post);
        let form = "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a";
        check_published("POST", "/", Some("application/x-www-form-urlencoded"), "Param1=value1", form);
    }

    #[test]
    fn requests_are_signed_as_another_signer_signs_them() {
        let cases = include_str!("../../../tests/fixtures/bedrock-converse-stream/signatures.json");
        let cases: Vec<serde_json::Value> = serde_json::from_str(cases).unwrap();
        assert!(cases.len() >= 5);
        for case in cases {
            let word = |name: &str| case[name].as_str().unwrap();
            let url = Url::parse(word("url")).unwrap();
            assert_eq!(path(url.path()), word("canonicalPath"));
            let request = Unsigned { method: "POST", url: &url, body: word("body").as_bytes() };
            let scope = Scope {
                service: "bedrock",
                region: word("region"),
                now_ms: case["timeMs"].as_u64().unwrap(),
            };
            let token = case["token"].as_str();
            let headers = signed(&request, Some("application/json"), &keys(token), &scope);
            assert_eq!(headers[DATE], word("date"));
            assert_eq!(headers.get(TOKEN).map(|token| token.to_str().unwrap()), token);
            assert_eq!(headers[AUTHORIZATION], word("authorization"), "{}", word("name"));
            assert!(headers[AUTHORIZATION].is_sensitive());
        }
    }

    #[test]
    fn times_are_written_as_dates() {
        for (ms, expected) in [
            (0, "19700101T000000Z"),
            (951_782_399_999, "20000228T235959Z"),
            (951_782_400_000, "20000229T000000Z"),
            (1_709_164_800_000, "20240229T000000Z"),
            (1_735_689_599_000, "20241231T235959Z"),
            (4_102_444_800_000, "21000101T000000Z"),
        ] {
            assert_eq!(timestamp(ms), expected);
        }
    }

    #[test]
    fn a_key_that_no_header_holds_is_told() {
        let url = Url::parse("https://h.test/").unwrap();
        let request = Unsigned { method: "POST", url: &url, body: b"" };
        let scope = Scope { service: "s", region: "r", now_ms: 0 };
        assert!(sign(&request, &mut HeaderMap::new(), &keys(Some("a\nb")), &scope).is_err());
    }
}
