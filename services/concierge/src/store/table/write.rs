//! What the answer side writes: signed routes, a higher routing version, and its heartbeat.

use hubshift_domain::id::FleetId;
use hubshift_store::StoreError;
use sqlx::PgPool;

use crate::store::signed;

/// What a replica serves of one fleet, and what its devices told it.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    /// The fleet.
    pub(crate) fleet: FleetId,
    /// The epoch.
    pub(crate) epoch: u64,
    /// The routing version.
    pub(crate) routing_version: u64,
    /// Devices that asked lately.
    pub(crate) polling: u64,
    /// Of those, how many named the active hub.
    pub(crate) attached: u64,
}

/// Raises a fleet's routing version; nothing happens when it is not `from` any more.
pub(crate) async fn raise_routing_version(
    pool: &PgPool,
    fleet: &FleetId,
    from: u64,
    to: u64,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update concierge.fleet
            set routing_version = $3, revision = revision + 1, update_time = clock_timestamp()
          where fleet_id = $1 and routing_version = $2 and $3 > routing_version",
        fleet.as_str(),
        signed(from),
        signed(to)
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Writes the heartbeat of a replica, for all fleets at once. A witnessed epoch never goes down.
pub(crate) async fn witness(
    pool: &PgPool,
    replica: &str,
    served: &[Served],
) -> Result<(), StoreError> {
    let column = |of: fn(&Served) -> u64| -> Vec<i64> {
        served.iter().map(|fleet| signed(of(fleet))).collect()
    };
    let fleets: Vec<String> = served.iter().map(|fleet| fleet.fleet.to_string()).collect();
    sqlx::query!(
        "insert into concierge.epoch_witness as w
            (replica_id, fleet_id, epoch, routing_version, polling_count, attached_count,
             seen_time)
         select $1, u.fleet_id, u.epoch, u.routing_version, u.polling, u.attached,
                clock_timestamp()
           from unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
             as u (fleet_id, epoch, routing_version, polling, attached)
         on conflict on constraint concierge_epoch_witness_pk do update
            set epoch = greatest(w.epoch, excluded.epoch),
                routing_version = excluded.routing_version,
                polling_count = excluded.polling_count,
                attached_count = excluded.attached_count,
                seen_time = excluded.seen_time",
        replica,
        &fleets,
        &column(|fleet| fleet.epoch),
        &column(|fleet| fleet.routing_version),
        &column(|fleet| fleet.polling),
        &column(|fleet| fleet.attached)
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Removes routes that were over a week ago. No refresh serves them, and each one would pass over
/// them: two a day and fleet.
pub(crate) async fn forget_old_routes(pool: &PgPool) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from concierge.route where not_after < clock_timestamp() - interval '7 days'"
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Removes the rows of replicas that are gone for a day and that say nothing that the authority
/// doesn't know.
pub(crate) async fn forget_gone_replicas(pool: &PgPool) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from concierge.epoch_witness w using authority.fleet a
          where a.fleet_id = w.fleet_id and w.epoch <= a.epoch
            and w.seen_time < clock_timestamp() - interval '1 day'"
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}
