//! `registry.import_job`: import and export jobs of ours at hubs.
//!
//! Kept true: a hub has one open row at most; a row goes from one state to another only from the
//! state that was seen, so that of two who work with it one is told that it came too late.

use hubshift_store::StoreError;
use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

/// The index that refuses a second open row of a hub.
pub(crate) const ONE_OPEN: &str = "registry_import_job_one_open";

/// Nothing of it is at the hub.
pub(crate) const IDLE: &str = "idle";
/// The hub was perhaps asked for it.
pub(crate) const STARTING: &str = "starting";
/// The hub took it on.
pub(crate) const RUNNING: &str = "running";
/// Nothing of it is at the hub, and nothing will be.
pub(crate) const ENDED: &str = "ended";

/// A job's row.
#[derive(Debug, Clone)]
pub(crate) struct JobRow {
    pub(crate) job_id: Uuid,
    pub(crate) fleet_id: String,
    pub(crate) hub_id: String,
    pub(crate) epoch: i64,
    pub(crate) state: String,
    pub(crate) container_ref: String,
    pub(crate) file_count: i32,
    /// What the hub was asked last to read or write.
    pub(crate) blob: String,
    /// When it was asked for that, by the database's clock.
    pub(crate) call_time: Option<OffsetDateTime>,
    pub(crate) hub_job_id: Option<String>,
    /// Seconds until the last call can't land any more; not positive when that is past.
    pub(crate) seconds_left: f64,
    /// Seconds since it was asked for.
    pub(crate) seconds_run: f64,
}

/// A row to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewJob<'a> {
    pub(crate) job_id: Uuid,
    pub(crate) fleet: &'a str,
    pub(crate) hub: &'a str,
    pub(crate) epoch: i64,
    pub(crate) container_ref: &'a str,
}

/// Makes a row, in the transaction that asserted it; `false` when the hub is not a standby that
/// lacks something. A second open one is refused by [`ONE_OPEN`].
pub(crate) async fn insert(
    executor: impl PgExecutor<'_>,
    new: &NewJob<'_>,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "insert into registry.import_job (job_id, fleet_id, hub_id, epoch, container_ref)
         select $1, h.fleet_id, h.hub_id, $4, $5 from authority.hub h
          where h.fleet_id = $2 and h.hub_id = $3 and h.state = 'syncing'",
        new.job_id,
        new.fleet,
        new.hub,
        new.epoch,
        new.container_ref
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A job.
pub(crate) async fn get(
    executor: impl PgExecutor<'_>,
    job_id: Uuid,
) -> Result<Option<JobRow>, StoreError> {
    let row = sqlx::query_as!(
        JobRow,
        r#"select job_id, fleet_id, hub_id, epoch, state, container_ref, file_count, blob,
                  call_time, hub_job_id,
                  coalesce(extract(epoch from deadline - clock_timestamp()), 0)::float8
                      as "seconds_left!",
                  coalesce(extract(epoch from clock_timestamp() - call_time), 0)::float8
                      as "seconds_run!"
             from registry.import_job where job_id = $1"#,
        job_id
    )
    .fetch_optional(executor)
    .await?;
    Ok(row)
}

/// The open job of a hub.
pub(crate) async fn open_at(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<Option<JobRow>, StoreError> {
    let row = sqlx::query_as!(
        JobRow,
        r#"select job_id, fleet_id, hub_id, epoch, state, container_ref, file_count, blob,
                  call_time, hub_job_id,
                  coalesce(extract(epoch from deadline - clock_timestamp()), 0)::float8
                      as "seconds_left!",
                  coalesce(extract(epoch from clock_timestamp() - call_time), 0)::float8
                      as "seconds_run!"
             from registry.import_job
            where fleet_id = $1 and hub_id = $2 and state <> 'ended'"#,
        fleet,
        hub
    )
    .fetch_optional(executor)
    .await?;
    Ok(row)
}

/// Jobs that are open and that nobody worked with for `quiet_seconds`, and those that are over and
/// whose blobs may be left: what nobody else closes.
pub(crate) async fn left_behind(
    executor: impl PgExecutor<'_>,
    quiet_seconds: f64,
    limit: i64,
) -> Result<Vec<JobRow>, StoreError> {
    let rows = sqlx::query_as!(
        JobRow,
        r#"select job_id, fleet_id, hub_id, epoch, state, container_ref, file_count, blob,
                  call_time, hub_job_id,
                  coalesce(extract(epoch from deadline - clock_timestamp()), 0)::float8
                      as "seconds_left!",
                  coalesce(extract(epoch from clock_timestamp() - call_time), 0)::float8
                      as "seconds_run!"
             from registry.import_job
            where state <> 'ended'
                  and update_time < clock_timestamp() - make_interval(secs => $1)
               or state = 'ended' and has_blobs
            order by create_time desc limit $2"#,
        quiet_seconds,
        limit
    )
    .fetch_all(executor)
    .await?;
    Ok(rows)
}

/// Says that somebody works with a job.
pub(crate) async fn touch(executor: impl PgExecutor<'_>, job_id: Uuid) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.import_job set update_time = clock_timestamp()
          where job_id = $1 and state <> 'ended'",
        job_id
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Notes a file before it is written, so that it is removed whatever comes; `false` when the job is
/// not idle.
pub(crate) async fn note_file(
    executor: impl PgExecutor<'_>,
    job_id: Uuid,
    file: i32,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update registry.import_job
            set file_count = greatest(file_count, $2), update_time = clock_timestamp()
          where job_id = $1 and state = 'idle'",
        job_id,
        file
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes what the hub is asked for next, in the transaction that asserted it; `false` when the job
/// is not idle.
pub(crate) async fn starting(
    executor: impl PgExecutor<'_>,
    job_id: Uuid,
    blob: &str,
    deadline_seconds: f64,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update registry.import_job
            set state = 'starting', blob = $2, call_time = c.now, update_time = c.now,
                deadline = c.now + make_interval(secs => $3)
           from (select clock_timestamp() as now) as c
          where job_id = $1 and state = 'idle'",
        job_id,
        blob,
        deadline_seconds
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The hub took it on, under this name; `false` when nobody waits for that any more.
pub(crate) async fn running(
    executor: impl PgExecutor<'_>,
    job_id: Uuid,
    hub_job_id: &str,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update registry.import_job
            set state = 'running', hub_job_id = $2, update_time = clock_timestamp()
          where job_id = $1 and state = 'starting'",
        job_id,
        hub_job_id
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Nothing of it is at the hub any more; `false` when it is not as it was seen.
pub(crate) async fn rest(
    executor: impl PgExecutor<'_>,
    job_id: Uuid,
    state: &str,
    hub_job_id: Option<&str>,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update registry.import_job
            set state = 'idle', hub_job_id = null, update_time = clock_timestamp()
          where job_id = $1 and state = $2 and state <> 'ended'
            and hub_job_id is not distinct from $3",
        job_id,
        state,
        hub_job_id
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Nothing of it is at the hub, and nothing will be; `false` when it is not as it was seen.
pub(crate) async fn end(executor: impl PgExecutor<'_>, seen: &JobRow) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update registry.import_job
            set state = 'ended', hub_job_id = null, update_time = c.now, end_time = c.now
           from (select clock_timestamp() as now) as c
          where job_id = $1 and state = $2 and state <> 'ended'
            and hub_job_id is not distinct from $3",
        seen.job_id,
        seen.state,
        seen.hub_job_id
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Its blobs are removed.
pub(crate) async fn cleaned(executor: impl PgExecutor<'_>, job_id: Uuid) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.import_job set has_blobs = false
          where job_id = $1 and state = 'ended'",
        job_id
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Forgets jobs that have been over for 30 days.
pub(crate) async fn purge(executor: impl PgExecutor<'_>) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from registry.import_job
          where state = 'ended' and end_time < clock_timestamp() - interval '30 days'"
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}
