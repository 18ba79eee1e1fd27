//! Task `restore`: a backup's devices at a standby, chunk by chunk.
//!
//! ```text
//! Begin (may it be?) ─▶ Copy (a chunk; again until none is left) ─▶ result
//! ```
//!
//! Kept true: what a tombstone buries stays buried; devices that the backup does not have are left
//! alone; every write passes the authority, so that a hub that began to reign is not touched.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use hubshift_domain::hub_state::{HubState, Purpose};
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::identity::Fingerprint;
use hubshift_flow::{Next, Progress, StepCx, StepError, Workflow};
use hubshift_store::StoreError;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::backup::{refused, vault};
use super::report::{BackupResult, Report, TaskResult};
use super::scan::gone;
use super::trouble::{Turn, reread_failed};
use crate::authority::{self, FleetView};
use crate::backup::line::Line;
use crate::backup::read::chunk_from_any;
use crate::deps::Deps;
use crate::intent::IntentError;
use crate::scan::CONCURRENCY;
use crate::store;
use crate::store::backup::BackupRow;
use crate::write::{RereadError, Wanted, WriteCx, WriteOp, WriteOutcome, reread, write};

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
    /// Devices that the target holds as the backup has them.
    pub(crate) restored: u64,
    /// The exclusive or of their fingerprints.
    pub(crate) digest: Fingerprint,
    /// Devices that stay deleted.
    pub(crate) buried: u64,
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
            restored: 0,
            digest: Fingerprint::default(),
            buried: 0,
            report: Report::default(),
        }
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
            Step::Begin => {
                self.view(state).await?;
                self.row(state).await?;
                Ok(Progress::Done)
            }
            Step::Copy => self.copy(state, cx).await,
        }
    }
}

/// What became of one device.
enum Copied {
    /// The target holds it.
    Held(Fingerprint),
    /// Ask again after a pause.
    Pause(Duration),
}

impl RestoreTask {
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
            state.report.result = Some(result(state, &row));
            return Ok(Progress::Done);
        }
        let view = self.view(state).await?;
        let writer = self
            .0
            .writer(&view, &state.target, Purpose::Replicate)
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
        let count = lines.len() as u64;
        let wanted = self.wanted(&writer, lines).await?;
        let buried = count - wanted.len() as u64;
        let copies = futures::stream::iter(wanted)
            .map(|wanted| copy_one(&writer, wanted, cx.attempt))
            .buffer_unordered(CONCURRENCY);
        let copied: Vec<Copied> = copies.try_collect().await?;
        let mut digest = state.digest;
        for copied in copied {
            match copied {
                Copied::Held(print) => digest = digest.xor(print),
                // The whole chunk again: what is there already costs a read.
                Copied::Pause(after) => return Ok(Progress::Wait(after)),
            }
        }
        (state.digest, state.chunks) = (digest, state.chunks + 1);
        (state.restored, state.buried) = (state.restored + count - buried, state.buried + buried);
        state.report.scanned += count;
        state.report.written = state.restored;
        Ok(Progress::Wait(Duration::ZERO))
    }

    /// What the target is to hold: without the buried, and held where a conflict is open.
    async fn wanted(&self, cx: &WriteCx, lines: Vec<Line>) -> Result<Vec<Wanted>, StepError> {
        let ids: Vec<String> = lines.iter().map(|line| line.device_id.clone()).collect();
        let (fleet, hub) = (cx.fleet.as_str(), cx.hub_id.as_str());
        let mut connection = self.0.pool.acquire().await.map_err(StoreError::from)?;
        // A deletion of which nobody knows whether it happened buries nothing.
        let dead = store::tombstone::confirmed(&mut *connection, fleet, &ids).await?;
        let bases = store::base::get_many(&mut *connection, fleet, hub, &ids).await?;
        drop(connection);
        let buried: HashMap<_, _> = dead.into_iter().collect();
        let holds: HashMap<_, _> = bases
            .into_iter()
            .filter_map(|base| Some((base.device_id, base.hold?)))
            .collect();
        let alive = lines.into_iter().filter(|line| {
            buried
                .get(&line.device_id)
                .is_none_or(|last| *last < line.incarnation.cast_signed())
        });
        alive
            .map(|line| {
                Ok(Wanted {
                    incarnation: line.incarnation,
                    sealed: cx.keys.seal(&line.device_id, &line.credentials)?,
                    hold: holds.get(&line.device_id).cloned(),
                    record: line.record,
                    device_id: line.device_id,
                })
            })
            .collect()
    }
}

/// Creates or updates one device at the target, under the condition that it is as it was read.
async fn copy_one(cx: &WriteCx, wanted: Wanted, attempt: u32) -> Result<Copied, StepError> {
    let device = &wanted.device_id;
    let seen = match reread(&cx.pool, &cx.keys, &*cx.hub, &cx.fleet, &cx.hub_id, device).await {
        Ok(seen) => seen,
        Err(error) => return pause(error, attempt),
    };
    let op = match &seen {
        None => WriteOp::Create(&wanted),
        Some(seen) => WriteOp::Update { to: &wanted, seen },
    };
    let again = |what: String| StepError::Unknown(anyhow::anyhow!("device {device}: {what}"));
    match write(cx, op).await {
        Ok(WriteOutcome::Applied(Some(seen)) | WriteOutcome::Already(Some(seen))) => {
            Ok(Copied::Held(seen.fingerprint))
        }
        Ok(WriteOutcome::Rejected {
            reason: reason @ "HUB_REFUSED",
            message,
        }) => Err(StepError::rejected(
            reason,
            format!("device {device}: {message}"),
        )),
        Ok(WriteOutcome::Rejected { message, .. } | WriteOutcome::Unknown(message)) => {
            Err(again(message))
        }
        Ok(_) => Err(again("it changed meanwhile".to_owned())),
        Err(IntentError::HubState(text)) => Err(not_standby(&text)),
        Err(error) => Err(error.into()),
    }
}

fn pause(error: RereadError, attempt: u32) -> Result<Copied, StepError> {
    match reread_failed(error, attempt)? {
        Turn::Pause(after) => Ok(Copied::Pause(after)),
        Turn::Over | Turn::More => Ok(Copied::Pause(Duration::ZERO)),
    }
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
