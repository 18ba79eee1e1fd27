//! Faults to order: what the hub does instead of answering, or besides.
//!
//! An order is a value that connections and requests watch, so that it takes hold of those that
//! are already there too. It is not durable: a restarted hub is up, or as `--outage` says.

mod fault;
mod switch;

use serde::{Deserialize, Serialize};

pub use fault::Fault;
pub(crate) use switch::{OutageSwitch, Strike};

/// What is wrong with the hub. Only the modes that say so carry the request out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum OutageMode {
    /// Nothing
    #[default]
    None,
    /// Connections are closed at once, existing ones too
    Refuse,
    /// Requests are taken and never answered, and not carried out
    Hang,
    /// Every request is answered with 503
    Unavailable,
    /// Every request is answered with 429
    Throttled,
    /// Every request is answered with 500, and not carried out
    Error,
    /// Requests are carried out and answered late
    Slow,
    /// Requests are carried out; the answer breaks off in the middle and the connection is reset
    Reset,
    /// Requests are carried out and never answered
    Lost,
    /// The connection is reset when a request has been read; it is not carried out
    ResetEarly,
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

/// What is wrong, and for whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// How.
    pub mode: OutageMode,
    /// Whom it hits.
    #[serde(default)]
    pub scope: OutageScope,
}

impl CallKind {
    /// The name in logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
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
