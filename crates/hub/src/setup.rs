//! Settings that cannot work, told before any call.

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
    /// Who gives the tokens is no host.
    #[error("the authority must be https://HOST or https://HOST:PORT, without path")]
    Authority,
    /// The management plane is no host.
    #[error("the management plane must be https://HOST or https://HOST:PORT, without path")]
    Management,
    /// The id is not that of a hub.
    #[error(
        "the resource id must be /subscriptions/…/resourceGroups/…/providers/Microsoft.Devices/\
         IotHubs/NAME"
    )]
    Resource,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}
