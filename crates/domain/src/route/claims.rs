//! The claims of a route, as they stand in the signed payload.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::canary::{self, Canary, CanaryClaim};
use super::{OnUnreachable, Waves};
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
    /// The devices that are attached to a standby for a limited time, if any are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryClaim>,
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
    /// The window that slots lie in, milliseconds: of all waves and of the rest after them. A
    /// device that does not know of waves has its slot anywhere in it.
    pub window_ms: u64,
    /// When the epoch began. For people and reports: a slot counts from a device's acceptance.
    #[serde(with = "time::serde::timestamp")]
    pub started_at: OffsetDateTime,
    /// Classes of devices that go first, each in a window of its own.
    #[serde(default)]
    pub waves: Waves,
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

    /// How long this device waits after it first accepted the epoch: its place in the window of its
    /// wave, or in what the waves leave.
    pub fn slot(&self, device_id: &str) -> Duration {
        let Admission {
            window_ms, waves, ..
        } = &self.admission;
        let (offset, window) = waves.range(device_id, *window_ms);
        let within = pacing::slot(device_id, self.epoch, Duration::from_millis(window));
        Duration::from_millis(offset) + within
    }

    /// The canary, if there is one that this version understands.
    pub fn canary(&self) -> Option<&Canary> {
        self.canary.as_ref().and_then(CanaryClaim::known)
    }

    /// The canary that this device takes part in. Whether it is over is for the device to know.
    pub fn canary_of(&self, device_id: &str) -> Option<&Canary> {
        self.canary().filter(|canary| canary.has(device_id))
    }

    /// Whether half of its life is over, so that it should be signed anew.
    pub fn is_due(&self, now: OffsetDateTime) -> bool {
        now >= self.issued_at + (self.not_after - self.issued_at) / 2
    }

    /// Whether a device would do the same with the other one; a difference needs a higher routing
    /// version. What only a newer version understands is left to it, and doesn't count.
    pub fn tells_the_same(&self, other: &Self) -> bool {
        self.order() == other.order()
            && self.endpoints == other.endpoints
            && self.admission.window_ms == other.admission.window_ms
            && self.admission.waves.tells_the_same(&other.admission.waves)
            && canary::tell_the_same(self.canary.as_ref(), other.canary.as_ref())
            && self.on_unreachable == other.on_unreachable
    }
}
