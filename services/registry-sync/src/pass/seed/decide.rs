//! Whether a job is quicker, and its row.

use std::time::Duration;

use hubshift_domain::hub_state::{HubState, Purpose, RegistryMode};
use hubshift_domain::seeding::Way;
use hubshift_flow::StepError;
use hubshift_store::{StoreError, commit};
use uuid::Uuid;

use super::place::{Seed, Stage};
use crate::app::pass_plan;
use crate::authority::{self, FleetView};
use crate::intent::IntentError;
use crate::jobs::{self, FilesError};
use crate::pass::{Pass, PassCx};
use crate::store;
use crate::store::import_job::{self, NewJob, ONE_OPEN};
use crate::workflows::scan::gone;
use crate::workflows::trouble::Turn;

/// How often it is looked whether what is in the way is over.
pub(super) const BUSY: Duration = Duration::from_secs(30);
/// How long that is waited for.
pub(super) const LONGEST_BUSY: Duration = Duration::from_secs(3600);

impl Pass {
    /// By a job, or by calls.
    pub(super) async fn decide(&mut self, cx: &PassCx<'_>) -> Result<Turn, StepError> {
        let view = authority::fleet(&cx.deps.pool, cx.fleet).await?;
        let view = view.ok_or_else(|| gone(cx.fleet))?;
        let container = cx
            .deps
            .hubs
            .row(cx.fleet, &self.target)
            .await?
            .job_container_ref;
        if container.is_empty() || !self.may_seed(&view) {
            self.seed.stage = Stage::Over;
            return Ok(Turn::More);
        }
        if let Some(pause) = self.others(cx, &view).await? {
            return Ok(pause);
        }
        let estimate = pass_plan::way(cx.deps, cx.fleet, &self.source, &self.target).await?;
        if estimate.choice == Way::Calls {
            self.seed.stage = Stage::Over;
            return Ok(Turn::More);
        }
        let (fleet, hub) = (cx.fleet.as_str(), self.target.as_str());
        if let Err(error) = check(&container).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                fleet,
                hub,
                error,
                "no job can be run, the standby is filled by calls"
            );
            self.seed.stage = Stage::Over;
            return Ok(Turn::More);
        }
        let job = Uuid::now_v7();
        tracing::info!(fleet, hub, %job, %estimate, "the standby is filled by an import job");
        self.seed = Seed::begin(job);
        // The state is stored before there is anything of this id.
        Ok(Turn::Pause(Duration::ZERO))
    }

    /// Nothing is begun at a hub that a move may go to at any time, nor while one is under way.
    fn may_seed(&self, view: &FleetView) -> bool {
        let state = view.hub(&self.target).map(|hub| hub.state);
        view.epoch == self.epoch
            && state == Some(HubState::Syncing)
            && view.effective_mode() == RegistryMode::Open
    }

    /// Another pass that fills the standby is waited for; calls would only get in its way.
    async fn others(
        &mut self,
        cx: &PassCx<'_>,
        view: &FleetView,
    ) -> Result<Option<Turn>, StepError> {
        let (fleet, hub) = (cx.fleet.as_str(), self.target.as_str());
        if import_job::open_at(&cx.deps.pool, fleet, hub)
            .await?
            .is_none()
        {
            return Ok(None);
        }
        let longest = jobs::scaled(cx.deps, LONGEST_BUSY);
        if self.seed.is_worth_waiting(view.now, longest) {
            return Ok(Some(Turn::Pause(jobs::scaled(cx.deps, BUSY))));
        }
        tracing::warn!(
            fleet,
            hub,
            "another job is not over, the standby is filled by calls"
        );
        self.seed.stage = Stage::Over;
        Ok(Some(Turn::More))
    }

    /// The job gets its row, and the standby is not said to hold everything any more.
    pub(super) async fn open(&mut self, cx: &PassCx<'_>, job: Uuid) -> Result<Turn, StepError> {
        let pool = &cx.deps.pool;
        if import_job::get(pool, job).await?.is_some() {
            self.seed.stage = Stage::Write;
            return Ok(Turn::More);
        }
        let connection = cx.deps.hubs.row(cx.fleet, &self.target).await?;
        let (fleet, hub, epoch) = (cx.fleet.as_str(), self.target.as_str(), self.epoch.as_i64());
        let new = NewJob {
            job_id: job,
            fleet,
            hub,
            epoch,
            container_ref: &connection.job_container_ref,
        };
        let purpose = Purpose::Replicate.as_str();
        let mut tx = pool.begin().await.map_err(StoreError::from)?;
        // Nothing is made in the name of an authority that is over.
        store::authority::assert_intent(&mut tx, fleet, epoch, hub, purpose)
            .await
            .map_err(IntentError::from)?;
        store::replication::forget(&mut *tx, fleet, hub).await?;
        let inserted = import_job::insert(&mut *tx, &new).await;
        self.seed.stage = match inserted {
            Ok(true) => {
                commit(tx).await?;
                Stage::Write
            }
            Ok(false) => Stage::Over,
            // Another pass was faster.
            Err(error) if error.is_constraint(ONE_OPEN) => Stage::Decide,
            Err(error) => return Err(error.into()),
        };
        Ok(Turn::More)
    }
}

async fn check(container: &str) -> Result<(), FilesError> {
    Ok(jobs::container(container)?.check().await?)
}
