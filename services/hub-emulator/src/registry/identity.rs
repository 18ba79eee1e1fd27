//! What an identity write makes of a record.
//!
//! A write replaces the identity as a whole. Where it says nothing of authentication, or leaves
//! the keys out, the hub makes new ones, on an update too: that is the real hub's trap.

use hubshift_azure::{
    AuthType, Authentication, Device, ErrorCode, ExportImportDevice, Secret, Status, SymmetricKey,
    Violation, X509Thumbprint, wire_time,
};
use time::OffsetDateTime;

use super::marks::Marks;
use super::record::Record;
use super::twin_state::{TwinChange, TwinState};
use crate::answer::Refusal;

/// What a client may set of an identity.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdentityBody {
    status: Option<Status>,
    status_reason: Option<String>,
    authentication: Option<Authentication>,
    iot_edge: bool,
}

impl From<Device> for IdentityBody {
    fn from(device: Device) -> Self {
        Self {
            status: device.status,
            status_reason: device.status_reason,
            authentication: device.authentication,
            iot_edge: device.capabilities.unwrap_or_default().iot_edge,
        }
    }
}

impl From<&ExportImportDevice> for IdentityBody {
    fn from(entry: &ExportImportDevice) -> Self {
        Self {
            status: entry.status,
            status_reason: entry.status_reason.clone(),
            authentication: entry.authentication.clone(),
            iot_edge: entry.capabilities.unwrap_or_default().iot_edge,
        }
    }
}

pub(crate) fn created(
    id: &str,
    body: IdentityBody,
    twin: TwinChange,
    marks: &mut Marks,
) -> Result<Record, Refusal> {
    Violation::check_id(id)?;
    Violation::check_reason(body.status_reason.as_deref())?;
    let twin = TwinState::new(twin, OffsetDateTime::now_utc())?;
    Ok(Record {
        device_id: id.to_owned(),
        generation_id: marks.generation(),
        etag: marks.etag(),
        status: body.status.unwrap_or(Status::Enabled),
        status_reason: body.status_reason,
        status_updated: wire_time::NEVER.to_owned(),
        authentication: stored(body.authentication)?,
        iot_edge: body.iot_edge,
        twin,
    })
}

pub(crate) fn updated(
    old: &Record,
    body: IdentityBody,
    marks: &mut Marks,
) -> Result<Record, Refusal> {
    Violation::check_reason(body.status_reason.as_deref())?;
    let status = body.status.unwrap_or(Status::Enabled);
    let status_updated = if status == old.status {
        old.status_updated.clone()
    } else {
        wire_time::write(OffsetDateTime::now_utc())
    };
    Ok(Record {
        etag: marks.etag(),
        status,
        status_reason: body.status_reason,
        status_updated,
        authentication: stored(body.authentication)?,
        iot_edge: body.iot_edge,
        ..old.clone()
    })
}

/// The authentication as the hub keeps it: both objects always there, keys made where missing.
fn stored(given: Option<Authentication>) -> Result<Authentication, Refusal> {
    let Some(given) = given else { return sas(None) };
    Violation::check_authentication(&given)?;
    let no_keys = Some(SymmetricKey::default());
    match given.kind {
        AuthType::Sas => sas(given.symmetric_key),
        AuthType::SelfSigned => Ok(Authentication {
            symmetric_key: no_keys,
            ..given
        }),
        AuthType::CertificateAuthority => Ok(Authentication {
            symmetric_key: no_keys,
            x509_thumbprint: Some(X509Thumbprint::default()),
            kind: given.kind,
        }),
        AuthType::None => Err(Refusal::new(
            ErrorCode::ArgumentInvalid,
            "a device cannot have authentication type none",
        )),
    }
}

fn sas(keys: Option<SymmetricKey>) -> Result<Authentication, Refusal> {
    let keys = keys.unwrap_or_default();
    let (primary, secondary) = match (keys.primary_key, keys.secondary_key) {
        (Some(primary), Some(secondary)) => (primary, secondary),
        _ => (Secret::generate()?, Secret::generate()?),
    };
    Ok(Authentication {
        x509_thumbprint: Some(X509Thumbprint::default()),
        ..Authentication::sas(primary, secondary)
    })
}

#[cfg(test)]
mod tests {
    use super::super::record::sample;
    use super::*;

    fn marks() -> Marks {
        Marks::new().unwrap()
    }

    fn keys(record: &Record) -> (String, String) {
        let (primary, secondary) = record.authentication.keys().unwrap();
        (primary.expose().to_owned(), secondary.expose().to_owned())
    }

    #[test]
    fn an_update_without_authentication_makes_new_keys() {
        let marks = &mut marks();
        let first = created("d", IdentityBody::default(), TwinChange::default(), marks).unwrap();
        let second = updated(&first, IdentityBody::default(), marks).unwrap();
        assert_ne!(keys(&first), keys(&second));
        assert_ne!(first.etag, second.etag);
        assert_eq!(first.generation_id, second.generation_id);
    }

    #[test]
    fn given_keys_are_kept_to_the_letter() {
        let key = Secret::new("Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5");
        let body = IdentityBody {
            authentication: Some(Authentication::sas(key.clone(), key.clone())),
            ..IdentityBody::default()
        };
        let record = updated(&sample("d"), body, &mut marks()).unwrap();
        assert_eq!(
            keys(&record),
            (key.expose().to_owned(), key.expose().to_owned())
        );
    }

    #[test]
    fn the_time_of_a_status_moves_with_the_status_only() {
        let old = sample("d");
        let same = updated(&old, IdentityBody::default(), &mut marks()).unwrap();
        assert_eq!(same.status_updated, wire_time::NEVER);
        let body = IdentityBody {
            status: Some(Status::Disabled),
            ..IdentityBody::default()
        };
        let other = updated(&old, body, &mut marks()).unwrap();
        assert_ne!(other.status_updated, wire_time::NEVER);
    }
}
