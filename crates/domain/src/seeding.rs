//! How long it takes to bring a standby up to its authority, and by which way: a call for every
//! device, or an import job for those that it lacks.
//!
//! Pure arithmetic over what is to be done and how fast it may be done. A job only makes devices
//! (changing and removing them needs conditions that a job does not keep as calls do), and has a
//! price of its own: a file must be written, the hub takes its time to begin, its report is read.

use std::fmt;
use std::time::Duration;

/// What a job takes beside its devices: writing and reading its files, waiting for its start.
pub const JOB_OVERHEAD: Duration = Duration::from_secs(180);

/// A job is chosen when it is quicker by more than this: a small gain is not worth what a job
/// leaves behind when it goes wrong.
pub const JOB_ADVANTAGE: Duration = Duration::from_secs(60);

/// Where no limit of calls is known, so many devices that are lacking are made by a job.
pub const MANY: u64 = 1000;

/// What a standby lacks, in devices and modules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// To be made.
    pub creates: u64,
    /// To be changed.
    pub updates: u64,
    /// To be removed.
    pub deletes: u64,
}

/// How fast one hub may be worked with: calls per second of our share, infinite where no limit is
/// known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Reads and writes of identities.
    pub registry: f64,
    /// Writes of tags and desired properties.
    pub twin_writes: f64,
    /// Reads of them.
    pub twin_reads: f64,
    /// Devices per second that an import job makes; nothing where no job can be run.
    pub job_devices: Option<f64>,
}

/// A way to make what a standby lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A call for every device.
    Calls,
    /// An import job; what a job can't do, by calls after it.
    Job,
}

/// How long it takes. Its text is for a person, `by calls 100 min, by job 5 min: by job`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// By calls alone; nothing is said about the network, only about quotas. No time where no
    /// limit is known.
    pub by_calls: Duration,
    /// Whether any limit of calls is known.
    pub is_limited: bool,
    /// By an import job, with the calls for what it can't do; nothing where there is none to run.
    pub by_job: Option<Duration>,
    /// The way to take.
    pub choice: Way,
}

/// How long writing takes, and which way is the better one, where a job can make all that is to be
/// made.
pub fn estimate(work: &Work, speed: &Speed) -> Estimate {
    estimate_of(work, work.creates, speed)
}

/// As [`estimate`], where a job can make only so many of those that are to be made: what hangs below
/// something else, and what is no device, is made by calls after it.
pub fn estimate_of(work: &Work, seedable: u64, speed: &Speed) -> Estimate {
    let by_calls = writing(work, speed);
    let by_job = by_job(work, seedable, speed);
    let is_limited = speed.registry.is_finite() || speed.twin_writes.is_finite();
    let is_quicker = |by_job: Duration| match is_limited {
        true => by_job + JOB_ADVANTAGE < by_calls,
        false => seedable > MANY,
    };
    Estimate {
        by_calls,
        is_limited,
        by_job,
        choice: match by_job.is_some_and(is_quicker) {
            true => Way::Job,
            false => Way::Calls,
        },
    }
}

/// How long it takes to read so many devices, each with its identity and its twin.
pub fn reading(devices: u64, speed: &Speed) -> Duration {
    time(devices, speed.registry).max(time(devices, speed.twin_reads))
}

/// How long so many calls take at so many per second.
pub fn time(calls: u64, per_second: f64) -> Duration {
    let seconds = calls as f64 / per_second;
    // Not a number when nothing is asked for and nothing allowed: that takes no time.
    Duration::try_from_secs_f64(seconds).unwrap_or(match calls {
        0 => Duration::ZERO,
        _ => Duration::MAX,
    })
}

/// Every write is a call of an identity, and but for a removal one of its twin. The classes have
/// quotas of their own: the slowest one counts.
fn writing(work: &Work, speed: &Speed) -> Duration {
    let twins = work.creates.saturating_add(work.updates);
    let identities = twins.saturating_add(work.deletes);
    time(identities, speed.registry).max(time(twins, speed.twin_writes))
}

fn by_job(work: &Work, seedable: u64, speed: &Speed) -> Option<Duration> {
    if seedable == 0 {
        return None;
    }
    let rest = Work {
        creates: work.creates.saturating_sub(seedable),
        ..*work
    };
    let job = time(seedable, speed.job_devices?).saturating_add(JOB_OVERHEAD);
    Some(job.saturating_add(writing(&rest, speed)))
}

impl Way {
    /// As it stands in plans.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Job => "job",
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_limited {
            true => write!(f, "by calls {}", words(self.by_calls))?,
            false => f.write_str("by calls: no limit is known")?,
        }
        match self.by_job {
            Some(by_job) => write!(f, ", by job {}: by {}", words(by_job), self.choice.as_str()),
            None => Ok(()),
        }
    }
}

/// A span as a person says it: `40 s`, `100 min`, `16.7 h`, `6.9 days`.
pub fn words(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    let (minutes, hours) = (seconds / 60.0, seconds / 3600.0);
    if minutes < 1.0 {
        format!("{} s", seconds.ceil())
    } else if minutes <= 120.0 {
        format!("{minutes:.0} min")
    } else if hours <= 48.0 {
        format!("{hours:.1} h")
    } else {
        format!("{:.1} days", hours / 24.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An S1 hub of one unit, all of it.
    const S1: Speed = Speed {
        registry: 100.0 / 60.0,
        twin_writes: 50.0,
        twin_reads: 100.0,
        job_devices: None,
    };
    /// An S3 hub of one unit, all of it.
    const S3: Speed = Speed {
        registry: 5000.0 / 60.0,
        twin_writes: 250.0,
        twin_reads: 500.0,
        job_devices: None,
    };
    const UNKNOWN: Speed = Speed {
        registry: f64::INFINITY,
        twin_writes: f64::INFINITY,
        twin_reads: f64::INFINITY,
        job_devices: Some(70.0),
    };

    fn with_job(speed: Speed) -> Speed {
        Speed {
            job_devices: Some(70.0),
            ..speed
        }
    }

    fn creates(creates: u64) -> Work {
        Work {
            creates,
            ..Work::default()
        }
    }

    fn text(devices: u64, speed: Speed) -> String {
        estimate(&creates(devices), &speed).to_string()
    }

    #[test]
    fn seeding_takes_what_the_published_quotas_say() {
        assert_eq!(text(10_000, S1), "by calls 100 min");
        assert_eq!(text(100_000, S1), "by calls 16.7 h");
        assert_eq!(text(1_000_000, S1), "by calls 6.9 days");
        assert_eq!(text(100_000, S3), "by calls 20 min");
        assert_eq!(text(1_000_000, S3), "by calls 3.3 h");
    }

    #[test]
    fn a_job_is_named_and_chosen_when_it_is_quicker() {
        let large = text(10_000, with_job(S1));
        assert_eq!(large, "by calls 100 min, by job 5 min: by job");
        let small = text(300, with_job(S1));
        assert_eq!(small, "by calls 3 min, by job 3 min: by calls");
        let fast = text(20_000, with_job(S3));
        assert_eq!(fast, "by calls 4 min, by job 8 min: by calls");
        let million = estimate(&creates(1_000_000), &with_job(S1));
        assert_eq!(words(million.by_job.unwrap()), "4.0 h");
    }

    #[test]
    fn a_gain_of_less_than_a_minute_is_not_worth_a_job() {
        // By calls c / (5/3) s, by job c / 70 + 180 s: 60 s apart at 409.8 devices.
        assert_eq!(estimate(&creates(409), &with_job(S1)).choice, Way::Calls);
        assert_eq!(estimate(&creates(410), &with_job(S1)).choice, Way::Job);
    }

    #[test]
    fn a_job_only_makes_devices_and_the_rest_is_called_for() {
        let changes = Work {
            updates: 10_000,
            deletes: 500,
            ..Work::default()
        };
        let none = estimate(&changes, &with_job(S1));
        assert_eq!((none.by_job, none.choice), (None, Way::Calls));
        let mixed = Work {
            creates: 10_000,
            ..changes
        };
        let found = estimate(&mixed, &with_job(S1));
        let expected = time(10_000, 70.0) + JOB_OVERHEAD + time(10_500, S1.registry);
        assert_eq!(found.by_job, Some(expected));
        assert_eq!(found.by_calls, time(20_500, S1.registry));
        assert_eq!(found.choice, Way::Job);
    }

    #[test]
    fn what_a_job_cannot_make_is_called_for_after_it() {
        let half = estimate_of(&creates(10_000), 5_000, &with_job(S1));
        let expected = time(5_000, 70.0) + JOB_OVERHEAD + time(5_000, S1.registry);
        assert_eq!(half.by_job, Some(expected));
        assert_eq!(half.by_calls, time(10_000, S1.registry));
        assert_eq!(half.choice, Way::Job);
        let none = estimate_of(&creates(10_000), 0, &with_job(S1));
        assert_eq!((none.by_job, none.choice), (None, Way::Calls));
        let few = estimate_of(&creates(100_000), MANY, &UNKNOWN);
        assert_eq!(few.choice, Way::Calls);
    }

    #[test]
    fn the_slowest_class_counts() {
        let slow = Speed {
            twin_writes: 0.5,
            ..S1
        };
        assert_eq!(estimate(&creates(100), &slow).by_calls.as_secs(), 200);
        let removed = Work {
            deletes: 100,
            ..Work::default()
        };
        assert_eq!(estimate(&removed, &slow).by_calls.as_secs(), 60);
        assert_eq!(reading(100, &slow).as_secs(), 60);
    }

    #[test]
    fn without_a_known_limit_the_count_decides() {
        let few = estimate(&creates(MANY), &UNKNOWN);
        assert_eq!((few.by_calls, few.choice), (Duration::ZERO, Way::Calls));
        let many = estimate(&creates(100_000), &UNKNOWN);
        assert_eq!(many.choice, Way::Job);
        assert_eq!(
            many.to_string(),
            "by calls: no limit is known, by job 27 min: by job"
        );
    }

    #[test]
    fn nothing_takes_no_time_and_a_closed_door_for_ever() {
        assert_eq!(time(0, 0.0), Duration::ZERO);
        assert_eq!(time(1, 0.0), Duration::MAX);
        assert_eq!(words(Duration::from_millis(100)), "1 s");
    }

    proptest! {
        #[test]
        fn a_job_that_is_chosen_is_the_quicker_way(
            creates in 0u64..1_000_000, updates in 0u64..100_000, deletes in 0u64..100_000
        ) {
            let work = Work { creates, updates, deletes };
            let found = estimate(&work, &with_job(S1));
            match found.choice {
                Way::Job => prop_assert!(found.by_job.unwrap() < found.by_calls),
                Way::Calls => prop_assert!(
                    found.by_job.is_none_or(|by_job| by_job + JOB_ADVANTAGE >= found.by_calls)
                ),
            }
        }
    }
}
