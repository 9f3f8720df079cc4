//! A certificate authority of the test's own, and a server certificate of it for `127.0.0.1` and `api.test`.

use std::io::Write as _;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

pub(crate) struct Authority {
    /// The authority's certificate, alone in its folder.
    pub(crate) pem: tempfile::NamedTempFile,
    _folder: tempfile::TempDir,
    config: Arc<ServerConfig>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), "api.test".to_owned()];
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut pem = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
        // An unusable neighbour must not spoil the file.
        pem.write_all(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        pem.write_all(authority.pem().as_bytes()).unwrap();
        Self { pem, _folder: folder, config: Arc::new(config) }
    }

    /// Speaks HTTP/1.1.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor_for(b"http/1.1")
    }

    /// Speaks nothing but this protocol.
    pub(crate) fn acceptor_for(&self, protocol: &[u8]) -> TlsAcceptor {
        self.acceptor_of(&[protocol])
    }

    /// Says that it speaks these, the first rather than the last.
    pub(crate) fn acceptor_of(&self, protocols: &[&[u8]]) -> TlsAcceptor {
        let mut config = ServerConfig::clone(&self.config);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}
