//! What a device accepts, when it connects, and where it walks.

mod canary;
mod model;

use std::collections::HashMap;
use std::sync::LazyLock;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::HubState;
use hubshift_domain::id::HubId;
use hubshift_domain::route::{
    KeySet, OnUnreachable, PrivateKey, RouteHub, RouteInputs, claims, sign,
};
use proptest::prelude::*;
use time::OffsetDateTime;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const STANDBY: OnUnreachable = OnUnreachable::StandbyAfter(Duration::from_secs(900));

fn key() -> PrivateKey {
    PrivateKey::from_seed(&[1; 32])
}

/// A route of 100,000 devices at 100 a second: a window of 1,250 s.
fn route(epoch: u64, routing_version: u64, rule: OnUnreachable) -> RouteClaims {
    let fleet = FleetId::new("acme").unwrap();
    let hubs = [HubId::new("east").unwrap(), HubId::new("west").unwrap()];
    let active = usize::from(Epoch(epoch).hub_index());
    let hub = |index: usize| RouteHub {
        hub: &hubs[index],
        index: index as u16,
        state: if index == active {
            HubState::Active
        } else {
            HubState::Ready
        },
        host: "hub.example.net",
        region: "somewhere",
        admission_per_second: 100,
    };
    let inputs = RouteInputs {
        fleet: &fleet,
        epoch: Epoch(epoch),
        routing_version,
        active_hub: &hubs[active],
        hubs: vec![hub(0), hub(1)],
        device_count: 100_000,
        utilisation_percent: 80,
        on_unreachable: rule,
        epoch_opened: OffsetDateTime::UNIX_EPOCH,
        waves: &[],
        canary: None,
    };
    claims(&inputs, OffsetDateTime::UNIX_EPOCH).unwrap()
}

fn answer(route: &RouteClaims, key: &PrivateKey) -> Answer {
    Answer {
        route: sign(route, key).unwrap(),
        poll_after_ms: 60_000,
        stale: false,
    }
}

fn good(epoch: u64, routing_version: u64) -> Answer {
    answer(&route(epoch, routing_version, OnUnreachable::Ask), &key())
}

fn device(now: Instant) -> Core {
    let trust = Trust::keys(KeySet::new([key().public()]));
    Core::new(
        FleetId::new("acme").unwrap(),
        DeviceId::new("d-1").unwrap(),
        trust,
        now,
    )
}

fn epoch(core: &Core) -> u64 {
    core.decision().map_or(0, |decision| decision.route.epoch.0)
}

#[test]
fn a_first_route_starts_the_slot() {
    let now = Instant::now();
    let mut core = device(now);
    assert!(core.decision().is_none());
    assert_eq!(
        core.on_answer(&good(1024, 1), now, 0),
        Ok(Outcome::Accepted)
    );
    let decision = core.decision().unwrap();
    assert_eq!(decision.endpoint.hub.as_str(), "east");
    assert_eq!(
        decision.connect_at,
        now + route(1024, 1, OnUnreachable::Ask).slot("d-1")
    );
    assert_eq!(decision.poll_at, now + MINUTE);
}

#[test]
fn polls_do_not_restart_the_timer_and_a_new_epoch_does() {
    let start = Instant::now();
    let mut core = device(start);
    core.on_answer(&good(1024, 1), start, 0).unwrap();
    let connect_at = core.decision().unwrap().connect_at;
    for minute in 1..20 {
        let now = start + MINUTE * minute;
        let held = u64::from(minute);
        let outcome = core.on_answer(&good(1024, held), now, 7).unwrap();
        assert_eq!(outcome, Outcome::Unchanged);
        core.on_not_modified(now, 7);
        core.on_answer(&good(1024, 1 + u64::from(minute)), now, 7)
            .unwrap();
        core.on_failure(now, 7);
        assert_eq!(core.decision().unwrap().connect_at, connect_at);
    }
    let later = start + MINUTE * 60;
    core.on_answer(&good(2049, 30), later, 0).unwrap();
    let slot = route(2049, 30, OnUnreachable::Ask).slot("d-1");
    assert_eq!(core.decision().unwrap().connect_at, later + slot);
}

#[test]
fn a_lower_epoch_is_refused_and_the_held_route_presented() {
    let now = Instant::now();
    let mut core = device(now);
    let held = good(2049, 2);
    core.on_answer(&held, now, 0).unwrap();
    let before = core.decision();
    let outcome = core.on_answer(&good(1024, 99), now, 0);
    assert_eq!(outcome, Ok(Outcome::Present(held.route)));
    assert_eq!(core.decision(), before);
}

#[test]
fn what_is_not_signed_by_a_trusted_key_changes_nothing() {
    let now = Instant::now();
    let mut core = device(now);
    core.on_answer(&good(1024, 1), now, 0).unwrap();
    let before = core.decision();
    let stranger = PrivateKey::from_seed(&[2; 32]);
    let forged = answer(&route(2049, 2, OnUnreachable::Ask), &stranger);
    let mut altered = good(2049, 2);
    altered.route.insert(40, 'A');
    let mut foreign = route(2049, 2, OnUnreachable::Ask);
    foreign.fleet = FleetId::new("other").unwrap();
    for bad in [forged, altered, answer(&foreign, &key())] {
        core.on_answer(&bad, now + MINUTE, 0).unwrap_err();
        assert_eq!(core.decision(), before);
    }
}

/// Signing is slow in a debug build: every route that is offered is signed once.
static OFFERS: LazyLock<HashMap<(u64, u64), Answer>> = LazyLock::new(|| {
    let epochs = (1..6).flat_map(|k| [k * 1024, k * 1024 + 1]);
    let orders = epochs.flat_map(|epoch| (1..4).map(move |version| (epoch, version)));
    orders
        .map(|order| (order, good(order.0, order.1)))
        .collect()
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn the_accepted_epoch_never_goes_down(
        steps in prop::collection::vec((1u64..6, 0u64..2, 1u64..4, any::<bool>()), 1..40)
    ) {
        let start = Instant::now();
        let mut core = device(start);
        let mut highest = (0, 0);
        for (at, (k, hub, version, restart)) in (0u32..).zip(steps) {
            let now = start + MINUTE * at;
            let offered = (k * 1024 + hub, version);
            core.on_answer(&OFFERS[&offered], now, 1).unwrap();
            highest = highest.max(offered);
            let held = core.decision().unwrap().route.order();
            prop_assert_eq!((held.0.0, held.1), highest);
            if restart {
                let (jws, ago) = core.held(now).unwrap();
                let mut again = device(now);
                again.restore(jws, ago, now).unwrap();
                prop_assert_eq!(epoch(&again), highest.0);
                core = again;
            }
        }
    }
}

#[test]
fn a_restart_lets_the_timer_run_on() {
    let start = Instant::now();
    let mut core = device(start);
    core.on_answer(&good(1024, 1), start, 0).unwrap();
    let connect_at = core.decision().unwrap().connect_at;
    let now = start + Duration::from_millis(5);
    let (jws, ago) = core.held(now).unwrap();
    let mut again = device(now);
    again.restore(jws, ago, now).unwrap();
    assert_eq!(again.decision().unwrap().connect_at, connect_at);
    let much_later = now + MINUTE * 60;
    let mut late = device(much_later);
    late.restore(jws, MINUTE * 60, much_later).unwrap();
    assert_eq!(late.decision().unwrap().connect_at, much_later);
}

#[test]
fn the_poll_period_is_never_shortened_in_an_outage() {
    let now = Instant::now();
    let mut core = device(now);
    core.on_answer(&good(1024, 1), now, 0).unwrap();
    for random in [0, u64::MAX / 2, u64::MAX] {
        core.on_failure(now, random);
        let wait = core.poll_at() - now;
        assert!(wait >= MINUTE && wait <= MINUTE + MINUTE / 10, "{wait:?}");
        assert!(!core.decision().unwrap().is_answered);
    }
}

#[test]
fn advice_out_of_bounds_is_bounded() {
    let now = Instant::now();
    let mut core = device(now);
    for (advice, expected) in [(0, 200), (u32::MAX, 3_600_000)] {
        let answer = Answer {
            poll_after_ms: advice,
            ..good(1024, 1)
        };
        core.on_answer(&answer, now, 0).unwrap();
        assert_eq!(core.poll_at() - now, Duration::from_millis(expected));
    }
}

#[test]
fn a_device_that_knows_nothing_backs_off() {
    let now = Instant::now();
    let mut core = device(now);
    for most in [1, 2, 4, 8, 16, 32, 60, 60] {
        core.on_failure(now, u64::MAX);
        assert_eq!(core.poll_at() - now, Duration::from_secs(most));
    }
}

#[test]
fn a_failed_connection_is_tried_again_with_jitter_and_told() {
    let now = Instant::now();
    let mut core = device(now);
    core.on_answer(&good(1024, 1), now, 0).unwrap();
    let slot = core.decision().unwrap().connect_at;
    core.on_connect_failed("refused", slot, u64::MAX);
    assert_eq!(
        core.decision().unwrap().connect_at,
        slot + Duration::from_secs(1)
    );
    assert_eq!(core.echo(), (1024, "", "refused"));
    let endpoint = core.decision().unwrap().endpoint;
    core.on_connected(&endpoint);
    assert_eq!(core.echo(), (1024, "east", ""));
    core.on_disconnected(slot + MINUTE, 0);
    assert_eq!(core.echo(), (1024, "", ""));
    assert_eq!(core.decision().unwrap().connect_at, slot + MINUTE);
}

/// A hub that takes every connection and ends it at once.
#[test]
fn a_hub_that_ends_what_it_took_is_not_hammered() {
    let start = Instant::now();
    let mut core = device(start);
    core.on_answer(&good(1024, 1), start, 0).unwrap();
    let mut now = core.decision().unwrap().connect_at;
    let endpoint = core.decision().unwrap().endpoint;
    for most in [1, 2, 4, 8, 16, 32, 60, 60] {
        core.on_connected(&endpoint);
        core.on_disconnected(now, u64::MAX);
        let again = core.decision().unwrap().connect_at;
        assert_eq!(again - now, Duration::from_secs(most));
        now = again;
    }
    core.on_connected(&endpoint);
    now += MINUTE;
    core.on_disconnected(now, u64::MAX);
    let again = core.decision().unwrap().connect_at;
    assert_eq!(again - now, Duration::from_secs(1), "that one lasted");
}

#[test]
fn who_arrived_does_not_wait_again_though_the_clock_went_back() {
    let start = Instant::now();
    let mut core = device(start);
    core.on_answer(&good(1024, 1), start, 0).unwrap();
    let slot = core.decision().unwrap().connect_at;
    let restarted = |core: &Core| {
        let mut again = device(slot);
        again
            .restore(core.held(slot).unwrap().0, Duration::ZERO, slot)
            .unwrap();
        let aim = Aim {
            ago: Duration::ZERO,
            ..core.aim(slot)
        };
        again.restore_aim(&aim, slot);
        again.decision().unwrap().connect_at
    };
    assert_eq!(restarted(&core), slot + (slot - start));
    let endpoint = core.decision().unwrap().endpoint;
    core.on_connected(&endpoint);
    assert_eq!(restarted(&core), slot);
}

/// Both silent from `start` on; one connection attempt a minute.
fn silent_for(core: &mut Core, start: Instant, minutes: u32) -> Decision {
    for minute in 0..=minutes {
        core.on_failure(start + MINUTE * minute, 0);
        core.on_connect_failed("timed out", start + MINUTE * minute, 0);
    }
    core.decision().unwrap()
}

#[test]
fn the_list_is_walked_only_when_it_is_allowed_and_both_are_silent() {
    let start = Instant::now();
    let mut asking = device(start);
    asking.on_answer(&good(1024, 1), start, 0).unwrap();
    let decision = silent_for(&mut asking, start, 100);
    assert_eq!(decision.endpoint.hub.as_str(), "east");

    let mut walking = device(start);
    let allowed = answer(&route(1024, 1, STANDBY), &key());
    walking.on_answer(&allowed, start, 0).unwrap();
    assert_eq!(
        silent_for(&mut walking, start, 14).endpoint.hub.as_str(),
        "east"
    );
    assert_eq!(
        silent_for(&mut walking, start, 15).endpoint.hub.as_str(),
        "west"
    );
    let back = start + MINUTE * 30;
    walking.on_answer(&allowed, back, 0).unwrap();
    let decision = walking.decision().unwrap();
    assert_eq!(decision.endpoint.hub.as_str(), "east");
    let slot = route(1024, 1, STANDBY).slot("d-1");
    assert_eq!(decision.connect_at, back + slot);
}

#[test]
fn a_concierge_that_answers_keeps_the_device_where_it_belongs() {
    let start = Instant::now();
    let mut core = device(start);
    let allowed = answer(&route(1024, 1, STANDBY), &key());
    for minute in 0..100 {
        core.on_answer(&allowed, start + MINUTE * minute, 0)
            .unwrap();
        core.on_connect_failed("timed out", start + MINUTE * minute, 0);
    }
    assert_eq!(core.decision().unwrap().endpoint.hub.as_str(), "east");
}
