//! Task `verify`: two hubs read afresh and compared, digest and records.

use std::sync::Arc;
use std::time::Duration;

use hubshift_domain::hub_state::HubState;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::{Next, Progress, StepCx, StepError, Workflow};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::report::{Report, TaskResult, VerifyResult, count};
use super::scan::gone;
use super::trouble::Turn;
use crate::authority::{self, FleetView};
use crate::budget::Lane;
use crate::deps::Deps;
use crate::scan::{Options, Scan, ScanCx};
use crate::store;
use crate::store::compare::Comparison;
use crate::store::left_out::LeftOut;
use crate::store::replication::Reign;

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Until a listing can't be older than what is to be proved.
    Wait,
    /// The source is read.
    ReadSource,
    /// The target is read.
    ReadTarget,
    /// Both are compared.
    Compare,
}

/// What it remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) fleet: FleetId,
    pub(crate) source: HubId,
    pub(crate) target: HubId,
    /// Reads begin `read_lag` after this time.
    pub(crate) read_after: Option<OffsetDateTime>,
    pub(crate) full: bool,
    pub(crate) source_scan: Option<Scan>,
    pub(crate) target_scan: Option<Scan>,
    pub(crate) report: Report,
}

/// The workflow.
pub(crate) struct VerifyTask(pub(crate) Arc<Deps>);

impl Workflow for VerifyTask {
    const KIND: &'static str = "verify";
    type Step = Step;
    type State = State;

    fn next(&self, done: Step, _state: &State) -> Next<Step> {
        match done {
            Step::Wait => Next::Step(Step::ReadSource),
            Step::ReadSource => Next::Step(Step::ReadTarget),
            Step::ReadTarget => Next::Step(Step::Compare),
            Step::Compare => Next::Finish,
        }
    }

    async fn run(&self, step: Step, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        match step {
            Step::Wait => self.wait(state).await,
            Step::ReadSource => self.read(state, cx, true).await,
            Step::ReadTarget => self.read(state, cx, false).await,
            Step::Compare => self.compare(state).await,
        }
    }
}

impl VerifyTask {
    async fn view(&self, fleet: &FleetId) -> Result<FleetView, StepError> {
        authority::fleet(&self.0.pool, fleet)
            .await?
            .ok_or_else(|| gone(fleet))
    }

    async fn wait(&self, state: &mut State) -> Result<Progress, StepError> {
        let view = self.view(&state.fleet).await?;
        let lag = |hub: &HubId| view.hub(hub).map(|hub| hub.read_lag).unwrap_or_default();
        let lag = lag(&state.source).max(lag(&state.target));
        if let Some(left) = left(state.read_after, lag, view.now) {
            return Ok(Progress::Wait(left));
        }
        let options = Options {
            full: state.full,
            ..Options::default()
        };
        let scan = |hub: &HubId| Scan::new(hub.clone(), view.epoch, options, view.now);
        state.source_scan = Some(scan(&state.source));
        state.target_scan = Some(scan(&state.target));
        Ok(Progress::Done)
    }

    async fn read(
        &self,
        state: &mut State,
        cx: &StepCx,
        is_source: bool,
    ) -> Result<Progress, StepError> {
        let scan_cx = ScanCx {
            deps: &self.0,
            fleet: &state.fleet,
            lane: Lane::Task,
            attempt: cx.attempt,
        };
        let scan = if is_source {
            &mut state.source_scan
        } else {
            &mut state.target_scan
        };
        let Some(scan) = scan else { return Err(lost()) };
        let turn: Turn = scan.advance(&scan_cx).await?;
        let scans = state.source_scan.iter().chain(&state.target_scan);
        state.report.scanned = scans.clone().map(|scan| scan.scanned).sum();
        state.report.calls = scans.map(|scan| scan.calls).sum();
        Ok(turn.into())
    }

    async fn compare(&self, state: &mut State) -> Result<Progress, StepError> {
        let (pool, fleet) = (&self.0.pool, state.fleet.as_str());
        let (source, target) = (state.source.as_str(), state.target.as_str());
        let read_time = state
            .source_scan
            .as_ref()
            .map(Scan::start_time)
            .ok_or_else(lost)?;
        let found = store::compare::compare(pool, fleet, source, target).await?;
        let left_out = store::left_out::find(pool, fleet, source, target).await?;
        let is_equal = found.differing_count == 0;
        if is_equal {
            self.note(state, read_time).await?;
        }
        let word = if is_equal { "equal" } else { "different" };
        state.report.result = Some(TaskResult::Verify(result(found, left_out, read_time)));
        Ok(Progress::DoneWith(word.to_owned()))
    }

    /// A standby that is equal to its authority is said to be so.
    async fn note(&self, state: &State, read_time: OffsetDateTime) -> Result<(), StepError> {
        let view = self.view(&state.fleet).await?;
        let standby = view.hub(&state.target).map(|hub| hub.state);
        let is_standby = matches!(standby, Some(HubState::Syncing | HubState::Ready));
        if view.active_hub != state.source || !is_standby {
            return Ok(());
        }
        // That two hubs show the same says little when one of them lost what was acknowledged.
        let (fleet, source) = (state.fleet.as_str(), state.source.as_str());
        if store::scan::was_rewound(&self.0.pool, fleet, source).await? {
            return Ok(());
        }
        let reign = Reign {
            fleet: state.fleet.as_str(),
            source: state.source.as_str(),
            target: state.target.as_str(),
            epoch: view.epoch.as_i64(),
        };
        let lag = view
            .hub(&state.source)
            .map(|hub| hub.read_lag)
            .unwrap_or_default();
        store::replication::advance(&self.0.pool, reign, read_time - lag).await?;
        store::replication::verified(&self.0.pool, reign, read_time).await?;
        Ok(())
    }
}

/// How long until a listing that is asked for shows everything up to `read_after`.
fn left(
    read_after: Option<OffsetDateTime>,
    lag: Duration,
    now: OffsetDateTime,
) -> Option<Duration> {
    let left = read_after? + lag - now;
    Duration::try_from(left).ok().filter(|left| !left.is_zero())
}

fn lost() -> StepError {
    StepError::Unknown(anyhow::anyhow!(
        "the scans of this task are not in its state"
    ))
}

fn result(found: Comparison, left_out: LeftOut, read_time: OffsetDateTime) -> VerifyResult {
    VerifyResult {
        equal: found.differing_count == 0,
        source_count: count(found.source_count),
        target_count: count(found.target_count),
        source_digest: found.source_digest.to_string(),
        target_digest: found.target_digest.to_string(),
        differing: found.differing,
        differing_count: count(found.differing_count),
        read_time,
        left_out_count: left_out.count,
        left_out: left_out.named,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_wait_for_the_lag_after_the_time_that_counts() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(100);
        let (lag, freeze) = (Duration::from_secs(30), now - Duration::from_secs(10));
        assert_eq!(left(Some(freeze), lag, now), Some(Duration::from_secs(20)));
        assert_eq!(left(Some(freeze), Duration::from_secs(10), now), None);
        assert_eq!(left(None, lag, now), None);
    }
}
