//! How fast a job may go. Slow jobs are ordered, so that they can be seen running.

use std::num::NonZeroU32;
use std::time::Duration;

use tokio::time::Instant;

/// How many lines a job takes at once when it need not be slow.
const BATCH: usize = 100;

/// The time of each line.
pub(super) struct Pace {
    interval: Option<Duration>,
    last: Instant,
}

impl Pace {
    pub(super) fn new(lines_per_second: Option<NonZeroU32>) -> Self {
        Self {
            interval: lines_per_second.map(|lines| Duration::from_secs(1) / lines.get()),
            last: Instant::now(),
        }
    }

    /// How many lines may be done at once.
    pub(super) fn batch(&self) -> usize {
        match self.interval {
            Some(_) => 1,
            None => BATCH,
        }
    }

    /// Waits for the next line's time, which lets others have the thread in any case.
    pub(super) async fn wait(&mut self) {
        match self.interval {
            Some(interval) => {
                self.last += interval;
                tokio::time::sleep_until(self.last).await;
            }
            None => tokio::task::yield_now().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_paced_job_takes_a_line_at_a_time_and_its_time() {
        let mut pace = Pace::new(NonZeroU32::new(100));
        assert_eq!(pace.batch(), 1);
        let start = Instant::now();
        for _ in 0..5 {
            pace.wait().await;
        }
        assert!(start.elapsed() >= Duration::from_millis(50));
        assert_eq!(Pace::new(None).batch(), BATCH);
    }
}
