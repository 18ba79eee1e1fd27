//! Failovers from outside: start, look, cancel, hurry.
//!
//! A failover is a row of `concierge.failover` and a workflow with the same id; both are written
//! in the transaction that starts it. One per fleet at a time: the workflow's subject is the
//! fleet. A forced one may take over from one that is past its commit and can't go on.

mod control;
mod start;
mod takeover;
mod view;

use hubshift_api::pb::concierge::Failover;
use hubshift_store::StoreError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) use start::Order;
pub(crate) use takeover::Superseded;

use super::{App, AppError};
use crate::store::failover::{self as rows, FailoverRow};
use crate::store::fleet;

/// Where the next page of a list starts: after this one.
pub(crate) type Cursor = (OffsetDateTime, Uuid);

impl App {
    /// One failover.
    pub(crate) async fn get_failover(&self, fleet: &str, id: Uuid) -> Result<Failover, AppError> {
        let mut connection = self.connection().await?;
        let row = existing(&mut connection, fleet, id).await?;
        Ok(read(&mut connection, &row).await?)
    }

    /// A page of a fleet's failovers, newest first, and where the next one starts.
    pub(crate) async fn list_failovers(
        &self,
        fleet_id: &str,
        before: Option<Cursor>,
        limit: i64,
    ) -> Result<(Vec<Failover>, Option<Cursor>), AppError> {
        let mut connection = self.connection().await?;
        if fleet::get(&mut connection, fleet_id).await?.is_none() {
            return Err(AppError::FleetNotFound(fleet_id.to_owned()));
        }
        let found = rows::list(&mut connection, fleet_id, before, limit).await?;
        let is_full = i64::try_from(found.len()).is_ok_and(|count| count == limit);
        let last = found
            .last()
            .filter(|_| is_full)
            .map(|row| (row.create_time, row.failover_id));
        let mut failovers = Vec::with_capacity(found.len());
        for row in &found {
            failovers.push(read(&mut connection, row).await?);
        }
        Ok((failovers, last))
    }
}

async fn existing(
    connection: &mut PgConnection,
    fleet_id: &str,
    id: Uuid,
) -> Result<FailoverRow, AppError> {
    rows::get(connection, fleet_id, id)
        .await?
        .ok_or_else(|| AppError::FailoverNotFound(rows::name(fleet_id, id)))
}

async fn read(connection: &mut PgConnection, row: &FailoverRow) -> Result<Failover, StoreError> {
    let status = hubshift_flow::get(connection, row.failover_id).await?;
    view::failover(row, status.as_ref())
}
