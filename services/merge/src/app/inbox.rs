//! The inbox: each event has exactly one effect, in whatever order and however often it comes.
//!
//! Durable: `merge.event*`. Kept true: the mark of what was taken, the event and its effect are
//! stored in one transaction (I19); an event of an epoch that is over changes nothing before the
//! merge.

use std::collections::BTreeMap;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::FleetId;
use hubshift_domain::identity::canonical_json;
use hubshift_domain::inbox::{
    Accepted, Decision, Envelope, Event, EventKind, KeyState, Now, OriginState, Step, receive,
};
use hubshift_store::StoreError;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::store::authority;
use crate::store::event::{self, EventRow, Origin};

/// Why events were not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InboxError {
    #[error("fleet {0} does not exist")]
    NoFleet(FleetId),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An event as it is handed in.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent {
    pub(crate) origin: Origin,
    pub(crate) seq: u64,
    pub(crate) event_id: String,
    pub(crate) epoch: Epoch,
    pub(crate) device: String,
    pub(crate) key: String,
    pub(crate) key_version: u64,
    pub(crate) kind: EventKind,
    pub(crate) payload: Value,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Applied,
    Duplicate,
    Stale,
    Parked,
    Late,
    DeadLetter,
}

/// Takes events in the caller's transaction, in their order. The answers are in that order too.
pub(crate) async fn take(
    connection: &mut PgConnection,
    fleet: &FleetId,
    events: &[NewEvent],
) -> Result<Vec<Taken>, InboxError> {
    let authority = authority::authority(connection, fleet)
        .await?
        .ok_or_else(|| InboxError::NoFleet(fleet.clone()))?;
    let mut origins = lock_origins(connection, fleet, events).await?;
    let mut taken = Vec::with_capacity(events.len());
    for event in events {
        let Some(origin) = origins.get_mut(&event.origin) else {
            continue;
        };
        taken.push(take_one(connection, fleet, origin, event, authority.epoch).await?);
    }
    for (name, state) in &origins {
        event::save_origin(connection, fleet, name, state).await?;
    }
    Ok(taken)
}

/// In the order of their names, so that two batches never wait for each other in a circle.
async fn lock_origins(
    connection: &mut PgConnection,
    fleet: &FleetId,
    events: &[NewEvent],
) -> Result<BTreeMap<Origin, OriginState>, StoreError> {
    let mut names: Vec<&Origin> = events.iter().map(|event| &event.origin).collect();
    names.sort();
    names.dedup();
    let mut origins = BTreeMap::new();
    for name in names {
        origins.insert(
            name.clone(),
            event::lock_origin(connection, fleet, name).await?,
        );
    }
    Ok(origins)
}

async fn take_one(
    connection: &mut PgConnection,
    fleet: &FleetId,
    origin: &mut OriginState,
    new: &NewEvent,
    epoch: Epoch,
) -> Result<Taken, StoreError> {
    let row = row(new);
    let (last, deleted) = event::key_version(connection, fleet, &row).await?;
    let parked = event::parked(connection, fleet, &row).await?;
    let mut key = KeyState::restore(last, deleted, parked);
    let now = Now {
        epoch,
        deleted_up_to: 0,
        time: OffsetDateTime::now_utc(),
    };
    let (accepted, step) = receive(origin, &mut key, &envelope(new), &now);
    let Some(step) = step else {
        return Ok(match accepted {
            Accepted::OutOfWindow => Taken::Parked,
            _ => Taken::Duplicate,
        });
    };
    if step.decision == Decision::DeadLetter {
        let text = json!({"seq": new.seq, "eventId": new.event_id, "payload": new.payload});
        event::dead_letter(
            connection,
            fleet,
            &new.origin,
            &text,
            "same name, other content",
        )
        .await?;
        return Ok(Taken::DeadLetter);
    }
    event::insert(connection, fleet, &row, stored_state(step.decision)).await?;
    apply(connection, fleet, &row, &key, &step).await?;
    Ok(answer(step.decision))
}

/// The effect of an event, and of those that waited for it.
async fn apply(
    connection: &mut PgConnection,
    fleet: &FleetId,
    row: &EventRow,
    key: &KeyState,
    step: &Step,
) -> Result<(), StoreError> {
    if step.decision != Decision::Apply {
        return Ok(());
    }
    let mut value = event::lock_value(connection, fleet, &row.device, &row.key).await?;
    value = effect(value, &row.kind, &row.payload);
    event::save_value(connection, fleet, &row.device, &row.key, &value).await?;
    for version in &step.released {
        let Some((kind, payload)) = event::release(connection, fleet, row, *version).await? else {
            continue;
        };
        value = effect(value, &kind, &payload);
        event::save_value(connection, fleet, &row.device, &row.key, &value).await?;
    }
    event::save_key_version(connection, fleet, row, key.last(), key.is_deleted()).await
}

/// What an event makes of a value: a state replaces it, a delta `{"add": n}` adds to it, a
/// deletion empties it.
fn effect(value: Value, kind: &str, payload: &Value) -> Value {
    match EventKind::parse(kind) {
        Some(EventKind::State) => payload.clone(),
        Some(EventKind::Delta) => add(&value, payload.get("add").unwrap_or(&Value::Null)),
        Some(EventKind::Delete) | None => Value::Null,
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

/// Applies at most `limit` late events, each once, in the order of their origins. Returns how
/// many there were; the merge repeats it until there are none.
pub(crate) async fn merge_late(
    connection: &mut PgConnection,
    fleet: &FleetId,
    limit: i64,
) -> Result<usize, StoreError> {
    let late = event::take_late(connection, fleet, limit).await?;
    for event in &late {
        let (device, key) = (event.device.as_str(), event.key.as_str());
        let value = event::lock_value(connection, fleet, device, key).await?;
        // A late state is older than what this side knows; only when there is nothing is it news.
        let is_news = event.kind != EventKind::State.as_str() || value.is_null();
        if is_news && event.kind != EventKind::Delete.as_str() {
            let value = effect(value, &event.kind, &event.payload);
            event::save_value(connection, fleet, device, key, &value).await?;
        }
        event::advance_key(connection, fleet, event).await?;
    }
    Ok(late.len())
}

fn row(new: &NewEvent) -> EventRow {
    EventRow {
        origin: new.origin.clone(),
        seq: i64::try_from(new.seq).unwrap_or(i64::MAX),
        event_id: new.event_id.clone(),
        epoch: new.epoch.as_i64(),
        device: new.device.clone(),
        key: new.key.clone(),
        key_version: i64::try_from(new.key_version).unwrap_or(i64::MAX),
        kind: new.kind.as_str().to_owned(),
        payload: new.payload.clone(),
        hash: hash(new).to_vec(),
    }
}

fn envelope(new: &NewEvent) -> Envelope {
    Envelope {
        seq: new.seq,
        event_id: new.event_id.clone(),
        hash: hash(new),
        event: Event {
            kind: new.kind,
            key_version: new.key_version,
            epoch: new.epoch,
            incarnation: 1,
        },
    }
}

/// Over everything that the event says, so that a repetition is the same and nothing else is.
fn hash(new: &NewEvent) -> [u8; 32] {
    let said = json!([
        new.device,
        new.key,
        new.key_version,
        new.kind.as_str(),
        new.epoch.0,
        new.payload
    ]);
    Sha256::digest(canonical_json(&said).as_bytes()).into()
}

fn stored_state(decision: Decision) -> &'static str {
    match decision {
        Decision::Apply => "applied",
        Decision::Stale | Decision::DeadLetter => "stale",
        Decision::Park | Decision::Ahead | Decision::Pull => "parked",
        Decision::Late => "late",
    }
}

fn answer(decision: Decision) -> Taken {
    match decision {
        Decision::Apply => Taken::Applied,
        Decision::Stale => Taken::Stale,
        Decision::Park | Decision::Ahead | Decision::Pull => Taken::Parked,
        Decision::Late => Taken::Late,
        Decision::DeadLetter => Taken::DeadLetter,
    }
}
