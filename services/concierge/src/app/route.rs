//! What devices are told, from the rows of a transaction that changes it.

use hubshift_domain::id::{FleetId, HubId, IdError};
use hubshift_domain::route::{OnUnreachable, RouteClaims, RouteHub, RouteInputs, claims};
use hubshift_store::StoreError;
use time::OffsetDateTime;

use crate::store::fleet::FleetRow;
use crate::store::hub::HubRow;
use crate::store::unsigned;
use crate::table::CanaryEntry;

/// What devices are told from this moment on, if the fleet's epoch began at it.
pub(crate) fn route_claims(
    fleet: &FleetRow,
    hubs: &[HubRow],
    canary: Option<&CanaryEntry>,
    now: OffsetDateTime,
) -> anyhow::Result<RouteClaims> {
    let fleet_id = FleetId::new(fleet.fleet_id.as_str())?;
    let active_hub = HubId::new(fleet.active_hub_id.as_str())?;
    let ids: Vec<HubId> = hubs
        .iter()
        .map(|hub| HubId::new(hub.hub_id.as_str()))
        .collect::<Result<_, IdError>>()?;
    let waves = fleet.waves();
    let hubs = hubs.iter().zip(&ids).map(|(hub, id)| route_hub(hub, id));
    let inputs = RouteInputs {
        fleet: &fleet_id,
        epoch: fleet.epoch(),
        routing_version: unsigned(fleet.routing_version),
        active_hub: &active_hub,
        hubs: hubs.collect::<Result<_, StoreError>>()?,
        device_count: unsigned(fleet.device_count),
        utilisation_percent: u8::try_from(fleet.utilisation_percent).unwrap_or(1),
        on_unreachable: OnUnreachable::from(fleet.on_unreachable.clone()),
        epoch_opened: now,
        waves: &waves,
        canary: canary.map(CanaryEntry::for_route),
    };
    Ok(claims(&inputs, now)?)
}

fn route_hub<'a>(hub: &'a HubRow, id: &'a HubId) -> Result<RouteHub<'a>, StoreError> {
    Ok(RouteHub {
        hub: id,
        index: hub.index(),
        state: hub.state()?,
        host: &hub.host,
        region: &hub.region,
        admission_per_second: hub.admission(),
    })
}
