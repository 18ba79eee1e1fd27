use hubshift_hub::{Credentials, HubDevice, Identity, Secret};
use serde_json::{Map, Value, json};

use super::*;
use crate::demo::seed::object;

fn device(id: &str, key: &str, tags: Value) -> HubDevice {
    HubDevice {
        identity: Identity {
            device_id: id.into(),
            enabled: true,
            status_reason: None,
            credentials: Credentials::Sas {
                primary: Secret::new(key),
                secondary: Secret::new(key),
            },
            iot_edge: false,
            parent: None,
            managed_by: None,
        },
        tags: object(tags),
        desired: Map::new(),
        generation_id: "1".into(),
        identity_etag: "e".into(),
        twin_etag: "t".into(),
        twin_version: 1,
        desired_version: 1,
    }
}

/// Three devices that were created and acknowledged, and what an honest pair of hubs shows.
fn honest() -> (Ledger, Shown) {
    let (mut ledger, mut shown) = (Ledger::default(), Shown::default());
    for id in ["kept", "changed", "deleted"] {
        let made = device(id, "a2V5", json!({"site": "Bergen"}));
        ledger.note_generation("west", &made);
        ledger.note(Via::Hubshift, id, Change::Create(Expected::of(&made)));
        shown
            .generations
            .insert(("west", id.into()), made.generation_id.clone());
        shown.active.insert(id.into(), made);
    }
    ledger.note(
        Via::Hubshift,
        "changed",
        Change::Tag("site".into(), json!("Lund")),
    );
    shown.active.insert(
        "changed".into(),
        device("changed", "a2V5", json!({"site": "Lund"})),
    );
    ledger.note(Via::Hubshift, "deleted", Change::Delete);
    shown.active.remove("deleted");
    ledger.count("events/x", 5);
    shown.counters.insert("events/x".into(), 5);
    (ledger, shown)
}

fn verdict(ledger: &Ledger, shown: &Shown) -> Verdict {
    judge(ledger, shown, &Listed::default(), EastReturns::AsWas)
}

#[test]
fn honest_hubs_are_acquitted() {
    let (ledger, shown) = honest();
    assert_eq!(verdict(&ledger, &shown), Verdict::default());
}

#[test]
fn a_device_lost_behind_the_products_back_is_named() {
    let (ledger, mut shown) = honest();
    shown.active.remove("kept");
    assert_eq!(
        verdict(&ledger, &shown).lost,
        ["kept: created, and is gone"]
    );
}

#[test]
fn a_change_that_was_taken_back_is_named() {
    let (ledger, mut shown) = honest();
    shown.active.insert(
        "changed".into(),
        device("changed", "a2V5", json!({"site": "Bergen"})),
    );
    assert_eq!(verdict(&ledger, &shown).lost, ["changed: tags.site"]);
}

#[test]
fn a_change_that_lost_a_conflict_is_not_lost_when_the_product_lists_it() {
    let (ledger, mut shown) = honest();
    shown.active.insert(
        "changed".into(),
        device("changed", "a2V5", json!({"site": "Oslo"})),
    );
    let mut listed = Listed::default();
    listed
        .conflicts
        .insert(("changed".into(), "tags.site".into()));
    let verdict = judge(&ledger, &shown, &listed, EastReturns::AsWas);
    assert!(verdict.lost.is_empty(), "{verdict:?}");
    assert_eq!(verdict.listed, ["changed: tags.site"]);
}

#[test]
fn a_device_raised_from_the_dead_is_named() {
    let (ledger, mut shown) = honest();
    shown.active.insert(
        "deleted".into(),
        device("deleted", "a2V5", json!({"site": "Bergen"})),
    );
    assert_eq!(
        verdict(&ledger, &shown).resurrected,
        ["deleted: deleted, and lives"]
    );
}

#[test]
fn a_second_creation_and_new_keys_are_named() {
    let (ledger, mut shown) = honest();
    shown
        .generations
        .insert(("west", "kept".into()), "2".into());
    shown.active.insert(
        "changed".into(),
        device("changed", "b3RoZXI=", json!({"site": "Lund"})),
    );
    let duplicated = verdict(&ledger, &shown).duplicated;
    assert_eq!(
        duplicated,
        [
            "changed: its keys changed",
            "kept: created a second time at west"
        ]
    );
}

#[test]
fn an_event_counted_twice_or_never_is_named() {
    let (ledger, mut shown) = honest();
    shown.counters.insert("events/x".into(), 6);
    assert_eq!(
        verdict(&ledger, &shown).duplicated,
        ["events/x: 6 instead of 5"]
    );
    shown.counters.clear();
    assert_eq!(verdict(&ledger, &shown).lost, ["events/x: 0 instead of 5"]);
}

#[test]
fn what_was_written_past_the_product_goes_with_a_hub_that_never_returns_and_is_named() {
    let (mut ledger, shown) = honest();
    let made = device("portal", "a2V5", json!({}));
    ledger.note(Via::PastUs, "portal", Change::Create(Expected::of(&made)));
    let never = judge(&ledger, &shown, &Listed::default(), EastReturns::Never);
    assert_eq!(never.past_us_gone, ["portal: created"]);
    assert!(never.lost.is_empty() && never.oldest_gone.is_some());
    // The same is a loss when the hub came back with everything.
    assert_eq!(verdict(&ledger, &shown).lost, ["portal: created"]);
}
