//! Entries for tests, under a key that every test knows.
#![allow(clippy::unwrap_used, reason = "fixtures of tests fail as tests do")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use hubshift_api::pb::concierge::GetEndpointResponse;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::{HubState, RegistryMode};
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::route::{self, OnUnreachable, PrivateKey};
use time::OffsetDateTime;
use tonic::Status;

use super::{Asked, Door, FleetEntry, FleetFacts, HubEntry, Table};
use crate::adoption::Adoption;
use crate::http::PublicState;
use crate::signing::Signer;

/// The key that signs the fixtures' routes.
pub(crate) fn key() -> PrivateKey {
    PrivateKey::from_seed(&[1; 32])
}

/// Signs with it, and trusts nothing else.
pub(crate) fn signer() -> Signer {
    Signer::of(key())
}

/// A fleet with the hubs `east` (0) and `west` (1); the epoch says which of them is active.
pub(crate) fn facts(fleet: &str, epoch: u64, routing_version: u64) -> FleetFacts {
    let epoch = Epoch(epoch);
    let hubs = vec![hub(0, "east", epoch), hub(1, "west", epoch)];
    FleetFacts {
        fleet_id: FleetId::new(fleet).unwrap(),
        display_name: String::new(),
        home_hub: hubs[0].hub_id.clone(),
        active_hub: hubs[usize::from(epoch.hub_index())].hub_id.clone(),
        epoch,
        routing_version,
        registry_mode: RegistryMode::Open,
        hubs,
        device_count: 2000,
        utilisation_percent: 80,
        poll_after: Duration::from_secs(60),
        on_unreachable: OnUnreachable::Ask,
        waves: Vec::new(),
        canary: None,
        debts: Vec::new(),
        epoch_opened: OffsetDateTime::UNIX_EPOCH,
        create_time: OffsetDateTime::UNIX_EPOCH,
        update_time: OffsetDateTime::UNIX_EPOCH,
        revision: routing_version,
        authority_revision: epoch.0,
        is_forgotten: false,
    }
}

fn hub(index: u16, slug: &str, epoch: Epoch) -> HubEntry {
    let active = epoch.hub_index() == index;
    HubEntry {
        hub_id: HubId::new(slug).unwrap(),
        index,
        state: if active {
            HubState::Active
        } else {
            HubState::Ready
        },
        region: format!("{slug}-region"),
        host: format!("{slug}.example.net"),
        service_host: String::new(),
        event_endpoint: String::new(),
        labels: [("tier".to_owned(), "test".to_owned())].into(),
        admission_per_second: 1000,
        call_deadline: Duration::from_secs(2),
        read_lag: Duration::ZERO,
    }
}

/// What the public listener answers a device of the fleet `acme`, or nobody in particular.
pub(crate) fn ask(table: &Table, device: &str) -> Result<GetEndpointResponse, Status> {
    let state = PublicState {
        table: table.clone(),
        signer: Arc::new(signer()),
        adoption: Adoption::new(),
    };
    let asked = Asked {
        door: Door::Http,
        fleet: "acme",
        device,
        known_epoch: Ok(u64::MAX),
        attached_hub: "",
        last_connect_error: "",
    };
    state.answer(Instant::now(), &asked, |answer| answer.message())
}

/// The same with a signed route.
pub(crate) fn entry(fleet: &str, epoch: u64, routing_version: u64) -> FleetEntry {
    signed(facts(fleet, epoch, routing_version))
}

/// These facts with a signed route.
pub(crate) fn signed(facts: FleetFacts) -> FleetEntry {
    let claims = route::claims(&facts.route_inputs(), OffsetDateTime::UNIX_EPOCH).unwrap();
    let jws = Arc::from(route::sign(&claims, &key()).unwrap());
    FleetEntry::new(facts, jws, claims)
}
