use hubshift_domain::epoch::Epoch;
use hubshift_domain::identity::{Credential, CredentialKind, Fingerprint, Record};
use serde_json::Map;
use time::OffsetDateTime;
use uuid::Uuid;

use super::*;
use crate::store::journal::{Image, State};

fn record() -> Record {
    Record {
        enabled: true,
        status_reason: None,
        credential: Credential {
            kind: CredentialKind::Ca,
            fingerprint: Fingerprint([1; 16]),
        },
        iot_edge: false,
        parent: None,
        managed_by: None,
        tags: Map::new(),
        desired: Map::new(),
    }
}

fn seen(print: u8, incarnation: u32) -> Observed {
    Observed {
        device_id: "d".into(),
        generation_id: "g".into(),
        incarnation,
        identity_etag: "i".into(),
        twin_etag: "t".into(),
        twin_version: 1,
        desired_version: 1,
        record: record(),
        sealed: Vec::new(),
        fingerprint: Fingerprint([print; 16]),
        read_time: OffsetDateTime::UNIX_EPOCH,
    }
}

fn entry(operation: Operation, print: Option<u8>) -> Entry {
    let image = print.map(|print| Image {
        record: record(),
        sealed: Vec::new(),
        fingerprint: Fingerprint([print; 16]),
    });
    Entry {
        sequence: 1,
        epoch: Epoch(1024),
        hub_id: "east".into(),
        operation,
        device_id: "d".into(),
        incarnation: 1,
        caller: "me".into(),
        request_id: Uuid::nil(),
        body_sha256: Vec::new(),
        image,
        state: State::Unknown,
        reason: String::new(),
        detail: String::new(),
        response: None,
        deadline: OffsetDateTime::UNIX_EPOCH,
        is_overdue: true,
    }
}

#[test]
fn a_write_landed_when_the_hub_shows_what_it_wanted() {
    for operation in [Operation::Create, Operation::Update] {
        let entry = entry(operation, Some(2));
        assert!(landed(&entry, Some(&seen(2, 1))));
        assert!(!landed(&entry, Some(&seen(3, 1))));
        assert!(!landed(&entry, None));
    }
}

#[test]
fn a_deletion_landed_when_that_life_is_over() {
    let entry = entry(Operation::Delete, None);
    assert!(landed(&entry, None));
    assert!(!landed(&entry, Some(&seen(1, 1))));
    assert!(landed(&entry, Some(&seen(1, 2))));
}
