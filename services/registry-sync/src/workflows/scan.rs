//! Task `scan`: one hub, page by page, into a snapshot that later calls pin.

use std::sync::Arc;

use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::{Next, Progress, StepCx, StepError, Workflow};
use serde::{Deserialize, Serialize};

use super::report::{Report, ScanResult, TaskResult};
use super::trouble::Turn;
use crate::authority;
use crate::budget::Lane;
use crate::deps::Deps;
use crate::scan::{Options, Scan, ScanCx};
use crate::store;

/// The steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// The scan gets its id and time.
    Begin,
    /// Pages are read.
    Read,
}

/// What it remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) fleet: FleetId,
    pub(crate) hub: HubId,
    pub(crate) full: bool,
    pub(crate) detect_rewind: bool,
    pub(crate) scan: Option<Scan>,
    pub(crate) report: Report,
}

/// The workflow.
pub(crate) struct ScanTask(pub(crate) Arc<Deps>);

impl Workflow for ScanTask {
    const KIND: &'static str = "scan";
    type Step = Step;
    type State = State;

    fn next(&self, done: Step, _state: &State) -> Next<Step> {
        match done {
            Step::Begin => Next::Step(Step::Read),
            Step::Read => Next::Finish,
        }
    }

    async fn run(&self, step: Step, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        match step {
            Step::Begin => self.begin(state).await,
            Step::Read => self.read(state, cx).await,
        }
    }
}

impl ScanTask {
    async fn begin(&self, state: &mut State) -> Result<Progress, StepError> {
        let view = authority::fleet(&self.0.pool, &state.fleet).await?;
        let view = view.ok_or_else(|| gone(&state.fleet))?;
        let options = Options {
            full: state.full,
            is_pinned: true,
            detect_rewind: state.detect_rewind,
        };
        state.scan = Some(Scan::new(state.hub.clone(), view.epoch, options, view.now));
        Ok(Progress::Done)
    }

    async fn read(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        let Some(scan) = &mut state.scan else {
            return self.begin(state).await;
        };
        let scan_cx = ScanCx {
            deps: &self.0,
            fleet: &state.fleet,
            lane: Lane::Task,
            attempt: cx.attempt,
        };
        let turn = scan.advance(&scan_cx).await?;
        (state.report.scanned, state.report.calls) = (scan.scanned, scan.calls);
        if turn == Turn::Over {
            let found = scan.found();
            let (fleet, hub) = (state.fleet.as_str(), state.hub.as_str());
            let held = store::kinds::held(&self.0.pool, fleet, hub).await?;
            state.report.result = Some(TaskResult::Scan(ScanResult {
                snapshot: found.scan_id.to_string(),
                scanned: found.count,
                devices: u64::try_from(held.devices).unwrap_or(0),
                rewound: found.is_rewound,
                evidence: found.evidence,
                digest: found.digest.to_string(),
            }));
        }
        Ok(turn.into())
    }
}

/// The fleet is not there any more.
pub(crate) fn gone(fleet: &FleetId) -> StepError {
    StepError::rejected("FLEET_NOT_FOUND", format!("there is no fleet {fleet}"))
}
