//! What a failed TLS handshake means: whose certificate was refused, why, and how to trust it if it is to be.

use rustls::{AlertDescription, CertificateError, Error};

use super::hinted;
use crate::net::clean::clean;
use crate::net::fault::Again;
use crate::net::fault::{Category, Fault};
use crate::net::transport::certificate::date;
use crate::net::transport::verifier::Refused;

/// A clock that is off by less is no cause of anything, in milliseconds.
const TOLERATED_SKEW_MS: i64 = 5 * 60_000;
/// Names of a certificate that are told.
const NAMES: usize = 4;

/// `host` is the one that was called, `via` how. `skew_ms`: how far this machine's clock is ahead, if known.
pub(super) fn fault(error: &Error, host: &str, via: &str, skew_ms: Option<i64>) -> Fault {
    let refused = match error {
        Error::InvalidCertificate(CertificateError::Other(other)) => other.0.downcast_ref::<Refused>(),
        _ => None,
    };
    let (cause, hint) = match refused {
        Some(refused) => certificate(refused, host, skew_ms),
        None => handshake(error),
    };
    hinted(Category::Tls, format!("no secure connection to {host}{via}: {cause}"), &hint).again(Again::Never)
}

/// A handshake that failed for another reason than a certificate.
fn handshake(error: &Error) -> (String, String) {
    match error {
        Error::InvalidMessage(_) => (
            clean(&error.to_string()),
            "the server may speak plain http: check the scheme and port of baseUrl, or of the proxy".to_owned(),
        ),
        Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::AccessDenied,
        ) => (
            format!("the server refused us: {}", clean(&error.to_string())),
            "it may want a certificate of the client, which is not supported".to_owned(),
        ),
        Error::AlertReceived(_) | Error::PeerIncompatible(_) | Error::NoApplicationProtocol => (
            format!("the server refused the handshake: {}", clean(&error.to_string())),
            "TLS 1.2 or 1.3 is spoken; a proxy between here and there, or a wrong host name, may be the cause"
                .to_owned(),
        ),
        other => (
            clean(&other.to_string()),
            "check host and port of baseUrl, and whether a proxy stands between".to_owned(),
        ),
    }
}

/// A certificate that was refused, and what to do about it.
fn certificate(refused: &Refused, host: &str, skew_ms: Option<i64>) -> (String, String) {
    let Refused { cause, server, certificate, root, is_alone } = refused;
    let whose = if host.rsplit_once(':').is_some_and(|(name, _)| name.trim_matches(['[', ']']) == server) {
        "its certificate".to_owned()
    } else {
        format!("the certificate of {}", clean(server))
    };
    let issuer = certificate.issuer.as_ref().map(|issuer| format!("\"{issuer}\""));
    let by = issuer.as_ref().map_or_else(String::new, |issuer| format!(", issued by {issuer},"));
    if *is_alone {
        return (
            format!(
                "no certificate authority is installed on this machine, so {whose}{by} cannot be checked"
            ),
            "install the system's certificates (ca-certificates); if SSL_CERT_FILE or SSL_CERT_DIR is set, correct it, as it stands in their place"
                .to_owned(),
        );
    }
    match cause {
        CertificateError::Expired => (format!("{whose}{by} has expired"), clock(None, skew_ms)),
        CertificateError::ExpiredContext { time, not_after } => (
            format!("{whose}{by} expired on {}", date(not_after.as_secs())),
            clock(Some(time.as_secs()), skew_ms),
        ),
        CertificateError::NotValidYet => (format!("{whose}{by} is not valid yet"), clock(None, skew_ms)),
        CertificateError::NotValidYetContext { time, not_before } => (
            format!("{whose}{by} is not valid before {}", date(not_before.as_secs())),
            clock(Some(time.as_secs()), skew_ms),
        ),
        CertificateError::NotValidForName => {
            let other =
                certificate.subject.as_ref().map_or("another name".to_owned(), |it| format!("\"{it}\""));
            (format!("{whose}{by} is for {other}"), wrong_name())
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let mut names: Vec<String> = presented.iter().take(NAMES).map(|name| bare(name)).collect();
            match presented.len() {
                0 => names.push("another name".to_owned()),
                count if count > NAMES => names.push(format!("{} more", count - NAMES)),
                _ => {}
            }
            (format!("{whose}{by} is for another name: {}", names.join(", ")), wrong_name())
        }
        CertificateError::Revoked => {
            (format!("{whose}{by} was revoked"), "do not trust it; tell whoever runs the server".to_owned())
        }
        _ if certificate.is_self_issued => {
            let name = issuer.map_or_else(String::new, |issuer| format!(" ({issuer})"));
            (format!("{whose} is signed by itself{name}"), trust("that certificate"))
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            let under = root.as_ref().map_or_else(String::new, |root| format!(" under \"{root}\""));
            let issuer = issuer.unwrap_or_else(|| "an authority without a name".to_owned());
            (
                format!("{whose} was issued by {issuer}{under}, an unknown authority"),
                trust(&format!(
                    "the certificate of {}",
                    root.as_ref().map_or(issuer, |root| format!("\"{root}\""))
                )),
            )
        }
        other => (format!("{whose}{by} is not acceptable: {}", clean(&other.to_string())), trust("it")),
    }
}

/// How to trust something.
fn trust(what: &str) -> String {
    format!(
        "if that is your company's or provider's own, add the file of {what} (PEM) to the setting extraCaFiles or name it in NODE_EXTRA_CA_CERTS or SSL_CERT_FILE"
    )
}

fn wrong_name() -> String {
    "check the host of baseUrl, and whether a proxy or sign-in page answers in its place".to_owned()
}

/// What may be wrong with the time. `now` in seconds since the epoch.
fn clock(now: Option<u64>, skew_ms: Option<i64>) -> String {
    let says = now.map_or_else(String::new, |now| format!(", which says {}", date(now)));
    match skew_ms.filter(|skew| skew.abs() > TOLERATED_SKEW_MS) {
        Some(skew) => {
            let minutes = skew.unsigned_abs() / 60_000;
            let direction = if skew > 0 { "ahead" } else { "behind" };
            let off = match minutes {
                0..120 => format!("{minutes} minutes"),
                120..2_880 => format!("{} hours", minutes / 60),
                _ => format!("{} days", minutes / 1_440),
            };
            format!("the clock of this machine{says}, seems to be {off} {direction}: correct it")
        }
        None => format!(
            "check the clock of this machine{says}; if it is right, the server's certificate must be renewed"
        ),
    }
}

/// `DnsName("x.test")` and its like, without their wrapping.
fn bare(name: &str) -> String {
    let inner = name.split_once('(').map_or(name, |(_, rest)| rest.trim_end_matches(')'));
    clean(inner).chars().filter(|c| *c != '"').take(80).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;
    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;
    use crate::net::transport::certificate::Certificate;

    fn told(cause: CertificateError, change: impl FnOnce(&mut Refused)) -> (String, String) {
        let certificate = Certificate {
            issuer: Some("Corp CA".to_owned()),
            subject: Some("x.test".to_owned()),
            is_self_issued: false,
        };
        let mut refused =
            Refused { cause, server: "x.test".to_owned(), certificate, root: None, is_alone: false };
        change(&mut refused);
        let error = Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refused))));
        let fault = fault(&error, "x.test:443", "", Some(3 * 86_400_000));
        (fault.message.replace("no secure connection to x.test:443: ", ""), fault.hint.unwrap())
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds))
    }

    #[test]
    fn each_refusal_says_what_it_is() {
        let expired = CertificateError::ExpiredContext { time: at(784_111_777), not_after: at(0) };
        let (message, hint) = told(expired, |_| {});
        assert_eq!(message, "its certificate, issued by \"Corp CA\", expired on 1970-01-01 00:00 UTC");
        assert_eq!(
            hint,
            "the clock of this machine, which says 1994-11-06 08:49 UTC, seems to be 3 days ahead: correct it"
        );
        let early = CertificateError::NotValidYetContext { time: at(0), not_before: at(784_111_777) };
        assert!(told(early, |_| {}).0.ends_with("is not valid before 1994-11-06 08:49 UTC"));

        let (message, hint) =
            told(CertificateError::UnknownIssuer, |refused| refused.root = Some("Corp Root".to_owned()));
        assert_eq!(
            message,
            "its certificate was issued by \"Corp CA\" under \"Corp Root\", an unknown authority"
        );
        assert!(
            hint.contains("the file of the certificate of \"Corp Root\" (PEM) to the setting extraCaFiles")
        );

        let (message, _) = told(CertificateError::UnknownIssuer, |refused| {
            refused.certificate.is_self_issued = true;
            refused.server = "proxy.test".to_owned();
        });
        assert_eq!(message, "the certificate of proxy.test is signed by itself (\"Corp CA\")");

        let (message, hint) = told(CertificateError::UnknownIssuer, |refused| refused.is_alone = true);
        assert!(
            message.starts_with("no certificate authority is installed") && hint.contains("ca-certificates")
        );

        let names = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("x.test").unwrap(),
            presented: vec!["DnsName(\"a.test\")".to_owned(), "IpAddress(127.0.0.1)".to_owned()],
        };
        let (message, _) = told(names, |_| {});
        assert!(message.ends_with("is for another name: a.test, 127.0.0.1"), "{message}");
        assert!(told(CertificateError::Revoked, |_| {}).0.ends_with("was revoked"));
        assert!(told(CertificateError::BadEncoding, |_| {}).0.contains("not acceptable"));
    }

    #[test]
    fn a_handshake_without_a_certificate_says_why_it_failed() {
        let fault = |error| fault(&error, "x.test:443", " through the proxy p:1 (HTTPS_PROXY)", None);
        let refused = fault(Error::AlertReceived(AlertDescription::HandshakeFailure));
        assert!(
            refused.message.starts_with(
                "no secure connection to x.test:443 through the proxy p:1 (HTTPS_PROXY): the server refused the handshake"
            ),
            "{refused}"
        );
        let wants = fault(Error::AlertReceived(AlertDescription::CertificateRequired));
        assert!(wants.hint.unwrap().contains("certificate of the client"));
    }
}
