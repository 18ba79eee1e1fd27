//! The demo's report: what was promised, and what the auditor found.

use serde::Serialize;

use super::judge::Verdict;
use super::percentiles::Percentiles;

/// One move, as it was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Move {
    pub(crate) kind: &'static str,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) epoch: u64,
    /// From the operator's start to the published route.
    pub(crate) control_plane_ms: u64,
    /// From the operator's start to a device's first accepted message at the new hub.
    pub(crate) attached_p50_ms: u64,
    pub(crate) attached_p95_ms: u64,
    pub(crate) attached_p100_ms: u64,
    pub(crate) attached_count: u64,
    pub(crate) replayed_count: u64,
}

impl Move {
    pub(crate) fn with_attached(mut self, count: u64, percentiles: Percentiles) -> Self {
        self.attached_count = count;
        self.attached_p50_ms = percentiles.p50_ms;
        self.attached_p95_ms = percentiles.p95_ms;
        self.attached_p100_ms = percentiles.p100_ms;
        self
    }
}

/// What was lost in the end, exactly.
#[derive(Debug, Default, Serialize)]
pub(crate) struct RpoActual {
    /// Writes that Hubshift acknowledged and that are gone.
    pub(crate) lost_count: usize,
    /// Writes made past Hubshift that went with the hub.
    pub(crate) past_us_gone_count: usize,
    /// Age of the oldest of those when the hub died; 0 when none is gone.
    pub(crate) seconds: f64,
}

/// Everything that the demo says in the end.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) east_returns: &'static str,
    pub(crate) devices: usize,
    pub(crate) acknowledged_writes: usize,
    pub(crate) lost: usize,
    pub(crate) duplicated: usize,
    pub(crate) resurrected: usize,
    /// Conflicts that are still held for a person.
    pub(crate) held: usize,
    /// Conflicts that the merge found.
    pub(crate) conflicts: usize,
    /// Writes and events that were handed in late or twice, and taken once.
    pub(crate) late: u64,
    pub(crate) rpo_bound_s: f64,
    pub(crate) rpo_window_open: bool,
    /// Whether everything that went with the hub lies within the stated bound.
    pub(crate) within_bound: bool,
    pub(crate) rpo_actual: RpoActual,
    pub(crate) failovers: Vec<Move>,
    pub(crate) epochs_strictly_rising: bool,
    pub(crate) digests_equal: bool,
    pub(crate) hub_calls: u64,
    pub(crate) polls: u64,
    pub(crate) telemetry: u64,
    pub(crate) kills: Vec<String>,
    pub(crate) seconds: f64,
    pub(crate) verdict: Verdict,
}

impl Report {
    /// Whether the demo ends well: nothing lost, duplicated or resurrected.
    pub(crate) fn is_good(&self) -> bool {
        self.lost == 0
            && self.duplicated == 0
            && self.resurrected == 0
            && self.epochs_strictly_rising
            && self.within_bound
            && self.digests_equal
    }

    /// The report for a person.
    pub(crate) fn print(&self) {
        println!("\nreport (east returned {})", self.east_returns);
        println!(
            "  the auditor recorded {} acknowledged writes to {} devices, and compared:",
            self.acknowledged_writes, self.devices
        );
        println!(
            "  lost {}   duplicated {}   resurrected {}   held {}   late {}   conflicts listed {}",
            self.lost, self.duplicated, self.resurrected, self.held, self.late, self.conflicts
        );
        for (word, lines) in [
            ("LOST", &self.verdict.lost),
            ("DUPLICATED", &self.verdict.duplicated),
            ("RESURRECTED", &self.verdict.resurrected),
            (
                "went with the hub, past Hubshift",
                &self.verdict.past_us_gone,
            ),
        ] {
            for line in lines.iter().take(20) {
                println!("    {word}: {line}");
            }
        }
        println!(
            "  written past Hubshift: {} recovered, {} in the rescue report, {} gone with the hub",
            self.verdict.past_us_recovered.len(),
            self.verdict.past_us_rescued.len(),
            self.verdict.past_us_gone.len()
        );
        println!(
            "  RPO: bound {:.1} s{}, actual {:.1} s   digests equal: {}   epochs rise: {}",
            self.rpo_bound_s,
            if self.rpo_window_open {
                " (window open: no hard fence)"
            } else {
                ""
            },
            self.rpo_actual.seconds,
            self.digests_equal,
            self.epochs_strictly_rising
        );
        println!(
            "  {:<10} {:>7} {:>14} {:>26}",
            "move", "epoch", "control plane", "attached p50/p95/p100"
        );
        for step in &self.failovers {
            println!(
                "  {:<10} {:>7} {:>11} ms {:>7}/{}/{} ms ({} devices)",
                step.kind,
                step.epoch,
                step.control_plane_ms,
                step.attached_p50_ms,
                step.attached_p95_ms,
                step.attached_p100_ms,
                step.attached_count
            );
        }
        for kill in &self.kills {
            println!("  killed: {kill}");
        }
        println!(
            "  ran with: call deadline 2 s (production 90 s), admission 1,000/s (an S1 hub: 100/s), \
             poll 1 s (60 s)\n  {} calls to hubs, {} polls, {} messages, {:.0} s in all",
            self.hub_calls, self.polls, self.telemetry, self.seconds
        );
    }
}
