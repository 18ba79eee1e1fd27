//! Outages to order: what the hub does instead of answering.
//!
//! An outage is a value that connections and requests watch, so that it takes hold of those
//! that are already there too. It is not durable: a restarted hub is up, or as `--outage` says.

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// How the hub is down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OutageMode {
    /// Not at all
    #[default]
    None,
    /// Connections are closed at once, existing ones too
    Refuse,
    /// Requests are taken and never answered, and not carried out
    Hang,
    /// Every request is answered with 503
    Unavailable,
    /// Every request is answered with 429, and is welcome again a second later
    Throttled,
}

/// Which calls an outage hits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutageScope {
    /// All of them.
    #[default]
    All,
    /// Registry, twins, queries and statistics: devices can still send.
    Service,
    /// What changes the registry or a twin: devices can still send, and services can still read.
    Write,
}

/// What a call is, to an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    /// A device's.
    Device,
    /// A service's, that changes nothing.
    Read,
    /// A service's, that changes something.
    Write,
}

/// An outage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// How.
    pub mode: OutageMode,
    /// Whom it hits.
    #[serde(default)]
    pub scope: OutageScope,
}

impl Outage {
    /// What becomes of a call.
    pub(crate) fn on_call(self, call: CallKind) -> OutageMode {
        let is_hit = match self.scope {
            OutageScope::All => true,
            OutageScope::Service => call != CallKind::Device,
            OutageScope::Write => call == CallKind::Write,
        };
        if is_hit { self.mode } else { OutageMode::None }
    }

    /// Whether connections are not even kept open.
    pub(crate) fn refuses_connections(self) -> bool {
        self.mode == OutageMode::Refuse && self.scope == OutageScope::All
    }
}

/// The switch that all connections watch.
pub(crate) struct OutageSwitch(watch::Sender<Outage>);

impl OutageSwitch {
    pub(crate) fn new(outage: Outage) -> Self {
        Self(watch::Sender::new(outage))
    }

    pub(crate) fn set(&self, outage: Outage) {
        self.0.send_replace(outage);
    }

    pub(crate) fn get(&self) -> Outage {
        *self.0.borrow()
    }

    /// Ends when connections are refused; at once if they are already.
    pub(crate) async fn refused(&self) {
        // The sender lives as long as `self`, so that waiting cannot fail.
        let _ = self
            .0
            .subscribe()
            .wait_for(|outage| outage.refuses_connections())
            .await;
    }

    /// Ends when the outage is no longer this one.
    pub(crate) async fn changed_from(&self, current: Outage) {
        let _ = self
            .0
            .subscribe()
            .wait_for(|outage| *outage != current)
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_outage_leaves_devices_alone() {
        let outage = Outage {
            mode: OutageMode::Refuse,
            scope: OutageScope::Service,
        };
        assert_eq!(outage.on_call(CallKind::Device), OutageMode::None);
        assert_eq!(outage.on_call(CallKind::Read), OutageMode::Refuse);
        assert!(!outage.refuses_connections());
    }

    #[test]
    fn a_write_outage_lets_everybody_read() {
        let outage = Outage {
            mode: OutageMode::Throttled,
            scope: OutageScope::Write,
        };
        assert_eq!(outage.on_call(CallKind::Device), OutageMode::None);
        assert_eq!(outage.on_call(CallKind::Read), OutageMode::None);
        assert_eq!(outage.on_call(CallKind::Write), OutageMode::Throttled);
    }

    #[test]
    fn scope_is_all_when_nothing_is_said() {
        let outage: Outage = serde_json::from_str(r#"{"mode":"unavailable"}"#).unwrap();
        assert_eq!(outage.on_call(CallKind::Device), OutageMode::Unavailable);
    }
}
