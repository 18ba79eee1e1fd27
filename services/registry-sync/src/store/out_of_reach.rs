//! `registry.out_of_reach`: modules that a hub refused because their devices are disabled there. Asking
//! again costs two calls each and brings nothing before a device is enabled, or the hub is entered
//! with other credentials.

use hubshift_store::StoreError;
use sqlx::PgExecutor;

/// Notes that a hub refused modules, as it is connected now.
pub(crate) async fn note(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    modules: &[String],
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into registry.out_of_reach as r (fleet_id, hub_id, device_id, revision)
         select distinct c.fleet_id, c.hub_id, m.device_id, c.revision
           from unnest($3::text[]) as m(device_id)
           join registry.connection c on c.fleet_id = $1 and c.hub_id = $2
         on conflict on constraint registry_out_of_reach_pk do update
            set revision = excluded.revision
          where r.revision <> excluded.revision",
        fleet,
        hub,
        modules
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Those of these modules that a hub would refuse again.
pub(crate) async fn known(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    modules: &[String],
) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query_scalar!(
        "select r.device_id
           from registry.out_of_reach r
           join registry.connection c
             on c.fleet_id = r.fleet_id and c.hub_id = r.hub_id and c.revision = r.revision
           join registry.observed d
             on d.fleet_id = r.fleet_id and d.hub_id = r.hub_id
            and d.device_id = split_part(r.device_id, '/', 1)
            and d.missing_count = 0 and not d.enabled
          where r.fleet_id = $1 and r.hub_id = $2 and r.device_id = any($3)",
        fleet,
        hub,
        modules
    )
    .fetch_all(executor)
    .await?;
    Ok(rows)
}

/// Forgets those that a hub would not refuse any more.
pub(crate) async fn tidy(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from registry.out_of_reach r
          where r.fleet_id = $1 and r.hub_id = $2
            and not exists (
                select from registry.observed d
                 where d.fleet_id = $1 and d.hub_id = $2
                   and d.device_id = split_part(r.device_id, '/', 1)
                   and d.missing_count = 0 and not d.enabled)",
        fleet,
        hub
    )
    .execute(executor)
    .await?;
    Ok(())
}
