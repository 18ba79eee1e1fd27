//! Percentiles of a set of durations.

use std::time::Duration;

use serde::Serialize;

/// When half, nearly all and all had happened, milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) p50_ms: u64,
    pub(crate) p95_ms: u64,
    pub(crate) p100_ms: u64,
}

impl Percentiles {
    /// Of any durations; zero when there are none.
    pub(crate) fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        let at = |percent: usize| {
            let index = (durations.len() * percent).div_ceil(100).max(1) - 1;
            durations
                .get(index)
                .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
        };
        Self {
            p50_ms: at(50),
            p95_ms: at(95),
            p100_ms: at(100),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let durations = (1..=100).rev().map(Duration::from_millis).collect();
        let found = Percentiles::of(durations);
        assert_eq!((found.p50_ms, found.p95_ms, found.p100_ms), (50, 95, 100));
        assert_eq!(Percentiles::of(Vec::new()).p100_ms, 0);
    }
}
