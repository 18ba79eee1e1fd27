//! One module as its device's record stores it, and the two faces that it shows.
//!
//! A module has an identity and a twin as a device has, but no status: its device's holds. The
//! etag of its identity stands in its twin as a device's does in its own.

use hubshift_azure::etag::IfMatch;
use hubshift_azure::{
    Authentication, ConnectionState, ErrorCode, ExportImportDevice, Module, Properties, Status,
    Twin, TwinProperties, Violation, wire_time,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::authentication;
use super::marks::Marks;
use super::record::{check_etag, shown_twin};
use super::twin_state::{TwinChange, TwinState};
use crate::answer::Refusal;

/// The modules that the hub makes for Edge devices.
pub(crate) const SYSTEM_MODULES: [&str; 2] = ["$edgeAgent", "$edgeHub"];

/// Who manages those.
pub(super) const EDGE: &str = "iotEdge";

/// A module. `Debug` shows no key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ModuleRecord {
    pub(crate) module_id: String,
    pub(crate) managed_by: Option<String>,
    pub(crate) generation_id: String,
    pub(crate) etag: String,
    pub(crate) authentication: Authentication,
    pub(crate) twin: TwinState,
}

/// What a client may set of a module's identity. What it leaves out is cleared or made anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct ModuleBody {
    pub(super) managed_by: Option<String>,
    pub(super) authentication: Option<Authentication>,
}

impl From<Module> for ModuleBody {
    fn from(module: Module) -> Self {
        Self {
            managed_by: module.managed_by,
            authentication: module.authentication,
        }
    }
}

/// An entry of an export cannot say who manages a module.
impl From<&ExportImportDevice> for ModuleBody {
    fn from(entry: &ExportImportDevice) -> Self {
        Self {
            managed_by: None,
            authentication: entry.authentication.clone(),
        }
    }
}

/// Whether the id is of those that are the hub's to make and to delete.
pub(crate) fn is_system(module_id: &str) -> bool {
    module_id.starts_with('$')
}

/// What a client hears who would make, change or delete one of those.
pub(super) fn system_refusal() -> Refusal {
    let words = "the identity of a module whose id begins with $ is the hub's own";
    Refusal::new(ErrorCode::ArgumentInvalid, words)
}

impl ModuleRecord {
    /// A module that is new.
    pub(super) fn created(
        module_id: &str,
        body: ModuleBody,
        twin: TwinChange,
        marks: &mut Marks,
    ) -> Result<Self, Refusal> {
        if is_system(module_id) {
            return Err(system_refusal());
        }
        Violation::check_module_id(module_id)?;
        Ok(Self {
            module_id: module_id.to_owned(),
            managed_by: body.managed_by,
            generation_id: marks.generation(),
            etag: marks.etag(),
            authentication: authentication::of_module(body.authentication)?,
            twin: TwinState::new(twin, OffsetDateTime::now_utc())?,
        })
    }

    /// One that the hub makes for an Edge device.
    pub(super) fn system(module_id: &str, marks: &mut Marks) -> Result<Self, Refusal> {
        Ok(Self {
            module_id: module_id.to_owned(),
            managed_by: Some(EDGE.to_owned()),
            generation_id: marks.generation(),
            etag: marks.etag(),
            authentication: authentication::of_system_module(),
            twin: TwinState::new(TwinChange::default(), OffsetDateTime::now_utc())?,
        })
    }

    /// The module with another identity.
    pub(super) fn updated(&self, body: ModuleBody, marks: &mut Marks) -> Result<Self, Refusal> {
        if is_system(&self.module_id) {
            return Err(system_refusal());
        }
        Ok(Self {
            managed_by: body.managed_by,
            etag: marks.etag(),
            authentication: authentication::of_module(body.authentication)?,
            ..self.clone()
        })
    }

    pub(super) fn check_etag(&self, if_match: &IfMatch) -> Result<(), Refusal> {
        check_etag(if_match, &self.etag, "Module version did not match")
    }

    pub(super) fn check_twin_etag(&self, if_match: &IfMatch) -> Result<(), Refusal> {
        check_etag(if_match, &self.twin.etag(), "Twin version did not match")
    }

    /// The identity as the hub shows it. Modules of this hub never connect.
    pub(crate) fn identity(&self, device_id: &str) -> Module {
        Module {
            module_id: self.module_id.clone(),
            managed_by: self.managed_by.clone(),
            device_id: device_id.to_owned(),
            generation_id: Some(self.generation_id.clone()),
            etag: Some(self.etag.clone()),
            connection_state: Some(ConnectionState::Disconnected),
            connection_state_updated_time: Some(wire_time::NEVER.to_owned()),
            last_activity_time: Some(wire_time::NEVER.to_owned()),
            cloud_to_device_message_count: Some(0),
            authentication: Some(self.authentication.clone()),
        }
    }

    /// The twin as the hub shows it.
    pub(crate) fn shown_twin(&self, device_id: &str) -> Value {
        let twin = Twin {
            device_id: device_id.to_owned(),
            module_id: Some(self.module_id.clone()),
            etag: Some(self.twin.etag()),
            device_etag: Some(self.etag.clone()),
            status: Some(Status::Enabled),
            status_update_time: Some(wire_time::NEVER.to_owned()),
            connection_state: Some(ConnectionState::Disconnected),
            last_activity_time: Some(wire_time::NEVER.to_owned()),
            cloud_to_device_message_count: Some(0),
            authentication_type: Some(self.authentication.kind),
            model_id: Some(String::new()),
            version: Some(self.twin.version),
            tags: Some(self.twin.tags.clone()),
            properties: Some(TwinProperties {
                desired: Some(self.twin.shown_desired()),
                reported: Some(self.twin.shown_reported()),
            }),
            ..Twin::default()
        };
        shown_twin(twin, &self.authentication)
    }

    /// The module as an export job writes it, keys included. Its lines have a status too.
    pub(crate) fn entry(&self, device_id: &str) -> ExportImportDevice {
        ExportImportDevice {
            id: device_id.to_owned(),
            module_id: Some(self.module_id.clone()),
            etag: Some(self.etag.clone()),
            status: Some(Status::Enabled),
            authentication: Some(self.authentication.clone()),
            twin_etag: Some(self.twin.etag()),
            tags: Some(self.twin.tags.clone()),
            properties: Some(Properties {
                desired: Some(self.twin.desired().clone()),
                reported: Some(self.twin.reported().clone()),
            }),
            ..ExportImportDevice::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks() -> Marks {
        Marks::new().unwrap()
    }

    #[test]
    fn an_update_replaces_all_of_the_identity_and_none_of_the_twin() {
        let body = ModuleBody {
            managed_by: Some("me".to_owned()),
            authentication: None,
        };
        let first = ModuleRecord::created("m", body, TwinChange::default(), &mut marks()).unwrap();
        let second = first.updated(ModuleBody::default(), &mut marks()).unwrap();
        assert_eq!(second.managed_by, None);
        assert_ne!(second.authentication, first.authentication);
        assert_ne!(second.etag, first.etag);
        assert_eq!(second.twin, first.twin);
    }

    #[test]
    fn the_hubs_own_modules_are_nobody_elses() {
        let (body, twin) = (ModuleBody::default(), TwinChange::default());
        let made = ModuleRecord::created("$mine", body.clone(), twin, &mut marks());
        assert_eq!(made.unwrap_err().code, ErrorCode::ArgumentInvalid);
        let agent = ModuleRecord::system("$edgeAgent", &mut marks()).unwrap();
        assert!(agent.updated(body, &mut marks()).is_err());
        let shown = serde_json::to_value(agent.identity("e")).unwrap();
        assert_eq!(shown["managedBy"], "iotEdge");
        assert_eq!(shown["authentication"]["type"], "none");
        assert_eq!(shown.get("status"), None);
    }

    #[test]
    fn a_twin_carries_the_modules_etag_and_no_key() {
        let (body, twin) = (ModuleBody::default(), TwinChange::default());
        let module = ModuleRecord::created("m", body, twin, &mut marks()).unwrap();
        let shown = module.shown_twin("d");
        assert_eq!(shown["deviceId"], "d");
        assert_eq!(shown["moduleId"], "m");
        assert_eq!(shown["deviceEtag"], module.etag);
        let (primary, _) = module.authentication.keys().unwrap();
        assert!(!shown.to_string().contains(primary.expose()));
    }
}
