//! TLS for listeners and clients, from PEM files: rustls with ring, TLS 1.2 and 1.3.
//!
//! A listener with `client_ca` is mutual: a connection without a certificate from that CA does
//! not come about. Files are read once, at start. Errors name the file and never its content.

mod client;
pub mod dev_ca;
mod error;
mod files;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use serde::Deserialize;

pub use client::ClientTls;
pub use dev_ca::DevAuthority;
pub use error::TlsError;

/// How a listener identifies itself, and whom it lets in.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerTls {
    /// The certificate chain, leaf first.
    pub cert: PathBuf,
    /// The private key of the leaf: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
    /// If set, every client must show a certificate from one of these authorities.
    pub client_ca: Option<PathBuf>,
}

impl ServerTls {
    /// Reads the files and makes the configuration of a listener that speaks h2 and http/1.1.
    ///
    /// # Errors
    /// [`TlsError`], naming the file that is missing, empty or does not fit.
    pub fn load(&self) -> Result<Arc<rustls::ServerConfig>, TlsError> {
        let chain = files::certificates(&self.cert)?;
        let key = files::private_key(&self.key)?;
        let unusable = |source| TlsError::unusable(&self.cert, source);
        let builder = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let builder = match self.client_verifier()? {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        if self.client_ca.is_none() {
            // The memory of sessions holds 256; what a hundred thousand devices come back with has
            // to be on their side. Where certificates are asked for, it is few who come.
            config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(unusable)?;
        }
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn client_verifier(&self) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        let Some(path) = &self.client_ca else {
            return Ok(None);
        };
        let roots = Arc::new(files::roots(path)?);
        WebPkiClientVerifier::builder_with_provider(roots, provider())
            .build()
            .map(Some)
            .map_err(|error| TlsError::unusable(path, rustls::Error::General(error.to_string())))
    }
}

/// The one cryptography provider, passed explicitly: no process-wide default is needed.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

#[cfg(test)]
mod tests;
