//! Task `restore`: a backup's devices at a standby, chunk by chunk.
//!
//! ```text
//! Begin (may it be?) ─▶ Copy (a chunk; again until none is left) ─▶ result
//! ```
//!
//! What lacks its parent at the target is left out, and all chunks are gone through once more while
//! fewer lack it each time.
//!
//! Durable beside the hub: bases that are as old as the backup, and no watermark, so that what is
//! restored never passes for news. Kept true: what a tombstone buries stays buried, and a later
//! life stays; devices that the backup does not have are left alone; every write passes the
//! authority, so that neither a hub that began to reign nor the target of a move is touched.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hubshift_domain::hub_state::{HubState, Purpose};
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::identity::Fingerprint;
use hubshift_flow::{Next, Progress, StepCx, StepError, Workflow};
use hubshift_store::{StoreError, commit};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::backup::{refused, vault};
use super::report::{BackupResult, Report, TaskResult};
use super::scan::gone;
use crate::authority::{self, FleetView};
use crate::backup::line::Line;
use crate::backup::read::chunk_from_any;
use crate::deps::Deps;
use crate::intent::IntentError;
use crate::store;
use crate::store::backup::BackupRow;
use crate::write::{PARENT_MISSING, Wanted, WriteCx};

mod copy;
mod past;

use copy::{Copied, copy_all};
use past::Past;

/// Devices that are copied together.
const BATCH: usize = 100;
/// How many devices without their parent are named.
const NAMED: usize = 10;

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Whether it may be.
    Begin,
    /// Chunk by chunk.
    Copy,
}

/// What it remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) fleet: FleetId,
    pub(crate) target: HubId,
    pub(crate) backup: Uuid,
    /// Chunks that are through.
    pub(crate) chunks: usize,
    /// Devices of the next chunk that are through.
    #[serde(default)]
    pub(crate) lines: usize,
    /// Devices that the target holds as the backup has them.
    pub(crate) restored: u64,
    /// The exclusive or of their fingerprints.
    pub(crate) digest: Fingerprint,
    /// Devices that stay deleted, or of which a later life is there.
    pub(crate) buried: u64,
    /// Devices of this round that lack their parent at the target.
    #[serde(default)]
    pub(crate) orphans: u64,
    /// The first of them.
    #[serde(default)]
    pub(crate) orphans_named: Vec<String>,
    /// How many did in the round before.
    #[serde(default)]
    pub(crate) orphans_before: Option<u64>,
    pub(crate) report: Report,
}

impl State {
    /// A restore, to be begun.
    pub(crate) fn new(fleet: FleetId, target: HubId, backup: Uuid) -> Self {
        Self {
            fleet,
            target,
            backup,
            chunks: 0,
            lines: 0,
            restored: 0,
            digest: Fingerprint::default(),
            buried: 0,
            orphans: 0,
            orphans_named: Vec::new(),
            orphans_before: None,
            report: Report::default(),
        }
    }

    /// From the first chunk again; whether that can bring anything.
    fn next_round(&mut self) -> bool {
        let helps = self
            .orphans_before
            .is_none_or(|before| self.orphans < before);
        if helps {
            self.orphans_before = Some(self.orphans);
            (self.chunks, self.lines, self.orphans) = (0, 0, 0);
            self.orphans_named.clear();
            (self.restored, self.buried, self.report.scanned) = (0, 0, 0);
            self.digest = Fingerprint::default();
        }
        helps
    }
}

/// The workflow.
pub(crate) struct RestoreTask(pub(crate) Arc<Deps>);

impl Workflow for RestoreTask {
    const KIND: &'static str = "restore";
    type Step = Step;
    type State = State;

    fn next(&self, done: Step, _state: &State) -> Next<Step> {
        match done {
            Step::Begin => Next::Step(Step::Copy),
            Step::Copy => Next::Finish,
        }
    }

    async fn run(&self, step: Step, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        match step {
            Step::Begin => self.begin(state).await,
            Step::Copy => self.copy(state, cx).await,
        }
    }
}

impl RestoreTask {
    /// What replication knew of the target is over, if it may be written at all.
    async fn begin(&self, state: &State) -> Result<Progress, StepError> {
        let view = self.view(state).await?;
        self.row(state).await?;
        let (fleet, target) = (state.fleet.as_str(), state.target.as_str());
        let (epoch, purpose) = (view.epoch.as_i64(), Purpose::Restore.as_str());
        let mut tx = self.0.pool.begin().await.map_err(StoreError::from)?;
        store::authority::assert_intent(&mut tx, fleet, epoch, target, purpose)
            .await
            .map_err(IntentError::from)?;
        store::replication::forget(&mut *tx, fleet, target).await?;
        commit(tx).await?;
        Ok(Progress::Done)
    }

    /// The fleet, with the target still a standby.
    async fn view(&self, state: &State) -> Result<FleetView, StepError> {
        let view = authority::fleet(&self.0.pool, &state.fleet).await?;
        let view = view.ok_or_else(|| gone(&state.fleet))?;
        match view.hub(&state.target).map(|hub| hub.state) {
            Some(HubState::Syncing | HubState::Ready) => Ok(view),
            Some(other) => Err(not_standby(&format!("hub `{}` is {other}", state.target))),
            None => Err(not_standby(&format!(
                "hub `{}` does not exist",
                state.target
            ))),
        }
    }

    async fn row(&self, state: &State) -> Result<BackupRow, StepError> {
        let vault = vault(&self.0)?;
        let mut connection = self.0.pool.acquire().await.map_err(StoreError::from)?;
        let row = store::backup::find(&mut connection, &state.fleet, state.backup).await?;
        let text = || format!("backup {} does not exist", state.backup);
        let row = row.ok_or_else(|| StepError::rejected("BACKUP_NOT_FOUND", text()))?;
        if row.key_id != vault.key.id() {
            let text = format!("the backup opens with key {} only", row.key_id);
            return Err(StepError::rejected("BACKUP_KEY_MISSING", text));
        }
        Ok(row)
    }

    async fn copy(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        let row = self.row(state).await?;
        if state.chunks >= row.manifest.chunks.len() {
            return end_round(state, &row);
        }
        let view = self.view(state).await?;
        let writer = self
            .0
            .writer(&view, &state.target, Purpose::Restore)
            .await?;
        let vault = vault(&self.0)?;
        let lines = chunk_from_any(
            vault,
            &writer.keys,
            &state.fleet,
            &row.manifest,
            state.chunks,
        )
        .await
        .map_err(|error| refused("every store", error))?;
        let past = Past::of(&view, &row)?;
        let left: Vec<Line> = lines.into_iter().skip(state.lines).collect();
        for batch in left.chunks(BATCH) {
            let ids: Vec<&str> = batch.iter().map(|line| line.device_id.as_str()).collect();
            let wanted = self.wanted(&view, &writer, batch).await?;
            let alive: Vec<Wanted> = wanted.iter().flatten().cloned().collect();
            past.prevail(&writer, &view, &alive).await?;
            let copied = copy_all(&writer, wanted, cx.attempt).await?;
            // A pass that ran beside it may have verified what was there before.
            past.prevail(&writer, &view, &alive).await?;
            if let Some(pause) = note(state, &ids, &copied) {
                return Ok(Progress::Wait(pause));
            }
        }
        (state.chunks, state.lines) = (state.chunks + 1, 0);
        Ok(Progress::Wait(Duration::ZERO))
    }

    /// What the target is to hold, line by line: nothing of the buried, of those of which the active
    /// hub has a later life and of kinds that the fleet goes without, and held where a conflict is
    /// open.
    async fn wanted(
        &self,
        view: &FleetView,
        cx: &WriteCx,
        lines: &[Line],
    ) -> Result<Vec<Option<Wanted>>, StepError> {
        let ids: Vec<String> = lines.iter().map(|line| line.device_id.clone()).collect();
        let (fleet, hub) = (cx.fleet.as_str(), cx.hub_id.as_str());
        let mut connection = self.0.pool.acquire().await.map_err(StoreError::from)?;
        // A deletion of which nobody knows whether it happened buries nothing.
        let dead = store::tombstone::confirmed(&mut *connection, fleet, &ids).await?;
        let bases = store::base::get_many(&mut *connection, fleet, hub, &ids).await?;
        let active = view.active_hub.as_str();
        let living = store::observed::get_many(&mut *connection, fleet, active, &ids).await?;
        let carried = store::kinds::carried(&mut *connection, fleet).await?;
        drop(connection);
        let buried: HashMap<_, _> = dead.into_iter().collect();
        let lives: HashMap<_, _> = living
            .into_iter()
            .map(|seen| (seen.device_id, seen.incarnation))
            .collect();
        let holds: HashMap<_, _> = bases
            .into_iter()
            .filter_map(|base| Some((base.device_id, base.hold?)))
            .collect();
        let is_over = |line: &Line| {
            let (id, life) = (&line.device_id, line.incarnation);
            let is_dead = buried
                .get(id)
                .is_some_and(|last| *last >= life.cast_signed());
            is_dead || !carried.carries(id) || lives.get(id).is_some_and(|newest| *newest > life)
        };
        let wanted = lines.iter().map(|line| {
            if is_over(line) {
                return Ok(None);
            }
            Ok(Some(Wanted {
                incarnation: line.incarnation,
                sealed: cx.keys.seal(&line.device_id, &line.credentials)?,
                hold: holds.get(&line.device_id).cloned(),
                record: line.record.clone(),
                device_id: line.device_id.clone(),
            }))
        });
        wanted.collect()
    }
}

/// Counts what is through, up to the first that the hub asked for a pause at; how long that is.
fn note(state: &mut State, ids: &[&str], copied: &[Copied]) -> Option<Duration> {
    for (id, copied) in ids.iter().zip(copied) {
        match copied {
            Copied::Held(print) => {
                state.digest = state.digest.xor(*print);
                state.restored += 1;
            }
            Copied::Left => state.buried += 1,
            Copied::Orphan => {
                state.orphans += 1;
                if state.orphans_named.len() < NAMED {
                    state.orphans_named.push((*id).to_owned());
                }
            }
            Copied::Pause(pause) => return Some(*pause),
        }
        state.lines += 1;
        state.report.scanned += 1;
        state.report.written = state.restored;
    }
    None
}

/// All chunks were gone through.
fn end_round(state: &mut State, row: &BackupRow) -> Result<Progress, StepError> {
    if state.orphans == 0 {
        state.report.result = Some(result(state, row));
        return Ok(Progress::Done);
    }
    if state.next_round() {
        return Ok(Progress::Wait(Duration::ZERO));
    }
    Err(StepError::rejected(PARENT_MISSING, orphaned(state)))
}

/// Who lacks a parent, for a person.
fn orphaned(state: &State) -> String {
    format!(
        "{} devices name a parent that is neither in the backup nor at hub `{}`: {}; everything \
         else is restored",
        state.orphans,
        state.target,
        state.orphans_named.join(", ")
    )
}

fn not_standby(text: &str) -> StepError {
    StepError::rejected(
        "HUB_NOT_STANDBY",
        format!("{text}; restore to a syncing or ready hub"),
    )
}

fn result(state: &State, row: &BackupRow) -> TaskResult {
    TaskResult::Backup(BackupResult {
        backup: state.fleet.child_name("backups", state.backup),
        record_count: state.restored,
        digest: state.digest.to_string(),
        stores: row.stores.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_go_on_while_fewer_devices_lack_their_parent() {
        let name = |text: &str| (FleetId::new(text).unwrap(), HubId::new(text).unwrap());
        let (fleet, target) = name("acme");
        let mut state = State::new(fleet, target, Uuid::nil());
        for (orphans, goes_on) in [(9, true), (4, true), (1, true), (1, false)] {
            (state.chunks, state.orphans, state.restored) = (7, orphans, 20);
            assert_eq!(state.next_round(), goes_on, "{orphans}");
            assert_eq!(state.chunks == 0 && state.restored == 0, goes_on);
        }
    }

    #[test]
    fn devices_without_their_parent_are_named_as_of_the_last_round() {
        let name = |text: &str| (FleetId::new(text).unwrap(), HubId::new(text).unwrap());
        let (fleet, target) = name("acme");
        let mut state = State::new(fleet, target, Uuid::nil());
        let ids: Vec<String> = (0..12).map(|number| format!("d-{number:02}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let orphans: Vec<Copied> = ids.iter().map(|_| Copied::Orphan).collect();
        assert_eq!(note(&mut state, &ids, &orphans), None);
        assert_eq!((state.orphans, state.orphans_named.len()), (12, NAMED));
        assert!(state.next_round());
        assert_eq!(note(&mut state, &ids[3..4], &orphans[3..4]), None);
        let text = orphaned(&state);
        assert!(
            text.starts_with("1 devices") && text.contains(": d-03;"),
            "{text}"
        );
    }
}
