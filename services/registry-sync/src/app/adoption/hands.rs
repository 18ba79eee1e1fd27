//! One extra at a time: looked at afresh at both hubs, and written if it is as it was planned.
//!
//! The write itself carries the identity etag of the plan. A device is only deleted with the
//! modules that it was planned with: hubs delete them along.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hubshift_domain::adoption::{
    Decision, ExtraAction, ExtraOutcome, FoundExtra, PlannedExtra, Standing, decide, quarantined,
    standing,
};
use hubshift_domain::id::HubId;
use hubshift_flow::StepError;
use hubshift_hub::Hub;
use hubshift_store::StoreError;

use crate::intent::IntentError;
use crate::observe::Observed;
use crate::pass::is_throttled;
use crate::store;
use crate::store::adoption::work::{OpenExtra, forget};
use crate::workflows::trouble::{Brake, is_unreadable};
use crate::write::{RereadError, Wanted, WriteCx, WriteOp, WriteOutcome, reread, write};

/// With what extras are touched.
pub(super) struct Hands {
    pub(super) standby: WriteCx,
    pub(super) active: Arc<dyn Hub>,
    pub(super) active_id: HubId,
    /// The modules that devices were planned with.
    pub(super) members: HashMap<String, Vec<PlannedExtra>>,
    /// Devices that were seen with other modules since.
    pub(super) grown: HashSet<String>,
    pub(super) brake: Brake,
}

/// What came of one try.
pub(super) struct Tried {
    pub(super) device: String,
    pub(super) action: ExtraAction,
    /// Calls to hubs that it took, about.
    pub(super) calls: u64,
    pub(super) came: Result<Came, Trouble>,
}

/// What came of an extra that could be looked at.
pub(super) enum Came {
    /// This is its outcome, with a word for a person.
    Known(ExtraOutcome, String),
    /// It was written.
    Wrote(Box<WriteOutcome>),
    /// Nothing was begun.
    Left,
}

/// Why nothing is known of an extra.
pub(super) enum Trouble {
    /// A hub did not answer.
    Unread(RereadError),
    /// The database or the authority does not let it go on.
    Failed(StepError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<IntentError> for Trouble {
    fn from(error: IntentError) -> Self {
        Self::Failed(error.into())
    }
}

/// What a hub said when it was asked for a key.
enum Look {
    Found(Box<Observed>),
    Nothing,
    /// It is there, and the hub does not let it be read.
    Closed,
}

impl Hands {
    /// Does to an extra as told, if it may be.
    pub(super) async fn try_one(&self, extra: &OpenExtra) -> Tried {
        let mut calls = 0;
        let came = self.run(extra, &mut calls).await;
        Tried {
            device: extra.planned.key.clone(),
            action: extra.action,
            calls,
            came,
        }
    }

    async fn run(&self, extra: &OpenExtra, calls: &mut u64) -> Result<Came, Trouble> {
        if self.brake.is_pulled() {
            return Ok(Came::Left);
        }
        let planned = &extra.planned;
        *calls += 2;
        let at_active = self.look(&*self.active, &self.active_id, &planned.key);
        let at_active = !matches!(at_active.await?, Look::Nothing);
        let found = match self.look_at_standby(&planned.key).await? {
            Look::Found(seen) => Some(seen),
            Look::Nothing => None,
            Look::Closed => {
                let text = "the hub does not let it be read: its device is disabled".to_owned();
                return Ok(Came::Known(ExtraOutcome::Rejected, text));
            }
        };
        let stands = self.standing(planned, found.as_deref());
        match (
            decide(extra.action, stands, planned.enabled, at_active),
            found,
        ) {
            (Decision::Done(outcome, detail), _) => {
                if outcome == ExtraOutcome::Deleted {
                    self.forget(&planned.key).await?;
                }
                Ok(Came::Known(outcome, detail.to_owned()))
            }
            (Decision::Write, Some(seen)) if extra.action == ExtraAction::Delete => {
                self.delete(&planned.key, &seen, calls).await
            }
            (Decision::Write, Some(seen)) => self.quarantine(&seen, calls).await,
            // What is gone is not as planned.
            (Decision::Write, None) => Ok(Came::Left),
        }
    }

    fn standing(&self, planned: &PlannedExtra, found: Option<&Observed>) -> Standing {
        let found = found.map(|seen| FoundExtra {
            generation_id: &seen.generation_id,
            identity_etag: &seen.identity_etag,
            record: &seen.record,
            fingerprint: seen.fingerprint,
        });
        standing(planned, found, &self.standby.keys.fingerprint)
    }

    async fn quarantine(&self, seen: &Observed, calls: &mut u64) -> Result<Came, Trouble> {
        let to = Wanted {
            device_id: seen.device_id.clone(),
            incarnation: seen.incarnation,
            record: quarantined(&seen.record),
            sealed: seen.sealed.clone(),
            hold: None,
        };
        self.write(WriteOp::Update { to: &to, seen }, calls).await
    }

    async fn delete(&self, key: &str, seen: &Observed, calls: &mut u64) -> Result<Came, Trouble> {
        if !self.is_whole(key, calls).await? {
            let text = "its modules changed since it was planned".to_owned();
            return Ok(Came::Known(ExtraOutcome::Stale, text));
        }
        let op = WriteOp::Delete {
            device_id: key,
            seen,
        };
        let came = self.write(op, calls).await?;
        if let Came::Wrote(outcome) = &came
            && matches!(
                **outcome,
                WriteOutcome::Applied(_) | WriteOutcome::Already(_)
            )
        {
            self.forget(key).await?;
        }
        Ok(came)
    }

    async fn write(&self, op: WriteOp<'_>, calls: &mut u64) -> Result<Came, Trouble> {
        *calls += 1;
        let outcome = write(&self.standby, op).await?;
        if is_throttled(&outcome) {
            self.brake.pull();
        }
        Ok(Came::Wrote(Box::new(outcome)))
    }

    /// Whether a device has the modules that it was planned with and no others, as far as its hub
    /// lets them be read.
    async fn is_whole(&self, device: &str, calls: &mut u64) -> Result<bool, Trouble> {
        if self.grown.contains(device) {
            return Ok(false);
        }
        for module in self.members.get(device).into_iter().flatten() {
            *calls += 1;
            if let Look::Found(seen) = self.look_at_standby(&module.key).await?
                && self.standing(module, Some(&seen)) != Standing::AsPlanned
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn look_at_standby(&self, key: &str) -> Result<Look, Trouble> {
        let cx = &self.standby;
        self.look(&*cx.hub, &cx.hub_id, key).await
    }

    async fn look(&self, hub: &dyn Hub, hub_id: &HubId, key: &str) -> Result<Look, Trouble> {
        let cx = &self.standby;
        match reread(&cx.pool, &cx.keys, hub, &cx.fleet, hub_id, key).await {
            Ok(Some(seen)) => Ok(Look::Found(Box::new(seen))),
            Ok(None) => Ok(Look::Nothing),
            Err(RereadError::Hub(error)) if is_unreadable(key, &error) => Ok(Look::Closed),
            Err(error) => {
                self.brake.pull();
                Err(Trouble::Unread(error))
            }
        }
    }

    /// A device that is gone, as it was told, leaves nothing behind from which its absence could be
    /// taken for a loss.
    async fn forget(&self, key: &str) -> Result<(), Trouble> {
        let cx = &self.standby;
        let now = store::authority::now(&cx.pool).await?;
        forget(&cx.pool, &cx.fleet, &cx.hub_id, key, now).await?;
        Ok(())
    }
}
