//! Looking at merges, and approving a plan.

use hubshift_api::pb::merge as pb;
use hubshift_domain::id::FleetId;
use hubshift_store::{StoreError, commit, idem};
use sqlx::PgConnection;
use uuid::Uuid;

use super::once::once;
use super::{App, MergeError, view};
use crate::store::item;
use crate::store::merge::{self, MergeRow};

/// An approval: it names the plan that was reviewed.
#[derive(Debug, Clone)]
pub(crate) struct Approval {
    pub(crate) fleet: FleetId,
    pub(crate) merge_id: Uuid,
    pub(crate) plan_id: String,
    pub(crate) override_breakers: bool,
}

impl App {
    /// Reads one merge.
    pub(crate) async fn get_merge(
        &self,
        fleet: &FleetId,
        merge_id: Uuid,
    ) -> Result<pb::Merge, MergeError> {
        let mut connection = self.pool.acquire().await.map_err(StoreError::from)?;
        view::load(&mut connection, fleet.as_str(), merge_id).await
    }

    /// A page of merges, newest first, and whether there are more.
    pub(crate) async fn list_merges(
        &self,
        fleet: &FleetId,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<(Vec<pb::Merge>, Option<Uuid>), MergeError> {
        let mut connection = self.pool.acquire().await.map_err(StoreError::from)?;
        let fleet = fleet.as_str();
        let mut rows = merge::page(&mut connection, fleet, None, before, limit + 1).await?;
        let has_more = i64::try_from(rows.len()).is_ok_and(|count| count > limit);
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let last = rows.last().map(|row| row.merge_id).filter(|_| has_more);
        let mut merges = Vec::with_capacity(rows.len());
        for row in &rows {
            merges.push(view::merge(&mut connection, row).await?);
        }
        Ok((merges, last))
    }

    /// Where merging stands for a fleet, or for one recovered hub of it.
    pub(crate) async fn merge_status(
        &self,
        fleet: &FleetId,
        hub: &str,
    ) -> Result<pb::MergeStatus, MergeError> {
        let mut connection = self.pool.acquire().await.map_err(StoreError::from)?;
        let standing = merge::standing(&mut connection, fleet.as_str(), hub).await?;
        Ok(view::status(fleet.as_str(), &standing))
    }

    /// Approves the plan that was reviewed; from now on it is applied.
    pub(crate) async fn apply_merge(
        &self,
        request: &idem::Request,
        approval: &Approval,
    ) -> Result<pb::Merge, MergeError> {
        let merge = once(&self.pool, request, self.approve(request, approval)).await?;
        self.nudge.notify_one();
        Ok(merge)
    }

    async fn approve(
        &self,
        request: &idem::Request,
        approval: &Approval,
    ) -> Result<pb::Merge, MergeError> {
        let mut tx = self.begin().await?;
        let (fleet, merge_id) = (approval.fleet.as_str(), approval.merge_id);
        merge::hold(&mut tx, merge_id).await?;
        let row = merge::get(&mut tx, fleet, merge_id).await?;
        let row = row.ok_or_else(|| MergeError::MergeNotFound(merge::name(fleet, merge_id)))?;
        check(&mut tx, &row, approval).await?;
        let overrides = approval.override_breakers;
        merge::approve(&mut tx, merge_id, &approval.plan_id, overrides).await?;
        hubshift_flow::wake(&mut tx, merge_id).await?;
        let answer = view::load(&mut tx, fleet, merge_id).await?;
        if !request.record(&mut tx, &answer).await? {
            return Err(MergeError::Raced);
        }
        commit(tx).await?;
        Ok(answer)
    }
}

/// Whether the approval can stand.
async fn check(
    connection: &mut PgConnection,
    row: &MergeRow,
    approval: &Approval,
) -> Result<(), MergeError> {
    if row.state != "planned" {
        return Err(MergeError::PlanNotReady(format!(
            "the merge is {}",
            row.state
        )));
    }
    if row.plan_id != approval.plan_id {
        return Err(MergeError::PlanChanged(row.plan_id.clone()));
    }
    let apart = item::apart(connection, row.merge_id, 1).await?;
    if !row.rewound && !apart.is_empty() {
        return Err(MergeError::PlanNotReady(row.blockers.join("; ")));
    }
    if row.is_tripped && !approval.override_breakers {
        return Err(MergeError::BreakerTripped(row.blockers.join("; ")));
    }
    Ok(())
}
