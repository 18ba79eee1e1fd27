//! Plans and extras to the wire.

use hubshift_api::pb::registry as pb;
use hubshift_api::{enums, times};
use hubshift_domain::adoption::{ExtraAction, ExtraOutcome, PlanState};
use hubshift_domain::failover::{Kind, fence_words};
use hubshift_domain::id::FleetId;
use hubshift_survey::{Counts, Loss, losses_of};

use super::super::task::adopted;
use crate::app::adoption::{Facts, Side, name, result};
use crate::store::adoption::AdoptionRow;
use crate::store::adoption::extra::{ExtraRow, Outcomes};
use crate::workflows::report::count;

/// `can_fence`: whether the active hub could be shut out after a forced move.
pub(super) fn plan(
    fleet: &FleetId,
    row: AdoptionRow,
    state: PlanState,
    outcomes: Outcomes,
    can_fence: bool,
) -> pb::AdoptionPlan {
    let plan = name(fleet, &row.hub, row.id);
    let losses = losses(&row.facts);
    let task = row.apply_task.map(|task| fleet.child_name("tasks", task));
    let facts = row.facts;
    pb::AdoptionPlan {
        name: plan.clone(),
        epoch: row.epoch.0,
        state: to_state(state).into(),
        source: Some(side(facts.source)),
        target: Some(side(facts.target)),
        equal_count: facts.equal,
        missing_count: facts.missing,
        different_count: facts.different,
        gone_count: facts.gone,
        extra_count: count(row.extra_count),
        extra_digest: row.extra_digest.to_string(),
        estimate: facts.estimate,
        unknowns: facts.unknowns,
        fence: fence_words(Kind::Forced, can_fence).to_owned(),
        losses,
        extras: to_action(row.action).into(),
        task: task.unwrap_or_default(),
        result: Some(adopted(result(plan, row.extra_count, outcomes))),
        create_time: Some(times::timestamp(row.create_time)),
        expire_time: Some(times::timestamp(row.expire_time)),
        apply_time: row.apply_time.map(times::timestamp),
    }
}

/// What only twins and the hub's own lists would tell is named without a number.
fn losses(facts: &Facts) -> Vec<pb::Loss> {
    let counts = Counts {
        records: facts.source.records,
        authorities: Some(facts.authorities),
        edges: Some(facts.edges),
        ..Counts::default()
    };
    losses_of(&counts).into_iter().map(loss).collect()
}

fn loss(loss: Loss) -> pb::Loss {
    pb::Loss {
        reason: loss.reason.to_owned(),
        count: loss.count,
        what: loss.what.to_owned(),
        remedy: loss.remedy.to_owned(),
    }
}

fn side(side: Side) -> pb::AdoptionSide {
    pb::AdoptionSide {
        hub: side.hub.to_string(),
        snapshot: side.snapshot.to_string(),
        record_count: side.records,
        digest: side.digest,
        tier: side.tier,
        units: side.units,
    }
}

pub(super) fn extra(row: ExtraRow) -> pb::AdoptionExtra {
    pb::AdoptionExtra {
        device: row.device,
        goes_with: row.goes_with.unwrap_or_default(),
        enabled: row.enabled,
        status_reason: row.status_reason.unwrap_or_default(),
        credential_kind: enums::credential_kind(row.credential_kind).into(),
        iot_edge: row.iot_edge,
        parent: row.parent.unwrap_or_default(),
        action: to_action(row.action).into(),
        outcome: to_outcome(row.outcome).into(),
        detail: row.detail,
        outcome_time: row.outcome_time.map(times::timestamp),
    }
}

fn to_state(state: PlanState) -> pb::AdoptionState {
    match state {
        PlanState::Planned => pb::AdoptionState::Planned,
        PlanState::Applying => pb::AdoptionState::Applying,
        PlanState::Applied => pb::AdoptionState::Applied,
        PlanState::Expired => pb::AdoptionState::Expired,
    }
}

fn to_action(action: Option<ExtraAction>) -> pb::ExtraAction {
    match action {
        None => pb::ExtraAction::Unspecified,
        Some(ExtraAction::Keep) => pb::ExtraAction::Keep,
        Some(ExtraAction::Quarantine) => pb::ExtraAction::Quarantine,
        Some(ExtraAction::Delete) => pb::ExtraAction::Delete,
    }
}

pub(super) fn from_action(action: pb::ExtraAction) -> Option<ExtraAction> {
    let mut known = ExtraAction::ALL.iter().copied();
    known.find(|known| to_action(Some(*known)) == action)
}

fn to_outcome(outcome: Option<ExtraOutcome>) -> pb::ExtraOutcome {
    match outcome {
        None => pb::ExtraOutcome::Unspecified,
        Some(ExtraOutcome::Kept) => pb::ExtraOutcome::Kept,
        Some(ExtraOutcome::Quarantined) => pb::ExtraOutcome::Quarantined,
        Some(ExtraOutcome::Deleted) => pb::ExtraOutcome::Deleted,
        Some(ExtraOutcome::Stale) => pb::ExtraOutcome::Stale,
        Some(ExtraOutcome::Rejected) => pb::ExtraOutcome::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_come_back_from_the_wire_and_none_is_not_keep() {
        for action in ExtraAction::ALL {
            assert_eq!(from_action(to_action(Some(*action))), Some(*action));
        }
        assert_eq!(from_action(pb::ExtraAction::Unspecified), None);
    }
}
