//! Taking over from a move that is past its commit and can't go on, because its target is gone.
//!
//! Kept true: at most one move of a fleet is under way (I4); what is set aside stands certainly past
//! its commit, so that only another epoch leads anywhere else.

use hubshift_domain::failover::Step;
use hubshift_domain::hub_state::HubState;
use hubshift_flow::{Status, WorkflowState};
use hubshift_store::{StoreError, Tx};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use time::serde::rfc3339;
use uuid::Uuid;

use super::{AppError, Order};
use crate::store::{failover as rows, unknown_name};
use crate::workflows::failover::{KIND, State};

/// The move that another one takes over from, as it stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Superseded {
    /// Its id.
    pub(crate) failover_id: Uuid,
    /// Where it stood.
    pub(crate) step: Step,
    /// The hub that it left.
    pub(crate) source_hub: String,
    /// When it committed: up to then the hub that it left was the authority, and missed nothing.
    #[serde(with = "rfc3339::option")]
    pub(crate) commit_time: Option<OffsetDateTime>,
}

impl Superseded {
    /// When the hub's reign ended, if it is the one that was left and was there to the end. One
    /// that was lost may have come back older than that.
    pub(crate) fn reign_end(&self, hub_id: &str, state: HubState) -> Option<OffsetDateTime> {
        let was_left = self.source_hub == hub_id && state != HubState::Quarantined;
        self.commit_time.filter(|_| was_left)
    }
}

/// The move that this order takes over from; an error when one is under way that it does not name,
/// or the one that it names can't be taken over from.
pub(super) async fn look(
    connection: &mut PgConnection,
    order: &Order,
) -> Result<Option<Superseded>, AppError> {
    let fleet_id = order.fleet_id.as_str();
    let name = |id: Uuid| rows::name(fleet_id, id);
    let active = hubshift_flow::find_active(connection, KIND, fleet_id).await?;
    match (active, order.supersede) {
        (None, None) => Ok(None),
        (None, Some(named)) => Err(AppError::NotSupersedable {
            failover: name(named),
            why: "is not under way; start the move without it".to_owned(),
        }),
        (Some(active), named) if named != Some(active) => {
            Err(AppError::FailoverActive(name(active)))
        }
        (Some(active), _) => {
            let status = hubshift_flow::get(connection, active).await?;
            let status = status.ok_or_else(|| AppError::FailoverNotFound(name(active)))?;
            standing(&status, &name(active)).map(Some)
        }
    }
}

fn standing(status: &Status, name: &str) -> Result<Superseded, AppError> {
    let step = Step::parse(&status.step);
    let step = step.ok_or_else(|| unknown_name("step of a failover", &status.step))?;
    if status.state != WorkflowState::Running || !step.is_past_no_return() {
        return Err(not_past(name, step));
    }
    let state: State = serde_json::from_value(status.data.clone())
        .map_err(|error| StoreError::Bug(sqlx::Error::Decode(error.into())))?;
    Ok(Superseded {
        failover_id: status.workflow_id,
        step,
        source_hub: state.source_hub,
        commit_time: state.report.commit_time,
    })
}

/// Sets the move aside, in the transaction that starts the one that takes over.
pub(super) async fn set_aside(
    tx: &mut Tx,
    order: &Order,
    superseded: &Superseded,
    by: Uuid,
) -> Result<(), AppError> {
    let by = rows::name(&order.fleet_id, by);
    let (id, steps) = (superseded.failover_id, Step::supersedable());
    if hubshift_flow::supersede(tx, id, &steps, &by).await? {
        return Ok(());
    }
    // It ended, or stands where nobody looked.
    Err(AppError::Raced)
}

fn not_past(name: &str, step: Step) -> AppError {
    AppError::NotSupersedable {
        failover: name.to_owned(),
        why: format!("is not past its commit, it stands at {step}; cancel it instead"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_that_was_lost_is_not_believed_to_hold_all_that_it_held() {
        let end = OffsetDateTime::UNIX_EPOCH;
        let superseded = Superseded {
            failover_id: Uuid::nil(),
            step: Step::Replay,
            source_hub: "east".into(),
            commit_time: Some(end),
        };
        let reign_end = |hub, state| superseded.reign_end(hub, state);
        assert_eq!(reign_end("east", HubState::Fenced), Some(end));
        assert_eq!(reign_end("east", HubState::Quarantined), None);
        assert_eq!(reign_end("north", HubState::Syncing), None);
    }
}
