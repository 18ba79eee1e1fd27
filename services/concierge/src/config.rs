//! What a concierge is told at its start. Defaults are compiled in (`defaults.toml`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hubshift_shell::config::{self, ConfigError, humane};
use hubshift_shell::grpc::Endpoint;
use hubshift_shell::telemetry::TelemetryConfig;
use hubshift_shell::tls::{ClientTls, ServerTls};
use hubshift_shell::{FrontConfig, Limits};
use secrecy::SecretString;
use serde::Deserialize;

use crate::observers::WebhookConfig;

/// The prefix of environment variables, `HUBSHIFT_CONCIERGE_OPERATOR_LISTEN`.
const ENV_PREFIX: &str = "HUBSHIFT_CONCIERGE_";

/// The deadline of a call to another service.
const CALL_DEADLINE: Duration = Duration::from_secs(5);
/// No hub is looked at more often.
const MIN_PROBE_EVERY: Duration = Duration::from_secs(1);

/// More threads than that is a number that was meant for something else.
const MAX_THREADS: usize = 1_024;

/// Everything that can be set. `Debug` shows no secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where devices ask: gRPC and HTTP.
    pub public_listen: SocketAddr,
    /// Where operators and back ends call; beyond loopback only with mutual TLS.
    pub operator_listen: SocketAddr,
    /// Metrics, liveness and readiness; none without it.
    #[serde(default)]
    pub admin_listen: Option<SocketAddr>,
    /// TLS of the public listener.
    #[serde(default)]
    pub public_tls: Option<ServerTls>,
    /// TLS of the operator listener.
    #[serde(default)]
    pub operator_tls: Option<ServerTls>,
    /// Threads of the public listener; 0: as many as there are cores.
    #[serde(default)]
    pub public_threads: usize,
    /// Threads of the operator listener; 0: as many as there are cores.
    #[serde(default = "one")]
    pub operator_threads: usize,
    /// What the public listener lets in.
    #[serde(default)]
    pub public_limits: Limits,
    /// `postgres://…`; several, separated by spaces, for the hosts of a cluster.
    pub database_url: SecretString,
    /// Where the table of routes and the signing keys are kept.
    pub data_dir: PathBuf,
    /// The public listeners of other concierges, `https://host:port`: asked for newer routes of the
    /// fleets that are known here while the database is silent, and for fleets that devices ask for
    /// and that a table without a database does not hold. A list with this concierge in it does no
    /// harm.
    #[serde(default)]
    pub peers: Vec<String>,
    /// The authorities that may have signed their certificates; `https` needs it.
    #[serde(default)]
    pub peers_ca: Option<PathBuf>,
    /// How this replica names itself; empty: made up at start.
    #[serde(default)]
    pub replica: String,
    /// The region that it runs in, for people.
    #[serde(default)]
    pub region: String,
    /// Where registry-sync listens.
    pub registry_url: String,
    /// TLS towards registry-sync.
    #[serde(default)]
    pub registry_tls: Option<ClientTls>,
    /// Where merge listens.
    pub merge_url: String,
    /// TLS towards merge.
    #[serde(default)]
    pub merge_tls: Option<ClientTls>,
    /// How often the table of routes is read anew.
    #[serde(with = "humane")]
    pub refresh: Duration,
    /// How often hubs and debts are looked at.
    #[serde(with = "humane")]
    pub reconcile: Duration,
    /// How far clocks of this deployment may be apart.
    #[serde(with = "humane")]
    pub clock_bound: Duration,
    /// How long a failover waits for every concierge to serve the new route.
    #[serde(with = "humane")]
    pub publish_deadline: Duration,
    /// How long a failover may keep the registry frozen.
    #[serde(with = "humane")]
    pub freeze_timeout: Duration,
    /// How long a failover watches devices move, at most.
    #[serde(with = "humane")]
    pub observe_timeout: Duration,
    /// How stale a target may be for a failover to start.
    #[serde(with = "humane")]
    pub max_staleness: Duration,
    /// How many streams may watch fleets (`WatchFleet`) at this process.
    pub max_watchers: usize,
    /// How long devices are still answered after the process is told to stop, while `/readyz` and
    /// the health check say that they are to be sent elsewhere.
    #[serde(default, with = "humane")]
    pub drain: Duration,
    /// How often each hub is looked at, on the path that devices use; `0s`: never, and no oftener
    /// than every second: a hub admits a hundred connections a second, devices' among them.
    #[serde(default, with = "humane")]
    pub probe_every: Duration,
    /// Authorities that may have signed the hubs' certificates, beside the public ones.
    #[serde(default)]
    pub observer_ca: Option<PathBuf>,
    /// Who is told when a hub looks dead from here, or alive again.
    #[serde(default)]
    pub webhook: Option<WebhookConfig>,
    /// Logs and traces.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
}

impl Config {
    /// Reads defaults, then the file, then the environment.
    ///
    /// # Errors
    /// Every unknown, missing or malformed key at once; then every value that can't be meant.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let loaded: Self = config::load(include_str!("defaults.toml"), file, ENV_PREFIX)?;
        loaded.checked()
    }

    fn checked(self) -> Result<Self, ConfigError> {
        let mut problems = config::zeros(&[
            ("refresh", self.refresh),
            ("reconcile", self.reconcile),
            // No planned move would ever get through.
            ("freeze_timeout", self.freeze_timeout),
        ]);
        if !self.probe_every.is_zero() && self.probe_every < MIN_PROBE_EVERY {
            let expected = "expected 0s (never), or 1s at least".to_owned();
            problems.push(("probe_every".to_owned(), expected));
        }
        problems.extend(self.public_limits.problems("public_limits"));
        let threads = [
            ("public_threads", self.public_threads),
            ("operator_threads", self.operator_threads),
        ];
        let too_many = threads
            .into_iter()
            .filter(|(_, count)| *count > MAX_THREADS);
        problems.extend(
            too_many.map(|(key, _)| (key.to_owned(), format!("expected {MAX_THREADS} or fewer"))),
        );
        config::refuse(problems)?;
        Ok(self)
    }

    /// Whether the operator listener may be where it is: on loopback, or with mutual TLS.
    pub(crate) fn operator_is_guarded(&self) -> bool {
        let mutual = self
            .operator_tls
            .as_ref()
            .is_some_and(|tls| tls.client_ca.is_some());
        mutual || self.operator_listen.ip().is_loopback()
    }

    /// How the public listener runs.
    pub(crate) fn public_front(&self) -> FrontConfig {
        FrontConfig {
            threads: self.public_threads,
            limits: self.public_limits.clone(),
        }
    }

    /// How the operator listener runs. Its clients have certificates of ours, or are of this
    /// machine; one address may be a back end with ten thousand watches.
    pub(crate) fn operator_front(&self) -> FrontConfig {
        FrontConfig {
            threads: self.operator_threads,
            limits: Limits::trusting_everyone(),
        }
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

    /// How to reach merge.
    pub(crate) fn merge(&self) -> Endpoint {
        let (url, tls) = (self.merge_url.clone(), self.merge_tls.clone());
        Endpoint {
            url,
            tls,
            timeout: CALL_DEADLINE,
        }
    }
}

fn one() -> usize {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(toml: &str) -> Config {
        toml::from_str(&format!("{}\n{toml}", include_str!("defaults.toml"))).unwrap()
    }

    #[test]
    fn the_defaults_are_whole_and_keep_operators_on_loopback() {
        let config = config("");
        assert!(config.operator_is_guarded());
        assert_eq!(config.freeze_timeout, Duration::from_secs(300));
    }

    #[test]
    fn an_operator_listener_on_every_address_needs_mutual_tls() {
        let mut open = config("");
        open.operator_listen = "0.0.0.0:7601".parse().unwrap();
        assert!(!open.operator_is_guarded());
        let mut tls = ServerTls {
            cert: "c".into(),
            key: "k".into(),
            client_ca: None,
        };
        open.operator_tls = Some(tls.clone());
        assert!(!open.operator_is_guarded());
        tls.client_ca = Some("ca".into());
        open.operator_tls = Some(tls);
        assert!(open.operator_is_guarded());
    }

    #[test]
    fn spans_of_no_length_are_refused_all_at_once() {
        let mut config = config("");
        (config.refresh, config.reconcile) = (Duration::ZERO, Duration::ZERO);
        let refused = config.clone().checked().unwrap_err().to_string();
        assert!(refused.contains("refresh: ") && refused.contains("reconcile: "));
        config.refresh = Duration::from_secs(1);
        let refused = config.checked().unwrap_err().to_string();
        assert!(!refused.contains("refresh: "), "{refused}");
    }

    #[test]
    fn limits_are_a_table_and_refused_together_with_everything_else() {
        let text =
            "[public_limits]\nmax_connections = 0\nshed_lag = '0s'\ntrusted = ['10.0.0.0/8']";
        let mut config = config(text);
        assert_eq!(config.public_limits.trusted.len(), 1);
        assert_eq!(config.public_limits.burst_per_client, 1_000);
        config.refresh = Duration::ZERO;
        config.public_threads = 200_000;
        let refused = config.checked().unwrap_err().to_string();
        for key in [
            "refresh: ",
            "public_threads: ",
            "public_limits.max_connections: ",
            "public_limits.shed_lag: ",
        ] {
            assert!(refused.contains(key), "{key} is missing: {refused}");
        }
    }

    #[test]
    fn a_network_that_is_none_is_refused() {
        let defaults = include_str!("defaults.toml");
        let text = format!("{defaults}\n[public_limits]\ntrusted = ['10.0.0.0/64']");
        let refused = toml::from_str::<Config>(&text).unwrap_err().to_string();
        assert!(refused.contains("10.0.0.0/64"), "{refused}");
    }

    #[test]
    fn hubs_are_looked_at_and_nobody_is_told_unless_it_is_said() {
        let silent = config("");
        assert_eq!(silent.probe_every, Duration::from_secs(10));
        assert!(silent.webhook.is_none() && silent.observer_ca.is_none());
        for (every, is_taken) in [(0, true), (1, false), (999, false), (1_000, true)] {
            let mut config = silent.clone();
            config.probe_every = Duration::from_millis(every);
            assert_eq!(config.checked().is_ok(), is_taken, "{every} ms");
        }
        let told = config("[webhook]\nurl = \"https://hooks.example.net/a\"");
        assert!(told.webhook.unwrap().secret_file.is_none());
    }

    #[test]
    fn debug_shows_no_password() {
        let mut config = config("[webhook]\nurl = \"https://hooks.example.net/s3cret\"");
        config.database_url = "postgres://concierge:s3cret@db/hubshift".into();
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
