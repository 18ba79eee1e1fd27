//! What registry-sync is told at its start. Defaults are compiled in (`defaults.toml`).

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hubshift_shell::config::{self, ConfigError, humane};
use hubshift_shell::telemetry::TelemetryConfig;
use hubshift_shell::tls::ServerTls;
use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::feed::{EventHubConfig, FeedConfig};
use crate::secret::SecretRef;

/// The prefix of environment variables, `HUBSHIFT_REGISTRY_SYNC_LISTEN`.
pub const ENV_PREFIX: &str = "HUBSHIFT_REGISTRY_SYNC_";

/// An object store that takes backups; one per region.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupStore {
    /// How operators know it, `east`.
    pub name: String,
    /// Where it is, `file:///var/lib/hubshift/backups/east`.
    pub url: String,
}

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
    /// The key-encryption key, 32 bytes in base64: `file:PATH` or `env:NAME`.
    pub kek: SecretRef,
    /// Where backups go.
    #[serde(default)]
    pub backup_stores: Vec<BackupStore>,
    /// The age identity that opens backups: `file:PATH` or `env:NAME`.
    pub backup_key: SecretRef,
    /// Whether missing key files are made at first use. For development: who loses a key that was
    /// made here loses what it sealed.
    #[serde(default)]
    pub create_keys: bool,
    /// How this replica names itself; empty: made up at start.
    #[serde(default)]
    pub replica: String,
    /// How often every standby is compared with its active hub.
    #[serde(with = "humane")]
    pub sync_interval: Duration,
    /// How long a connection to a hub may take to come about.
    #[serde(with = "humane")]
    pub connect_timeout: Duration,
    /// How much faster than the wall clock the hubs count their quotas: 1 for real ones. For
    /// emulators whose quota clock is sped up, so that a test of hours takes minutes.
    #[serde(deserialize_with = "above_zero")]
    pub hub_budget_speed: f64,
    /// Where hubs tell of their devices by Event Grid; nowhere without it.
    #[serde(default)]
    pub events: Option<FeedConfig>,
    /// Event hubs that are read for news of hubs, their built-in endpoints among them.
    #[serde(default)]
    pub event_hubs: Vec<EventHubConfig>,
    /// Logs and traces.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
}

/// A number that something can be divided by.
fn above_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if number.is_finite() && number > 0.0 {
        Ok(number)
    } else {
        Err(D::Error::custom("expected a number above 0"))
    }
}

impl Config {
    /// Reads defaults, then the file, then the environment.
    ///
    /// # Errors
    /// Every unknown, missing or malformed key at once; then every span that must not be zero.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let loaded: Self = config::load(include_str!("defaults.toml"), file, ENV_PREFIX)?;
        loaded.checked()
    }

    fn checked(self) -> Result<Self, ConfigError> {
        config::refuse_zero(&[
            ("sync_interval", self.sync_interval),
            ("connect_timeout", self.connect_timeout),
        ])?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_whole_and_on_loopback() {
        let config: Config = toml::from_str(include_str!("defaults.toml")).unwrap();
        assert!(config.listen.ip().is_loopback());
        assert!(!config.create_keys);
        assert_eq!(config.sync_interval, Duration::from_secs(60));
        assert_eq!(config.hub_budget_speed, 1.0);
    }

    #[test]
    fn a_clock_of_quotas_that_stands_still_is_refused() {
        let text = include_str!("defaults.toml");
        let with = |speed: &str| {
            let line = format!("hub_budget_speed = {speed}");
            toml::from_str::<Config>(&text.replace("hub_budget_speed = 1.0", &line))
        };
        assert_eq!(with("60").unwrap().hub_budget_speed, 60.0);
        for speed in ["0", "-1.0", "inf", "nan"] {
            let refused = with(speed).unwrap_err();
            assert!(refused.message().contains("above 0"), "{speed}: {refused}");
        }
    }

    #[test]
    fn spans_of_no_length_are_refused_all_at_once() {
        let mut config: Config = toml::from_str(include_str!("defaults.toml")).unwrap();
        (config.sync_interval, config.connect_timeout) = (Duration::ZERO, Duration::ZERO);
        let refused = config.checked().unwrap_err().to_string();
        for key in ["sync_interval: ", "connect_timeout: "] {
            assert!(refused.contains(key), "{refused}");
        }
    }

    #[test]
    fn debug_shows_no_password_and_a_secret_itself_is_refused() {
        let text = include_str!("defaults.toml");
        let mut config: Config = toml::from_str(text).unwrap();
        config.database_url = "postgres://registry:s3cret@db/hubshift".into();
        assert!(!format!("{config:?}").contains("s3cret"));
        let inline = text.replace("env:HUBSHIFT_KEK", "c2VjcmV0");
        let error = toml::from_str::<Config>(&inline).unwrap_err();
        assert!(error.message().contains("file:PATH"), "{error}");
    }
}
