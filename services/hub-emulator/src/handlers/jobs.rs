//! Import and export jobs.

use std::sync::Arc;

use hubshift_azure::JobProperties;

use super::parse;
use crate::answer::{Answer, Refusal};
use crate::app::App;
use crate::jobs::Transfer;

/// The containers are tried before there is a job. Others may ask at the same time: the slot is
/// taken at the end, and looked at first, so that a busy hub does not call the containers.
pub(super) async fn create(app: &Arc<App>, body: &[u8]) -> Result<Answer, Refusal> {
    let asked = parse(body, JobProperties::from_value)?;
    app.jobs.transfers.check_slot()?;
    let transfer = Transfer::open(&asked).await?;
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
