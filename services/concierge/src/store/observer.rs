//! What each replica makes of each hub.

use std::time::Duration;

use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::observer::Tally;
use hubshift_store::StoreError;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use super::hub::millis;
use super::unsigned;

/// What a replica writes of one hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observation {
    pub(crate) fleet: FleetId,
    pub(crate) hub: HubId,
    pub(crate) is_alive: bool,
    /// By the replica's clock.
    pub(crate) since: OffsetDateTime,
    /// Why it looks dead.
    pub(crate) detail: String,
}

/// What is known of a hub by one replica.
#[derive(Debug, Clone)]
pub(crate) struct ObservationRow {
    pub(crate) hub_id: String,
    pub(crate) seen_from: String,
    pub(crate) is_alive: bool,
    pub(crate) since: OffsetDateTime,
    pub(crate) detail: String,
    pub(crate) seen_time: OffsetDateTime,
    /// Whether nobody looked again when it was time to.
    pub(crate) is_stale: bool,
}

/// Writes what a replica sees of all hubs, good for so long.
pub(crate) async fn write(
    pool: &PgPool,
    replica: &str,
    seen_from: &str,
    good_for: Duration,
    seen: &[Observation],
) -> Result<(), StoreError> {
    let fleets: Vec<String> = seen.iter().map(|seen| seen.fleet.to_string()).collect();
    let hubs: Vec<String> = seen.iter().map(|seen| seen.hub.to_string()).collect();
    let alive: Vec<bool> = seen.iter().map(|seen| seen.is_alive).collect();
    let since: Vec<OffsetDateTime> = seen.iter().map(|seen| seen.since).collect();
    let details: Vec<String> = seen.iter().map(|seen| seen.detail.clone()).collect();
    sqlx::query!(
        "insert into concierge.hub_observation
            (replica_id, fleet_id, hub_id, seen_from, is_alive, since, detail, seen_time,
             good_until)
         select $1, u.fleet_id, u.hub_id, $2, u.is_alive, u.since, u.detail, clock_timestamp(),
                clock_timestamp() + $3::bigint * interval '1 millisecond'
           from unnest($4::text[], $5::text[], $6::boolean[], $7::timestamptz[], $8::text[])
             as u (fleet_id, hub_id, is_alive, since, detail)
         on conflict on constraint concierge_hub_observation_pk do update
            set seen_from = excluded.seen_from,
                is_alive = excluded.is_alive,
                since = excluded.since,
                detail = excluded.detail,
                seen_time = excluded.seen_time,
                good_until = excluded.good_until",
        replica,
        seen_from,
        millis(good_for),
        &fleets,
        &hubs,
        &alive,
        &since,
        &details
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// What is known of a fleet's hubs. What is not good any more is shown for a quarter of an hour.
pub(crate) async fn of_fleet(
    connection: &mut PgConnection,
    fleet_id: &str,
) -> Result<Vec<ObservationRow>, StoreError> {
    let rows = sqlx::query_as!(
        ObservationRow,
        r#"select hub_id, seen_from, is_alive, since, detail, seen_time,
                  good_until < clock_timestamp() as "is_stale!"
             from concierge.hub_observation
            where fleet_id = $1 and good_until > clock_timestamp() - interval '15 minutes'
            order by hub_id, seen_from, replica_id"#,
        fleet_id
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// The hubs that look dead to somebody, and what everybody makes of them.
pub(crate) async fn doubtful(pool: &PgPool) -> Result<Vec<((String, String), Tally)>, StoreError> {
    let rows = sqlx::query!(
        r#"select fleet_id, hub_id, count(*) filter (where is_alive) as "alive!",
                  count(*) filter (where not is_alive) as "dead!"
             from concierge.hub_observation
            where good_until > clock_timestamp()
            group by fleet_id, hub_id
           having bool_or(not is_alive)"#
    )
    .fetch_all(pool)
    .await?;
    let tally = |alive, dead| Tally {
        alive: unsigned(alive),
        dead: unsigned(dead),
    };
    Ok(rows
        .into_iter()
        .map(|row| ((row.fleet_id, row.hub_id), tally(row.alive, row.dead)))
        .collect())
}

/// Removes what was not renewed for a day.
pub(crate) async fn forget(pool: &PgPool) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from concierge.hub_observation
          where good_until < clock_timestamp() - interval '1 day'"
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}
