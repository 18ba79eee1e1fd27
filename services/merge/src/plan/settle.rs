//! The whole of a plan: the hierarchy, the order of applying, numbers, breakers and the id that
//! a person approves.

use std::collections::BTreeMap;

use hubshift_domain::identity::canonical_json;
use hubshift_domain::merge::{
    Along, Breaker, Choice, ConflictKind, Counts, HubSize, PlanId, Planner, Resolution, Tripped,
};
use hubshift_store::StoreError;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::take::{decisions_of, remerge};
use super::{Facts, Subject, graph, merge_device};
use crate::store::item::{self, Item, Place};
use crate::store::{conflict, damaged};

/// Items that are read at once.
const PAGE: i64 = 500;
/// How many devices a blocker names.
const NAMED: i64 = 10;

/// A plan as a whole.
#[derive(Debug)]
pub(crate) struct Settled {
    /// What a person approves: it changes with every fact and with every decision.
    pub(crate) plan_id: PlanId,
    /// What it would do.
    pub(crate) counts: Counts,
    /// What stops an apply, for a person.
    pub(crate) blockers: Vec<String>,
    /// The breakers that it trips: with any it needs a second approval.
    pub(crate) tripped: Vec<Tripped>,
    /// Whether devices stay different: nothing is written of them.
    pub(crate) is_apart: bool,
}

/// Settles a plan whose items are written. `sizes` are those of the recovered and the active hub.
pub(crate) async fn settle(
    connection: &mut PgConnection,
    subject: &Subject<'_>,
    sizes: (HubSize, HubSize),
) -> Result<Settled, StoreError> {
    let mut places = item::places(connection, subject.merge_id).await?;
    if go_along(connection, subject, &places).await? {
        places = item::places(connection, subject.merge_id).await?;
    }
    check_hierarchy(connection, subject, &places).await?;
    set_order(connection, subject, &places).await?;
    let (plan, counts) = number(connection, subject).await?;
    let decisions = conflict::open_decisions(connection, subject.merge_id).await?;
    let tripped = subject.policy.breakers.check(&counts, sizes.0, sizes.1);
    let mut blockers: Vec<String> = tripped.iter().map(|trip| text(subject, trip)).collect();
    let apart = item::apart(connection, subject.merge_id, NAMED).await?;
    blockers.extend(apart.iter().map(|device| stays_different(subject, device)));
    Ok(Settled {
        plan_id: reviewed(plan, &decisions),
        counts,
        blockers,
        tripped,
        is_apart: !apart.is_empty(),
    })
}

fn text(subject: &Subject<'_>, trip: &Tripped) -> String {
    let hub = match trip.hub {
        Choice::Primary => subject.primary,
        Choice::Secondary => subject.secondary,
    };
    let what = match trip.breaker {
        Breaker::MassDeleteOther | Breaker::MassAuthChangeOther => "modules and configurations",
        Breaker::MassDelete | Breaker::MassAuthChange | Breaker::OverQuota => "devices",
    };
    format!(
        "{} at {hub}: {} {what}, {} are allowed without override_breakers",
        trip.breaker, trip.count, trip.allowed
    )
}

fn stays_different(subject: &Subject<'_>, device: &str) -> String {
    if subject.is_rewound {
        let hub = subject.secondary;
        return format!(
            "{device} stays different: a rewound hub is no reason to write {hub}; delete or \
             create it through Hubshift"
        );
    }
    format!("{device} stays different until its conflicts are decided")
}

/// Modules are merged again whose device was held, or decided, or is not any more; whether there were
/// any.
async fn go_along(
    connection: &mut PgConnection,
    subject: &Subject<'_>,
    places: &[Place],
) -> Result<bool, StoreError> {
    if subject.is_rewound {
        return Ok(false);
    }
    let decided = conflict::whole_decisions(connection, subject.merge_id).await?;
    let along = graph::along(places, &decided);
    let mut is_other = false;
    for place in places {
        let along = along.get(place.device.as_str()).copied();
        if along == place.along.as_deref().and_then(Along::parse) {
            continue;
        }
        let found = item::get(connection, subject.merge_id, &place.device).await?;
        let Some(mut item) = found.filter(|item| item.state == "planned") else {
            continue;
        };
        item.along = along;
        again(connection, subject, &mut item).await?;
        is_other = true;
    }
    Ok(is_other)
}

/// Merges an item again with the decisions that stand.
async fn again(
    connection: &mut PgConnection,
    subject: &Subject<'_>,
    item: &mut Item,
) -> Result<(), StoreError> {
    let devices = [item.device.to_string()];
    let decided = conflict::resolutions(connection, subject.merge_id, &devices).await?;
    let decided = decisions_of(&decided, item).to_vec();
    remerge(connection, subject, item, &decided).await?;
    Ok(())
}

/// Devices whose fault came or went are merged again.
async fn check_hierarchy(
    connection: &mut PgConnection,
    subject: &Subject<'_>,
    places: &[Place],
) -> Result<(), StoreError> {
    if subject.is_rewound {
        return Ok(());
    }
    let faults = graph::faults(places);
    for place in places {
        let fault = faults.get(place.device.as_str()).copied();
        if fault == place.scope_fault.as_deref().and_then(ConflictKind::parse) {
            continue;
        }
        let found = item::get(connection, subject.merge_id, &place.device).await?;
        let Some(mut item) = found.filter(|item| item.state == "planned") else {
            continue;
        };
        item.scope_fault = fault;
        again(connection, subject, &mut item).await?;
    }
    Ok(())
}

async fn set_order(
    connection: &mut PgConnection,
    subject: &Subject<'_>,
    places: &[Place],
) -> Result<(), StoreError> {
    let ranks: BTreeMap<&str, i32> = graph::ranks(places);
    let moved = places.iter().filter_map(|place| {
        let rank = ranks.get(place.device.as_str()).copied()?;
        (rank != place.rank).then(|| (place.device.clone(), rank))
    });
    let (devices, ranks): (Vec<String>, Vec<i32>) = moved.unzip();
    item::set_ranks(connection, subject.merge_id, &devices, &ranks).await
}

/// Reads all items once more, in order, and counts them.
async fn number(
    connection: &mut PgConnection,
    subject: &Subject<'_>,
) -> Result<(PlanId, Counts), StoreError> {
    let mut planner = Planner::new(subject.policy);
    let mut after = String::new();
    loop {
        let page = item::page(connection, subject.merge_id, &after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(planner.finish());
        };
        after = last.device.to_string();
        let devices: Vec<String> = page.iter().map(|item| item.device.to_string()).collect();
        let decided = conflict::resolutions(connection, subject.merge_id, &devices).await?;
        for item in &page {
            push(&mut planner, subject, item, decisions_of(&decided, item))?;
        }
    }
}

fn push(
    planner: &mut Planner,
    subject: &Subject<'_>,
    item: &Item,
    decided: &[Resolution],
) -> Result<(), StoreError> {
    let key = merge_device(subject, &Facts::of(item, decided));
    let pushed = planner.push(&item.device, &item.triple, &key);
    pushed.map_err(|error| damaged("device_id", error))
}

/// The id of a plan together with what operators decided: the domain's id names the facts alone.
fn reviewed(plan: PlanId, decisions: &[[String; 3]]) -> PlanId {
    if decisions.is_empty() {
        return plan;
    }
    let mut hasher = Sha256::new();
    hasher.update(b"hubshift review 1\0");
    hasher.update(plan.0);
    hasher.update(canonical_json(&json!(decisions)));
    PlanId(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_decision_changes_the_reviewed_id_and_none_leaves_it() {
        let plan = PlanId([7; 32]);
        let decision = |choice: &str| [["d-1".to_owned(), String::new(), choice.to_owned()]];
        assert_eq!(reviewed(plan, &[]), plan);
        let (primary, secondary) = (decision("primary"), decision("secondary"));
        assert_ne!(reviewed(plan, &primary), plan);
        assert_ne!(reviewed(plan, &primary), reviewed(plan, &secondary));
        assert_eq!(
            reviewed(plan, &primary),
            reviewed(plan, &decision("primary"))
        );
    }
}
