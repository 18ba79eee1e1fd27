//! How far counts are off, and that a union counts each device once.

use super::*;
use crate::siphash::SipKey;

const KEY: [u8; 16] = *b"a key of a fleet";

fn hashes(devices: std::ops::Range<u32>) -> impl Iterator<Item = u64> {
    let key = SipKey::new(KEY);
    devices.map(move |device| key.hash(&device.to_le_bytes()))
}

fn registers(devices: std::ops::Range<u32>) -> Sketch {
    let mut registers = vec![0; REGISTERS];
    for (register, rank) in hashes(devices).map(place) {
        registers[register] = rank.max(registers[register]);
    }
    Sketch::Registers(registers)
}

fn tag(hash: u64) -> u32 {
    (hash >> (64 - TAG_BITS)) as u32
}

fn named(devices: std::ops::Range<u32>) -> Sketch {
    Sketch::Named(hashes(devices).map(tag).collect())
}

fn is_near(count: Count, wanted: u64, percent: f64) -> bool {
    (count.number as f64 - wanted as f64).abs() <= wanted as f64 * percent / 100.0
}

/// Nearly four standard errors: what fails is not chance.
#[test]
fn registers_are_within_the_stated_error_at_every_size() {
    for devices in [1_200, 20_000, 60_000, 200_000, 1_000_000] {
        let count = registers(0..devices).count();
        assert!(
            is_near(count, u64::from(devices), 3.0),
            "{devices}: {count:?}"
        );
        assert_eq!(count.error_percent, ERROR_PERCENT);
    }
}

#[test]
fn few_devices_are_nearly_exact_even_in_registers() {
    for devices in [0, 1, 10, 100, 900] {
        let count = registers(0..devices).count();
        assert!(
            count.number.abs_diff(u64::from(devices)) <= 16,
            "{devices}: {count:?}"
        );
    }
}

/// The standard error is 0.81 %: over many keys the mean of the squares must say the same.
#[test]
fn the_standard_error_is_what_is_said() {
    let devices = 30_000u32;
    let error = |seed: u8| {
        let key = SipKey::new([seed; 16]);
        let mut registers = vec![0; REGISTERS];
        for device in 0..devices {
            let (register, rank) = place(key.hash(&device.to_le_bytes()));
            registers[register] = rank.max(registers[register]);
        }
        (estimate(&registers) / f64::from(devices) - 1.0).powi(2)
    };
    let mean = (0..40).map(error).sum::<f64>() / 40.0;
    assert!((0.004..0.013).contains(&mean.sqrt()), "{}", mean.sqrt());
}

#[test]
fn a_union_counts_each_device_once() {
    let mut all = named(0..600);
    all.unite(named(300..900));
    assert_eq!(
        all.count(),
        Count {
            number: 900,
            error_percent: 0.0
        }
    );

    let mut all = registers(0..60_000);
    all.unite(registers(30_000..90_000));
    assert_eq!(all, registers(0..90_000));
}

#[test]
fn names_join_registers_from_either_side() {
    let whole = registers(0..61_000);
    let mut one = registers(0..60_000);
    one.unite(named(60_000..61_000));
    let mut other = named(60_000..61_000);
    other.unite(registers(0..60_000));
    assert_eq!(one, other);
    assert!(is_near(one.count(), whole.count().number, 0.1));
    // They were all there already.
    let mut again = registers(0..60_000);
    again.unite(named(0..1_000));
    assert_eq!(again, registers(0..60_000));
}

#[test]
fn a_tag_has_the_place_of_its_hash() {
    for hash in hashes(0..10_000) {
        let ((register, rank), of_tag) = (place(hash), place_of_tag(tag(hash)));
        assert_eq!(of_tag.0, register);
        assert_eq!(of_tag.1, rank.min(TAG_RANK_BITS as u8 + 1));
    }
    assert_eq!(place(0), (0, MAX_RANK));
    assert_eq!(place(u64::MAX), (REGISTERS - 1, 1));
}

#[test]
fn bytes_are_read_back_and_never_longer_than_said() {
    for sketch in [Sketch::default(), named(0..1_000), registers(0..500_000)] {
        let bytes = sketch.encode();
        assert!(bytes.len() <= 12_289, "{}", bytes.len());
        assert_eq!(Sketch::decode(&bytes), Some(sketch));
    }
}

#[test]
fn bytes_of_another_program_are_nothing() {
    for bytes in [&[][..], &[3, 1], &[1, 1, 2, 3], &[2, 0, 0, 0]] {
        assert_eq!(Sketch::decode(bytes), None);
    }
}
