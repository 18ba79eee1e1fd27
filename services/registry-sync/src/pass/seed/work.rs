//! Asking the hub for an import or an export, and waiting for it.

use std::time::Duration;

use hubshift_domain::hub_state::RegistryMode;
use hubshift_flow::StepError;
use hubshift_store::StoreError;

use super::Run;
use super::decide::{BUSY, LONGEST_BUSY};
use super::place::{FIRST_LOOK, Stage};
use crate::jobs::{
    self, Ask, FilesError, LOG, LONGEST_LOOK, Standing, Started, export_blob, import_blob, scaled,
};
use crate::pass::Pass;
use crate::store::import_job::{self, IDLE, RUNNING, STARTING};
use crate::workflows::trouble::{Turn, hub_failed};

/// A job that runs for longer than this, in seconds, is given up: the largest takes far less.
const LONGEST_RUN: f64 = 6.0 * 3600.0;

impl Pass {
    /// Asks for the next job.
    pub(super) async fn ask(&mut self, run: &Run<'_>, is_export: bool) -> Result<Turn, StepError> {
        if run.row.state != IDLE {
            // It was asked for, and a crash came before that was stored.
            self.seed.asked(is_export, true);
            return Ok(Turn::More);
        }
        if run.view.effective_mode() != RegistryMode::Open {
            return Ok(self.busy(run, is_export, BUSY, "a move of the fleet is under way"));
        }
        // A log that is there already is another job's.
        if !is_export && let Err(error) = forget_log(&run.row.container_ref).await {
            return self.files_failed(run, error, false);
        }
        let job = run.row.job_id;
        let blob = if is_export {
            export_blob(job)
        } else {
            import_blob(job, self.seed.file)
        };
        let ask = Ask {
            epoch: self.epoch,
            is_export,
            blob: &blob,
            deadline: run.deadline(),
        };
        self.calls += 1;
        let first = scaled(run.cx.deps, FIRST_LOOK);
        match jobs::start(&run.jobs, &run.row, &ask).await? {
            Started::Runs => {
                self.seed.asked(is_export, true);
                Ok(Turn::Pause(first))
            }
            Started::Unknown => {
                self.seed.asked(is_export, false);
                Ok(Turn::Pause(first))
            }
            Started::Busy(pause) => Ok(self.busy(run, is_export, pause, "its slot is taken")),
            Started::Refused(why) => {
                self.refused(run, is_export, &why);
                Ok(Turn::More)
            }
            Started::Down(error) => hub_failed(error, run.cx.attempt),
            Started::Closed => {
                self.seed.stage = Stage::Clean;
                Ok(Turn::More)
            }
        }
    }

    /// Waits once more for what is in the way: somebody else's job, a hub that asks to slow down, a
    /// move.
    fn busy(&mut self, run: &Run<'_>, is_export: bool, pause: Duration, why: &str) -> Turn {
        let longest = scaled(run.cx.deps, LONGEST_BUSY);
        if self.seed.is_worth_waiting(run.view.now, longest) {
            return Turn::Pause(scaled(run.cx.deps, pause));
        }
        self.refused(run, is_export, why);
        Turn::More
    }

    fn refused(&mut self, run: &Run<'_>, is_export: bool, why: &str) {
        let (fleet, hub) = (run.cx.fleet.as_str(), run.jobs.hub_id.as_str());
        let what = if is_export { "export" } else { "import" };
        tracing::warn!(
            fleet,
            hub,
            what,
            why,
            "the job comes to nothing, calls do the rest"
        );
        self.seed.give_up(is_export);
    }

    /// Looks at the job that was asked for.
    pub(super) async fn watch(
        &mut self,
        run: &Run<'_>,
        is_export: bool,
    ) -> Result<Turn, StepError> {
        let row = &run.row;
        match (row.state.as_str(), &row.hub_job_id) {
            (STARTING, _) if row.seconds_left > 0.0 => {
                let left = Duration::try_from_secs_f64(row.seconds_left).unwrap_or_default();
                Ok(Turn::Pause(left.min(LONGEST_LOOK)))
            }
            (STARTING, _) => self.find(run, is_export).await,
            (RUNNING, Some(id)) => self.look(run, id, is_export).await,
            // It was over, and a crash came before that was stored.
            _ => {
                self.seed.done(is_export);
                Ok(Turn::More)
            }
        }
    }

    /// Nobody answered, and nothing can land any more: the hub's own list decides.
    async fn find(&mut self, run: &Run<'_>, is_export: bool) -> Result<Turn, StepError> {
        let (pool, job) = (&run.cx.deps.pool, run.row.job_id);
        self.calls += 1;
        let found = match jobs::found(&run.jobs, job, &run.row.blob).await {
            Ok(found) => found,
            Err(error) => return hub_failed(error, run.cx.attempt),
        };
        match found {
            Some((id, Standing::Runs)) => {
                import_job::running(pool, job, &id).await?;
            }
            Some((_, Standing::Completed)) => {
                import_job::rest(pool, job, STARTING, None).await?;
                self.seed.done(is_export);
            }
            Some((_, Standing::Lost(_))) | None => {
                import_job::rest(pool, job, STARTING, None).await?;
                if !self.seed.not_begun(is_export) {
                    let (fleet, hub) = (run.cx.fleet.as_str(), run.jobs.hub_id.as_str());
                    tracing::warn!(fleet, hub, "the hub answers no start of a job");
                }
            }
        }
        Ok(Turn::More)
    }

    async fn look(&mut self, run: &Run<'_>, id: &str, is_export: bool) -> Result<Turn, StepError> {
        self.calls += 1;
        let standing = match jobs::standing(&run.jobs, id).await {
            Ok(standing) => standing,
            Err(error) => return hub_failed(error, run.cx.attempt),
        };
        match standing {
            Standing::Runs if run.row.seconds_run > LONGEST_RUN => {
                tracing::warn!(hub = %run.jobs.hub_id, "a job does not end, and is given up");
                self.seed.stage = Stage::Clean;
                Ok(Turn::More)
            }
            Standing::Runs => {
                let pause = self.seed.next_look(LONGEST_LOOK);
                Ok(Turn::Pause(scaled(run.cx.deps, pause)))
            }
            Standing::Completed => {
                is_over(run, id).await?;
                self.seed.done(is_export);
                Ok(Turn::Pause(Duration::ZERO))
            }
            Standing::Lost(why) => {
                is_over(run, id).await?;
                self.refused(run, is_export, &why);
                Ok(Turn::Pause(Duration::ZERO))
            }
        }
    }
}

/// Notes that nothing of the job is at the hub any more.
async fn is_over(run: &Run<'_>, id: &str) -> Result<(), StoreError> {
    import_job::rest(&run.cx.deps.pool, run.row.job_id, RUNNING, Some(id)).await?;
    Ok(())
}

async fn forget_log(container_ref: &str) -> Result<(), FilesError> {
    Ok(jobs::container(container_ref)?.delete(LOG).await?)
}
