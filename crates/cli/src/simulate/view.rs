//! The result, as a table with curves for people and as JSON for a notebook.

use std::time::Duration;

use hubshift_domain::storm::{Arrivals, Outcome, Scenario};
use serde::Serialize;

use super::bars::bars;
use crate::output::{Block, View, table};

/// Characters of a curve.
const COLUMNS: u32 = 72;

/// What came of all strategies.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    devices: u32,
    admission_per_second: u32,
    utilisation_percent: u8,
    /// Seconds that no strategy can beat.
    floor: f64,
    /// Seconds of the admission window of paced devices.
    window: f64,
    /// New connections per second that a paced fleet needs to be attached in the time asked for.
    needed_admission_per_second: Option<u64>,
    strategies: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    strategy: &'static str,
    /// Seconds until this part of the fleet was attached; `null`: not before the horizon.
    p50: Option<f64>,
    p95: Option<f64>,
    p100: Option<f64>,
    attached: u64,
    peak_attempts_per_second: u64,
    attempts_per_device: f64,
    /// Seconds of one bin of the curve.
    bin: f64,
    curve: Vec<Bin>,
}

#[derive(Debug, Serialize)]
struct Bin {
    attempts_per_second: f64,
    admitted_per_second: f64,
}

impl Report {
    pub(super) fn new(scenario: &Scenario, outcomes: &[Outcome], within: Option<Duration>) -> Self {
        Self {
            devices: scenario.devices,
            admission_per_second: scenario.admission_per_second,
            utilisation_percent: scenario.utilisation_percent,
            floor: scenario.floor().as_secs_f64(),
            window: scenario.window().as_secs_f64(),
            needed_admission_per_second: within.and_then(|within| needed(scenario, within)),
            strategies: outcomes.iter().map(row).collect(),
        }
    }
}

/// The rate at which window and poll period fit into `within`; `None` where no rate is enough.
fn needed(scenario: &Scenario, within: Duration) -> Option<u64> {
    let window = within.checked_sub(scenario.poll)?.as_secs_f64();
    let usable = f64::from(scenario.utilisation_percent) / 100.0;
    let rate = f64::from(scenario.devices) / (window * usable);
    rate.is_finite().then(|| rate.ceil() as u64)
}

fn row(outcome: &Outcome) -> Row {
    let time = |percent| outcome.time_of(percent).map(|time| time.as_secs_f64());
    let width = bin(outcome);
    let seconds = width.as_secs_f64();
    let rates = |bin: Arrivals| Bin {
        attempts_per_second: f64::from(bin.attempts) / seconds,
        admitted_per_second: f64::from(bin.admitted) / seconds,
    };
    Row {
        strategy: outcome.strategy.as_str(),
        p50: time(50),
        p95: time(95),
        p100: time(100),
        attached: outcome.attached(),
        peak_attempts_per_second: outcome.peak_per_second(),
        attempts_per_device: outcome.attempts() as f64 / f64::from(outcome.devices),
        bin: seconds,
        curve: outcome.per(width).map(rates).collect(),
    }
}

/// Whole seconds, so that at most [`COLUMNS`] of them hold the whole curve.
fn bin(outcome: &Outcome) -> Duration {
    let ticks = u64::try_from(outcome.ticks.len()).unwrap_or(u64::MAX);
    Duration::from_secs(ticks.div_ceil(10).div_ceil(u64::from(COLUMNS)).max(1))
}

impl View for Report {
    fn human(&self) -> String {
        let facts = Block::new()
            .line("devices", self.devices)
            .line(
                "hub",
                format!("{} connections/s", self.admission_per_second),
            )
            .line("floor", span(Some(self.floor)))
            .line("slots' window", span(Some(self.window)))
            .maybe(
                "needed",
                self.needed_admission_per_second
                    .map(|rate| format!("{rate} connections/s for slots in the time asked for")),
            );
        let header = [
            "strategy",
            "50 %",
            "95 %",
            "100 %",
            "left",
            "peak/s",
            "attempts each",
        ];
        let rows = self.strategies.iter().map(|row| self.line(row));
        let curves: Vec<String> = self.strategies.iter().map(Row::curve).collect();
        format!(
            "{}\n\n{}\n\nattempts per second, logarithmic, each to its own end\n{}",
            facts.text(),
            table(&header, rows),
            curves.join("\n")
        )
    }
}

impl Report {
    fn line(&self, row: &Row) -> Vec<String> {
        vec![
            row.strategy.to_owned(),
            span(row.p50),
            span(row.p95),
            span(row.p100),
            (u64::from(self.devices) - row.attached).to_string(),
            row.peak_attempts_per_second.to_string(),
            format!("{:.1}", row.attempts_per_device),
        ]
    }
}

impl Row {
    fn curve(&self) -> String {
        let attempts: Vec<f64> = self
            .curve
            .iter()
            .map(|bin| bin.attempts_per_second)
            .collect();
        let end = self.bin * self.curve.len() as f64;
        format!("{:12}▕{}▏{end:.0} s", self.strategy, bars(&attempts))
    }
}

fn span(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "never".to_owned(), |seconds| format!("{seconds:.0} s"))
}

#[cfg(test)]
mod tests {
    use hubshift_domain::epoch::Epoch;
    use hubshift_domain::storm::{Strategy, simulate};

    use super::*;

    fn report(strategy: Strategy) -> Report {
        let scenario = Scenario {
            devices: 1_000,
            admission_per_second: 100,
            utilisation_percent: 80,
            poll: Duration::from_secs(10),
            retry: Duration::from_secs(10),
            horizon: Duration::from_secs(200),
            epoch: Epoch(2048),
            seed: 1,
        };
        let outcomes = [simulate(&scenario, strategy)];
        Report::new(&scenario, &outcomes, Some(Duration::from_secs(60)))
    }

    #[test]
    fn the_needed_rate_leaves_time_for_the_poll() {
        // 1,000 devices in 50 s at four fifths of the rate.
        assert_eq!(
            report(Strategy::Slots).needed_admission_per_second,
            Some(25)
        );
    }

    #[test]
    fn those_that_never_arrive_are_said() {
        let text = report(Strategy::Backoff).human();
        assert!(text.contains("never"), "{text}");
        let text = report(Strategy::Slots).human();
        assert!(!text.contains("never"), "{text}");
        assert!(text.contains("slots       ▕"), "{text}");
    }

    #[test]
    fn a_curve_adds_up_to_the_fleet() {
        let report = report(Strategy::Slots);
        let row = &report.strategies[0];
        let sum: f64 = row
            .curve
            .iter()
            .map(|bin| bin.admitted_per_second * row.bin)
            .sum();
        assert!((sum - 1_000.0).abs() < 1e-6, "{sum}");
        assert!(row.curve.len() <= COLUMNS as usize);
    }
}
