//! When a device connects: slots that spread a fleet over an admission window, and the backoff
//! after a slot was missed.
//!
//! A slot is a function of the device's id, the epoch and the window alone: asking again does not
//! roll it again (L17), nobody has to coordinate, and a device can compute it from the signed
//! route. Arrivals per second stay at or below the share `u` of the target's admission rate, plus
//! Poisson slack (I25). Classes of devices that go first have windows of their own
//! ([`Waves`](crate::route::Waves)).

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::epoch::Epoch;

/// The first backoff is drawn from zero to this.
pub const BACKOFF_BASE: Duration = Duration::from_secs(1);

/// No backoff is longer than this.
pub const BACKOFF_CAP: Duration = Duration::from_secs(60);

/// No number of 64 bits has more decimal digits.
pub const MAX_DIGITS: usize = 20;

/// How long the device waits before it connects after it first accepted the epoch: whole
/// milliseconds in `[0, window)`, `floor(W * H(device_id, epoch))`; zero for an empty window.
pub fn slot(device_id: &str, epoch: Epoch, window: Duration) -> Duration {
    let hash = u128::from(slot_hash(device_id, epoch));
    let window_ms = u128::from(u64::try_from(window.as_millis()).unwrap_or(u64::MAX));
    // Less than `window_ms`, so it fits.
    Duration::from_millis(((window_ms * hash) >> 64) as u64)
}

/// The first 8 bytes, big-endian, of SHA-256(device_id, 0x00, epoch in decimal).
fn slot_hash(device_id: &str, epoch: Epoch) -> u64 {
    let mut digits = [0; MAX_DIGITS];
    device_hash(device_id, &[decimal(epoch.0, &mut digits)])
}

/// The first 8 bytes, big-endian, of SHA-256 over the device's id and `parts`, with a zero byte
/// before each part: what every class of devices is told apart by.
pub(crate) fn device_hash(device_id: &str, parts: &[&[u8]]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(device_id.as_bytes());
    for part in parts {
        hash.update([0]);
        hash.update(part);
    }
    let digest = hash.finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

/// The number in decimal, without an allocation: this is done for every poll of every device.
pub fn decimal(mut number: u64, digits: &mut [u8; MAX_DIGITS]) -> &[u8] {
    let mut first = MAX_DIGITS;
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[first..];
        }
    }
}

/// The admission window `W = N / (u * R)`, rounded up to a millisecond.
///
/// `devices`: how many move; `utilisation_percent`: how much of the rate the move may use, 1 to
/// 100; `rate`: new connections that the target admits, per second. Zeros count as one.
pub fn window(devices: u64, utilisation_percent: u8, rate: u32) -> Duration {
    let per_100_s = u128::from(utilisation_percent.max(1)) * u128::from(rate.max(1));
    let ms = (u128::from(devices) * 100_000).div_ceil(per_100_s);
    Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
}

/// The wait before try number `attempt` (0 is the first repetition): full jitter, uniform in
/// `[0, min(60 s, 1 s * 2^attempt)]`. `random` is any uniformly drawn number.
pub fn backoff(attempt: u32, random: u64) -> Duration {
    full_jitter(BACKOFF_BASE, BACKOFF_CAP, attempt, random)
}

/// As [`backoff`], with another base and cap.
pub fn full_jitter(base: Duration, cap: Duration, attempt: u32, random: u64) -> Duration {
    let factor = 1u32.checked_shl(attempt).unwrap_or(u32::MAX);
    share(base.saturating_mul(factor).min(cap), random)
}

/// The part of `whole` that `random` stands for: `random / 2^64`, in whole milliseconds.
pub fn share(whole: Duration, random: u64) -> Duration {
    let ms = u128::from(u64::try_from(whole.as_millis()).unwrap_or(u64::MAX)) + 1;
    Duration::from_millis(((ms * u128::from(random)) >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_slot_lies_in_its_window_and_stays(
            device in "[a-zA-Z0-9-]{1,128}", epoch in 1u64..1 << 50, window_ms in 1u64..1 << 40
        ) {
            let window = Duration::from_millis(window_ms);
            let first = slot(&device, Epoch(epoch), window);
            prop_assert!(first < window);
            prop_assert_eq!(slot(&device, Epoch(epoch), window), first);
        }

        #[test]
        fn digits_are_those_of_the_number(number in any::<u64>(), shift in 0u32..64) {
            let mut digits = [0; MAX_DIGITS];
            let number = number >> shift;
            let written = number.to_string();
            prop_assert_eq!(decimal(number, &mut digits), written.as_bytes());
        }

        #[test]
        fn a_backoff_stays_below_its_ceiling(attempt in 0u32..200, random in any::<u64>()) {
            let ceiling = BACKOFF_CAP.min(BACKOFF_BASE * 2u32.saturating_pow(attempt.min(20)));
            prop_assert!(backoff(attempt, random) <= ceiling);
        }
    }

    #[test]
    fn a_slot_is_what_the_specification_says() {
        // printf 'device-1\0002048' | sha256sum starts with these eight bytes.
        let hash: u64 = 0xf2f8_33fd_f12a_4e1e;
        assert_eq!(slot_hash("device-1", Epoch(2048)), hash);
        let expected = (1_249_000u128 * u128::from(hash)) >> 64;
        let slot = slot("device-1", Epoch(2048), Duration::from_secs(1249));
        assert_eq!(slot.as_millis(), expected);
    }

    #[test]
    fn another_epoch_is_another_slot() {
        let window = Duration::from_secs(100_000);
        assert_ne!(
            slot("a", Epoch(1025), window),
            slot("a", Epoch(2048), window)
        );
        assert_ne!(slot("a1", Epoch(2), window), slot("a", Epoch(12), window));
    }

    fn arrivals(devices: u32, epoch: u64, window: Duration, bins: usize) -> Vec<u64> {
        let mut counts = vec![0; bins];
        for device in 0..devices {
            let slot = slot(&format!("device-{device}"), Epoch(epoch), window);
            counts[(slot.as_millis() * bins as u128 / window.as_millis()) as usize] += 1;
        }
        counts
    }

    #[test]
    fn slots_are_uniform() {
        for epoch in [1024, 2049, 3072] {
            let expected = 20_000.0 / 100.0;
            let chi_square: f64 = arrivals(20_000, epoch, Duration::from_secs(1000), 100)
                .into_iter()
                .map(|count| (count as f64 - expected).powi(2) / expected)
                .sum();
            // The 99.99 % quantile with 99 degrees of freedom.
            assert!(
                chi_square < 160.0,
                "chi-square {chi_square} in epoch {epoch}"
            );
        }
    }

    #[test]
    fn a_fleet_never_arrives_faster_than_its_hub_admits() {
        let (devices, rate) = (20_000, 100);
        let window = window(u64::from(devices), 80, rate);
        assert_eq!(window, Duration::from_secs(250));
        let per_second = arrivals(devices, 2048, window, 250);
        // 80 a second on average; five standard deviations of Poisson slack over it.
        let most = 80.0 + 5.0 * 80f64.sqrt();
        let peak = per_second.into_iter().max().unwrap();
        assert!((peak as f64) < most, "{peak} arrivals in one second");
    }

    #[test]
    fn a_window_is_rounded_up_and_never_divides_by_zero() {
        assert_eq!(window(1, 80, 1000), Duration::from_millis(2));
        assert_eq!(window(2000, 80, 1000), Duration::from_millis(2500));
        assert_eq!(window(5, 0, 0), Duration::from_secs(500));
        assert_eq!(window(0, 80, 100), Duration::ZERO);
    }

    #[test]
    fn the_whole_range_of_jitter_is_used() {
        assert_eq!(backoff(0, 0), Duration::ZERO);
        assert_eq!(backoff(0, u64::MAX), BACKOFF_BASE);
        assert_eq!(backoff(63, u64::MAX), BACKOFF_CAP);
    }
}
