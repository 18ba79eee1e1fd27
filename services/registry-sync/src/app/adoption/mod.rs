//! Adopting a hub as a standby: a plan of what it lacks, what differs and what only it has, and what
//! an operator orders about the last.
//!
//! ```text
//! scans of both hubs ─▶ plan ─▶ (a person) ─▶ order ─▶ begin ─▶ batch by batch: look at both hubs,
//!                                                      write under the plan's conditions, note
//! ```
//!
//! Durable: the plan, what was told about every extra, and what became of it. Kept true: without an
//! order nothing is written; an extra is written only as it was planned and while the active hub
//! does not have it; what has an outcome is not touched again. A deletion leaves no tombstone: what
//! never was at the authority can still be created there, and is replicated then as anything else.

mod batch;
mod begin;
mod error;
mod hands;
mod plan;

use hubshift_domain::adoption::ExtraAction;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::{FleetId, HubId, RecordKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::adoption::extra::Outcomes;
use crate::workflows::report::{AdoptionResult, count};

pub(crate) use batch::batch;
pub(crate) use begin::{begin, other_task, refusal};
pub(crate) use error::AdoptionError;
pub(crate) use plan::{Scanned, store_plan};

/// What was found at both hubs when a plan was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Facts {
    /// The active hub.
    pub(crate) source: Side,
    /// The standby.
    pub(crate) target: Side,
    pub(crate) equal: u64,
    /// Passes make them.
    pub(crate) missing: u64,
    /// Passes overwrite them.
    pub(crate) different: u64,
    /// Passes remove them, once confirmed.
    pub(crate) gone: u64,
    /// How long passes take, in words.
    pub(crate) estimate: String,
    /// For a person.
    pub(crate) unknowns: Vec<String>,
    /// Devices of the active hub that prove themselves by a certificate authority.
    pub(crate) authorities: u64,
    /// Edge devices of the active hub.
    pub(crate) edges: u64,
}

/// One of both hubs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Side {
    pub(crate) hub: HubId,
    /// The scan.
    pub(crate) snapshot: Uuid,
    pub(crate) records: u64,
    /// Hexadecimal.
    pub(crate) digest: String,
    /// Empty when nobody said it.
    pub(crate) tier: String,
    pub(crate) units: u32,
}

/// What an operator orders about the extras of a plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) fleet: FleetId,
    /// The standby.
    pub(crate) hub: HubId,
    pub(crate) adoption: Uuid,
    /// Of the plan; nothing is written in any other.
    pub(crate) epoch: Epoch,
    /// For every extra that no override names.
    pub(crate) action: ExtraAction,
    pub(crate) overrides: Vec<Override>,
}

/// What is ordered about one extra.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Override {
    pub(crate) device: RecordKey,
    pub(crate) action: ExtraAction,
}

impl Order {
    /// Whether it says this about anything.
    pub(crate) fn says(&self, action: ExtraAction) -> bool {
        self.action == action || self.overrides.iter().any(|it| it.action == action)
    }
}

/// The name of a plan.
pub(crate) fn name(fleet: &FleetId, hub: &HubId, id: Uuid) -> String {
    format!("{}/adoptions/{id}", fleet.hub_name(hub))
}

/// What became of a plan's extras.
pub(crate) fn result(plan: String, extras: i64, outcomes: Outcomes) -> AdoptionResult {
    AdoptionResult {
        plan,
        extras: count(extras),
        kept: count(outcomes.kept),
        quarantined: count(outcomes.quarantined),
        deleted: count(outcomes.deleted),
        stale: count(outcomes.stale),
        rejected: count(outcomes.rejected),
    }
}
