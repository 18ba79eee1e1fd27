//! The inbox: each event has exactly one effect, in whatever order and however often it comes.
//!
//! Durable: `merge.event*`. Kept true: the mark of what was taken, the event and its effect are
//! stored in one transaction (I19); an event of an epoch that is over changes nothing before the
//! merge.

mod ahead;
mod effect;
mod late;

use std::collections::BTreeMap;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::FleetId;
use hubshift_domain::identity::canonical_json;
use hubshift_domain::inbox::{
    Accepted, Decision, Envelope, Event, EventKind, Now, OriginState, receive,
};
use hubshift_store::StoreError;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use time::OffsetDateTime;

pub(crate) use ahead::release_due;
pub(crate) use late::merge_late;

use crate::store::authority;
use crate::store::event::{self, EventRow, Origin, OriginKey};

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
    /// Not kept: it must come again.
    OutOfWindow,
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
    for name in origins.keys() {
        ahead::release(connection, fleet, name, authority.epoch).await?;
    }
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
    let mut ids: BTreeMap<&Origin, Vec<String>> = BTreeMap::new();
    for event in events {
        let of_origin = ids.entry(&event.origin).or_default();
        of_origin.push(event.event_id.clone());
    }
    let mut origins = BTreeMap::new();
    for (name, ids) in ids {
        let state = event::lock_origin(connection, fleet, name, &ids).await?;
        origins.insert(name.clone(), state);
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
    let mut key = event::key_state(connection, fleet, &row.at).await?;
    let now = Now {
        epoch,
        deleted_up_to: 0,
        time: OffsetDateTime::now_utc(),
    };
    let (accepted, step) = receive(origin, &mut key, &envelope(new), &now);
    let Some(step) = step else {
        return Ok(match accepted {
            Accepted::OutOfWindow => Taken::OutOfWindow,
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
    if step.decision == Decision::Apply {
        let turn = effect::Turn {
            at: &row.at,
            said: Some((row.kind, &row.payload)),
            released: &step.released,
            key: &key,
        };
        effect::apply(connection, fleet, &turn).await?;
    }
    Ok(answer(step.decision))
}

fn row(new: &NewEvent) -> EventRow {
    EventRow {
        at: OriginKey {
            origin: new.origin.clone(),
            device: new.device.clone(),
            key: new.key.clone(),
        },
        seq: i64::try_from(new.seq).unwrap_or(i64::MAX),
        event_id: new.event_id.clone(),
        epoch: new.epoch.as_i64(),
        key_version: i64::try_from(new.key_version).unwrap_or(i64::MAX),
        kind: new.kind,
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
        Decision::Park | Decision::Pull => "parked",
        Decision::Late => "late",
        Decision::Ahead => "ahead",
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
