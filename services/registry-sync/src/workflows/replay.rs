//! Task `replay`: journaled writes that the new active hub is not known to hold are repeated there,
//! under the new epoch and before the registry opens. The journal is ours: no source is needed.
//!
//! A write that nobody acknowledged is not repeated: who asked for it asks again, with the same
//! request id, and it then happens at the new active hub.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::Purpose;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::{Next, Progress, StepCx, StepError, Workflow};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::report::{PassResult, Report, TaskResult, count};
use super::scan::gone;
use super::trouble::{Brake, close_failed, settle_failed};
use crate::authority::{self, FleetView};
use crate::deps::Deps;
use crate::intent;
use crate::jobs;
use crate::pass::judge;
use crate::scan::CONCURRENCY;
use crate::store;
use crate::write::WriteCx;

mod repeat;

use repeat::{Effect, Repeated, repeat};

/// Writes in a batch.
const BATCH: i64 = 200;
/// How often the rest is tried again.
const MAX_ROUNDS: u32 = 5;
/// How long to wait for what was in the way.
const PAUSE: Duration = Duration::from_millis(200);

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// The epoch is the one that the caller acts under.
    Begin,
    /// No job of ours is at the hub any more, and every older intent there gets an outcome.
    Settle,
    /// The writes are repeated.
    Repeat,
}

/// What it remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) fleet: FleetId,
    pub(crate) target: HubId,
    /// The epoch that the caller acts under.
    pub(crate) epoch: Epoch,
    /// When that epoch was committed.
    pub(crate) commit_time: Option<OffsetDateTime>,
    /// The last device of this round.
    pub(crate) after: String,
    pub(crate) rounds: u32,
    pub(crate) done: PassResult,
    pub(crate) report: Report,
}

/// The workflow.
pub(crate) struct ReplayTask(pub(crate) Arc<Deps>);

impl Workflow for ReplayTask {
    const KIND: &'static str = "replay";
    type Step = Step;
    type State = State;

    fn next(&self, done: Step, _state: &State) -> Next<Step> {
        match done {
            Step::Begin => Next::Step(Step::Settle),
            Step::Settle => Next::Step(Step::Repeat),
            Step::Repeat => Next::Finish,
        }
    }

    async fn run(&self, step: Step, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        match step {
            Step::Begin => self.begin(state).await,
            Step::Settle => self.settle(state, cx).await,
            Step::Repeat => self.repeat(state, cx).await,
        }
    }
}

impl ReplayTask {
    async fn view(&self, state: &State) -> Result<FleetView, StepError> {
        let view = authority::fleet(&self.0.pool, &state.fleet).await?;
        let view = view.ok_or_else(|| gone(&state.fleet))?;
        if view.epoch != state.epoch || view.active_hub != state.target {
            let message = format!("epoch {} of hub {} is over", state.epoch, state.target);
            return Err(StepError::rejected("EPOCH_MOVED", message));
        }
        Ok(view)
    }

    async fn begin(&self, state: &mut State) -> Result<Progress, StepError> {
        state.commit_time = Some(self.view(state).await?.update_time);
        Ok(Progress::Done)
    }

    async fn settle(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        match jobs::drain(&self.0, &state.fleet, &state.target).await {
            Err(error) => return close_failed(error, cx.attempt).map(Progress::from),
            Ok(Some(wait)) => return Ok(Progress::Wait(wait)),
            Ok(None) => {}
        }
        match intent::settle(&self.0, &state.fleet, &state.target, None).await {
            Err(error) => settle_failed(error, cx.attempt).map(Progress::from),
            Ok(settled) => Ok(settled.wait.map_or(Progress::Done, Progress::Wait)),
        }
    }

    async fn repeat(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        let view = self.view(state).await?;
        let pool = &self.0.pool;
        let (fleet, target) = (state.fleet.as_str(), state.target.as_str());
        let epoch = state.epoch.as_i64();
        let writes =
            store::replay::candidates(pool, fleet, target, epoch, &state.after, BATCH).await?;
        if writes.is_empty() {
            return self.end_round(state).await;
        }
        let devices: Vec<String> = writes.iter().map(|write| write.device_id.clone()).collect();
        let bases = store::base::get_many(pool, fleet, target, &devices).await?;
        let writer = self.0.writer(&view, &state.target, Purpose::Replay).await?;
        let mut repeated = repeat_all(&writer, writes, &bases, cx.attempt).await?;
        let pause = until_pause(&mut repeated);
        let outcomes: Vec<_> = repeated
            .iter()
            .filter_map(|one| one.outcome.as_ref())
            .collect();
        judge(&outcomes, cx.attempt)?;
        let gone: Vec<String> = repeated
            .iter()
            .filter(|one| matches!(one.effect, Effect::Gone | Effect::Deleted))
            .map(|one| one.device.clone())
            .collect();
        store::tombstone::acknowledge(pool, fleet, target, &gone).await?;
        add(&mut state.done, &repeated);
        state.report.calls += repeated.len() as u64 * 2;
        state.report.scanned += repeated.len() as u64;
        state.report.written = state.done.created + state.done.updated + state.done.deleted;
        if let Some(last) = repeated.pop() {
            state.after = last.device;
        }
        Ok(Progress::Wait(pause))
    }

    /// What did not come through is tried again, a few times.
    async fn end_round(&self, state: &mut State) -> Result<Progress, StepError> {
        state.rounds += 1;
        if state.done.pending > 0 && state.rounds < MAX_ROUNDS {
            state.after.clear();
            (state.done.pending, state.done.refused) = (0, 0);
            (state.done.equal, state.report.scanned) = (0, 0);
            return Ok(Progress::Wait(PAUSE));
        }
        let (fleet, target) = (state.fleet.as_str(), state.target.as_str());
        if let Some(since) = state.commit_time {
            let epoch = state.epoch.as_i64();
            let late = store::intent::late_count(&self.0.pool, fleet, target, epoch, since).await?;
            state.done.late_landings = count(late);
        }
        state.done.scanned = state.report.scanned;
        state.report.result = Some(TaskResult::Pass(state.done.clone()));
        Ok(Progress::Done)
    }
}

/// Keeps what was through before the hub asked for a pause, and says how long that is: it is neither
/// a round nor an attempt.
fn until_pause(repeated: &mut Vec<Repeated>) -> Duration {
    let pauses = repeated.iter().filter_map(|one| match one.effect {
        Effect::Throttled(pause) => Some(pause),
        _ => None,
    });
    let pause = pauses.max().unwrap_or_default();
    let first = repeated
        .iter()
        .position(|one| matches!(one.effect, Effect::Throttled(_)));
    repeated.truncate(first.unwrap_or(repeated.len()));
    pause
}

/// Repeats them side by side, and says what came of each in their order.
async fn repeat_all(
    writer: &WriteCx,
    writes: Vec<store::replay::Journaled>,
    bases: &[store::base::Base],
    attempt: u32,
) -> Result<Vec<Repeated>, StepError> {
    let brake = Brake::default();
    let calls: Vec<_> = writes
        .into_iter()
        .map(|write| {
            let base = bases.iter().find(|base| base.device_id == write.device_id);
            let hold = base.and_then(|base| base.hold.clone());
            repeat(writer.clone(), write, hold, attempt, &brake)
        })
        .collect();
    let mut results = futures::stream::iter(calls).buffered(CONCURRENCY);
    let mut repeated = Vec::new();
    while let Some(result) = results.next().await {
        repeated.push(result?);
    }
    Ok(repeated)
}

fn add(done: &mut PassResult, repeated: &[Repeated]) {
    for one in repeated {
        match one.effect {
            Effect::Created => done.created += 1,
            Effect::Updated => done.updated += 1,
            Effect::Deleted => done.deleted += 1,
            Effect::Nothing | Effect::Gone => done.equal += 1,
            Effect::Pending => done.pending += 1,
            Effect::Refused => done.refused += 1,
            Effect::Throttled(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
