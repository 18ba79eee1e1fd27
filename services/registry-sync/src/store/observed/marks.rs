//! How a scan marks the rows that it saw, and what it finds out by not seeing them.
//!
//! Scan ids rise with the time at which their scans began. A row keeps the highest one, so that
//! of two scans of one hub neither takes what the other saw for unseen.

use hubshift_store::StoreError;
use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

/// Marks the listed devices whose etags did not move, and returns them.
pub(crate) async fn mark_unchanged(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    scan_id: Uuid,
    devices: &[String],
    identity_etags: &[String],
    twin_etags: &[String],
) -> Result<Vec<String>, StoreError> {
    let marked = sqlx::query_scalar!(
        "update registry.observed o set scan_id = greatest(o.scan_id, $3)
           from unnest($4::text[], $5::text[], $6::text[])
                as l(device_id, identity_etag, twin_etag)
          where o.fleet_id = $1 and o.hub_id = $2 and o.device_id = l.device_id
            and o.identity_etag = l.identity_etag and o.twin_etag = l.twin_etag
            and o.missing_count = 0
         returning o.device_id",
        fleet,
        hub,
        scan_id,
        devices,
        identity_etags,
        twin_etags
    )
    .fetch_all(executor)
    .await?;
    Ok(marked)
}

/// Marks devices as seen, whatever is stored of them.
pub(crate) async fn mark_seen(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    scan_id: Uuid,
    devices: &[String],
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.observed set scan_id = $3
          where fleet_id = $1 and hub_id = $2 and device_id = any($4)
            and (scan_id is null or scan_id < $3)",
        fleet,
        hub,
        scan_id,
        devices
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Those of the devices that this very scan read already.
pub(crate) async fn already_read(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    scan_id: Uuid,
    devices: &[String],
) -> Result<Vec<String>, StoreError> {
    let read = sqlx::query_scalar!(
        "select device_id from registry.observed
          where fleet_id = $1 and hub_id = $2 and scan_id = $3 and missing_count = 0
            and device_id = any($4)",
        fleet,
        hub,
        scan_id,
        devices
    )
    .fetch_all(executor)
    .await?;
    Ok(read)
}

/// Devices that were there once and that neither this scan nor a later one saw, by id; of those that
/// are said to be there, the ones that were read before `before`.
pub(crate) async fn unlisted(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    scan_id: Uuid,
    before: Option<OffsetDateTime>,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let devices = sqlx::query_scalar!(
        "select device_id from registry.observed
          where fleet_id = $1 and hub_id = $2 and (scan_id is null or scan_id < $3)
            and (missing_count > 0 or $5::timestamptz is null or read_time < $5)
          order by device_id limit $4",
        fleet,
        hub,
        scan_id,
        limit,
        before
    )
    .fetch_all(executor)
    .await?;
    Ok(devices)
}

/// Counts one more scan to which the hub said that it has no such device: once per scan, and not
/// for a row that was written after the hub was asked.
pub(crate) async fn mark_missing(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    scan_id: Uuid,
    devices: &[String],
    read_time: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.observed
            set scan_id = greatest(scan_id, $3),
                missing_count = case when read_time <= $5 then least(missing_count + 1, 100)
                                     else missing_count end
          where fleet_id = $1 and hub_id = $2 and device_id = any($4)
            and (scan_id is null or scan_id < $3)",
        fleet,
        hub,
        scan_id,
        devices,
        read_time
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// A device is gone from a hub, and its modules with it, since a call that began at `read_time`: what
/// was last seen of them is there no more.
pub(crate) async fn modules_gone(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    device: &str,
    read_time: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.observed
            set missing_count = greatest(missing_count, 1::smallint)
          where fleet_id = $1 and hub_id = $2 and strpos(device_id, '/') > 1
            and split_part(device_id, '/', 1) = $3 and read_time <= $4",
        fleet,
        hub,
        device,
        read_time
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Devices of the same generation whose twin version is lower, by a read that began at `read_time`,
/// than it was seen before. A configuration's version is the time of its last change in milliseconds:
/// it rises over all of its lives, and is no more exact than the hub's clocks and answers are.
pub(crate) async fn rewound_by(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    devices: &[String],
    generations: &[String],
    twin_versions: &[i64],
    read_time: OffsetDateTime,
) -> Result<Vec<String>, StoreError> {
    let older = sqlx::query_scalar!(
        "select o.device_id
           from registry.observed o
           join unnest($3::text[], $4::text[], $5::bigint[])
                as r(device_id, generation_id, twin_version)
             on r.device_id = o.device_id
          where o.fleet_id = $1 and o.hub_id = $2
            and case when strpos(o.device_id, '/') = 1
                     then r.twin_version + 1000 <= o.twin_version
                     else r.generation_id = o.generation_id
                          and r.twin_version < o.twin_version end
            -- What was stored after this read began may well have been seen after it.
            and greatest(o.update_time, o.read_time) <= $6
          order by o.device_id",
        fleet,
        hub,
        devices,
        generations,
        twin_versions,
        read_time
    )
    .fetch_all(executor)
    .await?;
    Ok(older)
}
