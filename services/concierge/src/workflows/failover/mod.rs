//! The failover: a fleet's authority moves from one hub to another.
//!
//! ```text
//! precheck ─ snapshot ─ freeze ─ drain ─ verify ─ COMMIT ─ publish ─ settle ─ replay ─ fence ─
//! open ─ observe ─ reverse_sync ─ close
//!                    ◀── undo: thaw ──┤ │ ── only forward ──▶
//! ```
//!
//! Durable: its row in `flow.workflow` ([`State`]), and `concierge.epoch`, which proves a commit.
//! Kept true: every step may run again from any crash point; every write to the authority is made
//! under the executor's fence; every remote call carries operation, step, lease and epoch.

mod close;
mod commit;
mod compare;
mod fence;
mod freeze;
mod observe;
mod open;
mod precheck;
mod publish;
mod replay;
mod reverse_sync;
mod settle;
mod snapshot;
mod state;
mod task;

use std::sync::Arc;

use hubshift_domain::failover::{self, Step};
use hubshift_flow::{Next, Progress, StepCx, StepError, Workflow};
use hubshift_store::Tx;

pub(crate) use state::{Report, State};

use crate::app::App;
use crate::store::failover as rows;

/// The stored name of the workflow.
pub(crate) const KIND: &str = "failover";

/// Runs failovers.
#[derive(Debug, Clone)]
pub(crate) struct Failover {
    app: Arc<App>,
}

impl Failover {
    /// A runner over these parts.
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { app }
    }
}

impl Workflow for Failover {
    const KIND: &'static str = KIND;
    type Step = Step;
    type State = State;

    fn next(&self, done: Step, state: &State) -> Next<Step> {
        match failover::next(state.kind, done, state.source_needs_merge) {
            Some(step) => Next::Step(step),
            None => Next::Finish,
        }
    }

    fn is_past_no_return(&self, step: Step) -> bool {
        step.is_past_no_return()
    }

    /// A commit whose outcome is unknown is never given up: giving up would undo what may have
    /// happened.
    fn max_attempts(&self, step: Step) -> u32 {
        if step == Step::Commit {
            i32::MAX.unsigned_abs()
        } else {
            30
        }
    }

    async fn run(&self, step: Step, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        match step {
            Step::Precheck => self.precheck(state, cx).await,
            Step::Snapshot => self.snapshot(state, cx).await,
            Step::Freeze => self.freeze(state, cx).await,
            Step::Drain => self.drain(state, cx).await,
            Step::Verify => self.verify(state, cx).await,
            Step::Commit => self.commit(state, cx).await,
            Step::Publish => self.publish(state, cx).await,
            Step::Settle => self.settle(state, cx).await,
            Step::Replay => self.replay(state, cx).await,
            Step::Fence => self.fence(state, cx).await,
            Step::Open => self.open(state, cx).await,
            Step::Observe => self.observe(state, cx).await,
            Step::ReverseSync => self.reverse_sync(state, cx).await,
            Step::Close => self.close(state, cx).await,
        }
    }

    async fn undo(&self, step: Step, state: &mut State, cx: &StepCx) -> Result<(), StepError> {
        if step == Step::Freeze {
            self.thaw(state, cx).await
        } else {
            Ok(())
        }
    }
}

/// The resource name of the operation.
fn operation(cx: &StepCx) -> String {
    rows::name(&cx.fleet_id, cx.workflow_id)
}

/// A transaction that nobody else can take over before it is committed.
async fn guarded(cx: &StepCx) -> Result<Tx, StepError> {
    let mut tx = cx
        .pool
        .begin()
        .await
        .map_err(hubshift_store::StoreError::from)?;
    cx.guard(&mut tx).await?;
    Ok(tx)
}

/// What must not be: somebody else moved the fleet while this operation held it.
fn epoch_moved() -> StepError {
    StepError::Unknown(anyhow::anyhow!(
        "the fleet is not in the epoch of this failover; was the database restored?"
    ))
}
