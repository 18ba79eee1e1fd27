//! Task `drain`: every write that was begun gets an outcome, and the standby catches up with it.
//!
//! ```text
//! Begin (no job of ours at the standby) ─▶ Settle (no intent and no journaled write without an
//!       outcome) ─▶ Follow (passes until nothing is pending and the watermark is past the beginning)
//! ```

use std::sync::Arc;
use std::time::Duration;

use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::{Next, Progress, StepCx, StepError, Workflow};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::report::{PassResult, Report, TaskResult};
use super::scan::gone;
use super::trouble::{Turn, close_failed, settle_failed};
use crate::authority::{self, FleetView};
use crate::budget::Lane;
use crate::deps::Deps;
use crate::intent;
use crate::jobs;
use crate::pass::{Depth, MASS_DELETE, Pass, PassCx, SOURCE_REWOUND};
use crate::store;

/// How often open writes are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long open writes may stay open beyond twice their deadline.
const PATIENCE: Duration = Duration::from_secs(30);
/// After so many passes that left something pending it will not go away by itself.
const MAX_PASSES: u32 = 10;

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// The time from which on nothing may be missing.
    Begin,
    /// Every write gets an outcome.
    Settle,
    /// The standby catches up.
    Follow,
}

/// What it remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) fleet: FleetId,
    pub(crate) target: HubId,
    /// By the database's clock.
    pub(crate) start_time: Option<OffsetDateTime>,
    pub(crate) pass: Option<Pass>,
    /// Passes that were done.
    pub(crate) passes: u32,
    /// What the passes before the current one did.
    pub(crate) done: PassResult,
    pub(crate) report: Report,
}

/// The workflow.
pub(crate) struct DrainTask(pub(crate) Arc<Deps>);

impl Workflow for DrainTask {
    const KIND: &'static str = "drain";
    type Step = Step;
    type State = State;

    fn next(&self, done: Step, _state: &State) -> Next<Step> {
        match done {
            Step::Begin => Next::Step(Step::Settle),
            Step::Settle => Next::Step(Step::Follow),
            Step::Follow => Next::Finish,
        }
    }

    async fn run(&self, step: Step, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        match step {
            Step::Begin => self.begin(state, cx).await,
            Step::Settle => self.settle(state, cx).await,
            Step::Follow => self.follow(state, cx).await,
        }
    }
}

impl DrainTask {
    async fn view(&self, fleet: &FleetId) -> Result<FleetView, StepError> {
        authority::fleet(&self.0.pool, fleet)
            .await?
            .ok_or_else(|| gone(fleet))
    }

    /// What a job makes at the standby is made before the beginning.
    async fn begin(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        match jobs::drain(&self.0, &state.fleet, &state.target).await {
            Err(error) => return close_failed(error, cx.attempt).map(Progress::from),
            Ok(Some(wait)) => return Ok(Progress::Wait(wait)),
            Ok(None) => {}
        }
        state.start_time = Some(self.view(&state.fleet).await?.now);
        Ok(Progress::Done)
    }

    async fn settle(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        let view = self.view(&state.fleet).await?;
        let source = view.active_hub.clone();
        let mut is_open = false;
        for hub in [&source, &state.target] {
            match intent::settle(&self.0, &state.fleet, hub, state.start_time).await {
                Ok(settled) => is_open |= settled.wait.is_some(),
                Err(error) => return settle_failed(error, cx.attempt).map(Progress::from),
            }
        }
        let (pool, fleet) = (&self.0.pool, state.fleet.as_str());
        let journaled = store::replication::unknown_count_at(pool, fleet, source.as_str()).await?;
        if !is_open && journaled == 0 {
            return Ok(Progress::Done);
        }
        let deadline = self.deadline(&view, [&source, &state.target]).await?;
        let waited = view.now - state.start_time.unwrap_or(view.now);
        if waited > deadline * 2 + PATIENCE {
            let message = format!(
                "writes at {source} have no outcome yet ({journaled} journaled); look whether \
                 the hub answers, then start again"
            );
            return Err(StepError::rejected("INTENTS_OPEN", message));
        }
        Ok(Progress::Wait(LOOK))
    }

    /// From the start of an intent at one of the hubs until nothing of it can land any more.
    async fn deadline(&self, view: &FleetView, hubs: [&HubId; 2]) -> Result<Duration, StepError> {
        let mut longest = Duration::ZERO;
        for hub in hubs {
            let call = view.hub(hub).map(|hub| hub.call_deadline);
            let hub = self.0.hubs.get(&view.fleet, hub, Lane::Task).await?;
            let afterlife = hub.afterlife();
            longest = longest.max(call.unwrap_or_default() + afterlife);
        }
        Ok(longest)
    }

    async fn follow(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        let Some(pass) = &mut state.pass else {
            return self.begin_pass(state).await;
        };
        let pass_cx = PassCx {
            deps: &self.0,
            fleet: &state.fleet,
            lane: Lane::Task,
            attempt: cx.attempt,
        };
        let turn = pass.advance(&pass_cx).await?;
        pass.tell(&mut state.report);
        if turn != Turn::Over {
            return Ok(turn.into());
        }
        let (blocked, troubles) = (pass.blocked().to_owned(), pass.troubles().join(", "));
        let result = pass.result().cloned().unwrap_or_default();
        (state.pass, state.passes) = (None, state.passes + 1);
        state.done = added(&state.done, &result);
        if is_drained(&result, state.start_time) {
            state.report.result = Some(TaskResult::Pass(state.done.clone()));
            return Ok(Progress::Done);
        }
        refuse(&blocked, state.passes, result.pending, &troubles)?;
        Ok(Progress::Wait(LOOK))
    }

    /// A pass, begun late enough for its listings to show all that was there at the beginning.
    async fn begin_pass(&self, state: &mut State) -> Result<Progress, StepError> {
        let view = self.view(&state.fleet).await?;
        let lag = view
            .hub(&view.active_hub)
            .map(|hub| hub.read_lag)
            .unwrap_or_default();
        let from = state.start_time.unwrap_or(view.now) + lag;
        if let Some(left) = Duration::try_from(from - view.now)
            .ok()
            .filter(|left| !left.is_zero())
        {
            return Ok(Progress::Wait(left));
        }
        let pass = Pass::new(&view, &state.target, Depth::Incremental)?;
        state.pass = Some(pass.by_calls());
        Ok(Progress::Wait(Duration::ZERO))
    }
}

/// Whether the standby holds all that the source held when the drain began.
fn is_drained(result: &PassResult, start_time: Option<OffsetDateTime>) -> bool {
    result.pending == 0 && result.watermark.is_some() && result.watermark >= start_time
}

fn refuse(blocked: &str, passes: u32, pending: u64, troubles: &str) -> Result<(), StepError> {
    if blocked == SOURCE_REWOUND {
        let message = "the active hub was restored from an older state; nothing is copied from it; \
                       force the move to the standby, or accept it with `hubshift sync run \
                       --accept-source`";
        return Err(StepError::rejected(SOURCE_REWOUND, message));
    }
    if !blocked.is_empty() {
        let message = "too many devices are gone at the active hub at once; nothing was deleted \
                       at the standby; bring them back, or delete them through DeviceService";
        return Err(StepError::rejected(MASS_DELETE, message));
    }
    if passes >= MAX_PASSES {
        let named = match troubles {
            "" => String::new(),
            troubles => format!(": {troubles}"),
        };
        let message =
            format!("{pending} devices did not reach the standby in {passes} passes{named}");
        return Err(StepError::rejected("PENDING_WRITES", message));
    }
    Ok(())
}

fn added(before: &PassResult, last: &PassResult) -> PassResult {
    PassResult {
        created: before.created + last.created,
        updated: before.updated + last.updated,
        deleted: before.deleted + last.deleted,
        ..last.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_is_over_when_nothing_is_pending_at_a_later_watermark() {
        let start = OffsetDateTime::UNIX_EPOCH;
        let later = start + Duration::from_secs(1);
        let result = |pending, watermark| PassResult {
            pending,
            watermark,
            ..Default::default()
        };
        assert!(is_drained(&result(0, Some(later)), Some(start)));
        assert!(is_drained(&result(0, Some(start)), Some(start)));
        assert!(!is_drained(&result(1, Some(later)), Some(start)));
        assert!(!is_drained(&result(0, None), Some(start)));
        assert!(!is_drained(&result(0, Some(start)), Some(later)));
    }

    #[test]
    fn a_blocked_drain_says_so_at_once_and_a_pending_one_in_the_end() {
        let reason = |result| match result {
            Err(StepError::Rejected { reason, .. }) => reason,
            _ => "",
        };
        assert_eq!(reason(refuse("MASS_DELETE", 1, 9, "")), "MASS_DELETE");
        assert_eq!(reason(refuse("SOURCE_REWOUND", 1, 0, "")), "SOURCE_REWOUND");
        assert_eq!(reason(refuse("", MAX_PASSES - 1, 9, "")), "");
        assert_eq!(reason(refuse("", MAX_PASSES, 9, "")), "PENDING_WRITES");
    }

    #[test]
    fn a_pending_drain_names_what_stands_in_its_way() {
        let Err(StepError::Rejected { message, .. }) =
            refuse("", MAX_PASSES, 1, "d-7 (HUB_REFUSED: too large)")
        else {
            panic!("it is not refused")
        };
        assert!(
            message.ends_with("d-7 (HUB_REFUSED: too large)"),
            "{message}"
        );
    }
}
