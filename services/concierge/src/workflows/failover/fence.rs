//! The old hub takes no more writes from us. Of a forced move it is shut out hard too, where its
//! connection says how: nobody else writes to it any more either.
//!
//! Kept true: the new hub is not kept waiting. What does not come through soon is left to a
//! reconciler, and `FENCE_REQUIRED` stays until it has.

use std::time::Duration;

use hubshift_api::fault;
use hubshift_api::pb::types::StepContext;
use hubshift_domain::failover::{Kind, fence_words};
use hubshift_domain::hub_state::HubState;
use hubshift_flow::{Progress, StepCx, StepError};
use time::OffsetDateTime;

use super::{Failover, State, epoch_moved, guarded, operation};
use crate::app::fencing::Fencing;
use crate::store::{authority, clock, debt, hub};

/// How long the move waits for a hard fence.
const LIMIT: Duration = Duration::from_secs(15);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(200);

impl Failover {
    pub(super) async fn fence(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        if state.kind == Kind::Forced {
            return self.shut_out(state, cx).await;
        }
        let mut tx = guarded(cx).await?;
        if !authority::hold_epoch(&mut tx, &cx.fleet_id, state.epoch()).await? {
            return Err(epoch_moved());
        }
        let from = [HubState::Draining];
        hub::move_state(
            &mut tx,
            &cx.fleet_id,
            &state.source_hub,
            &from,
            HubState::Fenced,
        )
        .await?;
        hubshift_store::commit(tx).await?;
        Ok(Progress::DoneWith(
            "fence: none; writes past Hubshift are not shut out".to_owned(),
        ))
    }

    async fn shut_out(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        if state.source_hub == state.target_hub {
            let word = "the fleet stays where it is: there is nothing to shut out";
            return Ok(Progress::DoneWith(word.to_owned()));
        }
        let now = clock::now(&mut *self.app.connection().await?).await?;
        let since = *state.since.get_or_insert(now);
        let is_late = now >= since + LIMIT;
        let progress = match self.ask(state, cx).await? {
            Fencing::Done => self.paid(state, cx, now).await?,
            Fencing::Working | Fencing::Silent(_) if !is_late => Progress::Wait(LOOK),
            Fencing::Working => {
                Progress::DoneWith("the hard fence is under way: FENCE_REQUIRED".to_owned())
            }
            Fencing::Unavailable => {
                let words = fence_words(state.kind, false);
                Progress::DoneWith(format!("fence: {words}: FENCE_REQUIRED"))
            }
            Fencing::Lifted => Progress::DoneWith(
                "the old hub was opened again by a person: FENCE_REQUIRED".to_owned(),
            ),
            Fencing::Failed(why) | Fencing::Silent(why) => {
                self.owed(state, cx, &why).await?;
                Progress::DoneWith(format!(
                    "no hard fence yet, it is tried again: {why}: FENCE_REQUIRED"
                ))
            }
        };
        if !matches!(progress, Progress::Wait(_)) {
            state.since = None;
        }
        Ok(progress)
    }

    async fn ask(&self, state: &State, cx: &StepCx) -> Result<Fencing, StepError> {
        let context = StepContext {
            operation: operation(cx),
            step: cx.step.clone(),
            lease_gen: cx.fence,
            epoch: state.epoch().0,
        };
        let (hub, epoch, id) = (&state.source_hub, state.epoch(), cx.request_id());
        let remote = &self.app.remote;
        let answer = remote.fence_hub(&cx.fleet_id, hub, epoch, id, Some(context));
        let answer = answer.await;
        if let Err(status) = &answer
            && fault::reason(status) == "STALE_FENCE"
        {
            return Err(StepError::Fenced);
        }
        Ok(Fencing::of(answer))
    }

    /// The hub was seen shut out: nobody changed anything there after this.
    async fn paid(
        &self,
        state: &mut State,
        cx: &StepCx,
        now: OffsetDateTime,
    ) -> Result<Progress, StepError> {
        let mut tx = guarded(cx).await?;
        if !authority::hold_epoch(&mut tx, &cx.fleet_id, state.epoch()).await? {
            return Err(epoch_moved());
        }
        debt::pay_fence(&mut tx, &cx.fleet_id, &state.source_hub, state.epoch()).await?;
        authority::touch(&mut tx, &cx.fleet_id).await?;
        hubshift_store::commit(tx).await?;
        let committed = state.report.commit_time.unwrap_or(now);
        state.report.rpo_bound_seconds += (now - committed).as_seconds_f64().max(0.0);
        state.report.rpo_window_open = false;
        Ok(Progress::DoneWith(
            "hard fence: public access off, keys regenerated".to_owned(),
        ))
    }

    async fn owed(&self, state: &State, cx: &StepCx, why: &str) -> Result<(), StepError> {
        let mut tx = guarded(cx).await?;
        debt::note_fence(&mut tx, &cx.fleet_id, &state.source_hub, why).await?;
        hubshift_store::commit(tx).await?;
        Ok(())
    }
}
