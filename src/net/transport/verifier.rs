//! The platform's judgement of certificates, which remembers what it refused, so that a message can name it.
//!
//! It must never accept what the platform refuses. Next: `certificate.rs`, which reads names.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};

use super::certificate::{self, Certificate};

/// A certificate that was refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{cause}")]
pub(crate) struct Refused {
    /// The platform's own word.
    pub(crate) cause: CertificateError,
    /// Whose certificate it was to be: a host, or an HTTPS proxy.
    pub(crate) server: String,
    /// What it says of itself.
    pub(crate) certificate: Certificate,
    /// Who stands at the top of what the server sent, where that is not the issuer.
    pub(crate) root: Option<String>,
    /// Nobody at all is trusted on this machine.
    pub(crate) is_alone: bool,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct Verifier {
    /// `None` where there is not one authority on this machine.
    platform: Option<rustls_platform_verifier::Verifier>,
    schemes: Vec<SignatureScheme>,
}

impl Verifier {
    /// Trusts the system's authorities and these.
    pub(super) fn new(extra: Vec<CertificateDer<'static>>, crypto: Arc<CryptoProvider>) -> Self {
        let schemes = crypto.signature_verification_algorithms.supported_schemes();
        #[cfg(not(target_os = "android"))]
        let platform = rustls_platform_verifier::Verifier::new_with_extra_roots(extra, crypto).ok();
        #[cfg(target_os = "android")]
        let platform = {
            drop(extra);
            rustls_platform_verifier::Verifier::new(crypto).ok()
        };
        Self { platform, schemes }
    }

    fn platform(&self) -> Result<&rustls_platform_verifier::Verifier, rustls::Error> {
        self.platform.as_ref().ok_or(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.platform().and_then(|platform| {
            platform.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        });
        verified.map_err(|error| match error {
            rustls::Error::InvalidCertificate(cause) => {
                let certificate = certificate::read(end_entity).unwrap_or_default();
                let top = intermediates.iter().rev().find_map(|der| certificate::read(der)?.issuer);
                let refused = Refused {
                    cause,
                    server: server_name.to_str().into_owned(),
                    root: top.filter(|top| Some(top) != certificate.issuer.as_ref()),
                    certificate,
                    is_alone: self.platform.is_none(),
                };
                let other = OtherError(Arc::new(refused));
                rustls::Error::InvalidCertificate(CertificateError::Other(other))
            }
            other => other,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.platform()?.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.platform()?.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match &self.platform {
            Some(platform) => platform.supported_verify_schemes(),
            None => self.schemes.clone(),
        }
    }
}
