//! Applying one key of a merge: at the recovered hub first, then at the active one, each under
//! the condition that it is still as planned.
//!
//! Durable: the merge base of both hubs, or the tombstone, once both hubs were seen to be as
//! merged (I17). Kept true: nothing is written over a state that is neither the one that was
//! planned from nor the merged one (I14); trying an item again has no further effect.

use std::sync::Arc;

use hubshift_api::records::SealedSide;
use hubshift_domain::hub_state::{HubState, Purpose};
use hubshift_domain::id::{HubId, RecordKey};
use hubshift_domain::identity::{Fingerprint, Incarnation};
use hubshift_domain::merge::{Side, Tombstone, TombstoneReason};
use hubshift_hub::{HubError, Rejection};
use hubshift_store::{StoreError, commit};

use crate::authority::{FORGOTTEN, FleetView};
use crate::deps::{Deps, WriterError};
use crate::intent::IntentError;
use crate::observe::Observed;
use crate::seal::KeyError;
use crate::store::base::Base;
use crate::store::journal::open;
use crate::store::tombstone::NewTombstone;
use crate::store::{self, divergence};
use crate::workflows::trouble::is_unreadable;
use crate::write::{
    DEVICE_DISABLED, PARENT_MISSING, RereadError, Wanted, WriteCx, WriteOp, WriteOutcome, effect,
    reread, write,
};

/// Planned again, it is left out for as long as it is so.
const OUT_OF_REACH: &str = "is a module of a disabled one";

/// One key of a merge.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// The device, module or configuration.
    pub(crate) device: RecordKey,
    /// What it shall be at both hubs.
    pub(crate) merged: SealedSide,
    /// What the recovered hub showed when it was planned.
    pub(crate) primary_before: Option<Fingerprint>,
    /// What the active hub showed when it was planned.
    pub(crate) secondary_before: Option<Fingerprint>,
}

/// What became of a key, with a word for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ItemOutcome {
    /// Both hubs are now as merged, and show this; nothing when neither has the device.
    Applied(Option<Fingerprint>),
    /// Both hubs were already.
    Already(Option<Fingerprint>),
    /// A hub is neither as planned nor as merged.
    Stale(String),
    /// A hub refused.
    Rejected(String),
    /// Ask again.
    Unknown(String),
}

/// Why a whole batch can't go on. What was applied of it stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// The epoch moved: the merge is of an older reign.
    #[error("the fleet's epoch moved; plan the merge again")]
    EpochMoved,
    /// A higher epoch was served than the database knows.
    #[error("{}", FORGOTTEN)]
    EpochForgotten,
    /// The authority does not let hubs be written now.
    #[error("{0}")]
    Closed(String),
    /// A hub can't be had.
    #[error(transparent)]
    Writer(#[from] WriterError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Applies keys of one merge.
pub(crate) struct Applier {
    deps: Arc<Deps>,
    primary: WriteCx,
    secondary: WriteCx,
}

/// Why a key does not get further: an outcome, or the end of the batch.
enum Halt {
    Outcome(ItemOutcome),
    Error(ApplyError),
}

impl From<ApplyError> for Halt {
    fn from(error: ApplyError) -> Self {
        Self::Error(error)
    }
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Error(error.into())
    }
}

/// How a hub stands to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// As merged.
    Post,
    /// As planned from.
    Pre,
    /// Something else.
    Other,
}

/// A value that is restored after its merge was closed finds the recovered hub a standby again.
fn purpose(view: &FleetView, hub: &HubId) -> Purpose {
    match view.hub(hub).map(|hub| hub.state) {
        Some(HubState::Syncing | HubState::Ready) => Purpose::Replicate,
        _ => Purpose::Merge,
    }
}

impl Applier {
    /// For a merge of two hubs under the epoch of `view`.
    pub(crate) async fn new(
        deps: Arc<Deps>,
        view: &FleetView,
        primary: &HubId,
        secondary: &HubId,
    ) -> Result<Self, ApplyError> {
        let primary = deps.writer(view, primary, purpose(view, primary)).await?;
        let secondary = deps
            .writer(view, secondary, purpose(view, secondary))
            .await?;
        Ok(Self {
            deps,
            primary,
            secondary,
        })
    }

    /// Applies one key.
    pub(crate) async fn apply(&self, item: &Item) -> Result<ItemOutcome, ApplyError> {
        match self.run(item).await {
            Ok(outcome) | Err(Halt::Outcome(outcome)) => Ok(outcome),
            Err(Halt::Error(error)) => Err(error),
        }
    }

    async fn run(&self, item: &Item) -> Result<ItemOutcome, Halt> {
        let wanted = wanted(item);
        let (primary, secondary) =
            tokio::try_join!(look(&self.primary, item), look(&self.secondary, item))?;
        let at = |cx: &WriteCx, seen: Option<&Observed>, before| {
            let standing = standing(cx, item, wanted.as_ref(), seen, before);
            match standing {
                Standing::Other => Err(Halt::Outcome(stale(cx, "is not as it was planned"))),
                known => Ok(known),
            }
        };
        let at_primary = at(&self.primary, primary.as_ref(), item.primary_before)?;
        let at_secondary = at(&self.secondary, secondary.as_ref(), item.secondary_before)?;
        let primary = self
            .bring(&self.primary, item, &wanted, primary, at_primary)
            .await?;
        let secondary = self
            .bring(&self.secondary, item, &wanted, secondary, at_secondary)
            .await?;
        self.advance(item, wanted.as_ref(), primary.as_ref(), secondary.as_ref())
            .await?;
        // The key of a fleet's fingerprints is one for all of its hubs.
        let print = wanted.as_ref().map(|wanted| shown(&self.primary, wanted));
        Ok(match (at_primary, at_secondary) {
            (Standing::Post, Standing::Post) => ItemOutcome::Already(print),
            _ => ItemOutcome::Applied(print),
        })
    }

    /// Makes one hub as merged, if it is not yet; what is there then.
    async fn bring(
        &self,
        cx: &WriteCx,
        item: &Item,
        wanted: &Option<Wanted>,
        seen: Option<Observed>,
        standing: Standing,
    ) -> Result<Option<Observed>, Halt> {
        let op = match (wanted, &seen) {
            (None, None) => return Ok(None),
            (None, Some(seen)) => WriteOp::Delete {
                device_id: item.device.as_str(),
                seen,
            },
            (Some(wanted), None) => WriteOp::Create(wanted),
            // Of a hub that is as merged this only says which life it is.
            (Some(to), Some(seen)) => WriteOp::Update { to, seen },
        };
        if standing == Standing::Post && wanted.is_none() {
            return Ok(seen);
        }
        match write(cx, op).await {
            Ok(WriteOutcome::Applied(seen) | WriteOutcome::Already(seen)) => Ok(seen),
            Ok(WriteOutcome::Stale | WriteOutcome::Gone) => {
                Err(Halt::Outcome(stale(cx, "changed meanwhile")))
            }
            Ok(WriteOutcome::Rejected {
                reason: DEVICE_DISABLED,
                ..
            }) => Err(Halt::Outcome(stale(cx, OUT_OF_REACH))),
            Ok(WriteOutcome::Rejected {
                reason: "HUB_REFUSED" | "SECRET_UNREADABLE" | PARENT_MISSING,
                message,
            }) => Err(Halt::Outcome(ItemOutcome::Rejected(format!(
                "{}: {message}",
                cx.hub_id
            )))),
            Ok(WriteOutcome::Rejected { message, .. } | WriteOutcome::Unknown(message)) => Err(
                Halt::Outcome(ItemOutcome::Unknown(format!("{}: {message}", cx.hub_id))),
            ),
            Err(IntentError::EpochMoved) => Err(ApplyError::EpochMoved.into()),
            Err(IntentError::EpochForgotten) => Err(ApplyError::EpochForgotten.into()),
            Err(IntentError::Store(error)) => Err(error.into()),
            Err(error) => Err(ApplyError::Closed(error.to_string()).into()),
        }
    }

    /// Both hubs were seen as merged: the base says so from now on, or the tombstone.
    async fn advance(
        &self,
        item: &Item,
        wanted: Option<&Wanted>,
        primary: Option<&Observed>,
        secondary: Option<&Observed>,
    ) -> Result<(), Halt> {
        let (fleet, device) = (self.primary.fleet.as_str(), item.device.as_str());
        let hubs = [self.primary.hub_id.as_str(), self.secondary.hub_id.as_str()];
        let mut tx = self.deps.pool.begin().await.map_err(StoreError::from)?;
        if store::authority::epoch(&mut *tx, fleet).await? != Some(self.primary.epoch.as_i64()) {
            return Err(ApplyError::EpochMoved.into());
        }
        match (&item.merged.side, wanted, primary, secondary) {
            (Side::Live(live), Some(wanted), Some(primary), Some(secondary)) => {
                let looked_at = primary.read_time.min(secondary.read_time);
                let fleet_id = &self.primary.fleet;
                let pair = [&self.primary.hub_id, &self.secondary.hub_id];
                if divergence::was_changed(&mut tx, fleet_id, pair, device, looked_at).await? {
                    let text = "a back end changes it while the merge is applied, or may have";
                    open::hurry(&mut tx, fleet_id, device).await?;
                    commit(tx).await?;
                    return Err(Halt::Outcome(ItemOutcome::Stale(text.to_owned())));
                }
                let base = Base {
                    device_id: device.to_owned(),
                    incarnation: live.incarnation,
                    record: live.record.clone(),
                    sealed: wanted.sealed.clone(),
                    fingerprint: shown(&self.primary, wanted),
                    stamp: live.stamp.clone(),
                    hold: live.hold.clone(),
                    verify_time: looked_at,
                };
                for hub in hubs {
                    store::base::put(&mut *tx, fleet, hub, &base).await?;
                }
                if live.hold.is_none() {
                    // Whoever decided that it lives decided against its tombstone.
                    let life = live.incarnation;
                    divergence::exhume(&mut tx, fleet_id, device, life, looked_at).await?;
                }
            }
            (Side::Live(_), ..) => {
                // Without what is there now nothing is verified.
                let text = "what the hubs hold could not be read back".to_owned();
                return Err(Halt::Outcome(ItemOutcome::Unknown(text)));
            }
            (Side::Dead(tombstone), ..) => {
                store::tombstone::put(&mut *tx, fleet, &grave(device, tombstone)).await?;
                self.forget(&mut tx, device, true).await?;
            }
            (Side::Absent, ..) => self.forget(&mut tx, device, false).await?,
        }
        commit(tx).await?;
        Ok(())
    }

    /// Both hubs have no such device.
    async fn forget(
        &self,
        tx: &mut sqlx::PgConnection,
        device: &str,
        is_dead: bool,
    ) -> Result<(), StoreError> {
        let fleet = &self.primary.fleet;
        let hubs = [&self.primary.hub_id, &self.secondary.hub_id];
        divergence::remove_bases(tx, fleet, hubs, device).await?;
        let gone = [device.to_owned()];
        for hub in hubs.into_iter().filter(|_| is_dead) {
            let hub = hub.as_str();
            store::tombstone::acknowledge(&mut *tx, fleet.as_str(), hub, &gone).await?;
        }
        Ok(())
    }
}

async fn look(cx: &WriteCx, item: &Item) -> Result<Option<Observed>, Halt> {
    let device = item.device.as_str();
    let read = reread(&cx.pool, &cx.keys, &*cx.hub, &cx.fleet, &cx.hub_id, device).await;
    read.map_err(|error| match error {
        RereadError::Store(error) | RereadError::Key(KeyError::Store(error)) => error.into(),
        RereadError::Hub(HubError::Rejected(Rejection::DeviceDisabled)) => {
            Halt::Outcome(stale(cx, OUT_OF_REACH))
        }
        RereadError::Hub(error) if is_unreadable(device, &error) => {
            Halt::Outcome(ItemOutcome::Rejected(format!("{}: {error}", cx.hub_id)))
        }
        RereadError::Hub(_) | RereadError::Key(_) => {
            Halt::Outcome(ItemOutcome::Unknown(format!("{}: {error}", cx.hub_id)))
        }
    })
}

fn wanted(item: &Item) -> Option<Wanted> {
    let live = item.merged.side.live()?;
    Some(Wanted {
        device_id: item.device.to_string(),
        incarnation: live.incarnation,
        record: live.record.clone(),
        sealed: item.merged.credential.to_vec(),
        hold: live.hold.clone(),
    })
}

/// The fingerprint of what a hub shows when it is as merged.
fn shown(cx: &WriteCx, wanted: &Wanted) -> Fingerprint {
    effect(wanted).fingerprint(&cx.keys.fingerprint, &wanted.device_id)
}

fn standing(
    cx: &WriteCx,
    item: &Item,
    wanted: Option<&Wanted>,
    seen: Option<&Observed>,
    before: Option<Fingerprint>,
) -> Standing {
    let post = wanted.map(|wanted| shown(cx, wanted));
    place(item.merged.side.incarnation(), post, before, seen)
}

/// A later life than the merge knew of is never written over, whatever it looks like.
fn place(
    life: Incarnation,
    post: Option<Fingerprint>,
    before: Option<Fingerprint>,
    seen: Option<&Observed>,
) -> Standing {
    let found = seen.map(|seen| seen.fingerprint);
    if seen.is_some_and(|seen| seen.incarnation > life) {
        return Standing::Other;
    }
    match found {
        found if found == post => Standing::Post,
        found if found == before => Standing::Pre,
        _ => Standing::Other,
    }
}

fn stale(cx: &WriteCx, what: &str) -> ItemOutcome {
    ItemOutcome::Stale(format!("the device at hub `{}` {what}", cx.hub_id))
}

fn grave<'a>(device: &'a str, tombstone: &'a Tombstone) -> NewTombstone<'a> {
    NewTombstone {
        device,
        incarnation: tombstone.incarnation.cast_signed(),
        is_revoked: tombstone.reason == TombstoneReason::Revoked,
        epoch: tombstone.stamp.epoch.as_i64(),
        sequence: tombstone.stamp.sequence,
        origin: tombstone.stamp.origin.as_str(),
    }
}

#[cfg(test)]
mod tests;
