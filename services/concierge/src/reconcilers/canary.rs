//! A canary that has to end is ended: its time is over, its hub is not a ready standby any more, a
//! failover has begun, or the fleet has another epoch. Devices are told by a higher routing version;
//! those that no concierge reaches come back by the end that is in their route.

use hubshift_domain::canary::{CanaryFacts, RevertCause, should_revert};
use hubshift_domain::epoch::Epoch;
use hubshift_store::{StoreError, in_tx};
use sqlx::PgConnection;

use crate::app::App;
use crate::observers::Observers;
use crate::store::audit::{self, Entry};
use crate::store::canary::{self, CanaryRow};
use crate::store::fleet::FleetRow;
use crate::store::{authority, clock, hub};
use crate::workflows::failover::KIND;

pub(super) async fn tick(app: &App, fleet: &FleetRow) -> Result<(), StoreError> {
    let fleet_id = fleet.fleet_id.as_str();
    // Without a lock first: the fence is not to be held for a canary that goes on.
    let mut connection = app.connection().await?;
    let Some(running) = canary::running(&mut connection, fleet_id).await? else {
        return Ok(());
    };
    let observed_dead = app.observers.is_dead(fleet_id, &running.hub_id);
    let facts = facts(&mut connection, &running, fleet.epoch(), observed_dead).await?;
    drop(connection);
    if should_revert(&facts).is_none() {
        return Ok(());
    }
    let ended = in_tx(&app.pool, "revert_canary", |mut tx| async move {
        let ended = revert(&mut tx, &app.observers, fleet_id).await?;
        Ok::<_, StoreError>((tx, ended))
    });
    if let Some((canary, cause)) = ended.await? {
        tracing::info!(fleet = fleet_id, %canary, %cause, "a canary ended");
        app.table.refresh_soon();
    }
    Ok(())
}

/// Ends the canary that runs now, as the fleet stands now: both may be others than were seen before
/// the fleet's row was held. Of several replicas one does it.
async fn revert(
    connection: &mut PgConnection,
    observers: &Observers,
    fleet_id: &str,
) -> Result<Option<(uuid::Uuid, RevertCause)>, StoreError> {
    let Some(held) = authority::hold(connection, fleet_id).await? else {
        return Ok(None);
    };
    let Some(running) = canary::running(connection, fleet_id).await? else {
        return Ok(None);
    };
    let observed_dead = observers.is_dead(fleet_id, &running.hub_id);
    let facts = facts(connection, &running, held.epoch, observed_dead).await?;
    let Some(cause) = should_revert(&facts) else {
        return Ok(None);
    };
    if !canary::end(connection, &running, cause).await? {
        return Ok(None);
    }
    let entry = Entry {
        caller: "concierge",
        method: "RevertCanary",
        fleet_id,
        request_id: running.canary_id,
        detail: cause.as_str(),
    };
    audit::insert(connection, &entry).await?;
    Ok(Some((running.canary_id, cause)))
}

async fn facts(
    connection: &mut PgConnection,
    running: &CanaryRow,
    epoch: Epoch,
    observed_dead: bool,
) -> Result<CanaryFacts, StoreError> {
    let fleet_id = running.fleet_id.as_str();
    let hubs = hub::of_fleet(connection, fleet_id).await?;
    let hub = hubs.iter().find(|row| row.hub_id == running.hub_id);
    let operation = hubshift_flow::find_active(connection, KIND, fleet_id).await?;
    Ok(CanaryFacts {
        now: clock::now(connection).await?,
        until: running.until_time,
        began_in: Epoch::from_i64(running.epoch),
        epoch,
        hub: hub.map(hub::HubRow::state).transpose()?,
        is_operation_running: operation.is_some(),
        // What concierges see themselves. What devices say is no substitute: nobody vouches for it.
        observed_dead,
    })
}
