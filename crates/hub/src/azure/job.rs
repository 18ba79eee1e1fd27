//! Import and export jobs, which a hub carries out by itself between its registry and a blob.
//!
//! A container's URI opens the container. The hub may repeat it in its words, so that words that
//! look like one are left out of every error.

use async_trait::async_trait;
use hubshift_azure::{JobProperties, JobStatus as Status, JobType, Secret};
use reqwest::Method;
use serde_json::{Value, json};

use super::calls::absent;
use super::convert::there;
use super::transport::{Call, Class, Request};
use super::{AzureHub, hush};
use crate::bulk::{BulkHub, Job, JobKind, JobStatus};
use crate::outcome::{HubError, Outcome};

/// What stands in a URI, in lower case, with what opens the container.
const URI: [&str; 4] = ["sig=", "sig%3d", "http://", "https://"];

#[async_trait]
impl BulkHub for AzureHub {
    async fn start_import(&self, container: &Secret, blob: &str) -> Outcome<String> {
        let body = json!({
            "type": "import",
            "inputBlobContainerUri": container.expose(),
            "inputBlobName": blob,
            "outputBlobContainerUri": container.expose(),
        });
        start(&self.transport.begin(), &body).await.into()
    }

    async fn start_export(&self, container: &Secret, blob: &str) -> Outcome<String> {
        let body = json!({
            "type": "export",
            "outputBlobContainerUri": container.expose(),
            "outputBlobName": blob,
            "excludeKeysInExport": false,
        });
        start(&self.transport.begin(), &body).await.into()
    }

    async fn job(&self, id: &str) -> Outcome<Option<Job>> {
        one(&self.transport.begin(), id).await.into()
    }

    async fn jobs(&self) -> Outcome<Vec<Job>> {
        many(&self.transport.begin()).await.into()
    }

    async fn cancel_job(&self, id: &str) -> Outcome<()> {
        let request = Request::new(Class::Job, Method::DELETE, &["jobs", id]);
        let sent = self.transport.begin().send(request).await;
        sent.map(|_| ()).map_err(hushed).into()
    }
}

async fn start(call: &Call<'_>, body: &Value) -> Result<String, HubError> {
    let request = Request::new(Class::Job, Method::POST, &["jobs", "create"]).body(body);
    let job: JobProperties = call.send(request).await.map_err(hushed)?.json()?;
    there(job.job_id, "jobId")
}

async fn one(call: &Call<'_>, id: &str) -> Result<Option<Job>, HubError> {
    let request = Request::new(Class::Job, Method::GET, &["jobs", id]);
    let reply = absent(call.send(request).await.map_err(hushed))?;
    let job: Option<JobProperties> = reply.map(|reply| reply.json()).transpose()?;
    Ok(job.map(shown))
}

async fn many(call: &Call<'_>) -> Result<Vec<Job>, HubError> {
    let request = Request::new(Class::Job, Method::GET, &["jobs"]);
    let jobs: Vec<JobProperties> = call.send(request).await.map_err(hushed)?.json()?;
    Ok(jobs.into_iter().map(shown).collect())
}

fn shown(wire: JobProperties) -> Job {
    let kind = match wire.kind {
        Some(JobType::Import) => JobKind::Import,
        Some(JobType::Export) => JobKind::Export,
        _ => JobKind::Other,
    };
    // What is not known to be over may still be writing.
    let status = match wire.status {
        Some(Status::Completed) => JobStatus::Completed,
        Some(Status::Failed) => JobStatus::Failed,
        Some(Status::Cancelled) => JobStatus::Cancelled,
        _ => JobStatus::Running,
    };
    let blob = match kind {
        JobKind::Import => wire.input_blob_name,
        JobKind::Export | JobKind::Other => wire.output_blob_name,
    };
    Job {
        id: wire.job_id.unwrap_or_default(),
        kind,
        status,
        blob: blob.filter(|name| !name.is_empty()),
        progress: wire.progress.and_then(|done| u32::try_from(done).ok()),
        failure: wire.failure_reason.map(|text| match may_open(&text) {
            true => hush::LEFT_OUT.to_owned(),
            false => text,
        }),
    }
}

/// The error without words that may open the container.
fn hushed(error: HubError) -> HubError {
    hush::without(error, may_open)
}

fn may_open(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    URI.iter().any(|mark| lower.contains(mark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Rejection;

    fn job(json: Value) -> Job {
        shown(serde_json::from_value(json).unwrap())
    }

    #[test]
    fn a_job_that_is_not_known_to_be_over_runs() {
        let status = |text: &str| job(json!({"jobId": "j", "status": text})).status;
        assert_eq!(status("completed"), JobStatus::Completed);
        assert_eq!(status("Failed"), JobStatus::Failed);
        assert_eq!(status("cancelled"), JobStatus::Cancelled);
        for text in ["enqueued", "running", "queued", "unknown", "paused"] {
            assert_eq!(status(text), JobStatus::Running, "{text}");
        }
        assert_eq!(job(json!({"jobId": "j"})).status, JobStatus::Running);
    }

    #[test]
    fn kind_progress_and_failure_are_the_hubs() {
        let found = job(json!({
            "jobId": "j", "type": "import", "status": "failed", "progress": 40,
            "failureReason": "no such blob",
        }));
        assert_eq!((found.kind, found.progress), (JobKind::Import, Some(40)));
        assert_eq!(found.failure.as_deref(), Some("no such blob"));
        let other = job(json!({"jobId": "j", "type": "scheduleUpdateTwin", "failureReason": null}));
        assert_eq!((other.kind, other.failure), (JobKind::Other, None));
    }

    #[test]
    fn the_blob_is_the_one_that_the_kind_reads_or_writes() {
        let blob = |kind: &str| {
            let both = json!({
                "jobId": "j", "type": kind, "inputBlobName": "in", "outputBlobName": "out",
            });
            job(both).blob
        };
        assert_eq!(blob("import").as_deref(), Some("in"));
        assert_eq!(blob("export").as_deref(), Some("out"));
        let silent = job(json!({"jobId": "j", "type": "import", "inputBlobName": ""}));
        assert_eq!(silent.blob, None);
    }

    #[test]
    fn nothing_shows_what_opens_the_container() {
        let words = "cannot write to https://store.example/c?sv=1&SIG=canary";
        let error = HubError::from(Rejection::Invalid(words.to_owned()));
        assert!(!hushed(error).to_string().contains("canary"));
        let failed = job(json!({"jobId": "j", "failureReason": words}));
        assert_eq!(failed.failure.as_deref(), Some(hush::LEFT_OUT));
        let plain = Rejection::Invalid("BlobContainerValidationError".to_owned());
        assert_eq!(hushed(plain.clone().into()), plain.into());
    }
}
