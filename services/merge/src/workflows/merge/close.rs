//! The merge is over: both hubs are equal, and the accounts say so.

use hubshift_flow::{Progress, StepCx, StepError};
use hubshift_store::commit;

use super::{MergeFlow, State, guarded};
use crate::store::merge;

impl MergeFlow {
    pub(super) async fn close(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let mut tx = guarded(cx).await?;
        let (primary, secondary) = (&state.primary_scan.digest, &state.secondary_scan.digest);
        merge::close(&mut tx, cx.workflow_id, primary, secondary).await?;
        commit(tx).await?;
        Ok(Progress::Done)
    }
}
