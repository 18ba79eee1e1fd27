//! The old hub becomes a standby of the new one: a pass, then a comparison, until both are equal.
//!
//! Not worth keeping the operation open for: after a few rounds it is left to ordinary
//! replication, which makes the hub ready when it is.

use hubshift_api::pb::registry::task;
use hubshift_domain::hub_state::HubState;
use hubshift_flow::{Progress, StepCx, StepError};

use super::task::{Polled, round_pause};
use super::{Failover, State, epoch_moved, guarded};
use crate::app::remote::TaskCall;
use crate::store::{authority, hub};

/// Passes before the hub is left to ordinary replication.
const ROUNDS: u32 = 3;

/// Tries of a call that does not come through.
const TRIES: u32 = 10;

impl Failover {
    pub(super) async fn reverse_sync(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let from = [HubState::Draining, HubState::Fenced];
        self.move_source(state, cx, &from, HubState::Syncing)
            .await?;
        match self.reverse_round(state, cx).await {
            Err(StepError::Unknown(error)) if cx.attempt >= TRIES => Ok(leave(state, &error)),
            other => other,
        }
    }

    async fn reverse_round(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        let (source, target) = (state.source_hub.clone(), state.target_hub.clone());
        match self
            .poll(
                state,
                cx,
                &TaskCall::Pass {
                    target: source.clone(),
                },
            )
            .await?
        {
            Polled::Wait(after) => return Ok(Progress::Wait(after)),
            Polled::GaveUp { why, .. } => return Ok(another_round(state, cx, &why)),
            Polled::Done(_) => {}
        }
        // The new hub is the source now.
        let call = TaskCall::Verify {
            source: target,
            target: source,
            full: false,
            read_after: None,
        };
        let found = match self.poll(state, cx, &call).await? {
            Polled::Wait(after) => return Ok(Progress::Wait(after)),
            Polled::GaveUp { why, .. } => return Ok(another_round(state, cx, &why)),
            Polled::Done(task) => task.result,
        };
        match found {
            Some(task::Result::Verify(found)) if found.equal => {
                self.move_source(state, cx, &[HubState::Syncing], HubState::Ready)
                    .await?;
                let word = format!("{} devices are equal", found.source_count);
                Ok(Progress::DoneWith(word))
            }
            _ => Ok(another_round(state, cx, &"devices still differ")),
        }
    }

    async fn move_source(
        &self,
        state: &State,
        cx: &StepCx,
        from: &[HubState],
        to: HubState,
    ) -> Result<(), StepError> {
        let mut tx = guarded(cx).await?;
        if !authority::hold_epoch(&mut tx, &cx.fleet_id, state.epoch()).await? {
            return Err(epoch_moved());
        }
        hub::move_state(&mut tx, &cx.fleet_id, &state.source_hub, from, to).await?;
        hubshift_store::commit(tx).await?;
        Ok(())
    }
}

/// Begins again with a pass, or leaves it.
fn another_round(state: &mut State, cx: &StepCx, why: &dyn std::fmt::Display) -> Progress {
    state.reverse_rounds += 1;
    if state.reverse_rounds >= ROUNDS {
        return leave(state, why);
    }
    let prefix = format!("{}/", cx.step);
    for (key, entry) in &mut state.tasks {
        // One that gave up is on its next round already.
        if key.starts_with(&prefix) && entry.name.is_some() {
            *entry = super::state::TaskRef {
                round: entry.round + 1,
                ..Default::default()
            };
        }
    }
    Progress::Wait(round_pause(state.reverse_rounds))
}

fn leave(state: &State, why: &dyn std::fmt::Display) -> Progress {
    let hub = &state.source_hub;
    Progress::DoneWith(format!(
        "{hub} stays syncing and is ready when replication is: {why:#}"
    ))
}
