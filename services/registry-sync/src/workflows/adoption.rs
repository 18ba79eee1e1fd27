//! Task `adoption`: what an operator ordered about the extras of a plan, batch by batch.
//!
//! ```text
//! Begin (the plan is this task's) ─▶ Apply (a batch; again until every extra has an outcome)
//! ```
//!
//! Where it is stands in the rows of the extras: a task that is broken off is gone on with, or
//! another one is, and neither does twice what has an outcome.

use std::sync::Arc;

use hubshift_flow::{Next, Progress, StepCx, StepError, Workflow};
use hubshift_store::{StoreError, commit};
use serde::{Deserialize, Serialize};

use super::report::{Report, TaskResult, count};
use super::trouble::Turn;
use crate::app::adoption::{AdoptionError, Order, batch, begin, name, result};
use crate::deps::Deps;
use crate::store;
use crate::store::adoption::extra;

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Whether it may be, and what is to become of every extra.
    Begin,
    /// Batch by batch.
    Apply,
}

/// What it remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) order: Order,
    pub(crate) report: Report,
}

/// The workflow.
pub(crate) struct AdoptionTask(pub(crate) Arc<Deps>);

impl Workflow for AdoptionTask {
    const KIND: &'static str = "adoption";
    type Step = Step;
    type State = State;

    fn next(&self, done: Step, _state: &State) -> Next<Step> {
        match done {
            Step::Begin => Next::Step(Step::Apply),
            Step::Apply => Next::Finish,
        }
    }

    async fn run(&self, step: Step, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        match step {
            Step::Begin => {
                begin(&self.0, &state.order, cx).await?;
                Ok(Progress::Done)
            }
            Step::Apply => {
                let turn = batch(&self.0, &state.order, cx, &mut state.report).await?;
                if turn == Turn::Over {
                    self.close(state, cx).await?;
                }
                Ok(turn.into())
            }
        }
    }
}

impl AdoptionTask {
    /// Every extra has its outcome.
    async fn close(&self, state: &mut State, cx: &StepCx) -> Result<(), StepError> {
        let Order {
            fleet,
            hub,
            adoption,
            ..
        } = &state.order;
        let mut tx = self.0.pool.begin().await.map_err(StoreError::from)?;
        cx.guard(&mut tx).await?;
        store::adoption::applied(&mut *tx, *adoption, cx.workflow_id).await?;
        let row = store::adoption::get(&mut *tx, fleet, hub, *adoption).await?;
        let row = row.ok_or_else(|| AdoptionError::NotFound(hub.clone()))?;
        let outcomes = extra::outcomes(&mut *tx, *adoption).await?;
        commit(tx).await?;
        state.report.scanned = count(row.extra_count);
        state.report.written = count(outcomes.quarantined + outcomes.deleted);
        let plan = name(fleet, hub, *adoption);
        let result = result(plan, row.extra_count, outcomes);
        state.report.result = Some(TaskResult::Adoption(result));
        Ok(())
    }
}
