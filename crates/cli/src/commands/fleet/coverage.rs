//! `hubshift fleet coverage`: which part of a fleet asks, of the devices that its hub has.

use hubshift_api::pb::{concierge, registry};
use hubshift_domain::id::FleetId;

use super::{FleetArg, fetch};
use crate::connect::Session;
use crate::connect::clients::Replication;
use crate::exit::CliError;
use crate::output::views::CoverageView;

pub(super) async fn run(session: &Session, arg: &FleetArg) -> Result<(), CliError> {
    let id = session.fleet_or(arg.named_fleet.as_deref()).await?;
    let fleet = fetch(session, id.name()).await?;
    let counted = counted(session, &id, &fleet).await;
    session.output.show(&CoverageView::new(fleet, counted))
}

/// How many devices registry-sync has seen at the active hub. Without its word there is still the
/// number that somebody gave.
async fn counted(session: &Session, id: &FleetId, fleet: &concierge::Fleet) -> Option<u64> {
    let request = registry::GetReplicationStatusRequest { fleet: id.name() };
    let send = |c, r| async move { Replication::new(c).get_replication_status(r).await };
    match session.registry.call(request, send).await {
        Ok(status) => {
            let mut hubs = status.hubs.into_iter();
            let active = hubs.find(|hub| hub.hub == fleet.active_hub)?;
            Some(active.device_count).filter(|count| *count > 0)
        }
        Err(error) => {
            session
                .output
                .remark(&format!("devices are not counted: {error}"));
            None
        }
    }
}
