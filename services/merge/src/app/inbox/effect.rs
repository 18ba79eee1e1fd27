//! What events make of a value.

use hubshift_domain::id::FleetId;
use hubshift_domain::inbox::{EventKind, KeyState};
use hubshift_store::StoreError;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::store::event::{self, OriginKey};

/// An event whose turn it is, and those that waited for it.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) at: &'a OriginKey,
    /// What it says; `None` when its place is taken and the value stays.
    pub(super) said: Option<(EventKind, &'a Value)>,
    /// The versions that waited for it, in their order.
    pub(super) released: &'a [u64],
    /// The key after all of them.
    pub(super) key: &'a KeyState,
}

/// Applies them.
pub(super) async fn apply(
    connection: &mut PgConnection,
    fleet: &FleetId,
    turn: &Turn<'_>,
) -> Result<(), StoreError> {
    let held = event::lock_value(connection, fleet, &turn.at.device, &turn.at.key).await?;
    take_turn(connection, fleet, held.value, turn).await
}

/// Applies them to the value, which the caller holds.
pub(super) async fn take_turn(
    connection: &mut PgConnection,
    fleet: &FleetId,
    mut value: Value,
    turn: &Turn<'_>,
) -> Result<(), StoreError> {
    let at = turn.at;
    if let Some((kind, payload)) = turn.said {
        value = effect(&value, kind, payload);
        event::save_value(connection, fleet, &at.device, &at.key, &value).await?;
    }
    for version in turn.released {
        let Some((kind, payload)) = event::release(connection, fleet, at, *version).await? else {
            continue;
        };
        value = effect(&value, kind, &payload);
        event::save_value(connection, fleet, &at.device, &at.key, &value).await?;
    }
    event::close_passed(connection, fleet, at, turn.key).await?;
    event::save_key(connection, fleet, at, turn.key).await
}

/// What an event makes of a value: a state replaces it, a delta `{"add": n}` adds to it, a
/// deletion empties it.
fn effect(value: &Value, kind: EventKind, payload: &Value) -> Value {
    match kind {
        EventKind::State => payload.clone(),
        EventKind::Delta => add(value, payload.get("add").unwrap_or(&Value::Null)),
        EventKind::Delete => Value::Null,
    }
}

fn add(value: &Value, more: &Value) -> Value {
    if let (Some(a), Some(b)) = (
        value.as_i64().or(value.is_null().then_some(0)),
        more.as_i64(),
    ) {
        return json!(a.saturating_add(b));
    }
    json!(value.as_f64().unwrap_or(0.0) + more.as_f64().unwrap_or(0.0))
}
