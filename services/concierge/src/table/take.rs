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

use super::present::PresentError;
use super::{AnswerError, FleetEntry, FleetFacts, HubEntry, Snapshot, Table};
use crate::signing::Signer;

/// How often devices ask, unless the peer says something sensible.
const POLL: Duration = Duration::from_secs(60);
const SHORTEST_POLL: Duration = Duration::from_secs(1);
const LONGEST_POLL: Duration = Duration::from_secs(3600);
/// The deadline of calls to a hub, when nobody said another one.
const CALL_DEADLINE: Duration = Duration::from_secs(90);

/// What another concierge says of a fleet.
#[derive(Debug)]
pub(crate) struct Told {
    /// The fleet that it was asked for.
    pub(crate) fleet: FleetId,
    /// The route that it serves.
    pub(crate) route: String,
    /// How often it lets devices ask.
    pub(crate) poll_after: Option<Duration>,
}

/// Takes another concierge's routes: as evidence where the fleet is known here, and as all that is
/// known of it where it is not and no database was heard of. All of them are one change of the table,
/// and of its file. Returns what is refused.
pub(crate) async fn take(
    table: &Table,
    signer: &Signer,
    told: Vec<Told>,
) -> Vec<(FleetId, PresentError)> {
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    let held = table.shared.current.load_full();
    for told in told {
        match news(&held, signer, &told) {
            Ok(Some(_)) => taken.push(told),
            Ok(None) => {}
            Err(error) => refused.push((told.fleet, error)),
        }
    }
    if !taken.is_empty() {
        table.update(|held| with(held, signer, &taken)).await;
        table.refresh_soon();
    }
    refused
}

/// What a route says, if that is more than is known here. What is served here already was verified.
fn news(
    held: &Snapshot,
    signer: &Signer,
    told: &Told,
) -> Result<Option<RouteClaims>, PresentError> {
    let known = held.fleets.get(&told.fleet);
    if known.is_some_and(|entry| *entry.jws == *told.route) {
        return Ok(None);
    }
    let claims = signer.verify(&told.route).map_err(PresentError::Invalid)?;
    if claims.fleet != told.fleet {
        return Err(PresentError::OtherFleet(claims.fleet));
    }
    match known {
        Some(entry) => Ok(Some(claims).filter(|claims| claims.order() > entry.order())),
        None if held.is_whole() => Err(AnswerError::FleetNotFound(claims.fleet).into()),
        None => Ok(Some(claims)),
    }
}

/// The table with what is news to it. Every route is verified once more: in turn with a refresh, and
/// with a change of the keys.
fn with(held: &Snapshot, signer: &Signer, taken: &[Told]) -> Snapshot {
    let entries = taken.iter().filter_map(|told| {
        let claims = news(held, signer, told).ok()??;
        let (fleet, epoch) = (&told.fleet, claims.epoch);
        match held.fleets.get(fleet) {
            Some(entry) => {
                tracing::error!(
                    %fleet, %epoch, served = %entry.epoch,
                    "another concierge holds a newer route than this one; it is served now"
                );
                Some(entry.under(claims, &told.route))
            }
            None => {
                tracing::warn!(
                    %fleet, %epoch,
                    "a fleet that only another concierge knows is served from now on"
                );
                entry(claims, &told.route, told.poll_after)
            }
        }
    });
    let mut entries: Vec<FleetEntry> = entries.collect();
    // Whatever was told twice: the highest is the last, and stays.
    entries.sort_by_key(|entry| entry.order());
    held.with(entries)
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
