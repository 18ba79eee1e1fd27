//! The starts: a checked request becomes the first state of a workflow.

use hubshift_api::pb::registry as pb;
use hubshift_api::pb::types::StepContext;
use hubshift_api::times;
use hubshift_api::validate::Checks;
use hubshift_domain::epoch::Epoch;
use hubshift_flow::Workflow as _;
use tonic::Status;

use super::super::task::{NewTask, start};
use super::super::{context, find};
use crate::deps::Deps;
use crate::pass::Depth;
use crate::workflows::drain::{self, DrainTask};
use crate::workflows::pass::{self, PassTask};
use crate::workflows::replay::{self, ReplayTask};
use crate::workflows::report::{PassResult, Report};
use crate::workflows::scan::{self, ScanTask};
use crate::workflows::verify::{self, VerifyTask};

pub(super) async fn pass(deps: &Deps, mut body: pb::StartPassRequest) -> Result<pb::Task, Status> {
    let step = body.context.take();
    let mut checks = Checks::new();
    let fleet = checks.fleet("fleet", &body.fleet);
    let target = checks.hub("target_hub", &body.target_hub);
    let request_id = checks.request_id(&body.request_id);
    let all = fleet.zip(target).zip(request_id);
    let ((fleet, target), request_id) = checks.require(all)?;
    context::admit(&deps.pool, step.as_ref()).await?;
    let view = find::fleet(deps, &fleet).await?;
    for hub in [&view.active_hub, &target] {
        find::connected(deps, &view, hub).await?;
    }
    let depth = if body.full {
        Depth::Full
    } else {
        Depth::Incremental
    };
    let state = pass::State {
        accept_source: body.accept_source,
        ..pass::State::new(fleet.clone(), target, depth)
    };
    let new = NewTask {
        kind: PassTask::KIND,
        fleet: &fleet,
        request_id,
        method: "StartPass",
        first: pass::Step::Begin,
        state: &state,
    };
    start(deps, &body, new).await
}

pub(super) async fn scan(deps: &Deps, body: pb::StartScanRequest) -> Result<pb::Task, Status> {
    let mut checks = Checks::new();
    let fleet = checks.fleet("fleet", &body.fleet);
    let hub = checks.hub("hub", &body.hub);
    let request_id = checks.request_id(&body.request_id);
    let ((fleet, hub), request_id) = checks.require(fleet.zip(hub).zip(request_id))?;
    let view = find::fleet(deps, &fleet).await?;
    find::connected(deps, &view, &hub).await?;
    let state = scan::State {
        fleet: fleet.clone(),
        hub,
        // Etags of a hub that was restored may repeat: it is read whole.
        full: body.detect_rewind,
        detect_rewind: body.detect_rewind,
        scan: None,
        report: Report::default(),
    };
    let new = NewTask {
        kind: ScanTask::KIND,
        fleet: &fleet,
        request_id,
        method: "StartScan",
        first: scan::Step::Begin,
        state: &state,
    };
    start(deps, &body, new).await
}

pub(super) async fn verify(
    deps: &Deps,
    mut body: pb::StartVerifyRequest,
) -> Result<pb::Task, Status> {
    let step = body.context.take();
    let mut checks = Checks::new();
    let fleet = checks.fleet("fleet", &body.fleet);
    let source = checks.hub("source_hub", &body.source_hub);
    let target = checks.hub("target_hub", &body.target_hub);
    let request_id = checks.request_id(&body.request_id);
    let read_after = body.read_after.as_ref().map(times::from_timestamp);
    if read_after == Some(None) {
        checks.violation("read_after", "is not a time");
    }
    if source.is_some() && source == target {
        checks.violation("target_hub", "must be another hub than source_hub");
    }
    let all = fleet.zip(source.zip(target)).zip(request_id);
    let ((fleet, (source, target)), request_id) = checks.require(all)?;
    context::admit(&deps.pool, step.as_ref()).await?;
    let view = find::fleet(deps, &fleet).await?;
    for hub in [&source, &target] {
        find::connected(deps, &view, hub).await?;
    }
    let state = verify::State {
        fleet: fleet.clone(),
        source,
        target,
        read_after: read_after.flatten(),
        full: body.full,
        source_scan: None,
        target_scan: None,
        report: Report::default(),
    };
    let new = NewTask {
        kind: VerifyTask::KIND,
        fleet: &fleet,
        request_id,
        method: "StartVerify",
        first: verify::Step::Wait,
        state: &state,
    };
    start(deps, &body, new).await
}

pub(super) async fn drain(
    deps: &Deps,
    mut body: pb::StartDrainRequest,
) -> Result<pb::Task, Status> {
    let step = body.context.take();
    let mut checks = Checks::new();
    let fleet = checks.fleet("fleet", &body.fleet);
    let target = checks.hub("target_hub", &body.target_hub);
    let request_id = checks.request_id(&body.request_id);
    require_context(&mut checks, step.as_ref());
    let ((fleet, target), request_id) = checks.require(fleet.zip(target).zip(request_id))?;
    context::admit(&deps.pool, step.as_ref()).await?;
    let view = find::fleet(deps, &fleet).await?;
    for hub in [&view.active_hub, &target] {
        find::connected(deps, &view, hub).await?;
    }
    let state = drain::State {
        fleet: fleet.clone(),
        target,
        start_time: None,
        pass: None,
        passes: 0,
        done: PassResult::default(),
        report: Report::default(),
    };
    let new = NewTask {
        kind: DrainTask::KIND,
        fleet: &fleet,
        request_id,
        method: "StartDrain",
        first: drain::Step::Begin,
        state: &state,
    };
    start(deps, &body, new).await
}

pub(super) async fn replay(
    deps: &Deps,
    mut body: pb::StartReplayRequest,
) -> Result<pb::Task, Status> {
    let step = body.context.take();
    let mut checks = Checks::new();
    let fleet = checks.fleet("fleet", &body.fleet);
    let target = checks.hub("target_hub", &body.target_hub);
    let request_id = checks.request_id(&body.request_id);
    require_context(&mut checks, step.as_ref());
    let ((fleet, target), request_id) = checks.require(fleet.zip(target).zip(request_id))?;
    context::admit(&deps.pool, step.as_ref()).await?;
    let view = find::fleet(deps, &fleet).await?;
    find::connected(deps, &view, &target).await?;
    let state = replay::State {
        fleet: fleet.clone(),
        target,
        epoch: Epoch(step.map(|step| step.epoch).unwrap_or_default()),
        commit_time: None,
        after: String::new(),
        rounds: 0,
        done: PassResult::default(),
        report: Report::default(),
    };
    let new = NewTask {
        kind: ReplayTask::KIND,
        fleet: &fleet,
        request_id,
        method: "StartReplay",
        first: replay::Step::Begin,
        state: &state,
    };
    start(deps, &body, new).await
}

fn require_context(checks: &mut Checks, step: Option<&StepContext>) {
    if step.is_none_or(|step| step.operation.is_empty()) {
        checks.violation("context", "is required: only a failover drains and replays");
    }
}
