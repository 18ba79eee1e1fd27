//! How a job stands at its hub, and which of a hub's jobs is ours.

use hubshift_hub::{HubError, Job, JobKind, JobStatus};
use uuid::Uuid;

use super::JobCx;
use super::files::export_blob;

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It waits or runs.
    Runs,
    /// It came to its end. Lines of an import may have failed all the same.
    Completed,
    /// It did not, and why.
    Lost(String),
}

/// Asks the hub for a job by its name.
pub(crate) async fn standing(cx: &JobCx<'_>, hub_job_id: &str) -> Result<Standing, HubError> {
    let job = cx.bulk()?.job(hub_job_id).await.into_result()?;
    let unknown = || Standing::Lost("the hub does not know it any more".to_owned());
    Ok(job.as_ref().map_or_else(unknown, stands))
}

fn stands(job: &Job) -> Standing {
    match job.status {
        JobStatus::Running => Standing::Runs,
        JobStatus::Completed => Standing::Completed,
        JobStatus::Cancelled => Standing::Lost("somebody cancelled it".to_owned()),
        JobStatus::Failed => {
            let why = job.failure.as_deref().unwrap_or("the hub does not say why");
            Standing::Lost(why.to_owned())
        }
    }
}

/// What became of a start that nobody answered: the hub's name for the job, and how it stands.
/// To be asked when it can't land any more. Nothing when the hub did not take it on, or it came to
/// nothing.
pub(crate) async fn found(
    cx: &JobCx<'_>,
    job: Uuid,
    blob: &str,
) -> Result<Option<(String, Standing)>, HubError> {
    let jobs = cx.bulk()?.jobs().await.into_result()?;
    let kind = if blob == export_blob(job) {
        JobKind::Export
    } else {
        JobKind::Import
    };
    Ok(ours(&jobs, kind, blob).map(|job| (job.id.clone(), stands(job))))
}

/// The job that reads or writes this blob. Where the hub does not say what a job reads or writes,
/// the one that runs is taken for ours: a hub runs one at a time.
fn ours<'a>(jobs: &'a [Job], kind: JobKind, blob: &str) -> Option<&'a Job> {
    let of_kind = || jobs.iter().filter(|job| job.kind == kind);
    let is_named = |job: &&Job| job.blob.as_deref() == Some(blob);
    let runs = |job: &&Job| job.status == JobStatus::Running;
    let completed = |job: &&Job| job.status == JobStatus::Completed;
    of_kind()
        .filter(is_named)
        .find(runs)
        .or_else(|| of_kind().filter(is_named).find(completed))
        .or_else(|| of_kind().filter(|job| job.blob.is_none()).find(runs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str, kind: JobKind, status: JobStatus, blob: Option<&str>) -> Job {
        Job {
            id: id.into(),
            kind,
            status,
            blob: blob.map(str::to_owned),
            progress: None,
            failure: None,
        }
    }

    #[test]
    fn ours_is_the_one_that_runs_with_our_blob_then_the_one_that_completed() {
        use JobKind::{Export, Import};
        use JobStatus::{Cancelled, Completed, Running};
        let id = |jobs: &[Job]| ours(jobs, Import, "b").map(|job| job.id.clone());
        let done = job("done", Import, Completed, Some("b"));
        let runs = job("runs", Import, Running, Some("b"));
        assert_eq!(id(&[done.clone(), runs]).as_deref(), Some("runs"));
        assert_eq!(id(&[done]).as_deref(), Some("done"));
        for other in [
            job("other", Import, Running, Some("c")),
            job("other", Export, Running, Some("b")),
            job("other", Import, Cancelled, Some("b")),
            job("other", Import, Completed, None),
        ] {
            assert_eq!(id(&[other]), None);
        }
        let silent = job("silent", Import, Running, None);
        assert_eq!(id(&[silent]).as_deref(), Some("silent"));
    }

    #[test]
    fn a_job_that_did_not_complete_is_lost_with_a_reason() {
        let of = |status| stands(&job("j", JobKind::Import, status, None));
        assert_eq!(of(JobStatus::Running), Standing::Runs);
        assert_eq!(of(JobStatus::Completed), Standing::Completed);
        for status in [JobStatus::Failed, JobStatus::Cancelled] {
            assert!(matches!(of(status), Standing::Lost(_)), "{status:?}");
        }
    }
}
