use hubshift_domain::identity::{Credential, CredentialKind, Record};
use serde_json::Map;
use time::OffsetDateTime;

use super::*;

fn seen(print: u8, incarnation: Incarnation) -> Observed {
    let credential = Credential {
        kind: CredentialKind::Ca,
        fingerprint: Fingerprint([0; 16]),
    };
    Observed {
        device_id: "d".into(),
        generation_id: "g".into(),
        incarnation,
        identity_etag: "i".into(),
        twin_etag: "t".into(),
        twin_version: 1,
        desired_version: 1,
        record: Record {
            enabled: true,
            status_reason: None,
            credential,
            iot_edge: false,
            parent: None,
            managed_by: None,
            tags: Map::new(),
            desired: Map::new(),
        },
        sealed: Vec::new(),
        fingerprint: Fingerprint([print; 16]),
        read_time: OffsetDateTime::UNIX_EPOCH,
    }
}

#[test]
fn a_hub_is_as_merged_as_planned_or_something_else() {
    let print = |byte: u8| Some(Fingerprint([byte; 16]));
    let stand = |seen: Option<&Observed>| place(1, print(2), print(1), seen);
    assert_eq!(stand(Some(&seen(2, 1))), Standing::Post);
    assert_eq!(stand(Some(&seen(1, 1))), Standing::Pre);
    assert_eq!(stand(Some(&seen(3, 1))), Standing::Other);
    assert_eq!(stand(None), Standing::Other);
    assert_eq!(place(1, None, print(1), None), Standing::Post);
    assert_eq!(place(1, print(2), None, None), Standing::Pre);
}

#[test]
fn a_later_life_that_looks_the_same_is_not_deleted() {
    let before = Some(Fingerprint([1; 16]));
    assert_eq!(place(1, None, before, Some(&seen(1, 2))), Standing::Other);
    assert_eq!(place(1, None, before, Some(&seen(1, 1))), Standing::Pre);
}
