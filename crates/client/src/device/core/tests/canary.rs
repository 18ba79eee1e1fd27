//! A canary: there at the slot, back at the signed end, whatever clocks, restarts and concierges do.

use hubshift_domain::route::{CanaryInputs, Cohort, DeviceHash};

use super::*;

pub(super) const LIFE: Duration = Duration::from_secs(900);

/// When every canary of these tests begins, by a clock that is right.
pub(super) fn began() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
}

/// The route of [`super::route`] with a third hub, `south`, where the canary with this id is. Its
/// cohort is `size` listed devices at 100 a second, `d-1` among them.
pub(super) fn canary_route(epoch: u64, routing_version: u64, id: &str, size: usize) -> RouteClaims {
    let fleet = FleetId::new("acme").unwrap();
    let hubs = ["east", "west", "south"].map(|slug| HubId::new(slug).unwrap());
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
    let cohort = (1..=size).map(|at| DeviceHash::of(&format!("d-{at}")));
    let cohort = Cohort::Devices(cohort.collect());
    let inputs = RouteInputs {
        fleet: &fleet,
        epoch: Epoch(epoch),
        routing_version,
        active_hub: &hubs[active],
        hubs: (0..3).map(hub).collect(),
        device_count: 100_000,
        utilisation_percent: 80,
        on_unreachable: OnUnreachable::Ask,
        epoch_opened: began(),
        waves: &[],
        canary: Some(CanaryInputs {
            id,
            hub: &hubs[2],
            epoch: Epoch(epoch),
            cohort: &cohort,
            started_at: began(),
            until: began() + LIFE,
        }),
    };
    claims(&inputs, began()).unwrap()
}

fn with_canary(epoch: u64, routing_version: u64) -> Answer {
    answer(&canary_route(epoch, routing_version, "c-1", 200), &key())
}

/// A device that is attached to east, in epoch 1024, since long ago.
fn settled(start: Instant) -> Core {
    let mut core = device(start);
    core.on_answer(&good(1024, 1), start, 0).unwrap();
    core
}

/// Long after the slot of the epoch.
fn later(start: Instant) -> Instant {
    start + MINUTE * 60
}

fn hub_at(core: &Core, now: Instant) -> String {
    core.decision_at(now).unwrap().endpoint.hub.to_string()
}

fn canary_slot() -> Duration {
    let route = canary_route(1024, 2, "c-1", 200);
    route.canary().unwrap().slot("d-1", Epoch(1024))
}

#[test]
fn a_device_of_the_cohort_goes_at_its_slot_and_comes_back_at_it() {
    let start = Instant::now();
    let mut core = settled(start);
    let now = later(start);
    core.on_clock(began(), now);
    core.on_answer(&with_canary(1024, 2), now, 0).unwrap();
    let decision = core.decision().unwrap();
    assert_eq!(decision.endpoint.hub.as_str(), "south");
    assert_eq!(decision.connect_at, now + canary_slot());
    assert!(canary_slot() < Duration::from_millis(2_500));
    assert_eq!(decision.until, Some(now + LIFE));
    // Polls neither restart the timer nor move the end.
    for step in 1..20 {
        let passed = Duration::from_secs(40 * step);
        let at = now + passed;
        core.on_clock(began() + passed, at);
        core.on_answer(&with_canary(1024, 2 + step), at, 7).unwrap();
        core.on_not_modified(at, 7);
        core.on_failure(at, 7);
        let again = core.decision().unwrap();
        assert_eq!(
            (again.connect_at, again.until),
            (decision.connect_at, decision.until)
        );
    }
    // Nobody says anything any more.
    let end = now + LIFE;
    assert_eq!(hub_at(&core, end - Duration::from_millis(1)), "south");
    let back = core.decision_at(end).unwrap();
    assert_eq!(back.endpoint.hub.as_str(), "east");
    assert_eq!((back.connect_at, back.until), (end + canary_slot(), None));
    core.on_failure(end + MINUTE, 0);
    let known = core.decision().unwrap();
    assert_eq!(known.connect_at, back.connect_at);
    assert_eq!(known.endpoint, back.endpoint);
    // The same route once more begins nothing.
    core.on_answer(&with_canary(1024, 300), end + MINUTE, 0)
        .unwrap();
    assert_eq!(hub_at(&core, end + MINUTE), "east");
}

#[test]
fn a_device_outside_the_cohort_stays() {
    let start = Instant::now();
    let mut core = settled(start);
    let before = core.decision().unwrap();
    let mut other = canary_route(1024, 2, "c-1", 200);
    let listed = Cohort::Devices(vec![DeviceHash::of("d-2")]);
    if let Some(hubshift_domain::route::CanaryClaim::Known(canary)) = &mut other.canary {
        canary.cohort = listed;
    }
    core.on_answer(&answer(&other, &key()), later(start), 0)
        .unwrap();
    let after = core.decision().unwrap();
    assert_eq!(
        (after.endpoint, after.connect_at, after.until),
        (before.endpoint, before.connect_at, None)
    );
}

#[test]
fn a_route_without_it_ends_it_at_the_slot() {
    let start = Instant::now();
    let mut core = settled(start);
    let now = later(start);
    core.on_answer(&with_canary(1024, 2), now, 0).unwrap();
    let stop = now + MINUTE;
    core.on_answer(&good(1024, 3), stop, 0).unwrap();
    let decision = core.decision().unwrap();
    assert_eq!(decision.endpoint.hub.as_str(), "east");
    assert_eq!(
        (decision.connect_at, decision.until),
        (stop + canary_slot(), None)
    );
}

#[test]
fn a_new_epoch_ends_it_and_has_its_own_slot() {
    let start = Instant::now();
    let mut core = settled(start);
    let now = later(start);
    core.on_answer(&with_canary(1024, 2), now, 0).unwrap();
    core.on_answer(&good(2049, 3), now + MINUTE, 0).unwrap();
    let decision = core.decision().unwrap();
    assert_eq!(decision.endpoint.hub.as_str(), "west");
    let slot = route(2049, 3, OnUnreachable::Ask).slot("d-1");
    assert_eq!(decision.connect_at, now + MINUTE + slot);
}

#[test]
fn nobody_comes_back_before_the_slot_of_the_epoch() {
    let start = Instant::now();
    let mut core = settled(start);
    core.on_answer(&with_canary(1024, 2), start, 0).unwrap();
    let stop = start + Duration::from_secs(10);
    core.on_answer(&good(1024, 3), stop, 0).unwrap();
    let due = start + route(1024, 1, OnUnreachable::Ask).slot("d-1");
    assert!(due > stop + canary_slot(), "d-1 goes late in its window");
    assert_eq!(core.decision().unwrap().connect_at, due);
}

#[test]
fn without_a_clock_it_lasts_its_life_and_with_a_wrong_one_no_longer() {
    let start = Instant::now();
    let now = later(start);
    let years = Duration::from_secs(100_000_000);
    for (clock, expected) in [
        (None, Some(LIFE)),
        (Some(OffsetDateTime::UNIX_EPOCH), Some(LIFE)),
        (Some(began() - years), Some(LIFE)),
        (Some(began() + LIFE / 3), Some(LIFE - LIFE / 3)),
        (Some(began() + years), None),
    ] {
        let mut core = settled(start);
        if let Some(unix) = clock {
            core.on_clock(unix, now);
        }
        core.on_answer(&with_canary(1024, 2), now, 0).unwrap();
        let until = core.decision().unwrap().until;
        assert_eq!(until, expected.map(|left| now + left), "{clock:?}");
    }
}

#[test]
fn a_clock_that_jumps_brings_the_end_nearer_and_never_puts_it_off() {
    let start = Instant::now();
    let mut core = settled(start);
    let now = later(start);
    core.on_clock(began(), now);
    core.on_answer(&with_canary(1024, 2), now, 0).unwrap();
    core.on_clock(began() + LIFE - MINUTE, now);
    assert_eq!(core.decision().unwrap().until, Some(now + MINUTE));
    core.on_clock(began() - MINUTE, now);
    assert_eq!(core.decision().unwrap().until, Some(now + MINUTE));
    core.on_clock(began() + LIFE, now);
    assert_eq!(hub_at(&core, now), "east");
    core.on_clock(began(), now);
    assert_eq!(hub_at(&core, now), "east", "what is over stays over");
}

#[test]
fn a_standby_that_takes_nobody_is_given_up() {
    let start = Instant::now();
    let mut core = settled(start);
    let mut now = later(start);
    core.on_answer(&with_canary(1024, 2), now, 0).unwrap();
    for _ in 1..3 {
        now = core.decision().unwrap().connect_at;
        core.on_connect_failed("refused", now, u64::MAX);
        assert_eq!(hub_at(&core, now), "south");
    }
    now = core.decision().unwrap().connect_at;
    core.on_connect_failed("refused", now, u64::MAX);
    let decision = core.decision().unwrap();
    assert_eq!(decision.endpoint.hub.as_str(), "east");
    assert_eq!(decision.connect_at, now + canary_slot());
    assert_eq!(core.echo().2, "refused", "the operator is told");
    core.on_answer(&with_canary(1024, 9), now + MINUTE, 0)
        .unwrap();
    assert_eq!(hub_at(&core, now + MINUTE), "east");
}

#[test]
fn a_standby_that_ends_what_it_took_is_given_up_too() {
    let start = Instant::now();
    let mut core = settled(start);
    let mut now = later(start);
    core.on_answer(&with_canary(1024, 2), now, 0).unwrap();
    for _ in 0..3 {
        let decision = core.decision().unwrap();
        assert_eq!(decision.endpoint.hub.as_str(), "south");
        now = decision.connect_at;
        core.on_connected(&decision.endpoint);
        core.on_disconnected(now, u64::MAX);
    }
    let decision = core.decision().unwrap();
    assert_eq!(decision.endpoint.hub.as_str(), "east");
    assert_eq!(decision.connect_at, now + canary_slot());
    assert_eq!(core.echo().2, "the hub ends its connections");
}

pub(super) fn restart(
    core: &Core,
    off: Duration,
    clock: Option<OffsetDateTime>,
    now: Instant,
) -> Core {
    let (jws, ago) = core.held(now).unwrap();
    let aim = core.aim(now);
    let after = now + off;
    let mut again = device(after);
    if let Some(unix) = clock {
        again.on_clock(unix, after);
    }
    again.restore(jws, ago + off, after).unwrap();
    let aim = Aim {
        ago: aim.ago + off,
        ..aim
    };
    again.restore_aim(&aim, after);
    again
}

#[test]
fn a_restart_lets_timer_and_end_run_on() {
    let start = Instant::now();
    let mut core = settled(start);
    let now = later(start);
    core.on_clock(began(), now);
    core.on_answer(&with_canary(1024, 2), now, 0).unwrap();
    let before = core.decision().unwrap();
    let clock = |off| Some(began() + off);
    let off = Duration::from_millis(1);
    let again = restart(&core, off, clock(off), now).decision().unwrap();
    assert_eq!(
        (again.connect_at, again.until),
        (before.connect_at, before.until)
    );
    assert_eq!(again.endpoint, before.endpoint);
    for (off, clock) in [
        (LIFE, clock(LIFE)),
        (off, None),
        (off, Some(OffsetDateTime::UNIX_EPOCH)),
    ] {
        let again = restart(&core, off, clock, now);
        assert_eq!(hub_at(&again, now + off), "east", "{clock:?}");
    }
    // The way back is a timer too.
    let end = now + LIFE;
    core.on_failure(end, 0);
    let off = Duration::from_millis(1);
    let again = restart(&core, off, clock(LIFE + off), end);
    assert_eq!(again.decision().unwrap().connect_at, end + canary_slot());
}
