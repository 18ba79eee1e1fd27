//! `registry.tombstone`: lives of devices that are over. A tombstone of incarnation `i` kills only
//! lives up to `i`.

use hubshift_store::StoreError;
use sqlx::PgExecutor;
use time::OffsetDateTime;

/// A tombstone as it is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewTombstone<'a> {
    pub(crate) device: &'a str,
    pub(crate) incarnation: i32,
    /// Whether the credential is known to be in wrong hands.
    pub(crate) is_revoked: bool,
    pub(crate) epoch: i64,
    /// The journal's number; 0 for a deletion that was found at a hub.
    pub(crate) sequence: i64,
    /// The hub at which the device was deleted first; it is known to be gone there.
    pub(crate) origin: &'a str,
}

/// Makes a tombstone, or sharpens the one that is there: `revoked` wins, the later stamp wins.
pub(crate) async fn put(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    new: &NewTombstone<'_>,
) -> Result<(), StoreError> {
    let reason = if new.is_revoked { "revoked" } else { "deleted" };
    sqlx::query!(
        "insert into registry.tombstone as t
             (fleet_id, device_id, incarnation, reason, epoch, sequence, origin, acked_by)
         values ($1, $2, $3, $4, $5, $6, $7, array[$7::text])
         on conflict on constraint registry_tombstone_pk do update
            set reason = case when 'revoked' in (t.reason, excluded.reason) then 'revoked'
                              else t.reason end,
                epoch = case when (excluded.epoch, excluded.sequence) > (t.epoch, t.sequence)
                             then excluded.epoch else t.epoch end,
                sequence = case when (excluded.epoch, excluded.sequence) > (t.epoch, t.sequence)
                                then excluded.sequence else t.sequence end,
                origin = case when (excluded.epoch, excluded.sequence) > (t.epoch, t.sequence)
                              then excluded.origin else t.origin end,
                acked_by = case when $7::text = any(t.acked_by) then t.acked_by
                                else array_append(t.acked_by, $7::text) end",
        fleet,
        new.device,
        new.incarnation,
        reason,
        new.epoch,
        new.sequence,
        new.origin
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Makes tombstones of the modules that the hub at which a device is deleted was last seen to hold
/// of it: they go with it.
pub(crate) async fn put_modules(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    device: &NewTombstone<'_>,
) -> Result<(), StoreError> {
    let reason = if device.is_revoked {
        "revoked"
    } else {
        "deleted"
    };
    sqlx::query!(
        "insert into registry.tombstone as t
             (fleet_id, device_id, incarnation, reason, epoch, sequence, origin, acked_by)
         select $1, o.device_id, o.incarnation, $3::text, $4::bigint, $5::bigint, $6,
                array[$6::text]
           from registry.observed o
          where o.fleet_id = $1 and o.hub_id = $6
            and strpos(o.device_id, '/') > 1 and split_part(o.device_id, '/', 1) = $2
          order by o.device_id
         on conflict on constraint registry_tombstone_pk do update
            set reason = case when 'revoked' in (t.reason, excluded.reason) then 'revoked'
                              else t.reason end,
                acked_by = case when $6::text = any(t.acked_by) then t.acked_by
                                else array_append(t.acked_by, $6::text) end",
        fleet,
        device.device,
        reason,
        device.epoch,
        device.sequence,
        device.origin
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Notes that these devices are gone at a hub.
pub(crate) async fn acknowledge(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    devices: &[String],
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.tombstone set acked_by = array_append(acked_by, $2::text)
          where fleet_id = $1 and device_id = any($3) and not ($2::text = any(acked_by))",
        fleet,
        hub,
        devices
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Notes at once which tombstones a hub has followed, after a complete scan of it that began at
/// `since`: no life up to theirs is there. A deletion that no hub is known to have done is not
/// confirmed by another hub than its own: the device may never have been there. Nothing is confirmed
/// by a scan that began before the last job at the hub was over: what that made was not seen.
pub(crate) async fn acknowledge_scanned(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    since: OffsetDateTime,
) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "update registry.tombstone t set acked_by = array_append(t.acked_by, $2::text)
          where t.fleet_id = $1 and not ($2::text = any(t.acked_by)) and t.create_time < $3
            and (t.origin = $2 or t.acked_by <> '{}')
            and not exists (
                select from registry.import_job j
                 where j.fleet_id = $1 and j.hub_id = $2
                   and (j.state <> 'ended' or j.end_time >= $3))
            and not exists (
                select from registry.observed o
                 where o.fleet_id = $1 and o.hub_id = $2 and o.device_id = t.device_id
                   and o.missing_count = 0 and o.incarnation <= t.incarnation)",
        fleet,
        hub,
        since
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}

/// The highest incarnation of a device that is over; 0 for none.
pub(crate) async fn highest(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    device: &str,
) -> Result<i32, StoreError> {
    let highest = sqlx::query_scalar!(
        r#"select coalesce(max(incarnation), 0) as "highest!"
             from registry.tombstone where fleet_id = $1 and device_id = $2"#,
        fleet,
        device
    )
    .fetch_one(executor)
    .await?;
    Ok(highest)
}

/// Per device the highest life that some hub is known to have ended, or that must not be again: a
/// credential in wrong hands does not come back because nobody knows what became of its deletion.
pub(crate) async fn confirmed(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    devices: &[String],
) -> Result<Vec<(String, i32)>, StoreError> {
    let rows = sqlx::query!(
        r#"select device_id, max(incarnation) as "incarnation!"
             from registry.tombstone
            where fleet_id = $1 and device_id = any($2)
              and (acked_by <> '{}' or reason = 'revoked')
            group by device_id"#,
        fleet,
        devices
    )
    .fetch_all(executor)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.device_id, row.incarnation))
        .collect())
}

/// Devices that a hub said twice in a row, scan after scan, it does not have.
#[derive(Debug, Clone)]
pub(crate) struct Absent {
    pub(crate) device_id: String,
    pub(crate) incarnation: i32,
    /// Whether a tombstone says so already that the hub is known to have followed.
    pub(crate) has_tombstone: bool,
    /// Whether it is a module that went with its device.
    pub(crate) went_along: bool,
    /// Whether it is a module whose device is missing for the first time: it is gone when that is.
    pub(crate) waits: bool,
}

/// What is absent at a hub from two complete scans in a row, by id.
pub(crate) async fn absent_twice(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<Vec<Absent>, StoreError> {
    let rows = sqlx::query_as!(
        Absent,
        r#"select o.device_id, o.incarnation,
                  exists (select from registry.tombstone t
                           where t.fleet_id = $1 and t.device_id = o.device_id
                             and t.incarnation >= o.incarnation
                             and $2 = any(t.acked_by)) as "has_tombstone!",
                  strpos(o.device_id, '/') > 1
                      and not exists (select from registry.observed d
                                       where d.fleet_id = $1 and d.hub_id = $2
                                         and d.device_id = split_part(o.device_id, '/', 1)
                                         and d.missing_count = 0) as "went_along!",
                  strpos(o.device_id, '/') > 1
                      and exists (select from registry.observed d
                                   where d.fleet_id = $1 and d.hub_id = $2
                                     and d.device_id = split_part(o.device_id, '/', 1)
                                     and d.missing_count = 1) as "waits!"
             from registry.observed o
            where o.fleet_id = $1 and o.hub_id = $2 and o.missing_count >= 2
            order by o.device_id"#,
        fleet,
        hub
    )
    .fetch_all(executor)
    .await?;
    Ok(rows)
}

/// Forgets what is remembered of what was at a hub once, is missing there, and is buried: else it
/// would be asked for by every scan.
pub(crate) async fn forget_buried(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from registry.observed o
          where o.fleet_id = $1 and o.hub_id = $2 and o.missing_count > 0
            and exists (select from registry.tombstone t
                         where t.fleet_id = $1 and t.device_id = o.device_id
                           and t.incarnation >= o.incarnation and $2 = any(t.acked_by))",
        fleet,
        hub
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}

/// Forgets what is remembered of devices that were there once.
pub(crate) async fn forget_absent(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    devices: &[String],
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from registry.observed
          where fleet_id = $1 and hub_id = $2 and device_id = any($3) and missing_count > 0",
        fleet,
        hub,
        devices
    )
    .execute(executor)
    .await?;
    Ok(())
}
