//! Canaries: which part of a fleet is attached to a standby, and until when. One runs at a time.
//!
//! Kept true: a canary begins and ends together with a higher routing version, in the transaction
//! of the caller, who holds the fleet's row in `authority`.

use hubshift_domain::canary::RevertCause;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::HubId;
use hubshift_domain::route::{Cohort, DeviceHash};
use hubshift_store::StoreError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{fleet, unknown_name};
use crate::table::CanaryEntry;

/// A canary that runs, or that ended.
#[derive(Debug, Clone)]
pub(crate) struct CanaryRow {
    pub(crate) canary_id: Uuid,
    pub(crate) fleet_id: String,
    pub(crate) hub_id: String,
    pub(crate) epoch: i64,
    pub(crate) percent: Option<i16>,
    pub(crate) devices: Vec<String>,
    pub(crate) start_time: OffsetDateTime,
    pub(crate) until_time: OffsetDateTime,
    pub(crate) end_time: Option<OffsetDateTime>,
    pub(crate) end_cause: Option<String>,
}

impl CanaryRow {
    /// As devices are told of it.
    pub(crate) fn entry(&self) -> Result<CanaryEntry, StoreError> {
        let hub = HubId::new(self.hub_id.as_str());
        Ok(CanaryEntry {
            id: self.canary_id.to_string(),
            hub: hub.map_err(|error| StoreError::Bug(sqlx::Error::Decode(error.into())))?,
            epoch: Epoch::from_i64(self.epoch),
            cohort: self.cohort()?,
            start_time: self.start_time,
            until_time: self.until_time,
        })
    }

    fn cohort(&self) -> Result<Cohort, StoreError> {
        if let Some(percent) = self.percent {
            return Ok(Cohort::Percent(u8::try_from(percent).unwrap_or(0)));
        }
        let hash = |text: &String| {
            DeviceHash::try_from(text.clone()).map_err(|_| unknown_name("hash of a device", text))
        };
        let devices: Result<_, StoreError> = self.devices.iter().map(hash).collect();
        devices.map(Cohort::Devices)
    }
}

/// A canary that begins.
#[derive(Debug)]
pub(crate) struct NewCanary<'a> {
    pub(crate) canary_id: Uuid,
    pub(crate) fleet_id: &'a str,
    pub(crate) hub_id: &'a str,
    pub(crate) epoch: Epoch,
    pub(crate) cohort: &'a Cohort,
    pub(crate) start_time: OffsetDateTime,
    pub(crate) until_time: OffsetDateTime,
}

/// Begins a canary and tells devices; the fleet must have none that runs.
pub(crate) async fn begin(
    connection: &mut PgConnection,
    new: &NewCanary<'_>,
) -> Result<(), StoreError> {
    let (percent, devices): (Option<i16>, Vec<String>) = match new.cohort {
        Cohort::Percent(percent) => (Some(i16::from(*percent)), Vec::new()),
        Cohort::Devices(listed) => (None, listed.iter().map(DeviceHash::to_string).collect()),
    };
    sqlx::query!(
        "insert into concierge.canary
            (canary_id, fleet_id, hub_id, epoch, percent, devices, start_time, until_time)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.canary_id,
        new.fleet_id,
        new.hub_id,
        new.epoch.as_i64(),
        percent,
        &devices,
        new.start_time,
        new.until_time
    )
    .execute(&mut *connection)
    .await?;
    fleet::raise_routing_version(connection, new.fleet_id).await?;
    Ok(())
}

/// Ends a canary and tells devices; `false` when it had ended already.
pub(crate) async fn end(
    connection: &mut PgConnection,
    canary: &CanaryRow,
    cause: RevertCause,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update concierge.canary set end_time = clock_timestamp(), end_cause = $2
          where canary_id = $1 and end_time is null",
        canary.canary_id,
        cause.as_str()
    )
    .execute(&mut *connection)
    .await?;
    let has_ended = done.rows_affected() == 1;
    if has_ended {
        fleet::raise_routing_version(connection, &canary.fleet_id).await?;
    }
    Ok(has_ended)
}

/// The canary of a fleet that runs.
pub(crate) async fn running(
    connection: &mut PgConnection,
    fleet_id: &str,
) -> Result<Option<CanaryRow>, StoreError> {
    let row = sqlx::query_as!(
        CanaryRow,
        "select canary_id, fleet_id, hub_id, epoch, percent, devices, start_time, until_time,
                end_time, end_cause
           from concierge.canary where fleet_id = $1 and end_time is null",
        fleet_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// Every canary that runs.
pub(crate) async fn all_running(
    connection: &mut PgConnection,
) -> Result<Vec<CanaryRow>, StoreError> {
    let rows = sqlx::query_as!(
        CanaryRow,
        "select canary_id, fleet_id, hub_id, epoch, percent, devices, start_time, until_time,
                end_time, end_cause
           from concierge.canary where end_time is null"
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// The canary of a fleet that runs, or the one that ended last within a day.
pub(crate) async fn latest(
    connection: &mut PgConnection,
    fleet_id: &str,
) -> Result<Option<CanaryRow>, StoreError> {
    let row = sqlx::query_as!(
        CanaryRow,
        "select canary_id, fleet_id, hub_id, epoch, percent, devices, start_time, until_time,
                end_time, end_cause
           from concierge.canary
          where fleet_id = $1
            and (end_time is null or end_time > clock_timestamp() - interval '1 day')
          order by start_time desc limit 1",
        fleet_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// Forgets canaries that ended more than a day ago; the audit still has them.
pub(crate) async fn forget_old(connection: &mut PgConnection) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from concierge.canary where end_time < clock_timestamp() - interval '1 day'"
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
