//! A move that was set aside goes on when the one that took over came to nothing: else the fleet
//! would stay where its epoch moved it, with a registry that nobody opens.

use hubshift_store::{StoreError, in_tx};

use crate::app::App;
use crate::store::fleet::FleetRow;
use crate::store::{authority, epoch};
use crate::workflows::failover::KIND;

pub(super) async fn tick(app: &App, fleet: &FleetRow) -> Result<(), StoreError> {
    let fleet_id = fleet.fleet_id.as_str();
    let resumed = in_tx(&app.pool, "resume_failover", |mut tx| async move {
        // The epoch as it is now, not as it was when the fleet was read: a successor may have
        // committed since. None can begin beside the one that is resumed.
        let held = authority::hold(&mut tx, fleet_id).await?;
        let active = hubshift_flow::find_active(&mut tx, KIND, fleet_id).await?;
        let began = match held.filter(|_| active.is_none()) {
            Some(held) => epoch::failover_of(&mut tx, fleet_id, held.epoch).await?,
            None => None,
        };
        let resumed = match began {
            Some(id) if hubshift_flow::resume(&mut tx, id).await? => Some(id),
            _ => None,
        };
        Ok::<_, StoreError>((tx, resumed))
    });
    if let Some(failover) = resumed.await? {
        tracing::info!(fleet = fleet_id, %failover, "a move that was set aside goes on");
        app.nudge.notify_one();
    }
    Ok(())
}
