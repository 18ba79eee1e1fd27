//! The fence: a fleet's row in `authority.fleet`, held `for update` by whoever changes it.
//!
//! Kept true: the epoch and the active hub change in one statement, from the values that the
//! caller names; a freeze is ended by its own id or by the clock.

use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::RegistryMode;
use hubshift_store::StoreError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::unknown_name;

/// A fleet's row, held until the transaction ends.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) epoch: Epoch,
    pub(crate) active_hub_id: String,
    /// As stored: a freeze that ran out still reads as frozen here.
    pub(crate) mode: RegistryMode,
    pub(crate) freeze_id: Option<Uuid>,
    pub(crate) frozen_until: Option<OffsetDateTime>,
    /// The database's clock after the row was had, not when it was asked for.
    pub(crate) now: OffsetDateTime,
}

/// Holds the row; waits for every intent that holds it for share.
pub(crate) async fn hold(
    connection: &mut PgConnection,
    fleet_id: &str,
) -> Result<Option<Held>, StoreError> {
    let row = sqlx::query!(
        "select epoch, active_hub_id, registry_mode, freeze_id, frozen_until
           from authority.fleet where fleet_id = $1 for update",
        fleet_id
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let mode = RegistryMode::parse(&row.registry_mode)
        .ok_or_else(|| unknown_name("registry mode", &row.registry_mode))?;
    Ok(Some(Held {
        epoch: Epoch::from_i64(row.epoch),
        active_hub_id: row.active_hub_id,
        mode,
        freeze_id: row.freeze_id,
        frozen_until: row.frozen_until,
        now: super::clock::now(connection).await?,
    }))
}

/// Freezes the registry of a held fleet; returns when it thaws by itself.
pub(crate) async fn freeze(
    connection: &mut PgConnection,
    fleet_id: &str,
    freeze_id: Uuid,
    timeout: Duration,
    operation: &str,
) -> Result<OffsetDateTime, StoreError> {
    let until = sqlx::query_scalar!(
        r#"update authority.fleet
              set registry_mode = 'frozen', freeze_id = $2,
                  frozen_until = clock_timestamp() + make_interval(secs => $3),
                  operation = $4, revision = revision + 1, update_time = clock_timestamp()
            where fleet_id = $1 returning frozen_until as "until!""#,
        fleet_id,
        freeze_id,
        timeout.as_secs_f64(),
        operation
    )
    .fetch_one(connection)
    .await?;
    Ok(until)
}

/// Ends a freeze, if it is still this one.
pub(crate) async fn thaw(
    connection: &mut PgConnection,
    fleet_id: &str,
    freeze_id: Uuid,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update authority.fleet
            set registry_mode = 'open', freeze_id = null, frozen_until = null, operation = null,
                revision = revision + 1, update_time = clock_timestamp()
          where fleet_id = $1 and freeze_id = $2 and registry_mode = 'frozen'",
        fleet_id,
        freeze_id
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a freeze that ran out.
pub(crate) async fn thaw_expired(
    connection: &mut PgConnection,
    fleet_id: &str,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update authority.fleet
            set registry_mode = 'open', freeze_id = null, frozen_until = null, operation = null,
                revision = revision + 1, update_time = clock_timestamp()
          where fleet_id = $1 and registry_mode = 'frozen'
            and frozen_until <= clock_timestamp()",
        fleet_id
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Fleets whose freeze ran out.
pub(crate) async fn expired_freezes(
    connection: &mut PgConnection,
) -> Result<Vec<String>, StoreError> {
    let fleets = sqlx::query_scalar!(
        "select fleet_id from authority.fleet
          where registry_mode = 'frozen' and frozen_until <= clock_timestamp()"
    )
    .fetch_all(connection)
    .await?;
    Ok(fleets)
}

/// The epoch that a move commits.
#[derive(Debug)]
pub(crate) struct Succession<'a> {
    pub(crate) fleet_id: &'a str,
    pub(crate) from_epoch: Epoch,
    pub(crate) from_hub: &'a str,
    pub(crate) to_epoch: Epoch,
    pub(crate) to_hub: &'a str,
    pub(crate) operation: &'a str,
}

/// Moves the authority; `false` when the fleet is not at the epoch and hub that were named. The
/// registry stays closed until it has settled.
pub(crate) async fn succeed(
    connection: &mut PgConnection,
    succession: &Succession<'_>,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update authority.fleet
            set epoch = $4, active_hub_id = $5, registry_mode = 'settling', freeze_id = null,
                frozen_until = null, operation = $6, revision = revision + 1,
                update_time = clock_timestamp()
          where fleet_id = $1 and epoch = $2 and active_hub_id = $3",
        succession.fleet_id,
        succession.from_epoch.as_i64(),
        succession.from_hub,
        succession.to_epoch.as_i64(),
        succession.to_hub,
        succession.operation
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Opens a registry that has settled in this epoch; `false` when it is not settling in it.
pub(crate) async fn open(
    connection: &mut PgConnection,
    fleet_id: &str,
    epoch: Epoch,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update authority.fleet
            set registry_mode = 'open', revision = revision + 1, update_time = clock_timestamp()
          where fleet_id = $1 and epoch = $2 and registry_mode = 'settling'",
        fleet_id,
        epoch.as_i64()
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Says that no operation is under way, if it was this one.
pub(crate) async fn release(
    connection: &mut PgConnection,
    fleet_id: &str,
    operation: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update authority.fleet
            set operation = null, revision = revision + 1, update_time = clock_timestamp()
          where fleet_id = $1 and operation = $2",
        fleet_id,
        operation
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Says that something of the fleet changed: watchers and etags go by it.
pub(crate) async fn touch(connection: &mut PgConnection, fleet_id: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "update authority.fleet set revision = revision + 1, update_time = clock_timestamp()
          where fleet_id = $1",
        fleet_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Holds a fleet's row as a hub's state is changed in this epoch; `false` when the epoch moved.
pub(crate) async fn hold_epoch(
    connection: &mut PgConnection,
    fleet_id: &str,
    epoch: Epoch,
) -> Result<bool, StoreError> {
    Ok(hold(connection, fleet_id)
        .await?
        .is_some_and(|held| held.epoch == epoch))
}
