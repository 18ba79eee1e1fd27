//! What merge reads of the fence: who reigns over a fleet, and what a hub is to it.

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::HubState;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::metadata::Authority;
use hubshift_store::StoreError;
use sqlx::PgConnection;

/// The fleet's authority; `None` for a fleet that nobody made.
pub(crate) async fn authority(
    connection: &mut PgConnection,
    fleet: &FleetId,
) -> Result<Option<Authority>, StoreError> {
    let row = sqlx::query!(
        "select epoch, active_hub_id from authority.fleet where fleet_id = $1",
        fleet.as_str()
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let hub = HubId::new(row.active_hub_id)
        .map_err(|error| StoreError::Bug(sqlx::Error::Decode(error.into())))?;
    Ok(Some(Authority {
        hub,
        epoch: Epoch::from_i64(row.epoch),
    }))
}

/// What a hub is to its fleet; `None` for a hub that the fleet does not have.
pub(crate) async fn hub_state(
    connection: &mut PgConnection,
    fleet: &FleetId,
    hub: &HubId,
) -> Result<Option<HubState>, StoreError> {
    let state = sqlx::query_scalar!(
        "select state from authority.hub where fleet_id = $1 and hub_id = $2",
        fleet.as_str(),
        hub.as_str()
    )
    .fetch_optional(connection)
    .await?;
    Ok(state.and_then(|name| HubState::parse(&name)))
}
