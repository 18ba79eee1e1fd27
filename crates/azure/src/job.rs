//! Import and export jobs: what `POST /jobs/create` takes, what a job's record says, and the
//! lines of the log that an import leaves.
//!
//! A container's URI opens the container, so it is a [`Secret`] here.

use serde::Serialize;

use crate::fields::{FieldError, Fields, deserialize_by_fields};
use crate::secret::Secret;
use crate::wire_enum::wire_enum;

/// The blob of devices that jobs write and read if nothing else is said.
pub const DEVICES_BLOB: &str = "devices.txt";
/// The blob of configurations.
pub const CONFIGURATIONS_BLOB: &str = "configurations.txt";
/// The blob that an import writes when lines of it failed.
pub const IMPORT_ERRORS_BLOB: &str = "importErrors.log";

wire_enum! {
    /// The kind of a job, in the one list that both kinds of jobs share.
    pub enum JobType {
        /// Not known.
        Unknown = "unknown",
        /// All devices into a container.
        Export = "export",
        /// Devices out of a container.
        Import = "import",
        /// The hub's own.
        Backup = "backup",
        /// Of older hubs.
        ReadDeviceProperties = "readDeviceProperties",
        /// Of older hubs.
        WriteDeviceProperties = "writeDeviceProperties",
        /// Of older hubs.
        UpdateDeviceConfiguration = "updateDeviceConfiguration",
        /// Of older hubs.
        RebootDevice = "rebootDevice",
        /// Of older hubs.
        FactoryResetDevice = "factoryResetDevice",
        /// Of older hubs.
        FirmwareUpdate = "firmwareUpdate",
        /// Scheduled: a direct method on many devices.
        ScheduleDeviceMethod = "scheduleDeviceMethod",
        /// Scheduled: a change to many twins.
        ScheduleUpdateTwin = "scheduleUpdateTwin",
        /// The hub's own.
        RestoreFromBackup = "restoreFromBackup",
        /// The hub's own.
        FailoverDataCopy = "failoverDataCopy",
    }
}

wire_enum! {
    /// How far a job is.
    pub enum JobStatus {
        /// Not known.
        Unknown = "unknown",
        /// It will run.
        Enqueued = "enqueued",
        /// It runs.
        Running = "running",
        /// It ran to its end. Of an import: lines may have failed nevertheless.
        Completed = "completed",
        /// It ended early.
        Failed = "failed",
        /// It was ended from outside.
        Cancelled = "cancelled",
        /// It waits for its time.
        Scheduled = "scheduled",
        /// It waits for its turn.
        Queued = "queued",
    }
}

wire_enum! {
    /// How the hub gets into the container.
    pub enum StorageAuthenticationType {
        /// By the SAS in the URI.
        KeyBased = "keyBased",
        /// By an identity of the hub's.
        IdentityBased = "identityBased",
    }
}

impl JobStatus {
    /// Whether nothing more will come of it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// An identity of the hub's, where it is not the hub itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedIdentity {
    /// Its resource id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_assigned_identity: Option<String>,
}

/// A job as it is asked for, and as its record shows it. A hub's record has no URIs. Kinds and
/// statuses that are not known are read as such: one job of a newer kind must not hide the others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobProperties {
    /// The hub's id of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// When it began to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time_utc: Option<String>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time_utc: Option<String>,
    /// Export or import.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<JobType>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<JobStatus>,
    /// How far it is, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<i64>,
    /// The container that is imported from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_blob_container_uri: Option<Secret>,
    /// The blob that is imported, [`DEVICES_BLOB`] if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_blob_name: Option<String>,
    /// The container that is exported to, or that takes an import's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_blob_container_uri: Option<Secret>,
    /// The blob that is written, [`DEVICES_BLOB`] if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_blob_name: Option<String>,
    /// Whether an export leaves the keys out. Devices that are made from it get new ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_keys_in_export: Option<bool>,
    /// How the hub gets into the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_authentication_type: Option<StorageAuthenticationType>,
    /// By which identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<ManagedIdentity>,
    /// Why it failed. Nothing, also where lines of an import failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Whether configurations are part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include_configurations: Option<bool>,
    /// The blob with the configurations, [`CONFIGURATIONS_BLOB`] if nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configurations_blob_name: Option<String>,
}

impl ManagedIdentity {
    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            user_assigned_identity: fields.filled("userAssignedIdentity")?,
        })
    }
}

impl JobProperties {
    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            job_id: fields.filled("jobId")?,
            start_time_utc: fields.filled("startTimeUtc")?,
            end_time_utc: fields.filled("endTimeUtc")?,
            kind: fields.choice_or("type", JobType::Unknown)?,
            status: fields.choice_or("status", JobStatus::Unknown)?,
            progress: fields.integer("progress")?,
            input_blob_container_uri: fields.secret("inputBlobContainerUri")?,
            input_blob_name: fields.filled("inputBlobName")?,
            output_blob_container_uri: fields.secret("outputBlobContainerUri")?,
            output_blob_name: fields.filled("outputBlobName")?,
            exclude_keys_in_export: fields.boolean("excludeKeysInExport")?,
            storage_authentication_type: fields.choice("storageAuthenticationType")?,
            identity: fields.nested("identity", ManagedIdentity::read)?,
            failure_reason: fields.filled("failureReason")?,
            include_configurations: fields.boolean("includeConfigurations")?,
            configurations_blob_name: fields.filled("configurationsBlobName")?,
        })
    }
}

deserialize_by_fields!(JobProperties);

/// One line of [`IMPORT_ERRORS_BLOB`]: a line of the import that was not applied. As the emulator
/// writes it; who reads logs of real hubs must miss no line, whatever it lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportError {
    /// The line's device. Nothing if the line could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// Its module, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_id: Option<String>,
    /// The error's number, 409001.
    pub error_code: u32,
    /// Words.
    pub error_status: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_clients_send_is_read_and_no_uri_is_shown() {
        let npm = JobProperties::from_value(json!({
            "type": "import", "inputBlobContainerUri": "https://canary",
            "outputBlobContainerUri": "https://canary", "storageAuthenticationType": "IdentityBased",
            "identity": {"userAssignedIdentity": "/subscriptions/x"},
        }))
        .unwrap();
        assert_eq!(npm.kind, Some(JobType::Import));
        let identity_based = Some(StorageAuthenticationType::IdentityBased);
        assert_eq!(npm.storage_authentication_type, identity_based);
        assert!(!format!("{npm:?}").contains("canary"));

        let python = JobProperties::from_value(json!({
            "type": "export", "outputBlobContainerUri": "u", "excludeKeysInExport": false,
            "inputBlobName": null,
        }));
        assert_eq!(python.unwrap().exclude_keys_in_export, Some(false));
    }

    #[test]
    fn a_record_reads_back_what_it_writes() {
        let json = json!({
            "jobId": "j", "type": "export", "status": "completed", "progress": 100,
            "startTimeUtc": "2026-01-01T00:00:00Z", "excludeKeysInExport": true,
        });
        let record = JobProperties::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&record).unwrap(), json);
        assert!(record.status.unwrap().is_over());
    }

    #[test]
    fn a_kind_and_a_status_that_are_new_are_not_known() {
        let json = json!({"jobId": "j", "type": "copy", "status": "paused"});
        let record = JobProperties::from_value(json).unwrap();
        assert_eq!(record.kind, Some(JobType::Unknown));
        let status = record.status.unwrap();
        assert!(status == JobStatus::Unknown && !status.is_over());
    }

    #[test]
    fn a_line_of_the_log_has_a_number() {
        let error = ImportError {
            device_id: Some("d".to_owned()),
            module_id: None,
            error_code: 409_001,
            error_status: "there".to_owned(),
        };
        let line = r#"{"deviceId":"d","errorCode":409001,"errorStatus":"there"}"#;
        assert_eq!(serde_json::to_string(&error).unwrap(), line);
    }
}
