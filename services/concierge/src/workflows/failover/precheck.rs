//! Nothing speaks against the move: the findings of its start, looked at once more by its
//! executor.

use hubshift_domain::failover::precheck;
use hubshift_flow::{Progress, StepCx, StepError};

use super::{Failover, State};
use crate::app::AppError;
use crate::app::plan::blockers;

impl Failover {
    pub(super) async fn precheck(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let situation = self.app.situation(&cx.fleet_id).await.map_err(not_now)?;
        if situation.fleet.active_hub_id != state.source_hub {
            let active = &situation.fleet.active_hub_id;
            let text = format!("the active hub is `{active}`; look again, then decide");
            return Err(StepError::rejected("ACTIVE_HUB_CHANGED", text));
        }
        let target = situation.hub(&state.target_hub).map_err(not_now)?;
        let superseded = state.superseded.as_ref();
        let gathered = self
            .app
            .gather(&situation, state.kind, target, superseded)
            .await?;
        state.watermark = gathered.watermark;
        let checks = precheck(&gathered.facts);
        match blockers(&checks, state.overridden) {
            Some(text) => Err(StepError::rejected("PRECHECK_BLOCKED", text)),
            None => Ok(Progress::DoneWith(format!("{} checks", checks.len()))),
        }
    }
}

fn not_now(error: AppError) -> StepError {
    StepError::Unknown(error.into())
}
