//! What a front lets in. Every limit is there so that the ones who are in are still served.

use std::time::Duration;

use serde::Deserialize;

use super::network::Network;
use crate::config::humane;

/// How a front runs.
#[derive(Debug, Clone, Default)]
pub struct FrontConfig {
    /// Threads that accept and serve; 0: as many as the process may use cores.
    pub threads: usize,
    /// What they let in.
    pub limits: Limits,
}

impl FrontConfig {
    /// How many threads there are to be.
    pub(super) fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        }
    }
}

/// The limits of a listener. A table of the configuration; every key has a default.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections at once, of all threads together; never more than the process may have
    /// files open, less an eighth for everything else. One above it is answered `429` and closed,
    /// over TLS only closed. Default: 200,000.
    pub max_connections: usize,
    /// TLS handshakes that one thread computes before it looks after everything else again: what
    /// a storm of reconnects adds to the latency of those who are connected is so many times
    /// some 150 µs. Default: 16.
    pub max_handshakes: usize,
    /// Connections at once from one address (IPv6: from one /64). Default: 2,000.
    pub max_connections_per_client: u32,
    /// New connections a second from one address (IPv6: from one /64), once it has opened
    /// `max_connections_per_client` at a time: a TLS handshake costs as much as some thirty
    /// answers. Default: 100.
    pub connections_per_second_per_client: u32,
    /// Requests a second from one address (IPv6: from one /64), all of its connections together.
    /// Default: 500.
    pub requests_per_second_per_client: u32,
    /// Requests that one address may ask at once after it was quiet. Default: 1,000.
    pub burst_per_client: u32,
    /// Networks that no limit per client is for: load balancers and gateways, behind which many
    /// devices have one address. Default: loopback.
    pub trusted: Vec<Network>,
    /// How late the loop of a thread may run until a share of its requests is refused with
    /// `OVERLOADED` and a time to try again. Default: 250ms.
    #[serde(with = "humane")]
    pub shed_lag: Duration,
}

/// Less than that is the noise of a quiet machine.
const MIN_SHED_LAG: Duration = Duration::from_millis(10);

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 200_000,
            max_handshakes: 16,
            max_connections_per_client: 2_000,
            connections_per_second_per_client: 100,
            requests_per_second_per_client: 500,
            burst_per_client: 1_000,
            trusted: loopback(),
            shed_lag: Duration::from_millis(250),
        }
    }
}

/// No loop lags that much: nothing is shed.
const NEVER: Duration = Duration::from_secs(24 * 3600);

impl Limits {
    /// The defaults, without a limit per client and without shedding: for a listener whose clients
    /// are known (by certificate, or of this machine alone), where one address may be a whole back
    /// end, and where an operator must get through while ten thousand watchers come back.
    pub fn trusting_everyone() -> Self {
        Self {
            trusted: vec![Network::EVERYTHING],
            shed_lag: NEVER,
            ..Self::default()
        }
    }

    /// What can't be meant, as keys below `table` and what was expected there.
    pub fn problems(&self, table: &str) -> Vec<(String, String)> {
        let counts = [
            ("max_connections", self.max_connections == 0),
            ("max_handshakes", self.max_handshakes == 0),
            (
                "max_connections_per_client",
                self.max_connections_per_client == 0,
            ),
            (
                "connections_per_second_per_client",
                self.connections_per_second_per_client == 0,
            ),
            (
                "requests_per_second_per_client",
                self.requests_per_second_per_client == 0,
            ),
            ("burst_per_client", self.burst_per_client == 0),
        ];
        let mut problems: Vec<_> = counts
            .into_iter()
            .filter(|(_, nothing)| *nothing)
            .map(|(key, _)| {
                (
                    format!("{table}.{key}"),
                    "expected more than nothing".into(),
                )
            })
            .collect();
        if self.shed_lag < MIN_SHED_LAG {
            let key = format!("{table}.shed_lag");
            problems.push((key, "expected 10ms or more".to_owned()));
        }
        problems
    }
}

fn loopback() -> Vec<Network> {
    let networks = ["127.0.0.0/8", "::1/128"].into_iter();
    networks.filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_trusts_everyone_sheds_nobody() {
        let limits = Limits::trusting_everyone();
        assert!(limits.shed_lag > Duration::from_secs(3600));
        assert!(limits.problems("l").is_empty());
    }

    #[test]
    fn the_defaults_trust_loopback_alone_and_have_no_problem() {
        let limits = Limits::default();
        let trusts = |text: &str| {
            let address = text.parse().unwrap();
            limits.trusted.iter().any(|net| net.contains(address))
        };
        assert!(trusts("127.0.0.1") && trusts("::1"));
        assert!(!trusts("192.0.2.1") && !trusts("2001:db8::1"));
        assert!(limits.problems("limits").is_empty());
    }

    #[test]
    fn limits_that_let_nobody_in_are_named_all_at_once() {
        let limits = Limits {
            max_connections: 0,
            burst_per_client: 0,
            shed_lag: Duration::from_millis(1),
            ..Limits::default()
        };
        let keys: Vec<_> = limits
            .problems("l")
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(
            keys,
            ["l.max_connections", "l.burst_per_client", "l.shed_lag"]
        );
    }

    #[test]
    fn no_threads_means_one_per_core() {
        assert!(FrontConfig::default().thread_count() >= 1);
        let three = FrontConfig {
            threads: 3,
            limits: Limits::default(),
        };
        assert_eq!(three.thread_count(), 3);
    }
}
