//! COMMIT EPOCH: the authority moves, in one transaction that holds the fleet's row.
//!
//! Before it the fleet is wholly in the old epoch, after it wholly in the new one (I6). The row of
//! `concierge.epoch` with this failover's id proves that it happened: a commit whose outcome is
//! unknown is read back under the same lock, which an undecided transaction still holds.

use hubshift_domain::epoch::Epoch;
use hubshift_domain::failover::{Kind, may_commit};
use hubshift_domain::hub_state::HubState;
use hubshift_flow::{Progress, StepCx, StepError};
use hubshift_store::{StoreError, Tx};
use serde_json::json;
use time::OffsetDateTime;

use super::{Failover, State, guarded, operation};
use crate::app::route::route_claims;
use crate::store::authority::{self, Held, Succession};
use crate::store::epoch::{self, Committed, Opening};
use crate::store::fleet::{self, FleetRow};
use crate::store::hub;
use crate::store::route::{self, NewRoute};
use crate::store::{debt, durability, unsigned};
use crate::table::EPOCH_FORGOTTEN;

impl Failover {
    pub(super) async fn commit(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let mut tx = guarded(cx).await?;
        let held = authority::hold(&mut tx, &cx.fleet_id).await?;
        let held = held.ok_or_else(|| StepError::rejected("FLEET_NOT_FOUND", "no such fleet"))?;
        let before = read_fleet(&mut tx, cx).await?;
        let committed = match epoch::of_failover(&mut tx, &cx.fleet_id, cx.workflow_id).await? {
            Some(committed) => committed,
            None => {
                check(&held, state)?;
                let known = self.app.highest_epoch(&mut tx, &cx.fleet_id).await?;
                check_known(&held, state, known)?;
                durability::wait_for_standby(&mut tx).await?;
                let next = self.succeed(&mut tx, state, cx, &held, known).await?;
                self.tell_devices(&mut tx, cx, held.now).await?;
                Committed {
                    epoch: next,
                    open_time: held.now,
                }
            }
        };
        let after = read_fleet(&mut tx, cx).await?;
        // An error here leaves the outcome open; the next try finds the epoch's row, or none.
        hubshift_store::commit(tx).await?;
        state.routing_version = unsigned(after.routing_version);
        note(state, &before, committed);
        self.app.table.refresh_soon();
        Ok(Progress::DoneWith(format!("epoch {}", committed.epoch)))
    }

    /// Moves the authority and both hubs' states, to an epoch above every one that is known.
    async fn succeed(
        &self,
        tx: &mut Tx,
        state: &State,
        cx: &StepCx,
        held: &Held,
        known: Epoch,
    ) -> Result<Epoch, StepError> {
        let fleet_id = cx.fleet_id.as_str();
        if hub::is_fenced(tx, fleet_id, &state.target_hub).await? {
            let hub = &state.target_hub;
            let text = format!("{hub} is shut out by a hard fence: `hubshift hub unfence {hub}`");
            return Err(StepError::rejected("TARGET_FENCED", text));
        }
        let hubs = hub::of_fleet(tx, fleet_id).await?;
        let target = hubs.iter().find(|hub| hub.hub_id == state.target_hub);
        let target = target.ok_or_else(|| {
            StepError::rejected("HUB_NOT_FOUND", format!("no hub `{}`", state.target_hub))
        })?;
        let next = held.epoch.next(target.index(), known);
        let succession = Succession {
            fleet_id,
            from_epoch: held.epoch,
            from_hub: &state.source_hub,
            to_epoch: next,
            to_hub: &state.target_hub,
            operation: &operation(cx),
        };
        // The old hub goes first: never two active ones.
        let deposed = source_state(state.kind);
        let left = hub::depose(tx, fleet_id, &state.source_hub, held.epoch, deposed).await?;
        let from = heirs(state);
        let came = hub::enthrone(tx, fleet_id, &state.target_hub, next, from).await?;
        if !(left && came && authority::succeed(tx, &succession).await?) {
            let text = format!("{} can't take over any more; look again", state.target_hub);
            return Err(StepError::rejected("TARGET_NOT_STANDBY", text));
        }
        open_epoch(tx, state, cx, next, held.now).await?;
        let was_lost = target.state()? == HubState::Quarantined;
        settle_accounts(tx, state, cx, next, was_lost || known > held.epoch).await?;
        Ok(next)
    }

    /// Signs and stores the route that sends devices to the new hub.
    async fn tell_devices(
        &self,
        tx: &mut Tx,
        cx: &StepCx,
        opened: OffsetDateTime,
    ) -> Result<(), StepError> {
        fleet::raise_routing_version(tx, &cx.fleet_id).await?;
        let fleet = read_fleet(tx, cx).await?;
        let hubs = hub::of_fleet(tx, &cx.fleet_id).await?;
        // No canary outlives its epoch.
        let claims = route_claims(&fleet, &hubs, None, opened).map_err(StepError::Unknown)?;
        let jws = self.app.signer.sign(&claims).map_err(anyhow::Error::from)?;
        let new = NewRoute {
            fleet_id: &cx.fleet_id,
            routing_version: claims.routing_version,
            epoch: claims.epoch,
            jws: &jws,
            issue_time: claims.issued_at,
            not_after: claims.not_after,
        };
        route::insert(tx, &new).await?;
        Ok(())
    }
}

fn note(state: &mut State, fleet: &FleetRow, committed: Committed) {
    state.report.epoch = committed.epoch;
    state.report.commit_time = Some(committed.open_time);
    if state.kind != Kind::Forced {
        return;
    }
    state.source_needs_merge = true;
    // Where no watermark is known, all that the fleet ever was may be lost.
    let complete = state.watermark.unwrap_or(fleet.create_time);
    let lost = (committed.open_time - complete).as_seconds_f64();
    state.report.rpo_bound_seconds = lost.max(0.0);
    state.report.rpo_window_open = true;
}

/// What the old hub becomes.
fn source_state(kind: Kind) -> HubState {
    if kind.has_source() {
        HubState::Draining
    } else {
        HubState::Quarantined
    }
}

/// In which states the target may take over. PRECHECK has looked at them; this is the guard.
fn heirs(state: &State) -> &'static [HubState] {
    use HubState::{Draining, Fenced, Quarantined, Ready, Syncing};
    match (&state.superseded, state.overridden) {
        (Some(_), true) => &[Ready, Syncing, Draining, Fenced, Quarantined],
        (Some(_), false) => &[Ready, Syncing, Draining, Fenced],
        (None, true) => &[Ready, Syncing, Quarantined],
        (None, false) => &[Ready, Syncing],
    }
}

/// Who reigns owes nothing: what a quarantined hub that was called back lacks is found by the
/// merge of the hub that is left now. A forced move leaves that one owing, and so are hubs of a
/// move that was superseded. Where the new authority may lack what others hold, because it was lost
/// before or an epoch was forgotten, no other hub is overwritten before it is merged.
async fn settle_accounts(
    tx: &mut Tx,
    state: &State,
    cx: &StepCx,
    epoch: Epoch,
    may_lack: bool,
) -> Result<(), StoreError> {
    use HubState::{Draining, Fenced, Syncing};
    let fleet_id = cx.fleet_id.as_str();
    debt::pay(tx, fleet_id, &state.target_hub, epoch).await?;
    if state.kind != Kind::Forced {
        return Ok(());
    }
    let mut owing = vec![];
    if state.source_hub != state.target_hub {
        owing.push((debt::FENCE_REQUIRED, state.source_hub.clone()));
        owing.push((debt::MERGE_REQUIRED, state.source_hub.clone()));
    }
    let suspect: &[HubState] = if may_lack {
        &[Draining, Fenced, Syncing]
    } else {
        &[Draining, Fenced]
    };
    let left = hub::quarantine(tx, fleet_id, suspect).await?;
    owing.extend(left.into_iter().map(|hub| (debt::MERGE_REQUIRED, hub)));
    for (kind, hub) in &owing {
        debt::incur(tx, fleet_id, kind, hub, cx.workflow_id, epoch).await?;
    }
    Ok(())
}

/// The fleet is where it was when the move began, and what VERIFY proved still holds.
fn check(held: &Held, state: &State) -> Result<(), StepError> {
    if held.epoch != state.from_epoch || held.active_hub_id != state.source_hub {
        let text = format!(
            "the active hub is `{}` in epoch {}",
            held.active_hub_id, held.epoch
        );
        return Err(StepError::rejected("ACTIVE_HUB_CHANGED", text));
    }
    if !state.kind.has_source() {
        return Ok(());
    }
    let is_ours = held.freeze_id == Some(state.freeze_id);
    let is_ahead = held
        .frozen_until
        .is_some_and(|until| may_commit(held.now, until));
    if is_ours && is_ahead {
        return Ok(());
    }
    let text = "the freeze ran out before the commit; nothing has changed; start again, with a \
                longer freeze_timeout if this repeats";
    Err(StepError::rejected("FREEZE_EXPIRED", text))
}

/// Where somebody served a higher epoch than the database has, the database forgot who reigns: only
/// the recovery, a forced move that an operator let override this, commits one above both.
fn check_known(held: &Held, state: &State, known: Epoch) -> Result<(), StepError> {
    let is_recovery = state.kind == Kind::Forced && state.overridden;
    if known <= held.epoch || is_recovery {
        return Ok(());
    }
    let text = format!(
        "epoch {known} was served, the database knows {} alone; nothing has changed; see \"After a \
         restore or a promotion\" in docs/runbook.md",
        held.epoch
    );
    Err(StepError::rejected(EPOCH_FORGOTTEN, text))
}

async fn open_epoch(
    tx: &mut Tx,
    state: &State,
    cx: &StepCx,
    epoch: Epoch,
    now: OffsetDateTime,
) -> Result<(), StepError> {
    epoch::close(tx, &cx.fleet_id, now).await?;
    let cut = json!({
        "watermark_unix": state.watermark.map(OffsetDateTime::unix_timestamp),
        "source_digest": state.report.source_digest,
        "target_digest": state.report.target_digest,
    });
    let opening = Opening {
        fleet_id: &cx.fleet_id,
        epoch,
        hub_id: &state.target_hub,
        failover_id: Some(cx.workflow_id),
        cut: &cut,
        at: now,
    };
    epoch::open(tx, &opening).await?;
    Ok(())
}

async fn read_fleet(tx: &mut Tx, cx: &StepCx) -> Result<FleetRow, StepError> {
    let row = fleet::get(tx, &cx.fleet_id).await?;
    row.ok_or_else(|| StepError::rejected("FLEET_NOT_FOUND", "no such fleet"))
}
