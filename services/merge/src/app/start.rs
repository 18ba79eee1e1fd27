//! Starting a merge. A plan that nobody approved gives way to a new one.

use hubshift_api::pb::merge as pb;
use hubshift_domain::hub_state::HubState;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::{Start, Workflow as _};
use hubshift_shell::trace;
use hubshift_store::{Tx, commit, idem};
use sqlx::PgConnection;
use uuid::Uuid;

use super::once::once;
use super::{App, MergeError, view};
use crate::store::authority;
use crate::store::merge::{self, NewMerge};
use crate::workflows::merge::{MergeFlow, State, Step};

/// The constraint that refuses a second merge of a fleet.
const ONE_ACTIVE: &str = "merge_merge_one_active";

/// A merge that is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) fleet: FleetId,
    /// The hub that came back.
    pub(crate) recovered: HubId,
    /// Addresses of back ends' own stores.
    pub(crate) sources: Vec<String>,
}

impl App {
    /// Starts a merge: it plans, and then waits for approval.
    pub(crate) async fn plan_merge(
        &self,
        request: &idem::Request,
        order: &Order,
    ) -> Result<pb::Merge, MergeError> {
        let merge = once(&self.pool, request, self.insert(request, order)).await?;
        self.nudge.notify_one();
        Ok(merge)
    }

    async fn insert(
        &self,
        request: &idem::Request,
        order: &Order,
    ) -> Result<pb::Merge, MergeError> {
        let mut tx = self.begin().await?;
        let fleet = order.fleet.as_str();
        let authority = authority::authority(&mut tx, &order.fleet).await?;
        let authority = authority.ok_or_else(|| MergeError::FleetNotFound(fleet.to_owned()))?;
        check_hub(&mut tx, order).await?;
        make_room(&mut tx, fleet).await?;
        let merge_id = Uuid::now_v7();
        let traceparent = trace::current_traceparent();
        let trace_id = traceparent
            .as_deref()
            .and_then(trace::trace_id)
            .unwrap_or_default();
        let new = NewMerge {
            merge_id,
            fleet: &order.fleet,
            primary: &order.recovered,
            secondary: &authority.hub,
            epoch: authority.epoch,
            sources: &order.sources,
            trace_id,
        };
        let inserted = merge::insert(&mut tx, &new).await;
        inserted.map_err(|error| match error.is_constraint(ONE_ACTIVE) {
            true => MergeError::Raced,
            false => error.into(),
        })?;
        let state = State::new(&new);
        let start = Start {
            workflow_id: merge_id,
            kind: MergeFlow::KIND,
            // The table of merges says that there is one at a time.
            subject: None,
            fleet_id: fleet,
            first: Step::Scan,
            state: &state,
            traceparent: traceparent.clone(),
        };
        hubshift_flow::start(&mut tx, start).await?;
        answer(tx, request, fleet, merge_id).await
    }
}

/// Stores the answer with its effect.
async fn answer(
    mut tx: Tx,
    request: &idem::Request,
    fleet: &str,
    merge_id: Uuid,
) -> Result<pb::Merge, MergeError> {
    let merge = view::load(&mut tx, fleet, merge_id).await?;
    if !request.record(&mut tx, &merge).await? {
        return Err(MergeError::Raced);
    }
    commit(tx).await?;
    Ok(merge)
}

async fn check_hub(connection: &mut PgConnection, order: &Order) -> Result<(), MergeError> {
    let (fleet, hub) = (&order.fleet, &order.recovered);
    let state = authority::hub_state(connection, fleet, hub).await?;
    let missing = || MergeError::HubNotFound {
        fleet: fleet.to_string(),
        hub: hub.to_string(),
    };
    match state.ok_or_else(missing)? {
        HubState::Quarantined | HubState::Rewound | HubState::Merging => Ok(()),
        state => Err(MergeError::HubNotQuarantined {
            hub: hub.to_string(),
            state,
        }),
    }
}

async fn make_room(connection: &mut PgConnection, fleet: &str) -> Result<(), MergeError> {
    let Some((merge_id, state)) = merge::hold_active(connection, fleet).await? else {
        return Ok(());
    };
    if state != "planned" {
        return Err(MergeError::MergeActive(merge::name(fleet, merge_id)));
    }
    let message = "a new plan took its place";
    merge::fail(connection, merge_id, "SUPERSEDED", message).await?;
    hubshift_flow::request_cancel(connection, merge_id).await?;
    Ok(())
}
