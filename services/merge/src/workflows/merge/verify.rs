//! Both hubs are read once more: the merge closes only when they are equal. What changed since is
//! planned again from these very scans.

use std::time::Duration;

use hubshift_flow::{Progress, StepCx, StepError};
use hubshift_store::{StoreError, commit};

use super::task::Polled;
use super::{MergeFlow, ROUNDS, State, guarded};
use crate::store::{item, merge};

/// How many devices a failure names.
const NAMED: i64 = 20;

impl MergeFlow {
    pub(super) async fn verify(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        self.check_reign(state, cx).await?;
        self.enter(cx, "verifying").await?;
        let (primary, secondary) = (state.primary.clone(), state.secondary.clone());
        let at_primary = self.poll_scan(state, cx, &primary, false).await?;
        let at_secondary = self.poll_scan(state, cx, &secondary, false).await?;
        let (first, second) = match (at_primary, at_secondary) {
            (Polled::Done(first), Polled::Done(second)) => (first.scan, second.scan),
            (first, second) => return Ok(Progress::Wait(soonest(&first, &second))),
        };
        let is_equal = first.digest == second.digest;
        (state.primary_scan, state.secondary_scan) = (first, second);
        state.goes_back = !is_equal;
        if is_equal {
            return Ok(Progress::DoneWith(format!(
                "digest {}",
                state.primary_scan.digest
            )));
        }
        if state.round >= ROUNDS {
            return Err(self.differ(cx).await?);
        }
        state.round += 1;
        self.enter(cx, "applying").await?;
        Ok(Progress::DoneWith(
            "the hubs still differ: what does is planned again".to_owned(),
        ))
    }

    async fn enter(&self, cx: &StepCx, name: &str) -> Result<(), StepError> {
        let mut tx = guarded(cx).await?;
        merge::set_state(&mut tx, cx.workflow_id, name).await?;
        commit(tx).await?;
        Ok(())
    }

    async fn differ(&self, cx: &StepCx) -> Result<StepError, StepError> {
        let mut connection = self.app.pool.acquire().await.map_err(StoreError::from)?;
        let apart = item::apart(&mut connection, cx.workflow_id, NAMED).await?;
        let text = match apart.as_slice() {
            [] => "the hubs keep changing; plan again when it is quieter".to_owned(),
            devices => format!("these devices stay different: {}", devices.join(", ")),
        };
        Ok(StepError::rejected("DIGEST_MISMATCH", text))
    }
}

fn soonest(first: &Polled, second: &Polled) -> Duration {
    let pause = |polled: &Polled| match polled {
        Polled::Wait(after) => Some(*after),
        Polled::Done(_) => None,
    };
    let pauses = [pause(first), pause(second)];
    pauses.into_iter().flatten().min().unwrap_or_default()
}
