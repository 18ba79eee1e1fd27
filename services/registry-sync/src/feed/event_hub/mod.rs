//! Reads a hub's events from an event hub, by AMQP 1.0: the hub's built-in endpoint, or an event
//! hub that it routes its events to.
//!
//! ```text
//! connect ─▶ ask for the partitions ─▶ a receiver for each ─▶ batches of hints ┐
//!    ▲                                                                         │
//!    └───────────── a pause, longer with every failure in a row ◀── it broke ──┘
//! ```
//!
//! Durable: `registry.hint`, and no position in the event hub: reading begins a minute before the
//! start, and after a break a minute before it. What is lost or read twice by that costs an interval
//! or a call, for the sweep is the truth. For the same reason every replica reads for itself. Kept
//! true: messages in memory are bounded by the links' credit; the key is in no log and no error; a
//! connection that does not come about in time is given up.

mod connect;
mod error;
mod message;
mod partitions;
mod reader;

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::select_all;
use hubshift_azure::EventHubEndpoint;
use secrecy::ExposeSecret as _;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::EventHubConfig;
use crate::deps::Deps;
use crate::reconcilers::jittered;
pub(crate) use error::FeedError;

/// The pause after the first failure.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest pause; a connection that lived as long was a good one.
const LONGEST: Duration = Duration::from_secs(60);
/// How far back reading begins: clocks differ, and a message is older when it is stored.
const OVERLAP_MS: i64 = 60_000;

/// Whether an entry of the configuration can be used at all.
pub(crate) fn check(config: &EventHubConfig) -> Result<(), FeedError> {
    endpoint(config)?;
    connect::tls(config.ca.as_deref())?;
    Ok(())
}

/// Reads an event hub until cancelled.
pub(crate) async fn run(deps: Arc<Deps>, config: Arc<EventHubConfig>, cancel: CancellationToken) {
    let feed = Feed::new(deps, config);
    let mut pause = Duration::ZERO;
    loop {
        let began = Instant::now();
        let Err(error) = tokio::select! {
            () = cancel.cancelled() => return,
            ended = Box::pin(feed.follow()) => ended,
        };
        pause = next_pause(pause, began.elapsed());
        feed.report(&error, pause);
        tokio::select! {
            () = cancel.cancelled() => return,
            () = sleep(jittered(pause)) => {}
        }
    }
}

/// The pause after a connection that lived so long, when the last pause was `pause`.
fn next_pause(pause: Duration, lived: Duration) -> Duration {
    if lived >= LONGEST {
        SHORTEST
    } else {
        (pause * 2).clamp(SHORTEST, LONGEST)
    }
}

/// One event hub that is read.
struct Feed {
    deps: Arc<Deps>,
    config: Arc<EventHubConfig>,
    /// Up to when it was read, in milliseconds since 1970.
    read_until: AtomicI64,
}

impl Feed {
    fn new(deps: Arc<Deps>, config: Arc<EventHubConfig>) -> Self {
        let feed = Self {
            deps,
            config,
            read_until: AtomicI64::new(now_ms()),
        };
        // It is there from the start, so that nothing can be told from something missing.
        feed.gauge().increment(0.0);
        feed
    }

    /// Connects and reads until that breaks.
    async fn follow(&self) -> Result<Infallible, FeedError> {
        let limit = self.deps.config.connect_timeout;
        let endpoint = endpoint(&self.config)?;
        let tls = connect::tls(self.config.ca.as_deref())?;
        let name = format!("hubshift-{}", Uuid::new_v4().simple());
        let opening = connect::open(&endpoint, tls, &name);
        let mut line = within(limit, "the connection", opening).await?;
        let asking = partitions::ask(&mut line.session, &endpoint.entity, &name);
        let partitions = within(limit, "the list of partitions", asking).await?;
        let since = self.read_until.load(Ordering::Relaxed) - OVERLAP_MS;
        let mut receivers = Vec::with_capacity(partitions.len());
        for partition in &partitions {
            let link = format!("{name}-{partition}");
            let address = self.address(&endpoint, partition);
            let attaching = reader::attach(&mut line.session, link, address, since);
            receivers.push(within(limit, "a partition's link", attaching).await?);
        }
        let _connected = Connected::new(self.gauge());
        let (fleet, hub) = (&self.config.fleet, &self.config.hub);
        let count = partitions.len();
        tracing::info!(%fleet, %hub, partitions = count, "the hub's events are read");
        let readers = receivers
            .into_iter()
            .map(|receiver| self.read(receiver).boxed());
        // There is at least one partition, or asking for them had failed.
        let (ended, _, _) = select_all(readers.collect::<Vec<_>>()).await;
        ended
    }

    /// Where a partition's messages come from.
    fn address(&self, endpoint: &EventHubEndpoint, partition: &str) -> String {
        let (entity, group) = (&endpoint.entity, &self.config.consumer_group);
        format!("{entity}/ConsumerGroups/{group}/Partitions/{partition}")
    }

    /// How many endpoints of this hub are connected.
    fn gauge(&self) -> metrics::Gauge {
        metrics::gauge!(
            "hubshift_registry_feed_connected",
            "fleet" => self.config.fleet.to_string(),
            "hub" => self.config.hub.to_string(),
        )
    }

    fn report(&self, error: &FeedError, pause: Duration) {
        let (fleet, hub) = (&self.config.fleet, &self.config.hub);
        let error = error as &dyn std::error::Error;
        tracing::warn!(%fleet, %hub, error, ?pause, "the hub's events are not read");
    }
}

/// Counts a connection for as long as it is there.
struct Connected(metrics::Gauge);

impl Connected {
    fn new(gauge: metrics::Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// The endpoint of an entry, from its secret.
fn endpoint(config: &EventHubConfig) -> Result<EventHubEndpoint, FeedError> {
    let secret = config.endpoint.read().map_err(FeedError::Secret)?;
    secret.expose_secret().parse().map_err(FeedError::Endpoint)
}

/// The work's outcome, if it has one in time.
async fn within<T>(
    limit: Duration,
    what: &'static str,
    work: impl Future<Output = Result<T, FeedError>>,
) -> Result<T, FeedError> {
    let ended = timeout(limit, work).await;
    ended.unwrap_or(Err(FeedError::Timeout(what)))
}

fn now_ms() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp() * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute_and_begin_anew_after_a_good_connection() {
        let secs = Duration::from_secs;
        let mut pause = Duration::ZERO;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            pause = next_pause(pause, secs(3));
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(next_pause(secs(60), secs(61)), SHORTEST);
    }
}
