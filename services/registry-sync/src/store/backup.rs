//! `registry.backup`: backups that were read back from every store. A row is never changed but for
//! the time of its newest successful reading.

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::FleetId;
use hubshift_store::StoreError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::backup::manifest::Manifest;

/// A row.
#[derive(Debug, Clone)]
pub(crate) struct BackupRow {
    /// Its id.
    pub(crate) backup_id: Uuid,
    /// Slug of the hub that it was taken of.
    pub(crate) hub_id: String,
    /// The epoch that it was taken in.
    pub(crate) epoch: Epoch,
    /// Devices in it.
    pub(crate) record_count: u64,
    /// Which key opens it.
    pub(crate) key_id: String,
    /// The stores that hold it.
    pub(crate) stores: Vec<String>,
    /// What belongs to it.
    pub(crate) manifest: Manifest,
    /// When its first read began.
    pub(crate) create_time: OffsetDateTime,
    /// When it was last read back.
    pub(crate) verify_time: Option<OffsetDateTime>,
}

struct Raw {
    backup_id: Uuid,
    hub_id: String,
    epoch: i64,
    record_count: i64,
    key_id: String,
    stores: Vec<String>,
    manifest: serde_json::Value,
    create_time: OffsetDateTime,
    verify_time: Option<OffsetDateTime>,
}

impl TryFrom<Raw> for BackupRow {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let manifest = serde_json::from_value(raw.manifest)
            .map_err(|error| StoreError::Bug(sqlx::Error::Decode(error.into())))?;
        Ok(Self {
            backup_id: raw.backup_id,
            hub_id: raw.hub_id,
            epoch: Epoch::from_i64(raw.epoch),
            record_count: u64::try_from(raw.record_count).unwrap_or(0),
            key_id: raw.key_id,
            stores: raw.stores,
            manifest,
            create_time: raw.create_time,
            verify_time: raw.verify_time,
        })
    }
}

/// Stores a backup that was just read back; does nothing when it is there already.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    manifest: &Manifest,
    stores: &[String],
) -> Result<(), StoreError> {
    let digest = u128::from_str_radix(&manifest.digest, 16)
        .map_err(|error| StoreError::Bug(sqlx::Error::Encode(error.into())))?;
    let json = serde_json::to_value(manifest)
        .map_err(|error| StoreError::Bug(sqlx::Error::Encode(error.into())))?;
    sqlx::query!(
        "insert into registry.backup (backup_id, fleet_id, hub_id, epoch, record_count, digest,
                key_id, stores, manifest, create_time, verify_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, clock_timestamp())
         on conflict on constraint registry_backup_pk do nothing",
        manifest.backup,
        manifest.fleet,
        manifest.hub,
        Epoch(manifest.epoch).as_i64(),
        i64::try_from(manifest.record_count).unwrap_or(i64::MAX),
        &digest.to_be_bytes()[..],
        manifest.key_id,
        stores,
        json,
        manifest.watermark
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// One backup of a fleet.
pub(crate) async fn find(
    connection: &mut PgConnection,
    fleet: &FleetId,
    backup: Uuid,
) -> Result<Option<BackupRow>, StoreError> {
    let raw = sqlx::query_as!(
        Raw,
        "select backup_id, hub_id, epoch, record_count, key_id, stores, manifest,
                create_time, verify_time
           from registry.backup where fleet_id = $1 and backup_id = $2",
        fleet.as_str(),
        backup
    )
    .fetch_optional(connection)
    .await?;
    raw.map(BackupRow::try_from).transpose()
}

/// Backups of a fleet, newest first, before `before`.
pub(crate) async fn list(
    connection: &mut PgConnection,
    fleet: &FleetId,
    before: Option<(OffsetDateTime, Uuid)>,
    limit: i64,
) -> Result<Vec<BackupRow>, StoreError> {
    let (time, id) = before.unzip();
    let rows = sqlx::query_as!(
        Raw,
        "select backup_id, hub_id, epoch, record_count, key_id, stores, manifest,
                create_time, verify_time
           from registry.backup
          where fleet_id = $1
            and ($2::timestamptz is null or (create_time, backup_id) < ($2, $3::uuid))
          order by create_time desc, backup_id desc limit $4",
        fleet.as_str(),
        time,
        id,
        limit
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(BackupRow::try_from).collect()
}

/// Notes that a reading reproduced the digest.
pub(crate) async fn verified(
    connection: &mut PgConnection,
    backup: Uuid,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.backup set verify_time = clock_timestamp() where backup_id = $1",
        backup
    )
    .execute(connection)
    .await?;
    Ok(())
}
