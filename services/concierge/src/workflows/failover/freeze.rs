//! The registry takes no more writes, until the move is through, gave up, or time is up.

use hubshift_domain::hub_state::RegistryMode;
use hubshift_flow::{Progress, StepCx, StepError};

use super::{Failover, State, guarded, operation};
use crate::store::authority::{self, Held};

impl Failover {
    /// Freezes, or renews the freeze when it ran before.
    pub(super) async fn freeze(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let mut tx = guarded(cx).await?;
        let held = authority::hold(&mut tx, &cx.fleet_id).await?;
        let held = held.ok_or_else(|| StepError::rejected("FLEET_NOT_FOUND", "no such fleet"))?;
        check(&held, state)?;
        let timeout = self.app.settings.freeze_timeout;
        let until = authority::freeze(
            &mut tx,
            &cx.fleet_id,
            state.freeze_id,
            timeout,
            &operation(cx),
        )
        .await?;
        hubshift_store::commit(tx).await?;
        // Intents that were allowed before hold the row until they commit: at `held.now` there
        // was none any more.
        state.frozen_time = Some(held.now);
        Ok(Progress::DoneWith(format!("frozen until {until}")))
    }

    /// Ends the freeze, if it is still this one.
    pub(super) async fn thaw(&self, state: &State, cx: &StepCx) -> Result<(), StepError> {
        let mut tx = guarded(cx).await?;
        authority::thaw(&mut tx, &cx.fleet_id, state.freeze_id).await?;
        hubshift_store::commit(tx).await?;
        Ok(())
    }
}

fn check(held: &Held, state: &State) -> Result<(), StepError> {
    if held.epoch != state.from_epoch || held.active_hub_id != state.source_hub {
        let text = format!(
            "the active hub is `{}` in epoch {}",
            held.active_hub_id, held.epoch
        );
        return Err(StepError::rejected("ACTIVE_HUB_CHANGED", text));
    }
    let is_ours = held.freeze_id == Some(state.freeze_id);
    let ran_out = held.frozen_until.is_some_and(|until| until <= held.now);
    match held.mode {
        RegistryMode::Open => Ok(()),
        RegistryMode::Frozen if is_ours || ran_out => Ok(()),
        mode => {
            let text = format!("the registry is {mode}; wait, then start again");
            Err(StepError::rejected("REGISTRY_CLOSED", text))
        }
    }
}
