//! `registry.scan`: scans of a hub that others pin, and what they found.

use hubshift_store::StoreError;
use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

/// A scan as it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewScan<'a> {
    pub(crate) scan_id: Uuid,
    pub(crate) fleet: &'a str,
    pub(crate) hub: &'a str,
    pub(crate) epoch: i64,
    pub(crate) start_time: OffsetDateTime,
}

/// Writes the scan's row, if it is not there yet.
pub(crate) async fn open(
    executor: impl PgExecutor<'_>,
    new: &NewScan<'_>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into registry.scan (scan_id, fleet_id, hub_id, epoch, start_time)
         values ($1, $2, $3, $4, $5) on conflict on constraint registry_scan_pk do nothing",
        new.scan_id,
        new.fleet,
        new.hub,
        new.epoch,
        new.start_time
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Remembers that the hub shows signs of an older state, before what was seen is overwritten.
pub(crate) async fn mark_rewound(
    executor: impl PgExecutor<'_>,
    scan_id: Uuid,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.scan set rewound = true where scan_id = $1",
        scan_id
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Remembers the same of a look at one device, unless it is remembered already.
pub(crate) async fn note_rewound(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    read_time: OffsetDateTime,
    evidence: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into registry.scan
             (scan_id, fleet_id, hub_id, epoch, state, rewound, evidence, start_time, end_time)
         select $1, f.fleet_id, $3, f.epoch, 'abandoned', true, $4, $5, clock_timestamp()
           from authority.fleet f
          where f.fleet_id = $2
            and not exists (
                select from registry.scan s
                  join authority.hub h on h.fleet_id = s.fleet_id and h.hub_id = s.hub_id
                 where s.fleet_id = $2 and s.hub_id = $3 and s.rewound
                   and s.epoch >= h.last_active_epoch)",
        Uuid::now_v7(),
        fleet,
        hub,
        evidence,
        read_time
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Whether any look at the hub since its last reign began found it rewound. Later looks overwrote
/// the signs, but not what they meant: it counts, through whatever epochs, until the hub reigns
/// again or is whole again.
pub(crate) async fn was_rewound(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<bool, StoreError> {
    let rewound = sqlx::query_scalar!(
        r#"select exists (
               select from registry.scan s
                 join authority.hub h on h.fleet_id = s.fleet_id and h.hub_id = s.hub_id
                where s.fleet_id = $1 and s.hub_id = $2 and s.rewound
                  and s.epoch >= h.last_active_epoch) as "rewound!""#,
        fleet,
        hub
    )
    .fetch_one(executor)
    .await?;
    Ok(rewound)
}

/// The hub is whole again: what looks at it found that began before `before` counts no longer.
pub(crate) async fn forget_rewound(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    before: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.scan set rewound = false
          where fleet_id = $1 and hub_id = $2 and rewound and start_time < $3",
        fleet,
        hub,
        before
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Devices that were at the hub, are there no more, and were deleted by nobody: how many, and ten
/// of them. Modules and configurations are no sign: what runs on an edge device makes and removes
/// its modules at the hub that it is connected to, whoever reigns.
pub(crate) async fn vanished(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<(i64, Vec<String>), StoreError> {
    let row = sqlx::query!(
        r#"with known as (
               select device_id, incarnation from registry.base
                where fleet_id = $1 and hub_id = $2
               union
               select device_id, incarnation from registry.observed
                where fleet_id = $1 and hub_id = $2 and missing_count > 0),
           gone as (
               select distinct k.device_id from known k
                where not exists (
                          select from registry.observed o
                           where o.fleet_id = $1 and o.hub_id = $2
                             and o.device_id = k.device_id and o.missing_count = 0)
                  and not exists (
                          select from registry.tombstone t
                           where t.fleet_id = $1 and t.device_id = k.device_id
                             and t.incarnation >= k.incarnation)
                  and strpos(k.device_id, '/') = 0)
           select count(*) as "count!",
                  coalesce((array_agg(device_id order by device_id))[1:10], '{}') as "sample!"
             from gone"#,
        fleet,
        hub
    )
    .fetch_one(executor)
    .await?;
    Ok((row.count, row.sample))
}

/// What a scan found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) count: i64,
    pub(crate) digest: &'a [u8],
    pub(crate) rewound: bool,
    pub(crate) evidence: &'a str,
}

/// Closes a scan that saw everything.
pub(crate) async fn complete(
    executor: impl PgExecutor<'_>,
    scan_id: Uuid,
    found: &Found<'_>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.scan
            set state = 'complete', scanned_count = $2, digest = $3, rewound = rewound or $4,
                evidence = $5, end_time = clock_timestamp()
          where scan_id = $1",
        scan_id,
        found.count,
        found.digest,
        found.rewound,
        found.evidence
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Gives up scans that have been running for a day, and forgets those that are older than a week
/// and found nothing that is still of use.
pub(crate) async fn purge(executor: impl PgExecutor<'_>) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "with given_up as (
             update registry.scan set state = 'abandoned', end_time = clock_timestamp()
              where state = 'running' and start_time < clock_timestamp() - interval '1 day')
         delete from registry.scan s
          where s.start_time < clock_timestamp() - interval '7 days' and s.state <> 'running'
            and not (s.rewound and exists (
                     select from authority.hub h
                      where h.fleet_id = s.fleet_id and h.hub_id = s.hub_id
                        and s.epoch >= h.last_active_epoch))"
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}
