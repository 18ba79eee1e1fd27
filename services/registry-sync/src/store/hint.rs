//! `registry.hint`: devices that are to be read soon, because a hub said that they changed.

use hubshift_store::StoreError;
use sqlx::PgExecutor;
use time::OffsetDateTime;

/// What a hub said of devices and modules, in columns. A module stands there as `device/module`.
#[derive(Debug, Default)]
pub(crate) struct NewHints {
    pub(crate) devices: Vec<String>,
    pub(crate) deleted: Vec<bool>,
    pub(crate) times: Vec<OffsetDateTime>,
}

/// A hint that waits.
#[derive(Debug, Clone)]
pub(crate) struct HintRow {
    pub(crate) device_id: String,
    pub(crate) deleted: bool,
    pub(crate) sequence: i64,
}

/// Keeps hints; of two for one device the later one counts. Each device must stand there once.
pub(crate) async fn put(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    new: &NewHints,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into registry.hint as h (fleet_id, hub_id, device_id, deleted, event_time)
         select $1, $2, n.device_id, n.deleted, n.event_time
           from unnest($3::text[], $4::boolean[], $5::timestamptz[])
                as n(device_id, deleted, event_time)
          order by n.device_id
         on conflict on constraint registry_hint_pk do update
            set deleted = case when excluded.event_time >= h.event_time
                               then excluded.deleted else h.deleted end,
                event_time = greatest(h.event_time, excluded.event_time),
                sequence = default",
        fleet,
        hub,
        &new.devices,
        &new.deleted,
        &new.times
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// The hints that waited longest.
pub(crate) async fn oldest(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    limit: i64,
) -> Result<Vec<HintRow>, StoreError> {
    let rows = sqlx::query_as!(
        HintRow,
        "select device_id, deleted, sequence from registry.hint
          where fleet_id = $1 and hub_id = $2 order by sequence limit $3",
        fleet,
        hub,
        limit
    )
    .fetch_all(executor)
    .await?;
    Ok(rows)
}

/// Forgets hints that were followed, but not those that came again meanwhile.
pub(crate) async fn followed(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    hints: &[HintRow],
) -> Result<(), StoreError> {
    let devices: Vec<String> = hints.iter().map(|hint| hint.device_id.clone()).collect();
    let sequences: Vec<i64> = hints.iter().map(|hint| hint.sequence).collect();
    sqlx::query!(
        "delete from registry.hint h
          using unnest($3::text[], $4::bigint[]) as f(device_id, sequence)
          where h.fleet_id = $1 and h.hub_id = $2 and h.device_id = f.device_id
            and h.sequence = f.sequence",
        fleet,
        hub,
        &devices,
        &sequences
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Of these devices, which the hub itself called deleted: those that it does not have, asked for
/// them after it said so, need no second listing to be believed gone.
pub(crate) async fn believe_gone(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    devices: &[String],
) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "update registry.observed set missing_count = greatest(missing_count, 2::smallint)
          where fleet_id = $1 and hub_id = $2 and device_id = any($3) and missing_count > 0",
        fleet,
        hub,
        devices
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}
