//! The one path of every hub write.
//!
//! ```text
//! intent (asserted, committed) ─▶ epoch and time again ─▶ conditional call ─▶ read back ─▶ outcome
//! ```
//!
//! Durable: the intent before the call; after it the outcome, what the hub now holds and which
//! life of the device that is, in one transaction. Kept true: every call carries the etags of
//! what was seen; of an update only the parts that differ are written; a call that is not known
//! to have happened is looked at, never blindly repeated.

mod classify;
mod clock;
mod effect;
mod readback;
mod recorded;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::Purpose;
use hubshift_domain::id::{FleetId, HubId, device_of_module, is_device};
use hubshift_domain::identity::{Incarnation, Record};
use hubshift_hub::{DeviceWrite, EtagPair, Hub, HubDevice};
use hubshift_store::{StoreError, commit};
use sqlx::PgPool;

use crate::intent::{Intent, IntentError};
use crate::observe::{self, Observed, device_write};
use crate::seal::FleetKeys;
use crate::store;

pub(crate) use classify::{DEVICE_DISABLED, PARENT_MISSING};
pub(crate) use clock::Stopwatch;
pub(crate) use effect::effect;
pub(crate) use readback::{RereadError, reread};
pub(crate) use recorded::{Recorded, perform, record};

use classify::{Answer, Verdict};

/// With what a hub is written.
#[derive(Clone)]
pub(crate) struct WriteCx {
    pub(crate) pool: PgPool,
    pub(crate) keys: Arc<FleetKeys>,
    pub(crate) hub: Arc<dyn Hub>,
    pub(crate) fleet: FleetId,
    pub(crate) hub_id: HubId,
    /// The epoch that the caller acts under.
    pub(crate) epoch: Epoch,
    pub(crate) purpose: Purpose,
    /// From the start of an intent until nothing of it can land any more.
    pub(crate) call_deadline: Duration,
}

impl fmt::Debug for WriteCx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteCx")
            .field("fleet", &self.fleet)
            .field("hub", &self.hub_id)
            .field("epoch", &self.epoch)
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

/// What a device is to be.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) device_id: String,
    /// Which life of the device this is; the copy at the hub is the same life.
    pub(crate) incarnation: Incarnation,
    pub(crate) record: Record,
    /// The credential that `record` speaks of, sealed.
    pub(crate) sealed: Vec<u8>,
    /// The open conflict that holds the device: its effect at the hub is disabled.
    pub(crate) hold: Option<String>,
}

/// What to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WriteOp<'a> {
    /// Make a device that must not be there.
    Create(&'a Wanted),
    /// Change a device that is as it was seen.
    Update {
        /// What it is to be.
        to: &'a Wanted,
        /// What was seen.
        seen: &'a Observed,
    },
    /// Remove a device that is as it was seen.
    Delete {
        /// Its id.
        device_id: &'a str,
        /// What was seen.
        seen: &'a Observed,
    },
}

/// What became of a write.
#[derive(Debug, Clone)]
pub(crate) enum WriteOutcome {
    /// It happened; this is there now (nothing after a deletion).
    Applied(Option<Observed>),
    /// The hub was as wanted already.
    Already(Option<Observed>),
    /// The hub holds something else than was seen; nothing happened.
    Stale,
    /// The device is not there any more; nothing happened.
    Gone,
    /// The hub refused, or nothing was sent: nothing happened.
    Rejected {
        /// Stable, `HUB_UNREACHABLE`.
        reason: &'static str,
        /// For a person.
        message: String,
    },
    /// It may have happened. Certain only after the intent's deadline.
    Unknown(String),
}

impl<'a> WriteOp<'a> {
    /// The device.
    pub(crate) fn device_id(&self) -> &'a str {
        match self {
            Self::Create(wanted) => &wanted.device_id,
            Self::Update { to, .. } => &to.device_id,
            Self::Delete { device_id, .. } => device_id,
        }
    }

    /// What the device is to be; nothing for a deletion.
    fn wanted(&self) -> Option<&'a Wanted> {
        match self {
            Self::Create(wanted) => Some(wanted),
            Self::Update { to, .. } => Some(to),
            Self::Delete { .. } => None,
        }
    }

    fn operation(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
        }
    }
}

/// Writes to a hub.
///
/// # Errors
/// The authority does not allow it, or the database failed. When it failed after the call, the
/// intent stays open and is settled later.
pub(crate) async fn write(cx: &WriteCx, op: WriteOp<'_>) -> Result<WriteOutcome, IntentError> {
    counted(cx, write_inner(cx, op).await)
}

fn counted(
    cx: &WriteCx,
    outcome: Result<WriteOutcome, IntentError>,
) -> Result<WriteOutcome, IntentError> {
    let label = match &outcome {
        Ok(WriteOutcome::Applied(_)) => "applied",
        Ok(WriteOutcome::Already(_)) => "already",
        Ok(WriteOutcome::Stale) => "stale",
        Ok(WriteOutcome::Gone) => "gone",
        Ok(WriteOutcome::Rejected { .. }) => "rejected",
        Ok(WriteOutcome::Unknown(_)) => "unknown",
        Err(_) => "refused",
    };
    let purpose = cx.purpose.as_str();
    metrics::counter!("hubshift_hub_writes_total", "purpose" => purpose, "outcome" => label)
        .increment(1);
    outcome
}

async fn write_inner(cx: &WriteCx, op: WriteOp<'_>) -> Result<WriteOutcome, IntentError> {
    let prepared = match prepare(cx, op).await? {
        Ok(prepared) => prepared,
        Err(outcome) => return Ok(outcome),
    };
    let mut tx = cx.pool.begin().await.map_err(StoreError::from)?;
    let recorded = record(&mut tx, cx, op).await?;
    commit(tx).await?;
    send(cx, op, prepared, recorded).await
}

/// What is to be sent, and under which etags.
struct Prepared {
    body: Option<DeviceWrite>,
    if_match: EtagPair,
}

/// What is to be sent; an outcome when there is nothing to send.
async fn prepare(
    cx: &WriteCx,
    op: WriteOp<'_>,
) -> Result<Result<Prepared, WriteOutcome>, IntentError> {
    let if_match = match op {
        WriteOp::Update { to, seen } => match effect::differing_parts(to, seen) {
            Some(parts) => parts,
            None => return Ok(Err(WriteOutcome::Already(Some(adopt(cx, to, seen).await?)))),
        },
        _ => EtagPair::default(),
    };
    Ok(
        match op.wanted().map(|wanted| body(cx, wanted)).transpose() {
            Ok(body) => Ok(Prepared { body, if_match }),
            Err(message) => Err(rejected("SECRET_UNREADABLE", message)),
        },
    )
}

async fn send(
    cx: &WriteCx,
    op: WriteOp<'_>,
    prepared: Prepared,
    recorded: Recorded,
) -> Result<WriteOutcome, IntentError> {
    let Recorded { intent, clock } = recorded;
    if let Some(refusal) = recheck(cx, &intent, &clock).await? {
        return Ok(refusal);
    }
    let answer = call(cx, op, prepared.body.as_ref(), &prepared.if_match).await;
    let verdict = classify::classify(cx, op, answer).await;
    conclude(cx, op, intent, verdict).await
}

/// Same content under another life: the copy becomes that life without a call.
async fn adopt(cx: &WriteCx, to: &Wanted, seen: &Observed) -> Result<Observed, IntentError> {
    let mut seen = seen.clone();
    if seen.incarnation == to.incarnation {
        return Ok(seen);
    }
    seen.incarnation = to.incarnation;
    let mut tx = cx.pool.begin().await.map_err(StoreError::from)?;
    remember(&mut tx, cx, &seen).await?;
    commit(tx).await?;
    Ok(seen)
}

fn body(cx: &WriteCx, wanted: &Wanted) -> Result<DeviceWrite, String> {
    let record = effect(wanted);
    device_write(&cx.keys, &wanted.device_id, &record, &wanted.sealed).map_err(|error| {
        format!(
            "the credential of {} does not open: {error}",
            wanted.device_id
        )
    })
}

fn rejected(reason: &'static str, message: impl Into<String>) -> WriteOutcome {
    WriteOutcome::Rejected {
        reason,
        message: message.into(),
    }
}

/// Just before the call: the epoch still stands, and nothing of the call can land after the end of
/// the intent.
async fn recheck(
    cx: &WriteCx,
    intent: &Intent,
    clock: &Stopwatch,
) -> Result<Option<WriteOutcome>, IntentError> {
    let epoch = store::authority::epoch(&cx.pool, cx.fleet.as_str()).await?;
    if epoch != Some(cx.epoch.as_i64()) {
        store::intent::conclude(&cx.pool, intent.intent_id, "rejected").await?;
        return Err(IntentError::EpochMoved);
    }
    let longest = cx.hub.call_deadline() + cx.hub.afterlife();
    if clock.elapsed() + longest > cx.call_deadline {
        store::intent::conclude(&cx.pool, intent.intent_id, "rejected").await?;
        let message = "recording the write took too long; nothing was sent, try again";
        return Ok(Some(rejected("TOO_LATE", message)));
    }
    Ok(None)
}

async fn call(
    cx: &WriteCx,
    op: WriteOp<'_>,
    body: Option<&DeviceWrite>,
    if_match: &EtagPair,
) -> Answer {
    match (op, body) {
        (WriteOp::Create(_), Some(body)) => cx.hub.create(body).await.map(Some).into_result(),
        (WriteOp::Update { .. }, Some(body)) => {
            cx.hub.update(body, if_match).await.map(Some).into_result()
        }
        (WriteOp::Delete { device_id, seen }, _) => {
            let deleted = cx.hub.delete(device_id, &seen.identity_etag).await;
            deleted.map(|()| None).into_result()
        }
        (WriteOp::Create(_) | WriteOp::Update { .. }, None) => {
            let text = "a write needs something to write".to_owned();
            Err(hubshift_hub::Rejection::Invalid(text).into())
        }
    }
}

/// Stores the outcome, and what the hub holds now as far as it is known.
async fn conclude(
    cx: &WriteCx,
    op: WriteOp<'_>,
    intent: Intent,
    verdict: Verdict,
) -> Result<WriteOutcome, IntentError> {
    let (fleet, hub) = (cx.fleet.as_str(), cx.hub_id.as_str());
    let mut tx = cx.pool.begin().await.map_err(StoreError::from)?;
    store::intent::conclude(&mut *tx, intent.intent_id, verdict.label()).await?;
    let seen = match verdict.found() {
        classify::Found::Nothing => None,
        classify::Found::Gone => {
            let device = [op.device_id().to_owned()];
            let begun = intent.start_time;
            store::observed::remove(&mut *tx, fleet, hub, &device, begun).await?;
            store::observed::modules_gone(&mut *tx, fleet, hub, &device[0], begun).await?;
            None
        }
        classify::Found::Device(device) => {
            let is_it = verdict.is_as_wanted() && is_same_life(op, device);
            match op.wanted().filter(|_| is_it) {
                Some(wanted) => observed_as(cx, wanted.incarnation, device, &intent),
                None => {
                    let begun = intent.start_time;
                    readback::note_rewind(&mut tx, &cx.fleet, &cx.hub_id, device, begun).await?;
                    let incarnation = readback::incarnation(&mut tx, cx, device).await?;
                    observed_as(cx, incarnation, device, &intent)
                }
            }
        }
    };
    if let Some(seen) = &seen {
        remember(&mut tx, cx, seen).await?;
    }
    commit(tx).await?;
    Ok(verdict.into_outcome(seen))
}

/// Whether what is at the hub is the life that was seen before it was written. Etags do not tell:
/// the twins of all new devices begin with the same one. A configuration is made anew by a write.
fn is_same_life(op: WriteOp<'_>, device: &HubDevice) -> bool {
    let key = op.device_id();
    match op {
        WriteOp::Update { seen, .. } if is_device(key) || device_of_module(key).is_some() => {
            seen.generation_id == device.generation_id
        }
        _ => true,
    }
}

fn observed_as(
    cx: &WriteCx,
    incarnation: Incarnation,
    device: &HubDevice,
    intent: &Intent,
) -> Option<Observed> {
    // Without randomness nothing can be sealed; the next scan stores what is there.
    observe::observed(&cx.keys, incarnation, device, intent.start_time).ok()
}

async fn remember(
    tx: &mut sqlx::PgConnection,
    cx: &WriteCx,
    seen: &Observed,
) -> Result<(), StoreError> {
    let (fleet, hub) = (cx.fleet.as_str(), cx.hub_id.as_str());
    let incarnation = i32::try_from(seen.incarnation).unwrap_or(i32::MAX);
    let (device, generation) = (&seen.device_id, &seen.generation_id);
    store::incarnation::set(&mut *tx, fleet, hub, device, generation, incarnation).await?;
    store::observed::upsert(&mut *tx, fleet, hub, None, std::slice::from_ref(seen)).await
}

#[cfg(test)]
mod tests;
