//! Reading the conflict log.

use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// A conflict as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct ConflictRow {
    pub(crate) conflict_id: Uuid,
    pub(crate) fleet_id: String,
    pub(crate) merge_id: Uuid,
    pub(crate) key: String,
    pub(crate) scope: String,
    pub(crate) kind: String,
    pub(crate) path: String,
    pub(crate) base: Option<Value>,
    pub(crate) primary_value: Option<Value>,
    pub(crate) secondary_value: Option<Value>,
    pub(crate) chosen: Option<String>,
    pub(crate) policy: String,
    pub(crate) state: String,
    pub(crate) resolver: String,
    pub(crate) generation: i32,
    pub(crate) is_applied: bool,
    pub(crate) create_time: OffsetDateTime,
    pub(crate) resolve_time: Option<OffsetDateTime>,
}

/// Reads one conflict and holds its row until the transaction ends.
pub(crate) async fn hold(
    connection: &mut PgConnection,
    fleet: &str,
    conflict_id: Uuid,
) -> Result<Option<ConflictRow>, StoreError> {
    let row = sqlx::query_as!(
        ConflictRow,
        "select conflict_id, fleet_id, merge_id, key, scope, kind, path, base, primary_value,
                secondary_value, chosen, policy, state, resolver, generation, is_applied,
                create_time, resolve_time
           from merge.conflict where fleet_id = $1 and conflict_id = $2 for update",
        fleet,
        conflict_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// How many conflicts hold a device, over all fleets.
pub(crate) async fn count_held(connection: &mut PgConnection) -> Result<i64, StoreError> {
    let held = sqlx::query_scalar!(
        r#"select count(*) as "held!" from merge.conflict
            where scope = 'device' and state = 'held'"#
    )
    .fetch_one(connection)
    .await?;
    Ok(held)
}

/// The merge that a conflict belongs to.
pub(crate) async fn merge_of(
    connection: &mut PgConnection,
    fleet: &str,
    conflict_id: Uuid,
) -> Result<Option<Uuid>, StoreError> {
    let merge_id = sqlx::query_scalar!(
        "select merge_id from merge.conflict where fleet_id = $1 and conflict_id = $2",
        fleet,
        conflict_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(merge_id)
}

/// Which conflicts to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) merge_id: Option<Uuid>,
    /// The stored state; `None` for all that count.
    pub(crate) state: Option<&'static str>,
}

/// Conflicts after `(key, path, id)`; superseded ones are not shown.
pub(crate) async fn page(
    connection: &mut PgConnection,
    fleet: &str,
    filter: &Filter,
    after: Option<(String, String, Uuid)>,
    limit: i64,
) -> Result<Vec<ConflictRow>, StoreError> {
    let (key, path, id) = match after {
        Some((key, path, id)) => (Some(key), Some(path), Some(id)),
        None => (None, None, None),
    };
    let rows = sqlx::query_as!(
        ConflictRow,
        "select conflict_id, fleet_id, merge_id, key, scope, kind, path, base, primary_value,
                secondary_value, chosen, policy, state, resolver, generation, is_applied,
                create_time, resolve_time
           from merge.conflict
          where fleet_id = $1 and state <> 'superseded'
            and ($2::uuid is null or merge_id = $2) and ($3::text is null or state = $3)
            and ($4::text is null or (key, path, conflict_id) > ($4, $5::text, $6::uuid))
          order by key, path, conflict_id limit $7",
        fleet,
        filter.merge_id,
        filter.state,
        key,
        path,
        id,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}
