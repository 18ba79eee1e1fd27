//! Health of a process and of each of its services, as `grpc.health.v1` serves it.
//!
//! In memory only. A service is not serving until somebody says so; the name `""` stands for the
//! process as a whole and is there from the start. Kept true: so many watch at most, for a listener
//! that anybody reaches would else keep as many streams as somebody likes to open.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_server};

use hubshift_api::fault;

/// Streams at once.
const MAX_WATCHERS: usize = 1_000;
/// When one who found no place may ask again.
const RETRY_AFTER: Duration = Duration::from_secs(10);

type Statuses = BTreeMap<String, watch::Sender<ServingStatus>>;

/// The health of a process. Clones share it.
#[derive(Debug, Clone)]
pub struct Health {
    statuses: Arc<RwLock<Statuses>>,
    places: Arc<Semaphore>,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// A process that is not serving yet.
    pub fn new() -> Self {
        let overall = (String::new(), watch::Sender::new(ServingStatus::NotServing));
        Self {
            statuses: Arc::new(RwLock::new(BTreeMap::from([overall]))),
            places: Arc::new(Semaphore::new(MAX_WATCHERS)),
        }
    }

    /// Says whether a service (its full name, or `""` for the process) is serving. Watchers hear
    /// of changes only.
    pub fn set_serving(&self, name: &str, serving: bool) {
        let status = if serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        let changed = self
            .sender(name)
            .send_if_modified(|current| std::mem::replace(current, status) != status);
        if changed {
            tracing::info!(service = name, serving, "health changed");
        }
    }

    /// Whether a service, or with `""` the process, is serving; false for an unknown name.
    pub fn is_serving(&self, name: &str) -> bool {
        self.status(name) == Some(ServingStatus::Serving)
    }

    /// The names of what is known and not serving; `""` for the process.
    pub fn not_serving(&self) -> Vec<String> {
        let statuses = self.statuses.read().unwrap_or_else(PoisonError::into_inner);
        let waiting = |status: &watch::Sender<_>| *status.borrow() != ServingStatus::Serving;
        statuses
            .iter()
            .filter(|(_, s)| waiting(s))
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn status(&self, name: &str) -> Option<ServingStatus> {
        let statuses = self.statuses.read().unwrap_or_else(PoisonError::into_inner);
        Some(*statuses.get(name)?.borrow())
    }

    fn sender(&self, name: &str) -> watch::Sender<ServingStatus> {
        let mut statuses = self
            .statuses
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let fresh = || watch::Sender::new(ServingStatus::Unknown);
        statuses
            .entry(name.to_owned())
            .or_insert_with(fresh)
            .clone()
    }
}

#[tonic::async_trait]
impl health_server::Health for Health {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let status = self
            .status(&request.get_ref().service)
            .ok_or_else(unknown)?;
        Ok(Response::new(response(status)))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    /// Sends the status at once and then every change. A name that is not known is refused; that
    /// keeps callers from filling the table.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let name = &request.get_ref().service;
        let receiver = {
            let statuses = self.statuses.read().unwrap_or_else(PoisonError::into_inner);
            statuses.get(name).map(watch::Sender::subscribe)
        };
        let receiver = receiver.ok_or_else(unknown)?;
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| crowded())?;
        Ok(Response::new(changes(receiver, place).map(Ok).boxed()))
    }
}

fn crowded() -> Status {
    let text = format!("{MAX_WATCHERS} watch health already; ask `Check`, or again");
    let code = Code::ResourceExhausted;
    fault::retry(code, "TOO_MANY_WATCHERS", text, RETRY_AFTER)
}

fn unknown() -> Status {
    fault::status(
        Code::NotFound,
        "SERVICE_NOT_FOUND",
        "no such service is known here",
    )
}

/// The current status first, then every change; ends with the process's health. It has a place for
/// as long as it is there.
fn changes(
    mut receiver: watch::Receiver<ServingStatus>,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = HealthCheckResponse> + Send {
    receiver.mark_changed();
    stream::unfold((receiver, place), |(mut receiver, place)| async move {
        receiver.changed().await.ok()?;
        let status = *receiver.borrow_and_update();
        Some((response(status), (receiver, place)))
    })
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::health_server::Health as _;
    use super::*;

    #[tokio::test]
    async fn so_many_watch_at_most_and_a_place_is_free_again() {
        let health = Health::new();
        let watch = || health.watch(Request::new(HealthCheckRequest::default()));
        let mut watching = Vec::new();
        for _ in 0..MAX_WATCHERS {
            watching.push(watch().await.ok().unwrap());
        }
        let refused = watch().await.err().unwrap();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert_eq!(fault::reason(&refused), "TOO_MANY_WATCHERS");
        let check = health.check(Request::new(HealthCheckRequest::default()));
        assert!(check.await.is_ok(), "who only asks is answered");
        watching.pop();
        assert!(watch().await.is_ok());
    }
}
