//! The engine of one replica: claims what is due, renews leases, stops cleanly.
//!
//! All replicas are equal. A replica that dies keeps its lease until it runs out; then another one
//! goes on from the journal.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hubshift_store::{StoreError, within};
use sqlx::PgPool;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::execute::{self, Outcome};
use crate::store::{self, Claimed};
use crate::workflow::Workflow;

/// How a replica works.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// How this replica names itself in leases.
    pub replica: String,
    /// How long a claim holds without renewal. A step that is still running renews it.
    pub lease: Duration,
    /// How often to look for work that is due.
    pub poll: Duration,
    /// How many workflows run at once.
    pub concurrency: usize,
}

impl EngineConfig {
    /// Lease of five seconds, a look every 50 ms, 16 at once.
    pub fn new(replica: impl Into<String>) -> Self {
        Self {
            replica: replica.into(),
            lease: Duration::from_secs(5),
            poll: Duration::from_millis(50),
            concurrency: 16,
        }
    }
}

/// A workflow without its types.
#[async_trait]
pub(crate) trait Runnable: Send + Sync {
    async fn turn(&self, pool: &PgPool, claimed: Claimed) -> Result<Outcome, StoreError>;
}

struct Typed<W>(W);

#[async_trait]
impl<W: Workflow> Runnable for Typed<W> {
    async fn turn(&self, pool: &PgPool, claimed: Claimed) -> Result<Outcome, StoreError> {
        execute::turn(&self.0, pool, claimed).await
    }
}

/// Runs the workflows of one replica. A clone does the same: for one that runs after the other.
#[derive(Clone)]
pub struct Engine {
    pool: PgPool,
    config: EngineConfig,
    kinds: HashMap<&'static str, Arc<dyn Runnable>>,
    nudge: Arc<Notify>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("replica", &self.config.replica)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine that runs nothing yet.
    pub fn new(pool: PgPool, config: EngineConfig) -> Self {
        Self {
            pool,
            config,
            kinds: HashMap::new(),
            nudge: Arc::new(Notify::new()),
        }
    }

    /// Adds a kind of workflow.
    #[must_use]
    pub fn with<W: Workflow>(mut self, workflow: W) -> Self {
        self.kinds.insert(W::KIND, Arc::new(Typed(workflow)));
        self
    }

    /// Tells the engine that something is due, instead of waiting for its next look.
    pub fn nudge(&self) -> Arc<Notify> {
        self.nudge.clone()
    }

    /// Works until cancelled, then finishes the turns that run (they are short: a long step waits
    /// by storing when to wake).
    pub async fn run(self, cancel: CancellationToken) {
        let names: Vec<String> = self.kinds.keys().map(|kind| (*kind).to_owned()).collect();
        let slots = Arc::new(Semaphore::new(self.config.concurrency));
        let tracker = TaskTracker::new();
        while !cancel.is_cancelled() {
            let claimed = match slots.clone().try_acquire_owned() {
                Ok(slot) => self.claim(&names).await.map(|claimed| (claimed, slot)),
                Err(_) => None,
            };
            match claimed {
                Some((claimed, slot)) => {
                    let turn = self.turn(claimed, cancel.clone());
                    tracker.spawn(async move {
                        turn.await;
                        drop(slot);
                    });
                }
                None => self.idle(&cancel).await,
            }
        }
        tracker.close();
        tracker.wait().await;
    }

    async fn idle(&self, cancel: &CancellationToken) {
        tokio::select! {
            () = tokio::time::sleep(self.config.poll) => {}
            () = self.nudge.notified() => {}
            () = cancel.cancelled() => {}
        }
    }

    async fn claim(&self, names: &[String]) -> Option<Claimed> {
        let claimed = async {
            let mut connection = self.pool.acquire().await.map_err(StoreError::from)?;
            store::claim(
                &mut connection,
                &self.config.replica,
                names,
                self.config.lease,
            )
            .await
        };
        // A claim that came through after all holds nobody up for longer than its lease.
        let claimed = within(self.config.lease, claimed).await;
        claimed.unwrap_or_else(|error| {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "no workflow claimed"
            );
            None
        })
    }

    /// One claimed workflow, until it waits, ends, or the lease is lost.
    fn turn(
        &self,
        claimed: Claimed,
        cancel: CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (pool, lease) = (self.pool.clone(), self.config.lease);
        let runnable = self.kinds.get(claimed.kind.as_str()).cloned();
        let nudge = self.nudge.clone();
        async move {
            let Some(runnable) = runnable else { return };
            let (id, fence) = (claimed.workflow_id, claimed.fence);
            let work = runnable.turn(&pool, claimed);
            tokio::select! {
                outcome = work => match outcome {
                    Ok(Outcome::Waiting | Outcome::Over) => nudge.notify_one(),
                    Ok(Outcome::Fenced) => tracing::info!(workflow = %id, "another executor took over"),
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(workflow = %id, error, "turn cut off; resumed after the lease");
                    }
                },
                () = keep_lease(&pool, id, fence, lease) => {
                    metrics::counter!("hubshift_flow_lease_lost_total").increment(1);
                    tracing::warn!(workflow = %id, "lease lost");
                }
                () = stop_soon(cancel) => tracing::info!(workflow = %id, "turn stopped by shutdown"),
            }
        }
    }
}

/// Renews the lease every third of it; returns when it is lost.
async fn keep_lease(pool: &PgPool, id: uuid::Uuid, fence: i64, lease: Duration) {
    let mut renewed = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(lease / 3).await;
        let renewal = async {
            let mut connection = pool.acquire().await.map_err(StoreError::from)?;
            store::renew(&mut connection, id, fence, lease).await
        };
        match within(lease / 3, renewal).await {
            Ok(true) => renewed = tokio::time::Instant::now(),
            Ok(false) => return,
            Err(_) if renewed.elapsed() >= lease => return,
            Err(_) => {}
        }
    }
}

/// A shutdown waits this long for a turn; what is cut off is resumed by the journal.
async fn stop_soon(cancel: CancellationToken) {
    cancel.cancelled().await;
    tokio::time::sleep(Duration::from_secs(3)).await;
}
