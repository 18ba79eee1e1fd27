//! What no call does: events whose epoch has come are decided on; what would otherwise grow for
//! ever is forgotten, stored answers of old requests and the workflows of old merges; the gauge
//! that alerts watch is set. No input, no retry inside: the next tick is the retry.

use std::sync::Arc;
use std::time::Duration;

use hubshift_flow::Workflow as _;
use hubshift_store::{StoreError, idem};
use rand::Rng as _;
use tokio_util::sync::CancellationToken;

use crate::app::{App, inbox};
use crate::store::conflict;
use crate::workflows::merge::MergeFlow;

/// How long workflows of merges are kept that are over, in seconds. The merge itself stays.
const KEEP: f64 = 30.0 * 86_400.0;
/// Answers forgotten in one tick.
const ANSWERS: i64 = 10_000;

/// Decides on events whose epoch has come, until cancelled.
pub(crate) async fn follow_epochs(app: Arc<App>, every: Duration, cancel: CancellationToken) {
    while !cancel.is_cancelled() {
        match inbox::release_due(&app.pool).await {
            Ok(released) => tracing::trace!(released, "decided on events that were ahead"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "events stay ahead, the next tick tries again");
            }
        }
        pause(every, &cancel).await;
    }
}

/// Tidies up until cancelled.
pub(crate) async fn tidy(app: Arc<App>, every: Duration, cancel: CancellationToken) {
    while !cancel.is_cancelled() {
        match tick(&app).await {
            Ok(forgotten) => tracing::trace!(forgotten, "tidied up"),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "not tidied up, the next tick tries again");
            }
        }
        pause(every, &cancel).await;
    }
}

/// With some jitter, so that replicas don't march in step.
async fn pause(every: Duration, cancel: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(every.mul_f64(rand::rng().random_range(0.9..1.1))) => {}
        () = cancel.cancelled() => {}
    }
}

async fn tick(app: &App) -> Result<u64, StoreError> {
    let mut connection = app.pool.acquire().await?;
    let held = conflict::count_held(&mut connection).await?;
    metrics::gauge!("hubshift_merge_open_holds").set(f64::from(u32::try_from(held).unwrap_or(0)));
    let answers = idem::purge(&mut connection, ANSWERS).await?;
    let kinds = [MergeFlow::KIND.to_owned()];
    Ok(answers + hubshift_flow::prune(&mut connection, &kinds, KEEP).await?)
}
