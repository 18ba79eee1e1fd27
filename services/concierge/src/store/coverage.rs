//! Sketches of who asked which replica, and the keys that devices are hashed with.

use std::time::Duration;

use hubshift_domain::sketch::{Count, Sketch};
use hubshift_store::StoreError;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::hub::millis;

/// What writing may be late by: the rest of a round where there are many fleets. Ten thousand are 40
/// refreshes, each a second and what it takes.
const LATE: Duration = Duration::from_secs(120);

/// The keys of these fleets, as far as they are known.
pub(crate) async fn keys(
    pool: &PgPool,
    fleets: &[String],
) -> Result<Vec<(String, Uuid)>, StoreError> {
    let rows = sqlx::query!(
        "select fleet_id, sketch_key from concierge.fleet where fleet_id = any($1)",
        fleets
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.fleet_id, row.sketch_key))
        .collect())
}

/// Writes a replica's sketches of several fleets, in the same order.
pub(crate) async fn write(
    pool: &PgPool,
    replica: &str,
    fleets: &[String],
    sketches: &[Vec<u8>],
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into concierge.coverage (fleet_id, replica_id, sketch, write_time)
         select u.fleet_id, $1, u.sketch, clock_timestamp()
           from unnest($2::text[], $3::bytea[]) as u (fleet_id, sketch)
         on conflict on constraint concierge_coverage_pk do update
            set sketch = excluded.sketch, write_time = excluded.write_time",
        replica,
        fleets,
        sketches
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// How many different devices asked any replica lately. A replica that nobody asked for 1.2 poll
/// periods and two minutes does not count any more.
pub(crate) async fn polling(
    connection: &mut PgConnection,
    fleet_id: &str,
    poll_after: Duration,
) -> Result<Count, StoreError> {
    let good_for = poll_after * 6 / 5 + LATE;
    let sketches = sqlx::query_scalar!(
        "select sketch from concierge.coverage
          where fleet_id = $1
            and write_time > clock_timestamp() - $2::bigint * interval '1 millisecond'",
        fleet_id,
        millis(good_for)
    )
    .fetch_all(connection)
    .await?;
    let mut all = Sketch::default();
    for bytes in sketches {
        match Sketch::decode(&bytes) {
            Some(sketch) => all.unite(sketch),
            None => tracing::debug!(fleet_id, "a sketch of a newer binary is left out"),
        }
    }
    Ok(all.count())
}

/// Removes what replicas left that are gone for a day.
pub(crate) async fn forget_gone_replicas(pool: &PgPool) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from concierge.coverage where write_time < clock_timestamp() - interval '1 day'"
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}
