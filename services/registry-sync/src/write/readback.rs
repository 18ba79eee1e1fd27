//! Looking at a device again: what the hub holds now, stored as seen.

use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::identity::Incarnation;
use hubshift_hub::{Hub, HubDevice, HubError};
use hubshift_store::{StoreError, commit};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use super::WriteCx;
use crate::observe::{self, Observed};
use crate::seal::{FleetKeys, KeyError};
use crate::store;

/// Why a device could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RereadError {
    /// The hub did not answer.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// Its credential can't be sealed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads a device at a hub and stores what it holds; nothing when the hub has no such device.
pub(crate) async fn reread(
    pool: &PgPool,
    keys: &FleetKeys,
    hub: &dyn Hub,
    fleet: &FleetId,
    hub_id: &HubId,
    device: &str,
) -> Result<Option<Observed>, RereadError> {
    let read_time = store::authority::now(pool).await?;
    let found = hub.get(device).await.into_result()?;
    let mut tx = pool.begin().await.map_err(StoreError::from)?;
    let seen = match found {
        Some(found) => {
            note_rewind(&mut tx, fleet, hub_id, &found, read_time).await?;
            let incarnation = resolve(&mut tx, fleet, hub_id, &found).await?;
            let seen = observe::observed(keys, incarnation, &found, read_time)?;
            let rows = std::slice::from_ref(&seen);
            store::observed::upsert(&mut *tx, fleet.as_str(), hub_id.as_str(), None, rows).await?;
            Some(seen)
        }
        None => {
            let gone = [device.to_owned()];
            let (fleet, hub) = (fleet.as_str(), hub_id.as_str());
            store::observed::note_gone(&mut tx, fleet, hub, &gone, read_time).await?;
            None
        }
    };
    commit(tx).await?;
    Ok(seen)
}

/// Before what was seen is overwritten: a twin that is older than it was proves that the hub was
/// restored from an older state.
pub(super) async fn note_rewind(
    connection: &mut PgConnection,
    fleet: &FleetId,
    hub: &HubId,
    device: &HubDevice,
    read_time: OffsetDateTime,
) -> Result<(), StoreError> {
    let devices = [device.identity.device_id.clone()];
    let generations = [device.generation_id.clone()];
    let versions = [device.twin_version];
    let (fleet, hub) = (fleet.as_str(), hub.as_str());
    let older = store::observed::rewound_by(
        &mut *connection,
        fleet,
        hub,
        &devices,
        &generations,
        &versions,
        read_time,
    )
    .await?;
    if older.is_empty() {
        return Ok(());
    }
    let evidence = format!("device {} has an older twin than before", devices[0]);
    tracing::error!(
        fleet,
        hub,
        evidence,
        "the hub was restored from an older state"
    );
    store::scan::note_rewound(connection, fleet, hub, read_time, &evidence).await
}

/// Which life a device is that was found and not written by us.
pub(super) async fn incarnation(
    connection: &mut PgConnection,
    cx: &WriteCx,
    device: &HubDevice,
) -> Result<Incarnation, StoreError> {
    resolve(connection, &cx.fleet, &cx.hub_id, device).await
}

async fn resolve(
    connection: &mut PgConnection,
    fleet: &FleetId,
    hub: &HubId,
    device: &HubDevice,
) -> Result<Incarnation, StoreError> {
    let devices = [device.identity.device_id.clone()];
    let generations = [device.generation_id.clone()];
    let (fleet, hub) = (fleet.as_str(), hub.as_str());
    let found = store::incarnation::resolve(connection, fleet, hub, &devices, &generations).await?;
    Ok(found
        .first()
        .map_or(1, |found| u32::try_from(*found).unwrap_or(1)))
}
