//! Against the figures of the specification (appendix 1.6), scaled down where that changes nothing.

use super::*;

/// 10,000 devices, 100 a second: the shape of 100,000 at 1,000.
fn scenario() -> Scenario {
    Scenario {
        devices: 10_000,
        admission_per_second: 100,
        utilisation_percent: 80,
        poll: Duration::ZERO,
        retry: Duration::from_secs(10),
        horizon: Duration::from_secs(2_000),
        epoch: Epoch(2048),
        seed: 7,
    }
}

fn seconds(outcome: &Outcome, percent: u8) -> f64 {
    outcome.time_of(percent).unwrap().as_secs_f64()
}

#[test]
fn a_fixed_retry_serves_one_second_of_every_ten() {
    let outcome = simulate(&scenario(), Strategy::FixedRetry);
    // 100 seconds' worth of devices, one second's worth per retry of ten seconds.
    assert!((seconds(&outcome, 100) - 990.0).abs() < 15.0);
    assert_eq!(outcome.peak_per_second(), 10_000);
    let per_device = outcome.attempts() as f64 / 10_000.0;
    assert!((45.0..55.0).contains(&per_device), "{per_device}");
}

#[test]
fn a_backoff_without_jitter_stays_in_step_and_leaves_most_devices_behind() {
    let outcome = simulate(&scenario(), Strategy::Backoff);
    let behind = 10_000 - outcome.attached();
    assert!(behind > 5_000, "{behind}");
    assert_eq!(outcome.time_of(100), None);
    assert_eq!(outcome.ticks.len(), 20_000, "to the horizon");
}

#[test]
fn jitter_fills_the_hub_with_many_attempts_for_each_device() {
    let outcome = simulate(&scenario(), Strategy::FullJitter);
    assert!((100.0..180.0).contains(&seconds(&outcome, 100)));
    let first = outcome.per(Duration::from_secs(1)).next().unwrap();
    assert_eq!(outcome.peak_per_second(), u64::from(first.attempts));
    assert!(outcome.attempts() > 30_000);
}

#[test]
fn a_poll_spreads_the_first_attempts_over_its_period() {
    let polled = Scenario {
        poll: Duration::from_secs(60),
        ..scenario()
    };
    let outcome = simulate(&polled, Strategy::Polled);
    let peak = outcome.peak_per_second();
    assert!(peak < 1_500, "{peak}");
    assert!(outcome.attempts() > 20_000);
}

#[test]
fn slots_take_one_attempt_each_and_never_more_than_the_hub_admits() {
    let outcome = simulate(&scenario(), Strategy::Slots);
    assert!((124.0..130.0).contains(&seconds(&outcome, 100)));
    assert!(outcome.peak_per_second() < 80 + 5 * 9);
    assert!(outcome.attempts() < 10_050);
}

#[test]
fn a_scenario_has_a_floor_that_nothing_beats() {
    let scenario = Scenario {
        poll: Duration::from_secs(60),
        ..scenario()
    };
    assert_eq!(scenario.floor(), Duration::from_secs(100));
    for strategy in Strategy::ALL {
        let outcome = simulate(&scenario, strategy);
        let done = outcome.time_of(100).unwrap_or(scenario.horizon);
        // What the hub has saved up at the start is one second's worth.
        assert!(
            done + Duration::from_secs(2) >= scenario.floor(),
            "{strategy:?}: {done:?}"
        );
        assert!(outcome.attached() <= 10_000);
    }
}

#[test]
fn the_same_seed_gives_the_same_storm_and_another_one_another() {
    let one = simulate(&scenario(), Strategy::FullJitter);
    assert_eq!(one, simulate(&scenario(), Strategy::FullJitter));
    let other = Scenario {
        seed: 8,
        ..scenario()
    };
    assert_ne!(one.ticks, simulate(&other, Strategy::FullJitter).ticks);
}

#[test]
fn bins_lose_nobody() {
    let outcome = simulate(&scenario(), Strategy::Slots);
    let sum: u64 = outcome
        .per(Duration::from_secs(7))
        .map(|bin| u64::from(bin.admitted))
        .sum();
    assert_eq!(sum, outcome.attached());
}
