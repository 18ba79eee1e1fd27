//! Fleets as operators see them, from the database.

use std::collections::BTreeMap;
use std::time::Duration;

use hubshift_api::pb::concierge::{self as pb, Adoption, BackEnd, Debt, Fleet, Hub};
use hubshift_api::{enums, times};
use hubshift_store::StoreError;
use sqlx::PgConnection;

use super::wire;
use crate::store::back_end::{self, BackEndRow};
use crate::store::canary::{self, CanaryRow};
use crate::store::debt::{self, DebtRow};
use crate::store::fleet::FleetRow;
use crate::store::hub::{self, HubRow};
use crate::store::{failover, unsigned, witness};

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
    let adoption = witness::adoption(connection, id, row.epoch()).await?;
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
            .map(|hub| wire_hub(id, hub))
            .collect::<Result<_, _>>()?,
        device_count: unsigned(row.device_count),
        utilisation_percent: u32::try_from(row.utilisation_percent).unwrap_or(0),
        poll_after: Some(times::std_duration(Duration::from_millis(unsigned(
            row.poll_after_ms,
        )))),
        on_unreachable: row.on_unreachable.clone(),
        debts: debts.into_iter().map(|debt| wire_debt(id, debt)).collect(),
        back_ends: back_ends.into_iter().map(wire_back_end).collect(),
        adoption: Some(Adoption {
            polling_count: adoption.polling,
            attached_count: adoption.attached,
        }),
        etag: row.etag(),
        create_time: Some(times::timestamp(row.create_time)),
        update_time: Some(times::timestamp(row.update_time)),
        alerts,
        waves: wire::waves(&row.waves()),
        canary: canary.map(|canary| wire_canary(row, &canary)).transpose()?,
    })
}

fn wire_hub(fleet_id: &str, hub: &HubRow) -> Result<Hub, StoreError> {
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
    })
}

fn wire_canary(fleet: &FleetRow, canary: &CanaryRow) -> Result<pb::Canary, StoreError> {
    let end = canary.end_time.zip(canary.end_cause.as_deref());
    let device_count = unsigned(fleet.device_count);
    Ok(wire::canary(&canary.entry()?, device_count, end))
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
