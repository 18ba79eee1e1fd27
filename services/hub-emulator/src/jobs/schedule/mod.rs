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

/// How many jobs run at once: a free or S1 hub's. (S2 has 5, S3 has 10.)
const MAX_RUNNING: usize = 1;
/// How many jobs are remembered.
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
    /// Takes a job on. One that is to run at once needs a free place.
    pub(super) fn add(&self, job: ScheduledJob) -> Result<JobResponse, Refusal> {
        let mut list = self.lock();
        if list.find(job.id()).is_some() {
            let words = format!("A job with ID '{}' already exists.", job.id());
            return Err(Refusal::new(ErrorCode::JobAlreadyExists, words));
        }
        let active = list.count(&[JobStatus::Queued, JobStatus::Running]);
        if job.status() == JobStatus::Queued && active >= MAX_RUNNING {
            let words = "The maximum number of active jobs is reached.";
            let code = ErrorCode::ThrottlingMaxActiveJobCountExceeded;
            return Err(Refusal::new(code, words));
        }
        let oldest_over = list.jobs.iter().position(|old| old.job.is_over());
        if let Some(index) = oldest_over.filter(|_| list.jobs.len() >= MAX_JOBS) {
            list.jobs.remove(index);
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

    /// Waits until it is a job's turn; it runs then.
    async fn turn(&self, id: &str) {
        loop {
            let changed = self.changed.notified();
            if self.take_turn(id) {
                return;
            }
            changed.await;
        }
    }

    fn take_turn(&self, id: &str) -> bool {
        let mut list = self.lock();
        let is_free = list.count(&[JobStatus::Running]) < MAX_RUNNING;
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
