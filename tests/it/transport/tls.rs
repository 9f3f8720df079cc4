//! A certificate authority of the test's own, and a server certificate of it for `127.0.0.1` and `api.test`.

use std::io::Write as _;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub(crate) struct Authority {
    /// The authority's certificate, alone in its folder.
    pub(crate) pem: tempfile::NamedTempFile,
    _folder: tempfile::TempDir,
    keys: Box<Keys>,
}

struct Keys {
    issuer: CertifiedIssuer<'static, KeyPair>,
    config: Arc<ServerConfig>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("Test Authority")
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let config = served(&issuer, &[], &leaf());
        let folder = tempfile::tempdir().unwrap();
        let mut pem = tempfile::NamedTempFile::new_in(folder.path()).unwrap();
        // An unusable neighbour must not spoil the file, nor what people write between certificates.
        pem.write_all(b"# the company's\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .unwrap();
        pem.write_all(b"subject=/CN=x\n\xff\xfe\n").unwrap();
        pem.write_all(issuer.pem().as_bytes()).unwrap();
        Self { pem, _folder: folder, keys: Box::new(Keys { issuer, config }) }
    }

    /// The authority's certificate, bare.
    pub(crate) fn der(&self) -> Vec<u8> {
        self.keys.issuer.der().to_vec()
    }

    /// Speaks HTTP/1.1.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor_for(b"http/1.1")
    }

    /// Speaks nothing but this protocol.
    pub(crate) fn acceptor_for(&self, protocol: &[u8]) -> TlsAcceptor {
        self.acceptor_speaking(&[protocol])
    }

    /// Says that it speaks these, the first rather than the last.
    pub(crate) fn acceptor_speaking(&self, protocols: &[&[u8]]) -> TlsAcceptor {
        let mut config = ServerConfig::clone(&self.keys.config);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }

    /// With another server certificate than the usual.
    pub(crate) fn acceptor_of(&self, change: impl FnOnce(&mut CertificateParams)) -> TlsAcceptor {
        let mut params = leaf();
        change(&mut params);
        TlsAcceptor::from(served(&self.keys.issuer, &[], &params))
    }

    /// With an authority of this name between itself and the server's certificate.
    pub(crate) fn acceptor_under(&self, name: &str) -> TlsAcceptor {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let between =
            CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &self.keys.issuer).unwrap();
        TlsAcceptor::from(served(&between, &[between.der().clone()], &leaf()))
    }

    /// Of a server that signed its certificate itself.
    pub(crate) fn alone() -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = leaf().self_signed(&key).unwrap();
        TlsAcceptor::from(config(vec![certificate.der().clone()], &key))
    }
}

/// Long over.
pub(crate) fn expired(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2001, 2, 3);
}

/// Far from begun.
pub(crate) fn early(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(4000, 1, 2);
    params.not_after = date_time_ymd(4001, 1, 1);
}

fn leaf() -> CertificateParams {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "api.test".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "api.test");
    params
}

fn served(
    issuer: &CertifiedIssuer<'static, KeyPair>,
    above: &[CertificateDer<'static>],
    params: &CertificateParams,
) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let leaf = params.clone().signed_by(&key, issuer).unwrap();
    config([leaf.der().clone()].into_iter().chain(above.iter().cloned()).collect(), &key)
}

fn config(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Arc<ServerConfig> {
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap());
    Arc::new(config.unwrap())
}
