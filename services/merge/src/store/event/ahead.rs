//! Events of an epoch that was not known when they came, which wait until it is.

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::FleetId;
use hubshift_domain::inbox::EventKind;
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;

use super::{Origin, OriginKey, damaged, kind, unsigned};

/// An event whose epoch has come.
#[derive(Debug, Clone)]
pub(crate) struct AheadEvent {
    pub(crate) at: OriginKey,
    pub(crate) seq: i64,
    pub(crate) epoch: Epoch,
    pub(crate) key_version: u64,
    pub(crate) kind: EventKind,
    pub(crate) payload: Value,
}

/// Events of an origin whose epoch has come, in its order; the caller holds the origin.
pub(crate) async fn hold_ahead(
    connection: &mut PgConnection,
    fleet: &FleetId,
    origin: &Origin,
    epoch: Epoch,
    limit: i64,
) -> Result<Vec<AheadEvent>, StoreError> {
    let rows = sqlx::query!(
        r#"select origin_seq, epoch, device_id, event_key, key_version, kind,
                  payload as "payload!"
             from merge.event
            where fleet_id = $1 and origin = $2 and producer = $3 and state = 'ahead'
              and epoch <= $4
            order by origin_seq limit $5 for update skip locked"#,
        fleet.as_str(),
        origin.hub,
        origin.producer,
        epoch.as_i64(),
        limit
    )
    .fetch_all(connection)
    .await?;
    let events = rows.into_iter().map(|row| {
        Ok::<_, StoreError>(AheadEvent {
            at: OriginKey {
                origin: origin.clone(),
                device: row.device_id,
                key: row.event_key,
            },
            seq: row.origin_seq,
            epoch: Epoch::from_i64(row.epoch),
            key_version: unsigned(row.key_version),
            kind: kind(&row.kind)?,
            payload: row.payload,
        })
    });
    events.collect()
}

/// Origins with events whose epoch has come, of all fleets.
pub(crate) async fn due_origins(
    connection: &mut PgConnection,
    limit: i64,
) -> Result<Vec<(FleetId, Origin)>, StoreError> {
    let rows = sqlx::query!(
        "select distinct e.fleet_id, e.origin, e.producer
           from merge.event e join authority.fleet f on f.fleet_id = e.fleet_id
          where e.state = 'ahead' and e.epoch <= f.epoch limit $1",
        limit
    )
    .fetch_all(connection)
    .await?;
    let origins = rows.into_iter().map(|row| {
        let fleet = FleetId::new(row.fleet_id).map_err(|error| damaged("fleet_id", error))?;
        let origin = Origin {
            hub: row.origin,
            producer: row.producer,
        };
        Ok::<_, StoreError>((fleet, origin))
    });
    origins.collect()
}
