//! Stopping and hurrying a failover that runs.

use hubshift_api::pb::concierge::Failover;
use hubshift_domain::failover::Step;
use hubshift_flow::{SUPERSEDED, Status, WorkflowState};
use hubshift_store::idem::Request;
use hubshift_store::{StoreError, Tx, in_tx};
use uuid::Uuid;

use super::super::once::once;
use super::{App, AppError, existing, view};
use crate::store::failover::{self as rows, FailoverRow};
use crate::store::unknown_name;

impl App {
    /// Stops a failover that has not come to its commit.
    pub(crate) async fn cancel_failover(
        &self,
        request: &Request,
        fleet_id: &str,
        id: Uuid,
    ) -> Result<Failover, AppError> {
        let work = in_tx(&self.pool, "cancel_failover", |mut tx| async move {
            let row = existing(&mut tx, fleet_id, id).await?;
            // Asked for first and looked at after: the request holds the workflow's row, so the
            // step that is read here is the step at which the request is seen.
            hubshift_flow::request_cancel(&mut tx, id).await?;
            let status = status(&mut tx, &row).await?;
            if !can_be_cancelled(&status)? {
                return Err(AppError::PastPointOfNoReturn);
            }
            let failover = view::failover(&row, Some(&status))?;
            self.seal(&mut tx, request, fleet_id, &failover.name, &failover)
                .await?;
            Ok((tx, failover))
        });
        let failover = once(&self.pool, request, work).await?;
        self.nudge.notify_one();
        Ok(failover)
    }

    /// Makes a failover try its step at once.
    pub(crate) async fn retry_failover(
        &self,
        request: &Request,
        fleet_id: &str,
        id: Uuid,
    ) -> Result<Failover, AppError> {
        let work = in_tx(&self.pool, "retry_failover", |mut tx| async move {
            let row = existing(&mut tx, fleet_id, id).await?;
            hubshift_flow::wake(&mut tx, id).await?;
            let status = status(&mut tx, &row).await?;
            if status.state.is_over() {
                return Err(AppError::FailoverDone);
            }
            let failover = view::failover(&row, Some(&status))?;
            self.seal(&mut tx, request, fleet_id, &failover.name, &failover)
                .await?;
            Ok((tx, failover))
        });
        let failover = once(&self.pool, request, work).await?;
        self.nudge.notify_one();
        Ok(failover)
    }
}

async fn status(tx: &mut Tx, row: &FailoverRow) -> Result<Status, AppError> {
    let id = row.failover_id;
    hubshift_flow::get(tx, id)
        .await?
        .ok_or_else(|| AppError::FailoverNotFound(rows::name(&row.fleet_id, id)))
}

/// Whether a request to stop will be heeded, or has nothing left to stop.
fn can_be_cancelled(status: &Status) -> Result<bool, StoreError> {
    match status.state {
        WorkflowState::Succeeded => Ok(false),
        // One that was set aside may be taken up again: it is past its commit.
        WorkflowState::Failed => Ok(status.failure.as_ref().is_none_or(|(r, _)| r != SUPERSEDED)),
        WorkflowState::Unwinding | WorkflowState::Stuck | WorkflowState::Cancelled => Ok(true),
        WorkflowState::Running => match Step::parse(&status.step) {
            Some(step) => Ok(!step.is_too_late_to_cancel()),
            None => Err(unknown_name("step of a failover", &status.step)),
        },
    }
}
