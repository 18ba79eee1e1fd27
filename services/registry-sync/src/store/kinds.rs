//! The kinds of records, which are in their keys: how many there are of each, because too much that
//! is gone of one kind must not hide behind the number of the others, and which of them a fleet
//! carries.

use hubshift_hub::Kinds;
use hubshift_store::StoreError;
use sqlx::{PgExecutor, PgPool};
use time::OffsetDateTime;

/// How many there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct KindCounts {
    pub(crate) devices: i64,
    pub(crate) modules: i64,
    pub(crate) configurations: i64,
}

/// What a hub holds.
pub(crate) async fn held(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<KindCounts, StoreError> {
    let counts = sqlx::query_as!(
        KindCounts,
        r#"select count(*) filter (where strpos(device_id, '/') = 0) as "devices!",
                  count(*) filter (where strpos(device_id, '/') > 1) as "modules!",
                  count(*) filter (where strpos(device_id, '/') = 1) as "configurations!"
             from registry.observed
            where fleet_id = $1 and hub_id = $2 and missing_count = 0"#,
        fleet,
        hub
    )
    .fetch_one(executor)
    .await?;
    Ok(counts)
}

/// What was inferred since a time to be gone from a hub, because it was not found there. Modules
/// that went with their device are one deletion with it.
pub(crate) async fn inferred_gone(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    since: OffsetDateTime,
) -> Result<KindCounts, StoreError> {
    let counts = sqlx::query_as!(
        KindCounts,
        r#"with gone as (
               select device_id from registry.tombstone
                where fleet_id = $1 and origin = $2 and sequence = 0 and create_time >= $3)
           select count(*) filter (where strpos(g.device_id, '/') = 0) as "devices!",
                  count(*) filter (where strpos(g.device_id, '/') > 1
                                     and not exists (
                                         select from gone d
                                          where d.device_id = split_part(g.device_id, '/', 1)))
                      as "modules!",
                  count(*) filter (where strpos(g.device_id, '/') = 1) as "configurations!"
             from gone g"#,
        fleet,
        hub,
        since
    )
    .fetch_one(executor)
    .await?;
    Ok(counts)
}

/// What is carried between the hubs of a fleet: what all of them are asked for.
pub(crate) async fn carried(
    executor: impl PgExecutor<'_>,
    fleet: &str,
) -> Result<Kinds, StoreError> {
    let kinds = sqlx::query_as!(
        Kinds,
        r#"select coalesce(bool_and(not without_modules), true) as "modules!",
                  coalesce(bool_and(not without_configurations), true) as "configurations!"
             from registry.connection where fleet_id = $1"#,
        fleet
    )
    .fetch_one(executor)
    .await?;
    Ok(kinds)
}

/// Forgets what is known of kinds that a fleet does not carry, as if there were none of them; a
/// conflict that is open stays.
pub(crate) async fn forget_others(
    pool: &PgPool,
    fleet: &str,
    carried: Kinds,
) -> Result<(), StoreError> {
    if carried == Kinds::default() {
        return Ok(());
    }
    let (modules, configurations) = (!carried.modules, !carried.configurations);
    sqlx::query!(
        "with gone as (
             delete from registry.observed
              where fleet_id = $1
                and ($2 and strpos(device_id, '/') > 1 or $3 and strpos(device_id, '/') = 1))
         delete from registry.base
          where fleet_id = $1 and hold is null
            and ($2 and strpos(device_id, '/') > 1 or $3 and strpos(device_id, '/') = 1)",
        fleet,
        modules,
        configurations
    )
    .execute(pool)
    .await?;
    Ok(())
}
