//! A fleet that only another concierge knows: what its signed route says becomes an entry, until
//! the database is heard of.
//!
//! Kept true: without our signature nothing is taken, and nothing once the database said which
//! fleets there are. What a route does not say is filled with the careful choice. Such an entry
//! counts as evidence alone: it is never signed anew here, and does not make the table a whole one.

use std::collections::BTreeMap;
use std::time::Duration;

use hubshift_domain::hub_state::{HubState, RegistryMode};
use hubshift_domain::id::FleetId;
use hubshift_domain::route::{RouteClaims, RouteEndpoint};

use super::present::{PresentError, present};
use super::{AnswerError, FleetEntry, FleetFacts, HubEntry, Table};
use crate::signing::Signer;

/// How often devices ask, unless the peer says something sensible.
const POLL: Duration = Duration::from_secs(60);
const SHORTEST_POLL: Duration = Duration::from_secs(1);
const LONGEST_POLL: Duration = Duration::from_secs(3600);
/// The deadline of calls to a hub, when nobody said another one.
const CALL_DEADLINE: Duration = Duration::from_secs(90);

/// Takes another concierge's route: as evidence if the fleet is known here, and as all that is
/// known of it if it is not and no database was heard of.
pub(crate) async fn take(
    table: &Table,
    signer: &Signer,
    fleet: &FleetId,
    route: &str,
    poll_after: Option<Duration>,
) -> Result<(), PresentError> {
    match present(table, signer, fleet, route).await {
        Err(PresentError::NoFleet(AnswerError::NotLoaded)) => {}
        other => return other.map(|_epoch| ()),
    }
    tracing::warn!(%fleet, "a fleet that only another concierge knows is served from now on");
    table
        .update(|held| {
            if held.is_whole() || held.fleets.contains_key(fleet) {
                return held.clone();
            }
            // Once more, in turn with a change of the keys.
            let claims = signer.verify(route).ok();
            match claims.and_then(|claims| entry(claims, route, poll_after)) {
                Some(entry) => held.with(entry),
                None => held.clone(),
            }
        })
        .await;
    Ok(())
}

/// All that a route says; `None` for one without a hub.
fn entry(claims: RouteClaims, route: &str, poll_after: Option<Duration>) -> Option<FleetEntry> {
    let active = claims.active()?.hub.clone();
    let facts = FleetFacts {
        fleet_id: claims.fleet.clone(),
        display_name: String::new(),
        home_hub: active.clone(),
        active_hub: active,
        epoch: claims.epoch,
        routing_version: claims.routing_version,
        registry_mode: RegistryMode::Settling,
        hubs: hubs(&claims),
        device_count: 0,
        utilisation_percent: 1,
        poll_after: poll_after
            .unwrap_or(POLL)
            .clamp(SHORTEST_POLL, LONGEST_POLL),
        on_unreachable: claims.on_unreachable,
        debts: Vec::new(),
        waves: Vec::new(),
        canary: None,
        epoch_opened: claims.admission.started_at,
        create_time: claims.admission.started_at,
        update_time: claims.issued_at,
        revision: 0,
        authority_revision: 0,
        // No database stands behind it.
        is_forgotten: true,
    };
    Some(FleetEntry::new(facts, route.into(), claims))
}

/// The hubs of the signed list. It begins with the active one, whose index the epoch says; those
/// of the others are not known, and made up in their order.
fn hubs(claims: &RouteClaims) -> Vec<HubEntry> {
    let active = claims.epoch.hub_index();
    let others = (0..).filter(|index| *index != active);
    let indices = std::iter::once(active).chain(others);
    let states = std::iter::once(HubState::Active).chain(std::iter::repeat(HubState::Ready));
    let listed = claims.endpoints.iter().zip(indices).zip(states);
    let mut hubs: Vec<_> = listed
        .map(|((endpoint, index), state)| hub(endpoint, index, state))
        .collect();
    hubs.sort_by_key(|hub| hub.index);
    hubs
}

fn hub(endpoint: &RouteEndpoint, index: u16, state: HubState) -> HubEntry {
    HubEntry {
        hub_id: endpoint.hub.clone(),
        index,
        state,
        region: endpoint.region.clone(),
        host: endpoint.host.clone(),
        service_host: String::new(),
        event_endpoint: String::new(),
        labels: BTreeMap::new(),
        admission_per_second: 1,
        call_deadline: CALL_DEADLINE,
        read_lag: Duration::ZERO,
    }
}
