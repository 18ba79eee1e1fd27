//! Task `backup`: a hub scanned afresh, written to every store, read back, and only then noted.
//!
//! ```text
//! Begin ─▶ Read (scan) ─▶ Write (chunks, manifest) ─▶ Check (read back, digest) ─▶ noted
//! ```

use std::sync::Arc;

use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::{Next, Progress, StepCx, StepError, Workflow};
use hubshift_store::StoreError;
use serde::{Deserialize, Serialize};

use super::report::{BackupResult, Report, TaskResult};
use super::scan::gone;
use crate::authority;
use crate::backup::Vault;
use crate::backup::manifest::Manifest;
use crate::backup::read::{ReadError, check_all};
use crate::backup::write::{Source, WriteError, write};
use crate::budget::Lane;
use crate::deps::Deps;
use crate::scan::{Options, Scan, ScanCx};
use crate::store;

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// The scan gets its time.
    Begin,
    /// The hub is read.
    Read,
    /// Chunks and manifest go to every store.
    Write,
    /// Every store is read back.
    Check,
}

/// What it remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) fleet: FleetId,
    pub(crate) hub: HubId,
    pub(crate) scan: Option<Scan>,
    pub(crate) source: Option<Source>,
    pub(crate) manifest: Option<Manifest>,
    pub(crate) report: Report,
}

impl State {
    /// A backup of a hub, to be begun.
    pub(crate) fn new(fleet: FleetId, hub: HubId) -> Self {
        Self {
            fleet,
            hub,
            scan: None,
            source: None,
            manifest: None,
            report: Report::default(),
        }
    }
}

/// The workflow.
pub(crate) struct BackupTask(pub(crate) Arc<Deps>);

impl Workflow for BackupTask {
    const KIND: &'static str = "backup";
    type Step = Step;
    type State = State;

    fn next(&self, done: Step, _state: &State) -> Next<Step> {
        match done {
            Step::Begin => Next::Step(Step::Read),
            Step::Read => Next::Step(Step::Write),
            Step::Write => Next::Step(Step::Check),
            Step::Check => Next::Finish,
        }
    }

    async fn run(&self, step: Step, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        match step {
            Step::Begin => self.begin(state, cx).await,
            Step::Read => self.read(state, cx).await,
            Step::Write => self.write(state).await,
            Step::Check => self.check(state, cx).await,
        }
    }
}

impl BackupTask {
    async fn begin(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        vault(&self.0)?;
        let view = authority::fleet(&self.0.pool, &state.fleet).await?;
        let view = view.ok_or_else(|| gone(&state.fleet))?;
        let hub = state.hub.clone();
        state.scan = Some(Scan::new(
            hub.clone(),
            view.epoch,
            Options::default(),
            view.now,
        ));
        state.source = Some(Source {
            // The same for every try: a crash leaves no second backup behind.
            backup: cx.workflow_id,
            fleet: state.fleet.clone(),
            hub,
            epoch: view.epoch,
            watermark: view.now,
        });
        Ok(Progress::Done)
    }

    async fn read(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        let scan_cx = ScanCx {
            deps: &self.0,
            fleet: &state.fleet,
            lane: Lane::Task,
            attempt: cx.attempt,
        };
        let scan = state.scan.as_mut().ok_or_else(lost)?;
        let turn = scan.advance(&scan_cx).await?;
        (state.report.scanned, state.report.calls) = (scan.scanned, scan.calls);
        Ok(turn.into())
    }

    async fn write(&self, state: &mut State) -> Result<Progress, StepError> {
        let keys = self.0.keys(&state.fleet).await?;
        let source = state.source.as_ref().ok_or_else(lost)?;
        let written = write(vault(&self.0)?, &self.0.pool, &keys, source).await;
        let manifest = written.map_err(|error| match error {
            WriteError::Store(store) => store.into(),
            other => StepError::Unknown(other.into()),
        })?;
        state.report.written = manifest.record_count;
        state.manifest = Some(manifest);
        Ok(Progress::Done)
    }

    async fn check(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        let vault = vault(&self.0)?;
        let keys = self.0.keys(&state.fleet).await?;
        let manifest = state.manifest.as_ref().ok_or_else(lost)?;
        let stores = vault.stores.names();
        for reading in check_all(vault, &keys, &state.fleet, manifest, &stores).await {
            reading
                .result
                .map_err(|error| refused(&reading.store, error))?;
        }
        let mut tx = cx.pool.begin().await.map_err(StoreError::from)?;
        cx.guard(&mut tx).await?;
        store::backup::insert(&mut tx, manifest, &stores).await?;
        hubshift_store::commit(tx).await?;
        state.report.result = Some(TaskResult::Backup(BackupResult {
            backup: state.fleet.child_name("backups", manifest.backup),
            record_count: manifest.record_count,
            digest: manifest.digest.clone(),
            stores,
        }));
        Ok(Progress::Done)
    }
}

/// Where backups are; without any store there are none.
pub(crate) fn vault(deps: &Deps) -> Result<&Vault, StepError> {
    let missing = || StepError::rejected("BACKUP_KEY_MISSING", NO_VAULT);
    deps.vault.as_ref().ok_or_else(missing)
}

/// What to do when no store is configured.
pub(crate) const NO_VAULT: &str =
    "no backup store is configured; set `backup_stores` and `backup_key`";

/// What to do about a store that does not hold a backup as it should.
pub(crate) fn refused(store: &str, error: ReadError) -> StepError {
    let text = format!("{store}: {error}");
    if error.is_passing() {
        return StepError::Unknown(anyhow::anyhow!(text));
    }
    let reason = if error.is_other_key() {
        "BACKUP_KEY_MISSING"
    } else {
        "BACKUP_CORRUPT"
    };
    StepError::rejected(reason, text)
}

fn lost() -> StepError {
    StepError::Unknown(anyhow::anyhow!("the state of this backup is not whole"))
}
