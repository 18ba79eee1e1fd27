//! One attempt of a request: journaled with its intent in one transaction, called, concluded.

use std::time::Duration;

use hubshift_api::pb::registry as pb;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::FleetId;
use hubshift_domain::identity::Incarnation;
use hubshift_store::{StoreError, commit};
use prost::Message as _;

use super::error::{DeviceError, Refusal};
use super::plan::Planned;
use super::request::Ticket;
use super::{Devices, Turn, open_others, view};
use crate::intent::IntentError;
use crate::observe::Observed;
use crate::store;
use crate::store::journal::{
    self, Attempt, AttemptId, Ended, Entry, Image, NEVER_LANDED, Operation,
};
use crate::store::journal::{burial, list, open};
use crate::write::{self, PARENT_MISSING, Recorded, WriteCx, WriteOutcome};

/// An attempt that was journaled.
struct Begun {
    id: AttemptId,
    recorded: Recorded,
}

/// A row of the journal at one attempt, and the device that it is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    /// The fleet.
    pub(super) fleet: &'a FleetId,
    /// The device.
    pub(super) device: &'a str,
    /// Which row and attempt.
    pub(super) id: AttemptId,
}

/// Where an attempt was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    /// The epoch.
    pub(super) epoch: Epoch,
    /// The hub.
    pub(super) hub: &'a str,
}

impl Ticket {
    /// Its row.
    pub(super) fn row(&self, id: AttemptId) -> Row<'_> {
        Row {
            fleet: &self.fleet,
            device: self.device.as_str(),
            id,
        }
    }
}

impl Devices {
    /// Journals an attempt, makes the call, and stores what became of it.
    pub(super) async fn attempt(
        &self,
        ticket: &Ticket,
        cx: &WriteCx,
        prior: Option<&Entry>,
        planned: &Planned,
    ) -> Result<Turn, DeviceError> {
        let Some(begun) = self.begin(ticket, cx, prior, planned).await? else {
            return Ok(Turn::Again);
        };
        let outcome = write::perform(cx, planned.op(), begun.recorded).await;
        self.conclude(ticket.row(begun.id), cx, planned, outcome)
            .await
    }

    /// Records the attempt and its intent; `None` when something else came first.
    async fn begin(
        &self,
        ticket: &Ticket,
        cx: &WriteCx,
        prior: Option<&Entry>,
        planned: &Planned,
    ) -> Result<Option<Begun>, DeviceError> {
        let image = planned.image(&cx.keys);
        let attempt = described(ticket, cx, planned.incarnation(), image.as_ref());
        let mut tx = self.deps.pool.begin().await.map_err(StoreError::from)?;
        open::lock_device(&mut tx, &ticket.fleet, ticket.device.as_str()).await?;
        if !open_others(&mut tx, ticket, &cx.hub_id).await?.is_empty() {
            return Ok(None);
        }
        let recorded = match write::record(&mut tx, cx, planned.op()).await {
            Ok(recorded) => recorded,
            Err(IntentError::Store(error)) => return Err(error.into()),
            // What the authority has against it is found at the next turn, by name.
            Err(_) => return Ok(None),
        };
        let id = match prior {
            None => journal::insert(&mut tx, &attempt).await?,
            Some(prior) => journal::start_again(&mut tx, prior.attempt_id(), &attempt).await?,
        };
        let Some(id) = id else { return Ok(None) };
        if ticket.operation == Operation::Delete {
            burial::announce(&mut tx, &attempt, id.sequence).await?;
        }
        commit(tx).await?;
        Ok(Some(Begun { id, recorded }))
    }

    /// The hub is as the request wants it, perhaps by an attempt of an older reign: the row says
    /// so without another call.
    pub(super) async fn adopt(
        &self,
        ticket: &Ticket,
        cx: &WriteCx,
        prior: &Entry,
        seen: Option<&Observed>,
    ) -> Result<Turn, DeviceError> {
        let incarnation = seen.map_or(prior.incarnation, |seen| seen.incarnation);
        let attempt = described(ticket, cx, incarnation, prior.image.as_ref());
        let mut tx = self.deps.pool.begin().await.map_err(StoreError::from)?;
        let (fleet, hub) = (ticket.fleet.as_str(), cx.hub_id.as_str());
        let (epoch, purpose) = (cx.epoch.as_i64(), cx.purpose.as_str());
        if store::authority::assert_intent(&mut tx, fleet, epoch, hub, purpose)
            .await
            .is_err()
        {
            return Ok(Turn::Again);
        }
        let id = journal::start_again(&mut tx, prior.attempt_id(), &attempt).await?;
        let Some(id) = id else { return Ok(Turn::Again) };
        if ticket.operation == Operation::Delete {
            burial::announce(&mut tx, &attempt, id.sequence).await?;
        }
        commit(tx).await?;
        self.happened(ticket.row(id), scene(cx), seen, None).await
    }

    async fn conclude(
        &self,
        row: Row<'_>,
        cx: &WriteCx,
        planned: &Planned,
        outcome: Result<WriteOutcome, IntentError>,
    ) -> Result<Turn, DeviceError> {
        match outcome {
            Ok(WriteOutcome::Applied(seen) | WriteOutcome::Already(seen)) => {
                match (planned, seen) {
                    (Planned::Delete(_), _) => self.happened(row, scene(cx), None, None).await,
                    (_, Some(seen)) => {
                        let shown = planned.shown(&seen);
                        self.happened(row, scene(cx), Some(&seen), shown.as_ref())
                            .await
                    }
                    (_, None) => Err(unknown("what is there now", cx.call_deadline)),
                }
            }
            Ok(WriteOutcome::Stale | WriteOutcome::Gone) | Err(IntentError::EpochMoved) => {
                self.never_landed(row).await?;
                Ok(Turn::Again)
            }
            Ok(WriteOutcome::Rejected {
                reason: "HUB_REFUSED" | PARENT_MISSING,
                message,
            }) => self.refuse(Some(row), Refusal::HubRefused, message).await,
            Ok(WriteOutcome::Rejected { message, .. }) => {
                self.never_landed(row).await?;
                Err(DeviceError::Unreachable(message))
            }
            Ok(WriteOutcome::Unknown(cause)) => {
                let what = format!("whether the hub did it: {cause}");
                self.finish(row, &Ended::Unknown(&what)).await?;
                Err(unknown(&what, cx.call_deadline))
            }
            Err(IntentError::Store(error)) => Err(error.into()),
            Err(error) => Err(unknown(&error.to_string(), cx.call_deadline)),
        }
    }

    /// The request happened: stores its answer, and what follows from a deletion. `shown` is what
    /// the hub holds now, where that may be something else than was journaled. Where the hub reigns
    /// no longer, because this process slept while the fleet moved, it is no answer: the replay may
    /// have passed it by.
    pub(super) async fn happened(
        &self,
        row: Row<'_>,
        scene: Scene<'_>,
        seen: Option<&Observed>,
        shown: Option<&Image>,
    ) -> Result<Turn, DeviceError> {
        let mut tx = self.deps.pool.begin().await.map_err(StoreError::from)?;
        let fleet = store::authority::fleet(&mut *tx, row.fleet.as_str()).await?;
        if fleet.is_none_or(|fleet| fleet.active_hub_id != scene.hub) {
            drop(tx);
            return self.passed(row, seen.is_none()).await;
        }
        let answer = match seen {
            None => pb::DeleteDeviceResponse {}.encode_to_vec(),
            Some(seen) => {
                let mut facts = list::facts_of(&mut tx, row.fleet, row.device).await?;
                facts.change = Some(list::Change {
                    epoch: scene.epoch,
                    sequence: row.id.sequence,
                    hub_id: scene.hub.to_owned(),
                    incarnation: seen.incarnation,
                    fingerprint: Some(seen.fingerprint),
                });
                view::device(row.fleet, seen, &facts).encode_to_vec()
            }
        };
        if let (Some(seen), Some(shown)) = (seen, shown) {
            journal::show(&mut tx, row.fleet, row.id, seen.incarnation, shown).await?;
        }
        if !journal::finish(&mut tx, row.fleet, row.id, &Ended::Done(&answer)).await? {
            // Somebody else found out at the same time: theirs is the answer that counts.
            return Ok(Turn::Again);
        }
        if seen.is_none() {
            burial::confirm(&mut tx, row.fleet, row.id.sequence).await?;
        }
        commit(tx).await?;
        self.deps.sync.notify_one();
        Ok(Turn::Answer(answer))
    }

    /// The request happened at a hub that reigns no longer. Who repeats it is answered by the hub
    /// that does.
    pub(super) async fn passed(&self, row: Row<'_>, is_gone: bool) -> Result<Turn, DeviceError> {
        let mut tx = self.deps.pool.begin().await.map_err(StoreError::from)?;
        let ours = journal::finish(&mut tx, row.fleet, row.id, &Ended::Passed).await?;
        if ours && is_gone {
            burial::confirm(&mut tx, row.fleet, row.id.sequence).await?;
        }
        commit(tx).await?;
        Ok(Turn::Again)
    }

    /// The request can't be done, and its row, if it has one, says so for ever.
    pub(super) async fn refuse(
        &self,
        row: Option<Row<'_>>,
        refusal: Refusal,
        text: String,
    ) -> Result<Turn, DeviceError> {
        if let Some(row) = row
            && !self
                .finish(row, &Ended::Rejected(refusal.reason(), &text))
                .await?
        {
            return Ok(Turn::Again);
        }
        Err(DeviceError::Refused { refusal, text })
    }

    /// The attempt certainly had no effect; the same request may be tried again.
    pub(super) async fn never_landed(&self, row: Row<'_>) -> Result<(), DeviceError> {
        let ended = Ended::Rejected(NEVER_LANDED, "the call never took effect at the hub");
        self.finish(row, &ended).await?;
        Ok(())
    }

    async fn finish(&self, row: Row<'_>, ended: &Ended<'_>) -> Result<bool, DeviceError> {
        let mut tx = self.deps.pool.begin().await.map_err(StoreError::from)?;
        let ours = journal::finish(&mut tx, row.fleet, row.id, ended).await?;
        if ours && matches!(ended, Ended::Rejected(..)) {
            burial::take_back(&mut tx, row.fleet, row.device, row.id.sequence).await?;
        }
        commit(tx).await?;
        Ok(ours)
    }
}

fn described<'a>(
    ticket: &'a Ticket,
    cx: &'a WriteCx,
    incarnation: Incarnation,
    image: Option<&'a Image>,
) -> Attempt<'a> {
    Attempt {
        fleet: &ticket.fleet,
        epoch: cx.epoch,
        hub: &cx.hub_id,
        operation: ticket.operation,
        device: ticket.device.as_str(),
        incarnation,
        caller: &ticket.caller,
        request_id: ticket.request_id,
        body_sha256: &ticket.body_sha256,
        image,
        expected_etag: &ticket.etag,
        is_revoked: ticket.is_revoked,
        call_deadline: cx.call_deadline,
    }
}

fn scene(cx: &WriteCx) -> Scene<'_> {
    Scene {
        epoch: cx.epoch,
        hub: cx.hub_id.as_str(),
    }
}

/// Nobody knows; it is worth asking again when no call can land any more.
pub(super) fn unknown(what: &str, after: Duration) -> DeviceError {
    DeviceError::Unknown {
        what: format!("it is not known {what}"),
        after,
    }
}
