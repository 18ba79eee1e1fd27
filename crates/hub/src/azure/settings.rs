//! What a connector needs to know.

use std::time::Duration;

use hubshift_azure::ConnectionString;
use secrecy::SecretString;

/// How to reach a hub. `Debug` shows no key.
#[derive(Clone, Debug)]
pub struct AzureSettings {
    /// The hub's host, with `:port` where it is not 443.
    pub host: String,
    /// The shared access policy's name.
    pub policy: String,
    /// The policy's key, base64.
    pub key: SecretString,
    /// Certificates to trust, as PEM, *instead of* the public authorities.
    pub ca_pem: Option<String>,
    /// How long a call may take in all. Azure queues calls before it throttles: 90 s there.
    pub call_deadline: Duration,
    /// How old the hub's listing may be.
    pub read_lag: Duration,
}

impl AzureSettings {
    /// Settings of a connection string: public authorities, a deadline of 90 s and a read lag of
    /// 10 minutes, as Azure needs them.
    pub fn new(connection: &ConnectionString) -> Self {
        Self {
            host: connection.host.clone(),
            policy: connection.policy.clone(),
            key: SecretString::from(connection.key.expose()),
            ca_pem: None,
            call_deadline: Duration::from_secs(90),
            read_lag: Duration::from_secs(600),
        }
    }
}

/// Settings that no connector can be made of. No text has a key in it.
#[derive(Debug, thiserror::Error)]
pub enum HubSetupError {
    /// The host is a URL, a path or otherwise no host.
    #[error("the hub's host must be a host or host:port, without https:// and path")]
    Host,
    /// The key is not base64.
    #[error("the hub's key is not base64")]
    Key,
    /// The certificates to trust are no PEM.
    #[error("the certificates to trust are no PEM file with certificates")]
    CertificateAuthority,
    /// The deadline is zero.
    #[error("the call deadline must be longer than nothing")]
    Deadline,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}
