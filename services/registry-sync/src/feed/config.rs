//! Where deliveries come in.

use std::net::SocketAddr;

use anyhow::ensure;
use hubshift_shell::tls::ServerTls;
use serde::Deserialize;

use crate::secret::SecretRef;

/// The listener for Event Grid's deliveries.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedConfig {
    /// Where Event Grid calls; beyond loopback only with TLS. Azure wants a certificate of a public
    /// authority: put a gateway in front that has one, or give this listener one.
    pub listen: SocketAddr,
    /// TLS of the listener.
    #[serde(default)]
    pub tls: Option<ServerTls>,
    /// What a delivery must show as `x-hubshift-key` header or `key` parameter: `file:PATH` or
    /// `env:NAME`.
    pub key: SecretRef,
}

impl FeedConfig {
    /// Refuses a listener that would take the key from the network in the clear.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.tls.is_some() || self.listen.ip().is_loopback(),
            "events.listen is {} and has no TLS: beyond loopback it needs events.tls",
            self.listen
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tls_it_stays_on_loopback() {
        let config = |listen: &str| FeedConfig {
            listen: listen.parse().unwrap(),
            tls: None,
            key: "env:KEY".parse().unwrap(),
        };
        assert!(config("127.0.0.1:7613").check().is_ok());
        let error = config("0.0.0.0:7613").check().unwrap_err().to_string();
        assert!(error.contains("events.tls"), "{error}");
    }
}
