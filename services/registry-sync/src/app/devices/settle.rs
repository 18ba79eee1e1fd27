//! What became of an attempt without an answer: the hub is asked, and is believed once no call can
//! land any more. Nothing is sent again but what completes a device that was made in part.

use std::time::Duration;

use hubshift_domain::hub_state::HubState;
use hubshift_domain::id::{DeviceId, FleetId, HubId};
use hubshift_store::{StoreError, commit};

use super::attempt::{Row, Scene, unknown};
use super::error::DeviceError;
use super::plan::{completion, is_ours};
use super::request::Ticket;
use super::{Devices, Turn, check_open, is_here};
use crate::authority::FleetView;
use crate::observe::Observed;
use crate::store;
use crate::store::journal::{Entry, Operation};
use crate::write::WriteCx;

/// What a look at the hub came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It happened.
    Happened,
    /// It certainly did not.
    NeverLanded,
    /// Still not known.
    Open,
}

/// Whether what is at the hub is what the attempt wanted to be there.
fn landed(entry: &Entry, seen: Option<&Observed>) -> bool {
    match (entry.operation, &entry.image, seen) {
        (Operation::Delete, _, None) => true,
        (Operation::Delete, _, Some(seen)) => seen.incarnation > entry.incarnation,
        (_, Some(image), Some(seen)) => image.fingerprint == seen.fingerprint,
        (_, None, _) | (_, _, None) => false,
    }
}

impl Devices {
    /// The request's own row, begun in this reign; `None` when it may be tried again.
    pub(super) async fn settle_own(
        &self,
        view: &FleetView,
        entry: &Entry,
        seen: Option<&Observed>,
    ) -> Result<Option<Turn>, DeviceError> {
        if landed(entry, seen) {
            return self.landed(view, entry, seen).await.map(Some);
        }
        if !entry.is_overdue {
            return Err(unknown("yet whether the hub did it", left(entry, view)));
        }
        Ok(None)
    }

    /// Another request's row for the same device: it gets its outcome first.
    pub(super) async fn settle_other(
        &self,
        view: &FleetView,
        entry: &Entry,
        seen: Option<&Observed>,
    ) -> Result<(), DeviceError> {
        if landed(entry, seen) {
            self.landed(view, entry, seen).await?;
            return Ok(());
        }
        if !entry.is_overdue {
            let what = "yet what became of an earlier change of the device";
            return Err(unknown(what, left(entry, view)));
        }
        self.never_landed(row(&view.fleet, entry)).await
    }

    /// A row that is past its deadline and that nobody asks for: settled by what its hub holds.
    pub(crate) async fn settle_overdue(
        &self,
        fleet: &FleetId,
        entry: &Entry,
    ) -> Result<Settled, DeviceError> {
        let view = self.view(fleet).await?;
        let Ok(hub) = HubId::new(entry.hub_id.as_str()) else {
            return Ok(Settled::Open);
        };
        let cx = self.writer(&view, &hub).await?;
        let seen = self.look(&cx, &entry.device_id).await?;
        if self
            .proves_nothing(&view, &cx, entry, seen.as_ref())
            .await?
        {
            return Ok(Settled::Open);
        }
        if landed(entry, seen.as_ref()) {
            self.landed(&view, entry, seen.as_ref()).await?;
            return Ok(Settled::Happened);
        }
        if let Some(turn) = self
            .complete(fleet, entry, &view, &cx, seen.as_ref())
            .await?
        {
            return Ok(match turn {
                Turn::Answer(_) => Settled::Happened,
                Turn::Again => Settled::Open,
            });
        }
        self.never_landed(row(fleet, entry)).await?;
        Ok(Settled::NeverLanded)
    }

    /// A device of this reign that was made in part gets its rest. Where that can't be, the row
    /// counts as never landed: who asked for the device completes it by asking again.
    async fn complete(
        &self,
        fleet: &FleetId,
        entry: &Entry,
        view: &FleetView,
        cx: &WriteCx,
        seen: Option<&Observed>,
    ) -> Result<Option<Turn>, DeviceError> {
        let (Operation::Create, Some(image), Some(seen)) = (entry.operation, &entry.image, seen)
        else {
            return Ok(None);
        };
        let device = DeviceId::new(entry.device_id.as_str()).ok();
        let may_be = is_ours(image, seen) && is_here(entry, view) && check_open(view).is_ok();
        let Some(device) = device.filter(|_| may_be) else {
            return Ok(None);
        };
        let ticket = ticket(fleet, device, entry);
        self.attempt(&ticket, cx, Some(entry), &completion(image, seen))
            .await
            .map(Some)
    }

    /// Whether it says nothing that a device is absent: its hub reigns no longer, and came back
    /// from an older state or empty.
    async fn proves_nothing(
        &self,
        view: &FleetView,
        cx: &WriteCx,
        entry: &Entry,
        seen: Option<&Observed>,
    ) -> Result<bool, DeviceError> {
        let is_absent = entry.operation == Operation::Delete && seen.is_none();
        if !is_absent || cx.hub_id == view.active_hub {
            return Ok(false);
        }
        let (fleet, hub) = (cx.fleet.as_str(), cx.hub_id.as_str());
        let state = view.hub(&cx.hub_id).map(|hub| hub.state);
        if state == Some(HubState::Rewound)
            || store::scan::was_rewound(&cx.pool, fleet, hub).await?
        {
            return Ok(true);
        }
        if store::observed::device_count(&cx.pool, fleet, hub).await? == 0 {
            return Ok(false);
        }
        let found = cx.hub.statistics().await.into_result();
        let found = found.map_err(|error| DeviceError::Unreachable(error.to_string()))?;
        Ok(found.total == 0)
    }

    async fn landed(
        &self,
        view: &FleetView,
        entry: &Entry,
        seen: Option<&Observed>,
    ) -> Result<Turn, DeviceError> {
        let fleet = &view.fleet;
        let scene = Scene {
            epoch: entry.epoch,
            hub: &entry.hub_id,
        };
        let seen = match (entry.operation, seen) {
            (Operation::Delete, _) | (_, None) => None,
            (Operation::Create, Some(seen)) => Some(self.born(fleet, entry, seen).await?),
            (Operation::Update, Some(seen)) => Some(seen.clone()),
        };
        if entry.hub_id != view.active_hub.as_str() {
            return self.passed(row(fleet, entry), seen.is_none()).await;
        }
        self.happened(row(fleet, entry), scene, seen.as_ref(), None)
            .await
    }

    /// A new device that was found, not answered for, is the life that its request meant it to be.
    async fn born(
        &self,
        fleet: &FleetId,
        entry: &Entry,
        seen: &Observed,
    ) -> Result<Observed, DeviceError> {
        let life = entry.incarnation;
        let seen = Observed {
            incarnation: life,
            ..seen.clone()
        };
        let (fleet, hub) = (fleet.as_str(), entry.hub_id.as_str());
        let (device, generation) = (&seen.device_id, &seen.generation_id);
        let mut tx = self.deps.pool.begin().await.map_err(StoreError::from)?;
        let number = life.cast_signed();
        store::incarnation::set(&mut *tx, fleet, hub, device, generation, number).await?;
        store::observed::upsert(&mut *tx, fleet, hub, None, std::slice::from_ref(&seen)).await?;
        commit(tx).await?;
        Ok(seen)
    }
}

fn row<'a>(fleet: &'a FleetId, entry: &'a Entry) -> Row<'a> {
    Row {
        fleet,
        device: &entry.device_id,
        id: entry.attempt_id(),
    }
}

fn ticket(fleet: &FleetId, device: DeviceId, entry: &Entry) -> Ticket {
    Ticket {
        fleet: fleet.clone(),
        device,
        caller: entry.caller.clone(),
        request_id: entry.request_id,
        body_sha256: entry.body_sha256.clone(),
        etag: String::new(),
        operation: entry.operation,
        is_revoked: false,
    }
}

/// How long until no call of the row's attempt can land any more.
fn left(entry: &Entry, view: &FleetView) -> Duration {
    let left = Duration::try_from(entry.deadline - view.now).unwrap_or_default();
    left.max(Duration::from_millis(100))
}

#[cfg(test)]
mod tests;
