//! What an import job can make at a standby, and what an export says that the standby's rows do not.

use hubshift_store::StoreError;
use sqlx::PgExecutor;

/// Devices after `after` that a standby lacks and that an import can make, in order of their ids:
/// what hangs below nothing, is held by no conflict and was not deleted.
pub(crate) async fn lacking(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    source: &str,
    target: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let devices = sqlx::query_scalar!(
        "select s.device_id from registry.observed s
          where s.fleet_id = $1 and s.hub_id = $2 and s.missing_count = 0
            and s.device_id > $4 and strpos(s.device_id, '/') = 0 and s.parent is null
            and not exists (
                select from registry.observed t
                 where t.fleet_id = $1 and t.hub_id = $3 and t.device_id = s.device_id
                   and t.missing_count = 0)
            and not exists (
                select from registry.tombstone d
                 where d.fleet_id = $1 and d.device_id = s.device_id
                   and d.incarnation >= s.incarnation and $2 = any(d.acked_by))
            and not exists (
                select from registry.base b
                 where b.fleet_id = $1 and b.hub_id = $3 and b.device_id = s.device_id
                   and b.hold is not null)
          order by s.device_id limit $5",
        fleet,
        source,
        target,
        after,
        limit
    )
    .fetch_all(executor)
    .await?;
    Ok(devices)
}

/// A device that the authority has and of which the standby's rows do not know.
#[derive(Debug, Clone)]
pub(crate) struct Unseen {
    pub(crate) device_id: String,
    pub(crate) incarnation: i32,
    pub(crate) fingerprint: Vec<u8>,
}

/// Those of the devices that the authority has and of which the standby's rows do not know yet.
pub(crate) async fn unseen(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    source: &str,
    target: &str,
    devices: &[String],
) -> Result<Vec<Unseen>, StoreError> {
    let rows = sqlx::query_as!(
        Unseen,
        "select s.device_id, s.incarnation, s.fingerprint from registry.observed s
          where s.fleet_id = $1 and s.hub_id = $2 and s.missing_count = 0
            and s.device_id = any($4)
            and not exists (
                select from registry.observed t
                 where t.fleet_id = $1 and t.hub_id = $3 and t.device_id = s.device_id
                   and t.missing_count = 0)",
        fleet,
        source,
        target,
        devices
    )
    .fetch_all(executor)
    .await?;
    Ok(rows)
}

/// The device that so many of a hub's come up to, counted from after `after`; nothing when fewer
/// are left.
pub(crate) async fn milestone(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    after: &str,
    count: i64,
) -> Result<Option<String>, StoreError> {
    let device = sqlx::query_scalar!(
        "select device_id from registry.observed
          where fleet_id = $1 and hub_id = $2 and missing_count = 0 and device_id > $3
          order by device_id offset $4 limit 1",
        fleet,
        hub,
        after,
        count - 1
    )
    .fetch_optional(executor)
    .await?;
    Ok(device)
}
