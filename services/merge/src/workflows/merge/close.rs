//! The merge is over: both hubs are equal, and the accounts say so.
//!
//! A comparison names held devices although they are equal: what the hubs show of them is noted,
//! so that a decision about one can still be written under the condition that nothing moved.

use hubshift_flow::{Progress, StepCx, StepError};
use hubshift_store::commit;

use super::plan::next;
use super::{MergeFlow, State, guarded};
use crate::store::{item, merge};

impl MergeFlow {
    pub(super) async fn close(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let prints = self.held_prints(state, cx).await?;
        let mut tx = guarded(cx).await?;
        for (device, print) in &prints {
            item::set_print(&mut tx, cx.workflow_id, device, print).await?;
        }
        let (primary, secondary) = (&state.primary_scan.digest, &state.secondary_scan.digest);
        merge::close(&mut tx, cx.workflow_id, primary, secondary).await?;
        commit(tx).await?;
        Ok(Progress::Done)
    }

    async fn held_prints(
        &self,
        state: &State,
        cx: &StepCx,
    ) -> Result<Vec<(String, Vec<u8>)>, StepError> {
        let mut stream = self.comparison(state, cx).await?;
        let mut prints = Vec::new();
        while let Some(sealed) = next(&mut stream).await? {
            let (first, second) = (sealed.primary_before, sealed.secondary_before);
            if let Some(print) = first.filter(|first| Some(*first) == second) {
                prints.push((sealed.device.to_string(), print.0.to_vec()));
            }
        }
        Ok(prints)
    }
}
