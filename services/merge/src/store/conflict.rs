//! The conflict log. A decision of an operator is a row in state `resolved`: the resolutions of a
//! device are read from here.
//!
//! Kept true: what was applied keeps its rows, so that every value that lost can be restored; a
//! planning round replaces only rows that nobody decided and nothing applied.

use std::collections::HashMap;

use hubshift_domain::merge::{self, Choice, Chosen, ConflictState, Resolution};
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// The version of the policies that decide, as rows name it.
const POLICY_VERSION: &str = "v1";

/// What a conflict is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// A device.
    Device,
    /// A document of `MetadataService`.
    Document,
    /// A document of a back end's own store.
    Source,
}

impl Scope {
    /// The stored name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Document => "document",
            Self::Source => "source",
        }
    }
}

/// A conflict that is found.
#[derive(Debug, Clone)]
pub(crate) struct NewConflict {
    pub(crate) scope: Scope,
    pub(crate) key: String,
    pub(crate) kind: String,
    pub(crate) path: String,
    pub(crate) base: Option<Value>,
    pub(crate) primary: Option<Value>,
    pub(crate) secondary: Option<Value>,
    pub(crate) stamps: Value,
    pub(crate) chosen: Option<&'static str>,
    pub(crate) policy: String,
    pub(crate) state: ConflictState,
    pub(crate) generation: i32,
    pub(crate) is_applied: bool,
}

impl NewConflict {
    /// A device's conflict, not applied yet.
    pub(crate) fn of_device(device: &str, generation: i32, found: &merge::Conflict) -> Self {
        let chosen = match (found.state, found.chosen) {
            (ConflictState::Held, _) | (_, Chosen::Neither) => None,
            (_, chosen) => Some(chosen.as_str()),
        };
        Self {
            scope: Scope::Device,
            key: device.to_owned(),
            kind: found.kind.to_string(),
            path: found.path.clone(),
            base: found.base.clone(),
            primary: found.primary.clone(),
            secondary: found.secondary.clone(),
            stamps: serde_json::to_value(&found.stamps).unwrap_or_default(),
            chosen,
            policy: format!("{} {POLICY_VERSION}", found.policy),
            state: found.state,
            generation,
            is_applied: false,
        }
    }

    /// The same facts have the same id in every try.
    fn id(&self, merge_id: Uuid) -> Uuid {
        let parts = [
            self.scope.as_str(),
            &self.key,
            &self.kind,
            &self.path,
            &self.generation.to_string(),
        ];
        Uuid::new_v5(&merge_id, parts.join("\u{0}").as_bytes())
    }
}

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

/// Removes the rows of these devices that nobody decided and nothing applied.
pub(crate) async fn clear(
    connection: &mut PgConnection,
    merge_id: Uuid,
    devices: &[String],
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from merge.conflict
          where merge_id = $1 and scope = 'device' and key = any($2)
            and not is_applied and state in ('auto', 'held')",
        merge_id,
        devices
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes rows that nobody decided and nothing applied of devices that the merge does not have.
pub(crate) async fn clear_orphans(
    connection: &mut PgConnection,
    merge_id: Uuid,
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from merge.conflict c
          where c.merge_id = $1 and c.scope = 'device' and not c.is_applied
            and not exists (select from merge.item i
                             where i.merge_id = $1 and i.device_id = c.key
                               and i.state <> 'applied')",
        merge_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes conflicts. A row that an operator decided keeps his decision and takes the new values.
pub(crate) async fn put(
    connection: &mut PgConnection,
    fleet: &str,
    merge_id: Uuid,
    found: &[NewConflict],
) -> Result<(), StoreError> {
    for conflict in found {
        let is_resolved = conflict.state == ConflictState::Resolved;
        if is_resolved && refresh(connection, merge_id, conflict).await? {
            continue;
        }
        insert(connection, fleet, merge_id, conflict).await?;
    }
    Ok(())
}

async fn refresh(
    connection: &mut PgConnection,
    merge_id: Uuid,
    conflict: &NewConflict,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update merge.conflict
            set base = $6, primary_value = $7, secondary_value = $8, stamps = $9
          where merge_id = $1 and scope = $2 and key = $3 and path = $4 and generation = $5
            and state = 'resolved'",
        merge_id,
        conflict.scope.as_str(),
        conflict.key,
        conflict.path,
        conflict.generation,
        conflict.base,
        conflict.primary,
        conflict.secondary,
        conflict.stamps
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

async fn insert(
    connection: &mut PgConnection,
    fleet: &str,
    merge_id: Uuid,
    conflict: &NewConflict,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into merge.conflict
                (conflict_id, fleet_id, merge_id, key, scope, kind, path, base, primary_value,
                 secondary_value, stamps, chosen, policy, state, generation, is_applied,
                 resolve_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                 case when $14 = 'resolved' then now() end)
         on conflict on constraint merge_conflict_pk do update
            set base = excluded.base, primary_value = excluded.primary_value,
                secondary_value = excluded.secondary_value, stamps = excluded.stamps,
                chosen = excluded.chosen, policy = excluded.policy, state = excluded.state
          where merge.conflict.state in ('auto', 'held')",
        conflict.id(merge_id),
        fleet,
        merge_id,
        conflict.key,
        conflict.scope.as_str(),
        conflict.kind,
        conflict.path,
        conflict.base,
        conflict.primary,
        conflict.secondary,
        conflict.stamps,
        conflict.chosen,
        conflict.policy,
        conflict.state.as_str(),
        conflict.generation,
        conflict.is_applied
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What operators decided of these devices, by device and generation.
pub(crate) async fn resolutions(
    connection: &mut PgConnection,
    merge_id: Uuid,
    devices: &[String],
) -> Result<HashMap<(String, i32), Vec<Resolution>>, StoreError> {
    let rows = sqlx::query!(
        "select key, generation, path, chosen from merge.conflict
          where merge_id = $1 and scope = 'device' and key = any($2) and state = 'resolved'
          order by key, path",
        merge_id,
        devices
    )
    .fetch_all(connection)
    .await?;
    let mut decided: HashMap<_, Vec<Resolution>> = HashMap::new();
    for row in rows {
        let choice = row.chosen.as_deref().and_then(Choice::parse);
        if let Some(choice) = choice {
            let of_device = decided.entry((row.key, row.generation)).or_default();
            of_device.push(Resolution { path: row.path, choice });
        }
    }
    Ok(decided)
}

/// Every decision of a merge that is not applied yet, as `device, path, choice`, sorted.
pub(crate) async fn open_decisions(
    connection: &mut PgConnection,
    merge_id: Uuid,
) -> Result<Vec<[String; 3]>, StoreError> {
    let rows = sqlx::query!(
        r#"select key, path, coalesce(chosen, '') as "chosen!" from merge.conflict
            where merge_id = $1 and scope = 'device' and state = 'resolved' and not is_applied
            order by key collate "C", path collate "C""#,
        merge_id
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| [row.key, row.path, row.chosen]).collect())
}

/// The rows of a device were applied. When nothing holds it any more, or this merge's rows say
/// what does, held rows of earlier merges have no say.
pub(crate) async fn applied(
    connection: &mut PgConnection,
    fleet: &str,
    merge_id: Uuid,
    device: &str,
    is_held: bool,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.conflict set is_applied = true
          where merge_id = $1 and scope = 'device' and key = $2 and not is_applied",
        merge_id,
        device
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update merge.conflict c set state = 'superseded'
          where c.fleet_id = $1 and c.scope = 'device' and c.key = $3 and c.state = 'held'
            and c.merge_id <> $2
            and (not $4 or exists (
                    select from merge.conflict own
                     where own.merge_id = $2 and own.scope = 'device' and own.key = $3
                       and own.state = 'held'))",
        fleet,
        merge_id,
        device,
        is_held
    )
    .execute(connection)
    .await?;
    Ok(())
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

/// Writes an operator's decision.
pub(crate) async fn resolve(
    connection: &mut PgConnection,
    conflict_id: Uuid,
    choice: Choice,
    resolver: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.conflict
            set state = 'resolved', chosen = $2, resolver = $3, resolve_time = now()
          where conflict_id = $1",
        conflict_id,
        choice.as_str(),
        resolver
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The rows of a device that still wait for a person: a decision left them without a point.
pub(crate) async fn supersede_held(
    connection: &mut PgConnection,
    merge_id: Uuid,
    device: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.conflict set state = 'superseded'
          where merge_id = $1 and scope = 'device' and key = $2 and state = 'held'",
        merge_id,
        device
    )
    .execute(connection)
    .await?;
    Ok(())
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
