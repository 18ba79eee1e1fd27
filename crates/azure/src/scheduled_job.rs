//! Scheduled jobs (`/jobs/v2`): a change to many twins, or a method on many devices, at a time.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::fields::{FieldError, Fields, deserialize_by_fields};
use crate::job::{JobStatus, JobType};
use crate::twin::Twin;

/// A direct method and what goes with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CloudToDeviceMethod {
    /// Its name.
    pub method_name: String,
    /// What it is called with.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub payload: Value,
    /// How long the device may take, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_timeout_in_seconds: Option<i64>,
    /// How long the device may take to connect, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout_in_seconds: Option<i64>,
}

/// What `PUT /jobs/v2/{id}` takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobRequest {
    /// The job's id; the path has it too.
    pub job_id: Option<String>,
    /// What is to be done.
    pub kind: Option<JobType>,
    /// The method, for [`JobType::ScheduleDeviceMethod`].
    pub cloud_to_device_method: Option<CloudToDeviceMethod>,
    /// The change, for [`JobType::ScheduleUpdateTwin`].
    pub update_twin: Option<Twin>,
    /// For which devices: what follows `where` in a query, or `*` for all.
    pub query_condition: Option<String>,
    /// When; at once if nothing is said.
    pub start_time: Option<String>,
    /// How long it may run.
    pub max_execution_time_in_seconds: Option<i64>,
}

/// A job's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobResponse {
    /// Its id.
    pub job_id: String,
    /// For which devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_condition: Option<String>,
    /// When it was asked for.
    pub created_time: String,
    /// When it is to run.
    pub start_time: String,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
    /// How long it may run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_execution_time_in_seconds: Option<i64>,
    /// What it does.
    #[serde(rename = "type")]
    pub kind: JobType,
    /// The method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_to_device_method: Option<CloudToDeviceMethod>,
    /// The change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_twin: Option<Twin>,
    /// How far it is.
    pub status: JobStatus,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// How its devices fared.
    pub device_job_statistics: DeviceJobStatistics,
}

/// How many devices of a job are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceJobStatistics {
    /// All of them.
    pub device_count: i64,
    /// Those that failed.
    pub failed_count: i64,
    /// Those that are done.
    pub succeeded_count: i64,
    /// Those that are under way.
    pub running_count: i64,
    /// Those that are to come.
    pub pending_count: i64,
}

impl JobRequest {
    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            job_id: fields.filled("jobId")?,
            kind: fields.choice("type")?,
            cloud_to_device_method: fields
                .object("cloudToDeviceMethod")?
                .map(method)
                .transpose()?,
            update_twin: fields.object("updateTwin")?.map(twin).transpose()?,
            query_condition: fields.filled("queryCondition")?,
            start_time: fields.filled("startTime")?,
            max_execution_time_in_seconds: fields.integer("maxExecutionTimeInSeconds")?,
        })
    }
}

deserialize_by_fields!(JobRequest);

/// A reader's own words quote values, so they are not passed on.
fn method(map: Map<String, Value>) -> Result<CloudToDeviceMethod, FieldError> {
    serde_json::from_value(Value::Object(map)).map_err(|_| FieldError {
        path: "cloudToDeviceMethod".to_owned(),
        problem: "must have a methodName, and whole numbers of seconds".to_owned(),
    })
}

fn twin(map: Map<String, Value>) -> Result<Twin, FieldError> {
    Twin::from_value(Value::Object(map)).map_err(|found| FieldError {
        path: format!("updateTwin.{}", found.path),
        problem: found.problem,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_keeps_the_nulls_that_remove() {
        let request = JobRequest::from_value(json!({
            "jobId": "j", "type": "scheduleUpdateTwin", "queryCondition": "deviceId = 'd'",
            "updateTwin": {"etag": "*", "tags": {"old": null}, "deviceId": null},
            "startTime": null,
        }));
        let request = request.unwrap();
        let twin = request.update_twin.unwrap();
        assert_eq!(twin.etag.as_deref(), Some("*"));
        assert_eq!(twin.tags.unwrap().get("old"), Some(&Value::Null));
        assert_eq!(request.start_time, None);
    }

    #[test]
    fn errors_name_the_field_and_not_its_value() {
        let of = |body| JobRequest::from_value(body).unwrap_err().to_string();
        let method = of(json!({"cloudToDeviceMethod": {"methodName": 7, "payload": "canary"}}));
        assert!(method.starts_with("cloudToDeviceMethod must"), "{method}");
        let tags = of(json!({"updateTwin": {"tags": "canary"}}));
        assert_eq!(tags, "updateTwin.tags must be an object");
    }

    #[test]
    fn a_method_is_echoed_as_it_came() {
        let json =
            json!({"methodName": "reboot", "payload": {"a": 1}, "responseTimeoutInSeconds": 30});
        let map = json.as_object().cloned().unwrap();
        assert_eq!(serde_json::to_value(method(map).unwrap()).unwrap(), json);
    }
}
