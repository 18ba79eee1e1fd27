//! Hubs of a fleet: what they are to it (`authority.hub`) and how to reach them
//! (`concierge.hub`).
//!
//! A state changes only from a state that the caller names.

use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::HubState;
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;

use super::{signed, unknown_name, unsigned};

/// One hub of a fleet.
#[derive(Debug, Clone)]
pub(crate) struct HubRow {
    pub(crate) hub_id: String,
    pub(crate) hub_index: i16,
    pub(crate) state: String,
    pub(crate) region: String,
    pub(crate) host: String,
    pub(crate) service_host: String,
    pub(crate) event_endpoint: String,
    pub(crate) labels: Value,
    pub(crate) admission_per_second: i32,
    pub(crate) call_deadline_ms: i64,
    pub(crate) read_lag_ms: i64,
}

impl HubRow {
    /// What it is to its fleet.
    pub(crate) fn state(&self) -> Result<HubState, StoreError> {
        HubState::parse(&self.state).ok_or_else(|| unknown_name("state of a hub", &self.state))
    }

    /// Its number within epochs.
    pub(crate) fn index(&self) -> u16 {
        u16::try_from(self.hub_index).unwrap_or(0)
    }

    /// New connections that it admits, per second.
    pub(crate) fn admission(&self) -> u32 {
        u32::try_from(self.admission_per_second).unwrap_or(1)
    }

    /// The hard deadline of a call to it.
    pub(crate) fn call_deadline(&self) -> Duration {
        Duration::from_millis(unsigned(self.call_deadline_ms))
    }

    /// How stale its listings may be.
    pub(crate) fn read_lag(&self) -> Duration {
        Duration::from_millis(unsigned(self.read_lag_ms))
    }
}

/// A fleet's hubs, by index.
pub(crate) async fn of_fleet(
    connection: &mut PgConnection,
    fleet_id: &str,
) -> Result<Vec<HubRow>, StoreError> {
    let rows = sqlx::query_as!(
        HubRow,
        "select h.hub_id, h.hub_index, a.state, h.region, h.host, h.service_host,
                h.event_endpoint, h.labels, h.admission_per_second, a.call_deadline_ms,
                a.read_lag_ms
           from concierge.hub h
           join authority.hub a on a.fleet_id = h.fleet_id and a.hub_id = h.hub_id
          where h.fleet_id = $1 order by h.hub_index",
        fleet_id
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Adds a hub to a new fleet; `active_epoch` is set for the one that reigns first.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    fleet_id: &str,
    hub: &HubRow,
    active_epoch: Option<Epoch>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into authority.hub
            (fleet_id, hub_id, hub_index, state, last_active_epoch, call_deadline_ms, read_lag_ms)
         values ($1, $2, $3, $4, $5, $6, $7)",
        fleet_id,
        hub.hub_id,
        hub.hub_index,
        hub.state,
        active_epoch.unwrap_or_default().as_i64(),
        hub.call_deadline_ms,
        hub.read_lag_ms
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into concierge.hub
            (fleet_id, hub_id, hub_index, region, host, service_host, event_endpoint, labels,
             admission_per_second)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        fleet_id,
        hub.hub_id,
        hub.hub_index,
        hub.region,
        hub.host,
        hub.service_host,
        hub.event_endpoint,
        hub.labels,
        hub.admission_per_second
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves a hub to another state, if it is in one of `from`; `false` when it is not. Where devices
/// may walk to a ready standby by themselves, they are told of the change.
pub(crate) async fn move_state(
    connection: &mut PgConnection,
    fleet_id: &str,
    hub_id: &str,
    from: &[HubState],
    to: HubState,
) -> Result<bool, StoreError> {
    let names = names(from);
    let done = sqlx::query!(
        "update authority.hub set state = $4, update_time = clock_timestamp()
          where fleet_id = $1 and hub_id = $2 and state = any($3)",
        fleet_id,
        hub_id,
        &names,
        to.as_str()
    )
    .execute(&mut *connection)
    .await?;
    let moved = done.rows_affected() == 1;
    if moved {
        super::authority::touch(connection, fleet_id).await?;
    }
    if moved && (to == HubState::Ready || from.contains(&HubState::Ready)) {
        tell_of_standbys(connection, fleet_id).await?;
    }
    Ok(moved)
}

fn names(states: &[HubState]) -> Vec<String> {
    states
        .iter()
        .map(|state| state.as_str().to_owned())
        .collect()
}

/// Ready standbys stand in the route of a fleet whose devices may use them.
async fn tell_of_standbys(connection: &mut PgConnection, fleet_id: &str) -> Result<(), StoreError> {
    sqlx::query!(
        "update concierge.fleet
            set routing_version = routing_version + 1, revision = revision + 1,
                update_time = clock_timestamp()
          where fleet_id = $1 and on_unreachable <> 'ask'",
        fleet_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends a hub's reign: it reigned last in `epoch`.
pub(crate) async fn depose(
    connection: &mut PgConnection,
    fleet_id: &str,
    hub_id: &str,
    epoch: Epoch,
    to: HubState,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update authority.hub
            set state = $4, last_active_epoch = $3, update_time = clock_timestamp()
          where fleet_id = $1 and hub_id = $2 and state = 'active'",
        fleet_id,
        hub_id,
        epoch.as_i64(),
        to.as_str()
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Begins a hub's reign, if it is in one of `from`. Standbys that were verified against the hub
/// before it must be verified anew.
pub(crate) async fn enthrone(
    connection: &mut PgConnection,
    fleet_id: &str,
    hub_id: &str,
    epoch: Epoch,
    from: &[HubState],
) -> Result<bool, StoreError> {
    let names = names(from);
    let done = sqlx::query!(
        "update authority.hub
            set state = 'active', last_active_epoch = $3, update_time = clock_timestamp()
          where fleet_id = $1 and hub_id = $2 and state = any($4)",
        fleet_id,
        hub_id,
        epoch.as_i64(),
        &names
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update authority.hub set state = 'syncing', update_time = clock_timestamp()
          where fleet_id = $1 and state = 'ready'",
        fleet_id
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Quarantines every hub in one of these states: nobody looked what was changed there. Returns
/// which.
pub(crate) async fn quarantine(
    connection: &mut PgConnection,
    fleet_id: &str,
    from: &[HubState],
) -> Result<Vec<String>, StoreError> {
    let names = names(from);
    let hubs = sqlx::query_scalar!(
        "update authority.hub set state = 'quarantined', update_time = clock_timestamp()
          where fleet_id = $1 and state = any($2) returning hub_id",
        fleet_id,
        &names
    )
    .fetch_all(connection)
    .await?;
    Ok(hubs)
}

/// Whether a hub is shut out by a hard fence, or may be. To be asked while the fleet's row is held: no
/// order to shut the hub can be given meanwhile.
pub(crate) async fn is_fenced(
    connection: &mut PgConnection,
    fleet_id: &str,
    hub_id: &str,
) -> Result<bool, StoreError> {
    let fenced = sqlx::query_scalar!(
        r#"select authority.is_fenced($1, $2) as "fenced!""#,
        fleet_id,
        hub_id
    )
    .fetch_one(connection)
    .await?;
    Ok(fenced)
}

/// The longest hard deadline of a call to any of a fleet's hubs.
pub(crate) async fn longest_call(
    connection: &mut PgConnection,
    fleet_id: &str,
) -> Result<Duration, StoreError> {
    let longest = sqlx::query_scalar!(
        r#"select coalesce(max(call_deadline_ms), 0) as "ms!" from authority.hub
            where fleet_id = $1"#,
        fleet_id
    )
    .fetch_one(connection)
    .await?;
    Ok(Duration::from_millis(unsigned(longest)))
}

/// A span for a `bigint` column of milliseconds.
pub(crate) fn millis(span: Duration) -> i64 {
    signed(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}
