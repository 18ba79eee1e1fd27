//! A hub that notes how its calls went, so that operators see whether it answers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_hub::{
    AzureHub, BulkHub, Capabilities, DeviceWrite, EtagPair, Hub, HubDevice, Job, Outcome, Page,
    Rejection, Secret, Statistics,
};
use sqlx::PgPool;
use tokio::time::Instant;

use crate::store;

/// While all is well, one note in this time is enough.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// What was noted last.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Note {
    Answered(Instant),
    Failed(String),
}

/// A hub that notes its contacts.
pub(super) struct Watched {
    hub: AzureHub,
    watch: Arc<Watch>,
}

/// What is noted of a hub, by whatever lane it is called.
pub(super) struct Watch {
    pool: PgPool,
    fleet: FleetId,
    hub_id: HubId,
    last: Mutex<Option<Note>>,
}

impl Watched {
    pub(super) fn new(hub: AzureHub, watch: Arc<Watch>) -> Self {
        Self { hub, watch }
    }

    async fn note<T>(&self, outcome: Outcome<T>) -> Outcome<T> {
        self.watch.note(outcome).await
    }
}

impl Watch {
    pub(super) fn new(pool: PgPool, fleet: FleetId, hub_id: HubId) -> Self {
        Self {
            pool,
            fleet,
            hub_id,
            last: Mutex::default(),
        }
    }

    async fn note<T>(&self, outcome: Outcome<T>) -> Outcome<T> {
        let error = trouble(&outcome);
        if !self.is_news(error.as_deref()) {
            return outcome;
        }
        let (fleet, hub) = (self.fleet.as_str(), self.hub_id.as_str());
        let noted = match &error {
            None => store::connection::note_answer(&self.pool, fleet, hub).await,
            Some(error) => {
                tracing::warn!(fleet, hub, error, "hub call failed");
                store::connection::note_error(&self.pool, fleet, hub, error).await
            }
        };
        if let Err(error) = noted {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(fleet, hub, error, "contact not noted");
        }
        outcome
    }

    /// Whether this differs from what was noted last, or that is old.
    fn is_news(&self, error: Option<&str>) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = match (&*last, error) {
            (Some(Note::Answered(at)), None) => at.elapsed() >= NOTE_EVERY,
            (Some(Note::Failed(before)), Some(now)) => before != now,
            _ => true,
        };
        if is_news {
            *last = Some(match error {
                None => Note::Answered(Instant::now()),
                Some(error) => Note::Failed(error.to_owned()),
            });
        }
        is_news
    }
}

/// Why the hub can't be said to have answered; a refusal is an answer.
fn trouble<T>(outcome: &Outcome<T>) -> Option<String> {
    match outcome {
        Outcome::Done(_) => None,
        Outcome::Unknown(cause) => Some(cause.to_string()),
        Outcome::Rejected(rejection) => match rejection {
            Rejection::AlreadyExists
            | Rejection::NotFound
            | Rejection::ParentMissing(_)
            | Rejection::DeviceDisabled
            | Rejection::PreconditionFailed
            | Rejection::Throttled { .. }
            | Rejection::Invalid(_) => None,
            Rejection::Unauthorized(_)
            | Rejection::Untrusted(_)
            | Rejection::Unreachable(_)
            | Rejection::Unavailable(_) => Some(rejection.to_string()),
        },
    }
}

#[async_trait]
impl Hub for Watched {
    async fn list(&self, cursor: Option<String>, page_size: u32) -> Outcome<Page> {
        self.note(self.hub.list(cursor, page_size).await).await
    }

    async fn connected(&self, cursor: Option<String>, page_size: u32) -> Outcome<Page> {
        self.note(self.hub.connected(cursor, page_size).await).await
    }

    async fn get(&self, key: &str) -> Outcome<Option<HubDevice>> {
        self.note(self.hub.get(key).await).await
    }

    async fn create(&self, device: &DeviceWrite) -> Outcome<HubDevice> {
        self.note(self.hub.create(device).await).await
    }

    async fn update(&self, device: &DeviceWrite, if_match: &EtagPair) -> Outcome<HubDevice> {
        self.note(self.hub.update(device, if_match).await).await
    }

    async fn delete(&self, key: &str, if_match_identity: &str) -> Outcome<()> {
        self.note(self.hub.delete(key, if_match_identity).await)
            .await
    }

    async fn statistics(&self) -> Outcome<Statistics> {
        self.note(self.hub.statistics().await).await
    }

    fn capabilities(&self) -> Capabilities {
        self.hub.capabilities()
    }

    fn call_deadline(&self) -> Duration {
        self.hub.call_deadline()
    }

    fn afterlife(&self) -> Duration {
        self.hub.afterlife()
    }

    fn bulk(&self) -> Option<&dyn BulkHub> {
        self.hub.bulk().map(|_| self as &dyn BulkHub)
    }
}

#[async_trait]
impl BulkHub for Watched {
    async fn start_import(&self, container: &Secret, blob: &str) -> Outcome<String> {
        self.note(self.hub.start_import(container, blob).await)
            .await
    }

    async fn start_export(&self, container: &Secret, blob: &str) -> Outcome<String> {
        self.note(self.hub.start_export(container, blob).await)
            .await
    }

    async fn job(&self, id: &str) -> Outcome<Option<Job>> {
        self.note(self.hub.job(id).await).await
    }

    async fn jobs(&self) -> Outcome<Vec<Job>> {
        self.note(self.hub.jobs().await).await
    }

    async fn cancel_job(&self, id: &str) -> Outcome<()> {
        self.note(self.hub.cancel_job(id).await).await
    }
}
