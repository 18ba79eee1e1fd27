//! Records counted by their kind, which is in their keys: too much that is gone of one kind must not
//! hide behind the number of the others.

use hubshift_store::StoreError;
use sqlx::PgExecutor;
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
