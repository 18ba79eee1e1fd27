//! What a request names must be there.

use hubshift_api::fault;
use hubshift_domain::id::{FleetId, HubId};
use tonic::{Code, Status};

use crate::authority::{self, FleetView};
use crate::deps::Deps;
use crate::hubs::HubsError;

/// The fleet.
///
/// # Errors
/// `FLEET_NOT_FOUND` (NOT_FOUND).
pub(crate) async fn fleet(deps: &Deps, fleet: &FleetId) -> Result<FleetView, Status> {
    authority::fleet(&deps.pool, fleet).await?.ok_or_else(|| {
        let text = format!("there is no fleet {fleet}; the concierge's ListFleets shows them");
        fault::status(Code::NotFound, "FLEET_NOT_FOUND", text)
    })
}

/// A hub of the fleet that has a connection.
///
/// # Errors
/// `HUB_NOT_FOUND`, `CONNECTION_NOT_FOUND` (NOT_FOUND).
pub(crate) async fn connected(deps: &Deps, view: &FleetView, hub: &HubId) -> Result<(), Status> {
    view.hub(hub).ok_or(HubsError::NoHub)?;
    deps.hubs.row(&view.fleet, hub).await?;
    Ok(())
}
