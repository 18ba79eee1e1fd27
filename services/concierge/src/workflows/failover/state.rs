//! What a failover remembers between its steps. Stored as JSON; fields are only ever added.

use std::collections::BTreeMap;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::failover::Kind;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::serde::rfc3339;
use uuid::Uuid;

use crate::app::failover::Superseded;
use crate::store::failover::FailoverRow;

/// What a failover remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    /// What kind of move.
    pub(crate) kind: Kind,
    /// The hub that it moves from.
    pub(crate) source_hub: String,
    /// The hub that it moves to.
    pub(crate) target_hub: String,
    /// Its freeze, chosen before there is one.
    pub(crate) freeze_id: Uuid,
    /// The epoch that it ends.
    pub(crate) from_epoch: Epoch,
    /// Whether the operator overrode checks.
    pub(crate) overridden: bool,
    /// The move that this one took over from.
    #[serde(default)]
    pub(crate) superseded: Option<Superseded>,
    /// Work at registry-sync, by step and label.
    #[serde(default)]
    pub(crate) tasks: BTreeMap<String, TaskRef>,
    /// Up to when the target is known to be complete.
    #[serde(default, with = "rfc3339::option")]
    pub(crate) watermark: Option<OffsetDateTime>,
    /// When the registry was certainly frozen.
    #[serde(default, with = "rfc3339::option")]
    pub(crate) frozen_time: Option<OffsetDateTime>,
    /// When every concierge served the new route, or waiting for it ended.
    #[serde(default, with = "rfc3339::option")]
    pub(crate) publish_time: Option<OffsetDateTime>,
    /// When a step first ran that bounds its own time.
    #[serde(default, with = "rfc3339::option")]
    pub(crate) since: Option<OffsetDateTime>,
    /// The routing version that tells devices of the move.
    #[serde(default)]
    pub(crate) routing_version: u64,
    /// Whether the source must be merged before it is a standby again.
    #[serde(default)]
    pub(crate) source_needs_merge: bool,
    /// Passes of the reverse sync so far.
    #[serde(default)]
    pub(crate) reverse_rounds: u32,
    /// What was measured.
    #[serde(default)]
    pub(crate) report: Report,
}

/// A task at registry-sync.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TaskRef {
    /// Its name; `None` before it is known to have been started.
    pub(crate) name: Option<String>,
    /// Rises when a task gave up and another one is started in its place.
    #[serde(default)]
    pub(crate) round: u32,
    /// How often it was looked at.
    #[serde(default)]
    pub(crate) polls: u32,
}

/// What was measured.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Report {
    /// The epoch that was committed; zero before.
    pub(crate) epoch: Epoch,
    /// When, by the database's clock.
    #[serde(with = "rfc3339::option")]
    pub(crate) commit_time: Option<OffsetDateTime>,
    /// From the start to the published route, milliseconds.
    pub(crate) control_plane_ms: Option<u64>,
    /// Replicas that served the route when publishing ended.
    pub(crate) published_replicas: u32,
    /// Replicas that were alive then.
    pub(crate) live_replicas: u32,
    /// Journaled writes that were repeated at the target.
    pub(crate) replayed_count: u64,
    /// Calls of the old epoch that landed after the commit.
    pub(crate) late_landing_count: u64,
    /// Keys that were changed at the source past the freeze.
    pub(crate) late_change_count: u64,
    /// How long registry writes were refused, milliseconds.
    pub(crate) registry_closed_ms: Option<u64>,
    /// Devices that poll, and those of them that are attached.
    pub(crate) adoption: Option<(u64, u64)>,
    /// The bound on loss, seconds.
    pub(crate) rpo_bound_seconds: f64,
    /// Whether the loss window has no end.
    pub(crate) rpo_window_open: bool,
    /// Records that both digests were taken over.
    pub(crate) verified_count: u64,
    /// Digest of the source.
    pub(crate) source_digest: String,
    /// Digest of the target.
    pub(crate) target_digest: String,
    /// What must still be paid.
    pub(crate) debts: Vec<String>,
}

impl State {
    /// What a failover starts with. Its freeze is named here, so that freezing can be repeated.
    pub(crate) fn new(kind: Kind, row: &FailoverRow, epoch: Epoch, overridden: bool) -> Self {
        Self {
            kind,
            source_hub: row.source_hub_id.clone(),
            target_hub: row.target_hub_id.clone(),
            freeze_id: Uuid::new_v4(),
            from_epoch: epoch,
            overridden,
            superseded: None,
            tasks: BTreeMap::new(),
            watermark: None,
            frozen_time: None,
            publish_time: None,
            since: None,
            routing_version: 0,
            source_needs_merge: false,
            reverse_rounds: 0,
            report: Report::default(),
        }
    }

    /// The epoch that the operation acts under.
    pub(crate) fn epoch(&self) -> Epoch {
        if self.has_committed() {
            self.report.epoch
        } else {
            self.from_epoch
        }
    }

    /// Whether the epoch has moved.
    pub(crate) fn has_committed(&self) -> bool {
        self.report.epoch != Epoch::default()
    }
}

/// Whole milliseconds between two moments; zero when they are the wrong way round.
pub(super) fn millis_between(from: OffsetDateTime, to: OffsetDateTime) -> u64 {
    u64::try_from((to - from).whole_milliseconds()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_state_of_an_older_binary_reads() {
        let stored = json!({
            "kind": "planned", "source_hub": "east", "target_hub": "west",
            "freeze_id": Uuid::nil(), "from_epoch": 1024, "overridden": false,
            "report": {"epoch": 2049}
        });
        let state: State = serde_json::from_value(stored).unwrap();
        assert_eq!(state.epoch(), Epoch(2049));
        let again: State = serde_json::from_value(serde_json::to_value(&state).unwrap()).unwrap();
        assert_eq!(again.report.epoch, state.report.epoch);
    }
}
