//! Standbys on their way: a hub that was contacted is synced, a hub that was verified equal in this
//! epoch is ready.

use hubshift_api::pb::registry::HubStatus;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::failover::{StandbyProgress, standby_fate};
use hubshift_domain::hub_state::HubState;
use hubshift_store::{StoreError, in_tx};

use crate::app::App;
use crate::store::fleet::FleetRow;
use crate::store::{authority, hub};

pub(super) async fn tick(app: &App, fleet: &FleetRow) -> Result<(), StoreError> {
    let on_their_way = waiting(app, fleet).await?;
    if on_their_way.is_empty() {
        return Ok(());
    }
    let Ok(status) = app.remote.replication_status(&fleet.fleet_id).await else {
        return Ok(());
    };
    for (hub_id, state) in on_their_way {
        let Some(seen) = status.hubs.iter().find(|hub| hub.hub == hub_id) else {
            continue;
        };
        if let Some(to) = standby_fate(state, fleet.epoch(), progress(seen)) {
            change(app, fleet, &hub_id, state, to).await?;
        }
    }
    Ok(())
}

async fn waiting(app: &App, fleet: &FleetRow) -> Result<Vec<(String, HubState)>, StoreError> {
    let mut connection = app.connection().await?;
    let mut waiting = Vec::new();
    for row in hub::of_fleet(&mut connection, &fleet.fleet_id).await? {
        let state = row.state()?;
        if matches!(state, HubState::Provisioning | HubState::Syncing) {
            waiting.push((row.hub_id, state));
        }
    }
    Ok(waiting)
}

fn progress(seen: &HubStatus) -> StandbyProgress {
    StandbyProgress {
        was_contacted: seen.reachable,
        has_watermark: seen.watermark.is_some(),
        is_blocked: !seen.blocked.is_empty(),
        verify_epoch: Epoch(seen.verify_epoch),
    }
}

async fn change(
    app: &App,
    fleet: &FleetRow,
    hub_id: &str,
    from: HubState,
    to: HubState,
) -> Result<(), StoreError> {
    let (fleet_id, epoch) = (fleet.fleet_id.as_str(), fleet.epoch());
    let moved = in_tx(&app.pool, "standby_fate", |mut tx| async move {
        let same = authority::hold_epoch(&mut tx, fleet_id, epoch).await?;
        let moved = same && hub::move_state(&mut tx, fleet_id, hub_id, &[from], to).await?;
        Ok::<_, StoreError>((tx, moved))
    });
    if moved.await? {
        tracing::info!(fleet = fleet_id, hub = hub_id, %from, %to, "standby moved on");
    }
    Ok(())
}
