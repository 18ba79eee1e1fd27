//! `registry.replication`: how far each standby is, and what the journal says is still to come.

use hubshift_store::StoreError;
use sqlx::PgExecutor;
use time::OffsetDateTime;

/// A standby's row.
#[derive(Debug, Clone)]
pub(crate) struct ReplicationRow {
    pub(crate) hub_id: String,
    pub(crate) watermark: Option<OffsetDateTime>,
    pub(crate) watermark_epoch: i64,
    pub(crate) verify_time: Option<OffsetDateTime>,
    pub(crate) verify_epoch: i64,
    pub(crate) blocked: String,
}

/// Under which authority a standby's row is written: nothing is when that is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reign<'a> {
    pub(crate) fleet: &'a str,
    /// The active hub.
    pub(crate) source: &'a str,
    /// The standby.
    pub(crate) target: &'a str,
    pub(crate) epoch: i64,
}

/// A fleet's rows.
pub(crate) async fn list(
    executor: impl PgExecutor<'_>,
    fleet: &str,
) -> Result<Vec<ReplicationRow>, StoreError> {
    let rows = sqlx::query_as!(
        ReplicationRow,
        "select hub_id, watermark, watermark_epoch, verify_time, verify_epoch, blocked
           from registry.replication where fleet_id = $1",
        fleet
    )
    .fetch_all(executor)
    .await?;
    Ok(rows)
}

/// The standby holds all that the source held at `watermark`. Never goes back within an epoch; not
/// said while a job may still make something there, or did after that time.
pub(crate) async fn advance(
    executor: impl PgExecutor<'_>,
    reign: Reign<'_>,
    watermark: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "insert into registry.replication as r (fleet_id, hub_id, watermark, watermark_epoch)
         select f.fleet_id, $3, $5, $4 from authority.fleet f
          where f.fleet_id = $1 and f.active_hub_id = $2 and f.epoch = $4
            and not exists (
                select from registry.import_job j
                 where j.fleet_id = f.fleet_id and j.hub_id = $3
                   and (j.state <> 'ended' or j.end_time > $5))
         on conflict on constraint registry_replication_pk do update
            set watermark = case when r.watermark_epoch = excluded.watermark_epoch
                                 then greatest(r.watermark, excluded.watermark)
                                 else excluded.watermark end,
                watermark_epoch = excluded.watermark_epoch, update_time = clock_timestamp()",
        reign.fleet,
        reign.source,
        reign.target,
        reign.epoch,
        watermark
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The standby was equal to the source by reads that began at `verify_time`; not said while a job
/// may still make something there, or did after that time.
pub(crate) async fn verified(
    executor: impl PgExecutor<'_>,
    reign: Reign<'_>,
    verify_time: OffsetDateTime,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "insert into registry.replication as r (fleet_id, hub_id, verify_time, verify_epoch)
         select f.fleet_id, $3, $5, $4 from authority.fleet f
          where f.fleet_id = $1 and f.active_hub_id = $2 and f.epoch = $4
            and not exists (
                select from registry.import_job j
                 where j.fleet_id = f.fleet_id and j.hub_id = $3
                   and (j.state <> 'ended' or j.end_time > $5))
         on conflict on constraint registry_replication_pk do update
            set verify_time = case when r.verify_epoch = excluded.verify_epoch
                                   then greatest(r.verify_time, excluded.verify_time)
                                   else excluded.verify_time end,
                verify_epoch = excluded.verify_epoch, update_time = clock_timestamp()",
        reign.fleet,
        reign.source,
        reign.target,
        reign.epoch,
        verify_time
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The standby is not known to hold anything any more.
pub(crate) async fn forget(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.replication
            set watermark = null, watermark_epoch = 0, verify_time = null, verify_epoch = 0,
                update_time = clock_timestamp()
          where fleet_id = $1 and hub_id = $2",
        fleet,
        hub
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Says why replication to a standby stopped, or with an empty text that it goes on.
pub(crate) async fn set_blocked(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    reason: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into registry.replication as r (fleet_id, hub_id, blocked) values ($1, $2, $3)
         on conflict on constraint registry_replication_pk do update
            set blocked = excluded.blocked, update_time = clock_timestamp()
          where r.blocked <> excluded.blocked",
        fleet,
        hub,
        reason
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Journaled writes of which no outcome is known.
pub(crate) async fn unknown_count(
    executor: impl PgExecutor<'_>,
    fleet: &str,
) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from registry.journal
            where fleet_id = $1 and state in ('intent', 'unknown')"#,
        fleet
    )
    .fetch_one(executor)
    .await?;
    Ok(count)
}

/// Journaled writes at one hub of which no outcome is known.
pub(crate) async fn unknown_count_at(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from registry.journal
            where fleet_id = $1 and hub_id = $2 and state in ('intent', 'unknown')"#,
        fleet,
        hub
    )
    .fetch_one(executor)
    .await?;
    Ok(count)
}

/// Journaled writes that a standby is not known to hold: the last one of each device, since its
/// watermark.
pub(crate) async fn pending_count(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"with latest as (
               select distinct on (j.device_id) j.device_id, j.sequence, j.operation,
                      j.incarnation, j.outcome_time
                 from registry.journal j
                where j.fleet_id = $1 and j.state = 'done' and j.response is not null
                  and j.hub_id <> $2
                  and j.outcome_time >= coalesce(
                          (select r.watermark from registry.replication r
                            where r.fleet_id = $1 and r.hub_id = $2), '-infinity')
                order by j.device_id, j.sequence desc)
           select count(*) as "count!" from latest l
            where not exists (
                      select from registry.tombstone d
                       where d.fleet_id = $1 and d.device_id = l.device_id
                         and d.incarnation >= coalesce(l.incarnation, 1)
                         and $2 = any(d.acked_by))
              and not (l.operation <> 'delete' and exists (
                      select from registry.base b
                       where b.fleet_id = $1 and b.hub_id = $2 and b.device_id = l.device_id
                         and (b.stamp_sequence >= l.sequence or b.verify_time > l.outcome_time)))"#,
        fleet,
        hub
    )
    .fetch_one(executor)
    .await?;
    Ok(count)
}
