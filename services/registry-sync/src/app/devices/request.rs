//! What a back end asks for, checked: every violation is found before anything is refused.

mod wish;

use std::fmt;

use hubshift_api::json::from_struct;
use hubshift_api::pb::registry as pb;
use hubshift_api::validate::Checks;
use hubshift_azure::{Violation, limits};
use hubshift_domain::id::{DeviceId, FleetId};
use hubshift_domain::identity::CredentialKind;
use hubshift_store::idem;
use serde_json::{Map, Value};
use tonic::Status;
use uuid::Uuid;

use crate::store::journal::Operation;
use wish::{given_kind, kind, made};

pub(crate) use wish::Wish;

/// What names a change of a device in the journal.
#[derive(Clone)]
pub(crate) struct Ticket {
    /// The fleet.
    pub(crate) fleet: FleetId,
    /// The device.
    pub(crate) device: DeviceId,
    /// Who asks.
    pub(crate) caller: String,
    /// The caller's id for it.
    pub(crate) request_id: Uuid,
    /// Hash of the whole message.
    pub(crate) body_sha256: Vec<u8>,
    /// The etag that the device must have; empty for any.
    pub(crate) etag: String,
    /// What it does.
    pub(crate) operation: Operation,
    /// Whether a device is removed because its credential is in wrong hands.
    pub(crate) is_revoked: bool,
}

/// A change of a device.
#[derive(Clone)]
pub(crate) struct Request {
    /// What names it.
    pub(crate) ticket: Ticket,
    /// What to do.
    pub(crate) change: Change,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("fleet", &self.fleet)
            .field("device", &self.device)
            .field("operation", &self.operation)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ticket.fmt(f)
    }
}

/// What to do with a device.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Make it.
    Create(New),
    /// Replace parts of it.
    Update(Parts),
    /// Remove it.
    Delete,
}

/// A new device.
#[derive(Debug, Clone)]
pub(crate) struct New {
    /// Whether it may connect.
    pub(crate) enabled: bool,
    /// Why.
    pub(crate) status_reason: Option<String>,
    /// How it proves who it is.
    pub(crate) credentials: Wish,
    /// Whether it is an edge gateway.
    pub(crate) iot_edge: bool,
    /// Tags.
    pub(crate) tags: Map<String, Value>,
    /// Desired properties.
    pub(crate) desired: Map<String, Value>,
}

/// Parts that replace what is there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parts {
    /// Whether it may connect, and why.
    pub(crate) status: Option<(bool, Option<String>)>,
    /// How it proves who it is.
    pub(crate) credentials: Option<Wish>,
    /// The kind that the caller believes it has, when it gives no credentials.
    pub(crate) kind: Option<CredentialKind>,
    /// Tags.
    pub(crate) tags: Option<Map<String, Value>>,
    /// Desired properties.
    pub(crate) desired: Option<Map<String, Value>>,
}

/// Checks a creation.
pub(crate) fn create(caller: &str, message: &pb::CreateDeviceRequest) -> Result<Request, Status> {
    let mut checks = Checks::new();
    let fleet = checks.fleet("parent", &message.parent);
    let device = checks.device("device_id", &message.device_id);
    let request_id = checks.request_id(&message.request_id);
    let wanted = message.device.clone().unwrap_or_default();
    check_name(
        &mut checks,
        &wanted.name,
        &message.parent,
        &message.device_id,
    );
    let kind = kind(&mut checks, &wanted).unwrap_or(CredentialKind::Sas);
    let credentials = match &message.credentials {
        None => made(&mut checks, kind),
        Some(given) => wish::check(&mut checks, given, kind),
    };
    let (tags, desired) = twin(&mut checks, &wanted);
    let status_reason = reason(&mut checks, &wanted);
    let all = (|| {
        let new = New {
            enabled: wanted.enabled.unwrap_or(true),
            status_reason,
            credentials: credentials?,
            iot_edge: wanted.iot_edge,
            tags: tags.unwrap_or_default(),
            desired: desired.unwrap_or_default(),
        };
        Some((fleet?, device?, request_id?, new))
    })();
    let (fleet, device, request_id, new) = checks.require(all)?;
    let hashed = idem::Request::new(caller, "CreateDevice", request_id, message);
    let ticket = ticket(fleet, device, &hashed, String::new(), Operation::Create);
    Ok(Request {
        ticket,
        change: Change::Create(new),
    })
}

/// Checks a change.
pub(crate) fn update(caller: &str, message: &pb::UpdateDeviceRequest) -> Result<Request, Status> {
    let mut checks = Checks::new();
    let wanted = message.device.clone().unwrap_or_default();
    let name = checks.device_name("device.name", &wanted.name);
    let request_id = checks.request_id(&message.request_id);
    let kind = kind(&mut checks, &wanted);
    let credentials = message.credentials.as_ref().map(|given| {
        let kind = kind
            .or_else(|| given_kind(given))
            .unwrap_or(CredentialKind::Sas);
        wish::check(&mut checks, given, kind)
    });
    let (tags, desired) = twin(&mut checks, &wanted);
    let status_reason = reason(&mut checks, &wanted);
    if wanted.enabled.is_none() && status_reason.is_some() {
        checks.violation(
            "device.status_reason",
            "is replaced together with `enabled`: give both",
        );
    }
    let status = wanted.enabled.map(|enabled| (enabled, status_reason));
    let parts = Parts {
        status,
        credentials: credentials.flatten(),
        kind,
        tags,
        desired,
    };
    if parts.status.is_none()
        && message.credentials.is_none()
        && parts.tags.is_none()
        && parts.desired.is_none()
    {
        checks.violation(
            "device",
            "has nothing to change: set enabled, tags or desired",
        );
    }
    let all = name.zip(request_id);
    let ((fleet, device), request_id) = checks.require(all)?;
    let hashed = idem::Request::new(caller, "UpdateDevice", request_id, message);
    let ticket = ticket(
        fleet,
        device,
        &hashed,
        message.etag.clone(),
        Operation::Update,
    );
    Ok(Request {
        ticket,
        change: Change::Update(parts),
    })
}

/// Checks a deletion.
pub(crate) fn delete(caller: &str, message: &pb::DeleteDeviceRequest) -> Result<Request, Status> {
    let mut checks = Checks::new();
    let name = checks.device_name("name", &message.name);
    let request_id = checks.request_id(&message.request_id);
    let ((fleet, device), request_id) = checks.require(name.zip(request_id))?;
    let hashed = idem::Request::new(caller, "DeleteDevice", request_id, message);
    let ticket = ticket(
        fleet,
        device,
        &hashed,
        message.etag.clone(),
        Operation::Delete,
    );
    let ticket = Ticket {
        is_revoked: message.revoked,
        ..ticket
    };
    Ok(Request {
        ticket,
        change: Change::Delete,
    })
}

fn ticket(
    fleet: FleetId,
    device: DeviceId,
    hashed: &idem::Request,
    etag: String,
    operation: Operation,
) -> Ticket {
    Ticket {
        fleet,
        device,
        caller: hashed.caller.clone(),
        request_id: hashed.request_id,
        body_sha256: hashed.body_sha256().to_vec(),
        etag,
        operation,
        is_revoked: false,
    }
}

fn check_name(checks: &mut Checks, name: &str, parent: &str, device_id: &str) {
    if !name.is_empty() && name != format!("{parent}/devices/{device_id}") {
        checks.violation(
            "device.name",
            "must be empty or agree with parent and device_id",
        );
    }
}

type Twin = (Option<Map<String, Value>>, Option<Map<String, Value>>);

fn twin(checks: &mut Checks, device: &pb::Device) -> Twin {
    let tags = device.tags.as_ref().map(from_struct);
    let desired = device.desired.as_ref().map(from_struct);
    if let Some(Err(error)) = tags.as_ref().map(limits::check_tags) {
        checks.violation("device.tags", error.to_string());
    }
    if let Some(Err(error)) = desired.as_ref().map(limits::check_desired) {
        checks.violation("device.desired", error.to_string());
    }
    (tags, desired)
}

fn reason(checks: &mut Checks, device: &pb::Device) -> Option<String> {
    let reason = Some(device.status_reason.clone()).filter(|text| !text.is_empty());
    if let Err(found) = Violation::check_reason(reason.as_deref()) {
        checks.violation("device.status_reason", found.to_string());
    }
    reason
}

#[cfg(test)]
mod tests;
