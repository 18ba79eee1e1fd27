//! Defaults, and everything that is refused.

use super::*;
use hubshift_api::fault;

fn hub(name: &str, host: &str) -> Hub {
    Hub {
        name: format!("fleets/acme/hubs/{name}"),
        host: host.into(),
        admission_per_second: 100,
        ..Hub::default()
    }
}

fn message() -> CreateFleetRequest {
    CreateFleetRequest {
        fleet_id: "acme".into(),
        request_id: Uuid::nil().to_string(),
        fleet: Some(Fleet {
            home_hub: "east".into(),
            hubs: vec![hub("east", "east.test"), hub("west", "west.test:8443")],
            ..Fleet::default()
        }),
    }
}

#[test]
fn a_creation_gets_its_defaults() {
    let (_, creation) = creation(&message()).unwrap();
    assert_eq!(creation.fleet.active_hub_id, "east");
    assert_eq!(creation.fleet.epoch, Epoch::first(0));
    assert_eq!(
        (creation.fleet.device_count, creation.fleet.poll_after_ms),
        (1_000, 60_000)
    );
    assert_eq!(creation.hubs[1].call_deadline_ms, 90_000);
    assert_eq!(creation.fleet.on_unreachable, "ask");
}

#[test]
fn every_violation_is_found_at_once() {
    let mut bad = message();
    let fleet = bad.fleet.as_mut().unwrap();
    fleet.home_hub = "north".into();
    fleet.utilisation_percent = 101;
    fleet.hubs[1].host = "east.test".into();
    fleet.hubs[0].admission_per_second = 0;
    let status = creation(&bad).unwrap_err();
    assert_eq!(fault::reason(&status), "INVALID_REQUEST");
    for field in ["home_hub", "hubs[1].host", "hubs[0].admission_per_second"] {
        assert!(status.message().contains(field), "{}", status.message());
    }
    // Neither does a name that is none hide what comes after it.
    let fleet = bad.fleet.as_mut().unwrap();
    fleet.home_hub = "No rth".into();
    fleet.on_unreachable = "sometimes".into();
    fleet.waves = vec![hubshift_api::pb::concierge::Wave::default()];
    let status = creation(&bad).unwrap_err();
    for field in [
        "home_hub",
        "utilisation_percent",
        "on_unreachable",
        "waves[0]",
    ] {
        assert!(status.message().contains(field), "{}", status.message());
    }
}

#[test]
fn one_hub_is_not_a_fleet() {
    let mut bad = message();
    bad.fleet.as_mut().unwrap().hubs.truncate(1);
    assert!(creation(&bad).unwrap_err().message().contains("needs 2"));
}

#[test]
fn an_update_takes_what_is_set_and_nothing_else() {
    let fleet = Fleet {
        name: "fleets/acme".into(),
        device_count: 5,
        ..Fleet::default()
    };
    let mut message = UpdateFleetRequest {
        fleet: Some(fleet),
        update_mask: None,
        request_id: Uuid::nil().to_string(),
    };
    let (_, change) = update(&message).unwrap();
    assert_eq!(change.changes.device_count, Some(5));
    assert!(change.changes.display_name.is_none() && change.changes.poll_after_ms.is_none());
    message.update_mask = Some(prost_types::FieldMask {
        paths: vec!["epoch".into()],
    });
    assert!(
        update(&message)
            .unwrap_err()
            .message()
            .contains("`epoch` can't be changed")
    );
}
