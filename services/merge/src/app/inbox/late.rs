//! Events of an epoch that is over, in the merge: each takes its place in the order of its key, and
//! what waited for it follows. Whether it changes the value depends on what this side knows.

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::FleetId;
use hubshift_domain::inbox::{Decision, Event, EventKind};
use hubshift_store::StoreError;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::effect::{Turn, take_turn};
use crate::store::event::{self, HeldValue, LateEvent};

/// Takes at most `limit` late events of one origin, each once, in its order. Returns how many
/// there were; the merge repeats it until there are none.
pub(crate) async fn merge_late(
    connection: &mut PgConnection,
    fleet: &FleetId,
    limit: i64,
) -> Result<usize, StoreError> {
    let Some(origin) = event::late_origin(connection, fleet).await? else {
        return Ok(0);
    };
    event::hold_origin(connection, fleet, &origin).await?;
    let late = event::take_late(connection, fleet, &origin, limit).await?;
    for event in &late {
        merge_one(connection, fleet, event).await?;
    }
    Ok(late.len())
}

async fn merge_one(
    connection: &mut PgConnection,
    fleet: &FleetId,
    late: &LateEvent,
) -> Result<(), StoreError> {
    let at = &late.at;
    let mut key = event::key_state(connection, fleet, at).await?;
    let step = key.decide_late(&order_of(late), OffsetDateTime::now_utc());
    match step.decision {
        Decision::Apply => {}
        // Those before it may still come; then it follows them like any other.
        Decision::Park | Decision::Pull => {
            return event::set_state(connection, fleet, &at.origin, late.seq, "parked").await;
        }
        Decision::Stale | Decision::Late | Decision::Ahead | Decision::DeadLetter => {
            return Ok(());
        }
    }
    let held = event::lock_value(connection, fleet, &at.device, &at.key).await?;
    let turn = Turn {
        at,
        said: has_effect(late, &held).then_some((late.kind, &late.payload)),
        released: &step.released,
        key: &key,
    };
    take_turn(connection, fleet, held.value, &turn).await
}

/// Its epoch is over whichever it was.
fn order_of(late: &LateEvent) -> Event {
    Event {
        kind: late.kind,
        key_version: late.key_version,
        epoch: Epoch::default(),
        incarnation: 1,
    }
}

/// What this side knows is of a later epoch. A state is news only where nothing was applied, and
/// then the last one of its origin; a change counts unless the key is gone here; a deletion never
/// does.
fn has_effect(late: &LateEvent, held: &HeldValue) -> bool {
    let is_news = held.applied_count == 0;
    let is_gone = !is_news && held.value.is_null();
    match late.kind {
        EventKind::Delete => false,
        EventKind::State => is_news && !late.is_superseded,
        EventKind::Delta => !(is_gone || is_news && late.is_superseded),
    }
}
