//! A canary: a few devices are attached to a standby for a limited time, to see that devices can
//! connect there before the day. Attachment, never authority (I22).
//!
//! Kept true: the end is in the signature, so that a device returns by itself when every concierge
//! is dead; a claim of a shape that a newer version made is nobody's here, and breaks nothing.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::RouteEndpoint;
use super::waves::part;
use crate::epoch::Epoch;
use crate::id::HubId;
use crate::pacing;

/// A cohort has no larger part of a fleet: more than that is a move.
pub const MAX_CANARY_PERCENT: u8 = 50;
/// A cohort that is listed has no more devices: each of them stands in the route.
pub const MAX_CANARY_DEVICES: usize = 200;

/// Who takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cohort {
    /// So many percent of the fleet, others for every canary.
    Percent(u8),
    /// These. A route is public, so that it names no device.
    Devices(Vec<DeviceHash>),
}

impl Cohort {
    /// How many devices take part, of so many.
    pub fn size(&self, devices: u64) -> u64 {
        match self {
            Self::Percent(percent) => part(devices, *percent),
            Self::Devices(listed) => u64::try_from(listed.len()).unwrap_or(u64::MAX),
        }
    }
}

/// The first 8 bytes of SHA-256(device id); 16 hexadecimal digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceHash(u64);

impl DeviceHash {
    /// That of a device.
    pub fn of(device_id: &str) -> Self {
        Self(pacing::device_hash(device_id, &[]))
    }
}

impl fmt::Display for DeviceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl From<DeviceHash> for String {
    fn from(hash: DeviceHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for DeviceHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_hash = text.len() == 16 && text.bytes().all(is_digit);
        let hash = u64::from_str_radix(&text, 16).ok().filter(|_| is_hash);
        hash.map(Self).ok_or("needs 16 of 0-9 and a-f")
    }
}

/// A canary as it stands in the claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawCanary", into = "RawCanary")]
pub struct Canary {
    /// Names it; another canary has another one, and one id never gets another end.
    pub id: String,
    /// The standby that the cohort is attached to.
    pub endpoint: RouteEndpoint,
    /// Who takes part.
    pub cohort: Cohort,
    /// The window that the cohort's slots lie in, there and back, milliseconds.
    pub window_ms: u64,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it ends, whatever anybody says until then.
    pub until: OffsetDateTime,
}

impl Canary {
    /// Whether a device takes part.
    pub fn has(&self, device_id: &str) -> bool {
        match &self.cohort {
            Cohort::Percent(percent) => {
                let parts = [b"canary".as_slice(), self.id.as_bytes()];
                let hash = u128::from(pacing::device_hash(device_id, &parts));
                hash * 100 < u128::from(*percent) << 64
            }
            Cohort::Devices(listed) => listed.contains(&DeviceHash::of(device_id)),
        }
    }

    /// How long a device of the cohort waits after it first accepted the canary, and after its end.
    pub fn slot(&self, device_id: &str, epoch: Epoch) -> Duration {
        pacing::slot(device_id, epoch, Duration::from_millis(self.window_ms))
    }

    /// How long it lasts, whatever a device's clock says.
    pub fn life(&self) -> Duration {
        Duration::try_from(self.until - self.started_at).unwrap_or_default()
    }
}

/// The members of [`Canary`] on the wire. One more or one less is another version's.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCanary {
    id: String,
    hub: HubId,
    host: String,
    region: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    devices: Option<Vec<DeviceHash>>,
    window_ms: u64,
    #[serde(with = "time::serde::timestamp")]
    started_at: OffsetDateTime,
    #[serde(with = "time::serde::timestamp")]
    until: OffsetDateTime,
}

impl TryFrom<RawCanary> for Canary {
    type Error = &'static str;

    fn try_from(raw: RawCanary) -> Result<Self, Self::Error> {
        let cohort = match (raw.percent, raw.devices) {
            (Some(percent), None) => Cohort::Percent(percent),
            (None, Some(devices)) => Cohort::Devices(devices),
            (Some(_), Some(_)) | (None, None) => return Err("needs percent or devices"),
        };
        Ok(Self {
            id: raw.id,
            endpoint: RouteEndpoint {
                hub: raw.hub,
                host: raw.host,
                region: raw.region,
            },
            cohort,
            window_ms: raw.window_ms,
            started_at: raw.started_at,
            until: raw.until,
        })
    }
}

impl From<Canary> for RawCanary {
    fn from(canary: Canary) -> Self {
        let (percent, devices) = match canary.cohort {
            Cohort::Percent(percent) => (Some(percent), None),
            Cohort::Devices(devices) => (None, Some(devices)),
        };
        let RouteEndpoint { hub, host, region } = canary.endpoint;
        Self {
            id: canary.id,
            hub,
            host,
            region,
            percent,
            devices,
            window_ms: canary.window_ms,
            started_at: canary.started_at,
            until: canary.until,
        }
    }
}

/// The claim, which may be a newer version's: then it is kept as it came, and is nobody's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CanaryClaim {
    /// This version's.
    Known(Canary),
    /// Not understood here.
    Newer(Value),
}

impl CanaryClaim {
    /// The canary, if it is understood here.
    pub fn known(&self) -> Option<&Canary> {
        match self {
            Self::Known(canary) => Some(canary),
            Self::Newer(_) => None,
        }
    }
}

/// Whether devices would do the same; see [`Waves::tells_the_same`](super::Waves::tells_the_same).
pub(super) fn tell_the_same(one: Option<&CanaryClaim>, other: Option<&CanaryClaim>) -> bool {
    let is_newer = |claim: Option<&CanaryClaim>| matches!(claim, Some(CanaryClaim::Newer(_)));
    is_newer(one) || is_newer(other) || one == other
}

#[cfg(test)]
mod tests;
