//! Whom a client trusts, and how it identifies itself.
//!
//! Only the configured CA is trusted, never the system's: between services there is one authority.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::{TlsError, files, provider};

/// How a client checks its server, and the certificate that it shows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientTls {
    /// The authorities that may have signed the server's certificate.
    pub ca: PathBuf,
    /// The client's certificate chain, leaf first; goes with `key`.
    pub cert: Option<PathBuf>,
    /// The client's private key; goes with `cert`.
    pub key: Option<PathBuf>,
    /// The name to expect in the server's certificate, if it is not the host of the address.
    pub server_name: Option<String>,
}

impl ClientTls {
    /// The settings of a tonic channel. Every file is read and checked here.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn load(&self) -> Result<ClientTlsConfig, TlsError> {
        self.rustls()?;
        let mut config =
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem(&self.ca)?));
        if let Some((cert, key)) = self.identity()? {
            config = config.identity(Identity::from_pem(pem(cert)?, pem(key)?));
        }
        if let Some(name) = &self.server_name {
            config = config.domain_name(name);
        }
        Ok(config)
    }

    /// The same settings for a client that uses rustls itself. No ALPN is set.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn rustls(&self) -> Result<Arc<rustls::ClientConfig>, TlsError> {
        let builder = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|source| TlsError::unusable(&self.ca, source))?
            .with_root_certificates(files::roots(&self.ca)?);
        let config = match self.identity()? {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => builder
                .with_client_auth_cert(files::certificates(cert)?, files::private_key(key)?)
                .map_err(|source| TlsError::unusable(cert, source))?,
        };
        Ok(Arc::new(config))
    }

    fn identity(&self) -> Result<Option<(&Path, &Path)>, TlsError> {
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Ok(Some((cert, key))),
            (None, None) => Ok(None),
            (Some(_), None) | (None, Some(_)) => Err(TlsError::HalfIdentity),
        }
    }
}

fn pem(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path)
        .map_err(|error| TlsError::unreadable(path, rustls_pki_types::pem::Error::Io(error)))
}
