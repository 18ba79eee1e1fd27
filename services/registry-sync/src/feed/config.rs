//! Where deliveries come in, and which event hubs are read.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::ensure;
use hubshift_domain::id::{FleetId, HubId};
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

/// An event hub that tells of one hub: that hub's built-in endpoint, or an event hub that it routes
/// its events to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventHubConfig {
    /// The fleet's slug.
    pub fleet: FleetId,
    /// The hub's slug within the fleet.
    pub hub: HubId,
    /// Its connection string, `Endpoint=sb://…;EntityPath=…`: `file:PATH` or `env:NAME`. It is read
    /// anew for every connection, so that its key can be exchanged.
    pub endpoint: SecretRef,
    /// The consumer group to read as. Others than Hubshift should not use it: an event hub lets
    /// five read a partition in one group.
    #[serde(default = "default_consumer_group")]
    pub consumer_group: String,
    /// A PEM file of the authorities to trust, *instead of* the public ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

fn default_consumer_group() -> String {
    "$Default".to_owned()
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

    #[test]
    fn an_event_hub_needs_a_reference_and_has_a_group() {
        let text = "fleet = 'acme'\nhub = 'east'\nendpoint = 'env:EVENTS'";
        let config: EventHubConfig = toml::from_str(text).unwrap();
        assert_eq!(config.consumer_group, "$Default");
        let inline = text.replace("env:EVENTS", "Endpoint=sb://h/;SharedAccessKey=canary");
        let error = toml::from_str::<EventHubConfig>(&inline).unwrap_err();
        assert!(!error.message().contains("canary"), "{error}");
        let typo = format!("{text}\ngroup = 'x'");
        assert!(toml::from_str::<EventHubConfig>(&typo).is_err());
    }
}
