//! Tasks `pass` (asked for) and `sync` (the reconciler's): a standby follows the active hub.
//!
//! One pass at a time and standby is enough: a `pass` that is asked for while the reconciler's
//! runs waits for it first. Two at once would only get in each other's way; but a sweep that itself
//! has to wait before it can read on is in nobody's. Where the messages of a day are spent that takes
//! hours, in which the journal's news still have to reach the standby.

use std::sync::Arc;
use std::time::Duration;

use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::{Next, Progress, StepCx, StepError, Workflow};
use hubshift_store::StoreError;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::report::{Report, TaskResult};
use super::scan::gone;
use super::trouble::Turn;
use crate::authority;
use crate::budget::Lane;
use crate::deps::Deps;
use crate::pass::{Depth, Pass, PassCx};

/// How often a running sync is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// The pass gets its time and epoch, when nobody else is at it.
    Begin,
    /// It follows.
    Follow,
}

/// What it remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) fleet: FleetId,
    pub(crate) target: HubId,
    pub(crate) depth: Depth,
    /// Whether an operator accepts an active hub that was restored from an older state.
    #[serde(default)]
    pub(crate) accept_source: bool,
    /// The reconciler's pass that this one waits for.
    #[serde(default)]
    pub(crate) waits_for: Option<Uuid>,
    pub(crate) pass: Option<Pass>,
    pub(crate) report: Report,
}

impl State {
    /// A pass that has not begun.
    pub(crate) fn new(fleet: FleetId, target: HubId, depth: Depth) -> Self {
        let report = Report::default();
        Self {
            fleet,
            target,
            depth,
            accept_source: false,
            waits_for: None,
            pass: None,
            report,
        }
    }
}

/// What at most one `sync` may run for; light passes are apart from sweeps.
pub(crate) fn subject(fleet: &FleetId, target: &HubId, depth: Depth) -> String {
    match depth {
        Depth::Light => format!("{fleet}/{target}/light"),
        Depth::Incremental | Depth::Full => format!("{fleet}/{target}"),
    }
}

/// The reconciler's pass that another pass has to wait for.
pub(crate) async fn in_the_way(
    connection: &mut PgConnection,
    fleet: &FleetId,
    target: &HubId,
) -> Result<Option<Uuid>, StoreError> {
    let light = subject(fleet, target, Depth::Light);
    if let Some(light) = hubshift_flow::find_active(connection, SyncTask::KIND, &light).await? {
        return Ok(Some(light));
    }
    let sweep = subject(fleet, target, Depth::Incremental);
    let Some(sweep) = hubshift_flow::find_active(connection, SyncTask::KIND, &sweep).await? else {
        return Ok(None);
    };
    let status = hubshift_flow::get(connection, sweep).await?;
    let is_held = status.is_some_and(|status| is_held(status.data));
    Ok(Some(sweep).filter(|_| !is_held))
}

/// Whether a sweep, by its stored state, has to wait before it can read on.
fn is_held(data: serde_json::Value) -> bool {
    let state: Option<State> = serde_json::from_value(data).ok();
    let pass = state.and_then(|state| state.pass);
    pass.is_some_and(|pass| pass.is_held())
}

/// A pass that somebody asked for.
pub(crate) struct PassTask(pub(crate) Arc<Deps>);

/// A pass of the reconciler.
pub(crate) struct SyncTask(pub(crate) Arc<Deps>);

impl Workflow for PassTask {
    const KIND: &'static str = "pass";
    type Step = Step;
    type State = State;

    fn next(&self, done: Step, _state: &State) -> Next<Step> {
        next(done)
    }

    async fn run(&self, step: Step, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        match step {
            Step::Begin if is_busy(&self.0, state).await? => Ok(Progress::Wait(LOOK)),
            Step::Begin => begin(&self.0, state).await,
            Step::Follow => follow(&self.0, state, cx, Lane::Task).await,
        }
    }
}

impl Workflow for SyncTask {
    const KIND: &'static str = "sync";
    type Step = Step;
    type State = State;

    fn next(&self, done: Step, _state: &State) -> Next<Step> {
        next(done)
    }

    async fn run(&self, step: Step, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        match step {
            Step::Begin => begin(&self.0, state).await,
            Step::Follow => follow(&self.0, state, cx, Lane::Routine).await,
        }
    }
}

fn next(done: Step) -> Next<Step> {
    match done {
        Step::Begin => Next::Step(Step::Follow),
        Step::Follow => Next::Finish,
    }
}

/// Whether the reconciler's pass that ran when this one came is still at it.
async fn is_busy(deps: &Deps, state: &mut State) -> Result<bool, StepError> {
    let mut connection = deps.pool.acquire().await.map_err(StoreError::from)?;
    let active = in_the_way(&mut connection, &state.fleet, &state.target).await?;
    if state.waits_for.is_none() {
        state.waits_for = active;
    }
    Ok(active.is_some() && active == state.waits_for)
}

async fn begin(deps: &Deps, state: &mut State) -> Result<Progress, StepError> {
    let view = authority::fleet(&deps.pool, &state.fleet).await?;
    let view = view.ok_or_else(|| gone(&state.fleet))?;
    let pass = Pass::new(&view, &state.target, state.depth)?;
    state.pass = Some(pass.accepting(state.accept_source));
    Ok(Progress::Done)
}

async fn follow(
    deps: &Deps,
    state: &mut State,
    cx: &StepCx,
    lane: Lane,
) -> Result<Progress, StepError> {
    let Some(pass) = &mut state.pass else {
        return begin(deps, state).await;
    };
    let pass_cx = PassCx {
        deps,
        fleet: &state.fleet,
        lane,
        attempt: cx.attempt,
    };
    let turn = pass.advance(&pass_cx).await?;
    pass.tell(&mut state.report);
    if turn == Turn::Over {
        state.report.result = pass.result().cloned().map(TaskResult::Pass);
    }
    Ok(turn.into())
}
