//! What the journal and the merge bases say of devices that are shown or compared.

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::FleetId;
use hubshift_domain::identity::{Fingerprint, Incarnation};
use hubshift_store::StoreError;
use sqlx::PgConnection;

use crate::observe::Observed;
use crate::store::observed;

/// The newest change of a device that happened through the authority, and whether it is held.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Which device.
    pub(crate) device_id: String,
    /// Its newest change.
    pub(crate) change: Option<Change>,
    /// Whether a merge conflict of it is open.
    pub(crate) is_held: bool,
}

impl Facts {
    /// Nothing is known of the device.
    pub(crate) fn nothing(device: &str) -> Self {
        Self {
            device_id: device.to_owned(),
            change: None,
            is_held: false,
        }
    }
}

/// One change that happened.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// The epoch.
    pub(crate) epoch: Epoch,
    /// Its number.
    pub(crate) sequence: i64,
    /// The hub at which it happened.
    pub(crate) hub_id: String,
    /// Which life of the device it was about.
    pub(crate) incarnation: Incarnation,
    /// What the hub showed after it; absent after a deletion.
    pub(crate) fingerprint: Option<Fingerprint>,
}

/// One row per device of `devices`, in no order.
pub(crate) async fn facts(
    connection: &mut PgConnection,
    fleet: &FleetId,
    devices: &[String],
) -> Result<Vec<Facts>, StoreError> {
    let rows = sqlx::query!(
        r#"select asked.device_id as "device_id!", change.epoch as "epoch?",
                  change.sequence as "sequence?", change.hub_id as "hub_id?",
                  change.incarnation as "incarnation?", change.fingerprint as "fingerprint?",
                  exists (select from registry.base
                           where fleet_id = $1 and device_id = asked.device_id
                             and hold is not null) as "is_held!"
             from unnest($2::text[]) as asked (device_id)
             left join lateral (
                  select epoch, sequence, hub_id, incarnation, fingerprint
                    from registry.journal
                   where fleet_id = $1 and device_id = asked.device_id and state = 'done'
                   order by sequence desc limit 1) as change on true"#,
        fleet.as_str(),
        devices
    )
    .fetch_all(connection)
    .await?;
    let facts = rows.into_iter().map(|row| {
        let change = match (row.epoch, row.sequence, row.hub_id) {
            (Some(epoch), Some(sequence), Some(hub_id)) => Some(Change {
                epoch: Epoch::from_i64(epoch),
                sequence,
                hub_id,
                incarnation: row.incarnation.map_or(1, i32::cast_unsigned),
                fingerprint: row.fingerprint.as_deref().and_then(Fingerprint::from_slice),
            }),
            _ => None,
        };
        Facts {
            device_id: row.device_id,
            change,
            is_held: row.is_held,
        }
    });
    Ok(facts.collect())
}

/// What is said of one device.
pub(crate) async fn facts_of(
    connection: &mut PgConnection,
    fleet: &FleetId,
    device: &str,
) -> Result<Facts, StoreError> {
    let found = facts(connection, fleet, &[device.to_owned()]).await?;
    Ok(found
        .into_iter()
        .next()
        .unwrap_or_else(|| Facts::nothing(device)))
}

/// Devices as a hub was last seen to hold them, by id, after `after`. Modules and configurations
/// are not among them.
pub(crate) async fn devices(
    connection: &mut PgConnection,
    fleet: &FleetId,
    hub: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<Observed>, StoreError> {
    let ids = sqlx::query_scalar!(
        "select device_id from registry.observed
          where fleet_id = $1 and hub_id = $2 and missing_count = 0 and device_id > $3
            and strpos(device_id, '/') = 0
          order by device_id limit $4",
        fleet.as_str(),
        hub,
        after,
        limit
    )
    .fetch_all(&mut *connection)
    .await?;
    observed::get_many(connection, fleet.as_str(), hub, &ids).await
}

/// Everything as a hub was last seen to hold it, by key, after `after`.
pub(crate) async fn records(
    connection: &mut PgConnection,
    fleet: &FleetId,
    hub: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<Observed>, StoreError> {
    let keys = sqlx::query_scalar!(
        "select device_id from registry.observed
          where fleet_id = $1 and hub_id = $2 and missing_count = 0 and device_id > $3
          order by device_id limit $4",
        fleet.as_str(),
        hub,
        after,
        limit
    )
    .fetch_all(&mut *connection)
    .await?;
    observed::get_many(connection, fleet.as_str(), hub, &keys).await
}
