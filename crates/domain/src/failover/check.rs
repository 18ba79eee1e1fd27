//! The findings before a move: what passes, what warns, what stops it.
//!
//! A pure function of the facts. A forced move may override what blocks, except what would make
//! the move meaningless: a target that can't take over, or the same hub.

mod rules;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Kind, Step};
use crate::coverage::Coverage;
use crate::hub_state::{HubState, RegistryMode, named};
use crate::observer::Tally;

named!(
    /// How a check comes out.
    Verdict {
        /// Good.
        Pass = "pass",
        /// Not good, and no reason to stop.
        Warn = "warn",
        /// The move does not start.
        Block = "block",
    }
);

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its stable name, `target_ready`.
    pub check: String,
    /// How it came out.
    pub verdict: Verdict,
    /// Whether an operator of a forced move may go on although it blocks.
    pub can_override: bool,
    /// For a person, with what to do next.
    pub detail: String,
}

/// What replication knows of one hub.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HubFacts {
    /// Whether its last call was answered.
    pub reachable: bool,
    /// Why not.
    pub last_error: String,
    /// Since when the hub is known to hold everything; `None` when it never did.
    pub staleness: Option<Duration>,
    /// Journaled writes that it is not known to hold.
    pub pending: u64,
    /// Why replication to it stopped; empty when it did not.
    pub blocked: String,
    /// Whether it can be shut out through its management plane.
    pub can_fence: bool,
    /// Whether it is shut out that way, or may be.
    pub is_fenced: bool,
    /// Whether what authorises a call to it stays good after the call's deadline.
    pub authority_outlives_call: bool,
    /// How many records cannot carry over to it as things are.
    pub left_out_count: u64,
    /// Some of them, each with why.
    pub left_out: Vec<String>,
}

/// What replication knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReplicationFacts {
    /// The hub to move from; `None` without a connection.
    pub source: Option<HubFacts>,
    /// The hub to move to; `None` without a connection.
    pub target: Option<HubFacts>,
}

/// What merging knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MergeFacts {
    /// Conflicts that hold a device.
    pub open_holds: u64,
    /// A merge that is not over; empty for none.
    pub active_merge: String,
}

/// What the concierges make of the target, from where each of them stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObserverFacts {
    /// How many see it alive, and how many dead.
    pub tally: Tally,
    /// Each that sees it dead, with since when and why.
    pub dead: Vec<String>,
}

/// What the findings are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// What kind of move.
    pub kind: Kind,
    /// What the target is to the fleet.
    pub target_state: HubState,
    /// Whether the target is where the fleet is at home.
    pub target_is_home: bool,
    /// Whether the registry takes writes.
    pub registry_mode: RegistryMode,
    /// Where the move stands that this one takes over from.
    pub superseded: Option<Step>,
    /// Whether somebody knows a higher epoch than the database.
    pub epoch_forgotten: bool,
    /// `None` when registry-sync does not answer.
    pub replication: Option<ReplicationFacts>,
    /// `None` when merge does not answer.
    pub merge: Option<MergeFacts>,
    /// How stale a target may be.
    pub max_staleness: Duration,
    /// Hubs with an unpaid `MERGE_REQUIRED`.
    pub merge_debts: Vec<String>,
    /// Hubs with an unpaid `FENCE_REQUIRED`.
    pub fence_debts: Vec<String>,
    /// Which part of the fleet asks a concierge.
    pub coverage: Coverage,
    /// How the target looks on the path that devices use.
    pub observers: ObserverFacts,
}

impl Facts {
    /// Whether the target reigned until the move that this one takes over from: it is no standby
    /// yet, and missed nothing that is not in the journal.
    fn is_way_back(&self) -> bool {
        let was_deposed = matches!(self.target_state, HubState::Draining | HubState::Fenced);
        self.superseded.is_some() && was_deposed
    }
}

/// Every finding, in a fixed order.
pub fn precheck(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![
        rules::registry_open(facts),
        rules::epoch_known(facts),
        rules::target_standby(facts),
        rules::target_ready(facts),
        rules::target_open(facts),
        rules::answers(facts, "target_answers"),
    ];
    if facts.kind.has_source() {
        checks.push(rules::answers(facts, "source_answers"));
    }
    checks.extend([
        rules::staleness(facts),
        rules::replication(facts),
        rules::carries_over(facts),
        rules::coverage(facts),
        rules::target_seen(facts),
        rules::open_holds(facts),
        rules::active_merge(facts),
    ]);
    checks.extend([
        rules::call_authority(facts),
        rules::merge_debts(facts),
        rules::fence_debts(facts),
    ]);
    if facts.kind == Kind::Failback {
        checks.push(rules::target_home(facts));
    }
    checks
}

/// What shuts the old hub out, for an operator who reads a plan. A planned move leaves a hub that was
/// proven equal, and keeps it as a standby.
pub fn fence_words(kind: Kind, can_fence: bool) -> &'static str {
    match kind {
        Kind::Planned | Kind::Failback => "none",
        Kind::Forced if can_fence => "hard, by the management plane",
        Kind::Forced => "none, loss window stays open",
    }
}

/// Whether the findings stop the move. `overridden`: the operator of a forced move said to go on.
pub fn is_blocked(checks: &[Check], overridden: bool) -> bool {
    let stops = |check: &Check| !(overridden && check.can_override);
    checks
        .iter()
        .any(|check| check.verdict == Verdict::Block && stops(check))
}

#[cfg(test)]
mod tests;
