//! One scheduled job: what was asked for, how far it is, and how its devices fared.

use std::time::Duration;

use hubshift_azure::etag::IfMatch;
use hubshift_azure::{
    CloudToDeviceMethod, DeviceJobStatistics, ErrorCode, JobRequest, JobResponse, JobStatus,
    JobType, Twin, wire_time,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::answer::Refusal;
use crate::registry::{Registry, TwinWrite};

/// The longest id of a job.
const MAX_ID: usize = 128;

/// What is done to each device.
#[derive(Clone, Debug)]
pub(super) enum Work {
    UpdateTwin(Box<Twin>),
    Method(CloudToDeviceMethod),
}

/// What the task of a job needs to know.
#[derive(Clone, Debug)]
pub(in crate::jobs) struct Plan {
    pub(super) work: Work,
    pub(super) condition: String,
    pub(super) start: OffsetDateTime,
    pub(super) limit: Option<Duration>,
}

/// A job.
pub(in crate::jobs) struct ScheduledJob {
    id: String,
    plan: Plan,
    max_seconds: Option<i64>,
    created: OffsetDateTime,
    begun: Option<OffsetDateTime>,
    ended: Option<OffsetDateTime>,
    status: JobStatus,
    failure: Option<String>,
    devices: Vec<DeviceRun>,
    cancel: CancellationToken,
}

/// One device of a job.
struct DeviceRun {
    device_id: String,
    status: JobStatus,
    updated: OffsetDateTime,
    error: Option<Refusal>,
}

impl Work {
    fn read(request: &JobRequest) -> Result<Self, Refusal> {
        let missing = |field: &str| {
            let words = format!("{field} is missing");
            Refusal::new(ErrorCode::ArgumentNull, words)
        };
        match request.kind {
            Some(JobType::ScheduleUpdateTwin) => request
                .update_twin
                .clone()
                .map(|twin| Self::UpdateTwin(Box::new(twin)))
                .ok_or_else(|| missing("updateTwin")),
            Some(JobType::ScheduleDeviceMethod) => request
                .cloud_to_device_method
                .clone()
                .map(Self::Method)
                .ok_or_else(|| missing("cloudToDeviceMethod")),
            Some(_) => {
                let words = "type must be scheduleUpdateTwin or scheduleDeviceMethod";
                Err(Refusal::new(ErrorCode::ArgumentInvalid, words))
            }
            None => Err(missing("type")),
        }
    }

    /// Does it to one device. No device of this hub takes methods.
    pub(super) fn carry_out(&self, registry: &mut Registry, id: &str) -> Result<(), Refusal> {
        match self {
            Self::UpdateTwin(twin) => {
                let etag = twin.etag.as_deref().filter(|etag| !etag.is_empty());
                let if_match = etag.map_or(IfMatch::Any, IfMatch::parse);
                let change = Twin::clone(twin).into();
                registry
                    .write_twin(id, change, TwinWrite::Patch, &if_match)
                    .map(|_| ())
            }
            Self::Method(_) => {
                let words = "The operation failed because the requested device isn't online or hasn't registered the direct method callback.";
                Err(Refusal::new(ErrorCode::DeviceNotOnline, words))
            }
        }
    }
}

impl ScheduledJob {
    /// Reads what was asked for. A condition is not looked at before the job runs.
    pub(in crate::jobs) fn read(
        id: &str,
        request: JobRequest,
        now: OffsetDateTime,
        cancel: CancellationToken,
    ) -> Result<Self, Refusal> {
        let invalid = |words: &str| Refusal::new(ErrorCode::ArgumentInvalid, words);
        if id.is_empty() || id.len() > MAX_ID {
            return Err(invalid("the job's id has no or more than 128 characters"));
        }
        if request.job_id.as_deref().is_some_and(|given| given != id) {
            return Err(invalid("jobId in the body is not the one in the path"));
        }
        let work = Work::read(&request)?;
        let condition = request
            .query_condition
            .ok_or_else(|| Refusal::new(ErrorCode::ArgumentNull, "queryCondition is missing"))?;
        let start = match &request.start_time {
            Some(text) => wire_time::parse(text).ok_or_else(|| invalid("startTime is no time"))?,
            None => now,
        };
        // Some clients send 0 where they mean nothing.
        let limit = request
            .max_execution_time_in_seconds
            .and_then(|seconds| u64::try_from(seconds).ok())
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs);
        let status = if start > now {
            JobStatus::Scheduled
        } else {
            JobStatus::Queued
        };
        let plan = Plan {
            work,
            condition,
            start,
            limit,
        };
        Ok(Self {
            id: id.to_owned(),
            plan,
            max_seconds: request.max_execution_time_in_seconds,
            created: now,
            begun: None,
            ended: None,
            status,
            failure: None,
            devices: Vec::new(),
            cancel,
        })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(in crate::jobs) fn plan(&self) -> Plan {
        self.plan.clone()
    }

    pub(super) fn status(&self) -> JobStatus {
        self.status
    }

    pub(super) fn is_over(&self) -> bool {
        self.status.is_over()
    }

    /// When its devices were chosen.
    pub(super) fn begun(&self) -> Option<OffsetDateTime> {
        self.begun
    }

    pub(super) fn kind(&self) -> JobType {
        match self.plan.work {
            Work::UpdateTwin(_) => JobType::ScheduleUpdateTwin,
            Work::Method(_) => JobType::ScheduleDeviceMethod,
        }
    }

    /// Its time has come: it runs if there is a place, or waits for one.
    pub(super) fn due(&mut self, is_free: bool) {
        self.status = if is_free {
            JobStatus::Running
        } else {
            JobStatus::Queued
        };
    }

    /// Notes the devices that it is about.
    pub(super) fn set_devices(&mut self, ids: &[String], now: OffsetDateTime) {
        let run = |id: &String| DeviceRun {
            device_id: id.clone(),
            status: JobStatus::Queued,
            updated: now,
            error: None,
        };
        self.begun = Some(now);
        self.devices = ids.iter().map(run).collect();
    }

    /// Notes how a device fared.
    pub(super) fn device_done(
        &mut self,
        index: usize,
        result: Result<(), Refusal>,
        now: OffsetDateTime,
    ) {
        if let Some(device) = self.devices.get_mut(index) {
            device.status = match result {
                Ok(()) => JobStatus::Completed,
                Err(_) => JobStatus::Failed,
            };
            device.error = result.err();
            device.updated = now;
        }
    }

    /// It ran to its end, however its devices fared, or it did not.
    pub(super) fn end(&mut self, failure: Option<String>, now: OffsetDateTime) {
        self.status = match failure {
            None => JobStatus::Completed,
            Some(_) => JobStatus::Failed,
        };
        self.failure = failure;
        self.ended = Some(now);
    }

    /// Ends it, and what is not done yet with it.
    pub(super) fn cancel(&mut self, now: OffsetDateTime) {
        if self.is_over() {
            return;
        }
        self.status = JobStatus::Cancelled;
        self.ended = Some(now);
        self.cancel.cancel();
        for device in &mut self.devices {
            if !device.status.is_over() {
                device.status = JobStatus::Cancelled;
                device.updated = now;
            }
        }
    }

    /// The record.
    pub(super) fn shown(&self) -> JobResponse {
        let (method, twin) = match &self.plan.work {
            Work::UpdateTwin(twin) => (None, Some(Twin::clone(twin))),
            Work::Method(method) => (Some(method.clone()), None),
        };
        JobResponse {
            job_id: self.id.clone(),
            query_condition: Some(self.plan.condition.clone()),
            created_time: wire_time::write(self.created),
            start_time: wire_time::write(self.plan.start),
            end_time: self.ended.map(wire_time::write),
            max_execution_time_in_seconds: self.max_seconds,
            kind: self.kind(),
            cloud_to_device_method: method,
            update_twin: twin,
            status: self.status,
            failure_reason: self.failure.clone(),
            device_job_statistics: self.statistics(),
        }
    }

    fn statistics(&self) -> DeviceJobStatistics {
        let count = |status: JobStatus| {
            let devices = self.devices.iter();
            devices.filter(|device| device.status == status).count() as i64
        };
        DeviceJobStatistics {
            device_count: self.devices.len() as i64,
            failed_count: count(JobStatus::Failed),
            succeeded_count: count(JobStatus::Completed),
            running_count: 0,
            pending_count: count(JobStatus::Queued),
        }
    }

    /// How many devices it is about.
    pub(super) fn devices(&self) -> usize {
        self.devices.len()
    }

    /// The row of a device, as `devices.jobs` has it.
    pub(super) fn device_row(&self, index: usize) -> Option<Value> {
        self.devices.get(index).map(|device| self.row(device))
    }

    fn row(&self, device: &DeviceRun) -> Value {
        let mut row = json!({
            "deviceId": device.device_id,
            "jobId": self.id,
            "jobType": self.kind(),
            "status": device_status(device.status),
            "createdDateTimeUtc": wire_time::write(self.created),
            "startTimeUtc": self.begun.map(wire_time::write),
            "lastUpdatedDateTimeUtc": wire_time::write(device.updated),
        });
        if device.status.is_over() {
            row["endTimeUtc"] = wire_time::write(device.updated).into();
        }
        match &device.error {
            Some(refusal) => row["error"] = error(refusal),
            None if device.status == JobStatus::Completed => row["outcome"] = json!({}),
            None => {}
        }
        row
    }
}

/// The rows have names of their own.
fn device_status(status: JobStatus) -> &'static str {
    match status {
        JobStatus::Queued => "pending",
        JobStatus::Cancelled => "canceled",
        other => other.as_str(),
    }
}

fn error(refusal: &Refusal) -> Value {
    let code = match refusal.code.number() {
        Some(number) => number.to_string(),
        None => refusal.code.name().to_owned(),
    };
    json!({ "code": code, "description": refusal.words })
}

#[cfg(test)]
mod tests;
