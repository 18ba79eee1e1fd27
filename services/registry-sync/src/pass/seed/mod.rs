//! Seeding: what a standby lacks is made by import jobs, where that is quicker than by calls.
//!
//! ```text
//! Decide ─▶ Open ─▶ Write (a file) ─▶ Import ─▶ WatchImport ─▶ Log ─┬▶ Export ─▶ WatchExport
//!                     ▲                                            │               │
//!                     └────────────── the next file ───────────────┘               ▼
//!                                              Over ◀─ Clean ◀─ Base ◀─ Observe (what is there now)
//! ```
//!
//! Jobs only make devices, those that hang below nothing; what they did not make follows by calls.
//! What is there then is read from an export, keys included: one job instead of a call a device.
//! Whatever goes wrong leads to Clean, and calls do the rest.
//!
//! Durable: `registry.import_job` ([`crate::jobs`]), and the place here, in the state of the
//! workflow. Kept true: only a hub in state `syncing` is seeded, under the epoch of the pass; a line
//! never overwrites what is there; the state that names a job is stored before there is any such
//! job, and its row before the hub is asked.

mod base;
mod decide;
mod failed;
mod observe;
mod place;
mod work;
mod write;

use std::time::Duration;

use hubshift_domain::hub_state::HubState;
use hubshift_domain::id::HubId;
use hubshift_flow::StepError;
use uuid::Uuid;

use super::{Pass, PassCx, Phase};
use crate::authority::{self, FleetView};
use crate::jobs::{self, JobCx};
use crate::store::import_job::{self, ENDED, JobRow};
use crate::workflows::scan::gone;
use crate::workflows::trouble::{Turn, close_failed};

pub(super) use place::Seed;

use place::Stage;

/// What a turn of a seeding works with.
struct Run<'a> {
    cx: &'a PassCx<'a>,
    jobs: JobCx<'a>,
    row: JobRow,
    view: FleetView,
}

impl Run<'_> {
    /// From when a call is recorded until nothing of it can land any more.
    fn deadline(&self) -> Duration {
        let hub = self.view.hub(self.jobs.hub_id);
        hub.map(|hub| hub.call_deadline).unwrap_or_default()
    }
}

impl Pass {
    /// Makes no use of jobs.
    pub(crate) fn by_calls(self) -> Self {
        Self {
            seed: Seed::over(),
            ..self
        }
    }

    /// One turn of one stage.
    pub(super) async fn seed(&mut self, cx: &PassCx<'_>) -> Result<Turn, StepError> {
        let job = match (self.seed.stage, self.seed.job) {
            (Stage::Over, _) => {
                self.phase = Phase::Apply;
                return Ok(Turn::More);
            }
            (Stage::Open, Some(job)) => return Box::pin(self.open(cx, job)).await,
            (Stage::Decide, _) | (_, None) => return Box::pin(self.decide(cx)).await,
            (_, Some(job)) => job,
        };
        let target = self.target.clone();
        let Some(run) = run(cx, &target, job).await? else {
            tracing::info!(fleet = %cx.fleet, hub = %target, %job, "closed by others");
            self.seed.stage = Stage::Over;
            return Ok(Turn::More);
        };
        let state = run.view.hub(&target).map(|hub| hub.state);
        if run.view.epoch != self.epoch || state != Some(HubState::Syncing) {
            self.seed.stage = Stage::Clean;
        }
        Box::pin(self.stage(&run)).await
    }

    async fn stage(&mut self, run: &Run<'_>) -> Result<Turn, StepError> {
        match self.seed.stage {
            Stage::Write => Box::pin(self.write_file(run)).await,
            Stage::Import => Box::pin(self.ask(run, false)).await,
            Stage::WatchImport => Box::pin(self.watch(run, false)).await,
            Stage::Log => Box::pin(self.read_log(run)).await,
            Stage::Export => Box::pin(self.ask(run, true)).await,
            Stage::WatchExport => Box::pin(self.watch(run, true)).await,
            Stage::Observe => Box::pin(self.observe(run)).await,
            Stage::Base => self.advance_bases(run).await,
            Stage::Clean => self.clean(run).await,
            Stage::Decide | Stage::Open | Stage::Over => Ok(Turn::More),
        }
    }

    /// Nothing of the job stays, at the hub or in the container.
    async fn clean(&mut self, run: &Run<'_>) -> Result<Turn, StepError> {
        match jobs::close(&run.jobs, &run.row, true).await {
            Ok(None) => {
                self.seed.stage = Stage::Over;
                Ok(Turn::More)
            }
            Ok(Some(wait)) => Ok(Turn::Pause(wait)),
            Err(error) => close_failed(error, run.cx.attempt),
        }
    }
}

/// Says that the job is worked with; nothing when it is over.
async fn run<'a>(
    cx: &'a PassCx<'a>,
    target: &'a HubId,
    job: Uuid,
) -> Result<Option<Run<'a>>, StepError> {
    let pool = &cx.deps.pool;
    import_job::touch(pool, job).await?;
    let row = import_job::get(pool, job).await?;
    let Some(row) = row.filter(|row| row.state != ENDED) else {
        return Ok(None);
    };
    let view = authority::fleet(pool, cx.fleet).await?;
    let view = view.ok_or_else(|| gone(cx.fleet))?;
    let jobs = JobCx::new(cx.deps, cx.fleet, target).await?;
    Ok(Some(Run {
        cx,
        jobs,
        row,
        view,
    }))
}
