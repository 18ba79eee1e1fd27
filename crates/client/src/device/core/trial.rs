//! A canary that this device takes part in: for how long it belongs to a standby, and the timer of
//! its slot.
//!
//! Kept true: the end only ever comes nearer, so that no clock that jumps, no poll and no concierge
//! keeps the device at a standby; a canary that is over stays over.

use std::time::{Duration, Instant};

use hubshift_domain::id::DeviceId;
use hubshift_domain::route::{Canary, RouteClaims, RouteEndpoint};
use time::OffsetDateTime;

/// After so many failed attempts in a row a device goes back by itself: a standby that takes nobody
/// must not cost it its telemetry.
pub(super) const MAX_FAILURES: u32 = 3;

/// A canary, from the moment when the device first accepted it.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    pub(super) id: String,
    pub(super) endpoint: RouteEndpoint,
    /// The device's place in the cohort's window, there and back.
    pub(super) slot: Duration,
    started_at: OffsetDateTime,
    until: OffsetDateTime,
    life: Duration,
    /// When the device goes back; `None`: it has.
    ends_at: Option<Instant>,
}

impl Trial {
    /// The canary as this device sees it: over, until it is begun.
    pub(super) fn of(canary: &Canary, route: &RouteClaims, device: &DeviceId) -> Self {
        Self {
            id: canary.id.clone(),
            endpoint: canary.endpoint.clone(),
            slot: canary.slot(device.as_str(), route.epoch),
            started_at: canary.started_at,
            until: canary.until,
            life: canary.life(),
            ends_at: None,
        }
    }

    /// Begins it, or goes on with it after `ago`: until the signed end by the wall clock, if there
    /// is one, and never longer than the canary's life.
    pub(super) fn begin(&mut self, ago: Duration, unix: Option<OffsetDateTime>, now: Instant) {
        let left = self.life.saturating_sub(ago);
        let left = unix.map_or(left, |unix| left.min(self.left_by(unix)));
        self.ends_at = (!left.is_zero()).then(|| now + left);
    }

    /// What the wall clock says: it may bring the end nearer.
    pub(super) fn on_clock(&mut self, unix: OffsetDateTime, now: Instant) {
        let by_clock = now + self.left_by(unix);
        self.ends_at = self.ends_at.map(|ends_at| ends_at.min(by_clock));
    }

    fn left_by(&self, unix: OffsetDateTime) -> Duration {
        // A clock that is far behind says nothing: it leaves the canary its life.
        let left = Duration::try_from(self.until - unix).unwrap_or_default();
        left.min(self.life)
    }

    /// Whether a clock that says this can be believed at all.
    pub(super) fn can_be(&self, unix: OffsetDateTime) -> bool {
        unix >= self.started_at
    }

    /// When the device goes back, as long as it is there.
    pub(super) fn ends_at(&self) -> Option<Instant> {
        self.ends_at
    }

    /// Ends it for this device.
    pub(super) fn end(&mut self) {
        self.ends_at = None;
    }
}

/// When a slot's timer started, and how long it runs. It starts once for everything that a device
/// aims at: an epoch's active hub, or a canary.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timer {
    pub(super) since: Instant,
    pub(super) wait: Duration,
}

impl Timer {
    /// One that has run for `ago`.
    pub(super) fn after(ago: Duration, wait: Duration, now: Instant) -> Self {
        match now.checked_sub(ago) {
            Some(since) => Self { since, wait },
            None => Self {
                since: now,
                wait: wait.saturating_sub(ago),
            },
        }
    }

    /// When it fires; not before `now` for one that fired long ago.
    pub(super) fn due(&self, now: Instant) -> Instant {
        (self.since + self.wait).max(now)
    }
}

/// What the slot's timer runs for, for the state file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aim {
    /// The id of the canary that the device is at; none: the active hub.
    pub canary: Option<String>,
    /// How long the timer has run.
    pub ago: Duration,
    /// How long it runs in all.
    pub wait: Duration,
}
