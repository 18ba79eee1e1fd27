use proptest::prelude::*;

use super::*;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() < 1e-6
}

/// Seconds between `start` and the next `count` calls.
fn calls(pace: &mut Pace, start: Instant, now: Instant, count: usize) -> Vec<f64> {
    let next = |_| pace.next(now).duration_since(start).as_secs_f64();
    (0..count).map(next).collect()
}

#[test]
fn a_burst_goes_at_once_and_the_rest_one_by_one() {
    let (mut pace, now) = (Pace::new(2.0, 3.0), Instant::now());
    let expected = [0.0, 0.0, 0.0, 0.5, 1.0];
    let found = calls(&mut pace, now, now, 5);
    assert!(
        found.iter().zip(expected).all(|(a, b)| close(*a, b)),
        "{found:?}"
    );
    let rested = now + seconds(60);
    let found = calls(&mut pace, rested, rested, 4);
    assert!(close(found[2], 0.0) && close(found[3], 0.5), "{found:?}");
}

#[test]
fn a_look_reserves_nothing() {
    let (mut pace, now) = (Pace::new(1.0, 1.0), Instant::now());
    assert_eq!(pace.peek(now), now);
    assert_eq!(pace.peek(now), now);
    assert_eq!(pace.next(now), now);
    assert_eq!(pace.peek(now), now + seconds(1));
}

#[test]
fn a_429_pauses_halves_and_voids_once_for_many() {
    let (mut pace, now) = (Pace::new(4.0, 8.0), Instant::now());
    let before = pace.round();
    pace.throttled(now, seconds(10));
    assert_ne!(pace.round(), before);
    pace.throttled(now + seconds(1), seconds(10));
    pace.throttled(now + seconds(2), seconds(3));
    let open = now + seconds(11);
    assert!(close(pace.rate(open), 2.0), "{}", pace.rate(open));
    // Nothing of the burst is left: each waits its turn, the first too.
    let found = calls(&mut pace, open, now, 2);
    assert!(close(found[0], 0.5) && found[1] > 0.99, "{found:?}");
}

#[test]
fn the_rate_comes_back_within_five_minutes_and_not_before() {
    let (mut pace, now) = (Pace::new(16.0, 1.0), Instant::now());
    pace.throttled(now, seconds(10));
    let open = now + seconds(10);
    assert!(close(pace.rate(open), 8.0));
    assert!(close(pace.rate(open + seconds(75)), 12.0));
    assert!(close(pace.rate(open + seconds(150)), 16.0));
    assert!(close(pace.rate(open + seconds(1000)), 16.0));
}

#[test]
fn a_faster_clock_recovers_sooner() {
    let (mut pace, now) = (Pace::new(16.0, 1.0).with_speed(60.0), Instant::now());
    pace.throttled(now, seconds(1));
    assert!(close(pace.rate(now + seconds(1) + seconds(150) / 60), 16.0));
}

#[test]
fn pauses_double_up_to_two_minutes_until_an_answer_comes() {
    let (mut pace, mut now) = (Pace::new(16.0, 1.0), Instant::now());
    let pause = |pace: &mut Pace, now: Instant| {
        pace.throttled(now, seconds(10));
        let open = pace.trouble.unwrap().open;
        open.duration_since(now).as_secs()
    };
    for expected in [10, 20, 40, 80, 120, 120] {
        assert_eq!(pause(&mut pace, now), expected);
        now += seconds(expected);
    }
    assert!(pace.rate(now) >= 1.0, "the floor is a sixteenth");
    pace.answered(now);
    assert_eq!(pause(&mut pace, now), 10);
}

#[test]
fn an_answer_in_the_pause_belongs_to_an_older_call() {
    let (mut pace, now) = (Pace::new(16.0, 1.0), Instant::now());
    pace.throttled(now, seconds(10));
    pace.answered(now + seconds(5));
    pace.throttled(now + seconds(10), seconds(10));
    assert_eq!(pace.trouble.unwrap().open, now + seconds(30));
}

#[test]
fn what_the_hub_asks_for_is_the_least() {
    let (mut pace, now) = (Pace::new(16.0, 1.0), Instant::now());
    pace.throttled(now, seconds(200));
    assert!(pace.peek(now) >= now + seconds(200));
    pace.throttled(now + seconds(201), Duration::MAX);
    assert!(pace.peek(now) <= now + seconds(201) + MAX_ASKED + seconds(1));
}

#[test]
fn without_a_rate_all_go_until_a_429_teaches_one() {
    let (mut pace, now) = (Pace::unlimited(), Instant::now());
    assert!(
        calls(&mut pace, now, now, 40)
            .iter()
            .all(|at| close(*at, 0.0))
    );
    pace.throttled(now, seconds(10));
    // Forty calls in ten seconds are four per second; half of that is left.
    let open = now + seconds(10);
    assert!(close(pace.rate(open), 2.0), "{}", pace.rate(open));
    assert!(pace.rate(open + seconds(600)) > 4.0, "it may find more");
}

#[test]
fn what_is_learned_is_never_nothing() {
    let (mut pace, mut now) = (Pace::unlimited(), Instant::now());
    for _ in 0..20 {
        pace.throttled(now, seconds(10));
        now += seconds(3600);
    }
    assert!(pace.rate(now) > 0.0);
    assert!(pace.next(now) < now + MAX_INTERVAL);
}

#[test]
fn rates_that_are_none_let_nothing_run_wild() {
    for rate in [0.0, -1.0, f64::NAN] {
        let (mut pace, now) = (Pace::new(rate, 5.0), Instant::now());
        pace.next(now);
        assert_eq!(pace.peek(now), now + MAX_INTERVAL, "{rate}");
    }
}

#[derive(Clone, Debug)]
enum Event {
    Wait(u64),
    Call,
    Throttled(u64),
    Answered,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0_u64..3000).prop_map(Event::Wait),
        8 => Just(Event::Call),
        1 => (1_u64..20_000).prop_map(Event::Throttled),
        1 => Just(Event::Answered),
    ]
}

/// The moments at which calls went out: a 429 voids the reservations that lie ahead, and those
/// who had them ask again.
fn play(
    pace: &mut Pace,
    start: Instant,
    events: &[Event],
) -> (Vec<Instant>, Vec<(Instant, Instant)>) {
    let (mut now, mut slots, mut pauses) = (start, Vec::new(), Vec::new());
    for event in events {
        match event {
            Event::Wait(millis) => now += Duration::from_millis(*millis),
            Event::Call => slots.push(pace.next(now)),
            Event::Answered => pace.answered(now),
            Event::Throttled(millis) => {
                let pause = Duration::from_millis(*millis);
                pace.throttled(now, pause);
                pauses.push((now, now + pause));
                for slot in slots.iter_mut().filter(|slot| **slot > now) {
                    *slot = pace.next(now);
                }
            }
        }
    }
    (slots, pauses)
}

proptest! {
    #[test]
    fn no_window_holds_more_than_the_rate_and_the_burst(
        rate in 0.05_f64..50.0,
        burst in 1.0_f64..20.0,
        events in prop::collection::vec(event(), 1..120),
    ) {
        let (mut pace, start) = (Pace::new(rate, burst), Instant::now());
        let (slots, pauses) = play(&mut pace, start, &events);
        for (first, from) in slots.iter().enumerate() {
            for (last, to) in slots.iter().enumerate().skip(first) {
                prop_assert!(to >= from, "calls keep their order");
                let window = to.duration_since(*from).as_secs_f64();
                let count = f64::from(u32::try_from(last - first + 1).unwrap());
                prop_assert!(count <= rate * window + burst + 0.01, "{count} in {window} s");
            }
        }
        for (from, to) in pauses {
            prop_assert!(!slots.iter().any(|slot| *slot > from && *slot < to));
        }
    }
}
