//! `WatchFailover`: the failover whole, then every change, until it is done.
//!
//! Read from the database, because any replica may run it. A slow reader misses states in between
//! and never the last one.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use hubshift_api::fault;
use hubshift_api::pb::concierge::{Failover, WatchFailoverResponse};
use hubshift_domain::id::FleetId;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::app::App;

/// How often the database is asked.
const LOOK: Duration = Duration::from_millis(200);

/// What `WatchFailover` answers with.
pub(super) type FailoverStream =
    Pin<Box<dyn Stream<Item = Result<WatchFailoverResponse, Status>> + Send + 'static>>;

struct Watch {
    app: Arc<App>,
    fleet: FleetId,
    id: Uuid,
    closing: CancellationToken,
    /// What comes next without looking: the first state.
    first: Option<Failover>,
    sent: Failover,
    is_over: bool,
}

/// Watches a failover from the state `first` on.
pub(super) fn watch(
    app: Arc<App>,
    fleet: FleetId,
    id: Uuid,
    first: Failover,
    closing: CancellationToken,
) -> FailoverStream {
    let sent = first.clone();
    let watch = Watch {
        app,
        fleet,
        id,
        closing,
        first: Some(first),
        sent,
        is_over: false,
    };
    Box::pin(stream::unfold(watch, Watch::next))
}

type Item = Result<WatchFailoverResponse, Status>;

impl Watch {
    async fn next(mut self) -> Option<(Item, Self)> {
        if let Some(first) = self.first.take() {
            return Some(self.send(first));
        }
        if self.is_over {
            return None;
        }
        loop {
            tokio::select! {
                () = self.closing.cancelled() => return Some(self.end(closing())),
                () = tokio::time::sleep(LOOK) => {}
            }
            match self.app.get_failover(self.fleet.as_str(), self.id).await {
                Ok(now) if now == self.sent => {}
                Ok(now) => return Some(self.send(now)),
                Err(error) => return Some(self.end(error.into())),
            }
        }
    }

    fn send(mut self, failover: Failover) -> (Item, Self) {
        self.is_over = failover.done;
        self.sent = failover.clone();
        (
            Ok(WatchFailoverResponse {
                failover: Some(failover),
            }),
            self,
        )
    }

    fn end(mut self, status: Status) -> (Item, Self) {
        self.is_over = true;
        (Err(status), self)
    }
}

fn closing() -> Status {
    let text = "this concierge is going away; watch another one";
    fault::retry(
        Code::Unavailable,
        "SHUTTING_DOWN",
        text,
        Duration::from_millis(100),
    )
}
