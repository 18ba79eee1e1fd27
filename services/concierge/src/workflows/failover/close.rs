//! Accounts are made: what is still owed, and nobody holds the fleet any more.

use hubshift_flow::{Progress, StepCx, StepError};

use super::{Failover, State, guarded, operation};
use crate::store::{authority, debt};

impl Failover {
    pub(super) async fn close(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let mut tx = guarded(cx).await?;
        authority::release(&mut tx, &cx.fleet_id, &operation(cx)).await?;
        let unpaid = debt::unpaid(&mut tx, &cx.fleet_id).await?;
        hubshift_store::commit(tx).await?;
        let ours = unpaid
            .iter()
            .filter(|debt| debt.failover_id == cx.workflow_id);
        state.report.debts = ours
            .map(|debt| format!("{} {}", debt.kind.to_uppercase(), debt.hub_id))
            .collect();
        let owed = state.report.debts.join(", ");
        let word = if owed.is_empty() {
            "nothing is owed".to_owned()
        } else {
            owed
        };
        Ok(Progress::DoneWith(word))
    }
}
