//! What can be asked of the hub, and what kind of call each operation is.

use crate::outage::CallKind;

/// What can be asked of the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    GetDevice(String),
    PutDevice(String),
    DeleteDevice(String),
    ListDevices,
    BulkDevices,
    RegenerateKeys,
    Query,
    GetTwin(String),
    PatchTwin(String),
    PutTwin(String),
    InvokeMethod(String),
    ListModules(String),
    GetModule(String, String),
    PutModule(String, String),
    DeleteModule(String, String),
    GetModuleTwin(String, String),
    PatchModuleTwin(String, String),
    PutModuleTwin(String, String),
    InvokeModuleMethod(String, String),
    PurgeCommands(String),
    ListConfigurations,
    GetConfiguration(String),
    PutConfiguration(String),
    DeleteConfiguration(String),
    TestQueries,
    ApplyConfiguration(String),
    CreateJob,
    ListJobs,
    GetJob(String),
    CancelJob(String),
    PutScheduledJob(String),
    GetScheduledJob(String),
    CancelScheduledJob(String),
    QueryScheduledJobs,
    DeviceStatistics,
    ServiceStatistics,
    SendEvent(String),
}

/// Which of the hub's quotas an operation counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// Identities of devices and modules, one at a time, in lists and in bulk.
    Registry,
    /// Queries.
    Query,
    /// Reads of twins.
    TwinRead,
    /// Writes of twins.
    TwinWrite,
    /// Jobs of both kinds.
    Job,
    /// Configurations.
    Configuration,
    /// Messages of devices.
    Device,
    /// What no quota counts: statistics, methods.
    Free,
}

impl Operation {
    /// All names of operations.
    pub(crate) const NAMES: &[&str] = &[
        "get_device",
        "put_device",
        "delete_device",
        "list_devices",
        "bulk_devices",
        "regenerate_keys",
        "query",
        "get_twin",
        "patch_twin",
        "put_twin",
        "invoke_method",
        "list_modules",
        "get_module",
        "put_module",
        "delete_module",
        "get_module_twin",
        "patch_module_twin",
        "put_module_twin",
        "invoke_module_method",
        "purge_commands",
        "list_configurations",
        "get_configuration",
        "put_configuration",
        "delete_configuration",
        "test_queries",
        "apply_configuration",
        "create_job",
        "list_jobs",
        "get_job",
        "cancel_job",
        "put_scheduled_job",
        "get_scheduled_job",
        "cancel_scheduled_job",
        "query_scheduled_jobs",
        "device_statistics",
        "service_statistics",
        "send_event",
    ];

    /// The name under which requests are counted: one of [`Self::NAMES`].
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::GetDevice(_) => "get_device",
            Self::PutDevice(_) => "put_device",
            Self::DeleteDevice(_) => "delete_device",
            Self::ListDevices => "list_devices",
            Self::BulkDevices => "bulk_devices",
            Self::RegenerateKeys => "regenerate_keys",
            Self::Query => "query",
            Self::GetTwin(_) => "get_twin",
            Self::PatchTwin(_) => "patch_twin",
            Self::PutTwin(_) => "put_twin",
            Self::InvokeMethod(_) => "invoke_method",
            Self::ListModules(_) => "list_modules",
            Self::GetModule(..) => "get_module",
            Self::PutModule(..) => "put_module",
            Self::DeleteModule(..) => "delete_module",
            Self::GetModuleTwin(..) => "get_module_twin",
            Self::PatchModuleTwin(..) => "patch_module_twin",
            Self::PutModuleTwin(..) => "put_module_twin",
            Self::InvokeModuleMethod(..) => "invoke_module_method",
            Self::PurgeCommands(_) => "purge_commands",
            Self::ListConfigurations => "list_configurations",
            Self::GetConfiguration(_) => "get_configuration",
            Self::PutConfiguration(_) => "put_configuration",
            Self::DeleteConfiguration(_) => "delete_configuration",
            Self::TestQueries => "test_queries",
            Self::ApplyConfiguration(_) => "apply_configuration",
            Self::CreateJob => "create_job",
            Self::ListJobs => "list_jobs",
            Self::GetJob(_) => "get_job",
            Self::CancelJob(_) => "cancel_job",
            Self::PutScheduledJob(_) => "put_scheduled_job",
            Self::GetScheduledJob(_) => "get_scheduled_job",
            Self::CancelScheduledJob(_) => "cancel_scheduled_job",
            Self::QueryScheduledJobs => "query_scheduled_jobs",
            Self::DeviceStatistics => "device_statistics",
            Self::ServiceStatistics => "service_statistics",
            Self::SendEvent(_) => "send_event",
        }
    }

    /// Who calls this, and whether it changes anything.
    pub(crate) fn kind(&self) -> CallKind {
        match self {
            Self::SendEvent(_) => CallKind::Device,
            Self::GetDevice(_)
            | Self::ListDevices
            | Self::Query
            | Self::GetTwin(_)
            | Self::ListModules(_)
            | Self::GetModule(..)
            | Self::GetModuleTwin(..)
            | Self::ListConfigurations
            | Self::GetConfiguration(_)
            | Self::TestQueries
            | Self::ListJobs
            | Self::GetJob(_)
            | Self::GetScheduledJob(_)
            | Self::QueryScheduledJobs
            | Self::DeviceStatistics
            | Self::ServiceStatistics => CallKind::Read,
            Self::PutDevice(_)
            | Self::DeleteDevice(_)
            | Self::BulkDevices
            | Self::RegenerateKeys
            | Self::PatchTwin(_)
            | Self::PutTwin(_)
            | Self::InvokeMethod(_)
            | Self::PutModule(..)
            | Self::DeleteModule(..)
            | Self::PatchModuleTwin(..)
            | Self::PutModuleTwin(..)
            | Self::InvokeModuleMethod(..)
            | Self::PurgeCommands(_)
            | Self::PutConfiguration(_)
            | Self::DeleteConfiguration(_)
            | Self::ApplyConfiguration(_)
            | Self::CreateJob
            | Self::CancelJob(_)
            | Self::PutScheduledJob(_)
            | Self::CancelScheduledJob(_) => CallKind::Write,
        }
    }

    /// Which quota it counts against.
    pub(crate) fn class(&self) -> Class {
        match self {
            Self::GetDevice(_)
            | Self::PutDevice(_)
            | Self::DeleteDevice(_)
            | Self::ListDevices
            | Self::BulkDevices
            | Self::RegenerateKeys
            | Self::ListModules(_)
            | Self::GetModule(..)
            | Self::PutModule(..)
            | Self::DeleteModule(..) => Class::Registry,
            Self::Query => Class::Query,
            Self::GetTwin(_) | Self::GetModuleTwin(..) => Class::TwinRead,
            Self::PatchTwin(_)
            | Self::PutTwin(_)
            | Self::PatchModuleTwin(..)
            | Self::PutModuleTwin(..) => Class::TwinWrite,
            Self::CreateJob
            | Self::ListJobs
            | Self::GetJob(_)
            | Self::CancelJob(_)
            | Self::PutScheduledJob(_)
            | Self::GetScheduledJob(_)
            | Self::CancelScheduledJob(_)
            | Self::QueryScheduledJobs => Class::Job,
            Self::ListConfigurations
            | Self::GetConfiguration(_)
            | Self::PutConfiguration(_)
            | Self::DeleteConfiguration(_)
            | Self::TestQueries
            | Self::ApplyConfiguration(_) => Class::Configuration,
            Self::SendEvent(_) => Class::Device,
            Self::InvokeMethod(_)
            | Self::InvokeModuleMethod(..)
            | Self::PurgeCommands(_)
            | Self::DeviceStatistics
            | Self::ServiceStatistics => Class::Free,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_in_the_list_once() {
        let id = || "x".to_owned();
        let some = [
            Operation::GetDevice(id()),
            Operation::PutModuleTwin(id(), id()),
            Operation::CancelScheduledJob(id()),
            Operation::SendEvent(id()),
        ];
        for operation in some {
            let named = Operation::NAMES
                .iter()
                .filter(|name| **name == operation.name());
            assert_eq!(named.count(), 1, "{operation:?}");
        }
    }
}
