//! Events of an epoch that was not known when they came: they are decided on when it is, by the
//! next call that hands in events of their origin, and without one by a reconciler.

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::FleetId;
use hubshift_domain::inbox::{Decision, Event, Now};
use hubshift_store::{StoreError, commit};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use super::effect::{Turn, apply};
use super::stored_state;
use crate::store::authority;
use crate::store::event::{self, AheadEvent, Origin};

/// Events of one origin that are decided on in one transaction.
const EVENTS: i64 = 500;
/// Origins that are looked after in one tick.
const ORIGINS: i64 = 100;

/// Decides on events of all fleets whose epoch has come, each origin in a transaction of its own.
/// Returns how many there were.
pub(crate) async fn release_due(pool: &PgPool) -> Result<usize, StoreError> {
    let mut connection = pool.acquire().await?;
    let origins = event::due_origins(&mut connection, ORIGINS).await?;
    drop(connection);
    let mut count = 0;
    for (fleet, origin) in origins {
        let mut tx = pool.begin().await?;
        let Some(authority) = authority::authority(&mut tx, &fleet).await? else {
            continue;
        };
        event::hold_origin(&mut tx, &fleet, &origin).await?;
        count += release(&mut tx, &fleet, &origin, authority.epoch).await?;
        commit(tx).await?;
    }
    Ok(count)
}

/// Decides on events of an origin whose epoch has come, in its order; the caller holds the origin.
pub(super) async fn release(
    connection: &mut PgConnection,
    fleet: &FleetId,
    origin: &Origin,
    epoch: Epoch,
) -> Result<usize, StoreError> {
    let due = event::hold_ahead(connection, fleet, origin, epoch, EVENTS).await?;
    for event in &due {
        decide(connection, fleet, event, epoch).await?;
    }
    Ok(due.len())
}

async fn decide(
    connection: &mut PgConnection,
    fleet: &FleetId,
    ahead: &AheadEvent,
    epoch: Epoch,
) -> Result<(), StoreError> {
    let at = &ahead.at;
    let mut key = event::key_state(connection, fleet, at).await?;
    let now = Now {
        epoch,
        deleted_up_to: 0,
        time: OffsetDateTime::now_utc(),
    };
    let said = Event {
        kind: ahead.kind,
        key_version: ahead.key_version,
        epoch: ahead.epoch,
        incarnation: 1,
    };
    let step = key.decide(&said, &now);
    let state = stored_state(step.decision);
    event::set_state(connection, fleet, &at.origin, ahead.seq, state).await?;
    if step.decision != Decision::Apply {
        return Ok(());
    }
    let turn = Turn {
        at,
        said: Some((ahead.kind, &ahead.payload)),
        released: &step.released,
        key: &key,
    };
    apply(connection, fleet, &turn).await
}
