//! One merge, whole, as JSON; and what people are told to type next.

use prost_types::Timestamp;
use serde_json::json;

use super::*;

fn planned() -> pb::Merge {
    let record = json!({"tags": {"site": "oslo"}});
    pb::Merge {
        name: "fleets/acme/merges/m1".into(),
        recovered_hub: "east".into(),
        active_hub: "west".into(),
        epoch: 2049,
        state: pb::MergeState::Planned.into(),
        plan_id: "p-77".into(),
        rewound: true,
        rewound_evidence: "12 keys are older than their base".into(),
        counts: Some(pb::MergeCounts {
            differing_count: 5,
            primary_create_count: 3,
            primary_delete_count: 1,
            secondary_update_count: 1,
            auto_count: 2,
            held_count: 1,
            document_count: 4,
            late_event_count: 6,
            ..Default::default()
        }),
        blockers: vec!["1 conflict is held".into()],
        rescued: vec![pb::RescuedDevice {
            device: "d-9".into(),
            record: record.as_object().map(json::to_struct),
        }],
        create_time: Some(Timestamp {
            seconds: 1_700_000_000,
            nanos: 0,
        }),
        trace_id: "abc".into(),
        ..Default::default()
    }
}

#[test]
fn json_has_the_fields_of_the_protobuf_file() {
    let view = serde_json::to_value(MergeView::from(planned())).unwrap();
    let expected = json!({
        "name": "fleets/acme/merges/m1", "recovered_hub": "east", "active_hub": "west",
        "epoch": 2049, "state": "planned", "plan_id": "p-77", "rewound": true,
        "rewound_evidence": "12 keys are older than their base",
        "counts": {
            "differing_count": 5, "primary_create_count": 3, "primary_update_count": 0,
            "primary_delete_count": 1, "secondary_create_count": 0, "secondary_update_count": 1,
            "secondary_delete_count": 0, "auto_count": 2, "held_count": 1, "applied_count": 0,
            "document_count": 4, "late_event_count": 6,
        },
        "blockers": ["1 conflict is held"],
        "rescued": [{"device": "d-9", "record": {"tags": {"site": "oslo"}}}],
        "failure": null, "primary_digest": "", "secondary_digest": "",
        "create_time": "2023-11-14T22:13:20Z", "close_time": null, "trace_id": "abc",
    });
    assert_eq!(view, expected);
}

#[test]
fn a_plan_says_how_to_apply_it_and_a_closed_merge_does_not() {
    let planned = planned();
    let text = MergeView::from(planned.clone()).human();
    assert!(
        text.contains("hubshift merge apply m1 --plan-id p-77"),
        "{text}"
    );
    assert!(
        text.contains("3 to create, 0 to update, 1 to delete"),
        "{text}"
    );
    let closed = pb::Merge {
        state: pb::MergeState::Closed.into(),
        primary_digest: "aa".into(),
        secondary_digest: "aa".into(),
        ..planned
    };
    let text = MergeView::from(closed).human();
    assert!(!text.contains("merge apply"), "{text}");
    assert!(text.contains("equal"), "{text}");
}

#[test]
fn an_absent_value_and_a_null_differ() {
    let null = prost_types::Value {
        kind: Some(prost_types::value::Kind::NullValue(0)),
    };
    let conflict = pb::Conflict {
        name: "fleets/acme/conflicts/c1".into(),
        primary: Some(null),
        state: pb::ConflictState::Held.into(),
        ..Default::default()
    };
    let view = ConflictView::from(conflict);
    assert!(view.human().contains("secondary  -"), "{}", view.human());
    assert!(view.human().contains("primary    null"), "{}", view.human());
}
