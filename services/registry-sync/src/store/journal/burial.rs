//! Tombstones of deletions that are under way: made with the attempt, before any hub is called,
//! confirmed when it happened, and taken back when it certainly did not.

use hubshift_domain::id::FleetId;
use hubshift_store::StoreError;
use sqlx::PgConnection;

use super::Attempt;
use crate::store::tombstone::{self, NewTombstone};

/// Makes the tombstone of a deletion that is about to be tried; no hub has followed it yet. One
/// that is there already stays as it is, but `revoked` wins: an earlier try may have happened.
pub(crate) async fn announce(
    connection: &mut PgConnection,
    attempt: &Attempt<'_>,
    sequence: i64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into registry.tombstone as t
             (fleet_id, device_id, incarnation, reason, epoch, sequence, origin)
         values ($1, $2, $3, case when $4 then 'revoked' else 'deleted' end, $5, $6, $7)
         on conflict on constraint registry_tombstone_pk do update
            set reason = case when 'revoked' in (t.reason, excluded.reason) then 'revoked'
                              else t.reason end",
        attempt.fleet.as_str(),
        attempt.device,
        attempt.incarnation.cast_signed(),
        attempt.is_revoked,
        attempt.epoch.as_i64(),
        sequence,
        attempt.hub.as_str()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The deletion of this row happened at the row's hub: its tombstone says so, whatever became of
/// the one that was announced, and those of its modules. Of two deletions of one life the later
/// one's stamp stands.
pub(crate) async fn confirm(
    connection: &mut PgConnection,
    fleet: &FleetId,
    sequence: i64,
) -> Result<(), StoreError> {
    let row = sqlx::query!(
        "select device_id, incarnation, is_revoked, epoch, hub_id
           from registry.journal
          where fleet_id = $1 and sequence = $2 and operation = 'delete'",
        fleet.as_str(),
        sequence
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let buried = NewTombstone {
        device: &row.device_id,
        incarnation: row.incarnation.unwrap_or(1),
        is_revoked: row.is_revoked,
        epoch: row.epoch,
        sequence,
        origin: &row.hub_id,
    };
    tombstone::put(&mut *connection, fleet.as_str(), &buried).await?;
    tombstone::put_modules(connection, fleet.as_str(), &buried).await
}

/// Takes back the tombstone that this very attempt made: the device lives, or somebody else ended
/// it. One of an earlier try at another hub stays until that hub says what became of it, and one
/// that a hub has followed speaks of a deletion that happened.
pub(crate) async fn take_back(
    connection: &mut PgConnection,
    fleet: &FleetId,
    device: &str,
    sequence: i64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from registry.tombstone t
          using registry.journal j
          where t.fleet_id = $1 and t.device_id = $2 and t.sequence = $3 and t.acked_by = '{}'
            and j.fleet_id = t.fleet_id and j.sequence = t.sequence
            and j.epoch = t.epoch and j.hub_id = t.origin",
        fleet.as_str(),
        device,
        sequence
    )
    .execute(connection)
    .await?;
    Ok(())
}
