//! Figures over many numbers.

use std::collections::HashMap;
use std::time::Duration;

/// The smallest latency that so many percent do not exceed.
pub(crate) fn percentile(mut latencies: Vec<Duration>, percent: f64) -> Duration {
    latencies.sort_unstable();
    let place = (latencies.len() as f64 * percent / 100.0).ceil() as usize;
    latencies[place.clamp(1, latencies.len()) - 1]
}

/// Chi-square of numbers that should be uniform in `[0, end)`.
pub(crate) fn chi_square(numbers: &[f64], end: f64, bins: usize) -> f64 {
    let mut counts = vec![0.0; bins];
    for number in numbers {
        let bin = (number / end * bins as f64) as usize;
        counts[bin.min(bins - 1)] += 1.0;
    }
    let expected = numbers.len() as f64 / bins as f64;
    counts
        .iter()
        .map(|count| (count - expected).powi(2) / expected)
        .sum()
}

/// The most of these moments (milliseconds) in one second.
pub(crate) fn most_per_second(moments: &[u64]) -> u64 {
    let mut seconds: HashMap<u64, u64> = HashMap::new();
    for moment in moments {
        *seconds.entry(moment / 1_000).or_default() += 1;
    }
    seconds.into_values().max().unwrap_or(0)
}
