//! Gathers the facts that the findings before a move are made of.
//!
//! A service that does not answer is a fact too: it never fails the gathering.

use std::time::Duration;

use hubshift_api::pb::merge::MergeStatus;
use hubshift_api::pb::registry::{HubStatus, ReplicationStatus};
use hubshift_api::{enums, times};
use hubshift_domain::epoch::Epoch;
use hubshift_domain::failover::{
    Facts, HubFacts, Kind, MergeFacts, ObserverFacts, ReplicationFacts,
};
use hubshift_domain::fence::FenceState;
use hubshift_domain::id::FleetId;
use hubshift_store::StoreError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tonic::Status;

use super::failover::Superseded;
use super::{App, AppError, view};
use crate::store::debt::{self, DebtRow};
use crate::store::fleet::{self, FleetRow};
use crate::store::hub::{self, HubRow};
use crate::store::observer::{self, ObservationRow};
use crate::store::witness;
use crate::table::EPOCH_FORGOTTEN;

/// A fleet and its hubs, as a move finds them.
#[derive(Debug, Clone)]
pub(crate) struct Situation {
    pub(crate) fleet: FleetRow,
    pub(crate) hubs: Vec<HubRow>,
    pub(crate) debts: Vec<DebtRow>,
    /// The highest epoch that anybody is known to have served.
    pub(crate) witnessed: Epoch,
}

/// The facts, and since when the target is known to be complete.
#[derive(Debug, Clone)]
pub(crate) struct Gathered {
    pub(crate) facts: Facts,
    pub(crate) watermark: Option<OffsetDateTime>,
}

impl Situation {
    /// The hub with this slug.
    pub(crate) fn hub(&self, hub_id: &str) -> Result<&HubRow, AppError> {
        self.hubs
            .iter()
            .find(|hub| hub.hub_id == hub_id)
            .ok_or_else(|| AppError::HubNotFound {
                fleet: self.fleet.fleet_id.clone(),
                hub: hub_id.to_owned(),
            })
    }

    fn owing(&self, kind: &str) -> Vec<String> {
        let mut hubs: Vec<String> = self
            .debts
            .iter()
            .filter(|debt| debt.kind == kind)
            .map(|debt| debt.hub_id.clone())
            .collect();
        hubs.dedup();
        hubs
    }
}

impl App {
    /// Reads what the database knows of a fleet.
    pub(crate) async fn situation(&self, fleet_id: &str) -> Result<Situation, AppError> {
        let mut connection = self.connection().await?;
        let Some(fleet) = fleet::get(&mut connection, fleet_id).await? else {
            return Err(AppError::FleetNotFound(fleet_id.to_owned()));
        };
        Ok(Situation {
            fleet,
            hubs: hub::of_fleet(&mut connection, fleet_id).await?,
            debts: debt::unpaid(&mut connection, fleet_id).await?,
            witnessed: self.highest_epoch(&mut connection, fleet_id).await?,
        })
    }

    /// The highest epoch that anybody is known to have served: as the replicas' heartbeats say, and
    /// as this one serves it, which its own heartbeat may not say yet.
    pub(crate) async fn highest_epoch(
        &self,
        connection: &mut PgConnection,
        fleet_id: &str,
    ) -> Result<Epoch, StoreError> {
        let witnessed = witness::highest_epoch(connection, fleet_id).await?;
        let fleet = FleetId::new(fleet_id).ok();
        let served = fleet.and_then(|fleet| self.table.get(&fleet));
        Ok(served.map_or(witnessed, |entry| entry.epoch.max(witnessed)))
    }

    /// Asks the services below what they know, and puts it together with the situation.
    pub(crate) async fn gather(
        &self,
        situation: &Situation,
        kind: Kind,
        target: &HubRow,
        superseded: Option<&Superseded>,
    ) -> Result<Gathered, StoreError> {
        let fleet = &situation.fleet;
        let (replication, merge) = tokio::join!(
            self.remote.replication_status(&fleet.fleet_id),
            self.remote.merge_status(&fleet.fleet_id, ""),
        );
        let replication = answered("registry-sync", replication);
        let target_status = replication
            .as_ref()
            .and_then(|found| of_hub(found, &target.hub_id));
        let seen = target_status
            .and_then(|hub| hub.watermark.as_ref())
            .and_then(times::from_timestamp);
        let target_state = target.state()?;
        let reigned = superseded.and_then(|found| found.reign_end(&target.hub_id, target_state));
        let watermark = seen.max(reigned);
        let mut target_facts = target_status.map(hub_facts);
        if let (Some(facts), Some(reigned)) = (&mut target_facts, reigned) {
            let since = Duration::try_from(fleet.now - reigned).unwrap_or_default();
            facts.staleness = Some(facts.staleness.map_or(since, |known| known.min(since)));
        }
        let mut connection = self.connection().await?;
        let coverage = view::coverage(&mut connection, fleet).await?;
        let seen = observer::of_fleet(&mut connection, &fleet.fleet_id).await?;
        let facts = Facts {
            kind,
            target_state,
            target_is_home: fleet.home_hub_id == target.hub_id,
            registry_mode: fleet.mode()?,
            superseded: superseded.map(|found| found.step),
            epoch_forgotten: self.is_epoch_forgotten(&fleet.fleet_id),
            replication: replication.as_ref().map(|found| ReplicationFacts {
                source: of_hub(found, &fleet.active_hub_id).map(hub_facts),
                target: target_facts,
            }),
            merge: answered("merge", merge).map(merge_facts),
            max_staleness: self.settings.max_staleness,
            merge_debts: situation.owing(debt::MERGE_REQUIRED),
            fence_debts: situation.owing(debt::FENCE_REQUIRED),
            coverage,
            observers: observer_facts(&seen, &target.hub_id),
        };
        Ok(Gathered { facts, watermark })
    }

    fn is_epoch_forgotten(&self, fleet_id: &str) -> bool {
        FleetId::new(fleet_id).is_ok_and(|fleet| {
            self.table
                .alerts(&fleet)
                .iter()
                .any(|alert| alert == EPOCH_FORGOTTEN)
        })
    }
}

fn answered<T>(service: &str, answer: Result<T, Status>) -> Option<T> {
    answer
        .inspect_err(|status| {
            let (code, text) = (status.code(), status.message());
            tracing::warn!(service, %code, text, "no answer for the checks before a move");
        })
        .ok()
}

fn of_hub<'a>(status: &'a ReplicationStatus, hub_id: &str) -> Option<&'a HubStatus> {
    status.hubs.iter().find(|hub| hub.hub == hub_id)
}

fn hub_facts(hub: &HubStatus) -> HubFacts {
    let complete = hub.watermark.is_some() && hub.staleness_seconds >= 0.0;
    let staleness = complete.then(|| Duration::try_from_secs_f64(hub.staleness_seconds).ok());
    HubFacts {
        reachable: hub.reachable,
        last_error: hub.last_error.clone(),
        staleness: staleness.flatten(),
        pending: hub.pending_count,
        blocked: hub.blocked.clone(),
        can_fence: hub.hard_fence,
        is_fenced: enums::from_fence_state(hub.fence()).is_some_and(FenceState::may_be_shut),
        authority_outlives_call: hub.authority_outlives_call,
        left_out_count: hub.left_out_count,
        left_out: hub.left_out.clone(),
    }
}

/// What the concierges say of a hub, as far as it is fresh.
fn observer_facts(seen: &[ObservationRow], hub_id: &str) -> ObserverFacts {
    let mut facts = ObserverFacts::default();
    let fresh = seen.iter().filter(|seen| !seen.is_stale);
    for seen in fresh.filter(|seen| seen.hub_id == hub_id) {
        if seen.is_alive {
            facts.tally.alive += 1;
            continue;
        }
        facts.tally.dead += 1;
        let (from, since) = (&seen.seen_from, clock(seen.since));
        facts
            .dead
            .push(format!("{from} since {since} ({})", seen.detail));
    }
    facts
}

fn clock(time: OffsetDateTime) -> String {
    let seconds = time.replace_nanosecond(0).unwrap_or(time);
    seconds.format(&Rfc3339).unwrap_or_default()
}

fn merge_facts(status: MergeStatus) -> MergeFacts {
    MergeFacts {
        open_holds: status.open_hold_count,
        active_merge: status.active_merge,
    }
}
