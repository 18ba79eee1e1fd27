//! Which epoch each back end says that it acts on. Shown to operators; gates nothing.

use hubshift_store::StoreError;
use sqlx::PgConnection;
use time::OffsetDateTime;

/// A back end's word.
#[derive(Debug, Clone)]
pub(crate) struct BackEndRow {
    pub(crate) back_end: String,
    pub(crate) epoch: i64,
    pub(crate) acknowledge_time: OffsetDateTime,
}

/// Stores a back end's word. A late word about an older epoch changes nothing.
pub(crate) async fn acknowledge(
    connection: &mut PgConnection,
    fleet_id: &str,
    back_end: &str,
    epoch: i64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into concierge.back_end as known (fleet_id, back_end, epoch)
         values ($1, $2, $3)
         on conflict (fleet_id, back_end) do update
            set epoch = excluded.epoch, acknowledge_time = now()
          where known.epoch <= excluded.epoch",
        fleet_id,
        back_end,
        epoch
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A fleet's back ends, by name.
pub(crate) async fn of_fleet(
    connection: &mut PgConnection,
    fleet_id: &str,
) -> Result<Vec<BackEndRow>, StoreError> {
    let rows = sqlx::query_as!(
        BackEndRow,
        "select back_end, epoch, acknowledge_time from concierge.back_end
          where fleet_id = $1 order by back_end",
        fleet_id
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}
