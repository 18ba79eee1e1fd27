//! Import and export jobs.

use std::sync::Arc;
use std::time::Duration;

use hubshift_azure::{ErrorCode, JobProperties};

use super::parse;
use crate::answer::{Answer, Refusal};
use crate::app::App;
use crate::jobs::Transfer;

/// How long trying the containers may take: less than clients wait for a hub.
const PATIENCE: Duration = Duration::from_secs(30);

/// A job that is asked for, with containers that can be used.
pub(crate) struct OpenJob {
    asked: JobProperties,
    transfer: Transfer,
}

/// The containers are tried before there is a job. Others may ask at the same time: the slot is
/// taken at the end, and looked at first, so that a busy hub does not call the containers.
pub(super) async fn open(app: &App, body: &[u8]) -> Result<OpenJob, Refusal> {
    let asked = parse(body, JobProperties::from_value)?;
    app.jobs.transfers.check_slot()?;
    let tried = tokio::time::timeout(PATIENCE, Transfer::open(&asked)).await;
    let transfer = tried.unwrap_or_else(|_| {
        let words = "The blob container cannot be used (no answer in time).";
        Err(Refusal::new(ErrorCode::BlobContainerValidationError, words))
    })?;
    Ok(OpenJob { asked, transfer })
}

pub(super) fn create(app: &Arc<App>, opened: Option<OpenJob>) -> Result<Answer, Refusal> {
    let OpenJob { asked, transfer } = opened
        .ok_or_else(|| Refusal::new(ErrorCode::ServerError, "the containers were not opened"))?;
    Answer::json(&app.jobs.start(app, &asked, transfer)?)
}

pub(super) fn list(app: &App) -> Result<Answer, Refusal> {
    Answer::json(&app.jobs.transfers.list())
}

pub(super) fn get(app: &App, id: &str) -> Result<Answer, Refusal> {
    Answer::json(&app.jobs.transfers.get(id)?)
}

/// `If-Match` is not looked at: a client sends the job's id there.
pub(super) fn cancel(app: &App, id: &str) -> Result<Answer, Refusal> {
    Answer::json(&app.jobs.transfers.cancel(id)?)
}
