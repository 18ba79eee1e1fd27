//! Every reason to sign, to raise, to keep and to serve.

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::HubState;
use hubshift_domain::route::{Cohort, PrivateKey, ROUTE_LIFE};

use super::*;
use crate::table::CanaryEntry;
use crate::table::fixture::{self, entry, facts, signer};

fn nothing() -> Snapshot {
    Snapshot::empty()
}

fn holding(entries: Vec<FleetEntry>) -> Snapshot {
    Snapshot::of(entries, OffsetDateTime::UNIX_EPOCH)
}

fn read(facts: FleetFacts, routes: Vec<String>) -> Read {
    let routes = HashMap::from([(facts.fleet_id.clone(), routes)]);
    Read {
        now: OffsetDateTime::UNIX_EPOCH,
        fleets: vec![facts],
        routes,
    }
}

fn jws(entry: &FleetEntry) -> Vec<String> {
    vec![entry.jws.to_string()]
}

#[test]
fn a_missing_route_is_signed_and_then_served() {
    let facts = facts("acme", 1024, 1);
    let first = plan(read(facts.clone(), vec![]), &nothing(), &signer());
    assert!(first.entries.is_empty() && first.kept.contains(&facts.fleet_id));
    let [Action::Sign(claims)] = first.actions.as_slice() else {
        panic!("{:?}", first.actions)
    };
    let token = signer().sign(claims).unwrap();
    let second = plan(read(facts, vec![token.clone()]), &nothing(), &signer());
    assert!(second.actions.is_empty(), "{:?}", second.actions);
    assert_eq!(*second.entries[0].jws, *token);
    assert_eq!(second.entries[0].claims, **claims);
}

#[test]
fn a_route_under_a_strange_key_is_passed_over_for_a_trusted_one() {
    let stranger = PrivateKey::from_seed(&[2; 32]);
    let good = entry("acme", 1024, 1);
    let strange = route::sign(&good.claims, &stranger).unwrap();
    let alone = plan(
        read(good.facts.clone(), vec![strange.clone()]),
        &nothing(),
        &signer(),
    );
    assert!(matches!(alone.actions[..], [Action::Sign(_)]));
    let stored = vec![strange, good.jws.to_string()];
    let both = plan(read(good.facts.clone(), stored), &nothing(), &signer());
    assert_eq!(both.entries, [good]);
    assert!(both.actions.is_empty());
}

#[test]
fn a_route_under_a_key_that_was_taken_out_is_signed_anew_though_it_is_served() {
    let stranger = PrivateKey::from_seed(&[2; 32]);
    let mut held = entry("acme", 1024, 1);
    held.jws = Arc::from(route::sign(&held.claims, &stranger).unwrap());
    let read = read(held.facts.clone(), jws(&held));
    let plan = plan(read, &holding(vec![held.clone()]), &signer());
    assert!(plan.entries.is_empty() && plan.kept.contains(&held.fleet_id));
    let [Action::Sign(renewed)] = plan.actions.as_slice() else {
        panic!("{:?}", plan.actions)
    };
    assert!(renewed.tells_the_same(&held.claims));
}

#[test]
fn a_route_of_another_fleet_or_version_is_never_served() {
    for other in [
        entry("other", 1024, 1),
        entry("acme", 1024, 2),
        entry("acme", 2049, 1),
    ] {
        let plan = plan(
            read(facts("acme", 1024, 1), jws(&other)),
            &nothing(),
            &signer(),
        );
        assert!(plan.entries.is_empty() && matches!(plan.actions[..], [Action::Sign(_)]));
    }
}

#[test]
fn a_route_past_half_of_its_life_is_served_and_renewed() {
    let held = entry("acme", 1024, 1);
    let mut due = read(held.facts.clone(), jws(&held));
    due.now += ROUTE_LIFE / 2;
    let plan = plan(due, &nothing(), &signer());
    assert_eq!(plan.entries, std::slice::from_ref(&held));
    let [Action::Sign(renewed)] = plan.actions.as_slice() else {
        panic!("{:?}", plan.actions)
    };
    assert!(renewed.tells_the_same(&held.claims) && renewed.issued_at > held.claims.issued_at);
}

#[test]
fn what_devices_are_told_changes_only_under_a_higher_version() {
    let held = entry("acme", 1024, 4);
    let mut changed = held.facts.clone();
    changed.hubs[0].host = "new.example.net".into();
    let plan = plan(
        read(changed, jws(&held)),
        &holding(vec![held.clone()]),
        &signer(),
    );
    assert_eq!(plan.entries[0].jws, held.jws);
    let fleet = held.fleet_id.clone();
    assert_eq!(
        plan.actions,
        [Action::Raise {
            fleet,
            from: 4,
            to: 5
        }]
    );
}

#[test]
fn a_canary_is_told_and_its_end_is_told_under_a_higher_version() {
    let mut facts = facts("acme", 1024, 4);
    facts.canary = Some(CanaryEntry {
        id: "c-1".into(),
        hub: facts.hubs[1].hub_id.clone(),
        epoch: Epoch(1024),
        cohort: Cohort::Percent(5),
        start_time: OffsetDateTime::UNIX_EPOCH,
        until_time: OffsetDateTime::UNIX_EPOCH + time::Duration::MINUTE,
    });
    let begins = plan(read(facts.clone(), vec![]), &nothing(), &signer());
    let [Action::Sign(claims)] = begins.actions.as_slice() else {
        panic!("{:?}", begins.actions)
    };
    assert_eq!(claims.canary().unwrap().endpoint.hub.as_str(), "west");
    let stored = vec![signer().sign(claims).unwrap()];
    let goes_on = plan(read(facts.clone(), stored.clone()), &nothing(), &signer());
    assert!(goes_on.actions.is_empty(), "{:?}", goes_on.actions);
    let canary = goes_on.entries[0].claims.canary().unwrap();
    assert_eq!(canary.endpoint.hub.as_str(), "west");

    let fleet = facts.fleet_id.clone();
    let mut over = read(facts, stored);
    over.now += time::Duration::MINUTE;
    let over = plan(over, &nothing(), &signer());
    assert_eq!(
        over.actions,
        [Action::Raise {
            fleet,
            from: 4,
            to: 5
        }]
    );
}

#[test]
fn a_text_for_people_changes_without_a_new_route() {
    let held = entry("acme", 1024, 4);
    let mut changed = held.facts.clone();
    changed.display_name = "Acme".into();
    let plan = plan(read(changed, jws(&held)), &holding(vec![held]), &signer());
    assert_eq!(plan.entries[0].display_name, "Acme");
    assert!(plan.actions.is_empty());
}

#[test]
fn a_forgotten_epoch_gets_no_new_signature() {
    let held = holding(vec![entry("acme", 2049, 2)]);
    let plan = plan(read(facts("acme", 1024, 9), vec![]), &held, &signer());
    assert!(plan.entries.is_empty() && plan.kept.is_empty() && plan.actions.is_empty());
}

#[test]
fn a_forgotten_routing_version_is_raised_above_what_was_served() {
    let held = holding(vec![entry("acme", 1024, 7)]);
    let forgot = entry("acme", 1024, 3);
    let plan = plan(read(forgot.facts.clone(), jws(&forgot)), &held, &signer());
    let fleet = forgot.fleet_id.clone();
    assert!(plan.entries.is_empty() && plan.kept.contains(&fleet));
    assert_eq!(
        plan.actions,
        [Action::Raise {
            fleet,
            from: 3,
            to: 8
        }]
    );
}

#[test]
fn a_fleet_without_an_active_hub_keeps_what_it_has() {
    let mut broken = facts("acme", 1024, 1);
    broken.hubs[0].state = HubState::Draining;
    let plan = plan(read(broken, vec![]), &nothing(), &signer());
    assert!(plan.entries.is_empty() && plan.actions.is_empty() && plan.kept.len() == 1);
}

#[test]
fn one_fleet_does_not_wait_for_another() {
    let good = entry("acme", 1024, 1);
    let mut both = read(good.facts.clone(), jws(&good));
    both.fleets.push(fixture::facts("other", 1024, 1));
    let plan = plan(both, &nothing(), &signer());
    assert_eq!(plan.entries, [good]);
    assert!(matches!(plan.actions[..], [Action::Sign(_)]));
}

/// Held, and verified under the keys that `signer` trusts.
fn holding_verified(entry: FleetEntry) -> Snapshot {
    Snapshot {
        keys: Arc::from(signer().seal().keys()),
        ..holding(vec![entry])
    }
}

#[test]
fn a_route_that_is_held_is_not_verified_again_and_any_other_one_is() {
    let stranger = PrivateKey::from_seed(&[2; 32]);
    let mut held = entry("acme", 1024, 1);
    // No check would let it pass.
    held.jws = Arc::from(route::sign(&held.claims, &stranger).unwrap());
    let same = read(held.facts.clone(), jws(&held));
    let skipped = plan(same, &holding_verified(held.clone()), &signer());
    assert_eq!(skipped.entries, std::slice::from_ref(&held));
    assert!(skipped.actions.is_empty(), "{:?}", skipped.actions);

    let mut other = held.claims.clone();
    other.issued_at += time::Duration::SECOND;
    let other = vec![route::sign(&other, &stranger).unwrap()];
    let checked = plan(
        read(held.facts.clone(), other),
        &holding_verified(held),
        &signer(),
    );
    assert!(checked.entries.is_empty() && matches!(checked.actions[..], [Action::Sign(_)]));
    let (good, other_keys) = (entry("acme", 1024, 1), Signer::of(stranger));
    let checked = plan(
        read(good.facts.clone(), jws(&good)),
        &holding_verified(good),
        &other_keys,
    );
    assert!(checked.entries.is_empty() && matches!(checked.actions[..], [Action::Sign(_)]));
}

#[test]
fn a_fleet_without_a_route_is_signed_before_one_whose_route_is_only_half_over() {
    let due = entry("acme", 1024, 1);
    let mut both = read(due.facts.clone(), jws(&due));
    both.now += ROUTE_LIFE / 2;
    both.fleets.push(fixture::facts("other", 1024, 1));
    let plan = plan(both, &nothing(), &signer());
    let fleets: Vec<&str> = plan
        .actions
        .iter()
        .map(|action| match action {
            Action::Sign(claims) => claims.fleet.as_str(),
            Action::Raise { fleet, .. } => fleet.as_str(),
        })
        .collect();
    assert_eq!(fleets, ["other", "acme"]);
}
