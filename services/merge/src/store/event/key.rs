//! Keys as one origin counts them: what was applied, and what waits for those before it.

use hubshift_domain::id::FleetId;
use hubshift_domain::inbox::{EventKind, KeyState};
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;

use super::{Origin, kind, signed, unsigned};

/// A key of one origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OriginKey {
    pub(crate) origin: Origin,
    pub(crate) device: String,
    pub(crate) key: String,
}

/// What was applied of a key and what waits; the caller holds its origin.
pub(crate) async fn key_state(
    connection: &mut PgConnection,
    fleet: &FleetId,
    at: &OriginKey,
) -> Result<KeyState, StoreError> {
    let row = sqlx::query!(
        "select last_version, is_deleted from merge.event_key
          where fleet_id = $1 and origin = $2 and producer = $3 and device_id = $4
            and event_key = $5",
        fleet.as_str(),
        at.origin.hub,
        at.origin.producer,
        at.device,
        at.key
    )
    .fetch_optional(&mut *connection)
    .await?;
    let (last, is_deleted) = row.map_or((0, false), |row| {
        (unsigned(row.last_version), row.is_deleted)
    });
    let parked = sqlx::query!(
        "select key_version, create_time from merge.event
          where fleet_id = $1 and origin = $2 and producer = $3 and device_id = $4
            and event_key = $5 and state = 'parked' order by key_version",
        fleet.as_str(),
        at.origin.hub,
        at.origin.producer,
        at.device,
        at.key
    )
    .fetch_all(connection)
    .await?;
    let parked = parked
        .into_iter()
        .map(|row| (unsigned(row.key_version), row.create_time));
    Ok(KeyState::restore(last, is_deleted, parked))
}

/// Stores what was applied of a key.
pub(crate) async fn save_key(
    connection: &mut PgConnection,
    fleet: &FleetId,
    at: &OriginKey,
    key: &KeyState,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into merge.event_key
                (fleet_id, origin, producer, device_id, event_key, last_version, is_deleted)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict on constraint merge_event_key_pk do update
            set last_version = excluded.last_version, is_deleted = excluded.is_deleted",
        fleet.as_str(),
        at.origin.hub,
        at.origin.producer,
        at.device,
        at.key,
        signed(key.last()),
        key.is_deleted()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes out a parked event of a key, with this version, as applied.
pub(crate) async fn release(
    connection: &mut PgConnection,
    fleet: &FleetId,
    at: &OriginKey,
    version: u64,
) -> Result<Option<(EventKind, Value)>, StoreError> {
    let row = sqlx::query!(
        r#"update merge.event set state = 'applied'
            where fleet_id = $1 and origin = $2 and producer = $3 and device_id = $4
              and event_key = $5 and key_version = $6 and state = 'parked'
        returning kind, payload as "payload!""#,
        fleet.as_str(),
        at.origin.hub,
        at.origin.producer,
        at.device,
        at.key,
        signed(version)
    )
    .fetch_optional(connection)
    .await?;
    let said = row.map(|row| Ok::<_, StoreError>((kind(&row.kind)?, row.payload)));
    said.transpose()
}

/// Closes the parked events of a key that will not be applied any more: a later version was, or the
/// key was deleted.
pub(crate) async fn close_passed(
    connection: &mut PgConnection,
    fleet: &FleetId,
    at: &OriginKey,
    key: &KeyState,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.event set state = 'stale'
          where fleet_id = $1 and origin = $2 and producer = $3 and device_id = $4
            and event_key = $5 and state = 'parked' and (key_version <= $6 or $7)",
        fleet.as_str(),
        at.origin.hub,
        at.origin.producer,
        at.device,
        at.key,
        signed(key.last()),
        key.is_deleted()
    )
    .execute(connection)
    .await?;
    Ok(())
}
