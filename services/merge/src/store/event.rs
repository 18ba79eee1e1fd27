//! The inbox: what was taken of each origin, the events that wait or came late, and the values
//! that events built.

mod ahead;
mod key;
mod late;
mod value;

use hubshift_domain::id::FleetId;
use hubshift_domain::inbox::{EventKind, OriginState};
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

pub(crate) use ahead::{AheadEvent, due_origins, hold_ahead};
pub(crate) use key::{OriginKey, close_passed, key_state, release, save_key};
pub(crate) use late::{LateEvent, count_late, late_origin, take_late};
pub(crate) use value::{HeldValue, built, lock_value, save_value};

use super::damaged;

/// Who numbers events.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin {
    pub(crate) hub: String,
    pub(crate) producer: String,
}

/// An event as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct EventRow {
    pub(crate) at: OriginKey,
    pub(crate) seq: i64,
    pub(crate) event_id: String,
    pub(crate) epoch: i64,
    pub(crate) key_version: i64,
    pub(crate) kind: EventKind,
    pub(crate) payload: Value,
    pub(crate) hash: Vec<u8>,
}

/// Holds an origin's row until the transaction ends and reads what was taken of it. The ids of
/// the last events come with it, and those of `ids` that were ever used, to tell a repeated event
/// from another one under its name.
pub(crate) async fn lock_origin(
    connection: &mut PgConnection,
    fleet: &FleetId,
    origin: &Origin,
    ids: &[String],
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
    let mut state = hold_origin(connection, fleet, origin).await?;
    let seen = sqlx::query!(
        "select origin_seq, event_id, payload_sha256 from merge.event
          where fleet_id = $1 and origin = $2 and producer = $3
          order by origin_seq desc limit 4096",
        fleet.as_str(),
        origin.hub,
        origin.producer
    )
    .fetch_all(&mut *connection)
    .await?;
    for event in seen {
        let hash = <[u8; 32]>::try_from(event.payload_sha256).unwrap_or_default();
        state.remember(unsigned(event.origin_seq), &event.event_id, hash);
    }
    let used = sqlx::query!(
        "select event_id, payload_sha256 from merge.event
          where fleet_id = $1 and origin = $2 and producer = $3 and event_id = any($4)",
        fleet.as_str(),
        origin.hub,
        origin.producer,
        ids
    )
    .fetch_all(connection)
    .await?;
    for event in used {
        let hash = <[u8; 32]>::try_from(event.payload_sha256).unwrap_or_default();
        state.recall(&event.event_id, hash);
    }
    Ok(state)
}

/// Holds an origin's row until the transaction ends: nobody else takes its events, or applies
/// some of them, meanwhile. Reads which numbers were taken, without their ids.
pub(crate) async fn hold_origin(
    connection: &mut PgConnection,
    fleet: &FleetId,
    origin: &Origin,
) -> Result<OriginState, StoreError> {
    let row = sqlx::query!(
        "select low_water, above from merge.event_origin
          where fleet_id = $1 and origin = $2 and producer = $3 for update",
        fleet.as_str(),
        origin.hub,
        origin.producer
    )
    .fetch_one(connection)
    .await?;
    let above = row.above.iter().map(|seq| unsigned(*seq));
    Ok(OriginState::restore(unsigned(row.low_water), above))
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
        event.at.origin.hub,
        event.at.origin.producer,
        event.seq,
        event.event_id,
        event.epoch,
        event.at.device,
        event.at.key,
        event.key_version,
        event.kind.as_str(),
        event.payload,
        event.hash,
        state
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes what became of a stored event.
pub(crate) async fn set_state(
    connection: &mut PgConnection,
    fleet: &FleetId,
    origin: &Origin,
    seq: i64,
    state: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.event set state = $5
          where fleet_id = $1 and origin = $2 and producer = $3 and origin_seq = $4",
        fleet.as_str(),
        origin.hub,
        origin.producer,
        seq,
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

/// Reads a stored kind.
fn kind(name: &str) -> Result<EventKind, StoreError> {
    EventKind::parse(name).ok_or_else(|| damaged("kind", name))
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
