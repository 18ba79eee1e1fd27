//! Merges: one row each. At most one of a fleet is not over.

mod standing;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::merge::{Counts, HubSize, Tripped};
use hubshift_store::StoreError;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) use standing::{Standing, standing};

use super::{conflict, item};

/// A merge as it is stored, with what is counted of its items and conflicts.
#[derive(Debug, Clone)]
pub(crate) struct MergeRow {
    pub(crate) merge_id: Uuid,
    pub(crate) fleet_id: String,
    pub(crate) primary_hub_id: String,
    pub(crate) secondary_hub_id: String,
    pub(crate) epoch: i64,
    pub(crate) state: String,
    pub(crate) plan_id: String,
    pub(crate) rewound: bool,
    pub(crate) rewound_evidence: String,
    pub(crate) counts: Json<StoredCounts>,
    pub(crate) blockers: Vec<String>,
    pub(crate) is_tripped: bool,
    pub(crate) primary_digest: String,
    pub(crate) secondary_digest: String,
    pub(crate) failure_reason: Option<String>,
    pub(crate) failure_message: Option<String>,
    pub(crate) approved_plan_id: Option<String>,
    /// The breakers that a person let pass.
    pub(crate) approved_trips: Json<Vec<Tripped>>,
    pub(crate) trace_id: String,
    pub(crate) create_time: OffsetDateTime,
    pub(crate) close_time: Option<OffsetDateTime>,
    pub(crate) applied_count: i64,
    pub(crate) auto_count: i64,
    pub(crate) held_count: i64,
}

impl MergeRow {
    /// The fleet's epoch when it was started.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch::from_i64(self.epoch)
    }

    /// `fleets/{fleet}/merges/{merge}`.
    pub(crate) fn name(&self) -> String {
        name(&self.fleet_id, self.merge_id)
    }
}

/// `fleets/{fleet}/merges/{merge}`.
pub(crate) fn name(fleet: &str, merge_id: Uuid) -> String {
    format!("fleets/{fleet}/merges/{merge_id}")
}

/// What a plan counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct StoredCounts {
    /// Of devices.
    pub(crate) plan: Counts,
    /// Documents with branches.
    pub(crate) documents: u64,
    /// Events that came late.
    pub(crate) late_events: u64,
    /// Devices at the recovered hub before the merge.
    pub(crate) primary_size: u64,
    /// Devices at the active hub before the merge.
    pub(crate) secondary_size: u64,
    /// Modules and configurations at the recovered hub before the merge.
    pub(crate) primary_others: u64,
    /// Modules and configurations at the active hub before the merge.
    pub(crate) secondary_others: u64,
}

impl StoredCounts {
    /// How large the recovered and the active hub were before the merge.
    pub(crate) fn sizes(&self) -> (HubSize, HubSize) {
        let size = |devices, others| HubSize {
            devices,
            others,
            quota: None,
        };
        (
            size(self.primary_size, self.primary_others),
            size(self.secondary_size, self.secondary_others),
        )
    }
}

/// A merge that begins.
#[derive(Debug)]
pub(crate) struct NewMerge<'a> {
    pub(crate) merge_id: Uuid,
    pub(crate) fleet: &'a FleetId,
    pub(crate) primary: &'a HubId,
    pub(crate) secondary: &'a HubId,
    pub(crate) epoch: Epoch,
    pub(crate) sources: &'a [String],
    pub(crate) trace_id: &'a str,
}

/// Writes a merge that begins; the constraint `merge_merge_one_active` refuses a second one.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    merge: &NewMerge<'_>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into merge.merge
                (merge_id, fleet_id, primary_hub_id, secondary_hub_id, epoch, sources, trace_id)
         values ($1, $2, $3, $4, $5, $6, $7)",
        merge.merge_id,
        merge.fleet.as_str(),
        merge.primary.as_str(),
        merge.secondary.as_str(),
        merge.epoch.as_i64(),
        merge.sources,
        merge.trace_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Holds a merge's row until the transaction ends; `false` when there is none.
pub(crate) async fn hold(
    connection: &mut PgConnection,
    merge_id: Uuid,
) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        "select merge_id from merge.merge where merge_id = $1 for update",
        merge_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.is_some())
}

/// Reads one merge.
pub(crate) async fn get(
    connection: &mut PgConnection,
    fleet: &str,
    merge_id: Uuid,
) -> Result<Option<MergeRow>, StoreError> {
    Ok(page(connection, fleet, Some(merge_id), None, 1)
        .await?
        .pop())
}

/// A fleet's merges, newest first, before `before`; or only the one called `only`.
pub(crate) async fn page(
    connection: &mut PgConnection,
    fleet: &str,
    only: Option<Uuid>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<MergeRow>, StoreError> {
    let rows = sqlx::query_as!(
        MergeRow,
        r#"select m.merge_id, m.fleet_id, m.primary_hub_id, m.secondary_hub_id, m.epoch, m.state,
                  m.plan_id, m.rewound, m.rewound_evidence,
                  m.counts as "counts: Json<StoredCounts>", m.blockers, m.is_tripped,
                  m.primary_digest, m.secondary_digest, m.failure_reason, m.failure_message,
                  m.approved_plan_id,
                  m.approved_trips as "approved_trips: Json<Vec<Tripped>>", m.trace_id,
                  m.create_time, m.close_time,
                  (select count(*) from merge.item i
                    where i.merge_id = m.merge_id and i.state = 'applied') as "applied_count!",
                  (select count(*) from merge.conflict c
                    where c.merge_id = m.merge_id and c.state = 'auto') as "auto_count!",
                  (select count(*) from merge.conflict c
                    where c.merge_id = m.merge_id and c.state = 'held') as "held_count!"
             from merge.merge m
            where m.fleet_id = $1 and ($2::uuid is null or m.merge_id = $2)
              and ($3::uuid is null or m.merge_id < $3)
            order by m.merge_id desc limit $4"#,
        fleet,
        only,
        before,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// The merge of a fleet that is not over, and its state; its row is held.
pub(crate) async fn hold_active(
    connection: &mut PgConnection,
    fleet: &str,
) -> Result<Option<(Uuid, String)>, StoreError> {
    let row = sqlx::query!(
        "select merge_id, state from merge.merge
          where fleet_id = $1 and state in ('planning', 'planned', 'applying', 'verifying')
            for update",
        fleet
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (row.merge_id, row.state)))
}

/// What a plan found.
#[derive(Debug)]
pub(crate) struct Planned<'a> {
    pub(crate) state: &'a str,
    pub(crate) plan_id: &'a str,
    pub(crate) counts: StoredCounts,
    pub(crate) blockers: &'a [String],
    pub(crate) tripped: &'a [Tripped],
    pub(crate) approved_plan_id: Option<&'a str>,
}

/// Stores a plan.
pub(crate) async fn planned(
    connection: &mut PgConnection,
    merge_id: Uuid,
    plan: &Planned<'_>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.merge
            set state = $2, plan_id = $3, counts = $4, blockers = $5, is_tripped = $6,
                tripped = $7, approved_plan_id = $8
          where merge_id = $1 and state in ('planning', 'planned', 'applying', 'verifying')",
        merge_id,
        plan.state,
        plan.plan_id,
        Json(&plan.counts) as _,
        plan.blockers,
        !plan.tripped.is_empty(),
        Json(plan.tripped) as _,
        plan.approved_plan_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes whether the recovered hub came back from an older state.
pub(crate) async fn set_rewound(
    connection: &mut PgConnection,
    merge_id: Uuid,
    rewound: bool,
    evidence: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.merge set rewound = $2, rewound_evidence = $3 where merge_id = $1",
        merge_id,
        rewound,
        evidence
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A person approved the plan: from now on it is applied. With an override the breakers that it
/// trips may pass, as far as they tripped.
pub(crate) async fn approve(
    connection: &mut PgConnection,
    merge_id: Uuid,
    plan_id: &str,
    override_breakers: bool,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.merge
            set state = 'applying', approved_plan_id = $2, override_breakers = $3,
                approved_trips = case when $3 then tripped else '[]'::jsonb end
          where merge_id = $1 and state = 'planned'",
        merge_id,
        plan_id,
        override_breakers
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves an unfinished merge on.
pub(crate) async fn set_state(
    connection: &mut PgConnection,
    merge_id: Uuid,
    state: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.merge set state = $2
          where merge_id = $1 and state in ('planning', 'planned', 'applying', 'verifying')",
        merge_id,
        state
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Both hubs are equal: the merge is over.
pub(crate) async fn close(
    connection: &mut PgConnection,
    merge_id: Uuid,
    primary_digest: &str,
    secondary_digest: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.merge
            set state = 'closed', primary_digest = $2, secondary_digest = $3,
                close_time = clock_timestamp()
          where merge_id = $1 and state in ('applying', 'verifying')",
        merge_id,
        primary_digest,
        secondary_digest
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// An unfinished merge gave up; what it planned and did not apply means nothing any more, but what
/// it sent may have been written.
pub(crate) async fn fail(
    connection: &mut PgConnection,
    merge_id: Uuid,
    reason: &str,
    message: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.merge
            set state = 'failed', failure_reason = $2, failure_message = $3
          where merge_id = $1 and state in ('planning', 'planned', 'applying', 'verifying')",
        merge_id,
        reason,
        message
    )
    .execute(&mut *connection)
    .await?;
    conflict::keep_sent(connection, merge_id, i32::MAX).await?;
    item::close_sent(connection, merge_id).await?;
    sqlx::query!(
        "update merge.conflict set state = 'superseded'
          where merge_id = $1 and not is_applied and state in ('auto', 'held', 'resolved')",
        merge_id
    )
    .execute(connection)
    .await?;
    Ok(())
}
