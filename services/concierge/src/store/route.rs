//! Signed routes, as the commit of an epoch leaves them.

use hubshift_domain::epoch::Epoch;
use hubshift_store::StoreError;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::signed;

/// A signed route.
#[derive(Debug)]
pub(crate) struct NewRoute<'a> {
    pub(crate) fleet_id: &'a str,
    pub(crate) routing_version: u64,
    pub(crate) epoch: Epoch,
    pub(crate) jws: &'a str,
    pub(crate) issue_time: OffsetDateTime,
    pub(crate) not_after: OffsetDateTime,
}

/// Stores a route; one that another replica stored for the same moment stays.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    route: &NewRoute<'_>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into concierge.route (fleet_id, routing_version, epoch, jws, issue_time, not_after)
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        route.fleet_id,
        signed(route.routing_version),
        route.epoch.as_i64(),
        route.jws,
        route.issue_time,
        route.not_after
    )
    .execute(connection)
    .await?;
    Ok(())
}
