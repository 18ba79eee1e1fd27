//! Import, export and scheduled jobs.
//!
//! Owns what was asked for and the tasks that carry it out. Nothing of it is durable, with
//! `--data` neither: the registry keeps what jobs did to it, and a hub that starts anew knows no
//! job. A container's SAS lives as long as its job runs and is shown nowhere.

mod pace;
mod schedule;
mod settings;
mod transfer;

use std::sync::{Arc, Mutex, PoisonError};

use hubshift_azure::{JobProperties, JobRequest, JobResponse};
use serde_json::Value;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::answer::Refusal;
use crate::app::App;
use schedule::{Schedule, ScheduledJob};
use transfer::Transfers;

pub(crate) use schedule::Filter;
pub(crate) use settings::JobSettings;
pub(crate) use transfer::Transfer;

/// The hub's jobs.
#[derive(Default)]
pub(crate) struct Jobs {
    /// Imports and exports.
    pub(crate) transfers: Transfers,
    /// Scheduled jobs.
    pub(crate) schedule: Schedule,
    settings: Mutex<JobSettings>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Jobs {
    /// How jobs that start now behave.
    pub(crate) fn settings(&self) -> JobSettings {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says how jobs behave that start from now on.
    pub(crate) fn set(&self, settings: JobSettings) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// Starts an import or export, if the slot is free.
    pub(crate) fn start(
        &self,
        app: &Arc<App>,
        asked: &JobProperties,
        transfer: Transfer,
    ) -> Result<JobProperties, Refusal> {
        let id = Uuid::new_v4().to_string();
        let cancel = self.stop.child_token();
        let shown = self.transfers.begin(&id, asked, cancel.clone())?;
        self.tasks
            .spawn(transfer::run(Arc::clone(app), id, transfer, cancel));
        Ok(shown)
    }

    /// Takes a scheduled job on.
    pub(crate) fn put_scheduled(
        &self,
        app: &Arc<App>,
        id: &str,
        request: JobRequest,
    ) -> Result<JobResponse, Refusal> {
        let cancel = self.stop.child_token();
        let job = ScheduledJob::read(id, request, OffsetDateTime::now_utc(), cancel.clone())?;
        let plan = job.plan();
        let most = app.throttle.settings().scheduled_jobs();
        let shown = self.schedule.add(job, most)?;
        self.tasks
            .spawn(schedule::run(Arc::clone(app), id.to_owned(), plan, cancel));
        Ok(shown)
    }

    /// The rows of `devices.jobs`, how each device of each scheduled job fared: at most so many,
    /// after so many.
    pub(crate) fn device_rows(&self, given: usize, most: usize) -> Vec<Value> {
        self.schedule.device_rows(given, most)
    }

    /// Ends every job that runs or waits.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
    }

    /// Waits until every task has ended; only after [`Jobs::stop`] does it come back.
    pub(crate) async fn stopped(&self) {
        self.tasks.wait().await;
    }
}
