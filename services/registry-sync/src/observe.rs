//! What a hub holds, as a row of `registry.observed`: one canonical record, with its credential
//! sealed.

use hubshift_domain::identity::{Fingerprint, Incarnation, Record};
use hubshift_hub::{DeviceWrite, HubDevice, Identity};
use time::OffsetDateTime;

use crate::seal::{FleetKeys, KeyError};

/// A device, module or configuration as a hub was last seen to hold it.
#[derive(Debug, Clone)]
pub(crate) struct Observed {
    /// Its key.
    pub(crate) device_id: String,
    pub(crate) generation_id: String,
    pub(crate) incarnation: Incarnation,
    pub(crate) identity_etag: String,
    pub(crate) twin_etag: String,
    pub(crate) twin_version: i64,
    pub(crate) desired_version: i64,
    pub(crate) record: Record,
    pub(crate) sealed: Vec<u8>,
    pub(crate) fingerprint: Fingerprint,
    /// By the database's clock, taken before the read began.
    pub(crate) read_time: OffsetDateTime,
}

/// A device as read at a hub.
pub(crate) fn observed(
    keys: &FleetKeys,
    incarnation: Incarnation,
    device: &HubDevice,
    read_time: OffsetDateTime,
) -> Result<Observed, KeyError> {
    let id = &device.identity.device_id;
    let record = record(keys, device);
    Ok(Observed {
        device_id: id.clone(),
        generation_id: device.generation_id.clone(),
        incarnation,
        identity_etag: device.identity_etag.clone(),
        twin_etag: device.twin_etag.clone(),
        twin_version: device.twin_version,
        desired_version: device.desired_version,
        fingerprint: record.fingerprint(&keys.fingerprint, id),
        record,
        sealed: keys.seal(id, &device.identity.credentials)?,
        read_time,
    })
}

/// The canonical record of a device.
pub(crate) fn record(keys: &FleetKeys, device: &HubDevice) -> Record {
    let identity = &device.identity;
    Record {
        enabled: identity.enabled,
        status_reason: identity
            .status_reason
            .clone()
            .filter(|reason| !reason.is_empty()),
        credential: keys.credential(&identity.device_id, &identity.credentials),
        iot_edge: identity.iot_edge,
        parent: identity.parent.clone(),
        managed_by: identity.managed_by.clone(),
        tags: device.tags.clone(),
        desired: device.desired.clone(),
    }
}

/// A record as it is sent to a hub, with its credential opened. The sealed bytes must be those
/// that the record speaks of: a record is never written with another's keys.
pub(crate) fn device_write(
    keys: &FleetKeys,
    device: &str,
    record: &Record,
    sealed: &[u8],
) -> Result<DeviceWrite, KeyError> {
    let credentials = keys.open(device, sealed)?;
    if keys.credential(device, &credentials) != record.credential {
        return Err(KeyError::Damaged);
    }
    Ok(DeviceWrite {
        identity: Identity {
            device_id: device.to_owned(),
            enabled: record.enabled,
            status_reason: record.status_reason.clone(),
            credentials,
            iot_edge: record.iot_edge,
            parent: record.parent.clone(),
            managed_by: record.managed_by.clone(),
        },
        tags: record.tags.clone(),
        desired: record.desired.clone(),
    })
}

#[cfg(test)]
mod tests {
    use hubshift_hub::{Credentials, Secret};
    use serde_json::json;

    use super::*;
    use crate::seal::tests::keys;

    fn found() -> HubDevice {
        let key = || Secret::new("Y2FuYXJ5");
        HubDevice {
            identity: Identity {
                device_id: "d-1".into(),
                enabled: false,
                status_reason: Some("stolen".into()),
                credentials: Credentials::Sas {
                    primary: key(),
                    secondary: key(),
                },
                iot_edge: false,
                parent: None,
                managed_by: None,
            },
            tags: json!({"site": "x"}).as_object().unwrap().clone(),
            desired: json!({"rate": 5}).as_object().unwrap().clone(),
            generation_id: "635".into(),
            identity_etag: "MQ==".into(),
            twin_etag: "AAAAAAAAAAE=".into(),
            twin_version: 3,
            desired_version: 2,
        }
    }

    #[test]
    fn what_is_observed_is_written_back_to_the_letter() {
        let keys = keys(4);
        let mut child = found();
        child.identity.parent = Some("gateway".into());
        let mut module = found();
        module.identity.device_id = "d-1/m".into();
        module.identity.managed_by = Some("iotEdge".into());
        module.identity.credentials = Credentials::None;
        for found in [found(), child, module] {
            let key = found.identity.device_id.clone();
            let seen = observed(&keys, 1, &found, OffsetDateTime::UNIX_EPOCH).unwrap();
            let write = device_write(&keys, &key, &seen.record, &seen.sealed).unwrap();
            assert_eq!(write.identity, found.identity);
            assert_eq!((write.tags, write.desired), (found.tags, found.desired));
        }
    }

    #[test]
    fn what_a_hub_keeps_for_itself_does_not_move_the_fingerprint() {
        let keys = keys(4);
        let one = observed(&keys, 1, &found(), OffsetDateTime::UNIX_EPOCH).unwrap();
        let mut copy = found();
        (copy.generation_id, copy.twin_version) = ("636".into(), 9);
        (copy.identity_etag, copy.twin_etag) = ("Mg==".into(), "AAAAAAAAAAI=".into());
        let two = observed(&keys, 2, &copy, OffsetDateTime::now_utc()).unwrap();
        assert_eq!(one.fingerprint, two.fingerprint);
    }

    #[test]
    fn a_record_is_not_written_with_other_keys() {
        let keys = keys(4);
        let seen = observed(&keys, 1, &found(), OffsetDateTime::UNIX_EPOCH).unwrap();
        let other = keys.seal("d-1", &Credentials::Ca).unwrap();
        assert!(device_write(&keys, "d-1", &seen.record, &other).is_err());
    }
}
