//! How a hub's fence stands, on the wire.

use hubshift_api::pb::registry as pb;
use hubshift_api::{enums, times};
use hubshift_domain::fence::FenceState;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_store::StoreError;
use sqlx::PgConnection;
use tonic::Status;
use uuid::Uuid;

use crate::deps::Deps;
use crate::store;
use crate::store::fence::FenceRow;

/// How it stands now.
pub(super) async fn status(
    deps: &Deps,
    fleet: &FleetId,
    hub: &HubId,
) -> Result<pb::FenceStatus, Status> {
    let mut connection = deps.pool.acquire().await.map_err(StoreError::from)?;
    let (fleet_id, hub_id) = (fleet.as_str(), hub.as_str());
    let known = store::connection::get(&mut *connection, fleet_id, hub_id).await?;
    let mut status = pb::FenceStatus {
        name: format!("{}/fence", fleet.hub_name(hub)),
        can_fence: known.is_some_and(|row| !row.management_ref.is_empty()),
        ..pb::FenceStatus::default()
    };
    let Some(row) = store::fence::get(&mut *connection, fleet_id, hub_id).await? else {
        return Ok(status);
    };
    let state = row.state()?;
    status.state = enums::fence_state(state).into();
    status.epoch = u64::try_from(row.epoch).unwrap_or(0);
    status.request_time = Some(times::timestamp(row.request_time));
    status.done_time = row.done_time.map(times::timestamp);
    if works(&mut connection, row.task_id).await? {
        status.task = fleet.child_name("tasks", row.task_id);
    }
    status.next = next(state, &row, hub);
    status.error = row.error;
    Ok(status)
}

/// Whether a task is not over.
pub(super) async fn works(
    connection: &mut PgConnection,
    task_id: Uuid,
) -> Result<bool, StoreError> {
    let task = hubshift_flow::get(connection, task_id).await?;
    Ok(task.is_some_and(|task| !task.state.is_over()))
}

/// What a person does next.
fn next(state: FenceState, row: &FenceRow, hub: &HubId) -> String {
    match state {
        FenceState::Done => format!(
            "before the hub is merged, `hubshift hub unfence {hub}` opens it again; its devices \
             can connect to it from then on"
        ),
        // An order to shut it gave its policies keys that nobody has seen.
        FenceState::Lifted if row.order_number > 0 => format!(
            "the hub's shared access policies have new keys: read one (`az iot hub \
             connection-string show --hub-name NAME`, or listkeys of the resource), put the \
             connection string where secret_ref says, and run `hubshift hub connect {hub}` \
             again; back ends of your own need theirs too"
        ),
        FenceState::Requested | FenceState::Unknown | FenceState::Lifting | FenceState::Lifted => {
            String::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn row(order_number: i64) -> FenceRow {
        FenceRow {
            epoch: 2049,
            state: "lifted".to_owned(),
            task_id: Uuid::nil(),
            order_number,
            was_open: true,
            seconds_left: 0.0,
            error: String::new(),
            request_time: OffsetDateTime::UNIX_EPOCH,
            done_time: None,
        }
    }

    #[test]
    fn new_keys_are_to_be_fetched_only_where_there_are_any() {
        let hub = HubId::new("east").unwrap();
        let lifted = |orders| next(FenceState::Lifted, &row(orders), &hub);
        assert!(lifted(1).contains("hubshift hub connect east"));
        assert!(lifted(0).is_empty());
    }
}
