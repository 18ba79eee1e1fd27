//! Tasks on the wire: starting one exactly once per request id, and showing how it stands.

use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::task::Result as Outcome;
use hubshift_api::pb::types::{self, TaskState};
use hubshift_api::{fault, times};
use hubshift_domain::id::FleetId;
use hubshift_flow::{Start, Status as Flow, WorkflowState};
use hubshift_store::idem::{ReplayError, Request};
use hubshift_store::{StoreError, commit};
use prost::Message;
use serde::Serialize;
use sqlx::PgConnection;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::deps::Deps;
use crate::workflows::report::{AdoptionResult, Report, TaskResult};

/// The kinds that callers start; the reconciler's own are not listed.
pub(crate) const KINDS: [&str; 10] = [
    "pass",
    "scan",
    "verify",
    "drain",
    "replay",
    "backup",
    "restore",
    "adoption_plan",
    "adoption",
    "fence",
];

/// Task ids are made of request ids within this name space.
const TASKS: Uuid = Uuid::from_u128(0x6875_6273_6869_6674_7461_736b_0000_0001);

/// The constraint that refuses a second workflow of the same id.
const SAME_ID: &str = "flow_workflow_pk";

/// A task to start.
pub(crate) struct NewTask<'a, Step, State> {
    /// `Workflow::KIND`.
    pub(crate) kind: &'static str,
    pub(crate) fleet: &'a FleetId,
    pub(crate) request_id: Uuid,
    /// The rpc, `StartPass`.
    pub(crate) method: &'static str,
    pub(crate) first: Step,
    pub(crate) state: &'a State,
}

/// The id of the task that a request starts, whoever asks.
pub(crate) fn task_id(request_id: Uuid) -> Uuid {
    Uuid::new_v5(&TASKS, request_id.as_bytes())
}

/// Starts a task, or returns the one that the same request started before. `body` is the request
/// without its context, which differs between executors of one operation.
///
/// # Errors
/// `REQUEST_ID_REUSED` (ALREADY_EXISTS).
pub(crate) async fn start<Step: Serialize, State: Serialize>(
    deps: &Deps,
    body: &impl Message,
    new: NewTask<'_, Step, State>,
) -> Result<pb::Task, Status> {
    let id = task_id(new.request_id);
    let request = Request::new("", new.method, new.request_id, body);
    match insert(deps, &request, id, &new).await {
        Ok(true) => deps.flow.notify_one(),
        Ok(false) => {}
        Err(error) if error.is_constraint(SAME_ID) => {}
        Err(error) => return Err(error.into()),
    }
    let mut connection = deps.pool.acquire().await.map_err(StoreError::from)?;
    // An equal request may have come first; one with another body is refused here.
    let known = request.replay::<pb::Task>(&mut connection).await?;
    let status = hubshift_flow::get(&mut connection, id).await?;
    match (known, status) {
        (Some(_), Some(status)) => Ok(to_task(&status)),
        // The id belongs to a task of another method.
        (None, Some(status)) if status.kind != new.kind => {
            Err(ReplayError::Reused(new.request_id).into())
        }
        // Replay forgets after a day; the task itself is still there.
        (None, Some(status)) => Ok(to_task(&status)),
        (_, None) => Err(not_found(id)),
    }
}

/// Starts the workflow and records the request in one transaction; `false` when it is known.
async fn insert<Step: Serialize, State: Serialize>(
    deps: &Deps,
    request: &Request,
    id: Uuid,
    new: &NewTask<'_, Step, State>,
) -> Result<bool, StoreError> {
    let mut tx = deps.pool.begin().await?;
    let name = new.fleet.child_name("tasks", id);
    let stub = pb::Task {
        name,
        kind: new.kind.to_owned(),
        ..pb::Task::default()
    };
    if !request.record(&mut tx, &stub).await? {
        return Ok(false);
    }
    let start = Start {
        workflow_id: id,
        kind: new.kind,
        subject: None,
        fleet_id: new.fleet.as_str(),
        first: &new.first,
        state: new.state,
        traceparent: hubshift_shell::trace::current_traceparent(),
    };
    hubshift_flow::start(&mut tx, start).await?;
    commit(tx).await?;
    Ok(true)
}

/// A task by its id.
///
/// # Errors
/// `TASK_NOT_FOUND` (NOT_FOUND).
pub(crate) async fn get(deps: &Deps, fleet: &FleetId, id: Uuid) -> Result<pb::Task, Status> {
    let mut connection = deps.pool.acquire().await.map_err(StoreError::from)?;
    let status = hubshift_flow::get(&mut connection, id).await?;
    match status.filter(|status| status.fleet_id == fleet.as_str()) {
        Some(status) => Ok(to_task(&status)),
        None => Err(not_found(id)),
    }
}

/// A page of tasks with these ids, in their order.
pub(crate) async fn get_all(
    connection: &mut PgConnection,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<Vec<pb::Task>, StoreError> {
    let mut tasks = Vec::new();
    for id in ids {
        if let Some(status) = hubshift_flow::get(connection, id).await? {
            tasks.push(to_task(&status));
        }
    }
    Ok(tasks)
}

fn not_found(id: Uuid) -> Status {
    let text = format!("there is no task {id}; finished ones are forgotten after a week");
    fault::status(Code::NotFound, "TASK_NOT_FOUND", text)
}

/// A workflow as a task.
pub(crate) fn to_task(flow: &Flow) -> pb::Task {
    let report = flow.data.get("report").cloned().unwrap_or_default();
    let report: Report = serde_json::from_value(report).unwrap_or_default();
    let has_result = flow.state == WorkflowState::Succeeded;
    pb::Task {
        name: format!("fleets/{}/tasks/{}", flow.fleet_id, flow.workflow_id),
        kind: flow.kind.clone(),
        state: state(flow.state).into(),
        step: flow.step.clone(),
        done: flow.state.is_over(),
        failure: failure(flow),
        progress: Some(pb::TaskProgress {
            scanned_count: report.scanned,
            written_count: report.written,
            call_count: report.calls,
        }),
        result: report.result.filter(|_| has_result).map(outcome),
        create_time: Some(times::timestamp(flow.create_time)),
        update_time: Some(times::timestamp(flow.update_time)),
    }
}

fn state(state: WorkflowState) -> TaskState {
    match state {
        WorkflowState::Running => TaskState::Running,
        WorkflowState::Unwinding => TaskState::Unwinding,
        WorkflowState::Succeeded => TaskState::Succeeded,
        WorkflowState::Failed => TaskState::Failed,
        WorkflowState::Cancelled => TaskState::Cancelled,
        WorkflowState::Stuck => TaskState::Stuck,
    }
}

fn failure(flow: &Flow) -> Option<types::Failure> {
    let (reason, message) = flow.failure.clone()?;
    flow.state
        .is_over()
        .then_some(types::Failure { reason, message })
}

fn outcome(result: TaskResult) -> Outcome {
    match result {
        TaskResult::Pass(pass) => Outcome::Pass(pb::PassResult {
            scanned_count: pass.scanned,
            created_count: pass.created,
            updated_count: pass.updated,
            deleted_count: pass.deleted,
            equal_count: pass.equal,
            pending_count: pass.pending,
            watermark: pass.watermark.map(times::timestamp),
            late_landing_count: pass.late_landings,
            refused_count: pass.refused,
            left_out_count: pass.left_out_count,
            left_out: pass.left_out,
        }),
        TaskResult::Scan(scan) => Outcome::Scan(pb::ScanResult {
            snapshot: scan.snapshot,
            scanned_count: scan.scanned,
            rewound: scan.rewound,
            rewound_evidence: scan.evidence,
            digest: scan.digest,
            device_count: scan.devices,
        }),
        TaskResult::Verify(verify) => Outcome::Verify(pb::VerifyResult {
            equal: verify.equal,
            source_count: verify.source_count,
            target_count: verify.target_count,
            source_digest: verify.source_digest,
            target_digest: verify.target_digest,
            differing_devices: verify.differing,
            differing_count: verify.differing_count,
            read_time: Some(times::timestamp(verify.read_time)),
            left_out_count: verify.left_out_count,
            left_out: verify.left_out,
        }),
        TaskResult::Backup(backup) => Outcome::Backup(pb::BackupResult {
            backup: backup.backup,
            record_count: backup.record_count,
            digest: backup.digest,
            stores: backup.stores,
        }),
        TaskResult::Adoption(adoption) => Outcome::Adoption(adopted(adoption)),
    }
}

/// What became of an adoption's extras, to the wire.
pub(crate) fn adopted(result: AdoptionResult) -> pb::AdoptionResult {
    pb::AdoptionResult {
        plan: result.plan,
        extra_count: result.extras,
        kept_count: result.kept,
        quarantined_count: result.quarantined,
        deleted_count: result.deleted,
        stale_count: result.stale,
        rejected_count: result.rejected,
    }
}
