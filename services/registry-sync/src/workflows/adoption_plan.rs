//! Task `adoption_plan`: both hubs scanned, and what they hold written down as a plan.
//!
//! ```text
//! Begin ─▶ Read (the active hub, then the standby) ─▶ Store (the plan, under the task's id)
//! ```

use std::sync::Arc;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::{Next, Progress, StepCx, StepError, Workflow};
use serde::{Deserialize, Serialize};

use super::report::{Report, TaskResult};
use super::scan::gone;
use super::trouble::Turn;
use crate::app::adoption::{Scanned, store_plan};
use crate::authority::{self, FleetView};
use crate::budget::Lane;
use crate::deps::Deps;
use crate::intent::IntentError;
use crate::scan::{Options, Scan, ScanCx};

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// The scans get their time and epoch.
    Begin,
    /// Both hubs are read.
    Read,
    /// The plan is stored.
    Store,
}

/// What it remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) fleet: FleetId,
    /// The standby.
    pub(crate) hub: HubId,
    pub(crate) scans: Option<Scans>,
    pub(crate) report: Report,
}

/// The scans of both hubs, and the epoch that they were begun in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Scans {
    epoch: Epoch,
    source: Scan,
    target: Scan,
}

/// The workflow.
pub(crate) struct AdoptionPlanTask(pub(crate) Arc<Deps>);

impl Workflow for AdoptionPlanTask {
    const KIND: &'static str = "adoption_plan";
    type Step = Step;
    type State = State;

    fn next(&self, done: Step, _state: &State) -> Next<Step> {
        match done {
            Step::Begin => Next::Step(Step::Read),
            Step::Read => Next::Step(Step::Store),
            Step::Store => Next::Finish,
        }
    }

    async fn run(&self, step: Step, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        match step {
            Step::Begin => self.begin(state).await,
            Step::Read => self.read(state, cx).await,
            Step::Store => self.store(state, cx).await,
        }
    }
}

impl AdoptionPlanTask {
    async fn view(&self, state: &State) -> Result<FleetView, StepError> {
        let view = authority::fleet(&self.0.pool, &state.fleet).await?;
        view.ok_or_else(|| gone(&state.fleet))
    }

    async fn begin(&self, state: &mut State) -> Result<Progress, StepError> {
        let view = self.view(state).await?;
        let options = Options {
            is_pinned: true,
            ..Options::default()
        };
        let scan = |hub: &HubId| Scan::new(hub.clone(), view.epoch, options, view.now);
        state.scans = Some(Scans {
            epoch: view.epoch,
            source: scan(&view.active_hub),
            target: scan(&state.hub),
        });
        Ok(Progress::Done)
    }

    async fn read(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        let scan_cx = ScanCx {
            deps: &self.0,
            fleet: &state.fleet,
            attempt: cx.attempt,
            lane: Lane::Task,
        };
        let scans = state.scans.as_mut().ok_or_else(lost)?;
        let turn = match scans.source.advance(&scan_cx).await? {
            Turn::Over => scans.target.advance(&scan_cx).await?,
            turn => turn,
        };
        state.report.scanned = scans.source.scanned + scans.target.scanned;
        state.report.calls = scans.source.calls + scans.target.calls;
        Ok(turn.into())
    }

    /// A plan of a reign that is over would be of no use.
    async fn store(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        let view = self.view(state).await?;
        let scans = state.scans.as_ref().ok_or_else(lost)?;
        if view.epoch != scans.epoch {
            return Err(IntentError::EpochMoved.into());
        }
        let scanned = Scanned {
            source: scans.source.found(),
            target: scans.target.found(),
        };
        let result = Box::pin(store_plan(&self.0, &view, &state.hub, &scanned, cx)).await?;
        state.report.result = Some(TaskResult::Adoption(result));
        Ok(Progress::Done)
    }
}

fn lost() -> StepError {
    StepError::Unknown(anyhow::anyhow!("the state of this plan is not whole"))
}
