//! Why TLS cannot be set up.

use std::path::{Path, PathBuf};

/// A TLS setting that cannot work. Exit with [`crate::exit::USAGE`].
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable, or not PEM.
    #[error("{} cannot be read as PEM", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// A PEM file holds no certificate.
    #[error("{} holds no certificate", .path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The files can be read, but TLS cannot use them: key and certificate differ, for instance.
    #[error("{} cannot be used for TLS", .path.display())]
    Unusable {
        /// The certificate file.
        path: PathBuf,
        /// What TLS said.
        #[source]
        source: rustls::Error,
    },
    /// Only one of a client's certificate and key is configured.
    #[error("a client certificate needs both `cert` and `key`")]
    HalfIdentity,
    /// An address of a service is not a URL like `https://host:port`.
    #[error("`{url}` is not an address: write http://host:port, or https://host:port with `tls`")]
    BadUrl {
        /// The address as configured.
        url: String,
    },
    /// `https` without `tls`, or `tls` with `http`.
    #[error("`{url}` does not fit its `tls` setting: use https with `tls`, http without")]
    SchemeMismatch {
        /// The address as configured.
        url: String,
    },
    /// The channel could not be made from otherwise good settings.
    #[error("no TLS channel can be made to `{url}`")]
    Channel {
        /// The address as configured.
        url: String,
        /// What the transport said.
        #[source]
        source: tonic::transport::Error,
    },
}

impl TlsError {
    pub(super) fn unreadable(path: &Path, source: rustls_pki_types::pem::Error) -> Self {
        Self::Unreadable {
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn unusable(path: &Path, source: rustls::Error) -> Self {
        Self::Unusable {
            path: path.to_owned(),
            source,
        }
    }
}
