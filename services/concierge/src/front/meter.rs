//! How many polls were answered how, and how fast: counted by each thread for itself with a plain
//! load and store, and added to the process's metrics once a second.
//!
//! `hubshift_polls_total{transport,code}`, and the histogram `hubshift_poll_seconds` (its buckets
//! alone), from the request's head to the answer. Polls are not in `hubshift_rpc_total`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};
use tonic::Code;

use super::poll::Local;
use crate::table::Door;

/// How often what was counted is reported.
const EVERY: Duration = Duration::from_secs(1);
/// The first bucket ends at 2^10 ns, about a microsecond.
const FIRST_BITS: u32 = 10;
/// The last one but one ends at 2^25 ns, about 34 ms.
const BUCKETS: usize = 17;
const DOORS: [(Door, &str); 2] = [(Door::Http, "http"), (Door::Grpc, "grpc")];

/// How a poll ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Answered,
    /// The client has the answer already.
    Known,
    Invalid,
    NotFound,
    Overloaded,
    Unavailable,
    Cancelled,
    Late,
    Failed,
}

impl Outcome {
    const ALL: [Self; 9] = [
        Self::Answered,
        Self::Known,
        Self::Invalid,
        Self::NotFound,
        Self::Overloaded,
        Self::Unavailable,
        Self::Cancelled,
        Self::Late,
        Self::Failed,
    ];

    /// Of a poll that was refused. A message that is too large is invalid, too.
    pub(super) fn of(code: Code) -> Self {
        match code {
            Code::Ok => Self::Answered,
            Code::InvalidArgument | Code::OutOfRange => Self::Invalid,
            Code::NotFound => Self::NotFound,
            Code::ResourceExhausted => Self::Overloaded,
            Code::Unavailable => Self::Unavailable,
            Code::Cancelled => Self::Cancelled,
            Code::DeadlineExceeded => Self::Late,
            _ => Self::Failed,
        }
    }

    /// As its transport calls it.
    fn code(self, door: Door) -> &'static str {
        let (http, grpc) = match self {
            Self::Answered => ("200", "OK"),
            Self::Known => ("304", "OK"),
            Self::Invalid => ("400", "INVALID_ARGUMENT"),
            Self::NotFound => ("404", "NOT_FOUND"),
            Self::Overloaded => ("429", "RESOURCE_EXHAUSTED"),
            Self::Unavailable => ("503", "UNAVAILABLE"),
            Self::Cancelled => ("499", "CANCELLED"),
            Self::Late => ("408", "DEADLINE_EXCEEDED"),
            Self::Failed => ("500", "INTERNAL"),
        };
        match door {
            Door::Http => http,
            Door::Grpc => grpc,
        }
    }
}

/// The counters of one thread. Only that thread writes, so that nothing is lost between load and
/// store; whoever reads sees numbers that were true a moment ago.
pub(super) struct Meter {
    polls: [[AtomicU64; Outcome::ALL.len()]; DOORS.len()],
    took: [AtomicU64; BUCKETS],
}

impl Meter {
    pub(super) fn new() -> Self {
        Self {
            polls: Default::default(),
            took: Default::default(),
        }
    }

    /// Counts a poll that began then.
    pub(super) fn count(&self, door: Door, outcome: Outcome, begun: Instant) {
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        add_one(&self.polls[door as usize][outcome as usize]);
        add_one(&self.took[bucket(took)]);
    }
}

fn add_one(counter: &AtomicU64) {
    counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
}

/// The bucket of a duration: each one is twice as wide as the one before.
fn bucket(nanos: u64) -> usize {
    let bits = u64::BITS - nanos.leading_zeros();
    (bits.saturating_sub(FIRST_BITS) as usize).min(BUCKETS - 1)
}

/// Where a bucket ends, seconds, as Prometheus labels it.
fn bound(bucket: usize) -> String {
    if bucket == BUCKETS - 1 {
        return "+Inf".to_owned();
    }
    let nanos = 1u64 << (FIRST_BITS as usize + bucket);
    (nanos as f64 / 1e9).to_string()
}

/// What was reported of a [`Meter`] so far.
#[derive(Default)]
struct Reported {
    polls: [[u64; Outcome::ALL.len()]; DOORS.len()],
    took: [u64; BUCKETS],
}

impl Reported {
    /// Adds what is new to the process's metrics.
    fn catch_up(&mut self, meter: &Meter) {
        for (door, transport) in DOORS {
            let reported = &mut self.polls[door as usize];
            for outcome in Outcome::ALL {
                let count = &meter.polls[door as usize][outcome as usize];
                let new = news(count, &mut reported[outcome as usize]);
                if new > 0 {
                    let labels = [("transport", transport), ("code", outcome.code(door))];
                    metrics::counter!("hubshift_polls_total", &labels).increment(new);
                }
            }
        }
        let mut up_to_here = 0;
        for (at, (count, reported)) in meter.took.iter().zip(&mut self.took).enumerate() {
            up_to_here += news(count, reported);
            let labels = [("le", bound(at))];
            metrics::counter!("hubshift_poll_seconds_bucket", &labels).increment(up_to_here);
        }
    }
}

/// What was counted since the last look.
fn news(counter: &AtomicU64, reported: &mut u64) -> u64 {
    let now = counter.load(Relaxed);
    now.wrapping_sub(std::mem::replace(reported, now))
}

/// Reports what a thread counts, for as long as its runtime lives.
pub(super) async fn report(local: Arc<Local>) {
    let mut reported = Reported::default();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        reported.catch_up(&local.meter);
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn every_outcome_and_door_has_its_own_counter() {
        for (at, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, at);
        }
        for (at, (door, _)) in DOORS.into_iter().enumerate() {
            assert_eq!(door as usize, at);
        }
    }

    #[test]
    fn a_bucket_holds_what_is_below_its_bound() {
        for nanos in [
            0,
            1,
            1023,
            1024,
            2047,
            2048,
            1 << 24,
            (1 << 25) - 1,
            1 << 25,
            u64::MAX,
        ] {
            let at = bucket(nanos);
            let below = bound(at).parse().unwrap_or(f64::INFINITY);
            assert!((nanos as f64) / 1e9 < below, "{nanos}");
            if at > 0 {
                let above: f64 = bound(at - 1).parse().unwrap();
                assert!((nanos as f64) / 1e9 >= above, "{nanos}");
            }
        }
        assert_eq!(bound(0), "0.000001024");
    }

    #[test]
    fn what_was_counted_is_reported_once() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let (meter, mut reported) = (Meter::new(), Reported::default());
        metrics::with_local_recorder(&recorder, || {
            let begun = Instant::now();
            meter.count(Door::Grpc, Outcome::Answered, begun);
            meter.count(Door::Http, Outcome::Known, begun);
            reported.catch_up(&meter);
            meter.count(Door::Grpc, Outcome::Answered, begun);
            reported.catch_up(&meter);
            reported.catch_up(&meter);
        });
        let page = handle.render();
        for line in [
            "hubshift_polls_total{transport=\"grpc\",code=\"OK\"} 2",
            "hubshift_polls_total{transport=\"http\",code=\"304\"} 1",
            "hubshift_poll_seconds_bucket{le=\"+Inf\"} 3",
        ] {
            assert!(page.contains(line), "{line} is not in\n{page}");
        }
    }
}
