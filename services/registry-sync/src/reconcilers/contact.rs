//! Calls hubs that nobody else calls, so that it is known whether they answer: a hub that returns
//! is noticed, though nothing may be written to it yet.

use std::time::Duration;

use futures::future::join_all;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_store::StoreError;

use crate::budget::Lane;
use crate::config::Config;
use crate::deps::Deps;
use crate::store;

/// The longest time between two calls of a quiet hub.
const LONGEST: Duration = Duration::from_secs(15);

/// What a tick did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Hubs that were called.
    pub(crate) called: usize,
    /// Those of them that answered.
    pub(crate) answered: usize,
}

/// How often quiet hubs are called.
pub(crate) fn interval(config: &Config) -> Duration {
    config.sync_interval.min(LONGEST)
}

/// Calls every hub that is quiet or did not answer last time; the calls note how they went.
pub(crate) async fn tick(deps: &Deps) -> Result<Summary, StoreError> {
    let quiet = interval(&deps.config).as_secs_f64();
    let hubs = store::connection::silent(&deps.pool, quiet).await?;
    let calls = hubs.into_iter().map(|(fleet, hub)| call(deps, fleet, hub));
    let answers = join_all(calls).await;
    let answered = answers.iter().filter(|answered| **answered).count();
    Ok(Summary {
        called: answers.len(),
        answered,
    })
}

async fn call(deps: &Deps, fleet: String, hub: String) -> bool {
    let (Ok(fleet), Ok(hub)) = (FleetId::new(fleet), HubId::new(hub)) else {
        return false;
    };
    match deps.hubs.get(&fleet, &hub, Lane::Routine).await {
        Ok(connected) => connected.statistics().await.done().is_some(),
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(%fleet, %hub, error, "hub not called");
            false
        }
    }
}
