//! Events of an epoch that is over, which wait for a merge.

use hubshift_domain::id::FleetId;
use hubshift_domain::inbox::EventKind;
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;

use super::{Origin, OriginKey, kind, unsigned};

/// A late event, taken for the merge.
#[derive(Debug, Clone)]
pub(crate) struct LateEvent {
    pub(crate) at: OriginKey,
    pub(crate) seq: i64,
    pub(crate) key_version: u64,
    pub(crate) kind: EventKind,
    pub(crate) payload: Value,
    /// Whether a later state of the key came late too, from the same origin: it includes this.
    pub(crate) is_superseded: bool,
}

/// The first origin that has late events, by name.
pub(crate) async fn late_origin(
    connection: &mut PgConnection,
    fleet: &FleetId,
) -> Result<Option<Origin>, StoreError> {
    let row = sqlx::query!(
        "select origin, producer from merge.event
          where fleet_id = $1 and state = 'late' order by origin, producer limit 1",
        fleet.as_str()
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Origin {
        hub: row.origin,
        producer: row.producer,
    }))
}

/// Takes late events of an origin in its order, as merged; the caller holds the origin.
pub(crate) async fn take_late(
    connection: &mut PgConnection,
    fleet: &FleetId,
    origin: &Origin,
    limit: i64,
) -> Result<Vec<LateEvent>, StoreError> {
    // The last part sees the events as they were before the update.
    let rows = sqlx::query!(
        r#"with due as (
               select origin_seq from merge.event
                where fleet_id = $1 and origin = $2 and producer = $3 and state = 'late'
                order by origin_seq limit $4 for update),
           taken as (
               update merge.event e set state = 'merged' from due
                where e.fleet_id = $1 and e.origin = $2 and e.producer = $3
                  and e.origin_seq = due.origin_seq
            returning e.origin_seq, e.device_id, e.event_key, e.key_version, e.kind, e.payload)
           select origin_seq as "origin_seq!", device_id as "device_id!",
                  event_key as "event_key!", key_version as "key_version!", kind as "kind!",
                  payload as "payload!",
                  exists (select from merge.event later
                           where later.fleet_id = $1 and later.origin = $2
                             and later.producer = $3 and later.device_id = taken.device_id
                             and later.event_key = taken.event_key and later.state = 'late'
                             and later.kind in ('state', 'delete')
                             and later.key_version > taken.key_version) as "is_superseded!"
             from taken order by origin_seq"#,
        fleet.as_str(),
        origin.hub,
        origin.producer,
        limit
    )
    .fetch_all(connection)
    .await?;
    let events = rows.into_iter().map(|row| {
        Ok::<_, StoreError>(LateEvent {
            at: OriginKey {
                origin: origin.clone(),
                device: row.device_id,
                key: row.event_key,
            },
            seq: row.origin_seq,
            key_version: unsigned(row.key_version),
            kind: kind(&row.kind)?,
            payload: row.payload,
            is_superseded: row.is_superseded,
        })
    });
    events.collect()
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
