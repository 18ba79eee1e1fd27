//! The registry takes writes again, at the target. Before that a planned move reads the source
//! once more: what was changed there past the freeze makes it a hub that must be merged. A target
//! that does not answer is waited for.

use std::time::Duration;

use hubshift_api::pb::registry::task;
use hubshift_domain::hub_state::{HubState, RegistryMode};
use hubshift_flow::{Progress, StepCx, StepError};
use hubshift_store::Tx;
use time::OffsetDateTime;

use super::state::millis_between;
use super::task::{Polled, round_pause};
use super::{Failover, State, epoch_moved, guarded};
use crate::app::remote::TaskCall;
use crate::store::{authority, clock, debt, fleet, hub, unsigned};

/// How long the last look at the source may keep the registry closed, beside the time that a hub
/// which never answers keeps a caller, and a second for every thousand devices.
const LIMIT: Duration = Duration::from_secs(60);

/// Tasks before the source counts as gone.
const ROUNDS: u32 = 2;

/// How long to leave a target in peace that does not answer.
const SILENT: Duration = Duration::from_secs(2);

/// What the last look at the source found.
enum LastLook {
    /// Nothing yet.
    Pending(Duration),
    /// Nothing was changed past the freeze.
    Clean,
    /// So many devices were changed past the freeze.
    Changed(u64),
    /// The source did not answer.
    Gone(String),
}

impl Failover {
    pub(super) async fn open(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        let mut words = Vec::new();
        if state.kind.has_source() {
            match self.last_look(state, cx).await? {
                LastLook::Pending(after) => return Ok(Progress::Wait(after)),
                LastLook::Clean => {}
                LastLook::Changed(count) => {
                    state.report.late_change_count = count;
                    state.source_needs_merge = true;
                    words.push(format!("{count} devices were changed past the freeze"));
                }
                LastLook::Gone(why) => {
                    state.source_needs_merge = true;
                    words.push(format!("the old hub could not be read once more: {why}"));
                }
            }
        }
        let opened = self.open_registry(state, cx).await?;
        let closed = state
            .frozen_time
            .or(state.report.commit_time)
            .unwrap_or(opened);
        state.report.registry_closed_ms = Some(millis_between(closed, opened));
        state.since = None;
        if state.source_needs_merge && state.kind.has_source() {
            words.push(format!(
                "{} must be merged: MERGE_REQUIRED",
                state.source_hub
            ));
        }
        Ok(Progress::DoneWith(words.join("; ")))
    }

    async fn last_look(&self, state: &mut State, cx: &StepCx) -> Result<LastLook, StepError> {
        if state.source_needs_merge {
            return Ok(LastLook::Clean);
        }
        let mut connection = self.app.connection().await?;
        let now = clock::now(&mut connection).await?;
        let Some(since) = state.since else {
            // Stored before it is used: the same call must say the same every time.
            state.since = Some(now);
            return Ok(LastLook::Pending(Duration::ZERO));
        };
        let row = fleet::get(&mut connection, &cx.fleet_id).await?;
        let silence = hub::longest_call(&mut connection, &cx.fleet_id).await?;
        drop(connection);
        let devices = row.map_or(0, |row| unsigned(row.device_count));
        let limit = LIMIT + silence + Duration::from_secs(devices / 1_000);
        let is_late = now >= since + limit;
        let call = TaskCall::Verify {
            source: state.source_hub.clone(),
            target: state.target_hub.clone(),
            full: false,
            read_after: Some(since),
        };
        let why = match self.poll(state, cx, &call).await? {
            Polled::Wait(after) if !is_late => return Ok(LastLook::Pending(after)),
            Polled::GaveUp { round, .. } if !is_late && round + 1 < ROUNDS => {
                return Ok(LastLook::Pending(round_pause(round)));
            }
            // A look that came through counts, however long the way to its answer was.
            Polled::Done(task) => return Ok(looked(task.result)),
            Polled::Wait(_) => "it took too long".to_owned(),
            Polled::GaveUp { why, .. } => why,
        };
        if self.target_answers(state, cx).await {
            return Ok(LastLook::Gone(why));
        }
        // A comparison needs both: the source is not to blame, and a registry is not opened at a
        // hub that does not answer. An operator may take over from here.
        tracing::warn!(failover = %cx.workflow_id, target = state.target_hub, "the new hub does not answer");
        state.since = None;
        Ok(LastLook::Pending(SILENT))
    }

    async fn target_answers(&self, state: &State, cx: &StepCx) -> bool {
        let status = self.app.remote.replication_status(&cx.fleet_id).await;
        status.is_ok_and(|found| {
            let mut hubs = found.hubs.iter();
            hubs.any(|hub| hub.hub == state.target_hub && hub.reachable)
        })
    }

    async fn open_registry(&self, state: &State, cx: &StepCx) -> Result<OffsetDateTime, StepError> {
        let mut tx = guarded(cx).await?;
        let held = authority::hold(&mut tx, &cx.fleet_id).await?;
        let held = held
            .filter(|held| held.epoch == state.epoch())
            .ok_or_else(epoch_moved)?;
        if state.source_needs_merge && state.kind.has_source() {
            quarantine(&mut tx, state, cx).await?;
        }
        let opened = authority::open(&mut tx, &cx.fleet_id, state.epoch()).await?;
        if !opened && held.mode != RegistryMode::Open {
            return Err(epoch_moved());
        }
        hubshift_store::commit(tx).await?;
        Ok(held.now)
    }
}

fn looked(result: Option<task::Result>) -> LastLook {
    match result {
        Some(task::Result::Verify(found)) if found.equal => LastLook::Clean,
        Some(task::Result::Verify(found)) => LastLook::Changed(found.differing_count),
        _ => LastLook::Gone("the verification has no result".to_owned()),
    }
}

async fn quarantine(tx: &mut Tx, state: &State, cx: &StepCx) -> Result<(), StepError> {
    let from = [HubState::Draining, HubState::Fenced];
    let (fleet_id, source) = (cx.fleet_id.as_str(), state.source_hub.as_str());
    hub::move_state(tx, fleet_id, source, &from, HubState::Quarantined).await?;
    let kind = debt::MERGE_REQUIRED;
    debt::incur(tx, fleet_id, kind, source, cx.workflow_id, state.epoch()).await?;
    Ok(())
}
