//! `registry.fence`: hubs that are shut out through their management plane, or are to be.
//!
//! Kept true: an order gets a number, and only what came of the last one is recorded; until the
//! outcome of an order is known, the time is kept after which it can't take effect any more.

use std::time::Duration;

use hubshift_domain::fence::{FenceState, Recorded};
use hubshift_store::StoreError;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::authority::damaged;

/// A fence's row.
#[derive(Debug, Clone)]
pub(crate) struct FenceRow {
    pub(crate) epoch: i64,
    pub(crate) state: String,
    pub(crate) task_id: Uuid,
    pub(crate) order_number: i64,
    pub(crate) was_open: bool,
    /// Seconds until the last order can't take effect any more; not positive when that is past, or
    /// its outcome is known.
    pub(crate) seconds_left: f64,
    pub(crate) error: String,
    pub(crate) request_time: OffsetDateTime,
    pub(crate) done_time: Option<OffsetDateTime>,
}

impl FenceRow {
    /// How it stands.
    pub(crate) fn state(&self) -> Result<FenceState, StoreError> {
        FenceState::parse(&self.state).ok_or_else(|| damaged("state of a fence"))
    }

    /// What decides about what is next.
    pub(crate) fn recorded(&self) -> Result<Recorded, StoreError> {
        Ok(Recorded {
            state: self.state()?,
            was_open: self.was_open,
            time_left: Duration::try_from_secs_f64(self.seconds_left).unwrap_or_default(),
        })
    }
}

/// A hub's fence, if there is one.
pub(crate) async fn get(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<Option<FenceRow>, StoreError> {
    let row = sqlx::query_as!(
        FenceRow,
        r#"select epoch, state, task_id, order_number, was_open, error, request_time, done_time,
                  coalesce(extract(epoch from call_until - clock_timestamp()), 0)::float8
                      as "seconds_left!"
             from registry.fence where fleet_id = $1 and hub_id = $2"#,
        fleet,
        hub
    )
    .fetch_optional(executor)
    .await?;
    Ok(row)
}

/// As [`get`], and holds the row until the transaction ends.
pub(crate) async fn hold(
    connection: &mut PgConnection,
    fleet: &str,
    hub: &str,
) -> Result<Option<FenceRow>, StoreError> {
    let row = sqlx::query_as!(
        FenceRow,
        r#"select epoch, state, task_id, order_number, was_open, error, request_time, done_time,
                  coalesce(extract(epoch from call_until - clock_timestamp()), 0)::float8
                      as "seconds_left!"
             from registry.fence where fleet_id = $1 and hub_id = $2 for update"#,
        fleet,
        hub
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// Records that a hub is to be shut. An order that may still take effect stays known.
pub(crate) async fn request(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    epoch: i64,
    task_id: Uuid,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into registry.fence (fleet_id, hub_id, epoch, state, task_id)
         values ($1, $2, $3, 'requested', $4)
         on conflict on constraint registry_fence_pk do update
            set epoch = excluded.epoch, state = 'requested', task_id = excluded.task_id,
                error = '', request_time = clock_timestamp(), done_time = null",
        fleet,
        hub,
        epoch,
        task_id
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Gives what is recorded to another task, under this epoch if it is a newer one.
pub(crate) async fn hand_on(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    epoch: i64,
    task_id: Uuid,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.fence set epoch = greatest(epoch, $3), task_id = $4
          where fleet_id = $1 and hub_id = $2",
        fleet,
        hub,
        epoch,
        task_id
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Records that a hub is to be opened.
pub(crate) async fn lift(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    task_id: Uuid,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.fence set state = 'lifting', task_id = $3, error = ''
          where fleet_id = $1 and hub_id = $2",
        fleet,
        hub,
        task_id
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Records that a hub is not to be shut, of which nothing is in effect.
pub(crate) async fn forgo(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.fence set state = 'lifted', call_until = null, error = ''
          where fleet_id = $1 and hub_id = $2",
        fleet,
        hub
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// An order that is about to be given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewOrder<'a> {
    pub(crate) fleet: &'a str,
    pub(crate) hub: &'a str,
    /// As the row was when this was decided.
    pub(crate) seen: &'a FenceRow,
    /// How the fence stands from now on.
    pub(crate) becomes: FenceState,
    /// Whether the hub can be reached now.
    pub(crate) is_open: bool,
    /// After this long it can't take effect any more.
    pub(crate) life: Duration,
}

/// Records an order before it is given; its number, or nothing when the row is not as it was seen.
pub(crate) async fn order(
    executor: impl PgExecutor<'_>,
    new: NewOrder<'_>,
) -> Result<Option<i64>, StoreError> {
    let number = sqlx::query_scalar!(
        "update registry.fence
            set state = $5, was_open = $6, order_number = order_number + 1, error = '',
                call_until = clock_timestamp() + make_interval(secs => $7)
          where fleet_id = $1 and hub_id = $2 and state = $3 and order_number = $4
         returning order_number",
        new.fleet,
        new.hub,
        new.seen.state,
        new.seen.order_number,
        new.becomes.as_str(),
        new.is_open,
        new.life.as_secs_f64()
    )
    .fetch_optional(executor)
    .await?;
    Ok(number)
}

/// What became of an order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OrderEnd<'a> {
    pub(crate) fleet: &'a str,
    pub(crate) hub: &'a str,
    pub(crate) number: i64,
    /// How the fence stood while the order was under way.
    pub(crate) from: FenceState,
    /// How it stands now, unless somebody wants something else meanwhile.
    pub(crate) to: FenceState,
    /// Why it came to nothing; empty when it did not.
    pub(crate) error: &'a str,
}

/// Records what became of the last order: it takes no effect after this any more.
pub(crate) async fn conclude(
    executor: impl PgExecutor<'_>,
    end: OrderEnd<'_>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.fence
            set call_until = null, error = $6,
                state = case when state = $4 then $5 else state end,
                done_time = case when state = $4 and $5 = 'done' then clock_timestamp()
                                 else done_time end
          where fleet_id = $1 and hub_id = $2 and order_number = $3",
        end.fleet,
        end.hub,
        end.number,
        end.from.as_str(),
        end.to.as_str(),
        end.error
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Notes why a try came to nothing, or that it did not.
pub(crate) async fn note_error(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    error: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.fence set error = $3
          where fleet_id = $1 and hub_id = $2 and error <> $3",
        fleet,
        hub,
        error
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Forgets fences that never took effect, of hubs that are not to be shut out any more.
pub(crate) async fn purge(executor: impl PgExecutor<'_>) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from registry.fence f
          using authority.hub h
          where h.fleet_id = f.fleet_id and h.hub_id = f.hub_id and f.state = 'requested'
            and f.call_until is null and h.state not in ('quarantined', 'rewound', 'merging')"
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}
