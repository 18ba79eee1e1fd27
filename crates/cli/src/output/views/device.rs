//! Devices, and their secrets when they were asked for by name.

use hubshift_api::json;
use hubshift_api::pb::registry as pb;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{last_segment, time_text, value_name, yes};
use crate::output::{Block, Row, View};

/// A device without its secrets.
#[derive(Debug, Serialize)]
pub(crate) struct DeviceView {
    name: String,
    enabled: Option<bool>,
    status_reason: String,
    credential_kind: String,
    iot_edge: bool,
    tags: Map<String, Value>,
    desired: Map<String, Value>,
    incarnation: u32,
    epoch: u64,
    sequence: i64,
    has_conflicts: bool,
    etag: String,
    read_time: Option<String>,
}

impl From<pb::Device> for DeviceView {
    fn from(device: pb::Device) -> Self {
        let kind = device.credential_kind();
        Self {
            credential_kind: value_name(kind.as_str_name(), "CREDENTIAL_KIND_"),
            tags: device
                .tags
                .as_ref()
                .map(json::from_struct)
                .unwrap_or_default(),
            desired: device
                .desired
                .as_ref()
                .map(json::from_struct)
                .unwrap_or_default(),
            read_time: time_text(device.read_time.as_ref()),
            name: device.name,
            enabled: device.enabled,
            status_reason: device.status_reason,
            iot_edge: device.iot_edge,
            incarnation: device.incarnation,
            epoch: device.epoch,
            sequence: device.sequence,
            has_conflicts: device.has_conflicts,
            etag: device.etag,
        }
    }
}

impl DeviceView {
    fn status(&self) -> &'static str {
        if self.enabled == Some(false) {
            "disabled"
        } else {
            "enabled"
        }
    }
}

fn object_text(map: &Map<String, Value>) -> String {
    if map.is_empty() {
        String::new()
    } else {
        Value::Object(map.clone()).to_string()
    }
}

impl View for DeviceView {
    fn human(&self) -> String {
        Block::new()
            .line("device", last_segment(&self.name))
            .line("status", self.status())
            .line("reason", &self.status_reason)
            .line("credential", &self.credential_kind)
            .line("edge gateway", yes(self.iot_edge))
            .line("tags", object_text(&self.tags))
            .line("desired", object_text(&self.desired))
            .line("incarnation", self.incarnation)
            .line(
                "written in",
                format!("epoch {}, number {}", self.epoch, self.sequence),
            )
            .line("conflicts", yes(self.has_conflicts))
            .line("etag", &self.etag)
            .maybe("read", self.read_time.as_ref())
            .text()
    }
}

impl Row for DeviceView {
    const LIST: &'static str = "devices";
    const HEADER: &'static [&'static str] =
        &["device", "status", "credential", "conflicts", "tags"];

    fn cells(&self) -> Vec<String> {
        vec![
            last_segment(&self.name).to_owned(),
            self.status().to_owned(),
            self.credential_kind.clone(),
            yes(self.has_conflicts).to_owned(),
            object_text(&self.tags),
        ]
    }
}

/// A device's secrets. No `Debug`: they are printed by `device credentials` and nowhere else.
#[derive(Serialize)]
pub(crate) struct CredentialsView {
    name: String,
    kind: String,
    primary_key: String,
    secondary_key: String,
    primary_thumbprint: String,
    secondary_thumbprint: String,
}

impl From<pb::DeviceCredentials> for CredentialsView {
    fn from(found: pb::DeviceCredentials) -> Self {
        let kind = found.kind();
        Self {
            kind: value_name(kind.as_str_name(), "CREDENTIAL_KIND_"),
            name: found.name,
            primary_key: found.primary_key,
            secondary_key: found.secondary_key,
            primary_thumbprint: found.primary_thumbprint,
            secondary_thumbprint: found.secondary_thumbprint,
        }
    }
}

impl View for CredentialsView {
    fn human(&self) -> String {
        Block::new()
            .line("device", last_segment(&self.name))
            .line("credential", &self.kind)
            .line("primary key", &self.primary_key)
            .line("secondary key", &self.secondary_key)
            .line("primary thumbprint", &self.primary_thumbprint)
            .line("secondary thumbprint", &self.secondary_thumbprint)
            .text()
    }
}

/// A device that is no more.
#[derive(Debug, Serialize)]
pub(crate) struct DeletedView {
    /// `fleets/{fleet}/devices/{device}`.
    pub(crate) name: String,
    /// Whether the deletion says that the credential is in wrong hands.
    pub(crate) revoked: bool,
}

impl View for DeletedView {
    fn human(&self) -> String {
        let how = if self.revoked {
            "deleted and revoked"
        } else {
            "deleted"
        };
        format!("{} is {how}", last_segment(&self.name))
    }
}
