//! `registry.incarnation`: which life of a device a hub's generation id stands for.
//!
//! Kept true: a generation id that a hub shows for the first time is a later life than every one
//! known there, and later than every deletion that the hub is known to have seen. But for one thing:
//! what an export job showed has no generation id ([`UNREAD`]). The first one that is read of it is
//! that of the life that was seen, unless the hub missed or deleted the device since. Its etag may
//! have moved meanwhile: a device that somebody made again unseen then passes for one that changed,
//! which is copied all the same; the other way round, every device that a job made would pass for
//! one that was made again as soon as somebody touched it, and be a conflict of the next merge.

use hubshift_store::StoreError;
use sqlx::{PgConnection, PgExecutor};

/// The generation id of what was seen of a device without its generation being read.
pub(crate) const UNREAD: &str = "";

/// The incarnation of each `(device, generation)` found at a hub, in their order. New ones are
/// remembered.
pub(crate) async fn resolve(
    connection: &mut PgConnection,
    fleet: &str,
    hub: &str,
    devices: &[String],
    generations: &[String],
) -> Result<Vec<i32>, StoreError> {
    let found = sqlx::query_scalar!(
        r#"select coalesce(
               (select i.incarnation from registry.incarnation i
                 where i.fleet_id = $1 and i.hub_id = $2 and i.device_id = f.device_id
                   and i.generation_id = f.generation_id),
               (select o.incarnation from registry.observed o
                 where o.fleet_id = $1 and o.hub_id = $2 and o.device_id = f.device_id
                   and o.generation_id = '' and o.missing_count = 0
                   and not exists (
                       select from registry.tombstone t
                        where t.fleet_id = $1 and t.device_id = o.device_id
                          and t.incarnation >= o.incarnation and $2 = any(t.acked_by))),
               greatest(
                   1,
                   (select max(i.incarnation) + 1 from registry.incarnation i
                     where i.fleet_id = $1 and i.hub_id = $2 and i.device_id = f.device_id),
                   (select max(t.incarnation) + 1 from registry.tombstone t
                     where t.fleet_id = $1 and t.device_id = f.device_id
                       and $2 = any(t.acked_by)))) as "incarnation!"
             from unnest($3::text[], $4::text[]) with ordinality
                  as f(device_id, generation_id, place)
            order by f.place"#,
        fleet,
        hub,
        devices,
        generations
    )
    .fetch_all(&mut *connection)
    .await?;
    remember(connection, fleet, hub, devices, generations, &found).await?;
    Ok(found)
}

async fn remember(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    devices: &[String],
    generations: &[String],
    incarnations: &[i32],
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into registry.incarnation
             (fleet_id, hub_id, device_id, generation_id, incarnation)
         select $1, $2, f.device_id, f.generation_id, f.incarnation
           from unnest($3::text[], $4::text[], $5::integer[])
                as f(device_id, generation_id, incarnation)
          order by f.device_id
         on conflict on constraint registry_incarnation_pk do nothing",
        fleet,
        hub,
        devices,
        generations,
        incarnations
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Says which lives the copies at a hub are that nobody has read yet: what a job made.
pub(crate) async fn set_unread(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    devices: &[String],
    incarnations: &[i32],
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into registry.incarnation
             (fleet_id, hub_id, device_id, generation_id, incarnation)
         select $1, $2, f.device_id, $5, f.incarnation
           from unnest($3::text[], $4::integer[]) as f(device_id, incarnation)
          order by f.device_id
         on conflict on constraint registry_incarnation_pk do update
            set incarnation = excluded.incarnation",
        fleet,
        hub,
        devices,
        incarnations,
        UNREAD
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Says which life we wrote: the copy at a hub is the life that it is a copy of.
pub(crate) async fn set(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    device: &str,
    generation: &str,
    incarnation: i32,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into registry.incarnation
             (fleet_id, hub_id, device_id, generation_id, incarnation)
         values ($1, $2, $3, $4, $5)
         on conflict on constraint registry_incarnation_pk do update
            set incarnation = excluded.incarnation",
        fleet,
        hub,
        device,
        generation,
        incarnation
    )
    .execute(executor)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
