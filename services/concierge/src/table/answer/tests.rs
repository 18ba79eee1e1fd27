//! The bytes of answers against prost and serde, and what is refused.

use std::sync::Arc;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::route;
use proptest::prelude::*;
use prost::Message as _;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tonic_types::StatusExt as _;

use super::*;
use crate::table::fixture::{entry, facts};

/// The answer as docs/route.md has it.
#[derive(Serialize)]
struct Body<'a> {
    route: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_after_ms: Option<u32>,
    poll_after_ms: u32,
    as_of: String,
    stale: bool,
}

/// A fleet whose answers have these lengths and numbers.
fn fleet_of(jws: &str, poll_after_ms: u64, window_ms: u64) -> FleetEntry {
    let mut facts = facts("acme", 2049, 7);
    facts.poll_after = Duration::from_millis(poll_after_ms);
    let mut claims = route::claims(&facts.route_inputs(), OffsetDateTime::UNIX_EPOCH).unwrap();
    claims.admission.window_ms = window_ms;
    FleetEntry::new(facts, Arc::from(jws), claims)
}

fn asked<'a>(door: Door, fleet: &'a str, device: &'a str) -> Asked<'a> {
    Asked {
        door,
        fleet,
        device,
        known_epoch: Ok(0),
        attached_hub: "",
        last_connect_error: "",
    }
}

proptest! {
    #[test]
    fn the_bytes_are_what_prost_and_serde_write(
        jws in "[A-Za-z0-9_.-]{0,900}",
        poll_after_ms in prop_oneof![Just(0u64), 1u64..100_000, 0u64..1 << 33],
        window_ms in prop_oneof![Just(0u64), 1u64..10_000_000, 1u64 << 32..1 << 40],
        device in "[a-zA-Z0-9:._-]{0,20}",
        seconds in 0i64..4_000_000_000,
        nanos in 0u32..1_000_000_000,
        stale in any::<bool>(),
    ) {
        let as_of = OffsetDateTime::from_unix_timestamp(seconds).unwrap();
        let in_full = as_of.replace_nanosecond(nanos).unwrap();
        let as_of = as_of.replace_millisecond((nanos / 1_000_000) as u16).unwrap();
        let entry = fleet_of(&jws, poll_after_ms, window_ms);
        let snapshot = Snapshot::of(vec![entry.clone()], in_full);
        let asked = asked(Door::Http, "acme", &device);
        let answer = answer(&snapshot, stale, &Adoption::new(), &asked).unwrap();
        let slot = (!device.is_empty()).then(|| entry.claims.slot(&device));
        let slot = slot.map(|slot| u32::try_from(slot.as_millis()).unwrap_or(u32::MAX));
        let poll = u32::try_from(poll_after_ms).unwrap_or(u32::MAX);

        let expected = GetEndpointResponse {
            route: jws.clone(),
            connect_after_ms: slot,
            poll_after_ms: poll,
            as_of: Some(times::timestamp(as_of)),
            stale,
        };
        prop_assert_eq!(answer.message(), expected.clone());
        let frame = answer.frame();
        let length = u32::try_from(frame.len() - FRAME_HEAD).unwrap().to_be_bytes();
        prop_assert_eq!(frame[0], 0);
        prop_assert_eq!(&frame[1..FRAME_HEAD], &length[..]);
        prop_assert_eq!(GetEndpointResponse::decode(&frame[FRAME_HEAD..]).unwrap(), expected);

        let body = Body {
            route: &jws,
            connect_after_ms: slot,
            poll_after_ms: poll,
            as_of: as_of.format(&Rfc3339).unwrap(),
            stale,
        };
        let (json, expected) = (answer.json(), serde_json::to_vec(&body).unwrap());
        prop_assert_eq!(&json[..], &expected[..]);
    }
}

fn snapshot() -> Snapshot {
    Snapshot::of(vec![entry("acme", 1024, 1)], OffsetDateTime::UNIX_EPOCH)
}

fn refused(snapshot: &Snapshot, asked: &Asked<'_>) -> Status {
    answer(snapshot, false, &Adoption::new(), asked).unwrap_err()
}

#[test]
fn everything_that_is_wrong_is_named_as_the_door_calls_it() {
    let doors = [
        (Door::Http, "Acme", ["fleet", "device", "hub", "epoch"]),
        (
            Door::Grpc,
            "acme",
            ["fleet", "device", "attached_hub", "known_epoch"],
        ),
    ];
    for (door, fleet, names) in doors {
        let asked = Asked {
            known_epoch: Err("-1"),
            attached_hub: "East",
            ..asked(door, fleet, "a b")
        };
        let status = refused(&snapshot(), &asked);
        assert_eq!(fault::reason(&status), "INVALID_REQUEST");
        let bad = status.get_details_bad_request().unwrap();
        let fields: Vec<_> = bad
            .field_violations
            .iter()
            .map(|one| one.field.as_str())
            .collect();
        assert_eq!(fields, names);
    }
}

#[test]
fn a_known_fleet_does_not_excuse_a_malformed_part() {
    let asked = asked(Door::Grpc, "fleets/acme", "a b");
    let status = refused(&snapshot(), &asked);
    assert_eq!(fault::reason(&status), "INVALID_REQUEST");
}

#[test]
fn an_unknown_fleet_is_not_found_only_once_the_database_was_heard() {
    let asked = asked(Door::Grpc, "fleets/other", "");
    let whole = refused(&snapshot(), &asked);
    assert_eq!(fault::reason(&whole), "FLEET_NOT_FOUND");
    let disk = Snapshot::from_disk(vec![entry("acme", 1024, 1)], OffsetDateTime::UNIX_EPOCH);
    for snapshot in [disk, Snapshot::empty()] {
        assert_eq!(fault::reason(&refused(&snapshot, &asked)), "NOT_READY");
    }
}

#[test]
fn what_a_device_acts_on_changes_the_tag() {
    let tag = |entry: &FleetEntry, device| {
        let snapshot = Snapshot::of(vec![entry.clone()], OffsetDateTime::UNIX_EPOCH);
        let asked = asked(Door::Http, "acme", device);
        let adoption = Adoption::new();
        let answer = answer(&snapshot, false, &adoption, &asked).unwrap();
        answer.etag().to_str().unwrap().to_owned()
    };
    let held = entry("acme", 1024, 1);
    let mut asked_less = held.clone();
    asked_less.facts.poll_after = Duration::from_secs(90);
    let mut tags = vec![
        tag(&held, ""),
        tag(&held, "d-1"),
        tag(&asked_less, ""),
        tag(&entry("acme", 1024, 2), ""),
        tag(&entry("acme", 2049, 2), ""),
    ];
    assert_eq!(tag(&held, ""), tag(&held.clone(), ""));
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 5, "{tags:?}");
}

/// A refresh that reads the same again shares the entries: 10,000 fleets are not encoded every
/// second.
#[test]
fn a_refresh_that_changes_nothing_encodes_nothing() {
    let first = snapshot();
    let acme = |snapshot: &Snapshot| Arc::clone(snapshot.fleets.get("acme").unwrap());
    let encoded = std::ptr::from_ref(acme(&first).encoded());
    let later = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1);
    let none = std::collections::HashSet::new();
    let next = first.refreshed(vec![entry("acme", 1024, 1)], &none, later);
    assert!(std::ptr::eq(encoded, acme(&next).encoded()));
    let moved = next.refreshed(vec![entry("acme", 2049, 2)], &none, later);
    assert!(!std::ptr::eq(encoded, acme(&moved).encoded()));
    assert_eq!(acme(&moved).epoch, Epoch(2049));
}
