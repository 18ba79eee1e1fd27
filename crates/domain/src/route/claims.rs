//! The claims of a route, as they stand in the signed payload.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::OnUnreachable;
use crate::epoch::Epoch;
use crate::id::{FleetId, HubId};
use crate::pacing;

/// The version of the claims that this code writes and reads.
pub const VERSION: u8 = 1;

/// What a fleet's devices are told. Times are whole Unix seconds on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteClaims {
    /// Always [`VERSION`].
    pub v: u8,
    /// The fleet that it is for.
    pub fleet: FleetId,
    /// The reign. A device never takes a lower one.
    pub epoch: Epoch,
    /// Rises with every change within an epoch.
    pub routing_version: u64,
    /// The active hub, then the hubs that a device may walk to by itself. Never empty.
    pub endpoints: Vec<RouteEndpoint>,
    /// How the fleet is spread over time.
    pub admission: Admission,
    /// What a device does when neither hub nor concierge answers.
    pub on_unreachable: OnUnreachable,
    /// When it was signed.
    #[serde(with = "time::serde::timestamp")]
    pub issued_at: OffsetDateTime,
    /// When a device should have asked again. Advice, not a kill switch.
    #[serde(with = "time::serde::timestamp")]
    pub not_after: OffsetDateTime,
}

/// One hub of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteEndpoint {
    /// Its slug.
    pub hub: HubId,
    /// Host, with a port when it is not the default one.
    pub host: String,
    /// Region slug.
    pub region: String,
}

/// How the fleet is spread over time when an epoch begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// The window that slots lie in, milliseconds.
    pub window_ms: u64,
    /// When the epoch began. For people and reports: a slot counts from a device's acceptance.
    #[serde(with = "time::serde::timestamp")]
    pub started_at: OffsetDateTime,
    /// Classes of devices that go first. Empty in this version; a device ignores what it does not
    /// know.
    #[serde(default)]
    pub waves: Vec<serde_json::Value>,
}

impl RouteClaims {
    /// What makes one route newer than another.
    pub fn order(&self) -> (Epoch, u64) {
        (self.epoch, self.routing_version)
    }

    /// The hub that is the authority.
    pub fn active(&self) -> Option<&RouteEndpoint> {
        self.endpoints.first()
    }

    /// How long this device waits after it first accepted the epoch.
    pub fn slot(&self, device_id: &str) -> Duration {
        pacing::slot(
            device_id,
            self.epoch,
            Duration::from_millis(self.admission.window_ms),
        )
    }

    /// Whether half of its life is over, so that it should be signed anew.
    pub fn is_due(&self, now: OffsetDateTime) -> bool {
        now >= self.issued_at + (self.not_after - self.issued_at) / 2
    }

    /// Whether a device would do the same with the other one; a difference needs a higher routing
    /// version. Waves don't count: this version has none, and must not undo a newer one's.
    pub fn tells_the_same(&self, other: &Self) -> bool {
        self.order() == other.order()
            && self.endpoints == other.endpoints
            && self.admission.window_ms == other.admission.window_ms
            && self.on_unreachable == other.on_unreachable
    }
}
