//! The rescue report: what only a rewound hub had.

use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// How many devices of a report are shown.
const SHOWN: i64 = 1_000;

/// Adds devices, or writes over their lines of an earlier try.
pub(crate) async fn put(
    connection: &mut PgConnection,
    merge_id: Uuid,
    devices: &[String],
    records: &[Value],
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into merge.rescued (merge_id, device_id, record)
         select $1, d.device_id, d.record
           from unnest($2::text[], $3::jsonb[]) as d (device_id, record)
         on conflict on constraint merge_rescued_pk do update set record = excluded.record",
        merge_id,
        devices,
        records
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Reads a report, at most a thousand devices of it.
pub(crate) async fn get(
    connection: &mut PgConnection,
    merge_id: Uuid,
) -> Result<Vec<(String, Value)>, StoreError> {
    let rows = sqlx::query!(
        "select device_id, record from merge.rescued
          where merge_id = $1 order by device_id limit $2",
        merge_id,
        SHOWN
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.device_id, row.record))
        .collect())
}
