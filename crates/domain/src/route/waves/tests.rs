//! Who goes first, when, and that no wave is faster than the hub admits.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::epoch::Epoch;

/// The rate of these tests: 80 of 100 connections a second.
const UTILISATION: u8 = 80;
const RATE: u32 = 100;

fn wave(name: &str, members: Members, device_count: u64) -> WavePlan {
    WavePlan {
        name: WaveId::new(name).unwrap(),
        members,
        device_count,
    }
}

fn prefixes(list: &[&str]) -> Members {
    Members::Prefixes(list.iter().map(|prefix| (*prefix).to_owned()).collect())
}

fn scheduled(plan: &[WavePlan], devices: u64) -> (Waves, u64) {
    let (waves, whole) = schedule(plan, devices, UTILISATION, RATE);
    (waves, u64::try_from(whole.as_millis()).unwrap())
}

/// As [`RouteClaims::slot`](crate::route::RouteClaims::slot) does it.
fn slot(waves: &Waves, whole: u64, device: &str, epoch: u64) -> u64 {
    let (offset, window) = waves.range(device, whole);
    let within = pacing::slot(device, Epoch(epoch), Duration::from_millis(window));
    offset + u64::try_from(within.as_millis()).unwrap()
}

/// A plan, and the devices that it was made for: the classes are as large as the plan says.
#[derive(Debug, Clone)]
struct World {
    plan: Vec<WavePlan>,
    devices: Vec<String>,
}

fn worlds() -> impl Strategy<Value = World> {
    let wave = prop_oneof![
        (1u64..800).prop_map(|count| (None::<u8>, count)),
        (1u8..100).prop_map(|percent| (Some(percent), 0u64)),
    ];
    (prop::collection::vec(wave, 0..6), 1u64..3_000).prop_map(|(waves, others)| {
        let mut devices: Vec<String> = (0..others).map(|at| format!("other-{at}")).collect();
        let mut plan = Vec::new();
        for (at, (percent, count)) in waves.into_iter().enumerate() {
            let prefix = format!("class{at}-");
            devices.extend((0..count).map(|number| format!("{prefix}{number}")));
            let members = percent.map_or(Members::Prefixes(vec![prefix]), Members::Percent);
            plan.push(wave_named(at, members, count));
        }
        World { plan, devices }
    })
}

fn wave_named(at: usize, members: Members, count: u64) -> WavePlan {
    wave(&format!("w{at}"), members, count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_slot_lies_in_the_range_of_its_wave_and_stays(world in worlds(), epoch in 1u64..1 << 50) {
        let (waves, whole) = scheduled(&world.plan, world.devices.len() as u64);
        let last = waves.known().map(|wave| wave.offset_ms + wave.window_ms).max().unwrap_or(0);
        prop_assert!(last < whole);
        for device in &world.devices {
            let first = slot(&waves, whole, device, epoch);
            let range = match waves.of_device(device) {
                Some(wave) => wave.offset_ms..wave.offset_ms + wave.window_ms,
                None => last..whole,
            };
            prop_assert!(range.contains(&first), "{device}: {first} in {range:?}");
            prop_assert_eq!(slot(&waves, whole, device, epoch), first);
        }
    }

    /// I25 over all waves together.
    #[test]
    fn no_second_brings_more_devices_than_the_hub_admits(
        world in worlds(), epoch in 1u64..1 << 50
    ) {
        let (waves, whole) = scheduled(&world.plan, world.devices.len() as u64);
        let mut seconds = vec![0u32; usize::try_from(whole / 1000 + 1).unwrap()];
        for device in &world.devices {
            seconds[usize::try_from(slot(&waves, whole, device, epoch) / 1000).unwrap()] += 1;
        }
        // 80 a second on average; seven standard deviations of Poisson slack over it.
        let most = 80.0 + 7.0 * 80f64.sqrt();
        let peak = seconds.into_iter().max().unwrap_or(0);
        prop_assert!(f64::from(peak) < most, "{peak} arrivals in one second");
    }

    #[test]
    fn a_plan_survives_json(world in worlds()) {
        let text = serde_json::to_string(&world.plan).unwrap();
        let read: Vec<WavePlan> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &world.plan);
        let (waves, _) = scheduled(&world.plan, 10_000);
        let text = serde_json::to_string(&waves).unwrap();
        prop_assert_eq!(serde_json::from_str::<Waves>(&text).unwrap(), waves);
    }

    #[test]
    fn no_waves_of_any_shape_make_the_reader_panic(text in "\\PC{0,80}", number in any::<i64>()) {
        for value in [json!(text), json!([text]), json!([{"name": text}]), json!(number)] {
            let waves: Waves = serde_json::from_value(value).unwrap();
            prop_assert_eq!(waves.range("d-1", 100), (0, 100));
        }
    }
}

#[test]
fn windows_follow_each_other_and_fill_the_whole() {
    let plan = [
        wave("pumps", prefixes(&["pump-", "valve-"]), 1_000),
        wave("tenth", Members::Percent(10), 0),
    ];
    let (waves, whole) = scheduled(&plan, 100_000);
    let windows: Vec<_> = waves
        .known()
        .map(|wave| (wave.offset_ms, wave.window_ms))
        .collect();
    assert_eq!(windows, [(0, 12_500), (12_500, 123_750)]);
    assert_eq!(whole, 1_250_000);
    let mut lamps = (0u32..).map(|at| format!("lamp-{at}"));
    let lamp = lamps.find(|id| waves.of_device(id).is_none());
    let range = waves.range(&lamp.unwrap(), whole);
    assert_eq!(range, (136_250, 1_113_750));
    assert_eq!(waves.range("valve-7", whole), (0, 12_500));
    assert_eq!(scheduled(&[], 100_000).1, 1_250_000);
}

#[test]
fn waves_that_are_as_large_as_the_fleet_leave_room_for_one() {
    let plan = [
        wave("all", prefixes(&["d-"]), 500),
        wave("half", Members::Percent(50), 0),
    ];
    let (waves, whole) = scheduled(&plan, 500);
    assert_eq!(whole, 6_250 + 13 + 13);
    assert_eq!(waves.range("d-1", whole), (0, 6_250));
}

/// The number of devices was forgotten when the waves were set: what is said of it still counts for
/// those that no class has.
#[test]
fn classes_that_are_larger_than_the_fleet_do_not_squeeze_the_rest() {
    let plan = [
        wave("pumps", prefixes(&["pump-"]), 5_000),
        wave("half", Members::Percent(50), 0),
    ];
    let (waves, whole) = scheduled(&plan, 1_000);
    let windows: Vec<_> = waves.known().map(|wave| wave.window_ms).collect();
    assert_eq!(windows, [62_500, 6_250]);
    assert_eq!(whole, 62_500 + 6_250 + 6_250);
}

/// A percentage takes its part of the classes behind it too.
#[test]
fn a_class_behind_a_percentage_is_smaller_by_it() {
    let plan = [
        wave("most", Members::Percent(90), 0),
        wave("pumps", prefixes(&["pump-"]), 800),
    ];
    let (waves, whole) = scheduled(&plan, 4_000);
    let windows: Vec<_> = waves.known().map(|wave| wave.window_ms).collect();
    assert_eq!(windows, [45_000, 1_013], "3,600 and 81 devices, rounded up");
    assert_eq!(whole, 45_000 + 1_013 + 3_988);
}

#[test]
fn a_device_goes_with_the_first_wave_that_it_matches() {
    let plan = [
        wave("first", prefixes(&["pump-1"]), 10),
        wave("second", prefixes(&["pump-"]), 10),
    ];
    let (waves, _) = scheduled(&plan, 1_000);
    let name = |device| waves.of_device(device).map(|wave| wave.name.as_str());
    assert_eq!(name("pump-17"), Some("first"));
    assert_eq!(name("pump-2"), Some("second"));
    assert_eq!(name("Pump-2"), None);
}

#[test]
fn each_percentage_is_of_what_is_left() {
    let plan = [
        wave("a", Members::Percent(10), 0),
        wave("b", Members::Percent(50), 0),
        wave("c", Members::Percent(99), 0),
    ];
    let (waves, _) = scheduled(&plan, 100_000);
    let mut counts = [0u32; 4];
    for device in 0..20_000 {
        let found = waves.of_device(&format!("device-{device}"));
        let place = found.and_then(|found| waves.known().position(|wave| wave == found));
        counts[place.unwrap_or(3)] += 1;
    }
    for (count, expected) in counts.into_iter().zip([2_000.0, 9_000.0, 8_910.0, 90.0]) {
        let off = (f64::from(count) - expected).abs();
        assert!(off < 4.0 * f64::sqrt(expected), "{count}, not {expected}");
    }
}

#[test]
fn slots_are_uniform_within_a_wave() {
    let plan = [
        wave("pumps", prefixes(&["pump-"]), 20_000),
        wave("some", Members::Percent(25), 0),
    ];
    let (waves, whole) = scheduled(&plan, 100_000);
    for (prefix, epoch) in [("pump-", 1024), ("lamp-", 1024), ("lamp-", 2049)] {
        let mut bins = [[0u32; 50]; 3];
        for at in 0..40_000 {
            let device = format!("{prefix}{at}");
            let (offset, window) = waves.range(&device, whole);
            let place = waves.known().position(|wave| wave.offset_ms == offset);
            let within = slot(&waves, whole, &device, epoch) - offset;
            bins[place.unwrap_or(2)][usize::try_from(within * 50 / window).unwrap()] += 1;
        }
        for counts in bins {
            let expected = f64::from(counts.iter().sum::<u32>()) / 50.0;
            let square = |count: &u32| (f64::from(*count) - expected).powi(2) / expected.max(1.0);
            let chi_square: f64 = counts.iter().map(square).sum();
            // The 99.99 % quantile with 49 degrees of freedom is 94.
            assert!(chi_square < 94.0, "chi-square {chi_square} of {prefix}");
        }
    }
}

#[test]
fn what_a_newer_version_wrote_matches_nobody_and_is_kept() {
    let newer = json!([
        {"name": "eu", "regions": ["eu"], "offset_ms": 0, "window_ms": 10},
        {"name": "x", "prefixes": ["d-"], "regions": ["eu"], "offset_ms": 0, "window_ms": 10},
        {"name": "y", "prefixes": ["d-"], "percent": 5, "offset_ms": 0, "window_ms": 10},
        {"name": "pumps", "prefixes": ["pump-"], "offset_ms": 10, "window_ms": 20},
        7,
    ]);
    let waves: Waves = serde_json::from_value(newer.clone()).unwrap();
    assert_eq!(waves.of_device("d-1"), None);
    assert_eq!(waves.range("pump-1", 100), (10, 20));
    assert_eq!(waves.range("d-1", 100), (30, 70));
    assert_eq!(serde_json::to_value(&waves).unwrap(), newer);
    assert!(waves.tells_the_same(&Waves::default()) && Waves::default().tells_the_same(&waves));
}

#[test]
fn waves_that_are_known_are_compared() {
    let (one, _) = scheduled(&[wave("a", Members::Percent(10), 0)], 1_000);
    let (other, _) = scheduled(&[wave("a", Members::Percent(11), 0)], 1_000);
    assert!(one.tells_the_same(&one.clone()));
    assert!(!one.tells_the_same(&other) && !one.tells_the_same(&Waves::default()));
}
