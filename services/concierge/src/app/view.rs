//! Fleets as operators see them, from the database.

use std::collections::BTreeMap;
use std::time::Duration;

use hubshift_api::pb::concierge::{
    self as pb, Adoption, BackEnd, Debt, Fleet, Hub, HubObservation,
};
use hubshift_api::{enums, times};
use hubshift_domain::coverage::Coverage;
use hubshift_store::StoreError;
use sqlx::PgConnection;

use super::wire;
use crate::store::back_end::{self, BackEndRow};
use crate::store::canary::{self, CanaryRow};
use crate::store::debt::{self, DebtRow};
use crate::store::fleet::FleetRow;
use crate::store::hub::{self, HubRow};
use crate::store::observer::{self, ObservationRow};
use crate::store::{coverage, failover, unsigned, witness};

/// A fleet with all that belongs to it.
pub(super) async fn fleet(
    connection: &mut PgConnection,
    row: &FleetRow,
    alerts: Vec<String>,
) -> Result<Fleet, StoreError> {
    let id = &row.fleet_id;
    let hubs = hub::of_fleet(connection, id).await?;
    let debts = debt::unpaid(connection, id).await?;
    let back_ends = back_end::of_fleet(connection, id).await?;
    let canary = canary::latest(connection, id).await?;
    let observations = observer::of_fleet(connection, id).await?;
    let adoption = adoption(connection, row).await?;
    Ok(Fleet {
        name: format!("fleets/{id}"),
        display_name: row.display_name.clone(),
        home_hub: row.home_hub_id.clone(),
        active_hub: row.active_hub_id.clone(),
        epoch: row.epoch().0,
        routing_version: unsigned(row.routing_version),
        registry_mode: enums::registry_mode(row.mode()?).into(),
        hubs: hubs
            .iter()
            .map(|hub| wire_hub(id, hub, &observations))
            .collect::<Result<_, _>>()?,
        device_count: unsigned(row.device_count),
        utilisation_percent: u32::try_from(row.utilisation_percent).unwrap_or(0),
        poll_after: Some(times::std_duration(poll_after(row))),
        on_unreachable: row.on_unreachable.clone(),
        debts: debts.into_iter().map(|debt| wire_debt(id, debt)).collect(),
        back_ends: back_ends.into_iter().map(wire_back_end).collect(),
        adoption: Some(adoption),
        etag: row.etag(),
        create_time: Some(times::timestamp(row.create_time)),
        update_time: Some(times::timestamp(row.update_time)),
        alerts,
        waves: wire::waves(&row.waves()),
        canary: canary.map(|canary| wire_canary(row, &canary)).transpose()?,
    })
}

/// Which part of the fleet asks.
pub(super) async fn coverage(
    connection: &mut PgConnection,
    row: &FleetRow,
) -> Result<Coverage, StoreError> {
    let polling = coverage::polling(connection, &row.fleet_id, poll_after(row)).await?;
    Ok(Coverage::new(unsigned(row.device_count), polling))
}

async fn adoption(connection: &mut PgConnection, row: &FleetRow) -> Result<Adoption, StoreError> {
    let counted = witness::adoption(connection, &row.fleet_id, row.epoch()).await?;
    let coverage = coverage(connection, row).await?;
    Ok(Adoption {
        polling_count: coverage.polling,
        // The sum over replicas may be ahead of the sketches, and count a device twice.
        attached_count: counted.attached.min(coverage.polling),
        registered_count: coverage.registered,
        polling_error_percent: coverage.error_percent,
        silent_count: coverage.silent(),
        text: coverage.text(),
    })
}

fn poll_after(row: &FleetRow) -> Duration {
    Duration::from_millis(unsigned(row.poll_after_ms))
}

fn wire_hub(
    fleet_id: &str,
    hub: &HubRow,
    observations: &[ObservationRow],
) -> Result<Hub, StoreError> {
    let of_hub = observations.iter().filter(|seen| seen.hub_id == hub.hub_id);
    let labels: BTreeMap<String, String> =
        serde_json::from_value(hub.labels.clone()).unwrap_or_default();
    Ok(Hub {
        name: format!("fleets/{fleet_id}/hubs/{}", hub.hub_id),
        region: hub.region.clone(),
        host: hub.host.clone(),
        service_host: hub.service_host.clone(),
        event_endpoint: hub.event_endpoint.clone(),
        labels,
        admission_per_second: hub.admission(),
        call_deadline: Some(times::std_duration(hub.call_deadline())),
        read_lag: Some(times::std_duration(hub.read_lag())),
        state: enums::hub_state(hub.state()?).into(),
        index: u32::from(hub.index()),
        observations: of_hub.map(wire_observation).collect(),
    })
}

fn wire_canary(fleet: &FleetRow, canary: &CanaryRow) -> Result<pb::Canary, StoreError> {
    let end = canary.end_time.zip(canary.end_cause.as_deref());
    let device_count = unsigned(fleet.device_count);
    Ok(wire::canary(&canary.entry()?, device_count, end))
}

fn wire_observation(seen: &ObservationRow) -> HubObservation {
    HubObservation {
        from: seen.seen_from.clone(),
        alive: seen.is_alive,
        since: Some(times::timestamp(seen.since)),
        error: seen.detail.clone(),
        seen_time: Some(times::timestamp(seen.seen_time)),
        stale: seen.is_stale,
    }
}

fn wire_debt(fleet_id: &str, debt: DebtRow) -> Debt {
    Debt {
        kind: debt.kind.to_uppercase(),
        hub: debt.hub_id,
        failover: failover::name(fleet_id, debt.failover_id),
        epoch: unsigned(debt.epoch),
        create_time: Some(times::timestamp(debt.create_time)),
        error: debt.error,
    }
}

fn wire_back_end(row: BackEndRow) -> BackEnd {
    BackEnd {
        back_end: row.back_end,
        epoch: unsigned(row.epoch),
        acknowledge_time: Some(times::timestamp(row.acknowledge_time)),
    }
}
