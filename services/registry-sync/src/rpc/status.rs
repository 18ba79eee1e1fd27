//! How far each standby is behind, in one answer.

use hubshift_api::pb::registry as pb;
use hubshift_api::{enums, times};
use hubshift_store::StoreError;
use time::OffsetDateTime;

use crate::authority::{FleetView, HubView};
use crate::deps::Deps;
use crate::hubs::HubsError;
use crate::store;
use crate::store::connection::ConnectionRow;
use crate::store::replication::ReplicationRow;
use crate::workflows::report::count;

/// The status of a fleet's hubs that have a connection.
pub(crate) async fn replication(
    deps: &Deps,
    view: &FleetView,
) -> Result<pb::ReplicationStatus, StoreError> {
    let (pool, fleet) = (&deps.pool, view.fleet.as_str());
    let connections = store::connection::list(pool, fleet).await?;
    let rows = store::replication::list(pool, fleet).await?;
    let mut hubs = Vec::new();
    for hub in &view.hubs {
        let id = hub.hub_id.as_str();
        let Some(connection) = connections.iter().find(|row| row.hub_id == id) else {
            continue;
        };
        let row = rows.iter().find(|row| row.hub_id == id);
        let mut status = status(view, hub, connection, row);
        status.authority_outlives_call = deps
            .hubs
            .authority_outlives_call(&view.fleet, &hub.hub_id)
            .await;
        status.device_count = count(store::observed::device_count(pool, fleet, id).await?);
        if hub.hub_id != view.active_hub {
            status.pending_count = count(store::replication::pending_count(pool, fleet, id).await?);
            let active = view.active_hub.as_str();
            let left_out = store::left_out::find(pool, fleet, active, id).await?;
            (status.left_out_count, status.left_out) = (left_out.count, left_out.named);
        }
        hubs.push(status);
    }
    Ok(pb::ReplicationStatus {
        fleet: view.fleet.name(),
        active_hub: view.active_hub.to_string(),
        epoch: view.epoch.0,
        hubs,
        unknown_count: count(store::replication::unknown_count(pool, fleet).await?),
    })
}

/// All but the counts, and what only a connected hub knows.
fn status(
    view: &FleetView,
    hub: &HubView,
    connection: &ConnectionRow,
    row: Option<&ReplicationRow>,
) -> pb::HubStatus {
    let row = row.filter(|_| hub.hub_id != view.active_hub);
    // What a standby held of an older authority says nothing of the current one.
    let watermark = row
        .filter(|row| row.watermark_epoch == view.epoch.as_i64())
        .and_then(|row| row.watermark);
    let is_fenced = connection.is_fenced();
    let is_answering = connection.contact_time.is_some() && connection.last_error.is_empty();
    let fence = connection
        .fence()
        .map_or(pb::FenceState::Unspecified, enums::fence_state);
    pb::HubStatus {
        hub: hub.hub_id.to_string(),
        state: enums::hub_state(hub.state).into(),
        reachable: is_answering && !is_fenced,
        last_error: if is_fenced {
            HubsError::Fenced(hub.hub_id.to_string()).to_string()
        } else {
            connection.last_error.clone()
        },
        watermark: watermark.map(times::timestamp),
        staleness_seconds: staleness(view.now, watermark),
        device_count: 0,
        pending_count: 0,
        verify_time: row.and_then(|row| row.verify_time).map(times::timestamp),
        verify_epoch: row.map_or(0, |row| u64::try_from(row.verify_epoch).unwrap_or(0)),
        blocked: row.map(|row| row.blocked.clone()).unwrap_or_default(),
        hard_fence: !connection.management_ref.is_empty(),
        fence: fence.into(),
        authority_outlives_call: false,
        left_out_count: 0,
        left_out: Vec::new(),
    }
}

/// A quiet feed is stale, not fresh: what counts is the last time at which all was there.
fn staleness(now: OffsetDateTime, watermark: Option<OffsetDateTime>) -> f64 {
    watermark.map_or(-1.0, |watermark| {
        (now - watermark).as_seconds_f64().max(0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_watermark_the_staleness_is_not_zero_but_unknown() {
        let now = OffsetDateTime::UNIX_EPOCH;
        assert_eq!(staleness(now, None), -1.0);
        assert_eq!(
            staleness(now, Some(now - std::time::Duration::from_millis(1500))),
            1.5
        );
        assert_eq!(
            staleness(now, Some(now + std::time::Duration::from_secs(1))),
            0.0
        );
    }
}
