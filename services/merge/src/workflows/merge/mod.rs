//! The merge of a recovered hub with the active one.
//!
//! ```text
//! scan ─ plan ─ REVIEW ─ apply ─ documents ─ verify ─ close
//!   ▲     ▲                │ a key moved         │ hubs differ
//!   └─────┼────────────────┘                     │
//!         └──────────────────────────────────────┘   at most five times
//! ```
//!
//! Durable: `merge.*` and its row in `flow.workflow` ([`State`]). Kept true: every step may run
//! again from any crash point; every write is made under the executor's fence; a merge that gives
//! up leaves what it applied, and the next plan starts from there.

mod apply;
mod close;
mod documents;
mod plan;
mod scan;
mod sources;
mod state;
mod task;
mod trouble;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use hubshift_api::pb::types::StepContext;
use hubshift_domain::id::FleetId;
use hubshift_flow::{Next, Progress, StepCx, StepError, Workflow};
use hubshift_store::{StoreError, Tx, commit};

pub(crate) use state::{State, Step};

use crate::app::App;
use crate::plan::Subject;
use crate::store::merge;

/// How often a plan that waits for review looks whether it was approved; an approval wakes it.
const LOOK: Duration = Duration::from_secs(1);
/// Planned again at most so often.
const ROUNDS: i32 = 5;

/// Runs merges.
#[derive(Debug, Clone)]
pub(crate) struct MergeFlow {
    app: Arc<App>,
}

impl MergeFlow {
    /// A runner over these parts.
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    fn subject<'a>(&'a self, state: &'a State, cx: &'a StepCx) -> Subject<'a> {
        Subject {
            merge_id: cx.workflow_id,
            fleet: &cx.fleet_id,
            primary: &state.primary,
            secondary: &state.secondary,
            is_rewound: state.is_rewound,
            policy: &self.app.policy,
        }
    }

    /// Until a person approved the plan.
    async fn review(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        let mut connection = self.app.pool.acquire().await.map_err(StoreError::from)?;
        let row = merge::get(&mut connection, &cx.fleet_id, cx.workflow_id).await?;
        match row.as_ref().map(|row| row.state.as_str()) {
            Some("planned" | "planning") => Ok(Progress::Wait(LOOK)),
            Some("applying" | "verifying") => {
                state.is_approved = true;
                Ok(Progress::Done)
            }
            _ => Err(StepError::rejected(
                "SUPERSEDED",
                "a new plan took its place",
            )),
        }
    }

    /// Whatever happened: the merge is over, and says why.
    async fn give_up(&self, cx: &StepCx) -> Result<(), StepError> {
        let mut tx = guarded(cx).await?;
        let status = hubshift_flow::get(&mut tx, cx.workflow_id).await?;
        let why = status.and_then(|status| status.failure);
        let (reason, message) = why.unwrap_or_else(|| ("GAVE_UP".to_owned(), String::new()));
        merge::fail(&mut tx, cx.workflow_id, &reason, &message).await?;
        commit(tx).await?;
        Ok(())
    }
}

impl Workflow for MergeFlow {
    const KIND: &'static str = "merge";
    type Step = Step;
    type State = State;

    fn next(&self, done: Step, state: &State) -> Next<Step> {
        Next::Step(match done {
            Step::Scan => Step::Plan,
            Step::Plan if state.is_approved => Step::Apply,
            Step::Plan => Step::Review,
            Step::Review => Step::Apply,
            Step::Apply if state.goes_back => Step::Scan,
            Step::Apply => Step::Documents,
            Step::Documents => Step::Verify,
            Step::Verify if state.goes_back => Step::Plan,
            Step::Verify => Step::Close,
            Step::Close => return Next::Finish,
        })
    }

    fn max_attempts(&self, step: Step) -> u32 {
        match step {
            Step::Scan | Step::Plan | Step::Review => 30,
            // What was begun is worth a long outage.
            Step::Apply | Step::Documents | Step::Verify | Step::Close => 300,
        }
    }

    async fn run(&self, step: Step, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        match step {
            Step::Scan => self.scan(state, cx).await,
            Step::Plan => self.plan(state, cx).await,
            Step::Review => self.review(state, cx).await,
            Step::Apply => self.apply(state, cx).await,
            Step::Documents => self.documents(state, cx).await,
            Step::Verify => self.verify(state, cx).await,
            Step::Close => self.close(state, cx).await,
        }
    }

    async fn undo(&self, _step: Step, _state: &mut State, cx: &StepCx) -> Result<(), StepError> {
        self.give_up(cx).await
    }
}

/// On whose behalf registry-sync is called.
fn context(state: &State, cx: &StepCx) -> StepContext {
    StepContext {
        operation: merge::name(&cx.fleet_id, cx.workflow_id),
        step: cx.step.clone(),
        lease_gen: cx.fence,
        epoch: state.epoch.0,
    }
}

/// A transaction that nobody else can take over before it is committed.
async fn guarded(cx: &StepCx) -> Result<Tx, StepError> {
    let mut tx = cx.pool.begin().await.map_err(StoreError::from)?;
    cx.guard(&mut tx).await?;
    Ok(tx)
}

fn fleet(cx: &StepCx) -> Result<FleetId, StepError> {
    FleetId::new(cx.fleet_id.as_str()).map_err(|error| StepError::Unknown(error.into()))
}
