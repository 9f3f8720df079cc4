//! One socket that stands in for every host there is: a proxy leads to it, and it has a certificate of its own
//! authority for whatever name it is asked for.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::{self, sign::any_supported_type};
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::provider::Provider;
use crate::server::PATIENCE;
use crate::transport::tunnel::{Kind, Tunnel};

pub(crate) struct Internet {
    provider: Provider,
    tunnel: Tunnel,
    pem: tempfile::NamedTempFile,
    /// Ends the thread of both.
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Internet {
    pub(crate) fn start() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let pem = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(pem.path(), issuer.pem()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(AnyHost { issuer, key: KeyPair::generate().unwrap() }));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (sender, started) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let provider = Provider::start_tls(acceptor).await;
                let tunnel = Tunnel::start(Kind::Connect, provider.address()).await;
                sender.send((provider, tunnel)).unwrap();
                // An error means the same: the test is over.
                let _ = stopped.await;
            });
        });
        let (provider, tunnel) = started.recv_timeout(PATIENCE).unwrap();
        Self { provider, tunnel, pem, _stop: stop }
    }

    /// What every request reaches.
    pub(crate) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The way there.
    pub(crate) fn proxy(&self) -> String {
        self.tunnel.url()
    }

    /// The file of the authority's certificate.
    pub(crate) fn authority(&self) -> &str {
        self.pem.path().to_str().unwrap()
    }

    /// Every `host:port` that was asked for.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.tunnel.targets()
    }
}

/// A certificate for whoever is meant.
struct AnyHost {
    issuer: CertifiedIssuer<'static, KeyPair>,
    key: KeyPair,
}

impl std::fmt::Debug for AnyHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnyHost")
    }
}

impl ResolvesServerCert for AnyHost {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let names = vec![hello.server_name()?.to_owned()];
        let leaf = CertificateParams::new(names).unwrap().signed_by(&self.key, &self.issuer).unwrap();
        let key = any_supported_type(&PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()).unwrap();
        Some(Arc::new(CertifiedKey::new(vec![leaf.der().clone()], key)))
    }
}
