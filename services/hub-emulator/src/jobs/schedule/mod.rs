//! Scheduled jobs: all of them, and whose turn it is.
//!
//! Keeps true: at most as many run at once as the hub's tier allows; a job that is over stays as
//! it is; ids are never used twice.

mod job;
mod task;

use std::sync::{Mutex, MutexGuard, PoisonError};

use hubshift_azure::{ErrorCode, JobResponse, JobStatus, JobType};
use serde_json::Value;
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::answer::Refusal;

pub(super) use job::ScheduledJob;
pub(super) use task::run;

/// How many jobs are known at once, those that are over among them.
const MAX_JOBS: usize = 1000;

/// All scheduled jobs, the oldest first.
#[derive(Default)]
pub(crate) struct Schedule {
    list: Mutex<List>,
    /// A job is over: another one may have its turn.
    changed: Notify,
}

#[derive(Default)]
struct List {
    jobs: Vec<Numbered>,
    made: u64,
}

/// A job and its place in the order of making, from 1.
struct Numbered {
    number: u64,
    job: ScheduledJob,
}

/// Which jobs a query is about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filter {
    /// Of this kind.
    pub(crate) kind: Option<JobType>,
    /// In this state.
    pub(crate) status: Option<JobStatus>,
}

impl Filter {
    fn allows(&self, job: &ScheduledJob) -> bool {
        self.kind.is_none_or(|kind| kind == job.kind())
            && self.status.is_none_or(|status| status == job.status())
    }
}

impl List {
    fn find(&mut self, id: &str) -> Option<&mut ScheduledJob> {
        let mut jobs = self.jobs.iter_mut().map(|numbered| &mut numbered.job);
        jobs.find(|job| job.id() == id)
    }

    /// How many jobs are in one of these states.
    fn count(&self, states: &[JobStatus]) -> usize {
        let jobs = self.jobs.iter();
        jobs.filter(|numbered| states.contains(&numbered.job.status()))
            .count()
    }
}

impl Schedule {
    /// Takes a job on. One that is to run at once needs a place among the `most` that do.
    pub(super) fn add(&self, job: ScheduledJob, most: usize) -> Result<JobResponse, Refusal> {
        let mut list = self.lock();
        if list.find(job.id()).is_some() {
            let words = format!("A job with ID '{}' already exists.", job.id());
            return Err(Refusal::new(ErrorCode::JobAlreadyExists, words));
        }
        let active = list.count(&[JobStatus::Queued, JobStatus::Running]);
        if job.status() == JobStatus::Queued && active >= most {
            return Err(too_many());
        }
        if list.jobs.len() >= MAX_JOBS {
            let oldest_over = list.jobs.iter().position(|old| old.job.is_over());
            list.jobs.remove(oldest_over.ok_or_else(too_many)?);
        }
        let shown = job.shown();
        list.made += 1;
        let number = list.made;
        list.jobs.push(Numbered { number, job });
        Ok(shown)
    }

    /// A job's record.
    pub(crate) fn get(&self, id: &str) -> Result<JobResponse, Refusal> {
        let mut list = self.lock();
        let job = list.find(id).ok_or_else(|| not_found(id))?;
        Ok(job.shown())
    }

    /// Ends a job at once. One that is over stays as it is.
    pub(crate) fn cancel(&self, id: &str) -> Result<JobResponse, Refusal> {
        let mut list = self.lock();
        let job = list.find(id).ok_or_else(|| not_found(id))?;
        job.cancel(OffsetDateTime::now_utc());
        let shown = job.shown();
        drop(list);
        self.changed.notify_waiters();
        Ok(shown)
    }

    /// A page of records, and after which number the next one starts if there is one.
    pub(crate) fn page(
        &self,
        filter: Filter,
        after: u64,
        size: usize,
    ) -> (Vec<JobResponse>, Option<u64>) {
        let list = self.lock();
        let mut found = list
            .jobs
            .iter()
            .filter(|numbered| numbered.number > after && filter.allows(&numbered.job));
        let page: Vec<&Numbered> = found.by_ref().take(size).collect();
        let has_more = found.next().is_some();
        let next = page.last().filter(|_| has_more).map(|last| last.number);
        let rows = page.iter().map(|numbered| numbered.job.shown()).collect();
        (rows, next)
    }

    /// The rows of all jobs' devices, at most so many after so many. New ones come last: who pages
    /// through them counts.
    pub(super) fn device_rows(&self, given: usize, most: usize) -> Vec<Value> {
        let list = self.lock();
        let mut jobs: Vec<&ScheduledJob> = list.jobs.iter().map(|old| &old.job).collect();
        jobs.sort_by_key(|job| job.begun());
        // Only those rows are made that are asked for.
        let rows = jobs
            .into_iter()
            .flat_map(|job| (0..job.devices()).map(move |index| (job, index)));
        rows.skip(given)
            .take(most)
            .filter_map(|(job, index)| job.device_row(index))
            .collect()
    }

    /// Waits until it is a job's turn among the `most` that run at once; it runs then.
    async fn turn(&self, id: &str, most: impl Fn() -> usize) {
        loop {
            let changed = self.changed.notified();
            if self.take_turn(id, most()) {
                return;
            }
            changed.await;
        }
    }

    fn take_turn(&self, id: &str, most: usize) -> bool {
        let mut list = self.lock();
        let is_free = list.count(&[JobStatus::Running]) < most;
        // One that was cancelled at this moment must not begin.
        let Some(job) = list.find(id).filter(|job| !job.is_over()) else {
            return false;
        };
        job.due(is_free);
        is_free
    }

    /// Changes a job that is not over.
    fn note(&self, id: &str, change: impl FnOnce(&mut ScheduledJob)) {
        let mut list = self.lock();
        if let Some(job) = list.find(id).filter(|job| !job.is_over()) {
            change(job);
        }
    }

    /// Notes that a job ran to its end, or why it did not.
    fn ended(&self, id: &str, failure: Option<String>) {
        let now = OffsetDateTime::now_utc();
        self.note(id, |job| job.end(failure, now));
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_found(id: &str) -> Refusal {
    Refusal::new(ErrorCode::JobNotFound, format!("Job '{id}' is not found."))
}

fn too_many() -> Refusal {
    let words = "The maximum number of active jobs is reached.";
    Refusal::new(ErrorCode::ThrottlingMaxActiveJobCountExceeded, words)
}

#[cfg(test)]
mod tests {
    use hubshift_azure::JobRequest;
    use serde_json::json;
    use tokio_util::sync::CancellationToken;

    use super::*;

    const EARLIER: &str = "2020-01-01T00:00:00Z";
    const LATER: &str = "2999-01-01T00:00:00Z";

    fn job(id: &str, start: &str) -> ScheduledJob {
        let request = json!({"type": "scheduleUpdateTwin", "queryCondition": "*",
            "updateTwin": {"tags": {"a": 1}}, "startTime": start});
        let request = JobRequest::from_value(request).unwrap();
        let now = OffsetDateTime::now_utc();
        ScheduledJob::read(id, request, now, CancellationToken::new()).unwrap()
    }

    #[test]
    fn as_many_run_at_once_as_are_allowed() {
        let schedule = Schedule::default();
        for id in ["a", "b"] {
            schedule.add(job(id, EARLIER), 2).unwrap();
        }
        let refused = schedule.add(job("c", EARLIER), 2).unwrap_err();
        assert_eq!(refused.code, ErrorCode::ThrottlingMaxActiveJobCountExceeded);
        schedule.add(job("c", LATER), 2).unwrap();
        let turns = ["a", "b", "c"].map(|id| schedule.take_turn(id, 2));
        assert_eq!(turns, [true, true, false]);
    }

    #[test]
    fn jobs_that_wait_for_their_time_do_not_fill_the_memory() {
        let schedule = Schedule::default();
        for n in 0..MAX_JOBS {
            schedule.add(job(&n.to_string(), LATER), 1).unwrap();
        }
        let refused = schedule.add(job("more", LATER), 1).unwrap_err();
        assert_eq!(refused.code, ErrorCode::ThrottlingMaxActiveJobCountExceeded);
        schedule.cancel("7").unwrap();
        assert!(schedule.add(job("more", LATER), 1).is_ok());
        assert!(schedule.get("7").is_err());
    }
}
