use super::*;

fn plan() -> pb::AdoptionPlan {
    let side = |hub: &str, tier: &str| pb::AdoptionSide {
        hub: hub.into(),
        record_count: 5,
        tier: tier.into(),
        units: 2,
        ..Default::default()
    };
    let loss = |reason: &str, count| pb::Loss {
        reason: reason.into(),
        count,
        what: "stays behind".into(),
        remedy: "do it by hand".into(),
    };
    pb::AdoptionPlan {
        name: "fleets/acme/hubs/west/adoptions/a-1".into(),
        state: pb::AdoptionState::Planned.into(),
        source: Some(side("east", "")),
        target: Some(side("west", "S1")),
        extra_count: 4,
        estimate: "by calls 100 min".into(),
        fence: "none, loss window stays open".into(),
        losses: vec![loss("CA_CERTIFICATES", 3), loss("HUB_SETTINGS", 0)],
        ..Default::default()
    }
}

#[test]
fn a_plan_says_what_is_lost_and_what_to_type_next() {
    let text = AdoptionPlanView::from(plan()).human();
    for part in [
        "east, 5 records, tier not known",
        "west, 5 records, S1 x 2",
        "CA_CERTIFICATES (3): stays behind; do it by hand",
        "HUB_SETTINGS: stays behind",
        "none, loss window stays open",
        "hubshift adopt apply a-1 --hub west --extras keep|quarantine|delete",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("told"), "{text}");
}

#[test]
fn an_applied_plan_says_what_became_of_the_extras_and_asks_for_nothing() {
    let result = pb::AdoptionResult {
        deleted_count: 3,
        stale_count: 1,
        ..Default::default()
    };
    let applied = pb::AdoptionPlan {
        state: pb::AdoptionState::Applied.into(),
        extras: pb::ExtraAction::Delete.into(),
        result: Some(result),
        ..plan()
    };
    let view = AdoptionPlanView::from(applied);
    let text = view.human();
    assert!(text.contains("left alone, not as planned"), "{text}");
    assert!(
        !text.contains("quarantined") && !text.contains("adopt apply"),
        "{text}"
    );
    let json = serde_json::to_value(&view).unwrap();
    assert_eq!(json["extras"], "delete");
    assert_eq!(json["result"]["deleted_count"], 3);
    assert_eq!(json["apply_time"], serde_json::Value::Null);
}

#[test]
fn an_extra_that_nobody_decided_has_no_outcome() {
    let extra = pb::AdoptionExtra {
        device: "x-1".into(),
        enabled: true,
        credential_kind: hubshift_api::pb::types::CredentialKind::SelfSigned.into(),
        ..Default::default()
    };
    let view = ExtraView::from(extra);
    assert_eq!(view.cells(), ["x-1", "yes", "self_signed", "", "", ""]);
}
