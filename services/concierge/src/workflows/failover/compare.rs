//! Drain and verify: every earlier write has an outcome at the target, and both hubs are equal.
//! Nothing is lost by the commit that follows.

use hubshift_api::pb::registry::{VerifyResult, task};
use hubshift_flow::{Progress, StepCx, StepError};

use super::task::Outcome;
use super::{Failover, State};
use crate::app::remote::TaskCall;

/// How many differing devices a message names.
const NAMED: usize = 10;

impl Failover {
    pub(super) async fn drain(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let call = TaskCall::Drain {
            target: state.target_hub.clone(),
        };
        let task = match self.must(state, cx, &call).await? {
            Outcome::Pending(progress) => return Ok(progress),
            Outcome::Task(task) => task,
        };
        let Some(task::Result::Pass(pass)) = task.result else {
            return Ok(Progress::Done);
        };
        let written = pass.created_count + pass.updated_count + pass.deleted_count;
        Ok(Progress::DoneWith(format!(
            "{written} devices were still to be copied"
        )))
    }

    /// Only reads that begin after the freeze prove anything.
    pub(super) async fn verify(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let call = TaskCall::Verify {
            source: state.source_hub.clone(),
            target: state.target_hub.clone(),
            full: false,
            read_after: state.frozen_time,
        };
        let task = match self.must(state, cx, &call).await? {
            Outcome::Pending(progress) => return Ok(progress),
            Outcome::Task(task) => task,
        };
        let Some(task::Result::Verify(found)) = task.result else {
            return Err(StepError::rejected(
                "TASK_FAILED",
                "the verification has no result",
            ));
        };
        if !found.equal {
            return Err(StepError::rejected("DIGEST_MISMATCH", mismatch(&found)));
        }
        let word = format!("{} devices are equal", found.source_count);
        state.report.verified_count = found.source_count;
        state.report.source_digest = found.source_digest;
        state.report.target_digest = found.target_digest;
        Ok(Progress::DoneWith(word))
    }
}

fn mismatch(found: &VerifyResult) -> String {
    let mut names = found.differing_devices.clone();
    names.truncate(NAMED);
    let more = if found.differing_count > names.len() as u64 {
        ", ..."
    } else {
        ""
    };
    format!(
        "{} devices differ ({}{more}); run `hubshift sync run`, then start again",
        found.differing_count,
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mismatch_names_some_devices() {
        let found = VerifyResult {
            differing_devices: (0..12).map(|n| format!("d{n}")).collect(),
            differing_count: 12,
            ..VerifyResult::default()
        };
        let text = mismatch(&found);
        assert!(text.starts_with("12 devices differ (d0, d1,"), "{text}");
        assert!(text.contains("d9, ...") && !text.contains("d10"), "{text}");
    }
}
