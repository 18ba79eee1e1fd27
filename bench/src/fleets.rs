//! Fleets as operators make and change them.

use hubshift_api::pb::concierge::{CreateFleetRequest, Fleet, Hub, UpdateFleetRequest};
use prost_types::FieldMask;
use uuid::Uuid;

use crate::answers::HUB;
use crate::marker;

/// How many devices a fleet has.
const DEVICES: u64 = 1_000_000;
/// What a hub admits, devices a second.
const ADMISSION: u32 = 6_000;

/// A new fleet of two hubs, which shows change 0.
pub(crate) fn new(fleet_id: &str) -> CreateFleetRequest {
    let hub = |slug: &str| Hub {
        name: format!("fleets/{fleet_id}/hubs/{slug}"),
        region: "north-europe".to_owned(),
        host: format!("{fleet_id}-{slug}.azure-devices.net"),
        admission_per_second: ADMISSION,
        ..Hub::default()
    };
    let fleet = Fleet {
        display_name: marker::text(0),
        home_hub: HUB.to_owned(),
        hubs: vec![hub(HUB), hub("west")],
        device_count: DEVICES,
        ..Fleet::default()
    };
    CreateFleetRequest {
        fleet_id: fleet_id.to_owned(),
        fleet: Some(fleet),
        request_id: Uuid::new_v4().to_string(),
    }
}

/// A change that watchers see.
pub(crate) fn change(fleet_id: &str, change: u32) -> UpdateFleetRequest {
    let fleet = Fleet {
        name: format!("fleets/{fleet_id}"),
        display_name: marker::text(change),
        ..Fleet::default()
    };
    UpdateFleetRequest {
        fleet: Some(fleet),
        update_mask: Some(FieldMask {
            paths: vec!["display_name".to_owned()],
        }),
        request_id: Uuid::new_v4().to_string(),
    }
}
