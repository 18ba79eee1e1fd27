//! The conflict log. A decision of an operator is a row in state `resolved`: the resolutions of a
//! device are read from here.
//!
//! Kept true: what was applied, or may have been, keeps its rows, so that no value that lost is
//! gone; a planning round replaces only rows that nobody decided and nothing applied.

mod decide;
mod look;
mod open;

use hubshift_domain::identity::canonical_json;
use hubshift_domain::merge::{self, Chosen, ConflictState};
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

pub(crate) use decide::{open_decisions, resolutions, resolve, supersede_held, whole_decisions};
pub(crate) use look::{ConflictRow, Filter, count_held, hold, merge_of, page};
pub(crate) use open::{OpenRow, carry, keep, keep_sent, open_rows, supersede};

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

    /// The same facts have the same id in every try. What two writes of a document lost at one
    /// path are two facts.
    fn id(&self, merge_id: Uuid) -> Uuid {
        let dropped = self.stamps.get("dropped").map(canonical_json);
        let parts = [
            self.scope.as_str(),
            &self.key,
            &self.kind,
            &self.path,
            &self.generation.to_string(),
            &dropped.unwrap_or_default(),
        ];
        Uuid::new_v5(&merge_id, parts.join("\u{0}").as_bytes())
    }
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

/// Writes conflicts. A row that an operator decided keeps his decision and takes the new values;
/// one whose decision fell is open again.
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
                chosen = excluded.chosen, policy = excluded.policy, state = excluded.state,
                resolver = '', resolve_time = excluded.resolve_time
          where merge.conflict.state in ('auto', 'held', 'superseded')",
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
          where merge_id = $1 and scope = 'device' and key = $2 and not is_applied
            and state <> 'superseded'",
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
