//! What merge is told at its start. Defaults are compiled in (`defaults.toml`).

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hubshift_shell::config::{self, ConfigError};
use hubshift_shell::grpc::Endpoint;
use hubshift_shell::telemetry::TelemetryConfig;
use hubshift_shell::tls::{ClientTls, ServerTls};
use secrecy::SecretString;
use serde::Deserialize;

/// The prefix of environment variables, `HUBSHIFT_MERGE_LISTEN`.
pub const ENV_PREFIX: &str = "HUBSHIFT_MERGE_";

/// The deadline of a short call to registry-sync.
const CALL_DEADLINE: Duration = Duration::from_secs(5);

/// Everything that can be set. `Debug` shows no secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the other services, back ends and operators call.
    pub listen: SocketAddr,
    /// Metrics, liveness and readiness; none without it.
    #[serde(default)]
    pub admin_listen: Option<SocketAddr>,
    /// TLS of the listener.
    #[serde(default)]
    pub tls: Option<ServerTls>,
    /// `postgres://…`; several, separated by spaces, for the hosts of a cluster.
    pub database_url: SecretString,
    /// Where registry-sync listens.
    pub registry_url: String,
    /// TLS towards registry-sync.
    #[serde(default)]
    pub registry_tls: Option<ClientTls>,
    /// How this replica names itself; empty: made up at start.
    #[serde(default)]
    pub replica: String,
    /// Logs and traces.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
}

impl Config {
    /// Reads defaults, then the file, then the environment.
    ///
    /// # Errors
    /// Every unknown, missing or malformed key at once.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        config::load(include_str!("defaults.toml"), file, ENV_PREFIX)
    }

    /// How to reach registry-sync.
    pub(crate) fn registry(&self) -> Endpoint {
        let (url, tls) = (self.registry_url.clone(), self.registry_tls.clone());
        Endpoint {
            url,
            tls,
            timeout: CALL_DEADLINE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_whole_on_loopback_and_debug_shows_no_password() {
        let mut config: Config = toml::from_str(include_str!("defaults.toml")).unwrap();
        assert!(config.listen.ip().is_loopback());
        config.database_url = "postgres://merge:s3cret@db/hubshift".into();
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
