//! The records of imports and exports: the one slot that both share, and the history.
//!
//! Keeps true: at most one job is not over, and one that is over stays as it is.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hubshift_azure::{ErrorCode, JobProperties, JobStatus, StorageAuthenticationType, wire_time};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::answer::Refusal;

/// How many records are kept.
const MAX_RECORDS: usize = 1000;

/// All records, the oldest first.
#[derive(Default)]
pub(crate) struct Transfers(Mutex<Vec<Record>>);

struct Record {
    shown: JobProperties,
    cancel: CancellationToken,
}

impl Record {
    fn is_over(&self) -> bool {
        self.shown.status.is_some_and(JobStatus::is_over)
    }

    fn is(&self, id: &str) -> bool {
        self.shown.job_id.as_deref() == Some(id)
    }

    fn end(&mut self, status: JobStatus, reason: Option<String>) {
        if self.is_over() {
            return;
        }
        if status == JobStatus::Completed {
            self.shown.progress = Some(100);
        }
        self.shown.status = Some(status);
        self.shown.failure_reason = reason;
        self.shown.end_time_utc = Some(wire_time::write(OffsetDateTime::now_utc()));
    }
}

impl Transfers {
    /// Whether a job could begin now.
    pub(crate) fn check_slot(&self) -> Result<(), Refusal> {
        check(&self.lock())
    }

    /// Takes the slot for a new job.
    pub(in crate::jobs) fn begin(
        &self,
        id: &str,
        asked: &JobProperties,
        cancel: CancellationToken,
    ) -> Result<JobProperties, Refusal> {
        let mut records = self.lock();
        check(&records)?;
        if records.len() == MAX_RECORDS {
            records.remove(0);
        }
        let shown = record(id, asked);
        records.push(Record {
            shown: shown.clone(),
            cancel,
        });
        Ok(shown)
    }

    /// Notes that a job runs.
    pub(super) fn running(&self, id: &str) {
        self.note(id, |record| {
            record.shown.status = Some(JobStatus::Running);
            record.shown.start_time_utc = Some(wire_time::write(OffsetDateTime::now_utc()));
        });
    }

    /// Notes how far a job is.
    pub(super) fn progress(&self, id: &str, percent: u8) {
        self.note(id, |record| {
            record.shown.progress = Some(i64::from(percent.min(99)));
        });
    }

    /// Notes that a job ran to its end, or why it did not.
    pub(super) fn ended(&self, id: &str, failure: Option<String>) {
        let status = match failure {
            None => JobStatus::Completed,
            Some(_) => JobStatus::Failed,
        };
        self.note(id, |record| record.end(status, failure));
    }

    /// Ends a job at once and frees the slot. One that is over stays as it is.
    pub(crate) fn cancel(&self, id: &str) -> Result<JobProperties, Refusal> {
        let mut records = self.lock();
        let record = records
            .iter_mut()
            .find(|record| record.is(id))
            .ok_or_else(|| not_found(id))?;
        record.end(JobStatus::Cancelled, None);
        record.cancel.cancel();
        Ok(record.shown.clone())
    }

    /// A job's record.
    pub(crate) fn get(&self, id: &str) -> Result<JobProperties, Refusal> {
        self.lock()
            .iter()
            .find(|record| record.is(id))
            .map(|record| record.shown.clone())
            .ok_or_else(|| not_found(id))
    }

    /// All records.
    pub(crate) fn list(&self) -> Vec<JobProperties> {
        let records = self.lock();
        records.iter().map(|record| record.shown.clone()).collect()
    }

    /// Changes the record of a job that is not over.
    fn note(&self, id: &str, change: impl FnOnce(&mut Record)) {
        let mut records = self.lock();
        let record = records.iter_mut().rev().find(|record| record.is(id));
        if let Some(record) = record.filter(|record| !record.is_over()) {
            change(record);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check(records: &[Record]) -> Result<(), Refusal> {
    // The last one is the only one that can be under way.
    match records.last() {
        Some(last) if !last.is_over() => {
            let words = "Job quota has been exceeded: an import or export job is active.";
            Err(Refusal::new(ErrorCode::JobQuotaExceeded, words))
        }
        _ => Ok(()),
    }
}

/// The record of a new job: what was asked for, without the containers.
fn record(id: &str, asked: &JobProperties) -> JobProperties {
    let by_key = StorageAuthenticationType::KeyBased;
    JobProperties {
        job_id: Some(id.to_owned()),
        status: Some(JobStatus::Enqueued),
        progress: Some(0),
        storage_authentication_type: asked.storage_authentication_type.or(Some(by_key)),
        start_time_utc: None,
        end_time_utc: None,
        input_blob_container_uri: None,
        output_blob_container_uri: None,
        failure_reason: None,
        ..asked.clone()
    }
}

fn not_found(id: &str) -> Refusal {
    Refusal::new(ErrorCode::JobNotFound, format!("Job '{id}' is not found."))
}

#[cfg(test)]
mod tests {
    use hubshift_azure::{JobType, Secret};

    use super::*;

    fn begin(transfers: &Transfers, id: &str) -> Result<JobProperties, Refusal> {
        let asked = JobProperties {
            kind: Some(JobType::Export),
            output_blob_container_uri: Some(Secret::new("canary")),
            failure_reason: Some("told by a client".to_owned()),
            ..JobProperties::default()
        };
        transfers.begin(id, &asked, CancellationToken::new())
    }

    #[test]
    fn there_is_one_slot_and_it_is_free_again_after_a_cancel() {
        let transfers = Transfers::default();
        begin(&transfers, "a").unwrap();
        let refused = begin(&transfers, "b").unwrap_err();
        assert_eq!(refused.code, ErrorCode::JobQuotaExceeded);
        assert!(transfers.check_slot().is_err());
        let cancelled = transfers.cancel("a").unwrap();
        assert_eq!(cancelled.status, Some(JobStatus::Cancelled));
        begin(&transfers, "b").unwrap();
        assert_eq!(transfers.list().len(), 2);
    }

    #[test]
    fn a_job_that_is_over_stays_as_it_is() {
        let transfers = Transfers::default();
        begin(&transfers, "a").unwrap();
        transfers.running("a");
        transfers.cancel("a").unwrap();
        transfers.progress("a", 50);
        transfers.ended("a", None);
        let record = transfers.get("a").unwrap();
        assert_eq!(record.status, Some(JobStatus::Cancelled));
        assert_eq!(record.progress, Some(0));
    }

    #[test]
    fn a_record_has_no_uri_and_nothing_that_is_the_hubs_to_say() {
        let transfers = Transfers::default();
        let shown = begin(&transfers, "a").unwrap();
        assert_eq!(shown.output_blob_container_uri, None);
        assert_eq!(shown.failure_reason, None);
        transfers.ended("a", Some("why".to_owned()));
        let record = transfers.get("a").unwrap();
        assert_eq!(record.failure_reason.as_deref(), Some("why"));
        assert_eq!(record.status, Some(JobStatus::Failed));
        assert!(record.end_time_utc.is_some());
    }

    #[test]
    fn an_unknown_job_is_not_found() {
        let transfers = Transfers::default();
        assert_eq!(transfers.get("a").unwrap_err().code, ErrorCode::JobNotFound);
        assert_eq!(
            transfers.cancel("a").unwrap_err().code,
            ErrorCode::JobNotFound
        );
    }
}
