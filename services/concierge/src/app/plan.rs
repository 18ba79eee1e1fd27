//! The plan of a move: findings and predictions, as they are stored and shown.

use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::failover::{
    Check, Facts, Kind, LossBound, Step, fence_words, is_blocked, precheck, predicted_closure,
};
use serde::{Deserialize, Serialize};

use super::Settings;
use crate::store::fleet::FleetRow;
use crate::store::hub::HubRow;
use crate::store::unsigned;

/// What will happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Every finding.
    pub(crate) checks: Vec<Check>,
    /// Whether any finding stops the move, before an operator overrides it.
    pub(crate) blocked: bool,
    /// The epoch that it would commit.
    pub(crate) next_epoch: Epoch,
    /// How long registry writes are refused, predicted, milliseconds.
    pub(crate) closed_ms: u64,
    /// The window over which devices connect, milliseconds.
    pub(crate) window_ms: u64,
    /// Forced only.
    pub(crate) loss_bound: Option<LossBound>,
    /// Seconds since the target was known to be complete; negative for never.
    pub(crate) staleness_seconds: f64,
    /// What shuts the old hub out.
    pub(crate) fence: String,
    /// Its steps, in order.
    pub(crate) steps: Vec<Step>,
}

/// What a plan is made of.
#[derive(Debug)]
pub(crate) struct Basis<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) fleet: &'a FleetRow,
    pub(crate) hubs: &'a [HubRow],
    pub(crate) target: &'a HubRow,
    /// The highest epoch that any concierge served.
    pub(crate) witnessed: Epoch,
    pub(crate) settings: &'a Settings,
}

/// Predicts a move.
pub(crate) fn make(basis: &Basis<'_>) -> Plan {
    let Basis {
        facts,
        fleet,
        hubs,
        target,
        ..
    } = basis;
    let checks = precheck(facts);
    let devices = unsigned(fleet.device_count);
    let longest = hubs
        .iter()
        .map(HubRow::call_deadline)
        .max()
        .unwrap_or_default();
    let lag = hubs.iter().map(HubRow::read_lag).max().unwrap_or_default();
    let settle = longest + basis.settings.clock_bound;
    let known = facts
        .replication
        .as_ref()
        .and_then(|found| found.target.clone());
    let known = known.unwrap_or_default();
    let source = facts.replication.iter().find_map(|r| r.source.as_ref());
    // A new epoch at the same hub leaves nobody to shut out.
    let leaves = target.hub_id != fleet.active_hub_id;
    let can_fence = leaves && source.is_some_and(|hub| hub.can_fence);
    Plan {
        blocked: is_blocked(&checks, false),
        checks,
        next_epoch: fleet.epoch().next(target.index(), basis.witnessed),
        closed_ms: whole_millis(predicted_closure(facts.kind, devices, settle, lag)),
        window_ms: whole_millis(fleet.window(target.admission())),
        loss_bound: (facts.kind == Kind::Forced)
            .then(|| LossBound::new(known.staleness, known.pending)),
        staleness_seconds: known.staleness.map_or(-1.0, |span| span.as_secs_f64()),
        fence: fence_words(facts.kind, can_fence).to_owned(),
        steps: facts.kind.steps().collect(),
    }
}

impl Plan {
    /// The findings that stop the move, for a person.
    pub(crate) fn blockers(&self, overridden: bool) -> Option<String> {
        blockers(&self.checks, overridden)
    }
}

/// The findings that stop a move, for a person; `None` when it may start.
pub(crate) fn blockers(checks: &[Check], overridden: bool) -> Option<String> {
    let stops = |check: &&Check| is_blocked(std::slice::from_ref(check), overridden);
    let texts: Vec<String> = checks
        .iter()
        .filter(stops)
        .map(|check| format!("{}: {}", check.check, check.detail))
        .collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}

fn whole_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
