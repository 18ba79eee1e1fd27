use hubshift_domain::identity::{Credential, CredentialKind, Fingerprint, FingerprintKey, Record};
use hubshift_domain::merge::{Tombstone, TombstoneReason};
use serde_json::{Map, json};
use time::OffsetDateTime;

use super::*;

fn hub(slug: &str) -> HubId {
    HubId::new(slug).unwrap()
}

fn stamp(epoch: u64, sequence: i64, origin: &str) -> Stamp {
    Stamp {
        epoch: Epoch(epoch),
        sequence,
        origin: hub(origin),
    }
}

fn east() -> Place {
    Place {
        hub: hub("east"),
        epoch: Epoch(1024),
    }
}

fn west() -> Place {
    Place {
        hub: hub("west"),
        epoch: Epoch(2049),
    }
}

fn record(rate: i64, enabled: bool) -> Record {
    Record {
        enabled,
        status_reason: None,
        credential: Credential {
            kind: CredentialKind::Sas,
            fingerprint: Fingerprint([1; 16]),
        },
        iot_edge: false,
        parent: None,
        managed_by: None,
        tags: Map::new(),
        desired: json!({ "rate": rate }).as_object().unwrap().clone(),
    }
}

fn print(record: &Record) -> Fingerprint {
    record.fingerprint(&FingerprintKey::new([4; 32]), "d")
}

fn row(record: Record, incarnation: u32) -> Observed {
    Observed {
        device_id: "d".into(),
        generation_id: "g".into(),
        incarnation,
        identity_etag: "i".into(),
        twin_etag: "t".into(),
        twin_version: 1,
        desired_version: 1,
        fingerprint: print(&record),
        record,
        sealed: b"sealed".to_vec(),
        read_time: OffsetDateTime::UNIX_EPOCH,
    }
}

/// A base of a record; with a hold, the hubs show it disabled.
fn base_of(record: Record, hold: Option<&str>) -> Base {
    let shown = Record {
        enabled: record.enabled && hold.is_none(),
        ..record.clone()
    };
    Base {
        device_id: "d".into(),
        incarnation: 1,
        fingerprint: print(&shown),
        record,
        sealed: b"sealed".to_vec(),
        stamp: stamp(1024, 5, "east"),
        hold: hold.map(Into::into),
        verify_time: OffsetDateTime::UNIX_EPOCH,
    }
}

fn grave(incarnation: u32, origin: &str, acked_by: &[&str]) -> Grave {
    Grave {
        device_id: "d".into(),
        tombstone: Tombstone {
            incarnation,
            stamp: stamp(1024, 7, origin),
            reason: TombstoneReason::Deleted,
        },
        acked_by: acked_by.iter().map(|hub| (*hub).to_owned()).collect(),
    }
}

fn classify(known: &Known) -> Sides {
    sides(known, &east(), &west())
}

fn live(side: &SealedSide) -> &Live {
    side.side.live().unwrap()
}

#[test]
fn what_a_hub_did_not_change_keeps_the_stamp_of_the_base() {
    let known = Known {
        base: Some(base_of(record(1, true), None)),
        primary: Some(row(record(1, true), 1)),
        secondary: Some(row(record(2, true), 1)),
        ..Known::default()
    };
    let sides = classify(&known);
    assert!(sides.primary.side.same(&sides.base.side));
    assert_eq!(live(&sides.primary).stamp, stamp(1024, 5, "east"));
    assert_eq!(live(&sides.secondary).stamp, stamp(2049, 0, "west"));
}

#[test]
fn what_was_found_at_a_lost_hub_has_the_stamp_of_its_last_reign() {
    let known = Known {
        primary: Some(row(record(3, true), 1)),
        ..Known::default()
    };
    let sides = classify(&known);
    assert_eq!(live(&sides.primary).stamp, stamp(1024, 0, "east"));
    assert!(sides.base.side.is_absent() && sides.secondary.side.is_absent());
}

#[test]
fn a_journaled_change_has_the_journals_stamp_while_it_is_what_the_hub_shows() {
    let change = |record: &Record| Change {
        epoch: Epoch(2049),
        sequence: 9,
        hub_id: "west".into(),
        incarnation: 1,
        fingerprint: Some(print(record)),
    };
    let mut known = Known {
        secondary: Some(row(record(2, true), 1)),
        change: Some(change(&record(2, true))),
        ..Known::default()
    };
    assert_eq!(
        live(&classify(&known).secondary).stamp,
        stamp(2049, 9, "west")
    );
    known.change = Some(change(&record(8, true)));
    assert_eq!(
        live(&classify(&known).secondary).stamp,
        stamp(2049, 0, "west")
    );
}

#[test]
fn a_deletion_that_did_not_reach_the_other_hub_leaves_it_live_there() {
    let known = Known {
        base: Some(base_of(record(1, true), None)),
        secondary: Some(row(record(1, true), 1)),
        grave: Some(grave(1, "east", &["east"])),
        ..Known::default()
    };
    let sides = classify(&known);
    assert!(matches!(sides.primary.side, Side::Dead(_)));
    assert!(sides.base.side.live().is_some() && sides.secondary.side.live().is_some());
}

#[test]
fn absence_is_no_deletion_at_a_hub_that_never_heard_of_it() {
    let known = Known {
        base: Some(base_of(record(1, true), None)),
        grave: Some(grave(1, "west", &["west"])),
        ..Known::default()
    };
    let sides = classify(&known);
    assert!(sides.primary.side.is_absent());
    assert!(matches!(sides.secondary.side, Side::Dead(_)));
}

#[test]
fn a_deletion_that_both_hubs_followed_is_the_base() {
    let known = Known {
        primary: Some(row(record(1, true), 1)),
        grave: Some(grave(1, "west", &["west", "east"])),
        ..Known::default()
    };
    assert!(matches!(classify(&known).base.side, Side::Dead(_)));
}

#[test]
fn a_held_device_that_nobody_touched_is_the_same_on_all_sides() {
    let shown = || Some(row(record(1, false), 1));
    let known = Known {
        base: Some(base_of(record(1, true), Some("record@1"))),
        primary: shown(),
        secondary: shown(),
        ..Known::default()
    };
    let sides = classify(&known);
    assert!(sides.primary.side.same(&sides.base.side));
    assert!(sides.secondary.side.same(&sides.base.side));
    assert!(live(&sides.primary).record.enabled);
    assert_eq!(sides.primary.fingerprint, Some(print(&record(1, false))));
}

#[test]
fn a_change_beneath_a_hold_shows_the_record_without_the_hold() {
    let known = Known {
        base: Some(base_of(record(1, true), Some("record@1"))),
        primary: Some(row(record(4, false), 1)),
        ..Known::default()
    };
    let side = classify(&known).primary;
    assert_eq!(live(&side).record, record(4, true));
    assert_eq!(live(&side).hold.as_deref(), Some("record@1"));
}

#[test]
fn another_life_is_not_compared_with_the_base() {
    let known = Known {
        base: Some(base_of(record(1, true), None)),
        secondary: Some(row(record(1, true), 2)),
        ..Known::default()
    };
    let side = classify(&known).secondary;
    assert_eq!(
        (live(&side).incarnation, live(&side).stamp.clone()),
        (2, stamp(2049, 0, "west"))
    );
}
