//! Loops that take no input: each looks at what is, and at what should be, and closes the gap.
//!
//! Every replica runs them; what they write is conditional, so that two at once do no harm. A
//! database that is down, or gone without a word, is a tick without effect; the next tick is the
//! retry.

mod canary;
mod debts;
mod fences;
mod freezes;
mod set_aside;
mod standbys;

use std::sync::Arc;
use std::time::Duration;

use hubshift_store::{StoreError, idem, within};
use rand::Rng as _;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::store::canary as canaries;
use crate::store::fleet::{self, FleetRow};

/// Stored answers of old requests are forgotten every so many ticks.
const PURGE_EVERY: u32 = 60;
/// At most so many at once.
const PURGE_LIMIT: i64 = 1_000;
/// One look at one thing takes no longer, calls to other services included.
const LIMIT: Duration = Duration::from_secs(30);
/// Fleets that are read at once.
const PAGE: i64 = 100;

/// Ticks until cancelled, with some jitter so that replicas don't march in step.
pub(crate) async fn run(app: Arc<App>, every: Duration, cancel: CancellationToken) {
    let mut ticks: u32 = 0;
    loop {
        let pause = every.mul_f64(rand::rng().random_range(0.8..1.2));
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        ticks = ticks.wrapping_add(1);
        if let Err(error) = tick(&app, ticks).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "reconcilers skipped a tick"
            );
        }
    }
}

async fn tick(app: &App, ticks: u32) -> Result<(), StoreError> {
    within(LIMIT, freezes::tick(app)).await?;
    let mut after = String::new();
    loop {
        let page = within(LIMIT, page(app, &after)).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.fleet_id);
        for row in &page {
            // One fleet that can't be looked at must not hold back those after it.
            if let Err(error) = within(LIMIT, one_fleet(app, row)).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(fleet = row.fleet_id, error, "a fleet was not reconciled");
            }
        }
    }
    if ticks.is_multiple_of(PURGE_EVERY) {
        within(LIMIT, purge(app)).await?;
    }
    Ok(())
}

async fn page(app: &App, after: &str) -> Result<Vec<FleetRow>, StoreError> {
    let mut connection = app.connection().await?;
    fleet::list(&mut connection, after, PAGE).await
}

async fn purge(app: &App) -> Result<(), StoreError> {
    let mut connection = app.connection().await?;
    idem::purge(&mut connection, PURGE_LIMIT).await?;
    canaries::forget_old(&mut connection).await?;
    Ok(())
}

async fn one_fleet(app: &App, row: &FleetRow) -> Result<(), StoreError> {
    set_aside::tick(app, row).await?;
    // Before standbys may become ready again.
    canary::tick(app, row).await?;
    debts::tick(app, row).await?;
    standbys::tick(app, row).await?;
    fences::tick(app, row).await
}
