//! A device as callers see it. Pure.

use hubshift_api::enums;
use hubshift_api::json::to_struct;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::types::CredentialKind as Kind;
use hubshift_api::times::timestamp;
use hubshift_domain::id::FleetId;
use hubshift_hub::Credentials;
use sha2::{Digest as _, Sha256};

use crate::observe::Observed;
use crate::store::journal::list::Facts;

/// A device as a hub shows it, without its secrets.
pub(crate) fn device(fleet: &FleetId, seen: &Observed, facts: &Facts) -> pb::Device {
    let record = &seen.record;
    let change = facts
        .change
        .as_ref()
        .filter(|change| change.incarnation == seen.incarnation);
    pb::Device {
        name: fleet.child_name("devices", &seen.device_id),
        enabled: Some(record.enabled),
        status_reason: record.status_reason.clone().unwrap_or_default(),
        credential_kind: enums::credential_kind(record.credential.kind).into(),
        iot_edge: record.iot_edge,
        tags: Some(to_struct(&record.tags)),
        desired: Some(to_struct(&record.desired)),
        incarnation: seen.incarnation,
        epoch: change.map_or(0, |change| change.epoch.0),
        sequence: change.map_or(0, |change| change.sequence),
        has_conflicts: facts.is_held,
        etag: etag(seen),
        read_time: Some(timestamp(seen.read_time)),
    }
}

/// Changes with every change of the identity or its twin at its hub, and with its life.
pub(crate) fn etag(seen: &Observed) -> String {
    let mut hash = Sha256::new();
    for part in [&seen.generation_id, &seen.identity_etag, &seen.twin_etag] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A device's secrets.
pub(crate) fn credentials(
    fleet: &FleetId,
    device: &str,
    plain: &Credentials,
) -> pb::DeviceCredentials {
    let mut shown = pb::DeviceCredentials {
        name: fleet.child_name("devices", device),
        ..pb::DeviceCredentials::default()
    };
    let kind = match plain {
        Credentials::Sas { primary, secondary } => {
            shown.primary_key = primary.expose().to_owned();
            shown.secondary_key = secondary.expose().to_owned();
            Kind::Sas
        }
        Credentials::SelfSigned {
            primary_thumbprint,
            secondary_thumbprint,
        } => {
            shown.primary_thumbprint.clone_from(primary_thumbprint);
            shown.secondary_thumbprint = secondary_thumbprint.clone().unwrap_or_default();
            Kind::SelfSigned
        }
        Credentials::Ca => Kind::Ca,
        Credentials::None => Kind::None,
    };
    shown.kind = kind.into();
    shown
}
