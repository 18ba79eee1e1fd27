//! The old hub takes no more writes from us. No adapter can shut others out yet: the window in
//! which a direct writer loses changes stays open, and the report says so.

use hubshift_domain::failover::Kind;
use hubshift_domain::hub_state::HubState;
use hubshift_flow::{Progress, StepCx, StepError};

use super::{Failover, State, epoch_moved, guarded};
use crate::store::{authority, hub};

impl Failover {
    pub(super) async fn fence(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        if state.kind == Kind::Forced {
            let word = "deferred until the hub is back: FENCE_REQUIRED".to_owned();
            return Ok(Progress::DoneWith(word));
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
}
