//! Waiting for a quiet machine: a build on the other core costs more than any change of ours saves.

use std::time::Duration;

use tokio::time::Instant;

/// How long the cores are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How much of that time they must have had nothing to do.
const IDLE: f64 = 0.9;

/// Waits until all of these cores are idle, at most so long; says so when they never were.
pub(crate) async fn wait(cores: [usize; 2], patience: Duration) {
    if patience.is_zero() {
        return;
    }
    let deadline = Instant::now() + patience;
    loop {
        let before = stat();
        tokio::time::sleep(LOOK).await;
        let after = stat();
        let idle = cores.map(|core| idle_share(&before, &after, core));
        // A core that the kernel does not tell about is not waited for.
        if idle
            .iter()
            .all(|share| share.is_none_or(|share| share > IDLE))
        {
            return;
        }
        if Instant::now() >= deadline {
            eprintln!("warning: the machine is not quiet, idle: {idle:.2?}");
            return;
        }
    }
}

fn stat() -> String {
    std::fs::read_to_string("/proc/stat").unwrap_or_default()
}

/// How much of the time between two looks a core was idle.
#[allow(clippy::cast_precision_loss, reason = "a share of a few ticks")]
fn idle_share(before: &str, after: &str, core: usize) -> Option<f64> {
    let (idle, total) = ticks(before, core)?;
    let (idle_after, total_after) = ticks(after, core)?;
    let total = total_after.checked_sub(total).filter(|ticks| *ticks > 0)?;
    Some(idle_after.saturating_sub(idle) as f64 / total as f64)
}

/// Idle and all ticks of a core: user nice system idle iowait irq softirq steal.
fn ticks(stat: &str, core: usize) -> Option<(u64, u64)> {
    let name = format!("cpu{core}");
    let line = stat
        .lines()
        .find(|line| line.split_whitespace().next() == Some(name.as_str()))?;
    let fields = line.split_whitespace().skip(1).take(8);
    let fields: Vec<u64> = fields.map_while(|field| field.parse().ok()).collect();
    let idle = fields.get(3)? + fields.get(4)?;
    Some((idle, fields.iter().sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "cpu  2 0 0 9 0 0 0 0 0 0\n\
                          cpu1 100 0 50 800 5 0 10 3 0 0\n\
                          cpu10 1 0 1 1 1 0 0 0 0 0\n";

    #[test]
    fn a_core_is_read_by_its_whole_name() {
        assert_eq!(ticks(BEFORE, 1), Some((805, 968)));
        assert_eq!(ticks(BEFORE, 10), Some((2, 4)));
        assert_eq!(ticks(BEFORE, 0), None);
    }

    #[test]
    fn the_share_is_of_the_time_between() {
        let after = "cpu1 105 0 50 813 7 0 10 3 0 0\n";
        assert_eq!(idle_share(BEFORE, after, 1), Some(0.75));
        // No tick passed.
        assert_eq!(idle_share(BEFORE, BEFORE, 1), None);
    }
}
