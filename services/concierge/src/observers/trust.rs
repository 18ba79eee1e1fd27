//! Whose certificates are believed: public authorities, and those of a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore};

/// Authorities that can't be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// The file is missing, or not PEM.
    #[error("{} can't be read as PEM", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: pem::Error,
    },
    /// It names nobody.
    #[error("{} holds no certificate", .0.display())]
    Empty(PathBuf),
    /// TLS does not take them.
    #[error("TLS can't be set up")]
    Tls(#[from] rustls::Error),
}

/// A client that believes public authorities and, if there is a file, those in it. It resumes no
/// session: every connection looks at the certificate.
pub(super) fn client(ca: Option<&Path>) -> Result<ClientConfig, TrustError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for certificate in ca.map(certificates).transpose()?.unwrap_or_default() {
        roots.add(certificate)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let unreadable = |source| TrustError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(unreadable)?
        .collect::<Result<_, _>>()
        .map_err(unreadable)?;
    if found.is_empty() {
        return Err(TrustError::Empty(path.to_owned()));
    }
    Ok(found)
}
