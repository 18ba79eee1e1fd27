//! Task `fence`: a hub is shut out through its management plane, or opened again, as
//! `registry.fence` says.
//!
//! ```text
//! look ─▶ decide ─▶ order recorded, under the fleet's authority ─▶ order ─▶ outcome recorded
//!   ▲       │ nothing to do: over                                      │ not known
//!   └───────┴──────────────────────────────────────────────────────────┘
//! ```
//!
//! Durable: the row; the task itself remembers nothing, so that any number of them does no more than
//! one. Kept true: no order is given that is not recorded before; none to shut a hub that the
//! authority does not give away in the transaction that records it; a task that was overtaken
//! records nothing.

use std::sync::Arc;
use std::time::Duration;

use hubshift_domain::fence::{self, Action, FenceState, Seen};
use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::{Next, Progress, StepCx, StepError, Workflow};
use hubshift_hub::{HubError, Rejection};
use hubshift_store::{StoreError, commit};
use serde::{Deserialize, Serialize};

use super::report::Report;
use crate::deps::Deps;
use crate::hubs::{Management, PlaneError};
use crate::intent::IntentError;
use crate::store;
use crate::store::fence::{FenceRow, NewOrder, OrderEnd};

/// How soon an order is looked after whose outcome is not known.
const AGAIN: Duration = Duration::from_secs(2);

/// What the history says of a hub that was shut out.
const SHUT: &str = "hard fence: public access off, keys regenerated";
/// What it says of one that was opened.
const OPEN: &str = "public access is on again, with the keys that the fence made";

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Until the hub is as it should be.
    Work,
}

/// Which hub.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) fleet: FleetId,
    pub(crate) hub: HubId,
    #[serde(default)]
    pub(crate) report: Report,
}

/// The workflow.
pub(crate) struct FenceTask(pub(crate) Arc<Deps>);

impl Workflow for FenceTask {
    const KIND: &'static str = "fence";
    type Step = Step;
    type State = State;

    fn next(&self, done: Step, _state: &State) -> Next<Step> {
        match done {
            Step::Work => Next::Finish,
        }
    }

    /// Whoever wants the fence asks again, and leaves the plane in peace for longer every time.
    fn max_attempts(&self, _step: Step) -> u32 {
        4
    }

    async fn run(&self, step: Step, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        let turned = match step {
            Step::Work => self.turn(state, cx).await,
        };
        if let Err(error @ (StepError::Rejected { .. } | StepError::Unknown(_))) = &turned {
            self.note(state, &error.to_string()).await;
        }
        turned
    }
}

impl FenceTask {
    async fn turn(&self, state: &State, cx: &StepCx) -> Result<Progress, StepError> {
        let (fleet, hub) = (state.fleet.as_str(), state.hub.as_str());
        let row = store::fence::get(&self.0.pool, fleet, hub).await?;
        let Some(row) = row else {
            return Ok(Progress::DoneWith("nobody wants it any more".to_owned()));
        };
        let recorded = row.recorded()?;
        if recorded.state == FenceState::Lifted {
            return Ok(Progress::Done);
        }
        let management = self.0.hubs.management(&state.fleet, &state.hub).await?;
        let seen = match management.look().await {
            Ok(seen) => seen,
            Err(error) => return not_now(error),
        };
        match fence::action(recorded, seen) {
            Action::Rest => {
                self.note(state, "").await;
                Ok(Progress::Done)
            }
            Action::Look(after) => Ok(Progress::Wait(after)),
            Action::Conclude(to) => self.seen(state, cx, &row, to).await,
            Action::Shut => self.shut(state, cx, &row, seen, &management).await,
            Action::Reopen => self.reopen(state, cx, &row, seen, &management).await,
        }
    }

    /// The last order took effect, as the plane shows.
    async fn seen(
        &self,
        state: &State,
        cx: &StepCx,
        row: &FenceRow,
        to: FenceState,
    ) -> Result<Progress, StepError> {
        let from = row.state()?;
        self.conclude(state, cx, row.order_number, from, to, "")
            .await?;
        let word = if to == FenceState::Done { SHUT } else { OPEN };
        Ok(Progress::DoneWith(word.to_owned()))
    }

    async fn shut(
        &self,
        state: &State,
        cx: &StepCx,
        row: &FenceRow,
        seen: Seen,
        management: &Management,
    ) -> Result<Progress, StepError> {
        let becomes = FenceState::Unknown;
        let Some(number) = self.record(state, cx, row, seen, becomes).await? else {
            return Ok(Progress::Wait(Duration::ZERO));
        };
        match management.shut().await.into_result() {
            Ok(fenced) => {
                tracing::warn!(fleet = %state.fleet, hub = %state.hub, policies = fenced.policies.len(),
                    "a hub is shut out: public access is off and its policies have new keys");
                let done = FenceState::Done;
                self.conclude(state, cx, number, becomes, done, "").await?;
                Ok(Progress::DoneWith(SHUT.to_owned()))
            }
            Err(error) => {
                let back = FenceState::Requested;
                self.not_done(state, cx, number, (becomes, back), error)
                    .await
            }
        }
    }

    async fn reopen(
        &self,
        state: &State,
        cx: &StepCx,
        row: &FenceRow,
        seen: Seen,
        management: &Management,
    ) -> Result<Progress, StepError> {
        let becomes = FenceState::Lifting;
        let Some(number) = self.record(state, cx, row, seen, becomes).await? else {
            return Ok(Progress::Wait(Duration::ZERO));
        };
        match management.reopen().await.into_result() {
            // What it gives back has the keys in it: they are forgotten here.
            Ok(_) => {
                tracing::warn!(fleet = %state.fleet, hub = %state.hub,
                    "a hub that was shut out is open again");
                let lifted = FenceState::Lifted;
                self.conclude(state, cx, number, becomes, lifted, "")
                    .await?;
                Ok(Progress::DoneWith(OPEN.to_owned()))
            }
            Err(error) => {
                self.not_done(state, cx, number, (becomes, becomes), error)
                    .await
            }
        }
    }

    /// An order that certainly was not carried out is over; one whose outcome nobody knows is looked
    /// after until it can't take effect any more.
    async fn not_done(
        &self,
        state: &State,
        cx: &StepCx,
        number: i64,
        (from, back): (FenceState, FenceState),
        error: HubError,
    ) -> Result<Progress, StepError> {
        let is_certain = matches!(error, HubError::Rejected(_));
        let error = PlaneError::Plane(error);
        if is_certain {
            let text = error.to_string();
            self.conclude(state, cx, number, from, back, &text).await?;
            return not_now(error);
        }
        self.note(state, &error.to_string()).await;
        Ok(Progress::Wait(AGAIN))
    }

    /// Records an order, if the row is as it was seen and the authority allows it; its number.
    async fn record(
        &self,
        state: &State,
        cx: &StepCx,
        row: &FenceRow,
        seen: Seen,
        becomes: FenceState,
    ) -> Result<Option<i64>, StepError> {
        let (fleet, hub) = (state.fleet.as_str(), state.hub.as_str());
        let mut tx = cx.pool.begin().await.map_err(StoreError::from)?;
        cx.guard(&mut tx).await?;
        if becomes == FenceState::Unknown {
            store::authority::assert_fence(&mut tx, fleet, row.epoch, hub)
                .await
                .map_err(IntentError::from)?;
        }
        let order = NewOrder {
            fleet,
            hub,
            seen: row,
            becomes,
            is_open: seen.is_open,
            life: Management::order_life(),
        };
        let number = store::fence::order(&mut *tx, order).await?;
        commit(tx).await?;
        Ok(number)
    }

    async fn conclude(
        &self,
        state: &State,
        cx: &StepCx,
        number: i64,
        from: FenceState,
        to: FenceState,
        error: &str,
    ) -> Result<(), StepError> {
        let end = OrderEnd {
            fleet: state.fleet.as_str(),
            hub: state.hub.as_str(),
            number,
            from,
            to,
            error,
        };
        let mut tx = cx.pool.begin().await.map_err(StoreError::from)?;
        cx.guard(&mut tx).await?;
        store::fence::conclude(&mut *tx, end).await?;
        commit(tx).await?;
        Ok(())
    }

    /// Notes why a try came to nothing, for who asks how the fence stands.
    async fn note(&self, state: &State, error: &str) {
        let (fleet, hub) = (state.fleet.as_str(), state.hub.as_str());
        if let Err(lost) = store::fence::note_error(&self.0.pool, fleet, hub, error).await {
            let lost = &lost as &dyn std::error::Error;
            tracing::debug!(
                fleet,
                hub,
                error = lost,
                "the trouble with a fence is not noted"
            );
        }
    }
}

/// What a refusal of the plane means to the step: a pause, another try, or the end of the task.
fn not_now(error: PlaneError) -> Result<Progress, StepError> {
    match &error {
        PlaneError::Plane(HubError::Rejected(Rejection::Throttled { retry_after })) => {
            Ok(Progress::Wait(*retry_after))
        }
        // Somebody changed the hub between our look and our order.
        PlaneError::Plane(HubError::Rejected(Rejection::PreconditionFailed)) => {
            Ok(Progress::Wait(AGAIN))
        }
        _ if error.is_final() => Err(StepError::rejected(error.reason(), error.to_string())),
        _ => Err(StepError::Unknown(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use hubshift_hub::Cause;

    use super::*;

    fn refused(rejection: Rejection) -> Result<Progress, StepError> {
        not_now(PlaneError::Plane(rejection.into()))
    }

    #[test]
    fn a_plane_that_is_busy_is_waited_for_and_one_that_refuses_is_not() {
        let retry_after = Duration::from_secs(7);
        let busy = refused(Rejection::Throttled { retry_after });
        assert_eq!(busy.unwrap(), Progress::Wait(retry_after));
        let changed = refused(Rejection::PreconditionFailed);
        assert_eq!(changed.unwrap(), Progress::Wait(AGAIN));
        let refused = refused(Rejection::Unauthorized("no".into()));
        assert!(matches!(
            refused,
            Err(StepError::Rejected {
                reason: "MANAGEMENT_UNAUTHORIZED",
                ..
            })
        ));
        let silent = not_now(PlaneError::Plane(Cause::Timeout.into()));
        assert!(matches!(silent, Err(StepError::Unknown(_))));
    }
}
