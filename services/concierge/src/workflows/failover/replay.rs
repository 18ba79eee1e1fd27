//! Journaled writes that the target is not known to hold are repeated there. The journal is ours:
//! the source is not needed.

use hubshift_api::pb::registry::task;
use hubshift_flow::{Progress, StepCx, StepError};

use super::task::{Outcome, another_round};
use super::{Failover, State};
use crate::app::remote::TaskCall;

/// How often a replay that left writes pending, because the target throttled or did not answer, is
/// started again before the registry opens without them.
const ROUNDS: u32 = 30;

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
        if pass.pending_count > 0
            && let Some(after) = another_round(state, cx, &call, ROUNDS)
        {
            return Ok(Progress::Wait(after));
        }
        let replayed = pass.created_count + pass.updated_count + pass.deleted_count;
        state.report.replayed_count = replayed;
        state.report.late_landing_count = pass.late_landing_count;
        let landed = pass.late_landing_count;
        let mut word = format!("{replayed} writes repeated, {landed} had landed late");
        if pass.pending_count > 0 {
            let pending = pass.pending_count;
            tracing::error!(failover = %cx.workflow_id, pending, "journaled writes not repeated");
            word.push_str(&format!("; {pending} could not be repeated at the target"));
        }
        Ok(Progress::DoneWith(word))
    }
}
