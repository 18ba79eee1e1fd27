//! The HTTPS client: TLS with the roots that are to be trusted, and time for a hub that queues.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, redirect};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// A hub queues calls before it refuses them: less would send again what is still on its way.
const DEADLINE: Duration = Duration::from_secs(90);
const USER_AGENT: &str = concat!("hubshift-conformance/", env!("CARGO_PKG_VERSION"));

/// No client can be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The certificates to trust are no PEM.
    #[error("the certificates to trust are no PEM file with certificates")]
    CertificateAuthority,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

/// A client that trusts these certificates, or the public authorities if there are none.
pub(crate) fn client(ca_pem: Option<&str>) -> Result<Client, SetupError> {
    let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(SetupError::Tls)?
        .with_root_certificates(roots(ca_pem)?)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Client::builder()
        .use_preconfigured_tls(tls)
        .user_agent(USER_AGENT)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(DEADLINE)
        .build()
        .map_err(SetupError::Client)
}

fn roots(ca_pem: Option<&str>) -> Result<RootCertStore, SetupError> {
    let Some(pem) = ca_pem else {
        let public = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        return Ok(RootCertStore {
            roots: public.collect(),
        });
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| SetupError::CertificateAuthority)?;
        roots
            .add(certificate)
            .map_err(|_| SetupError::CertificateAuthority)?;
    }
    if roots.is_empty() {
        Err(SetupError::CertificateAuthority)
    } else {
        Ok(roots)
    }
}
