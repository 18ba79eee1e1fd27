//! The inbox: what was taken of each origin, the events that wait or came late, and the values
//! that events built.

mod value;

use hubshift_domain::id::FleetId;
use hubshift_domain::inbox::OriginState;
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) use value::{built, lock_value, save_value};

/// Who numbers events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(crate) hub: String,
    pub(crate) producer: String,
}

/// An event as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    pub(crate) origin: Origin,
    pub(crate) seq: i64,
    pub(crate) event_id: String,
    pub(crate) epoch: i64,
    pub(crate) device: String,
    pub(crate) key: String,
    pub(crate) key_version: i64,
    pub(crate) kind: String,
    pub(crate) payload: Value,
    pub(crate) hash: Vec<u8>,
}

/// Holds an origin's row until the transaction ends and reads what was taken of it. The ids of
/// the last events come with it, to tell a repeated event from another one under its name.
pub(crate) async fn lock_origin(
    connection: &mut PgConnection,
    fleet: &FleetId,
    origin: &Origin,
) -> Result<OriginState, StoreError> {
    sqlx::query!(
        "insert into merge.event_origin (fleet_id, origin, producer) values ($1, $2, $3)
         on conflict on constraint merge_event_origin_pk do nothing",
        fleet.as_str(),
        origin.hub,
        origin.producer
    )
    .execute(&mut *connection)
    .await?;
    let row = sqlx::query!(
        "select low_water, above from merge.event_origin
          where fleet_id = $1 and origin = $2 and producer = $3 for update",
        fleet.as_str(),
        origin.hub,
        origin.producer
    )
    .fetch_one(&mut *connection)
    .await?;
    let above = row.above.iter().map(|seq| unsigned(*seq));
    let mut state = OriginState::restore(unsigned(row.low_water), above);
    let seen = sqlx::query!(
        "select origin_seq, event_id, payload_sha256 from merge.event
          where fleet_id = $1 and origin = $2 and producer = $3
          order by origin_seq desc limit 4096",
        fleet.as_str(),
        origin.hub,
        origin.producer
    )
    .fetch_all(connection)
    .await?;
    for event in seen {
        let hash = <[u8; 32]>::try_from(event.payload_sha256).unwrap_or_default();
        state.remember(unsigned(event.origin_seq), &event.event_id, hash);
    }
    Ok(state)
}

/// Stores what was taken of an origin.
pub(crate) async fn save_origin(
    connection: &mut PgConnection,
    fleet: &FleetId,
    origin: &Origin,
    state: &OriginState,
) -> Result<(), StoreError> {
    let above: Vec<i64> = state.above().map(signed).collect();
    sqlx::query!(
        "update merge.event_origin set low_water = $4, above = $5
          where fleet_id = $1 and origin = $2 and producer = $3",
        fleet.as_str(),
        origin.hub,
        origin.producer,
        signed(state.low_water()),
        &above
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores an event with what became of it.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    fleet: &FleetId,
    event: &EventRow,
    state: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into merge.event
                (fleet_id, origin, producer, origin_seq, event_id, epoch, device_id, event_key,
                 key_version, kind, payload, payload_sha256, state)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        fleet.as_str(),
        event.origin.hub,
        event.origin.producer,
        event.seq,
        event.event_id,
        event.epoch,
        event.device,
        event.key,
        event.key_version,
        event.kind,
        event.payload,
        event.hash,
        state
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps an event aside that can't be applied ever.
pub(crate) async fn dead_letter(
    connection: &mut PgConnection,
    fleet: &FleetId,
    origin: &Origin,
    event: &Value,
    reason: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into merge.dead_letter (dead_letter_id, fleet_id, origin, producer, event, reason)
         values ($1, $2, $3, $4, $5, $6)",
        Uuid::now_v7(),
        fleet.as_str(),
        origin.hub,
        origin.producer,
        event,
        reason
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What was applied of a key, from one origin: the last version, and whether it was deleted.
pub(crate) async fn key_version(
    connection: &mut PgConnection,
    fleet: &FleetId,
    event: &EventRow,
) -> Result<(u64, bool), StoreError> {
    let row = sqlx::query!(
        "select last_version, is_deleted from merge.event_key
          where fleet_id = $1 and origin = $2 and producer = $3 and device_id = $4
            and event_key = $5",
        fleet.as_str(),
        event.origin.hub,
        event.origin.producer,
        event.device,
        event.key
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map_or((0, false), |row| {
        (unsigned(row.last_version), row.is_deleted)
    }))
}

/// Stores what was applied of a key, from one origin.
pub(crate) async fn save_key_version(
    connection: &mut PgConnection,
    fleet: &FleetId,
    event: &EventRow,
    last: u64,
    is_deleted: bool,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into merge.event_key
                (fleet_id, origin, producer, device_id, event_key, last_version, is_deleted)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict on constraint merge_event_key_pk do update
            set last_version = excluded.last_version, is_deleted = excluded.is_deleted",
        fleet.as_str(),
        event.origin.hub,
        event.origin.producer,
        event.device,
        event.key,
        signed(last),
        is_deleted
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Versions and arrival of a key's events that wait for those before them.
pub(crate) async fn parked(
    connection: &mut PgConnection,
    fleet: &FleetId,
    event: &EventRow,
) -> Result<Vec<(u64, OffsetDateTime)>, StoreError> {
    let rows = sqlx::query!(
        "select key_version, create_time from merge.event
          where fleet_id = $1 and origin = $2 and producer = $3 and device_id = $4
            and event_key = $5 and state = 'parked' order by key_version",
        fleet.as_str(),
        event.origin.hub,
        event.origin.producer,
        event.device,
        event.key
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (unsigned(row.key_version), row.create_time))
        .collect())
}

/// Takes out a parked event of the same key and origin as `like`, with this version, as applied.
pub(crate) async fn release(
    connection: &mut PgConnection,
    fleet: &FleetId,
    like: &EventRow,
    version: u64,
) -> Result<Option<(String, Value)>, StoreError> {
    let row = sqlx::query!(
        r#"update merge.event set state = 'applied'
            where fleet_id = $1 and origin = $2 and producer = $3 and device_id = $4
              and event_key = $5 and key_version = $6 and state = 'parked'
        returning kind, payload as "payload!""#,
        fleet.as_str(),
        like.origin.hub,
        like.origin.producer,
        like.device,
        like.key,
        signed(version)
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| (row.kind, row.payload)))
}

/// A late event, taken for the merge.
#[derive(Debug, Clone)]
pub(crate) struct LateEvent {
    pub(crate) origin: Origin,
    pub(crate) device: String,
    pub(crate) key: String,
    pub(crate) key_version: i64,
    pub(crate) kind: String,
    pub(crate) payload: Value,
}

/// Takes late events in the order of their origins, as merged.
pub(crate) async fn take_late(
    connection: &mut PgConnection,
    fleet: &FleetId,
    limit: i64,
) -> Result<Vec<LateEvent>, StoreError> {
    let rows = sqlx::query!(
        r#"with due as (
               select origin, producer, origin_seq from merge.event
                where fleet_id = $1 and state = 'late'
                order by origin, producer, origin_seq limit $2 for update),
           taken as (
               update merge.event e set state = 'merged' from due
                where e.fleet_id = $1 and e.origin = due.origin and e.producer = due.producer
                  and e.origin_seq = due.origin_seq
            returning e.origin, e.producer, e.origin_seq, e.device_id, e.event_key,
                      e.key_version, e.kind, e.payload)
           select origin as "origin!", producer as "producer!", device_id as "device_id!",
                  event_key as "event_key!", key_version as "key_version!", kind as "kind!",
                  payload as "payload!"
             from taken order by origin, producer, origin_seq"#,
        fleet.as_str(),
        limit
    )
    .fetch_all(connection)
    .await?;
    let events = rows.into_iter().map(|row| LateEvent {
        origin: Origin {
            hub: row.origin,
            producer: row.producer,
        },
        device: row.device_id,
        key: row.event_key,
        key_version: row.key_version,
        kind: row.kind,
        payload: row.payload,
    });
    Ok(events.collect())
}

/// Notes that a late event was merged: what follows it at its origin no longer waits for it.
pub(crate) async fn advance_key(
    connection: &mut PgConnection,
    fleet: &FleetId,
    late: &LateEvent,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into merge.event_key
                (fleet_id, origin, producer, device_id, event_key, last_version)
         values ($1, $2, $3, $4, $5, $6)
         on conflict on constraint merge_event_key_pk do update
            set last_version = greatest(event_key.last_version, excluded.last_version)",
        fleet.as_str(),
        late.origin.hub,
        late.origin.producer,
        late.device,
        late.key,
        late.key_version
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How many events came late and wait for a merge.
pub(crate) async fn count_late(
    connection: &mut PgConnection,
    fleet: &FleetId,
) -> Result<u64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from merge.event where fleet_id = $1 and state = 'late'"#,
        fleet.as_str()
    )
    .fetch_one(connection)
    .await?;
    Ok(unsigned(count))
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
