//! The settle barrier: every call of the old epoch has passed its hard deadline, whatever became
//! of it. No registry write is accepted at the new hub before.

use hubshift_flow::{Progress, StepCx, StepError};

use super::{Failover, State};
use crate::store::{clock, hub};

impl Failover {
    pub(super) async fn settle(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let mut connection = self.app.connection().await?;
        let longest = hub::longest_call(&mut connection, &cx.fleet_id).await?;
        let now = clock::now(&mut connection).await?;
        let began = state.report.commit_time.unwrap_or(now);
        let end = began + longest + self.app.settings.clock_bound;
        match std::time::Duration::try_from(end - now) {
            Ok(left) if !left.is_zero() => Ok(Progress::Wait(left)),
            Ok(_) | Err(_) => Ok(Progress::Done),
        }
    }
}
