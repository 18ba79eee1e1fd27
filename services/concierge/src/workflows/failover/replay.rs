//! Journaled writes that the target is not known to hold are repeated there. The journal is ours:
//! the source is not needed.
//!
//! What is merely in the way, a target that throttles or does not answer, is waited for without
//! end, until another move takes over: the registry does not open without a write that was
//! acknowledged. What the target refuses for good, or never answers for while it answers for
//! others, is given up here, and never lost: the source must be merged.

use hubshift_api::pb::registry::task;
use hubshift_flow::{Progress, StepCx, StepError};

use super::task::{Outcome, another_round, rounds};
use super::{Failover, State};
use crate::app::remote::TaskCall;

/// How often writes are repeated that the target leaves open while it answers for the others; some
/// five minutes.
const ROUNDS: u32 = 60;

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
        if is_waited_for(pass.pending_count, rounds(state, cx, &call)) {
            let pending = pass.pending_count;
            tracing::warn!(failover = %cx.workflow_id, pending, "journaled writes are waited for");
            return Ok(Progress::Wait(another_round(state, cx, &call)));
        }
        let replayed = pass.created_count + pass.updated_count + pass.deleted_count;
        state.report.replayed_count = replayed;
        state.report.late_landing_count = pass.late_landing_count;
        let landed = pass.late_landing_count;
        let mut word = format!("{replayed} writes repeated, {landed} had landed late");
        let refused = pass.refused_count + pass.pending_count;
        if refused > 0 {
            tracing::error!(failover = %cx.workflow_id, refused, "journaled writes are refused");
            state.source_needs_merge = true;
            let source = &state.source_hub;
            word.push_str(&format!(
                "; {refused} are not taken by the target: {source} must be merged"
            ));
        }
        Ok(Progress::DoneWith(word))
    }
}

fn is_waited_for(pending: u64, rounds: u32) -> bool {
    pending > 0 && rounds < ROUNDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_device_without_an_answer_does_not_keep_the_registry_closed_for_ever() {
        assert!(!is_waited_for(0, 0));
        assert!(is_waited_for(1, ROUNDS - 1));
        assert!(!is_waited_for(1, ROUNDS));
    }
}
