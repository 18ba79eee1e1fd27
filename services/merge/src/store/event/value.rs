//! The values that events of all origins built.

use hubshift_domain::id::FleetId;
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;

use super::unsigned;

/// The value of a key, held until the transaction ends.
#[derive(Debug, Clone)]
pub(crate) struct HeldValue {
    /// Null when no event built it yet, and after a deletion.
    pub(crate) value: Value,
    /// How many events were applied to it.
    pub(crate) applied_count: i64,
}

/// Reads the value of a key and holds it until the transaction ends.
pub(crate) async fn lock_value(
    connection: &mut PgConnection,
    fleet: &FleetId,
    device: &str,
    key: &str,
) -> Result<HeldValue, StoreError> {
    sqlx::query!(
        "insert into merge.event_state (fleet_id, device_id, event_key) values ($1, $2, $3)
         on conflict on constraint merge_event_state_pk do nothing",
        fleet.as_str(),
        device,
        key
    )
    .execute(&mut *connection)
    .await?;
    let held = sqlx::query_as!(
        HeldValue,
        "select value, applied_count from merge.event_state
          where fleet_id = $1 and device_id = $2 and event_key = $3 for update",
        fleet.as_str(),
        device,
        key
    )
    .fetch_one(connection)
    .await?;
    Ok(held)
}

/// Stores the value of a key after one more event.
pub(crate) async fn save_value(
    connection: &mut PgConnection,
    fleet: &FleetId,
    device: &str,
    key: &str,
    value: &Value,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.event_state
            set value = $4, applied_count = applied_count + 1, update_time = now()
          where fleet_id = $1 and device_id = $2 and event_key = $3",
        fleet.as_str(),
        device,
        key,
        value
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A value that events built, with how many were applied, wait, and came late.
#[derive(Debug, Clone)]
pub(crate) struct BuiltValue {
    pub(crate) value: Value,
    pub(crate) applied_count: u64,
    pub(crate) parked_count: u64,
    pub(crate) late_count: u64,
}

/// Reads a value; `None` when no event of the key was ever taken.
pub(crate) async fn built(
    connection: &mut PgConnection,
    fleet: &FleetId,
    device: &str,
    key: &str,
) -> Result<Option<BuiltValue>, StoreError> {
    let row = sqlx::query!(
        r#"select (select value from merge.event_state
                    where fleet_id = $1 and device_id = $2 and event_key = $3) as value,
                  coalesce((select applied_count from merge.event_state
                    where fleet_id = $1 and device_id = $2 and event_key = $3), 0) as "applied!",
                  count(*) filter (where state in ('parked', 'ahead')) as "parked!",
                  count(*) filter (where state = 'late') as "late!",
                  count(*) as "all!"
             from merge.event where fleet_id = $1 and device_id = $2 and event_key = $3"#,
        fleet.as_str(),
        device,
        key
    )
    .fetch_one(connection)
    .await?;
    if row.all == 0 && row.value.is_none() {
        return Ok(None);
    }
    Ok(Some(BuiltValue {
        value: row.value.unwrap_or(Value::Null),
        applied_count: unsigned(row.applied),
        parked_count: unsigned(row.parked),
        late_count: unsigned(row.late),
    }))
}
