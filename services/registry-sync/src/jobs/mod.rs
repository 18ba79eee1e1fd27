//! Import and export jobs of ours at hubs: calls that outlive their deadline.
//!
//! ```text
//! idle ─▶ starting (recorded) ─▶ call ─▶ running ─▶ idle ─▶ … ─▶ ended
//!  ▲          │ refused, or not found once it can't land    │
//!  └──────────┴──────────────────────────────────────────────┘
//! ```
//!
//! Durable: `registry.import_job`, from before the first call. Kept true: a job is only begun under
//! the epoch of its row; one whose start nobody answered counts as running until it can't land any
//! more and the hub, asked for its jobs, does not show it; a hub at which one is open is never said
//! to hold everything; what a job leaves in the container is removed, for it holds keys.

mod close;
mod files;
mod start;
#[cfg(test)]
mod tests;
mod tidy;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use hubshift_domain::id::{FleetId, HubId};
use hubshift_hub::{BulkHub, Hub, HubError, Rejection};

use crate::budget::Lane;
use crate::deps::Deps;
use crate::hubs::HubsError;

pub(crate) use close::{CloseError, close, drain};
pub(crate) use files::{FilesError, LOG, clean, container, export_blob, import_blob};
pub(crate) use start::{Ask, Started, start};
pub(crate) use tidy::tidy;
pub(crate) use watch::{Standing, found, standing};

/// The longest that is waited between two looks at a hub.
pub(crate) const LONGEST_LOOK: Duration = Duration::from_secs(10);

/// With what a hub's jobs are worked with.
pub(crate) struct JobCx<'a> {
    pub(crate) deps: &'a Deps,
    pub(crate) fleet: &'a FleetId,
    pub(crate) hub_id: &'a HubId,
    pub(crate) hub: Arc<dyn Hub>,
}

impl<'a> JobCx<'a> {
    /// Jobs of one hub.
    pub(crate) async fn new(
        deps: &'a Deps,
        fleet: &'a FleetId,
        hub_id: &'a HubId,
    ) -> Result<Self, HubsError> {
        let hub = deps.hubs.get(fleet, hub_id, Lane::Task).await?;
        Ok(Self {
            deps,
            fleet,
            hub_id,
            hub,
        })
    }

    /// The hub's way through jobs.
    fn bulk(&self) -> Result<&dyn BulkHub, HubError> {
        let none = || Rejection::Invalid("the hub has no import and export jobs".to_owned());
        self.hub.bulk().ok_or_else(|| none().into())
    }
}

/// A span of the hub's time in ours, as its quotas are counted.
pub(crate) fn scaled(deps: &Deps, span: Duration) -> Duration {
    let seconds = span.as_secs_f64() / deps.config.hub_budget_speed;
    Duration::try_from_secs_f64(seconds).unwrap_or(span)
}
