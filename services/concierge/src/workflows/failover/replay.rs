//! Journaled writes that the target is not known to hold are repeated there. The journal is ours:
//! the source is not needed.

use hubshift_api::pb::registry::task;
use hubshift_flow::{Progress, StepCx, StepError};

use super::task::Outcome;
use super::{Failover, State};
use crate::app::remote::TaskCall;

impl Failover {
    pub(super) async fn replay(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let call = TaskCall::Replay {
            target: state.target_hub.clone(),
        };
        let task = match self.must(state, cx, &call).await? {
            Outcome::Pending(progress) => return Ok(progress),
            Outcome::Task(task) => task,
        };
        let Some(task::Result::Pass(pass)) = task.result else {
            return Ok(Progress::Done);
        };
        let replayed = pass.created_count + pass.updated_count + pass.deleted_count;
        state.report.replayed_count = replayed;
        state.report.late_landing_count = pass.late_landing_count;
        let landed = pass.late_landing_count;
        Ok(Progress::DoneWith(format!(
            "{replayed} writes repeated, {landed} had landed late"
        )))
    }
}
